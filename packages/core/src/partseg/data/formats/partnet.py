"""PartNet: part trees and three nested levels of instances for 26,671 models of 24 categories.

Mo, Zhu, Chang, Yi, Tripathi, Guibas, Su, "PartNet: A Large-Scale Benchmark for Fine-Grained and Hierarchical Part-Level
3D Object Understanding", CVPR 2019. Read as per-object trees (`data_v0/<id>/`) or from one of the h5 releases:

| release | folders | what a shape has |
|---|---|---|
| `trees` | `data_v0/<id>` | cloud with normals and colours, or mesh; tree; levels; leaves |
| `ins_seg_h5` | `<Cat>` | cloud with normals and colours; tree; levels; leaves |
| `ins_seg_h5_for_detection` | `<Cat>-<level>` | cloud; levels (test: from `ins_seg_h5_gt` where that lies beside) |
| `ins_seg_h5_gt` | `<Cat>-<level>` | cloud; levels; test shapes only |
| `ins_seg_h5_for_sgpn` | `<Cat>-<level>` | cloud; levels |
| `sem_seg_h5` | `<Cat>-<level>` | cloud; classes of the levels, no instances |
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy
from partseg.data.formats.partnet_h5 import count
from partseg.data.formats.partnet_index import OBTAIN, Objects, category_of, count_errors, h5_items, locate
from partseg.data.formats.partnet_labels import GET_LABELS, LEVELS, SPLITS, LabelFiles, LabelSet, find_labels
from partseg.data.formats.partnet_load import RAW, load_ins_seg, load_levels, load_object
from partseg.data.formats.partnet_objects import missing_pieces
from partseg.data.formats.partnet_trees import read_tree
from partseg.errors import InputError, ShapeWarning

Release = Literal[
    "auto", "trees", "ins_seg_h5", "ins_seg_h5_for_detection", "ins_seg_h5_gt", "ins_seg_h5_for_sgpn", "sem_seg_h5"
]


class PartNetReader(Reader):
    """PartNet as it lies on disk.

    Levels are "1", "2", "3" from coarse to fine; an instance is an annotated node that the level lists, its class the
    line of its path in the level's file. "leaves" (trees and `ins_seg_h5`) are the finest parts, without classes. Not
    every category has every level. Without the label files, trees have leaves and hierarchy only, h5 rows their
    instances without classes.

    Args:
        root: `data_v0` or an h5 release, or the folder that holds them.
        category: only this one, such as "Chair". With one category the taxonomy has its paths
            ("chair/chair_seat"), with all of them "Chair/chair/chair_seat".
        split: only "train", "val" or "test".
        release: what to read, when several lie under the root; "auto" takes the first there is, in the order above.
        fill_levels: give a category the next coarser level in the place of one that it lacks.
        labels_root: the label files (`stats`), where they do not lie beside the data.
        mesh: the pieces in `objs` as one mesh, instead of the cloud; trees only.
    """

    def __init__(
        self,
        root: str | Path,
        category: str | None = None,
        split: str | None = None,
        release: Release = "auto",
        fill_levels: bool = False,
        labels_root: str | Path | None = None,
        mesh: bool = False,
    ) -> None:
        super().__init__(root)
        self.category, self.split, self.release = category, split, release
        self.fill_levels, self.labels_root, self.mesh = fill_levels, labels_root, mesh
        self._label_sets: dict[str, LabelSet | None] = {}

    @cached_property
    def _place(self) -> tuple[str, Path]:
        """Release and its folder."""
        release, folder = locate(self.root, self.release)
        if self.mesh and release != "trees":
            raise InputError(self.root, f"mesh needs the trees in data_v0, found {release}", OBTAIN)
        return release, folder

    @cached_property
    def _labels(self) -> LabelFiles | None:
        folder = self._place[1]
        root = self.root.absolute()
        return find_labels((self.root, root.parent, folder.absolute().parent), self.labels_root)

    def index(self) -> tuple[PartItem, ...]:
        release, folder = self._place
        if self.split not in (None, *SPLITS):
            raise InputError(self.root, f"unknown split {self.split!r}; known are {', '.join(SPLITS)}")
        if self._labels is None:
            text = "no label files: parts have neither levels from trees nor classes"
            warnings.warn(f"{self.root}: {text} ({GET_LABELS})", ShapeWarning, stacklevel=2)
        if release == "trees":
            items = Objects(folder, self._labels).items(self.category, self.split)
        else:
            items = h5_items(release, folder, self._labels, self.category, self.split)
        if not items:
            raise InputError(folder, self._nothing(release, folder), OBTAIN)
        if self._labels is not None:
            unknown = {item.category for item in items} - {"", *self._labels.categories}
            if unknown:
                text = f"no label files of {', '.join(sorted(unknown))}: no levels from trees, no classes"
                warnings.warn(f"{self.root}: {text} ({GET_LABELS})", ShapeWarning, stacklevel=2)
        return items

    def load(self, item: PartItem) -> PartSample:
        release, _ = self._place
        labels = self._label_set(item.category)
        if release == "trees":
            if not item.category:
                category_of(item.files[0])  # says why there is none
            found = load_object(item.files[0], labels, self.mesh)
        elif release == "ins_seg_h5":
            words = item.name.split("/")
            found = load_ins_seg(item.files, item.row, labels, words[1] if len(words) == 2 else "")
        else:
            found = load_levels(item.files, item.row, labels, release)
        offset = self._offsets.get(item.category, {})
        parts, classes = found.labels, {k: v for k, v in found.classes.items() if k in offset}
        if self.fill_levels:
            lacking = [x for x in LEVELS if labels is not None and x not in labels.levels]
            parts, classes = _filled(parts, lacking), _filled(classes, lacking)
        classes = {k: np.where(v >= 0, v + offset[k], -1) for k, v in classes.items()}
        return PartSample(found.shape, parts, classes, found.hierarchy)

    def taxonomy(self) -> Taxonomy:
        """Level -> paths; empty, with a warning, where there are no label files."""
        out: dict[str, tuple[str, ...]] = {}
        for category in self._categories:
            for level, names in self._names(category).items():
                own = names if self.category is not None else tuple(f"{category}/{name}" for name in names)
                out[level] = out.get(level, ()) + own
        if not out:
            what = "" if self.category is None else f" of {self.category}"
            warnings.warn(f"{self.root}: no label files{what}, so no names ({GET_LABELS})", ShapeWarning, stacklevel=2)
        return {level: out[level] for level in LEVELS if level in out}

    def check(self) -> Iterator[InputError]:
        """Shapes that splits name and the root lacks, damaged files, objects without the pieces they name."""
        try:
            items = self.index()
        except InputError as error:
            yield from self._damaged_files() or [error]
            return
        release, folder = self._place
        if release == "trees":
            objects = Objects(folder, self._labels)
            objects.items(self.category, self.split)
            yield from (e for e in objects.damaged if self.category is not None)  # else `load` of the item says so
            yield from objects.missing(self.category, self.split)
        else:
            yield from count_errors(items, self._labels)
        for item in items:
            yield from self.check_item(item)

    def check_item(self, item: PartItem) -> Iterator[InputError]:
        try:
            self.load(item)
        except InputError as error:
            yield error
            return
        objs = item.files[0] / "objs"
        if self._place[0] == "trees" and not self.mesh and objs.is_dir():
            tree = read_tree(item.files[0] / RAW)
            if absent := missing_pieces(objs, tree):
                cause = f"{len(absent)} meshes that {RAW} names are missing: {', '.join(absent[:3])}"
                yield InputError(objs, cause, "unpack the object again")

    def _label_set(self, category: str) -> LabelSet | None:
        """The label files of a category, read once."""
        if category not in self._label_sets:
            self._label_sets[category] = None if self._labels is None else self._labels.of(category)
        return self._label_sets[category]

    @cached_property
    def _categories(self) -> tuple[str, ...]:
        """Those whose classes count, in the order of their numbers."""
        known = () if self._labels is None else self._labels.categories
        return known if self.category is None else tuple(c for c in known if c == self.category)

    def _names(self, category: str) -> Mapping[str, tuple[str, ...]]:
        labels = self._label_set(category)
        names = {} if labels is None else dict(labels.levels)
        return _filled(names, [x for x in LEVELS if x not in names]) if self.fill_levels else names

    @cached_property
    def _offsets(self) -> dict[str, dict[str, int]]:
        """Category -> level -> number of its first class in the taxonomy."""
        out: dict[str, dict[str, int]] = {}
        start = dict.fromkeys(LEVELS, 0)
        for category in self._categories:
            names = self._names(category)
            out[category] = {level: start[level] for level in names}
            for level in names:
                start[level] += len(names[level])
        return out

    def _nothing(self, release: str, folder: Path) -> str:
        """What was sought and what is there, where no shape was found."""
        want = "shapes" + (f" of category {self.category!r}" if self.category is not None else "")
        want += f" in split {self.split!r}" if self.split is not None else ""
        if release == "trees":
            there = {item.category for item in Objects(folder, self._labels).items(None, None)}
        else:
            there = {path.name for path in folder.iterdir() if path.is_dir()}
        return f"expected {want}, found {', '.join(sorted(there)[:30]) or 'no folders'}"

    def _damaged_files(self) -> list[InputError]:
        """Every h5 file that cannot be opened, so that one does not hide the others."""
        out: list[InputError] = []
        try:
            release, folder = self._place
        except InputError:
            return out
        for path in sorted(folder.glob("*/*.h5")) if release != "trees" else ():
            try:
                count(path)
            except InputError as error:
                out.append(error)
        return out


def _filled(table: Mapping, lacking: list[str]) -> dict:
    """The same with the next coarser entry for each lacking level, coarse levels first, others last."""
    out = dict(table)
    for below, level in pairwise(LEVELS):
        if level in lacking and below in out:
            out[level] = out[below]
    return {k: out[k] for k in (*(x for x in LEVELS if x in out), *(x for x in out if x not in LEVELS))}
