"""What the instance average precisions share: records of shapes, their union, and the area under pooled curves.

A shape is scored on its own: each prediction is a hit or not at each IoU threshold. The record of a shape is the
class, confidence and hits of its predictions and the number of true instances a class. Records of all shapes, from
however many processes, give the averages. They are put in order of shape number first, so the outcome depends neither
on the order nor on the place in which shapes were scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

from partseg.metrics.functional import _ap_kernel as kernel
from partseg.metrics.functional._mask_kernel import group

THRESHOLDS = (0.25, *(i / 100 for i in range(50, 100, 5)))
"""IoU 0.25, 0.5, 0.55 … 0.95: what AP25, AP50, AP75 and AP50:95 need."""


class InstanceRecords(NamedTuple):
    """Scored shapes, in any order.

    Attributes:
        shape: (s,) number of each shape, its place in the data set. Ties of confidence are broken by it.
        n_pred: (s,) predictions of each shape; the rows below lie shape by shape, in slot order.
        n_true: (s, c) true instances of each class.
        pred_class: (m,) 0..c-1; confidence: (m,) float64; hits: (m, t), at each threshold.
    """

    shape: Integer[np.ndarray, "s"]
    n_pred: Integer[np.ndarray, "s"]
    n_true: Integer[np.ndarray, "s c"]
    pred_class: Integer[np.ndarray, "m"]
    confidence: Float[np.ndarray, "m"]
    hits: Bool[np.ndarray, "m t"]


class InstanceAP(NamedTuple):
    """Average precision at t thresholds.

    Attributes:
        thresholds: (t,) IoU.
        shapes: (s,) numbers of the shapes, ascending; what was scored: compare it with the data set (coverage).
        n_true: (c,) true instances of each class.
        part: (t, c) AP of each class, 0..1; NaN where the definition leaves the class out.
        part_mean: (t,) mean over classes; NaN if all are left out.
        shape: (t, s) mean AP of each shape over its classes; NaN for a shape that has none.
        shape_mean: (t,) mean over shapes.
    """

    thresholds: Float[np.ndarray, "t"]
    shapes: Integer[np.ndarray, "s"]
    n_true: Integer[np.ndarray, "c"]
    part: Float[np.ndarray, "t c"]
    part_mean: Float[np.ndarray, "t"]
    shape: Float[np.ndarray, "t s"]
    shape_mean: Float[np.ndarray, "t"]


def merge_records(records: Sequence[InstanceRecords]) -> InstanceRecords:
    """One table in ascending order of shape. A shape that occurs twice with one outcome counts once.

    (Samplers of several processes repeat shapes to give each process equally many.)

    Raises:
        ValueError: no record at all, or a shape occurs twice with different outcomes.
    """
    if not records:
        raise ValueError("no shape was scored")
    rows = InstanceRecords(*(np.concatenate(column) for column in zip(*records, strict=True)))
    order, take = ordered_rows(rows.shape, rows.n_pred, (rows.n_true,), (rows.pred_class, rows.confidence, rows.hits))
    return InstanceRecords(*(column[order] for column in rows[:3]), *(column[take] for column in rows[3:]))


def ordered_rows(
    shape: Integer[np.ndarray, "s"],
    n_rows: Integer[np.ndarray, "s"],
    of_shape: Sequence[np.ndarray],
    of_row: Sequence[np.ndarray],
) -> tuple[Integer[np.ndarray, "u"], Integer[np.ndarray, "k"]]:
    """Places of the shapes in ascending order, each once, and of their rows.

    Args:
        shape: numbers; n_rows: rows of each shape, which lie one after another in the order of `shape`.
        of_shape, of_row: values by shape and by row, to tell whether a repeated shape is the same again.

    Raises:
        ValueError: a repeated shape is not the same again.
    """
    order = np.argsort(shape, kind="stable")
    starts = np.concatenate([[0], np.cumsum(n_rows)])
    again = np.flatnonzero(np.diff(shape[order]) == 0) + 1
    for one, other in zip(order[again - 1], order[again], strict=True):
        a, b = slice(starts[one], starts[one + 1]), slice(starts[other], starts[other + 1])
        same = all(np.array_equal(value[one], value[other]) for value in of_shape)
        if not same or not all(np.array_equal(value[a], value[b]) for value in of_row):
            raise ValueError(f"shape {shape[one]} was scored twice, with different outcomes")
    order = np.delete(order, again)
    count = n_rows[order]
    take = np.arange(count.sum()) + np.repeat(starts[order] - np.cumsum(count) + count, count)
    return order, take


def pooled_areas(
    member: Integer[np.ndarray, "m"],
    confidence: Float[np.ndarray, "m"],
    hits: Bool[np.ndarray, "m t"],
    n_true: Integer[np.ndarray, "g"],
    levels: Float[np.ndarray, "l"] | None = None,
) -> Float[np.ndarray, "g t"]:
    """Area under the precision-recall curve of each group of predictions.

    Args:
        member: group of each prediction, 0..g-1; equal confidences keep the order in which they stand.
        confidence: highest first.
        hits: at each of t thresholds.
        n_true: true instances of each group.
        levels: float64 recall levels; by default 0, 0.01 … 1, compared exactly in integers
            (100 hits >= level * truths), with a point (recall 0, precision 1) before the curve.

    Returns:
        0..1; 0 for a group without predictions, NaN for one without true instances.
    """
    order = np.argsort(-confidence, kind="stable")
    starts, by_group = group(member[order], len(n_true))
    levels = np.zeros(0) if levels is None else np.asarray(levels, np.float64)
    return kernel.areas(starts, hits[order[by_group]], n_true, levels)


def interpolated_ap(records: InstanceRecords, thresholds: Sequence[float]) -> InstanceAP:
    """AP of each class over all shapes, and of each shape over its classes, by the 101-level rule.

    The mean over classes is over those with true instances. A shape's is over classes that it has or that are predicted
    on it, the latter counting 0; the mean over shapes is over those that have any.

    Args:
        records: of all shapes, from `merge_records`.
        thresholds: those that the hits were found at.
    """
    shape, n_pred, n_true, pred_class, confidence, hits = records
    limits = checked_thresholds(thresholds)
    if len(limits) != hits.shape[1]:
        raise ValueError(f"{len(limits)} thresholds, but the records were made with {hits.shape[1]}")
    n_shapes, n_classes = n_true.shape
    part = pooled_areas(pred_class, confidence, hits, n_true.sum(0))
    cell = np.repeat(np.arange(n_shapes), n_pred) * n_classes + pred_class
    each = pooled_areas(cell, confidence, hits, n_true.ravel()).reshape(n_shapes, n_classes, len(limits))
    predicted = np.bincount(cell, minlength=n_shapes * n_classes).reshape(n_shapes, n_classes) > 0
    each[predicted & (n_true == 0)] = 0
    by_shape = nan_mean(each, 1)
    return InstanceAP(
        limits,
        shape,
        n_true.sum(0),
        part.T,
        nan_mean(part, 0),
        by_shape.T,
        nan_mean(by_shape, 0),
    )


def nan_mean(values: Float[np.ndarray, "..."], axis: int) -> Float[np.ndarray, "..."]:
    """Mean of the values that are not NaN; NaN, without a warning, where there is none."""
    there = ~np.isnan(values)
    number = there.sum(axis)
    total = np.where(there, values, 0).sum(axis)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def headline(result: InstanceAP) -> dict[str, float]:
    """The numbers of a table: `AP25`, `AP50`, `AP75`, `AP50:95`, and the same of shapes as `sAP25` …

    Those whose thresholds were not asked for are left out.
    """
    out = {}
    for name, mean in (("AP", result.part_mean), ("sAP", result.shape_mean)):
        at = dict(zip(np.round(result.thresholds * 100).astype(int).tolist(), mean.tolist(), strict=True))
        out |= {f"{name}{t}": at[t] for t in (25, 50, 75) if t in at}
        if all(t in at for t in range(50, 100, 5)):
            out[f"{name}50:95"] = float(np.mean([at[t] for t in range(50, 100, 5)]))
    return out


def checked_thresholds(thresholds: Sequence[float]) -> Float[np.ndarray, "t"]:
    """As float64.

    Raises:
        ValueError: not between 0 and 1.
    """
    return _checked_thresholds(tuple(map(float, thresholds)))


@lru_cache(maxsize=64)
def _checked_thresholds(thresholds: tuple[float, ...]) -> Float[np.ndarray, "t"]:
    values = np.asarray(thresholds, np.float64)
    values.flags.writeable = False
    if values.ndim != 1 or not len(values) or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"IoU thresholds must lie between 0 and 1, not {list(thresholds)}")
    return values


def checked_classes(
    values: Integer[np.ndarray, "k"], length: int, n_classes: int, what: str, lowest: int = 0
) -> Integer[np.ndarray, "k"]:
    """As int64.

    Raises:
        ValueError: not one integer for each of `length`, or outside lowest..n_classes-1; the text starts with `what`.
    """
    values = np.asarray(values)
    if values.shape != (length,) or (length and values.dtype.kind not in "iu"):
        raise ValueError(f"{what}: expected {length} integers, not {values.dtype} {values.shape}")
    if np.count_nonzero((values < lowest) | (values >= n_classes)):
        raise ValueError(f"{what}: expected {lowest}..{n_classes - 1}, but there are {values.min()}..{values.max()}")
    return values.astype(np.int64)


def checked_numbers(values: Float[np.ndarray, "k"], length: int, what: str) -> Float[np.ndarray, "k"]:
    """As float64.

    Raises:
        ValueError: not one finite number for each of `length`; the text starts with `what`.
    """
    values = np.asarray(values)
    if values.shape != (length,) or (length and values.dtype.kind not in "fiu"):
        raise ValueError(f"{what}: expected {length} numbers, not {values.dtype} {values.shape}")
    values = values.astype(np.float64)
    finite = np.isfinite(values)
    if np.count_nonzero(finite) < length:
        bad = np.flatnonzero(~finite)
        raise ValueError(f"{what}: {len(bad)} not finite, the first is number {bad[0]}")
    return values
