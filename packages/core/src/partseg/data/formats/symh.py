"""Symmetry hierarchies on disk: PartNet-Symh, the FineSeg release of CVPR 2019, and GRASS.

Yu, Liu, Zhang, Zhu, Xu, "PartNet: A Recursive Part Decomposition Network for Fine-Grained and Hierarchical Shape
Segmentation", CVPR 2019 (FineSeg and PartNet-Symh); Li et al., "GRASS", SIGGRAPH 2017. A root is one category's folder
or holds one folder a category; each is of one of three layouts:

- PartNet-Symh: `ops`, `boxes`, `labels`, `syms` with a `<k>.mat` for each shape, `models/<shape>.obj` with a group a
  part. Elements are the faces of the model, without `models` those of the boxes.
- FineSeg: `models_2048_points_normals/<i>.mat`, `training_data_models_segment_2048_normals/<i>.mat`,
  `training_trees/{ops,syms,labels}.mat` with a block of columns for each shape. Elements are the points. The first
  shapes, so many as `SPLIT` says, are for training. Files count from 1, or from 0 where there is a `0.mat`.
- GRASS: `box_data.mat`, `op_data.mat`, `sym_data.mat`. Elements are the faces of the boxes; there are no classes.

Each writes symmetries in a way of its own (see `symh_tree.Coding`), which follows from the layout.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float, Int

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense, folder
from partseg.data.formats.symh_mat import (
    MIXED,
    read_block,
    read_clouds,
    read_numbers,
    read_table,
    read_text,
    rows8,
    whole,
)
from partseg.data.formats.symh_parts import Boxes, leaves_of_cloud, leaves_of_mesh
from partseg.data.formats.symh_tree import SymTree, read_tree
from partseg.errors import InputError, PartsegError
from partseg.geometry.io import load_shape
from partseg.geometry.shape import Shape
from partseg.parts.hierarchy import PartHierarchy

SPLIT = {"airplane": 510, "bike": 125, "chair": 800, "helicopter": 80, "sofa": 510, "table": 450}
"""FineSeg: how many shapes, from the first, are for training."""

CLASSES = {"chair": ("back", "seat", "leg", "armrest")}
"""Names of label 0, 1, … where they are known."""

MAX_CLASS = 255
_MEND = "links to PartNet-Symh, FineSeg and GRASS stand in their authors' READMEs; give the folder of the categories"
_CLOUDS, _SEGMENTS = "models_2048_points_normals", "training_data_models_segment_2048_normals"

Layout = Literal["symh", "fineseg", "grass"]
T = TypeVar("T")


class _Tree(NamedTuple):
    ops: Int[np.ndarray, "m"]
    rows: Float[np.ndarray, "s 8"]
    labels: Int[np.ndarray, "l"] | None


class SymhReader(Reader):
    """PartNet-Symh, FineSeg or GRASS under one root.

    Level "leaves": each leaf of the hierarchy, every symmetric copy one of its own. The hierarchy has ADJACENCY nodes
    with two children and SYMMETRY nodes with their copies as children and parameters; elements no leaf claims (FineSeg)
    are -1. The classes of several categories are numbered one category after another.

    Args:
        root: a category's folder, or the folder of the categories.
        category: only this one, a folder's name.
        split: "train" or "test", which only FineSeg has.
    """

    version: ClassVar[int] = 1

    def __init__(
        self,
        root: str | Path,
        category: str | None = None,
        split: Literal["train", "val", "test"] | None = None,
    ) -> None:
        super().__init__(root)
        self.category, self.split = category, split
        self._classes: dict[str, tuple[str, ...]] | None = None

    def index(self) -> tuple[PartItem, ...]:
        items = [item for base, layout in self._folders() for item in _items(base, layout)]
        if self.split is not None:
            items = [item for item in items if item.split == self.split]
        if not items:
            what = f" of split {self.split!r}: only FineSeg's categories are split" if self.split else ""
            raise InputError(self.root, f"holds no shapes{what}", _MEND)
        return tuple(items)

    def load(self, item: PartItem) -> PartSample:
        above = item.files[0].parent
        layout: Layout = {"ops": "symh", "training_trees": "fineseg"}.get(above.name, "grass")
        base = above if layout == "grass" else above.parent
        parts = _read_tree(item, base, layout)
        try:
            tree = read_tree(parts.ops, parts.rows, layout)
        except PartsegError as error:
            raise InputError(item.files[0], f"{_which(item)}{error}", MIXED) from None
        labels = self._check_labels(item, tree, parts.labels, layout)
        shape, leaf = _elements(item, base, layout, tree)
        return self._sample(item, shape, leaf, tree, labels)

    def taxonomy(self) -> Taxonomy:
        return {"leaves": tuple(name for names in self._names().values() for name in names)}

    def check(self) -> Iterator[InputError]:
        yield from super().check()
        try:
            folders = self._folders()
        except InputError:
            return
        for base, layout in folders:
            if layout != "symh":
                continue
            known = set(_listed(base / "ops"))
            for other in ("boxes", "labels", "syms"):
                if (base / other).is_dir():
                    for path in sorted(set(_listed(base / other)) - known):
                        yield InputError(base / other / f"{path}.mat", f"expected ops/{path}.mat beside it, found none")

    def _folders(self) -> list[tuple[Path, Layout]]:
        root = folder(self.root, _MEND)
        if (layout := _layout(root)) is not None:
            if self.category is not None and self.category.lower() != root.resolve().name.lower():
                raise InputError(root, f"is one category's folder, not one with a folder {self.category!r}", _MEND)
            return [(root, layout)]
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
        found = [(root / name, layout) for name in names if (layout := _layout(root / name)) is not None]
        if not found:
            expected = "ops/, training_trees/ops.mat or op_data.mat, here or in a folder for each category"
            raise InputError(root, f"expected {expected}, found none", _MEND)
        if self.category is not None:
            chosen = [(path, layout) for path, layout in found if path.name.lower() == self.category.lower()]
            if not chosen:
                raise InputError(
                    root, f"no category {self.category!r}; it holds {', '.join(p.name for p, _ in found)}", _MEND
                )
            return chosen
        return found

    def _names(self) -> dict[str, tuple[str, ...]]:
        """Category -> names of its classes; where they have no known ones, as many as its label files use."""
        if self._classes is None:
            classes, folders = {}, self._folders()
            for base, layout in folders:
                category = base.resolve().name
                names = CLASSES.get(category.lower()) or _used(base, layout)
                classes[category] = tuple(f"{category} {name}" for name in names) if len(folders) > 1 else names
            self._classes = classes
        return self._classes

    def _check_labels(
        self, item: PartItem, tree: SymTree, labels: Int[np.ndarray, "s"] | None, layout: Layout
    ) -> Int[np.ndarray, "l"] | None:
        """Taxonomy index of each leaf, copies included; None where the layout has no classes."""
        if labels is None:
            return None
        n, path = int(tree.stored.max()) + 1, item.files[2]
        if len(labels) < n or (layout == "symh" and len(labels) > n):
            raise InputError(path, f"{_which(item)}expected {n} labels, one for each leaf, found {len(labels)}", MIXED)
        names, first = self._names(), 0
        for category, known in names.items():
            if category == item.category:
                break
            first += len(known)
        used = labels[:n]
        if used.min() < 0 or used.max() >= len(names[item.category]):
            bad = used.min() if used.min() < 0 else used.max()
            count = len(names[item.category])
            raise InputError(path, f"{_which(item)}expected labels 0..{count - 1}, found {bad}", MIXED)
        return used[tree.stored] + first

    def _sample(
        self,
        item: PartItem,
        shape: Shape,
        leaf: Int[np.ndarray, "n"],
        tree: SymTree,
        labels: Int[np.ndarray, "l"] | None,
    ) -> PartSample:
        names = self.taxonomy()["leaves"]
        semantic = np.full(len(tree.parent), -1, np.int32)
        name = ["shape" if i == 0 else "parts" if s is None else f"{s.kind} group" for i, s in enumerate(tree.symmetry)]
        for number, node in enumerate(tree.leaves.tolist()):
            semantic[node] = -1 if labels is None else labels[number]
            name[node] = f"leaf {number}" if labels is None else names[labels[number]]
        claimed = leaf >= 0
        hierarchy = PartHierarchy.build(
            tree.parent,
            np.where(claimed, tree.leaves[leaf], -1),
            name,
            semantic_id=semantic,
            instance_id=_numbered(semantic),
            kind=tree.kind,
            symmetry=tree.symmetry,
            levels={"leaves": tree.leaves},
        )
        semantics = {} if labels is None else {"leaves": np.where(claimed, labels[leaf], -1).astype(np.int64)}
        return PartSample(shape, {"leaves": dense(leaf)}, semantics, hierarchy)


def _layout(base: Path) -> Layout | None:
    if (base / "ops").is_dir():
        return "symh"
    if (base / "training_trees").is_dir():
        return "fineseg"
    return "grass" if (base / "op_data.mat").is_file() else None


def _listed(base: Path) -> list[str]:
    """Stems of the `.mat` files, in the order of their numbers."""
    with os.scandir(base) as entries:
        stems = [entry.name[:-4] for entry in entries if entry.name.endswith(".mat")]
    return sorted(stems, key=lambda stem: (not stem.isdecimal(), int(stem) if stem.isdecimal() else 0, stem))


def _items(base: Path, layout: Layout) -> Iterator[PartItem]:
    category = base.resolve().name
    if layout == "symh":
        for stem in _listed(base / "ops"):
            files = [base / kind / f"{stem}.mat" for kind in ("ops", "syms", "labels", "boxes")]
            yield PartItem(f"{category}/{stem}", category, "", tuple(files))
    elif layout == "fineseg":
        trees = base / "training_trees"
        stems = [stem for stem in _listed(folder(base / _CLOUDS, _MEND)) if stem.isdecimal()]
        first = 0 if "0" in stems else 1
        train = SPLIT.get(category.lower())
        for stem in stems:
            row = int(stem) - first
            split = "" if train is None else "train" if row < train else "test"
            files = [trees / f"{kind}.mat" for kind in ("ops", "syms", "labels")]
            files += [base / kind / f"{stem}.mat" for kind in (_CLOUDS, _SEGMENTS)]
            yield PartItem(f"{category}/{stem}", category, split, tuple(files), row)
    else:
        columns = read_table(base / "op_data.mat", "ops").shape[1]
        files = [base / f"{kind}_data.mat" for kind in ("op", "sym", "box")]
        for row in range(columns):
            yield PartItem(f"{category}/{row}", category, "", tuple(files), row)


def _read_tree(item: PartItem, base: Path, layout: Layout) -> _Tree:
    ops_file, syms_file, labels_file = item.files[:3]
    labels = None
    if layout == "symh":
        ops = whole(ops_file, read_numbers(ops_file, "op", "ops", limit=1 << 16))
        syms = rows8(syms_file, read_numbers(syms_file, "sym", "syms", limit=1 << 16))
        if (base / "labels").is_dir():
            labels = whole(labels_file, read_numbers(labels_file, "label", "labels", limit=1 << 16))
        return _Tree(ops, syms, labels)
    table = read_table(ops_file, "ops")
    if item.row >= table.shape[1]:
        raise InputError(ops_file, f"shape {item.row + 1} has no column: there are {table.shape[1]}", MIXED)
    ops = whole(ops_file, table[:, item.row])
    syms = rows8(syms_file, read_block(syms_file, "syms", table.shape[1], item.row))
    if layout == "fineseg":
        labels = whole(labels_file, read_block(labels_file, "labels", table.shape[1], item.row).reshape(-1))
    return _Tree(ops, syms, labels)


def _elements(item: PartItem, base: Path, layout: Layout, tree: SymTree) -> tuple[Shape, Int[np.ndarray, "n"]]:
    """The shape, and the number of the leaf of each element."""
    name = item.name.rpartition("/")[2]
    if layout == "fineseg":
        cloud, segments = item.files[3:]
        pc = read_clouds(cloud)
        if len(pc) != 1:
            raise InputError(cloud, f"expected one cloud, found {len(pc)}", MIXED)
        shape = Shape.from_points(pc[0, :, :3], normals=_unit(pc[0, :, 3:]).astype(np.float32), name=name, source=cloud)
        return shape, _fit(segments, lambda: leaves_of_cloud(pc[0, :, :3], read_clouds(segments)[:, :, :3], tree))
    if layout == "grass":
        table = read_table(item.files[0], "ops")
        columns = read_block(item.files[2], "boxes", table.shape[1], item.row)
        boxes_file = item.files[2]
    else:
        boxes_file = item.files[3]
        columns = read_numbers(boxes_file, "box", "boxes", limit=1 << 16)
        if columns.shape[-1] != int(tree.stored.max()) + 1:
            expected = int(tree.stored.max()) + 1
            raise InputError(boxes_file, f"expected {expected} boxes, one a leaf, found {columns.shape[-1]}", MIXED)
    if columns.ndim != 2 or len(columns) != 12:
        raise InputError(boxes_file, f"expected columns of 12 numbers, found {columns.shape}", MIXED)
    boxes = _fit(boxes_file, lambda: Boxes(columns, tree))
    if layout == "grass" or not (base / "models").is_dir():
        return boxes.mesh(name)
    title = read_text(item.files[1], "shapename") or name
    if title != Path(title).name or title in (".", ".."):
        raise InputError(item.files[1], f"expected the name of a shape, found {title[:80]!r}", MIXED)
    model = base / "models" / f"{title}.obj"
    if not model.is_file():
        raise InputError(model, f"no such file, but {item.files[1].name} in syms names it", _MEND)
    shape = load_shape(model)
    if not shape.is_mesh:
        raise InputError(model, "expected a mesh, found no faces", MIXED)
    return shape, _fit(model, lambda: leaves_of_mesh(shape, boxes))


def _used(base: Path, layout: Layout) -> tuple[str, ...]:
    """ "class 0" … up to the highest label of the category, of which only label files are read."""
    if layout == "grass" or (layout == "symh" and not (base / "labels").is_dir()):
        return ()
    files = [base / "training_trees" / "labels.mat"]
    if layout == "symh":
        files = [base / "labels" / f"{stem}.mat" for stem in _listed(base / "labels")]
    highest = 0
    for path in files:
        try:
            highest = max(highest, int(read_numbers(path, "label", "labels").max(initial=0)))
        except InputError:
            if layout == "fineseg":
                raise
            continue  # told when the shape is read
    return tuple(f"class {i}" for i in range(min(highest, MAX_CLASS) + 1))


def _unit(normals: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.where(length > 0, length, 1)


def _numbered(semantic: Int[np.ndarray, "p"]) -> Int[np.ndarray, "p"]:
    """Number of each node among those of its class, -1 without a class."""
    out = np.full(len(semantic), -1, np.int32)
    for value in np.unique(semantic[semantic >= 0]):
        out[semantic == value] = np.arange((semantic == value).sum())
    return out


def _which(item: PartItem) -> str:
    return "" if item.row < 0 else f"shape {item.row + 1}: "


def _fit(path: Path, make: Callable[[], T]) -> T:
    """What `make` returns; what does not fit is an error about `path`."""
    try:
        return make()
    except InputError:
        raise
    except PartsegError as error:
        raise InputError(path, str(error), MIXED) from None
