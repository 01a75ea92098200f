"""Smooth unions of tapered limbs on a grid, and their surface as an irregular triangle mesh.

A figure is a list of *limbs*; a limb is a list of *bones* (rows of ``bones``), each a capsule whose radius goes
linearly from ``ra`` to ``rb`` plus a parabolic bulge, optionally flattened along one direction:

    a (3)  b (3)  ra  rb  bulge  normal (3)  flat

Bones of a limb are joined by a polynomial smooth minimum with the limb's own ``inner`` width, limbs are joined in
their order with the limb's ``blend`` width (Quilez, "smooth minimum", quadratic form). The label of a point is the
limb whose own, unblended field is smallest there, which puts cuts into the concave seams and across joints.

Fields are negative inside and close to a distance near the surface; all lengths share one unit.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

BONE = 13  # columns of a bone row
FAR = 1e3


@njit(cache=True, nogil=True)
def _bone(bone, x, y, z):
    """First-order distance from (x, y, z) to one bone: its implicit value over the length of its gradient."""
    px, py, pz = x - bone[0], y - bone[1], z - bone[2]
    bx, by, bz = bone[3] - bone[0], bone[4] - bone[1], bone[5] - bone[2]
    nx, ny, nz, flat = bone[9], bone[10], bone[11], bone[12]
    s = 1.0 / flat - 1.0
    if s != 0.0:  # stretch space along the normal, so that the round capsule comes out flattened
        t = (px * nx + py * ny + pz * nz) * s
        px, py, pz = px + t * nx, py + t * ny, pz + t * nz
        t = (bx * nx + by * ny + bz * nz) * s
        bx, by, bz = bx + t * nx, by + t * ny, bz + t * nz
    length2 = bx * bx + by * by + bz * bz
    h = 0.0
    if length2 > 1e-18:
        h = min(1.0, max(0.0, (px * bx + py * by + pz * bz) / length2))
    vx, vy, vz = px - h * bx, py - h * by, pz - h * bz
    radius = bone[6] + h * (bone[7] - bone[6]) + 4.0 * bone[8] * h * (1.0 - h)
    dist = np.sqrt(vx * vx + vy * vy + vz * vz)
    if s == 0.0:
        return dist - radius
    if dist < 1e-9:
        return -radius * flat
    t = (vx * nx + vy * ny + vz * nz) * s
    gx, gy, gz = vx + t * nx, vy + t * ny, vz + t * nz
    return (dist - radius) * dist / np.sqrt(gx * gx + gy * gy + gz * gz)


@njit(cache=True, nogil=True)
def _smooth_min(a, b, k):
    if k <= 0.0:
        return min(a, b)
    t = k - abs(a - b)
    if t <= 0.0:
        return min(a, b)
    return min(a, b) - 0.25 * t * t / k


@njit(cache=True, nogil=True)
def _bone_box(bone, margin, low, high):
    reach = max(bone[6], bone[7]) + max(0.0, bone[8]) + margin
    for axis in range(3):
        low[axis] = min(bone[axis], bone[axis + 3]) - reach
        high[axis] = max(bone[axis], bone[axis + 3]) + reach


@njit(cache=True, nogil=True)
def _grid_field(bones, start, blend, inner, origin, cell, shape):
    """Field of the whole figure on a grid; nodes far from every limb keep ``FAR``."""
    field = np.full((shape[0], shape[1], shape[2]), FAR, np.float32)
    low, high = np.zeros(3), np.zeros(3)
    lo, hi = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for limb in range(len(blend)):
        margin = blend[limb] + inner[limb] + 2.5 * cell
        limb_lo, limb_hi = shape.copy(), np.zeros(3, np.int64)
        for i in range(start[limb], start[limb + 1]):
            _bone_box(bones[i], margin, low, high)
            for axis in range(3):
                limb_lo[axis] = min(limb_lo[axis], max(0, int((low[axis] - origin[axis]) / cell)))
                limb_hi[axis] = max(limb_hi[axis], min(shape[axis], int((high[axis] - origin[axis]) / cell) + 2))
        own = np.full((limb_hi[0] - limb_lo[0], limb_hi[1] - limb_lo[1], limb_hi[2] - limb_lo[2]), FAR, np.float32)
        k = inner[limb]
        for i in range(start[limb], start[limb + 1]):
            bone = bones[i]
            _bone_box(bone, margin, low, high)
            for axis in range(3):
                lo[axis] = max(0, int((low[axis] - origin[axis]) / cell)) - limb_lo[axis]
                hi[axis] = min(shape[axis], int((high[axis] - origin[axis]) / cell) + 2) - limb_lo[axis]
            for ix in range(lo[0], hi[0]):
                x = origin[0] + (ix + limb_lo[0]) * cell
                for iy in range(lo[1], hi[1]):
                    y = origin[1] + (iy + limb_lo[1]) * cell
                    for iz in range(lo[2], hi[2]):
                        z = origin[2] + (iz + limb_lo[2]) * cell
                        own[ix, iy, iz] = _smooth_min(own[ix, iy, iz], _bone(bone, x, y, z), k)
        k = blend[limb]
        for ix in range(own.shape[0]):
            for iy in range(own.shape[1]):
                for iz in range(own.shape[2]):
                    jx, jy, jz = ix + limb_lo[0], iy + limb_lo[1], iz + limb_lo[2]
                    field[jx, jy, jz] = _smooth_min(field[jx, jy, jz], own[ix, iy, iz], k)
    return field


@njit(cache=True, nogil=True)
def _nearest_limb(points, bones, start, inner):
    """Index of the limb with the smallest own field, per point."""
    out = np.zeros(len(points), np.int64)
    reach = np.empty(len(bones))
    middle = np.empty((len(bones), 3))
    for i in range(len(bones)):
        length2 = 0.0
        for axis in range(3):
            middle[i, axis] = 0.5 * (bones[i, axis] + bones[i, axis + 3])
            length2 += (bones[i, axis] - bones[i, axis + 3]) ** 2
        reach[i] = 0.5 * np.sqrt(length2) + max(bones[i, 6], bones[i, 7]) + max(0.0, bones[i, 8])
    for p in range(len(points)):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        best = FAR
        for limb in range(len(inner)):
            own = FAR
            for i in range(start[limb], start[limb + 1]):
                dx, dy, dz = x - middle[i, 0], y - middle[i, 1], z - middle[i, 2]
                bound = reach[i] + best + inner[limb]  # farther than this the bone cannot win
                if bound > 0.0 and dx * dx + dy * dy + dz * dz < bound * bound:
                    own = _smooth_min(own, _bone(bones[i], x, y, z), inner[limb])
            if own < best:
                best = own
                out[p] = limb
    return out


@njit(cache=True, nogil=True)
def _surface_nets(field, coin):
    """Naive surface nets (Gibson 1998): one vertex per cell the surface crosses, one quad per crossed grid edge.

    Returns vertices in grid units (float64) and triangles (int32), oriented outwards (towards positive values).
    ``coin`` (any length) draws the diagonal of each quad.
    """
    nx, ny, nz = field.shape
    index = np.full((nx - 1, ny - 1, nz - 1), -1, np.int32)
    count = 0
    for x in range(nx - 1):
        for y in range(ny - 1):
            for z in range(nz - 1):
                n = 0
                for c in range(8):
                    if field[x + (c & 1), y + ((c >> 1) & 1), z + (c >> 2)] < 0.0:
                        n += 1
                if 0 < n < 8:
                    index[x, y, z] = count
                    count += 1
    vertices = np.zeros((count, 3))
    faces = np.empty((6 * count + 6, 3), np.int32)
    used = 0
    at = np.zeros(3, np.int64)
    for x in range(nx - 1):
        for y in range(ny - 1):
            for z in range(nz - 1):
                v = index[x, y, z]
                if v < 0:
                    continue
                at[0], at[1], at[2] = x, y, z
                n = 0
                for axis in range(3):
                    u, w = (axis + 1) % 3, (axis + 2) % 3
                    for du in range(2):
                        for dw in range(2):
                            p = at.copy()
                            p[u] += du
                            p[w] += dw
                            f0 = field[p[0], p[1], p[2]]
                            q = p.copy()
                            q[axis] += 1
                            f1 = field[q[0], q[1], q[2]]
                            if (f0 < 0.0) == (f1 < 0.0):
                                continue
                            t = min(1.0, max(0.0, f0 / (f0 - f1)))
                            vertices[v, axis] += p[axis] + t
                            vertices[v, u] += p[u]
                            vertices[v, w] += p[w]
                            n += 1
                            if du == 0 and dw == 0 and at[u] > 0 and at[w] > 0:
                                i = at.copy()
                                i[u] -= 1
                                j = i.copy()
                                j[w] -= 1
                                m = at.copy()
                                m[w] -= 1
                                b = index[i[0], i[1], i[2]]
                                c4 = index[j[0], j[1], j[2]]
                                d = index[m[0], m[1], m[2]]
                                if f0 >= 0.0:  # flip, so that normals point out
                                    b, d = d, b
                                if coin[used % len(coin)]:
                                    faces[used, 0], faces[used, 1], faces[used, 2] = v, b, c4
                                    faces[used + 1, 0], faces[used + 1, 1], faces[used + 1, 2] = v, c4, d
                                else:
                                    faces[used, 0], faces[used, 1], faces[used, 2] = v, b, d
                                    faces[used + 1, 0], faces[used + 1, 1], faces[used + 1, 2] = b, c4, d
                                used += 2
                for axis in range(3):
                    vertices[v, axis] /= n
    return vertices, faces[:used]


@njit(cache=True, nogil=True)
def _project(vertices, field, steps):
    """Newton steps of vertices (grid units) onto the zero level of the trilinearly interpolated field."""
    nx, ny, nz = field.shape
    for i in range(len(vertices)):
        for _ in range(steps):
            x = min(nx - 1.001, max(0.0, vertices[i, 0]))
            y = min(ny - 1.001, max(0.0, vertices[i, 1]))
            z = min(nz - 1.001, max(0.0, vertices[i, 2]))
            ix, iy, iz = int(x), int(y), int(z)
            fx, fy, fz = x - ix, y - iy, z - iz
            value, gx, gy, gz = 0.0, 0.0, 0.0, 0.0
            for c in range(8):
                cx, cy, cz = c & 1, (c >> 1) & 1, c >> 2
                f = field[ix + cx, iy + cy, iz + cz]
                wx = fx if cx else 1.0 - fx
                wy = fy if cy else 1.0 - fy
                wz = fz if cz else 1.0 - fz
                value += f * wx * wy * wz
                gx += (f if cx else -f) * wy * wz
                gy += (f if cy else -f) * wx * wz
                gz += (f if cz else -f) * wx * wy
            g2 = gx * gx + gy * gy + gz * gz
            if g2 < 1e-12 or abs(value) > np.sqrt(g2):  # more than about a cell away: leave it
                break
            vertices[i, 0] = x - value * gx / g2
            vertices[i, 1] = y - value * gy / g2
            vertices[i, 2] = z - value * gz / g2


@njit(cache=True, nogil=True)
def _components(faces, n):
    """Component number (smallest vertex index) of every vertex."""
    root = np.arange(n)
    for f in range(len(faces)):
        for e in range(2):
            a, b = faces[f, e], faces[f, e + 1]
            while root[a] != a:
                root[a] = root[root[a]]
                a = root[a]
            while root[b] != b:
                root[b] = root[root[b]]
                b = root[b]
            if a < b:
                root[b] = a
            elif b < a:
                root[a] = b
    for v in range(n):
        r = v
        while root[r] != r:
            r = root[r]
        root[v] = r
    return root


def nearest_limb(
    points: Float[np.ndarray, "n 3"],
    bones: Float[np.ndarray, "b 13"],
    start: Int[np.ndarray, " l_plus_1"],
    inner: Float[np.ndarray, " l"],
) -> Int[np.ndarray, " n"]:
    """Index of the limb whose unblended field is smallest at each point."""
    return _nearest_limb(
        np.ascontiguousarray(points, np.float64),
        np.ascontiguousarray(bones, np.float64),
        np.ascontiguousarray(start, np.int64),
        np.ascontiguousarray(inner, np.float64),
    )


def grid_field(
    bones: Float[np.ndarray, "b 13"],
    start: Int[np.ndarray, " l_plus_1"],
    blend: Float[np.ndarray, " l"],
    inner: Float[np.ndarray, " l"],
    cell: float,
    max_nodes: int = 3_000_000,
) -> tuple[Float[np.ndarray, "x y z"], Float[np.ndarray, " 3"], float]:
    """Sample the figure's field on a grid around it.

    Args:
        bones, start, blend, inner: the figure; limb i owns ``bones[start[i]:start[i + 1]]``.
        cell: wanted grid spacing; made coarser where the grid would exceed ``max_nodes``.

    Returns:
        The float32 field, the position of its first node and the spacing used.
    """
    bones = np.ascontiguousarray(bones, np.float64)
    reach = (bones[:, 6:8].max(1) + np.maximum(bones[:, 8], 0) + 0.3 * float(np.max(blend)))[:, None]
    low = np.minimum(bones[:, :3], bones[:, 3:6]) - reach
    high = np.maximum(bones[:, :3], bones[:, 3:6]) + reach
    low, high = low.min(0), high.max(0)
    cell = max(cell, float((np.prod(high - low) / max_nodes) ** (1 / 3)))
    shape = np.ceil((high - low) / cell).astype(np.int64) + 5
    origin = low - 2 * cell
    field = _grid_field(
        bones,
        np.ascontiguousarray(start, np.int64),
        np.ascontiguousarray(blend, np.float64),
        np.ascontiguousarray(inner, np.float64),
        origin,
        float(cell),
        shape,
    )
    return field, origin, cell


def surface_nets(
    field: Float[np.ndarray, "x y z"], rng: np.random.Generator, jitter: float = 0.0
) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Zero level of a grid field as triangles, in grid units, outward orientation.

    Args:
        field: float32 samples, negative inside; the border must be positive for the surface to be closed.
        jitter: standard deviation (cells) of a random move of each vertex before it is projected back.
    """
    coin = rng.random(4096) < 0.5
    vertices, faces = _surface_nets(np.ascontiguousarray(field, np.float32), coin)
    if len(vertices) == 0:
        return vertices, faces
    if jitter:
        vertices += rng.normal(scale=jitter, size=vertices.shape).clip(-2 * jitter, 2 * jitter)
    _project(vertices, np.ascontiguousarray(field, np.float32), 2)
    return vertices, faces


def compact(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], keep: Bool[np.ndarray, " f"]
) -> tuple[Float[np.ndarray, "w 3"], Int[np.ndarray, "g 3"]]:
    """The kept faces with only the vertices they use, in their order."""
    faces = faces[keep]
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    number = np.cumsum(used) - 1
    return vertices[used], number[faces].astype(np.int32)


def largest_component(faces: Int[np.ndarray, "f 3"], n_vertices: int) -> Bool[np.ndarray, " f"]:
    """Mask of the faces of the component (joined by shared vertices) with most faces."""
    if len(faces) == 0:
        return np.zeros(0, bool)
    root = _components(np.ascontiguousarray(faces, np.int32), n_vertices)[faces[:, 0]]
    return root == np.bincount(root).argmax()
