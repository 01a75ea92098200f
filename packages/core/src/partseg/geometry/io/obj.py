"""Wavefront OBJ: meshes and vertex clouds, materials through MTL."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from jaxtyping import Int

from partseg.errors import InputError
from partseg.geometry.io.assemble import cloud_shape, color_bytes, mesh_shape
from partseg.geometry.io.mtl import read_materials
from partseg.geometry.io.polygons import triangulate
from partseg.geometry.io.text import Lines, ints, normalise, number_table, strip_comments, token_starts, tokens_per_line
from partseg.geometry.shape import Appearance, Shape


def read_obj(path: Path, data: bytes) -> Shape:
    """Reads ``v vt vn f usemtl mtllib o g``; everything else is ignored.

    Faces keep the file's order whatever materials, groups and objects they belong to; polygons are triangulated and
    `Shape.polygon` names the ``f`` line of each triangle. Negative (relative) indices, vertex colours after the
    position, line continuations and faces that lack texture or normal indices in some corners are understood. A file
    with vertices and no faces is a cloud.

    Raises:
        InputError: no vertices, or no face that can be used.
    """
    data = normalise(data)
    if b"\\\n" in data:
        data = data.replace(b"\\\n", b" ")
    lines = Lines(data)
    v_lines, f_lines = lines.begins(b"v"), lines.begins(b"f")
    if not len(v_lines):
        raise InputError(
            path, "it holds no vertices", "check that this is an OBJ file and that the export had geometry"
        )
    table = number_table(strip_comments(lines.block(v_lines, skip=1)), 7)
    vertices = table[:, :3]
    colors = _vertex_colors(table)
    if not len(f_lines):
        normals = _attribute(lines, b"vn", 3)
        normals = normals if len(normals) == len(vertices) else None
        rgb = None if colors is None else colors[:, :3] / 255.0
        return cloud_shape(path, vertices, normals=normals, colors=rgb)

    index, sizes = _corners(strip_comments(lines.block(f_lines, skip=1)))
    line_of_corner = np.repeat(f_lines, sizes)
    corners = _resolve(index[0], v_lines, line_of_corner)
    triangles, polygon = triangulate(vertices, corners, sizes)
    uv = _attribute(lines, b"vt", 2)
    if len(uv):
        uv[:, 1] = 1 - uv[:, 1]  # OBJ counts rows of a texture from below, glTF from above
        uv = _per_corner(uv, _resolve(index[1], lines.begins(b"vt"), line_of_corner), triangles)
    normals = _attribute(lines, b"vn", 3)
    if len(normals):
        normals = _unit(_per_corner(normals, _resolve(index[2], lines.begins(b"vn"), line_of_corner), triangles))
    line_of_face = f_lines if polygon is None else f_lines[polygon]
    appearance = _appearance(path, lines, line_of_face)
    appearance = Appearance(
        **appearance,
        uv=uv if len(uv) else None,
        corner_normals=normals if len(normals) else None,
        corner_colors=None if colors is None else _per_corner(colors, corners, triangles, np.uint8),
    )
    return mesh_shape(path, vertices, corners[triangles], polygon, len(sizes), appearance)


def _vertex_colors(table: np.ndarray) -> np.ndarray | None:
    given = ~np.isnan(table[:, 5])
    return color_bytes(table[:, 3:6]) if given.mean() > 0.5 else None


def _attribute(lines: Lines, word: bytes, width: int) -> np.ndarray:
    chosen = lines.begins(word)
    return np.nan_to_num(number_table(strip_comments(lines.block(chosen, skip=2)), width), posinf=0, neginf=0)


def _corners(block: bytes) -> tuple[Int[np.ndarray, "3 c"], Int[np.ndarray, " p"]]:
    """Indices v, vt, vn as written (0 = absent) of every corner, and the corners of each face."""
    array = np.frombuffer(block, dtype=np.uint8)
    tokens = token_starts(array)
    sizes = tokens_per_line(block, tokens)
    slashes = np.flatnonzero(array == 47)
    index = np.zeros((3, len(tokens)), dtype=np.int64)
    if not len(slashes):
        index[0] = ints(block, len(tokens))
        return index, sizes
    numbers = token_starts(array, extra=b"/")
    values = ints(block.replace(b"/", b" "), len(numbers))
    per_corner = len(numbers) // len(tokens)
    if (
        1 <= per_corner <= 3
        and len(slashes) == (per_corner - 1) * len(tokens)
        and (len(numbers) == per_corner * len(tokens) and (numbers[::per_corner] == tokens).all())
    ):
        index[:per_corner] = values.reshape(-1, per_corner).T
        return index, sizes
    corner = np.searchsorted(tokens, numbers, side="right") - 1
    slot = np.searchsorted(slashes, numbers) - np.searchsorted(slashes, tokens)[corner]
    keep = (slot < 3) & (corner >= 0)
    index[slot[keep], corner[keep]] = values[keep]
    return index, sizes


def _resolve(index: np.ndarray, defined: np.ndarray, line: np.ndarray) -> Int[np.ndarray, " c"]:
    """Indices as written to indices from 0; -1 where absent or before the first."""
    resolved = index - 1
    relative = np.flatnonzero(index < 0)
    if len(relative):
        resolved[relative] = np.searchsorted(defined, line[relative]) + index[relative]
    return np.maximum(resolved, -1)


def _per_corner(table: np.ndarray, index: np.ndarray, triangles: np.ndarray, dtype: type = np.float32) -> np.ndarray:
    index = index[triangles]
    inside = (index >= 0) & (index < len(table))
    values = table.astype(dtype)[np.where(inside, index, 0)]
    if not inside.all():
        values[~inside] = 0
    return values


def _unit(normals: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.divide(normals, length, out=np.zeros_like(normals), where=length > 1e-30)


def _names(lines: Lines, chosen: np.ndarray, line_of_face: np.ndarray) -> tuple[list[str], Int[np.ndarray, " f"]]:
    """Distinct names on the chosen lines, and which is in force at each face (-1: none yet)."""
    names: dict[str, int] = {}
    ids = []
    for line in chosen.tolist():
        words = lines.text(line).split(None, 1)
        name = words[1].strip() if len(words) > 1 else "default"
        ids.append(names.setdefault(name, len(names)))
    at = np.searchsorted(chosen, line_of_face) - 1
    return list(names), np.array([*ids, -1], dtype=np.int32)[at]


def _appearance(path: Path, lines: Lines, line_of_face: np.ndarray) -> dict:
    used, face_material = _names(lines, _word(lines, b"us", "usemtl"), line_of_face)
    libraries: list[str] = []
    for line in _word(lines, b"mt", "mtllib").tolist():
        rest = lines.text(line)[6:].strip()
        libraries += [rest] if re.search(r"\.mtl$", rest, re.I) and (path.parent / rest).is_file() else rest.split()
    materials, images = read_materials(path, libraries, used)
    objects = lines.begins(b"o")
    node_names, face_node = _names(lines, objects if len(objects) else lines.begins(b"g"), line_of_face)
    return {
        "materials": materials,
        "images": images,
        "face_material": face_material if materials else None,
        "node_names": tuple(node_names),
        "face_node": face_node if node_names else None,
    }


def _word(lines: Lines, two: bytes, word: str) -> np.ndarray:
    chosen = lines.begins(two)
    return np.array([i for i in chosen.tolist() if lines.text(i).split(None, 1)[0] == word], dtype=np.int64)
