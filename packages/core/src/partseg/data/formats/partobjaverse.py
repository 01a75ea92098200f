"""PartObjaverse-Tiny: 200 meshes of Objaverse in 8 groups, with a class and an instance a face.

Yang et al., "SAMPart3D: Segment Any Part in 3D Objects", 2024. Three folders and one file side by side, also one folder
further down: `PartObjaverse-Tiny_mesh/<id>.glb`, `PartObjaverse-Tiny_semantic_gt/<id>.npy` (index into the names of
that mesh), `PartObjaverse-Tiny_instance_gt/<id>.npy` (instance number) and `PartObjaverse-Tiny_semantic.json` (group ->
id -> names). -1 is unlabelled.

The truths are in the face order of `trimesh.load(mesh).dump(concatenate=True)`, as the release's description says. That
order differs from the one of `load_shape` where a file has several nodes: trimesh visits roots and children last to
first, `load_shape` first to last; the faces of one node have the same order in both. Truths are put in the order of
`load_shape` here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense, folder
from partseg.errors import InputError
from partseg.geometry.io import load_shape
from partseg.geometry.io.gltf_buffers import Accessors, split_glb
from partseg.geometry.io.gltf_scene import placements
from partseg.geometry.shape import Shape

_NAME = "PartObjaverse-Tiny"
_MEND = "download the dataset from its Hugging Face page and unpack its archives side by side"
_MAX_JSON = 64 << 20
_MAX_FACES = 100_000_000


class PartObjaverseReader(Reader):
    """PartObjaverse-Tiny, of which all is for testing.

    Levels: "semantic" (parts of one name are one part) and "instance" (each of them is one). The taxonomy of both is
    the sorted list of all names of all groups; `semantics` of both levels are the class of a face.

    Args:
        root: the folder with the four, or the one above.
        group: only this one of the 8, e.g. "Animals".
    """

    version: ClassVar[int] = 1

    def __init__(self, root: str | Path, group: str | None = None) -> None:
        super().__init__(root)
        self.group = group

    def index(self) -> tuple[PartItem, ...]:
        """The shapes in the order of the JSON file; a shape of it whose mesh is absent is left to `check`."""
        if self.group is not None and self.group not in self._names:
            raise InputError(self._json, f"names no group {self.group!r}", f"one of {', '.join(self._names)}")
        items = [
            PartItem(f"{group}/{name}", group, "test", files)
            for group, name, files in self._listed()
            if files[0].is_file()
        ]
        if not items:
            raise InputError(self._base / f"{_NAME}_mesh", "holds none of the meshes that the JSON file names", _MEND)
        return tuple(items)

    def load(self, item: PartItem) -> PartSample:
        """One mesh with both truths.

        Raises:
            InputError: among others, truth and mesh differ in the number of faces (both are told).
        """
        mesh, semantic_file, instance_file = item.files
        names = self._names[item.category][mesh.stem]
        shape = load_shape(mesh)
        if not shape.is_mesh:
            raise InputError(mesh, "expected a mesh, found no faces", _MEND)
        order = _trimesh_place(mesh, shape)
        number = _truth(semantic_file, shape)[order]
        instance = _truth(instance_file, shape)[order]
        if number.max(initial=-1) >= len(names):
            raise InputError(
                semantic_file, f"expected numbers below {len(names)}, the names of this mesh, found {number.max()}"
            )
        place = {name: i for i, name in enumerate(self.taxonomy()["semantic"])}
        table = np.array([*(place[name] for name in names), -1], np.int64)
        classes = table[np.maximum(number, -1)]
        return PartSample(
            shape,
            labels={"semantic": dense(classes), "instance": dense(instance)},
            semantics={"semantic": classes, "instance": np.where(instance < 0, -1, classes)},
        )

    def taxonomy(self) -> Taxonomy:
        """All names of all groups, whichever group is read."""
        names = tuple(sorted({name for shapes in self._names.values() for here in shapes.values() for name in here}))
        return {"semantic": names, "instance": names}

    def check(self) -> Iterator[InputError]:
        """Also meshes that the JSON file names and the root lacks."""
        yield from super().check()
        try:
            listed = list(self._listed())
        except InputError:
            return  # told by index
        for _, _, files in listed:
            if not files[0].is_file():
                yield InputError(files[0], f"is named by {_NAME}_semantic.json, but there is no such file", _MEND)

    @cached_property
    def _base(self) -> Path:
        root = folder(self.root, _MEND)
        for base in (root, root / _NAME):
            if (base / f"{_NAME}_semantic.json").is_file():
                return base
        raise InputError(root, f"expected {_NAME}_semantic.json, found none", _MEND)

    @property
    def _json(self) -> Path:
        return self._base / f"{_NAME}_semantic.json"

    @cached_property
    def _names(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Group -> id -> names of its parts."""
        path = self._json
        try:
            if path.stat().st_size > _MAX_JSON:
                raise InputError(path, f"is larger than {_MAX_JSON >> 20} MiB", _MEND)
            found = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(path, f"cannot be read: {error.strerror or error}", _MEND) from None
        except (ValueError, RecursionError) as error:
            raise InputError(path, f"is damaged: {error}", _MEND) from None
        out: dict[str, dict[str, tuple[str, ...]]] = {}
        for group, shapes in _pairs(path, found):
            for name, parts in _pairs(path, shapes):
                if not name or set(name) & set("/\\:\0") or name in (".", ".."):
                    raise InputError(path, f"{name[:80]!r} is no id of a mesh", _MEND)
                if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
                    raise InputError(path, f"expected a list of names for {name!r}", _MEND)
                out.setdefault(group, {})[name] = tuple(parts)
        return out

    def _listed(self) -> Iterator[tuple[str, str, tuple[Path, ...]]]:
        base = self._base
        for group, shapes in self._names.items():
            if self.group in (None, group):
                for name in shapes:
                    yield group, name, (
                        base / f"{_NAME}_mesh" / f"{name}.glb",
                        base / f"{_NAME}_semantic_gt" / f"{name}.npy",
                        base / f"{_NAME}_instance_gt" / f"{name}.npy",
                    )  # fmt: skip


