"""Object proposals: how well boxes, masks and generated points cover the true objects (GSPN, Yi et al. 2019, Sec. 5).

Boxes are axis-aligned, (2, 3): low corner, high corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree


def box_of_points(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "2 3"]:
    """The smallest axis-aligned box around points, float64, as GSPN takes it: of all points, none left out.

    Raises:
        ValueError: no points, or coordinates that are not finite.
    """
    points = _points(points, "points")
    return np.stack([points.min(0), points.max(0)])


def box_ious(a: Float[np.ndarray, "p 2 3"], b: Float[np.ndarray, "t 2 3"]) -> Float[np.ndarray, "p t"]:
    """IoU (0..1) by volume of every box of `a` with every box of `b`.

    An axis along which both boxes are flat and at the same place is left out, the limit of thin boxes: a flat box has
    IoU 1 with itself, and two flat boxes in one plane that of their areas. A flat box has IoU 0 with a thick one.

    Raises:
        ValueError: coordinates that are not finite, or low corners above high ones.
    """
    a, b = _boxes(a, "a")[:, None], _boxes(b, "b")[None]
    low, high = np.maximum(a[:, :, 0], b[:, :, 0]), np.minimum(a[:, :, 1], b[:, :, 1])
    shared, one, other = np.maximum(high - low, 0), a[:, :, 1] - a[:, :, 0], b[:, :, 1] - b[:, :, 0]
    flat = (one == 0) & (other == 0) & (high == low)
    shared, one, other = (np.where(flat, 1.0, side).prod(-1) for side in (shared, one, other))
    union = one + other - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def gspn_box_miou(pred: Float[np.ndarray, "s 2 3"], true: Float[np.ndarray, "s 2 3"]) -> float:
    """Mean IoU (0..1) of the proposal made at each seed with the box of the object that the seed lies on (Table 4).

    Seeds on the background have no true box and are left out by the caller. NaN without seeds.

    Raises:
        ValueError: not one true box for each proposal, or as `box_ious`.
    """
    if np.shape(pred) != np.shape(true):
        raise ValueError(f"pred: {np.shape(pred)} boxes for {np.shape(true)} true ones")
    pairs = [box_ious(p[None], t[None])[0, 0] for p, t in zip(_boxes(pred, "pred"), _boxes(true, "true"), strict=True)]
    return float(np.mean(pairs)) if pairs else float("nan")


def proposal_recall(
    iou: Float[np.ndarray, "p t"], thresholds: Sequence[float] = (0.25, 0.5, 0.75)
) -> Float[np.ndarray, "k"]:
    """Share (0..1) of true objects that some proposal reaches with an IoU of at least each threshold.

    One proposal may serve several objects (Hosang et al. 2016, "What makes for effective detection proposals?"). The
    number of proposals is not punished: report it beside the recall. NaN without true objects.

    Args:
        iou: of proposals (rows) with true objects, from `box_ious` or `matching.mask_ious`.
        thresholds: IoU, each in (0, 1].
    """
    iou, limits = np.asarray(iou, np.float64), np.asarray(thresholds, np.float64)
    if iou.ndim != 2 or np.isnan(iou).any():
        raise ValueError(f"iou must be a (p, t) table without NaN, not {iou.shape}")
    if ((limits <= 0) | (limits > 1)).any():
        raise ValueError(f"thresholds must lie in (0, 1], not {list(thresholds)}")
    if not iou.shape[1]:
        return np.full(len(limits), np.nan)
    return (iou.max(0, initial=0.0)[None] >= limits[:, None]).mean(1)


class Chamfer(NamedTuple):
    """Chamfer distance of two clouds, one direction at a time; papers report `sum` or `mean`.

    Attributes:
        forward: mean over predicted points of the distance to the nearest true one. backward: the other way.
    """

    forward: float
    backward: float

    @property
    def sum(self) -> float:
        return self.forward + self.backward

    @property
    def mean(self) -> float:
        return (self.forward + self.backward) / 2


def chamfer_distance(
    pred: Float[np.ndarray, "p 3"], true: Float[np.ndarray, "t 3"], *, squared: bool = False
) -> Chamfer:
    """Mean distance to the nearest point of the other cloud, in both directions (Fan et al. 2017).

    Args:
        pred, true: at least one finite point each.
        squared: squares of the distances are averaged, in squared units; else the distances themselves.
    """
    pred, true = _points(pred, "pred"), _points(true, "true")
    forward, backward = cKDTree(true).query(pred)[0], cKDTree(pred).query(true)[0]
    power = 2 if squared else 1
    return Chamfer(float((forward**power).mean()), float((backward**power).mean()))


def gspn_chamfer(pred: Float[np.ndarray, "p 3"], true: Float[np.ndarray, "t 3"]) -> float:
    """Chamfer distance as GSPN trains with: squared, both directions added, clouds divided by the object's radius.

    The radius is half the diagonal of the true cloud's box; a single true point counts as of radius 1. (The paper does
    not say which chamfer distance its Table 5 shows.)
    """
    low, high = box_of_points(true)
    radius = float(np.linalg.norm(high - low)) / 2
    return chamfer_distance(pred, true, squared=True).sum / (radius or 1.0) ** 2


def _points(points: Float[np.ndarray, "n 3"], name: str) -> Float[np.ndarray, "n 3"]:
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not len(points) or not np.isfinite(points).all():
        raise ValueError(f"{name} must be (n, 3) finite coordinates of at least one point, not {points.shape}")
    return points


def _boxes(boxes: Float[np.ndarray, "n 2 3"], name: str) -> Float[np.ndarray, "n 2 3"]:
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 3 or boxes.shape[1:] != (2, 3) or not np.isfinite(boxes).all():
        raise ValueError(f"{name} must be (n, 2, 3) finite corners, not {boxes.shape}")
    if (boxes[:, 0] > boxes[:, 1]).any():
        raise ValueError(f"{name} holds a box whose low corner lies above its high one")
    return boxes
