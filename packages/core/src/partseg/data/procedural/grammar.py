"""Trees of named parts, the symmetry operations that grow them, and the labelled mesh they become.

A family is a function ``rng -> PartNode``. Leaves hold geometry, inner nodes hold parts; the operations
:func:`mirrored`, :func:`turned` and :func:`stepped` make a group out of one part *and* record how, so that the
symmetry parameters of the finished hierarchy are those the geometry was made with, never estimated.

Objects stand on y = anything, y up, front towards +z, in whatever unit suits the family; :func:`finish` brings them
to one size. The three named levels are cuts of the tree: ``coarse`` its first generation, ``middle`` the second (or
a leaf above it), ``fine`` the leaves. A symmetric group directly inside a symmetric group (pairs of pairs of legs)
counts as one generation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float, Int

from partseg.data.procedural.curves import Vector, rotation
from partseg.data.procedural.primitives import Mesh
from partseg.data.procedural.vocabulary import PART_IDS
from partseg.parts.hierarchy import PartHierarchy, Symmetry

LEVELS = ("coarse", "middle", "fine")
Family = Callable[[np.random.Generator], "PartNode"]
T = TypeVar("T")


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform in [low, high)."""
    return low + (high - low) * rng.random()


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return rng.random() < probability


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of ``options``; repeat an option to weight it."""
    return options[int(rng.random() * len(options))]


def count(rng: np.random.Generator, low: int, high: int) -> int:
    """Integer in low … high, both included."""
    return low + int(rng.random() * (high - low + 1))


class Repeat(NamedTuple):
    """How the children of a node follow from the first; the fields of ``partseg.parts.Symmetry`` as arrays."""

    kind: Literal["reflective", "rotational", "translational"]
    point: np.ndarray
    direction: np.ndarray
    fold: int
    step: float

    def mapped(self, linear: np.ndarray, offset: np.ndarray) -> Repeat:
        """The same symmetry after a similarity ``x -> linear x + offset``."""
        scale = abs(np.linalg.det(linear)) ** (1 / 3)
        direction = linear @ self.direction / scale
        step = self.step * scale if self.kind == "translational" else self.step
        if self.kind == "rotational" and np.linalg.det(linear) < 0:
            step = -step
        return Repeat(self.kind, linear @ self.point + offset, direction, self.fold, step)


@dataclass(slots=True)
class PartNode:
    """A part: either ``pieces`` of geometry (a leaf) or ``children`` (an inner node), never both.

    Attributes:
        name: semantic name, lower case with spaces; instances of a part share it.
        children: parts of this part.
        pieces: meshes of a leaf; several pieces may be several components, and one connected surface may be shared by
            several leaves (:meth:`Mesh.split`).
        repeat: set when the children are copies of the first one.
    """

    name: str
    children: list[PartNode] = field(default_factory=list)
    pieces: list[Mesh] = field(default_factory=list)
    repeat: Repeat | None = None

    def leaves(self) -> list[PartNode]:
        """Leaves in depth-first order."""
        return [self] if not self.children else [leaf for child in self.children for leaf in child.leaves()]

    def points(self) -> Float[np.ndarray, "n 3"]:
        """All vertices under this node (shared ones repeated), for measuring."""
        return np.concatenate(
            [mesh.vertices[mesh.faces].reshape(-1, 3) for leaf in self.leaves() for mesh in leaf.pieces]
        )

    def mapped(self, linear: Float[np.ndarray, "3 3"], offset: Vector = (0.0, 0.0, 0.0)) -> PartNode:
        """A copy under the similarity ``x -> linear x + offset`` (rotation or reflection times a uniform scale)."""
        offset = np.asarray(offset, float)
        flip = np.linalg.det(linear) < 0
        done: dict[int, np.ndarray] = {}

        def visit(node: PartNode) -> PartNode:
            pieces = []
            for mesh in node.pieces:
                key = id(mesh.vertices)
                if key not in done:
                    done[key] = mesh.vertices @ linear.T + offset
                pieces.append(Mesh(done[key], mesh.faces[:, ::-1] if flip else mesh.faces))
            repeat = None if node.repeat is None else node.repeat.mapped(linear, offset)
            return PartNode(node.name, [visit(child) for child in node.children], pieces, repeat)

        return visit(self)

    def moved(self, *offset: float) -> PartNode:
        """A copy shifted by (x, y, z)."""
        return self.mapped(np.eye(3), offset)

    def rotated(self, axis: Vector, angle: float, about: Vector = (0.0, 0.0, 0.0)) -> PartNode:
        """A copy turned by ``angle`` radians about the line through ``about`` along ``axis``."""
        linear = rotation(axis, angle)
        about = np.asarray(about, float)
        return self.mapped(linear, about - linear @ about)


def part(name: str, *content: PartNode | Mesh | None) -> PartNode:
    """A node from meshes (a leaf) or from nodes; None entries are dropped so that optional parts read well."""
    content = tuple(c for c in content if c is not None)
    meshes = [c for c in content if isinstance(c, Mesh)]
    nodes = [c for c in content if isinstance(c, PartNode)]
    if bool(meshes) == bool(nodes):
        raise ValueError(f"part {name!r} needs either meshes or parts, got {len(meshes)} and {len(nodes)}")
    return PartNode(name, nodes, meshes)


def mirrored(name: str, one: PartNode, normal: Vector = (1, 0, 0), point: Vector = (0, 0, 0)) -> PartNode:
    """Group of ``one`` and its mirror image in the plane through ``point``."""
    n, p = np.asarray(normal, float), np.asarray(point, float)
    n = n / np.sqrt(n @ n)
    other = one.mapped(np.eye(3) - 2 * np.outer(n, n), 2 * (p @ n) * n)
    return PartNode(name, [one, other], repeat=Repeat("reflective", p, n, 2, 0.0))


def turned(
    name: str, one: PartNode, fold: int, axis: Vector = (0, 1, 0), point: Vector = (0, 0, 0), step: float | None = None
) -> PartNode:
    """Group of ``fold`` copies of ``one`` turned about an axis, ``step`` radians apart (default: a full circle).

    With ``fold`` 1 just the part under a group of that name.
    """
    if fold < 2:
        return PartNode(name, [one])
    a, p = np.asarray(axis, float), np.asarray(point, float)
    a = a / np.sqrt(a @ a)
    step = 2 * np.pi / fold if step is None else step
    copies = [one] + [one.rotated(a, step * i, p) for i in range(1, fold)]
    return PartNode(name, copies, repeat=Repeat("rotational", p, a, fold, step))


def stepped(name: str, one: PartNode, fold: int, step: Vector) -> PartNode:
    """Group of ``fold`` copies of ``one``, each shifted by the vector ``step`` from the one before."""
    if fold < 2:
        return PartNode(name, [one])
    step = np.asarray(step, float)
    length = float(np.sqrt(step @ step))
    copies = [one] + [one.moved(*(step * i)) for i in range(1, fold)]
    return PartNode(name, copies, repeat=Repeat("translational", np.zeros(3), step / length, fold, length))


def four(name: str, one: PartNode) -> PartNode:
    """Four copies in the corners: a mirrored pair (front, back), mirrored left to right."""
    return mirrored(name, mirrored(name, one, (0, 0, 1)))


class SurfaceSample(NamedTuple):
    """Points drawn from a shape.

    Attributes:
        points: (n, 3) float32.
        normals: (n, 3) float32, unit, of the triangle sampled.
        face_index: (n,) int32.
        labels: level name -> (n,) int64 part number 0 … k-1 at that level, in depth-first order.
    """

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    face_index: Int[np.ndarray, " n"]
    labels: dict[str, Int[np.ndarray, " n"]]


@dataclass(frozen=True, eq=False)
class ProceduralShape:
    """A labelled mesh with its part tree.

    Attributes:
        family: name of the family that made it.
        seed, index: what it was made from.
        vertices: (v, 3) float32; the box is centred at the origin.
        faces: (f, 3) int32, normals outward.
        face_leaf: (f,) int32 number of the leaf of each face, in depth-first order; every leaf has faces.
        parent: (p,) int32, parents before children (depth-first), -1 for the root.
        names: p semantic names.
        repeats: p entries; symmetry parameters in the coordinates of ``vertices``, or None.
        generation: (p,) int32 generation below the root (0); see the module's text.
    """

    family: str
    seed: int
    index: int
    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    face_leaf: Int[np.ndarray, " f"]
    parent: Int[np.ndarray, " p"]
    names: tuple[str, ...]
    repeats: tuple[Repeat | None, ...]
    generation: Int[np.ndarray, " p"]

    @cached_property
    def leaf_nodes(self) -> Int[np.ndarray, " l"]:
        """Node of each leaf, in depth-first order."""
        inner = np.zeros(len(self.parent), bool)
        inner[self.parent[1:]] = True
        return np.flatnonzero(~inner).astype(np.int32)

    @cached_property
    def level_nodes(self) -> dict[str, Int[np.ndarray, " k"]]:
        """Nodes of the named cuts, in depth-first order."""
        parent, generation = self.parent.tolist(), self.generation.tolist()
        leaf = np.zeros(len(parent), bool)
        leaf[self.leaf_nodes] = True
        levels = {}
        for number, level in enumerate(LEVELS[:-1], 1):
            chosen = [
                i
                for i in range(1, len(parent))
                if (generation[i] == number or (leaf[i] and generation[i] < number)) and generation[parent[i]] < number
            ]
            levels[level] = np.array(chosen or [0], np.int32)
        levels[LEVELS[-1]] = self.leaf_nodes
        return levels

    @cached_property
    def level_of_leaf(self) -> dict[str, Int[np.ndarray, " l"]]:
        """Level name -> part number at that level of each leaf."""
        result = {}
        parent = self.parent.tolist()
        for level, nodes in self.level_nodes.items():
            number = np.full(len(parent), -1, np.int64)
            number[nodes] = np.arange(len(nodes))
            table = number.tolist()
            for i in range(1, len(table)):  # parents come first
                if table[i] < 0:
                    table[i] = table[parent[i]]
            result[level] = np.array(table, np.int64)[self.leaf_nodes]
        return result

    def labels(self, level: str) -> Int[np.ndarray, " f"]:
        """Part number of each face at a level, 0 … k-1, int64."""
        return self.level_of_leaf[level][self.face_leaf]

    @cached_property
    def hierarchy(self) -> PartHierarchy:
        """The part tree over the faces."""
        seen: dict[str, int] = {}
        instance = []
        for name in self.names:
            instance.append(seen.get(name, 0))
            seen[name] = instance[-1] + 1
        return PartHierarchy.build(
            self.parent,
            self.leaf_nodes[self.face_leaf],
            self.names,
            semantic_id=[semantic_id(name) for name in self.names],
            instance_id=instance,
            symmetry=[
                None
                if r is None
                else Symmetry(r.kind, tuple(r.point.tolist()), tuple(r.direction.tolist()), r.fold, float(r.step))
                for r in self.repeats
            ],
            levels=self.level_nodes,
        )

    @cached_property
    def _surface(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        corners = self.vertices[self.faces]
        a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
        u, v = b - a, c - a
        cross = np.empty_like(u)
        cross[:, 0] = u[:, 1] * v[:, 2] - u[:, 2] * v[:, 1]
        cross[:, 1] = u[:, 2] * v[:, 0] - u[:, 0] * v[:, 2]
        cross[:, 2] = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        twice = np.sqrt((cross * cross).sum(1))
        cumulative = np.cumsum(twice, dtype=np.float64)
        return corners, cross / np.maximum(twice, 1e-20)[:, None], cumulative

    def sample(self, n: int, rng: np.random.Generator) -> SurfaceSample:
        """``n`` points drawn uniformly from the surface with their normals and labels at each level."""
        corners, normals, cumulative = self._surface
        # One jittered pass along the cumulative area spreads points more evenly than independent draws.
        where = (np.arange(n) + rng.random(n)) * (cumulative[-1] / max(n, 1))
        face = np.minimum(np.searchsorted(cumulative, where, side="right"), len(cumulative) - 1)
        face = rng.permutation(face)
        root, s = np.sqrt(rng.random(n, dtype=np.float32))[:, None], rng.random(n, dtype=np.float32)[:, None]
        corner = corners[face]
        points = (1 - root) * corner[:, 0] + root * (1 - s) * corner[:, 1] + root * s * corner[:, 2]
        leaf = self.face_leaf[face]
        labels = {level: table[leaf] for level, table in self.level_of_leaf.items()}
        return SurfaceSample(points, normals[face], face.astype(np.int32), labels)


def semantic_id(name: str) -> int:
    """Number of a part name in the project's vocabulary, -1 for names outside it."""
    return PART_IDS.get(name, -1)


