"""Points as rows of numbers: XYZ, TXT, PTS, CSV, NPY, NPZ."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from tokenize import TokenError

import numpy as np
from jaxtyping import Float

from partseg.errors import InputError
from partseg.geometry.io.assemble import cloud_shape, mesh_shape
from partseg.geometry.io.text import floats, normalise, strip_comments, tokens_per_line
from partseg.geometry.shape import Shape

_MAX_ARRAY_BYTES = 4 << 30
_MEND = "write rows of x y z, or x y z with a normal or a colour"
_COLUMNS = {"px": "x", "py": "y", "pz": "z", "red": "r", "green": "g", "blue": "b", "normal_x": "nx", "normal_y": "ny",
            "normal_z": "nz", "normalx": "nx", "normaly": "ny", "normalz": "nz"}  # fmt: skip


def read_table(path: Path, data: bytes) -> Shape:
    """A cloud from lines of numbers split by blanks, commas, semicolons or tabs.

    A first line of names (x, y, z, nx, ny, nz, r, g, b) says what columns are; a first line of one number is the count
    of a PTS file; else see `split_columns`. ``#`` and ``//`` begin comments.

    Raises:
        InputError: no numbers, fewer than three columns, lines of different length.
    """
    data = strip_comments(strip_comments(normalise(data)), b"//")
    data = re.sub(rb"[,;]", b" ", data)
    counts = tokens_per_line(data)
    filled = np.flatnonzero(counts)
    if not len(filled):
        raise InputError(path, "it is empty", _MEND)
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == 10)
    names, skip = None, 0
    first = (
        data[(ends[filled[0] - 1] + 1 if filled[0] else 0) : ends[filled[0]]].decode("utf-8", errors="replace").split()
    )
    if not all(_is_number(word) for word in first):
        names, skip = [word.strip('"').lower() for word in first], 1
    elif len(first) == 1 and len(filled) > 1 and counts[filled[1]] >= 3:
        skip = 1
    filled = filled[skip:]
    if not len(filled):
        raise InputError(path, "it holds no rows of numbers", _MEND)
    rows = counts[filled]
    if (rows != rows[0]).any():
        bad = filled[np.argmax(rows != rows[0])]
        raise InputError(path, f"line {bad + 1} has {counts[bad]} columns, the first has {rows[0]}", _MEND)
    if rows[0] < 3:
        raise InputError(path, f"it has {rows[0]} columns", _MEND)
    begin = ends[filled[0] - 1] + 1 if filled[0] else 0
    table = floats(data[begin:], int(rows.sum())).reshape(len(filled), -1)
    if np.isnan(table[:, :3]).all():
        raise InputError(path, "it holds text, not numbers", _MEND)
    return _cloud(path, table, names)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _cloud(path: Path, table: np.ndarray, names: list[str] | None = None) -> Shape:
    if names and len(names) == table.shape[1]:
        at = {_COLUMNS.get(name, name): k for k, name in enumerate(names)}
        if all(axis in at for axis in "xyz"):
            pick = lambda keys: table[:, [at[k] for k in keys]] if all(k in at for k in keys) else None  # noqa: E731
            colors = pick("rgb")
            return cloud_shape(path, pick("xyz"), pick(("nx", "ny", "nz")), None if colors is None else _unit(colors))
    normals, colors = split_columns(table)
    return cloud_shape(path, table[:, :3], normals, colors)


def _unit(colors: np.ndarray) -> np.ndarray:
    return colors / 255.0 if (np.nan_to_num(colors) > 1).any() else colors


def split_columns(
    table: Float[np.ndarray, "n k"],
) -> tuple[Float[np.ndarray, "n 3"] | None, Float[np.ndarray, "n 3"] | None]:
    """Normals and colours (0..1) of a table without names, guessed from the numbers behind the first three columns.

    Three columns of unit length (or all zero) are normals; three in 0..255, none negative, are colours. They are looked
    for at columns 3-5, then 6-8; with exactly seven columns (x y z intensity r g b) at 4-6.
    """
    normals = colors = None
    for begin in (4,) if table.shape[1] == 7 else (3, 6):
        if table.shape[1] < begin + 3:
            break
        block = np.nan_to_num(table[:, begin : begin + 3])
        length = np.linalg.norm(block, axis=1)
        is_normal = (np.abs(length - 1) < 0.02) | (length == 0)
        if normals is None and is_normal.mean() > 0.95 and (length > 0).any():
            normals = block
        elif colors is None and block.min() >= 0 and block.max() <= 255:
            colors = _unit(block)
    return normals, colors


def read_npy(path: Path, data: bytes) -> Shape:
    """A cloud from one array (n, 3 or more); columns as in `split_columns`."""
    return _cloud(path, _checked(path, _load(path, data), "the array"))


def read_npz(path: Path, data: bytes) -> Shape:
    """A mesh from ``vertices`` and ``faces`` (f,3), or a cloud from ``points`` (``xyz``, ``pos``) with ``normals`` and
    ``colors``; the only array of a file may have any name.

    Raises:
        InputError: pickled objects, no such arrays, arrays of another shape.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            if sum(m.file_size for m in members) > _MAX_ARRAY_BYTES:
                raise InputError(path, "its arrays are larger than 4 GiB", "store fewer points")
            wanted = {"points", "xyz", "pos", "vertices", "faces", "normals", "colors", "normal", "color", "rgb"}
            for member in members:
                name = member.filename[:-4]
                if name in wanted or len(members) == 1:
                    arrays[name] = _load(path, archive.read(member))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zipfile.zlib.error) as error:
        raise InputError(
            path, f"it is not a readable NPZ file: {str(error)[:200]}", "the file is damaged: save it again"
        ) from None
    first = lambda *names: next((arrays[n] for n in names if n in arrays), None)  # noqa: E731
    if "vertices" in arrays and "faces" in arrays:
        faces = np.asarray(arrays["faces"])
        if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
            raise InputError(path, f"faces must be whole numbers (f, 3), not {faces.dtype} {faces.shape}")
        return mesh_shape(path, _checked(path, arrays["vertices"], "vertices")[:, :3], faces.astype(np.int64))
    points = first("points", "xyz", "pos", "vertices")
    if points is None and len(arrays) == 1:
        points = next(iter(arrays.values()))
    if points is None:
        raise InputError(path, "it has no array 'points', or 'vertices' with 'faces'", "save the arrays by these names")
    points = _checked(path, points, "points")
    normals, colors = first("normals", "normal"), first("colors", "color", "rgb")
    if normals is None and colors is None:
        return _cloud(path, points)
    checked = []
    for array, name in ((normals, "normals"), (colors, "colors")):
        array = None if array is None else _checked(path, array, name)[:, :3]
        if array is not None and len(array) != len(points):
            raise InputError(path, f"it has {len(points):,} points but {len(array):,} {name}")
        checked.append(array)
    return cloud_shape(path, points[:, :3], checked[0], None if checked[1] is None else _unit(checked[1]))


def _load(path: Path, data: bytes) -> np.ndarray:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        size = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize if shape else dtype.itemsize
        if dtype.hasobject:
            raise InputError(path, "it holds pickled objects, which are not read", "save plain number arrays")
        if size > len(data) - stream.tell():
            raise InputError(
                path, "its header says more numbers than the file holds", "the file is cut short: save it again"
            )
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, SyntaxError, EOFError, TypeError, TokenError) as error:
        raise InputError(path, f"it is not a readable NumPy array: {error}", "save it again") from None


def _checked(path: Path, array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim != 2 or array.shape[1] < 3 or array.dtype.kind not in "fiu":
        raise InputError(path, f"{name} must be numbers (n, 3 or more), not {array.dtype} {array.shape}", _MEND)
    return array.astype(np.float64)
