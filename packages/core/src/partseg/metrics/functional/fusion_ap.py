"""Instance average precision and semantic mean IoU of instance feature fusion (Sun, Tong, Liu 2022, Sec. 4).

The rule of PartNet (see `partnet_ap`), on other predictions: a method labels every point with an instance and a class.
Points without a true class are deleted first, from truth and prediction alike; what is left of a predicted instance
gives its size (instances of at most 10 points are dropped), its class (the most frequent, the lowest of equals;
instances that are mostly unlabelled are dropped) and its confidence (1 - mean entropy of the class distribution).
Shapes without a labelled point are passed over.

The paper's mIoU is one of three that the released script computes, all on labelled points; it lists v2 and v3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

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
    nan_mean,
    ordered_rows,
)

MIN_POINTS = 10


class FusionRecords(NamedTuple):
    """Scored shapes.

    Attributes:
        instances: as for PartNet; `shape` and its fellows are empty for a shape without labelled points.
        semantic: (s, c, 3) labelled points of each class in truth and prediction, in the truth, in the prediction.
    """

    instances: InstanceRecords
    semantic: Integer[np.ndarray, "s c 3"]


class SemanticMeanIoU(NamedTuple):
    """The three means, 0..1; NaN when no shape has a labelled point.

    Attributes:
        v1: mean over shapes of the mean over the classes of its truth; v1_shape: (s,).
        v2: mean over classes that have truth of pooled intersection / (pooled union + 1e-5); v2_part: (c,), NaN for
            classes without truth.
        v3: mean over shapes of the mean over classes of its truth or prediction, "unlabelled" among them where it is
            predicted (its IoU is 0); v3_shape: (s,).
    """

    v1: float
    v2: float
    v3: float
    v1_shape: Float[np.ndarray, "s"]
    v2_part: Float[np.ndarray, "c"]
    v3_shape: Float[np.ndarray, "s"]


def fusion_records(
    shape: int,
    pred_instance: Integer[np.ndarray, "n"],
    pred_class: Integer[np.ndarray, "n"],
    entropy: Float[np.ndarray, "n"],
    true_instance: Integer[np.ndarray, "n"],
    true_class: Integer[np.ndarray, "n"],
    *,
    n_classes: int,
    thresholds: Sequence[float] = THRESHOLDS,
) -> FusionRecords:
    """Score one shape.

    Args:
        shape: its number in the data set.
        pred_instance: any integers, -1 for points in no instance. Ties of confidence go by ascending number.
        pred_class: class of each point, 0..n_classes-1, or -1 for unlabelled.
        entropy: of the predicted class distribution of each point, natural logarithm.
        true_instance: any integers; -1 where unlabelled.
        true_class: 0..n_classes-1, -1 where unlabelled; one class an instance.
        thresholds: IoU, 0..1.

    Raises:
        ValueError: lengths differ, a class is unknown, an entropy is not finite, a labelled point has no true instance,
            or a true instance several classes; the text names the shape and field.
    """
    limits, name, n = checked_thresholds(thresholds), f"shape {shape}", len(true_class)
    true_class = checked_classes(true_class, n, n_classes, f"{name}: true class", -1)
    pred_class = checked_classes(pred_class, n, n_classes, f"{name}: predicted class", -1)
    everything = np.iinfo(np.int64)
    true_instance = checked_classes(true_instance, n, everything.max, f"{name}: true instance", -1)
    pred_instance = checked_classes(pred_instance, n, everything.max, f"{name}: predicted instance", everything.min)
    entropy = checked_numbers(entropy, n, f"{name}: entropy")

    kept = true_class >= 0
    if (true_instance[kept] < 0).any():
        raise ValueError(
            f"{name}: true instance: {(true_instance[kept] < 0).sum()} points have a class, but are in none"
        )
    if not kept.any():
        none = np.zeros(0, np.int64)
        return FusionRecords(
            InstanceRecords(none, none, np.zeros((0, n_classes), np.int64), none, np.zeros(0), _no_hits(limits)),
            np.zeros((0, n_classes, 3), np.int64),
        )
    true_class, pred_class = true_class[kept], pred_class[kept]
    true_ids, true_of = np.unique(true_instance[kept], return_inverse=True)
    pred_ids, pred_of = np.unique(pred_instance[kept], return_inverse=True)
    k, g = len(pred_ids), len(true_ids)

    class_of_true = np.zeros(g, np.int64)
    class_of_true[true_of] = true_class
    if (class_of_true[true_of] != true_class).any():
        mixed = true_ids[true_of[class_of_true[true_of] != true_class]][0]
        raise ValueError(f"{name}: true class: instance {mixed} has several")
    votes = np.bincount(pred_of * (n_classes + 1) + pred_class + 1, minlength=k * (n_classes + 1))
    class_of_pred = votes.reshape(k, -1).argmax(1) - 1
    pred_size = np.bincount(pred_of, minlength=k)
    # float64 sums of few float32 values are exact enough for equal entropies to stay equal once rounded back
    confidence = (1 - np.bincount(pred_of, entropy[kept], k) / pred_size).astype(np.float32).astype(np.float64)
    good = (pred_size > MIN_POINTS) & (class_of_pred >= 0) & (pred_ids != -1)
    common = np.bincount(pred_of * g + true_of, minlength=k * g).reshape(k, g)
    hits = kernel.match_free(
        np.argsort(-confidence[good], kind="stable"),
        class_of_pred[good],
        pred_size[good],
        class_of_true,
        np.bincount(true_of, minlength=g),
        common[good],
        limits,
    )
    right = pred_class == true_class
    counts = [np.bincount(values, minlength=n_classes) for values in (true_class[right], true_class)]
    counts.append(np.bincount(pred_class[pred_class >= 0], minlength=n_classes))
    n_true = np.bincount(class_of_true, minlength=n_classes)
    return FusionRecords(
        InstanceRecords(
            np.array([shape]), np.array([good.sum()]), n_true[None], class_of_pred[good], confidence[good], hits
        ),
        np.stack(counts, axis=1)[None],
    )


def fusion_instance_ap(records: Sequence[FusionRecords], thresholds: Sequence[float] = THRESHOLDS) -> InstanceAP:
    """Part-category AP and s-AP of all shapes that have labelled points.

    A class without true instances is left out of the part-category mean; a shape's mean is over classes in its truth or
    predictions.

    Args:
        records: of `fusion_records`, in any order.
        thresholds: those the records were made with.

    Raises:
        ValueError: there is no record, or a shape was scored twice with different outcomes.
    """
    return interpolated_ap(merge_records([record.instances for record in records]), thresholds)


def fusion_semantic_miou(records: Sequence[FusionRecords]) -> SemanticMeanIoU:
    """The three mean IoUs, over the same shapes in ascending order of number."""
    if not records:
        raise ValueError("no shape was scored")
    shape = np.concatenate([record.instances.shape for record in records])
    semantic = np.concatenate([record.semantic for record in records])
    order, _ = ordered_rows(shape, np.zeros(len(shape), np.int64), (semantic,), ())
    common, true, pred = np.moveaxis(semantic[order], 2, 0)
    union = true + pred - common
    iou = common / np.maximum(union, 1)
    v1_shape = nan_mean(np.where(true > 0, iou, np.nan), 1)
    unlabelled = np.where(true.sum(1) > pred.sum(1), 0.0, np.nan)[:, None]  # a class of IoU 0 where it is predicted
    v3_shape = nan_mean(np.concatenate([np.where(union > 0, iou, np.nan), unlabelled], axis=1), 1)
    v2_part = np.where(true.sum(0) > 0, common.sum(0) / (union.sum(0) + 1e-5), np.nan)
    means = (float(nan_mean(values, 0)) for values in (v1_shape, v2_part, v3_shape))
    return SemanticMeanIoU(*means, v1_shape, v2_part, v3_shape)


def _no_hits(limits: np.ndarray) -> np.ndarray:
    return np.zeros((0, len(limits)), bool)
