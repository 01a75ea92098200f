"""k-means clustering: k-means++ and Lloyd's iterations on matrix products."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

# Rows whose distances to all centres are held at a time.
_CHUNK = 8192


def kmeans(
    features: Float[np.ndarray, "n d"],
    k: int,
    seed: int = 0,
    *,
    iterations: int = 300,
    tolerance: float = 1e-4,
    init: Float[np.ndarray, "k d"] | None = None,
) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "k d"]]:
    """Partition into k clusters of small variance.

    k-means++ with 2 + log k candidates a step (Arthur & Vassilvitskii 2007), then Lloyd's iterations until the centres
    move less than `tolerance` times the mean variance of a column (as scikit-learn measures it) or no label changes.
    A cluster that runs empty takes the element farthest from its centre. Time is n k d per iteration.

    Args:
        features: finite in float32. k: 1..n. seed: decides the start. iterations: at most this many.
        tolerance: see above. init: starting centres instead of k-means++.

    Returns:
        labels (n,) int64 in 0..k-1 and centres (k, d) float32, the means of their elements. With fewer than k different
        rows some labels stay unused.

    Raises:
        ValueError: k out of range, features not finite, or starting centres of another shape.
    """
    x = np.ascontiguousarray(features, np.float32)
    if x.ndim != 2 or not 1 <= k <= len(x):
        raise ValueError(f"cannot make {k} clusters of features with shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("features contain NaN or infinite values (in float32)")
    shift = x.mean(axis=0, dtype=np.float64).astype(np.float32)
    x = x - shift  # distances by the expanded square keep their digits
    square = np.einsum("nd,nd->n", x, x)
    if init is None:
        centres = _plus_plus(x, square, k, np.random.default_rng(seed))
    else:
        centres = np.asarray(init, np.float32) - shift
        if centres.shape != (k, x.shape[1]):
            raise ValueError(f"starting centres must have the shape {(k, x.shape[1])}, got {centres.shape}")
    enough = tolerance * float(x.var(axis=0, dtype=np.float64).mean())

    labels, distance = _assign(x, square, centres)
    for _ in range(iterations):
        moved = _means(x, labels, distance, centres)
        step = float(np.square(moved - centres, dtype=np.float64).sum())
        centres, before = moved, labels
        labels, distance = _assign(x, square, centres)
        if step <= enough or np.array_equal(labels, before):
            break
    count = np.bincount(labels, minlength=k)[:, None]
    centres = np.where(count > 0, _sums(x, labels, k) / np.maximum(count, 1), centres)
    return labels, (centres + shift).astype(np.float32)


def _plus_plus(x: np.ndarray, square: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    n = len(x)
    tries = 2 + int(np.log(k))
    chosen = np.empty(k, np.int64)
    chosen[0] = rng.integers(n)
    nearest = _squared(x, square, x[chosen[:1]])[:, 0].astype(np.float64)
    for step in range(1, k):
        cumulative = np.cumsum(nearest)
        draws = rng.random(tries)
        if cumulative[-1] > 0:
            candidates = np.minimum(np.searchsorted(cumulative, draws * cumulative[-1], side="right"), n - 1)
        else:  # every element coincides with a centre
            candidates = (draws * n).astype(np.int64)
        offered = np.minimum(nearest[:, None], _squared(x, square, x[candidates]))
        best = int(np.argmin(offered.sum(axis=0)))
        chosen[step] = candidates[best]
        nearest = offered[:, best]
    return x[chosen]


def _squared(x: np.ndarray, square: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n, k) squared distances, not negative."""
    product = x @ centres.T
    product *= -2
    product += square[:, None]
    product += np.einsum("kd,kd->k", centres, centres)
    return np.maximum(product, 0, out=product)


def _assign(x: np.ndarray, square: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest centre of each element and the squared distance to it."""
    labels, distance = np.empty(len(x), np.int64), np.empty(len(x), np.float32)
    for low in range(0, len(x), _CHUNK):
        part = slice(low, low + _CHUNK)
        squared = _squared(x[part], square[part], centres)
        labels[part] = squared.argmin(axis=1)
        distance[part] = np.take_along_axis(squared, labels[part, None], axis=1)[:, 0]
    return labels, distance


def _sums(x: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    ones = np.ones(len(x), np.float32)
    return csr_array((ones, labels, np.arange(len(x) + 1)), shape=(len(x), k)).T @ x


def _means(x: np.ndarray, labels: np.ndarray, distance: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Means of the clusters; an empty one moves to one of the elements that lie farthest from their centres."""
    k = len(centres)
    count = np.bincount(labels, minlength=k)
    means = _sums(x, labels, k) / np.maximum(count, 1)[:, None].astype(np.float32)
    empty = np.flatnonzero(count == 0)
    if len(empty):
        farthest = np.argsort(-distance, kind="stable")[: len(empty)]
        means[empty] = np.where(distance[farthest, None] > 0, x[farthest], centres[empty])
    return means
