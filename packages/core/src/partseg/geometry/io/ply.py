"""Stanford PLY, ASCII and binary of either byte order: meshes, clouds and Gaussian splats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int

from partseg.errors import InputError
from partseg.geometry.io.assemble import cloud_shape, color_bytes, mesh_shape
from partseg.geometry.io.ply_elements import List, read_elements
from partseg.geometry.io.polygons import strip_triangles, triangulate
from partseg.geometry.io.splats import is_packed, is_splats, packed_splats, splat_colors
from partseg.geometry.io.text import as_indices
from partseg.geometry.io.textures import ImageStore
from partseg.geometry.shape import Appearance, Shape

_INDEX_NAMES = ("vertex_indices", "vertex_index")
_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))


def read_ply(path: Path, data: bytes) -> Shape:
    """Reads the elements ``vertex``, ``face``, ``tristrips`` and ``chunk``; others are skipped.

    Without faces the file is a cloud, or splats if the vertices have the properties that 3D Gaussian splatting writes
    (``f_dc_*``, ``opacity``, ``scale_*``, ``rot_*``) or SuperSplat's packed form of them.

    Raises:
        InputError: not a PLY file, a header that makes no sense or says more than the file holds, no geometry.
    """
    comments, elements = read_elements(path, data)
    vertex = elements.get("vertex")
    if is_packed(elements):
        points, colors = packed_splats(path, elements)
        return cloud_shape(path, points, colors=colors, kind="splats")
    if vertex is None or not all(isinstance(vertex.get(axis), np.ndarray) for axis in "xyz"):
        raise InputError(path, "it has no vertex element with x, y and z", "check that the export included geometry")
    points = _columns(vertex, ("x", "y", "z")).astype(np.float64)
    corners, sizes, face = _faces(elements)
    if is_splats(vertex) and not len(sizes):
        normals = _optional(vertex, ("nx", "ny", "nz"))
        return cloud_shape(path, points, normals=normals, colors=splat_colors(vertex), kind="splats")
    normals, colors = _optional(vertex, ("nx", "ny", "nz")), _colors(vertex)
    if not len(sizes):
        rgb = None if colors is None else color_bytes(colors)[:, :3] / 255.0
        return cloud_shape(path, points, normals=normals, colors=rgb)
    triangles, polygon = triangulate(points, corners, sizes)
    faces = corners[triangles]
    appearance = _appearance(path, comments, vertex, face, faces, triangles, polygon, sizes)
    return mesh_shape(path, points, faces, polygon, len(sizes), appearance)


def _columns(element: dict, names: tuple[str, ...]) -> np.ndarray:
    return np.stack([element[name] for name in names], axis=1)


def _optional(element: dict, names: tuple[str, ...]) -> np.ndarray | None:
    present = all(isinstance(element.get(name), np.ndarray) for name in names)
    return _columns(element, names) if present else None


def _colors(element: dict) -> np.ndarray | None:
    """(n,3|4) as stored."""
    for names in (("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue")):
        for alpha in (("alpha",), ("a",), ()):
            colors = _optional(element, names + alpha)
            if colors is not None:
                return colors
    return None


def _faces(elements: dict) -> tuple[Int[np.ndarray, " c"], Int[np.ndarray, " p"], dict]:
    """Corners, sizes and the other properties of the faces; triangle strips come out as triangles."""
    face = elements.get("face", {})
    index = next((face[name] for name in _INDEX_NAMES if isinstance(face.get(name), List)), None)
    if index is not None and len(index.sizes):
        return as_indices(index.values), index.sizes, face
    strips = elements.get("tristrips", {})
    index = next((strips[name] for name in _INDEX_NAMES if isinstance(strips.get(name), List)), None)
    if index is not None and len(index.values):
        corners = strip_triangles(as_indices(index.values), index.sizes).reshape(-1)
        return corners, np.full(len(corners) // 3, 3), {}
    return np.zeros(0, np.int64), np.zeros(0, np.int64), {}


def _appearance(path, comments, vertex, face, faces, triangles, polygon, sizes) -> Appearance | None:
    inside = np.where((faces >= 0) & (faces < len(vertex["x"])), faces, 0)
    fields: dict = {}
    colors = _colors(vertex)
    face_colors = _colors(face)
    if colors is not None and len(colors):
        fields["corner_colors"] = color_bytes(colors)[inside]
    elif face_colors is not None:
        owner = color_bytes(face_colors)
        owner = owner if polygon is None else owner[polygon]
        fields["corner_colors"] = np.repeat(owner[:, None], 3, axis=1)
    normals = _optional(vertex, ("nx", "ny", "nz"))
    if normals is not None and len(normals) and normals.any():
        fields["corner_normals"] = np.nan_to_num(normals, posinf=0, neginf=0).astype(np.float32)[inside]
    uv = _corner_uv(vertex, face, inside, triangles, sizes)
    if uv is not None:
        fields["uv"] = uv * np.float32([1, -1]) + np.float32([0, 1])  # texture rows from below, as MeshLab writes
        names = [
            comment.split(None, 1)[1].strip() for comment in comments if comment.lower().startswith("texturefile ")
        ]
        store = ImageStore()
        if names and store.add_file(path, names[0]) is not None:
            pbr = {"baseColorTexture": {"image": 0}, "metallicFactor": 0.0}
            fields["materials"] = ({"name": names[0], "pbrMetallicRoughness": pbr, "doubleSided": True},)
            fields["images"] = tuple(store.images)
            fields["face_material"] = np.zeros(len(faces), np.int32)
    return Appearance(**fields) if fields else None


def _corner_uv(vertex, face, inside, triangles, sizes) -> np.ndarray | None:
    wedge = face.get("texcoord")
    if isinstance(wedge, List) and len(wedge.sizes) == len(sizes) and (wedge.sizes == 2 * sizes).all():
        return np.nan_to_num(wedge.values.reshape(-1, 2).astype(np.float32))[triangles]
    for names in _UV_NAMES:
        uv = _optional(vertex, names)
        if uv is not None and len(uv):
            return np.nan_to_num(uv.astype(np.float32))[inside]
    return None
