"""Hashes: of plain data, of files, of the source of a package. They are what cells and artefacts are named by."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

_CODE = frozenset({".py", ".yaml", ".yml", ".json", ".cpp", ".cu"})
# the folders of partseg that training and prediction stand on; its command line and listings change no number
_CORE = ("data", "geometry", "methods", "nn", "ops", "parts")
_NOT_CORE = frozenset({"methods/registry.py", "data/specs.py"})


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


@lru_cache(maxsize=256)
def folder_digest(folder: Path, leave_out: frozenset[str] = frozenset()) -> str:
    """sha256 over the names and contents of the source files under a folder (tests of an editable checkout and caches
    lie elsewhere); read once a process."""
    rows = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix in _CODE and "__pycache__" not in name and name not in leave_out and path.is_file():
            rows.append([name, hashlib.sha256(path.read_bytes()).hexdigest()])
    return digest(rows)


def module_file(module: str) -> Path | None:
    """The file of a module, which is found and not imported (the packages around it are); None for none."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None


@lru_cache(maxsize=256)
def package_digest(module: str) -> str:
    """Digest of the whole top-level package that a module belongs to; of its file for a module outside packages."""
    path = module_file(module.partition(".")[0])
    if path is None:
        return ""
    return folder_digest(path.parent) if path.name == "__init__.py" else file_digest(path)


@lru_cache(maxsize=8)
def core_digest(*folders: str) -> str:
    """Digest of folders of the package partseg; by default of those that training and prediction stand on."""
    root = _root()
    out = {}
    for folder in folders or _CORE:
        left = frozenset(name.partition("/")[2] for name in _NOT_CORE if name.startswith(f"{folder}/"))
        out[folder] = folder_digest(root / folder, left)
    return digest(out)


def _root() -> Path:
    import partseg

    return Path(partseg.__file__).parent
