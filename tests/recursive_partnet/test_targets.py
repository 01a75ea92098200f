"""Trees to learn from: what becomes of a part hierarchy, and how trees of a batch are packed."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from partseg.parts.hierarchy import PartHierarchy, Symmetry
from partseg_recursive_partnet.nodes import NodeType
from partseg_recursive_partnet.targets import Tree, Trees

MIRROR = Symmetry("reflective", (0.0, 0.0, 0.0), (1.0, 0.0, 0.0))


def turn(fold: int, step: float | None = None) -> Symmetry:
    return Symmetry("rotational", (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), fold, step or 2 * np.pi / fold)


def types(tree: Tree) -> list[int]:
    return tree.type.tolist()


def test_mirror_and_turn_as_released():
    """A root of a mirrored pair of two-part sides and a group of three: the pair goes on, the group ends."""
    #          0 root; 1 mirror (2: 3, 4) (5: 6, 7); 8 turn: 9, 10, 11
    parent = [-1, 0, 1, 2, 2, 1, 5, 5, 0, 8, 8, 8]
    symmetry = [None, MIRROR, *[None] * 6, turn(3), *[None] * 3]
    leaf_of = np.repeat([3, 4, 6, 7, 9, 10, 11], 2)
    tree = Tree.of(PartHierarchy.build(parent, leaf_of, symmetry=symmetry), "copies")
    assert types(tree) == [1, 3, 1, 0, 0, 1, 0, 0, 2]
    assert tree.parent.tolist() == [-1, 0, 1, 2, 2, 1, 5, 5, 0]
    assert tree.side.tolist() == [-1, 0, 0, 0, 1, 1, 0, 1, 1]
    assert tree.cuts == ((8,), (4,), (2,), (), (), (6,), (), (), (10, 12))


def test_symmetry_as_in_the_paper():
    """Only the first copy is a child; it keeps its own decomposition."""
    parent = [-1, 0, 1, 1, 0, 4, 4]
    symmetry = [MIRROR, *[None] * 6]
    tree = Tree.of(PartHierarchy.build(parent, np.array([2, 3, 5, 6]), symmetry=symmetry), "parameters")
    assert types(tree) == [2, 1, 0, 0]
    assert tree.symmetry == (MIRROR, None, None, None)
    assert tree.cuts == ((2,), (1,), (), ())
    assert (tree.start.tolist(), tree.stop.tolist()) == ([0, 0, 0, 1], [4, 2, 1, 2])


def test_groups_that_do_not_fit_are_adjacency_nodes_and_keep_all_parts():
    parent = [-1, *[0] * 12]
    many = PartHierarchy.build(parent, np.arange(1, 13), symmetry=[turn(12), *[None] * 12])
    for how in ("copies", "parameters"):
        tree = Tree.of(many, how, 10)
        assert types(tree).count(NodeType.LEAF) == 12 and types(tree).count(NodeType.ADJACENCY) == 11
    arc = PartHierarchy.build([-1, 0, 0, 0], np.arange(1, 4), symmetry=[turn(3, 0.3), *[None] * 3])
    assert types(Tree.of(arc, "parameters")) == [1, 1, 0, 0, 0]
    assert types(Tree.of(arc, "copies")) == [2]
    bare = PartHierarchy.build([-1, 0, 0], np.arange(1, 3), kind=[2, 0, 0])  # a symmetry node without parameters
    for how in ("copies", "parameters"):
        assert types(Tree.of(bare, how)) == [1, 0, 0]


def test_parts_without_points_and_single_children_vanish():
    tree = Tree.of(PartHierarchy.build([-1, 0, 1, 1, 0], np.array([2, 2, -1, 2])))
    assert types(tree) == [0] and tree.order.tolist() == [0, 1, 3] and (tree.start[0], tree.stop[0]) == (0, 3)
    nothing = Tree.of(PartHierarchy.build([-1, 0, 0], np.full(4, -1)))
    assert types(nothing) == [0] and len(nothing.order) == 0


@st.composite
def hierarchies(draw) -> PartHierarchy:
    """Any tree over some points, some of them unlabelled, some nodes symmetry nodes."""
    p = draw(st.integers(1, 12))
    parent = [-1, *(draw(st.integers(0, i - 1)) for i in range(1, p))]
    leaves = [i for i in range(p) if i not in parent]
    n = draw(st.integers(0, 20))
    leaf_of = np.array([draw(st.sampled_from([-1, *leaves])) for _ in range(n)], np.int64)
    choice = st.sampled_from([None, MIRROR, turn(2), turn(3)])
    symmetry = [None if i in leaves else draw(choice) for i in range(p)]
    return PartHierarchy.build(parent, leaf_of, symmetry=symmetry)


@given(st.lists(hierarchies(), min_size=1, max_size=3), st.sampled_from(["copies", "parameters"]))
def test_packed_trees_say_what_their_hierarchies_say(given_hierarchies, how):
    """Every part is a leaf's points or a label's; children share out their parent's points by label."""
    trees = [Tree.of(h, how) for h in given_hierarchies]
    sizes = [len(h.leaf_of) for h in given_hierarchies]
    offsets = np.r_[0, np.cumsum(sizes)][:-1]
    packed = Trees.pack(trees, offsets.tolist())
    assert packed.levels[-1] == len(packed) == sum(map(len, trees))
    assert (packed.node.diff() >= 0).all()
    held = [set() for _ in range(len(packed))]
    for point, node in zip(packed.point.tolist(), packed.node.tolist(), strict=True):
        held[node].add(point)
    for node in range(len(packed)):
        above = int(packed.parent[node])
        if above < 0:
            wanted = np.flatnonzero(given_hierarchies[node].leaf_of >= 0) + offsets[node]
            assert held[node] == set(wanted.tolist())  # roots come first, in the order of the shapes
        else:
            rows = packed.node == above
            same = packed.label[rows] == packed.side[node]
            assert held[node] == set(packed.point[rows][same].tolist())
        leaf = packed.type[node] == NodeType.LEAF
        assert bool((packed.label[packed.node == node] >= 0).all()) != bool(leaf) or not held[node]
    for i, h in enumerate(given_hierarchies):  # parts that survive: those of leaves and of labelled copies
        parts = set()
        for node in range(len(packed)):
            if packed.shape[node] != i:
                continue
            rows = packed.node == node
            if packed.type[node] == NodeType.LEAF:
                parts.add(frozenset(packed.point[rows].tolist()))
            elif packed.type[node] == NodeType.SYMMETRY and how == "copies":
                labels = packed.label[rows]
                parts |= {frozenset(packed.point[rows][labels == k].tolist()) for k in labels.unique()}
        truth = {frozenset((h.members(leaf) + offsets[i]).tolist()) for leaf in h.leaves} - {frozenset()}
        if how == "copies":
            assert parts - {frozenset()} == truth
        else:
            assert parts - {frozenset()} <= truth


def test_moves_to_a_device_whole():
    tree = Trees.pack([Tree.of(PartHierarchy.from_labels(np.array([0, 1, 1])))], [0])
    moved = tree.to("meta")
    assert all(value.is_meta for value in vars(moved).values() if isinstance(value, torch.Tensor))
