"""Points inside a closed surface, from samples of it: along the inner normal, within the largest ball that fits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

_NEIGHBOURS = 16
_ROUNDS = 8


def inner_radius(
    points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], rows: Int[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """Radius of the largest ball that touches the surface at `points[rows]` from inside and holds no other sample.

    Shrinking balls (Ma, Bae, Choi 2012, section 3.1): the sample nearest to the centre, if it lies inside, gives the
    smaller ball through it that is still tangent. Samples miss the far side of a sheet thinner than their spacing, so
    near samples that face the other way also bound the ball, by half the distance to their tangent planes.

    Args:
        points: samples of closed surfaces, at any spacing.
        normals: unit, outward.
        rows: which samples to touch.

    Returns:
        (m,) float64, at most half the diagonal of the box; 0 where another sample lies at the same place or behind.
    """
    xyz, out = np.asarray(points, np.float64), np.asarray(normals, np.float64)
    tree = cKDTree(xyz)
    p, n = xyz[rows], out[rows]
    limit = float(np.linalg.norm(np.ptp(xyz, axis=0))) / 2
    _, near = tree.query(p, k=min(_NEIGHBOURS, len(xyz)))
    near = near.reshape(len(p), -1)
    back = p[:, None] - xyz[near]
    radius = _tangent(back, n[:, None], limit).min(1)
    facing = np.einsum("mkj,mj->mk", out[near], n)
    height = np.einsum("mkj,mkj->mk", out[near], back) / np.minimum(facing, -0.5)
    sheet = np.where((facing < -0.5) & (height > 0), height / 2, limit)
    radius = np.minimum(radius, sheet.min(1))
    left = np.arange(len(p))
    for _ in range(_ROUNDS):
        centre = p[left] - n[left] * radius[left, None]
        distance, nearest = tree.query(centre)
        inside = distance < radius[left] * (1 - 1e-6)
        left, nearest = left[inside], nearest[inside]
        if not len(left):
            break
        radius[left] = np.minimum(radius[left], _tangent(p[left] - xyz[nearest], n[left], limit))
    return radius


def _tangent(back: np.ndarray, normal: np.ndarray, limit: float) -> np.ndarray:
    """Radius of the ball with this outward normal at p that passes through p - back; `limit` if that lies outside."""
    depth = (back * normal).sum(-1)
    square = (back * back).sum(-1)
    return np.minimum(np.divide(square, 2 * depth, out=np.full(depth.shape, limit), where=depth > 1e-9 * limit), limit)


def interior_points(
    points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], count: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "m 3"], Int[np.ndarray, " m"]]:
    """`count` points inside a closed surface and, for each, the sample it belongs to: its nearest, up to spacing.

    A point lies on the inner normal of its sample, uniform between the surface and the centre of the largest inner ball
    that touches it (PartField, section 3.1, trains on surface and interior points). Where pieces overlap, all their
    surfaces count: no point lies across one.

    Args:
        points: samples of closed surfaces with outward unit `normals`; at least one.
        count: how many points to draw.
        rng: source of everything random.

    Returns:
        points (count, 3) float32, and rows of `points` (count,) int64.
    """
    rows = rng.choice(len(points), count, replace=count > len(points))
    depth = inner_radius(points, normals, rows) * (1 - rng.random(count))
    return (points[rows] - normals[rows] * depth[:, None]).astype(np.float32), rows
