"""First hits of rays on triangles: a bounding-volume hierarchy in compiled code, no external ray tracer.

Rays that leave one point are followed together, `LANES` at a time, in float32: the loops over them become vector
instructions, and a node is fetched once for all of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

LEAF = 8  # most triangles in a leaf, where they can be told apart
LANES = 16  # rays followed together
_BINS = 16
_DEEPEST = 48  # levels of splits by cost; below them every split halves, so that no input overflows the stack
_STACK = 128
_VISITS = 2048  # nodes a block of rays may open; ordinary meshes take tens to hundreds
_MARGIN = np.float32(2e-7)  # boxes are wider than their triangles by this
_NEAR = np.float32(1e-6)  # hits closer than this (mesh's longest side: 1) are the surface that the ray starts on
_LANE_MATH = {"nnan", "nsz", "contract", "reassoc"}  # what vector minima need; no value here is NaN


class Bvh(NamedTuple):
    """Nodes in depth-first order; the left child follows its parent. Coordinates are `(xyz - centre) * scale`.

    Attributes:
        box: (b, 6) float32: low and high corners, a little wider than the triangles.
        link: (b, 2) int32: second child and -1, or a leaf's first triangle and how many.
        triangle: (f, 3, 3) float32: corners of the triangles in leaf order.
        order: (f,) int32: numbers of those triangles in the mesh.
        centre, scale: (3,) and float, which take the mesh to longest side 1 about the origin.
    """

    box: Float[np.ndarray, "b 6"]
    link: Int[np.ndarray, "b 2"]
    triangle: Float[np.ndarray, "f 3 3"]
    order: Int[np.ndarray, "f"]
    centre: Float[np.ndarray, "3"]
    scale: float


def build_bvh(triangles: Float[np.ndarray, "f 3 3"]) -> Bvh:
    """The hierarchy of finite triangles (corners, xyz); zero-area ones are kept and never hit.

    Splits minimise the surface-area cost over 16 bins of the middles' longest side (Wald 2007): O(f log f).

    Raises:
        ValueError: no triangles, or corners that are not finite.
    """
    if not len(triangles):
        raise ValueError("no triangles")
    low, high = triangles.min((0, 1)), triangles.max((0, 1))
    if not (np.isfinite(low) & np.isfinite(high)).all():
        raise ValueError("triangles contain NaN or infinite coordinates")
    centre, longest = (low + high) / 2, float((high - low).max())
    scale = 1.0 / longest if longest > 0 else 1.0
    corners = np.ascontiguousarray((triangles - centre) * scale, np.float32)
    bounds = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    box, link, order = _build(bounds)
    return Bvh(box, link, corners[order], order, centre, scale)


@njit(cache=True, nogil=True)
def _build(bounds):  # pragma: no cover - compiled
    """Nodes over boxes (f, 6), which are brought into leaf order."""
    f = len(bounds)
    order = np.arange(f).astype(np.int32)
    box = np.empty((2 * f, 6), np.float32)
    link = np.empty((2 * f, 2), np.int32)
    todo = np.empty((_STACK, 4), np.int64)  # first, end, depth, parent of a right child or -1
    count = np.empty(_BINS, np.int64)
    bins = np.empty((_BINS, 6), np.float32)  # boxes of the bins: low corners and negated high ones, so all are minima
    cost = np.empty(_BINS)
    low, high, whole = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(6, np.float32)
    todo[0, 0], todo[0, 1], todo[0, 2], todo[0, 3] = 0, f, 0, -1
    waiting, nodes = 1, 0
    while waiting > 0:
        waiting -= 1
        first, end, depth, parent = todo[waiting, 0], todo[waiting, 1], todo[waiting, 2], todo[waiting, 3]
        node = nodes
        nodes += 1
        if parent >= 0:
            link[parent, 0] = node
        for axis in range(3):  # the node's box, and that of the middles (doubled)
            low[axis], high[axis], whole[axis], whole[3 + axis] = np.inf, -np.inf, np.inf, -np.inf
        for i in range(first, end):
            for axis in range(3):
                a, b = bounds[i, axis], bounds[i, 3 + axis]
                low[axis], high[axis] = min(low[axis], a + b), max(high[axis], a + b)
                whole[axis], whole[3 + axis] = min(whole[axis], a), max(whole[3 + axis], b)
        axis = 0
        for k in range(3):
            box[node, k] = whole[k] - _MARGIN
            box[node, 3 + k] = whole[3 + k] + _MARGIN
            if high[k] - low[k] > high[axis] - low[axis]:
                axis = k
        if end - first <= LEAF:
            link[node, 0] = first
            link[node, 1] = end - first
            continue
        cut = (first + end) // 2
        extent = high[axis] - low[axis]
        if extent > _MARGIN and depth < _DEEPEST:
            step = np.float32(_BINS * (1 - 1e-6)) / extent
            for b in range(_BINS):
                count[b] = 0
                cost[b] = 0
                for k in range(6):
                    bins[b, k] = np.inf
            for i in range(first, end):
                b = int((bounds[i, axis] + bounds[i, 3 + axis] - low[axis]) * step)
                count[b] += 1
                for k in range(3):
                    bins[b, k] = min(bins[b, k], bounds[i, k])
                    bins[b, 3 + k] = min(bins[b, 3 + k], -bounds[i, 3 + k])
            # cost of a split after each bin: surface areas times numbers of triangles, added up from both sides
            for side in range(2):
                for k in range(6):
                    whole[k] = np.inf
                total = 0
                for turn in range(_BINS - 1):
                    b = _BINS - 1 - turn if side else turn
                    total += count[b]
                    for k in range(6):
                        whole[k] = min(whole[k], bins[b, k])
                    if total > 0:
                        x, y, z = whole[0] + whole[3], whole[1] + whole[4], whole[2] + whole[5]
                        cost[b - side] += total * np.float64(x * y + y * z + z * x)
            best = 0
            for b in range(1, _BINS - 1):
                if cost[b] < cost[best]:
                    best = b
            # the first and the last bin hold triangles, so both sides of any split do
            cut, back = first, end - 1
            while cut <= back:
                if int((bounds[cut, axis] + bounds[cut, 3 + axis] - low[axis]) * step) <= best:
                    cut += 1
                else:
                    order[cut], order[back] = order[back], order[cut]
                    for k in range(6):
                        bounds[cut, k], bounds[back, k] = bounds[back, k], bounds[cut, k]
                    back -= 1
        link[node, 1] = -1
        todo[waiting, 0], todo[waiting, 1], todo[waiting, 2], todo[waiting, 3] = cut, end, depth + 1, node
        todo[waiting + 1, 0], todo[waiting + 1, 1], todo[waiting + 1, 2] = first, cut, depth + 1
        todo[waiting + 1, 3] = -1
        waiting += 2
    return box[:nodes].copy(), link[:nodes].copy(), order


class Hits(NamedTuple):
    """Nearest hits of several rays from each of several points.

    Attributes:
        distance: (n, r) float32, infinite for a miss. triangle: (n, r) int32 number in the mesh, -1 for a miss.
        leaving: (n, r) bool: the triangle's normal has a part along the ray, as where a ray leaves a solid.
    """

    distance: Float[np.ndarray, "n r"]
    triangle: Int[np.ndarray, "n r"]
    leaving: Bool[np.ndarray, "n r"]


def first_hits(
    bvh: Bvh,
    origins: Float[np.ndarray, "n 3"],
    directions: Float[np.ndarray, "n r 3"],
    skip: Int[np.ndarray, "n"] | None = None,
) -> Hits:
    """The nearest triangle on each ray.

    Hits of unit directions nearer than a millionth of the mesh's longest side do not count: there rays start.

    Args:
        origins: where rays start; points one after another should be near each other, for speed.
        directions: distances come in their lengths; `LANES` of them cost as much as one.
        skip: triangle that the rays of each origin may not hit (the one they start on), -1 for none.
    """
    n, r = directions.shape[:2]
    blocks = -(-r // LANES)
    rays = np.empty((n, blocks, 6, LANES), np.float32)
    padded = np.concatenate([directions, np.repeat(directions[:, -1:], -r % LANES, axis=1)], axis=1)
    rays[:, :, :3] = padded.reshape(n, blocks, LANES, 3).transpose(0, 1, 3, 2)
    way = rays[:, :, :3]
    rays[:, :, 3:] = 1 / np.where(np.abs(way) > 1e-30, way, np.float32(1e-30))
    start = np.ascontiguousarray((origins - bvh.centre) * bvh.scale, np.float32)
    skip = np.full(n, -1, np.int32) if skip is None else np.ascontiguousarray(skip, np.int32)
    best = np.full((n, blocks, LANES), np.inf, np.float32)
    along, hit = np.zeros_like(best), np.full(best.shape, -1, np.int32)
    _follow(*bvh[:4], start, rays, skip, best, along, hit)
    best, along, hit = (x.reshape(n, blocks * LANES)[:, :r] for x in (best, along, hit))
    return Hits(best / np.float32(bvh.scale), hit, along > 0)


@njit(cache=True, nogil=True, fastmath=_LANE_MATH, error_model="numpy")
def _follow(box, link, triangle, order, start, rays, skip, best, along, hit):  # pragma: no cover - compiled
    """Nearest hits of blocks of `LANES` rays from each point.

    Args:
        box, link, triangle, order: of the hierarchy. start: (n, 3) float32, in its coordinates.
        rays: (n, blocks, 6, LANES) float32: directions, then their finite inverses. skip: (n,) int32.
        best, along, hit: (n, blocks, LANES), preset to a miss, written: distance, the triangle's normal (not unit)
            times direction, triangle in the mesh.

    A block gives up after `_VISITS` nodes with the nearest hits so far: heaps of coincident triangles, whose boxes no
    ray can tell apart, would otherwise cost the square of their number.
    """
    stack = np.empty(_STACK, np.int32)
    zero = np.float32(0)
    for ray_block in range(start.shape[0] * rays.shape[1]):
        point, block = ray_block // rays.shape[1], ray_block % rays.shape[1]
        x, y, z = start[point, 0], start[point, 1], start[point, 2]
        ray = rays[point, block]
        nearest, normal_along, which = best[point, block], along[point, block], hit[point, block]
        top, visited = 1, 0
        stack[0] = 0
        while top > 0 and visited < _VISITS:
            top -= 1
            visited += 1
            node = stack[top]
            ax, ay, az = box[node, 0] - x, box[node, 1] - y, box[node, 2] - z
            bx, by, bz = box[node, 3] - x, box[node, 4] - y, box[node, 5] - z
            entered = 0
            for k in range(LANES):
                a, b = ax * ray[3, k], bx * ray[3, k]
                near, far = min(a, b), max(a, b)
                a, b = ay * ray[4, k], by * ray[4, k]
                near, far = max(near, min(a, b)), min(far, max(a, b))
                a, b = az * ray[5, k], bz * ray[5, k]
                near, far = max(near, min(a, b)), min(far, max(a, b))
                near, far = max(near, zero), min(far, nearest[k])
                entered += np.int32(near <= far)
            if entered == 0:
                continue
            size = link[node, 1]
            if size < 0:
                left, right = node + 1, link[node, 0]
                # nearer box first: squared distances from the point
                gap = np.float32(0)
                for side in range(2):
                    child = right if side else left
                    dx = max(max(box[child, 0] - x, x - box[child, 3]), zero)
                    dy = max(max(box[child, 1] - y, y - box[child, 4]), zero)
                    dz = max(max(box[child, 2] - z, z - box[child, 5]), zero)
                    square = dx * dx + dy * dy + dz * dz
                    gap = square - gap
                stack[top] = right if gap >= 0 else left
                stack[top + 1] = left if gap >= 0 else right
                top += 2
                continue
            for j in range(link[node, 0], link[node, 0] + size):
                number = order[j]
                if number == skip[point]:
                    continue
                # Möller and Trumbore 1997 for rays of one origin: each determinant is a vector of the triangle times d
                sx, sy, sz = x - triangle[j, 0, 0], y - triangle[j, 0, 1], z - triangle[j, 0, 2]
                ex, ey, ez = (
                    triangle[j, 1, 0] - triangle[j, 0, 0],
                    triangle[j, 1, 1] - triangle[j, 0, 1],
                    triangle[j, 1, 2] - triangle[j, 0, 2],
                )
                gx, gy, gz = (
                    triangle[j, 2, 0] - triangle[j, 0, 0],
                    triangle[j, 2, 1] - triangle[j, 0, 1],
                    triangle[j, 2, 2] - triangle[j, 0, 2],
                )
                nx, ny, nz = ey * gz - ez * gy, ez * gx - ex * gz, ex * gy - ey * gx
                ux, uy, uz = gy * sz - gz * sy, gz * sx - gx * sz, gx * sy - gy * sx
                vx, vy, vz = sy * ez - sz * ey, sz * ex - sx * ez, sx * ey - sy * ex
                height = -(nx * sx + ny * sy + nz * sz)
                for k in range(LANES):
                    dx, dy, dz = ray[0, k], ray[1, k], ray[2, k]
                    slope = nx * dx + ny * dy + nz * dz
                    # the determinants are -slope, -u, -v, so their common sign drops out of the ratios
                    u = -(ux * dx + uy * dy + uz * dz)
                    v = -(vx * dx + vy * dy + vz * dz)
                    turn = np.float32(1) if slope > 0 else np.float32(-1)
                    steep = slope * turn
                    u, v = u * turn, v * turn
                    t = height / slope if steep > 0 else np.float32(-1)
                    good = (steep > 0) & (u >= 0) & (v >= 0) & (u + v <= steep) & (t > _NEAR) & (t < nearest[k])
                    nearest[k] = t if good else nearest[k]
                    normal_along[k] = slope if good else normal_along[k]
                    which[k] = number if good else which[k]
