"""The container of PLY: header and elements as arrays, whatever they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from partseg.errors import InputError
from partseg.geometry.io.text import floats, token_starts

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8", "int64": "i8", "uint64": "u8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_MAX_HEADER = 1 << 20
_MEND = "the file is damaged or cut short: export it again"


class List(NamedTuple):
    """A list property: all values end to end, and how many each row has."""

    values: Shaped[np.ndarray, " t"]
    sizes: Int[np.ndarray, " n"]


@dataclass
class _Property:
    name: str
    type: str
    count_type: str = ""  # of a list


@dataclass
class _Element:
    name: str
    count: int
    properties: list[_Property]

    @property
    def has_lists(self) -> bool:
        return any(p.count_type for p in self.properties)


def read_elements(path: Path, data: bytes) -> tuple[list[str], dict[str, dict[str, np.ndarray | List]]]:
    """Comments of the header, and for each element its properties by name.

    Nothing is allocated for a row that the file does not hold. ASCII values are all float64.

    Raises:
        InputError: not PLY, a header that cannot be understood, fewer bytes or numbers than it says.
    """
    order, comments, elements, begin = _header(path, data)
    out: dict[str, dict] = {}
    if order:
        buffer = np.frombuffer(data, dtype=np.uint8)
        for element in elements:
            columns, begin = _binary(path, buffer, begin, element, order)
            out.setdefault(element.name, columns)
    else:
        tokens, at = _Tokens(data[begin:]), 0
        for element in elements:
            columns, at = _ascii(path, tokens, at, element)
            out.setdefault(element.name, columns)
    return comments, out


def _header(path: Path, data: bytes) -> tuple[str, list[str], list[_Element], int]:
    if data[:3] != b"ply" or data[3:4] not in (b"\n", b"\r", b" "):
        raise InputError(path, "it is not a PLY file (it does not begin with 'ply')", "check the file's format")
    head = data[:_MAX_HEADER]
    end = head.find(b"end_header")
    newline = head.find(b"\n", end) if end >= 0 else -1
    if end >= 0 and newline < 0:
        newline = head.find(b"\r", end)
    if newline < 0:
        raise InputError(path, "its header has no end", _MEND)
    order, comments, elements = None, [], []
    for line in head[:end].decode("utf-8", errors="replace").splitlines()[1:]:
        words = line.split()
        if not words:
            continue
        try:
            if words[0] == "format":
                order = _ORDERS[words[1]]
            elif words[0] in ("comment", "obj_info"):
                comments.append(line.split(None, 1)[1] if len(words) > 1 else "")
            elif words[0] == "element":
                elements.append(_Element(words[1], int(words[2]), []))
            elif words[0] == "property" and words[1] == "list":
                elements[-1].properties.append(_Property(words[4], _TYPES[words[3]], _TYPES[words[2]]))
            elif words[0] == "property":
                elements[-1].properties.append(_Property(words[2], _TYPES[words[1]]))
            if words[0] == "element" and elements[-1].count < 0:
                raise ValueError
        except (KeyError, IndexError, ValueError):
            raise InputError(path, f"its header has a line that makes no sense: {line[:60]!r}", _MEND) from None
    if order is None:
        raise InputError(path, "its header names no format", _MEND)
    return order, comments, elements, newline + 1


def _short(path: Path, element: _Element) -> InputError:
    return InputError(path, f"its header says {element.count:,} of {element.name!r} but the file ends before", _MEND)


def _binary(path: Path, buffer: np.ndarray, begin: int, element: _Element, order: str) -> tuple[dict, int]:
    properties, count = element.properties, element.count
    if not properties or not count:
        return {p.name: _empty(p) for p in properties}, begin
    smallest = sum(np.dtype(p.count_type or p.type).itemsize for p in properties)
    if count * smallest > len(buffer) - begin:
        raise _short(path, element)
    # rows like the first: the whole element at once, if all lists turn out to be as long as the first row's
    fields, lengths, at = [], {}, begin
    for k, prop in enumerate(properties):
        if not prop.count_type:
            fields.append((f"p{k}", order + prop.type))
            at += np.dtype(prop.type).itemsize
            continue
        size = np.dtype(prop.count_type).itemsize
        length = int(buffer[at : at + size].view(order + prop.count_type)[0]) if at + size <= len(buffer) else 0
        length = length if 0 <= length * np.dtype(prop.type).itemsize <= len(buffer) else 0
        fields += [(f"n{k}", order + prop.count_type), (f"p{k}", order + prop.type, (length,))]
        lengths[k] = length
        at += size + length * np.dtype(prop.type).itemsize
    row = np.dtype(fields)
    if begin + count * row.itemsize <= len(buffer):
        table = np.frombuffer(buffer, dtype=row, count=count, offset=begin)
        if all((table[f"n{k}"] == length).all() for k, length in lengths.items()):
            columns = {}
            for k, prop in enumerate(properties):
                values = table[f"p{k}"].astype(prop.type)
                columns[prop.name] = List(values.reshape(-1), np.full(count, lengths[k])) if k in lengths else values
            return columns, begin + count * row.itemsize
    return _binary_ragged(path, buffer, begin, element, order)


def _empty(prop: _Property) -> np.ndarray | List:
    values = np.zeros(0, prop.type)
    return List(values, np.zeros(0, np.int64)) if prop.count_type else values


def _binary_ragged(path: Path, buffer: np.ndarray, begin: int, element: _Element, order: str) -> tuple[dict, int]:
    from partseg.geometry.io.ply_scan import scan_binary

    count_sizes = np.array([np.dtype(p.count_type).itemsize if p.count_type else 0 for p in element.properties])
    item_sizes = np.array([np.dtype(p.type).itemsize for p in element.properties])
    offsets, lengths, end = scan_binary(buffer, begin, element.count, count_sizes, item_sizes, order == ">")
    if end < 0:
        raise _short(path, element)
    columns = {}
    for k, prop in enumerate(element.properties):
        size, sizes = int(item_sizes[k]), lengths[:, k]
        first = np.repeat(offsets[:, k] - (np.cumsum(sizes) - sizes) * size, sizes)
        at = first + np.arange(len(first)) * size
        values = buffer[at[:, None] + np.arange(size)].view(order + prop.type).astype(prop.type).reshape(-1)
        columns[prop.name] = List(values, sizes.copy()) if prop.count_type else values
    return columns, end


class _Tokens:
    """The numbers of a text body, converted in large blocks: whole numbers by themselves are much faster."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._starts = token_starts(np.frombuffer(text, dtype=np.uint8))
        self._rest, self._rest_begin = np.zeros(0), len(self._starts)

    def __len__(self) -> int:
        return len(self._starts)

    def take(self, begin: int, count: int) -> np.ndarray:
        """``count`` numbers from the ``begin``-th on; there must be so many."""
        if begin >= self._rest_begin or not count:
            return self._rest[begin - self._rest_begin :][:count]
        end = self._starts[begin + count] if begin + count < len(self) else len(self._text)
        return floats(self._text[self._starts[begin] : end], count)

    def rest(self, begin: int) -> np.ndarray:
        """All numbers from the ``begin``-th on."""
        if begin < self._rest_begin:
            self._rest, self._rest_begin = self.take(begin, len(self) - begin), begin
        return self._rest[begin - self._rest_begin :]


