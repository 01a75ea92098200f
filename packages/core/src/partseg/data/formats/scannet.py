"""ScanNet v2: reconstructed rooms with annotated objects (Dai et al., CVPR 2017).

Layout, as the rights holder's download script leaves it:

- `scans/<scene>/<scene>_vh_clean_2.ply`: the decimated mesh, vertices with colours;
- `scans/<scene>/<scene>_vh_clean_2.0.010000.segs.json`: the segment of each vertex;
- `scans/<scene>/<scene>.aggregation.json`: the segments of each object and its category in the annotator's words;
- `scannetv2-labels.combined.tsv`: category -> NYU40 number. Without it, `<scene>_vh_clean_2.labels.ply` tells the
  NYU40 number of each vertex, and an object takes that of most of its vertices (the smallest on ties);
- `scannetv2_train.txt`, `scannetv2_val.txt`, `scannetv2_test.txt`: scene names, in the root or in `splits/`;
- `scans_test/<scene>/`: scenes of the test split, without annotation.

Elements are the vertices, as in the benchmark: a cloud with colours and area-weighted vertex normals. Instances are the
annotated objects of the benchmark's 18 classes (NYU40 ids in `NYU40`); walls, floors and everything else are unlabelled
in both labels and semantics, as the benchmark scores them.
"""

from __future__ import annotations

import csv
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense, folder
from partseg.data.formats.scenes import (
    LEVEL,
    integers,
    positive,
    read_bytes,
    read_object,
    read_text,
    sized,
    vertex_normals,
)
from partseg.errors import InputError, ShapeWarning, UnknownNameError
from partseg.geometry.io.ply_elements import List, read_elements
from partseg.geometry.shape import Shape

NYU40 = {
    3: "cabinet", 4: "bed", 5: "chair", 6: "sofa", 7: "table", 8: "door", 9: "window", 10: "bookshelf", 11: "picture",
    12: "counter", 14: "desk", 16: "curtain", 24: "refrigerator", 28: "shower curtain", 33: "toilet", 34: "sink",
    36: "bathtub", 39: "other furniture",
}  # fmt: skip
"""NYU40 number -> name of the classes that the benchmark scores; their order is that of the semantics."""

SPLITS = ("train", "val", "test")
_SCENE = re.compile(r"scene\d{4}_\d{2}")
_MESH, _SEGMENTS, _LABELS = "_vh_clean_2.ply", "_vh_clean_2.0.010000.segs.json", "_vh_clean_2.labels.ply"
_TABLE = "scannetv2-labels.combined.tsv"
_MEND = "sign the terms of use at scan-net.org; the download script fetches it"
_MAX_PLY = 2 << 30
_NUMBER_TO_CLASS = np.full(256, -1, np.int64)
_NUMBER_TO_CLASS[list(NYU40)] = np.arange(len(NYU40))


