"""Predictions on disk: a folder with one file a shape, from this project's methods or from anyone's.

Two forms are read:

- with a manifest, as the runner writes it: `manifest.json` names the method, what it saw (`view`) and for each shape
  its file, or why there is none;
- without one: `<id>.npy` (one integer for each element) or `<id>.npz` (the arrays of `Prediction` by name), where the
  id is the path below the folder, such as `Airplane/61.npy`.

Elements are the faces of a mesh or the points of a cloud, in the order of the dataset's own file. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from partseg.errors import InputError, PartsegError
from partseg.files import write_aside, write_text
from partseg_bench.prediction import Prediction

__all__ = [
    "MANIFEST", "SCHEMA", "VIEWS", "Manifest", "Prediction", "Predictions", "digest", "file_name", "read_manifest",
    "read_predictions", "write_manifest", "write_prediction",
]  # fmt: skip

SCHEMA = 1
MANIFEST = "manifest.json"
VIEWS = ("mesh", "points", "soup")
"""What a method saw: the shape as the dataset has it, points of its surface, or triangles that share no vertices."""

_MAX_BYTES = 4 << 30  # of one shape's arrays, unpacked
_DAMAGED = (
    ValueError, TypeError, LookupError, EOFError, OverflowError, MemoryError, SyntaxError, NotImplementedError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error, PartsegError,
)  # fmt: skip


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says.

    Attributes:
        shapes: id -> {"file", "sha256", "n_elements", "seconds" and more}, or {"error"} for a shape that failed.
        method, config, view, seed: where the predictions come from; `view` is one of `VIEWS`.
        complete: False while shapes are still to be predicted.
        about: further entries, kept as they are.
    """

    shapes: Mapping[str, Mapping[str, Any]]
    method: str = ""
    config: Any = None
    view: str = "mesh"
    seed: int | None = None
    complete: bool = True
    about: Mapping[str, Any] | None = None


