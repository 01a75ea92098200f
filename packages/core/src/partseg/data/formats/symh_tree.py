"""Symmetry hierarchies written as post-order lists: node types, one row of parameters a symmetry node.

Li et al., "GRASS: Generative Recursive Autoencoders for Shape Structures", SIGGRAPH 2017; Yu et al., "PartNet: A
Recursive Part Decomposition Network", CVPR 2019. A file stores one representative of every group; here the copies
are made explicit, down to the leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from partseg.errors import PartsegError
from partseg.parts.hierarchy import NodeKind, Symmetry

Coding = Literal["fineseg", "symh", "grass"]
"""How a row [type, p1…p6, t] is to be read:

========  ==========  ==========  =============  =========================
coding    reflective  rotational  translational  p1..p3 of a translation
========  ==========  ==========  =============  =========================
fineseg   0           -1          +1             from first to last copy
symh      0           -1          +1             one step
grass     +1          -1          0              one step
========  ==========  ==========  =============  =========================

p1..p3 are a normal or an axis and p4..p6 a point on the plane or axis; t is 1/fold and unused for reflections.
"""

MAX_LEAVES = 4096
MAX_FOLD = 1024
_KINDS = {
    "fineseg": {0: "reflective", -1: "rotational", 1: "translational"},
    "symh": {0: "reflective", -1: "rotational", 1: "translational"},
    "grass": {1: "reflective", -1: "rotational", 0: "translational"},
}
_LEAF, _ADJACENCY, _SYMMETRY, _REFLECTED_PAIR = range(4)


class Affine(NamedTuple):
    """`x -> linear x + offset`, a rigid motion or a reflection."""

    linear: Float[np.ndarray, "3 3"]
    offset: Float[np.ndarray, "3"]

    def points(self, xyz: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        return xyz @ self.linear.T + self.offset

    def after(self, first: Affine) -> Affine:
        """This one after `first`."""
        return Affine(self.linear @ first.linear, self.linear @ first.offset + self.offset)

    def symmetry(self, one: Symmetry) -> Symmetry:
        """The same symmetry of the moved parts."""
        direction = self.linear @ np.asarray(one.direction)
        if one.kind == "rotational" and np.linalg.det(self.linear) < 0:  # a mirror image turns the other way
            direction = -direction
        point = (
            np.zeros(3) if one.kind == "translational" else self.linear @ np.asarray(one.point) + self.offset
        ).tolist()
        return Symmetry(one.kind, tuple(point), _unit(direction), one.fold, one.step)


IDENTITY = Affine(np.eye(3), np.zeros(3))


@dataclass(frozen=True, eq=False)
class SymTree:
    """A symmetry hierarchy with every copy a node; parents come before children, copies of a group in order.

    Attributes:
        parent: (p,) int32, -1 for the root, node 0.
        kind: (p,) uint8 `NodeKind`.
        symmetry: p entries, set for SYMMETRY nodes.
        leaves: (l,) int32 nodes without children, depth first.
        stored: (l,) int32 which stored leaf each of them is, or is a copy of.
        motion: l motions, from the stored leaf to the copy.
    """

    parent: Int[np.ndarray, "p"]
    kind: UInt8[np.ndarray, "p"]
    symmetry: tuple[Symmetry | None, ...]
    leaves: Int[np.ndarray, "l"]
    stored: Int[np.ndarray, "l"]
    motion: tuple[Affine, ...]


@dataclass(eq=False)
class _Node:
    type: int
    leaf: int = -1
    children: tuple[_Node, ...] = ()
    symmetry: Symmetry | None = None
    size: int = 1  # leaves below, copies included


def read_symmetry(row: Float[np.ndarray, "8"], coding: Coding) -> Symmetry:
    """One row of parameters as a `Symmetry`.

    Rotations are full circles: the step is 2 pi / fold; the axis is flipped so that y >= 0, as the release does.

    Raises:
        PartsegError: an unknown type, a direction of no length, or a fold that is no number from 2 to 1024.
    """
    if not np.isfinite(row).all() or not row.any():
        raise PartsegError(f"a symmetry node has no parameters ({'NaN' if row.any() else 'zeros'})")
    kind = _KINDS[coding].get(int(row[0])) if float(row[0]).is_integer() else None
    if kind is None:
        raise PartsegError(f"expected a symmetry type -1, 0 or 1, found {row[0]:g}")
    length = float(np.linalg.norm(row[1:4]))
    if length < 1e-9:
        raise PartsegError(f"a {kind} symmetry has a direction of no length")
    point = tuple(row[4:7].tolist())
    if kind == "reflective":
        return Symmetry(kind, point, _unit(row[1:4]))
    fold = round(1 / row[7]) if row[7] > 0.5 / MAX_FOLD else 0
    if not 2 <= fold <= MAX_FOLD:
        raise PartsegError(f"a {kind} symmetry of {fold} copies: expected t = 1/fold, found {row[7]:g}")
    if kind == "rotational":
        direction = row[1:4] if row[2] >= 0 else -row[1:4]
        return Symmetry(kind, point, _unit(direction), fold, 2 * np.pi / fold)
    step = length / (fold - 1) if coding == "fineseg" else length
    return Symmetry(kind, (0.0, 0.0, 0.0), _unit(row[1:4]), fold, step)


def read_tree(ops: Int[np.ndarray, "m"], rows: Float[np.ndarray, "s 8"], coding: Coding) -> SymTree:
    """The hierarchy that a post-order list of node types stands for.

    0 takes the next stored leaf; 1 joins the last two nodes (the last one first); 2 repeats the last node as the next
    row says; 3 joins the last two, which are mirror images of each other by the next row; other numbers are padding.
    Copies of a part that has symmetries of its own have them too, moved along.

    Raises:
        PartsegError: nodes are missing or left over, a symmetry has no row or a wrong one, or there are more than 4096
            leaves.
    """
    stack: list[_Node] = []
    n_leaves = n_rows = 0
    for at, op in enumerate(ops.tolist()):
        if op not in (_LEAF, _ADJACENCY, _SYMMETRY, _REFLECTED_PAIR):
            continue
        if op == _LEAF:
            stack.append(_Node(_LEAF, n_leaves))
            n_leaves += 1
            continue
        takes = 1 if op == _SYMMETRY else 2
        if len(stack) < takes:
            raise PartsegError(f"op {at + 1} (type {op}) joins {takes} nodes, but there is {len(stack)}")
        children = tuple(stack.pop() for _ in range(takes))
        symmetry = None
        if op != _ADJACENCY:
            if n_rows >= len(rows):
                raise PartsegError(f"symmetry node {n_rows + 1} has no parameters: {len(rows)} rows of them")
            symmetry = read_symmetry(rows[n_rows], coding)
            n_rows += 1
            if op == _REFLECTED_PAIR and symmetry.kind != "reflective":
                raise PartsegError(f"op {at + 1} (type 3) mirrors, but its row says {symmetry.kind}")
        size = sum(child.size for child in children) * (symmetry.fold if op == _SYMMETRY and symmetry else 1)
        if size > MAX_LEAVES:
            raise PartsegError(f"the copies make more than {MAX_LEAVES} parts")
        stack.append(_Node(op, -1, children, symmetry, size))
    if len(stack) != 1:
        raise PartsegError(f"expected one root, found {len(stack)} nodes that nothing joins")
    return _expand(stack[0])


def _expand(root: _Node) -> SymTree:
    parent: list[int] = []
    kind: list[int] = []
    symmetry: list[Symmetry | None] = []
    leaves: list[int] = []
    stored: list[int] = []
    motions: list[Affine] = []
    stack: list[tuple[_Node, int, Affine]] = [(root, -1, IDENTITY)]
    while stack:
        node, above, motion = stack.pop()
        here = len(parent)
        parent.append(above)
        one = None if node.symmetry is None else motion.symmetry(node.symmetry)
        symmetry.append(one)
        if node.type == _LEAF:
            kind.append(NodeKind.LEAF)
            leaves.append(here)
            stored.append(node.leaf)
            motions.append(motion)
            continue
        kind.append(NodeKind.ADJACENCY if one is None else NodeKind.SYMMETRY)
        below = [(child, here, motion) for child in node.children]
        if node.type == _SYMMETRY and one is not None:
            below = [(node.children[0], here, copy_motion(one, i).after(motion)) for i in range(one.fold)]
        stack.extend(reversed(below))
    return SymTree(
        np.array(parent, np.int32), np.array(kind, np.uint8), tuple(symmetry), np.array(leaves, np.int32),
        np.array(stored, np.int32), tuple(motions),
    )  # fmt: skip


def copy_motion(symmetry: Symmetry, copy: int) -> Affine:
    """The motion from the first copy to number `copy`."""
    frame = symmetry.apply(np.concatenate([np.zeros((1, 3)), np.eye(3)]), copy)
    return Affine((frame[1:] - frame[0]).T, frame[0])


def _unit(direction: Float[np.ndarray, "3"]) -> tuple[float, float, float]:
    x, y, z = (direction / np.linalg.norm(direction)).tolist()
    return x, y, z
