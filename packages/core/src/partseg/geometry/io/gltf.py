"""glTF 2.0 and GLB: every mesh of the default scene where it stands, as one shape."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from partseg.errors import InputError
from partseg.geometry.io.assemble import MAX_ELEMENTS, cloud_shape, linear_to_srgb, mesh_shape, warn
from partseg.geometry.io.gltf_buffers import Accessors, compressed, item, parse_json, split_glb
from partseg.geometry.io.gltf_materials import read_materials
from partseg.geometry.io.gltf_scene import Placement, placements, skin_matrices
from partseg.geometry.io.polygons import strip_triangles
from partseg.geometry.shape import Appearance, Shape

_DRACO = "KHR_draco_mesh_compression"
_POINTS, _TRIANGLES, _STRIP, _FAN = 0, 4, 5, 6


def read_glb(path: Path, data: bytes) -> Shape:
    """A GLB file; see `read_document`."""
    return read_document(path, *split_glb(path, data))


def read_gltf(path: Path, data: bytes) -> Shape:
    """A glTF JSON file; see `read_document`."""
    return read_document(path, parse_json(path, data), None)


@dataclass
class _Piece:
    """One primitive of one placed mesh, in world coordinates; triangles index its own vertices, -1 where invalid."""

    vertices: Float[np.ndarray, "v 3"]
    triangles: Int[np.ndarray, "f 3"]
    normals: np.ndarray | None
    uv: np.ndarray | None
    colors: np.ndarray | None
    material: int
    node: int
    primitive: int = 0


@dataclass(frozen=True, eq=False)
class SceneParts:
    """A glTF mesh with what its faces belong to.

    Attributes:
        shape: as `read_document` gives it.
        placed: the nodes with a mesh, depth first.
        face_place: (f,) int64, index into `placed`.
        face_primitive: (f,) int64, number of the primitive in its mesh.
    """

    shape: Shape
    placed: tuple[Placement, ...]
    face_place: Int[np.ndarray, "f"]
    face_primitive: Int[np.ndarray, "f"]


def read_parts(path: Path, document: dict, binary: bytes | None) -> SceneParts:
    """The mesh of `read_document` and, for each face, its node and primitive.

    Raises:
        InputError: as `read_document`, or the scene has points alone.
    """
    shape, placed, pieces = _read(path, document, binary)
    if not shape.is_mesh:
        raise InputError(path, "its scene holds points, expected triangles")
    counts = [len(piece.triangles) for piece in pieces]
    place = np.repeat(np.array([piece.node for piece in pieces], np.int64), counts)
    primitive = np.repeat(np.array([piece.primitive for piece in pieces], np.int64), counts)
    return SceneParts(shape, tuple(placed), place, primitive)


def read_document(path: Path, document: dict, binary: bytes | None) -> Shape:
    """Triangles (lists, strips, fans) of all nodes with a mesh, depth first; points if the scene has no triangle.

    Transforms are applied, instances repeated, mirrored ones wound back, skins posed as stored. Lines, cameras, morph
    targets and animations are left out. `Appearance.node_names` has one entry for each node with a mesh.

    Raises:
        InputError: not glTF 2.0, damaged, compressed geometry, or nothing to see.
    """
    return _read(path, document, binary)[0]


def _read(path: Path, document: dict, binary: bytes | None) -> tuple[Shape, list[Placement], list[_Piece]]:
    """The shape, the nodes with a mesh, and the pieces with triangles in the order of the faces."""
    accessors = Accessors(path, document, binary)
    placed, worlds = placements(path, document, accessors)
    pieces: list[_Piece] = []
    points: list[_Piece] = []
    materials, uv_sets, store = read_materials(document, accessors)
    total = 0
    node_names: list[str] = []
    for place in placed:
        for number, primitive in enumerate(item(document, "meshes", place.mesh)["primitives"]):
            piece = _piece(path, document, accessors, primitive, place, worlds, uv_sets)
            if piece is None:
                continue
            total += max(len(piece.triangles), len(piece.vertices))
            if total > MAX_ELEMENTS:
                raise InputError(path, f"its scene has more than {MAX_ELEMENTS:,} elements", "decimate it first")
            piece.node, piece.primitive = len(node_names), number
            (points if primitive.get("mode", _TRIANGLES) == _POINTS else pieces).append(piece)
        node_names.append(place.name)
    if not pieces and not points:
        raise InputError(path, "its scene holds no geometry", "check that the export included the meshes")
    if store.missing:
        warn(path, f"{len(store.missing)} of its images, as {store.missing[0]!r}, cannot be found or used: left out")
    if not pieces:
        rgb = None
        if any(piece.colors is not None for piece in points):
            rgb = np.concatenate([_or(piece.colors, len(piece.vertices), 4, 255)[:, :3] for piece in points]) / 255.0
        normals = None
        if all(piece.normals is not None for piece in points):
            normals = np.concatenate([piece.normals for piece in points])
        cloud = cloud_shape(path, np.concatenate([piece.vertices for piece in points]), normals, rgb)
        return cloud, placed, pieces

    offsets = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    faces = [np.where(p.triangles < 0, -1, p.triangles + offset) for p, offset in zip(pieces, offsets)]
    counts = [len(piece.triangles) for piece in pieces]
    appearance = Appearance(
        materials=tuple(materials),
        images=tuple(store.images),
        face_material=np.repeat(np.array([p.material for p in pieces], np.int32), counts) if materials else None,
        uv=_corners(pieces, [p.uv for p in pieces], 2, np.float32, 0),
        corner_normals=_corner_normals(pieces),
        corner_colors=_corners(pieces, [p.colors for p in pieces], 4, np.uint8, 255),
        node_names=tuple(node_names),
        face_node=np.repeat(np.array([p.node for p in pieces], np.int32), counts),
    )
    vertices = np.concatenate([p.vertices for p in pieces])
    return mesh_shape(path, vertices, np.concatenate(faces), appearance=appearance), placed, pieces


def _piece(
    path: Path,
    document: dict,
    accessors: Accessors,
    primitive: dict,
    place: Placement,
    worlds: dict,
    uv_sets: list[int],
) -> _Piece | None:
    """None for lines and for primitives without positions."""
    mode, attributes = primitive.get("mode", _TRIANGLES), primitive.get("attributes", {})
    if mode not in (_POINTS, _TRIANGLES, _STRIP, _FAN) or "POSITION" not in attributes:
        return None
    if _DRACO in primitive.get("extensions", {}) and (
        "bufferView" not in item(document, "accessors", attributes["POSITION"])
    ):
        raise compressed(path, _DRACO)
    index, rows = _index(accessors, primitive)
    count = len(accessors.get(attributes["POSITION"]))

    def read(name: str) -> np.ndarray | None:
        fits = name in attributes and len(accessors.get(attributes[name])) == count
        return accessors.get_float(attributes[name], rows) if fits else None

    vertices, normals = read("POSITION")[:, :3], read("NORMAL")
    matrix = _pose(document, accessors, attributes, place, worlds, rows)
    with np.errstate(all="ignore"):
        vertices = _apply(matrix, vertices)
        normals = None if normals is None else _turn(matrix, normals[:, :3])
    material = primitive.get("material", -1)
    material = material if isinstance(material, int) and 0 <= material < len(uv_sets) else -1
    uv = read(f"TEXCOORD_{uv_sets[material] if material >= 0 else 0}")
    uv = None if uv is None else np.nan_to_num(uv[:, :2], posinf=0, neginf=0).astype(np.float32)
    colors = _colors(read("COLOR_0"))
    if mode == _POINTS:
        index = index[index >= 0]
        pick = lambda array: None if array is None else array[index]  # noqa: E731
        return _Piece(vertices[index], np.zeros((0, 3), np.int64), pick(normals), None, pick(colors), material, 0)
    triangles = _triangles(index, mode)
    with np.errstate(all="ignore"):
        if matrix.ndim == 2 and np.linalg.det(matrix[:3, :3]) < 0:
            triangles = triangles[:, [0, 2, 1]]
    return _Piece(vertices, triangles, normals, uv, colors, material, 0)


def _index(accessors: Accessors, primitive: dict) -> tuple[Int[np.ndarray, " c"], np.ndarray | slice]:
    """Vertex of every corner (-1: out of range) among the rows of the attributes that the primitive uses.

    Exporters let many primitives share one long list of vertices; each then takes only what it needs.
    """
    count = len(accessors.get(primitive["attributes"]["POSITION"]))
    if "indices" not in primitive:
        return np.arange(count), slice(None)
    index = accessors.get(primitive["indices"])[:, 0].astype(np.int64)
    index[(index >= count) | (index < 0)] = -1
    if 2 * len(index) >= count:
        return index, slice(None)
    rows, compact = np.unique(index, return_inverse=True)
    missing = int(len(rows) > 0 and rows[0] < 0)
    return compact - missing, rows[missing:]


def _triangles(index: np.ndarray, mode: int) -> Int[np.ndarray, "f 3"]:
    if mode == _STRIP:
        return strip_triangles(index, np.array([len(index)]))
    if mode == _FAN:
        second = index[1:-1]
        return np.stack([np.broadcast_to(index[:1], second.shape), second, index[2:]], axis=1)
    return index[: len(index) // 3 * 3].reshape(-1, 3)


def _pose(document, accessors, attributes, place, worlds, rows) -> np.ndarray:
    """(4,4) of the node, or (v,4,4) of the skin: weighted means of its joints' matrices."""
    skin = item(document, "nodes", place.node).get("skin")
    if skin is None or "JOINTS_0" not in attributes or "WEIGHTS_0" not in attributes:
        return place.matrix
    try:
        joints = skin_matrices(document, accessors, skin, worlds)
        weights, chosen = (
            accessors.get_float(attributes["WEIGHTS_0"], rows),
            accessors.get(attributes["JOINTS_0"])[rows],
        )
        total = weights.sum(1, keepdims=True)
        weights = weights / np.where(total > 0, total, 1)
        matrix = sum(weights[:, k, None, None] * joints[chosen[:, k]] for k in range(4))
    except (LookupError, ValueError):  # joints outside the scene, wrong indices: the mesh as its node has it
        return place.matrix
    return matrix if np.isfinite(matrix).all() and (total > 0).all() else place.matrix


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    if matrix.ndim == 2:
        return points @ matrix[:3, :3].T + matrix[:3, 3]
    return np.einsum("nij,nj->ni", matrix[:, :3, :3], points) + matrix[:, :3, 3]


