"""PartNet's text files: label sets, levels, the merging map, splits.

They lie in the folder `stats` of the public repository daerduoCarey/partnet_dataset:

- `after_merging_label_ids/<Cat>.txt`: a line `id path kind` for each node; the path starts at the category's root;
- `after_merging_label_ids/<Cat>-level-{1,2,3}.txt`: the nodes scored at a level. A label is its LINE, not its id;
- `merging_hierarchy_mapping/<Cat>.txt`: a line `raw-path merged-path` for each raw path that is kept;
- `train_val_test_split/<Cat>.{train,val,test}.json`: records with `anno_id`, in the order of the h5 rows;
- `all_valid_anno_info.txt`: a line `anno_id version category model_id annotator` for each annotation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import dense
from partseg.data.formats.partnet_trees import MAX_BYTES, read_json
from partseg.errors import InputError

LEVELS = ("1", "2", "3")
SPLITS = ("train", "val", "test")
GET_LABELS = "the folder `stats` of github.com/daerduoCarey/partnet_dataset; name it with labels_root"


@dataclass(frozen=True, eq=False)
class LabelSet:
    """What the label files say of one category.

    Attributes:
        nodes: path -> id of every node.
        levels: level -> paths of its labels, by line; levels that the category lacks are absent.
        mapping: raw path -> merged path; None where there is no such file.
    """

    nodes: Mapping[str, int]
    levels: Mapping[str, tuple[str, ...]]
    mapping: Mapping[str, str] | None


@dataclass(frozen=True)
class LabelFiles:
    """The folder `stats`, read when asked.

    Attributes:
        folder: holds `after_merging_label_ids`.
    """

    folder: Path

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Categories with a level 1, sorted."""
        found = (self.folder / "after_merging_label_ids").glob("*-level-1.txt")
        return tuple(sorted(path.name.removesuffix("-level-1.txt") for path in found))

    def nodes(self, category: str) -> Mapping[str, int]:
        """Path -> id of every node of a category."""
        return _paths(self.folder / "after_merging_label_ids" / f"{category}.txt")

    def levels(self, category: str) -> dict[str, tuple[str, ...]]:
        """Level -> paths of its labels, by line; levels that the category lacks are absent.

        Raises:
            InputError: a label that `<Cat>.txt` lacks, stands twice, or stands below another one of the level.
        """
        out = {}
        for level in LEVELS:
            path = self.folder / "after_merging_label_ids" / f"{category}-level-{level}.txt"
            if path.is_file():
                out[level] = _level(path, self.nodes(category))
        return out

    def mapping(self, category: str) -> Mapping[str, str] | None:
        """Raw path -> merged path, or None where there is no such file."""
        path = self.folder / "merging_hierarchy_mapping" / f"{category}.txt"
        return _mapping(path, self.nodes(category)) if path.is_file() else None

    def of(self, category: str) -> LabelSet | None:
        """Everything about one category; None where its files are absent.

        Raises:
            InputError: a file is damaged or contradicts another one.
        """
        if category not in self.categories:
            return None
        return LabelSet(self.nodes(category), self.levels(category), self.mapping(category))

    def split(self, category: str, split: str) -> tuple[str, ...] | None:
        """Annotation ids of a split in the file's order, or None where there is no such file."""
        path = self.folder / "train_val_test_split" / f"{category}.{split}.json"
        return _split(path) if path.is_file() else None

    @cached_property
    def split_categories(self) -> tuple[str, ...]:
        """Categories that have a split file, sorted."""
        return tuple(sorted({p.name.split(".")[0] for p in (self.folder / "train_val_test_split").glob("*.*.json")}))

    def annotations(self) -> dict[str, str]:
        """Annotation id -> category of every valid annotation; empty where the file is absent."""
        path = self.folder / "all_valid_anno_info.txt"
        if not path.is_file():
            return {}
        rows = [line.split() for line in read_lines(path)]
        for i, row in enumerate(rows):
            if len(row) < 3:
                raise InputError(path, f"expected `anno_id version category …` on line {i + 1}, found {len(row)} words")
        return {row[0]: row[2] for row in rows}


def find_labels(bases: Sequence[Path], labels_root: str | Path | None) -> LabelFiles | None:
    """The label files at `labels_root`, or where they usually lie beside the data; None when nowhere.

    Raises:
        InputError: `labels_root` is given and holds none.
    """
    if labels_root is not None:
        bases = [Path(labels_root)]
    for base in bases:
        for folder in (base, base / "stats", base / "partnet_dataset" / "stats"):
            if (folder / "after_merging_label_ids").is_dir():
                return LabelFiles(folder)
    if labels_root is not None:
        raise InputError(labels_root, "expected after_merging_label_ids/ in it, found none", GET_LABELS)
    return None


