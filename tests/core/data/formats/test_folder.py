"""Folders of shapes: where labels are found, what a label file may hold, and what is refused."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fakes.folder import CUBE, QUADS, TETRAHEDRON, write_folder
from partseg.data.formats.folder import FolderReader
from partseg.errors import InputError
from partseg.geometry.io import load_shape
from partseg.methods.pipeline import write_results
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.segmentation import Segmentation


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_folder(tmp_path)
    return tmp_path


def test_labels_are_found_wherever_they_may_lie(root: Path) -> None:
    reader = pickle.loads(pickle.dumps(FolderReader(root)))  # noqa: S301
    items = {item.name: item for item in reader.index()}
    assert {name: (item.split, item.category) for name, item in items.items()} == {
        "test/thing/segmented": ("test", "thing"),
        "train/box/dot": ("train", "box"),
        "train/box/plain": ("train", "box"),
        "train/box/seg": ("train", "box"),
        "train/box/under": ("train", "box"),
        "train/thing/dot": ("train", "thing"),
        "train/thing/under": ("train", "thing"),
    }
    for name in ("dot", "under", "seg"):
        sample = reader.load(items[f"train/box/{name}"])
        assert sample.shape.to_file(sample.labels["parts"]).tolist() == [2, 2, -1, 0, 0, 1]
        for polygon, number in enumerate((2, 2, -1, 0, 0, 1)):  # both triangles of a square
            assert (sample.labels["parts"][sample.shape.polygon == polygon] == number).all()
    assert reader.load(items["train/thing/dot"]).labels["parts"].tolist() == [0, 0, 1, 1, -1]
    assert reader.load(items["train/thing/under"]).labels["parts"].tolist() == [0, 1, 2, 3]
    assert reader.load(items["test/thing/segmented"]).labels["parts"].tolist() == [0, 1, 2, 3]
    plain = reader.load(items["train/box/plain"])
    assert plain.labels == {}
    assert plain.shape.to_file(plain.semantics["parts"]).tolist() == [0, 0, 0, 1, 1, -1]
    assert reader.taxonomy() == {"parts": ("side", "lid")}
    assert not list(reader.check())


def test_splits_and_categories_choose(root: Path) -> None:
    assert [item.name for item in FolderReader(root, split="test").index()] == ["test/thing/segmented"]
    assert len(FolderReader(root, category="thing").index()) == 3
    assert len(FolderReader(root, category="thing", split="train").index()) == 2
    with pytest.raises(InputError, match=r"holds no split val .*test/thing, train/box, train/thing"):
        FolderReader(root, split="val").index()


def test_classes_without_names_are_numbers(root: Path) -> None:
    (root / "classes.txt").unlink()
    assert FolderReader(root).taxonomy() == {"parts": ("0", "1")}
    assert FolderReader(root, split="test").taxonomy() == {"parts": ("0", "1")}  # a class keeps its number
    for file in root.rglob("*.semantic.npy"):
        file.unlink()
    assert FolderReader(root).taxonomy() == {}


def test_two_shapes_that_differ_by_suffix_only_keep_it(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(CUBE)
    (tmp_path / "a.off").write_text(TETRAHEDRON)
    (tmp_path / "b.off").write_text(TETRAHEDRON)
    assert [item.name for item in FolderReader(tmp_path).index()] == ["a.obj", "a.off", "b"]


@pytest.mark.parametrize(
    ("file", "content", "cause"),
    [
        ("dot.labels.npy", np.zeros(5, int), "expected 6 labels, one for each of the faces of the file, found 5"),
        ("dot.labels.npy", np.zeros(12, int), "found 12 (its polygons make 12 triangles; labels go by polygon)"),
        ("dot.labels.npy", np.zeros((6, 1), int), "found an array (6, 1)"),
        ("dot.labels.npy", np.zeros(6), "expected integers, found float64"),
        ("dot.labels.npy", np.full(6, 1 << 63, np.uint64), "expected integers of 64 bits"),
        ("dot.labels.npy", np.array([{}] * 6, object), "expected a NumPy array of integers"),
        ("dot.labels.npy", b"\x93NUMPY\x01\x00", "expected a NumPy array of integers"),
        ("dot.labels.npy", b"", "expected a NumPy array of integers"),
        ("dot.semantic.npy", np.full(6, 2), "class 2, expected 0..1"),
        ("dot.semantic.npy", np.full(6, 10**9), "class 1000000000, expected fewer than 100,000"),
        ("seg.seg", b"0 0 0", "expected 6 labels, one for each of the faces of the file, found 3"),
        ("seg.seg", b"0 0 x 0 0 0", "expected one integer a line"),
        ("seg.seg", b"0 0 0 0 0 99999999999999999999", "expected one integer a line"),
        ("seg.seg", b"\xff\xfe\x00", "expected a text file"),
        ("seg.seg", b"0 " * 100_000, "expected at most 65,920 bytes of text, found 200,000"),
    ],
)
def test_a_label_file_that_does_not_fit_is_named(
    root: Path, file: str, content: np.ndarray | bytes, cause: str
) -> None:
    path = root / "train" / "box" / file
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    errors = list(FolderReader(root).check())
    assert [error.path for error in errors] == [str(path)]
    assert cause in str(errors[0])
    assert "\n" not in str(errors[0])


def test_an_array_of_absurd_size_takes_no_memory(root: Path) -> None:
    path = root / "train" / "box" / "dot.labels.npy"
    data = path.read_bytes().replace(b"(6,)", b"(9999999999999,)")
    path.write_bytes(data)
    with pytest.raises(InputError, match="expected a NumPy array of integers"):
        FolderReader(root).load(FolderReader(root, category="box").index()[0])


def test_scrambled_arrays_are_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "a.off").write_text(TETRAHEDRON)
    path, rng = tmp_path / "a.labels.npy", np.random.default_rng(0)
    np.save(path, np.arange(4))
    data = path.read_bytes()
    reader = FolderReader(tmp_path)
    [item] = reader.index()
    refused = 0
    for _ in range(500):
        changed = bytearray(data)
        for at in rng.integers(0, 80, 3):  # the header
            changed[at] = rng.integers(256)
        path.write_bytes(changed)
        try:
            assert len(reader.load(item).labels["parts"]) == 4
        except InputError:
            refused += 1
    assert refused > 400


def test_labels_in_two_places_are_refused(root: Path) -> None:
    np.save(root / "train" / "box" / "dot_labels.npy", QUADS)
    [error] = FolderReader(root).check()
    assert "has labels in 2 files: train/box/dot.labels.npy, train/box/dot_labels.npy" in str(error)


def test_folders_without_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no shape files \(they end in .*\.obj"):
        FolderReader(tmp_path).index()
    with pytest.raises(InputError, match="no such folder"):
        FolderReader(tmp_path / "nowhere").index()
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a.off").write_text(TETRAHEDRON)
    assert [item.name for item in FolderReader(tmp_path).index()] == ["a"]


def test_results_of_segment_are_labels_of_their_input_or_shapes_themselves(tmp_path: Path) -> None:
    (tmp_path / "cube.obj").write_text(CUBE)
    shape = load_shape(tmp_path / "cube.obj")
    labels = np.array([2, 0, 1, 1, 0, 2])[shape.polygon]  # nodes of the GLB come in another order than faces
    seg = Segmentation(shape, labels).with_hierarchy(PartHierarchy.from_labels(labels))
    write_results(seg, tmp_path / "parts" / "cube", picture=False)
    [item] = FolderReader(tmp_path).index()
    assert item.name == "cube"
    np.testing.assert_array_equal(FolderReader(tmp_path).load(item).labels["parts"], labels)

    alone = FolderReader(tmp_path / "parts")
    [item] = alone.index()
    assert item.name == "cube/parts"
    sample = alone.load(item)
    found = sample.labels["parts"]
    place = {tuple(np.round(x, 5)): label for x, label in zip(shape.face_centroids, labels, strict=True)}
    truth = np.array([place[tuple(np.round(x, 5))] for x in sample.shape.face_centroids])
    assert len(found) == len(labels)
    np.testing.assert_array_equal(found[:, None] == found, truth[:, None] == truth)  # the same partition


def test_any_real_folder_is_read_without_labels(test_data: Callable[[str], Path]) -> None:
    reader = FolderReader(test_data("robots"), category="mjcf")
    items = reader.index()
    assert len(items) > 50
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for item in items[:5]:
            sample = reader.load(item)
            assert sample.shape.is_mesh
            assert sample.labels == {}
    assert len(FolderReader(test_data("robots")).index()) == len(
        {i.name for i in FolderReader(test_data("robots")).index()}
    )
