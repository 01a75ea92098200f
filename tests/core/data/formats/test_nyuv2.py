"""NYU Depth v2: frames of the real container come back as points; damage is told in one line."""

from __future__ import annotations

import pickle

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from fakes.nyuv2 import NAMES, NAMES_13, NAMES_40, TO_13, TO_40, cells, write_nyuv2
from partseg.data.formats.nyuv2 import INTRINSICS, NyuV2Reader, lifted
from partseg.errors import InputError, UnknownNameError

MAT = "nyu_depth_v2_labeled.mat"


@pytest.fixture
def made(tmp_path):
    return tmp_path, write_nyuv2(tmp_path)


def test_frames_come_back_as_written(made):
    root, truth = made
    reader = pickle.loads(pickle.dumps(NyuV2Reader(root)))  # noqa: S301
    items = reader.index()
    assert [(item.name, item.row, item.split) for item in items] == [
        ("0001", 0, "train"), ("0002", 1, "train"), ("0003", 2, "test"),
    ]  # fmt: skip
    assert reader.taxonomy() == {"objects": NAMES}
    for item, frame in zip(items, truth, strict=True):
        sample = reader.load(item)
        keep = frame["depths"] > 0
        assert sample.shape.n_elements == keep.sum() == 480 * 640 - 7 * 640 - 1
        np.testing.assert_allclose(-sample.shape.points[:, 2], frame["depths"][keep], rtol=1e-6)
        np.testing.assert_allclose(sample.shape.colors * 255, frame["images"][keep], atol=1e-3)
        label = frame["labels"][keep].astype(np.int64)
        np.testing.assert_array_equal(sample.semantics["objects"], label - 1)
        number = frame["instances"][keep].astype(np.int64)
        one = (label > 0) & (number > 0)
        np.testing.assert_array_equal(sample.labels["objects"] >= 0, one)
        pairs = {(a, b, c) for a, b, c in zip(label[one], number[one], sample.labels["objects"][one], strict=True)}
        assert len(pairs) == len({p[:2] for p in pairs}) == len({p[2] for p in pairs}) >= 5


def test_points_project_onto_their_pixels():
    """The lens equation, pixel by pixel."""
    fx, fy, cx, cy = INTRINSICS
    depth = np.random.default_rng(0).random((480, 640)) + 0.5
    points = lifted(depth)
    for row, column in [(0, 0), (479, 639), (253, 325), (17, 500)]:
        x, y, z = points[row, column]
        assert -z == depth[row, column]
        assert fx * x / -z + cx == pytest.approx(column + 1)
        assert cy - fy * y / -z == pytest.approx(row + 1)
    assert points[0, 0, 0] < 0 < points[0, 0, 1]  # left and above


def test_splits(made):
    root, _ = made
    assert [item.row for item in NyuV2Reader(root, "train").index()] == [0, 1]
    assert [item.row for item in NyuV2Reader(root, "test").index()] == [2]
    with pytest.raises(UnknownNameError, match="train, test"):
        NyuV2Reader(root, "val")
    (root / "splits.mat").unlink()
    assert [item.split for item in NyuV2Reader(root).index()] == ["", "", ""]
    with pytest.raises(InputError, match=r"splits\.mat: there is no such file"):
        NyuV2Reader(root, "train").index()


def test_coarser_classes_where_their_files_are(tmp_path):
    write_nyuv2(tmp_path, mappings=True)
    reader = NyuV2Reader(tmp_path)
    assert reader.taxonomy() == {"objects": NAMES, "40": NAMES_40, "13": NAMES_13}
    sample = reader.load(reader.index()[0])
    raw = sample.semantics["objects"]
    expected_40 = np.array([TO_40[c] - 1 if c >= 0 else -1 for c in raw.tolist()])
    np.testing.assert_array_equal(sample.semantics["40"], expected_40)
    expected_13 = np.array([TO_13[c] - 1 if c >= 0 else -1 for c in expected_40.tolist()])
    np.testing.assert_array_equal(sample.semantics["13"], expected_13)
    (tmp_path / "class13Mapping.mat").unlink()
    flat = {"mapClass": np.array([[2, 1, 1, 1, 2]]), "className": cells(NAMES_13)}
    savemat(tmp_path / "classMapping13.mat", flat)
    again = NyuV2Reader(tmp_path)
    other = again.load(again.index()[0]).semantics["13"]
    np.testing.assert_array_equal(other, np.array([1, 0, 0, 0, 1, -1])[raw])


