"""glTF containers, buffers and accessors as arrays (glTF 2.0 sections 3.6 and 4.4)."""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
from jaxtyping import Shaped

from partseg.errors import InputError
from partseg.geometry.io.textures import sibling

_JSON, _BIN = 0x4E4F534A, 0x004E4942
_COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_MAX_ZEROS = 10_000_000  # items of an accessor without data of its own
_COMPRESSION = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression")
_CUT = "the file is damaged or cut short: export it again"


def split_glb(path: Path, data: bytes) -> tuple[dict, bytes | None]:
    """JSON and binary chunk of a GLB file.

    Raises:
        InputError: another version than 2, or less data than the header says.
    """
    if len(data) < 20 or data[:4] != b"glTF":
        raise InputError(path, "it is not a GLB file", _CUT)
    version, length = (int.from_bytes(data[i : i + 4], "little") for i in (4, 8))
    if version != 2:
        raise InputError(path, f"GLB version {version} is not read", "export it as glTF 2.0")
    if length > len(data):
        raise InputError(path, f"its header says {length:,} bytes but it has {len(data):,}", _CUT)
    document, binary, at = None, None, 12
    while at + 8 <= length:
        size, kind = (int.from_bytes(data[i : i + 4], "little") for i in (at, at + 4))
        at += 8
        if at + size > length:
            raise InputError(path, "a chunk of it reaches beyond its end", _CUT)
        if kind == _JSON and document is None:
            document = parse_json(path, data[at : at + size])
        elif kind == _BIN and binary is None:
            binary = data[at : at + size]
        at += size
    if document is None:
        raise InputError(path, "it has no JSON chunk", _CUT)
    return document, binary


def parse_json(path: Path, data: bytes) -> dict:
    """The document of a glTF file; NaN and Infinity, which JSON forbids, become null.

    Raises:
        InputError: not JSON, not glTF 2, or compressed in a way that is not read.
    """
    try:
        document = json.loads(data.decode("utf-8-sig"), parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"its JSON cannot be read: {error}", _CUT) from None
    if not isinstance(document, dict) or not isinstance(document.get("asset"), dict):
        raise InputError(path, "it is JSON but not glTF", "check the file's format")
    if not str(document["asset"].get("version", "2.0")).startswith("2"):
        raise InputError(path, f"glTF version {document['asset']['version']} is not read", "export it as glTF 2.0")
    required = document.get("extensionsRequired", [])
    for name in _COMPRESSION:
        if name in required:
            raise compressed(path, name)
    return document


def compressed(path: Path, extension: str) -> InputError:
    """The error for geometry that is packed by an extension."""
    mend = "export it without compression, or run `gltf-transform copy in.glb out.glb`, which decompresses"
    return InputError(path, f"its geometry is compressed ({extension}), which is not read", mend)


