"""Compiled part of `hierarchy.tree_edit_distance`."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def edit_distance(first_a, below_a, first_b, below_b, relabel):  # pragma: no cover - compiled
    """Zhang's constrained distance of two trees, deletion and insertion at cost 1.

    Args:
        first_a, below_a: children of node i: below_a[first_a[i] : first_a[i + 1]], all numbered above i; b likewise.
        relabel: (p, q) float64 cost of turning a node into another.
    """
    p, q = relabel.shape
    tree = np.empty((p, q))
    forest = np.empty((p, q))  # between the children of the two nodes
    size_a, size_b = np.ones(p), np.ones(q)
    for i in range(p - 1, -1, -1):
        for k in range(first_a[i], first_a[i + 1]):
            size_a[i] += size_a[below_a[k]]
    for j in range(q - 1, -1, -1):
        for k in range(first_b[j], first_b[j + 1]):
            size_b[j] += size_b[below_b[k]]
    for i in range(p - 1, -1, -1):
        kids_a = below_a[first_a[i] : first_a[i + 1]]
        for j in range(q - 1, -1, -1):
            kids_b = below_b[first_b[j] : first_b[j + 1]]
            whole_a, whole_b = size_a[i] - 1, size_b[j] - 1
            if len(kids_a) == 0 or len(kids_b) == 0:
                apart = whole_a + whole_b
            else:
                apart = whole_a + whole_b - _gain(kids_a, kids_b, tree, size_a, size_b)
                for b in kids_b:  # all children go below one child of the other
                    apart = min(apart, whole_b + forest[i, b] - (size_b[b] - 1))
                for a in kids_a:
                    apart = min(apart, whole_a + forest[a, j] - (size_a[a] - 1))
            forest[i, j] = apart
            best = apart + relabel[i, j]
            for b in kids_b:  # the whole tree goes below one child
                best = min(best, size_b[j] + tree[i, b] - size_b[b])
            for a in kids_a:
                best = min(best, size_a[i] + tree[a, j] - size_a[a])
            tree[i, j] = best
    return tree[0, 0]


@njit(cache=True, nogil=True)
def _gain(kids_a, kids_b, tree, size_a, size_b):  # pragma: no cover - compiled
    """Largest total saving of an assignment of subtrees, over deleting and inserting them all (Kuhn 1955).

    Shortest augmenting paths with potentials, O(a^2 b) for a <= b children.
    """
    swap = len(kids_a) > len(kids_b)
    a, b = min(len(kids_a), len(kids_b)), max(len(kids_a), len(kids_b))
    cost = np.empty((a, b))
    for x in range(a):
        for y in range(b):
            i, j = (kids_a[y], kids_b[x]) if swap else (kids_a[x], kids_b[y])
            cost[x, y] = tree[i, j] - size_a[i] - size_b[j]
    if a == 1:
        return -cost.min()
    u, v = np.zeros(a + 1), np.zeros(b + 1)
    owner, way = np.zeros(b + 1, np.int64), np.zeros(b + 1, np.int64)  # row of each column from 1; 0 is none
    for x in range(1, a + 1):
        owner[0] = x
        column = 0
        nearest, done = np.full(b + 1, np.inf), np.zeros(b + 1, np.bool_)
        while owner[column] != 0:
            done[column] = True
            row, step, following = owner[column], np.inf, 0
            for y in range(1, b + 1):
                if done[y]:
                    continue
                reduced = cost[row - 1, y - 1] - u[row] - v[y]
                if reduced < nearest[y]:
                    nearest[y] = reduced
                    way[y] = column
                if nearest[y] < step:
                    step = nearest[y]
                    following = y
            for y in range(b + 1):
                if done[y]:
                    u[owner[y]] += step
                    v[y] -= step
                else:
                    nearest[y] -= step
            column = following
        while column != 0:
            owner[column] = owner[way[column]]
            column = way[column]
    total = 0.0
    for y in range(1, b + 1):
        if owner[y] != 0:
            total -= cost[owner[y] - 1, y - 1]
    return total