def file_name(shape: str) -> str:
    """A file name for a shape's id: readable, safe on every system, and different for different ids."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", shape).strip("._")[:60]
    return f"{readable or 'shape'}-{hashlib.sha256(shape.encode()).hexdigest()[:10]}.npz"


def write_prediction(folder: str | Path, shape: str, prediction: Prediction) -> dict[str, Any]:
    """Write one shape's file into a folder, whole or not at all; returns its entry for the manifest.

    Equal predictions give equal bytes, whenever they are written.

    Raises:
        PartsegError: the prediction contradicts itself, or the folder cannot be written to.
    """
    prediction.check(shape)
    data = _packed(prediction.to_arrays())
    name = file_name(shape)
    with write_aside(Path(folder) / name) as aside:
        aside.write_bytes(data)
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest(), "n_elements": prediction.n_elements}


def write_manifest(folder: str | Path, manifest: Manifest) -> Path:
    """Write `manifest.json`, whole or not at all."""
    text = dict(manifest.about or {}) | {
        "schema": SCHEMA, "method": manifest.method, "config": manifest.config, "view": manifest.view,
        "seed": manifest.seed, "complete": manifest.complete,
        "shapes": {shape: dict(entry) for shape, entry in manifest.shapes.items()},
    }  # fmt: skip
    return write_text(Path(folder) / MANIFEST, json.dumps(text, indent=1) + "\n")


class Predictions(Mapping):
    """The predictions of a folder by id, each a `Prediction` that is read and checked when it is asked for.

    Attributes:
        folder: where they lie. manifest: what the manifest says; None where there is none.
        errors: id -> why the method gave no prediction.
    """

    def __init__(self, folder: Path, files: Mapping[str, Path], manifest: Manifest | None) -> None:
        self.folder, self.manifest, self._files = folder, manifest, dict(files)
        told = {} if manifest is None else manifest.shapes
        self.errors = {shape: str(entry["error"]) for shape, entry in told.items() if "error" in entry}

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __contains__(self, shape: object) -> bool:  # Mapping's own would read the file
        return shape in self._files

    def __getitem__(self, shape: str) -> Prediction:
        path = self._files[shape]
        data = _bytes(path, shape)
        if self.manifest is not None and hashlib.sha256(data).hexdigest() != self.manifest.shapes[shape]["sha256"]:
            raise PartsegError(f"{shape}: sha256: {path} is not the file that the manifest was written for")
        return Prediction.from_arrays(_arrays(data, path, shape), shape)

    def digest(self) -> str:
        """SHA-256 of every shape's id and file, in the order of ids. Of the manifest where there is one, else read."""
        if self.manifest is not None:
            rows = [[shape, self.manifest.shapes[shape]["sha256"]] for shape in sorted(self._files)]
        else:
            rows = [[s, hashlib.sha256(_bytes(self._files[s], s)).hexdigest()] for s in sorted(self._files)]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def read_predictions(folder: str | Path) -> Predictions:
    """The predictions of a folder, in either form. Names are listed; files are read when asked for.

    Raises:
        InputError: no such folder, no predictions in it, a damaged manifest, one of another schema or that names a
            shape twice, two files for one shape; the text names the shape.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(folder, "is not a folder" if folder.exists() else "no such folder", "see docs/benchmark.md")
    if (folder / MANIFEST).is_file():
        manifest = read_manifest(folder)
        entries = {shape: entry for shape, entry in manifest.shapes.items() if "error" not in entry}
        return Predictions(folder, {shape: folder / entry["file"] for shape, entry in entries.items()}, manifest)
    files: dict[str, Path] = {}
    for path in sorted(path for path in folder.rglob("*.np[yz]") if path.is_file()):
        shape = path.relative_to(folder).with_suffix("").as_posix()
        if path.name.startswith("."):
            continue
        if shape in files:
            raise InputError(folder, f"shape {shape!r} has two files: {files[shape].name} and {path.name}", "keep one")
        files[shape] = path
    if not files:
        raise InputError(folder, f"holds no {MANIFEST} and no .npy or .npz files", "see docs/benchmark.md")
    return Predictions(folder, files, None)


def read_manifest(folder: str | Path) -> Manifest:
    """What `manifest.json` says.

    Raises:
        InputError: it is damaged, of another schema, names a shape twice, or an entry is not as it should be.
    """
    path = Path(folder) / MANIFEST
    try:
        told = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"cannot be read as JSON: {error}") from None
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        found = told.get("schema") if isinstance(told, dict) else type(told).__name__
        raise InputError(path, f"schema: expected {SCHEMA}, found {found!r}", "predict anew with this version")
    shapes = told.get("shapes")
    if not isinstance(shapes, dict):
        raise InputError(path, f"shapes: expected an object, found {type(shapes).__name__}")
    for shape, entry in shapes.items():
        _check_entry(path, shape, entry)
    view = told.get("view", "mesh")
    if view not in VIEWS:
        raise InputError(path, f"view: expected one of {', '.join(VIEWS)}, found {view!r}")
    known = ("schema", "shapes", "method", "config", "view", "seed", "complete")
    return Manifest(
        shapes, str(told.get("method", "")), told.get("config"), view, told.get("seed"),
        bool(told.get("complete", True)), {key: value for key, value in told.items() if key not in known},
    )  # fmt: skip


def digest(folder: str | Path) -> str:
    """SHA-256 of the predictions of a folder: of every shape's id and file, in the order of ids."""
    return read_predictions(folder).digest()


def _check_entry(path: Path, shape: str, entry: Any) -> None:
    if not isinstance(entry, dict):
        raise InputError(path, f"shape {shape!r}: expected an object, found {type(entry).__name__}")
    if "error" in entry:
        return
    for field in ("file", "sha256"):
        if not isinstance(entry.get(field), str):
            raise InputError(path, f"shape {shape!r}: {field}: expected text, found {entry.get(field)!r}")
    if Path(entry["file"]).name != entry["file"] or entry["file"] in (".", ".."):
        raise InputError(path, f"shape {shape!r}: file: expected a name in this folder, found {entry['file']!r}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise ValueError(f"{key!r} stands there twice")
        out[key] = value
    return out


def _bytes(path: Path, shape: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PartsegError(f"{shape}: file: {path} cannot be read: {error.strerror or error}") from None


def _arrays(data: bytes, path: Path, shape: str) -> dict[str, np.ndarray]:
    try:
        if path.suffix == ".npy":
            return {"labels": np.load(io.BytesIO(data), allow_pickle=False)}
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MAX_BYTES:
            raise PartsegError(f"unpacks to {size / 2**30:.1f} GiB, at most {_MAX_BYTES >> 30} GiB are read")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except _DAMAGED as error:
        raise PartsegError(f"{shape}: file: {path} cannot be read: {' '.join(str(error).split())}") from None


def _packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An .npz of which every byte follows from the arrays (`np.savez` writes the time into it)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            body = io.BytesIO()
            np.save(body, np.asarray(arrays[name], order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), body.getvalue(), zipfile.ZIP_DEFLATED, 1)
    return out.getvalue()
