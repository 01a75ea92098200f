"""Batches as the network reads them: dense clouds in a cube, and the trees to learn."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from partseg.data.batch import PartBatch
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.ops.normals import estimate_normals
from partseg.parts.construction import symmetry_hierarchy
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.templates import Template, random_hierarchy, template_hierarchy
from partseg_recursive_partnet.config import DataConfig, NetworkConfig
from partseg_recursive_partnet.order import in_canonical_order
from partseg_recursive_partnet.targets import Tree, Trees

_KEPT = 20_000  # trees in memory, a few kB each


class DenseBatch(NamedTuple):
    """b shapes of n rows each.

    Attributes:
        cloud: (b, n, 3 or 6) positions with the box's centre at the origin and its longest side 1, and normals.
        sizes: (b,) int64; rows from there on repeat the shape's points.
        trees: to learn, None where there are no labels.
    """

    cloud: Float[Tensor, "b n c"]
    sizes: Int[Tensor, "b"]
    trees: Trees | None


class TreeMaker:
    """Trees of the shapes of a batch. Building one by the symmetry rule takes about 0.1 s, so they are kept: by a
    shape's labels, and where parameters are learned by its points too, so that augmentation makes them anew.

    Args:
        data, network: of the config.
    """

    def __init__(self, data: DataConfig, network: NetworkConfig) -> None:
        self.data, self.network = data, network
        self._kept: OrderedDict[bytes, Tree] = OrderedDict()

    def dense(self, batch: PartBatch, *, labelled: bool = True) -> DenseBatch:
        """Clouds (and trees) of a batch, on its device.

        Args:
            batch: its surface points are taken; of a shape with more points than `data.points` evenly spaced rows.
            labelled: make trees too.

        Raises:
            PartsegError: no labels of the configured level, or a shape without points.
        """
        if batch.surface is not None and not bool(batch.surface.all()):
            batch = batch.selected(batch.surface)
        sizes = batch.ptr.diff()
        if bool((sizes == 0).any()):
            raise PartsegError("a shape without points cannot be trained on")
        kept = sizes.clamp(max=self.data.points)
        turn = torch.arange(int(kept.max()), device=sizes.device)
        within = (turn[None] % kept[:, None]) * sizes[:, None] // kept[:, None]
        rows = batch.ptr[:-1, None] + within
        cloud, centre, side = in_cube(batch.points[rows])
        if self.network.normals:
            cloud = torch.cat([cloud, self._normals(batch, cloud, rows, kept)], dim=2)
        if not labelled:
            return DenseBatch(cloud, kept, None)
        level = self._level(batch)
        frames = list(zip(side.flatten().tolist(), centre[:, 0].tolist(), strict=True))
        trees = [
            self._tree(batch, i, level, cloud[i, :n].detach().cpu(), rows[i, :n].cpu(), frames[i])
            for i, n in enumerate(kept.tolist())
        ]
        offsets = range(0, rows.numel(), rows.shape[1])
        return DenseBatch(cloud, kept, Trees.pack(trees, list(offsets)).to(cloud.device))

    def _normals(
        self, batch: PartBatch, cloud: Float[Tensor, "b n 3"], rows: Int[Tensor, "b n"], sizes: Int[Tensor, "b"]
    ) -> Float[Tensor, "b n 3"]:
        if batch.normals is not None:
            return batch.normals[rows]
        out = torch.zeros_like(cloud)
        for i, n in enumerate(sizes.tolist()):
            found = torch.from_numpy(estimate_normals(cloud[i, :n].cpu().numpy())).to(cloud)
            out[i] = found[torch.arange(cloud.shape[1]) % n]
        return out

    def _level(self, batch: PartBatch) -> str:
        level = self.data.level
        if not batch.labels or (level is not None and level not in batch.labels):
            found = ", ".join(batch.labels) or "none"
            raise PartsegError(f"the data has labels of {found}, not of level {level!r}; set data.level of the config")
        return list(batch.labels)[-1] if level is None else level

    def _tree(
        self,
        batch: PartBatch,
        i: int,
        level: str,
        cloud: Float[Tensor, "n c"],
        rows: Int[Tensor, "n"],
        frame: tuple[float, list[float]],
    ) -> Tree:
        """The tree of shape i, its symmetries in the cube's coordinates; `frame` is its longest side and centre."""
        labels = batch.labels[level].cpu()[rows].numpy()
        if self.data.hierarchy == "given" and batch.hierarchies:
            given = batch.hierarchies[i].over((rows - int(batch.ptr[i])).numpy())
            given = replace(given, symmetry=tuple(s and s.scaled(*_inverse(*frame)) for s in given.symmetry))
            return Tree.of(given, self.network.symmetry, self.network.copies)
        classes = None
        if self.network.classes:
            if level not in batch.semantics:
                raise PartsegError(f"the data has no classes of level {level!r}; set network.classes to 0")
            classes = batch.semantics[level].cpu()[rows].numpy()
            if (top := classes.max(initial=-1)) >= self.network.classes:
                raise PartsegError(f"level {level!r} has a class {top}, but network.classes is {self.network.classes}")
        digest = hashlib.blake2b(labels.tobytes(), digest_size=16)
        digest.update(b"" if classes is None else classes.tobytes())
        if self.network.symmetry == "parameters":  # types outlast augmentation, parameters do not
            digest.update(cloud.numpy().tobytes())
        key = digest.digest()
        tree = self._kept.get(key)
        if tree is None:
            hierarchy = self._hierarchy(cloud, labels, classes, int.from_bytes(key[:8], "little"))
            hierarchy = in_canonical_order(hierarchy, cloud[:, :3].numpy())
            tree = Tree.of(hierarchy, self.network.symmetry, self.network.copies)
            self._kept[key] = tree
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return tree

    def _hierarchy(
        self,
        cloud: Float[Tensor, "n c"],
        labels: Int[np.ndarray, "n"],
        classes: Int[np.ndarray, "n"] | None,
        seed: int,
    ) -> PartHierarchy:
        held, numbers = np.unique(labels, return_inverse=True)
        numbers = numbers - int(held[0] < 0)  # -1 stays unlabelled
        if numbers.max(initial=-1) < 0:
            return PartHierarchy.from_labels(numbers)
        if self.data.hierarchy == "random":
            tree = random_hierarchy(numbers, seed)
        elif self.data.hierarchy == "template" and classes is not None:
            template = _halved(0, self.network.classes) if self.data.template is None else _tuples(self.data.template)
            return template_hierarchy(numbers, classes, template)
        else:
            points = cloud.numpy()
            normals = points[:, 3:] if points.shape[1] > 3 else None
            tree = symmetry_hierarchy(Shape.from_points(points[:, :3], normals=normals), numbers)
        if classes is None:
            return tree
        semantic = np.full(tree.n_parts, -1, np.int64)
        semantic[tree.leaf_of[numbers >= 0]] = classes[numbers >= 0]
        return PartHierarchy.build(
            tree.parent, tree.leaf_of, tree.name, semantic_id=semantic, kind=tree.kind, symmetry=tree.symmetry
        )  # fmt: skip


def in_cube(
    points: Float[Tensor, "b n 3"],
) -> tuple[Float[Tensor, "b n 3"], Float[Tensor, "b 1 3"], Float[Tensor, "b 1 1"]]:
    """Box centre to the origin, longest side to 1, as the release does; and the centre and the side.

    A cloud of one position is only centred; its side is 1.
    """
    low, high = points.amin(dim=1, keepdim=True), points.amax(dim=1, keepdim=True)
    side = (high - low).amax(dim=2, keepdim=True)
    side, centre = torch.where(side > 0, side, torch.ones_like(side)), (low + high) / 2
    return (points - centre) / side, centre, side


def _inverse(scale: float, offset: list[float]) -> tuple[float, list[float]]:
    """Of xyz * scale + offset."""
    return 1 / scale, [-x / scale for x in offset]


def _halved(first: int, stop: int) -> Template:
    """A balanced tree over consecutive classes."""
    if stop - first == 1:
        return first
    half = (first + stop + 1) // 2
    return _halved(first, half), _halved(half, stop)


def _tuples(template: object) -> Template:
    """Nested lists, as a file has them, as tuples."""
    return tuple(_tuples(part) for part in template) if isinstance(template, list | tuple) else template
