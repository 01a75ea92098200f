"""Parts and hierarchies of a training batch: what the refiner is given, and the nodes it is compared at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partseg.data.batch import PartBatch
from partseg.errors import PartsegError
from partseg.parts.hierarchy import PartHierarchy
from partseg_recursive_partnet.batches import in_cube
from partseg_recursive_partnet.refinement.config import RefinerDataConfig
from partseg_recursive_partnet.targets import Tree, Trees


@dataclass(frozen=True, eq=False)
class Nodes:
    """m nodes of the hierarchies of b shapes, over l refined parts and n fine points.

    Attributes:
        count: m. shapes: b. shape: (m,) int64, of each node.
        above: (l, d) int64, the node at each depth above a part, itself the last; -1 below it.
        true_above: (n, d) int64, the same of fine points; -1 everywhere for points of no part.
        parts: (b, p) int64 parts of each shape, filled up with any; parts_real: which are meant.
        true_rows: (b, t) int64 fine points of each shape, those of a part next to one another; true_real: which are in
            a part, and no repetitions.
        true_runs: of the fine points so ordered, end to end: where the points of another part or shape begin, and how
            many each has.
    """

    count: int
    shapes: int
    shape: Int[Tensor, "m"]
    above: Int[Tensor, "l d"]
    true_above: Int[Tensor, "n d"]
    parts: Int[Tensor, "b p"]
    parts_real: Bool[Tensor, "b p"]
    true_rows: Int[Tensor, "b t"]
    true_real: Bool[Tensor, "b t"]
    true_runs: tuple[Int[Tensor, "r"], Int[Tensor, "r"]]

    def leaf_rows(self, k: int) -> Int[Tensor, "b pk"]:
        """Rows of the refined points of each shape, k a part."""
        return (self.parts[:, :, None] * k + torch.arange(k, device=self.parts.device)).flatten(1)

    @property
    def live(self) -> Int[Tensor, "v"]:
        """Nodes that have a refined part and a true point."""
        has = lambda above: torch.bincount(above[above >= 0], minlength=self.count) > 0  # noqa: E731
        return torch.nonzero(has(self.above) & has(self.true_above))[:, 0]

    def draw(self, count: int, k: int, generator: torch.Generator) -> tuple[Int[Tensor, "v s"], Int[Tensor, "v s"]]:
        """Rows of refined and of fine points of each live node, `count` of each, evenly spaced from a random start."""
        nodes = self.live
        start = torch.rand(2, len(nodes), 1, generator=generator).to(nodes.device)
        part, within = _spread(self.above, nodes, count, start[0], k)
        return part * k + within, _spread(self.true_above, nodes, count, start[1])[0]


def _spread(
    above: Int[Tensor, "n d"], nodes: Int[Tensor, "v"], count: int, start: Float[Tensor, "v 1"], each: int = 1
) -> tuple[Int[Tensor, "v s"], Int[Tensor, "v s"]]:
    """Evenly spaced places among the rows of a node, each of which counts `each` times: row, and which time."""
    node, row = above.flatten(), torch.arange(above.numel(), device=above.device) // above.shape[1]
    order = node.argsort(stable=True)
    size = torch.bincount(node[node >= 0], minlength=int(nodes.max()) + 1)
    first = (node < 0).sum() + size.cumsum(0) - size
    place = ((torch.arange(count, device=above.device) + start) * (size[nodes] * each)[:, None] / count).long()
    place = torch.minimum(place, (size[nodes] * each - 1)[:, None])
    return row[order[first[nodes][:, None] + place // each]], place % each


@dataclass(frozen=True, eq=False)
class TrueParts:
    """Fine clouds of b shapes, n rows each, with their parts.

    Attributes:
        cloud: (b, n, 3) in cubes. sizes: (b,) rows from there on repeat the shape's points.
        leaf: (b, n) int64 leaf node of each row, -1 for points of no part.
        trees: of all of them.
    """

    cloud: Float[Tensor, "b n 3"]
    sizes: Int[Tensor, "b"]
    leaf: Int[Tensor, "b n"]
    trees: Trees

    @classmethod
    def of(cls, batch: PartBatch, config: RefinerDataConfig) -> TrueParts:
        """Parts and trees of a batch: its own hierarchies where it has them, else parts of a level, halved in order.

        Raises:
            PartsegError: no labels of the configured level, or a shape without points.
        """
        if batch.surface is not None and not bool(batch.surface.all()):
            batch = batch.selected(batch.surface)
        sizes = batch.ptr.diff()
        if bool((sizes == 0).any()):
            raise PartsegError("a shape without points cannot be refined")
        level = config.level or next(reversed(batch.labels), None)
        if level not in batch.labels:
            found = ", ".join(batch.labels) or "none"
            raise PartsegError(f"the data has labels of {found}, not of level {level!r}; set data.level of the config")
        kept = sizes.clamp(max=config.points)
        turn = torch.arange(int(kept.max()), device=sizes.device)
        within = turn[None] % kept[:, None]
        rows = batch.ptr[:-1, None] + within * sizes[:, None] // kept[:, None]
        given = batch.hierarchies if config.level is None else ()
        trees = []
        for i, n in enumerate(kept.tolist()):
            own = rows[i, :n]
            if given:
                tree = given[i].over((own - batch.ptr[i]).cpu().numpy())
                # without symmetries every part is a leaf: nothing stands for its copies
                trees.append(Tree.of(replace(tree, symmetry=(None,) * tree.n_parts)))
            else:
                held, numbers = np.unique(batch.labels[level][own].cpu().numpy(), return_inverse=True)
                trees.append(Tree.of(PartHierarchy.from_labels(numbers - int(held[0] < 0))))
        packed = Trees.pack(trees, list(range(0, rows.numel(), rows.shape[1]))).to(rows.device)
        leaf = torch.full((rows.numel(),), -1, device=rows.device)
        leaf[packed.point[packed.ends]] = packed.node[packed.ends]
        leaf = torch.gather(leaf.view(rows.shape), 1, within)
        return cls(in_cube(batch.points[rows])[0], kept, leaf, packed)

    def nodes(self, leaves: Int[Tensor, "l"]) -> Nodes:
        """The nodes over the parts that are refined, given by their leaf nodes in order of their shapes."""
        trees, (b, n) = self.trees, self.leaf.shape
        above = _above(trees)
        count = torch.bincount(trees.shape[leaves], minlength=b)
        place = torch.arange(max(int(count.max()), 1), device=leaves.device)
        once = torch.arange(n, device=leaves.device)[None] < self.sizes[:, None]
        leaf = self.leaf.masked_fill(~once, -1)
        flat, order = leaf.flatten(), leaf.argsort(dim=1, stable=True)
        part = torch.gather(leaf, 1, order) + (len(trees) + 1) * torch.arange(b, device=leaf.device)[:, None]
        lengths = part.flatten().unique_consecutive(return_counts=True)[1]
        return Nodes(
            count=len(trees),
            shapes=b,
            shape=trees.shape,
            above=above[leaves],
            true_above=above[flat.clamp(min=0)].masked_fill((flat < 0)[:, None], -1),
            parts=((count.cumsum(0) - count)[:, None] + place).clamp(max=len(leaves) - 1),
            parts_real=place[None] < count[:, None],
            true_rows=order + n * torch.arange(b, device=leaf.device)[:, None],
            true_real=torch.gather(leaf, 1, order) >= 0,
            true_runs=(lengths.cumsum(0) - lengths, lengths),
        )


def _above(trees: Trees) -> Int[Tensor, "m d"]:
    """The node at each depth above a node, itself the last; -1 below it."""
    out = torch.full((len(trees), len(trees.levels) - 1), -1, device=trees.parent.device)
    for depth, (a, b) in enumerate(zip(trees.levels[:-1], trees.levels[1:], strict=True)):
        if depth:
            out[a:b] = out[trees.parent[a:b]]
        out[a:b, depth] = torch.arange(a, b, device=out.device)
    return out
