"""What each pixel of a picture sees: faces or points, depth, normals.

``rasterise`` (triangles) and ``rasterise_points`` (points, splats) fill :class:`Buffers`; ``buffer_normals`` and
``depth_normals`` add surface normals. Pixel and depth conventions are those of :mod:`partseg.geometry.camera`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from partseg.geometry.camera import Camera

MAX_OVERDRAW = 250
"""How often the elements of a shape may cover its picture; a sampled surface covers it a few dozen times at most."""


class Buffers(NamedTuple):
    """What each pixel sees.

    Attributes:
        face_id: (h, w) int32, number of the face or point, -1 where nothing is.
        depth: (h, w) float32, distance along the viewing axis, inf where nothing is.
        barycentric: (h, w, 3) float32, weights of the corners of the face (0 where nothing is); None for points.
        camera: the camera.
    """

    face_id: Int[np.ndarray, "h w"]
    depth: Float[np.ndarray, "h w"]
    barycentric: Float[np.ndarray, "h w 3"] | None
    camera: Camera


def rasterise(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    camera: Camera,
    size: tuple[int, int] = (512, 512),
) -> Buffers:
    """Which face every pixel centre sees.

    Args:
        vertices: world positions. A face with a non-finite corner is left out.
        faces: vertex indices; both sides are drawn, degenerate faces and parts behind the camera are not.
        camera: the camera.
        size: (height, width) in pixels.

    Returns:
        Buffers; all empty if there is no face. Faces at exactly the same depth: the lower number wins.

    Raises:
        ValueError: a face names a vertex that does not exist.
    """
    from partseg.geometry.raster import fill_triangles

    vertices = np.asarray(vertices)
    faces = np.ascontiguousarray(np.asarray(faces).reshape(-1, 3), np.int32)
    if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError(f"a face names a vertex outside 0..{len(vertices) - 1}")
    face_id, depth = _blank(size)
    barycentric = np.zeros((*face_id.shape, 3), np.float32)
    if len(faces):
        corners = camera.homogeneous(vertices, size)
        fill_triangles(corners, faces, float(camera.near_depth), face_id, depth, barycentric)
    return Buffers(face_id, depth, barycentric, camera)


def within_overdraw(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], camera: Camera, size: tuple[int, int]
) -> Int[np.ndarray, "f 3"]:
    """Faces to draw in a time bounded by the picture's size: all, unless they cover it `MAX_OVERDRAW` times.

    Then the largest in the picture are replaced by degenerate faces, those of higher number first among equals, so
    that the numbers of the others stay. Thousands of large faces in one place need this; sensible meshes never do.
    """
    if len(faces) <= MAX_OVERDRAW:  # none covers more than the whole picture
        return faces
    corners = camera.homogeneous(np.asarray(vertices), size)
    with np.errstate(divide="ignore", invalid="ignore"):
        pixel = np.clip(corners[:, :2] / corners[:, 2:3], 0, (size[1], size[0]))[faces]
    a, b = pixel[:, 1] - pixel[:, 0], pixel[:, 2] - pixel[:, 0]
    cover = np.nan_to_num(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2 + np.ptp(pixel[:, :, 1], axis=1))
    limit = MAX_OVERDRAW * size[0] * size[1]
    if cover.sum() <= limit:
        return faces
    order = np.argsort(cover, kind="stable")
    faces = np.array(faces)
    faces[order[np.cumsum(cover[order]) > limit]] = 0
    return faces


def rasterise_points(
    points: Float[np.ndarray, "n 3"], camera: Camera, size: tuple[int, int] = (512, 512), radius: float | None = None
) -> Buffers:
    """Which point every pixel sees, each point drawn as a ball of ``radius`` (at least about one pixel wide).

    The depth is that of a surface blended through the visible balls, which is smooth enough for
    :func:`depth_normals`. ``radius`` defaults to :func:`point_radius`. Non-finite points are left out. Balls that would
    cover the picture hundreds of times over, as those of many points in one place, are drawn smaller.
    """
    from partseg.geometry.raster import fill_discs

    face_id, depth = _blank(size)
    points = np.asarray(points, np.float64).reshape(-1, 3)
    if len(points):
        front, depth = depth, np.zeros_like(depth)
        radius = point_radius(points) if radius is None else float(radius)
        centres = np.ascontiguousarray(camera.project(points, size))
        focal = camera.focal(size[0])
        with np.errstate(divide="ignore"):
            ratio = np.full(len(points), focal) if camera.fov is None else focal / centres[:, 2]
        while _disc_work(radius, ratio, face_id.size) > MAX_OVERDRAW * face_id.size and radius * ratio.max() > 1:
            radius *= 0.7
        fill_discs(centres, radius, ratio, float(camera.near_depth), face_id, front, depth, np.zeros_like(depth))
        depth[face_id < 0] = np.inf
    return Buffers(face_id, depth, None, camera)


def _disc_work(radius: float, ratio: Float[np.ndarray, " n"], pixels: int) -> float:
    """Pixels that the wider of the two passes over discs looks at; points behind the camera count for nothing."""
    return float(np.minimum(np.square(4 * radius * np.maximum(ratio, 0)), pixels).sum())


def point_radius(points: Float[np.ndarray, "n 3"]) -> float:
    """Ball radius that closes the gaps of a surface sampled by points: from the distance to the sixth neighbour.

    Looks at 2,000 points at most; 1 for fewer than two distinct points.
    """
    from scipy.spatial import cKDTree

    points = np.asarray(points, np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 2:
        return 1.0
    some = points[:: max(1, len(points) // 2000)]
    distance = cKDTree(points).query(some, k=min(7, len(points)))[0][:, -1]
    extent = float(np.ptp(points, axis=0).max())
    gap = float(np.median(distance))
    # 1.3 leaves no pinholes; balls that would look coarse are kept smaller. One row of a plane has few neighbours and
    # duplicates have none, hence the limits.
    radius = np.clip(min(1.3 * gap, max(1.1 * gap, 0.015 * extent)), 1e-3 * extent, 0.1 * extent)
    return float(radius) or 1.0


def corner_normals(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], crease: float = 38.0
) -> Float[np.ndarray, "f 3 3"]:
    """Shading normal of every face corner: smooth over gentle bends, sharp across creases; any winding. float32.

    The area-weighted mean normal of those faces around the vertex that lie within ``crease`` degrees of the face, on
    the side of the face's own normal. Vertices of triangle soups (at least twice as many vertices as faces) are merged
    by position first. Zero for degenerate faces, flat at vertices with more than 200 faces.
    """
    from partseg.geometry.raster import smooth_corners

    vertices = np.ascontiguousarray(vertices, np.float64)
    faces = np.ascontiguousarray(np.asarray(faces).reshape(-1, 3), np.int32)
    if len(vertices) >= 2 * len(faces) > 0:
        from partseg.geometry.adjacency import weld_vertices

        faces = np.ascontiguousarray(weld_vertices(vertices)[faces], np.int32)
    out = np.zeros((len(faces), 3, 3), np.float32)
    area, length = np.zeros((len(faces), 3)), np.zeros(len(faces))
    start, around = np.zeros(len(vertices) + 2, np.int64), np.empty(3 * len(faces), np.int32)
    smooth_corners(vertices, faces, float(np.cos(np.radians(crease))), 200, area, length, start, around, out)
    return out


def buffer_normals(
    buffers: Buffers,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    smooth: Float[np.ndarray, "f 3 3"] | None = None,
) -> Float[np.ndarray, "h w 3"]:
    """Unit normal per pixel in camera space, turned towards the viewer whatever the winding; 0 where empty. float32.

    Args:
        buffers: from :func:`rasterise` of the same faces.
        vertices, faces: the mesh.
        smooth: :func:`corner_normals`, for shading that is smooth over gentle bends; None for face normals.
    """
    out = np.zeros((*buffers.face_id.shape, 3), np.float32)
    seen = buffers.face_id >= 0
    if not seen.any():
        return out
    camera, vertices, faces = buffers.camera, np.asarray(vertices), np.asarray(faces)
    face = buffers.face_id[seen]
    visible = np.flatnonzero(np.bincount(face, minlength=len(faces)))
    place = np.zeros(len(faces), np.int32)
    place[visible] = np.arange(len(visible), dtype=np.int32)
    place, corner = place[face], faces[visible]
    a, b, c = (camera.to_camera(vertices[corner[:, i]]) for i in range(3))
    flat = _unit(np.cross(b - a, c - a))
    towards = np.broadcast_to([0.0, 0.0, 1.0], a.shape) if camera.fov is None else -a
    side = np.where(np.einsum("fd,fd->f", flat, towards) < 0, np.float32(-1), np.float32(1))[:, None]
    if smooth is None:
        out[seen] = (flat * side).astype(np.float32)[place]
        return out
    bent = np.asarray(smooth, np.float32)[visible] @ camera.axes.T.astype(np.float32) * side[:, None]
    weights = buffers.barycentric[seen]
    normal = weights[:, :1] * bent[place, 0]
    normal += weights[:, 1:2] * bent[place, 1]
    normal += weights[:, 2:] * bent[place, 2]
    out[seen] = _unit(normal)
    return out


def depth_normals(buffers: Buffers, step: int = 2) -> Float[np.ndarray, "h w 3"]:
    """Unit normal per pixel in camera space, estimated from differences of depth; 0 where empty.

    Of the two neighbours ``step`` pixels away in each direction, the one of nearer depth is used, so that edges of
    the shape do not bend the normals.
    """
    height, width = buffers.depth.shape
    seen = buffers.face_id >= 0
    focal = buffers.camera.focal(height)
    depth = np.where(seen, buffers.depth, np.inf)
    spread = depth / focal if buffers.camera.fov is not None else np.where(seen, np.float32(1 / focal), np.inf)
    x = np.where(seen, (np.arange(width, dtype=np.float32) + 0.5 - 0.5 * width) * spread, 0)
    y = np.where(seen, (0.5 * height - 0.5 - np.arange(height, dtype=np.float32))[:, None] * spread, 0)
    place = np.stack([x, y, -depth], axis=-1).astype(np.float32)
    tangents = []
    for axis in (1, 0):
        ahead, behind = np.full_like(place, np.inf), np.full_like(place, np.inf)
        head, tail = [slice(None)] * 2, [slice(None)] * 2
        head[axis], tail[axis] = slice(None, -step), slice(step, None)
        with np.errstate(invalid="ignore"):
            delta = place[tuple(tail)] - place[tuple(head)]
        ahead[tuple(head)] = delta
        behind[tuple(tail)] = delta
        near_z, far_z = (np.nan_to_num(np.abs(d[..., 2]), nan=np.inf) for d in (ahead, behind))
        tangent = np.where((near_z <= far_z)[..., None], ahead, behind)
        lone = ~np.isfinite(tangent).all(axis=-1)
        tangent[lone] = (1, 0, 0) if axis == 1 else (0, -1, 0)
        tangents.append(tangent)
    normal = _unit(np.cross(tangents[1], tangents[0]))
    towards = np.array([0, 0, 1], np.float32) if buffers.camera.fov is None else -np.where(seen[..., None], place, 0)
    sign = np.where((normal * towards).sum(axis=-1) < 0, np.float32(-1), np.float32(1))
    return np.where(seen[..., None], normal * sign[..., None], 0).astype(np.float32)


def _blank(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    height, width = (int(x) for x in size)
    if height < 1 or width < 1:
        raise ValueError(f"picture size {height} x {width}: both must be at least 1")
    return np.full((height, width), -1, np.int32), np.full((height, width), np.inf, np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1; zero vectors stay zero."""
    length = np.sqrt(np.einsum("...d,...d->...", vectors, vectors))[..., None]
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
