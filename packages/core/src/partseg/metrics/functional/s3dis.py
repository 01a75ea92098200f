"""Instance and semantic scores of rooms as the ASIS evaluation computes them (JSNet's is the same).

Wang et al., "Associatively Segmenting Instances and Semantics in Point Clouds", CVPR 2019, Sec. 4.1: mCov, mWCov,
mPrec, mRec; overall accuracy, mean accuracy and mean IoU beside them. No confidences and no one-to-one matching:

- The class of an instance, true or predicted, is the most frequent class of its points, the lowest on a tie.
- Coverage of a class in a room: best IoU of each true instance with a predicted one of the same class, averaged over
  instances (weighted: by their points). A prediction may serve several. Rooms weigh the same, then classes do.
- A prediction is a hit when its best IoU with a true instance of its class is at least 0.5. Precision is hits by
  predictions, recall *the same hits* by true instances, pooled over rooms. An object cut into exact halves gives two
  hits, so recall can exceed 1.
- A class that never occurs makes the mean of its quantity NaN.

Six-fold results come from the rooms of all six areas in one run; results of the areas are not averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from partseg.metrics.functional.averages import exact_mean


class S3disRoom(NamedTuple):
    """What one room adds to the scores; one entry a class.

    Attributes:
        num_true, num_pred, num_hits: instances, and predictions that are hits.
        coverage, weighted_coverage: 0..1; NaN where the room holds no true instance of the class.
        true_points, pred_points, hit_points: points by true class, by predicted class, and with both the same.
    """

    num_true: Int[np.ndarray, "c"]
    num_pred: Int[np.ndarray, "c"]
    num_hits: Int[np.ndarray, "c"]
    coverage: Float[np.ndarray, "c"]
    weighted_coverage: Float[np.ndarray, "c"]
    true_points: Int[np.ndarray, "c"]
    pred_points: Int[np.ndarray, "c"]
    hit_points: Int[np.ndarray, "c"]


class S3disScores(NamedTuple):
    """Scores of a set of rooms, 0..1 (recall may exceed 1): first means over classes, then the classes' own values.

    NaN among the latter where a quantity is undefined: coverage, recall and accuracy of a class without truth,
    precision of a class never predicted, IoU of a class with neither. One such class makes the mean NaN.
    """

    m_cov: float
    m_wcov: float
    m_prec: float
    m_rec: float
    overall_accuracy: float
    m_acc: float
    m_iou: float
    coverage: Float[np.ndarray, "c"]
    weighted_coverage: Float[np.ndarray, "c"]
    precision: Float[np.ndarray, "c"]
    recall: Float[np.ndarray, "c"]
    accuracy: Float[np.ndarray, "c"]
    iou: Float[np.ndarray, "c"]


def s3dis_room(
    pred_instance: Int[np.ndarray, "n"],
    pred_class: Int[np.ndarray, "n"],
    true_instance: Int[np.ndarray, "n"],
    true_class: Int[np.ndarray, "n"],
    *,
    classes: int = 13,
    name: str = "room",
) -> S3disRoom:
    """Counts and coverages of one room, O(n log n).

    Args:
        pred_instance: predicted instance of each point, any integers; -1 for none. Such points belong to no predicted
            instance, but count in unions and in the semantic scores.
        pred_class: predicted class, 0..classes-1.
        true_instance: true instance, any integers. *Every* number is an instance, -1 too.
        true_class: true class, 0..classes-1.
        classes: number of classes; 13 in S3DIS.
        name: what to call the room in errors.

    Raises:
        ValueError: the arrays are not one-dimensional integers of one length, or a class is out of range.
    """
    fields = {"pred_instance": pred_instance, "pred_class": pred_class, "true_class": true_class}
    true_instance = _integers(true_instance, f"{name}: true_instance")
    n = len(true_instance)
    for field, values in fields.items():
        fields[field] = values = _integers(values, f"{name}: {field}")
        if len(values) != n:
            raise ValueError(f"{name}: {field} labels {len(values)} points, expected {n}")
        if field.endswith("class") and n and not (values.min() >= 0 and values.max() < classes):
            bad = values.min() if values.min() < 0 else values.max()
            raise ValueError(f"{name}: {field} holds class {bad}, expected 0..{classes - 1}")
    pred_instance, pred_class, true_class = fields.values()

    true = _instances(true_instance, true_class, classes)
    inside = pred_instance != -1
    pred = _instances(pred_instance[inside], pred_class[inside], classes)
    width = max(len(true.size), 1)
    pair, both = np.unique(pred.index * width + true.index[inside], return_counts=True)
    p, t = pair // width, pair % width
    same = pred.kind[p] == true.kind[t]
    p, t, both = p[same], t[same], both[same]
    iou = both / (pred.size[p] + true.size[t] - both)
    best_true, best_pred = np.zeros(len(true.size)), np.zeros(len(pred.size))
    np.maximum.at(best_true, t, iou)
    np.maximum.at(best_pred, p, iou)

    count = lambda values: np.bincount(values, minlength=classes)  # noqa: E731
    total = lambda values: np.bincount(true.kind, values, classes)  # noqa: E731
    num_true = count(true.kind)
    with np.errstate(invalid="ignore"):
        coverage = total(best_true) / num_true
        weighted = total(best_true * true.size) / total(true.size)
    return S3disRoom(
        num_true,
        count(pred.kind),
        count(pred.kind[best_pred >= 0.5]),
        coverage,
        weighted,
        count(true_class),
        count(pred_class),
        count(true_class[pred_class == true_class]),
    )


def s3dis_scores(rooms: Sequence[S3disRoom]) -> S3disScores:
    """Scores of all rooms together; the same to the last bit in whatever order they come. NaN throughout without any.

    Raises:
        ValueError: rooms of different numbers of classes.
    """
    if not rooms:
        none = np.full(0, np.nan)
        return S3disScores(*[float("nan")] * 7, *[none] * 6)
    if len(numbers := {len(room.num_true) for room in rooms}) > 1:
        raise ValueError(f"rooms of different numbers of classes: {sorted(numbers)}")
    columns = S3disRoom(*(np.stack(column) for column in zip(*rooms, strict=True)))
    num_true, num_pred, num_hits = columns.num_true.sum(0), columns.num_pred.sum(0), columns.num_hits.sum(0)
    true_points, pred_points = columns.true_points.sum(0), columns.pred_points.sum(0)
    hit_points = columns.hit_points.sum(0)
    coverage = np.array([exact_mean(rooms_of_class) for rooms_of_class in columns.coverage.T])
    weighted = np.array([exact_mean(rooms_of_class) for rooms_of_class in columns.weighted_coverage.T])
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: undefined
        precision, recall = num_hits / num_pred, num_hits / num_true
        accuracy = hit_points / true_points
        iou = hit_points / (true_points + pred_points - hit_points)
        overall = hit_points.sum() / true_points.sum()
    by_class = coverage, weighted, precision, recall, accuracy, iou
    m_cov, m_wcov, m_prec, m_rec, m_acc, m_iou = (float(values.mean()) for values in by_class)
    return S3disScores(m_cov, m_wcov, m_prec, m_rec, float(overall), m_acc, m_iou, *by_class)


class _Instances(NamedTuple):
    """Instances of one labelling: `index` (n,) of each point, `size` and `kind` (class) of each instance."""

    index: Int[np.ndarray, "n"]
    size: Int[np.ndarray, "k"]
    kind: Int[np.ndarray, "k"]


def _instances(ids: Int[np.ndarray, "n"], kinds: Int[np.ndarray, "n"], classes: int) -> _Instances:
    _, index, size = np.unique(ids, return_inverse=True, return_counts=True)
    votes = np.bincount(index * classes + kinds, minlength=len(size) * classes).reshape(len(size), classes)
    return _Instances(index, size, votes.argmax(1))  # the first of equals is the lowest class


def _integers(values: Int[np.ndarray, "n"], what: str) -> Int[np.ndarray, "n"]:
    values = np.asarray(values)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iub"):
        raise ValueError(f"{what} must be (n,) integers, not {values.dtype} {values.shape}")
    return values.astype(np.int64)
