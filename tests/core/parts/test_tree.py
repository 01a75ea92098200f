"""MergeTree: cuts are nested partitions, the same as scikit-learn's, and agree with the hierarchies made of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import ward_tree
from sklearn.cluster._agglomerative import _hc_cut

from partseg.errors import PartsegError
from partseg.parts.tree import MergeTree, renumber


def random_tree(n: int, seed: int, ties: bool = False) -> MergeTree:
    """Merges of random roots, at random rising heights."""
    rng = np.random.default_rng(seed)
    roots, children = list(range(n)), []
    for j in range(n - 1):
        a, b = (roots.pop(int(rng.integers(len(roots)))) for _ in range(2))
        children.append((a, b))
        roots.append(n + j)
    steps = rng.random(n - 1) * (rng.random(n - 1) < 0.5 if ties else 1)
    return MergeTree(np.array(children, np.int64).reshape(-1, 2), np.cumsum(steps))


trees = st.builds(random_tree, st.integers(1, 40), st.integers(0, 10**6), st.booleans())
untied = st.builds(random_tree, st.integers(1, 40), st.integers(0, 10**6))


def brute_cut(tree: MergeTree, k: int) -> np.ndarray:
    """Union of sets, one merge after another, until k are left; numbered by first element."""
    n = tree.n_leaves
    sets = {i: {i} for i in range(n)}
    for j, (a, b) in enumerate(tree.children[: n - min(max(k, 1), n)].tolist()):
        sets[n + j] = sets.pop(a) | sets.pop(b)
    labels = np.empty(n, np.int64)
    for label, members in enumerate(sorted(sets.values(), key=min)):
        labels[list(members)] = label
    return labels


@given(trees, st.integers(-1, 45))
def test_cut_is_the_state_after_the_first_merges(tree, k):
    labels = tree.cut(k)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, brute_cut(tree, k))


@given(trees)
def test_cuts_are_nested_partitions(tree):
    above = tree.cut(1)
    for k in range(1, tree.n_leaves + 1):
        labels = tree.cut(k)
        assert np.unique(labels).tolist() == list(range(k))
        for part in range(k):
            assert len(np.unique(above[labels == part])) == 1
        above = labels


@given(trees)
def test_members_are_the_elements_below(tree):
    n = tree.n_leaves
    below = [{i} for i in range(n)]
    for a, b in tree.children.tolist():
        below.append(below[a] | below[b])
    for node in range(2 * n - 1):
        members = tree.members(node)
        assert len(members) == len(below[node]) and set(members.tolist()) == below[node]


@pytest.mark.parametrize("n", [2, 3, 30, 200])
def test_cut_is_scikit_learns(n):
    points = np.random.default_rng(n).normal(size=(n, 3))
    children, _, leaves, _, heights = ward_tree(points, return_distance=True)
    tree = MergeTree(children, heights)
    for k in {1, 2, min(n, 3), min(n, 7), n // 2 + 1, n}:
        np.testing.assert_array_equal(tree.cut(k), renumber(_hc_cut(k, children, leaves)))


# ---------------------------------------------------------------------------------------------------------- hierarchies


@given(untied, st.integers(1, 45))
def test_hierarchy_of_one_cut_holds_every_coarser_cut(tree, k):
    hierarchy = tree.hierarchy(k, "thing")
    top = min(k, tree.n_leaves)
    assert hierarchy.n_parts == 2 * top - 1 and len(hierarchy.leaves) == top
    assert hierarchy.name[0] == "thing" and len(set(hierarchy.name)) == hierarchy.n_parts
    for parts in range(1, top + 1):
        np.testing.assert_array_equal(renumber(hierarchy.cut(parts=parts)), tree.cut(parts))
    np.testing.assert_array_equal(renumber(hierarchy.cut(level=str(top))), tree.cut(k))


@given(trees, st.lists(st.integers(1, 45), min_size=1, max_size=4))
def test_hierarchy_of_several_cuts_has_each_as_a_level(tree, counts):
    hierarchy = tree.hierarchy(counts)
    clipped = {min(k, tree.n_leaves) for k in counts}
    assert set(hierarchy.levels) == {str(k) for k in clipped}
    for k in clipped:
        np.testing.assert_array_equal(renumber(hierarchy.cut(level=str(k))), tree.cut(k))
    sizes = [tuple(sorted(hierarchy.members(i).tolist())) for i in range(hierarchy.n_parts)]
    assert len(set(sizes)) == len(sizes)  # what two layers share stands once


@given(untied, st.floats(-0.5, 40))
def test_threshold_cut_undoes_the_merges_above_it(tree, threshold):
    labels = tree.hierarchy(tree.n_leaves).cut(threshold=threshold)
    parts = 1 + int((tree.heights > threshold).sum())
    np.testing.assert_array_equal(renumber(labels), tree.cut(parts))


# ---------------------------------------------------------------------------------------------------- number of parts


@given(trees, st.integers(2, 25))
def test_auto_parts_is_in_range_and_blind_to_scale(tree, most):
    k = tree.auto_parts(most)
    assert 1 <= k <= min(most, max(tree.n_leaves, 1))
    assert MergeTree(tree.children, tree.heights * 1024).auto_parts(most) == k


@pytest.mark.parametrize("k", [2, 3, 5, 9])
def test_auto_parts_finds_an_obvious_gap(k):
    n = 30
    children = [(0, 1)] + [(n + j - 1, j + 1) for j in range(1, n - 1)]
    heights = np.where(np.arange(n - 1) >= n - k, 1.0, 0.01) + np.arange(n - 1) * 1e-5
    assert MergeTree(children, heights).auto_parts() == k


def test_one_element_and_no_height():
    one = MergeTree(np.empty((0, 2)), np.empty(0))
    assert one.n_leaves == 1 and one.cut(3).tolist() == [0] and one.auto_parts() == 1
    assert one.hierarchy(4).n_parts == 1
    assert MergeTree([[0, 1]], [0.0]).auto_parts() == 1
    assert MergeTree([[0, 1]], [2.0]).auto_parts() == 2


# ------------------------------------------------------------------------------------------------------------- renumber


@given(st.lists(st.integers(-3, 9), max_size=40))
def test_renumber(labels):
    got = renumber(np.array(labels, np.int64))
    seen: dict[int, int] = {}
    want = [-1 if x < 0 else seen.setdefault(x, len(seen)) for x in labels]
    np.testing.assert_array_equal(got, want)


# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("children", "heights", "cause"),
    [
        ([[0, 1]], [1.0, 2.0], "heights"),
        ([[0, 1], [2, 3]], [2.0, 1.0], "decrease"),
        ([[0, 1]], [np.nan], "decrease"),
        ([[0, 1], [2, 4]], [1.0, 2.0], "does not exist"),
        ([[0, -1]], [1.0], "does not exist"),
        ([[0, 0]], [1.0], "once"),
        ([[0, 1], [0, 2]], [1.0, 2.0], "once"),
    ],
)
def test_what_is_no_tree_says_why(children, heights, cause):
    with pytest.raises(PartsegError, match=cause):
        MergeTree(children, heights)


def test_read_only_but_not_the_callers():
    children, heights = np.array([[0, 1]], np.int64), np.array([1.0])
    tree = MergeTree(children, heights)
    with pytest.raises(ValueError, match="read-only"):
        tree.heights[0] = 3
    heights[0] = children[0, 0] = 0  # no error
