"""Compiled part of `partseg.ops.ward`: lazy heap, adjacency lists and centroid updates.

State of a cluster lives in a *slot* (0..n-1, at first one per element); a merge keeps the slot of the larger side and
frees the other. Node numbers follow scikit-learn (merge j makes node n + j) and tell what is stale.
A pair of neighbouring clusters belongs to the one made later, which keeps the pair's value in its adjacency list and
its best pair in the heap: at most one heap entry per living cluster.
A value in a list is >= 0 when exact and negative when it is minus a lower bound.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from partseg.ops._prefetch import prefetch

# Columns of the projection behind the lower bounds: more make fewer true distances necessary but cost a larger product.
PROJECTED = 64
# |P(x - y)| is known to an absolute error e; (p - e)^2 >= (1 - RELATIVE) p^2 - e^2 (1 / RELATIVE - 1) for every p.
RELATIVE = 1e-3
_SUM = {"reassoc", "contract", "nsz"}  # lets a sum of squares use vector registers
_TINY = 1e-300


@njit(cache=True, nogil=True, fastmath=_SUM)
def _squared_distance(a, i, b, j):  # pragma: no cover - compiled
    total = 0.0
    for k in range(a.shape[1]):
        difference = np.float64(a[i, k] - b[j, k])
        total += difference * difference
    return total


@njit(cache=True, nogil=True, fastmath=_SUM)
def _projected_distance(z, i, j):  # pragma: no cover - compiled
    total = np.float32(0)
    for k in range(z.shape[1]):
        difference = z[i, k] - z[j, k]
        total += difference * difference
    return np.float64(total)


@njit(cache=True, nogil=True, fastmath=_SUM)
def subspace(sample, start):  # pragma: no cover - compiled
    """(d, p) float32: orthonormal columns close to the leading p directions of `sample` (s, d), or zero.

    One step of subspace iteration from `start` (s, p), then Gram-Schmidt, twice over. Written out rather than left to
    BLAS and LAPACK, whose threads wait for each other longer than they compute at this size when cores are shared.
    """
    n, d = sample.shape
    p = start.shape[1]
    image = start.copy()
    y = np.zeros((d, p), np.float32)
    for step in range(2):
        y[:] = 0
        for i in range(n):
            for k in range(d):
                for j in range(p):
                    y[k, j] += sample[i, k] * image[i, j]
        if step == 0:
            image[:] = 0
            for i in range(n):
                for k in range(d):
                    for j in range(p):
                        image[i, j] += sample[i, k] * y[k, j]
    columns = np.empty((p, d), np.float64)
    for j in range(p):
        whole = 0.0
        for k in range(d):
            columns[j, k] = y[k, j]
            whole += columns[j, k] * columns[j, k]
        for _ in range(2):
            for other in range(j):
                along = 0.0
                for k in range(d):
                    along += columns[other, k] * columns[j, k]
                for k in range(d):
                    columns[j, k] -= along * columns[other, k]
        left = 0.0
        for k in range(d):
            left += columns[j, k] * columns[j, k]
        scale = 0.0 if left <= 1e-20 * whole else 1 / np.sqrt(left)
        for k in range(d):
            columns[j, k] *= scale
    return columns.T.astype(np.float32)


@njit(cache=True, nogil=True)
def _blend(a, i, b, j, out, row, u, v):  # pragma: no cover - compiled
    for k in range(out.shape[1]):
        out[row, k] = u * a[i, k] + v * b[j, k]


@njit(cache=True, nogil=True)
def half_edges(edges, n):  # pragma: no cover - compiled
    """(start (n+1,), target (2m,)) of the adjacency lists; self loops are dropped."""
    start = np.zeros(n + 1, np.int32)
    for e in range(edges.shape[0]):
        if edges[e, 0] != edges[e, 1]:
            start[edges[e, 0] + 1] += 1
            start[edges[e, 1] + 1] += 1
    for i in range(n):
        start[i + 1] += start[i]
    target = np.empty(start[n], np.int32)
    fill = start[:n].copy()
    for e in range(edges.shape[0]):
        a, b = edges[e, 0], edges[e, 1]
        if a != b:
            target[fill[a]] = b
            fill[a] += 1
            target[fill[b]] = a
            fill[b] += 1
    return start, target


@njit(cache=True, nogil=True, fastmath=_SUM)
def first_values(x, weight, start, target, value, low, high):  # pragma: no cover - compiled
    """Exact values of the pairs that elements low..high-1 own; returns their largest squared norm.

    Exact rather than bounded: neighbours lie close together in memory here, which they no longer do once the heap
    decides the order, and nearly half of all merges take a pair of this kind.
    """
    largest = 0.0
    for s in range(low, high):
        norm = np.float32(0)  # only scales an error allowance
        for k in range(x.shape[1]):
            norm += x[s, k] * x[s, k]
        largest = max(largest, np.float64(norm))
        for h in range(start[s], start[s + 1]):
            t = target[h]
            if t < s:
                value[h] = _squared_distance(x, np.int32(s), x, t) * (weight[s] * weight[t] / (weight[s] + weight[t]))
    return largest


@njit(cache=True, nogil=True)
def _sift_down(key, entry, n, place, value, node, slot):  # pragma: no cover - compiled
    """Put (value, node, slot) at `place` of a 4-ary heap of n entries and let it sink."""
    while True:
        child = 4 * place + 1
        if child + 3 < n:  # the least of four without branches that the processor would have to guess
            left = child + 1 if key[child + 1] < key[child] else child
            right = child + 3 if key[child + 3] < key[child + 2] else child + 2
            least = right if key[right] < key[left] else left
        elif child < n:
            least = child
            for q in range(child + 1, n):
                if key[q] < key[least]:
                    least = q
        else:
            break
        if key[least] >= value:
            break
        key[place] = key[least]
        entry[place, 0] = entry[least, 0]
        entry[place, 1] = entry[least, 1]
        place = least
    key[place] = value
    entry[place, 0] = node
    entry[place, 1] = slot


@njit(cache=True, nogil=True)
def _best_pair(slot, node, head, following, target, value, node_of):  # pragma: no cover - compiled
    """(half-edge, value) of the least pair the cluster owns and whose other side still lives; (-1, inf) if none."""
    best, least, partner = -1, np.inf, -1
    h = head[slot]
    while h >= 0:
        other = node_of[target[h]]
        if other < node:
            v = abs(value[h])
            if v < least or (v == least and other < partner):
                best, least, partner = h, v, other
        h = following[h]
    return best, least


@njit(cache=True, nogil=True)
def _fetch(x, pool, row_of, slot):  # pragma: no cover - compiled
    row = row_of[slot]
    if row < 0:
        for k in range(0, x.shape[1], 16):
            prefetch(x, slot, k)
    else:
        for k in range(0, x.shape[1], 16):
            prefetch(pool, row, k)


@njit(cache=True, nogil=True)
def agglomerate(x, z, pool, weight, start, following, target, value, slack):  # pragma: no cover - compiled
    """Merge until no pair is left.

    Args:
        x: (n, d) float32, read only. z: (n, PROJECTED) float32, pool: (n // 2, d) float32, weight: (n,) float64: all
            overwritten. Centroids of merged clusters live in the pool; a cluster of two or more takes a row, so n // 2
            are enough, and x stays as it was.
        start, following, target, value: adjacency lists with exact values of the pairs that elements own.
        slack: absolute error allowance of the lower bounds.

    Returns:
        children (merges, 2) int64, values (merges,) float64 (half the squared scikit-learn distance), node_of (n,)
        int32 (node living in a slot, 2n for a freed slot), row_of (n,) int32 (pool row of a slot, -1: row of x).
    """
    n = x.shape[0]
    gone = 2 * n
    head = np.empty(n, np.int32)
    tail = np.empty(n, np.int32)
    node_of = np.empty(n, np.int32)
    parent = np.empty(n, np.int32)  # union-find over slots: where a freed slot went
    mark = np.full(n, -1, np.int32)
    best = np.empty(n, np.int32)
    row_of = np.full(n, -1, np.int32)
    key = np.empty(n, np.float64)
    entry = np.empty((n, 2), np.int32)
    # int64 and int32 said outright: a literal, or a wider number, would compile one more variant of the helpers
    waiting, root = np.int64(0), np.int64(0)
    for s in range(n):
        node_of[s] = s
        parent[s] = s
        head[s] = -1
        tail[s] = -1
        if start[s] < start[s + 1]:
            head[s] = start[s]
            tail[s] = start[s + 1] - 1
            for h in range(start[s], start[s + 1]):
                following[h] = h + 1
            following[tail[s]] = -1
    for s in range(n):
        h, v = _best_pair(np.int32(s), np.int32(s), head, following, target, value, node_of)
        if h >= 0:
            best[s] = h
            key[waiting] = v
            entry[waiting, 0] = s
            entry[waiting, 1] = s
            waiting += 1
    for place in range(waiting // 4, -1, -1):
        if place < waiting:
            _sift_down(key, entry, waiting, place, key[place], entry[place, 0], entry[place, 1])

    children = np.empty((n - 1, 2), np.int64)
    values = np.empty(n - 1, np.float64)
    free = np.empty(pool.shape[0], np.int32)
    n_free = 0
    n_used = 0
    done = 0
    while waiting > 0:
        node, s = entry[0, 0], entry[0, 1]
        if waiting > 4:  # the entry that comes next, most likely: its rows arrive while this one is handled
            left = 2 if key[2] < key[1] else 1
            right = 4 if key[4] < key[3] else 3
            near = right if key[right] < key[left] else left
            q = entry[near, 1]
            if node_of[q] == entry[near, 0]:
                _fetch(x, pool, row_of, q)
                q = target[best[q]]
                if node_of[q] < gone:
                    _fetch(x, pool, row_of, q)

        h = best[s]
        t = target[h]
        alive = node_of[s] == node
        if not alive or node_of[t] >= node or value[h] < 0:
            # Not a pair to merge yet: the cluster is gone, its partner is gone, or the value is only a bound.
            v = np.inf
            if alive:
                if node_of[t] < node:
                    a, b = row_of[s], row_of[t]
                    if a < 0 and b < 0:
                        distance = _squared_distance(x, s, x, t)
                    elif a < 0:
                        distance = _squared_distance(x, s, pool, b)
                    elif b < 0:
                        distance = _squared_distance(pool, a, x, t)
                    else:
                        distance = _squared_distance(pool, a, pool, b)
                    value[h] = distance * (weight[s] * weight[t] / (weight[s] + weight[t]))
                h, v = _best_pair(s, node, head, following, target, value, node_of)
            if not alive or h < 0:
                waiting -= 1
                _sift_down(key, entry, waiting, root, key[waiting], entry[waiting, 0], entry[waiting, 1])
            else:
                best[s] = h
                _sift_down(key, entry, waiting, root, v, node, s)
            continue

        children[done, 0] = node_of[t]  # the partner is always the older node
        children[done, 1] = node
        values[done] = value[h]
        node = np.int32(n + done)
        done += 1
        if weight[t] > weight[s]:
            s, t = t, s
        total = weight[s] + weight[t]
        u, v32 = np.float32(weight[s] / total), np.float32(weight[t] / total)
        a, b = row_of[s], row_of[t]
        if a < 0 and b < 0:
            if n_free > 0:
                n_free -= 1
                row = free[n_free]
            else:
                row = np.int32(n_used)
                n_used += 1
            _blend(x, s, x, t, pool, row, u, v32)
            row_of[s] = row
        elif a < 0:
            _blend(x, s, pool, b, pool, b, u, v32)
            row_of[s] = b
        elif b < 0:
            _blend(pool, a, x, t, pool, a, u, v32)
        else:
            _blend(pool, a, pool, b, pool, a, u, v32)
            free[n_free] = b
            n_free += 1
        _blend(z, s, z, t, z, s, u, v32)
        weight[s] = total
        parent[t] = s
        node_of[t] = gone
        node_of[s] = node

        if head[s] < 0:
            head[s], tail[s] = head[t], tail[t]
        elif head[t] >= 0:
            following[tail[s]] = head[t]
            tail[s] = tail[t]
        # One walk over the joined list: resolve who the neighbours are now, drop repeats, bound the new pairs.
        before, chosen, least, partner = -1, -1, np.inf, -1
        h = head[s]
        while h >= 0:
            q = target[h]
            while parent[q] != q:
                parent[q] = parent[parent[q]]
                q = parent[q]
            after = following[h]
            if q == s or mark[q] == node:
                if before < 0:
                    head[s] = after
                else:
                    following[before] = after
            else:
                mark[q] = node
                target[h] = q
                bound = _projected_distance(z, s, q) * (1 - RELATIVE) - slack
                v = max(bound * (total * weight[q] / (total + weight[q])), _TINY)
                value[h] = -v
                if v < least or (v == least and node_of[q] < partner):
                    chosen, least, partner = h, v, node_of[q]
                before = h
            h = after
        tail[s] = before
        if chosen >= 0:
            best[s] = chosen
            _sift_down(key, entry, waiting, root, least, node, s)
        else:
            waiting -= 1
            _sift_down(key, entry, waiting, root, key[waiting], entry[waiting, 0], entry[waiting, 1])
    return children[:done], values[:done], node_of, row_of
