"""Node matches, edits, levels and symmetries of hierarchies against exhaustive search and constructed answers."""

from __future__ import annotations

from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.processes import compute_on_processes
from partseg.errors import PartsegError, UnknownNameError
from partseg.metrics.functional import class_agnostic_miou
from partseg.metrics.functional.hierarchy import (
    cluster_distance,
    constrained_edit_distance,
    depth_mious,
    level_mious,
    node_match,
    symmetry_errors,
    symmetry_scores,
    tree_edit_distance,
)
from partseg.metrics.hierarchy import HierarchyQuality, SymmetryQuality
from partseg.parts.hierarchy import NodeKind, PartHierarchy, Symmetry


def random_hierarchy(rng: np.random.Generator, nodes: int, n: int) -> PartHierarchy:
    parent = np.r_[-1, [rng.integers(0, i) for i in range(1, nodes)]].astype(int)
    leaves = np.setdiff1d(np.arange(nodes), parent)
    leaf_of = rng.choice(leaves, n)
    return PartHierarchy.build(parent, np.where(rng.random(n) < 0.1, -1, leaf_of))


def ancestors(parent: np.ndarray, node: int) -> list[int]:
    """The node and all above it, up to the root."""
    out = [node]
    while parent[out[-1]] >= 0:
        out.append(int(parent[out[-1]]))
    return out


def common(parent: np.ndarray, a: int, b: int) -> int:
    above = ancestors(parent, a)
    return next(x for x in ancestors(parent, b) if x in above)


def mapping_is_valid(pairs: list[tuple[int, int]], first: np.ndarray, second: np.ndarray) -> bool:
    """As Zhang 1996 defines them: one to one, ancestors stay ancestors, separate subtrees go to separate subtrees."""
    for (a, b), (c, d) in combinations(pairs, 2):
        if a == c or b == d:
            return False
        if (a in ancestors(first, c)) != (b in ancestors(second, d)):
            return False
        if (c in ancestors(first, a)) != (d in ancestors(second, b)):
            return False
    for chosen in combinations(pairs, 3):
        for (a, b), (c, d), (e, f) in permutations(chosen):
            one, other = common(first, a, c), common(second, b, d)
            below = one in ancestors(first, e)[1:], other in ancestors(second, f)[1:]
            if below[0] != below[1]:
                return False
    return True


def brute_edit(first: np.ndarray, second: np.ndarray, relabel: np.ndarray) -> float:
    """The cheapest of all valid mappings."""
    best = float(len(first) + len(second))
    for k in range(1, min(len(first), len(second)) + 1):
        for rows in combinations(range(len(first)), k):
            for cols in permutations(range(len(second)), k):
                cost = len(first) + len(second) - 2 * k + sum(relabel[r, c] for r, c in zip(rows, cols, strict=True))
                if cost < best - 1e-12 and mapping_is_valid(list(zip(rows, cols, strict=True)), first, second):
                    best = float(cost)
    return best


trees = st.integers(1, 5).flatmap(
    lambda n: st.tuples(*[st.integers(0, max(i - 1, 0)) for i in range(1, n)]).map(lambda p: np.array([-1, *p], int))
)


@settings(max_examples=60)
@given(trees, trees, st.integers(0, 2**32 - 1))
def test_edit_distance_is_that_of_the_cheapest_constrained_mapping(a: np.ndarray, b: np.ndarray, seed: int) -> None:
    relabel = np.random.default_rng(seed).integers(0, 5, (len(a), len(b))) / 4
    assert constrained_edit_distance(a, b, relabel) == pytest.approx(brute_edit(a, b, relabel))
    assert constrained_edit_distance(b, a, relabel.T) == pytest.approx(brute_edit(a, b, relabel))


