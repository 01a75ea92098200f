"""Compiled part of `partseg.ops.pool_faces`: clipping triangles against texel cells, and weighted sums of texels.

A polygon is an array of corners (b, c, x, y): two barycentric coordinates of the face and the place in texels on one
plane. Areas are always taken in barycentric coordinates, so a face seen edge-on by a plane, or with no area at all,
needs no case of its own.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Two axes (column, row) of each plane.
_COLUMN = (0, 1, 0)
_ROW = (1, 2, 2)
_CORNERS = 12  # a triangle cut by four lines has at most seven corners


@njit(cache=True, nogil=True)
def channels_last(planes, out):  # pragma: no cover - compiled
    """(3, c, t) -> (3, t, c), in tiles that stay in cache."""
    _, channels, texels = planes.shape
    for p in range(3):
        for t0 in range(0, texels, 64):
            for c0 in range(0, channels, 32):
                for t in range(t0, min(t0 + 64, texels)):
                    for c in range(c0, min(c0 + 32, channels)):
                        out[p, t, c] = planes[p, c, t]


@njit(cache=True, nogil=True)
def _split(polygon, n, axis, at, below, above):  # pragma: no cover - compiled
    """Cut a convex polygon at coordinate `at` of column `axis`; returns the number of corners on either side."""
    n_below, n_above = 0, 0
    for i in range(n):
        j = i + 1 if i + 1 < n else 0
        here, there = polygon[i, axis] - at, polygon[j, axis] - at
        if here <= 0:
            for k in range(4):
                below[n_below, k] = polygon[i, k]
            n_below += 1
        if here >= 0:
            for k in range(4):
                above[n_above, k] = polygon[i, k]
            n_above += 1
        if (here < 0 < there) or (there < 0 < here):
            share = here / (here - there)
            for k in range(4):
                value = polygon[i, k] + share * (polygon[j, k] - polygon[i, k])
                below[n_below, k] = value
                above[n_above, k] = value
            below[n_below, axis] = at
            above[n_above, axis] = at
            n_below += 1
            n_above += 1
    return n_below, n_above


@njit(cache=True, nogil=True)
def _cells(polygon, n, axis, size):  # pragma: no cover - compiled
    """First and last cell that a polygon reaches along an axis; -1 and size - 1 are the outsides."""
    low, high = polygon[0, axis], polygon[0, axis]
    for i in range(1, n):
        low = min(low, polygon[i, axis])
        high = max(high, polygon[i, axis])
    first = np.int64(np.floor(min(max(low, -1.0), size - 1.0)))
    last = np.int64(np.floor(min(max(high, -1.0), size - 1.0)))
    return first, last


@njit(cache=True, nogil=True)
def _cell_moments(polygon, n, column, row, moments):  # pragma: no cover - compiled
    """Integrals of 1, u, v, uv over a polygon inside one cell (u, v: place in the cell), total face = 1.

    uv is quadratic along the face: the mean over the three edge midpoints of a triangle integrates it exactly.
    """
    for k in range(4):
        moments[k] = 0.0
    b0, c0 = polygon[0, 0], polygon[0, 1]
    u0 = min(max(polygon[0, 2] - column, 0.0), 1.0)
    v0 = min(max(polygon[0, 3] - row, 0.0), 1.0)
    for i in range(1, n - 1):
        area = abs((polygon[i, 0] - b0) * (polygon[i + 1, 1] - c0) - (polygon[i + 1, 0] - b0) * (polygon[i, 1] - c0))
        u1 = min(max(polygon[i, 2] - column, 0.0), 1.0)
        v1 = min(max(polygon[i, 3] - row, 0.0), 1.0)
        u2 = min(max(polygon[i + 1, 2] - column, 0.0), 1.0)
        v2 = min(max(polygon[i + 1, 3] - row, 0.0), 1.0)
        moments[0] += area
        moments[1] += area * (u0 + u1 + u2) / 3
        moments[2] += area * (v0 + v1 + v2) / 3
        moments[3] += area * ((u0 + u1) * (v0 + v1) + (u1 + u2) * (v1 + v2) + (u2 + u0) * (v2 + v0)) / 12


@njit(cache=True, nogil=True)
def _add_cell(moments, weights, row, column, height, width, top, left):  # pragma: no cover - compiled
    """Spread a cell's integrals over its four texels; beyond the border the last texel counts."""
    r0, c0 = max(row, 0) - top, max(column, 0) - left
    r1, c1 = min(max(row, 0) + 1, height - 1) - top, min(max(column, 0) + 1, width - 1) - left
    one, u, v, uv = moments[0], moments[1], moments[2], moments[3]
    weights[r0, c0] += one - u - v + uv
    weights[r0, c1] += u - uv
    weights[r1, c0] += v - uv
    weights[r1, c1] += uv


