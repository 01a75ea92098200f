"""`load_shape`: which reader a file needs, and the border where every failure becomes one line for a person."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from partseg.errors import InputError
from partseg.geometry.shape import Kind, Shape

MAX_FILE_BYTES = 8 << 30

# format -> reader, imported when needed: the first OBJ should not pay for glTF
_READERS = {
    "obj": ("obj", "read_obj"),
    "ply": ("ply", "read_ply"),
    "off": ("off", "read_off"),
    "stl": ("stl", "read_stl"),
    "glb": ("gltf", "read_glb"),
    "gltf": ("gltf", "read_gltf"),
    "table": ("tables", "read_table"),
    "npy": ("tables", "read_npy"),
    "npz": ("tables", "read_npz"),
    "splat": ("splats", "read_splat"),
    "spz": ("splats", "read_spz"),
}
_SUFFIXES = {
    ".obj": "obj", ".ply": "ply", ".off": "off", ".coff": "off", ".noff": "off", ".stl": "stl", ".glb": "glb",
    ".gltf": "gltf", ".vrm": "glb", ".xyz": "table", ".txt": "table", ".pts": "table", ".csv": "table", ".asc": "table",
    ".npy": "npy", ".npz": "npz", ".splat": "splat", ".spz": "spz",
}  # fmt: skip
SUFFIXES = tuple(_SUFFIXES)
"""File name endings that `load_shape` knows, lower case with the dot."""

_UNEXPECTED = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, struct.error, RecursionError, EOFError,
    json.JSONDecodeError,
)  # fmt: skip


def load_shape(path: str | Path, *, kind: Kind | None = None) -> Shape:
    """Reads a mesh, a point cloud or Gaussian splats from a file.

    The format is that of the suffix, unless the first bytes belong to another known format. Elements (triangles,
    points, splats) come in the order of the file; positions are those of the file, the transforms of its scene applied.

    Args:
        path: OBJ, PLY, OFF, STL, GLB, glTF, XYZ/TXT/PTS/CSV, NPY, NPZ, ``.splat`` or ``.spz``.
        kind: "cloud" takes only the vertices of a mesh, or treats splats as plain points; "mesh" and "splats" insist.

    Raises:
        InputError: the file is missing, unreadable, damaged, of an unknown format, or holds no usable geometry.

    Warns:
        ShapeWarning: part of the file was mended or left out.
    """
    path = Path(path)
    data = _read(path)
    module, function = _READERS[_format(path, data)]
    reader: Callable[[Path, bytes], Shape] = getattr(import_module(f"partseg.geometry.io.{module}"), function)
    try:
        shape = reader(path, data)
    except InputError:
        raise
    except MemoryError:
        raise InputError(path, "it needs more memory than there is", "decimate it, or use a larger machine") from None
    except _UNEXPECTED as error:
        cause = f"it cannot be understood ({type(error).__name__}: {str(error)[:120]})"
        raise InputError(path, cause, "the file is damaged or cut short: export it again") from error
    return shape if kind is None or kind == shape.kind else _as_kind(path, shape, kind)


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(path, "it is a folder", "name a file in it")
        if not path.exists():
            raise InputError(path, "there is no such file", "check the name")
        if not path.is_file():
            raise InputError(path, "it is not a regular file")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise InputError(path, f"it is {size / 2**30:.1f} GiB large", "decimate it: 8 GiB is the limit")
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise InputError(path, f"it cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not data.strip(b"\0 \t\r\n"):
        raise InputError(path, "it is empty", "export it again")
    return data


def _format(path: Path, data: bytes) -> str:
    by_suffix = _SUFFIXES.get(path.suffix.lower())
    by_magic = _magic(data)
    if by_magic and by_magic != by_suffix:
        return by_magic
    if by_suffix:
        return by_suffix
    raise InputError(path, "its format is not known", f"use one of {' '.join(SUFFIXES)}")


def _magic(data: bytes) -> str | None:
    head = data[:512]
    for magic, name in ((b"glTF", "glb"), (b"ply\n", "ply"), (b"ply\r", "ply"), (b"\x93NUMPY", "npy"),
                        (b"PK\x03\x04", "npz"), (b"\x1f\x8b", "spz")):  # fmt: skip
        if head.startswith(magic):
            return name
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"{") and b"\0" not in head:
        return "gltf"
    if text.startswith(b"solid") and b"facet" in head:
        return "stl"
    if text[:4].rstrip() in (b"OFF", b"COFF", b"NOFF"):
        return "off"
    return None


def _as_kind(path: Path, shape: Shape, kind: Kind) -> Shape:
    if kind == "cloud" and shape.is_mesh:
        return Shape.from_points(shape.vertices, name=shape.name, source=shape.source)
    if kind == "cloud" and shape.kind == "splats":
        return replace(shape, kind="cloud")
    raise InputError(path, f"it holds {'a mesh' if shape.is_mesh else shape.kind}, not {kind}")
