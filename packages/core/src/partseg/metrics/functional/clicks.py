"""Interactive segmentation: how good a part gets with so many clicks, and how many clicks a part needs.

Everything is read off *IoU-click curves*: row i holds the IoU of part i after 1, 2, … clicks. iSeg3D (Qian et al. 2021,
Sec. 4) reports IoU@10 and NoC@80 and NoC@85 with at most 15 clicks, as means over the parts of a category and then over
categories; NoC is due to Xu et al., "Deep Interactive Object Selection", CVPR 2016.

Rules, the same for all functions:

- A session that ended early (its curve ends in NaN) keeps its last IoU: the user had no click to add.
- A part without any click has IoU 0 throughout.
- Clicks are those placed, not those that helped: a curve may fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int


def filled_curves(curves: Float[np.ndarray, "parts clicks"]) -> Float[np.ndarray, "parts clicks"]:
    """Curves without NaN: the last IoU is held to the end, a part without clicks gets 0.

    Raises:
        ValueError: naming the part (row): a NaN before an IoU, or an IoU outside 0..1; or no clicks at all.
    """
    curves = np.asarray(curves, np.float64)
    if curves.ndim != 2 or curves.shape[1] < 1:
        raise ValueError(f"curves must be (parts, clicks) with at least one click, not {curves.shape}")
    ended = np.isnan(curves)
    gaps = np.flatnonzero((ended[:, :-1] & ~ended[:, 1:]).any(1))
    if len(gaps):
        raise ValueError(f"curves: part {gaps[0]} has NaN before its last click")
    wrong = np.flatnonzero(((curves < 0) | (curves > 1)).any(1))
    if len(wrong):
        raise ValueError(f"curves: part {wrong[0]} has an IoU outside 0..1")
    last = np.maximum((~ended).sum(1) - 1, 0)
    held = np.take_along_axis(curves, np.minimum(np.arange(curves.shape[1]), last[:, None]), axis=1)
    return np.nan_to_num(held, nan=0.0)


def iou_at_k(curves: Float[np.ndarray, "parts clicks"], k: int) -> Float[np.ndarray, "parts"]:
    """IoU of each part after `k` clicks (IoU@k), 0..1.

    Raises:
        ValueError: curves of fewer than `k` clicks (mark sessions that ended early with NaN), or bad ones.
    """
    return _up_to(curves, k)[:, -1]


class Clicks(NamedTuple):
    """Clicks needed by each part.

    Attributes:
        clicks: (parts,) int64, 1..cap; `cap` for parts that never get there. reached: (parts,) bool.
    """

    clicks: Int[np.ndarray, "parts"]
    reached: Bool[np.ndarray, "parts"]


def number_of_clicks(curves: Float[np.ndarray, "parts clicks"], target: float, cap: int = 15) -> Clicks:
    """NoC@target: the first click after which the IoU is at least `target`.

    Parts that do not get there within `cap` clicks count `cap`, the usual rule (iSeg3D states none). Report their share
    beside the mean: it hides failures.

    Args:
        curves: as above. target: an IoU in (0, 1], such as 0.8, 0.85 or 0.9. cap: clicks looked at; iSeg3D's is 15.

    Raises:
        ValueError: target out of range, curves of fewer than `cap` clicks, or bad ones.
    """
    if not 0 < target <= 1:
        raise ValueError(f"target must be an IoU in (0, 1], not {target}")
    enough = _up_to(curves, cap) >= target
    reached = enough.any(1)
    return Clicks(np.where(reached, enough.argmax(1) + 1, cap).astype(np.int64), reached)


def area_under_clicks(curves: Float[np.ndarray, "parts clicks"], k: int) -> Float[np.ndarray, "parts"]:
    """Area under each IoU-click curve from the first click to the k-th, by the trapezoidal rule, over k - 1: 0..1.

    The area under the curve of DAVIS interactive (Caelles et al. 2018) with clicks in the place of time. For k = 1
    it is the IoU itself.

    Raises:
        ValueError: as `iou_at_k`.
    """
    curves = _up_to(curves, k)
    if k == 1:
        return curves[:, 0]
    return (curves[:, :-1] + curves[:, 1:]).sum(1) / (2 * (k - 1))


def mean_over_categories(
    values: Float[np.ndarray, "parts"], category: Sequence[int] | Int[np.ndarray, "parts"]
) -> float:
    """iSeg3D's average: mean over the parts of each category, then the plain mean over categories; NaN without parts.

    Raises:
        ValueError: not one category for each part.
    """
    values, category = np.asarray(values, np.float64), np.asarray(category)
    if values.shape != category.shape or values.ndim != 1:
        raise ValueError(f"category: {category.shape} categories for {values.shape} parts")
    if not len(values):
        return float("nan")
    _, place, count = np.unique(category, return_inverse=True, return_counts=True)
    return float((np.bincount(place, values) / count).mean())


def _up_to(curves: Float[np.ndarray, "parts clicks"], k: int) -> Float[np.ndarray, "parts k"]:
    filled = filled_curves(curves)
    if not 1 <= k <= filled.shape[1]:
        raise ValueError(f"curves of {filled.shape[1]} clicks say nothing of {k}; sessions that ended early end in NaN")
    return filled[:, :k]
