"""PartHierarchy: masks, intervals, cuts, IoU against brute force, and files that lose nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from partseg.errors import PartsegError, UnknownNameError
from partseg.parts.hierarchy import NodeKind, PartHierarchy, Symmetry


def random_hierarchy(p: int, n: int, seed: int) -> PartHierarchy:
    """Every node hangs below a random earlier one; some elements unlabelled, some leaves empty."""
    rng = np.random.default_rng(seed)
    parent = np.array([-1, *(int(rng.integers(i)) for i in range(1, p))])
    leaves = np.setdiff1d(np.arange(p), parent)
    leaf_of = np.where(rng.random(n) < 0.2, -1, rng.choice(leaves, n))
    height = np.zeros(p)
    height[0] = 10.0
    for i in range(1, p):
        height[i] = height[parent[i]] * rng.random()
    inner = np.setdiff1d(np.arange(p), leaves)
    symmetry: list[Symmetry | None] = [None] * p
    for node in inner[: int(rng.integers(3))]:
        axis = rng.normal(size=3)
        symmetry[node] = Symmetry(
            str(rng.choice(["reflective", "rotational", "translational"])), tuple(rng.normal(size=3).tolist()),
            tuple((axis / np.linalg.norm(axis)).tolist()), int(rng.integers(2, 9)), float(rng.random()),
        )  # fmt: skip
    return PartHierarchy.build(
        parent, leaf_of, [f"n{i} {'é“'[i % 2]}" for i in range(p)], rng.integers(-1, 50, p), rng.integers(-1, 5, p),
        symmetry=symmetry, levels={"whole": [0], "leaves": leaves}, height=height if seed % 2 else None,
    )  # fmt: skip


hierarchies = st.builds(random_hierarchy, st.integers(1, 25), st.integers(0, 60), st.integers(0, 10**6))


def brute_mask(h: PartHierarchy, node: int) -> np.ndarray:
    """Elements whose chain of parents meets the node."""
    out = []
    for leaf in h.leaf_of.tolist():
        while leaf not in (-1, node):
            leaf = int(h.parent[leaf])
        out.append(leaf == node and node >= 0)
    return np.array(out, bool)


# ------------------------------------------------------------------------------------------------------------ structure


@given(hierarchies)
def test_masks_nest_and_siblings_are_disjoint(h):
    for node in range(h.n_parts):
        mask = h.mask(node)
        np.testing.assert_array_equal(mask, brute_mask(h, node))
        assert h.size[node] == mask.sum() == len(h.members(node))
        below = h.children(node)
        if below:
            children = np.array([h.mask(c) for c in below])
            assert children.sum(0).max(initial=0) <= 1
            np.testing.assert_array_equal(children.any(0), mask)


@given(hierarchies)
def test_intervals_are_slices_of_one_order(h):
    assert len(h.order) == (h.leaf_of >= 0).sum() == h.interval(0)[1]
    for node in range(1, h.n_parts):
        (a, b), (lo, hi) = h.interval(node), h.interval(int(h.parent[node]))
        assert lo <= a <= b <= hi
    for node in range(h.n_parts):
        depth, above = 0, int(h.parent[node])
        while above >= 0:
            depth, above = depth + 1, int(h.parent[above])
        assert h.depth[node] == depth
    assert set(h.leaves.tolist()) == set(range(h.n_parts)) - set(h.parent.tolist())


def test_kinds_follow_from_the_tree():
    mirror = Symmetry("reflective", (0, 0, 0), (1, 0, 0))
    h = PartHierarchy.build([-1, 0, 1, 1, 0], [2, 3, 4], symmetry=[None, mirror, None, None, None])
    assert h.kind.tolist() == [NodeKind.ADJACENCY, NodeKind.SYMMETRY, NodeKind.LEAF, NodeKind.LEAF, NodeKind.LEAF]


# ----------------------------------------------------------------------------------------------------------------- cuts


@given(hierarchies, st.data())
def test_every_cut_is_a_partition_into_nodes(h, data):
    which = data.draw(st.sampled_from(["level", "depth", "parts"] + ["threshold"] * (h.height is not None)))
    value = data.draw(
        {"level": st.sampled_from(sorted(h.levels)), "depth": st.integers(-1, 30), "parts": st.integers(-1, 30),
         "threshold": st.floats(-1, 11)}[which]
    )  # fmt: skip
    nodes, labels = h.cut_nodes(**{which: value}), h.cut(**{which: value})
    assert labels.dtype == np.int64 and labels.shape == h.leaf_of.shape
    np.testing.assert_array_equal(labels < 0, h.leaf_of < 0)
    for label, node in enumerate(nodes):
        np.testing.assert_array_equal(labels == label, h.mask(int(node)))
    chains = []  # every leaf has exactly one node of the cut on its way to the root
    for node in h.leaves.tolist():
        chain = [node]
        while chain[-1] >= 0:
            chain.append(int(h.parent[chain[-1]]))
        chains.append(len(set(chain) & set(nodes.tolist())))
    assert set(chains) == {1}
    if which == "parts":
        assert len(nodes) <= max(value, 1)


@given(hierarchies)
def test_cuts_by_depth_refine_one_another(h):
    above = h.cut(depth=0)
    for depth in range(1, int(h.depth.max()) + 1):
        labels = h.cut(depth=depth)
        for part in range(labels.max(initial=-1) + 1):
            assert len(np.unique(above[labels == part])) <= 1
        above = labels
    np.testing.assert_array_equal(above, h.cut(level="leaves"))


@given(hierarchies, st.floats(-1, 11))
def test_threshold_keeps_the_highest_nodes_that_are_not_above_it(h, threshold):
    assume(h.height is not None)
    want, stack = [], [0]
    while stack:
        node = stack.pop()
        if h.height[node] > threshold and h.children(node):
            stack.extend(h.children(node))
        else:
            want.append(node)
    assert sorted(h.cut_nodes(threshold=threshold).tolist()) == sorted(want)


def test_parts_splits_the_highest_node_first():
    h = PartHierarchy.build([-1, 0, 0, 1, 1, 2, 2], [3, 4, 5, 6], height=[9, 2, 5, 0, 0, 0, 0])
    assert [len(h.cut_nodes(parts=k)) for k in (1, 2, 3, 4, 9)] == [1, 2, 3, 4, 4]
    assert h.cut_nodes(parts=3).tolist() == [1, 5, 6]
    flat = PartHierarchy.build([-1, 0, 0, 1, 1, 2, 2], [3, 4, 5, 6])
    assert flat.cut_nodes(parts=3).tolist() == [3, 4, 2]


def test_from_labels_is_flat():
    h = PartHierarchy.from_labels(np.array([1, 0, -1, 3]), "cup")
    assert h.name == ("cup", "part_1", "part_2", "part_3", "part_4") and h.size.tolist() == [3, 1, 1, 0, 1]
    np.testing.assert_array_equal(h.cut(depth=1), [1, 0, -1, 3])
    assert PartHierarchy.from_labels(np.array([-1, -1])).n_parts == 1


# ------------------------------------------------------------------------------------------------------------------ IoU


@given(hierarchies, st.integers(1, 25), st.integers(0, 10**6))
def test_iou_is_that_of_the_masks(h, p, seed):
    other = random_hierarchy(p, len(h.leaf_of), seed)
    a = np.array([brute_mask(h, i) for i in range(h.n_parts)]).reshape(h.n_parts, -1)
    b = np.array([brute_mask(other, j) for j in range(other.n_parts)]).reshape(other.n_parts, -1)
    both = (a[:, None] & b[None]).sum(2)
    either = (a[:, None] | b[None]).sum(2)
    np.testing.assert_allclose(h.iou(other), np.where(either > 0, both / np.maximum(either, 1), 0.0))
    np.testing.assert_allclose(h.iou(other), other.iou(h).T)


def test_iou_needs_the_same_elements():
    with pytest.raises(PartsegError, match="3 and 4 elements"):
        PartHierarchy.from_labels(np.zeros(3, int)).iou(PartHierarchy.from_labels(np.zeros(4, int)))


# ---------------------------------------------------------------------------------------------------------------- files


def same(a: PartHierarchy, b: PartHierarchy) -> None:
    for key in ("parent", "leaf_of", "semantic_id", "instance_id", "kind"):
        x, y = getattr(a, key), getattr(b, key)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y, err_msg=key)
    assert a.name == b.name and a.symmetry == b.symmetry
    assert list(a.levels) == list(b.levels)
    for level in a.levels:
        np.testing.assert_array_equal(a.levels[level], b.levels[level])
    assert (a.height is None) == (b.height is None)
    if a.height is not None:
        np.testing.assert_array_equal(a.height, b.height)


@given(hierarchies)
def test_json_and_arrays_lose_nothing(h):
    for indent in (None, 1):
        same(h, PartHierarchy.from_json(h.to_json(indent=indent)))
    same(h, PartHierarchy.from_arrays(h.to_arrays()))


def test_json_is_like_partnets():
    h = PartHierarchy.build([-1, 0, 0, 1], [3, 3, 2], ["chair", "leg", "seat base", "bar"], semantic_id=[4, -1, 7, -1])
    (root,) = json.loads(h.to_json(elements=False))
    assert (root["id"], root["name"], root["semantic_id"]) == (0, "chair", 4) and "leaf_of" not in root
    leg, seat = root["children"]
    assert leg["children"][0]["name"] == "bar" and leg["n_elements"] == 2
    assert seat["text"] == "seat base" and "children" not in seat


def test_a_tree_thousands_of_generations_deep():
    p = 3000
    h = PartHierarchy.build(np.arange(-1, p - 1), np.full(5, p - 1), [str(i) for i in range(p)])
    for indent in (None, 1):
        same(h, PartHierarchy.from_json(h.to_json(indent=indent)))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "3", "[3]", "[{}]", '[{"id": 0}]',
     '[{"id": 1, "name": "x", "leaf_of": {"leaf": [], "count": []}}]',
     '[{"id": 0, "name": "x", "kind": "leaf", "leaf_of": {"leaf": [0], "count": [-1]}}]',
     '[{"id": 0, "name": "x", "kind": "branch", "leaf_of": {"leaf": [0], "count": [1]}}]',
     '[{"id": 0, "name": "x", "kind": "leaf", "leaf_of": {"leaf": [7], "count": [1]}}]',
     "[" * 100_000],
)  # fmt: skip
def test_text_that_is_no_hierarchy(text):
    with pytest.raises(PartsegError):
        PartHierarchy.from_json(text)


# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"parent": []}, "one root"),
        ({"parent": [0]}, "one root"),
        ({"parent": [-1, -1]}, "one root"),
        ({"parent": [-1, 2, 0]}, "before its children"),
        ({"parent": [-1, 9, 0]}, "before its children"),
        ({"leaf_of": [5]}, "leaf_of"),
        ({"leaf_of": [-2]}, "leaf_of"),
        ({"leaf_of": [0]}, "has children"),
        ({"name": ["a"]}, "entries of name"),
        ({"semantic_id": [1, 2]}, "entries of semantic_id"),
        ({"symmetry": [None]}, "entries of symmetry"),
        ({"kind": [1, 2, 0]}, "without children"),
        ({"height": [1, 2, 0]}, "above its parent"),
        ({"height": [1]}, "heights"),
        ({"levels": {"x": [1]}}, "not a cut"),
        ({"levels": {"x": [0, 1]}}, "not a cut"),
        ({"levels": {"x": []}}, "do not exist"),
        ({"levels": {"x": [9]}}, "do not exist"),
    ],
)
def test_what_is_no_hierarchy_says_why(fields, cause):
    with pytest.raises(PartsegError, match=cause):
        PartHierarchy.build(**({"parent": [-1, 0, 0], "leaf_of": [1, 2, -1]} | fields))


def test_cuts_that_do_not_exist():
    h = PartHierarchy.from_labels(np.array([0, 1]))
    with pytest.raises(UnknownNameError, match="has 2"):
        h.cut(level="fine")
    with pytest.raises(PartsegError, match="no heights"):
        h.cut(threshold=1.0)
    for wrong in ({}, {"depth": 1, "parts": 2}):
        with pytest.raises(PartsegError, match="exactly one"):
            h.cut(**wrong)


def test_read_only_but_not_the_callers():
    leaf_of = np.array([1, 1], np.int32)
    h = PartHierarchy.build([-1, 0], leaf_of)
    with pytest.raises(ValueError, match="read-only"):
        h.leaf_of[0] = 0
    leaf_of[0] = 0  # no error


# ------------------------------------------------------------------------------------------------------------- symmetry


@given(st.integers(0, 10**6), st.integers(0, 6))
def test_symmetry_moves_copies(seed, copy):
    rng = np.random.default_rng(seed)
    p, d, xyz = rng.normal(size=3), rng.normal(size=3), rng.normal(size=(7, 3))
    d /= np.linalg.norm(d)
    turn = Symmetry("rotational", tuple(p), tuple(d), 7, 0.9)
    want = Rotation.from_rotvec(d * 0.9 * copy).apply(xyz - p) + p
    np.testing.assert_allclose(turn.apply(xyz, copy), want, atol=1e-12)
    shift = Symmetry("translational", (0, 0, 0), tuple(d), 7, 0.4)
    np.testing.assert_allclose(shift.apply(xyz, copy), xyz + 0.4 * copy * d)
    mirror = Symmetry("reflective", tuple(p), tuple(d))
    image = mirror.apply(xyz)
    np.testing.assert_allclose((image + xyz - 2 * p) @ d, 0, atol=1e-12)  # halfway lies on the plane
    np.testing.assert_allclose(np.cross(image - xyz, d), 0, atol=1e-12)  # straight across it
    np.testing.assert_array_equal(mirror.apply(xyz, 0), xyz)


@pytest.mark.parametrize(
    "fields",
    [("odd", (0, 0, 0), (1, 0, 0)), ("reflective", (0, 0, 0), (2, 0, 0)), ("reflective", (0, np.nan, 0), (1, 0, 0)),
     ("rotational", (0, 0, 0), (1, 0, 0), 1), ("rotational", (0, 0, 0), (1, 0, 0), 2, np.inf)],
)  # fmt: skip
def test_what_is_no_symmetry(fields):
    with pytest.raises(PartsegError):
        Symmetry(*fields)


def test_json_says_which_label_a_node_is():
    h = PartHierarchy.build([-1, 0, 0, 2, 2], np.array([1, 3, 3, 4, 1, -1]))
    labels = np.array([2, 0, 0, 1, 2, -1])
    (root,) = json.loads(h.to_json(labels=labels))
    one, two = root["children"]
    assert one["label"] == 2 and [c["label"] for c in two["children"]] == [0, 1]
    assert "label" not in root and "label" not in two
    (root,) = json.loads(h.to_json(labels=np.array([5, 5, 5, 5, 5, -1])))
    assert root["label"] == 5 and "label" not in root["children"][0]
