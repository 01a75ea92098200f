"""Ward's hierarchical clustering under a connectivity graph, for a million elements."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, Int

from partseg.geometry.adjacency import join_components
from partseg.ops import _ward_kernel as kernel
from partseg.ops.accel import one_blas_thread
from partseg.parts.tree import MergeTree

# Clusters left without an edge between them: up to this many are merged by Ward's criterion over all pairs.
ALL_PAIRS_UP_TO = 512
_SAMPLE = 256
_CHUNK = 4096
_THREADS = 2


def ward_tree(
    features: Float[np.ndarray, "n d"],
    edges: Int[np.ndarray, "m 2"],
    *,
    weights: Float[np.ndarray, " n"] | Int[np.ndarray, " n"] | None = None,
) -> MergeTree:
    """Full Ward tree of elements that may only merge with neighbours.

    The same merges as `sklearn.cluster.ward_tree(features, connectivity=edges)`: of all pairs of neighbouring clusters
    the one with the least `sqrt(2 |a| |b| / (|a| + |b|)) * distance of means` merges next (Ward 1963). Only the order
    of arithmetic differs (means are kept in float32, distances summed in float64), which matters for ties alone.

    The pair that merges next is found with lower bounds: distances of means in an orthonormal projection never exceed
    the true ones, and only a pair whose bound reaches the top of the queue gets its true value. Time is about
    m log n + n d, memory beside the input at most 2 n d + 300 n bytes; the input is not changed.

    Clusters still apart when no edge is left are merged all the same, up to 512 of them by Ward's criterion over all
    pairs, more of them along a spanning tree of near means. Join the graph beforehand
    (`partseg.geometry.adjacency.join_components`) to decide otherwise.

    Args:
        features: finite in float32; read-only, float64 or non-contiguous arrays are copied.
        edges: pairs of elements that may merge, in any order; repeats and self loops do not matter.
        weights: positive sizes of the elements (for example face areas); 1 each when absent.

    Returns:
        MergeTree in order of merging. Under a connectivity constraint a merge can be cheaper than the one before it;
        the heights are scikit-learn's distances, raised to the largest before them so that they never decrease.

    Raises:
        ValueError: no elements, features not finite, an edge naming no element, or weights that are not positive.
    """
    children, heights = ward_merges(features, edges, weights=weights)
    return MergeTree(children, np.maximum.accumulate(heights))


def ward_merges(
    features: Float[np.ndarray, "n d"],
    edges: Int[np.ndarray, "m 2"],
    *,
    weights: Float[np.ndarray, " n"] | Int[np.ndarray, " n"] | None = None,
) -> tuple[Int[np.ndarray, "n-1 2"], Float[np.ndarray, " n-1"]]:
    """`ward_tree` as plain arrays: children (n-1, 2) int64 and the raw distances (n-1,) float64, as scikit-learn's."""
    x = np.require(features, np.float32, ["C", "W"])
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"features must be a matrix with at least one row, got shape {x.shape}")
    n = len(x)
    edges = np.asarray(edges).reshape(-1, 2)
    if edges.size and (edges.min() < 0 or edges.max() >= n):
        raise ValueError(f"edges name elements {edges.min()}..{edges.max()}, but there are {n}")
    edges = np.require(edges, np.int32, ["C", "W"])
    if weights is None:
        weight = np.ones(n)
    else:
        weight = np.array(weights, np.float64)
        if weight.shape != (n,) or not (np.isfinite(weight).all() and (weight > 0).all()):
            raise ValueError(f"weights must be {n} positive numbers")

    children, values, roots, centroids, root_weight = _merge_connected(x, edges, weight)
    if len(roots) > 1:
        more, rest, *_ = _merge_connected(centroids, _bridges(centroids), root_weight)
        made = n + len(children) + np.arange(len(more))
        children = np.concatenate([children, np.concatenate([roots, made])[more]])
        children.sort(axis=1)
        values = np.concatenate([values, rest])
    return children, np.sqrt(2.0 * values)


def _merge_connected(
    x: np.ndarray, edges: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(children, values, nodes left, their means, their weights) once no edge is left. Overwrites weight."""
    n = len(x)
    start, target = kernel.half_edges(edges, n)
    following = np.empty(len(target), np.int32)
    value = np.empty(len(target), np.float64)
    z = np.empty((n, kernel.PROJECTED), np.float32)
    chunks = [(low, min(low + _CHUNK, n)) for low in range(0, n, _CHUNK)]

    with one_blas_thread(), ThreadPoolExecutor(_THREADS) as threads:
        basis = threads.submit(_basis, x)  # while the other thread begins with the first values

        def prepare(chunk: tuple[int, int]) -> float:
            largest = kernel.first_values(x, weight, start, target, value, *chunk)
            rows = slice(*chunk)
            with np.errstate(all="ignore"):
                _project(x[rows], basis.result(), z[rows])
            return largest

        largest = max(threads.map(prepare, chunks))
    if not np.isfinite([z.min(), z.max()]).all():  # NaN passes through both
        raise ValueError("features contain NaN or infinite values (in float32)")
    # rounding of a float32 projection and of repeated averaging, relative to the longest feature vector
    slack = (2e-6**2) * largest / kernel.RELATIVE
    pool = np.empty((max(n // 2, 1), x.shape[1]), np.float32)  # pages never written take no memory
    children, values, node_of, row_of = kernel.agglomerate(x, z, pool, weight, start, following, target, value, slack)
    left = np.flatnonzero(node_of < 2 * n)
    left = left[np.argsort(node_of[left])]
    if len(left) == 1:
        return children, values, node_of[left].astype(np.int64), x[:0], weight[left]
    rows = row_of[left]
    centroids = np.where((rows < 0)[:, None], x[left], pool[rows])
    return children, values, node_of[left].astype(np.int64), centroids, weight[left]


def _basis(x: np.ndarray) -> np.ndarray | None:
    """(d, PROJECTED) float32: orthonormal directions in which the features vary most; None to take them as they are.

    Any orthonormal basis gives valid bounds, so a sample and one step of subspace iteration are enough.
    """
    n, d = x.shape
    if d <= kernel.PROJECTED:
        return None
    sample = x[np.linspace(0, n - 1, min(n, _SAMPLE)).astype(np.int64)]
    start = np.random.default_rng(0).standard_normal((len(sample), kernel.PROJECTED), np.float32)
    with np.errstate(all="ignore"):
        sample = sample - sample.mean(axis=0)
        sample /= max(np.abs(sample).max(), np.finfo(np.float32).tiny)
        return np.ascontiguousarray(kernel.subspace(sample, start))


def _project(x: np.ndarray, basis: np.ndarray | None, z: np.ndarray) -> np.ndarray:
    """Fill z with the rows' coordinates in the basis; rows with NaN or infinite features come out not finite."""
    if basis is None:
        z[:] = 0
        z[:, : x.shape[1]] = x
        return z
    return np.matmul(x, basis, out=z)


def _bridges(centroids: np.ndarray) -> np.ndarray:
    """Edges between clusters that no given edge connects."""
    n = len(centroids)
    if n <= ALL_PAIRS_UP_TO:
        return np.stack(np.triu_indices(n, 1), axis=1).astype(np.int32)
    z = _project(centroids, _basis(centroids), np.empty((n, kernel.PROJECTED), np.float32))
    return join_components(np.empty((0, 2), np.int32), z[:, :3])
