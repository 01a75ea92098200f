"""Cuts by height against every cut made and scored by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partseg.metrics.functional import best_of_cuts_miou, class_agnostic_miou
from partseg.metrics.functional.matching import Matching
from partseg.metrics.functional.tree_cut import best_node_ious, miou_by_height, tree_cut_miou
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.tree import MergeTree


def random_tree(n: int, rng: np.random.Generator, steps: int) -> MergeTree:
    """Random merges; heights take few values, so that many are equal."""
    alive, children = list(range(n)), []
    for j in range(n - 1):
        a, b = rng.choice(len(alive), 2, replace=False)
        children.append([alive[a], alive[b]])
        alive = [x for i, x in enumerate(alive) if i not in (a, b)] + [n + j]
    return MergeTree(np.array(children, int).reshape(-1, 2), np.sort(rng.integers(0, steps, n - 1)).astype(float))


def cut_below(tree: MergeTree, threshold: float) -> np.ndarray:
    """Labels when every merge of at most that height is kept."""
    n = tree.n_leaves
    root = list(range(2 * n - 1))
    for j, ((a, b), height) in enumerate(zip(tree.children.tolist(), tree.heights.tolist(), strict=True)):
        if height <= threshold:
            root[a] = root[b] = n + j

    def top(i: int) -> int:
        return i if root[i] == i else top(root[i])

    return np.array([top(i) for i in range(n)])


cases = st.tuples(st.integers(1, 24), st.integers(1, 12), st.integers(0, 2**32 - 1))


def make(case: tuple[int, int, int]) -> tuple[MergeTree, np.ndarray]:
    n, steps, seed = case
    rng = np.random.default_rng(seed)
    true = rng.integers(-1, 4, n)
    true[rng.integers(n)] = 2
    return random_tree(n, rng, steps), true


@given(cases)
def test_curve_and_best_cut_equal_all_cuts_made_one_by_one(case: tuple[int, int, int]) -> None:
    tree, true = make(case)
    thresholds = [*np.unique(tree.heights)[::-1].tolist(), -np.inf]
    cuts = [cut_below(tree, x) for x in thresholds]
    curve = miou_by_height(tree, true)
    assert curve.parts.tolist() == [len(np.unique(c)) for c in cuts]
    assert curve.threshold.tolist() == thresholds
    np.testing.assert_allclose(curve.miou, [class_agnostic_miou(c, true) for c in cuts], atol=1e-12)
    way: Matching
    for way in ("greedy", "one-to-one"):
        scores = [class_agnostic_miou(c, true, way) for c in cuts]
        best = tree_cut_miou(tree, true, matching=way)
        assert best.miou == pytest.approx(max(scores), abs=1e-12)
        first = next(i for i, s in enumerate(scores) if s > max(scores) - 1e-12)
        assert (best.parts, best.threshold) == (len(np.unique(cuts[first])), thresholds[first])


@given(cases)
def test_best_nodes_bound_every_cut(case: tuple[int, int, int]) -> None:
    tree, true = make(case)
    best = best_node_ious(tree, true)
    nodes = [tree.members(i) for i in range(2 * tree.n_leaves - 1)]
    for t, value in zip(np.unique(true[true >= 0]), best, strict=True):
        inside = set(np.flatnonzero(true == t).tolist())
        each = [len(inside & set(m.tolist())) / len(inside | set(m.tolist())) for m in nodes]
        assert value == pytest.approx(max(each))
    assert best.mean() >= tree_cut_miou(tree, true).miou - 1e-12
    assert best.mean() >= best_of_cuts_miou(tree, true) - 1e-12


def test_oracle_and_tree_cut_are_not_the_same_question() -> None:
    # 30 true parts, found exactly by a cut into 30: beyond the oracle's 20, open to a cut by height
    pairs = chain([[2 * i, 2 * i + 1] for i in range(30)])
    tree = MergeTree(np.array(pairs), np.array([1.0] * 30 + [2.0] * 29))
    true = np.arange(60) // 2
    assert best_of_cuts_miou(tree, true) < 0.9
    assert tree_cut_miou(tree, true) == (1.0, 30, 1.0)
    # two equally high merges, one of which has to be undone: open to the oracle, closed to a threshold
    tree = MergeTree(np.array([[0, 1], [2, 3], [4, 5]]), np.array([1.0, 2.0, 2.0]))
    true = np.array([0, 0, 1, 1])
    assert best_of_cuts_miou(tree, true) == 1.0
    assert tree_cut_miou(tree, true).miou < 1.0


def chain(pairs: list[list[int]]) -> list[list[int]]:
    """The pairs joined one after another into one tree."""
    n = 2 * len(pairs)
    out, last = [*pairs], n
    for i in range(1, len(pairs)):
        out.append([last, n + i])
        last = n + len(out) - 1
    return out


def test_a_hierarchy_is_cut_by_its_heights_or_by_depth() -> None:
    leaf_of = np.array([2, 2, 3, 3, 4, 4])
    plain = PartHierarchy.build([-1, 0, 1, 1, 0], leaf_of)  # ((2, 3), 4)
    two, three = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    assert tree_cut_miou(plain, two) == (1.0, 2, -1.0)
    assert tree_cut_miou(plain, three) == (1.0, 3, -2.0)
    high = PartHierarchy.build([-1, 0, 1, 1, 0], leaf_of, height=[5.0, 2.0, 0.0, 0.0, 0.0])
    assert tree_cut_miou(high, two) == (1.0, 2, 2.0)
    assert tree_cut_miou(high, three)[:2] == (1.0, 3)
    assert tree_cut_miou(plain, two, matching="one-to-one").miou == 1.0
    assert best_node_ious(plain, np.array([0, 0, 0, 0, -1, 7])).tolist() == [1.0, 0.5]


def test_merge_tree_and_its_whole_hierarchy_have_the_same_best_cut() -> None:
    rng = np.random.default_rng(3)
    tree, true = random_tree(20, rng, 6), rng.integers(0, 4, 20)
    tree = MergeTree(tree.children, tree.heights + 1.0)
    whole = tree.hierarchy(20)
    way: Matching
    for way in ("greedy", "one-to-one"):
        assert tree_cut_miou(whole, true, matching=way).miou == pytest.approx(
            tree_cut_miou(tree, true, matching=way)[0]
        )
    np.testing.assert_allclose(best_node_ious(whole, true), best_node_ious(tree, true))


def test_no_truth_and_wrong_lengths() -> None:
    tree = random_tree(5, np.random.default_rng(0), 3)
    empty = tree_cut_miou(tree, np.full(5, -1))
    assert np.isnan(empty.miou) and empty.parts == 1
    assert np.isnan(miou_by_height(tree, np.full(5, -1)).miou).all()
    assert best_node_ious(tree, np.full(5, -1)).shape == (0,)
    with pytest.raises(ValueError, match=r"true must be \(5,\) integers, as the tree has 5 elements"):
        tree_cut_miou(tree, np.zeros(4, int))
