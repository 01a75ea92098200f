"""Instance average precision of the ScanNet benchmark (Dai et al. 2017), as its released script computes it.

18 of the NYU40 classes count. True instances under 100 vertices are no targets, predictions under 100 vertices are
dropped. IoU counts all vertices. Per class and threshold t, each target in turn (scan by scan, by ascending id) goes
through the predictions of its class in their order: one with IoU > t that no earlier target used is a hit; of several,
the target keeps the highest confidence and the others are false positives. A prediction that overlaps no instance of
its class (small ones included) with IoU > t is a false positive, unless the share of its vertices that is void (of no
scored class) or in small instances of its class exceeds t: then it is ignored. The rules on distance are switched off.

The curve has a point for every distinct confidence, and one of precision 1 at recall 0. Its area weighs each precision
with half the distance between the recalls before and after it; precision is not made monotone.

"AP" is the mean over *nine* thresholds, 0.5 … 0.9: the script loses 0.95 to rounding. Papers say 0.5 … 0.95;
`SCANNET_STATED` are those ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from partseg.metrics.functional import _scannet_kernel as kernel
from partseg.metrics.functional.average_precision import (
    checked_classes,
    checked_numbers,
    checked_thresholds,
    nan_mean,
    ordered_rows,
)
from partseg.metrics.functional.mask_table import Masks, MaskTable, mask_table, overlaps

SCANNET_CLASSES = {
    3: "cabinet",
    4: "bed",
    5: "chair",
    6: "sofa",
    7: "table",
    8: "door",
    9: "window",
    10: "bookshelf",
    11: "picture",
    12: "counter",
    14: "desk",
    16: "curtain",
    24: "refrigerator",
    28: "shower curtain",
    33: "toilet",
    34: "sink",
    36: "bathtub",
    39: "otherfurniture",
}
"""Scored classes: NYU40 number -> name, in the order of the benchmark's tables."""

SCANNET_OFFICIAL = tuple(i / 100 for i in range(50, 95, 5))
SCANNET_STATED = (*SCANNET_OFFICIAL, 0.95)
MIN_VERTICES = 100

_NUMBERS = np.array(list(SCANNET_CLASSES))


class ScanNetRecords(NamedTuple):
    """Scored scans, in any order.

    Attributes:
        scan: (s,) number of each scan. n_pred: (s,) predictions of each; the rows below lie scan by scan.
        n_true: (s, 18) targets of each class.
        pred_class: (m,) 0..17; confidence: (m,) float64.
        hits, misses: (m, t) times that the confidence enters the curve of a threshold as right, as wrong.
    """

    scan: Integer[np.ndarray, "s"]
    n_pred: Integer[np.ndarray, "s"]
    n_true: Integer[np.ndarray, "s 18"]
    pred_class: Integer[np.ndarray, "m"]
    confidence: Float[np.ndarray, "m"]
    hits: Integer[np.ndarray, "m t"]
    misses: Integer[np.ndarray, "m t"]


class ScanNetAP(NamedTuple):
    """Average precision, 0..1.

    Attributes:
        thresholds: (t,) those that `ap` averages. scans: (s,) numbers of the scans scored, ascending.
        n_true: (18,) targets of each class, in the order of `SCANNET_CLASSES`.
        by_class: (18, t) AP of each class at each threshold; NaN without targets, 0 without predictions.
        ap, ap50, ap25: means over the classes that have targets; NaN if none has.
        class_ap, class_ap50, class_ap25: (18,).
    """

    thresholds: Float[np.ndarray, "t"]
    scans: Integer[np.ndarray, "s"]
    n_true: Integer[np.ndarray, "18"]
    by_class: Float[np.ndarray, "18 t"]
    ap: float
    ap50: float
    ap25: float
    class_ap: Float[np.ndarray, "18"]
    class_ap50: Float[np.ndarray, "18"]
    class_ap25: Float[np.ndarray, "18"]


