"""Ear clipping of concave polygons, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

_MAX_WORK = 2_000_000_000  # point-in-triangle tests, a few seconds: only files made to take long need more


@njit(cache=True, nogil=True)
def clip_ears(positions, offsets, first, out, triangles):
    """Cuts each polygon into triangles ear by ear, seen along the axis nearest to its normal.

    Quadratic in the corners of a polygon for common shapes, cubic at worst, but never more than `_MAX_WORK` in all.
    Where no ear is left (polygons that cross themselves or have no area), or that is spent, any corner is cut, so a
    polygon of ``n`` corners always gives ``n - 2`` triangles.

    Args:
        positions: (c, 3) float64 corners of all polygons end to end.
        offsets: (p + 1,) int64 where each polygon begins in ``positions``.
        first: (p,) int64 added to corner numbers in the result.
        out: (p,) int64 row of ``triangles`` for each polygon's first triangle.
        triangles: (f, 3) int64, written.
    """
    work = 0
    for p in range(len(first)):
        begin, n = offsets[p], offsets[p + 1] - offsets[p]
        normal = np.zeros(3)
        for i in range(n):
            a, b = positions[begin + i], positions[begin + (i + 1) % n]
            normal[0] += a[1] * b[2] - a[2] * b[1]
            normal[1] += a[2] * b[0] - a[0] * b[2]
            normal[2] += a[0] * b[1] - a[1] * b[0]
        axis = np.argmax(np.abs(normal))
        sign = 1.0 if normal[axis] > 0 else -1.0
        u, w = (axis + 1) % 3, (axis + 2) % 3
        ring = np.arange(n)
        left = n
        row = out[p]
        start = 0
        while left > 3:
            chosen = -1
            for k in range(left if work < _MAX_WORK else 0):
                i = (start + k) % left
                a, b, c = ring[(i + left - 1) % left], ring[i], ring[(i + 1) % left]
                ax, ay = positions[begin + a, u], positions[begin + a, w]
                bx, by = positions[begin + b, u], positions[begin + b, w]
                cx, cy = positions[begin + c, u], positions[begin + c, w]
                if sign * ((bx - ax) * (cy - by) - (by - ay) * (cx - bx)) <= 0.0:
                    continue
                clear = True
                for j in range(left):
                    work += 1
                    q = ring[j]
                    if q in (a, b, c):
                        continue
                    x, y = positions[begin + q, u], positions[begin + q, w]
                    # a vertex that only coincides with a corner of the ear (a slit) does not block it
                    if (x == ax and y == ay) or (x == bx and y == by) or (x == cx and y == cy):
                        continue
                    if (
                        sign * ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) >= 0.0
                        and sign * ((cx - bx) * (y - by) - (cy - by) * (x - bx)) >= 0.0
                        and sign * ((ax - cx) * (y - cy) - (ay - cy) * (x - cx)) >= 0.0
                    ):
                        clear = False
                        break
                if clear:
                    chosen = i
                    break
            if chosen < 0:  # self-crossing or flat: cut anything, the count must hold
                chosen = start % left
            triangles[row, 0] = first[p] + ring[(chosen + left - 1) % left]
            triangles[row, 1] = first[p] + ring[chosen]
            triangles[row, 2] = first[p] + ring[(chosen + 1) % left]
            row += 1
            for j in range(chosen, left - 1):
                ring[j] = ring[j + 1]
            left -= 1
            start = chosen  # go on from the cut: long thin remainders stay balanced
        for k in range(3):
            triangles[row, k] = first[p] + ring[k]
