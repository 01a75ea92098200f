"""Smoothing of face features that stops at creases: what lies on one smooth patch becomes alike, seams stay sharp."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from scipy.sparse import coo_array

_THREADS = 2
_COLUMNS = 32  # smoothed at a time: bounds the copies, and rows stay within a few cache lines
_CONVEX = (
    0.15  # people cut along concave seams (the minima rule); a convex crease counts for this much of a concave one
)


def smooth_over_faces(
    features: Float[np.ndarray, "f d"],
    edges: Int[np.ndarray, "m 2"],
    centroids: Float[np.ndarray, "f 3"],
    normals: Float[np.ndarray, "f 3"],
    areas: Float[np.ndarray, "f"],
    *,
    rounds: int = 10,
    crease: float = 5.0,
) -> Float[np.ndarray, "f d"]:
    """Repeatedly replace each face's row by a mean over itself and its neighbours.

    A neighbour counts by its area times exp(-crease · angle), the angle between the normals in radians, of which only
    a small share counts where the edge is convex: minima rule (Hoffman & Richards 1984). Smoothing therefore runs along
    limbs and panels, and hardly across the seams between them. Ours; neither PartField's paper nor release smooths.

    Args:
        features: float32 rows, smoothed in place when contiguous.
        edges: faces sharing an edge; each pair once, in either order.
        centroids, normals, areas: of the faces; normals of zero-area faces are zero and count as flat.
        rounds: times; 0 returns the features as they are.
        crease: how sharply creases stop it; 0 smooths across them.

    Returns:
        (f, d) float32. Faces without neighbours keep their row; a constant stays constant.
    """
    features = np.ascontiguousarray(features, np.float32)
    edges = np.asarray(edges)
    if rounds < 1 or len(edges) == 0:
        return features
    a, b = edges[:, 0], edges[:, 1]
    step = centroids[b] - centroids[a]
    concave = ((normals[b] - normals[a]) * step).sum(1) < 0
    sine = np.linalg.norm(np.cross(normals[a], normals[b]), axis=1)
    angle = np.arctan2(sine, (normals[a] * normals[b]).sum(1))
    weight = np.exp(-crease * np.where(concave, angle, _CONVEX * angle))
    mean = float(areas.mean())
    own = np.maximum(areas / mean, 1e-6) if mean > 0 else np.ones(len(features))
    n = len(features)
    row, column = np.concatenate([a, b]), np.concatenate([b, a])
    graph = coo_array((np.concatenate([weight, weight]) * own[column], (row, column)), shape=(n, n)).tocsr()
    arrays = (
        graph.indptr.astype(np.int64),
        graph.indices.astype(np.int32),
        graph.data.astype(np.float32),
        own.astype(np.float32),
    )
    bounds = np.linspace(0, n, _THREADS + 1).astype(np.int64)
    with ThreadPoolExecutor(_THREADS) as threads:
        for first in range(0, features.shape[1], _COLUMNS):
            old = np.ascontiguousarray(features[:, first : first + _COLUMNS])
            new = np.empty_like(old)
            for _ in range(rounds):
                jobs = [threads.submit(_step, *arrays, old, new, *bounds[i : i + 2]) for i in range(_THREADS)]
                for job in jobs:
                    job.result()
                old, new = new, old
            features[:, first : first + _COLUMNS] = old
    return features


@njit(cache=True, nogil=True)
def _step(indptr, indices, weight, own, x, out, low, high):  # pragma: no cover - compiled
    d = x.shape[1]
    for i in range(low, high):
        total = own[i]
        for c in range(d):
            out[i, c] = own[i] * x[i, c]
        for e in range(indptr[i], indptr[i + 1]):
            j, w = indices[e], weight[e]
            total += w
            for c in range(d):
                out[i, c] += w * x[j, c]
        for c in range(d):
            out[i, c] /= total