@njit(cache=True, nogil=True)
def pool(planes, width, places, faces, low, high, out):  # pragma: no cover - compiled
    """Means of faces low..high-1.

    Args:
        planes: (3, h * w, c) float32, texels row by row.
        width: texels in a row.
        places: (3, v, 2) float64: (column, row) of each vertex on each plane, in texels.
        faces: (f, 3) int32.
        out: (f, c) float32, written.
    """
    channels = planes.shape[2]
    height = planes.shape[1] // width
    weights = np.zeros((height, width))
    moments = np.empty(4)
    # arguments of the helpers; as literals each of their values would compile one more variant
    three, x, y = np.int64(3), np.int64(2), np.int64(3)
    whole, strip, rest = np.empty((_CORNERS, 4)), np.empty((_CORNERS, 4)), np.empty((_CORNERS, 4))
    cell, tail = np.empty((_CORNERS, 4)), np.empty((_CORNERS, 4))
    for face in range(low, high):
        for k in range(channels):
            out[face, k] = 0
        for plane in range(3):
            for corner in range(3):
                whole[corner, 0] = 1.0 if corner == 1 else 0.0
                whole[corner, 1] = 1.0 if corner == 2 else 0.0
                whole[corner, 2] = places[plane, faces[face, corner], 0]
                whole[corner, 3] = places[plane, faces[face, corner], 1]
            first, last = _cells(whole, three, x, width)
            bottom, top_row = _cells(whole, three, y, height)
            left, top = max(first, 0), max(bottom, 0)
            if first == last and bottom == top_row:
                _cell_moments(whole, three, left, top, moments)
                _add_cell(moments, weights, bottom, first, height, width, top, left)
            else:
                remaining = three
                for column in range(first, last + 1):
                    if column < last:
                        n_strip, n_rest = _split(whole, remaining, x, column + 1.0, strip, rest)
                        whole, rest, remaining = rest, whole, n_rest
                    else:
                        strip, whole, n_strip = whole, strip, remaining
                    if n_strip < 3:
                        continue
                    r_first, r_last = _cells(strip, n_strip, y, height)
                    for row in range(r_first, r_last + 1):
                        if row < r_last:
                            n_cell, n_tail = _split(strip, n_strip, y, row + 1.0, cell, tail)
                            strip, tail, n_strip = tail, strip, n_tail
                        else:
                            cell, strip, n_cell = strip, cell, n_strip
                        if n_cell >= 3:
                            _cell_moments(cell, n_cell, max(column, 0), max(row, 0), moments)
                            _add_cell(moments, weights, row, column, height, width, top, left)
            right, lowest = min(max(last, 0) + 1, width - 1), min(max(top_row, 0) + 1, height - 1)
            for r in range(lowest - top + 1):
                for c in range(right - left + 1):
                    share = np.float32(weights[r, c])
                    weights[r, c] = 0.0
                    if share != 0:
                        texel = (top + r) * width + left + c
                        for k in range(channels):
                            out[face, k] += share * planes[plane, texel, k]


@njit(cache=True, nogil=True)
def look_up(planes, width, places, low, high, out):  # pragma: no cover - compiled
    """Sums of the three bilinear lookups at points low..high-1; arguments as in `pool`."""
    channels = planes.shape[2]
    height = planes.shape[1] // width
    for point in range(low, high):
        for k in range(channels):
            out[point, k] = 0
        for plane in range(3):
            x = min(max(places[plane, point, 0], 0.0), width - 1.0)
            y = min(max(places[plane, point, 1], 0.0), height - 1.0)
            c0, r0 = np.int64(x), np.int64(y)
            c1, r1 = min(c0 + 1, width - 1), min(r0 + 1, height - 1)
            u, v = np.float32(x - c0), np.float32(y - r0)
            one = np.float32(1)
            for k in range(channels):
                out[point, k] += (one - v) * (
                    (one - u) * planes[plane, r0 * width + c0, k] + u * planes[plane, r0 * width + c1, k]
                ) + v * ((one - u) * planes[plane, r1 * width + c0, k] + u * planes[plane, r1 * width + c1, k])


def places_on_planes(points, height, width):
    """(3, n, 2) float64: column and row of each point on the planes (x, y), (y, z), (x, z), in texels."""
    places = np.empty((3, len(points), 2))
    for plane in range(3):
        places[plane, :, 0] = (points[:, _COLUMN[plane]] + 1) * (0.5 * (width - 1))
        places[plane, :, 1] = (points[:, _ROW[plane]] + 1) * (0.5 * (height - 1))
    return places
