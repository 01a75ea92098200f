"""PartNet's instance AP against the release's answers, and against its definition written down mask by mask."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.instance_ap import CLASSES, Shape, class_of_instances, random_shape
from partseg.metrics.functional.average_precision import InstanceRecords, headline
from partseg.metrics.functional.mask_table import mask_table
from partseg.metrics.functional.partnet_ap import partnet_instance_ap, partnet_records

CASES = ("01", "03", "07", "11", "16", "19")
IOUS = {"0.25": 0.25, "0.50": 0.5, "0.75": 0.75}
TOLERANCE = 1e-5
Case = tuple[dict[str, np.ndarray], dict[str, Any]]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, test_data: Callable[[str], Path]) -> Case:
    stem = test_data("ap_parity") / f"case_{request.param}"
    with np.load(stem.with_suffix(".npz")) as arrays:
        return dict(arrays), json.loads(stem.with_suffix(".json").read_text())


def close(ours: np.ndarray, official: list[float | None]) -> None:
    np.testing.assert_allclose(ours, np.array(official, float), rtol=0, atol=TOLERANCE)


def partnet_of(x: dict[str, np.ndarray], s: int, **options: Any) -> InstanceRecords:
    instance, semantic = x["gt_ins"][s].astype(int), x["gt_sem"][s].astype(int) - 1
    return partnet_records(
        s,
        x["pred_mask"][s],
        x["pred_label"][s],
        x["pred_conf"][s],
        instance,
        class_of_instances(instance, semantic),
        pred_valid=x["pred_valid"][s],
        n_classes=int(x["num_classes"]),
        thresholds=tuple(IOUS.values()),
        **options,
    )


def test_partnet_answers_are_those_of_the_release(case: Case) -> None:
    x, answers = case
    result = partnet_instance_ap([partnet_of(x, s) for s in range(len(x["gt_sem"]))], tuple(IOUS.values()))
    for t, iou in enumerate(IOUS):
        part, shape = (answers["partnet_stable_sort"][iou][key] for key in ("part_category", "shape"))
        assert result.n_true.tolist() == part["num_gt"]
        for ours, mean, theirs in (
            (result.part[t], result.part_mean[t], part),
            (result.shape[t], result.shape_mean[t], shape),
        ):
            valid = np.array(theirs["valid"])
            assert (~np.isnan(ours)).tolist() == valid.tolist()
            close(ours[valid], np.array(theirs["ap"], float)[valid])
            close(mean, theirs["mean"])


def literal_ap(entries: list[tuple[float, int, int, bool]], n_true: int) -> float:
    """AP of (confidence, shape, slot, hit) by fractions of integers."""
    if not entries:
        return 0.0
    hits = [hit for *_, hit in sorted(entries, key=lambda e: (-e[0], e[1], e[2]))]
    curve = [(0, 1.0)] + [(sum(hits[: i + 1]), sum(hits[: i + 1]) / (i + 1)) for i in range(len(hits))]
    return sum(max([p for h, p in curve if 100 * h >= level * n_true], default=0.0) for level in range(101)) / 101


def literal_partnet(shapes: list[Shape], iou: float) -> tuple[list[float], list[float]]:
    """(AP of each class, AP of each shape), NaN where left out: the definition of the paper's release."""
    entries: dict[tuple[int, int], list] = {(s, c): [] for s in range(len(shapes)) for c in range(CLASSES)}
    n_true = dict.fromkeys(entries, 0)
    for s, x in enumerate(shapes):
        labelled = x["true"].any(0)
        free = list(range(len(x["true"])))
        for c in x["true_class"]:
            n_true[s, c] += 1
        for i in sorted(range(len(x["pred"])), key=lambda i: (-x["confidence"][i], i)):
            mask, best = x["pred"][i] & labelled, (-1.0, -1)
            for j in free:
                union = (mask | x["true"][j]).sum()
                value = (mask & x["true"][j]).sum() / union if union else 0.0
                if x["true_class"][j] == x["pred_class"][i] and value > best[0]:
                    best = (value, j)
            if best[0] > iou:
                free.remove(best[1])
            entries[s, x["pred_class"][i]].append((x["confidence"][i], s, i, best[0] > iou))
    part = []
    for c in range(CLASSES):
        total = sum(n_true[s, c] for s in range(len(shapes)))
        pooled = [e for s in range(len(shapes)) for e in entries[s, c]]
        part.append(literal_ap(pooled, total) if total else np.nan)
    each = []
    for s in range(len(shapes)):
        classes = [c for c in range(CLASSES) if n_true[s, c] or entries[s, c]]
        scores = [literal_ap(entries[s, c], n_true[s, c]) if n_true[s, c] else 0.0 for c in classes]
        each.append(float(np.mean(scores)) if scores else np.nan)
    return part, each