def _turn(matrix: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Normals under the cofactor matrix, which needs no inverse; unit length."""
    linear = matrix[..., :3, :3]
    rows = linear[..., 0, :], linear[..., 1, :], linear[..., 2, :]
    cofactor = np.stack([np.cross(rows[1], rows[2]), np.cross(rows[2], rows[0]), np.cross(rows[0], rows[1])], axis=-2)
    cofactor = cofactor * np.where(np.linalg.det(linear) < 0, -1.0, 1.0)[..., None, None]
    turned = normals @ cofactor.T if matrix.ndim == 2 else np.einsum("nij,nj->ni", cofactor, normals)
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    unit = np.divide(turned, length, out=np.zeros_like(turned), where=length > 0)
    return np.nan_to_num(unit).astype(np.float32)


def _colors(values: np.ndarray | None) -> np.ndarray | None:
    """COLOR_0, linear in the file, as sRGB bytes (n,4)."""
    if values is None or values.shape[1] not in (3, 4):
        return None
    values = np.clip(np.nan_to_num(values, nan=1.0), 0, 1)
    out = np.full((len(values), 4), 255, np.uint8)
    out[:, :3] = np.rint(linear_to_srgb(values[:, :3]) * 255)
    out[:, 3:] = np.rint(values[:, 3:] * 255) if values.shape[1] == 4 else 255
    return out


def _or(array: np.ndarray | None, count: int, width: int, fill: int) -> np.ndarray:
    return np.full((count, width), fill) if array is None else array


def _corners(pieces: list[_Piece], arrays: list, width: int, dtype: type, fill: int) -> np.ndarray | None:
    """Per-corner values of all faces; ``fill`` where a piece has none or an index is invalid."""
    if all(array is None for array in arrays):
        return None
    out = np.full((sum(len(p.triangles) for p in pieces), 3, width), fill, dtype)
    at = 0
    for piece, array in zip(pieces, arrays):
        rows = out[at : at + len(piece.triangles)]
        at += len(rows)
        if array is not None and len(array):
            rows[:] = array[np.maximum(piece.triangles, 0)]
    return out


def _corner_normals(pieces: list[_Piece]) -> np.ndarray | None:
    """Normals of corners; pieces without any get those of their faces."""
    normals = _corners(pieces, [piece.normals for piece in pieces], 3, np.float32, 0)
    if normals is None:
        return None
    at = 0
    for piece in pieces:
        rows = normals[at : at + len(piece.triangles)]
        at += len(rows)
        if piece.normals is None and len(piece.vertices):
            with np.errstate(all="ignore"):
                corner = piece.vertices[np.maximum(piece.triangles, 0)]
                cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
                length = np.linalg.norm(cross, axis=1, keepdims=True)
                unit = np.nan_to_num(np.divide(cross, length, out=np.zeros_like(cross), where=length > 0))
            rows[:] = unit[:, None]
    return normals
