"""COSEG: sets of meshes of one kind each, with a class a face.

Wang et al., "Active Co-Analysis of a Set of Shapes", SIGGRAPH Asia 2012. Eleven sets, each as two archives
`shapes.zip` and `gt.zip` that unpack to `shapes/<id>.off` and `gt/<id>.seg`; a `.seg` file has the class of each face
on a line. What is expected is one folder a set: `<Set>/shapes/*.off`, `<Set>/gt/*.seg`; a root that holds `shapes` and
`gt` itself is a set too. The re-meshed form of MeshCNN (`.obj` with classes of edges) is another dataset and not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense, folder
from partseg.errors import InputError
from partseg.geometry.io import load_shape

_MEND = "unpack shapes.zip and gt.zip of a set into a folder of its name"
_MAX_BYTES = 64 << 20
_MAX_CLASS = 255
# Classes of the published sets; names are compared without case and punctuation.
_PUBLISHED = {
    "candelabra": 4, "chair": 3, "chairs": 3, "fourlegged": 5, "fourleg": 5, "goblets": 3, "guitars": 3, "irons": 3,
    "lampes": 3, "lamps": 3, "vases": 4, "telealiens": 4, "largevases": 4, "vaseslarge": 4, "largechairs": 3,
    "chairslarge": 3,
}  # fmt: skip


class CosegReader(Reader):
    """The sets under a root, each a category.

    One level, "parts". The data has classes and no instances: `semantics` are classes, and `labels`, which
    class-agnostic methods learn from, are the same classes numbered 0..k-1 within the shape. Classes belong to their
    set and have numbers only: the taxonomy calls them "<Set>/<number in the file>" and lists those that occur, which
    it learns from the `.seg` files of the sets that are read, once.

    Args:
        root: the folder of the sets, or one set.
        category: only this set, by the name of its folder.
    """

    version: ClassVar[int] = 1

    def __init__(self, root: str | Path, category: str | None = None) -> None:
        super().__init__(root)
        self.category = category
        self._numbers: dict[str, tuple[int, ...]] = {}

    def index(self) -> tuple[PartItem, ...]:
        """The shapes by set and id; ids that are numbers in the order of numbers."""
        items: list[PartItem] = []
        for name, place in self._sets().items():
            paths = [x for x in (place / "shapes").iterdir() if x.suffix.lower() == ".off"]
            for path in sorted(paths, key=lambda x: (not x.stem.isdecimal(), len(x.stem) * x.stem.isdecimal(), x.stem)):
                items.append(PartItem(f"{name}/{path.stem}", name, "", (path, place / "gt" / f"{path.stem}.seg")))
        if not items:
            raise InputError(self.root, "expected <Set>/shapes/<id>.off, found no .off file", _MEND)
        return tuple(items)

    def load(self, item: PartItem) -> PartSample:
        """One mesh with its classes; the triangles of a polygon share its class."""
        mesh, truth = item.files
        shape = load_shape(mesh)
        if not shape.is_mesh:
            raise InputError(mesh, "expected a mesh, found no faces", _MEND)
        n = shape.n_elements if shape.polygon is None else shape.n_polygons
        numbers = _read_seg(truth)
        if len(numbers) != n:
            raise InputError(truth, f"expected {n} lines, one for each face, found {len(numbers)}")
        numbers = numbers if shape.polygon is None else numbers[shape.polygon]
        first = 0
        for name, found in self._tables().items():
            if name == item.category:
                if not np.isin(numbers, found).all():
                    raise InputError(truth, "has changed since the classes of its set were read", "read it again")
                classes = (first + np.searchsorted(found, numbers)).astype(np.int64)
                return PartSample(shape, labels={"parts": dense(classes)}, semantics={"parts": classes})
            first += len(found)
        raise InputError(self.root, f"holds no set {item.category!r}", _MEND)

    def taxonomy(self) -> Taxonomy:
        """The classes of the sets that are read.

        Raises:
            InputError: a published set has more classes than were published; the file with the odd one is named.
        """
        return {"parts": tuple(f"{name}/{i}" for name, numbers in self._tables().items() for i in numbers)}

    def check(self) -> Iterator[InputError]:
        """Also truths without a mesh, and sets with more classes than were published."""
        yield from super().check()
        try:
            sets = self._sets()
            self.taxonomy()
        except InputError as error:
            yield error
            return
        for place in sets.values():
            for path in sorted((place / "gt").glob("*.seg")):
                if not (mesh := place / "shapes" / f"{path.stem}.off").is_file():
                    yield InputError(mesh, f"no such mesh, but {path.name} has its classes", _MEND)

    def _sets(self) -> dict[str, Path]:
        """Name -> folder of each set, by name."""
        root = folder(self.root, _MEND)
        if (root / "shapes").is_dir():
            found = {root.resolve().name: root}
        else:
            found = {x.name: x for x in sorted(root.iterdir()) if (x / "shapes").is_dir()}
        if not found:
            raise InputError(root, "expected <Set>/shapes and <Set>/gt, found no folder 'shapes'", _MEND)
        for place in found.values():
            if not (place / "gt").is_dir():
                raise InputError(place / "gt", "no such folder", _MEND)
        if self.category is not None and self.category not in found:
            raise InputError(root, f"holds no set {self.category!r}", f"one of {', '.join(found)}")
        return found if self.category is None else {self.category: found[self.category]}

    def _tables(self) -> dict[str, tuple[int, ...]]:
        """Set -> the numbers in its files, ascending. Files that cannot be read are left to `load`."""
        if not self._numbers:
            self._numbers = {name: _occurring(name, place / "gt") for name, place in self._sets().items()}
        return self._numbers


def _occurring(name: str, place: Path) -> tuple[int, ...]:
    uses: dict[int, list[Path]] = {}
    for path in sorted(place.glob("*.seg")):
        try:
            for number in np.unique(_read_seg(path)).tolist():
                uses.setdefault(number, []).append(path)
        except InputError:
            continue
    most = _PUBLISHED.get("".join(filter(str.isalnum, name.lower())), _MAX_CLASS)
    if len(uses) > most:
        odd = min(uses, key=lambda number: (len(uses[number]), -number))
        raise InputError(uses[odd][0], f"class {odd} is one more than the {most} that {name} was published with")
    return tuple(sorted(uses))


def _read_seg(path: Path) -> Int[np.ndarray, "f"]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(path, f"is larger than {_MAX_BYTES >> 20} MiB, which no file of this dataset is", _MEND)
        numbers = np.array(path.read_bytes().split(), dtype=np.int64)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}", _MEND) from None
    except (ValueError, OverflowError):
        raise InputError(path, "expected a whole number a line: the class of each face", _MEND) from None
    if len(numbers) and (numbers.min() < 0 or numbers.max() > _MAX_CLASS):
        bad = numbers.min() if numbers.min() < 0 else numbers.max()
        raise InputError(path, f"expected classes 0..{_MAX_CLASS}, found {bad}")
    return numbers