@given(st.integers(0, 2**32 - 1))
def test_edit_distance_is_a_metric(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, c = (random_hierarchy(rng, int(rng.integers(1, 12)), 30) for _ in range(3))
    ab, bc, ac = (tree_edit_distance(x, y).distance for x, y in ((a, b), (b, c), (a, c)))
    assert tree_edit_distance(a, a).distance == pytest.approx(0, abs=1e-9)
    assert ab == pytest.approx(tree_edit_distance(b, a).distance)
    assert ac <= ab + bc + 1e-9
    assert 0 <= tree_edit_distance(a, b).normalised <= 1


def test_edit_distance_sees_no_order_and_counts_single_edits() -> None:
    leaf_of = np.repeat([2, 3, 4], 4)
    whole = PartHierarchy.build([-1, 0, 1, 1, 0], leaf_of)
    mirrored = PartHierarchy.build([-1, 0, 0, 2, 2], np.repeat([3, 4, 1], 4))
    assert tree_edit_distance(whole, mirrored).distance == pytest.approx(0)
    flat = PartHierarchy.build([-1, 0, 0, 0], np.repeat([1, 2, 3], 4))  # the inner node is gone
    assert cluster_distance(flat, whole) == pytest.approx((1.0, 1 / 9))
    assert tree_edit_distance(flat, whole) == pytest.approx((3.0, 1 / 3))  # two leaves must leave the third
    bare = PartHierarchy.build([-1], np.zeros(12, int))
    assert tree_edit_distance(bare, whole).distance == cluster_distance(bare, whole).distance == pytest.approx(4)
    chain = PartHierarchy.build([-1, 0, 1], np.full(12, 2))
    assert tree_edit_distance(bare, chain).distance == cluster_distance(bare, chain).distance == pytest.approx(2)
    empty = PartHierarchy.build([-1, 0, 0], np.full(12, 1))  # a node without elements is a node
    assert tree_edit_distance(empty, empty).distance == cluster_distance(empty, empty).distance == 0


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_cluster_distance_is_the_cheapest_matching_and_bounds_the_edits_from_below(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (random_hierarchy(rng, int(rng.integers(1, 6)), 20) for _ in range(2))
    cost = [
        [1.0 - (x & y).sum() / max((x | y).sum(), 1) for y in map(b.mask, range(b.n_parts))]
        for x in map(a.mask, range(a.n_parts))
    ]
    for i in range(a.n_parts):
        for j in range(b.n_parts):
            cost[i][j] = 0.0 if a.size[i] == b.size[j] == 0 else cost[i][j]
    best = min(
        a.n_parts + b.n_parts - 2 * k + sum(cost[r][c] for r, c in zip(rows, cols, strict=True))
        for k in range(min(a.n_parts, b.n_parts) + 1)
        for rows in combinations(range(a.n_parts), k)
        for cols in permutations(range(b.n_parts), k)
    )
    found = cluster_distance(a, b)
    assert found.distance == pytest.approx(best)
    assert found.distance == pytest.approx(cluster_distance(b, a).distance)
    assert found.distance <= tree_edit_distance(a, b).distance + 1e-9


def test_many_children_are_assigned_as_scipy_does() -> None:
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(0)
    for a, b in ((1, 7), (7, 1), (12, 30), (30, 12), (25, 25)):
        relabel = rng.random((a + 1, b + 1)) * 2
        relabel[0, 0] = 0  # the roots stay
        rows, cols = linear_sum_assignment(relabel[1:, 1:] - 2)
        expected = a + b + (relabel[1:, 1:] - 2)[rows, cols].sum()
        found = constrained_edit_distance(np.r_[-1, np.zeros(a, int)], np.r_[-1, np.zeros(b, int)], relabel)
        assert found <= expected + 1e-9
        relabel[0, 1:], relabel[1:, 0] = 2, 2
        found = constrained_edit_distance(np.r_[-1, np.zeros(a, int)], np.r_[-1, np.zeros(b, int)], relabel)
        assert found == pytest.approx(expected)


def test_a_node_of_both_trees_is_not_split_up_between_two_halves() -> None:
    # node 1 is the same in both; halved crosswise, so that its halves meet each other less than they meet it
    pred = PartHierarchy.build([-1, 0, 1, 1, 0], np.array([2, 2, 2, 2, 3, 3, 3, 3, 4, 4]))
    true = PartHierarchy.build([-1, 0, 1, 1, 0], np.array([2, 2, 3, 3, 2, 2, 3, 3, 4, 4]))
    found = node_match(pred, true, 0.4)
    assert found.pred.tolist() == found.true.tolist() == [1, 4] and found.iou.tolist() == [1.0, 1.0]
    assert found.f_score == 0.5
    same = node_match(pred, pred, 0.4)
    assert same[:3] == (1, 1, 1) and same.pred.tolist() == same.true.tolist() == [1, 2, 3, 4]


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.3, 0.5, 0.75]))
def test_node_match_has_the_largest_total_iou_and_of_equal_ones_fewest_pairs(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    pred, true = (random_hierarchy(rng, int(rng.integers(1, 6)), 20) for _ in range(2))
    found = node_match(pred, true, threshold)
    masks = [[h.mask(i) for i in range(1, h.n_parts)] for h in (pred, true)]
    iou = np.array([[(a & b).sum() / max((a | b).sum(), 1) for b in masks[1]] for a in masks[0]])
    iou = iou.reshape(len(masks[0]), len(masks[1]))
    best = (0.0, 0)
    for k in range(1, min(iou.shape) + 1):
        for rows in combinations(range(iou.shape[0]), k):
            for cols in permutations(range(iou.shape[1]), k):
                values = [iou[r, c] for r, c in zip(rows, cols, strict=True)]
                if min(values) >= threshold:
                    best = max(best, (round(sum(values), 9), -k))
    assert found.iou.sum() == pytest.approx(best[0])
    assert len(found.true) == -best[1]
    for p, t, value in zip(found.pred, found.true, found.iou, strict=True):
        assert value == iou[p - 1, t - 1]
    if max(iou.shape):
        assert found.f_score == pytest.approx(-2 * best[1] / sum(iou.shape))
    else:
        assert found[:3] == (1, 1, 1)


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_elements_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pred, true = (random_hierarchy(rng, int(rng.integers(2, 15)), 40) for _ in range(2))
    order = rng.permutation(40)
    moved = [PartHierarchy.build(h.parent, h.leaf_of[order]) for h in (pred, true)]
    assert node_match(*moved)[:3] == node_match(pred, true)[:3]
    assert node_match(true, pred).precision == node_match(pred, true).recall
    assert tree_edit_distance(*moved) == pytest.approx(tree_edit_distance(pred, true))


def test_levels_and_depths_are_scored_by_their_cuts() -> None:
    leaf_of = np.repeat([2, 3, 4], 4)
    levels = {"coarse": [1, 4], "fine": [2, 3, 4]}
    true = PartHierarchy.build([-1, 0, 1, 1, 0], leaf_of, levels=levels)
    flat = PartHierarchy.build([-1, 0, 0, 0], np.repeat([1, 2, 3], 4), levels={"coarse": [1, 2, 3], "fine": [1, 2, 3]})
    assert level_mious(true, true) == {"coarse": 1.0, "fine": 1.0}
    assert level_mious(flat, true) == {"coarse": 0.75, "fine": 1.0}
    assert depth_mious(flat, true).tolist() == [0.75, 1.0]
    assert depth_mious(true, flat).tolist() == [class_agnostic_miou(true.cut(depth=1), flat.cut(depth=1))]
    assert depth_mious(true, PartHierarchy.build([-1], np.zeros(12, int))).shape == (0,)
    with pytest.raises(UnknownNameError, match="unknown level 'fine'"):
        level_mious(PartHierarchy.build([-1], np.zeros(12, int)), true, ["fine"])


# -- symmetries ---------------------------------------------------------------------------------------------------

MIRROR = Symmetry("reflective", (1.0, 0, 0), (1.0, 0, 0))


def test_errors_of_turned_and_moved_planes_axes_and_steps() -> None:
    turn = np.radians(10)
    tilted = (float(np.cos(turn)), float(np.sin(turn)), 0.0)
    centre = np.array([1.0, 2.0, 3.0])
    found = symmetry_errors(Symmetry("reflective", (1.0, 2, 3), tuple(-x for x in tilted)), MIRROR, centre, 2.0)
    assert found[:3] == pytest.approx((10, 0, 0), abs=1e-6) and np.isnan(found[3])
    # the same plane written with another of its points
    assert symmetry_errors(Symmetry("reflective", (1.0, 50, -9), (-1.0, 0, 0)), MIRROR, centre)[:2] == (0, 0)
    assert symmetry_errors(Symmetry("reflective", (1.5, 0, 0), (1.0, 0, 0)), MIRROR, centre, 2.0)[1] == 0.25
    wheel = Symmetry("rotational", (0, 0, 0), (0, 0, 1.0), 6, float(np.radians(60)))
    other = Symmetry("rotational", (3.0, 4, 7), (0, 0, -1.0), 5, float(np.radians(-72)))
    assert symmetry_errors(other, wheel, centre, 10.0) == pytest.approx((0, 0.5, 1, 12))
    row = Symmetry("translational", (0, 0, 0), (0, 1.0, 0), 3, 0.5)
    angle, offset, fold, step = symmetry_errors(
        Symmetry("translational", (9, 9, 9), (0, 0, 1.0), 3, 0.7), row, centre, 2.0
    )
    assert (angle, fold) == (90, 0) and step == pytest.approx(0.1) and np.isnan(offset)
    with pytest.raises(ValueError, match="no parameters in common"):
        symmetry_errors(wheel, row, centre)


def paired(symmetry: Symmetry | None, on_root: Symmetry | None = None) -> PartHierarchy:
    """A root over a pair of legs (node 1: nodes 2 and 3) and a seat (node 4), four elements each."""
    kind = [NodeKind.SYMMETRY if s is not None else NodeKind.ADJACENCY for s in (on_root, symmetry)]
    return PartHierarchy.build(
        [-1, 0, 1, 1, 0], np.repeat([2, 3, 4], 4), kind=[*kind, *[NodeKind.LEAF] * 3],
        symmetry=[on_root, symmetry, None, None, None],
    )  # fmt: skip


POSITIONS = np.stack([np.repeat([0.0, 2.0, 1.0], 4), np.zeros(12), np.zeros(12)], axis=1)


def test_symmetries_are_compared_on_matched_nodes() -> None:
    true = paired(MIRROR)
    same = symmetry_scores(true, true, POSITIONS)
    assert (same.true_nodes, same.pred_nodes, same.matched, same.correct) == (1, 1, 1, 1)
    assert same.type_accuracy == same.type_precision == 1.0
    assert same.angle.tolist() == same.offset.tolist() == [0.0]
    moved = symmetry_scores(paired(Symmetry("reflective", (1.5, 0, 0), (1.0, 0, 0))), true, POSITIONS)
    assert moved.correct == 1 and moved.offset.tolist() == [0.25]  # half a unit on a side of two
    kind = symmetry_scores(paired(Symmetry("translational", (0, 0, 0), (1.0, 0, 0), 2, 2.0)), true, POSITIONS)
    assert (kind.matched, kind.correct, kind.type_accuracy, kind.type_precision) == (1, 0, 0.0, 0.0)
    none = symmetry_scores(paired(None), true, POSITIONS)
    assert (none.matched, none.correct, none.pred_nodes) == (0, 0, 0) and np.isnan(none.type_precision)
    spare = symmetry_scores(paired(MIRROR, MIRROR), true, POSITIONS)
    assert spare.type_accuracy == 1.0 and spare.type_precision == 0.5
    roots = symmetry_scores(paired(None, MIRROR), paired(None, MIRROR), POSITIONS)
    assert (roots.true_nodes, roots.correct) == (1, 1)
    assert np.isnan(symmetry_scores(true, paired(None), POSITIONS).type_accuracy)


def test_bad_input_is_refused() -> None:
    true = paired(MIRROR)
    with pytest.raises(ValueError, match=r"positions must be \(12, 3\)"):
        symmetry_scores(true, true, POSITIONS[:5])
    with pytest.raises(ValueError, match="threshold must be an IoU"):
        node_match(true, true, 0)
    with pytest.raises(PartsegError, match="hierarchies over 3 and 12 elements"):
        node_match(PartHierarchy.build([-1], np.zeros(3, int)), true)
    big = PartHierarchy.build(np.r_[-1, np.zeros(5000, int)], np.ones(12, int))
    with pytest.raises(ValueError, match="more pairs than"):
        tree_edit_distance(big, big)
    with pytest.raises(ValueError, match="costs must lie in"):
        constrained_edit_distance(np.array([-1]), np.array([-1]), np.array([[np.nan]]))
    with pytest.raises(ValueError, match="one root"):
        constrained_edit_distance(np.array([-1, 1]), np.array([-1]), np.zeros((2, 1)))


def test_metrics_average_shapes_and_symmetry_nodes() -> None:
    rng = np.random.default_rng(5)
    cases = [(random_hierarchy(rng, 6, 30), random_hierarchy(rng, 7, 30)) for _ in range(4)]
    metric = HierarchyQuality(depths=2)
    for i, case in enumerate(cases):
        metric.update(*case, i)
    metric.update(*cases[1], 1)
    found = metric.compute()
    assert float(found["edit"]) == pytest.approx(np.mean([tree_edit_distance(*c).normalised for c in cases]))
    assert float(found["clusters"]) == pytest.approx(np.mean([cluster_distance(*c).normalised for c in cases]))
    assert float(found["f@50"]) == pytest.approx(np.mean([node_match(*c).f_score for c in cases]))
    assert float(found["recall@25"]) == pytest.approx(np.mean([node_match(*c, 0.25).recall for c in cases]))
    deep = [d[1] for d in (depth_mious(*c) for c in cases) if len(d) > 1]
    assert float(found["miou@depth2"]) == pytest.approx(np.mean(deep))
    with pytest.raises(ValueError, match="shape 7: hierarchies over"):
        metric.update(paired(None), cases[0][1], 7)

    symmetric = SymmetryQuality()
    symmetric.update(paired(MIRROR), paired(MIRROR), POSITIONS, 0)
    symmetric.update(paired(Symmetry("reflective", (1.5, 0, 0), (1.0, 0, 0))), paired(MIRROR), POSITIONS, 1)
    symmetric.update(paired(None), paired(MIRROR), POSITIONS, 2)
    symmetric.update(paired(None), paired(MIRROR), POSITIONS, 2)
    values = {key: float(value) for key, value in symmetric.compute().items()}
    assert values["type_accuracy"] == pytest.approx(2 / 3) and values["type_precision"] == 1.0
    assert values["matched"] == pytest.approx(2 / 3) and values["offset"] == 0.125 and values["angle"] == 0
    assert np.isnan(values["step"])


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    work = [(random_hierarchy(rng, 8, 40), random_hierarchy(rng, 8, 40), i) for i in range(5)]
    one = HierarchyQuality(depths=1)
    for each in work:
        one.update(*each)
    assert compute_on_processes(HierarchyQuality(depths=1), [work[3:], work[:4][::-1]], tmp_path) == [one.compute()] * 2