def _h5(root, change) -> None:
    with h5py.File(root / MAT, "r+") as file:
        change(file)


def _replace(root, name, data) -> None:
    def change(file):
        del file[name]
        file[name] = data

    _h5(root, change)


def _external(root) -> None:
    (root / "other").mkdir()
    write_nyuv2(root / "other")

    def change(file):
        del file["depths"]
        file["depths"] = h5py.ExternalLink(str(root / "other" / MAT), "depths")

    _h5(root, change)


DAMAGE = {
    "no file": (lambda r: (r / MAT).unlink(), "no such file"),
    "cut": (lambda r: (r / MAT).write_bytes((r / MAT).read_bytes()[:4000]), "expected HDF5"),
    "text": (lambda r: (r / MAT).write_text("hello"), "expected HDF5"),
    "no depths": (lambda r: _h5(r, lambda f: f.__delitem__("depths")), "data set 'depths'"),
    "small depths": (
        lambda r: _replace(r, "depths", np.ones((3, 20, 10), np.float32)),
        r"expected \(frames, 640, 480\)",
    ),
    "text depths": (lambda r: _replace(r, "depths", np.full((3, 640, 480), b"a")), r"expected \(frames, 640, 480\)"),
    "few depths": (lambda r: _replace(r, "depths", np.ones((0, 640, 480), np.float32)), "found 0 frames"),
    "no depth": (lambda r: _replace(r, "depths", np.zeros((3, 640, 480), np.float32)), "has no depth"),
    "absurd depth": (lambda r: _replace(r, "depths", np.full((3, 640, 480), 1e38, np.float32)), "has no depth"),
    "labels": (lambda r: _replace(r, "labels", np.full((3, 640, 480), 6, np.uint16)), "label 6, but 5 classes"),
    "elsewhere": (_external, "data set 'depths'"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_one_line(made, case):
    root, _ = made
    item = NyuV2Reader(root).index()[0]
    damage, text = DAMAGE[case]
    damage(root)
    with pytest.raises(InputError, match=text) as error:
        NyuV2Reader(root).load(item)
    assert MAT in str(error.value) and "\n" not in str(error.value)
    assert any(text.replace("\\", "") in str(found) for found in NyuV2Reader(root).check())


SMALL = {
    "cut": lambda p: p.write_bytes(p.read_bytes()[:150]),
    "header": lambda p: p.write_bytes(p.read_bytes()[:60]),
    "text": lambda p: p.write_text("x" * 500),
    "empty": lambda p: p.write_bytes(b""),
    "names": lambda p: savemat(p, {"a": 1}),
    "twice": lambda p: savemat(p, {"trainNdxs": [1, 2], "testNdxs": [2, 3]}),
    "zero": lambda p: savemat(p, {"trainNdxs": [0, 2], "testNdxs": [3]}),
    "large": lambda p: p.write_bytes(b"\0" * (2 << 20)),
}


@pytest.mark.parametrize("case", SMALL)
def test_damaged_splits(made, case):
    root, _ = made
    SMALL[case](root / "splits.mat")
    with pytest.raises(InputError, match=r"splits\.mat"):
        NyuV2Reader(root).index()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("classMapping40.mat", {"mapClass": [1, 2], "className": cells(NAMES_40)}, "expected 5 raw classes, found 2"),
        ("classMapping40.mat", {"mapClass": [1, 2, 3, 4, 1], "className": cells(NAMES_40)}, "expected classes 1..3"),
        ("classMapping40.mat", {"mapClass": [1, 2, 3, 1, 1], "className": 7}, "cell array of class names"),
        ("class13Mapping.mat", {"classMapping13": 3}, "expected a structure"),
        ("class13Mapping.mat", {"classMapping13": {"a": [1], "b": cells(NAMES_13)}}, "each of 40 classes, found 1"),
    ],
)
def test_damaged_mappings(tmp_path, name, content, text):
    write_nyuv2(tmp_path, mappings=True)
    savemat(tmp_path / name, content)
    with pytest.raises(InputError, match=text) as error:
        NyuV2Reader(tmp_path).taxonomy()
    assert name in str(error.value)


def test_wrong_roots(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        NyuV2Reader(tmp_path / "x").index()
    with pytest.raises(InputError, match=r"nyu_depth_v2_labeled\.mat: there is no such file"):
        NyuV2Reader(tmp_path).index()
    with pytest.raises(InputError, match="no such file"):
        NyuV2Reader(tmp_path).taxonomy()
