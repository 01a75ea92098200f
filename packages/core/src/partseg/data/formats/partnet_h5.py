"""One row of PartNet's h5 releases, without reading the rest of the file.

The data sets are compressed in chunks of some rows and some slots, so that a row costs the chunks it touches: a few MB
are inflated for the masks of a shape, never the 2 GB of a file. Rows read in order share them through HDF5's chunk
cache. At most `MAX_OPEN` files stay open in a process; each process opens its own.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from partseg.data.formats.base import dense, extra
from partseg.errors import InputError

MAX_OPEN = 3
CACHE_BYTES = 48 << 20  # of inflated chunks a data set: what 16 rows of full masks take
MAX_ROWS = 1_000_000
MAX_ROW = 1 << 28  # numbers in one row of a data set
_MEND = "download the file again"
_BROKEN = (OSError, RuntimeError, LookupError, ValueError, TypeError, OverflowError, MemoryError)  # by damaged bytes


@dataclass
class _Open:
    """An open file. Data sets are kept too: HDF5's cache lives as long as they do."""

    file: Any
    names: tuple[str, ...]
    sets: dict[str, Any] = field(default_factory=dict)


class _Process:
    """What one process holds open: (path, time, size) -> file, least recently used first."""

    def __init__(self) -> None:
        self.pid, self.lock = os.getpid(), threading.RLock()
        self.open: OrderedDict[tuple[str, int, int], _Open] = OrderedDict()


_process = _Process()


def _mine() -> _Process:
    """A forked process starts anew: the lock may be held and the handles are its parent's."""
    global _process
    if _process.pid != os.getpid():
        _process = _Process()
    return _process


def count(path: Path) -> int:
    """Rows of a file: the length of its clouds (`pts`, or `data` in the semantic release)."""
    with _mine().lock:
        file = _handle(path)
        name = next((x for x in ("pts", "data") if x in names(path)), None)
        if name is None:
            raise InputError(path, f"expected clouds `pts` or `data`, found {_listed(path)}", _MEND)
        rows = len(_dataset(path, file, name))
        if rows > MAX_ROWS:
            raise InputError(path, f"expected at most {MAX_ROWS:,} rows of `{name}`, found {rows:,}", _MEND)
        return rows


def names(path: Path) -> tuple[str, ...]:
    """Names of the data sets."""
    with _mine().lock:
        return _handle(path).names


def close_all() -> None:
    """Close the files that this process holds open."""
    with _mine().lock:
        for key in list(_mine().open):
            _close(key)


def read_row(path: Path, name: str, row: int, ndim: int, kinds: str, first: int | None = None) -> np.ndarray:
    """Row `row` of a data set, `ndim` dimensions without that of the rows.

    Args:
        kinds: allowed kinds of dtype, as in `numpy.dtype.kind`.
        first: only so many of the row's first entries.

    Raises:
        InputError: no such data set or row, another type or shape, or the file is damaged.
    """
    with _mine().lock:
        data = _dataset(path, _handle(path), name)
        if data.ndim != ndim + 1 or data.dtype.kind not in kinds:
            want = {"f": "floats", "b": "booleans", "u": "integers", "i": "integers"}[kinds[0]]
            found = f"{data.dtype} {data.shape}"
            raise InputError(path, f"expected `{name}` as {want} of {ndim + 1} dimensions, found {found}", _MEND)
        if not 0 <= row < len(data):
            raise InputError(path, f"expected row {row} of `{name}`, found {len(data)} rows", _MEND)
        if (size := int(np.prod(data.shape[1:], dtype=object))) > MAX_ROW:
            raise InputError(path, f"expected at most {MAX_ROW:,} numbers in a row of `{name}`, found {size:,}")
        try:
            return np.asarray(data[row] if first is None else data[row, :first])
        except _BROKEN as error:
            raise InputError(path, f"`{name}` cannot be read at row {row}: {_line(error)}", _MEND) from None


def read_points(path: Path, row: int, name: str = "pts") -> Float[np.ndarray, "n 3"]:
    """(n, 3) float32 positions of a row.

    Raises:
        InputError: as `read_row`; not three columns; NaN or infinity.
    """
    points = read_row(path, name, row, 2, "f").astype(np.float32)
    if points.shape[1] != 3 or not len(points) or not np.isfinite(points).all():
        found = f"a cloud of shape {points.shape}" if points.shape[1] != 3 or not len(points) else "NaN or infinity"
        raise InputError(path, f"expected `{name}` as finite (n, 3), found {found} at row {row}", _MEND)
    return points


def column(path: Path, name: str, row: int, n: int, kinds: str = "iu") -> Shaped[np.ndarray, "n"]:
    """A row of one value for each of n points."""
    values = read_row(path, name, row, 1, kinds)
    if len(values) != n:
        raise InputError(path, f"expected {n:,} values of `{name}` at row {row}, found {len(values):,}", _MEND)
    return values


def pack_masks(
    path: Path, row: int, masks: Bool[np.ndarray, "k n"], slots: Int[np.ndarray, "k"], other: Bool[np.ndarray, "n"]
) -> Int[np.ndarray, "n"]:
    """(n,) int64 number 0..k-1 of the mask that holds each point, -1 none.

    Masks of PartNet are disjoint. Where they are not, the code of the fusion network lets the later one win; a point in
    two parts has no truth, so here it is an error.

    Args:
        path, row: to name in errors.
        masks: the valid ones, which may be empty.
        slots: where each stood, to name in errors.
        other: points in no listed part.

    Raises:
        InputError: two masks share a point, or one has a point of `other`.
    """
    held = masks.sum(0, dtype=np.int64)
    if (held > 1).any():
        point = int(np.argmax(held > 1))
        a, b = slots[np.flatnonzero(masks[:, point])[:2]].tolist()
        raise InputError(path, f"masks {a} and {b} of row {row} overlap: both hold point {point}", _MEND)
    if (both := other & (held > 0)).any():
        point = int(np.argmax(both))
        slot = int(slots[np.argmax(masks[:, point])])
        raise InputError(path, f"mask {slot} of row {row} overlaps the mask of the rest: point {point}", _MEND)
    return np.where(held > 0, masks.argmax(0) if len(masks) else 0, -1).astype(np.int64)


