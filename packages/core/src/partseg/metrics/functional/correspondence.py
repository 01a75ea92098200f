"""Feature fields across shapes: do like features mean like places, and like parts?

PartField (Liu et al. 2025, Sec. 4.3) starts correspondences from nearest neighbours in feature space and segments
several shapes together by clusters that they share; it shows pictures only. The numbers here are those of the fields
that do count: correspondence error and accuracy curves (Kim et al., "Blended Intrinsic Maps", SIGGRAPH 2011, with
straight distances in the place of geodesic ones), and co-segmentation over a set of shapes with one naming of the
clusters for the whole set (Sidi et al. 2011; Wang et al., "Active Co-Analysis of a Set of Shapes", 2012, report the
accuracy).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from partseg.metrics.functional.class_agnostic import contingency, pair_ious
from partseg.metrics.functional.matching import match_pairs

_CHUNK = 2**22  # distances held at a time: 32 MB


def nearest_features(queries: Float[np.ndarray, "n d"], features: Float[np.ndarray, "m d"]) -> Int[np.ndarray, "n"]:
    """Row of `features` nearest to each query, by Euclidean distance; of equally near ones the first.

    Exact up to the rounding of float64, in chunks: O(n m d) time, 32 MB. Rows of unit length give cosine similarity.

    Raises:
        ValueError: no features, different widths, or values that are not finite.
    """
    a, b = np.asarray(queries, np.float64), np.asarray(features, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not len(b):
        raise ValueError(f"features must be (n, d) and (m, d) with m > 0, not {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("features hold NaN or infinite values")
    centre = b.mean(0)  # the square is expanded below, which loses digits far from the origin
    a, b = a - centre, b - centre
    square = np.einsum("md,md->m", b, b)
    out = np.empty(len(a), np.int64)
    rows = max(1, _CHUNK // len(b))
    for i in range(0, len(a), rows):
        out[i : i + rows] = (square - 2 * (a[i : i + rows] @ b.T)).argmin(1)
    return out


def correspondence_errors(
    source: Float[np.ndarray, "n d"],
    target: Float[np.ndarray, "m d"],
    positions: Float[np.ndarray, "m 3"],
    true: Int[np.ndarray, "n"],
) -> Float[np.ndarray, "k"]:
    """Distance from the target element with the nearest feature to the true correspondent, for each source element.

    Args:
        source, target: features of the elements of two shapes.
        positions: of the target's elements. Errors come in longest sides of their box (in their own units where the box
            is a point), so that shapes can be averaged.
        true: the target element that corresponds to each source element, -1 where there is none; those are left out.

    Returns:
        (k,) float64 for the k source elements with a correspondent, in their order. Their mean is the correspondence
        error of the pair.

    Raises:
        ValueError: lengths that do not fit, correspondents that do not exist, values that are not finite.
    """
    positions, true = np.asarray(positions, np.float64), np.asarray(true)
    if positions.shape != (len(target), 3) or not np.isfinite(positions).all():
        raise ValueError(f"positions must be ({len(target)}, 3), finite, not {positions.shape}")
    if true.shape != (len(source),) or true.dtype.kind not in "iu":
        raise ValueError(f"true must be ({len(source)},) integers, not {true.dtype} {true.shape}")
    if true.size and not -1 <= true.min() <= true.max() < len(target):
        raise ValueError(f"true names elements {true.min()}..{true.max()} of {len(target)}")
    known = true >= 0
    found = nearest_features(np.asarray(source)[known], target)
    extent = float(np.ptp(positions, axis=0).max()) or 1.0
    return np.linalg.norm(positions[found] - positions[true[known]], axis=1) / extent


def correspondence_accuracy(
    errors: Float[np.ndarray, "k"], tolerances: Float[np.ndarray, "c"]
) -> Float[np.ndarray, "c"]:
    """Share (0..1) of errors of at most each tolerance, the curve of Kim et al. 2011; NaN without errors."""
    errors, tolerances = np.sort(np.asarray(errors, np.float64)), np.asarray(tolerances, np.float64)
    if not len(errors):
        return np.full(len(tolerances), np.nan)
    return np.searchsorted(errors, tolerances, side="right") / len(errors)


class Cosegmentation(NamedTuple):
    """Scores of one set of shapes that were segmented together, 0..1.

    Attributes:
        miou: mean of `by_shape`. by_shape: (s,) mean IoU over the true parts of each shape, by ascending number of
            the shape; NaN for one without labels, which the mean leaves out.
        accuracy: share of the labelled elements whose cluster has the name of their true part, over the whole set.
        cluster: (t,) the predicted label that stands for each true label, in ascending order; -1 for none.
    """

    miou: float
    by_shape: Float[np.ndarray, "s"]
    accuracy: float
    cluster: Int[np.ndarray, "t"]


def cosegmentation_iou(
    pred: Int[np.ndarray, "n"], true: Int[np.ndarray, "n"], shape: Int[np.ndarray, "n"]
) -> Cosegmentation:
    """Mean IoU of clusters shared by a set of shapes with parts named alike throughout the set.

    Clusters are given to true parts one to one, once for the whole set, so that the total IoU over the set is largest:
    a cluster that means the seat in one chair and the back in the next is wrong in one of them. Then every true part
    that occurs in a shape is scored in that shape.

    Args:
        pred: cluster of each element of all shapes, -1 for none. true: true part, -1 for none; such elements count in
            the size of the clusters. shape: number of the shape that each element is of.

    Returns:
        NaN throughout where no element has a true label.

    Raises:
        ValueError: labels that are not integers of one length.
    """
    table = contingency(pred, true)
    pred, true, shape = np.asarray(pred), np.asarray(true), np.asarray(shape)
    if shape.shape != true.shape or shape.dtype.kind not in "iu":
        raise ValueError(f"shape must be {true.shape} integers, not {shape.dtype} {shape.shape}")
    shapes, place = np.unique(shape, return_inverse=True)
    t = len(table.true_ids)
    if not t:
        nan = float("nan")
        return Cosegmentation(nan, np.full(len(shapes), nan), nan, np.zeros(0, np.int64))
    match = match_pairs(table.pred, table.true, pair_ious(table), t, "one-to-one")
    cluster = np.where(match.pred >= 0, table.pred_ids[match.pred] if len(table.pred_ids) else -1, -1)
    name_of = np.full(len(table.pred_ids) + 1, -1)  # true part that each cluster stands for; the last: no cluster
    name_of[match.pred[match.pred >= 0]] = np.flatnonzero(match.pred >= 0)
    known = pred != -1
    row = np.where(known, np.searchsorted(table.pred_ids, pred), len(table.pred_ids))
    named = name_of[row]
    part = np.where(true != -1, np.searchsorted(table.true_ids, true), -1)
    right = (named == part) & (part >= 0)
    shared, predicted, total = (
        np.bincount(place[kept] * t + label[kept], minlength=len(shapes) * t).reshape(len(shapes), t)
        for kept, label in ((right, part), (named >= 0, named), (part >= 0, part))
    )
    iou = shared / np.maximum(predicted + total - shared, 1)
    occurs = total > 0
    parts = occurs.sum(1)
    by_shape = np.divide((iou * occurs).sum(1), parts, out=np.full(len(shapes), np.nan), where=parts > 0)
    return Cosegmentation(float(np.nanmean(by_shape)), by_shape, float(shared.sum() / total.sum()), cluster)