def level_labels(
    path: Path,
    parent: Int[np.ndarray, "p"],
    parts: Sequence[str | None],
    nodes: Int[np.ndarray, "n"],
    names: Sequence[str],
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Instances and classes at one level; an instance is a node of the tree whose merged path the level lists.

    A listed node below another one of the same label belongs to it, as their points are one set.

    Args:
        path: the file to name in errors.
        parent: (p,) the tree, parents before children, -1 at a root.
        parts: merged path of each node, None where merging drops it.
        nodes: (n,) node of each element, -1 none.
        names: the level's paths.

    Returns:
        (n,) int64 instances 0..k-1 in the tree's order, only those that have elements, and (n,) int64 classes; -1 where
        an element is in no listed node.

    Raises:
        InputError: a listed node below one of another label.
    """
    number = {name: i for i, name in enumerate(names)}
    p = len(parent)
    instance, label = np.full(p + 1, -1, np.int64), np.full(p + 1, -1, np.int64)  # one more for elements without node
    for i, above in enumerate(parent.tolist()):
        own = number.get(parts[i] or "", -1)
        if above >= 0 and instance[above] >= 0:
            if own not in (-1, label[above]):
                raise InputError(path, f"masks overlap: part {parts[i]!r} lies in a part {names[label[above]]!r}")
            instance[i], label[i] = instance[above], label[above]
        elif own >= 0:
            instance[i], label[i] = i, own
    return dense(instance[nodes]), label[nodes]


def read_lines(path: Path) -> list[str]:
    """Lines of a UTF-8 text of bounded size, without blank ones at the end.

    Raises:
        InputError: it cannot be read, or is no text.
    """
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise InputError(path, f"expected at most {MAX_BYTES:,} bytes, found {size:,}")
        return path.read_text(encoding="utf-8").rstrip().splitlines()
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}", GET_LABELS) from None
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data", GET_LABELS) from None


def _paths(path: Path) -> Mapping[str, int]:
    """Path -> id, in the order of the lines `id path kind`."""
    out: dict[str, int] = {}
    for i, line in enumerate(read_lines(path)):
        words = line.split()
        if len(words) != 3 or not words[0].isdecimal() or len(words[0]) > 9:
            raise InputError(path, f"expected `id path kind` on line {i + 1}, found {line[:60]!r}", GET_LABELS)
        if words[1] in out:
            raise InputError(path, f"{words[1]!r} stands twice, the second time on line {i + 1}", GET_LABELS)
        out[words[1]] = int(words[0])
    return out


def _level(path: Path, nodes: Mapping[str, int]) -> tuple[str, ...]:
    names = tuple(_paths(path))
    for name in names:
        if name not in nodes:
            raise InputError(path, f"label {name!r} is outside the taxonomy: the category's file lacks it", GET_LABELS)
        steps = name.split("/")
        for k in range(1, len(steps)):
            if (above := "/".join(steps[:k])) in names:
                raise InputError(path, f"labels overlap: {name!r} lies below {above!r}", GET_LABELS)
    return names


def _two_columns(path: Path) -> Mapping[str, str]:
    out = {}
    for i, line in enumerate(read_lines(path)):
        words = line.split()
        if len(words) != 2:
            raise InputError(path, f"expected `raw-path merged-path` on line {i + 1}, found {line[:60]!r}", GET_LABELS)
        out[words[0]] = words[1]
    return out


def _mapping(path: Path, nodes: Mapping[str, int]) -> Mapping[str, str]:
    found = _two_columns(path)
    for merged in found.values():
        if merged not in nodes:
            raise InputError(path, f"label {merged!r} is outside the taxonomy: the category's file lacks it")
    return found


def _split(path: Path) -> tuple[str, ...]:
    records = read_json(path)
    if not isinstance(records, list) or not all(isinstance(r, dict) and "anno_id" in r for r in records):
        raise InputError(path, "expected a list of records with anno_id and model_id", GET_LABELS)
    ids = tuple(str(r["anno_id"]) for r in records)
    if len(set(ids)) < len(ids):
        twice = next(x for i, x in enumerate(ids) if x in ids[:i])
        raise InputError(path, f"annotation {twice} stands twice", GET_LABELS)
    return ids
