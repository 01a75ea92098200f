"""One file in, one folder out, all or nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from partseg.errors import InputError, PartsegError
from partseg.files import unwritable
from partseg.geometry.shape import Shape
from partseg.methods import pipeline
from partseg.methods.pipeline import segment_file
from partseg.parts.segmentation import Segmentation
from partseg.parts.tree import MergeTree

# Four triangles and a quad in a strip along x.
OBJ = "".join(f"v {x} {y} 0\n" for x in range(6) for y in range(2)) + (
    "f 1 3 2\nf 3 4 2\nf 3 5 4\nf 5 6 4\nf 5 7 8 6\nf 7 9 8\nf 9 10 8\n"
)
N_FACES = 7


class Chain:
    """Merges the elements one by one from the left, so that every cut is known."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        n = shape.n_elements
        children = [(i if i == 0 else n + i - 1, i + 1) for i in range(n - 1)]
        tree = MergeTree(np.array(children).reshape(-1, 2), np.arange(n - 1, dtype=float))
        return Segmentation(shape, tree.cut(parts or 2), tree=tree)


class Flat:
    """Segments without a tree."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        return Segmentation(shape, np.zeros(shape.n_elements, np.int64))


@pytest.fixture
def obj(tmp_path: Path) -> Path:
    path = tmp_path / "strip.obj"
    path.write_text(OBJ)
    return path


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_writes_everything_in_the_order_of_the_file(obj: Path, tmp_path: Path) -> None:
    result = segment_file(obj, tmp_path / "out" / "strip", Chain(), parts=3)
    assert names(result.folder) == sorted(result.files) == ["labels.npy", "parts.glb", "parts.png", "tree.json"]
    labels = np.load(result.folder / "labels.npy")
    assert labels.dtype == np.int64
    # eight triangles make seven faces: the cut into three leaves the last two triangles alone
    assert labels.tolist() == [0, 0, 0, 0, 0, 1, 2]
    assert (result.parts, result.elements) == (3, 8)
    assert json.loads((result.folder / "tree.json").read_text())
    assert (result.folder / "parts.png").read_bytes().startswith(b"\x89PNG")
    assert names(tmp_path / "out") == ["strip"], "nothing is left beside the folder"


def test_levels_are_nested_cuts(obj: Path, tmp_path: Path) -> None:
    result = segment_file(obj, tmp_path / "out", Chain(), levels=(3, 2, 3))
    two, three = (np.load(result.folder / f"labels_{k}.npy") for k in (2, 3))
    assert (len(set(two)), len(set(three))) == (2, 3)
    np.testing.assert_array_equal(np.load(result.folder / "labels.npy"), three)
    for part in set(three):
        assert len(set(two[three == part])) == 1


def test_levels_need_a_tree(obj: Path, tmp_path: Path) -> None:
    with pytest.raises(PartsegError, match="no tree"):
        segment_file(obj, tmp_path / "out", Flat(), levels=(2, 3))
    assert names(tmp_path) == ["strip.obj"]


def test_the_whole_tree_can_be_cut_later(obj: Path, tmp_path: Path) -> None:
    result = segment_file(obj, tmp_path / "out", Chain(), tree=True, picture=False)
    again = Segmentation.load(result.folder / "segmentation.npz")
    assert again.at(5).n_parts == 5


def test_an_existing_folder_is_kept_unless_told_otherwise(obj: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segment_file(obj, out, Chain(), levels=(2, 4), tree=True)
    (out / "notes.txt").write_text("mine")
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    with pytest.raises(InputError, match=r"exists already.*--overwrite"):
        segment_file(obj, out, Chain())
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    segment_file(obj, out, Chain(), parts=3, overwrite=True)
    assert names(out) == ["labels.npy", "notes.txt", "parts.glb", "parts.png", "tree.json"]
    assert len(set(np.load(out / "labels.npy"))) == 3


def test_a_failure_while_writing_leaves_nothing(obj: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pipeline.np, "save", full)
    with pytest.raises(InputError, match="No space left on device"):
        segment_file(obj, tmp_path / "out", Chain())
    assert names(tmp_path) == ["strip.obj"]


def test_a_full_disk_names_the_folder_that_was_asked_for(
    obj: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(seg: Segmentation, path: Path) -> None:
        raise unwritable(path, OSError(28, "No space left on device"))

    monkeypatch.setattr(Segmentation, "save", full)
    with pytest.raises(InputError) as caught:
        segment_file(obj, tmp_path / "out", Chain())
    assert str(caught.value).startswith(f"{tmp_path / 'out'}: cannot be written: No space left on device")
    assert names(tmp_path) == ["strip.obj"]


def test_an_interrupt_while_writing_leaves_nothing(obj: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline.np, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        segment_file(obj, tmp_path / "out", Chain())
    assert names(tmp_path) == ["strip.obj"]


def test_the_folder_has_the_permissions_of_any_new_folder(obj: Path, tmp_path: Path) -> None:
    result = segment_file(obj, tmp_path / "out", Chain(), picture=False)
    (tmp_path / "plain").mkdir()
    assert os.stat(result.folder).st_mode == os.stat(tmp_path / "plain").st_mode


def test_warnings_of_the_shape_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "nan.obj"
    path.write_text(OBJ.replace("v 4 1 0", "v nan 1 0"))
    result = segment_file(path, tmp_path / "out", Chain(), picture=False)
    assert len(result.warnings) == 1
    assert "\n" not in result.warnings[0]
