"""A shape cut into pieces, one for each part and material, with vertices of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from partseg.geometry.shape import Shape


@dataclass
class Pieces:
    """All pieces end to end: piece ``k`` has vertices ``vertex_begin[k]:vertex_begin[k + 1]``, elements likewise.

    Attributes:
        part, material: (k,) which part a piece belongs to and its material (-1: none).
        vertex_begin, element_begin: (k + 1,).
        elements: (f,) number in the shape of each face (point), ascending inside a piece.
        indices: (f, 3) vertices counted from the piece's first; (0, 3) for points.
        positions: (v, 3) float64 in the coordinates of the shape's file.
        normals, uv, colors: of vertices, or None. Colours are (v, 4) sRGB bytes.
    """

    part: Int[np.ndarray, " k"]
    material: Int[np.ndarray, " k"]
    vertex_begin: Int[np.ndarray, " k1"]
    element_begin: Int[np.ndarray, " k1"]
    elements: Int[np.ndarray, " f"]
    indices: Int[np.ndarray, "triangles 3"]
    positions: Float[np.ndarray, "v 3"]
    normals: Float[np.ndarray, "v 3"] | None
    uv: Float[np.ndarray, "v 2"] | None
    colors: UInt8[np.ndarray, "v 4"] | None


def split_mesh(
    shape: Shape, elements: list[Int[np.ndarray, " k"]], material: Int[np.ndarray, " f"] | None, paint: bool = False
) -> Pieces:
    """Faces of each part, sorted by material and then as given; corners that agree in all they carry share a vertex.

    Args:
        shape: a mesh.
        elements: faces of each part.
        material: of every face of the shape, or None for one material.
        paint: leave the shape's own colours out.
    """
    face, part = _joined(elements)
    group = part * (1 if material is None else int(material.max(initial=-1)) + 2)
    if material is not None:
        group = group + material[face] + 1
        order = np.argsort(group, kind="stable")
        face, part, group = face[order], part[order], group[order]
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(group)) + 1]) if len(face) else np.zeros(0, np.int64)
    counts = np.diff(np.append(cuts, len(face)))
    piece = np.repeat(np.arange(len(cuts)), counts)

    look = shape.appearance
    carried = {"normals": None, "uv": None, "colors": None}
    if look is not None:
        carried = {"normals": look.corner_normals, "uv": look.uv, "colors": None if paint else look.corner_colors}
    carried = {name: None if a is None else a[face].reshape(3 * len(face), a.shape[2]) for name, a in carried.items()}
    if carried["normals"] is not None:
        _fill_normals(carried["normals"], shape, face)
    vertex = shape.faces[face].astype(np.int64)
    first, inverse = _shared((piece[:, None] * len(shape.vertices) + vertex).reshape(-1), list(carried.values()))
    vertex_begin = np.searchsorted(piece[first // 3], np.arange(len(cuts) + 1))
    return Pieces(
        part=part[cuts],
        material=np.full(len(cuts), -1) if material is None else material[face[cuts]],
        vertex_begin=vertex_begin,
        element_begin=np.append(cuts, len(face)),
        elements=face,
        indices=inverse.reshape(-1, 3) - vertex_begin[piece][:, None],
        positions=shape.transform.apply(shape.vertices[vertex.reshape(-1)[first]]),
        **{name: None if array is None else array[first] for name, array in carried.items()},
    )


def _fill_normals(normals: Float[np.ndarray, "c 3"], shape: Shape, face: Int[np.ndarray, " f"]) -> None:
    """Corners without a normal get that of their face, faces without area any: files must hold unit vectors."""
    missing = np.flatnonzero(~normals.any(1))
    if len(missing):
        normals[missing] = shape.face_normals[face[missing // 3]]
        normals[missing[~normals[missing].any(1)]] = (0, 0, 1)


def split_points(shape: Shape, elements: list[Int[np.ndarray, " k"]], paint: bool = False) -> Pieces:
    """Points of each part, as given."""
    point, _ = _joined(elements)
    begin = np.concatenate([[0], np.cumsum([len(e) for e in elements])]).astype(np.int64)
    colors = None
    if shape.colors is not None and not paint:
        colors = np.full((len(point), 4), 255, np.uint8)
        colors[:, :3] = np.rint(shape.colors[point] * 255)
    return Pieces(
        part=np.arange(len(elements)),
        material=np.full(len(elements), -1),
        vertex_begin=begin,
        element_begin=begin,
        elements=point,
        indices=np.zeros((0, 3), np.int64),
        positions=shape.transform.apply(shape.points[point]),
        normals=None if shape.normals is None else shape.normals[point],
        uv=None,
        colors=colors,
    )


def _joined(elements: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    part = np.repeat(np.arange(len(elements)), [len(e) for e in elements])
    return np.concatenate([*elements, np.zeros(0, np.int64)]).astype(np.int64), part


def _shared(key: Int[np.ndarray, " c"], carried: list[np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
    """First corner of each distinct vertex and the vertex of each corner; vertices ascend with ``key``.

    Corners share a vertex if their keys and all carried rows agree bit by bit. Rows are compared through a hash in the
    bits that the key leaves free; the result is checked, and should a hash have collided every corner stays alone.
    """
    rows = [np.ascontiguousarray(array).view(np.uint32) for array in carried if array is not None]
    if not len(key) or not rows:
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        return first, inverse.reshape(-1)
    bits = 64 - int(key.max()).bit_length()
    mixed = np.zeros(len(key), np.uint64)
    for array in rows:
        for column in array.T:
            mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
    full = (key.astype(np.uint64) << np.uint64(bits)) | (mixed >> np.uint64(64 - bits)) if bits < 64 else mixed
    _, first, inverse = np.unique(full, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    representative = first[inverse]
    if all((array[representative] == array).all() for array in rows) and (key[representative] == key).all():
        return first, inverse
    order = np.argsort(key, kind="stable")
    inverse = np.empty(len(key), np.int64)
    inverse[order] = np.arange(len(key))
    return order, inverse
