"""Points on surfaces, and well-spread subsets of points."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from partseg.geometry.shape import triangle_normals


def sample_faces(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], n: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
    """Points drawn uniformly by area.

    Args:
        vertices: positions. faces: vertex indices, at least one unless n is 0. n: number of points.
        rng: source of the draws; the same state gives the same points.

    Returns:
        points (n, 3) float32, index of the face of each (n,) int32, and barycentric coordinates (n, 3) float64.
        A mesh without area is sampled uniformly over its faces; a face without area is otherwise never chosen.

    Raises:
        ValueError: no faces to sample, or the area is not finite.
    """
    points, index, barycentric, _ = _sample(vertices, faces, n, rng)
    return points, index, barycentric


def _sample(
    vertices: np.ndarray, faces: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`sample_faces` and the unit normals of all faces."""
    vertices = np.asarray(vertices, np.float64).reshape(-1, 3)
    faces = np.asarray(faces).reshape(-1, 3)
    if n and len(faces) == 0:
        raise ValueError("a mesh without faces cannot be sampled")
    corners = vertices[faces]
    size = np.abs(corners).max(initial=0)
    if not np.isfinite(size):
        raise ValueError("vertices contain NaN or infinite coordinates")
    # Scaled first: squares of tiny or huge edges would leave the range of float64.
    normals, area = triangle_normals(vertices / (size or 1.0), faces)
    if area.sum() == 0:
        area = np.ones(len(faces))
    cumulative = np.cumsum(area)
    draws = rng.random((n, 3))
    # cumulative[i - 1] <= draw < cumulative[i]: a face without area spans nothing
    total = cumulative[-1] if len(faces) else 0.0
    index = np.searchsorted(cumulative, draws[:, 0] * total, side="right")
    index = np.minimum(index, np.searchsorted(cumulative, total))  # a draw next to 1 may round up to the total
    root = np.sqrt(draws[:, 1])
    barycentric = np.stack([1 - root, root * (1 - draws[:, 2]), root * draws[:, 2]], axis=1)
    points = np.einsum("nk,nkd->nd", barycentric, corners[index])
    return points.astype(np.float32), index.astype(np.int32), barycentric, normals


def sample_surface(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], n: int, seed: int = 0
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"], Int[np.ndarray, " n"]]:
    """Points drawn uniformly by area, with the normals of their faces.

    Args:
        vertices, faces, n: as in `sample_faces`. seed: the same seed gives the same points.

    Returns:
        points (n, 3) float32, unit normals (n, 3) float32 (zero on a face without area), face index (n,) int32.

    Raises:
        ValueError: as `sample_faces`.
    """
    points, index, _, normals = _sample(vertices, faces, n, np.random.default_rng(seed))
    return points, normals[index].astype(np.float32), index


@njit(cache=True, nogil=True)
def _farthest(points, chosen):  # pragma: no cover - compiled
    """Fill chosen[1:]; points (3, n) float32, so that one pass over them uses vector registers."""
    n = points.shape[1]
    nearest = np.full(n, np.inf, np.float32)
    for step in range(1, len(chosen)):
        last = chosen[step - 1]
        x, y, z = points[0, last], points[1, last], points[2, last]
        top = np.float32(-1)
        for i in range(n):
            dx, dy, dz = points[0, i] - x, points[1, i] - y, points[2, i] - z
            nearest[i] = min(nearest[i], dx * dx + dy * dy + dz * dz)
            top = max(top, nearest[i])
        best = 0
        while nearest[best] != top:
            best += 1
        chosen[step] = best


def farthest_point_sampling(
    points: Float[np.ndarray, "n 3"], m: int, seed: int = 0, start: int | None = None
) -> Int[np.ndarray, " m"]:
    """Indices of points of which each is the farthest from all those before it (Gonzalez 1985).

    Exact, n m steps and 8 n bytes. On ties the smallest index is taken, and once every position is taken a point that
    coincides with a chosen one (index 0 first) is returned again and again.

    Args:
        points: finite; compared in float32. m: how many, at most n.
        start: the first index; drawn from `seed` if absent.

    Returns:
        (m,) int64.

    Raises:
        ValueError: m is negative or larger than n, the start is no index, or a coordinate is not finite.
    """
    rows = np.asarray(points, np.float32).reshape(-1, 3)
    n = len(rows)
    if not 0 <= m <= n:
        raise ValueError(f"cannot choose {m} of {n} points")
    if not np.isfinite(rows).all():
        raise ValueError("points contain NaN or infinite coordinates")
    if m == 0:
        return np.empty(0, np.int64)
    first = int(np.random.default_rng(seed).integers(n)) if start is None else int(start)
    if not 0 <= first < n:
        raise ValueError(f"start {first} is no index of {n} points")
    chosen = np.empty(m, np.int64)
    chosen[0] = first
    _farthest(np.ascontiguousarray(rows.T), chosen)
    return chosen
