"""Decomposition trees to learn from: part hierarchies as binary trees over intervals of sorted points, then packed.

A `Tree` is one shape's, in NumPy; `Trees` holds those of a batch, nodes sorted by depth, each (node, point) pair once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from partseg.parts.hierarchy import NodeKind, PartHierarchy, Symmetry
from partseg_recursive_partnet.nodes import NodeType


@dataclass(frozen=True, eq=False)
class Tree:
    """The decomposition tree of one shape.

    Attributes:
        type: (m,) int64 `NodeType`; parents stand before children, node 0 is the root.
        parent: (m,) int64, -1 for the root. side: (m,) int64, 0 left, 1 right, -1 for the root.
        depth: (m,) int64.
        order: (n,) int64 labelled points; node i holds `order[start[i]:stop[i]]`.
        start, stop: (m,) int64.
        cuts: a row of places in `order` for each internal node: where its second, third … group of points begins.
        symmetry: m entries, parameters where the type is SYMMETRY (or REFLECTION, where known), else None.
        semantic: (m,) int64 class of leaves, -1 elsewhere and where unknown.
    """

    type: Int[np.ndarray, "m"]
    parent: Int[np.ndarray, "m"]
    side: Int[np.ndarray, "m"]
    depth: Int[np.ndarray, "m"]
    order: Int[np.ndarray, "n"]
    start: Int[np.ndarray, "m"]
    stop: Int[np.ndarray, "m"]
    cuts: tuple[tuple[int, ...], ...]
    symmetry: tuple[Symmetry | None, ...]
    semantic: Int[np.ndarray, "m"]

    @classmethod
    def of(
        cls, hierarchy: PartHierarchy, symmetry: Literal["copies", "parameters"] = "copies", copies: int = 10
    ) -> Tree:
        """The tree that the network learns of a part hierarchy.

        Parts without points are left out, single children stand for their parents, more than two children are halved
        in order. Unlabelled points belong to no node. A symmetry node stays one

        - "copies": when it mirrors (two halves, each decomposed further); or when it turns or shifts and its 2 to
          `copies` copies are single parts (labelled at once, not decomposed);
        - "parameters": when all its copies, at most `copies`, are there, and a turn closes (step 2π / fold): its first
          copy is the left child, there is no right one.

        All others are adjacency nodes: nothing is lost but the name.

        Args:
            hierarchy: over the points of a shape. symmetry, copies: of the network's config.

        Returns:
            A tree; of a shape without labelled points, one empty leaf.
        """
        return _grow(hierarchy, symmetry == "parameters", copies)

    def __len__(self) -> int:
        return len(self.type)


@dataclass(frozen=True, eq=False)
class Trees:
    """The trees of a batch, packed. m nodes sorted by depth, then shape; p pairs of node and point, sorted by node.

    Attributes:
        type, side, shape, semantic: (m,) int64, see `Tree`; `shape` is the number in the batch.
        parent: (m,) int64 node above, -1 for roots.
        levels: (d + 1) offsets: the nodes of depth i are levels[i] … levels[i + 1].
        point: (p,) int64 row of the batch's points. node: (p,) int64.
        label: (p,) int64 group of the point inside its node: 0 or 1, or the number of its copy; -1 in leaves.
        ends: (n,) int64 the pair in which each labelled point is in no child of the node.
        symmetry: one entry a node.
    """

    type: Int[Tensor, "m"]
    parent: Int[Tensor, "m"]
    side: Int[Tensor, "m"]
    shape: Int[Tensor, "m"]
    semantic: Int[Tensor, "m"]
    levels: tuple[int, ...]
    point: Int[Tensor, "p"]
    node: Int[Tensor, "p"]
    label: Int[Tensor, "p"]
    ends: Int[Tensor, "n"]
    symmetry: tuple[Symmetry | None, ...]

    @classmethod
    def pack(cls, trees: Sequence[Tree], offsets: Sequence[int]) -> Trees:
        """Pack trees; `offsets` is the row at which the points of each shape begin."""
        cat = lambda rows: np.concatenate([*rows])  # noqa: E731
        size = np.array([len(tree) for tree in trees])
        first = np.r_[0, np.cumsum(size)]
        shape = np.repeat(np.arange(len(trees)), size)
        depth = cat(tree.depth for tree in trees)
        parent = cat(np.where(tree.parent >= 0, tree.parent + at, -1) for tree, at in zip(trees, first))
        order = np.argsort(depth, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))

        places = cat(tree.order + at for tree, at in zip(trees, offsets))
        behind = np.r_[0, np.cumsum([len(tree.order) for tree in trees])]
        start = cat(tree.start + at for tree, at in zip(trees, behind))[order]
        stop = cat(tree.stop + at for tree, at in zip(trees, behind))[order]
        count = stop - start
        node = np.repeat(np.arange(len(order)), count)
        within = np.arange(len(node)) - np.repeat(np.cumsum(count) - count, count)
        where = within + start[node]
        label = _groups([tree.cuts for tree in trees], behind, order, node, where)
        above, type = parent[order], cat(tree.type for tree in trees)[order]
        below = np.zeros((len(order), 2), bool)
        below[place[parent[parent >= 0]], cat(tree.side for tree in trees)[parent >= 0]] = True
        goes_on = (label >= 0) & below[node, np.clip(label, 0, 1)] & (label < 2)
        tensor = lambda x: torch.from_numpy(np.ascontiguousarray(x, np.int64))  # noqa: E731
        symmetry = [one for tree in trees for one in tree.symmetry]
        return cls(
            type=tensor(type),
            parent=tensor(np.where(above >= 0, place[above], -1)),
            side=tensor(cat(tree.side for tree in trees)[order]),
            shape=tensor(shape[order]),
            semantic=tensor(cat(tree.semantic for tree in trees)[order]),
            levels=tuple(np.r_[0, np.cumsum(np.bincount(depth))].tolist()),
            point=tensor(places[where]),
            node=tensor(node),
            label=tensor(label),
            ends=tensor(np.flatnonzero(~goes_on)),
            symmetry=tuple(symmetry[i] for i in order.tolist()),
        )

    def __len__(self) -> int:
        return len(self.type)

    def to(self, device: Any) -> Trees:
        """The same on another device."""
        moved = {key: value.to(device) for key, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **moved)


def _groups(
    cuts: Sequence[tuple[tuple[int, ...], ...]],
    behind: Int[np.ndarray, "b1"],
    order: Int[np.ndarray, "m"],
    node: Int[np.ndarray, "p"],
    where: Int[np.ndarray, "p"],
) -> Int[np.ndarray, "p"]:
    """Number of cuts of its node at or before each place; -1 in nodes without any."""
    rows = [[place + at for place in row] for tree, at in zip(cuts, behind.tolist()) for row in tree]
    widest = max(len(row) for row in rows)
    table = np.full((len(rows), max(widest, 1)), np.iinfo(np.int64).max)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    internal = np.array([len(row) > 0 for row in rows])[order]
    table = table[order]
    label = np.zeros(len(node), np.int64)
    for column in table.T:  # as many as the most copies of a node, less one
        label += where >= column[node]
    label[~internal[node]] = -1
    return label


def _grow(hierarchy: PartHierarchy, parameters: bool, copies: int) -> Tree:
    size = hierarchy.size
    out: dict[str, list[Any]] = {
        key: [] for key in ("type", "parent", "side", "depth", "start", "stop", "cuts", "symmetry", "semantic")
    }
    root = [0] if size[0] else []
    stack: list[tuple[list[int], int, int, int]] = [(root, -1, -1, 0)]
    while stack:
        group, parent, side, depth = stack.pop()
        while len(group) == 1 and len(below := [c for c in hierarchy.children(group[0]) if size[c]]) == 1:
            group = below
        head = group[0] if len(group) == 1 else None
        if head is not None:
            group = [child for child in hierarchy.children(head) if size[child]] or group
        kind, symmetry, groups = NodeType.LEAF, None, []
        if len(group) > 1:
            kind, symmetry, groups = _split(hierarchy, head, group, parameters, copies)
        here = len(out["type"])
        at = [hierarchy.interval(part[0])[0] for part in groups]
        start = hierarchy.interval(group[0])[0] if group else 0
        stop = hierarchy.interval(group[-1])[1] if group else 0
        semantic = int(hierarchy.semantic_id[head]) if head is not None and kind == NodeType.LEAF else -1
        row = (int(kind), parent, side, depth, start, stop, tuple(at[1:]), symmetry, semantic)
        for key, value in zip(out, row, strict=True):
            out[key].append(value)
        if kind == NodeType.SYMMETRY:
            groups = groups[:1] if parameters else []
        stack.extend((part, here, i, depth + 1) for i, part in reversed(list(enumerate(groups))))
    arrays = {k: np.array(v, np.int64) for k, v in out.items() if k not in ("cuts", "symmetry")}
    order = np.ascontiguousarray(hierarchy.order, np.int64)
    return Tree(**arrays, cuts=tuple(out["cuts"]), symmetry=tuple(out["symmetry"]), order=order)


def _split(
    hierarchy: PartHierarchy, head: int | None, children: list[int], parameters: bool, copies: int
) -> tuple[NodeType, Symmetry | None, list[list[int]]]:
    """Type, parameters and groups of children of an internal node."""
    symmetry = None if head is None else hierarchy.symmetry[head]
    half = (len(children) + 1) // 2
    halves = [children[:half], children[half:]]
    if head is None or symmetry is None or hierarchy.kind[head] != NodeKind.SYMMETRY:
        return NodeType.ADJACENCY, None, halves
    if parameters:
        closes = symmetry.kind != "rotational" or abs(abs(symmetry.step) * symmetry.fold - 2 * np.pi) < 1e-3
        if closes and len(children) == symmetry.fold <= copies:
            return NodeType.SYMMETRY, symmetry, [children[:1], children[1:]]
        return NodeType.ADJACENCY, None, halves
    if symmetry.kind == "reflective":
        return NodeType.REFLECTION, symmetry, halves
    if len(children) <= copies and not any(hierarchy.children(child) for child in children):
        return NodeType.SYMMETRY, symmetry, [[child] for child in children]
    return NodeType.ADJACENCY, None, halves
