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
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from partseg.errors import InputError, PartsegError
from partseg.files import write_aside, write_text
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.segmentation import Masks, Segmentation
from partseg.parts.tree import MergeTree

SCHEMA = 1
MANIFEST = "manifest.json"
VIEWS = ("mesh", "points", "soup")
"""What a method saw: the shape as the dataset has it, points of its surface, or triangles that share no vertices."""

_HIERARCHY = "hierarchy_"
_PAIRS = (("tree_children", "tree_heights"), ("mask_indptr", "mask_indices"))
_MAX_BYTES = 4 << 30  # of one shape's arrays, unpacked
_DAMAGED = (
    ValueError, TypeError, LookupError, EOFError, OverflowError, MemoryError, SyntaxError, NotImplementedError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error, PartsegError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a method says of one shape of n elements; a protocol reads what it needs of it.

    Attributes:
        labels: (n,) part of each element in the method's own cut, -1 for none. Any other numbers.
        tree_children, tree_heights: the merge tree over the elements (see `partseg.parts.MergeTree`): (n-1, 2), (n-1,).
        mask_indptr, mask_indices: k parts that may overlap: part i holds the elements
            `mask_indices[mask_indptr[i]:mask_indptr[i+1]]`.
        scores: (k,) confidences of the parts: of the masks, or of the labels 0..k-1 where there are none.
        semantic_id: (k,) classes of the parts, alike; -1 for none.
        classes: (n,) class of each element, where a method says it; else that of the element's label.
        cuts: (c, n) further decompositions on offer, one labelling a row, of methods without a tree.
        click_masks: (p, c, ceil(n / 8)) the mask after each of c clicks, bits packed as `np.packbits` does; one row for
            each true part, level by level, in ascending order of label. The last mask is repeated once a part is done.
        hierarchy: `PartHierarchy.to_arrays()` of a part tree that is no binary merge tree.
    """

    labels: Int[np.ndarray, "_"]
    tree_children: Int[np.ndarray, "_ _"] | None = None
    tree_heights: Float[np.ndarray, "_"] | None = None
    mask_indptr: Int[np.ndarray, "_"] | None = None
    mask_indices: Int[np.ndarray, "_"] | None = None
    scores: Float[np.ndarray, "_"] | None = None
    semantic_id: Int[np.ndarray, "_"] | None = None
    classes: Int[np.ndarray, "_"] | None = None
    cuts: Int[np.ndarray, "_ _"] | None = None
    click_masks: UInt8[np.ndarray, "_ _ _"] | None = None
    hierarchy: Mapping[str, np.ndarray] | None = None

    @classmethod
    def of(cls, seg: Segmentation, cuts: Int[np.ndarray, "c n"] | None = None) -> Prediction:
        """A segmentation as a prediction."""
        own = seg._hierarchy
        return cls(
            labels=np.asarray(seg.labels),
            tree_children=None if seg.tree is None else seg.tree.children,
            tree_heights=None if seg.tree is None else seg.tree.heights,
            mask_indptr=None if seg.masks is None else seg.masks.indptr,
            mask_indices=None if seg.masks is None else seg.masks.indices,
            scores=None if seg.scores is None else np.asarray(seg.scores, np.float64),
            semantic_id=None if seg.semantic_id is None else np.asarray(seg.semantic_id, np.int64),
            cuts=cuts,
            hierarchy=None if own is None else own.to_arrays(),
        )

    @property
    def n_elements(self) -> int:
        return len(self.labels)

    @cached_property
    def tree(self) -> MergeTree | None:
        """The merge tree, where there is one."""
        return None if self.tree_children is None else MergeTree(self.tree_children, self.tree_heights)

    @cached_property
    def masks(self) -> Masks | None:
        """The overlapping parts, where there are any."""
        return None if self.mask_indptr is None else Masks(self.mask_indptr, self.mask_indices, self.n_elements)

    @cached_property
    def part_tree(self) -> PartHierarchy | None:
        """The part tree, where there is one that is no merge tree."""
        return None if self.hierarchy is None else PartHierarchy.from_arrays(self.hierarchy)

    @property
    def n_parts(self) -> int:
        """Number of masks, or of labels from 0."""
        return len(self.mask_indptr) - 1 if self.mask_indptr is not None else int(self.labels.max(initial=-1)) + 1

    def check(self, shape: str, n_elements: int | None = None) -> Prediction:
        """This prediction, if all its fields fit one another and a shape of so many elements.

        Raises:
            PartsegError: one does not; the text names the shape and the field.
        """
        for field, problem in self._problems(self.n_elements if n_elements is None else n_elements):
            raise PartsegError(f"{shape}: {field}: {problem}")
        return self

    def _problems(self, n: int) -> Iterator[tuple[str, str]]:
        yield from _lacks("labels", self.labels, "iu", (n,))
        if self.labels.min(initial=0) < -1:
            yield "labels", f"expected -1 (none) or numbers from 0, found {self.labels.min()}"
        for pair in _PAIRS:
            there = [field for field in pair if getattr(self, field) is not None]
            if len(there) == 1:
                yield there[0], f"stands alone; {' and '.join(pair)} belong together"
        if self.tree_children is not None:
            yield from _lacks("tree_children", self.tree_children, "iu", (n - 1, 2))
            yield from _lacks("tree_heights", self.tree_heights, "fiu", (n - 1,))
            yield from _fails("tree_children", lambda: self.tree)
        if self.mask_indptr is not None:
            yield from _lacks("mask_indptr", self.mask_indptr, "iu", (None,))
            yield from _lacks("mask_indices", self.mask_indices, "iu", (None,))
            yield from _fails("mask_indices", lambda: self.masks)
        yield from self._parts_problems()
        if self.classes is not None:
            yield from _lacks("classes", self.classes, "iu", (n,))
        if self.cuts is not None:
            yield from _lacks("cuts", self.cuts, "iu", (None, n))
        if self.click_masks is not None:
            yield from _lacks("click_masks", self.click_masks, "u", (None, None, -(-n // 8)))
        if self.hierarchy is not None:
            yield from _fails("hierarchy", lambda: self.part_tree)
            if len(self.part_tree.leaf_of) != n:
                yield "hierarchy", f"is over {len(self.part_tree.leaf_of)} elements, expected {n}"

    def _parts_problems(self) -> Iterator[tuple[str, str]]:
        k = self.n_parts
        if self.scores is not None:
            yield from _lacks("scores", self.scores, "fiu", (k,))
            if len(bad := np.flatnonzero(~np.isfinite(self.scores))):
                yield "scores", f"{len(bad)} of {k} are not finite, the first is that of part {bad[0]}"
        if self.semantic_id is not None:
            yield from _lacks("semantic_id", self.semantic_id, "iu", (k,))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The arrays that there are, by name; those of the hierarchy with a prefix."""
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "hierarchy"}
        arrays = {name: np.asarray(value) for name, value in given.items() if value is not None}
        return arrays | {f"{_HIERARCHY}{key}": np.asarray(value) for key, value in (self.hierarchy or {}).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], shape: str) -> Prediction:
        """What `to_arrays` gave; masks as dense booleans `masks` (k, n) do as well.

        Raises:
            PartsegError: no labels, an unknown array, or fields that do not fit one another.
        """
        arrays = dict(arrays)
        if "masks" in arrays:
            masks = arrays.pop("masks")
            if masks.ndim != 2 or masks.dtype != bool or "mask_indptr" in arrays:
                raise PartsegError(f"{shape}: masks: expected (parts, elements) booleans, not {_told(masks)}")
            table = Masks.from_dense(masks)
            arrays |= {"mask_indptr": table.indptr, "mask_indices": table.indices}
            if "labels" not in arrays and _is_numbers(scores := arrays.get("scores"), len(table)):
                arrays["labels"] = table.to_labels(None if scores is None else scores.astype(np.float64))
        below = {k.removeprefix(_HIERARCHY): v for k, v in arrays.items() if k.startswith(_HIERARCHY)}
        own = {k: v for k, v in arrays.items() if not k.startswith(_HIERARCHY)}
        known = [field.name for field in fields(cls) if field.name != "hierarchy"]
        if unknown := sorted(set(own) - set(known)):
            raise PartsegError(f"{shape}: {unknown[0]}: is no field of a prediction; those are {', '.join(known)}")
        if "labels" not in own:
            raise PartsegError(f"{shape}: labels: there are none")
        for name, value in own.items():
            if value.dtype.kind in "iu" and name not in ("scores", "tree_heights", "click_masks"):
                own[name] = value.astype(np.int64)
            elif name in ("scores", "tree_heights") and value.dtype.kind in "fiu":
                own[name] = value.astype(np.float64)
        for name, value in own.items():  # what the fields' own types do not admit
            rank = {"tree_children": 2, "cuts": 2, "click_masks": 3}.get(name, 1)
            kinds = {"scores": "f", "tree_heights": "f", "click_masks": "u"}.get(name, "i")
            if value.ndim != rank or value.dtype.kind not in kinds:
                what = {"f": "numbers", "u": "bytes", "i": "integers"}[kinds]
                raise PartsegError(f"{shape}: {name}: expected {what} in {rank} dimensions, not {_told(value)}")
        return cls(**own, hierarchy=below or None).check(shape)


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


def _is_numbers(values: np.ndarray | None, length: int) -> bool:
    return values is None or (values.shape == (length,) and values.dtype.kind in "fiu")


def _lacks(field: str, value: np.ndarray, kinds: str, shape: tuple[int | None, ...]) -> Iterator[tuple[str, str]]:
    fits = value.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, value.shape))
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        yield field, f"expected ({wanted}{',' * (len(shape) == 1)}), found {value.shape}"
    if value.dtype.kind not in kinds:
        yield field, f"expected {'numbers' if 'f' in kinds else 'integers'}, found {value.dtype}"


def _fails(field: str, make: Any) -> Iterator[tuple[str, str]]:
    try:
        make()
    except _DAMAGED as error:
        yield field, str(error)


def _told(value: np.ndarray) -> str:
    return f"{value.dtype} {value.shape}"
