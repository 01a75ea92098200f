"""Any folder of shapes, with labels beside them where there are any.

For `chair.obj` (or any other suffix that `load_shape` reads, at any depth) labels are looked for in

- `chair.labels.npy`, `chair_labels.npy`, `chair.labels.txt`, `chair_labels.txt`, `chair.seg`: one integer for each face
  of the file (polygons count once, in the file's own order) or each point, negative where there is none;
- `chair/labels.npy` and `parts/chair/labels.npy`: what `partseg segment` writes.

`chair.semantic.npy` has a class for each face or point; `classes.txt` in the root names the classes, one on a line. A
folder of results whose input is not beside it is read as a shape itself: `parts.glb`, its nodes the parts.
"""

from __future__ import annotations

import os
import tokenize
import zipfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense, folder
from partseg.errors import InputError
from partseg.files import GLB, LABELS
from partseg.geometry.io import SUFFIXES, load_shape
from partseg.geometry.shape import Shape

SPLITS = ("train", "val", "test")
LEVEL = "parts"
_AMBIGUOUS = {".txt", ".csv", ".npy", ".npz"}  # shapes when named, mostly something else in a folder
_WANTED = tuple(sorted(set(SUFFIXES) - _AMBIGUOUS))
_BESIDE = (".labels.npy", "_labels.npy", ".labels.txt", "_labels.txt", ".seg")
_SEMANTIC = ".semantic.npy"
_CLASSES = "classes.txt"
_MAX_CLASSES = 100_000
_BAD_ARRAY = (
    ValueError, TypeError, LookupError, EOFError, OverflowError, MemoryError, SyntaxError, RecursionError,
    tokenize.TokenError, zipfile.BadZipFile,
)  # fmt: skip
_MEND = f"give a folder that holds shapes; they end in {' '.join(_WANTED)}"


class FolderReader(Reader):
    """Shapes of a folder tree. Without label files a shape has no labels, so that anything can be predicted on.

    Sub folders `train`, `val` and `test` of the root are splits; the first folder below them (or below the root) is
    the category. Names are paths below the root without the suffix, which stays where two shapes share the rest.

    Args:
        root: the folder.
        category: only the shapes of this one.
        split: only the shapes of this one.
    """

    def __init__(self, root: str | Path, category: str | None = None, split: str | None = None) -> None:
        super().__init__(root)
        self.category, self.split = category, split

    def index(self) -> tuple[PartItem, ...]:
        folders = _walk(folder(self.root, _MEND))
        found = sorted(_items(self.root, folders), key=lambda item: item.name)
        if not found:
            raise InputError(self.root, "holds no shape files", f"they end in {' '.join(_WANTED)}")
        kept = [item for item in found if self.split in (None, item.split) and self.category in (None, item.category)]
        if not kept:
            asked = [f"{key} {value}" for key, value in (("split", self.split), ("category", self.category)) if value]
            have = sorted({"/".join(filter(None, (item.split, item.category))) or "the root" for item in found})
            more = ", …" * (len(have) > 20)
            raise InputError(self.root, f"holds no {' of '.join(asked)}", f"shapes lie in {', '.join(have[:20])}{more}")
        return tuple(kept)

    def load(self, item: PartItem) -> PartSample:
        path, *others = item.files
        shape = load_shape(path)
        semantic = [file for file in others if file.name.endswith(_SEMANTIC)]
        sources = [file for file in others if file not in semantic]
        if len(sources) > 1:
            names = ", ".join(_below(self.root, file) for file in sources)
            raise InputError(path, f"has labels in {len(sources)} files: {names}", "keep one of them")
        labels, semantics = {}, {}
        if sources:
            own = path.name == GLB and sources[0] == path.with_name(LABELS)
            labels[LEVEL] = _nodes(shape, path) if own else dense(read_labels(sources[0], shape))
        for file in semantic:
            semantics[LEVEL] = self._classes(file, shape)
        return PartSample(shape, labels, semantics)

    def taxonomy(self) -> Taxonomy:
        """`parts` -> the lines of `classes.txt`, else "0", "1", … up to the largest class; empty without classes."""
        return {LEVEL: self._names} if self._names else {}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        path = self.root / _CLASSES
        if path.is_file():
            names = tuple(line.strip() for line in _text(path).splitlines() if line.strip())
            if len(set(names)) < len(names):
                raise InputError(path, f"{len(names)} lines, but only {len(set(names))} different names")
            return names
        most = -1
        for item in FolderReader(self.root).index():  # of all splits: a class keeps its number
            for file in item.files[1:]:
                if file.name.endswith(_SEMANTIC):
                    try:
                        most = max(most, _largest_class(file))
                    except InputError:  # `load` says so of that shape; the others stay usable
                        continue
        return tuple(str(i) for i in range(most + 1))

    def _classes(self, path: Path, shape: Shape) -> Int[np.ndarray, "n"]:
        values = np.maximum(read_labels(path, shape), -1)
        _largest_class(path)
        if (worst := int(values.max(initial=-1))) >= len(self._names):
            raise InputError(path, f"class {worst}, expected 0..{len(self._names) - 1}", f"see {_CLASSES} in the root")
        return values


