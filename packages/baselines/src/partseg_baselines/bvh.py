"""First hits of rays on triangles: a bounding-volume hierarchy in compiled code, no external ray tracer.

The tree splits at the median along the longest side of the centroids' box, so it has at most log2(f) levels and no
input makes it deep; building is O(f log² f), a ray visits O(log f) nodes on ordinary meshes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numba import njit

LEAF = 4  # triangles in a leaf


class Bvh(NamedTuple):
    """Nodes in depth-first order; the left child follows its parent.

    Attributes:
        low, high: (b, 3) boxes; right: (b,) second child, -1 for a leaf; start, count: (b,) a leaf's triangles.
        corner, edge1, edge2: (f, 3) triangles in leaf order; order: (f,) their numbers in the mesh.
    """

    low: Float[np.ndarray, "b 3"]
    high: Float[np.ndarray, "b 3"]
    right: Int[np.ndarray, "b"]
    start: Int[np.ndarray, "b"]
    count: Int[np.ndarray, "b"]
    corner: Float[np.ndarray, "f 3"]
    edge1: Float[np.ndarray, "f 3"]
    edge2: Float[np.ndarray, "f 3"]
    order: Int[np.ndarray, "f"]


def build_bvh(triangles: Float[np.ndarray, "f 3 3"]) -> Bvh:
    """The hierarchy of finite triangles (corners, xyz); zero-area ones are kept and never hit."""
    triangles = np.ascontiguousarray(triangles, np.float64)
    if not len(triangles):
        raise ValueError("no triangles")
    f = len(triangles)
    low, high = triangles.min(1), triangles.max(1)
    order, start, count, right = _split(triangles.mean(1), f)
    box_low, box_high = _boxes(low[order], high[order], start, count, right)
    t = triangles[order]
    parts = (t[:, 0], t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    corner, edge1, edge2 = (np.ascontiguousarray(x) for x in parts)
    return Bvh(box_low, box_high, right, start, count, corner, edge1, edge2, order)


def _split(
    centre: Float[np.ndarray, "f 3"], f: int
) -> tuple[Int[np.ndarray, "f"], Int[np.ndarray, "b"], Int[np.ndarray, "b"], Int[np.ndarray, "b"]]:
    """Order of the triangles, and the nodes' ranges, by median splits; one numpy partition per inner node."""
    order = np.arange(f)
    start, count, right = [], [], []
    stack = [(0, f, -1)]  # range, and the node whose right child this is (-1: none)
    while stack:
        a, b, parent = stack.pop()
        node = len(start)
        start.append(a)
        count.append(b - a)
        right.append(-1)
        if parent >= 0:
            right[parent] = node
        if b - a > LEAF:
            here = centre[order[a:b]]
            axis = int(np.argmax(here.max(0) - here.min(0)))
            middle = (b - a) // 2
            order[a:b] = order[a:b][np.argpartition(here[:, axis], middle)]
            stack.append((a + middle, b, node))
            stack.append((a, a + middle, -1))
    as_int = (np.asarray(x, np.int64) for x in (start, count, right))
    return (order, *as_int)


@njit(cache=True, nogil=True)
def _boxes(low, high, start, count, right):  # pragma: no cover - compiled
    b = len(start)
    box_low, box_high = np.empty((b, 3)), np.empty((b, 3))
    for node in range(b - 1, -1, -1):
        if right[node] < 0:
            for axis in range(3):
                box_low[node, axis] = low[start[node] : start[node] + count[node], axis].min()
                box_high[node, axis] = high[start[node] : start[node] + count[node], axis].max()
        else:
            for axis in range(3):
                box_low[node, axis] = min(box_low[node + 1, axis], box_low[right[node], axis])
                box_high[node, axis] = max(box_high[node + 1, axis], box_high[right[node], axis])
    return box_low, box_high


def first_hits(
    bvh: Bvh, origins: Float[np.ndarray, "r 3"], directions: Float[np.ndarray, "r 3"], skip: Int[np.ndarray, "r"]
) -> tuple[Float[np.ndarray, "r"], Int[np.ndarray, "r"]]:
    """Distance (in lengths of the direction) and triangle of the nearest hit at a positive distance.

    Args:
        origins, directions: rays; directions need not be unit.
        skip: triangle that each ray may not hit (the one it starts on), -1 for none.

    Returns:
        Distances, infinite for a miss, and mesh triangle numbers, -1 for a miss.
    """
    arrays = (np.ascontiguousarray(x, np.float64) for x in (origins, directions))
    return _first_hits(*bvh, *arrays, np.ascontiguousarray(skip, np.int64))


@njit(cache=True, nogil=True)
def _first_hits(
    low, high, right, start, count, corner, edge1, edge2, order, origins, directions, skip
):  # pragma: no cover - compiled
    r = len(origins)
    distance, triangle = np.full(r, np.inf), np.full(r, -1, np.int64)
    stack = np.empty(128, np.int64)
    inverse = np.empty(3)
    for i in range(r):
        best, found = np.inf, -1
        ox, oy, oz = origins[i, 0], origins[i, 1], origins[i, 2]
        dx, dy, dz = directions[i, 0], directions[i, 1], directions[i, 2]
        for axis in range(3):
            d = directions[i, axis]
            inverse[axis] = 1.0 / d if abs(d) > 1e-300 else (1e300 if d >= 0 else -1e300)
        stack[0] = 0
        top = 1
        while top > 0:
            top -= 1
            node = stack[top]
            near, far = 0.0, best
            for axis in range(3):
                a = (low[node, axis] - origins[i, axis]) * inverse[axis]
                b = (high[node, axis] - origins[i, axis]) * inverse[axis]
                if a > b:
                    a, b = b, a
                near = max(near, a)
                far = min(far, b)
            if near > far * (1 + 1e-12):
                continue
            if right[node] >= 0:
                stack[top] = right[node]
                stack[top + 1] = node + 1
                top += 2
                continue
            for j in range(start[node], start[node] + count[node]):
                if order[j] == skip[i]:
                    continue
                # Möller and Trumbore 1997
                px = dy * edge2[j, 2] - dz * edge2[j, 1]
                py = dz * edge2[j, 0] - dx * edge2[j, 2]
                pz = dx * edge2[j, 1] - dy * edge2[j, 0]
                det = edge1[j, 0] * px + edge1[j, 1] * py + edge1[j, 2] * pz
                if det == 0.0:
                    continue
                sx, sy, sz = ox - corner[j, 0], oy - corner[j, 1], oz - corner[j, 2]
                u = (sx * px + sy * py + sz * pz) / det
                if u < 0.0 or u > 1.0:
                    continue
                qx = sy * edge1[j, 2] - sz * edge1[j, 1]
                qy = sz * edge1[j, 0] - sx * edge1[j, 2]
                qz = sx * edge1[j, 1] - sy * edge1[j, 0]
                v = (dx * qx + dy * qy + dz * qz) / det
                if v < 0.0 or u + v > 1.0:
                    continue
                t = (edge2[j, 0] * qx + edge2[j, 1] * qy + edge2[j, 2] * qz) / det
                if 0.0 < t < best:
                    best, found = t, order[j]
        distance[i], triangle[i] = best, found
    return distance, triangle
