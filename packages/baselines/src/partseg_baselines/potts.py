"""Labels that follow a mixture model but change where the surface bends: a Potts field on the face graph."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit


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
    weight = weight / weight.sum() if weight.sum() > 0 else np.full(len(values), 1 / len(values))
    rank = np.argsort(values, kind="stable")
    mass = np.cumsum(weight[rank])
    at = np.searchsorted(mass, (np.arange(clusters) + 0.5) / clusters).clip(max=len(values) - 1)
    mean = np.unique(values[rank][at])
    k = len(mean)
    floor = 1e-4 * max(float(np.ptp(values)), 1e-12) ** 2  # a Gaussian may not shrink onto one value
    total = float((weight * (values - (weight * values).sum()) ** 2).sum())
    variance, share = np.full(k, max(total / k**2, floor)), np.full(k, 1 / k)
    previous = -np.inf
    for _ in range(rounds):
        log = np.log(share) - 0.5 * (np.log(2 * np.pi * variance) + (values[:, None] - mean) ** 2 / variance)
        top = log.max(1, keepdims=True)
        evidence = top + np.log(np.exp(log - top).sum(1, keepdims=True))
        responsibility = np.exp(log - evidence)
        likelihood = float((weight * evidence[:, 0]).sum())
        if likelihood - previous < 1e-7:
            break
        previous = likelihood
        held = weight @ responsibility
        held = np.maximum(held, 1e-12)
        mean = (weight * values) @ responsibility / held
        variance = np.maximum((weight[:, None] * responsibility * (values[:, None] - mean) ** 2).sum(0) / held, floor)
        share = held / held.sum()
    order = np.argsort(mean, kind="stable")
    return np.minimum((evidence - log)[:, order], 30.0)  # exp(-30): certain enough, and finite


def potts_labels(
    unary: Float[np.ndarray, "n k"], edges: Int[np.ndarray, "m 2"], weight: Float[np.ndarray, "m"], rounds: int = 50
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
