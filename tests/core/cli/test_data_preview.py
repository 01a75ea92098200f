"""`partseg data preview` of datasets on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes.psb import write_psb, write_shape
from partseg.cli.data_preview import levels_of, preview, preview_reader
from partseg.cli.main import main
from partseg.data.formats.base import PartItem, PartSample, Reader
from partseg.errors import UnknownNameError
from partseg.geometry.shape import Shape

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float64)
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_psb(tmp_path / "psb")
    return tmp_path / "psb"


def test_a_row_a_shape_with_every_level(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "sheet.png"
    assert preview(path, "psb", root).captions == [
        *("Cup/21 human-2: 3 parts", "Cup/21 human-10: 1 part", "Cup/21 labels: 2 classes"),
        *("Cup/22 human-0: 2 parts", "", ""),
        *("Airplane/61 human-0: 2 parts", "Airplane/61 labels: 2 classes", ""),
    ]
    assert (
        main(["data", "preview", "PSB", "--root", str(root), "-o", str(path), "--count", "2", "--category", "Cup"]) == 0
    )
    assert capsys.readouterr().out == f"{path}: 2 shapes\n"
    picture = np.asarray(Image.open(path).convert("RGB"))
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    assert picture.shape[1] > picture.shape[0], "two rows of three"


def test_one_level_of_many_shapes(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    sheet = preview(tmp_path / "a.png", "psb", root, level="labels", columns=3)
    assert sheet.captions == ["Cup/21 labels: 2 classes", "Cup/22 labels: none", "Airplane/61 labels: 2 classes"]
    with pytest.raises(UnknownNameError, match="level '7'; there are human-2, human-10, labels, human-0"):
        preview(tmp_path / "a.png", "psb", root, level="7")


class Nested(Reader):
    """Shapes a, b, … whose middle one lacks level 2."""

    def index(self) -> tuple[PartItem, ...]:
        return tuple(PartItem(name) for name in "abcdefgh")

    def load(self, item: PartItem) -> PartSample:
        coarse, fine = np.zeros(4, np.int64), np.array([0, 0, 1, -1])
        labels = {"1": coarse} if item.name == "d" else {"1": coarse, "2": fine}
        return PartSample(Shape.from_mesh(CORNERS, FACES, name=item.name), labels, {"1": coarse, "extra": coarse})

    def taxonomy(self) -> dict:
        return {}


def test_declared_levels_have_columns_and_shapes_are_spread(tmp_path: Path) -> None:
    sheet = preview_reader(tmp_path / "a.png", Nested(tmp_path), ("1", "2", "3"), count=3)
    assert sheet.captions == [
        *("a 1: 1 part", "a 2: 2 parts", "a extra: 1 class"),
        *("c 1: 1 part", "c 2: 2 parts", "c extra: 1 class"),
        *("f 1: 1 part", "f 2: 2 parts", "f extra: 1 class"),
    ]
    sheet = preview_reader(tmp_path / "a.png", Nested(tmp_path), ("1", "2", "3"), count=8)
    assert sheet.captions[9:12] == ["d 1: 1 part", "d 2: none", "d extra: 1 class"]


def test_levels_without_instances_are_classes() -> None:
    labels, classes = np.zeros(4, np.int64), np.ones(4, np.int64)
    shape = Shape.from_mesh(CORNERS, FACES, name="x")
    found = levels_of(PartSample(shape, {"2": labels}, {"1": classes, "2": classes}))
    assert list(found) == ["2", "1"]
    assert found["2"] is labels
    assert found["1"] is classes


def test_damaged_shapes_are_left_out_and_told(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (root / "Cup/22.off").write_text("OFF\n4 4")
    command = ["data", "preview", "psb", "--root", str(root), "-o", str(tmp_path / "a.png")]
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert out == f"{tmp_path}/a.png: 2 shapes\n"
    assert err.startswith(f"left out: {root}/Cup/22.off: ")
    for name in ("Cup/21", "Airplane/61"):
        (root / f"{name}.off").write_text("OFF\n4 4")
    assert main(command) == 1
    assert capsys.readouterr().err.startswith(f"partseg: {root}/Cup/21.off: ")


def test_a_shape_without_any_truth_is_drawn_plain(tmp_path: Path) -> None:
    write_shape(tmp_path, "Cup", 21, None, {})
    assert preview(tmp_path / "a.png", "psb", tmp_path).captions == ["Cup/21: no parts"]
    assert (tmp_path / "a.png").is_file()


@pytest.mark.parametrize("words", [["procedural"], ["Procedural"], []])
def test_the_embedded_shapes_are_previewed_by_name_or_without(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "sheet.png"
    assert main(["data", "preview", *words, "-o", str(path), "--family", "mug", "--count", "1"]) == 0
    assert capsys.readouterr().out == f"{path}: 1 shapes\n"


def test_real_shapes_are_drawn(test_data, tmp_path: Path) -> None:
    sheet = preview(tmp_path / "a.png", "psb", test_data("psb"), count=2)
    assert sheet.shapes == 2
    assert not sheet.damaged
    assert sum("labels: " in caption for caption in sheet.captions) == 2
