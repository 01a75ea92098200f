"""S3DIS: scanned rooms of six building areas (Armeni et al., CVPR 2016).

Layout of `Stanford3dDataset_v1.2` (aligned or not): `Area_<k>/<room>/Annotations/<class>_<i>.txt`, one object a file,
lines `x y z r g b` in metres and 0..255. The room's points are its objects end to end, by file name. Classes outside
the 13 (`stairs` occurs) count as clutter, as in the papers' preprocessing.

The release has a few damaged lines, such as a control character within a line of
`Area_5/hallway_6/Annotations/ceiling_1.txt`; they are mended, or left out where they cannot be, with a warning that
names the line. `partseg.data.formats.s3dis_blocks` cuts rooms into blocks and merges what was found in them.
"""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, folder
from partseg.data.formats.s3dis_blocks import room_blocks
from partseg.data.formats.scenes import LEVEL, read_bytes, seed_of, taken
from partseg.errors import InputError, ShapeWarning, UnknownNameError
from partseg.geometry.io.text import floats, normalise, token_starts, tokens_per_line
from partseg.geometry.shape import Shape

CLASSES = (
    "ceiling", "floor", "wall", "beam", "column", "window", "door", "table", "chair", "sofa", "bookcase", "board",
    "clutter",
)  # fmt: skip
"""The 13 classes in the order of the papers' numbers."""

_AREA = re.compile(r"Area_(\d+)")
_OBJECT = re.compile(r"([A-Za-z]+)_\d+\.txt")
_MEND = "fill in the form at buildingparser.stanford.edu, unpack Stanford3dDataset_v1.2_Aligned_Version.zip"
_MAX_FILE = 2 << 30
_MAX_DAMAGED = 100  # lines of a file; more is not a table of points
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r") | set(range(127, 256)))
_TO_BLANKS = bytes.maketrans(_CONTROL, b" " * len(_CONTROL))


class S3disReader(Reader):
    """S3DIS as a set of labelled clouds, one a room, in the file's coordinates.

    Args:
        root: the folder that holds `Area_1` … `Area_6`.
        area: only this one.
        split: "test" is the test area, "train" all others; None: all.
        test_area: which area is for testing (six-fold tests take each in turn).
        blocks: the room as its blocks of 1 m, stride 0.5 m, 4,096 points each, end to end (points repeat): what
            ASIS and JSNet evaluate. The k-th block is rows 4096 k … 4096 (k + 1).
    """

    def __init__(
        self,
        root: str | Path,
        area: int | None = None,
        split: str | None = None,
        test_area: int = 5,
        blocks: bool = False,
    ) -> None:
        super().__init__(root)
        if split not in (None, "train", "test"):
            raise UnknownNameError(
                f"unknown split {split!r}; S3DIS has train, test (areas other than the test area, it)"
            )
        self.area = area
        self.split = split
        self.test_area = test_area
        self.blocks = blocks

    def index(self) -> tuple[PartItem, ...]:
        root = folder(self.root, _MEND)
        areas = {int(match[1]): entry for entry in _folders(root) if (match := _AREA.fullmatch(entry.name))}
        if not areas:
            raise InputError(root, "expected Area_1 … Area_6, found none", _MEND)
        for wanted in (self.area, None if self.split is None else self.test_area):
            if wanted is not None and wanted not in areas:
                there = ", ".join(map(str, sorted(areas)))
                raise InputError(root / f"Area_{wanted}", f"there is no such area; there are {there}", _MEND)
        items = []
        for number in sorted(areas):
            split = "test" if number == self.test_area else "train"
            if self.area in (None, number) and self.split in (None, split):
                items += [_item(number, room, split) for room in _folders(areas[number])]
        items = [item for item in items if item.files[0].is_dir()]
        if not items:
            raise InputError(root, "expected Area_<k>/<room>/Annotations, found none", _MEND)
        return tuple(items)

    def load(self, item: PartItem) -> PartSample:
        rows, instance, semantic = [], [], []
        unknown = set()
        for path in _objects(item.files[0]):
            name = _OBJECT.fullmatch(path.name)[1]
            if name not in CLASSES:
                unknown.add(name)
            rows.append(_read_object(path))
            instance.append(np.full(len(rows[-1]), len(instance), np.int64))
            semantic.append(np.full(len(rows[-1]), CLASSES.index(name if name in CLASSES else "clutter"), np.int64))
        if unknown:
            text = f"{item.files[0]}: {', '.join(sorted(unknown))} is none of the 13 classes, taken as clutter"
            warnings.warn(text, ShapeWarning, stacklevel=2)
        table = np.concatenate(rows)
        cloud = Shape.from_points(
            table[:, :3],
            colors=(table[:, 3:] / 255).astype(np.float32),
            name=item.name,
            source=item.files[0].parent,
        )
        sample = PartSample(cloud, {LEVEL: np.concatenate(instance)}, {LEVEL: np.concatenate(semantic)})
        if not self.blocks:
            return sample
        blocks = room_blocks(cloud.points, seed=seed_of(item.name))
        if not len(blocks):
            raise InputError(item.files[0].parent, f"{len(table)} points are too few for a block of 100", _MEND)
        return taken(sample, blocks.reshape(-1))

    def taxonomy(self) -> Taxonomy:
        return {LEVEL: CLASSES}


