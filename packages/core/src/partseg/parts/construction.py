"""Binary symmetry hierarchies for shapes whose parts are known and whose hierarchy is not.

The rules are those of Wang et al., "Symmetry Hierarchy of Man-Made Objects", Eurographics 2011, which the recursive
decomposition of Yu et al. (CVPR 2019) is trained on: parts that are copies of one another are grouped before parts that
touch, and parts that touch before those that do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from partseg.geometry.shape import Shape
from partseg.parts.hierarchy import NodeKind, PartHierarchy, Symmetry
from partseg.parts.part_geometry import PartGeometry
from partseg.parts.symmetry_detection import KINDS, SymmetryGroup, find_groups

SAME_ANGLE = np.cos(np.radians(1.5))
SAME_PLACE = 0.01  # of the shape's longest side


def symmetry_hierarchy(shape: Shape, labels: Int[np.ndarray, "n"]) -> PartHierarchy:
    """The binary symmetry hierarchy over the parts of a shape.

    1. Symmetry groups of single parts are found (`detect_symmetries`). Groups of one motion make one group of several
       parts a copy where their first members touch (a leg and its foot) or are copies of each other (both legs of one
       side, mirrored).
    2. The group that spares most parts (all but one copy) becomes a SYMMETRY node with its copies as children; of equal
       ones that with more copies, then reflective before rotational before translational, then the one with the lowest
       part. The parts of its first copy get a hierarchy of their own in the same way, which the other copies repeat.
       This goes on with the groups that share no part with it.
    3. What is left, groups and single parts, is joined two by two into ADJACENCY nodes: those that touch first, the
       smallest common box before larger ones; then those whose boxes are nearest.

    Args:
        shape: a mesh or a cloud.
        labels: (n_elements,) part 0…k-1 of each element, -1 for none; every part must occur.

    Returns:
        A hierarchy with k leaves, `part_i` for label i, and a level "parts". The same input gives the same output.

    Raises:
        PartsegError: labels that do not fit, or name a part without elements.
    """
    labels = np.asarray(labels)
    parts = PartGeometry.of(shape, labels)
    builder = _Builder(parts, find_groups(parts))
    return emit(builder.build(frozenset(range(len(parts))), builder.orbits), labels)


@dataclass(eq=False)
class Node:
    """A part (`part` >= 0), two or more `children`, or one child and its `copies`.

    Attributes:
        copies: for each copy, the first one included, which part stands where in it: part of the child -> part.
    """

    part: int = -1
    children: tuple[Node, ...] = ()
    symmetry: Symmetry | None = None
    copies: tuple[dict[int, int], ...] = ()


def emit(root: Node, labels: Int[np.ndarray, "n"]) -> PartHierarchy:
    """The hierarchy of a tree of nodes over labelled elements; copies become nodes, their symmetries moved along."""
    parent: list[int] = []
    name: list[str] = []
    kind: list[int] = []
    symmetry: list[Symmetry | None] = []
    node_of = np.full(int(labels.max(initial=-1)) + 2, -1, np.int64)
    Stack = list[tuple[Node, int, tuple[dict[int, int], ...], tuple[tuple[Symmetry, int], ...]]]
    stack: Stack = [(root, -1, (), ())]
    while stack:
        node, above, renamed, motions = stack.pop()
        here = len(parent)
        parent.append(above)
        one = node.symmetry
        for motion, copy in reversed(motions):
            one = None if one is None else moved(one, motion, copy)
        symmetry.append(one)
        if node.part >= 0:
            part = node.part
            for names in reversed(renamed):
                part = names[part]
            node_of[part] = here
            kind.append(NodeKind.LEAF)
            name.append(f"part_{part}")
            continue
        kind.append(NodeKind.ADJACENCY if one is None else NodeKind.SYMMETRY)
        name.append("parts" if one is None else f"{one.kind} group")
        if node.symmetry is None:
            stack.extend((child, here, renamed, motions) for child in reversed(node.children))
        else:
            stack.extend(
                (node.children[0], here, (*renamed, names), (*motions, (node.symmetry, copy)))
                for copy, names in reversed(list(enumerate(node.copies)))
            )
    leaves = np.flatnonzero(np.array(kind) == NodeKind.LEAF)
    return PartHierarchy.build(
        parent, node_of[labels], name, kind=kind, symmetry=symmetry, levels={"parts": leaves.tolist()}
    )  # fmt: skip


def moved(one: Symmetry, motion: Symmetry, copy: int) -> Symmetry:
    """The symmetry that copy number `copy` of a group has when the first has `one`."""
    frame = np.stack([one.point, np.add(one.point, one.direction)]).astype(np.float64)
    point, tip = motion.apply(frame, copy)
    turned = copy > 0 and motion.kind == "reflective" and one.kind == "rotational"
    direction = point - tip if turned else tip - point  # a mirror image turns the other way
    at = (0.0, 0.0, 0.0) if one.kind == "translational" else tuple(point.tolist())
    return Symmetry(one.kind, at, tuple((direction / np.linalg.norm(direction)).tolist()), one.fold, one.step)


@dataclass(eq=False)
class _Orbit:
    """A group of single parts, its members in the order of its motion's first member."""

    motion: int
    members: tuple[int, ...]
    group: SymmetryGroup


