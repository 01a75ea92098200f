"""A GLB file whose nodes are parts: original geometry, split, nested as the part tree, looking as before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from partseg.errors import InputError
from partseg.files import write_aside
from partseg.geometry.io.assemble import UNPAINTED, far_offset, srgb_to_linear
from partseg.geometry.io.glb_materials import MaterialTable, collect_extensions, part_material, plain_material
from partseg.geometry.io.split import Pieces, split_mesh, split_points
from partseg.geometry.shape import Shape

Node = tuple[str, int, "Int[np.ndarray, '_'] | None"]
"""Name, index of the parent (-1 for a root), elements of the shape that lie in this node itself (None: none)."""

ELEMENTS_KEY = "partseg_elements"
"""In the ``extras`` of a primitive: the accessor (uint32) that holds its elements' numbers in the input file."""

_FLOAT, _UINT, _USHORT = 5126, 5125, 5123
_POINTS_MODE = 0
_VERTEX_DATA, _INDEX_DATA = 34962, 34963


def write_glb(
    path: str | Path,
    shape: Shape,
    nodes: Sequence[Node],
    *,
    colors: UInt8[np.ndarray, "k 3"] | None = None,
    tint: bool = False,
) -> None:
    """Writes one GLB with a node for each part, nested by ``parent``, in the coordinates of the shape's file.

    A node's elements become one mesh (a primitive for each material) with the input's vertices, normals, texture
    coordinates, colours and materials; they keep the file's order, and their numbers are stored beside them under
    `ELEMENTS_KEY`. An element may be in several nodes or in none. Points and splats become point primitives with
    colours. The same input gives the same bytes. Where the geometry is far from the origin for its size, root nodes are
    translated so that float32 positions stay exact to about 1e-6 of the size.

    Args:
        path: file to write; replaced at once, or not at all.
        shape: any shape; its ``transform`` is applied.
        nodes: parents before or after children.
        colors: sRGB 0..255 of the nodes that have elements, in order; nodes beyond are grey. Used only when the shape
            has neither materials nor colours, unless ``tint``. None: a golden-angle palette.
        tint: paint parts in ``colors`` instead of the shape's own materials.

    Raises:
        InputError: the file cannot be written, or would exceed the 4 GiB of a GLB.
        ValueError: parents that form no tree, or elements out of range.
    """
    filled = _check(shape, nodes)
    elements = [np.sort(np.asarray(nodes[i][2], dtype=np.int64)) for i in filled]
    palette = _palette(len(filled), colors)
    table = _materials(shape, [nodes[i][0] for i in filled], palette, tint)
    if shape.is_mesh:
        pieces = split_mesh(shape, elements, table.of_face, paint=tint)
    else:
        pieces = split_points(shape, elements, paint=tint)
    offset = far_offset(pieces.positions)
    out = _Buffer()
    document = {
        "asset": {"version": "2.0", "generator": "partseg"},
        "scene": 0,
        "scenes": [{"nodes": [i for i, node in enumerate(nodes) if node[1] < 0]}],
        "nodes": [{"name": str(node[0])} for node in nodes],
    }
    for i, (_, parent, _) in enumerate(nodes):
        if parent >= 0:
            document["nodes"][parent].setdefault("children", []).append(i)
        elif offset is not None:
            document["nodes"][i]["translation"] = [float(x) for x in offset]
    meshes = _meshes(out, pieces, offset, [nodes[i][0] for i in filled], shape.is_mesh, table)
    for mesh, i in enumerate(filled):
        document["nodes"][i]["mesh"] = mesh
    if meshes:
        document["meshes"] = meshes
    table.write_into(document, out.add)
    extensions = collect_extensions(document)
    if extensions:
        document["extensionsUsed"] = extensions
    if out.accessors:
        document |= {"accessors": out.accessors, "bufferViews": out.views, "buffers": [{"byteLength": out.size}]}
    _write(Path(path), document, out)


def _check(shape: Shape, nodes: Sequence[Node]) -> list[int]:
    """Nodes with elements, after the tree and the ranges have been checked."""
    parents = np.array([node[1] for node in nodes], dtype=np.int64)
    if len(nodes) == 0 or (parents >= len(nodes)).any():
        raise ValueError("every node needs a parent among the nodes, or -1")
    reached, level = parents < 0, np.flatnonzero(parents < 0)
    while len(level):
        level = np.flatnonzero(~reached & np.isin(parents, level))
        reached[level] = True
    if not reached.all():
        raise ValueError("the nodes form no tree")
    filled = [i for i, node in enumerate(nodes) if node[2] is not None and len(node[2])]
    for i in filled:
        elements = np.asarray(nodes[i][2])
        if elements.min() < 0 or elements.max() >= shape.n_elements:
            raise ValueError(f"node {i} has elements outside 0..{shape.n_elements - 1}")
    return filled


def _palette(count: int, colors: np.ndarray | None) -> UInt8[np.ndarray, "k 3"]:
    if colors is None:
        hue = np.arange(count) * 0.61803398875 % 1  # golden angle: neighbours in order differ most
        wave = np.abs((hue[:, None] * 6 + np.array([0, 4, 2])) % 6 - 3) - 1
        return np.rint(255 * (0.35 + 0.55 * np.clip(wave, 0, 1))).astype(np.uint8)
    out = np.tile(np.array(UNPAINTED, np.uint8), (count, 1))
    colors = np.asarray(colors, np.uint8)[:count]
    out[: len(colors)] = colors
    return out