def read_masks(path: Path, row: int, n: int) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]] | None:
    """Instances and classes of a row of `ins_seg_h5_for_detection` or `ins_seg_h5_gt`; None where it has no truth.

    The two name and number things differently: `gt_label` is a class for each point from 1 (0 = other), `gt_mask_label`
    one for each mask from 0. A listed part without points is a valid, empty mask in the first and absent from the
    second; it gets no number here.

    Returns:
        (n,) int64 instances 0..k-1 in the order of the slots, and (n,) int64 classes from 0; -1 = other.
    """
    there = names(path)
    if "gt_mask" not in there:
        return None
    detection = "gt_label" in there
    valid_name, other_name = ("gt_valid", "gt_other_mask") if detection else ("gt_mask_valid", "gt_mask_other")
    slots = np.flatnonzero(read_row(path, valid_name, row, 1, "bui"))
    used = int(slots.max(initial=-1)) + 1
    masks = read_row(path, "gt_mask", row, 2, "bui", first=max(used, 1)).astype(bool)
    if len(masks) < used or masks.shape[1] != n:
        raise InputError(path, f"expected `gt_mask` of at least {used} x {n:,}, found {masks.shape}", _MEND)
    other = column(path, other_name, row, n, "bui").astype(bool)
    packed = pack_masks(path, row, masks[slots], slots, other)
    if detection:
        classes = column(path, "gt_label", row, n).astype(np.int64) - 1
    else:
        label = read_row(path, "gt_mask_label", row, 1, "ui").astype(np.int64)
        if len(label) < used:
            raise InputError(path, f"expected a label for each of {used} masks, found {len(label)}", _MEND)
        classes = np.r_[label[slots], -1][packed]
    return dense(packed), classes


def read_one_hot(path: Path, row: int, n: int, n_classes: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Instances and classes of a row of `ins_seg_h5_for_sgpn`, as (n,) int64 from 0, -1 = none.

    With one column more than the level has classes, the first is "other".

    Raises:
        InputError: as `read_row`; a point in two columns; a number of columns that does not fit the level.
    """
    out = []
    for name in ("insseg_one_hot", "semseg_one_hot"):
        hot = read_row(path, name, row, 2, "bui").astype(bool)
        if len(hot) != n:
            raise InputError(path, f"expected {n:,} rows of `{name}`, found {len(hot):,}", _MEND)
        slots = np.arange(hot.shape[1])
        out.append(pack_masks(path, row, np.ascontiguousarray(hot.T), slots, np.zeros(n, bool)))
    columns = hot.shape[1]
    if n_classes is not None and columns not in (n_classes, n_classes + 1):
        raise InputError(path, f"label outside the taxonomy: expected {n_classes} classes, found {columns} columns")
    classes = out[1] - 1 if n_classes is not None and columns == n_classes + 1 else out[1]
    return dense(out[0]), np.maximum(classes, -1)


def _handle(path: Path) -> _Open:
    """The open file, opened when it is not; the least recently used one is closed for it."""
    h5py = extra("h5py")
    try:
        about = path.stat()
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}", _MEND) from None
    key, held = (str(path), about.st_mtime_ns, about.st_size), _mine().open
    if key in held:
        held.move_to_end(key)
        return held[key]
    for old in [k for k in held if k[0] == key[0]]:  # the file has changed since
        _close(old)
    while len(held) >= MAX_OPEN:
        _close(next(iter(held)))
    try:
        file = h5py.File(path, "r", locking=False, rdcc_nbytes=CACHE_BYTES, rdcc_nslots=10_007)
        inside = tuple(file)
    except _BROKEN as error:
        cause = f"expected an HDF5 file, found a damaged or truncated one: {_line(error)}"
        raise InputError(path, cause, _MEND) from None
    held[key] = _Open(file, inside)
    return held[key]


def _close(key: tuple[str, int, int]) -> None:
    held = _mine().open.pop(key)
    held.sets.clear()
    held.file.close()


def _dataset(path: Path, held: _Open, name: str) -> Any:
    """A data set inside the file itself: links out of it are refused."""
    h5py = extra("h5py")
    if name in held.sets:
        return held.sets[name]
    try:
        link = held.file.get(name, getlink=True)
        if link is None:
            raise InputError(path, f"expected a data set `{name}`, found {_listed(path)}", _MEND)
        data = held.file[name] if isinstance(link, h5py.HardLink) else None
        if not isinstance(data, h5py.Dataset) or data.is_virtual or data.external or not data.shape:
            raise InputError(path, f"expected `{name}` as a data set in the file, found something else", _MEND)
    except _BROKEN as error:
        raise InputError(path, f"`{name}` cannot be read: {_line(error)}", _MEND) from None
    held.sets[name] = data
    return data


def _listed(path: Path) -> str:
    return ", ".join(sorted(names(path))[:12]) or "nothing"


def _line(error: BaseException) -> str:
    return str(error).splitlines()[0][:160] if str(error) else type(error).__name__
