"""Instance AP against the released evaluations' answers, and against the definitions written down mask by mask."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.processes import compute_on_processes
from partseg.metrics.functional.average_precision import InstanceRecords, headline, pooled_areas
from partseg.metrics.functional.fusion_ap import fusion_instance_ap, fusion_records, fusion_semantic_miou
from partseg.metrics.functional.mask_table import mask_table
from partseg.metrics.functional.partnet_ap import partnet_instance_ap, partnet_records
from partseg.metrics.functional.recursive_ap import recursive_partnet_ap, recursive_records
from partseg.metrics.instance_ap import FusionInstanceAP, PartNetInstanceAP, RecursivePartNetAP

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


def class_of_instances(instance: np.ndarray, semantic: np.ndarray) -> np.ndarray:
    return np.array([semantic[instance == i][0] for i in range(instance.max() + 1)], int)


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


def fusion_of(x: dict[str, np.ndarray], s: int) -> tuple[Any, ...]:
    return (
        s,
        x["pt_pred_ins"][s],
        x["pt_pred_sem"][s].astype(int) - 1,
        x["pt_entropy"][s],
        x["gt_ins"][s],
        x["gt_sem"][s].astype(int) - 1,
    )


def test_fusion_answers_are_those_of_the_release(case: Case) -> None:
    x, answers = case
    ious, classes = tuple(IOUS.values()), int(x["num_classes"])
    shapes = range(len(x["gt_sem"]))
    records = [fusion_records(*fusion_of(x, s), n_classes=classes, thresholds=ious) for s in shapes]
    result, answers = fusion_instance_ap(records, ious), answers["instance_fusion_stable_sort"]
    for t, iou in enumerate(IOUS):
        part, shape = answers[iou]["part_category"], answers[iou]["shape"]
        valid = np.array(part["valid"])[1:]
        assert result.n_true.tolist() == part["num_gt"][1:]
        assert (~np.isnan(result.part[t])).tolist() == valid.tolist()
        close(result.part[t][valid], np.array(part["ap"][1:], float)[valid])
        close(result.part_mean[t], part["mean"])
        assert result.shapes.tolist() == np.flatnonzero(shape["valid"]).tolist()
        close(result.shape[t], np.array(shape["ap"], float)[result.shapes])
        close(result.shape_mean[t], shape["mean"])
    miou = fusion_semantic_miou(records)
    for name, detail in (("v1", "v1_shape"), ("v2", "v2_part"), ("v3", "v3_shape")):
        close(getattr(miou, name), answers["miou"][name])
        close(getattr(miou, detail), answers["miou"][detail])


def test_recursive_answers_are_those_of_the_release(case: Case) -> None:
    x, answers = case
    fields = ("fine_pred_grp", "fine_gt_grp", "fine_seg")
    records = [
        recursive_records(s, *(x[key][s] for key in fields), n_classes=int(x["num_classes"]))
        for s in range(len(x["fine_seg"]))
    ]
    result = recursive_partnet_ap(records)
    for t, iou in enumerate(("0.25", "0.50")):
        theirs = answers["recursive_partnet"][iou]
        assert result.n_true.tolist() == theirs["num_gt"]
        np.testing.assert_allclose(result.part[t], theirs["ap"], rtol=0, atol=1e-12)
        assert result.part_mean[t] == pytest.approx(theirs["mean"], abs=1e-12)


Shape = dict[str, np.ndarray]
CLASSES = 3


def random_shape(rng: np.random.Generator) -> Shape:
    """Few points, overlapping masks, few values of confidence: equals everywhere."""
    n, k, g = int(rng.integers(1, 24)), int(rng.integers(0, 9)), int(rng.integers(0, 5))
    labels = rng.integers(-1, g, n)
    true = labels == np.arange(g)[:, None]
    pred = rng.random((k, n)) < rng.random((k, 1))
    if g and k:
        copies = rng.random(k) < 0.6
        pred[copies] = true[rng.integers(0, g, k)][copies] ^ (rng.random((int(copies.sum()), n)) < 0.15)
    return {
        "pred": pred,
        "pred_class": rng.integers(0, CLASSES, k),
        "confidence": rng.integers(0, 3, k) / 2,
        "true": true,
        "true_class": rng.integers(0, CLASSES, g),
    }


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


def test_recursive_levels_are_the_float_multiples_of_a_tenth() -> None:
    for found in range(1, 11):
        hits = np.zeros((10, 1), bool)
        hits[:found] = True
        got = pooled_areas(np.zeros(10, int), np.zeros(10), hits, np.array([10]), np.arange(0, 1, 0.1))[0, 0]
        precisions = [1.0] * found + [found / i for i in range(found + 1, 11)]
        recalls = [min(i, found) / 10 for i in range(1, 11)]
        levels = [
            max([p for p, r in zip(precisions, recalls) if r >= level], default=0) for level in np.arange(0, 1, 0.1)
        ]
        assert got == pytest.approx(np.mean(levels), abs=1e-12)
    assert np.arange(0, 1, 0.1)[3] > 0.3


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


def partition(rng: np.random.Generator, number: int) -> tuple[Any, ...]:
    """Arguments of `fusion_records` on up to 80 points, with unlabelled ones on both sides."""
    n = int(rng.integers(1, 80))
    true = rng.integers(-1, 4, n)
    kinds, entropies = rng.integers(0, CLASSES, 4), np.array([0.2, 0.5, 0.9])
    pred = np.where(rng.random(n) < 0.8, true, rng.integers(-1, 4, n))
    guess = np.where(rng.random(n) < 0.7, kinds[pred], rng.integers(-1, CLASSES, n))
    return number, pred, guess, entropies[(pred + 1) % 3], true, np.where(true >= 0, kinds[true], -1)


@given(st.integers(0, 2**32))
def test_fusion_is_partnet_on_the_labelled_points_alone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [partition(rng, s) for s in range(4)]
    ours = fusion_instance_ap([fusion_records(*x, n_classes=CLASSES) for x in shapes])
    records = []
    for number, pred, guess, entropy, true, true_class in shapes:
        kept = true_class >= 0
        if not kept.any():
            continue
        masks, classes, confidence = [], [], []
        for i in sorted(set(pred[kept].tolist()) - {-1}):
            mask = kept & (pred == i)
            votes = [(guess[mask] == c).sum() for c in range(-1, CLASSES)]
            if mask.sum() > 10 and np.argmax(votes) > 0:
                masks.append(mask[kept])
                classes.append(int(np.argmax(votes)) - 1)
                confidence.append(np.float32(1 - entropy[mask].astype(float).mean()))
        dense = np.unique(true[kept], return_inverse=True)[1]
        records.append(
            partnet_records(
                number,
                np.array(masks, bool).reshape(len(masks), kept.sum()),
                np.array(classes, int),
                np.array(confidence, float),
                dense,
                class_of_instances(dense, true_class[kept]),
                n_classes=CLASSES,
            )
        )
    if records:
        for a, b in zip(ours, partnet_instance_ap(records), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (3, np.array([0.1, np.inf]), "shape 5: entropy: 1 not finite"),
        (1, np.array([0]), "shape 5: predicted instance: expected 2 integers"),
        (2, np.array([0, 9]), "shape 5: predicted class: expected -1..2, but there are 0..9"),
        (4, np.array([0, -1]), "shape 5: true instance: 1 points have a class, but are in none"),
        (4, np.array([0, 0]), "shape 5: true class: instance 0 has several"),
    ],
)
def test_bad_partitions_are_refused_by_shape_and_field(place: int, value: np.ndarray, message: str) -> None:
    good = [5, np.array([0, 1]), np.array([0, 1]), np.array([0.1, 0.2]), np.array([0, 1]), np.array([0, 1])]
    good[place] = value
    with pytest.raises(ValueError, match=message):
        fusion_records(*good, n_classes=3)


def literal_recursive(shapes: list[tuple[Any, ...]], iou: float) -> list[float]:
    hits: list[list[bool]] = [[] for _ in range(CLASSES)]
    n_true = [0] * CLASSES
    for _, pred, true, kind in shapes:

        def class_of(mask: np.ndarray, kind: np.ndarray = kind) -> int:
            return int(np.argmax([(kind[mask] == c).sum() for c in range(CLASSES)]))

        truths = [true == i for i in sorted(set(true.tolist()))]
        for mask in truths:
            n_true[class_of(mask)] += 1
        used = set()
        for i in sorted(set(pred.tolist())):
            mask = pred == i
            ious = [(mask & t).sum() / (mask | t).sum() if class_of(t) == class_of(mask) else -1.0 for t in truths]
            best = int(np.argmax(ious))
            hits[class_of(mask)].append(ious[best] >= iou and best not in used)
            used |= {best} if ious[best] >= iou else set()
    out = []
    for c in range(CLASSES):
        found = np.cumsum(hits[c])
        precision, recall = found / np.arange(1, len(found) + 1), found / max(n_true[c], 1)
        at = [max(precision[recall >= 0.1 * level], default=0.0) for level in np.arange(10)] if n_true[c] else [0.0]
        out.append(float(np.mean(at)))
    return out


@given(st.integers(0, 2**32), st.sampled_from([0.25, 0.5, 1.0]))
def test_recursive_ap_is_its_definition(seed: int, iou: float) -> None:
    rng = np.random.default_rng(seed)
    shapes = []
    for s in range(4):
        n = int(rng.integers(1, 40))
        true = rng.integers(0, 6, n)
        pred = np.where(rng.random(n) < 0.8, true, rng.integers(0, 7, n))
        shapes.append((s, pred, true, np.where(rng.random(n) < 0.8, true % CLASSES, rng.integers(0, CLASSES, n))))
    result = recursive_partnet_ap([recursive_records(*x, n_classes=CLASSES, thresholds=(iou,)) for x in shapes], (iou,))
    np.testing.assert_allclose(result.part[0], literal_recursive(shapes, iou), rtol=0, atol=1e-12)
    shifted = [(s, pred + 50, true - 9, kind) for s, pred, true, kind in shapes]
    again = recursive_partnet_ap([recursive_records(*x, n_classes=CLASSES, thresholds=(iou,)) for x in shifted], (iou,))
    np.testing.assert_array_equal(again.part, result.part)


def family(name: str) -> tuple[Any, list[tuple[Any, ...]]]:
    """A metric and the arguments of six updates."""
    rng = np.random.default_rng(4)
    if name == "partnet":
        order = ("pred", "pred_class", "confidence", "true", "true_class")
        shapes = [random_shape(rng) for _ in range(6)]
        return PartNetInstanceAP(CLASSES), [(s, *(x[key] for key in order)) for s, x in enumerate(shapes)]
    updates = [partition(rng, s) for s in range(6)]
    if name == "fusion":
        return FusionInstanceAP(CLASSES), updates
    return RecursivePartNetAP(CLASSES), [(s, pred, true, np.maximum(kind, 0)) for s, pred, _, _, true, kind in updates]


FAMILIES = ("partnet", "fusion", "recursive")


@pytest.mark.parametrize("name", FAMILIES)
def test_metrics_are_the_functions_whatever_process_a_shape_was_on(name: str) -> None:
    torch = pytest.importorskip("torch")
    one, updates = family(name)
    for arguments in updates:
        one.update(*(torch.as_tensor(a) if isinstance(a, np.ndarray) else a for a in arguments))
    expected = one.compute()
    assert 0 < float(expected["AP25"]) <= 1
    first, second = family(name)[0], family(name)[0]
    for i in (5, 0, 3):
        first.update(*updates[i])
    for i in (4, 1, 2, 0):  # one shape on both
        second.update(*updates[i])
    first.merge_state(second)
    assert first.compute() == expected
    result = one.result()
    means = result[0].part_mean if name == "fusion" else result.part_mean
    assert means[0] == float(expected["AP25"])
    one.reset()
    for arguments in updates:
        one(*arguments)  # the value of each shape on the way, the whole at the end
    assert one.compute() == expected


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
@pytest.mark.parametrize("name", FAMILIES)
def test_metrics_without_shapes_are_nan(name: str) -> None:
    assert all(np.isnan(float(value)) for value in family(name)[0].compute().values())


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("share", [[0, 2, 4, 5], []])
def test_two_processes_equal_one(name: str, share: list[int], tmp_path: Path) -> None:
    one, updates = family(name)
    for arguments in updates:
        one.update(*arguments)
    rest = [i for i in range(6) if i not in share]
    results = compute_on_processes(family(name)[0], [[updates[i] for i in share], [updates[i] for i in rest]], tmp_path)
    assert results == [one.compute()] * 2
