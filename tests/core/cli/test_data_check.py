"""`partseg data check`: what is there, missing, damaged; in one process and in several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes.psb import write_psb, write_shape
from partseg.cli.data_check import check, check_reader, report
from partseg.cli.data_names import find_dataset
from partseg.cli.main import main
from partseg.data.formats.base import PartItem, PartSample, Reader
from partseg.data.formats.psb import PsbReader
from partseg.errors import InputError, PartsegError, ShapeWarning


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_psb(tmp_path / "psb")
    return tmp_path / "psb"


def test_a_sound_dataset_is_counted_by_category_and_split(root: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "check", "psb", "--root", str(root), "--workers", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"psb at {root}: 2 categories, 3 shapes (3 test)",
        "  Airplane  1 test",
        "  Cup       2 test",
        "nothing is missing or damaged",
    ]
    found = check("Psb", root)
    assert found.counts == {"Airplane": {"test": 1}, "Cup": {"test": 2}}
    assert (found.shapes, found.splits, found.problems) == (3, {"test": 3}, ())


@pytest.mark.parametrize("workers", [1, 2])
def test_all_problems_are_listed_file_by_file(root: Path, workers: int, capsys: pytest.CaptureFixture) -> None:
    (root / "Cup/22.off").write_text("OFF\n4 4")
    (root / "Airplane/61_seg/61_0.seg").write_text("1\n")
    assert main(["data", "check", "psb", "--root", str(root), "--workers", str(workers)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith(f"damaged  {root}/Cup/22.off: ")
    assert lines[4] == f"damaged  {root}/Airplane/61_seg/61_0.seg: expected 4 lines, one for each face, found 1"
    assert lines[5].startswith("2 of 3 shapes are damaged; obtain them again: the benchmark's page")
    assert main(["data", "check", "psb", "--root", str(root), "--json", "--workers", str(workers)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["damaged_shapes"] == 2
    assert told["categories"] == {"Airplane": {"test": 1}, "Cup": {"test": 2}}
    assert [(one["kind"], one["shape"]) for one in told["problems"]] == [
        ("damaged", "Cup/22"),
        ("damaged", "Airplane/61"),
    ]


def test_a_wrong_root_is_one_problem_and_how_to_obtain_the_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["data", "check", "psb", "--root", str(tmp_path / "none")]) == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == f"psb at {tmp_path}/none: not readable"
    assert second.startswith(f"missing  {tmp_path}/none: is not a folder")
    assert last.startswith("1 problem of the dataset as a whole; how to obtain it: ")


def test_the_root_is_looked_for_by_name(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("PARTSEG_DATA", str(root.parent))
    assert main(["data", "check", "PSB", "--category", "Cup"]) == 0
    assert capsys.readouterr().out.startswith(f"psb at {root}: 2 shapes (2 test)\n")
    monkeypatch.delenv("PARTSEG_DATA")
    monkeypatch.chdir(root.parent)
    assert check("psb").shapes == 3


class Odd(Reader):
    """Four shapes: sound, of an unforeseen kind, with a warning, and contradictory; and a list that names a fifth."""

    def index(self) -> tuple[PartItem, ...]:
        return tuple(PartItem(name) for name in ("sound", "unforeseen", "mended", "contradictory"))

    def load(self, item: PartItem) -> PartSample:
        import warnings

        if item.name == "unforeseen":
            raise KeyError("a mistake\nin the reader")
        if item.name == "mended":
            warnings.warn("mended: two faces left out", ShapeWarning, stacklevel=2)
        if item.name == "contradictory":
            raise PartsegError("4 elements, but 5 labels")
        return None

    def taxonomy(self) -> dict:
        return {}

    def check(self):
        yield from super().check()
        yield InputError(self.root / "fifth", "no such file")


def test_problems_of_the_whole_unforeseen_errors_and_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARTSEG_DEBUG", raising=False)
    found = check_reader(Odd(tmp_path))
    assert [(one.kind, one.shape, str(one.error)) for one in found.problems] == [
        ("missing", "", f"{tmp_path}/fifth: no such file"),
        (
            "damaged",
            "unforeseen",
            "unforeseen: KeyError: 'a mistake\\nin the reader' (please report this; --debug shows where)",
        ),
        ("damaged", "contradictory", "contradictory: 4 elements, but 5 labels"),
    ]
    assert found.warnings == (("mended", "mended: two faces left out"),)
    assert (found.shapes, found.damaged_shapes) == (4, 2)
    last = report(find_dataset("psb"), found).splitlines()[-1]
    assert last.startswith("2 of 4 shapes are damaged, 1 problem of the dataset as a whole; obtain them again: ")
    monkeypatch.setenv("PARTSEG_DEBUG", "1")
    with pytest.raises(KeyError):
        check_reader(Odd(tmp_path))


def test_an_absent_module_is_no_damage(tmp_path: Path) -> None:
    class Absent(Odd):
        def load(self, item: PartItem) -> PartSample:
            from partseg.data.formats.base import extra

            extra("partseg_no_such_module")

    with pytest.raises(PartsegError, match="pip install"):
        check_reader(Absent(tmp_path))


def test_shapes_are_counted_with_and_without_splits_and_categories(tmp_path: Path) -> None:
    class Listed(Odd):
        def __init__(self, *shapes: tuple[str, str]) -> None:
            super().__init__(tmp_path)
            self.shapes = shapes

        def index(self) -> tuple[PartItem, ...]:
            return tuple(PartItem(f"sound {i}", *shape) for i, shape in enumerate(self.shapes))

    spec = find_dataset("psb")
    for shapes, lines in (
        ([("", "")], ["1 shape"]),
        ([("", "test"), ("", ""), ("", "train")], ["3 shapes (1 train, 1 test, 1 in no split)"]),
        ([("a", ""), ("b", ""), ("b", "")], ["2 categories, 3 shapes", "  a  1", "  b  2"]),
        ([("a", "val"), ("", "train")], ["2 shapes (1 train, 1 val)", "  (none)  1 train", "  a       1 val"]),
        ([("a", "val")] * 1234, ["1,234 shapes (1,234 val)"]),
    ):
        text = report(spec, check_reader(Listed(*shapes)))
        assert text.splitlines()[: len(lines)] == [f"psb at {tmp_path}: {lines[0]}", *lines[1:]]


def test_checking_reads_each_shape_once(root: Path) -> None:
    read = []

    class Counting(PsbReader):
        def load(self, item: PartItem) -> PartSample:
            read.append(item.name)
            return super().load(item)

    check_reader(Counting(root))
    assert read == ["Cup/21", "Cup/22", "Airplane/61"]


def test_ids_of_no_category_still_count(tmp_path: Path) -> None:
    write_shape(tmp_path, "Cup", 21, None, {})
    found = check("psb", tmp_path)
    assert found.counts == {"Cup": {"test": 1}}


def test_what_has_no_files_or_no_name_is_refused(capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "check", "procedural"]) == 1
    assert capsys.readouterr().err.startswith("partseg: procedural: is embedded: there are no files to read")
    assert main(["data", "check", "psbb"]) == 1
    assert "unknown dataset 'psbb'" in capsys.readouterr().err
    assert main(["data", "check"]) == 2
    assert "name the dataset first" in capsys.readouterr().err
    with pytest.raises(PartsegError, match="no option colour; it has category"):
        check("psb", ".", {"colour": "red"})
