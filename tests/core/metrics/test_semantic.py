"""The conventions of part mIoU against literal formulations, told apart on one small case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fakes.processes import compute_on_processes
from partseg.metrics.functional.semantic import (
    class_counts,
    class_ious,
    instance_fusion_miou_v1,
    instance_fusion_miou_v2,
    instance_fusion_miou_v3,
    partnet_hierarchical_counts,
    partnet_hierarchical_miou,
    partnet_part_miou,
    partnet_shape_miou,
    shapenetpart_miou,
    shapenetpart_shape_ious,
)
from partseg.metrics.semantic import PartNetHierarchicalMeanIoU, SemanticPartMeanIoU, ShapeNetPartMeanIoU

Shape = tuple[np.ndarray, np.ndarray]
C = 4


def labellings(low: int, high: int) -> st.SearchStrategy[Shape]:
    column = lambda n: st.lists(st.integers(low, high), min_size=n, max_size=n).map(np.array)  # noqa: E731
    return st.integers(1, 12).flatmap(lambda n: st.tuples(column(n), column(n)))


shapes = st.lists(labellings(-1, C - 1), min_size=1, max_size=4)


def counts_of(pairs: list[Shape], classes: int = C) -> np.ndarray:
    return np.stack([class_counts(pred, true, classes) for pred, true in pairs])


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum() if (a | b).any() else np.nan


def literal_shape(pairs: list[Shape], truth_only: bool) -> float:
    scores = []
    for pred, true in pairs:
        pred = np.where(true < 0, -1, pred)
        of = {int(x) for x in true} | (set() if truth_only else {int(x) for x in pred})
        values = [iou(pred == k, true == k) for k in of - {-1}]
        if values:
            scores.append(np.mean(values))
    return float(np.mean(scores)) if scores else np.nan


@given(shapes)
def test_shape_averages_equal_masks(pairs: list[Shape]) -> None:
    counts = counts_of(pairs)
    assert partnet_shape_miou(counts) == pytest.approx(literal_shape(pairs, False), nan_ok=True, abs=1e-14)
    assert instance_fusion_miou_v1(counts) == pytest.approx(literal_shape(pairs, True), nan_ok=True, abs=1e-14)
    assert repr(instance_fusion_miou_v3(counts)) == repr(partnet_shape_miou(counts))


@given(shapes)
def test_pooled_averages_equal_masks(pairs: list[Shape]) -> None:
    pred, true = (np.concatenate(side) for side in zip(*pairs, strict=True))
    pred = np.where(true < 0, -1, pred)
    ious = [iou(pred == k, true == k) for k in range(C)]
    counts = counts_of(pairs)
    np.testing.assert_allclose(class_ious(counts.sum(0)), ious, rtol=0, atol=1e-15)
    assert partnet_part_miou(counts) == pytest.approx(np.mean(ious), nan_ok=True, abs=1e-14)
    loose = [(k, ((pred == k) | (true == k)).sum() + 1e-5) for k in range(C) if (true == k).any()]
    v2 = [((pred == k) & (true == k)).sum() / union for k, union in loose]
    assert instance_fusion_miou_v2(counts) == pytest.approx(np.mean(v2) if v2 else np.nan, nan_ok=True, abs=1e-14)


@given(shapes, st.data())
def test_shapenetpart_equals_masks(pairs: list[Shape], data: st.DataObject) -> None:
    parts_of = [[0, 1, 2], [3], [1, 3]]
    category = np.array([data.draw(st.integers(0, 2)) for _ in pairs])
    expected = []
    for (pred, true), k in zip(pairs, category, strict=True):
        pred = np.where(true < 0, -1, pred)
        values = [iou(pred == part, true == part) for part in parts_of[k]]
        expected.append(np.mean([1.0 if np.isnan(value) else value for value in values]))
    counts = counts_of(pairs)
    np.testing.assert_allclose(shapenetpart_shape_ious(counts, category, parts_of), expected, rtol=0, atol=1e-14)
    scores = shapenetpart_miou(counts, category, parts_of)
    by_category = [np.mean([e for e, c in zip(expected, category, strict=True) if c == k]) for k in set(category)]
    assert scores.instance == pytest.approx(np.mean(expected))
    assert scores.category == pytest.approx(np.mean(by_category))
    assert np.isnan(scores.by_category).sum() == 3 - len(by_category)


@given(shapes)
def test_order_of_shapes_does_not_matter_to_the_last_bit(pairs: list[Shape]) -> None:
    for function in (partnet_part_miou, partnet_shape_miou, instance_fusion_miou_v1, instance_fusion_miou_v2):
        assert repr(function(counts_of(pairs))) == repr(function(counts_of(pairs[::-1])))


def test_the_conventions_differ_on_one_small_case() -> None:
    """Two shapes, labels 0, 1, 2: in the first a point of 0 is called 1, the second is right and large."""
    pairs = [(np.array([0, 1]), np.array([0, 0])), (np.array([0] * 4 + [2] * 4), np.array([0] * 4 + [2] * 4))]
    counts = counts_of(pairs, 3)
    assert partnet_part_miou(counts) == pytest.approx((5 / 6 + 0 + 1) / 3)
    assert partnet_shape_miou(counts) == pytest.approx(((0.5 + 0) / 2 + 1) / 2)
    assert instance_fusion_miou_v1(counts) == pytest.approx((0.5 + 1) / 2)
    assert instance_fusion_miou_v2(counts) == pytest.approx((5 / 6 + 1) / 2, abs=1e-5)
    scores = shapenetpart_miou(counts, np.array([0, 0]), [[0, 1, 2]])
    assert scores.instance == pytest.approx(((0.5 + 0 + 1) / 3 + 1) / 2)


def test_absent_labels() -> None:
    counts = counts_of([(np.array([0, 0]), np.array([0, 0]))], 2)
    assert np.isnan(partnet_part_miou(counts))
    assert partnet_shape_miou(counts) == instance_fusion_miou_v1(counts) == 1.0
    assert instance_fusion_miou_v2(counts) == pytest.approx(1, abs=1e-5)
    assert shapenetpart_miou(counts, np.array([0]), [[0, 1]]).instance == 1.0


def test_points_without_truth_are_removed_and_no_answer_is_a_miss() -> None:
    pred, true = np.array([0, 1, 1, -1]), np.array([0, -1, 1, 1])
    assert class_counts(pred, true, 2).tolist() == [[1, 1], [1, 1], [1, 2]]
    nothing = counts_of([(np.array([0, 1]), np.array([-1, -1]))], 2)
    for function in (partnet_part_miou, partnet_shape_miou, instance_fusion_miou_v1, instance_fusion_miou_v2):
        assert np.isnan(function(nothing))


def template(size: int) -> st.SearchStrategy[list[int]]:
    return st.tuples(*[st.integers(-1 if i == 0 else 0, max(i - 1, 0)) for i in range(size)]).map(
        lambda parents: [-1, *parents[1:]]
    )


def literal_hierarchy(pred: np.ndarray, true: np.ndarray, parent: list[int]) -> list[list[int]]:
    """Top down, node after node, with a mask for each: children lose what their parent lost and what ends there."""
    k = len(parent)
    path = lambda node: set() if node < 0 else {node} | path(parent[node])  # noqa: E731
    in_pred = np.array([[node in path(p) for node in range(k)] for p in pred]).reshape(len(pred), k)
    in_true = np.array([[node in path(t) for node in range(k)] for t in true]).reshape(len(true), k)
    in_pred[true < 0] = False
    for node in range(k):  # parents come before their children
        if parent[node] >= 0:
            ends_there = true == parent[node]
            in_pred[:, node] &= in_pred[:, parent[node]] & ~ends_there
    return [(in_pred & in_true).sum(0).tolist(), in_pred.sum(0).tolist(), in_true.sum(0).tolist()]


@given(template(6), labellings(-1, 5))
def test_hierarchical_counts_equal_masks_from_the_root_down(parent: list[int], pair: Shape) -> None:
    counts = partnet_hierarchical_counts(*pair, np.array(parent))
    assert counts.tolist() == literal_hierarchy(*pair, parent)


def test_hierarchical_scores_of_a_chair() -> None:
    """chair(0) -> base(1) -> leg(2), wheel(3); chair -> seat(4)."""
    parent = np.array([-1, 0, 1, 1, 0])
    true = np.array([2, 2, 4, 1, -1])
    pred = np.array([2, 3, 4, 3, 4])
    counts = partnet_hierarchical_counts(pred, true, parent)
    scores = partnet_hierarchical_miou(counts[None])
    np.testing.assert_allclose(scores.by_node, [1, 1, 0.5, 0, 1])
    assert scores.part == scores.shape == pytest.approx(3.5 / 5)
    perfect = partnet_hierarchical_miou(partnet_hierarchical_counts(true, true, parent)[None])
    assert perfect.part == perfect.shape == 1.0
    assert np.isnan(perfect.by_node[3])


@pytest.mark.parametrize("parent", [[1, 0], [0], [-1, 2, 1]])
def test_a_cycle_of_parents_is_refused(parent: list[int]) -> None:
    with pytest.raises(ValueError, match="cycle"):
        partnet_hierarchical_counts(np.array([0]), np.array([0]), np.array(parent))


def test_bad_input_names_shape_and_field() -> None:
    good = np.array([0, 1])
    with pytest.raises(ValueError, match=r"chair_7: pred holds class 2, expected -1\.\.1"):
        class_counts(np.array([0, 2]), good, 2, "chair_7")
    with pytest.raises(ValueError, match="chair_7: true holds class -2"):
        class_counts(good, np.array([0, -2]), 2, "chair_7")
    with pytest.raises(ValueError, match="chair_7: pred labels 3 points, true 2"):
        class_counts(np.array([0, 1, 1]), good, 2, "chair_7")
    with pytest.raises(ValueError, match="chair_7: pred must be"):
        class_counts(np.array([0.0, np.nan]), good, 2, "chair_7")
    counts = counts_of([(good, good)], 2)
    with pytest.raises(ValueError, match=r"expected 0\.\.0"):
        shapenetpart_miou(counts, np.array([1]), [[0, 1]])
    with pytest.raises(ValueError, match="category 0: expected different labels"):
        shapenetpart_miou(counts, np.array([0]), [[0, 2]])
    with pytest.raises(ValueError, match="parent must be"):
        partnet_hierarchical_counts(good, good, np.array([-1, 5]))
    with pytest.raises(ValueError, match="cup: unknown category 'Sofa'"):
        ShapeNetPartMeanIoU(2, {"Chair": [0, 1]}).update(good, good, "Sofa", "cup")
    with pytest.raises(ValueError, match="at least one class"):
        SemanticPartMeanIoU(0)


def random_pairs(rng: np.random.Generator, number: int) -> list[Shape]:
    return [(rng.integers(-1, C, n), rng.integers(0, C, n)) for n in rng.integers(20, 40, number)]


def test_metrics_give_what_the_functions_give() -> None:
    pairs = random_pairs(np.random.default_rng(0), 5)
    counts, names = counts_of(pairs), ["a", "b", "a", "b", "b"]
    parts_of = {"a": [0, 1], "b": [2, 3], "c": [0, 3]}
    plain, parts, tree = (
        SemanticPartMeanIoU(C),
        ShapeNetPartMeanIoU(C, parts_of),
        PartNetHierarchicalMeanIoU([-1, 0, 0, 1]),
    )
    for (pred, true), name in zip(pairs, names, strict=True):
        plain.update(torch.from_numpy(pred), torch.from_numpy(true))
        parts.update(pred, true, name)
        tree.update(pred, true)
    functions = (partnet_part_miou, partnet_shape_miou, instance_fusion_miou_v1, instance_fusion_miou_v2)
    found = plain.compute()
    assert {f.__name__: found[f.__name__].item() for f in functions} == {f.__name__: f(counts) for f in functions}
    expected = shapenetpart_miou(counts, np.array([0, 1, 0, 1, 1]), list(parts_of.values()))
    found = parts.compute()
    assert (found["instance"].item(), found["category"].item()) == expected[:2]
    assert found["category/b"].item() == expected.by_category[1]
    assert torch.isnan(found["category/c"])
    nodes = np.stack([partnet_hierarchical_counts(*pair, np.array([-1, 0, 0, 1])) for pair in pairs])
    assert [value.item() for value in tree.compute().values()] == list(partnet_hierarchical_miou(nodes)[:2])


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_metrics_merge_and_are_undefined_before_the_first_shape() -> None:
    pairs = random_pairs(np.random.default_rng(1), 5)
    whole, left, right = (SemanticPartMeanIoU(C) for _ in range(3))
    for i, pair in enumerate(pairs):
        whole.update(*pair)
        (left if i % 2 else right).update(*pair)
    left.merge_state(right)
    assert left.compute() == whole.compute()
    for metric in (SemanticPartMeanIoU(2), ShapeNetPartMeanIoU(2, {"a": [0]}), PartNetHierarchicalMeanIoU([-1])):
        assert all(torch.isnan(value) for value in metric.compute().values())


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    pairs = random_pairs(np.random.default_rng(2), 5)
    work = [(*pair, name) for pair, name in zip(pairs, "abbab", strict=True)]
    parts_of = {"a": [0, 1], "b": [2, 3]}
    one = ShapeNetPartMeanIoU(C, parts_of)
    for arguments in work:
        one.update(*arguments)
    assert compute_on_processes(ShapeNetPartMeanIoU(C, parts_of), [work[:3], work[3:]], tmp_path) == [one.compute()] * 2
