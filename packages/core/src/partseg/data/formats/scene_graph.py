"""glTF scene graphs as part hierarchies: the node with a mesh is the part, the node tree the hierarchy.

Read are .glb and .gltf files (glTF 2.0) anywhere below the root, by the loader that reads all glTF.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense, folder
from partseg.errors import InputError
from partseg.geometry.io.gltf import SceneParts, read_parts
from partseg.geometry.io.gltf_buffers import item as entry
from partseg.geometry.io.gltf_buffers import parse_json, split_glb
from partseg.geometry.io.gltf_scene import part_name, walk
from partseg.parts.hierarchy import PartHierarchy

_MEND = "give a folder with .glb or .gltf files"
_DAMAGED = "the file is damaged or cut short: export it again"
_MAX_BYTES = 4 << 30
_MAX_JSON = 256 << 20
_UNEXPECTED = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, struct.error, RecursionError, EOFError,
)  # fmt: skip

T = TypeVar("T")


class SceneGraphReader(Reader):
    """Every glTF file below a folder.

    Labels are "nodes" (nodes with a mesh, each placed mesh an instance) and "primitives" (the pieces of one material
    that a mesh consists of), both in the order of the scene. A part's class is its name: that of the node, or of the
    mesh where the node has none; nodes that share a mesh share the name of the first of them. The hierarchy is the
    node tree without empty branches and without nodes that only hold one other node; a node with a mesh and with parts
    below it is an inner node whose own mesh is its first child.

    Args:
        root: searched with its subfolders.
        category: only files of this folder, as a path below the root; "" is the root itself.
    """

    def __init__(self, root: str | Path, category: str | None = None) -> None:
        super().__init__(root)
        self.category = category

    def index(self) -> tuple[PartItem, ...]:
        items = self._all()
        chosen = tuple(x for x in items if self.category in (None, x.category))
        if not chosen:
            names = ", ".join(sorted({repr(x.category) for x in items}))
            raise InputError(self.root, f"holds no category {self.category!r}", f"there are {names}")
        return chosen

    def load(self, item: PartItem) -> PartSample:
        """The mesh of the scene, in the file's world coordinates (y up), and its nodes.

        Raises:
            InputError: not glTF 2.0, damaged, without triangles, or its nodes make no tree.
        """
        path = item.files[0]
        document, binary = _understood(path, lambda: _document(path))
        for problem in _problems(path, document):
            raise problem
        parts = _understood(path, lambda: read_parts(path, document, binary))
        return _understood(path, lambda: self._sample(item, document, parts))

    def taxonomy(self) -> Taxonomy:
        """Sorted names of the parts of all files below the root, of any category; damaged files are passed over."""
        return {"nodes": self._names}

    def check_item(self, item: PartItem) -> Iterator[InputError]:
        """Every node that is wrong, or else what loading says."""
        path = item.files[0]
        try:
            document, _ = _understood(path, lambda: _document(path))
            problems = list(_problems(path, document))
        except InputError as error:
            problems = [error]
        yield from problems
        if not problems:
            yield from super().check_item(item)

    def _all(self) -> tuple[PartItem, ...]:
        root = folder(self.root, _MEND)
        found = list(_files(root))
        if not found:
            raise InputError(root, "expected .glb or .gltf files below it, found none", _MEND)
        stems = [path.relative_to(root).with_suffix("").as_posix() for path in found]
        count: dict[str, int] = {}
        for stem in stems:
            count[stem] = count.get(stem, 0) + 1
        return tuple(
            PartItem(
                name=stem if count[stem] == 1 else path.relative_to(root).as_posix(),
                category="" if path.parent == root else path.parent.relative_to(root).as_posix(),
                files=(path,) if path.suffix.lower() == ".glb" else (path, path.parent),
            )
            for path, stem in zip(found, stems, strict=True)
        )

    @cached_property
    def _names(self) -> tuple[str, ...]:
        names: set[str] = set()
        for item in self._all():
            try:
                names.update(_names_in(item.files[0], item.files[0].stat().st_mtime_ns))
            except (InputError, OSError):
                continue
        return tuple(sorted(names))

    @cached_property
    def _number(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self._names)}

    def _sample(self, item: PartItem, document: dict, parts: SceneParts) -> PartSample:
        classes = _classes(document)
        semantic = np.array([self._number.get(classes[place.mesh], -1) for place in parts.placed], np.int64)
        piece = _pieces(parts)
        return PartSample(
            shape=parts.shape,
            labels={"nodes": dense(parts.face_place), "primitives": piece},
            semantics={"nodes": semantic[parts.face_place]},
            hierarchy=_tree(item.files[0].stem, document, parts, piece, semantic),
        )


def _pieces(parts: SceneParts) -> Int[np.ndarray, "f"]:
    """Number of each face's primitive among all that are placed, in the order of the scene."""
    stride = int(parts.face_primitive.max(initial=0)) + 1
    return dense(parts.face_place * stride + parts.face_primitive)


