"""Hashes of plain data and of files. Cells and artefacts are named by them."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any


def canonical(data: Any) -> str:
    """JSON of plain data that is the same for equal data: sorted keys, no spaces.

    Raises:
        TypeError, ValueError: the data is not plain, or holds numbers that JSON does not have.
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def digest(data: Any) -> str:
    """sha256 of plain data, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()


def file_digest(path: str | Path) -> str:
    """sha256 of a file, read again only when its size or time has changed since this process read it.

    Raises:
        OSError: it cannot be read.
    """
    stat = Path(path).stat()
    return _file_digest(str(path), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=256)
def _file_digest(path: str, size: int, changed: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
