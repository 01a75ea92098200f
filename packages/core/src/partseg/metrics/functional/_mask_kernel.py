"""Compiled passes over masks: counting sort, overlaps of point lists, overlaps of bit rows."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def group(keys: np.ndarray, n_keys: int) -> tuple[np.ndarray, np.ndarray]:
    """Counting sort: (starts (n_keys+1,), order (m,)); negative keys are left out. Stable."""
    starts = np.zeros(n_keys + 1, np.int64)
    for key in keys:
        if key >= 0:
            starts[key + 1] += 1
    for i in range(n_keys):
        starts[i + 1] += starts[i]
    order = np.empty(starts[n_keys], np.int64)
    place = starts[:-1].copy()
    for i, key in enumerate(keys):
        if key >= 0:
            order[place[key]] = i
            place[key] += 1
    return starts, order


@njit(cache=True, nogil=True)
def meet_lists(
    starts: np.ndarray, points: np.ndarray, owner_starts: np.ndarray, owners: np.ndarray, n_true: int
) -> np.ndarray:
    """(k, n_true) common points of each point list with each mask that owns some of its points."""
    k = len(starts) - 1
    table = np.zeros((k, n_true), np.int64)
    for i in range(k):
        for point in points[starts[i] : starts[i + 1]]:
            for owner in owners[owner_starts[point] : owner_starts[point + 1]]:
                table[i, owner] += 1
    return table


@njit(cache=True, nogil=True)
def set_bits(word: np.uint64) -> np.int64:
    """Number of set bits. The shift form that compilers turn into one instruction."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True)
def count_bits(rows: np.ndarray) -> np.ndarray:
    """(k,) set bits of each row."""
    out = np.zeros(len(rows), np.int64)
    for i in range(len(rows)):
        total = 0
        for w in range(rows.shape[1]):
            total += set_bits(rows[i, w])
        out[i] = total
    return out


@njit(cache=True, nogil=True)
def meet_bits(pred: np.ndarray, true: np.ndarray, pred_class: np.ndarray, true_class: np.ndarray) -> np.ndarray:
    """(k, g) common set bits of rows of one class; 0 for rows of different classes. Empty classes: all pairs."""
    table = np.zeros((len(pred), len(true)), np.int64)
    every = len(pred_class) == 0 or len(true_class) == 0
    for i in range(len(pred)):
        for j in range(len(true)):
            if every or pred_class[i] == true_class[j]:
                total = 0
                for w in range(pred.shape[1]):
                    total += set_bits(pred[i, w] & true[j, w])
                table[i, j] = total
    return table


@njit(cache=True, nogil=True)
def pack(rows: np.ndarray) -> np.ndarray:
    """(k, m) words of bits of (k, q) words of 8 points, a byte each; m = ceil(q / 8).

    Word j of eighth b of a row goes to word j, shifted by b: whole registers at a time, which packing neighbours
    would not allow. So point 8 * (b * m + j) + y is bit 8 * y + b of word j.
    """
    k, q = rows.shape
    m = (q + 7) // 8
    out = np.zeros((k, m), np.uint64)
    for i in range(k):
        into = out[i]
        for b in range(8):
            eighth, shift = rows[i, min(b * m, q) : min((b + 1) * m, q)], np.uint64(b)
            for j in range(len(eighth)):
                into[j] |= eighth[j] << shift
    return out


@njit(cache=True, nogil=True)
def list_bits(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Point lists (starts, points) of packed rows; points in no order."""
    k, m = rows.shape
    starts = np.zeros(k + 1, np.int64)
    starts[1:] = np.cumsum(count_bits(rows))
    points = np.empty(starts[k], np.int64)
    place = 0
    for i in range(k):
        for j in range(m):
            word = rows[i, j]
            while word:
                lowest = word & (~word + np.uint64(1))
                bit = set_bits(lowest - np.uint64(1))
                points[place] = 8 * ((bit % 8) * m + j) + bit // 8
                place += 1
                word ^= lowest
    return starts, points


@njit(cache=True, nogil=True)
def first_repeat(starts: np.ndarray, points: np.ndarray, n: int) -> np.ndarray:
    """(mask, point) of the first point that a list names twice; (-1, -1) without one."""
    seen = np.full(n, -1, np.int64)
    for i in range(len(starts) - 1):
        for point in points[starts[i] : starts[i + 1]]:
            if seen[point] == i:
                return np.array([i, point])
            seen[point] = i
    return np.array([-1, -1])
