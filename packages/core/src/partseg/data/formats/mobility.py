"""PartNet-Mobility (SAPIEN) objects as meshes, and PartNetE, the clouds made of them, with their own labels.

Xiang et al., "SAPIEN: A SimulAted Part-based Interactive ENvironment", CVPR 2020; Liu et al., "PartSLIP", CVPR 2023
(PartNet-Ensembled). Two layouts are read:

- objects: `<root>/<id>/` or `<root>/<folder>/<id>/` with `result.json`, `textured_objs`, `mobility.urdf`,
  `semantics.txt`, `meta.json`; with PartNetE's `split/test.txt` and `split/few-shot.txt` (lines `<id> <category>`) in
  the root an object has a split, otherwise none;
- PartNetE: `<root>/{test,few_shot}/<category>/<id>/` (also under `data/`) with `pc.ply` and `label.npy`, and
  `PartNetE_meta.json` in the root: category -> names of its parts.

PartField (Liu et al. 2025, supplement, Sec. 4) reports PartNetE in five groups of categories. Its table names 44 of the
45: Toilet is in none of the groups.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from partseg.data.formats import mobility_objects as objects
from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense, folder
from partseg.data.formats.mobility_labels import label_files, read_labels
from partseg.data.formats.partnet_trees import read_json, read_tree
from partseg.errors import InputError, UnknownNameError
from partseg.geometry.io import load_shape

Group = Literal["electronics", "appliances", "kitchen", "furniture", "tools"]
GROUPS: dict[str, tuple[str, ...]] = {
    "electronics": (
        "Keyboard", "Mouse", "Laptop", "Phone", "Camera", "USB", "Display", "Remote", "Printer", "Switch",
    ),
    "appliances": ("WashingMachine", "Dishwasher", "Refrigerator", "Oven", "Microwave"),
    "kitchen": (
        "KitchenPot", "Kettle", "Toaster", "CoffeeMachine", "Faucet", "Dispenser", "Knife", "Bottle", "Bucket",
    ),
    "furniture": (
        "Table", "Chair", "FoldingChair", "StorageFurniture", "Door", "Window", "Lamp", "TrashCan", "Safe",
    ),
    "tools": (
        "Stapler", "Scissors", "Pen", "Pliers", "Lighter", "Box", "Cart", "Globe", "Suitcase", "Eyeglasses", "Clock",
    ),
}  # fmt: skip
"""PartField's groups of PartNetE's categories, in the order of its table."""

PARTNET_E_META = "PartNetE_meta.json"
_FOLDERS = {"test": "test", "few_shot": "train"}  # PartNetE's folders and what its splits are called here
_SPLIT_FILES = {"test.txt": "test", "few-shot.txt": "train"}
_MEND = "register at sapien.ucsd.edu for the objects; PartNetE comes with the PartSLIP release (minghua/PartSLIP)"


class MobilityReader(Reader):
    """Articulated objects: what moves together (`links`) and PartNet's finest parts (`leaves`).

    Objects are meshes with two nested levels and PartNet's tree. A link's class is its name in `semantics.txt`, that of
    a leaf its name in `result.json`. PartNetE's clouds have one level, `parts`; many points are in none.

    Args:
        root: the folder, in one of the two layouts.
        category: only this one, e.g. "StorageFurniture". Class names then are plain (`drawer`); without it they are
            `StorageFurniture/drawer`.
        group: only the categories of one of PartField's five groups.
        split: "test" or "train" (the few-shot shapes of PartNetE).
    """

    def __init__(
        self,
        root: str | Path,
        category: str | None = None,
        group: Group | None = None,
        split: str | None = None,
    ) -> None:
        if group is not None and group not in GROUPS:
            raise UnknownNameError(f"unknown group {group!r}; there are {', '.join(get_args(Group))}")
        super().__init__(root)
        self.category, self.group, self.split = category, group, split

    def index(self) -> tuple[PartItem, ...]:
        found = self._items
        kept = tuple(item for item in found if self._wanted(item.category) and self.split in (None, item.split))
        if not kept:
            asked = {"split": self.split, "category": self.category, "group": self.group}
            what = " of ".join(f"{key} {value}" for key, value in asked.items() if value)
            splits = ", ".join(sorted({item.split or "none" for item in found}))
            categories = ", ".join(sorted({item.category or "none" for item in found}))
            raise InputError(self.root, f"holds no shape of {what}", f"it has {categories}; splits: {splits}")
        return kept

    def load(self, item: PartItem) -> PartSample:
        return self._load_cloud(item) if item.files[0].name == "pc.ply" else self._load_object(item)

    def taxonomy(self) -> Taxonomy:
        """`links` and `leaves` -> the names that occur in the chosen categories, sorted (small files are read); of
        PartNetE `parts` -> the names in `PartNetE_meta.json`, category by category.

        Raises:
            InputError: the root is wrong, or PartNetE's meta file is missing or damaged.
        """
        return self._taxonomy

    # -- objects ------------------------------------------------------------------------------------------------

    def _load_object(self, item: PartItem) -> PartSample:
        where = item.files[0]
        if (where / objects.META).is_file():  # the category came from there
            objects.read_category(where / objects.META)
        found = objects.load_object(where)
        semantics = objects.read_semantics(where / objects.SEMANTICS)
        named = {
            "links": (found.link, [semantics.get(link) for link in found.link_names]),
            "leaves": (found.leaf, found.leaf_names),
        }
        classes = {}
        for level, (labels, names) in named.items():
            numbers = [self._number(level, item, name) for name in names]
            classes[level] = np.array([*numbers, -1], np.int64)[labels]
        return PartSample(found.shape, {"links": found.link, "leaves": found.leaf}, classes, found.hierarchy)

    def _number(self, level: str, item: PartItem, name: str | None) -> int:
        if name is None:  # a link that semantics.txt does not name
            return -1
        full = self._class(item.category, name)
        if full not in self._numbers[level]:
            cause = f"{full!r} is not among the {level} of the root as first read"
            raise InputError(item.files[0], cause, "open it anew")
        return self._numbers[level][full]

    def _object_names(self) -> Taxonomy:
        links: set[str] = set()
        leaves: set[str] = set()
        for item in self._items:
            if not self._wanted(item.category):
                continue
            try:
                some = objects.read_semantics(item.files[0] / objects.SEMANTICS).values()
                more = objects.leaf_names(read_tree(item.files[0] / objects.TREE))
            except InputError:  # `load` says so of that object; the others stay usable
                continue
            links.update(self._class(item.category, name) for name in some)
            leaves.update(self._class(item.category, name) for name in more)
        return {"links": tuple(sorted(links)), "leaves": tuple(sorted(leaves))}

    # -- PartNetE -----------------------------------------------------------------------------------------------

    def _load_cloud(self, item: PartItem) -> PartSample:
        shape = load_shape(item.files[0], kind="cloud")
        instances, classes = read_labels(item.files[0].parent, shape.n_elements)
        if item.category not in self._meta:
            raise InputError(self._meta_file, f"names no parts of {item.category}", _MEND)
        names = self._meta[item.category]
        if (worst := int(classes.max(initial=-1))) >= len(names):
            cause = f"class {worst}, but {item.category} has {len(names)} in {PARTNET_E_META}"
            raise InputError(item.files[0].parent, cause, _MEND)
        first = self._numbers["parts"][self._class(item.category, names[0])] if names else 0
        return PartSample(
            shape, {"parts": dense(instances)}, {"parts": np.where(classes >= 0, classes + first, -1).astype(np.int64)}
        )

    @cached_property
    def _meta_file(self) -> Path:
        path = self.root / PARTNET_E_META
        return self.root.parent / PARTNET_E_META if self.root.name == "data" and not path.is_file() else path

    @cached_property
    def _meta(self) -> dict[str, tuple[str, ...]]:
        meta = read_json(self._meta_file)
        ok = isinstance(meta, dict) and all(isinstance(names, list) for names in meta.values())
        ok = ok and all(isinstance(name, str) and name for names in meta.values() for name in names)
        ok = ok and all(len(set(names)) == len(names) for names in meta.values())
        if not ok:
            raise InputError(self._meta_file, "expected category -> list of different part names", _MEND)
        return {category: tuple(names) for category, names in sorted(meta.items())}

    # -- both ---------------------------------------------------------------------------------------------------

    @cached_property
    def _taxonomy(self) -> Taxonomy:
        if self._items[0].files[0].name != "pc.ply":
            return self._object_names()
        meta = {category: names for category, names in self._meta.items() if self._wanted(category)}
        return {"parts": tuple(self._class(category, name) for category, names in meta.items() for name in names)}

    @cached_property
    def _numbers(self) -> dict[str, dict[str, int]]:
        return {level: {name: i for i, name in enumerate(names)} for level, names in self._taxonomy.items()}

    @cached_property
    def _items(self) -> tuple[PartItem, ...]:
        folder(self.root, _MEND)
        clouds = [item for base in (self.root, self.root / "data") for item in _clouds(base)]
        found = clouds or _objects(self.root)
        if not found:
            cause = f"expected <id>/{objects.TREE} or test/<category>/<id>/pc.ply, found neither"
            raise InputError(self.root, cause, _MEND)
        found.sort(key=lambda item: (item.category, *_order(item.name.rpartition("/")[2]), item.split))
        names = [item.name for item in found]
        if len(set(names)) < len(names):
            twice = next(name for i, name in enumerate(names) if name in names[:i])
            raise InputError(self.root, f"{twice} is there twice", "remove one of the two folders")
        return tuple(found)

    def _wanted(self, category: str) -> bool:
        return self.category in (None, category) and (self.group is None or category in GROUPS[self.group])

    def _class(self, category: str, name: str) -> str:
        return name if self.category or not category else f"{category}/{name}"


def _clouds(base: Path) -> list[PartItem]:
    return [
        PartItem(f"{category.name}/{shape.name}", category.name, split, (shape / "pc.ply", *label_files(shape)))
        for name, split in _FOLDERS.items()
        for category in _folders(base / name)
        for shape in _folders(category)
        if (shape / "pc.ply").is_file()
    ]


def _objects(root: Path) -> list[PartItem]:
    splits = _splits(root / "split")
    found = []
    for outer in _folders(root):
        inside = [outer] if (outer / objects.TREE).is_file() else _folders(outer)
        for place in inside:
            if place is not outer and not (place / objects.TREE).is_file():
                continue
            try:
                category = objects.read_category(place / objects.META)
            except InputError:  # without the file the folder tells; `load` speaks of a damaged one
                category = "" if place is outer else outer.name
            name = f"{category}/{place.name}" if category else place.name
            found.append(PartItem(name, category, splits.get(place.name, ""), (place, place / objects.PIECES)))
    return found


def _splits(where: Path) -> dict[str, str]:
    """Object id -> split, from PartNetE's lists, where they are there."""
    out: dict[str, str] = {}
    for file, split in _SPLIT_FILES.items():
        path = where / file
        if not path.is_file():
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(path, f"expected lines `<id> <category>`: {error}", _MEND) from None
        for number, line in enumerate(lines, 1):
            words = line.split()
            if words and not words[0].isdecimal():
                raise InputError(path, f"line {number}: expected `<id> <category>`, found {line[:60]!r}", _MEND)
            if words and out.setdefault(words[0], split) != split:
                raise InputError(path, f"line {number}: {words[0]} is of split {out[words[0]]} as well", _MEND)
    return out


def _folders(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.name[0] != "." and entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(path, f"cannot be listed: {error.strerror or error}") from None


def _order(name: str) -> tuple[int, str]:
    return (int(name) if name.isascii() and name.isdecimal() and len(name) < 18 else 1 << 60, name)
