"""PartHierarchy: a rooted tree of parts over the elements of a shape, as flat arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from partseg.errors import PartsegError, UnknownNameError

_NESTED = 100


class NodeKind(IntEnum):
    """What a node is in a symmetry hierarchy; plain part trees have leaves and adjacency nodes only."""

    LEAF = 0
    ADJACENCY = 1
    SYMMETRY = 2


@dataclass(frozen=True)
class Symmetry:
    """How the children of a node repeat.

    Attributes:
        kind: "reflective", "rotational" or "translational".
        point: a point on the mirror plane or the axis, in the shape's coordinates; unused for translations.
        direction: unit vector: the plane's normal, the axis, or the direction of translation.
        fold: number of copies including the first (2 for reflections).
        step: angle between copies in radians (rotational) or distance (translational); 0 for reflections.
    """

    kind: Literal["reflective", "rotational", "translational"]
    point: tuple[float, float, float]
    direction: tuple[float, float, float]
    fold: int = 2
    step: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("reflective", "rotational", "translational"):
            raise PartsegError(f"unknown symmetry {self.kind!r}")
        if self.fold < 2:
            raise PartsegError(f"a symmetry joins at least 2 copies, got {self.fold}")
        length = float(np.linalg.norm(self.direction))
        if not np.isfinite([*self.point, length, self.step]).all() or abs(length - 1) > 1e-4:
            raise PartsegError("a symmetry needs finite parameters and a direction of length 1")

    def scaled(self, scale: float, offset: Sequence[float] | Float[np.ndarray, "3"]) -> Symmetry:
        """The same motion in coordinates xyz * scale + offset; scale > 0."""
        x, y, z = (np.asarray(self.point) * scale + np.asarray(offset)).tolist()
        step = self.step * scale if self.kind == "translational" else self.step
        return replace(self, point=(x, y, z), step=step)

    def apply(self, xyz: Float[np.ndarray, "n 3"], copy: int = 1) -> Float[np.ndarray, "n 3"]:
        """Points of the first copy moved onto copy number `copy` (0 = unchanged), float64."""
        xyz, p, d = np.asarray(xyz, np.float64), np.asarray(self.point), np.asarray(self.direction)
        if copy == 0:
            return xyz.copy()
        if self.kind == "translational":
            return xyz + d * self.step * copy
        if self.kind == "reflective":
            return xyz - 2 * ((xyz - p) @ d)[:, None] * d
        q, angle = xyz - p, self.step * copy  # Rodrigues' rotation
        along = (q @ d)[:, None] * d
        return p + along + (q - along) * np.cos(angle) + np.cross(d, q) * np.sin(angle)


@dataclass(frozen=True, eq=False)
class PartHierarchy:
    """A rooted tree of parts. Build it with `PartHierarchy.build`, which fills in defaults; arrays are read-only.

    Attributes:
        parent: (p,) int32; node 0 is the root (-1); parents come before children.
        leaf_of: (n,) int32, the finest part of each element, a node without children; -1 = unlabelled.
        name: p strings.
        semantic_id: (p,) int32 class of each node, -1 = none.
        instance_id: (p,) int32 number among the nodes of one class, -1 = none.
        kind: (p,) uint8 `NodeKind`.
        symmetry: p entries, parameters for SYMMETRY nodes, else None.
        levels: named cuts: level name -> (k,) int32 nodes, none above another, covering every leaf.
        height: (p,) float64 where the tree came from merges (parents not below children), else None.
    """

    parent: Int[np.ndarray, "p"]
    leaf_of: Int[np.ndarray, "n"]
    name: tuple[str, ...]
    semantic_id: Int[np.ndarray, "p"]
    instance_id: Int[np.ndarray, "p"]
    kind: UInt8[np.ndarray, "p"]
    symmetry: tuple[Symmetry | None, ...]
    levels: Mapping[str, Int[np.ndarray, "k"]] = field(default_factory=dict)
    height: Float[np.ndarray, "p"] | None = None

    @classmethod
    def build(
        cls,
        parent: Sequence[int] | Int[np.ndarray, "p"],
        leaf_of: Int[np.ndarray, "n"],
        name: Sequence[str] | None = None,
        semantic_id: Sequence[int] | None = None,
        instance_id: Sequence[int] | None = None,
        kind: Sequence[int] | None = None,
        symmetry: Sequence[Symmetry | None] | None = None,
        levels: Mapping[str, Sequence[int]] | None = None,
        height: Sequence[float] | None = None,
    ) -> PartHierarchy:
        """Fill in what is not given (names "part_i", no classes, kinds by shape of the tree) and check everything."""
        parent = np.ascontiguousarray(parent, np.int32)
        p = len(parent)
        inner = np.zeros(p, bool)
        inner[parent[(parent >= 0) & (parent < p)]] = True
        ids = lambda x: np.full(p, -1, np.int32) if x is None else np.ascontiguousarray(x, np.int32)  # noqa: E731
        symmetry = (None,) * p if symmetry is None else tuple(symmetry)
        if kind is None:
            repeated = np.resize([s is not None for s in symmetry], p)
            kind = np.where(inner, np.where(repeated, NodeKind.SYMMETRY, NodeKind.ADJACENCY), NodeKind.LEAF)
        return cls(
            parent=parent,
            leaf_of=np.ascontiguousarray(leaf_of, np.int32),
            name=tuple(f"part_{i}" for i in range(p)) if name is None else tuple(str(x) for x in name),
            semantic_id=ids(semantic_id),
            instance_id=ids(instance_id),
            kind=np.ascontiguousarray(kind, np.uint8),
            symmetry=symmetry,
            levels={str(k): np.ascontiguousarray(v, np.int32) for k, v in (levels or {}).items()},
            height=None if height is None else np.ascontiguousarray(height, np.float64),
        )

    @classmethod
    def from_labels(cls, labels: Int[np.ndarray, "n"], name: str = "shape") -> PartHierarchy:
        """A root with one leaf per label 0…k-1 (every label of that range becomes a leaf, -1 stays unlabelled)."""
        labels = np.asarray(labels)
        k = int(labels.max(initial=-1)) + 1
        names = [name, *(f"part_{i + 1}" for i in range(k))]
        leaf_of = np.where(labels >= 0, labels + 1, -1)
        return cls.build(
            np.r_[-1, np.zeros(k, int)], leaf_of, names, levels={str(k): np.arange(1, k + 1)} if k else None
        )

    def __post_init__(self) -> None:
        p, parent = len(self.parent), self.parent
        if p == 0 or parent[0] != -1 or (parent[1:] < 0).any() or (parent[1:] >= np.arange(1, p)).any():
            raise PartsegError("a hierarchy needs one root, node 0, and every parent before its children")
        for key in ("name", "semantic_id", "instance_id", "kind", "symmetry"):
            if len(getattr(self, key)) != p:
                raise PartsegError(f"{p} nodes but {len(getattr(self, key))} entries of {key}")
        height = self.height
        if height is not None and (height.shape != (p,) or (height[1:] > height[parent[1:]]).any()):
            raise PartsegError("heights must be one per node and no child may stand above its parent")
        if self.leaf_of.ndim != 1 or (len(self.leaf_of) and not -1 <= self.leaf_of.min() <= self.leaf_of.max() < p):
            raise PartsegError(f"leaf_of must name nodes 0…{p - 1} or -1")
        inner = np.zeros(p, bool)
        inner[parent[1:]] = True
        named = self.leaf_of[self.leaf_of >= 0]
        if inner[named].any():
            raise PartsegError("leaf_of names a node that has children")
        for i in np.flatnonzero(self.kind == NodeKind.SYMMETRY):
            if not inner[i]:
                raise PartsegError(f"node {i} is a symmetry node without children")
        for level, nodes in self.levels.items():
            self._check_cut(level, nodes)
        for key in ("parent", "leaf_of", "semantic_id", "instance_id", "kind", "height"):
            if getattr(self, key) is not None:
                view = getattr(self, key).view()  # the caller's own array stays writable
                view.setflags(write=False)
                object.__setattr__(self, key, view)

    def _check_cut(self, level: str, nodes: Int[np.ndarray, "k"]) -> None:
        if len(nodes) == 0 or nodes.min() < 0 or nodes.max() >= self.n_parts:
            raise PartsegError(f"level {level!r} names nodes that do not exist")
        start, stop = self._span[:, 0][nodes], self._span[:, 1][nodes]
        order = np.argsort(start)
        if not (
            start[order][0] == 0
            and stop[order][-1] == self._span[0, 1]
            and (start[order][1:] == stop[order][:-1]).all()
        ):
            raise PartsegError(f"level {level!r} is not a cut: its nodes overlap or leave parts out")

    # -- structure ----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"PartHierarchy({self.n_parts} nodes, {len(self.leaves)} leaves, {len(self.leaf_of):,} elements)"

    @property
    def n_parts(self) -> int:
        """Number of nodes, the root included."""
        return len(self.parent)

    @cached_property
    def _children(self) -> list[list[int]]:
        out: list[list[int]] = [[] for _ in range(self.n_parts)]
        for i, above in enumerate(self.parent.tolist()):
            if above >= 0:
                out[above].append(i)
        return out

    def children(self, node: int) -> list[int]:
        return list(self._children[node])

    @cached_property
    def leaves(self) -> Int[np.ndarray, "l"]:
        """Leaf nodes in depth-first order, so that the leaves under any node stand together."""
        out, stack = [], [0]
        while stack:
            node = stack.pop()
            below = self._children[node]
            if below:
                stack.extend(reversed(below))
            else:
                out.append(node)
        return np.array(out, np.int32)

    @cached_property
    def _span(self) -> Int[np.ndarray, "p 2"]:
        """Places of a node's leaves in `leaves`: first, one past the last."""
        span = np.empty((self.n_parts, 2), np.int64)
        span[:, 0], span[:, 1] = self.n_parts, 0
        span[self.leaves, 0] = np.arange(len(self.leaves))
        span[self.leaves, 1] = span[self.leaves, 0] + 1
        for i in range(self.n_parts - 1, 0, -1):  # children come after parents
            above = self.parent[i]
            span[above, 0] = min(span[above, 0], span[i, 0])
            span[above, 1] = max(span[above, 1], span[i, 1])
        return span

    @cached_property
    def depth(self) -> Int[np.ndarray, "p"]:
        """Distance from the root."""
        out = np.zeros(self.n_parts, np.int32)
        for i in range(1, self.n_parts):
            out[i] = out[self.parent[i]] + 1
        return out

    @cached_property
    def _rank(self) -> Int[np.ndarray, "n"]:
        """Place of each element's leaf in `leaves`; -1 unlabelled."""
        place = np.full(self.n_parts + 1, -1, np.int64)
        place[self.leaves] = np.arange(len(self.leaves))
        return place[self.leaf_of]

    @cached_property
    def order(self) -> Int[np.ndarray, "m"]:
        """Labelled elements sorted by leaf, depth first: every node's elements are one slice of it (see `interval`)."""
        order = np.argsort(self._rank, kind="stable")
        return order[np.searchsorted(self._rank[order], 0) :]

    def interval(self, node: int) -> tuple[int, int]:
        """(first, one past last): the node's elements are `order[first:last]`."""
        first, last = self._offsets[self._span[node]]
        return int(first), int(last)

    @cached_property
    def _offsets(self) -> Int[np.ndarray, "l1"]:
        count = np.bincount(self._rank[self._rank >= 0], minlength=len(self.leaves))
        return np.r_[0, np.cumsum(count)]

    @property
    def size(self) -> Int[np.ndarray, "p"]:
        """Number of elements under each node."""
        return self._offsets[self._span[:, 1]] - self._offsets[self._span[:, 0]]

    def members(self, node: int) -> Int[np.ndarray, "m"]:
        """Elements under a node."""
        first, last = self.interval(node)
        return self.order[first:last]

    def mask(self, node: int) -> Bool[np.ndarray, "n"]:
        """Elements under a node as a boolean mask."""
        out = np.zeros(len(self.leaf_of), bool)
        out[self.members(node)] = True
        return out

    def over(self, elements: Int[np.ndarray, "m"]) -> PartHierarchy:
        """The same tree over other elements, each of which stands for one of these: samples for the faces they lie on.

        Args:
            elements: numbers of elements of this hierarchy.
        """
        return replace(self, leaf_of=self.leaf_of[elements])

    # -- cuts ---------------------------------------------------------------------------------------------------

    def cut_nodes(
        self,
        *,
        level: str | None = None,
        depth: int | None = None,
        parts: int | None = None,
        threshold: float | None = None,
    ) -> Int[np.ndarray, "k"]:
        """Nodes of one cut, in depth-first order. Give exactly one of:

        level: a named level.
        depth: nodes at that depth and the leaves above it.
        parts: at most so many, splitting the highest node first (without heights: the shallowest, then the first).
        threshold: split nodes whose height is above it (needs heights).
        """
        if sum(x is not None for x in (level, depth, parts, threshold)) != 1:
            raise PartsegError("give exactly one of level, depth, parts, threshold")
        if level is not None:
            if level not in self.levels:
                raise UnknownNameError(
                    f"unknown level {level!r}; this hierarchy has {', '.join(self.levels) or 'none'}"
                )
            nodes = self.levels[level]
        elif depth is not None:
            depth = max(depth, 0)
            is_leaf = np.isin(np.arange(self.n_parts), self.leaves)
            nodes = np.flatnonzero((self.depth == depth) | (is_leaf & (self.depth < depth)))
        elif parts is not None:
            nodes = np.array(self._split(parts))
        else:
            if self.height is None:
                raise PartsegError("this hierarchy has no heights to cut at; use level, depth or parts")
            above = np.r_[np.inf, self.height[self.parent[1:]]]
            is_leaf = np.isin(np.arange(self.n_parts), self.leaves)
            nodes = np.flatnonzero((above > threshold) & ((self.height <= threshold) | is_leaf))
        return nodes[np.argsort(self._span[nodes, 0], kind="stable")].astype(np.int32)

    def _split(self, parts: int) -> list[int]:
        rank = self.height if self.height is not None else -self.depth.astype(float)
        nodes, done = [0], []
        while nodes:
            node = max(nodes, key=lambda i: (rank[i], -i))
            nodes.remove(node)
            below = self._children[node]
            if below and len(nodes) + len(done) + len(below) <= max(parts, 1):
                nodes.extend(below)
            else:
                done.append(node)
        return done

    def cut(
        self,
        *,
        level: str | None = None,
        depth: int | None = None,
        parts: int | None = None,
        threshold: float | None = None,
    ) -> Int[np.ndarray, "n"]:
        """Labels 0…k-1 of a cut (see `cut_nodes`), int64, one per node of the cut, depth first; -1 unlabelled."""
        nodes = self.cut_nodes(level=level, depth=depth, parts=parts, threshold=threshold)
        of_leaf = np.full(len(self.leaves) + 1, -1, np.int64)
        span = self._span[nodes]
        of_leaf[: span[-1, 1]] = np.repeat(np.arange(len(nodes)), span[:, 1] - span[:, 0])
        return of_leaf[self._rank]

    def iou(self, other: PartHierarchy) -> Float[np.ndarray, "p q"]:
        """IoU of every node of this hierarchy with every node of another over the same elements, float64.

        One contingency table of leaves, then prefix sums over the intervals: O(n + p q), no masks. Elements unlabelled
        on a side count for the other side's sizes only. Two empty nodes have IoU 0.
        """
        if len(self.leaf_of) != len(other.leaf_of):
            raise PartsegError(f"hierarchies over {len(self.leaf_of)} and {len(other.leaf_of)} elements")
        rows, cols = len(self.leaves), len(other.leaves)
        both = (self._rank >= 0) & (other._rank >= 0)
        table = np.bincount(self._rank[both] * cols + other._rank[both], minlength=rows * cols).reshape(rows, cols)
        sums = np.zeros((rows + 1, cols + 1), np.int64)
        sums[1:, 1:] = table.cumsum(0).cumsum(1)
        a, b = self._span, other._span
        by_row = sums[a[:, 1]] - sums[a[:, 0]]
        shared = by_row[:, b[:, 1]] - by_row[:, b[:, 0]]
        union = self.size[:, None] + other.size[None] - shared
        return shared / np.maximum(union, 1)

    # -- plain data -----------------------------------------------------------------------------------------------

    def to_json(
        self, *, elements: bool = True, indent: int | None = None, labels: Int[np.ndarray, "n"] | None = None
    ) -> str:
        """PartNet-style text: a list with one root; nodes hold `id`, `name`, `text`, `children` and what else is known.

        With `elements` the root also holds `leaf_of` as run lengths, so that `from_json` loses nothing. Nodes 100
        generations below the root and deeper stand in the root's list `deeper`, each with the id of its `parent`.

        Given the `labels` of a partition of the elements (0…k-1, -1 none), a node that is one of its parts gets that
        number as `label`; `from_json` does not need it.
        """
        nodes: list[dict[str, Any]] = []
        size = self.size
        of_node = {} if labels is None else self._labels_of_nodes(np.asarray(labels))
        for i in range(self.n_parts):
            node: dict[str, Any] = {
                "id": i,
                "name": self.name[i],
                "text": self.name[i].replace("_", " "),
                "n_elements": int(size[i]),
            }
            if i in of_node:
                node["label"] = of_node[i]
            if self.semantic_id[i] >= 0:
                node["semantic_id"] = int(self.semantic_id[i])
            if self.instance_id[i] >= 0:
                node["instance_id"] = int(self.instance_id[i])
            node["kind"] = NodeKind(int(self.kind[i])).name.lower()
            if self.symmetry[i] is not None:
                s = self.symmetry[i]
                node["symmetry"] = {
                    "kind": s.kind, "point": list(s.point), "direction": list(s.direction), "fold": s.fold,
                    "step": s.step,
                }  # fmt: skip
            if self.height is not None:
                node["height"] = float(self.height[i])
            nodes.append(node)
        for i in range(1, self.n_parts):
            if self.depth[i] < _NESTED:
                nodes[self.parent[i]].setdefault("children", []).append(nodes[i])
            else:  # readers of JSON recurse, so nesting has to end somewhere
                nodes[0].setdefault("deeper", []).append(nodes[i] | {"parent": int(self.parent[i])})
        nodes[0]["levels"] = {k: v.tolist() for k, v in self.levels.items()}
        if elements:
            start = (
                np.flatnonzero(np.r_[True, self.leaf_of[1:] != self.leaf_of[:-1]])
                if len(self.leaf_of)
                else np.zeros(0, int)
            )
            nodes[0]["leaf_of"] = {
                "leaf": self.leaf_of[start].tolist(),
                "count": np.diff(np.r_[start, len(self.leaf_of)]).tolist(),
            }
        return json.dumps([nodes[0]], indent=indent, allow_nan=False)

    def _labels_of_nodes(self, labels: Int[np.ndarray, "n"]) -> dict[int, int]:
        """Nodes whose elements are exactly one part of a partition, and the number of that part."""
        inside = labels[self.order]
        change = np.r_[0, np.cumsum(inside[1:] != inside[:-1])] if len(inside) else inside
        count = np.bincount(labels[labels >= 0])
        out = {}
        for i in range(self.n_parts):
            a, b = self.interval(i)
            if a < b and change[a] == change[b - 1] and inside[a] >= 0 and count[inside[a]] == b - a:
                out[i] = int(inside[a])
        return out

    @classmethod
    def from_json(cls, text: str) -> PartHierarchy:
        """Read what `to_json` wrote (with elements). PartNet's own result files are read by the dataset formats."""
        try:
            (root,) = json.loads(text)
            flat, stack = {}, [(root, -1), *((node, int(node["parent"])) for node in root.get("deeper", ()))]
            while stack:
                node, above = stack.pop()
                flat[int(node["id"])] = (node, above)
                stack.extend((child, int(node["id"])) for child in node.get("children", ()))
            rows = [flat[i] for i in range(len(flat))]
            runs = root["leaf_of"]
            leaf_of = np.repeat(np.array(runs["leaf"], np.int32), np.array(runs["count"], np.int64))
            return cls.build(
                parent=[above for _, above in rows],
                leaf_of=leaf_of,
                name=[n["name"] for n, _ in rows],
                semantic_id=[n.get("semantic_id", -1) for n, _ in rows],
                instance_id=[n.get("instance_id", -1) for n, _ in rows],
                kind=[NodeKind[n["kind"].upper()] for n, _ in rows],
                symmetry=[_symmetry(n.get("symmetry")) for n, _ in rows],
                levels=root.get("levels"),
                height=[n["height"] for n, _ in rows] if "height" in root else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise PartsegError(f"not a part hierarchy: {type(error).__name__} {error}") from None

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays for an NPZ file (no objects); `from_arrays` reads them back."""
        out = {
            "parent": self.parent, "leaf_of": self.leaf_of, "name": np.array(self.name, np.str_),
            "semantic_id": self.semantic_id, "instance_id": self.instance_id, "kind": self.kind,
            "symmetry": np.array(json.dumps([None if s is None else vars(s) for s in self.symmetry])),
            "level_names": np.array(list(self.levels), np.str_),
        }  # fmt: skip
        out |= {f"level_{i}": v for i, v in enumerate(self.levels.values())}
        return out | ({} if self.height is None else {"height": self.height})

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> PartHierarchy:
        return cls.build(
            parent=arrays["parent"], leaf_of=arrays["leaf_of"], name=arrays["name"].tolist(),
            semantic_id=arrays["semantic_id"], instance_id=arrays["instance_id"], kind=arrays["kind"],
            symmetry=[_symmetry(s) for s in json.loads(str(arrays["symmetry"]))],
            levels={name: arrays[f"level_{i}"] for i, name in enumerate(arrays["level_names"].tolist())},
            height=arrays.get("height"),
        )  # fmt: skip


def _symmetry(data: dict[str, Any] | None) -> Symmetry | None:
    if data is None:
        return None
    return Symmetry(
        data["kind"], tuple(data["point"]), tuple(data["direction"]), int(data["fold"]), float(data["step"])
    )
