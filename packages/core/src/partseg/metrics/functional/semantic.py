"""Mean IoU of semantic parts: the published conventions, told apart by name.

All are read off the counts of `class_counts`, one (3, c) table a shape. Points without a true label are removed first,
together with their predictions; a point predicted -1 (no answer) is a miss of its true label and nobody's false alarm.

| function | averaged over | a label in neither truth nor prediction |
|---|---|---|
| `partnet_part_miou` | labels, points of all shapes pooled | makes the mean NaN when it occurs in no shape |
| `partnet_shape_miou` | labels of a shape in truth or prediction, then shapes | left out of the shape |
| `instance_fusion_miou_v1` | labels of a shape in truth, then shapes | left out of the shape |
| `instance_fusion_miou_v2` | labels with truth, points of all shapes pooled | left out |
| `instance_fusion_miou_v3` | as `partnet_shape_miou` | left out of the shape |
| `shapenetpart_miou` | all labels of a shape's category, then shapes or categories | counts as 1 |

The first two: Mo et al., "PartNet", CVPR 2019, Sec. 5.1, as its test script computes them, per category and level. The
fusion versions: the three in the evaluation of Sun, Tong, Liu, "Semantic Segmentation-Assisted Instance Feature
Fusion", 2022; their tables do not say which they hold, their script lists v2 and v3. The last: Yi et al. 2016 and, with
this treatment of absent labels, Qi et al., "PointNet", CVPR 2017, Sec. 5.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from partseg.metrics.functional.averages import exact_mean


class ShapeNetPartMiou(NamedTuple):
    """Mean IoU in the convention of ShapeNetPart, 0..1.

    Attributes:
        instance: mean over all shapes ("Ins. mIoU").
        category: mean over the categories that have shapes ("Cat. mIoU", "class average").
        by_category: mean over the shapes of each category; NaN where it has none.
    """

    instance: float
    category: float
    by_category: Float[np.ndarray, "k"]


class PartNetHierarchicalMiou(NamedTuple):
    """Mean IoU over the nodes of a part template, 0..1.

    Attributes:
        part: mean over nodes of the IoU pooled over shapes.
        shape: mean over shapes of the mean over the nodes in truth or prediction.
        by_node: pooled IoU; NaN for a node in neither anywhere, which is left out of `part`.
    """

    part: float
    shape: float
    by_node: Float[np.ndarray, "k"]


def class_counts(
    pred: Int[np.ndarray, "n"], true: Int[np.ndarray, "n"], classes: int, name: str = "shape"
) -> Int[np.ndarray, "3 c"]:
    """Points of each class in prediction and truth, in the prediction, in the truth; of one shape, O(n).

    Args:
        pred: predicted class of each point, -1 (none) or 0..classes-1.
        true: true class, alike; points of -1 are removed.
        classes: number of classes.
        name: what to call the shape in errors.

    Raises:
        ValueError: the arrays are not integers of one length, or a class is out of range.
    """
    pred, true = _classes(pred, classes, f"{name}: pred"), _classes(true, classes, f"{name}: true")
    if len(pred) != len(true):
        raise ValueError(f"{name}: pred labels {len(pred)} points, true {len(true)}")
    labelled = true >= 0
    pred, true = pred[labelled], true[labelled]
    groups = true[pred == true], pred[pred >= 0], true
    return np.stack([np.bincount(group, minlength=classes) for group in groups]).astype(np.int64)


def class_ious(counts: Int[np.ndarray, "*s 3 c"]) -> Float[np.ndarray, "*s c"]:
    """IoU of each class, 0..1; NaN for a class in neither truth nor prediction."""
    both, pred, true = (np.asarray(counts)[..., i, :] for i in range(3))
    union = pred + true - both
    return np.divide(both, union, out=np.full(union.shape, np.nan), where=union > 0)


def partnet_part_miou(counts: Int[np.ndarray, "s 3 c"]) -> float:
    """Part-category mIoU of PartNet: IoU of points pooled over shapes, mean over all labels of the level.

    A label that is never true nor predicted has no IoU and makes the mean NaN, as in the published script. Its points
    are pooled, so shapes with more labelled points weigh more. `class_ious(counts.sum(0))` are the labels' own values.
    The script sums in float32, exact up to 16.7 million points a label; here sums are exact.
    """
    return float(class_ious(np.asarray(counts).sum(0)).mean())


def partnet_shape_miou(counts: Int[np.ndarray, "s 3 c"]) -> float:
    """Shape mIoU of PartNet: mean over a shape's labels in truth or prediction, then over shapes.

    Shapes without a labelled point are left out; NaN when all are.
    """
    return exact_mean(_row_means(class_ious(counts)))


def instance_fusion_miou_v1(counts: Int[np.ndarray, "s 3 c"]) -> float:
    """Mean over a shape's labels *in its truth*, then over shapes that have any; NaN when none has.

    A label predicted where it is not costs only the labels it displaces.
    """
    counts = np.asarray(counts)
    return exact_mean(_row_means(np.where(counts[:, 2] > 0, class_ious(counts), np.nan)))


def instance_fusion_miou_v2(counts: Int[np.ndarray, "s 3 c"]) -> float:
    """Mean over the labels with truth of their pooled IoU, 1e-5 of a point added to each union; NaN without truth."""
    both, pred, true = np.asarray(counts).sum(0)
    known = true > 0
    return exact_mean((both / (pred + true - both + 1e-5))[known])


def instance_fusion_miou_v3(counts: Int[np.ndarray, "s 3 c"]) -> float:
    """Mean over a shape's labels in truth or prediction, then over shapes: the same as `partnet_shape_miou`."""
    return partnet_shape_miou(counts)


