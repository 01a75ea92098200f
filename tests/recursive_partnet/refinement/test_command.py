"""`partseg refine` in this process: files in, a refined cloud and a picture out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from partseg.cli.main import main
from partseg.data.procedural.dataset import ProceduralDataset
from partseg.geometry.io import load_shape
from partseg.methods.configs import load_config
from partseg_recursive_partnet.refinement.config import RefinerConfig
from partseg_recursive_partnet.refinement.refiner import Refiner
from partseg_recursive_partnet.refinement.spec import SPEC

TINY = RefinerConfig.model_validate(load_config(SPEC, "tiny"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    Refiner(TINY).save_pretrained(folder / "tiny")
    return str(folder / "tiny")


@pytest.fixture
def chairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Two clouds in the folder `scans`, far from the origin and in another unit; gives the labels of each."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    data = ProceduralDataset("test", 2, 300, kinds={"assembled": 1.0}, families=["chair"])
    labels = []
    for i in range(2):
        np.savetxt(f"scans/{i}.xyz", data[i].points.numpy() * 20 + [100, 0, 0])
        labels.append(data[i].labels["fine"].numpy())
    return labels


def test_a_folder_is_refined_by_found_parts(chairs, weights, capsys) -> None:
    assert main(["refine", "scans", "--weights", weights, "--segmenter", "ward-position", "--parts", "5"]) == 0
    out = capsys.readouterr().out
    assert f"0.xyz: 5 parts, 300 points became {5 * TINY.points}" in out
    for i in range(2):
        before, after = load_shape(f"scans/{i}.xyz"), load_shape(f"refined/{i}/refined.ply")
        assert after.n_elements == 5 * TINY.points
        low, high = before.transform.apply(before.points).min(0), before.transform.apply(before.points).max(0)
        inside = after.transform.apply(after.points)
        assert (inside > low - 2).all() and (inside < high + 2).all()
        image = Image.open(f"refined/{i}/refined.png")
        assert image.width > 1000 and len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 100


def test_known_parts_are_kept(chairs, weights) -> None:
    np.save("parts.npy", chairs[0])
    assert main(["refine", "scans/0.xyz", "-o", "out", "--weights", weights, "--labels", "parts.npy"]) == 0
    assert load_shape("out/0/refined.ply").n_elements == len(np.unique(chairs[0])) * TINY.points


def test_results_are_replaced_only_when_asked(chairs, weights, capsys) -> None:
    command = ["refine", "scans/0.xyz", "--weights", weights, "--segmenter", "ward-position", "--parts", "3"]
    assert main(command) == 0
    assert main(command) == 1
    assert "exists already (use --overwrite" in capsys.readouterr().err
    assert main([*command[:-1], "2", "--overwrite"]) == 0
    assert load_shape("refined/0/refined.ply").n_elements == 2 * TINY.points
    assert sorted(path.name for path in Path("refined").iterdir()) == ["0"]


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.zeros(7, np.int64), "7 labels, the shape 300 points"),
        (np.zeros(300), "holds no row of integers"),
        (np.full(300, -1), "no point is in a part"),
        (None, "No such file"),
    ],
)
def test_labels_that_do_not_fit(chairs, weights, capsys, labels, told) -> None:
    if labels is not None:
        np.save("parts.npy", labels)
    assert main(["refine", "scans/0.xyz", "--weights", weights, "--labels", "parts.npy"]) == 1
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error and error.count("\n") == 1
    assert not list(Path("refined").glob("*"))


def test_one_bad_file_does_not_stop_the_rest(chairs, weights, capsys) -> None:
    Path("scans/bad.ply").write_text("ply\n")
    assert main(["refine", "scans", "--weights", weights, "--segmenter", "ward-position"]) == 1
    told = capsys.readouterr()
    assert "bad.ply: FAILED" in told.out and "2 of 3 done; 1 failed" in told.err


def test_labels_are_of_one_shape(chairs, weights, capsys) -> None:
    np.save("parts.npy", chairs[0])
    assert main(["refine", "scans", "--weights", weights, "--labels", "parts.npy"]) == 1
    assert "are the labels of one shape, not of 2" in capsys.readouterr().err


def test_help_teaches(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["refine", "--help"])
    assert "refined.ply" in capsys.readouterr().out
