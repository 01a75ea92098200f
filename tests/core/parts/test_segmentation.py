"""Segmentation and masks: invariants, cutting again, and files that lose nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from partseg.errors import InputError, PartsegError
from partseg.geometry.io import load_shape, read_glb_parts
from partseg.geometry.shape import Shape
from partseg.parts.hierarchy import PartHierarchy, Symmetry
from partseg.parts.segmentation import Masks, Segmentation
from partseg.parts.tree import MergeTree, renumber


def strip(n: int, **options) -> Shape:
    v = np.stack([np.arange(n + 2.0), np.arange(n + 2) % 2, np.zeros(n + 2)], axis=1)
    return Shape.from_mesh(v, np.arange(n)[:, None] + [0, 1, 2], **options)


def cloud(n: int) -> Shape:
    rng = np.random.default_rng(n)
    normals = rng.normal(size=(n, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Shape.from_points(rng.normal(size=(n, 3)) + 1e6, normals=normals, colors=rng.random((n, 3)), name="wölke")


def caterpillar(n: int) -> MergeTree:
    children = [(0, 1)] + [(n + j - 1, j + 1) for j in range(1, n - 1)]
    return MergeTree(np.array(children), np.arange(1.0, n))


# ---------------------------------------------------------------------------------------------------------------- masks

dense = arrays(bool, st.tuples(st.integers(1, 6), st.integers(0, 20)))


@given(dense, st.data())
def test_masks_to_labels_is_the_best_mask_of_each_element(table, data):
    masks = Masks.from_dense(table)
    np.testing.assert_array_equal(masks.dense(), table)
    scores = data.draw(st.none() | st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=len(table), max_size=len(table)))
    want = []
    for element in range(table.shape[1]):
        best = -1
        for i in range(len(table)):
            if table[i, element] and (best < 0 or (scores is not None and scores[i] > scores[best])):
                best = i
        want.append(best)
    np.testing.assert_array_equal(masks.to_labels(scores), want)


@given(st.lists(st.integers(-1, 5), max_size=40))
def test_masks_of_labels(labels):
    labels = np.array(labels, np.int64)
    masks = Masks.from_labels(labels)
    np.testing.assert_array_equal(masks.dense(), labels[None] == np.arange(labels.max(initial=-1) + 1)[:, None])
    np.testing.assert_array_equal(masks.to_labels(), labels)


@pytest.mark.parametrize(
    ("indptr", "indices"), [([1, 2], [0, 0]), ([0, 2], [0]), ([0, 2, 1], [0]), ([0, 1], [4]), ([], [])]
)
def test_what_is_no_masks(indptr, indices):
    with pytest.raises(PartsegError):
        Masks(indptr, indices, 4)


# ----------------------------------------------------------------------------------------------------------- invariants


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"labels": [0, 0, 0]}, "4 elements"),
        ({"labels": [0, 0, 0, -2]}, "-1 for unlabelled"),
        ({"labels": [0, 0, 2, 2]}, "every number"),
        ({"labels": [0, 0, 1, 1], "scores": [0.5]}, "2 parts but 1 scores"),
        ({"labels": [0, 0, 1, 1], "semantic_id": [1, 2, 3]}, "2 parts but 3 semantic_id"),
        ({"labels": [0] * 4, "masks": Masks([0, 1], [0], 5)}, "masks over 5"),
        ({"labels": [0] * 4, "tree": caterpillar(5)}, "tree over 5"),
        ({"labels": [0] * 4, "_hierarchy": PartHierarchy.from_labels(np.zeros(5, int))}, "hierarchy over 5"),
    ],
)
def test_what_is_no_segmentation_says_why(fields, cause):
    with pytest.raises(PartsegError, match=cause):
        Segmentation(strip(4), **fields)


def test_labels_are_read_only_but_not_the_callers():
    labels = np.zeros(4, np.int64)
    seg = Segmentation(strip(4), labels)
    with pytest.raises(ValueError, match="read-only"):
        seg.labels[0] = 1
    labels[0] = 1  # no error


def test_cut_again():
    tree = caterpillar(6)
    seg = Segmentation(strip(6), tree.cut(2), tree=tree)
    np.testing.assert_array_equal(seg.at(4).labels, tree.cut(4))
    assert seg.at(4).at(2).n_parts == 2 and len(seg.at(4).hierarchy.leaves) == 4
    np.testing.assert_array_equal(renumber(seg.hierarchy.cut(level="2")), seg.labels)
    with pytest.raises(PartsegError, match="no merge tree"):
        Segmentation(strip(4), [0] * 4).at(2)


def test_from_masks_counts_masks():
    masks = Masks.from_dense(np.array([[1, 1, 1, 0], [0, 1, 0, 0], [0, 0, 1, 0]], bool))
    seg = Segmentation.from_masks(strip(4), masks, [0.2, 0.9, 0.1], [3, 4, 5])
    assert seg.n_parts == 3 and seg.labels.tolist() == [0, 1, 0, -1] and seg.to_masks() is masks
    assert seg.hierarchy.cut(depth=1).tolist() == [0, 1, 0, -1]


# ---------------------------------------------------------------------------------------------------------------- files


def full_hierarchy(n: int) -> PartHierarchy:
    """Root over a symmetric pair of legs and a seat, last element unlabelled."""
    leaf_of = np.resize([2, 3, 4], n)
    leaf_of[-1] = -1
    mirror = Symmetry("reflective", (0.5, 0, 0), (1, 0, 0))
    return PartHierarchy.build(
        [-1, 0, 1, 1, 0], leaf_of, ["chair", "legs", "leg", "leg", "seat"], [1, 2, 3, 3, 4], [0, 0, 0, 1, 0],
        symmetry=[None, mirror, None, None, None], levels={"coarse": [1, 4], "fine": [2, 3, 4]},
    )  # fmt: skip


def variants() -> dict[str, Segmentation]:
    mesh = strip(7, name="a chair", polygon=[0, 0, 2, 2, 3, 3, 3], n_polygons=6).normalized()
    tree = caterpillar(7)
    h = full_hierarchy(7)
    masks = Masks.from_dense(np.random.default_rng(0).random((3, 9)) < 0.5)
    return {
        "flat": Segmentation(mesh, [0, 1, 1, 0, -1, 2, 2], scores=[0.1, 0.2, 0.3], level="fine"),
        "tree": Segmentation(mesh, tree.cut(3), tree=tree),
        "hierarchy": Segmentation(mesh, h.cut(level="fine"), semantic_id=[3, 3, 4]).with_hierarchy(h),
        "masks": Segmentation.from_masks(cloud(9), masks, [0.3, 0.2, 0.1]),
        "cloud": Segmentation(cloud(7), tree.cut(4), tree=tree),
        "sampled": Segmentation(mesh.sampled(50), [0] * 7),
        "nothing": Segmentation(mesh, [-1] * 7),
    }


@pytest.mark.parametrize("name", variants())
def test_npz_loses_nothing(tmp_path, name):
    seg = variants()[name]
    path = seg.save(tmp_path / "x.npz")
    back = Segmentation.load(path)
    for key in ("points", "normals", "colors", "vertices", "faces", "face_index", "polygon"):
        a, b = getattr(seg.shape, key), getattr(back.shape, key)
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    for key in ("kind", "name", "transform", "n_polygons"):
        assert getattr(seg.shape, key) == getattr(back.shape, key)
    np.testing.assert_array_equal(seg.labels, back.labels)
    for key in ("scores", "semantic_id"):
        assert (getattr(seg, key) is None) == (getattr(back, key) is None)
        if getattr(seg, key) is not None:
            np.testing.assert_array_equal(getattr(seg, key), getattr(back, key))
    assert seg.level == back.level and seg.n_parts == back.n_parts
    np.testing.assert_array_equal(seg.to_masks().dense(), back.to_masks().dense())
    assert (seg.tree is None) == (back.tree is None)
    if seg.tree is not None:
        np.testing.assert_array_equal(seg.tree.children, back.tree.children)
        np.testing.assert_array_equal(seg.tree.heights, back.tree.heights)
    assert seg.hierarchy.to_json() == back.hierarchy.to_json()
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.parametrize("name", variants())
def test_json_is_the_hierarchy(tmp_path, name):
    seg = variants()[name]
    path = seg.save(tmp_path / "x.json")
    assert PartHierarchy.from_json(path.read_text("utf-8")).to_json() == seg.hierarchy.to_json()
    assert json.loads(path.read_text("utf-8"))[0]["n_elements"] == (seg.hierarchy.leaf_of >= 0).sum()


@pytest.mark.parametrize("name", variants())
def test_glb_keeps_names_nesting_and_elements(tmp_path, name):
    seg = variants()[name]
    path = seg.save(tmp_path / "x.glb")
    parts, h = read_glb_parts(path), seg.hierarchy
    loose = np.flatnonzero(h.leaf_of < 0)
    assert parts.names == h.name + (("unlabelled",) if len(loose) else ())
    np.testing.assert_array_equal(parts.parents, [*h.parent, *[0] * bool(len(loose))])
    for node in range(h.n_parts):
        if h.children(node) or not h.size[node]:
            assert parts.elements[node] is None or len(parts.elements[node]) == 0
        else:
            np.testing.assert_array_equal(parts.elements[node], np.flatnonzero(h.leaf_of == node))
    if len(loose):
        np.testing.assert_array_equal(parts.elements[-1], loose)
    # all of the shape is in the file, where the input file had it
    back = load_shape(path)
    assert back.n_elements == seg.shape.n_elements
    order = np.concatenate([e for e in parts.elements if e is not None])
    want = seg.shape.transform.apply(seg.shape.element_positions)[order]
    got = back.transform.apply(back.element_positions)
    extent = np.ptp(want, axis=0).max()
    np.testing.assert_allclose(got, want, atol=max(extent, 1.0) * 1e-6)


@settings(max_examples=25)
@given(st.lists(st.integers(-1, 6), min_size=1, max_size=25))
def test_any_labels_survive_glb(tmp_path_factory, labels):
    labels = renumber(np.array(labels, np.int64))
    path = tmp_path_factory.mktemp("glb") / "x.glb"
    Segmentation(strip(len(labels)), labels).save(path)
    parts = read_glb_parts(path)
    back = np.full(len(labels), -1)
    for name, elements in zip(parts.names, parts.elements):
        if name.startswith("part_"):
            back[elements] = int(name.removeprefix("part_")) - 1
    np.testing.assert_array_equal(back, labels)


def test_other_suffixes_are_refused(tmp_path):
    seg = Segmentation(strip(3), [0, 0, 0])
    for name in ("x.obj", "x"):
        with pytest.raises(InputError, match="cannot write"):
            seg.save(tmp_path / name)
    seg.save(tmp_path / "deep" / "er" / "X.PLY")
    assert load_shape(tmp_path / "deep" / "er" / "X.PLY").n_elements == 3


def test_what_cannot_be_loaded_says_why(tmp_path):
    good = Segmentation(strip(5), [0, 0, 1, 1, 1]).save(tmp_path / "good.npz").read_bytes()
    cases = {
        "missing.npz": None,
        "empty.npz": b"",
        "text.npz": b"hello there, this is no archive",
        "cut.npz": good[: len(good) // 2],
        "head.npz": good[:10],
        "flip.npz": good[:200] + bytes(50) + good[250:],
    }
    for name, data in cases.items():
        path = tmp_path / name
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(InputError, match=name):
            Segmentation.load(path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", labels=np.array([{}], object), kind="mesh")
    for name in ("one.npy", "other.npz", "pickle.npz"):
        with pytest.raises(InputError, match=name):
            Segmentation.load(tmp_path / name)
