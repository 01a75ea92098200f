"""ABC: CAD models as triangle meshes, each triangle on one parametric surface.

Koch et al., "ABC: A Big CAD Model Dataset For Geometric Deep Learning", CVPR 2019. A chunk of the dataset is an archive
of meshes (`<id>/<id>_<hash>_trimesh_<n>.obj`) and one of feature files (`<id>/<id>_<hash>_features_<n>.yml`). They may
be unpacked over one another, or side by side in folders of any name (`abc_0000_obj_v00`, `abc_0000_feat_v00`). A
feature file lists `curves`, which are not used, and `surfaces`, each with its `type` and the 0-based `face_indices` on
it.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml
from jaxtyping import Int

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense, folder
from partseg.errors import InputError, ShapeWarning
from partseg.geometry.io import load_shape

TYPES = ("Plane", "Cylinder", "Cone", "Sphere", "Torus", "BSpline", "Revolution", "Extrusion", "Other")
"""Types of surfaces, in the order of their numbers."""

_MEND = "unpack the obj and feat archives of the same chunk under one folder"
_MAX_BYTES = 512 << 20
_FILE = re.compile(r"(\d+)_([0-9a-zA-Z]+)_(trimesh|features)_(\d+)\.(obj|yml)")
# In a mapping of a list at the top, keys stand at column 2; what belongs to one is indented further or is a list.
_UNUSED = re.compile(r"^  (?:vert_parameters|vert_indices):.*\n(?:(?:   |  -).*\n)*", re.MULTILINE)
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class AbcReader(Reader):
    """Models of ABC that have a mesh and a feature file (about seven of ten).

    One level, "primitives": a part is a surface patch, its class the type of the surface. Triangles on no surface are
    unlabelled. Reading a feature file takes seconds where it has tens of megabytes.

    Args:
        root: the folder that holds the models, or the folders of unpacked archives.
    """

    version: ClassVar[int] = 1

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)

    def index(self) -> tuple[PartItem, ...]:
        """The models by number; folders are listed two deep."""
        items = [
            PartItem("_".join(key), "", "", (found["trimesh"], found["features"]))
            for key, found in sorted(self._found().items())
            if len(found) == 2
        ]
        if not items:
            raise InputError(self.root, "expected pairs of *_trimesh_*.obj and *_features_*.yml, found none", _MEND)
        return tuple(items)

    def load(self, item: PartItem) -> PartSample:
        """One mesh with the patch and the type of surface of each triangle.

        Warns:
            ShapeWarning: a type that is not known counts as "Other".
        """
        mesh, features = item.files
        shape = load_shape(mesh)
        if not shape.is_mesh:
            raise InputError(mesh, "expected a mesh, found no faces", _MEND)
        n = shape.n_elements if shape.polygon is None else shape.n_polygons
        patch, kind = _patches(features, read_surfaces(features), n)
        if shape.polygon is not None:
            patch, kind = patch[shape.polygon], kind[shape.polygon]
        return PartSample(shape, labels={"primitives": dense(patch)}, semantics={"primitives": kind})

    def taxonomy(self) -> Taxonomy:
        """Types of surfaces."""
        return {"primitives": TYPES}

    def check(self) -> Iterator[InputError]:
        """Also meshes without a feature file and feature files without a mesh."""
        yield from super().check()
        try:
            found = self._found()
        except InputError:
            return  # told by index
        for files in found.values():
            for have, lack in (("trimesh", "feature file"), ("features", "mesh")):
                if list(files) == [have]:
                    yield InputError(files[have], f"has no {lack} beside it", _MEND)

    def _found(self) -> dict[tuple[str, str, str], dict[str, Path]]:
        """(id, hash, n) -> the files of that model by kind."""
        found: dict[tuple[str, str, str], dict[str, Path]] = {}
        root = folder(self.root, _MEND)
        for place in _models(root):
            for entry in _entries(place):
                if match := _FILE.fullmatch(entry.name):
                    number, code, kind, n, suffix = match.groups()
                    if suffix == ("obj" if kind == "trimesh" else "yml"):
                        found.setdefault((number, code, n), {}).setdefault(kind, Path(entry.path))
        return found


def _models(root: Path) -> Iterator[Path]:
    """Folders named by a number, in the root or one folder further down."""
    for entry in _entries(root):
        if not entry.is_dir():
            continue
        if entry.name.isdecimal():
            yield Path(entry.path)
        else:
            yield from (Path(x.path) for x in _entries(entry.path) if x.name.isdecimal() and x.is_dir())


def _entries(place: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(place, f"cannot be listed: {error.strerror or error}") from None


def read_surfaces(path: str | Path) -> list[tuple[str, Int[np.ndarray, "m"]]]:
    """Type and 0-based faces of each surface of a feature file, in its order.

    Raises:
        InputError: the file cannot be read, is larger than 512 MiB, or is no such list.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(path, f"is larger than {_MAX_BYTES >> 20} MiB", "leave this model out")
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        document = yaml.load(_surfaces_only(text), Loader=_Loader)  # noqa: S506  (both are safe loaders)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}", _MEND) from None
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data", _MEND) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(path, f"is no YAML: {str(error)[:160]}", "the file is damaged: unpack it again") from None
    surfaces = document.get("surfaces") if isinstance(document, dict) else None
    if not isinstance(surfaces, list):
        raise InputError(path, "expected a list of 'surfaces'", "the file is damaged: unpack it again")
    return [_surface(path, i, surface) for i, surface in enumerate(surfaces)]


def _surfaces_only(text: str) -> str:
    """The section `surfaces` without its longest lists: curves and parameters are most of a file."""
    start = re.search(r"^surfaces:", text, re.MULTILINE)
    if start is None:
        return text
    end = re.compile(r"^[^\s\-#]", re.MULTILINE).search(text, start.end())
    section = text[start.start() : len(text) if end is None else end.start()]
    return _UNUSED.sub("", section if section.endswith("\n") else section + "\n")


def _surface(path: Path, i: int, surface: Any) -> tuple[str, Int[np.ndarray, "m"]]:
    kind = surface.get("type") if isinstance(surface, dict) else None
    faces = surface.get("face_indices") if isinstance(surface, dict) else None
    try:
        faces = np.array([] if faces is None else faces, dtype=object if faces is None else None)
        whole = faces.ndim == 1 and (len(faces) == 0 or faces.dtype.kind in "iu")
    except (ValueError, OverflowError):
        whole = False
    if not isinstance(kind, str) or not whole:
        raise InputError(path, f"surface {i}: expected a 'type' and whole numbers as 'face_indices'")
    return kind, faces.astype(np.int64)


def _patches(
    path: Path, surfaces: list[tuple[str, Int[np.ndarray, "m"]]], n: int
) -> tuple[Int[np.ndarray, "f"], Int[np.ndarray, "f"]]:
    """Surface and type of each of n faces, -1 for none."""
    patch, kind = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    for i, (name, faces) in enumerate(surfaces):
        if len(faces) and (faces.min() < 0 or faces.max() >= n):
            bad = faces.min() if faces.min() < 0 else faces.max()
            raise InputError(path, f"surface {i} names face {bad}, but the mesh has {n}", _MEND)
        if (taken := faces[patch[faces] >= 0]).size:
            raise InputError(path, f"face {taken[0]} is on surface {patch[taken[0]]} and on surface {i}")
        if name not in TYPES:
            warnings.warn(f"{path.name}: surface {i} is a {name[:40]!r}: Other", ShapeWarning, stacklevel=3)
        patch[faces] = i
        kind[faces] = TYPES.index(name if name in TYPES else "Other")
    return patch, kind