@dataclass(eq=False)
class _Joint:
    """Orbits of one motion that go together."""

    symmetry: Symmetry
    solid: bool
    orbits: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def rank(self) -> tuple[float, int, int, int]:
        """Lowest is best. An arc of three, which may be chance, counts for less than a pair."""
        fold = self.symmetry.fold
        spared = len(self.orbits) * (fold - 1 if self.solid or fold == 2 else 0.75)
        return -spared, -fold, KINDS.index(self.symmetry.kind), min(min(orbit) for orbit in self.orbits)


class _Builder:
    def __init__(self, parts: PartGeometry, groups: Sequence[SymmetryGroup]) -> None:
        self.parts = parts
        n = len(parts)
        self.related = np.zeros((n, n), bool)  # copies of each other in some group
        self.in_line = np.zeros((len(KINDS), n, n), bool)  # … of three or more, by kind
        for group in groups:
            index = np.ix_(group.members, group.members)
            self.related[index] = True
            if group.symmetry.fold > 2:
                self.in_line[KINDS.index(group.symmetry.kind)][index] = True
        self.symmetries: list[SymmetryGroup] = []  # one of each motion
        self.orbits = self._orbits(groups)

    def _orbits(self, groups: Sequence[SymmetryGroup]) -> list[_Orbit]:
        """Groups numbered by their motion, members reversed where the motion goes the other way."""
        rows, out = np.zeros((len(groups), 9)), []
        for group in groups:
            s, found = group.symmetry, len(self.symmetries)
            direction, point = np.asarray(s.direction), np.asarray(s.point)
            known = rows[:found]
            if found:
                same = (known[:, 0] == KINDS.index(s.kind)) & (known[:, 1] == s.fold)
                same &= np.abs(known[:, 3:6] @ direction) > SAME_ANGLE
                tolerance = 0.02 if s.kind == "rotational" else SAME_PLACE * self.parts.extent
                same &= np.abs(known[:, 2] - s.step) < tolerance
                apart = known[:, 6:9] - point
                along = apart @ direction
                if s.kind == "reflective":
                    same &= np.abs(along) < SAME_PLACE * self.parts.extent
                elif s.kind == "rotational":
                    across = np.linalg.norm(apart - along[:, None] * direction, axis=1)
                    same &= across < SAME_PLACE * self.parts.extent
                number = int(same.argmax()) if same.any() else found
            else:
                number = found
            members = group.members
            if number == found:
                rows[found] = [KINDS.index(s.kind), s.fold, s.step, *direction, *point]
                self.symmetries.append(group)
            elif rows[number, 3:6] @ direction < 0:
                members = members[::-1]
            out.append(_Orbit(number, members, group))
        return out

    def build(self, inside: frozenset[int], orbits: list[_Orbit]) -> Node:
        """The hierarchy of some parts, with the groups that lie within them."""
        free, units = set(inside), []
        left: dict[int, list[_Orbit]] = {}
        for orbit in orbits:
            if free.issuperset(orbit.members):
                left.setdefault(orbit.motion, []).append(orbit)
        joints = {motion: self._best(alike) for motion, alike in left.items()}
        while joints:
            best = min(joints.values(), key=lambda joint: joint.rank)
            copies = list(zip(*best.orbits, strict=True))
            first = frozenset(copies[0])
            within = [orbit for alike in left.values() for orbit in alike if first.issuperset(orbit.members)]
            names = tuple(dict(zip(copies[0], copy, strict=True)) for copy in copies)
            units.append(Node(-1, (self.build(first, within),), best.symmetry, names))
            free.difference_update(part for copy in copies for part in copy)
            for motion, alike in list(left.items()):
                stays = [orbit for orbit in alike if free.issuperset(orbit.members)]
                if not stays:
                    del left[motion], joints[motion]
                elif len(stays) < len(alike):
                    left[motion], joints[motion] = stays, self._best(stays)
        units += [Node(part) for part in sorted(free)]
        return self._joined(units)

    def _best(self, alike: list[_Orbit]) -> _Joint:
        """Orbits of one motion that go together, the best of all such sets."""
        model, out = self.symmetries[alike[0].motion], []
        left = list(alike)
        while left:
            # The motion of the orbit it starts from, not of the first one like it.
            start = left.pop(0)
            same_way = np.dot(start.group.symmetry.direction, model.symmetry.direction) > 0
            symmetry = start.group.symmetry if same_way else _reversed(start.group.symmetry)
            joint, used, at = _Joint(symmetry, model.solid, [start.members]), set(start.members), 0
            while at < len(joint.orbits) and left:
                rest = []
                for orbit in left:
                    fitting = (
                        None if used & set(orbit.members) else self._linked(model, joint.orbits[at], orbit.members)
                    )
                    if fitting is None:
                        rest.append(orbit)
                    else:
                        joint.orbits.append(fitting)
                        used.update(fitting)
                left, at = rest, at + 1
            out.append(joint)
        return min(out, key=lambda joint: joint.rank)

    def _linked(self, model: SymmetryGroup, one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...] | None:
        """The other orbit, started so that its first member goes with the one's; None if they do not go together."""
        line = self.in_line[KINDS.index(model.symmetry.kind)]
        near = self.related if model.symmetry.kind == "reflective" else line
        if not model.closed:
            goes = self.parts.touching[one[0], other[0]] and self.parts.touching[one[-1], other[-1]]
            return other if goes or near[one[0], other[0]] else None
        there = np.linalg.norm(self.parts.centroid[list(other)] - self.parts.centroid[one[0]], axis=1)
        touch = self.parts.touching[one[0], list(other)]
        if not touch.any():
            return None
        start = int(np.where(touch, there.round(6), np.inf).argmin())
        return other[start:] + other[:start]

    def _joined(self, units: list[Node]) -> Node:
        """Units joined two by two."""
        inside = [sorted(_parts_of(unit)) for unit in units]
        low = np.stack([self.parts.low[p].min(0) for p in inside])
        high = np.stack([self.parts.high[p].max(0) for p in inside])
        part_unit = np.zeros((len(units), len(self.parts)))
        for row, p in enumerate(inside):
            part_unit[row, p] = 1
        touch = part_unit @ self.parts.touching @ part_unit.T > 0
        gap = _gaps(low, high)
        nodes: list[Node | None] = list(units)
        cost = _costs(low, high, touch, gap, self.parts.extent)
        for _ in range(len(units) - 1):
            a, b = sorted(divmod(int(cost.argmin()), len(units)))
            left, right = nodes[a], nodes[b]
            nodes[a], nodes[b] = Node(children=tuple(n for n in (left, right) if n is not None)), None
            low[a], high[a] = np.minimum(low[a], low[b]), np.maximum(high[a], high[b])
            touch[a] |= touch[b]
            touch[:, a] = touch[a]
            gap[a] = np.minimum(gap[a], gap[b])
            gap[:, a] = gap[a]
            size = np.linalg.norm(np.maximum(high, high[a]) - np.minimum(low, low[a]), axis=1)
            row = np.where(touch[a], size, gap[a] + 4 * self.parts.extent)
            row[[i == a or node is None for i, node in enumerate(nodes)]] = np.inf
            cost[a], cost[:, a] = row, row
            cost[b], cost[:, b] = np.inf, np.inf
        return next(node for node in nodes if node is not None)


