"""Compiled association of one scan and area of one curve, by the rule of the ScanNet benchmark."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def associate(
    pred_class: np.ndarray,
    pred_size: np.ndarray,
    confidence: np.ndarray,
    void: np.ndarray,
    true_class: np.ndarray,
    true_size: np.ndarray,
    common: np.ndarray,
    thresholds: np.ndarray,
    minimum: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(hits (k, t), misses (k, t)): how often each prediction's confidence enters a curve as right and as wrong."""
    k, g = common.shape
    hits, misses = np.zeros((k, len(thresholds)), np.int64), np.zeros((k, len(thresholds)), np.int64)
    small = np.zeros(k, np.int64)
    for i in range(k):
        for j in range(g):
            if true_size[j] < minimum and true_class[j] == pred_class[i]:
                small[i] += common[i, j]
    for t in range(len(thresholds)):
        used = np.zeros(k, np.bool_)
        near = np.zeros(k, np.bool_)
        for j in range(g):
            holder = -1  # whose confidence the object has
            for i in range(k):
                if true_class[j] != pred_class[i] or common[i, j] == 0:
                    continue
                if common[i, j] / (pred_size[i] + true_size[j] - common[i, j]) <= thresholds[t]:
                    continue
                near[i] = True
                if true_size[j] < minimum or used[i]:
                    continue
                if holder < 0:
                    used[i], holder = True, i
                elif confidence[i] > confidence[holder]:
                    misses[holder, t] += 1
                    holder = i
                else:
                    misses[i, t] += 1
            if holder >= 0:
                hits[holder, t] += 1
        for i in range(k):
            if not near[i] and (void[i] + small[i]) / pred_size[i] <= thresholds[t]:
                misses[i, t] += 1
    return hits, misses


@njit(cache=True, nogil=True)
def area(order: np.ndarray, confidence: np.ndarray, hits: np.ndarray, misses: np.ndarray, n_true: int) -> float:
    """Area under the curve of one class and threshold; `order` is by falling confidence."""
    right = wrong = 0
    place = 0
    # the point of recall 0 and precision 1, and then one point for each distinct confidence that entered
    precision, recall, above = 1.0, 0.0, 0.0
    total = 0.0
    while place < len(order):
        value, entered = confidence[order[place]], False
        while place < len(order) and confidence[order[place]] == value:
            i = order[place]
            right, wrong, place = right + hits[i], wrong + misses[i], place + 1
            entered = entered or hits[i] + misses[i] > 0
        if entered:
            next_recall = right / n_true
            total += precision * (next_recall - above) / 2
            precision, recall, above = right / (right + wrong), next_recall, recall
    return total + precision * (recall - above) / 2
