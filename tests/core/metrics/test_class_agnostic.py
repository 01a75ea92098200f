"""Class-agnostic IoU against brute-force masks, and its invariants."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import ward_tree

from partseg.metrics.functional import (
    best_of_cuts_miou,
    bootstrap_interval,
    class_agnostic_miou,
    contingency,
    miou_by_cut,
    nested_cuts,
    part_ious,
)


def brute_ious(pred: np.ndarray, true: np.ndarray) -> list[float]:
    out = []
    for t in sorted(set(true.tolist()) - {-1}):
        masks = [(pred == p) for p in sorted(set(pred.tolist()) - {-1})]
        ious = [np.logical_and(m, true == t).sum() / np.logical_or(m, true == t).sum() for m in masks]
        out.append(max(ious, default=0.0))
    return out


labellings = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(-1, 6), min_size=n, max_size=n).map(np.array)] * 2)
)


@given(labellings)
def test_part_ious_equal_brute_force_masks(pair: tuple[np.ndarray, np.ndarray]) -> None:
    pred, true = pair
    np.testing.assert_allclose(part_ious(pred, true), brute_ious(pred, true), rtol=0, atol=1e-15)


@given(labellings)
def test_contingency_counts_every_pair(pair: tuple[np.ndarray, np.ndarray]) -> None:
    pred, true = pair
    table = contingency(pred, true)
    dense = table.dense()
    for i, p in enumerate(table.pred_ids):
        assert table.pred_size[i] == (pred == p).sum()
        for j, t in enumerate(table.true_ids):
            assert dense[i, j] == ((pred == p) & (true == t)).sum()


@given(labellings, st.permutations(range(8)))
def test_names_of_parts_do_not_matter(pair: tuple[np.ndarray, np.ndarray], names: list[int]) -> None:
    pred, true = np.maximum(pair[0], 0), pair[1]
    renamed = np.array(names)[pred] * 1_000_003
    np.testing.assert_allclose(part_ious(renamed, true), part_ious(pred, true))


def test_truth_itself_scores_one_and_a_refinement_cannot_hurt_the_parts_it_keeps() -> None:
    true = np.array([0, 0, 0, 1, 1, 2, 2, 2])
    assert class_agnostic_miou(true, true) == 1.0
    refined = np.array([0, 0, 3, 1, 1, 2, 2, 2])
    np.testing.assert_allclose(part_ious(refined, true), [2 / 3, 1, 1])


def test_several_true_parts_may_choose_the_same_predicted_part() -> None:
    assert part_ious(np.zeros(4, int), np.array([0, 0, 0, 1])).tolist() == [0.75, 0.25]


def test_unlabelled_elements_are_no_part_but_widen_the_part_that_covers_them() -> None:
    assert part_ious(np.array([5, 5, 5, 5]), np.array([1, 1, -1, -1])).tolist() == [0.5]
    assert np.isnan(class_agnostic_miou(np.zeros(3, int), np.full(3, -1)))


def tree_of(points: np.ndarray) -> SimpleNamespace:
    return SimpleNamespace(children=ward_tree(points)[0])


def brute_cut(children: np.ndarray, k: int) -> np.ndarray:
    n = len(children) + 1
    members = {i: {i} for i in range(n)}
    for j, (a, b) in enumerate(children[: n - k]):
        members[n + j] = members.pop(a) | members.pop(b)
    labels = np.empty(n, int)
    for i, part in enumerate(members.values()):
        labels[list(part)] = i
    return labels


@pytest.mark.parametrize("n", [1, 2, 3, 7, 60])
def test_nested_cuts_score_as_each_cut_by_itself(n: int) -> None:
    rng = np.random.default_rng(n)
    tree = tree_of(rng.normal(size=(n, 3))) if n > 1 else SimpleNamespace(children=np.empty((0, 2), int))
    true = rng.integers(-1, 5, n)
    true[0] = 0
    cuts = [brute_cut(tree.children, k) for k in range(1, min(n, 20) + 1)]
    scores = miou_by_cut(tree, true)
    np.testing.assert_allclose(scores, [np.mean(brute_ious(c, true)) for c in cuts], atol=1e-14)
    np.testing.assert_allclose(miou_by_cut(nested_cuts(tree), true), scores)
    np.testing.assert_allclose(miou_by_cut(cuts, true), scores)
    assert best_of_cuts_miou(tree, true) == pytest.approx(scores.max())
    assert best_of_cuts_miou(cuts, true) == pytest.approx(scores.max())
    if n > 2:
        assert best_of_cuts_miou(tree, true, min_parts=2, max_parts=3) == pytest.approx(scores[1:3].max())
        assert best_of_cuts_miou(cuts, true, min_parts=2, max_parts=3) == pytest.approx(scores[1:3].max())


def test_no_cut_in_the_range_scores_nothing() -> None:
    assert best_of_cuts_miou([np.arange(30)], np.zeros(30, int), max_parts=20) == 0.0


def test_labels_of_the_wrong_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="pred labels 3 elements but true labels 2"):
        contingency(np.zeros(3, int), np.zeros(2, int))
    with pytest.raises(ValueError, match="integers"):
        contingency(np.zeros(3), np.zeros(3, int))


def test_bootstrap_interval_is_that_of_the_normal_mean() -> None:
    values = np.random.default_rng(0).normal(10, 2, 400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval([3.0]) == (3.0, 3.0)
    assert np.isnan(bootstrap_interval([])).all()


def test_metric_averages_shapes_and_takes_the_best_of_several_decompositions() -> None:
    torch = pytest.importorskip("torch")
    from partseg.metrics import ClassAgnosticMeanIoU

    true = torch.tensor([0, 0, 1, 1])
    metric = ClassAgnosticMeanIoU()
    metric.update(torch.tensor([0, 0, 0, 0]), true)
    assert float(metric.compute()) == pytest.approx(0.5)
    metric.update([np.array([0, 0, 0, 0]), np.array([3, 3, 4, 4])], true)
    assert float(metric.compute()) == pytest.approx(0.75)
    metric.update(tree_of(np.array([[0.0], [0.1], [1.0], [1.1]])), true)
    assert float(metric.compute()) == pytest.approx(2.5 / 3)
    metric.update(torch.tensor([0, 0, 0, 0]), torch.full((4,), -1))
    assert int(metric.shapes) == 3
