"""Which shapes lie under a PartNet root: folders and names only, h5 files by their number of rows."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from partseg.data.formats.base import PartItem
from partseg.data.formats.partnet_h5 import count
from partseg.data.formats.partnet_labels import SPLITS, LabelFiles, read_lines
from partseg.data.formats.partnet_trees import read_json
from partseg.errors import InputError, ShapeWarning

# Release -> folder, in the order in which `auto` looks for them.
RELEASES = {
    "trees": "data_v0",
    "ins_seg_h5": "ins_seg_h5",
    "ins_seg_h5_for_detection": "ins_seg_h5_for_detection",
    "ins_seg_h5_gt": "ins_seg_h5_gt",
    "ins_seg_h5_for_sgpn": "ins_seg_h5_for_sgpn",
    "sem_seg_h5": "sem_seg_h5",
}
OBTAIN = "accept ShapeNet's terms at shapenet.org and follow partnet.cs.stanford.edu to data_v0 or an h5 archive"
_LEVELED = re.compile(r"(.+)-([123])")
_FILE = re.compile(r"(train|val|test)-\d+\.h5")


def locate(root: Path, release: str) -> tuple[str, Path]:
    """The release under a root and its folder; `auto` takes the first of `RELEASES` that is there.

    Raises:
        InputError: it is not there; the text says what is.
    """
    if release != "auto" and release not in RELEASES:
        raise InputError(root, f"unknown release {release!r}; known are auto, {', '.join(RELEASES)}")
    if not root.is_dir():
        raise InputError(root, "is not a folder" if root.exists() else "no such folder", OBTAIN)
    for name in RELEASES if release == "auto" else (release,):
        for base in (root, root / "data"):
            if not base.is_dir():
                continue
            if base.resolve().name == RELEASES[name] or (base == root and name == "trees" and _has_objects(root)):
                return name, base
            if (base / RELEASES[name]).is_dir():
                return name, base / RELEASES[name]
    if release not in ("auto", "trees") and any(root.glob("*/*.h5")):  # named and renamed
        return release, root
    found = ", ".join(sorted(path.name for path in root.iterdir())[:6]) or "nothing"
    want = " or ".join(RELEASES.values()) if release == "auto" else RELEASES[release]
    raise InputError(root, f"expected {want}, found {found}", OBTAIN)


class Objects:
    """The folder `data_v0`: which object has which category and split."""

    def __init__(self, folder: Path, labels: LabelFiles | None) -> None:
        self.folder, self.labels = folder, labels
        with os.scandir(folder) as entries:
            self.ids = {entry.name for entry in entries if entry.is_dir() and entry.name.isdecimal()}
        if not self.ids:
            raise InputError(folder, "expected a folder for each annotation, such as 1127/, found none", OBTAIN)
        self.split_of: dict[str, tuple[str, str, int]] = {}  # id -> category, split, place
        for category in () if labels is None else labels.split_categories:
            for split in SPLITS:
                for place, name in enumerate(labels.split(category, split) or ()):
                    self.split_of[name] = (category, split, place)
        self.damaged: list[InputError] = []

    def items(self, category: str | None, split: str | None) -> tuple[PartItem, ...]:
        """Sorted by category, split and the split file's order; objects in no split last, by number."""
        if split is not None and not self.split_of:
            raise InputError(self.folder, f"split {split!r} needs train_val_test_split/, found none", "see labels_root")
        rank = {name: i for i, name in enumerate((*SPLITS, ""))}
        found = []
        for name, (own, part, place) in self._owners(split is not None):
            if (category is None or own == category) and (split is None or part == split):
                found.append(((own, rank[part], place, int(name), name), part))
        folder = self.folder
        return tuple(
            PartItem(f"{own}/{name}" if own else name, own, part, (folder / name,))
            for (own, _, _, _, name), part in sorted(found)
        )

    def missing(self, category: str | None, split: str | None) -> Iterator[InputError]:
        """Shapes that a split file names and the folder lacks."""
        for name, (own, part, _) in self.split_of.items():
            if name not in self.ids and category in (None, own) and split in (None, part):
                cause = f"no such object, but the {part} split of {own} names it"
                yield InputError(self.folder / name, cause, "unpack it from data_v0")

    def _owners(self, splits_only: bool) -> Iterator[tuple[str, tuple[str, str, int]]]:
        rest = []
        for name in self.ids:
            if name in self.split_of:
                yield name, self.split_of[name]
            else:
                rest.append(name)
        if splits_only or not rest:
            return
        known = {} if self.labels is None else self.labels.annotations()
        for name in rest:
            yield name, (known.get(name) or self._category(name), "", 0)

    def _category(self, name: str) -> str:
        """From `meta.json`; empty, and noted in `damaged`, where that cannot be read."""
        try:
            return category_of(self.folder / name)
        except InputError as error:
            self.damaged.append(error)
            return ""


def category_of(folder: Path) -> str:
    """`model_cat` of `<folder>/meta.json`.

    Raises:
        InputError: no such file, or it says none.
    """
    path = folder / "meta.json"
    meta = read_json(path)
    found = meta.get("model_cat") if isinstance(meta, dict) else None
    if not isinstance(found, str) or not re.fullmatch(r"\w[\w -]*", found):
        raise InputError(path, f"expected the category as `model_cat`, found {str(found)[:60]!r}")
    return found