def _parts_of(node: Node) -> set[int]:
    """Parts under a node, copies included."""
    out, stack = set(), [node]
    while stack:
        here = stack.pop()
        if here.part >= 0:
            out.add(here.part)
        elif here.copies:
            out.update(part for names in here.copies for part in names.values())
        else:
            stack.extend(here.children)
    return out


def _reversed(symmetry: Symmetry) -> Symmetry:
    """From the last copy to the first."""
    x, y, z = symmetry.direction
    return Symmetry(symmetry.kind, symmetry.point, (-x, -y, -z), symmetry.fold, symmetry.step)


def _gaps(low: Float[np.ndarray, "u 3"], high: Float[np.ndarray, "u 3"]) -> Float[np.ndarray, "u u"]:
    apart = np.maximum(low[:, None] - high[None], low[None] - high[:, None])
    return np.linalg.norm(np.maximum(apart, 0), axis=2)


def _costs(
    low: Float[np.ndarray, "u 3"],
    high: Float[np.ndarray, "u 3"],
    touch: Bool[np.ndarray, "u u"],
    gap: Float[np.ndarray, "u u"],
    extent: float,
) -> Float[np.ndarray, "u u"]:
    """Diagonal of the common box where units touch, else more than any diagonal; infinite on the diagonal."""
    size = np.linalg.norm(np.maximum(high[:, None], high[None]) - np.minimum(low[:, None], low[None]), axis=2)
    cost = np.where(touch, size, gap + 4 * extent)
    np.fill_diagonal(cost, np.inf)
    return cost
