"""Compiled inner loops of the software renderer: triangles, discs, ambient occlusion.

Only plain arrays come in and go out; :mod:`partseg.geometry.render` prepares them. Every kernel is called with
one fixed set of dtypes, so that each compiles once.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def fill_triangles(corners, faces, near, face_id, depth, barycentric):
    """Z-buffer rasterisation in homogeneous pixel coordinates (Olano & Greer 1997), both sides of every triangle.

    Edge functions of a shared edge are exact negatives of each other in the two triangles, and both include zero,
    so no pixel between two neighbours is missed. Triangles that reach behind the camera need no clipping: their
    edge functions stay valid, only the bounding box is lost. Equal depths go to the lower face number.

    Args:
        corners: (v, 4) float64; x*w, y*w, w (pixel = x, y; centres at half integers) and depth of every vertex.
        faces: (f, 3) int32, indices into ``corners`` (checked by the caller).
        near: smallest depth drawn.
        face_id: (h, w) int32, preset to -1, written.
        depth: (h, w) float32, preset to inf, written.
        barycentric: (h, w, 3) float32, preset to 0, written: perspective-correct weights of the three corners.
    """
    height, width = face_id.shape
    slack = 1e-6  # pixels; covers the rounding of x / w, so that the box never cuts off what an edge includes
    for face in range(faces.shape[0]):
        i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
        xi, yi, wi, zi = corners[i, 0], corners[i, 1], corners[i, 2], corners[i, 3]
        xj, yj, wj, zj = corners[j, 0], corners[j, 1], corners[j, 2], corners[j, 3]
        xk, yk, wk, zk = corners[k, 0], corners[k, 1], corners[k, 2], corners[k, 3]
        if not np.isfinite(xi + yi + zi + xj + yj + zj + xk + yk + zk):
            continue
        if zi < near and zj < near and zk < near:
            continue
        left, right, top, bottom = 0, width - 1, 0, height - 1
        if zi >= near and zj >= near and zk >= near:
            ui, uj, uk = xi / wi, xj / wj, xk / wk
            vi, vj, vk = yi / wi, yj / wj, yk / wk
            low, high = min(ui, min(uj, uk)), max(ui, max(uj, uk))
            if high < 0.0 or low > width:
                continue
            left = int(np.ceil(max(low - 0.5 - slack, 0.0)))
            right = int(np.floor(min(high - 0.5 + slack, width - 1.0)))
            low, high = min(vi, min(vj, vk)), max(vi, max(vj, vk))
            if high < 0.0 or low > height:
                continue
            top = int(np.ceil(max(low - 0.5 - slack, 0.0)))
            bottom = int(np.floor(min(high - 0.5 + slack, height - 1.0)))
            if left > right or top > bottom:
                continue
        # The line opposite to a corner is the cross product of the two other corners.
        ax, ay, az = yj * wk - wj * yk, wj * xk - xj * wk, xj * yk - yj * xk
        bx, by, bz = yk * wi - wk * yi, wk * xi - xk * wi, xk * yi - yk * xi
        cx, cy, cz = yi * wj - wi * yj, wi * xj - xi * wj, xi * yj - yi * xj
        volume = ax * xi + ay * yi + az * wi
        if volume == 0.0:
            continue
        side = 1.0 if volume > 0.0 else -1.0
        for y in range(top, bottom + 1):
            v = y + 0.5
            a_row, b_row, c_row = side * (ay * v + az), side * (by * v + bz), side * (cy * v + cz)
            start, stop = left, right
            if right - left > 4:  # thin wide triangles: jump to the covered span of the row (one pixel generous)
                low, high = float(left), float(right)
                for slope, offset in ((side * ax, a_row), (side * bx, b_row), (side * cx, c_row)):
                    if slope > 0.0:
                        low = max(low, -offset / slope - 1.5)
                    elif slope < 0.0:
                        high = min(high, -offset / slope + 0.5)
                if not low <= high:
                    continue
                start, stop = int(low), int(high)
            for x in range(start, stop + 1):
                u = x + 0.5
                a, b, c = side * ax * u + a_row, side * bx * u + b_row, side * cx * u + c_row
                total = a + b + c
                if a < 0.0 or b < 0.0 or c < 0.0 or total <= 0.0:
                    continue
                z = (a * zi + b * zj + c * zk) / total
                if z >= near and np.float32(z) < depth[y, x]:
                    depth[y, x] = z
                    face_id[y, x] = face
                    barycentric[y, x, 0] = a / total
                    barycentric[y, x, 1] = b / total
                    barycentric[y, x, 2] = c / total


@njit(cache=True, nogil=True)
def fill_discs(centres, radius, ratio, near, face_id, front, depth, weight):
    """Depth-tested discs, then one blended surface depth per pixel (two-pass surface splatting without normals).

    The first pass draws every point as a ball and keeps the nearest in ``face_id``. The second takes the weighted
    mean depth of all points near the visible layer, over discs wider than the balls, which removes the bumps.

    Args:
        centres: (n, 3) float64; pixel x, pixel y, depth.
        radius: world radius of the balls.
        ratio: (n,) float64; pixels per world unit at each point.
        near: smallest depth drawn.
        face_id: (h, w) int32, preset to -1, written: number of the point in front.
        front: (h, w) float32, preset to inf, scratch: depth of the balls.
        depth: (h, w) float32, preset to 0, written: blended depth, where ``face_id`` is not -1.
        weight: (h, w) float32, preset to 0, scratch.
    """
    height, width = face_id.shape
    for blend in range(2):
        widen = 2.0 if blend else 1.0
        for i in range(centres.shape[0]):
            u, v, z = centres[i, 0], centres[i, 1], centres[i, 2]
            if not (z >= near and np.isfinite(u + v + z)):
                continue
            reach = max(radius * ratio[i], 0.75) * widen
            if not (u + reach > 0.0 and v + reach > 0.0 and u - reach < width and v - reach < height):
                continue
            left, right = int(max(u - reach, 0.0)), int(min(u + reach, width - 1.0))
            top, bottom = int(max(v - reach, 0.0)), int(min(v + reach, height - 1.0))
            for y in range(top, bottom + 1):
                dy = y + 0.5 - v
                for x in range(left, right + 1):
                    dx = x + 0.5 - u
                    inside = 1.0 - (dx * dx + dy * dy) / (reach * reach)
                    if inside < 0.0:
                        continue
                    if blend:
                        if face_id[y, x] >= 0 and z <= front[y, x] + 3.0 * radius:
                            share = inside * inside + 1e-6
                            depth[y, x] += share * z
                            weight[y, x] += share
                    else:
                        surface = z - radius * np.sqrt(inside)
                        if surface < front[y, x]:
                            front[y, x] = surface
                            face_id[y, x] = i
    for y in range(height):
        for x in range(width):
            if face_id[y, x] >= 0:
                depth[y, x] /= weight[y, x]


@njit(cache=True, nogil=True)
def occlude(depth, normals, offsets, focal, perspective, reach, occlusion):
    """Screen-space ambient occlusion: how much of the near hemisphere of a pixel is filled by other pixels.

    Args:
        depth: (h, w) float32, inf where empty.
        normals: (h, w, 3) float32, camera space, towards the viewer.
        offsets: (16, s, 2) int32; pixel offsets to look at, one list for every place in a 4 x 4 tile.
        focal: pixels per world unit at depth 1 (perspective) or at any depth (orthographic).
        perspective: whether positions spread with depth.
        reach: world distance beyond which nothing occludes.
        occlusion: (h, w) float32, written: mean of max(0, cosine) * (1 - (distance / reach)^2) over the offsets,
            0 (open) to 1.
    """
    height, width = depth.shape
    samples = offsets.shape[1]
    for y in range(height):
        for x in range(width):
            z = depth[y, x]
            if not np.isfinite(z):
                occlusion[y, x] = 0.0
                continue
            spread = (z if perspective else 1.0) / focal
            px, py = (x + 0.5 - 0.5 * width) * spread, (0.5 * height - y - 0.5) * spread
            nx, ny, nz = normals[y, x, 0], normals[y, x, 1], normals[y, x, 2]
            tile = (x & 3) + 4 * (y & 3)
            total = 0.0
            for s in range(samples):
                sx, sy = x + offsets[tile, s, 0], y + offsets[tile, s, 1]
                if sx < 0 or sy < 0 or sx >= width or sy >= height:
                    continue
                sz = depth[sy, sx]
                if not np.isfinite(sz):
                    continue
                spread = (sz if perspective else 1.0) / focal
                dx = (sx + 0.5 - 0.5 * width) * spread - px
                dy = (0.5 * height - sy - 0.5) * spread - py
                dz = z - sz
                square = (dx * dx + dy * dy + dz * dz) / (reach * reach)
                if square >= 1.0 or square <= 0.0:
                    continue
                cosine = (dx * nx + dy * ny + dz * nz) / (np.sqrt(square) * reach) - 0.12
                if cosine > 0.0:
                    total += cosine * (1.0 - square)
            occlusion[y, x] = total / samples


@njit(cache=True, nogil=True)
def smooth_corners(vertices, faces, cosine, crowd, area, length, start, around, out):
    """Normal of every face corner: area-weighted mean over the faces around the vertex that bend away only gently.

    Args:
        vertices: (v, 3) float64.
        faces: (f, 3) int32, valid indices.
        cosine: two faces blend if the angle of their normals, whatever the winding, has at least this cosine.
        crowd: vertices with more faces than this are left flat, which bounds the work.
        area: (f, 3) float64, preset to 0, scratch.
        length: (f,) float64, preset to 0, scratch.
        start: (v + 2,) int64, preset to 0, scratch.
        around: (3 f,) int32, scratch.
        out: (f, 3, 3) float32, preset to 0, written: unit normals on the side of the face normal; 0 for
            degenerate faces.
    """
    n_faces = faces.shape[0]
    # Counting sort of the faces by vertex: while it fills, start[v + 1] runs from the first to past the last of v.
    for face in range(n_faces):
        i, j, k = faces[face, 0], faces[face, 1], faces[face, 2]
        ax, ay, az = (vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2])
        bx, by, bz = (vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2])
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        norm = np.sqrt(nx * nx + ny * ny + nz * nz)
        if norm > 0.0 and np.isfinite(norm):
            area[face, 0], area[face, 1], area[face, 2], length[face] = nx, ny, nz, norm
        for c in range(3):
            start[faces[face, c] + 2] += 1
    for vertex in range(vertices.shape[0]):
        start[vertex + 2] += start[vertex + 1]
    for face in range(n_faces):
        for c in range(3):
            vertex = faces[face, c]
            around[start[vertex + 1]] = face
            start[vertex + 1] += 1
    for face in range(n_faces):
        if length[face] == 0.0:
            continue
        fx, fy, fz = area[face, 0], area[face, 1], area[face, 2]
        for c in range(3):
            vertex = faces[face, c]
            sx, sy, sz = fx, fy, fz
            if start[vertex + 1] - start[vertex] <= crowd:
                for place in range(start[vertex], start[vertex + 1]):
                    other = around[place]
                    if other == face:
                        continue
                    ox, oy, oz = area[other, 0], area[other, 1], area[other, 2]
                    dot = fx * ox + fy * oy + fz * oz
                    if abs(dot) >= cosine * length[face] * length[other]:
                        turn = 1.0 if dot > 0.0 else -1.0
                        sx, sy, sz = sx + turn * ox, sy + turn * oy, sz + turn * oz
            norm = np.sqrt(sx * sx + sy * sy + sz * sz)
            out[face, c, 0], out[face, c, 1], out[face, c, 2] = sx / norm, sy / norm, sz / norm
