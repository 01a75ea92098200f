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

from partseg.errors import InputError
from partseg.geometry.io import load_shape
from partseg.geometry.shape import Shape
from partseg.spec import DatasetSpec, Paper

SPEC = DatasetSpec(
    name="psb",
    summary="Princeton Segmentation Benchmark: 380 closed meshes, 19 categories, named parts, human cuts",
    dataset="partseg.data.formats.psb:PrincetonBenchmark",
    license="LicenseRef-research-only",
    features=("normals", "mesh", "semantics"),
    splits=("test",),
    paper=Paper(
        title="A Benchmark for 3D Mesh Segmentation",
        authors=("Xiaobai Chen", "Aleksey Golovinskiy", "Thomas Funkhouser"),
        venue="SIGGRAPH",
        year=2009,
        url="https://segeval.cs.princeton.edu",
    ),
    url="https://segeval.cs.princeton.edu",
)

# Ids come in blocks of 20 from 1; the 14th block (Spring) is no part of the benchmark.
CATEGORIES = (
    "Human", "Cup", "Glasses", "Airplane", "Ant", "Chair", "Octopus", "Table", "Teddy", "Hand", "Plier", "Fish", "Bird",
    "Spring", "Armadillo", "Bust", "Mech", "Bearing", "Vase", "FourLeg",
)  # fmt: skip


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
        raise InputError(root, "is not a folder", "give the folder that holds the categories")
    found = [_by_category(path) for path in root.glob("*/*.off") if path.stem.isdigit() and path.parent.name != "off"]
    for base in (root, root / "data"):
        found += [_by_number(base, path) for path in (base / "off").glob("*.off") if path.stem.isdigit()]
    if not found:
        raise InputError(root, "expected <Category>/<id>.off or off/<id>.off, found neither")
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
            here.update(line.strip() for line in _lines(item.labels)[::2])
    return {category: tuple(sorted(here)) for category, here in sorted(names.items())}


def read_labels(path: str | Path, n_faces: int) -> tuple[Int[np.ndarray, "f"], tuple[str, ...]]:
    """Labels (index into the names, -1 where a face has none) and names of one `*_labels.txt`."""
    lines = _lines(path)
    if len(lines) % 2:
        raise InputError(path, f"expected pairs of lines (name, faces), found {len(lines)} lines")
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
    paths = [path for path in folder.glob("*.seg") if path.stem.rpartition("_")[2].isdigit()]
    return tuple(sorted(paths, key=lambda path: int(path.stem.rpartition("_")[2])))


def _lines(path: str | Path) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip().splitlines()
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data") from None


def _integers(path: str | Path, text: str, what: str) -> Int[np.ndarray, "m"]:
    try:
        return np.array(text.split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise InputError(path, f"expected {what} as integers: {error}") from None
