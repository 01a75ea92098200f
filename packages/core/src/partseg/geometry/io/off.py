"""Geomview OFF, ASCII: OFF, COFF, NOFF, STOFF and their combinations; polygons; colours of vertices and faces."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from partseg.errors import InputError
from partseg.geometry.io.assemble import cloud_shape, color_bytes, mesh_shape
from partseg.geometry.io.polygons import triangulate
from partseg.geometry.io.text import as_indices, floats, normalise, strip_comments, tokens_per_line
from partseg.geometry.shape import Appearance, Shape

_HEADER = re.compile(rb"\s*(ST)?(C)?(N)?(4)?(n)?OFF(?![A-Za-z])")
_MEND = "the file is damaged or cut short: export it again"


def read_off(path: Path, data: bytes) -> Shape:
    """Reads an ASCII OFF file; comments anywhere, counts on the header's line or a later one.

    Raises:
        InputError: not an ASCII OFF file, or fewer vertices or faces than its header says.
    """
    data = strip_comments(normalise(data))
    header = _HEADER.match(data)
    if header is None:
        raise InputError(path, "it does not begin with OFF", "check the file's format")
    texture, color, normal, four, many = (group is not None for group in header.groups())
    body = data[header.end() :]
    if many or re.match(rb"\s*BINARY", body):
        raise InputError(path, "binary and n-dimensional OFF files are not read", "export it as ASCII OFF or PLY")
    lines = np.frombuffer(body, dtype=np.uint8)
    per_line = tokens_per_line(body)
    ends = np.flatnonzero(lines == 10)[per_line > 0] + 1
    per_line = per_line[per_line > 0]
    counts = floats(body[: ends[0]]) if len(ends) else np.zeros(0)
    if len(counts) < 2 or not np.isfinite(counts).all() or (counts[:2] < 0).any() or (counts[:2] % 1 != 0).any():
        raise InputError(path, "its header has no counts of vertices and faces", _MEND)
    n_vertices, n_faces = int(counts[0]), int(counts[1])
    if n_vertices + n_faces > len(per_line) - 1:
        raise InputError(
            path,
            f"its header says {n_vertices:,} vertices and {n_faces:,} faces but it has {len(per_line) - 1:,} lines",
            _MEND,
        )  # fmt: skip
    width = 3 + four + 3 * normal
    per_vertex = per_line[1 : 1 + n_vertices]
    if n_vertices and per_vertex.min() < width:
        raise InputError(path, f"a vertex has {int(per_vertex.min())} numbers instead of {width}", _MEND)
    middle = ends[n_vertices]
    values = floats(body[ends[0] : middle], int(per_vertex.sum()))
    begin = np.cumsum(per_vertex) - per_vertex
    vertices = values[begin[:, None] + np.arange(3)] if n_vertices else np.zeros((0, 3))
    if four:
        with np.errstate(all="ignore"):
            vertices = vertices / values[begin + 3][:, None]
    normals = values[begin[:, None] + width - 3 + np.arange(3)] if normal and n_vertices else None
    colors = None
    # colours follow the position with COFF, and by habit without: three or four more numbers a vertex
    extra = int(per_vertex.min()) - width - 2 * texture if n_vertices else 0
    if extra >= 3 and (color or (per_vertex == per_vertex[0]).all()):
        colors = color_bytes(values[begin[:, None] + width + np.arange(min(extra, 4))])
    if not n_faces:
        return cloud_shape(path, vertices, normals, None if colors is None else colors[:, :3] / 255.0)

    per_face = per_line[1 + n_vertices : 1 + n_vertices + n_faces]
    values = floats(body[middle : ends[n_vertices + n_faces]], int(per_face.sum()))
    begin = np.cumsum(per_face) - per_face
    sizes = as_indices(values[begin])
    if (sizes < 0).any() or (sizes >= per_face).any():
        bad = int(np.flatnonzero((sizes < 0) | (sizes >= per_face))[0])
        raise InputError(path, f"face {bad} lists {per_face[bad] - 1} numbers for {sizes[bad]} corners", _MEND)
    first = np.repeat(begin + 1 - (np.cumsum(sizes) - sizes), sizes)
    corners = as_indices(values[first + np.arange(len(first))])
    triangles, polygon = triangulate(vertices, corners, sizes)
    faces = corners[triangles]
    inside = np.where((faces >= 0) & (faces < n_vertices), faces, 0)
    corner_colors = (
        colors[inside] if colors is not None else _face_colors(values, begin + 1 + sizes, per_face - sizes - 1)
    )
    if corner_colors is not None and corner_colors.ndim == 2:
        owner = corner_colors if polygon is None else corner_colors[polygon]
        corner_colors = np.repeat(owner[:, None], 3, axis=1)
    appearance = None
    if corner_colors is not None or normals is not None:
        corner_normals = None if normals is None else np.nan_to_num(normals)[inside].astype(np.float32)
        appearance = Appearance(corner_colors=corner_colors, corner_normals=corner_normals)
    return mesh_shape(path, vertices, faces, polygon, n_faces, appearance)


def _face_colors(values: np.ndarray, at: np.ndarray, extra: np.ndarray) -> np.ndarray | None:
    """(p,4) uint8 if every face ends in three or four numbers (a colour map index, one number, is ignored)."""
    if extra.min() < 3:
        return None
    return color_bytes(values[at[:, None] + np.arange(min(int(extra.min()), 4))])