class _Nodes:
    """The part tree while it grows: parents before children."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.name: list[str] = []
        self.semantic: list[int] = []

    def add(self, parent: int, name: str, semantic: int = -1) -> int:
        self.parent.append(parent)
        self.name.append(name)
        self.semantic.append(semantic)
        return len(self.parent) - 1


def _tree(
    stem: str, document: dict, parts: SceneParts, piece: Int[np.ndarray, "f"], semantic: Int[np.ndarray, "p"]
) -> PartHierarchy:
    visits = [visit for visit in walk(document) if not visit.again]
    placed: dict[int, list[int]] = {}  # node -> its parts that have faces
    for place in np.unique(parts.face_place).tolist():
        placed.setdefault(parts.placed[place].node, []).append(place)
    below: dict[int, list[int]] = {visit.node: [] for visit in visits} | {-1: []}  # last child first
    for visit in reversed(visits):  # children first: nodes without parts below them never reach their parent
        if visit.node in placed or below[visit.node]:
            below[visit.parent].append(visit.node)

    out = _Nodes()
    pieces_of = _pieces_of(parts, piece)
    leaf_of_piece = np.full(int(piece.max()) + 1, -1, np.int64)
    nodes: list[int] = []  # the cut at nodes with a mesh

    def place_part(place: int, parent: int) -> None:
        name = parts.placed[place].name
        at = out.add(parent, name, int(semantic[place]))
        nodes.append(at)
        numbers, primitives = pieces_of[place]
        for number, primitive in zip(numbers, primitives, strict=True):
            single = len(numbers) == 1
            own = at if single else out.add(at, _primitive_name(document, parts, place, primitive), -1)
            leaf_of_piece[number] = own

    stack = [(-1, -1)]
    while stack:
        node, parent = stack.pop()
        children, own = below[node], placed.get(node, [])
        while not own and len(children) == 1:  # a node that only holds another one
            node = children[0]
            children, own = below[node], placed.get(node, [])
        if not children and len(own) == 1:
            place_part(own[0], parent)
            continue
        name = stem if node < 0 else entry(document, "nodes", node).get("name")
        name = str(name or (parts.placed[own[0]].name if own else f"node_{node}"))
        at = out.add(parent, name, int(semantic[own[0]]) if own else -1)
        for place in own:
            place_part(place, at)
        stack += [(child, at) for child in children]
    leaves = np.setdiff1d(np.arange(len(out.parent)), out.parent)
    return PartHierarchy.build(
        out.parent,
        leaf_of_piece[piece],
        out.name,
        out.semantic,
        levels={"nodes": nodes, "primitives": leaves},
    )


def _pieces_of(parts: SceneParts, piece: Int[np.ndarray, "f"]) -> dict[int, tuple[list[int], list[int]]]:
    """Place -> numbers of its pieces, and which primitives of the mesh they are."""
    _, first = np.unique(piece, return_index=True)
    out: dict[int, tuple[list[int], list[int]]] = {}
    for number, face in enumerate(first.tolist()):
        numbers, primitives = out.setdefault(int(parts.face_place[face]), ([], []))
        numbers.append(number)
        primitives.append(int(parts.face_primitive[face]))
    return out


def _primitive_name(document: dict, parts: SceneParts, place: int, primitive: int) -> str:
    """The material's name, else the part's with the primitive's number."""
    mesh = entry(document, "meshes", parts.placed[place].mesh)
    material = mesh["primitives"][primitive].get("material")
    name = entry(document, "materials", material).get("name") if material is not None else None
    return str(name or f"{parts.placed[place].name}_{primitive}")


