"""STL, ASCII and binary."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from partseg.errors import InputError
from partseg.geometry.io.assemble import mesh_shape, warn
from partseg.geometry.io.text import Lines, normalise, number_table
from partseg.geometry.shape import Appearance, Shape

_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_MEND = "the file is damaged or cut short: export it again"


def read_stl(path: Path, data: bytes) -> Shape:
    """Three vertices a face, not shared, as STL stores them; face normals of the file are ignored.

    The solids of an ASCII file become node names.

    Raises:
        InputError: no facets, or a file cut short.
    """
    claimed = int.from_bytes(data[80:84], "little") if len(data) >= 84 else None
    if claimed is not None and len(data) == 84 + 50 * claimed:
        return _binary(path, data, claimed)
    text = data[:1024].lstrip().lower()
    if text.startswith((b"solid", b"facet")) and b"\0" not in text:
        return _ascii(path, data)
    if claimed is None:
        raise InputError(path, "it is neither an ASCII nor a binary STL file", "check the file's format")
    return _binary(path, data, claimed)


def _binary(path: Path, data: bytes, claimed: int) -> Shape:
    present = (len(data) - 84) // 50
    if claimed == 0 and present:
        warn(path, f"its header says no facets but it holds {present:,}: all are used")
        claimed = present
    if claimed > present:
        raise InputError(path, f"its header says {claimed:,} facets but it holds {present:,}", _MEND)
    if not claimed:
        raise InputError(path, "it holds no facets", "check that the export included geometry")
    corners = np.frombuffer(data, dtype=_RECORD, count=claimed, offset=84)["corners"]
    return mesh_shape(path, corners.reshape(-1, 3), np.arange(3 * claimed).reshape(-1, 3))


def _ascii(path: Path, data: bytes) -> Shape:
    lines = Lines(normalise(data))
    words = lines.first | 32  # lower case
    chosen = np.flatnonzero((words == ord("v")) & ((lines.second | 32) == ord("e")))
    if not len(chosen):
        raise InputError(path, "it holds no facets", "check that the export included geometry")
    if len(chosen) % 3:
        raise InputError(path, f"it holds {len(chosen):,} vertices, not three for each facet", _MEND)
    vertices = number_table(lines.block(chosen, skip=len("vertex")), 3)
    is_solid = np.flatnonzero((words == ord("s")) & ((lines.second | 32) == ord("o")))
    appearance = None
    if len(is_solid) > 1:
        names = tuple(lines.text(i)[5:].strip() or f"solid {k}" for k, i in enumerate(is_solid))
        node = np.searchsorted(is_solid, chosen[::3]) - 1
        appearance = Appearance(node_names=names, face_node=node.astype(np.int32))
    return mesh_shape(path, vertices, np.arange(len(chosen)).reshape(-1, 3), appearance=appearance)