def record(number: int, x: Shape, **options: Any) -> InstanceRecords:
    return partnet_records(number, **{**x, "n_classes": CLASSES, **options})


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 6), st.sampled_from([0.25, 0.5, 0.75, 0.95, 1 / 3]))
def test_partnet_ap_is_its_definition(seed: int, number: int, iou: float) -> None:
    rng = np.random.default_rng(seed)
    shapes = [random_shape(rng) for _ in range(number)]
    result = partnet_instance_ap([record(s, x, thresholds=(iou,)) for s, x in enumerate(shapes)], (iou,))
    part, each = literal_partnet(shapes, iou)
    np.testing.assert_allclose(result.part[0], part, rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.shape[0], each, rtol=0, atol=1e-12)


def same(one: InstanceRecords, other: InstanceRecords) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@given(st.integers(0, 2**32))
def test_the_form_of_masks_empty_slots_and_names_of_parts_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = random_shape(rng)
    k, g, n = len(x["pred"]), len(x["true"]), x["true"].shape[1]
    first = record(3, x)
    lists = {key: mask_table([np.flatnonzero(row) for row in x[key]], n) for key in ("pred", "true")}
    assert same(first, record(3, x | lists))
    labels = np.where(x["true"].any(0), x["true"].argmax(0), -1) if g else np.full(n, -1)
    assert same(first, record(3, x | {"true": labels}))
    names = rng.permutation(g)
    ties = [(x["pred"][i] @ x["true"].T.astype(int)).tolist() for i in range(k)]
    if all(len(set(row)) == len(row) for row in ties):  # the first of equal true parts counts, whichever that is
        assert same(first, record(3, x | {"true": x["true"][names], "true_class": x["true_class"][names]}))
    slots = rng.random(k + 4) < 2
    slots[rng.choice(k + 4, 4, replace=False)] = False
    padded = {"pred": np.ones((k + 4, n), bool), "pred_class": np.full(k + 4, 99), "confidence": np.full(k + 4, np.nan)}
    for key, value in padded.items():
        value[slots] = x[key]
    assert same(first, record(3, x | padded, pred_valid=slots))


