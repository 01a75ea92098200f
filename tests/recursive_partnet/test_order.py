"""The order of children follows from where they are, and nothing else of the tree changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partseg.parts.hierarchy import PartHierarchy, Symmetry
from partseg_recursive_partnet.order import in_canonical_order


def masks(tree: PartHierarchy) -> set[tuple[frozenset[int], frozenset[int]]]:
    """(elements, elements of the parent) of every node."""
    parts = [frozenset(tree.members(i).tolist()) for i in range(tree.n_parts)]
    return {(parts[i], parts[tree.parent[i]] if i else frozenset()) for i in range(tree.n_parts)}


@given(st.integers(0, 10_000))
def test_the_same_tree_whatever_the_order_it_came_in(seed):
    rng = np.random.default_rng(seed)
    p = int(rng.integers(2, 6))
    parent = [-1]
    leaves = [0]
    for _ in range(p):  # split a leaf in two
        node = leaves.pop(int(rng.integers(len(leaves))))
        leaves += [len(parent), len(parent) + 1]
        parent += [node, node]
    points = rng.uniform(-1, 1, (60, 3))
    leaf_of = np.array(leaves)[rng.integers(len(leaves), size=60)]
    leaf_of[: len(leaves)] = leaves
    tree = PartHierarchy.build(parent, leaf_of)
    found = in_canonical_order(tree, points)
    assert masks(found) == masks(tree)
    swap = np.arange(len(parent))  # children of each node change places
    for i in range(1, len(parent), 2):
        swap[i], swap[i + 1] = i + 1, i
    other = np.array([-1, *(swap[parent[swap[i]]] for i in range(1, len(parent)))])
    depth_first = in_canonical_order(_sorted(other, swap[leaf_of]), points)
    np.testing.assert_array_equal(depth_first.parent, found.parent)
    np.testing.assert_array_equal(depth_first.leaf_of, found.leaf_of)


def _sorted(parent: np.ndarray, leaf_of: np.ndarray) -> PartHierarchy:
    """A hierarchy numbered so that parents stand first."""
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(np.flatnonzero(parent == node).tolist())
    place = np.empty(len(parent), np.int64)
    place[order] = np.arange(len(parent))
    return PartHierarchy.build([-1, *place[parent[order[1:]]].tolist()], place[leaf_of])


@pytest.mark.parametrize("fold", [3, 5, 8])
@pytest.mark.parametrize("start", [0.2, 2.0, 5.5])
def test_copies_of_a_turn_go_round_from_one_place(fold, start):
    symmetry = Symmetry("rotational", (0.0, 0.0, 0.0), (0.0, -1.0, 0.0), fold, 2 * np.pi / fold)
    angle = start + 2 * np.pi * np.arange(fold) / fold
    points = np.stack([np.sin(angle), np.zeros(fold), np.cos(angle)], 1)
    tree = PartHierarchy.build([-1, *[0] * fold], 1 + np.arange(fold), symmetry=[symmetry, *[None] * fold])
    found = in_canonical_order(tree, points)
    again = found.symmetry[0]
    assert again.direction == (0.0, 1.0, 0.0)
    first = points[found.members(found.children(0)[0])]
    for copy, child in enumerate(found.children(0)):
        np.testing.assert_allclose(again.apply(first, copy), points[found.members(child)], atol=1e-9)
    assert -np.pi / (2 * fold) <= np.arctan2(-first[0, 2], first[0, 0]) < 3 * np.pi / (2 * fold)


def test_copies_of_a_shift_go_down_and_their_step_with_them():
    symmetry = Symmetry("translational", (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), 3, 0.5)
    points = np.array([[0, 0.0, 0], [0, 0.5, 0], [0, 1.0, 0]])
    tree = PartHierarchy.build([-1, 0, 0, 0], np.arange(1, 4), symmetry=[symmetry, None, None, None])
    found = in_canonical_order(tree, points)
    assert [int(found.members(c)[0]) for c in found.children(0)] == [2, 1, 0]
    np.testing.assert_allclose(found.symmetry[0].apply(points[2:], 2), points[:1], atol=1e-12)


def test_one_around_another_comes_first():
    ring = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    points = np.concatenate([ring * 0.1, ring])
    tree = PartHierarchy.from_labels(np.repeat([0, 1], 4))
    found = in_canonical_order(tree, points)
    assert set(found.members(found.children(0)[0]).tolist()) == {4, 5, 6, 7}
