"""The part hierarchy of a decomposition, and labels carried to the copies of a symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from partseg.parts.construction import moved
from partseg.parts.hierarchy import NodeKind, PartHierarchy, Symmetry
from partseg_recursive_partnet.nodes import NodeType
from partseg_recursive_partnet.recursion import Decomposition
from partseg_recursive_partnet.symmetry import transfer_labels

_NAMES = {NodeType.ADJACENCY: "parts", NodeType.SYMMETRY: "copies", NodeType.REFLECTION: "reflective group"}


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of one shape.

    Attributes:
        labels: (n,) int64 part of each point, 0…k-1, all used: the leaves of the hierarchy, depth first.
        hierarchy: over the points.
        classes: (k,) int64 class of each part, or None.
    """

    labels: Int[np.ndarray, "n"]
    hierarchy: PartHierarchy
    classes: Int[np.ndarray, "k"] | None


def parts_of(found: Decomposition, cloud: Float[np.ndarray, "b n c"], sizes: Sequence[int]) -> list[Parts]:
    """Parts of every shape of a batch.

    Where parameters were predicted, the labels inside the first copy of a symmetry are carried to its other copies,
    innermost symmetries first (section 3.1); a copy, or a part of one, that no point falls to is left out. Where copies
    were labelled at once each is a part, and nothing is known of the motion.

    Args:
        found: of these clouds. cloud: what was decomposed. sizes: points of each shape.
    """
    b, n, _ = cloud.shape
    builder = _Builder(found, np.asarray(cloud[..., :3], np.float64).reshape(b * n, 3))
    return [builder.emit(i, slice(i * n, i * n + size)) for i, size in enumerate(sizes)]


@dataclass(eq=False)
class _Node:
    """A node of the hierarchy to be: a part, or something with children."""

    kind: NodeKind
    name: str
    part: int = -1
    source: int = -1  # node of the decomposition
    symmetry: Symmetry | None = None
    below: tuple[_Node, ...] = field(default=())


