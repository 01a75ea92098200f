"""Plates with holes, as one connected surface."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from partseg.data.procedural.curves import unit
from partseg.data.procedural.primitives import Mesh


def _inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    # Crossing number, all points against all edges.
    a, b = polygon, np.roll(polygon, -1, 0)
    y = points[:, 1:2]
    spans = (a[None, :, 1] > y) != (b[None, :, 1] > y)
    rise = np.where(a[:, 1] == b[:, 1], 1.0, b[:, 1] - a[:, 1])
    x = a[:, 0] + (y - a[:, 1]) / rise * (b[:, 0] - a[:, 0])
    return (spans & (points[:, :1] < x)).sum(1) % 2 == 1


def _inset(outline: np.ndarray, amount: float) -> np.ndarray:
    # Along the mean normal of the two edges at each corner; inward for counter-clockwise outlines.
    forward = unit(np.roll(outline, -1, 0) - outline)
    tangent = unit(forward + np.roll(forward, 1, 0))
    return outline + amount * np.stack([-tangent[:, 1], tangent[:, 0]], 1)


def _area(polygon: np.ndarray) -> float:
    x, y = polygon[:, 0], polygon[:, 1]
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _triangulate(loops: list[np.ndarray]) -> tuple[np.ndarray, float]:
    """Delaunay triangles (counter-clockwise) of the region inside loops[0] and outside the others, and their area."""
    from scipy.spatial import Delaunay

    points = np.concatenate(loops)
    triangles = Delaunay(points).simplices
    centres = points[triangles].mean(1)
    keep = _inside(centres, loops[0])
    for hole in loops[1:]:
        keep &= ~_inside(centres, hole)
    triangles = triangles[keep]
    a, b, c = (points[triangles[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    triangles[area < 0] = triangles[area < 0][:, ::-1]
    return triangles[np.abs(area) > 1e-12], float(np.abs(area).sum() / 2)


def extrude(
    outline: Float[np.ndarray, "k 2"],
    holes: Sequence[Float[np.ndarray, "h 2"]] = (),
    height: float = 1.0,
    bevel: float = 0.0,
) -> tuple[Mesh, Int[np.ndarray, " f"]]:
    """Plate with through holes: the region between ``outline`` and ``holes`` extruded along y from 0 to ``height``.

    The plan is (x, -z). It is cut by an unconstrained Delaunay triangulation; boundary edges are halved until they
    all occur in it, so a hole close to another costs points.

    Args:
        outline: counter-clockwise, need not be convex.
        holes: counter-clockwise loops inside the outline, disjoint.
        bevel: chamfer of the outer edges.

    Raises:
        ValueError: loops that cross.

    Returns:
        One connected mesh, and the group of each face: 0 bottom, 1 top, 2 outer wall, 3 + i the wall of hole i.
    """
    loops = [np.asarray(outline, float), *(np.asarray(h, float) for h in holes)]
    for attempt in range(4):
        inner = [_inset(loops[0], bevel), *loops[1:]] if bevel else loops
        triangles, area = _triangulate(inner)
        wanted = _area(inner[0]) - sum(_area(h) for h in inner[1:])
        if abs(area - wanted) <= 1e-6 * abs(wanted):
            break
        if attempt == 3:
            raise ValueError("the outline or a hole crosses itself or another, or they nearly touch")
        # Some boundary edge is missing from the triangulation: halve them all.
        loops = [np.stack([r, (r + np.roll(r, -1, 0)) / 2], 1).reshape(-1, 2) for r in loops]
    plan = np.concatenate(inner)
    n = len(plan)

    def lift(flat: np.ndarray, y: float) -> np.ndarray:
        return np.stack([flat[:, 0], np.full(len(flat), y), -flat[:, 1]], 1)

    vertices = [lift(plan, 0.0), lift(plan, height)]
    faces = [triangles[:, ::-1], triangles + n]
    groups = [np.zeros(len(triangles), int), np.ones(len(triangles), int)]
    start = 0
    for number, ring in enumerate(loops):
        k = len(ring)
        low, high = start + np.arange(k), n + start + np.arange(k)
        rows = [low, high]
        if number == 0 and bevel:
            base = 2 * n
            vertices += [lift(ring, bevel), lift(ring, height - bevel)]
            rows = [low, base + np.arange(k), base + k + np.arange(k), high]
        for under, over in pairwise(rows):
            wall = np.concatenate(
                [
                    np.stack([under, np.roll(under, -1), np.roll(over, -1)], 1),
                    np.stack([under, np.roll(over, -1), over], 1),
                ]
            )
            faces.append(wall if number == 0 else wall[:, ::-1])
            groups.append(np.full(2 * k, 2 + number))
        start += k
    return Mesh(np.concatenate(vertices), np.concatenate(faces).astype(np.int32)), np.concatenate(groups)
