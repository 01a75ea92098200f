"""Prepared samples on disk: one file a shape, memory-mapped, never half written, made anew when its source changes.

A file is a safetensors file (64-bit header length, JSON header, arrays) that any safetensors reader opens. Its name is
a hash of the item and of the recipe (reader and its version, options of sampling); its header keeps the SHA-256 of
every source file and the checksum of its own arrays. Files are written aside and renamed, so that a killed process
leaves at most a nameless temporary file, and two processes that prepare the same shape both succeed; `sweep` removes
what killed ones left.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import sys
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from partseg.files import write_aside

LAYOUT = 1  # raised when the arrays of an entry change their meaning
_MAX_HEADER = 64 << 20
_DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "I16": np.int16,
    "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip


class DamagedEntry(Exception):
    """A file of the cache that is cut short, changed or not ours; it is made anew."""


@dataclass(frozen=True, eq=False)
class Entry:
    """What one file holds.

    Attributes:
        arrays: views of the mapped file; writing to them changes this process's copy alone.
        about: plain data beside them.
    """

    arrays: Mapping[str, np.ndarray]
    about: Mapping[str, Any]


def cache_root() -> Path:
    """``PARTSEG_CACHE`` if set, else ``partseg`` in the platform's folder for caches."""
    if chosen := os.environ.get("PARTSEG_CACHE"):
        return Path(chosen)
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "partseg"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "partseg" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "partseg"


class EntryCache:
    """Entries under a folder, by key.

    Args:
        root: the folder; made when first written to.
        recipe: plain data, everything but the source that what is stored depends on.
    """

    def __init__(self, root: str | Path, recipe: Mapping[str, Any]) -> None:
        self.root = Path(root)
        self.recipe = json.dumps([LAYOUT, dict(recipe)], sort_keys=True)
        self._sound: set[Path] = set()

    def path(self, key: str) -> Path:
        """The file of a key."""
        name = hashlib.sha256(f"{self.recipe}\0{key}".encode()).hexdigest()
        return self.root / name[:2] / f"{name[2:42]}.safetensors"

    def read(self, key: str, sources: Iterable[Path]) -> Entry | None:
        """The entry of a key, or None when there is none, its sources have changed since, or it is damaged.

        Sources are compared by size and time of change, and by content where these differ; that and the checksum of
        the entry itself are looked at once a process.
        """
        path = self.path(key)
        try:
            entry, body = _open(path)
            if path not in self._sound:
                if zlib.crc32(body) != entry.about["checksum"] or not _unchanged(entry.about["sources"], sources):
                    return None
                self._sound.add(path)
        except (OSError, DamagedEntry, KeyError, TypeError):
            return None
        return entry

    def write(self, key: str, sources: Iterable[Path], arrays: Mapping[str, np.ndarray], about: Mapping) -> None:
        """Store an entry. Its sources are hashed now, so write it right after reading them.

        Raises:
            InputError: the folder cannot be written to.
        """
        arrays = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
        bare = save(arrays)
        body = memoryview(bare)[8 + int.from_bytes(bare[:8], "little") :]
        told = dict(about) | {"sources": fingerprint(sources), "checksum": zlib.crc32(body)}
        with write_aside(self.path(key)) as aside:
            aside.write_bytes(save(arrays, {"partseg": json.dumps(told)}))

    def sweep(self, older_than: float = 3600.0) -> int:
        """Remove what killed processes left aside, `older_than` seconds ago or more; returns how many files."""
        swept = 0
        for aside in self.root.glob("??/.*.safetensors"):
            try:
                if time.time() - aside.stat().st_mtime >= older_than:
                    aside.unlink()
                    swept += 1
            except FileNotFoundError:  # another process was quicker
                pass
        return swept


def fingerprint(sources: Iterable[Path]) -> list[list]:
    """[name, size, time of change in ns, SHA-256] of each file; folders stand for the files directly inside."""
    return [[path.name, *_stat(path), _digest(str(path), *_stat(path))] for path in _files(sources)]


def _unchanged(known: list[list], sources: Iterable[Path]) -> bool:
    files = _files(sources)
    if len(files) != len(known):
        return False
    for path, (name, size, changed, digest) in zip(files, known, strict=True):
        now = _stat(path)
        if path.name != name or now[0] != size:
            return False
        if now[1] != changed and _digest(str(path), *now) != digest:
            return False
    return True


def _files(sources: Iterable[Path]) -> list[Path]:
    out: list[Path] = []
    for source in sources:
        out += sorted(path for path in source.iterdir() if path.is_file()) if source.is_dir() else [source]
    return out


def _stat(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=4096)  # many shapes may share one file
def _digest(path: str, size: int, changed: int) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _open(path: Path) -> tuple[Entry, memoryview]:
    """Map an entry: its arrays are views, and the bytes behind them."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < 8:
            raise DamagedEntry(path)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = 8 + int.from_bytes(mapped[:8], "little")
    if not 8 < start <= min(len(mapped), _MAX_HEADER):
        raise DamagedEntry(path)
    try:
        header = json.loads(mapped[8:start])
        about = json.loads(header.pop("__metadata__")["partseg"])
        arrays = {}
        stop = 0
        for name, one in header.items():
            dtype, (first, last) = np.dtype(_DTYPES[one["dtype"]]), one["data_offsets"]
            count = math.prod(one["shape"])
            if last - first != count * dtype.itemsize or first < 0 or start + last > len(mapped):
                raise DamagedEntry(path)
            arrays[name] = np.frombuffer(mapped, dtype, count, start + first).reshape(one["shape"])
            stop = max(stop, last)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DamagedEntry(path) from None
    if start + stop != len(mapped):
        raise DamagedEntry(path)
    return Entry(arrays, about), memoryview(mapped)[start:]