class Accessors:
    """Arrays of one glTF document, each decoded once.

    Args:
        path: the file; buffers with a relative address are looked for in its folder, never outside.
        document: the JSON.
        binary: the binary chunk of a GLB.
    """

    def __init__(self, path: Path, document: dict, binary: bytes | None) -> None:
        self.path, self.document, self._binary = path, document, binary
        self._buffers: dict[int, bytes] = {}
        self._arrays: dict[int, np.ndarray] = {}

    def buffer(self, index: int) -> bytes:
        """All bytes of one buffer."""
        if index not in self._buffers:
            entry = item(self.document, "buffers", index)
            uri = entry.get("uri")
            if uri is None:
                data = self._binary if index == 0 else None
            elif uri.startswith("data:"):
                data = decode_data_uri(self.path, uri)
            else:
                target = sibling(self.path, uri)
                data = None if target is None else target.read_bytes()
            if data is None:
                what = "binary chunk" if uri is None else f"buffer {uri[:80]!r}"
                raise InputError(self.path, f"its {what} is missing", "keep the .bin file in the same folder")
            if len(data) < entry.get("byteLength", 0):
                cause = f"buffer {index} has {len(data):,} bytes instead of {entry['byteLength']:,}"
                raise InputError(self.path, cause, _CUT)
            self._buffers[index] = data
        return self._buffers[index]

    def _has_data(self, index: int) -> bool:
        return "uri" in item(self.document, "buffers", index) or (index == 0 and self._binary is not None)

    def view(self, index: int) -> memoryview:
        """The bytes of one buffer view."""
        entry = item(self.document, "bufferViews", index)
        begin, length = entry.get("byteOffset", 0), entry["byteLength"]
        for name in _COMPRESSION[1:]:
            if name in entry.get("extensions", {}) and not self._has_data(entry["buffer"]):
                raise compressed(self.path, name)
        data = self.buffer(entry["buffer"])
        if begin < 0 or length < 0 or begin + length > len(data):
            raise InputError(self.path, f"buffer view {index} reaches beyond its buffer", _CUT)
        return memoryview(data)[begin : begin + length]

    def get(self, index: int) -> Shaped[np.ndarray, "n k"]:
        """An accessor as stored (integers stay integers), sparse values put in."""
        if index not in self._arrays:
            entry = item(self.document, "accessors", index)
            dtype, width, count = _layout(entry)
            if "bufferView" in entry:
                array = self._strided(entry, dtype, width, count)
            elif count > _MAX_ZEROS:
                raise InputError(self.path, f"accessor {index} has {count:,} items and no data", _CUT)
            else:
                array = np.zeros((count, width), dtype)
            if "sparse" in entry:
                array = self._sparse(array, entry["sparse"], dtype, width)
            self._arrays[index] = array
        return self._arrays[index]

    def get_float(self, index: int, rows: np.ndarray | slice = slice(None)) -> Shaped[np.ndarray, "n k"]:
        """An accessor, or some rows of it, as float64; normalised integers as fractions (section 3.6.2.2)."""
        array = self.get(index)[rows]
        if array.dtype.kind in "iu" and item(self.document, "accessors", index).get("normalized"):
            return np.maximum(array / float(np.iinfo(array.dtype).max), -1.0)
        return array.astype(np.float64)

    def _strided(self, entry: dict, dtype: np.dtype, width: int, count: int) -> np.ndarray:
        view = self.view(entry["bufferView"])
        size = dtype.itemsize * width
        stride = item(self.document, "bufferViews", entry["bufferView"]).get("byteStride") or size
        begin = entry.get("byteOffset", 0)
        if begin < 0 or stride < size or (count and begin + (count - 1) * stride + size > len(view)):
            raise InputError(self.path, f"an accessor of {count:,} items reaches beyond its buffer view", _CUT)
        return (
            np.ndarray((count, width), dtype, view, begin, (stride, dtype.itemsize))
            if count
            else (np.zeros((0, width), dtype))
        )

    def _sparse(self, array: np.ndarray, sparse: dict, dtype: np.dtype, width: int) -> np.ndarray:
        kind = np.dtype(_COMPONENTS[sparse["indices"]["componentType"]])
        at = self._strided(sparse["indices"], kind, 1, sparse["count"])[:, 0]
        values = self._strided(sparse["values"], dtype, width, sparse["count"])
        array = array.copy()
        array[at] = values
        return array


def _layout(entry: dict) -> tuple[np.dtype, int, int]:
    count = entry["count"]
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"accessor count {count!r}")
    return np.dtype(_COMPONENTS[entry["componentType"]]), _WIDTHS[entry["type"]], count


def item(document: dict, key: str, index: int) -> dict:
    """``document[key][index]``, an object; never counted from the end."""
    if not isinstance(index, int) or index < 0:
        raise IndexError(f"{key}[{index!r}]")
    entry = document[key][index]
    if not isinstance(entry, dict):
        raise TypeError(f"{key}[{index}] is no object")
    return entry


def decode_data_uri(path: Path, uri: str) -> bytes:
    """The bytes of a ``data:`` address."""
    head, _, payload = uri.partition(",")
    if not head.endswith(";base64"):
        return unquote_to_bytes(payload)
    try:
        return base64.b64decode(payload)
    except binascii.Error as error:
        raise InputError(path, f"a data URI in it is damaged: {error}", _CUT) from None