def _folders(parent: Path) -> list[Path]:
    with os.scandir(parent) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _item(area: int, room: Path, split: str) -> PartItem:
    kind = room.name.rpartition("_")[0] or room.name
    return PartItem(f"Area_{area}_{room.name}", category=kind, split=split, files=(room / "Annotations",))


def _objects(annotations: Path) -> list[Path]:
    """The files of objects, by name."""
    try:
        with os.scandir(annotations) as entries:
            paths = sorted(Path(entry.path) for entry in entries if _OBJECT.fullmatch(entry.name))
    except OSError as error:
        raise InputError(annotations, f"cannot be listed: {error.strerror or error}", _MEND) from None
    if not paths:
        raise InputError(annotations, "expected files like chair_1.txt, found none", _MEND)
    return paths


def _read_object(path: Path) -> Float[np.ndarray, "n 6"]:
    """x, y, z, r, g, b of an object's points; float64, finite, colours in 0..255."""
    data = normalise(read_bytes(path, _MAX_FILE, _MEND))
    mended: list[int] = []
    if len(data.translate(None, _CONTROL)) != len(data):
        data, mended = _without_control(path, data)
    counts = tokens_per_line(data)
    if ((counts == 6) | (counts == 0)).all():
        values = floats(data, int(counts.sum())).reshape(-1, 6)
        lines = np.flatnonzero(counts)
    else:
        values, lines = _rows_of_six(data, counts)
    with np.errstate(invalid="ignore"):
        good = (
            (np.abs(values) < 1e6).all(axis=1) & (values[:, 3:] >= 0).all(axis=1) & (values[:, 3:] <= 255).all(axis=1)
        )
    usable = np.zeros(len(counts), bool)
    usable[lines[good]] = True
    lost = np.flatnonzero(~usable & (counts > 0))
    if len(lost) > _MAX_DAMAGED or len(lost) > len(lines[good]):
        raise InputError(path, f"line {lost[0] + 1}: expected x y z and r g b in 0..255, as {len(lost)} lines", _MEND)
    if not good.any():
        raise InputError(path, "expected lines x y z r g b, found none", _MEND)
    kept = sorted(set(mended) - {int(line) + 1 for line in lost})
    for what, numbers in (("mended", kept), ("left out", (lost + 1).tolist())):
        if numbers:
            where = ", ".join(map(str, numbers[:5])) + (" …" if len(numbers) > 5 else "")
            warnings.warn(f"{path}: line {where} is damaged; {what}", ShapeWarning, stacklevel=3)
    return values[good]


def _rows_of_six(data: bytes, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the lines with six words, and the numbers of these lines."""
    lines = data.split(b"\n")
    six = np.flatnonzero(counts == 6)
    text = b"\n".join([lines[i] for i in six.tolist()])
    return floats(text, 6 * len(six)).reshape(-1, 6), six


def _without_control(path: Path, data: bytes) -> tuple[bytes, list[int]]:
    """The text without bytes that are no text, and the numbers (from 1) of the lines that had them.

    Such a byte stands in the place of a blank ("185?187" are two numbers) or within a number ("103.0?0000"): whichever
    leaves six numbers.
    """
    lines = data.split(b"\n")
    clean = data.translate(_TO_BLANKS).split(b"\n")
    damaged = [i for i, line in enumerate(lines) if len(line.translate(None, _CONTROL)) != len(line)]
    if len(damaged) > _MAX_DAMAGED:
        raise InputError(path, f"expected text, found {len(damaged)} lines of binary data", _MEND)
    for i in damaged:
        if len(token_starts(np.frombuffer(clean[i] + b"\n", np.uint8))) != 6:
            clean[i] = lines[i].translate(None, _CONTROL)
    return b"\n".join(clean), [i + 1 for i in damaged]
