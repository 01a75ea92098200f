"""Geometry only: what a method sees when the artist's mesh is kept from it, and how its labels travel back.

Artists' meshes come in connected components that nearly are the parts, so a score with mesh topology allowed and one
without it are two numbers. `without_topology` gives the second kind of input; `transfer_labels` takes labels from any
shape to any other in the same coordinates, by the nearest face (or point).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from partseg.geometry.adjacency import weld_vertices
from partseg.geometry.shape import Shape
from partseg.ops.bvh import build_bvh

View = Literal["points", "soup"]

_TIE = 1e-7  # faces this near to the nearest one (longest side of the mesh: 1) are as near
_STACK = 128
_VISITS = 8192  # nodes that one query may open in each of its two passes; on surfaces it takes tens


def without_topology(shape: Shape, view: View = "points", *, points: int = 100_000, seed: int = 0) -> Shape:
    """The same surface without its connectivity, materials, polygons and name.

    Args:
        shape: a mesh; a cloud (or splats) has no topology and is only put into random order.
        view: "points": a cloud of `points` points, uniform by area, with the normals of their faces. "soup": every
            triangle with corners of its own, in random order. Triangles are drawn towards their centroids by 0.01 to
            0.1 %, each by another amount, so that welding equal positions does not bring the components back. The
            tessellation itself is still seen: for a strict comparison give points.
        points: number of points drawn from a mesh.
        seed: the same seed gives the same view.

    Returns:
        In the coordinates of `shape` (one that lies far from the origin for its size is moved there); its `transform`
        leads to the same file. Its elements are not those of `shape`: labels come back by `transfer_labels`.

    Raises:
        ValueError: an unknown view, or fewer than one point.
    """
    if view not in get_args(View):
        raise ValueError(f"view must be {' or '.join(get_args(View))}, not {view!r}")
    if points < 1:
        raise ValueError(f"points must be at least 1, not {points}")
    rng = np.random.default_rng(seed)
    if not shape.is_mesh:
        order = rng.permutation(shape.n_elements)
        pick = lambda x: None if x is None else x[order]  # noqa: E731
        return Shape(
            points=shape.points[order], normals=pick(shape.normals), colors=pick(shape.colors), kind=shape.kind,
            transform=shape.transform,
        )  # fmt: skip
    low, high = shape.bounds
    extent = float((high - low).max())
    if np.abs(low + high).max() > 1000 * extent > 0:
        shape = shape.normalized(extent)  # points are float32, too coarse there
    if view == "points":
        drawn = shape.sampled(points, seed)
        return Shape(points=drawn.points, normals=drawn.normals, transform=shape.transform)
    triangles = shape.vertices[shape.faces[rng.permutation(len(shape.faces))]]
    centre = triangles.mean(1, keepdims=True)
    triangles = centre + (triangles - centre) * (1 - rng.uniform(1e-4, 1e-3, (len(triangles), 1, 1)))
    corners = np.arange(3 * len(triangles), dtype=np.int32).reshape(-1, 3)
    return replace(Shape.from_mesh(triangles.reshape(-1, 3), corners, name="shape"), transform=shape.transform)


def transfer_labels(source: Shape, labels: Int[np.ndarray, "n"], target: Shape) -> Int[np.ndarray, "m"]:
    """Labels of the elements of one shape carried to the elements of another: each takes that of the nearest.

    Args:
        source: labelled. The `transform` of both leads to one file's coordinates, where they are compared.
        labels: one a source element; -1 is carried like any other.
        target: its faces are looked up by their centroids (as PartField's supplement does), its points as they are.

    Returns:
        int64, one a target element (see `nearest_elements` for which is nearest).

    Raises:
        ValueError: not one integer for each source element.
    """
    labels = np.asarray(labels)
    if labels.shape != (source.n_elements,) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be ({source.n_elements},) integers, not {labels.dtype} {labels.shape}")
    return labels[nearest_elements(source, target)].astype(np.int64)


def nearest_elements(source: Shape, target: Shape) -> Int[np.ndarray, "m"]:
    """The source element nearest to each target element, int64: of a mesh the nearest triangle, else the nearest point.

    Of triangles that are equally near (see `nearest_faces`) the rule there decides, of points at one position the
    first is taken. For masks: `masks[:, nearest_elements(source, target)]`.
    """
    where = target.transform.apply(target.element_positions)
    if source.is_mesh:
        return nearest_faces(source.transform.apply(source.vertices), source.faces, where).face
    first = weld_vertices(source.points)
    distinct = np.flatnonzero(first == np.arange(len(first)))  # a spatial index degenerates on many equal points
    return distinct[cKDTree(source.transform.apply(source.points[distinct])).query(where)[1]]


def carry_labels(shape: Shape, sample: Shape, labels: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n_elements"]:
    """Labels of sampled points, -1 among them, for every element of the shape they were sampled from.

    A triangle takes the most frequent label of its points (the lowest on a tie). Triangles without points, and points
    of a cloud that were not drawn, take that of the nearest.

    Args:
        shape: a mesh, cloud or splats. sample: from `shape.normalized().sampled(…)`. labels: int64, one a point of it.
    """
    if sample.n_elements < shape.n_elements:  # a large cloud, of which points were drawn
        return labels[cKDTree(sample.points).query(shape.normalized().points)[1]]
    if not sample.is_mesh:
        return labels.copy()
    k = int(labels.max(initial=-1)) + 2
    key, count = np.unique(sample.face_index.astype(np.int64) * k + labels + 1, return_counts=True)
    face, label = key // k, key % k - 1
    order = np.lexsort((-label, count, face))  # last of each face: most frequent, then lowest
    out = np.full(sample.n_elements, -2, np.int64)
    out[face[order]] = label[order]
    empty = np.flatnonzero(out == -2)
    if len(empty):
        out[empty] = labels[cKDTree(sample.points).query(sample.element_positions[empty])[1]]
    return out


def carry_weights(shape: Shape, sample: Shape) -> csr_array:
    """How values of sampled points make up those of every element of the shape they were sampled from.

    A triangle has the mean of its points. Triangles without points, and points of a cloud that were not drawn, have the
    value of the nearest.

    Args:
        shape, sample: as `carry_labels` takes them.

    Returns:
        (n_elements, n) float32, sparse, rows sum to 1: `carry_weights(shape, sample) @ values`.
    """
    n = len(sample.points)
    if sample.n_elements < shape.n_elements:  # a large cloud, of which points were drawn
        element, point = np.arange(shape.n_elements), cKDTree(sample.points).query(shape.normalized().points)[1]
    elif not sample.is_mesh:
        element = point = np.arange(n)
    else:
        empty = np.flatnonzero(np.bincount(sample.face_index, minlength=sample.n_elements) == 0)
        near = cKDTree(sample.points).query(sample.element_positions[empty])[1]
        element, point = np.concatenate([sample.face_index, empty]), np.concatenate([np.arange(n), near])
    share = 1 / np.bincount(element, minlength=shape.n_elements)
    return csr_array((share[element].astype(np.float32), (element, point)), shape=(shape.n_elements, n))


class Nearest(NamedTuple):
    """The nearest triangle of each point.

    Attributes:
        distance: (n,) float64, in the units of the mesh. face: (n,) int64.
    """

    distance: Float[np.ndarray, "n"]
    face: Int[np.ndarray, "n"]


def nearest_faces(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], points: Float[np.ndarray, "n 3"]
) -> Nearest:
    """The triangle with the smallest distance to each point; zero-area triangles count as the segments they are.

    Triangles whose distances differ by less than 1e-7 of the mesh's longest side are equally near: of these the one
    with the nearest centroid is taken, then the first. O(log f) a point near the surface. A query that has opened 8192
    boxes (points far from everything, heaps of thousands of coincident triangles) ends with the best found so far.

    Raises:
        ValueError: no triangles, or coordinates that are not finite.
    """
    vertices, points = np.asarray(vertices, np.float64), np.asarray(points, np.float64).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise ValueError("points contain NaN or infinite coordinates")
    triangles = vertices[faces]
    bvh = build_bvh(triangles)
    corners = np.ascontiguousarray(((triangles - bvh.centre) * bvh.scale)[bvh.order])
    distance, face = _nearest(bvh.box, bvh.link, corners, bvh.order, (points - bvh.centre) * bvh.scale)
    return Nearest(distance / bvh.scale, face)


@njit(cache=True, nogil=True)
def _nearest(box, link, corners, order, points):  # pragma: no cover - compiled
    distance, face = np.empty(len(points)), np.empty(len(points), np.int64)
    for i in range(len(points)):
        square, any_of_them = _search(box, link, corners, order, points[i], np.inf, False)
        distance[i] = np.sqrt(square)
        _, first = _search(box, link, corners, order, points[i], (distance[i] + _TIE) ** 2, True)
        face[i] = first if first >= 0 else any_of_them
    return distance, face


@njit(cache=True, nogil=True)
def _search(box, link, corners, order, point, limit, ties):  # pragma: no cover - compiled
    """Smallest squared distance below `limit`; or, with `ties`, of the triangles within it the one that goes before."""
    stack = np.empty(_STACK, np.int64)
    gap = np.empty(_STACK)
    stack[0] = 0
    gap[0] = 0.0
    top, visited = 1, 0
    chosen, nearest = np.int64(-1), np.inf
    while top > 0 and visited < _VISITS:
        top -= 1
        visited += 1
        if gap[top] > limit or (gap[top] == limit and not ties):
            continue
        node = stack[top]
        if link[node, 1] < 0:
            left, right = node + 1, np.int64(link[node, 0])
            near, far = _box_square(box[left], point), _box_square(box[right], point)
            if near > far:
                left, right, near, far = right, left, far, near
            stack[top], gap[top] = right, far
            stack[top + 1], gap[top + 1] = left, near
            top += 2
            continue
        for k in range(link[node, 0], link[node, 0] + link[node, 1]):
            square = _triangle_square(corners[k], point)
            if not ties:
                if square < limit:
                    limit = square
                    chosen = np.int64(order[k])
            elif square <= limit:
                away = 0.0
                for axis in range(3):
                    middle = (corners[k, 0, axis] + corners[k, 1, axis] + corners[k, 2, axis]) / 3
                    away += (middle - point[axis]) ** 2
                if away < nearest or (away == nearest and order[k] < chosen):
                    nearest = away
                    chosen = np.int64(order[k])
    return limit, chosen


@njit(cache=True, nogil=True, inline="always")
def _box_square(box, point):  # pragma: no cover - compiled
    total = 0.0
    for axis in range(3):
        apart = max(max(box[axis] - point[axis], point[axis] - box[3 + axis]), 0.0)
        total += apart * apart
    return total


@njit(cache=True, nogil=True)
def _triangle_square(corner, point):  # pragma: no cover - compiled
    """Squared distance of a point and a triangle: to its plane above its inside, else to its nearest edge."""
    ux, uy, uz = corner[1, 0] - corner[0, 0], corner[1, 1] - corner[0, 1], corner[1, 2] - corner[0, 2]
    vx, vy, vz = corner[2, 0] - corner[0, 0], corner[2, 1] - corner[0, 1], corner[2, 2] - corner[0, 2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    normal = nx * nx + ny * ny + nz * nz
    longest = max(ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz)
    inside = normal > 1e-24 * longest * longest  # thinner ones have no plane to speak of
    best = np.inf
    for i in range(3):
        j = (i + 1) % 3
        ex, ey, ez = corner[j, 0] - corner[i, 0], corner[j, 1] - corner[i, 1], corner[j, 2] - corner[i, 2]
        px, py, pz = point[0] - corner[i, 0], point[1] - corner[i, 1], point[2] - corner[i, 2]
        side = (ey * pz - ez * py) * nx + (ez * px - ex * pz) * ny + (ex * py - ey * px) * nz
        inside = inside and side >= 0
        length = ex * ex + ey * ey + ez * ez
        t = min(max((ex * px + ey * py + ez * pz) / length, 0.0), 1.0) if length > 0 else 0.0
        px, py, pz = px - t * ex, py - t * ey, pz - t * ez
        best = min(best, px * px + py * py + pz * pz)
    if inside:
        height = (point[0] - corner[0, 0]) * nx + (point[1] - corner[0, 1]) * ny + (point[2] - corner[0, 2]) * nz
        return min(best, height * height / normal)
    return best