class ScanNetReader(Reader):
    """ScanNet v2 as a set of labelled clouds, one a scene.

    Args:
        root: the folder that holds `scans`.
        split: "train", "val" or "test", from the lists `scannetv2_<split>.txt`; None: all scenes of `scans`, so not
            those of `scans_test`, which have no annotation.
        scene_points: points of each scene as the GSPN release caches them (18000): farthest points, random repeats
            where the scene has fewer. None: every vertex, in the file's order.
    """

    def __init__(self, root: str | Path, split: str | None = None, scene_points: int | None = None) -> None:
        super().__init__(root)
        if split not in (None, *SPLITS):
            raise UnknownNameError(f"unknown split {split!r}; ScanNet has {', '.join(SPLITS)}")
        self.split = split
        self.scene_points = positive("scene_points", scene_points)
        self._numbers: dict[str, int] | None = None

    def index(self) -> tuple[PartItem, ...]:
        root = folder(self.root, _MEND)
        scenes = _scenes(root / "scans")
        lists = {split: _split_list(root, split) for split in SPLITS}
        if self.split is None:
            if not scenes:
                raise InputError(root, "expected scans/sceneNNNN_NN, found none", _MEND)
            split_of = {name: split for split, names in lists.items() for name in names or ()}
            return tuple(_item(scenes[name], split_of.get(name, "")) for name in sorted(scenes))
        names = lists[self.split]
        if names is None:
            mend = "the lists stand in Tasks/Benchmark of the repository ScanNet/ScanNet"
            raise InputError(root / f"scannetv2_{self.split}.txt", "there is no such file", mend)
        if self.split == "test":
            scenes |= _scenes(root / "scans_test")
        found = tuple(_item(scenes[name], self.split) for name in names if name in scenes)
        if not found:
            cause = f"holds none of the {len(names)} scenes of the {self.split} split"
            raise InputError(root, cause, _MEND)
        return found

    def load(self, item: PartItem) -> PartSample:
        mesh = item.files[0]
        vertex, faces = _read_mesh(mesh)
        points = np.stack([vertex[axis] for axis in "xyz"], axis=1).astype(np.float64)
        if not all(isinstance(vertex.get(c), np.ndarray) for c in ("red", "green", "blue")):
            raise InputError(mesh, "expected vertices with red, green and blue", _MEND)
        colors = np.stack([vertex[c] for c in ("red", "green", "blue")], axis=1).astype(np.float32) / 255
        if not np.isfinite(points).all() or not np.isfinite(colors).all():
            raise InputError(mesh, "vertices hold NaN or infinite values", _MEND)
        normals = vertex_normals(points, faces)
        cloud = Shape.from_points(points, normals=normals, colors=colors.clip(0, 1), name=item.name, source=mesh)
        folder_ = mesh.parent
        segments, groups = folder_ / f"{item.name}{_SEGMENTS}", folder_ / f"{item.name}.aggregation.json"
        if item.split == "test" and not segments.exists() and not groups.exists():
            return sized(
                PartSample(cloud), self.scene_points, item.name
            )  # the test split's annotation is not published
        instance, category = _objects(segments, groups, len(points))
        classes = self._classes(folder_, item.name, instance, category)
        of_vertex = np.append(classes, -1)[instance]
        instance = np.where(of_vertex >= 0, instance, -1)
        sample = PartSample(cloud, {LEVEL: dense(instance)}, {LEVEL: of_vertex})
        return sized(sample, self.scene_points, item.name)

    def taxonomy(self) -> Taxonomy:
        return {LEVEL: tuple(NYU40.values())}

    def check(self) -> Iterator[InputError]:
        """As every reader, and the scenes that a split list names but the root lacks."""
        yield from super().check()
        if not self.root.is_dir():
            return
        present = {**_scenes(self.root / "scans"), **_scenes(self.root / "scans_test")}
        for split in SPLITS if self.split is None else (self.split,):
            try:
                names = _split_list(self.root, split) or ()
            except InputError:  # `index` has told
                continue
            for name in names:
                if name not in present:
                    yield InputError(
                        self.root / "scans" / name, f"in the {split} list, but there is no such scene", _MEND
                    )

    def _classes(
        self, scene: Path, name: str, instance: Int[np.ndarray, " n"], category: list[str]
    ) -> Int[np.ndarray, " k"]:
        """Class of each object, -1 for those outside the 18."""
        table = self.root / _TABLE
        painted = scene / f"{name}{_LABELS}"
        if table.is_file() or not painted.is_file():
            if self._numbers is None:
                self._numbers = _read_table(table)
            for word in category:
                if word not in self._numbers:
                    cause = f"category {word!r} is not in {_TABLE}"
                    raise InputError(scene / f"{name}.aggregation.json", cause, "use the release's current table")
            return _NUMBER_TO_CLASS[np.array([self._numbers[word] for word in category], np.int64)]
        number = _read_numbers(painted, len(instance))
        inside = instance >= 0
        votes = np.bincount(instance[inside] * 256 + number[inside], minlength=256 * len(category))
        return _NUMBER_TO_CLASS[votes.reshape(-1, 256).argmax(axis=1)]


def _item(scene: Path, split: str) -> PartItem:
    return PartItem(scene.name, split=split, files=(scene / f"{scene.name}{_MESH}",))


def _scenes(scans: Path) -> dict[str, Path]:
    """Folders named like scenes; empty where `scans` is absent."""
    if not scans.is_dir():
        return {}
    with os.scandir(scans) as entries:
        return {entry.name: Path(entry.path) for entry in entries if _SCENE.fullmatch(entry.name) and entry.is_dir()}


def _split_list(root: Path, split: str) -> tuple[str, ...] | None:
    """Scene names in the file's order, None where there is no such file."""
    for base in (root, root / "splits"):
        path = base / f"scannetv2_{split}.txt"
        if path.is_file():
            names = tuple(read_text(path).split())
            for name in names:
                if not _SCENE.fullmatch(name):
                    raise InputError(path, f"expected names like scene0000_00, found {name[:40]!r}")
            return names
    return None