@given(st.integers(0, 2**32))
def test_shapes_may_come_in_any_order_and_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    records = [record(s, random_shape(rng)) for s in range(5)]
    expected = partnet_instance_ap(records)
    shuffled = partnet_instance_ap([records[i] for i in [*rng.permutation(5), 2]])
    for ours, theirs in zip(shuffled, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def ladder(found: int, total: int) -> InstanceRecords:
    """One class with `total` parts of one point each, the first `found` of them found."""
    true = np.arange(total)
    pred = np.eye(total, dtype=bool)[:found]
    zeros = np.zeros(total, int)
    return partnet_records(0, pred, zeros[:found], np.ones(found), true, zeros, n_classes=1, thresholds=(0.5,))


@pytest.mark.parametrize("total", [3, 7, 10, 20, 49, 100, 203])
def test_recall_levels_are_compared_exactly(total: int) -> None:
    """Every found part at precision 1: AP is the share of levels up to the recall, floor(100 f / t) + 1 of 101."""
    for found in range(1, total + 1):
        ap = partnet_instance_ap([ladder(found, total)], (0.5,)).part[0, 0]
        assert ap == pytest.approx((100 * found // total + 1) / 101, abs=1e-12)


def one_class(pred: list[list[int]], confidence: list[float], labels: list[int], **options: Any) -> InstanceRecords:
    labels = np.array(labels)
    pred_class, true_class = np.zeros(len(pred), int), np.zeros(labels.max() + 1, int)
    masks = [np.array(points) for points in pred]
    arguments = (mask_table(masks, len(labels)), pred_class, np.array(confidence), labels, true_class)
    return partnet_records(0, *arguments, **{"n_classes": 1, "thresholds": (0.5,), **options})


def test_degenerate_scores_are_the_published_ones() -> None:
    def ap(*arguments: Any, **options: Any) -> float:
        return float(partnet_instance_ap([one_class(*arguments, **options)], (0.5,)).part[0, 0])

    assert ap([[0, 1]], [0.3], [0, 0, 1]) == pytest.approx(51 / 101)  # one of two parts
    assert ap([[0]], [0.3], [0, 0]) == pytest.approx(1 / 101)  # IoU of exactly 0.5 is none: the artificial point only
    assert ap([], [], [0, 0]) == 0.0  # nothing predicted
    assert ap([[0, 1], [0, 1]], [0.2, 0.9], [0, 0]) == pytest.approx(1.0)  # a duplicate after full recall costs nothing
    assert ap([[2, 3], [0, 1]], [0.9, 0.2], [0, 0, -1, -1]) == pytest.approx(
        (1 + 100 / 2) / 101
    )  # "other" is no excuse
    assert ap([[0, 1, 2, 3]], [0.9], [0, 0, -1, -1]) == pytest.approx(1.0)  # but is cut off from what reaches further
    everything = np.zeros(4, bool)
    assert ap([[0, 1, 2, 3]], [0.9], [0, 0, -1, -1], other=everything) == pytest.approx(1 / 101)  # unless it is none


def test_classes_without_truth_are_left_out_of_the_category_but_cost_the_shape() -> None:
    x = {"pred": np.eye(2, dtype=bool), "pred_class": np.array([0, 1]), "confidence": np.array([0.5, 0.5])}
    result = partnet_instance_ap([record(0, x | {"true": np.array([0, -1]), "true_class": np.array([0])})])
    assert np.isnan(result.part[:, 1:]).all() and (result.part_mean == 1).all()
    assert (result.shape_mean == 0.5).all()
    nothing = record(
        1,
        {"pred": np.zeros((0, 2), bool), "pred_class": np.zeros(0, int), "confidence": np.zeros(0)}
        | {
            "true": np.array([-1, -1]),
            "true_class": np.zeros(0, int),
        },
    )
    alone = partnet_instance_ap([nothing])
    assert np.isnan(alone.shape_mean).all() and np.isnan(alone.part_mean).all() and alone.shapes.tolist() == [1]


def test_equal_confidences_stand_by_shape_and_slot() -> None:
    wrong_first = one_class([[0], [2, 3]], [0.5, 0.5], [-1, -1, 0, 0])
    right_first = one_class([[2, 3], [0]], [0.5, 0.5], [-1, -1, 0, 0])
    assert partnet_instance_ap([wrong_first], (0.5,)).part[0, 0] == pytest.approx(51 / 101)
    assert partnet_instance_ap([right_first], (0.5,)).part[0, 0] == pytest.approx(1.0)


def test_headline_names_what_the_thresholds_allow() -> None:
    x = random_shape(np.random.default_rng(4))
    all_of_them = headline(partnet_instance_ap([record(0, x)]))
    names = {"AP25", "AP50", "AP75", "AP50:95"}
    assert set(all_of_them) == names | {f"s{name}" for name in names}
    result = partnet_instance_ap([record(0, x)])
    assert all_of_them["AP50:95"] == pytest.approx(result.part_mean[1:].mean())
    assert set(headline(partnet_instance_ap([record(0, x, thresholds=(0.5,))], (0.5,)))) == {"AP50", "sAP50"}


GOOD = {
    "pred": np.eye(2, dtype=bool),
    "pred_class": np.array([0, 1]),
    "confidence": np.array([0.5, 0.4]),
    "true": np.array([0, 1]),
    "true_class": np.array([0, 1]),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pred": np.eye(3, dtype=bool)[:2]}, "shape 7: predicted masks: masks over 3 points, but the shape has 2"),
        ({"confidence": np.array([0.5, np.nan])}, "shape 7: confidence of predicted masks: 1 not finite"),
        ({"confidence": np.array([0.5])}, "shape 7: confidence of predicted masks: expected 2 numbers"),
        ({"pred_class": np.array([0, 3])}, r"shape 7: class of predicted masks: expected 0\.\.2, but there are 0\.\.3"),
        ({"pred_class": np.array([0, -1])}, r"shape 7: class of predicted masks: expected 0\.\.2"),
        ({"true_class": np.array([0])}, r"shape 7: true masks: labels 0\.\.1 of 2 points, but -1\.\.0 can be"),
        ({"pred_valid": np.ones(3, bool)}, "shape 7: predicted masks: expected 2 booleans"),
        ({"other": np.ones(3, bool)}, "shape 7: other points"),
        ({"thresholds": (0.5, 1.5)}, "thresholds must lie between 0 and 1"),
    ],
)
def test_bad_predictions_are_refused_by_shape_and_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        record(7, GOOD | change)


def test_a_shape_with_two_outcomes_and_records_of_other_thresholds_are_refused() -> None:
    other = GOOD | {"confidence": np.array([0.5, 0.9])}
    with pytest.raises(ValueError, match="shape 7 was scored twice, with different outcomes"):
        partnet_instance_ap([record(7, GOOD), record(7, other)])
    with pytest.raises(ValueError, match="no shape was scored"):
        partnet_instance_ap([])
    with pytest.raises(ValueError, match="1 thresholds, but the records were made with 11"):
        partnet_instance_ap([record(7, GOOD)], (0.5,))
