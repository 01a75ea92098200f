"""Average precision of recursive part decomposition (Yu et al. 2019, Sec. 5) as its released evaluation computes it.

It measures grouping, with oracle classes: the class of a group, *predicted ones too*, is the most frequent true class
of its points. Every point belongs to one predicted and one true group; nothing is ignored. Predictions have no
confidence: those of a class are taken by (shape, ascending group number). Each meets the true group of its class with
the largest IoU, the first of equals; IoU >= threshold is a hit unless that group was hit before (there is no second
choice). AP is the mean over ten recall levels of the best precision at that recall or above. The levels are the float64
multiples of 0.1, so that recall 3/10, 6/10 or 7/10 does not reach the level of that name. A class without true groups
counts 0.

Not comparable with the AP of PartNet or of instance feature fusion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from partseg.metrics.functional import _ap_kernel as kernel
from partseg.metrics.functional.average_precision import (
    InstanceRecords,
    checked_classes,
    checked_thresholds,
    merge_records,
    pooled_areas,
)

RECURSIVE_THRESHOLDS = (0.25, 0.5)
RECALL_LEVELS = 0.1 * np.arange(10)  # float64: the fourth is 0.30000000000000004


class RecursiveAP(NamedTuple):
    """Average precision at t thresholds.

    Attributes:
        thresholds: (t,) IoU.
        shapes: (s,) numbers of the shapes scored, ascending.
        n_true: (c,) true groups of each class.
        part: (t, c) AP of each class, 0..1; 0 for a class without true groups; NaN without shapes.
        part_mean: (t,) mean over all classes.
    """

    thresholds: Float[np.ndarray, "t"]
    shapes: Integer[np.ndarray, "s"]
    n_true: Integer[np.ndarray, "c"]
    part: Float[np.ndarray, "t c"]
    part_mean: Float[np.ndarray, "t"]


def recursive_records(
    shape: int,
    pred_group: Integer[np.ndarray, "n"],
    true_group: Integer[np.ndarray, "n"],
    true_class: Integer[np.ndarray, "n"],
    *,
    n_classes: int,
    thresholds: Sequence[float] = RECURSIVE_THRESHOLDS,
) -> InstanceRecords:
    """Score one shape.

    Args:
        shape: its number in the data set.
        pred_group, true_group: any integers, one group a number (-1 is a group as well). The release folds unlabelled
            points into group 0 and class 0 first.
        true_class: 0..n_classes-1 of each point.
        thresholds: IoU, 0..1.

    Raises:
        ValueError: lengths differ or a class is unknown; the text names the shape and field.
    """
    limits, name, n = checked_thresholds(thresholds), f"shape {shape}", len(true_class)
    every = np.iinfo(np.int64)
    true_class = checked_classes(true_class, n, n_classes, f"{name}: true class")
    pred_group = checked_classes(pred_group, n, every.max, f"{name}: predicted group", every.min)
    true_group = checked_classes(true_group, n, every.max, f"{name}: true group", every.min)
    pred_ids, pred_of = np.unique(pred_group, return_inverse=True)
    true_ids, true_of = np.unique(true_group, return_inverse=True)
    k, g = len(pred_ids), len(true_ids)
    common = np.bincount(pred_of * g + true_of, minlength=k * g).reshape(k, g)
    pred_class, class_of_true = (
        np.bincount(of * n_classes + true_class, minlength=number * n_classes).reshape(number, n_classes).argmax(1)
        for of, number in ((pred_of, k), (true_of, g))
    )
    hits = kernel.match_best(pred_class, common.sum(1), class_of_true, common.sum(0), common, limits)
    n_true = np.bincount(class_of_true, minlength=n_classes)
    return InstanceRecords(np.array([shape]), np.array([k]), n_true[None], pred_class, np.zeros(k), hits)


def recursive_partnet_ap(
    records: Sequence[InstanceRecords], thresholds: Sequence[float] = RECURSIVE_THRESHOLDS
) -> RecursiveAP:
    """AP of each class over all shapes.

    Args:
        records: of `recursive_records`, in any order.
        thresholds: those the records were made with.

    Raises:
        ValueError: there is no record, thresholds differ in number, or a shape was scored twice with other outcomes.
    """
    limits = checked_thresholds(thresholds)
    merged = merge_records(records)
    if len(limits) != merged.hits.shape[1]:
        raise ValueError(f"{len(limits)} thresholds, but the records were made with {merged.hits.shape[1]}")
    n_true = merged.n_true.sum(0)
    part = np.nan_to_num(pooled_areas(merged.pred_class, merged.confidence, merged.hits, n_true, RECALL_LEVELS))
    if not len(merged.shape):
        part[:] = np.nan
    return RecursiveAP(limits, merged.shape, n_true, part.T, part.mean(0))