def _ascii(path: Path, tokens: _Tokens, at: int, element: _Element) -> tuple[dict, int]:
    properties, count = element.properties, element.count
    if not properties or not count:
        return {p.name: _empty(p) for p in properties}, at
    width = len(properties)
    if count * width > len(tokens) - at:
        raise _short(path, element)
    if not element.has_lists:
        table = tokens.take(at, count * width).reshape(count, width)
        return {p.name: _as_stored(table[:, k], p) for k, p in enumerate(properties)}, at + count * width
    values = tokens.rest(at)
    if len(properties) == 1:  # faces that are all like the first
        length = int(values[0]) if 0 <= values[0] < len(values) else 0
        end = count * (length + 1)
        table = values[:end].reshape(count, length + 1) if end <= len(values) else None
        if table is not None and (table[:, 0] == length).all():
            return {properties[0].name: List(table[:, 1:].reshape(-1), np.full(count, length))}, at + end
    from partseg.geometry.io.ply_scan import scan_numbers

    is_list = np.array([bool(p.count_type) for p in properties])
    offsets, lengths, end = scan_numbers(values, 0, count, is_list)
    if end < 0:
        raise _short(path, element)
    columns = {}
    for k, prop in enumerate(properties):
        sizes = lengths[:, k]
        first = np.repeat(offsets[:, k] - (np.cumsum(sizes) - sizes), sizes)
        chosen = values[first + np.arange(len(first))]
        columns[prop.name] = List(chosen, sizes.copy()) if prop.count_type else _as_stored(chosen, prop)
    return columns, at + end


def _as_stored(values: np.ndarray, prop: _Property) -> np.ndarray:
    """Small unsigned integers (colours) in their own type, so that 0..255 is told from 0..1; the rest stays float64."""
    if prop.type in ("u1", "u2"):
        return np.clip(np.nan_to_num(values), 0, np.iinfo(prop.type).max).astype(prop.type)
    return values
