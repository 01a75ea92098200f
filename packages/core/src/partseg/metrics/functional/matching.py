"""Which predicted part answers for which true part, given how well each pair overlaps.

Two conventions are in use and give different numbers for the same prediction, so that each has a name:

- *greedy*: every true part takes the predicted part with the highest IoU; several may take the same one. Recall-like:
  predicting too many parts costs nothing (PartField, Liu et al. 2025).
- *one-to-one*: a predicted part answers for at most one true part; of all such assignments the one with the largest
  total IoU counts (Kuhn 1955; panoptic-style matching without a threshold).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit
from scipy.optimize import linear_sum_assignment

Matching = Literal["greedy", "one-to-one"]


class Matched(NamedTuple):
    """The predicted part of each true part.

    Attributes:
        iou: (t,) float64, 0..1; 0 where there is none. pred: (t,) int64 row of the predicted part, -1 for none.
    """

    iou: Float[np.ndarray, "t"]
    pred: Int[np.ndarray, "t"]


def match_parts(iou: Float[np.ndarray, "p t"], matching: Matching = "greedy") -> Matched:
    """Match the columns (true parts) of a table of IoU with its rows (predicted parts).

    Pairs of IoU 0 are no match. Of equally good rows *greedy* takes the first; equally good one-to-one assignments have
    the same mean IoU, and which of them is returned is not defined.

    Raises:
        ValueError: the table is not two-dimensional or holds NaN; an unknown matching.
    """
    iou = np.asarray(iou, np.float64)
    if iou.ndim != 2 or np.isnan(iou).any():
        raise ValueError(f"the table of IoU must be (p, t) without NaN, not {iou.shape}")
    pred, true = np.nonzero(iou > 0)
    return match_pairs(pred, true, iou[pred, true], iou.shape[1], matching)


def match_pairs(
    pred: Int[np.ndarray, "m"],
    true: Int[np.ndarray, "m"],
    iou: Float[np.ndarray, "m"],
    n_true: int,
    matching: Matching = "greedy",
) -> Matched:
    """`match_parts` from the pairs that overlap alone, for any number of predicted parts.

    Args:
        pred, true: row and column of each pair, each pair once. iou: > 0. n_true: number of true parts.
    """
    if matching not in get_args(Matching):
        raise ValueError(f"matching must be {' or '.join(get_args(Matching))}, not {matching!r}")
    best, chosen = np.zeros(n_true), np.full(n_true, -1, np.int64)
    order = np.lexsort((pred, -iou, true))
    pred, true, iou = pred[order], true[order], iou[order]
    first = np.searchsorted(true, np.arange(n_true))
    if matching == "greedy":
        some = first < np.searchsorted(true, np.arange(n_true), side="right")
        best[some], chosen[some] = iou[first[some]], pred[first[some]]
        return Matched(best, chosen)
    # The t best rows of each of t columns suffice: whoever takes a worse one finds a better one free.
    keep = np.arange(len(true)) - first[true] < n_true
    pred, true, iou = pred[keep], true[keep], iou[keep]
    rows, row = np.unique(pred, return_inverse=True)
    table = np.zeros((n_true, len(rows)))
    table[true, row] = iou
    t, r = linear_sum_assignment(table, maximize=True)
    hit = table[t, r] > 0
    best[t[hit]], chosen[t[hit]] = table[t[hit], r[hit]], rows[r[hit]]
    return Matched(best, chosen)


def mask_ious(masks: Bool[np.ndarray, "p n"], true: Int[np.ndarray, "n"]) -> Float[np.ndarray, "p t"]:
    """IoU of masks, which may overlap, with the parts of a labelling.

    Args:
        masks: one predicted part a row. true: labels, -1 for none; such elements count in the size of the masks.

    Returns:
        float64, 0..1; columns in ascending order of label. An empty mask has IoU 0 with everything.

    Raises:
        ValueError: masks that are not (p, n) booleans, or true labels that are not n integers.
    """
    masks, true = np.asarray(masks), np.asarray(true)
    if true.ndim != 1 or (true.size and true.dtype.kind not in "iu"):
        raise ValueError(f"true must be (n,) integers, not {true.dtype} {true.shape}")
    if masks.ndim != 2 or masks.dtype != bool or masks.shape[1] != len(true):
        raise ValueError(f"masks must be (p, {len(true)}) booleans, not {masks.dtype} {masks.shape}")
    ids, column = np.unique(true, return_inverse=True)
    shared = _count(np.ascontiguousarray(masks), column.astype(np.int64), len(ids))
    size, true_size = shared.sum(1), np.bincount(column, minlength=len(ids))
    known = ids != -1
    shared, true_size = shared[:, known], true_size[known]
    return shared / np.maximum(size[:, None] + true_size - shared, 1)


@njit(cache=True, nogil=True)
def _count(masks, column, n_columns):  # pragma: no cover - compiled
    out = np.zeros((masks.shape[0], n_columns), np.int64)
    for i in range(masks.shape[0]):
        for j in range(masks.shape[1]):
            out[i, column[j]] += masks[i, j]
    return out