def flatten(root: PartNode) -> tuple[np.ndarray, tuple[str, ...], list[Repeat | None], np.ndarray, list[PartNode]]:
    """Depth-first arrays of a tree: parent, names, repeats, generation, and the leaf nodes in order."""
    parent: list[int] = []
    names: list[str] = []
    repeats: list[Repeat | None] = []
    generation: list[int] = []
    leaves: list[PartNode] = []

    def visit(node: PartNode, above: int, depth: int) -> None:
        here = len(parent)
        parent.append(above)
        names.append(node.name)
        repeats.append(node.repeat)
        generation.append(depth)
        if not node.children:
            leaves.append(node)
        for child in node.children:
            visit(child, here, depth + (node.repeat is None or child.repeat is None))

    visit(root, -1, 0)
    return np.array(parent, np.int32), tuple(names), repeats, np.array(generation, np.int32), leaves


def finish(
    root: PartNode,
    family: str,
    seed: int = 0,
    index: int = 0,
    extent: float = 1.8,
    linear: Float[np.ndarray, "3 3"] | None = None,
    surface: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> ProceduralShape:
    """Turn a part tree into a labelled mesh whose box is centred at the origin with longest side ``extent``.

    Args:
        root: the tree, in the family's own coordinates.
        linear: rotation applied before measuring the box (identity if None).
        surface: (vertices, faces, leaf number of each face) to use in place of the pieces, in the same coordinates as
            the tree: for surfaces that were fused and remeshed. Every leaf must keep at least one face.

    Raises:
        ValueError: a leaf without faces, or a shape without extent.
    """
    parent, names, repeats, generation, leaves = flatten(root)
    if surface is None:
        offsets: dict[int, int] = {}
        vertices, faces, face_leaf, total = [], [], [], 0
        for number, leaf in enumerate(leaves):
            for mesh in leaf.pieces:
                key = id(mesh.vertices)
                if key not in offsets:
                    offsets[key] = total
                    vertices.append(mesh.vertices)
                    total += len(mesh.vertices)
                faces.append(mesh.faces + np.int32(offsets[key]))
                face_leaf.append((number, len(mesh.faces)))
        xyz, triangles = np.concatenate(vertices), np.concatenate(faces)
        leaf_of_face = np.repeat([a for a, _ in face_leaf], [b for _, b in face_leaf])
    else:
        xyz, triangles, leaf_of_face = surface
    present = np.bincount(leaf_of_face, minlength=len(leaves))
    if len(present) != len(leaves) or (present == 0).any():
        raise ValueError(f"{family}: a leaf part has no faces")
    if linear is None:
        linear = np.eye(3)
    else:
        xyz = xyz @ linear.T
    low, high = xyz.min(0), xyz.max(0)
    size = float((high - low).max())
    if not np.isfinite(size) or size <= 0:
        raise ValueError(f"{family}: the shape has no finite extent")
    scale = extent / size
    offset = -(low + high) / 2 * scale
    return ProceduralShape(
        family=family,
        seed=seed,
        index=index,
        vertices=(xyz * scale + offset).astype(np.float32),
        faces=np.ascontiguousarray(triangles, np.int32),
        face_leaf=leaf_of_face.astype(np.int32),
        parent=parent,
        names=names,
        repeats=tuple(None if r is None else r.mapped(linear * scale, offset) for r in repeats),
        generation=generation,
    )


def renamed(node: PartNode, name: str) -> PartNode:
    """The node under another name (its parts keep theirs)."""
    return replace(node, name=name)
