"""`python benchmarks/quality` on a small benchmark made for the purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from partseg.metrics.functional import class_agnostic_miou


def run(repository: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, repository / "benchmarks" / "quality", *arguments]
    return subprocess.run([str(x) for x in command], capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shapes of two categories: a pair of boxes, and a box whose six sides are parts."""
    root = tmp_path_factory.mktemp("psb")
    far = trimesh.creation.box((1, 1, 1)).subdivide()
    far.apply_translation([5, 0, 0])
    pair = trimesh.util.concatenate([trimesh.creation.box((1, 1, 1)).subdivide(), far])
    box = trimesh.creation.box((1, 1, 1)).subdivide()
    sides = np.unique(box.face_normals.round(6), axis=0, return_inverse=True)[1].ravel()
    for number, category, mesh, truth in (
        (21, "Cup", pair, np.repeat([0, 1], 48)),
        (141, "Table", box, sides),
    ):
        folder = root / category
        (folder / f"{number}_seg").mkdir(parents=True)
        mesh.export(folder / f"{number}.off")
        names = [f"part{k}\n{' '.join(str(i + 1) for i in np.flatnonzero(truth == k))}" for k in np.unique(truth)]
        (folder / f"{number}_labels.txt").write_text("\n".join(names) + "\n")
        for person, segments in enumerate((truth, np.zeros_like(truth))):
            (folder / f"{number}_seg" / f"{number}_{person}.seg").write_text("\n".join(map(str, segments)) + "\n")
    return root


def test_scores_methods_and_people_and_writes_every_number(repository: Path, bench: Path, tmp_path: Path) -> None:
    out = tmp_path / "numbers.json"
    done = run(
        repository, "--data", bench, "--methods", "ward-position,connected-components", "--by-category", "--output", out
    )
    assert done.returncode == 0, done.stderr
    numbers = json.loads(out.read_text())
    assert [shape["name"] for shape in numbers["shapes"]] == ["Cup/21", "Table/141"]
    cup, table = numbers["methods"]["connected-components"]
    assert cup["label"]["best"] == 1.0
    assert cup["human"]["best"] == pytest.approx(1.0)  # two pieces for one person, one part for the other
    assert cup["human"]["auto"] == pytest.approx((1 + 0.5) / 2)
    assert table["label"]["best"] == pytest.approx(1 / 6)
    ward, _ = numbers["methods"]["ward-position"]
    assert ward["human"]["parts"][0] == pytest.approx((0.5 + 1) / 2)
    assert ward["label"]["parts"][1] == 1.0
    split, whole = np.repeat([0, 1], 48), np.zeros(96, int)
    people = (class_agnostic_miou(split, whole) + class_agnostic_miou(whole, split)) / 2
    assert numbers["humans"]["Cup/21"] == pytest.approx(people)
    assert len(numbers["truth_sha256"]) == 64
    assert "| ward-position |" in done.stdout
    assert "one person against another" in done.stdout
    assert "| Cup | 1 |" in done.stdout


def test_several_processes_give_the_same_numbers(repository: Path, bench: Path, tmp_path: Path) -> None:
    for jobs in ("1", "2"):
        arguments = ("--data", bench, "--methods", "ward-position", "--jobs", jobs, "--output", tmp_path / jobs)
        done = run(repository, *arguments)
        assert done.returncode == 0, done.stderr
    one, two = (json.loads((tmp_path / jobs).read_text())["methods"]["ward-position"] for jobs in ("1", "2"))
    assert [{**row, "seconds": 0} for row in one] == [{**row, "seconds": 0} for row in two]


def test_a_method_that_fails_scores_nothing_and_is_told_of(repository: Path, bench: Path, tmp_path: Path) -> None:
    (tmp_path / "broken_method.py").write_text(
        "class Broken:\n"
        "    def segment(self, shape, *, parts=None, level=None):\n"
        "        raise RuntimeError('no luck')\n"
    )
    out = tmp_path / "numbers.json"
    command = [sys.executable, repository / "benchmarks" / "quality", "--data", bench]
    command += ["--methods", "broken_method:Broken", "--output", out]
    done = subprocess.run(
        [str(x) for x in command],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert "failed on Cup/21: RuntimeError: no luck" in done.stderr
    assert "| broken_method:Broken | 0.0 [0.0, 0.0] |" in done.stdout
    assert len(json.loads(out.read_text())["methods"]["broken_method:Broken"]) == 2


def test_missing_data_and_unknown_methods_end_with_one_line(repository: Path, bench: Path, tmp_path: Path) -> None:
    done = run(repository, "--data", tmp_path / "nowhere")
    assert done.returncode == 3
    assert "no Princeton Segmentation Benchmark" in done.stderr
    assert done.stderr.count("\n") == 1
    done = run(repository, "--data", bench, "--methods", "no-such-method")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