def read_labels(path: str | Path, shape: Shape) -> Int[np.ndarray, "n"]:
    """Integers of a `.npy` or text file, one for each face of the shape's file (or point), as one for each element.

    Triangles cut from one polygon get that polygon's number.

    Raises:
        InputError: the file cannot be read, holds no integers, or another number of them than the shape has faces.
    """
    path = Path(path)
    n = shape.n_elements if shape.polygon is None else shape.n_polygons
    values = _from_npy(path) if path.suffix == ".npy" else _from_text(path, n)
    what = "faces" if shape.is_mesh else "points"
    if values.shape != (n,):
        found = f"{len(values):,}" if values.ndim == 1 else f"an array {values.shape}"
        mend = ""
        if shape.polygon is not None and values.shape == (shape.n_elements,):
            mend = f"its polygons make {shape.n_elements:,} triangles; labels go by polygon"
        raise InputError(path, f"expected {n:,} labels, one for each of the {what} of the file, found {found}", mend)
    if values.dtype.kind == "u" and n and int(values.max()) > np.iinfo(np.int64).max:
        raise InputError(path, f"label {int(values.max())}, expected integers of 64 bits", "-1 says unlabelled")
    values = values.astype(np.int64)
    return values if shape.polygon is None else values[shape.polygon]


def _from_npy(path: Path) -> np.ndarray:
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: a false header takes no memory
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    except _BAD_ARRAY as error:
        raise InputError(
            path, f"expected a NumPy array of integers: {str(error)[:120]}", "write it with np.save"
        ) from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iub":
        found = getattr(values, "dtype", "an archive")
        raise InputError(path, f"expected integers, found {found}", "convert with .astype('int64')")
    return values


def _from_text(path: Path, n: int) -> Int[np.ndarray, "m"]:
    text = _text(path, limit=64 * n + 65536)
    try:
        return np.array(text.split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise InputError(path, f"expected one integer a line: {str(error)[:120]}") from None


def _text(path: Path, limit: int = 1 << 24) -> str:
    try:
        if (size := path.stat().st_size) > limit:
            raise InputError(path, f"expected at most {limit:,} bytes of text, found {size:,}")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data") from None


def _largest_class(path: Path) -> int:
    values = _from_npy(path)
    most = int(values.max()) if values.size else -1
    if most >= _MAX_CLASSES:
        raise InputError(path, f"class {most}, expected fewer than {_MAX_CLASSES:,}")
    return most


def _nodes(shape: Shape, path: Path) -> Int[np.ndarray, "n"]:
    """The parts of a `parts.glb`, whose faces stand in another order than those of the segmented file."""
    look = shape.appearance
    if not shape.is_mesh or look is None or look.face_node is None:
        raise InputError(path, "holds points, whose parts it does not tell", "put the segmented file beside its folder")
    return dense(look.face_node)


def _walk(root: Path) -> dict[Path, list[str]]:
    """Folder -> names of its files, sorted; hidden ones left out. Links are followed, each folder once."""
    out: dict[Path, list[str]] = {}
    stack, seen = [root], set()
    while stack:
        here = stack.pop()
        try:
            status = here.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(here) as entries:
                listed = sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(here, f"cannot be listed: {error.strerror or error}") from None
        below = [here / entry.name for entry in listed if entry.is_dir()]
        out[here] = [entry.name for entry in listed if not entry.is_dir()]
        stack.extend(reversed(below))
    return out


def _items(root: Path, folders: dict[Path, list[str]]) -> Iterator[PartItem]:
    files = {here: set(names) for here, names in folders.items()}
    shapes = [here / name for here, names in folders.items() for name in names if name.lower().endswith(_WANTED)]
    results = {here for here, names in files.items() if {GLB, LABELS} <= names}
    claimed = {place for path in shapes for place in _results_of(path) if place in results}
    shapes = [path for path in shapes if not (path.name == GLB and path.parent in claimed)]
    stems: dict[Path, int] = {}
    for path in shapes:
        stems[path.with_suffix("")] = stems.get(path.with_suffix(""), 0) + 1
    for path in shapes:
        here = files[path.parent]
        beside = [path.with_name(path.stem + end) for end in _BESIDE if path.stem + end in here]
        beside += [place / LABELS for place in _results_of(path) if LABELS in files.get(place, ())]
        if path.name == GLB and path.parent in results:
            beside.append(path.with_name(LABELS))
        if path.stem + _SEMANTIC in here:
            beside.append(path.with_name(path.stem + _SEMANTIC))
        parts = list(path.relative_to(root).parts[:-1])
        split = parts.pop(0) if parts and parts[0] in SPLITS else ""
        bare = path.with_suffix("")
        name = (bare if stems[bare] == 1 else path).relative_to(root).as_posix()
        yield PartItem(name, parts[0] if parts else "", split, (path, *beside))


def _results_of(path: Path) -> Sequence[Path]:
    """Where `partseg segment` puts the results of a shape when run in its folder or told to write there."""
    return (path.parent / path.stem, path.parent / "parts" / path.stem)


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