def shapenetpart_shape_ious(
    counts: Int[np.ndarray, "s 3 c"], category: Int[np.ndarray, "s"], parts_of: Sequence[Sequence[int]]
) -> Float[np.ndarray, "s"]:
    """IoU of each shape: mean over *all* labels of its category; one in neither truth nor prediction counts as 1.

    Args:
        counts: of each shape.
        category: (s,) index into `parts_of`.
        parts_of: labels (0..c-1) of each category. A point predicted as another category's label is a miss and nobody's
            false alarm: predict among the category's labels, as published results do.

    Raises:
        ValueError: an unknown category, one without labels, or a label out of range.
    """
    counts, category = np.asarray(counts), np.asarray(category)
    classes = counts.shape[-1]
    for i, parts in enumerate(parts_of):
        if not len(parts) or min(parts) < 0 or max(parts) >= classes or len(set(parts)) < len(parts):
            raise ValueError(f"category {i}: expected different labels in 0..{classes - 1}, found {list(parts)}")
    if category.shape != counts.shape[:1] or category.dtype.kind not in "iu":
        raise ValueError(f"category must be ({len(counts)},) integers, not {category.dtype} {category.shape}")
    if len(category) and not (category.min() >= 0 and category.max() < len(parts_of)):
        raise ValueError(f"category holds {category.min()}..{category.max()}, expected 0..{len(parts_of) - 1}")
    mine = np.zeros((len(parts_of), classes), bool)
    for i, parts in enumerate(parts_of):
        mine[i, list(parts)] = True
    ious = np.nan_to_num(class_ious(counts), nan=1.0)
    return np.where(mine[category], ious, 0.0).sum(1) / mine.sum(1)[category]


def shapenetpart_miou(
    counts: Int[np.ndarray, "s 3 c"], category: Int[np.ndarray, "s"], parts_of: Sequence[Sequence[int]]
) -> ShapeNetPartMiou:
    """Instance average and category average of `shapenetpart_shape_ious`; the same whatever the order of shapes."""
    ious = shapenetpart_shape_ious(counts, category, parts_of)
    by_category = np.array([exact_mean(ious[np.asarray(category) == k]) for k in range(len(parts_of))])
    return ShapeNetPartMiou(exact_mean(ious), exact_mean(by_category), by_category)


