"""ShapeNetPart: both releases read back, and files that do not fit."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from fakes.shapenet_part import write_h5, write_text
from partseg.data.formats.shapenet_part import CLASSES, ShapeNetPartReader
from partseg.errors import InputError


def test_the_text_release_is_read_back(tmp_path: Path) -> None:
    known = write_text(tmp_path)
    reader = pickle.loads(pickle.dumps(ShapeNetPartReader(tmp_path)))  # noqa: S301
    items = reader.index()
    assert [item.name for item in items] == sorted(known)
    for item in items:
        truth, sample = known[item.name], reader.load(item)
        assert item.split == truth["split"]
        assert item.category == item.name.split("/")[0]
        np.testing.assert_allclose(sample.shape.points, truth["points"], atol=1e-6)
        np.testing.assert_allclose(sample.shape.normals, truth["normals"], atol=1e-5)
        np.testing.assert_array_equal(sample.semantics["parts"], truth["classes"])
        found = sorted(set(truth["classes"].tolist()))
        assert sample.labels["parts"].tolist() == [found.index(x) for x in truth["classes"].tolist()]
    assert list(reader.check()) == []


def test_the_hdf5_release_is_read_back_with_and_without_lists(tmp_path: Path) -> None:
    for lists in (True, False):
        known = write_h5(tmp_path / str(lists), lists=lists)
        reader = ShapeNetPartReader(tmp_path / str(lists))
        items = reader.index()
        assert sorted(item.name for item in items) == sorted(known)
        for item in items:
            truth, sample = known[item.name], reader.load(item)
            assert item.split == truth["split"]
            assert sample.shape.normals is None
            np.testing.assert_allclose(sample.shape.points, truth["points"], atol=1e-6)
            np.testing.assert_array_equal(sample.semantics["parts"], truth["classes"])


def test_the_taxonomy_is_the_published_one() -> None:
    names = ShapeNetPartReader("nowhere").taxonomy()["parts"]
    assert len(names) == len(set(names)) == 50
    assert {k: (v.start, v.stop - 1) for k, v in CLASSES.items()} == {
        "Airplane": (0, 3), "Bag": (4, 5), "Cap": (6, 7), "Car": (8, 11), "Chair": (12, 15), "Earphone": (16, 18),
        "Guitar": (19, 21), "Knife": (22, 23), "Lamp": (24, 27), "Laptop": (28, 29), "Motorbike": (30, 35),
        "Mug": (36, 37), "Pistol": (38, 40), "Rocket": (41, 43), "Skateboard": (44, 46), "Table": (47, 49),
    }  # fmt: skip
    assert names[CLASSES["Chair"].start] == "Chair/0"


@pytest.mark.parametrize("write", [write_text, write_h5])
def test_category_and_split_choose(tmp_path: Path, write) -> None:
    write(tmp_path)
    items = ShapeNetPartReader(tmp_path, category="Chair", split="val").index()
    assert [(item.category, item.split) for item in items] == [("Chair", "val")]
    with pytest.raises(InputError, match="no category 'Chairs'"):
        ShapeNetPartReader(tmp_path, category="Chairs").index()
    with pytest.raises(InputError, match="no split 'dev'"):
        ShapeNetPartReader(tmp_path, split="dev").index()
    with pytest.raises(InputError, match="holds no shape of the category"):
        ShapeNetPartReader(tmp_path, category="Lamp").index()


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        ("0 0 0 0 0 1 0\n1 1 1 0 0 1\n", "expected rows of seven numbers"),
        ("0 0 0 0 0 1 0 9\n", "expected rows of seven numbers"),
        ("0 0 nan 0 0 1 0\n", "expected rows of seven numbers"),
        ("0 0 x 0 0 1 0\n", "expected rows of seven numbers"),
        ("", "expected rows of seven numbers"),
        ("0 0 0 0 0 1 0.5\n", "expected whole numbers as classes"),
        ("0 0 0 0 0 1 12\n", "expected classes 0..3 of Airplane, found 12"),
        ("0 0 0 0 0 1 -1\n", "expected classes 0..3 of Airplane, found -1"),
    ],
)
def test_a_text_shape_that_does_not_fit_is_named(tmp_path: Path, rows: str, cause: str) -> None:
    write_text(tmp_path)
    path = tmp_path / "02691156" / "0a0f.txt"
    path.write_text(rows)
    reader = ShapeNetPartReader(tmp_path)
    with pytest.raises(InputError) as error:
        reader.load(reader.index()[0])
    assert cause in str(error.value)
    assert str(path) in str(error.value)
    assert [x.path for x in reader.check()] == [str(path)]


def test_index_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    write_text(tmp_path)
    listed = tmp_path / "train_test_split" / "shuffled_train_file_list.json"
    for text, cause in (("[1", "expected a JSON list"), ("{}", "expected a JSON list"), ('["a/../b"]', "a/../b"),
                        ("[3]", "found '3'")):  # fmt: skip
        listed.write_text(text)
        with pytest.raises(InputError, match="shuffled_train") as error:
            ShapeNetPartReader(tmp_path).index()
        assert cause in str(error.value)
    (tmp_path / "synsetoffset2category.txt").write_text("Airplane\t../secret\n")
    with pytest.raises(InputError, match="expected a category and its number a line"):
        ShapeNetPartReader(tmp_path).index()


def test_a_shape_that_a_split_names_and_the_root_lacks_is_told(tmp_path: Path) -> None:
    write_text(tmp_path)
    (tmp_path / "03001627" / "1a1f.txt").unlink()
    (tmp_path / "02691156" / "2a0f.txt").write_bytes(b"\xff\xfe\x00")
    reader = ShapeNetPartReader(tmp_path)
    assert "Chair/1a1f" not in [item.name for item in reader.index()]
    errors = list(reader.check())
    assert [Path(error.path).name for error in errors] == ["2a0f.txt", "1a1f.txt"]
    assert "is named by the val list" in errors[1].cause
    assert list(ShapeNetPartReader(tmp_path, category="Mug").check()) == []


def test_hdf5_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    write_h5(tmp_path)
    path = tmp_path / "ply_data_val0.h5"
    whole = path.read_bytes()

    def cause(split: str = "val") -> str:
        reader = ShapeNetPartReader(tmp_path, split=split)
        with pytest.raises(InputError) as error:
            reader.load(reader.index()[0])
        assert "\n" not in str(error.value)
        return str(error.value)

    path.write_bytes(whole[: len(whole) // 2])
    assert "cannot be read as HDF5" in cause()
    path.unlink()
    assert "is listed, but there is no such file" in cause()
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        del file["pid"]
    assert "expected numbers under 'pid'" in cause()
    with h5py.File(path, "r+") as file:
        file["pid"] = np.zeros((3, 60), np.uint8)
    assert "expected n finite points and n classes" in cause()
    with h5py.File(path, "r+") as file:
        file["label"][0] = 99
    assert "expected a category 0..15, found 99" in cause()
    with h5py.File(path, "r+") as file:
        del file["label"]
        file.create_dataset("label", (1 << 40,), np.int64, chunks=(1 << 16,))  # nothing is written
    assert "larger than any shape" in cause()
    (tmp_path / "val_hdf5_file_list.txt").write_text("..\n")
    assert "expected names of .h5 files" in cause()


def test_a_wrong_root_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found neither"):
        ShapeNetPartReader(tmp_path).index()
    with pytest.raises(InputError, match="no such folder"):
        ShapeNetPartReader(tmp_path / "nowhere").index()