def _pairs(path: Path, table: object) -> list[tuple[str, object]]:
    if not isinstance(table, dict):
        raise InputError(path, "expected group -> id -> names", _MEND)
    return list(table.items())


def _truth(path: Path, shape: Shape) -> Int[np.ndarray, "f"]:
    """Numbers a face, as stored; the header is checked before anything of it is read."""
    try:
        values = np.load(path, allow_pickle=False, mmap_mode="r")
        fits = isinstance(values, np.ndarray) and values.dtype.kind in "iuf" and values.size <= _MAX_FACES
        values = np.array(values).reshape(-1) if fits else None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}", _MEND) from None
    except (ValueError, EOFError, SyntaxError, OverflowError) as error:
        raise InputError(path, f"is no array of numbers: {str(error)[:120]}", _MEND) from None
    if values is None:
        raise InputError(path, "expected an array of numbers, one a face", _MEND)
    if len(values) != shape.n_elements:
        raise InputError(path, f"has {len(values)} numbers, but the mesh has {shape.n_elements} faces", _MEND)
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values % 1 == 0)).all():
        raise InputError(path, "expected whole numbers", _MEND)
    if len(values) and (values.max() > _MAX_FACES or values.min() < -_MAX_FACES):
        raise InputError(path, f"expected numbers of parts, found {values.max()}", _MEND)
    return values.astype(np.int64)


def _trimesh_place(path: Path, shape: Shape) -> Int[np.ndarray, "f"]:
    """Where trimesh has each face of the shape (see the module's text)."""
    node = None if shape.appearance is None else shape.appearance.face_node
    if node is None or len(shape.appearance.node_names) < 2:
        return np.arange(shape.n_elements)
    document, binary = split_glb(path, path.read_bytes())
    placed, _ = placements(path, document, Accessors(path, document, binary))
    rank = {number: i for i, number in enumerate(_last_to_first(document))}
    of_placement = np.array([rank.get(place.node, len(rank)) for place in placed])
    place = np.empty(shape.n_elements, np.int64)
    place[np.argsort(of_placement[node], kind="stable")] = np.arange(shape.n_elements)
    return place


def _last_to_first(document: dict) -> list[int]:
    """Nodes of the default scene depth first, the last root and the last child before the others."""
    nodes, scenes = document.get("nodes", []), document.get("scenes", [])
    stack = list(scenes[document.get("scene", 0)].get("nodes", [])) if scenes else []
    order: list[int] = []
    seen: set[int] = set()
    while stack:
        number = stack.pop()
        if number not in seen and 0 <= number < len(nodes):
            seen.add(number)
            order.append(number)
            stack.extend(nodes[number].get("children", []))
    return order
