"""Irregular triangles: collapse edges of a grid mesh so that its faces vary in size and shape."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from partseg.data.procedural.implicit import compact


@njit(cache=True, nogil=True)
def _collapse_pass(vertices, faces, edges, where, most):
    """Collapse the first edges of the list whose neighbourhoods do not touch; returns how many (at most ``most``).

    An edge is left alone where its collapse would pinch the surface (its ends share more than two neighbours) or turn
    a face over. Faces that vanish get equal corners.
    """
    n = len(vertices)
    start = np.zeros(n + 1, np.int64)
    for f in range(len(faces)):
        for k in range(3):
            start[faces[f, k] + 1] += 1
    for v in range(n):
        start[v + 1] += start[v]
    fill = start[:-1].copy()
    around = np.empty(start[n], np.int64)
    for f in range(len(faces)):
        for k in range(3):
            around[fill[faces[f, k]]] = f
            fill[faces[f, k]] += 1
    locked = np.zeros(n, np.bool_)
    stamp = np.full(n, -1, np.int64)
    done = 0
    new = np.zeros(3)
    for e in range(len(edges)):
        if done >= most:
            break
        a, b = edges[e, 0], edges[e, 1]
        if locked[a] or locked[b]:
            continue
        fine = True
        for i in range(start[a], start[a + 1]):
            for k in range(3):
                v = faces[around[i], k]
                stamp[v] = e
                fine = fine and not locked[v]
        shared = 0
        for i in range(start[b], start[b + 1]):
            for k in range(3):
                v = faces[around[i], k]
                fine = fine and not locked[v]
                if v != a and v != b and stamp[v] == e:
                    stamp[v] = -2
                    shared += 1
        if not fine or shared != 2:
            continue
        for k in range(3):
            new[k] = vertices[a, k] + where[e] * (vertices[b, k] - vertices[a, k])
        for side in range(2):
            v = a if side == 0 else b
            for i in range(start[v], start[v + 1]):
                f = around[i]
                p, q, r = faces[f, 0], faces[f, 1], faces[f, 2]
                has_a, has_b = p == a or q == a or r == a, p == b or q == b or r == b
                if has_a and has_b:
                    continue
                while p != v:
                    p, q, r = q, r, p
                ux, uy, uz = (
                    vertices[r, 0] - vertices[q, 0],
                    vertices[r, 1] - vertices[q, 1],
                    vertices[r, 2] - vertices[q, 2],
                )
                ox, oy, oz = (
                    vertices[v, 0] - vertices[q, 0],
                    vertices[v, 1] - vertices[q, 1],
                    vertices[v, 2] - vertices[q, 2],
                )
                wx, wy, wz = new[0] - vertices[q, 0], new[1] - vertices[q, 1], new[2] - vertices[q, 2]
                oldx, oldy, oldz = uy * oz - uz * oy, uz * ox - ux * oz, ux * oy - uy * ox
                newx, newy, newz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
                dot = oldx * newx + oldy * newy + oldz * newz
                old2 = oldx * oldx + oldy * oldy + oldz * oldz
                new2 = newx * newx + newy * newy + newz * newz
                if dot <= 0.0 or dot * dot < 0.25 * old2 * new2:
                    fine = False
        if not fine:
            continue
        for side in range(2):
            v = a if side == 0 else b
            for i in range(start[v], start[v + 1]):
                for k in range(3):
                    locked[faces[around[i], k]] = True
        for k in range(3):
            vertices[a, k] = new[k]
        for i in range(start[b], start[b + 1]):
            for k in range(3):
                if faces[around[i], k] == b:
                    faces[around[i], k] = a
        done += 1
    return done


@njit(cache=True, nogil=True)
def _edges(vertices, faces, adapt):
    """Edges of a closed mesh (once each) and their length, counted as more by ``adapt`` where the surface bends."""
    normal = np.zeros_like(vertices)
    for f in range(len(faces)):
        p, q, r = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = (
            vertices[q, 0] - vertices[p, 0],
            vertices[q, 1] - vertices[p, 1],
            vertices[q, 2] - vertices[p, 2],
        )
        wx, wy, wz = (
            vertices[r, 0] - vertices[p, 0],
            vertices[r, 1] - vertices[p, 1],
            vertices[r, 2] - vertices[p, 2],
        )
        x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        for k in range(3):
            normal[faces[f, k], 0] += x
            normal[faces[f, k], 1] += y
            normal[faces[f, k], 2] += z
    for v in range(len(vertices)):
        length = np.sqrt(normal[v, 0] ** 2 + normal[v, 1] ** 2 + normal[v, 2] ** 2)
        for k in range(3):
            normal[v, k] /= max(length, 1e-12)
    edges = np.empty((3 * len(faces), 2), np.int64)
    cost = np.empty(3 * len(faces))
    n = 0
    for f in range(len(faces)):
        for k in range(3):
            a, b = faces[f, k], faces[f, (k + 1) % 3]
            if a < b:
                length, cosine = 0.0, 0.0
                for i in range(3):
                    length += (vertices[a, i] - vertices[b, i]) ** 2
                    cosine += normal[a, i] * normal[b, i]
                edges[n, 0], edges[n, 1] = a, b
                cost[n] = np.sqrt(length) * (1.0 + adapt * (1.0 - cosine))
                n += 1
    return edges[:n], cost[:n]


def irregular(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], rng: np.random.Generator, share: float
) -> tuple[Float[np.ndarray, "w 3"], Int[np.ndarray, "g 3"]]:
    """Remove about ``share`` (0..0.8) of the vertices by collapsing edges, short and flat ones rather than others.

    The result has the topology of the input; where nothing more can be collapsed fewer vertices go.
    """
    vertices, faces = vertices.copy(), np.ascontiguousarray(faces, np.int32).copy()
    target = int(len(vertices) * min(share, 0.8))
    adapt = rng.uniform(0.0, 6.0)
    # coarse here, fine there
    grade, wave = rng.uniform(0.0, 1.2), rng.normal(size=3) * rng.uniform(3, 9) / max(float(np.ptp(vertices)), 1e-9)
    while target > 0:
        edges, cost = _edges(vertices, faces, adapt)
        cost *= 0.6 + 0.8 * rng.random(len(cost), dtype=np.float32)
        cost *= np.exp(grade * np.sin(vertices @ wave))[edges[:, 0]]
        cheap = np.argpartition(cost, len(cost) // 2)[: len(cost) // 2]
        done = _collapse_pass(vertices, faces, edges[cheap], rng.uniform(0.2, 0.8, len(cheap)), target)
        a, b, c = faces.T
        vertices, faces = compact(vertices, faces, (a != b) & (b != c) & (c != a))
        if done == 0:
            break
        target -= done
    return vertices, faces
