"""The shape diameter function: how thick a solid is beneath each face (Shapira, Shamir, Cohen-Or 2008, Sec. 3)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from partseg_baselines.bvh import build_bvh, first_hits

RAYS_AT_ONCE = 1 << 20  # bounds the memory for rays to about 100 MB


def shape_diameter(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], *, rays: int = 30, cone: float = 120.0
) -> Float[np.ndarray, "f"]:
    """Shape diameter of each face, in the mesh's units.

    From the centroid of a face a cone of rays goes inwards. Hits on a surface seen from outside (its normal against the
    ray) are dropped; the rest within one standard deviation of their median are averaged with weights 1 / angle to the
    cone's axis. The mesh should be closed with outward normals; on an open one rays that leave are ignored.

    Args:
        vertices, faces: the mesh.
        rays: rays a face, spread evenly over the cone.
        cone: opening angle, degrees, below 180.

    Returns:
        float64; NaN where no ray counts (zero-area faces, open sheets).
    """
    if rays < 1 or not 0 < cone < 180:
        raise ValueError(f"expected rays >= 1 and 0 < cone < 180, not {rays} and {cone}")
    triangles = np.asarray(vertices, np.float64)[faces]
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.linalg.norm(cross, axis=1)
    normals = cross / np.where(length > 0, length, 1.0)[:, None]
    bvh = build_bvh(triangles)
    local, angle = _cone(rays, np.deg2rad(cone) / 2)
    out = np.full(len(triangles), np.nan)
    proper = np.flatnonzero(length > 0)
    for i in range(0, len(proper), max(1, RAYS_AT_ONCE // rays)):
        some = proper[i : i + max(1, RAYS_AT_ONCE // rays)]
        directions = np.einsum("fij,rj->fri", _frames(-normals[some]), local).reshape(-1, 3)
        origins = np.repeat(triangles[some].mean(1), rays, axis=0)
        distance, hit = first_hits(bvh, origins, directions, np.repeat(some, rays))
        counts = (hit >= 0) & (np.einsum("ri,ri->r", normals[hit], directions) > 0)
        distance = np.where(counts, distance, np.nan).reshape(-1, rays)
        out[some] = _robust_mean(distance, 1.0 / angle)
    return out


def fill_unknown(
    values: Float[np.ndarray, "n"], edges: Int[np.ndarray, "m 2"], rounds: int = 100
) -> Float[np.ndarray, "n"]:
    """Replace NaN by the mean over known neighbours, ring by ring; by the overall median where none is reached.

    0 throughout when nothing is known.
    """
    values = np.array(values, np.float64)
    known = ~np.isnan(values)
    if not known.any():
        return np.zeros_like(values)
    middle = float(np.median(values[known]))
    both = np.concatenate([edges, edges[:, ::-1]])
    for _ in range(rounds):
        reach = both[~known[both[:, 0]] & known[both[:, 1]]]
        if not len(reach):
            break
        total = np.bincount(reach[:, 0], values[reach[:, 1]], len(values))
        count = np.bincount(reach[:, 0], minlength=len(values))
        new = count > 0
        values[new] = total[new] / count[new]
        known |= new
    return np.where(known, values, middle)


def log_normalized(values: Float[np.ndarray, "n"], alpha: float = 4.0) -> Float[np.ndarray, "n"]:
    """Diameters mapped to 0..1, thin parts spread out: log(1 + alpha t) / log(1 + alpha) (the paper's Eq. 1)."""
    low, high = float(values.min()), float(values.max())
    t = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return np.log1p(alpha * t) / np.log1p(alpha)


@njit(cache=True, nogil=True)
def _bilateral(values, weight, indptr, indices, sigma, rounds):  # pragma: no cover - compiled
    n = len(values)
    for _ in range(rounds):
        out = np.empty(n)
        for i in range(n):
            total, mass = values[i] * weight[i], weight[i]
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                w = weight[j] * np.exp(-((values[j] - values[i]) ** 2) / (2 * sigma * sigma))
                total += w * values[j]
                mass += w
            out[i] = total / mass if mass > 0 else values[i]
        values = out
    return values


def bilateral(
    values: Float[np.ndarray, "n"],
    area: Float[np.ndarray, "n"],
    indptr: Int[np.ndarray, "n1"],
    indices: Int[np.ndarray, "m"],
    *,
    sigma: float = 0.1,
    rounds: int = 10,
) -> Float[np.ndarray, "n"]:
    """Smooth over the adjacency (compressed rows) but not across jumps larger than a few `sigma`, area-weighted."""
    arrays = (np.ascontiguousarray(x, np.float64) for x in (values, area))
    rows = (np.ascontiguousarray(x, np.int64) for x in (indptr, indices))
    return _bilateral(*arrays, *rows, float(sigma), int(rounds))


def _cone(rays: int, half: float) -> tuple[Float[np.ndarray, "r 3"], Float[np.ndarray, "r"]]:
    """Unit directions about +z on a golden-angle spiral, even per solid angle, and their angles to the axis."""
    i = np.arange(rays)
    cosine = 1 - (i + 0.5) / rays * (1 - np.cos(half))
    turn = i * np.pi * (3 - np.sqrt(5))
    sine = np.sqrt(1 - cosine**2)
    return np.stack([sine * np.cos(turn), sine * np.sin(turn), cosine], axis=1), np.arccos(cosine)


def _frames(axis: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Rotations that take +z to each unit axis (Duff et al. 2017, without the branch)."""
    x, y, z = axis.T
    sign = np.where(z >= 0, 1.0, -1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    first = np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=1)
    second = np.stack([b, sign + y * y * a, -y], axis=1)
    return np.stack([first, second, axis], axis=2)


def _robust_mean(distance: Float[np.ndarray, "n r"], weight: Float[np.ndarray, "r"]) -> Float[np.ndarray, "n"]:
    """Weighted mean of the values within one standard deviation of their median; NaN for a row without values."""
    known = ~np.isnan(distance)
    out = np.full(len(distance), np.nan)
    some = known.any(1)
    d, k = distance[some], known[some]
    middle = np.nanmedian(d, axis=1, keepdims=True)
    keep = k & (np.abs(d - middle) <= np.nanstd(d, axis=1, keepdims=True) + 1e-12 * np.abs(middle))
    # with an even count no value need lie near the median
    keep |= k & ~keep.any(1, keepdims=True)
    w = keep * weight
    out[some] = (np.where(keep, d, 0.0) * w).sum(1) / w.sum(1)
    return out
