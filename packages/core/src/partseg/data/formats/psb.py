"""Princeton Segmentation Benchmark: meshes with named part labels and with several people's segmentations.

Chen, Golovinskiy, Funkhouser, "A Benchmark for 3D Mesh Segmentation", SIGGRAPH 2009 (meshes, human segmentations);
Kalogerakis, Hertzmann, Singh, "Learning 3D Mesh Segmentation and Labeling", SIGGRAPH 2010 (named labels). Both kinds of
truth index the same faces. Two layouts are read:

- by category: `<Category>/<id>.off`, `<Category>/<id>_labels.txt`, `<Category>/<id>_seg/<id>_<k>.seg`;
- the benchmark's own: `off/<id>.off` (also under `data/`), `seg/Benchmark/<id>/<id>_<k>.seg`; the category follows from
  the number, named labels are absent.

`*_labels.txt` alternates a label's name and a line of 1-based face numbers; `.seg` has the segment number of each face
on a line. Labels are semantic (both wings are `wing`), segments are instances without names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense
from partseg.errors import InputError
from partseg.geometry.io import load_shape
from partseg.geometry.shape import Shape

# Ids come in blocks of 20 from 1; the 14th block (Spring) is no part of the benchmark.
CATEGORIES = (
    "Human", "Cup", "Glasses", "Airplane", "Ant", "Chair", "Octopus", "Table", "Teddy", "Hand", "Plier", "Fish", "Bird",
    "Spring", "Armadillo", "Bust", "Mech", "Bearing", "Vase", "FourLeg",
)  # fmt: skip


MEND = "give the folder that holds the categories; the files are at segeval.cs.princeton.edu"


@dataclass(frozen=True)
class PsbItem:
    """Where one shape's files are; nothing is read.

    Attributes:
        id: number in the benchmark, 1..400.
        category: e.g. "Airplane".
        mesh: the OFF file.
        labels: the file of named labels, or None.
        humans: the `.seg` files, by number.
    """

    id: int
    category: str
    mesh: Path
    labels: Path | None
    humans: tuple[Path, ...]

    @property
    def name(self) -> str:
        return f"{self.category}/{self.id}"


@dataclass(frozen=True, eq=False)
class PsbShape:
    """One shape with its truths.

    Attributes:
        shape: the mesh, in the file's coordinates and face order.
        labels: (f,) int64 index into `label_names`, or None where there is no label file.
        label_names: names in the file's order.
        humans: one (f,) int64 vector of segment numbers 0..k-1 for each person.
    """

    item: PsbItem
    shape: Shape
    labels: Int[np.ndarray, "f"] | None
    label_names: tuple[str, ...]
    humans: tuple[Int[np.ndarray, "f"], ...]


def index(root: str | Path) -> tuple[PsbItem, ...]:
    """The shapes under `root`, by number. Only folders are listed; no file is opened.

    Raises:
        InputError: `root` is no folder, or holds no `.off` file in either layout.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(root, "is not a folder", MEND)
    found = [_by_category(path) for path in root.glob("*/*.off") if path.stem.isdecimal() and path.parent.name != "off"]
    for base in (root, root / "data"):
        found += [_by_number(base, path) for path in (base / "off").glob("*.off") if path.stem.isdecimal()]
    if not found:
        raise InputError(root, "expected <Category>/<id>.off or off/<id>.off, found neither", MEND)
    return tuple(sorted(found, key=lambda item: (item.id, item.mesh)))


def load(item: PsbItem) -> PsbShape:
    """Read one shape and every truth it has.

    Raises:
        InputError: a file cannot be read or does not fit the mesh; the text names file, expectation and finding.
    """
    shape = load_shape(item.mesh)
    if not shape.is_mesh:
        raise InputError(item.mesh, "expected a mesh, found no faces")
    n = shape.n_elements if shape.polygon is None else shape.n_polygons
    labels, names = (None, ()) if item.labels is None else read_labels(item.labels, n)
    humans = [read_segments(path, n) for path in item.humans]
    if shape.polygon is not None:  # a polygon's triangles share its truth
        labels = None if labels is None else labels[shape.polygon]
        humans = [segments[shape.polygon] for segments in humans]
    return PsbShape(item, shape, labels, names, tuple(humans))


def taxonomy(items: Sequence[PsbItem]) -> dict[str, tuple[str, ...]]:
    """Label names that occur in each category, sorted. Reads the (text) label files, no geometry."""
    names: dict[str, set[str]] = {}
    for item in items:
        here = names.setdefault(item.category, set())
        if item.labels is not None:
            here.update(label_names(item.labels))
    return {category: tuple(sorted(here)) for category, here in sorted(names.items())}


def label_names(path: str | Path) -> tuple[str, ...]:
    """Names of one `*_labels.txt`, in the file's order; the face numbers are not looked at."""
    return tuple(line.strip() for line in _pairs(path)[::2])


def read_labels(path: str | Path, n_faces: int) -> tuple[Int[np.ndarray, "f"], tuple[str, ...]]:
    """Labels (index into the names, -1 where a face has none) and names of one `*_labels.txt`."""
    lines = _pairs(path)
    labels = np.full(n_faces, -1, np.int64)
    names = tuple(line.strip() for line in lines[::2])
    for i, (name, line) in enumerate(zip(names, lines[1::2], strict=True)):
        faces = _integers(path, line, f"faces of {name!r}") - 1
        if len(faces) and (faces.min() < 0 or faces.max() >= n_faces):
            bad = faces.min() if faces.min() < 0 else faces.max()
            raise InputError(path, f"{name!r} names face {bad + 1}, expected 1..{n_faces}")
        if (labels[faces] >= 0).any():
            face = faces[labels[faces] >= 0][0]
            raise InputError(path, f"face {face + 1} is both {names[labels[face]]!r} and {name!r}")
        labels[faces] = i
    return labels, names