def _classes(document: dict) -> dict[int, str]:
    """Mesh -> name of the first node that places it."""
    classes: dict[int, str] = {}
    for visit in walk(document):
        mesh = entry(document, "nodes", visit.node).get("mesh")
        if mesh is not None:
            classes.setdefault(mesh, part_name(document, visit.node))
    return classes


@lru_cache(maxsize=1024)
def _names_in(path: Path, changed: int) -> tuple[str, ...]:
    """Names of the parts of a file as it was at the time `changed`."""
    return _understood(path, lambda: tuple(_classes(_document(path, head=True)[0]).values()))


def _problems(path: Path, document: dict) -> Iterator[InputError]:
    """References of nodes to nothing, and nodes that are met twice."""
    nodes, meshes = document.get("nodes", []), document.get("meshes", [])
    if not isinstance(nodes, list) or not isinstance(meshes, list):
        yield InputError(path, "expected lists of nodes and meshes", _DAMAGED)
        return
    bad = False
    for number, node in enumerate(nodes):
        if not isinstance(node, dict) or not isinstance(node.get("children", []), list):
            bad = True
            yield InputError(path, f"node {number} is no node", _DAMAGED)
            continue
        wrong = [("mesh", node["mesh"])] if "mesh" in node and not _indexes(node["mesh"], meshes) else []
        wrong += [("child", child) for child in node.get("children", []) if not _indexes(child, nodes)]
        for what, value in wrong:
            bad = True
            yield InputError(path, f"node {number} names {what} {str(value)[:40]}, which is not in the file", _DAMAGED)
    if not bad:
        for number in sorted({visit.node for visit in _understood(path, lambda: walk(document)) if visit.again}):
            cause = f"node {number} has two parents or is its own ancestor, expected a tree"
            yield InputError(path, cause, "export it again")


def _indexes(value: object, entries: list) -> bool:
    return isinstance(value, int) and 0 <= value < len(entries)


def _document(path: Path, head: bool = False) -> tuple[dict, bytes | None]:
    """JSON and binary chunk; `head` leaves the binary chunk of a GLB unread.

    Raises:
        InputError: the file cannot be read, is too large, or is not glTF.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise InputError(path, f"it is {size / 2**30:.1f} GiB large", "decimate it: 4 GiB is the limit")
        with path.open("rb") as file:
            start = file.read(20)
            if not start.startswith(b"glTF"):
                return parse_json(path, start + file.read()), None
            length = int.from_bytes(start[12:16], "little")
            if not head or start[16:20] != b"JSON" or length > _MAX_JSON:
                return split_glb(path, start + file.read())
            return parse_json(path, file.read(length)), None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None


def _understood(path: Path, read: Callable[[], T]) -> T:
    """What `read` gives; whatever a damaged file makes it stumble over becomes one line."""
    try:
        return read()
    except _UNEXPECTED as error:
        cause = f"it cannot be understood ({type(error).__name__}: {str(error)[:120]})"
        raise InputError(path, cause, _DAMAGED) from error
    except MemoryError:
        raise InputError(path, "it needs more memory than there is", "decimate it, or use a larger machine") from None


def _files(root: Path) -> Iterator[Path]:
    """All .glb and .gltf files below the root, by path."""
    for here, folders, files in os.walk(root):
        folders.sort()
        for file in sorted(files):
            if file.lower().endswith((".glb", ".gltf")):
                yield Path(here, file)
