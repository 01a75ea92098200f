"""Where each property of a row with lists begins: the one thing in PLY that has to be walked row by row."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def scan_binary(buffer, begin, count, count_sizes, item_sizes, big_endian):
    """Byte offset and length of every property of every row.

    Args:
        buffer: (b,) uint8, read-only or not.
        begin: offset of the first row.
        count: number of rows; the caller has checked that so many can exist.
        count_sizes: (k,) int64, bytes of the list length; 0 for a scalar.
        item_sizes: (k,) int64, bytes of one item.
        big_endian: byte order of the list lengths.

    Returns:
        offsets (count, k) of the first item, lengths (count, k), offset after the last row (-1: buffer too short).
    """
    k = len(count_sizes)
    offsets = np.zeros((count, k), dtype=np.int64)
    lengths = np.ones((count, k), dtype=np.int64)
    total = len(buffer)
    at = begin
    for row in range(count):
        for p in range(k):
            size = count_sizes[p]
            if at + size > total:
                return offsets, lengths, -1
            if size > 0:
                length = 0
                for i in range(size):
                    shift = 8 * (size - 1 - i) if big_endian else 8 * i
                    length |= np.int64(buffer[at + i]) << shift
                at += size
                if length < 0 or length > total:
                    return offsets, lengths, -1
                lengths[row, p] = length
            offsets[row, p] = at
            at += lengths[row, p] * item_sizes[p]
            if at > total:
                return offsets, lengths, -1
    return offsets, lengths, at


@njit(cache=True, nogil=True)
def scan_numbers(tokens, begin, count, is_list):
    """`scan_binary` for text: ``tokens`` (t,) float64, positions counted in tokens, ``is_list`` (k,) bool."""
    k = len(is_list)
    offsets = np.zeros((count, k), dtype=np.int64)
    lengths = np.ones((count, k), dtype=np.int64)
    total = len(tokens)
    at = begin
    for row in range(count):
        for p in range(k):
            if is_list[p]:
                if at >= total or not (0.0 <= tokens[at] <= total):
                    return offsets, lengths, -1
                lengths[row, p] = np.int64(tokens[at])
                at += 1
            offsets[row, p] = at
            at += lengths[row, p]
            if at > total:
                return offsets, lengths, -1
    return offsets, lengths, at
