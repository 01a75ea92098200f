"""Labels that follow a mixture model but change where the surface bends: a Potts field on the face graph."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit

BINS = 1024  # the mixture is fitted to a histogram; every value still gets its own cost


def mixture_costs(
    values: Float[np.ndarray, "n"], weight: Float[np.ndarray, "n"], clusters: int, rounds: int = 100
) -> Float[np.ndarray, "n k"]:
    """Fit a one-dimensional Gaussian mixture by EM and return -log of each value's responsibilities.

    Args:
        values: finite; weight: non-negative, e.g. face areas.
        clusters: number of Gaussians, started at evenly spread quantiles; fewer where values repeat.

    Returns:
        (n, k) costs >= 0, k <= clusters, columns by rising mean.
    """
    x, w = _histogram(values, weight)
    at = np.searchsorted(np.cumsum(w), (np.arange(clusters) + 0.5) / clusters).clip(max=len(x) - 1)
    mean = np.unique(x[at])
    k = len(mean)
    floor = 1e-4 * max(float(np.ptp(values)), 1e-12) ** 2  # a Gaussian may not shrink onto one value
    total = float((w * (x - (w * x).sum()) ** 2).sum())
    variance, share = np.full(k, max(total / k**2, floor)), np.full(k, 1 / k)
    previous = -np.inf
    for _ in range(rounds):
        log, evidence = _log_mixture(x, mean, variance, share)
        likelihood = float((w * evidence).sum())
        if likelihood - previous < 1e-7:
            break
        previous = likelihood
        responsibility = w[:, None] * np.exp(log - evidence[:, None])
        held = np.maximum(responsibility.sum(0), 1e-12)
        mean = x @ responsibility / held
        variance = np.maximum((responsibility * (x[:, None] - mean) ** 2).sum(0) / held, floor)
        share = held / held.sum()
    order = np.argsort(mean, kind="stable")
    log, evidence = _log_mixture(np.asarray(values, np.float64), mean[order], variance[order], share[order])
    return np.minimum(evidence[:, None] - log, 30.0)  # exp(-30): certain enough, and finite


def _histogram(
    values: Float[np.ndarray, "n"], weight: Float[np.ndarray, "n"]
) -> tuple[Float[np.ndarray, "b"], Float[np.ndarray, "b"]]:
    """Means and shares of the bins that hold something, by rising value."""
    weight = np.asarray(weight, np.float64)
    weight = weight / weight.sum() if weight.sum() > 0 else np.full(len(values), 1 / len(values))
    span = float(np.ptp(values))
    at = ((values - values.min()) / (span if span > 0 else 1.0) * BINS).astype(np.int64).clip(max=BINS - 1)
    share = np.bincount(at, weight, BINS)
    used = share > 0
    return np.bincount(at, weight * values, BINS)[used] / share[used], share[used]


def _log_mixture(
    x: Float[np.ndarray, "n"],
    mean: Float[np.ndarray, "k"],
    variance: Float[np.ndarray, "k"],
    share: Float[np.ndarray, "k"],
) -> tuple[Float[np.ndarray, "n k"], Float[np.ndarray, "n"]]:
    """Log of each weighted Gaussian's density, and of their sum."""
    log = np.log(share) - 0.5 * (np.log(2 * np.pi * variance) + (x[:, None] - mean) ** 2 / variance)
    top = log.max(1)
    return log, top + np.log(np.exp(log - top[:, None]).sum(1))


def potts_labels(
    unary: Float[np.ndarray, "n k"], edges: Int[np.ndarray, "m 2"], weight: Float[np.ndarray, "m"], rounds: int = 30
) -> Int[np.ndarray, "n"]:
    """Labels of low total cost: sum of `unary` plus `weight` of every edge whose ends differ.

    Sequential tree-reweighted message passing (Kolmogorov 2006); exact on trees, near the minimum on planar-like
    graphs.

    Args:
        unary: finite costs; edges: unique pairs without self loops; weight: >= 0.
        rounds: forward-and-backward passes.
    """
    n, _ = unary.shape
    edges = np.asarray(edges, np.int64).reshape(-1, 2)
    indptr, indices, across, edge = directed_rows(edges, n)
    return _trws(
        np.ascontiguousarray(unary, np.float64),
        indptr,
        indices,
        across,
        np.ascontiguousarray(np.asarray(weight, np.float64)[edge]),
        int(rounds),
    )


def directed_rows(
    edges: Int[np.ndarray, "m 2"], n: int
) -> tuple[Int[np.ndarray, "n1"], Int[np.ndarray, "m2"], Int[np.ndarray, "m2"], Int[np.ndarray, "m2"]]:
    """Both directions of every edge as compressed rows: indptr, neighbour, place of the reverse, number of the edge."""
    edges = np.asarray(edges, np.int64).reshape(-1, 2)
    m = len(edges)
    source, target = np.concatenate([edges, edges[:, ::-1]]).T
    order = np.lexsort((target, source))
    place = np.empty(2 * m, np.int64)
    place[order] = np.arange(2 * m)
    reverse = place[(order + m) % max(2 * m, 1)] if m else order
    indptr = np.r_[0, np.cumsum(np.bincount(source, minlength=n))]
    return indptr, target[order], reverse, order % max(m, 1)


@njit(cache=True, nogil=True)
def _trws(unary, indptr, indices, reverse, weight, rounds):  # pragma: no cover - compiled
    n, k = unary.shape
    message = np.zeros((len(indices), k))  # message[e]: along directed edge e, into indices[e]
    belief = np.empty(k)
    for step in range(2 * rounds):
        forward = step % 2 == 0
        for position in range(n):
            i = position if forward else n - 1 - position
            before = 0
            belief[:] = unary[i]
            for e in range(indptr[i], indptr[i + 1]):
                belief += message[reverse[e]]
                before += indices[e] < i
            after = indptr[i + 1] - indptr[i] - before
            gamma = 1.0 / max(before, after, 1)
            for e in range(indptr[i], indptr[i + 1]):
                if (indices[e] > i) != forward:
                    continue
                lowest = np.inf
                for x in range(k):
                    h = gamma * belief[x] - message[reverse[e], x]
                    message[e, x] = h
                    lowest = min(lowest, h)
                for x in range(k):
                    message[e, x] = min(message[e, x] - lowest, weight[e])
    labels = np.empty(n, np.int64)
    for i in range(n):
        belief[:] = unary[i]
        for e in range(indptr[i], indptr[i + 1]):
            if indices[e] < i:
                belief += weight[e]
                belief[labels[indices[e]]] -= weight[e]
            else:
                belief += message[reverse[e]]
        labels[i] = np.argmin(belief)
    return labels