def _read_elements(path: Path) -> dict:
    data = read_bytes(path, _MAX_PLY, _MEND)
    try:
        return read_elements(path, data)[1]
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        raise InputError(path, f"it cannot be understood ({type(error).__name__})", "fetch it again") from None


def _read_mesh(path: Path) -> tuple[dict, Int[np.ndarray, "f 3"]]:
    """The vertex element's columns, and the triangles."""
    elements = _read_elements(path)
    vertex = elements.get("vertex", {})
    if not all(isinstance(vertex.get(axis), np.ndarray) for axis in "xyz") or not len(vertex["x"]):
        raise InputError(path, "expected vertices with x, y and z", "fetch it again")
    face = elements.get("face", {})
    index = next((face[name] for name in ("vertex_indices", "vertex_index") if isinstance(face.get(name), List)), None)
    if index is None or not len(index.sizes) or (index.sizes != 3).any():
        raise InputError(path, "expected a mesh of triangles", "fetch it again")
    faces = index.values.astype(np.int64).reshape(-1, 3)
    if faces.min() < 0 or faces.max() >= len(vertex["x"]):
        raise InputError(path, f"a face names a vertex outside 0..{len(vertex['x']) - 1}", "fetch it again")
    return vertex, faces


def _read_numbers(path: Path, n: int) -> Int[np.ndarray, " n"]:
    """NYU40 number of each vertex from a `labels.ply`."""
    label = _read_elements(path).get("vertex", {}).get("label")
    if not isinstance(label, np.ndarray) or len(label) != n:
        found = f"{len(label)} labels" if isinstance(label, np.ndarray) else "no property 'label'"
        raise InputError(path, f"expected a label for each of {n} vertices, found {found}", "fetch it again")
    number = label.astype(np.int64)
    if number.min(initial=0) < 0 or number.max(initial=0) > 255:
        raise InputError(path, f"expected NYU40 numbers, found {number.min()}..{number.max()}", "fetch it again")
    return number


def _read_table(path: Path) -> dict[str, int]:
    """Category in the annotator's words -> NYU40 number."""
    mend = f"{_MEND} ({_TABLE} in the root, or each scene's {_LABELS})"
    rows = csv.DictReader(read_text(path, mend=mend).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    if not {"raw_category", "nyu40id"} <= set(rows.fieldnames or ()):
        raise InputError(path, "expected columns raw_category and nyu40id", mend)
    numbers = {}
    for row in rows:
        word, number = (row["raw_category"] or "").strip(), (row["nyu40id"] or "").strip()
        if not number.isdigit() or int(number) > 255:
            raise InputError(path, f"line {rows.line_num}: expected an NYU40 number, found {number[:20]!r}", mend)
        numbers[word] = int(number)
    return numbers


def _objects(segments: Path, groups: Path, n: int) -> tuple[Int[np.ndarray, " n"], list[str]]:
    """Object number of each vertex (-1 none), and the category of each object."""
    segment = integers(segments, read_object(segments, mend=_MEND).get("segIndices"), "segIndices")
    if len(segment) != n:
        raise InputError(segments, f"expected a segment for each of {n} vertices, found {len(segment)}", _MEND)
    listed = read_object(groups, mend=_MEND).get("segGroups")
    if not isinstance(listed, list):
        raise InputError(groups, "expected a list segGroups", _MEND)
    names, vertex_name = np.unique(segment, return_inverse=True)
    owner = np.full(len(names), -1, np.int64)
    category: list[str] = []
    absent = shared = 0
    for number, group in enumerate(listed):
        if not isinstance(group, dict) or not isinstance(group.get("label"), str):
            raise InputError(groups, f"object {number}: expected segments and a label", _MEND)
        category.append(group["label"].strip())
        own = integers(groups, group.get("segments"), f"segments of object {number}")
        at = np.searchsorted(names, own).clip(max=len(names) - 1)
        at = at[names[at] == own]
        absent += len(own) - len(at)
        shared += int((owner[at] >= 0).sum())
        owner[at[owner[at] < 0]] = number
    if absent:
        warnings.warn(f"{groups}: {absent} segments have no vertex; they are ignored", ShapeWarning, stacklevel=2)
    if shared:  # scene0217_00 lists all its objects twice
        text = f"{groups}: {shared} segments belong to several objects; the first one keeps them"
        warnings.warn(text, ShapeWarning, stacklevel=2)
    return owner[vertex_name.reshape(-1)], category
