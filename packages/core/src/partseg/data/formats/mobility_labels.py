"""Labels of PartNetE: `label.npy`, a pickled dictionary of two arrays, read without unpickling; or `label.npz`.

The PartSLIP release (Liu et al., CVPR 2023) keeps, for each point, `semantic_seg` (index into the part names of the
category) and `instance_seg`, both -1 where a point is in no part. NumPy pickles a dictionary to write it, and a pickle
can run any program. Here its operations are only walked: a name is looked up in no module, nothing is called, and
what comes of it is either a dictionary of integer arrays as NumPy pickles them, or refused.
"""

from __future__ import annotations

import pickletools
import re
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from partseg.errors import InputError

KEYS = ("instance_seg", "semantic_seg")
MAX_BYTES = 1 << 28
_MEND = (
    'convert a file you trust with python -c "import numpy as np; '
    "np.savez('label.npz', **np.load('label.npy', allow_pickle=True).item())\""
)
_ARRAY = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
_BAD_HEADER = (ValueError, TypeError, LookupError, EOFError, SyntaxError, RecursionError, tokenize.TokenError)
_DTYPE, _ENCODE = "numpy dtype", "_codecs encode"
_NAMES = {*_ARRAY, _DTYPE, _ENCODE, "numpy ndarray"}


def label_files(folder: Path) -> tuple[Path, ...]:
    """Those of `label.npz` and `label.npy` that are there; the first is read."""
    return tuple(path for name in ("label.npz", "label.npy") if (path := folder / name).is_file())


def read_labels(folder: Path, n: int) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Instances and classes of n points, int64, from `label.npz` where it is there, else `label.npy`.

    Raises:
        InputError: neither file is there, it is damaged, holds anything but integer arrays, or not n of them.
    """
    path = next(iter(label_files(folder)), folder / "label.npy")
    try:
        arrays = _from_npz(path) if path.suffix == ".npz" else _from_npy(path)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}", "unpack the release again") from None
    out = []
    for key in KEYS:
        if key not in arrays:
            raise InputError(path, f"expected {key}, found {', '.join(sorted(arrays)) or 'nothing'}")
        values = arrays[key]
        if values.shape != (n,) or values.dtype.kind not in "iub":
            raise InputError(path, f"expected {n:,} integers as {key}, found {values.dtype} {values.shape}")
        out.append(np.maximum(values.astype(np.int64), -1))
    return out[0], out[1]


def _from_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            if (size := sum(info.file_size for info in archive.infolist())) > MAX_BYTES:
                raise InputError(path, f"expected at most {MAX_BYTES:,} bytes, found {size:,}")
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in KEYS if key in file}
    except (ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(path, f"expected an archive of integer arrays: {str(error)[:120]}", _MEND) from None


def _from_npy(path: Path) -> dict[str, np.ndarray]:
    if (size := path.stat().st_size) > MAX_BYTES:
        raise InputError(path, f"expected at most {MAX_BYTES:,} bytes, found {size:,}")
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(file)
        except _BAD_HEADER as error:
            raise InputError(path, f"expected a NumPy file: {str(error)[:120]}", "unpack the release again") from None
        if shape != () or not dtype.hasobject:
            raise InputError(path, f"expected a dictionary saved by NumPy, found {dtype} {shape}")
        data = file.read()
    try:
        table = _state(_walk(data), _ARRAY)[4][0]
        if type(table) is not dict:
            raise ValueError("no dictionary")
        return {key: _array(table[key]) for key in KEYS if key in table}
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError, EOFError) as error:
        cause = f"expected a pickled dictionary of integer arrays, and nothing else: {str(error)[:120]}"
        raise InputError(path, cause, _MEND) from None


@dataclass(eq=False)
class _Name:
    """A module's name and a name in it; never looked up."""

    text: str


@dataclass(eq=False)
class _Made:
    """What a call of `name` with `arguments` would make, were it called."""

    name: str
    arguments: tuple
    state: Any = None


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "UNICODE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BINSTRING", "SHORT_BINSTRING", "STRING",
}  # fmt: skip
_MARK = object()


def _walk(data: bytes) -> Any:
    """What a pickle describes, in tuples, lists, dictionaries, texts, bytes, integers, `_Name` and `_Made`.

    Raises:
        ValueError, IndexError, KeyError, TypeError: an operation or a name that a dictionary of arrays does not need,
            or a damaged pickle.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("no mark")
        values = stack[at + 1 :]
        del stack[at:]
        return values

    for operation, argument, _ in pickletools.genops(data):
        name = operation.name
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in ("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"):
            count = 0 if name == "EMPTY_TUPLE" else int(name[-1])
            values = tuple(stack[len(stack) - count :])
            if len(values) < count:
                raise ValueError("an empty stack")
            del stack[len(stack) - count :]
            stack.append(values)
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "APPEND":
            value = stack.pop()
            _own(stack, list).append(value)
        elif name == "APPENDS":
            values = since_mark()
            _own(stack, list).extend(values)
        elif name in ("SETITEM", "SETITEMS"):
            values = since_mark() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            if not all(isinstance(key, str) for key in values[::2]):
                raise ValueError("a key that is no text")
            _own(stack, dict).update(zip(values[::2], values[1::2], strict=True))
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            text = argument if name == "GLOBAL" else f"{stack.pop(-2)} {stack.pop()}"
            if text not in _NAMES:
                raise ValueError(f"it names {text[:60]!r}")
            stack.append(_Name(text))
        elif name == "REDUCE":
            arguments = stack.pop()
            called = _own(stack, _Name).text
            if type(arguments) is not tuple:
                raise ValueError("a call without arguments")
            stack[-1] = _Made(called, arguments)
        elif name == "BUILD":
            state = stack.pop()
            _own(stack, _Made).state = state
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"operation {name}")
    raise ValueError("cut short")


def _own(stack: list[Any], kind: type) -> Any:
    if type(stack[-1]) is not kind:
        raise ValueError(f"expected {kind.__name__.strip('_').lower()}, found {type(stack[-1]).__name__}")
    return stack[-1]


def _state(made: Any, names: tuple[str, ...]) -> tuple:
    if type(made) is not _Made or made.name not in names or type(made.state) is not tuple:
        raise ValueError("something else than an array")
    return made.state


def _array(made: Any) -> np.ndarray:
    """An integer array from the state that NumPy pickles: version, shape, dtype, order, bytes."""
    _, shape, dtype, _, raw = _state(made, _ARRAY)
    code, order = dtype.arguments[0], _state(dtype, (_DTYPE,))[1]
    if not isinstance(code, str) or not re.fullmatch(r"[iu][1248]|b1", code) or order not in ("<", ">", "|", "="):
        raise ValueError(f"values of type {str(code)[:20]!r}")
    if type(raw) is _Made and raw.name == _ENCODE:  # protocol 2 keeps bytes as text
        raw = raw.arguments[0].encode("latin1")
    if not isinstance(raw, bytes) or type(shape) is not tuple or len(shape) != 1:
        raise ValueError("an array of more than one dimension, or no bytes")
    values = np.frombuffer(raw, np.dtype(code).newbyteorder(order))
    if shape != (len(values),):
        raise ValueError(f"{len(values)} values for shape {str(shape)[:40]}")
    return values
