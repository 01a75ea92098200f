"""Keys: the same for the same, different for whatever could change a number, and quick to find."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from partseg.errors import PartsegError, UnknownNameError
from partseg.methods import registry
from partseg_bench import code
from partseg_bench.board import Board
from partseg_bench.cells import plan
from partseg_bench.code import code_digest, module_path
from partseg_bench.facts import Facts
from partseg_bench.sources import canonical, digest, file_digest

TRAINED = {
    "name": "fakes.bench_learned:Tiny",
    "label": "tiny",
    "train": {"dataset": "fakes.bench_learned:TinyData", "max_steps": 3},
}
BASE = {
    "methods": ["fakes.bench:Halves", TRAINED],
    "datasets": ["fakes.bench:shapes"],
    "protocols": ["fakes.bench:Accuracy", "fakes.bench:PartCount"],
}


def cells(facts: Path, **changes):
    return plan(Board.model_validate(BASE | changes), Facts(facts)).cells


@pytest.fixture
def facts(tmp_path) -> Path:
    return tmp_path / "facts.json"


def test_the_same_board_has_the_same_keys(facts):
    first = cells(facts)
    assert facts.is_file()
    assert [cell.key for cell in cells(facts)] == [cell.key for cell in first]
    facts.unlink()
    assert [cell.key for cell in cells(facts)] == [cell.key for cell in first]
    facts.write_text("damaged")
    assert [cell.key for cell in cells(facts)] == [cell.key for cell in first]
    assert len({cell.key for cell in first}) == 4


def test_keys_are_the_same_in_another_process(facts, repository):
    mine = [cell.key for cell in cells(facts)]
    script = (
        "import json, sys; from pathlib import Path; from partseg_bench.board import Board\n"
        "from partseg_bench.cells import plan; from partseg_bench.facts import Facts\n"
        "found = plan(Board.model_validate(json.loads(sys.argv[1])), Facts(Path(sys.argv[2])))\n"
        "print(*(cell.key for cell in found.cells)); print('torch' in sys.modules)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(repository / "tests"), "PYTHONHASHSEED": "7"}
    arguments = [sys.executable, "-c", script, canonical(BASE), str(facts)]
    told = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=True).stdout
    assert told.split()[:-1] == mine


def test_more_seeds_need_no_further_looks(facts, monkeypatch):
    """Entry points and sources are looked at for each method, dataset and protocol, not for each cell."""
    looks = []
    monkeypatch.setattr(registry, "entry_points", lambda **options: looks.append("points") or entry_points(**options))
    monkeypatch.setattr(code, "file_digest", lambda path: looks.append("file") or file_digest(path))
    board = {"datasets": [{"name": "procedural", "limit": 1}], "protocols": ["class-agnostic-auto"]}
    counts = []
    for seeds in ([0], [0], [*range(20)]):  # the first one also makes the shapes
        looks.clear()
        assert len(cells(facts, seeds=seeds, **board)) == 2 * len(seeds)
        counts.append((looks.count("points"), looks.count("file")))
    assert counts[1] == counts[2] and min(counts[1]) > 0


def test_predictions_and_trainings_are_shared(facts):
    found = {(cell.about["label"], cell.about["protocol"]): cell for cell in cells(facts, seeds=[0, 1])[::2]}
    halves = [cell for (label, _), cell in found.items() if label == "fakes.bench:Halves"]
    tiny = [cell for (label, _), cell in found.items() if label == "tiny"]
    assert len({cell.predictions for cell in halves}) == 1 and len({cell.key for cell in halves}) == 2
    assert len({cell.training.key for cell in tiny}) == 1
    assert halves[0].training is None and halves[0].predictions != tiny[0].predictions


def test_a_training_has_the_methods_augmentation_unless_told(facts, monkeypatch):
    from fakes import bench_learned

    spec = replace(bench_learned.Tiny.spec, augmentation="none")
    monkeypatch.setattr(bench_learned.Tiny, "spec", spec)
    told = TRAINED | {"label": "told", "train": TRAINED["train"] | {"data": {"augmentation": "upright"}}}
    found = {c.about["label"]: c.training.task["data"] for c in cells(facts, methods=[TRAINED, told])}
    assert found == {"tiny": {"augmentation": "none"}, "told": {"augmentation": "upright"}}


@pytest.mark.parametrize(
    ("changes", "trained", "predicted"),
    [
        ({"seeds": [1]}, True, True),
        ({"methods": [BASE["methods"][0], TRAINED | {"overrides": {"width": 5}}]}, True, False),
        ({"methods": [BASE["methods"][0], TRAINED | {"train": TRAINED["train"] | {"max_steps": 4}}]}, True, False),
        (
            {"methods": [BASE["methods"][0], TRAINED | {"train": TRAINED["train"] | {"data": {"train_size": 8}}}]},
            True,
            False,
        ),
        ({"datasets": [{"name": "fakes.bench:shapes", "limit": 3}]}, False, True),
        ({"datasets": [{"name": "fakes.bench:shapes", "options": {"seed": 1}}]}, False, True),
    ],
)
def test_what_changes_a_number_changes_its_key(facts, changes, trained, predicted):
    """Also: what depends on none of the changes keeps its key."""
    before, after = cells(facts), cells(facts, **changes)
    assert (before[2].training.key != after[2].training.key) is trained
    assert before[2].key != after[2].key and before[2].predictions != after[2].predictions
    assert (before[0].predictions != after[0].predictions) is predicted


def test_what_changes_no_number_changes_no_key(facts):
    patient = TRAINED | {"label": "other name", "train": TRAINED["train"] | {"checkpoint_seconds": 1.0}}
    before = cells(facts)
    after = cells(facts, methods=[patient, BASE["methods"][0]], limits={"seconds": 5}, name="renamed")
    assert {cell.key for cell in before} == {cell.key for cell in after}


def test_further_entries_leave_the_others_alone(facts):
    before = {cell.key for cell in cells(facts)}
    after = {cell.key for cell in cells(facts, methods=[*BASE["methods"], "fakes.bench:Whole"], seeds=[0, 1])}
    assert before < after and len(after) == 12


def test_the_same_cell_twice_is_refused(facts):
    same = [{"name": "fakes.bench:Halves", "label": label} for label in "ab"]
    with pytest.raises(PartsegError, match="twice"):
        cells(facts, methods=same)


def test_what_cannot_work_is_skipped_and_said(facts):
    found = plan(Board.model_validate(BASE | {"protocols": ["fakes.bench:Clicked"]}), Facts(facts))
    assert not found.cells and len(found.skipped) == 2
    assert "interactive" in found.skipped[0][1]


@pytest.mark.parametrize("kind", ["methods", "datasets", "protocols"])
def test_unknown_names_stop_the_board(facts, kind):
    with pytest.raises(UnknownNameError, match="no-such-thing"):
        cells(facts, **{kind: ["no-such-thing"]})


def test_filters(facts):
    board = Board.model_validate(BASE | {"seeds": [0, 1]})
    count = {
        (): 8,
        ("method=tiny",): 4,
        ("method=fakes*",): 8,  # by label or by name
        ("protocol=accuracy", "seed=1"): 2,
        ("seed=0", "seed=1"): 8,
    }
    for only, n in count.items():
        assert len(plan(board, Facts(facts), only).cells) == n, only
    for bad in ("tiny", "method=", "colour=red", "method=nobody"):
        with pytest.raises(PartsegError):
            plan(board, Facts(facts), (bad,))


def test_200_cells_are_planned_in_two_seconds(facts):
    many = [{"name": "fakes.bench:shapes", "options": {"seed": seed}} for seed in range(10)]
    changes = {"datasets": many, "seeds": [0, 1, 2, 3, 4]}
    assert len(cells(facts, **changes)) == 200
    start = time.perf_counter()
    cells(facts, **changes)
    assert time.perf_counter() - start < 2


def test_canonical_json():
    assert canonical({"b": [1, 2.5], "a": "ü"}) == '{"a":"ü","b":[1,2.5]}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})
    with pytest.raises(ValueError):
        canonical(float("nan"))


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package of which `method` imports `helper`, and `lazy` by way of the package; `other` stands beside them."""
    root = tmp_path / "codetest"
    root.mkdir()
    files = {
        "__init__": "_HOME = {'thing': 'lazy'}\ndef __getattr__(name): ...\n",
        "method": "import numpy\nfrom codetest import thing\nfrom codetest.helper import f\n",
        "helper": "def f():\n    from . import deep\n    return 1\n",
        "deep": "x = 1\n",
        "lazy": "thing = 1\n",
        "other": "y = 1\n",
        "hints": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from codetest import other\n",
        "spec": "z = 1\n",
    }
    for name, text in files.items():
        (root / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    _forget()
    yield root
    _forget()


def _forget() -> None:
    for cached in (code.module_path, code._top, code._imports, code._lazy):
        cached.cache_clear()


@pytest.mark.parametrize(("changed", "matters"), [("deep", True), ("lazy", True), ("other", False), ("spec", False)])
def test_keys_follow_the_code_that_is_imported(package, changed, matters):
    before = code_digest("codetest.method")
    (package / f"{changed}.py").write_text("x = 2000\n")
    assert (code_digest("codetest.method") != before) is matters
    assert "codetest" not in sys.modules


def test_imports_for_type_checkers_do_not_count(package):
    before = code_digest("codetest.hints")
    (package / "other.py").write_text("y = 2000\n")
    assert code_digest("codetest.hints") == before


def test_code_that_cannot_be_parsed_or_found(package):
    (package / "other.py").write_text("def (")
    assert code_digest("codetest.other") != code_digest("codetest.lazy")
    assert module_path("codetest.absent") is None and module_path("no_such_package.x") is None
    assert code_digest("no_such_package.x") == code_digest("")
