"""Symmetry hierarchies of procedural shapes: how many of their true groups are found, how exactly, and how fast.

`python benchmarks/perf hierarchy`. The truth is how the shapes were made; the detector sees triangles and which part
each belongs to. A true group, of which every copy may have several parts, is

- *detected* when for each part of the first copy there is a group of exactly that part and its images, with a motion
  that is the true one: of the same kind with the same direction (within 1 degree), plane or axis (within 1 % of the
  longest side) and step (within 1 %); or of another kind, when it takes the vertices of each part to within 1 % of the
  longest side of those of the next, on average: a pair of straight legs is a mirror image, a half turn and a shift at
  once;
- *in the tree* when the same holds for SYMMETRY nodes of the hierarchy: the part and its images stand under different
  copies of one node. Copies may hold more or fewer parts than in the truth (a door with or without its handle), and two
  mirrors may be nested either way;
- *alike in the tree* when a SYMMETRY node has exactly the true copies.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree
from table import Row

from partseg.data.procedural import FAMILIES, ProceduralShape, generate
from partseg.geometry.shape import Shape
from partseg.parts.construction import symmetry_hierarchy
from partseg.parts.hierarchy import NodeKind, PartHierarchy, Symmetry
from partseg.parts.symmetry_detection import detect_symmetries

SHARE, ANGLE, SECONDS, PARTS = 0.95, 1.0, 0.2, 40


class Score:
    """Counts over shapes, by kind of the true group."""

    def __init__(self) -> None:
        self.true, self.detected, self.in_tree, self.alike = Counter(), Counter(), Counter(), Counter()
        self.other_kind, self.parts = 0, 0
        self.angles: list[float] = []

    def add(self, made: ProceduralShape) -> None:
        shape, labels = Shape.from_mesh(made.vertices.astype(float), made.faces), made.face_leaf.astype(np.int64)
        groups: dict[frozenset[int], list[tuple[tuple[int, ...], Symmetry]]] = {}
        for group in detect_symmetries(shape, labels):
            groups.setdefault(frozenset(group.members), []).append((group.members, group.symmetry))
        tree = symmetry_hierarchy(shape, labels)
        related, copies = related_in(tree)
        truth, extent = made.hierarchy, float(np.ptp(made.vertices, axis=0).max())
        rank = {leaf: i for i, leaf in enumerate(truth.leaves.tolist())}
        corners = [made.vertices[np.unique(made.faces[labels == i])] for i in range(len(rank))]
        for node in np.flatnonzero(truth.kind == NodeKind.SYMMETRY).tolist():
            motion = truth.symmetry[node]
            first = [[rank[leaf] for leaf in leaves_below(truth, child)] for child in truth.children(node)]
            orbits = list(zip(*first, strict=True))
            self.true[motion.kind] += 1
            self.parts += sum(map(len, first))
            found = [self._match(groups.get(frozenset(o), []), o, motion, corners, extent) for o in orbits]
            if all(found):
                self.detected[motion.kind] += 1
                self.other_kind += any(kind != motion.kind for kind in found)
            self.angles += [angle for o in orbits for angle in angles(groups.get(frozenset(o), []), motion)]
            inside = [self._match(related.get(frozenset(o), []), o, motion, corners, extent) for o in orbits]
            self.in_tree[motion.kind] += all(inside)
            self.alike[motion.kind] += frozenset(map(frozenset, first)) in copies

    @staticmethod
    def _match(
        candidates: list[tuple[tuple[int, ...], Symmetry]],
        orbit: tuple[int, ...],
        motion: Symmetry,
        corners: list[np.ndarray],
        extent: float,
    ) -> str | None:
        """Kind of the candidate that is the true motion, of the true kind where there is one; None without any."""
        for members, one in candidates:
            if one.kind == motion.kind and equal(one, motion, extent) and angles([(members, one)], motion)[0] < ANGLE:
                return one.kind
        for members, one in candidates:
            if one.kind != motion.kind and carries(one, members, corners, 0.01 * extent):
                return one.kind
        return None


def angles(candidates: list[tuple[tuple[int, ...], Symmetry]], motion: Symmetry) -> list[float]:
    """Degrees between the directions of candidates of the true kind and the true one."""
    cosines = [abs(float(np.dot(one.direction, motion.direction))) for _, one in candidates if one.kind == motion.kind]
    return np.degrees(np.arccos(np.minimum(cosines, 1.0))).tolist()


def equal(one: Symmetry, other: Symmetry, extent: float) -> bool:
    """Same fold, step, and plane or axis; directions are compared by `angles`."""
    if one.fold != other.fold or abs(abs(one.step) - abs(other.step)) > 0.01 * max(abs(other.step), 1e-9):
        return False
    apart, direction = np.subtract(one.point, other.point), np.asarray(other.direction)
    along = float(apart @ direction)
    if other.kind == "reflective":
        return abs(along) < 0.01 * extent
    return other.kind == "translational" or float(np.linalg.norm(apart - along * direction)) < 0.01 * extent


def carries(motion: Symmetry, members: tuple[int, ...], corners: list[np.ndarray], tolerance: float) -> bool:
    """Whether the motion takes the vertices of each member onto those of the next, on average."""
    return all(cKDTree(corners[j]).query(motion.apply(corners[i]))[0].mean() < tolerance for i, j in pairwise(members))


def leaves_below(tree: PartHierarchy, node: int) -> list[int]:
    """Leaves under a node, in depth-first order."""
    out, stack = [], [node]
    while stack:
        here = stack.pop()
        below = tree.children(here)
        stack.extend(reversed(below))
        out += [] if below else [here]
    return out


def related_in(
    tree: PartHierarchy,
) -> tuple[dict[frozenset[int], list[tuple[tuple[int, ...], Symmetry]]], set[frozenset[frozenset[int]]]]:
    """Parts that correspond under each SYMMETRY node, with its motion; and the copies of each node as sets of parts."""
    related, copies = {}, set()
    for node in np.flatnonzero(tree.kind == NodeKind.SYMMETRY).tolist():
        below = [[int(tree.name[i][5:]) for i in leaves_below(tree, child)] for child in tree.children(node)]
        copies.add(frozenset(map(frozenset, below)))
        for orbit in zip(*below, strict=True):
            related.setdefault(frozenset(orbit), []).append((orbit, tree.symmetry[node]))
    return related, copies


def timed(seed: int, repeats: int) -> tuple[float, float, str, int]:
    """Of the first shape of the sequence with so many parts: median seconds, of the clock and of the processor; its
    family; its triangles.
    """
    made = next(made for made in (generate(seed, i) for i in range(100_000)) if len(made.leaf_nodes) == PARTS)
    shape, labels = Shape.from_mesh(made.vertices.astype(float), made.faces), made.face_leaf.astype(np.int64)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter(), time.process_time()
        symmetry_hierarchy(shape, labels)
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall, cpu = np.median(times[1:], axis=0).tolist()
    return wall, cpu, made.family, len(made.faces)


def measure(shapes: int, seed: int, repeats: int) -> list[Row]:
    """Groups of so many shapes, taken from all families in turn, and the time of one hierarchy."""
    score, families = Score(), sorted(FAMILIES)
    for i in range(shapes):
        score.add(generate(seed, i, families[i % len(families)]))
    total = sum(score.true.values())
    where = f"{shapes} shapes of {len(families)} families, seed {seed}: {total} groups"

    def row(what: str, count: Counter, target: bool) -> Row:
        each = ", ".join(f"{kind} {count[kind]}/{score.true[kind]}" for kind in sorted(score.true))
        share = sum(count.values()) / total
        wanted = f">= {SHARE:.0%}" if target else ""
        return Row(what, where, f"{share:.1%} ({each})", "", "", wanted, not target or share >= SHARE)

    at: Callable[[float], str] = lambda q: f"{np.percentile(score.angles, q):.2g}"  # noqa: E731
    close = float(np.mean(np.array(score.angles) < ANGLE))
    seconds, cpu, family, faces = timed(seed, repeats)
    return [
        row("True symmetry groups detected, with their parameters", score.detected, True),
        row("… related in the tree", score.in_tree, False),
        row("… alike in the tree (exactly the true copies)", score.alike, False),
        Row(
            "Angle to the true normal, axis or direction",
            f"all {len(score.angles)} groups of parts of true members and kind ({score.other_kind} true groups "
            "are only detected as an equivalent kind)",
            f"50/90/99/100 %: {at(50)}/{at(90)}/{at(99)}/{at(100)} degrees; {close:.1%} below {ANGLE:g}",
            "",
            "",
            f">= {SHARE:.0%} below {ANGLE:g} degree",
            close >= SHARE,
        ),
        Row(
            f"Hierarchy of a shape of {PARTS} parts",
            f"{family}, {faces:,} triangles",
            f"{seconds * 1000:.0f} ms ({cpu * 1000:.0f} ms of processor time)",
            "",
            "",
            f"< {SECONDS * 1000:.0f} ms",
            seconds < SECONDS,
        ),
    ]