class _Builder:
    def __init__(self, found: Decomposition, points: Float[np.ndarray, "n 3"]) -> None:
        self.type, self.split = found.type.cpu().numpy(), found.split.cpu().numpy()
        self.parent, self.depth = found.parent.cpu().numpy(), found.depth.cpu().numpy()
        self.classes = None if found.classes is None else found.classes.argmax(1).cpu().numpy()
        self.below: list[list[int]] = [[] for _ in self.type]
        for node in np.argsort(found.side.cpu().numpy(), kind="stable").tolist():
            if self.parent[node] >= 0:
                self.below[self.parent[node]].append(node)
        leaf, copy = found.leaf.cpu().numpy(), found.copy.cpu().numpy()
        real = np.flatnonzero(leaf >= 0)
        keys, part = np.unique(np.stack([leaf[real], copy[real]]), axis=1, return_inverse=True)
        self.part = np.full(len(leaf), -1, np.int64)
        self.part[real] = part.reshape(-1)
        self.parts_at: dict[int, list[int]] = {}  # of a node, in the order of copies
        for number, node in enumerate(keys[0].tolist()):
            self.parts_at.setdefault(node, []).append(number)
        self.symmetries: dict[int, Symmetry] = {}
        self.copies: dict[int, dict[int, dict[int, int]]] = {}  # node -> copy -> part of the first copy -> part
        if found.symmetry is not None:
            self._carry(found, points[real], leaf[real], real, keys.shape[1])

    def _carry(
        self,
        found: Decomposition,
        points: Float[np.ndarray, "n 3"],
        leaf: Int[np.ndarray, "n"],
        real: Int[np.ndarray, "n"],
        parts: int,
    ) -> None:
        """Parts of what is not the first copy, deepest symmetries first, those of one depth together."""
        nodes = np.flatnonzero(self.split & (self.type == NodeType.SYMMETRY))
        self.symmetries = dict(zip(nodes.tolist(), found.symmetry.symmetries(nodes), strict=True))
        above = leaf.copy()
        for level in range(int(self.depth.max()), -1, -1):
            above = np.where(self.depth[above] > level, self.parent[above], above)
            chosen = nodes[self.depth[nodes] == level]
            number = np.full(len(self.type), -1)
            number[chosen] = np.arange(len(chosen))
            rows = np.flatnonzero(number[above] >= 0)
            if not len(rows):
                continue
            node, generator = number[above[rows]], leaf[rows] != above[rows]
            symmetries = [self.symmetries[i] for i in chosen.tolist()]
            copy, like = transfer_labels(points[rows], node, generator, self.part[real[rows]], symmetries)
            rest = ~generator
            keys, made = np.unique(np.stack([node[rest], copy[rest], like[rest]]), axis=1, return_inverse=True)
            self.part[real[rows[rest]]] = parts + made.reshape(-1)
            for new, (at, number_of, part) in enumerate(keys.T.tolist(), parts):
                self.copies.setdefault(int(chosen[at]), {}).setdefault(number_of, {})[part] = new
            parts += keys.shape[1]

    def emit(self, root: int, rows: slice) -> Parts:
        """Flat arrays of the tree below a root."""
        parent: list[int] = []
        nodes: list[_Node] = []
        stack = [(self._tree(root), -1)]
        while stack:
            node, above = stack.pop()
            here = len(nodes)
            parent.append(above)
            nodes.append(node)
            stack.extend((child, here) for child in reversed(node.below))
        leaves = [i for i, node in enumerate(nodes) if not node.below]
        label = dict(zip((nodes[i].part for i in leaves), range(len(leaves)), strict=True))
        table = np.full(self.part.max(initial=0) + 1, -1, np.int64)
        table[list(label)] = list(label.values())
        labels = table[self.part[rows]]
        classes = None if self.classes is None else self.classes[[nodes[i].source for i in leaves]]
        semantic = np.full(len(nodes), -1)
        if classes is not None:
            semantic[leaves] = classes
        names = [node.name if node.below else f"part_{label[node.part] + 1}" for node in nodes]
        hierarchy = PartHierarchy.build(
            parent, np.array(leaves)[labels], names, semantic, None, [node.kind for node in nodes],
            [node.symmetry for node in nodes],
        )  # fmt: skip
        return Parts(labels, hierarchy, classes)

    def _tree(self, node: int) -> _Node:
        if not self.split[node]:
            return _Node(NodeKind.LEAF, "", self.parts_at[node][0], node)
        type = NodeType(int(self.type[node]))
        if node in self.symmetries:
            first, symmetry = self._tree(self.below[node][0]), self.symmetries[node]
            others = [
                _copied(first, table, symmetry, copy) for copy, table in sorted(self.copies.get(node, {}).items())
            ]
            below = (first, *(one for one in others if one is not None))
            return _grouped(below, NodeKind.SYMMETRY, f"{symmetry.kind} group", symmetry)
        if type == NodeType.SYMMETRY:
            below = tuple(_Node(NodeKind.LEAF, "", part, node) for part in self.parts_at[node])
        else:
            below = tuple(self._tree(child) for child in self.below[node])
        return _grouped(below, NodeKind.ADJACENCY if type == NodeType.ADJACENCY else NodeKind.SYMMETRY, _NAMES[type])


def _grouped(below: tuple[_Node, ...], kind: NodeKind, name: str, symmetry: Symmetry | None = None) -> _Node:
    return below[0] if len(below) == 1 else _Node(kind, name, symmetry=symmetry, below=below)


def _copied(node: _Node, table: dict[int, int], motion: Symmetry, copy: int) -> _Node | None:
    """The same subtree at another copy, with the parts that have points there."""
    if not node.below:
        return _Node(node.kind, node.name, table[node.part], node.source) if node.part in table else None
    below = tuple(one for child in node.below if (one := _copied(child, table, motion, copy)) is not None)
    symmetry = None if node.symmetry is None else moved(node.symmetry, motion, copy)
    return _grouped(below, node.kind, node.name, symmetry) if below else None