def _materials(shape: Shape, names: list[str], palette: np.ndarray, tint: bool) -> MaterialTable:
    look = shape.appearance
    has_material = look is not None and look.face_material is not None and len(look.materials) > 0
    has_color = (look is not None and look.corner_colors is not None) if shape.is_mesh else shape.colors is not None
    if not tint and has_material:
        return MaterialTable(list(look.materials), look.images, look.face_material)
    if not tint and has_color:
        return MaterialTable([plain_material(unlit=not shape.is_mesh)], (), None)
    linear = srgb_to_linear(palette / 255.0)
    painted = [part_material(name, rgb, unlit=not shape.is_mesh) for name, rgb in zip(names, linear)]
    return MaterialTable(painted, (), None, per_part=True)


@dataclass
class _Buffer:
    """The binary chunk as it grows: blocks aligned to 4 bytes, a buffer view for each, accessors into them."""

    blocks: list[bytes | memoryview] = field(default_factory=list)
    views: list[dict] = field(default_factory=list)
    accessors: list[dict] = field(default_factory=list)
    size: int = 0

    def add(self, data: bytes | np.ndarray, target: int | None = None) -> int:
        """A new buffer view; its number. Views of vertex data state their stride, for many accessors share them."""
        block = memoryview(np.ascontiguousarray(data)).cast("B") if isinstance(data, np.ndarray) else data
        view = {"buffer": 0, "byteOffset": self.size, "byteLength": len(block)}
        if target == _VERTEX_DATA:
            view["byteStride"] = data.itemsize * data.shape[1]
        self.views.append(view if target is None else {**view, "target": target})
        pad = -len(block) % 4
        self.blocks += [block, b"\0" * pad] if pad else [block]
        self.size += len(block) + pad
        return len(self.views) - 1

    def accessor(self, view: int, offset: int, component: int, count: int, kind: str, **more: object) -> int:
        """A new accessor; its number."""
        entry = {"bufferView": view, "byteOffset": offset, "componentType": component, "count": count, "type": kind}
        self.accessors.append({**entry, **more})
        return len(self.accessors) - 1


def _meshes(
    out: _Buffer, pieces: Pieces, offset: np.ndarray | None, names: list[str], is_mesh: bool, table: MaterialTable
) -> list[dict]:
    """One mesh for each part; all of a kind of data lies in one buffer view."""
    positions = (pieces.positions if offset is None else pieces.positions - offset).astype(np.float32)
    if not len(positions):
        return []
    low = np.minimum.reduceat(positions, pieces.vertex_begin[:-1])
    high = np.maximum.reduceat(positions, pieces.vertex_begin[:-1])
    streams = [("POSITION", _FLOAT, "VEC3", positions)]
    if pieces.normals is not None:
        streams.append(("NORMAL", _FLOAT, "VEC3", pieces.normals.astype(np.float32)))
    if pieces.uv is not None:
        streams.append(("TEXCOORD_0", _FLOAT, "VEC2", pieces.uv.astype(np.float32)))
    if pieces.colors is not None:
        streams.append(("COLOR_0", _USHORT, "VEC4", linear_colors(pieces.colors)))
    views = [out.add(array, _VERTEX_DATA) for *_, array in streams]
    index_view = out.add(pieces.indices.astype(np.uint32), _INDEX_DATA) if is_mesh else -1
    element_view = out.add(pieces.elements.astype(np.uint32))
    meshes: list[dict] = [{"name": str(name), "primitives": []} for name in names]
    for k in range(len(pieces.part)):
        begin, end = int(pieces.vertex_begin[k]), int(pieces.vertex_begin[k + 1])
        first, last = int(pieces.element_begin[k]), int(pieces.element_begin[k + 1])
        attributes = {}
        for (name, component, kind, array), view in zip(streams, views):
            more = {"normalized": True} if component == _USHORT else {}
            if name == "POSITION":
                more = {"min": low[k].tolist(), "max": high[k].tolist()}
            stride = array.itemsize * array.shape[1]
            attributes[name] = out.accessor(view, begin * stride, component, end - begin, kind, **more)
        primitive: dict = {"attributes": attributes}
        if is_mesh:
            primitive["indices"] = out.accessor(index_view, 12 * first, _UINT, 3 * (last - first), "SCALAR")
        else:
            primitive["mode"] = _POINTS_MODE
        material = table.number(int(pieces.part[k]), int(pieces.material[k]))
        if material is not None:
            primitive["material"] = material
        elements = out.accessor(element_view, 4 * first, _UINT, last - first, "SCALAR")
        primitive["extras"] = {ELEMENTS_KEY: elements}
        meshes[int(pieces.part[k])]["primitives"].append(primitive)
    return meshes


def linear_colors(colors: UInt8[np.ndarray, "n 4"]) -> np.ndarray:
    """sRGB bytes as linear 16-bit values (alpha unchanged), which come back to the same bytes."""
    to_linear = np.rint(srgb_to_linear(np.arange(256) / 255) * 65535).astype(np.uint16)
    return np.concatenate([to_linear[colors[:, :3]], colors[:, 3:].astype(np.uint16) * np.uint16(257)], axis=1)


def _write(path: Path, document: dict, out: _Buffer) -> None:
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode("ascii")
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + (8 + out.size if out.size else 0)
    if total >= 1 << 32:
        raise InputError(path, "it would exceed the 4 GiB of a GLB file", "write .ply instead")
    with write_aside(path) as aside, aside.open("wb") as file:
        file.write(b"glTF" + (2).to_bytes(4, "little") + total.to_bytes(4, "little"))
        file.write(len(text).to_bytes(4, "little") + b"JSON" + text)
        if out.size:
            file.write(out.size.to_bytes(4, "little") + b"BIN\0")
            file.writelines(out.blocks)
