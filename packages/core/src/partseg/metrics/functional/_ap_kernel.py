"""Compiled passes of the instance average precisions: matching within one shape, areas under pooled curves."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def match_free(
    order: np.ndarray,
    pred_class: np.ndarray,
    pred_size: np.ndarray,
    true_class: np.ndarray,
    true_size: np.ndarray,
    common: np.ndarray,
    thresholds: np.ndarray,
) -> np.ndarray:
    """(k, t) hits: each prediction in turn takes, of the true masks of its class still free, the best with IoU > t."""
    k, g = common.shape
    lowest = thresholds.min()
    place = np.zeros(k + 1, np.int64)  # pairs that matter at any threshold, few of all
    mask, value = np.empty(k * g, np.int64), np.empty(k * g)
    number = 0
    for i in range(k):
        for j in range(g):
            if true_class[j] == pred_class[i] and common[i, j] > 0:
                iou = common[i, j] / (pred_size[i] + true_size[j] - common[i, j])
                if iou > lowest:
                    mask[number], value[number] = j, iou
                    number += 1
        place[i + 1] = number
    hits = np.zeros((k, len(thresholds)), np.bool_)
    used = np.empty(g, np.bool_)
    for t in range(len(thresholds)):
        used[:] = False
        for i in order:
            best, best_iou = -1, thresholds[t]
            for pair in range(place[i], place[i + 1]):
                if value[pair] > best_iou and not used[mask[pair]]:
                    best, best_iou = mask[pair], value[pair]
            if best >= 0:
                used[best] = True
                hits[i, t] = True
    return hits


@njit(cache=True, nogil=True)
def match_best(
    pred_class: np.ndarray,
    pred_size: np.ndarray,
    true_class: np.ndarray,
    true_size: np.ndarray,
    common: np.ndarray,
    thresholds: np.ndarray,
) -> np.ndarray:
    """(k, t) hits: each prediction in turn meets the best true mask of its class: a hit if IoU >= t and free."""
    hits = np.zeros((len(pred_class), len(thresholds)), np.bool_)
    used = np.zeros((len(true_class), len(thresholds)), np.bool_)
    for i in range(len(pred_class)):
        best, best_iou = -1, -1.0
        for j in range(len(true_class)):
            if true_class[j] == pred_class[i]:
                iou = common[i, j] / (pred_size[i] + true_size[j] - common[i, j])
                if iou > best_iou:
                    best, best_iou = j, iou
        for t in range(len(thresholds)):
            if best >= 0 and best_iou >= thresholds[t] and not used[best, t]:
                used[best, t] = True
                hits[i, t] = True
    return hits


@njit(cache=True, nogil=True)
def reached(hits: int, n_true: int, levels: np.ndarray) -> int:
    """Recall levels that `hits` of `n_true` reach: exactly of 0, 0.01 … 1, or of float64 `levels` if there are any."""
    if len(levels) == 0:
        return 1 + 100 * hits // n_true
    return np.sum(hits / n_true >= levels)


@njit(cache=True, nogil=True)
def areas(starts: np.ndarray, hits: np.ndarray, n_true: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """(g, t) mean over recall levels of the best precision at that recall or above.

    The predictions of group g are rows starts[g] … starts[g + 1] of `hits`, best first. Without `levels` (see
    `reached`) a point of recall 0 and precision 1 stands before the curve. 0 for a group without predictions, NaN for
    one without truths.
    """
    out = np.zeros((len(n_true), hits.shape[1]))
    artificial = len(levels) == 0
    number = 101 if artificial else len(levels)
    for g in range(len(n_true)):
        first, last = starts[g], starts[g + 1]
        if n_true[g] == 0:
            out[g] = np.nan
        elif last > first:
            for t in range(hits.shape[1]):
                found = 0
                for i in range(first, last):
                    found += hits[i, t]
                best, area = 0.0, 1.0 if artificial else 0.0
                for i in range(last - 1, first - 1, -1):
                    best = max(best, found / (i - first + 1))
                    if hits[i, t]:
                        below = reached(found - 1, n_true[g], levels) if artificial or found > 1 else 0
                        area += best * (reached(found, n_true[g], levels) - below)
                        found -= 1
                out[g, t] = area / number
    return out
