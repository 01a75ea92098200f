"""Numbers and strings out of MATLAB files: version 5 with scipy, version 7.3 with h5py; nothing in a file is run."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.io import loadmat, whosmat
from scipy.io.matlab import MatReadError

from partseg.data.formats.base import extra
from partseg.errors import InputError

MAX_BYTES = 64 << 20
MAX_VALUES = 8 << 20

MIXED = "the folder mixes files of different releases; unpack them again"
"""How to mend files that do not fit one another."""

_MEND = "the file is damaged or another one; unpack the release again"
_NUMBERS = {
    "double", "single", "logical", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
}  # fmt: skip
# What scipy and h5py raise for damaged files of every sort.
_DAMAGED = (
    MatReadError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError, OSError, AttributeError,
    NotImplementedError, UnicodeError, SystemError, RuntimeError, MemoryError, zlib.error,
)  # fmt: skip


def read_numbers(path: Path, *names: str, limit: int = MAX_VALUES) -> Float[np.ndarray, "..."]:
    """The first of these variables that the file has, float64, in MATLAB's own shape.

    Args:
        path: a `.mat` file.
        names: what the variable may be called.
        limit: most numbers it may hold.

    Raises:
        InputError: no such file, not a `.mat` file, truncated, none of the variables in it, no numbers, too many, or
            infinite ones.
    """
    values = _guarded(path, lambda: _read(path, names, limit, text=False))
    if values is None:
        raise InputError(path, f"expected a variable {' or '.join(map(repr, names))}, found none", _MEND)
    values = np.asarray(values, np.float64)
    if not np.isfinite(values).all():
        raise InputError(path, f"{names[0]} holds NaN or infinite values", _MEND)
    return values


def read_text(path: Path, name: str) -> str | None:
    """A string variable of the file, None where it has none.

    Raises:
        InputError: as for `read_numbers`.
    """
    found = _guarded(path, lambda: _read(path, (name,), 4096, text=True))
    return None if found is None else str(found)


def _guarded(path: Path, read: Callable[[], Any]) -> Any:
    if not path.is_file():
        raise InputError(path, "no such file", "unpack all folders of the release side by side")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(path, f"expected a file of at most {MAX_BYTES >> 20} MB, found {path.stat().st_size >> 20} MB")
    try:
        return read()
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(path, f"cannot be read as a MATLAB file: {error}", _MEND) from None


def _read(path: Path, names: tuple[str, ...], limit: int, text: bool) -> Any:
    with path.open("rb") as file:
        head = file.read(1024)
    if head.startswith(b"MATLAB 7.3") or b"\x89HDF\r\n" in head:
        return _read_hdf5(path, names, limit, text)
    for name, shape, kind in whosmat(path):
        if name in names:
            if kind not in ({"char"} if text else _NUMBERS):
                raise InputError(
                    path, f"expected {name} to hold {'text' if text else 'numbers'}, found {kind} {shape}", _MEND
                )
            _bounded(path, name, shape, limit)
            value = loadmat(path, variable_names=[name])[name]
            return "".join(value.reshape(-1).tolist()).strip() if text else value
    return None


def _read_hdf5(path: Path, names: tuple[str, ...], limit: int, text: bool) -> Any:
    h5py = extra("h5py")
    with h5py.File(path, "r") as file:
        for name in names:
            if isinstance(data := file.get(name, getlink=False), h5py.Dataset):
                if data.dtype.kind not in "biuf":
                    raise InputError(path, f"expected {name} to hold numbers, found {data.dtype}", _MEND)
                _bounded(path, name, data.shape, limit)
                if data.attrs.get("MATLAB_empty", 0):
                    return "" if text else np.zeros((0, 0))
                value = data[()].T  # MATLAB stores by columns, HDF5 by rows
                return "".join(map(chr, value.reshape(-1).astype(int).tolist())).strip() if text else value
    return None


def _bounded(path: Path, name: str, shape: tuple[int, ...], limit: int) -> None:
    if math.prod(shape) > limit:
        raise InputError(path, f"expected {name} to hold at most {limit:,} values, found {shape}", _MEND)


@lru_cache(maxsize=8)
def _cached(path: Path, name: str, changed: int) -> Float[np.ndarray, "..."]:
    values = read_numbers(path, name)
    values.setflags(write=False)
    return values


def read_table(path: Path, name: str) -> Float[np.ndarray, "r c"]:
    """A category's table; the last few are kept, as every shape of the category has its columns there."""
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        changed = 0
    values = _cached(path, name, changed)
    if values.ndim != 2 or not values.size:
        raise InputError(path, f"expected a table, found {values.shape}", MIXED)
    return values


def read_block(path: Path, name: str, shapes: int, row: int) -> Float[np.ndarray, "r c"]:
    """One shape's columns of a table in which every shape has equally many."""
    table = read_table(path, name)
    if table.shape[1] % shapes:
        raise InputError(path, f"expected a multiple of {shapes} columns, one block a shape, found {table.shape[1]}")
    width = table.shape[1] // shapes
    return table[:, row * width : (row + 1) * width]


def whole(path: Path, values: Float[np.ndarray, "..."]) -> Int[np.ndarray, "m"]:
    values = values.reshape(-1)
    if not (np.abs(values) <= 1 << 31).all() or (values != np.floor(values)).any():
        raise InputError(path, "expected whole numbers", MIXED)
    return values.astype(np.int64)


def rows8(path: Path, syms: Float[np.ndarray, "..."]) -> Float[np.ndarray, "s 8"]:
    if not syms.size:
        return np.zeros((0, 8))
    if syms.ndim != 2 or len(syms) != 8:
        raise InputError(path, f"expected columns of 8 numbers, found {syms.shape}", MIXED)
    return np.ascontiguousarray(syms.T)


def read_clouds(path: Path) -> Float[np.ndarray, "k n 6"]:
    pc = read_numbers(path, "pc")
    if pc.ndim == 2:  # MATLAB drops a trailing axis, and some tools a leading one
        pc = pc[None]
    if pc.ndim != 3 or pc.shape[2] != 6 or not pc.size:
        raise InputError(path, f"expected clouds of 6 numbers a point, found {pc.shape}", MIXED)
    return pc
