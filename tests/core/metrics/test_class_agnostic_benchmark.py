"""The referee: views, matchings, missing shapes, prompts; on one process and on two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fakes.processes import compute_on_processes
from partseg.metrics.class_agnostic import ClassAgnosticBenchmark
from partseg.metrics.functional.class_agnostic import (
    best_of_cuts_miou,
    class_agnostic_miou,
    miou_by_cut,
    part_ious,
    prompt_mious,
)
from partseg.metrics.functional.summary import bootstrap_interval, summarise
from partseg.metrics.functional.tree_cut import tree_cut_miou
from partseg.ops import ward_tree
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.tree import MergeTree


def scene(seed: int, n: int = 60) -> tuple[MergeTree, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = np.sort(rng.integers(-1, 4, n))
    true[-1] = 3
    features = (true[:, None] + rng.normal(size=(n, 2)) * 0.6).astype(np.float32)
    return ward_tree(features, np.stack([np.arange(n - 1), np.arange(1, n)], axis=1)), true


# -- prompts ------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=10).map(lambda x: np.array(x, int)), st.data())
def test_prompt_scores_equal_masks_compared_one_by_one(true: np.ndarray, data: st.DataObject) -> None:
    ids = [t for t in sorted(set(true.tolist())) if t != -1]
    masks = data.draw(arrays(np.bool_, (len(ids), len(true))))
    found = prompt_mious(masks, true)
    if not ids:
        assert np.isnan(found).all()
        return
    iou = [[(m & (true == t)).sum() / max((m | (true == t)).sum(), 1) for m in masks] for t in ids]
    assert found.own == pytest.approx(np.mean([row[i] for i, row in enumerate(iou)]))
    assert found.greedy == pytest.approx(np.mean([max(row) for row in iou]))
    assert found.own - 1e-12 <= found.one_to_one <= found.greedy + 1e-12


def test_masks_prompted_for_each_other_s_parts_are_right_only_when_matched() -> None:
    true = np.array([4, 4, 9, 9])
    swapped = np.array([[0, 0, 1, 1], [1, 1, 0, 0]], bool)
    assert prompt_mious(swapped, true) == (0.0, 1.0, 1.0)
    assert prompt_mious(swapped[::-1], true) == (1.0, 1.0, 1.0)
    both = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], bool)
    assert prompt_mious(both, true) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="1 masks for 2 true parts"):
        prompt_mious(swapped[:1], true)


# -- matching -----------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
def test_one_to_one_never_exceeds_greedy_and_is_symmetric(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pred, true = rng.integers(0, 5, 30), rng.integers(0, 5, 30)
    assert class_agnostic_miou(pred, true, "one-to-one") <= class_agnostic_miou(pred, true) + 1e-12
    there, back = part_ious(pred, true, "one-to-one").sum(), part_ious(true, pred, "one-to-one").sum()
    assert there == pytest.approx(back)


def test_over_segmentation_with_the_truth_inside_is_free_under_neither_matching() -> None:
    true = np.repeat([0, 1], 50)
    crumbs = np.r_[np.zeros(50, int), np.arange(1, 51)]
    assert class_agnostic_miou(crumbs, true) == class_agnostic_miou(crumbs, true, "one-to-one") == 0.51
    one = np.zeros(100, int)  # too coarse: greedy pays the same part twice
    assert class_agnostic_miou(one, true) == 0.5
    assert class_agnostic_miou(one, true, "one-to-one") == 0.25


@pytest.mark.parametrize("seed", range(4))
def test_every_cut_of_a_tree_is_matched_one_to_one_as_it_is_by_itself(seed: int) -> None:
    tree, true = scene(seed)
    scores = [class_agnostic_miou(tree.cut(k), true, "one-to-one") for k in range(1, 21)]
    np.testing.assert_allclose(miou_by_cut(tree, true, matching="one-to-one"), scores, atol=1e-12)
    assert best_of_cuts_miou(tree, true, matching="one-to-one") == pytest.approx(max(scores))


# -- summaries ----------------------------------------------------------------------------------------------------


def test_missing_shapes_score_zero_and_coverage_says_so() -> None:
    found = summarise({"b": 0.5, "a": 1.0}, ["a", "b", "c", "d"])
    assert found.mean == 0.375 and found.coverage == 0.5 and (found.expected, found.scored) == (4, 2)
    assert found.missing == ("c", "d") and found.values == {"a": 1.0, "b": 0.5, "c": 0.0, "d": 0.0}
    assert (found.low, found.high) == bootstrap_interval(np.array([1.0, 0.5, 0, 0]), 0.95, 0, 2000)
    assert 0 <= found.low <= 0.375 <= found.high <= 1
    assert summarise({}, ["a"])[:4] == (0.0, 0.0, 0.0, 0.0)


def test_a_summary_refuses_what_would_change_its_meaning() -> None:
    with pytest.raises(ValueError, match="shape 'x' is not one of the 1 expected"):
        summarise({"x": 1.0}, ["a"])
    with pytest.raises(ValueError, match="shape 'a' stands there twice"):
        summarise({}, ["a", "b", "a"])
    with pytest.raises(ValueError, match="shape 'a' has the value nan"):
        summarise({"a": float("nan")}, ["a"])
    with pytest.raises(ValueError, match="no shape is expected"):
        summarise({}, [])


def test_the_stream_of_the_bootstrap_does_not_depend_on_how_it_is_drawn() -> None:
    values = np.random.default_rng(0).random(300)
    rng = np.random.default_rng(5)
    means = [values[rng.integers(0, 300, 300)].mean() for _ in range(2000)]
    expected = tuple(np.quantile(means, [0.05, 0.95]))
    assert bootstrap_interval(values, 0.9, 5, 2000) == pytest.approx(expected, abs=1e-12)


# -- the metric ---------------------------------------------------------------------------------------------------

IDS = ["chair", "table", "lamp"]


def predictions(view: str, tree: MergeTree, true: np.ndarray) -> Any:
    parts = [t for t in np.unique(true) if t != -1]
    if view.startswith("prompt"):
        return np.stack([tree.cut(6) == tree.cut(6)[np.flatnonzero(true == t)[0]] for t in parts])
    return {"auto": tree.cut(3), "oracle-k": tree, "tree-cut": tree}[view]


@pytest.mark.parametrize("view", ["auto", "oracle-k", "tree-cut", "prompt-1", "prompt-n"])
def test_metric_is_the_mean_of_the_functions_over_all_expected_shapes(view: str) -> None:
    metric = ClassAgnosticBenchmark(IDS, view)
    expected = []
    for shape in (2, 0):
        tree, true = scene(shape)
        pred = predictions(view, tree, true)
        metric.update(pred, true, shape)
        expected.append(
            {
                "auto": lambda way, p=pred, t=true: class_agnostic_miou(p, t, way),
                "oracle-k": lambda way, p=pred, t=true: best_of_cuts_miou(p, t, matching=way),
                "tree-cut": lambda way, p=pred, t=true: tree_cut_miou(p, t, matching=way).miou,
            }.get(view, lambda way, p=pred, t=true: getattr(prompt_mious(p, t), way.replace("-", "_")))
        )
    found = metric.compute()
    ways = ["greedy", "one-to-one", *(["own"] if view.startswith("prompt") else [])]
    assert set(found) == {"coverage", *ways, *(f"{w}.{end}" for w in ways for end in ("low", "high"))}
    for way in ways:
        assert float(found[way]) == pytest.approx(sum(score(way) for score in expected) / 3)
        assert metric.summary(way).missing == ("table",)
    assert float(found["coverage"]) == pytest.approx(2 / 3)


def test_oracle_takes_labellings_and_hierarchies_too() -> None:
    tree, true = scene(1)
    whole = tree.hierarchy(20)
    for pred in ([tree.cut(k) for k in range(1, 21)], whole, tree):
        metric = ClassAgnosticBenchmark(["a"], "oracle-k")
        metric.update(pred, true, 0)
        assert float(metric.compute()["greedy"]) == pytest.approx(best_of_cuts_miou(tree, true))
    metric = ClassAgnosticBenchmark(["a"], "tree-cut")
    metric.update(PartHierarchy.from_labels(np.maximum(true, 0)), np.maximum(true, 0), 0)
    assert float(metric.compute()["one-to-one"]) == 1.0


def test_a_shape_given_twice_counts_once_unless_its_scores_differ() -> None:
    true = np.array([0, 0, 1])
    metric = ClassAgnosticBenchmark(["a", "b"])
    metric.update(true, true, 1)
    metric.update(true, true, 1)
    assert float(metric.compute()["greedy"]) == 0.5
    metric.update(np.zeros(3, int), true, 1)
    metric._computed = None
    with pytest.raises(ValueError, match="shape 'b' was scored twice"):
        metric.compute()


def test_errors_name_the_shape() -> None:
    metric = ClassAgnosticBenchmark(IDS)
    with pytest.raises(ValueError, match="shape 'table': pred labels 2 elements but true labels 3"):
        metric.update(np.zeros(2, int), np.zeros(3, int), 1)
    with pytest.raises(ValueError, match="shape 'lamp': true holds no label"):
        metric.update(np.zeros(3, int), np.full(3, -1), 2)
    with pytest.raises(ValueError, match="3 is no place in a list of 3"):
        metric.update(np.zeros(3, int), np.zeros(3, int), 3)
    with pytest.raises(ValueError, match="shape 'chair'"):
        ClassAgnosticBenchmark(IDS, "tree-cut").update(np.zeros(3, int), np.zeros(3, int), 0)
    with pytest.raises(ValueError, match="view must be one of"):
        ClassAgnosticBenchmark(IDS, "best")
    with pytest.raises(ValueError, match="stands there twice"):
        ClassAgnosticBenchmark(["a", "a"])
    with pytest.raises(ValueError, match="with the view 'auto'"):
        metric.summary("own")


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    ids = [f"s{i}" for i in range(5)]
    updates = {i: (scene(i)[0].cut(4), scene(i)[1], i) for i in range(4)}
    one = ClassAgnosticBenchmark(ids)
    for i in range(4):
        one.update(*updates[i])
    work = [[updates[0], updates[1]], [updates[3], updates[2], updates[0]]]  # out of order, one shape twice
    assert compute_on_processes(ClassAgnosticBenchmark(ids), work, tmp_path) == [one.compute()] * 2