def h5_items(
    release: str, folder: Path, labels: LabelFiles | None, category: str | None, split: str | None
) -> tuple[PartItem, ...]:
    """One item for each row, by category, split, file and row; `files` has one file a level, coarse levels first.

    Test rows of `ins_seg_h5_for_detection` have no truth; where `ins_seg_h5_gt` lies beside, its files stand in.

    Raises:
        InputError: no h5 files, or a damaged one.
    """
    folders: dict[str, list[Path]] = {}
    for path in sorted(p for p in folder.iterdir() if p.is_dir()):
        match = _LEVELED.fullmatch(path.name)
        if release == "ins_seg_h5" or match:
            own = path.name if release == "ins_seg_h5" else match[1]
            if category in (None, own):
                folders.setdefault(own, []).append(path)
    out: list[PartItem] = []
    for own, levels in folders.items():
        for part in SPLITS if split is None else (split,):
            files = [(level, _files(level, part, release)) for level in levels]
            files = [(level, of) for level, of in files if of]
            if files:
                out += _rows(release, own, part, files, labels)
    return tuple(out)


def count_errors(items: Sequence[PartItem], labels: LabelFiles | None) -> Iterator[InputError]:
    """Splits whose number of shapes is not that of the rows."""
    count_of: dict[tuple[str, str], int] = {}
    for item in items:
        count_of[item.category, item.split] = count_of.get((item.category, item.split), 0) + 1
    for (own, part), rows in count_of.items():
        ids = None if labels is None else labels.split(own, part)
        if ids is not None and len(ids) != rows:
            cause = f"the {part} split of {own} names {len(ids)} shapes, the files hold {rows}"
            yield InputError(labels.folder / "train_val_test_split", cause, "download the h5 files again")


def _rows(
    release: str, category: str, split: str, files: list[tuple[Path, list[Path]]], labels: LabelFiles | None
) -> list[PartItem]:
    first = files[0][1]
    rows = [count(path) for path in first]
    ids = None if labels is None else labels.split(category, split)
    if ids is not None and len(ids) != sum(rows):
        cause = f"{category}: the {split} split names {len(ids)} shapes, the files hold {sum(rows)}"
        warnings.warn(f"{cause}; shapes are named by file and row", ShapeWarning, stacklevel=5)
        ids = None
    if ids is None and release == "ins_seg_h5":
        ids = _json_ids(first, rows)
    out, start = [], 0
    for path, n in zip(first, rows, strict=True):
        here = (path, path.with_suffix(".json")) if release == "ins_seg_h5" else _levels_of(path, files)
        for row in range(n):
            name = ids[start + row] if ids is not None else f"{path.stem}/{row}"
            out.append(PartItem(f"{category}/{name}", category, split, here, row))
        start += n
    return out


def _levels_of(path: Path, files: list[tuple[Path, list[Path]]]) -> tuple[Path, ...]:
    """The file of that name at every level; where a level lacks it, `load` will say so."""
    out = []
    for level, of in files:
        out.append(next((f for f in of if f.name == path.name), level / path.name))
    return tuple(out)


def _json_ids(files: list[Path], rows: list[int]) -> tuple[str, ...] | None:
    """Annotation ids of the records beside the files; None where they do not name every row once."""
    ids: list[str] = []
    for path, n in zip(files, rows, strict=True):
        beside = path.with_suffix(".json")
        records = read_json(beside) if beside.is_file() else None
        if not isinstance(records, list) or len(records) != n:
            return None
        ids += [str(r.get("anno_id", "")) if isinstance(r, dict) else "" for r in records]
    return tuple(ids) if all(ids) and len(set(ids)) == len(ids) else None


def _files(folder: Path, split: str, release: str) -> list[Path]:
    """The h5 files of a split, in order."""
    listed = folder / f"{split}_files.txt"
    if release == "sem_seg_h5" and listed.is_file():
        return [_listed(listed, line.strip()) for line in read_lines(listed) if line.strip()]
    own = sorted(p for p in folder.glob(f"{split}-*.h5") if _FILE.fullmatch(p.name))
    if release == "ins_seg_h5_for_detection" and split == "test":
        truth = folder.parent.parent / RELEASES["ins_seg_h5_gt"] / folder.name
        return sorted(p for p in truth.glob("test-*.h5") if _FILE.fullmatch(p.name)) or own
    return own


def _listed(listing: Path, line: str) -> Path:
    """A file that a list names; lists made elsewhere have other folders before the name, which are passed over."""
    path = Path(line)
    if path.is_absolute() or ".." in path.parts or not (listing.parent / path).is_file():
        path = Path(path.name)
    if not (listing.parent / path).is_file():
        raise InputError(listing.parent / path.name, f"no such file, but {listing.name} names it", "download it again")
    return listing.parent / path


def _has_objects(root: Path) -> bool:
    """Whether one of the first folders is an annotated object."""
    with os.scandir(root) as entries:
        for i, entry in enumerate(entries):
            if i >= 64:
                return False
            if entry.name.isdecimal() and os.path.isfile(os.path.join(entry.path, "result.json")):
                return True
    return False