def scannet_records(
    scan: int,
    pred: Masks,
    pred_label: Integer[np.ndarray, "k"],
    confidence: Float[np.ndarray, "k"],
    true_ids: Integer[np.ndarray, "n"],
    *,
    thresholds: Sequence[float] = SCANNET_OFFICIAL,
) -> ScanNetRecords:
    """Score one scan.

    Args:
        scan: its number in the data set.
        pred: predicted masks over the n vertices, which may overlap, in any form of `mask_table`.
        pred_label: NYU40 class of each. Predictions of classes that are not scored are dropped, as in the release.
        confidence: finite.
        true_ids: NYU40 class * 1000 + instance of each vertex, not negative; vertices of other classes are void.
        thresholds: IoU, 0..1; 0.5 and 0.25 are found beside them.

    Raises:
        ValueError: lengths differ, a label is no NYU40 class (0..40), a confidence is not finite, an id is negative;
            the text names the scan and field.
    """
    limits, name = _with_fixed(thresholds), f"scan {scan}"
    true_ids = checked_classes(true_ids, len(true_ids), 41_000, f"{name}: true ids")
    try:
        table = mask_table(pred, len(true_ids), len(pred_label))
    except ValueError as error:
        raise ValueError(f"{name}: predicted masks: {error}") from None
    label = checked_classes(pred_label, len(table), 41, f"{name}: class of predicted masks")
    confidence = checked_numbers(confidence, len(table), f"{name}: confidence of predicted masks")

    scored = np.isin(true_ids // 1000, _NUMBERS)
    ids, owner = np.unique(true_ids[scored], return_inverse=True)
    labels = np.full(len(true_ids), -1)
    labels[scored] = owner
    true = MaskTable.from_labels(labels, len(ids))
    true_class = np.searchsorted(_NUMBERS, ids // 1000)

    kept = np.isin(label, _NUMBERS) & (table.sizes >= MIN_VERTICES)
    table, pred_class, confidence = table.take(kept), np.searchsorted(_NUMBERS, label[kept]), confidence[kept]
    common = overlaps(table, true)  # true instances are disjoint: what is in none is void
    hits, misses = kernel.associate(
        pred_class,
        table.sizes,
        confidence,
        table.sizes - common.sum(1),
        true_class,
        true.sizes,
        common,
        limits,
        MIN_VERTICES,
    )
    n_true = np.bincount(true_class[true.sizes >= MIN_VERTICES], minlength=len(_NUMBERS))
    return ScanNetRecords(np.array([scan]), np.array([len(table)]), n_true[None], pred_class, confidence, hits, misses)


def scannet_instance_ap(records: Sequence[ScanNetRecords], thresholds: Sequence[float] = SCANNET_OFFICIAL) -> ScanNetAP:
    """AP, AP50 and AP25 over all scans.

    Args:
        records: of `scannet_records`, in any order. A scan that occurs twice with one outcome counts once.
        thresholds: those the records were made with; `SCANNET_STATED` for the ten that papers name.

    Raises:
        ValueError: there is no record, thresholds differ in number, or a scan was scored twice with other outcomes.
    """
    if not records:
        raise ValueError("no scan was scored")
    limits = _with_fixed(thresholds)
    rows = ScanNetRecords(*(np.concatenate(column) for column in zip(*records, strict=True)))
    if len(limits) != rows.hits.shape[1]:
        raise ValueError(f"{len(thresholds)} thresholds, but the records were made with {rows.hits.shape[1] - 2}")
    scans, take = ordered_rows(rows.scan, rows.n_pred, (rows.n_true,), rows[3:])
    pred_class, confidence, hits, misses = (column[take] for column in rows[3:])
    n_true = rows.n_true[scans].sum(0)
    out = np.full((len(n_true), len(limits)), np.nan)
    for c in np.flatnonzero(n_true):
        mine = np.flatnonzero(pred_class == c)
        order = mine[np.argsort(-confidence[mine], kind="stable")]
        for t in range(len(limits)):
            out[c, t] = kernel.area(order, confidence, hits[:, t], misses[:, t], n_true[c])
    by_class, at50, at25 = out[:, :-2], out[:, -2], out[:, -1]
    means = (float(nan_mean(nan_mean(values, 0), 0)) for values in (by_class, at50, at25))
    return ScanNetAP(limits[:-2], rows.scan[scans], n_true, by_class, *means, nan_mean(by_class, 1), at50, at25)


def _with_fixed(thresholds: Sequence[float]) -> Float[np.ndarray, "t"]:
    return np.concatenate([checked_thresholds(thresholds), [0.5, 0.25]])