def partnet_hierarchical_counts(
    pred: Int[np.ndarray, "n"], true: Int[np.ndarray, "n"], parent: Int[np.ndarray, "k"], name: str = "shape"
) -> Int[np.ndarray, "3 k"]:
    """`class_counts` of every node of a part template: PartNet Sec. 5.2, of one shape.

    A point belongs to its node and to all above it. A prediction that passes through the truth's node and goes on
    below is cut off there: the annotation says no more (points in a part, in none of its listed children). A prediction
    that leaves the truth's path counts against every node below the fork. Points without truth are removed. This
    follows a description of the authors' script; no official answers were at hand to compare with.

    Args:
        pred: deepest predicted node of each point, -1 for none; a prediction of a node is one of all above it.
        true: deepest true node, alike.
        parent: (k,) parent of each node, -1 for roots.
        name: what to call the shape in errors.

    Raises:
        ValueError: the arrays do not fit, or the parents form a cycle.
    """
    above = _ancestors(parent)
    pred, true = _classes(pred, len(above), f"{name}: pred"), _classes(true, len(above), f"{name}: true")
    if len(pred) != len(true):
        raise ValueError(f"{name}: pred labels {len(pred)} points, true {len(true)}")
    labelled = true >= 0
    width = len(above) + 1
    pair, count = np.unique((pred[labelled] + 1) * width + true[labelled], return_counts=True)
    p, t = pair // width - 1, pair % width
    in_pred = np.where((p >= 0)[:, None], above[p], False)
    passes = in_pred[np.arange(len(t)), t]
    in_true = above[t]
    in_pred = np.where(passes[:, None], in_true, in_pred)
    return np.stack([count @ (in_pred & in_true), count @ in_pred, count @ in_true]).astype(np.int64)


def partnet_hierarchical_miou(counts: Int[np.ndarray, "s 3 k"]) -> PartNetHierarchicalMiou:
    """Mean IoU over nodes from `partnet_hierarchical_counts` of all shapes, pooled and per shape."""
    by_node = class_ious(np.asarray(counts).sum(0))
    return PartNetHierarchicalMiou(exact_mean(by_node), partnet_shape_miou(counts), by_node)


def _row_means(values: Float[np.ndarray, "s c"]) -> Float[np.ndarray, "s"]:
    """Means of the values that are no NaN in each row; NaN for a row without any."""
    known = ~np.isnan(values)
    number = known.sum(1)
    total = np.where(known, values, 0.0).sum(1)
    return np.divide(total, number, out=np.full(len(values), np.nan), where=number > 0)


def _ancestors(parent: Int[np.ndarray, "k"]) -> np.ndarray:
    """(k, k) bool: row i marks node i and all above it."""
    parent = np.asarray(parent)
    k = len(parent)
    if parent.ndim != 1 or (k and (parent.dtype.kind not in "iu" or parent.min() < -1 or parent.max() >= k)):
        raise ValueError(f"parent must be (k,) integers in -1..{k - 1}")
    above = np.eye(k, dtype=bool)
    here = parent.astype(np.int64)
    for _ in range(k):
        rows = np.flatnonzero(here >= 0)
        if not len(rows):
            return above
        above[rows, here[rows]] = True
        here[rows] = parent[here[rows]]
    if (here >= 0).any():
        raise ValueError(f"the parents of node {int(np.flatnonzero(here >= 0)[0])} form a cycle")
    return above


def _classes(values: Int[np.ndarray, "n"], classes: int, what: str) -> Int[np.ndarray, "n"]:
    values = np.asarray(values)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iub"):
        raise ValueError(f"{what} must be (n,) integers, not {values.dtype} {values.shape}")
    values = values.astype(np.int64)
    if values.size and not (values.min() >= -1 and values.max() < classes):
        bad = values.min() if values.min() < -1 else values.max()
        raise ValueError(f"{what} holds class {bad}, expected -1..{classes - 1}")
    return values
