"""Polygons to triangles, in the order of the file and with the way back."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

_BIG_POLYGON = 1 << 14  # ear clipping is quadratic: a larger polygon is fanned


def triangulate(
    vertices: Float[np.ndarray, "v 3"], corners: Int[np.ndarray, " c"], sizes: Int[np.ndarray, " p"]
) -> tuple[Int[np.ndarray, "f 3"], Int[np.ndarray, " f"] | None]:
    """Splits polygons into triangles.

    Triangles stay, convex polygons become fans from their first corner, concave ones are clipped ear by ear (a concave
    quadrilateral is cut at its reflex corner). A polygon of ``n >= 3`` corners gives ``n - 2`` triangles with the
    polygon's own winding; fewer corners give none.

    Args:
        vertices: positions; used only to tell convex from concave.
        corners: vertex of every corner, polygon after polygon; may be out of range (such polygons are fanned).
        sizes: corners of each polygon.

    Returns:
        corner indices of each triangle (into ``corners``) and the polygon of each triangle, or None for it when every
        polygon is a triangle.
    """
    sizes = sizes.astype(np.int64)
    if (sizes == 3).all():
        return np.arange(3 * len(sizes)).reshape(-1, 3), None
    first = np.cumsum(sizes) - sizes
    count = np.maximum(sizes - 2, 0)
    polygon = np.repeat(np.arange(len(sizes)), count)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(count) - count, count)
    triangles = first[polygon][:, None] + np.stack([np.zeros_like(step), step + 1, step + 2], 1)

    concave = _concave(vertices, corners, sizes, first)
    if len(concave):
        out = (np.cumsum(count) - count)[concave]
        positions, offsets = _gather(vertices, corners, first, sizes, concave)
        from partseg.geometry.io.ear_clipping import clip_ears  # compiled code: only if there is a concave polygon

        clip_ears(positions, offsets, first[concave], out, triangles)
    return triangles, polygon.astype(np.int32)


def _concave(vertices, corners, sizes, first) -> Int[np.ndarray, " k"]:
    """Polygons with a reflex corner (against their Newell normal), all of whose corners are usable."""
    big = np.flatnonzero((sizes > 3) & (sizes <= _BIG_POLYGON))
    if not len(big) or not len(vertices):
        return np.zeros(0, np.int64)
    positions, offsets = _gather(vertices, corners, first, sizes, big)
    with np.errstate(all="ignore"):
        owner = np.repeat(np.arange(len(big)), np.diff(offsets))
        index = np.arange(len(owner))
        following = np.where(index + 1 == offsets[owner + 1], offsets[owner], index + 1)
        previous = np.where(index == offsets[owner], offsets[owner + 1] - 1, index - 1)
        edge = positions[following] - positions
        turn = np.cross(edge[previous], edge)
        normal = np.add.reduceat(np.cross(positions, positions[following]), offsets[:-1], axis=0)
        side = (turn * normal[owner]).sum(1)
        scale = np.abs(normal).sum(1) ** 2
        reflex = np.bincount(owner[side < -1e-9 * scale[owner]], minlength=len(big)) > 0
        usable = np.isfinite(normal).all(1)
    return big[reflex & usable]


def _gather(vertices, corners, first, sizes, chosen):
    """Corner positions of some polygons, relative to each one's first corner, and where each begins."""
    offsets = np.concatenate([[0], np.cumsum(sizes[chosen])])
    owner = np.repeat(np.arange(len(chosen)), sizes[chosen])
    index = corners[first[chosen][owner] + np.arange(len(owner)) - offsets[owner]]
    inside = (index >= 0) & (index < len(vertices))
    positions = np.where(inside[:, None], vertices[np.where(inside, index, 0)], np.nan)
    return positions - positions[offsets[:-1]][owner], offsets


def strip_triangles(values: Int[np.ndarray, " c"], sizes: Int[np.ndarray, " s"]) -> Int[np.ndarray, "f 3"]:
    """Triangles of strips laid end to end; a -1 inside a strip starts another. Repeated vertices only join: dropped."""
    if len(values) < 3:
        return np.zeros((0, 3), np.int64)
    begins = np.zeros(len(values) + 1, dtype=bool)
    begins[np.cumsum(sizes) - sizes] = True
    begins[1:][values < 0] = True
    begins = begins[: len(values)]
    position = np.arange(len(values))
    since = position - np.maximum.accumulate(np.where(begins, position, 0))
    a, b, c = values[:-2], values[1:-1], values[2:]
    whole = (since[:-2] + 2 == since[2:]) & (a >= 0) & (b >= 0) & (c >= 0)
    whole &= (a != b) & (b != c) & (c != a)
    odd = since[:-2] % 2 == 1  # every other triangle of a strip is wound the other way
    return np.stack([np.where(odd, b, a), np.where(odd, a, b), c], axis=1)[whole]
