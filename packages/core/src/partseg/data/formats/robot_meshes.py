"""Triangles of the visuals of robots: mesh files (COLLADA among them), read once, and primitives."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from partseg.data.formats.base import extra
from partseg.data.formats.kinematics import Visual, read_xml
from partseg.data.procedural.primitives import lathe
from partseg.errors import InputError, ShapeWarning
from partseg.geometry.io import load_shape

Triangles = tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]

_SIDES = 32  # corners of a circle
_RINGS = 8  # bands of half a sphere


def triangles(visual: Visual) -> Triangles:
    """Vertices (v, 3) float64 before `visual.matrix`, and faces (f, 3) int32; read-only, shared between calls.

    Raises:
        InputError: the mesh file is missing, damaged or of an unknown format.
    """
    if visual.file is None:
        return primitive(visual.kind, visual.ratio)
    try:
        changed = visual.file.stat().st_mtime_ns
    except OSError as error:
        raise InputError(visual.file, f"cannot be read: {error.strerror or error}") from None
    return _file(visual.file, changed)


@lru_cache(maxsize=256)
def _file(path: Path, changed: int) -> Triangles:
    """A mesh file as it was at the time `changed`."""
    if path.suffix.lower() == ".dae":
        return _frozen(*read_collada(path))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*(textures|colours)", ShapeWarning)  # of no use here
        shape = load_shape(path, kind="mesh")
    return shape.vertices, shape.faces


def read_collada(path: Path) -> Triangles:
    """Every triangle of the scene of a COLLADA file, in metres, in the axes of the file.

    The `unit` is applied and `up_axis` is not, as RViz shows a robot: the axes of a mesh are those of its link.

    Raises:
        InputError: not COLLADA, damaged, or without triangles.
        PartsegError: pycollada is not installed.
    """
    collada = extra("collada")
    read_xml(path)  # refuses what is no XML, or declares entities
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            document = collada.Collada(str(path), ignore=[collada.common.DaeError])  # materials, cameras: not needed
            unit = document.assetInfo.unitmeter
            unit = 1.0 if unit is None else float(unit)
            bound = [] if document.scene is None else document.scene.objects("geometry")
            pieces = [_collada_piece(piece) for geometry in bound for piece in geometry.primitives()]
    except (collada.common.DaeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(path, f"its COLLADA cannot be understood: {error}", "export it again") from None
    pieces = [piece for piece in pieces if piece is not None]
    if not pieces:
        raise InputError(path, "its scene holds no triangles", "check that the export included geometry")
    offsets = np.cumsum([0, *(len(vertices) for vertices, _ in pieces)])
    vertices = np.concatenate([vertices for vertices, _ in pieces]) * unit
    faces = np.concatenate([faces + offset for (_, faces), offset in zip(pieces, offsets, strict=False)])
    if not np.isfinite(vertices).all() or faces.min() < 0 or faces.max() >= len(vertices):
        raise InputError(path, "its faces name vertices that do not exist, or that are not finite", "export it again")
    return vertices, faces.astype(np.int32)


def _collada_piece(piece: object) -> Triangles | None:
    """Triangles of a bound primitive; None for lines and empty ones."""
    piece = piece.triangleset() if hasattr(piece, "triangleset") else piece
    index = getattr(piece, "vertex_index", None)
    if index is None or index.ndim != 2 or index.shape[1] != 3 or not len(index):
        return None
    used, faces = np.unique(index, return_inverse=True)  # primitives share one list of vertices
    return np.asarray(piece.vertex, np.float64)[used], faces.reshape(-1, 3).astype(np.int64)


@lru_cache(maxsize=256)
def primitive(kind: str, ratio: float = 0.0) -> Triangles:
    """A primitive of unit size about the z axis, closed, normals outward (see `Visual`)."""
    if kind == "box":
        corner = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
        quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
        return _frozen(corner, quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3).astype(np.int32))
    if kind == "cylinder":
        profile = np.array([[0, -1], [1, -1], [1, 1], [0, 1]], float)
    else:  # a sphere is a capsule without a straight part
        low = np.linspace(-np.pi / 2, 0, _RINGS + 1)
        half = np.stack([np.cos(low), np.sin(low) - ratio], 1)
        half[0, 0] = 0.0
        mirrored = half[::-1] * (1, -1)
        profile = np.concatenate([half, mirrored[1:] if ratio == 0 else mirrored])
    mesh = lathe(profile, _SIDES)
    return _frozen(mesh.vertices[:, [2, 0, 1]], mesh.faces)  # its axis is y


def _frozen(vertices: np.ndarray, faces: np.ndarray) -> Triangles:
    vertices, faces = np.ascontiguousarray(vertices, np.float64), np.array(faces, np.int32)
    vertices.setflags(write=False)
    faces.setflags(write=False)
    return vertices, faces
