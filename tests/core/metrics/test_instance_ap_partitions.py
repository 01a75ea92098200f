"""AP of partitions (instance feature fusion, recursive decomposition): the releases' answers, and the definitions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.instance_ap import CLASSES, class_of_instances, partition
from partseg.metrics.functional.average_precision import pooled_areas
from partseg.metrics.functional.fusion_ap import fusion_instance_ap, fusion_records, fusion_semantic_miou
from partseg.metrics.functional.partnet_ap import partnet_instance_ap, partnet_records
from partseg.metrics.functional.recursive_ap import recursive_partnet_ap, recursive_records

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
