"""Instance average precision of PartNet (Mo et al. 2019, Sec. 5.3) as its released evaluation computes it.

Per shape, predictions are visited by falling confidence. Each looks at the true masks of its class that are still
unmatched and takes the one of largest IoU (the first of equals); IoU > threshold makes a hit and uses the mask up.
Points that belong to no true part ("other") are removed from predictions first, so a prediction of only such points is
a false positive. Part-category AP pools all shapes per class; shape AP (s-AP) does the same within each shape. AP is
the mean over recall 0, 0.01 … 1 of the best precision at that recall or above, with a point (recall 0, precision 1)
before the curve: a class that is predicted, but never hit, scores 1/101.

The release sorts by confidence with an unstable sort; here equal confidences stand by (shape, slot). Recall levels are
compared in integers, which is what the release's float32 amounts to (float64 would lose levels such as 7/10).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Integer

from partseg.metrics.functional import _ap_kernel as kernel
from partseg.metrics.functional.average_precision import (
    THRESHOLDS,
    InstanceAP,
    InstanceRecords,
    checked_classes,
    checked_numbers,
    checked_thresholds,
    interpolated_ap,
    merge_records,
)
from partseg.metrics.functional.mask_table import Masks, MaskTable, mask_table, overlaps


def partnet_records(
    shape: int,
    pred: Masks,
    pred_class: Integer[np.ndarray, "k"],
    confidence: Float[np.ndarray, "k"],
    true: Masks,
    true_class: Integer[np.ndarray, "g"],
    *,
    n_classes: int,
    pred_valid: Bool[np.ndarray, "k"] | None = None,
    true_valid: Bool[np.ndarray, "g"] | None = None,
    other: Bool[np.ndarray, "n"] | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> InstanceRecords:
    """Score one shape.

    Args:
        shape: its number in the data set.
        pred: predicted masks, which may overlap, in any form of `mask_table`.
        pred_class: 0..n_classes-1. confidence: finite; only its order counts.
        true: true masks. A valid mask without points is an instance that cannot be found.
        true_class: 0..n_classes-1.
        pred_valid, true_valid: slots to regard (the files have fixed numbers of slots); by default all. The class and
            confidence of others are not read.
        other: points that no predicted mask should be judged by; by default those in no true mask.
        thresholds: IoU, 0..1.

    Raises:
        ValueError: lengths differ, a class is unknown, a confidence is not finite; the text names the shape and field.
    """
    limits = checked_thresholds(thresholds)
    name = f"shape {shape}"
    true = _valid_masks(true, true_valid, None, len(true_class), f"{name}: true masks")
    pred = _valid_masks(pred, pred_valid, true.n, len(pred_class), f"{name}: predicted masks")
    k, g = len(pred), len(true)
    true_class = checked_classes(_valid(true_class, true_valid), g, n_classes, f"{name}: class of true masks")
    pred_class = checked_classes(_valid(pred_class, pred_valid), k, n_classes, f"{name}: class of predicted masks")
    confidence = checked_numbers(_valid(confidence, pred_valid), k, f"{name}: confidence of predicted masks")
    try:
        pred = pred.within(true.covered() if other is None else ~np.asarray(other))
    except ValueError as error:
        raise ValueError(f"{name}: other points: {error}") from None
    hits = kernel.match_free(
        np.argsort(-confidence, kind="stable"),
        pred_class,
        pred.sizes,
        true_class,
        true.sizes,
        overlaps(pred, true, pred_class, true_class),
        limits,
    )
    n_true = np.bincount(true_class, minlength=n_classes)
    return InstanceRecords(np.array([shape]), np.array([k]), n_true[None], pred_class, confidence, hits)


def partnet_instance_ap(records: Sequence[InstanceRecords], thresholds: Sequence[float] = THRESHOLDS) -> InstanceAP:
    """Part-category AP and shape AP of all shapes.

    A class without true instances is left out of the part-category mean (its entry is NaN); one with instances and no
    prediction scores 0. A shape's mean is over classes in its truth or predictions, those only predicted counting 0.

    Args:
        records: of `partnet_records`, one or more shapes each, in any order.
        thresholds: those the records were made with.

    Raises:
        ValueError: there is no record, thresholds differ in number, or a shape was scored twice with other outcomes.
    """
    return interpolated_ap(merge_records(records), thresholds)


def _valid_masks(masks: Masks, valid: Bool[np.ndarray, "k"] | None, n: int | None, k: int, what: str) -> MaskTable:
    try:
        if valid is None:
            return mask_table(masks, n, k)
        if isinstance(masks, np.ndarray) and masks.ndim == 2:  # packs no more than is valid, and copies none in front
            valid = _valid_flags(valid, len(masks))
            number = np.count_nonzero(valid)
            return mask_table(masks[:number] if np.count_nonzero(valid[:number]) == number else masks[valid], n)
        table = mask_table(masks, n, k)
        return table.take(_valid_flags(valid, len(table)))
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None


def _valid_flags(valid: Bool[np.ndarray, "k"], length: int) -> Bool[np.ndarray, "k"]:
    valid = np.asarray(valid)
    if valid.dtype != bool or valid.shape != (length,):
        raise ValueError(f"expected {length} booleans which are valid, not {valid.dtype} {valid.shape}")
    return valid


def _valid(values: np.ndarray, valid: Bool[np.ndarray, "k"] | None) -> np.ndarray:
    values = np.asarray(values)
    return values[valid] if valid is not None and len(values) == len(valid) else values