def read_segments(path: str | Path, n_faces: int) -> Int[np.ndarray, "f"]:
    """Segment number of each face from one `.seg` file; numbers need not be contiguous but not negative."""
    segments = _integers(path, " ".join(_lines(path)), "segment numbers")
    if len(segments) != n_faces:
        raise InputError(path, f"expected {n_faces} lines, one for each face, found {len(segments)}")
    if segments.min(initial=0) < 0:
        raise InputError(path, f"expected segment numbers from 0, found {segments.min()}")
    return segments


class PrincetonBenchmark(Sequence[PsbShape]):
    """The benchmark as a sequence: indexed once, each shape read when asked for.

    Args:
        root: folder in one of the two layouts.
        categories: only these, when given.
    """

    def __init__(self, root: str | Path, categories: Sequence[str] | None = None) -> None:
        self.root = Path(root)
        self.items = index(root)
        if categories is not None:
            if unknown := sorted(set(categories) - {item.category for item in self.items}):
                raise InputError(root, f"holds no category {', '.join(unknown)}")
            self.items = tuple(item for item in self.items if item.category in categories)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> PsbShape:  # type: ignore[override]
        return load(self.items[i])

    @cached_property
    def taxonomy(self) -> dict[str, tuple[str, ...]]:
        return taxonomy(self.items)


class PsbReader(Reader):
    """The benchmark as every other dataset: `human-<k>` are part instances, `labels` are classes without instances.

    A mesh has one instance level for each person who cut it, by the number k of the `.seg` file; those numbers differ
    between shapes. Named labels tell a face's class only (both wings are `wing`), so they have no instance level. All
    shapes are of the split "test": the benchmark has no other.

    Args:
        root: the folder, in one of the two layouts.
        category: only this one, e.g. "Airplane". Class names then are the labels (`wing`); without it they are
            `Airplane/wing`, because a name says different things in different categories.
    """

    def __init__(self, root: str | Path, category: str | None = None) -> None:
        super().__init__(root)
        self.category = category

    def index(self) -> tuple[PartItem, ...]:
        return tuple(
            PartItem(item.name, item.category, "test", (item.mesh, *filter(None, [item.labels]), *item.humans))
            for item in self._items()
        )

    def load(self, item: PartItem) -> PartSample:
        mesh, *others = item.files
        named = next((path for path in others if path.suffix == ".txt"), None)
        people = tuple(path for path in others if path.suffix == ".seg")
        found = load(PsbItem(int(mesh.stem), item.category, mesh, named, people))
        labels = {f"human-{_person(path)}": dense(cut) for path, cut in zip(people, found.humans, strict=True)}
        if found.labels is None:
            return PartSample(found.shape, labels)
        number = {name: i for i, name in enumerate(self._names)}
        classes = [number.get(self._class(item.category, name), -1) for name in found.label_names]
        if -1 in classes:
            name = found.label_names[classes.index(-1)]
            raise InputError(named, f"label {name!r} is not among those of the folder as first read", "open it anew")
        return PartSample(found.shape, labels, {"labels": np.array([*classes, -1], np.int64)[found.labels]})

    def taxonomy(self) -> Taxonomy:
        """`labels` -> the names that occur, sorted; empty where no shape has named labels. Reads the label files."""
        return {"labels": self._names} if self._names else {}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        names: set[str] = set()
        for item in self._items():
            if item.labels is None:
                continue
            try:
                names.update(self._class(item.category, name) for name in label_names(item.labels))
            except InputError:  # `load` says so of that shape; the others stay usable
                continue
        return tuple(sorted(names))

    def _class(self, category: str, name: str) -> str:
        return name if self.category else f"{category}/{name}"

    def _items(self) -> list[PsbItem]:
        items = index(self.root)
        found = sorted({item.category for item in items})
        if self.category is not None and self.category not in found:
            raise InputError(self.root, f"holds no category {self.category}", f"it holds {', '.join(found)}")
        return [item for item in items if self.category in (None, item.category)]


def _person(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _by_category(mesh: Path) -> PsbItem:
    labels = mesh.with_name(f"{mesh.stem}_labels.txt")
    humans = _segments_in(mesh.with_name(f"{mesh.stem}_seg"))
    return PsbItem(int(mesh.stem), mesh.parent.name, mesh, labels if labels.is_file() else None, humans)


def _by_number(base: Path, mesh: Path) -> PsbItem:
    number = int(mesh.stem)
    block = (number - 1) // 20
    category = CATEGORIES[block] if 0 <= block < len(CATEGORIES) else "Unknown"
    return PsbItem(number, category, mesh, None, _segments_in(base / "seg" / "Benchmark" / mesh.stem))


def _segments_in(folder: Path) -> tuple[Path, ...]:
    paths = [path for path in folder.glob("*.seg") if path.stem.rpartition("_")[2].isdecimal()]
    return tuple(sorted(paths, key=_person))


def _lines(path: str | Path) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip().splitlines()
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data") from None


def _pairs(path: str | Path) -> list[str]:
    lines = _lines(path)
    if len(lines) % 2:
        raise InputError(path, f"expected pairs of lines (name, faces), found {len(lines)} lines")
    return lines


def _integers(path: str | Path, text: str, what: str) -> Int[np.ndarray, "m"]:
    try:
        return np.array(text.split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise InputError(path, f"expected {what} as integers: {error}") from None
