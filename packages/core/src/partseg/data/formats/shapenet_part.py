"""ShapeNetPart: 16,881 point clouds of 16 categories with 50 part classes, in both forms that are in use.

Yi et al., "A Scalable Active Framework for Region Annotation in 3D Shape Collections", SIGGRAPH Asia 2016 (labels);
Qi et al., "PointNet", CVPR 2017 (the HDF5 form) and "PointNet++", NeurIPS 2017 (the text form with normals).

- text (`shapenetcore_partanno_segmentation_benchmark_v0_normal`): `synsetoffset2category.txt` (name, folder),
  `<folder>/<id>.txt` with rows `x y z nx ny nz class`, `train_test_split/shuffled_{train,val,test}_file_list.json`;
- HDF5 (`hdf5_data`): `ply_data_{train,val,test}<k>.h5` with `data` (m, 2048, 3), `label` (m, 1) category and `pid`
  (m, 2048) class, `all_object_categories.txt`, and `{train,val,test}_hdf5_file_list.txt`.

Both number the classes 0..49 over all categories, and neither names them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense, extra, folder
from partseg.errors import InputError
from partseg.geometry.io.text import normalise, number_table
from partseg.geometry.shape import Shape

_SPLITS = ("train", "val", "test")
_COUNTS = {
    "Airplane": 4, "Bag": 2, "Cap": 2, "Car": 4, "Chair": 4, "Earphone": 3, "Guitar": 3, "Knife": 2, "Lamp": 4,
    "Laptop": 2, "Motorbike": 6, "Mug": 2, "Pistol": 3, "Rocket": 3, "Skateboard": 3, "Table": 3,
}  # fmt: skip
CATEGORIES = tuple(_COUNTS)
"""The categories in the order of their numbers."""

_FIRST = dict(zip(_COUNTS, np.cumsum([0, *_COUNTS.values()]).tolist(), strict=False))
CLASSES = {name: range(_FIRST[name], _FIRST[name] + count) for name, count in _COUNTS.items()}
"""Category -> the classes that occur in it."""

_NAMES = tuple(f"{name}/{i}" for name, count in _COUNTS.items() for i in range(count))
_MEND = "obtain shapenetcore_partanno_segmentation_benchmark_v0_normal.zip or shapenet_part_seg_hdf5_data.zip"
_MAX_BYTES = 64 << 20


class ShapeNetPartReader(Reader):
    """ShapeNetPart as text files with normals, or as HDF5 files without; which one is seen from the root.

    One level, "parts". The data has classes and no instances: `semantics` are the classes 0..49, and `labels`, which
    class-agnostic methods learn from, are the same classes numbered 0..k-1 within the shape (two wings are one part).
    Classes have no names in the release; the taxonomy calls them "Airplane/0" … "Table/2".

    Args:
        root: the unpacked folder.
        category: only this one of the 16, e.g. "Chair".
        split: only "train", "val" or "test".
    """

    version: ClassVar[int] = 1

    def __init__(self, root: str | Path, category: str | None = None, split: str | None = None) -> None:
        super().__init__(root)
        self.category, self.split = category, split

    def index(self) -> tuple[PartItem, ...]:
        """The shapes by category and id (text) or by split, file and row (HDF5, of which the column `label` is read).

        A shape of the text form that no split file names has the split "".
        """
        root = folder(self.root, _MEND)
        if self.category is not None and self.category not in CATEGORIES:
            raise InputError(root, f"has no category {self.category!r}", f"one of {', '.join(CATEGORIES)}")
        if self.split is not None and self.split not in _SPLITS:
            raise InputError(root, f"has no split {self.split!r}", "one of train, val, test")
        if (root / "synsetoffset2category.txt").is_file():
            found = self._text_items()
        elif self._h5_files():
            found = self._h5_items()
        else:
            raise InputError(root, "expected synsetoffset2category.txt or ply_data_*.h5, found neither", _MEND)
        items = [x for x in found if self.category in (None, x.category) and self.split in (None, x.split)]
        if not items:
            raise InputError(root, "holds no shape of the category and split asked for", _MEND)
        return tuple(items)

    def load(self, item: PartItem) -> PartSample:
        """One cloud with its classes. Text shapes have normals, HDF5 shapes none."""
        shape, classes = _read_text(item) if item.row < 0 else _read_h5(item)
        here = CLASSES[item.category]
        if len(wrong := np.unique(classes[(classes < here.start) | (classes >= here.stop)])):
            raise InputError(
                item.files[0], f"expected classes {here.start}..{here.stop - 1} of {item.category}, found {wrong[0]}"
            )
        return PartSample(shape, labels={"parts": dense(classes)}, semantics={"parts": classes})

    def taxonomy(self) -> Taxonomy:
        """The 50 classes, whichever category is read."""
        return {"parts": _NAMES}

    def check(self) -> Iterator[InputError]:
        """Also shapes that a split file names and the root lacks."""
        yield from super().check()
        if not (self.root / "synsetoffset2category.txt").is_file():
            return
        try:
            folders = {number: name for name, number in _categories(self.root / "synsetoffset2category.txt").items()}
            splits = self._splits()
        except InputError:
            return  # told by index
        for (number, name), split in splits.items():
            wanted = self.category in (None, folders.get(number)) and self.split in (None, split)
            if wanted and not (path := self.root / number / f"{name}.txt").is_file():
                yield InputError(path, f"is named by the {split} list, but there is no such file", _MEND)

    def _text_items(self) -> Iterator[PartItem]:
        categories, splits = _categories(self.root / "synsetoffset2category.txt"), self._splits()
        for category, number in categories.items():
            if self.category not in (None, category) or not (place := self.root / number).is_dir():
                continue
            for path in sorted(x for x in place.iterdir() if x.suffix == ".txt"):
                yield PartItem(f"{category}/{path.stem}", category, splits.get((number, path.stem), ""), (path,))

    def _splits(self) -> dict[tuple[str, str], str]:
        """(folder, id) -> split, of the split files there are."""
        found: dict[tuple[str, str], str] = {}
        for split in _SPLITS:
            path = self.root / "train_test_split" / f"shuffled_{split}_file_list.json"
            if not path.is_file():
                continue
            try:
                names = json.loads(_text(path))
            except (ValueError, RecursionError) as error:
                raise InputError(path, f"expected a JSON list of names: {error}", _MEND) from None
            if not isinstance(names, list):
                raise InputError(path, "expected a JSON list of names", _MEND)
            for name in names:
                parts = name.split("/") if isinstance(name, str) else []
                if len(parts) < 2 or not all(map(_plain, parts[-2:])):
                    raise InputError(path, f"expected shape_data/<folder>/<id>, found {str(name)[:80]!r}", _MEND)
                found[parts[-2], parts[-1]] = split
        return found

    def _h5_files(self) -> list[tuple[str, Path]]:
        """(split, file), of the lists where there are any, else of the names of files."""
        found: list[tuple[str, Path]] = []
        for split in _SPLITS:
            listed = self.root / f"{split}_hdf5_file_list.txt"
            if not listed.is_file():
                found += [(split, path) for path in sorted(self.root.glob(f"ply_data_{split}*.h5"))]
                continue
            for line in filter(None, map(str.strip, _text(listed).splitlines())):
                if not _plain(name := line.replace("\\", "/").removeprefix("./").rpartition("/")[2]):
                    raise InputError(listed, f"expected names of .h5 files, found {line[:80]!r}", _MEND)
                found.append((split, self.root / name))
        return found

    def _h5_items(self) -> Iterator[PartItem]:
        names = CATEGORIES
        if (listed := self.root / "all_object_categories.txt").is_file():
            names = tuple(_categories(listed))
        for split, path in self._h5_files():
            if self.split not in (None, split):
                continue
            with _open(path) as file:
                numbers = _array(path, file, "label", None).reshape(-1).tolist()
            for row, number in enumerate(numbers):
                if not 0 <= number < len(names):
                    raise InputError(path, f"row {row}: expected a category 0..{len(names) - 1}, found {number}", _MEND)
                stem = path.stem.removeprefix("ply_data_")
                yield PartItem(f"{names[number]}/{stem}_{row:04d}", names[number], split, (path,), row)


def _categories(path: Path) -> dict[str, str]:
    """Category -> folder, from lines of two words."""
    found: dict[str, str] = {}
    for line in filter(None, map(str.split, _text(path).splitlines())):
        if len(line) != 2 or not _plain(line[1]) or line[0] not in CATEGORIES:
            raise InputError(path, f"expected a category and its number a line, found {' '.join(line)[:80]!r}", _MEND)
        found[line[0]] = line[1]
    return found


def _read_text(item: PartItem) -> tuple[Shape, Int[np.ndarray, "n"]]:
    path = item.files[0]
    table = number_table(normalise(_text(path).encode()), 8)
    if len(table) == 0 or np.isfinite(table[:, 7]).any() or not np.isfinite(table[:, :7]).all():
        raise InputError(path, "expected rows of seven numbers: x y z nx ny nz class", _MEND)
    if (table[:, 6] % 1 != 0).any() or np.abs(table[:, 6]).max() > 1e6:
        raise InputError(path, "expected whole numbers as classes in the seventh column", _MEND)
    shape = Shape.from_points(
        table[:, :3], normals=_unit(table[:, 3:6]).astype(np.float32), name=item.name, source=path
    )
    return shape, table[:, 6].astype(np.int64)


def _read_h5(item: PartItem) -> tuple[Shape, Int[np.ndarray, "n"]]:
    path = item.files[0]
    with _open(path) as file:
        points, classes = _array(path, file, "data", item.row), _array(path, file, "pid", item.row).reshape(-1)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) != len(classes) or not np.isfinite(points).all():
        raise InputError(
            path, f"row {item.row}: expected n finite points and n classes, found {points.shape} and {classes.shape}"
        )
    return Shape.from_points(points, name=item.name, source=path), classes.astype(np.int64)


def _unit(normals: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.divide(normals, length, out=np.zeros_like(normals), where=length > 1e-12)


def _open(path: Path) -> Any:
    h5py = extra("h5py")
    if not path.is_file():
        raise InputError(path, "is listed, but there is no such file", _MEND)
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(path, f"cannot be read as HDF5: {error}", _MEND) from None


def _array(path: Path, file: Any, key: str, row: int | None) -> np.ndarray:
    """A small dataset as a whole, or one row of a large one."""
    table = file.get(key)
    kind = "fiu" if key == "data" else "iu"
    if table is None or not hasattr(table, "dtype") or table.dtype.kind not in kind or len(table.shape) == 0:
        raise InputError(path, f"expected numbers under {key!r}, found {list(file)[:8]}", _MEND)
    size = int(np.prod(table.shape[1:], dtype=np.int64)) * (len(table) if row is None else 1)
    if size * table.dtype.itemsize > _MAX_BYTES:
        raise InputError(path, f"{key!r} of {table.shape} is larger than any shape of this dataset", _MEND)
    if row is not None and row >= len(table):
        raise InputError(path, f"has {len(table)} rows of {key!r}, expected more than {row}", _MEND)
    try:
        return np.asarray(table[...] if row is None else table[row])
    except (OSError, ValueError) as error:
        raise InputError(path, f"{key!r} is damaged: {error}", _MEND) from None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(path, f"is larger than {_MAX_BYTES >> 20} MiB, which no file of this dataset is", _MEND)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}", _MEND) from None
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data", _MEND) from None


def _plain(name: str) -> bool:
    """A name in a folder, not a path out of it."""
    return bool(name) and name not in (".", "..") and not set(name) & set("/\\:\0")
