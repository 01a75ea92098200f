"""Recursive PartNet with trained weights: the parts of a shape and their hierarchy, without what training takes."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Int

from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.pretrained import Pretrained
from partseg.ops.normals import estimate_normals
from partseg.ops.transfer import carry_labels
from partseg.parts.hierarchy import PartHierarchy, Symmetry
from partseg.parts.segmentation import Segmentation
from partseg.spec import MethodSpec
from partseg_recursive_partnet.batches import in_cube
from partseg_recursive_partnet.config import RecursivePartNetConfig
from partseg_recursive_partnet.hierarchy import Parts, parts_of
from partseg_recursive_partnet.model import RecursivePartNet
from partseg_recursive_partnet.recursion import decompose
from partseg_recursive_partnet.spec import SPEC

_log = logging.getLogger(__name__)


class RecursivePartNetSegmenter(Pretrained):
    """What `load_method("recursive-partnet")` gives. `config` is the whole truth."""

    spec: ClassVar[MethodSpec] = SPEC
    config_class: ClassVar[type[RecursivePartNetConfig]] = RecursivePartNetConfig
    config: RecursivePartNetConfig

    def __init__(self, config: RecursivePartNetConfig = RecursivePartNetConfig()) -> None:  # noqa: B008 (frozen)
        super().__init__(config)
        self.model = RecursivePartNet(config.network)

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        """Parts of a shape, with their binary hierarchy.

        Args:
            shape: `inference.points` points of it are read, with normals; a cloud without normals gets estimated ones.
                Triangles and points that are not read take the part of those that are (`carry_labels`).
            parts: at most so many: a cut of the hierarchy that splits the shallowest nodes first.
            level: None; it has no named levels.

        Returns:
            Labels of the leaves, or of the nodes of the cut. The hierarchy says of each node what it is, and how its
            children repeat where that was predicted. With a semantic head, classes too.

        Raises:
            PartsegError: a level, or fewer than one part.
        """
        if level is not None:
            raise PartsegError(f"{self.spec.name} has no level {level!r}; ask for a number of parts")
        if parts is not None and parts < 1:
            raise PartsegError(f"parts must be at least 1, not {parts}")
        sample = shape.normalized().sampled(self.config.inference.points, self.seed)
        found = self.decompose(sample)
        hierarchy = _over(found.hierarchy, carry_labels(shape, sample, found.labels))
        hierarchy = replace(hierarchy, symmetry=tuple(s and _in_frame(s, sample, shape) for s in hierarchy.symmetry))
        labels = hierarchy.cut(**({"depth": hierarchy.n_parts} if parts is None else {"parts": parts}))
        classes = None
        if found.classes is not None:
            classes = _most_frequent(labels, hierarchy.semantic_id[hierarchy.leaf_of])
        return Segmentation(shape, labels, semantic_id=classes).with_hierarchy(hierarchy)

    def decompose(self, sample: Shape) -> Parts:
        """Parts of the sample points themselves, symmetries in their coordinates."""
        points = torch.tensor(sample.points, dtype=torch.float32)
        cloud, centre, side = in_cube(points[None])
        if self.config.network.normals:
            normals = estimate_normals(sample.points) if sample.normals is None else sample.normals
            cloud = torch.cat([cloud, torch.tensor(normals, dtype=torch.float32)[None]], dim=2)
        training, options = self.training, self.config.inference
        self.eval()
        try:
            cloud = cloud.to(next(self.parameters()).device)
            found = decompose(self.model, cloud, min_points=options.min_points, max_depth=options.max_depth)
        finally:
            self.train(training)
        if found.cut:
            _log.warning("%s: nodes at depth %d were not taken apart", sample.name, options.max_depth)
        parts = parts_of(found, cloud.cpu().numpy(), [cloud.shape[1]])[0]
        scale, offset = float(side), centre[0, 0].tolist()
        tree = replace(
            parts.hierarchy, symmetry=tuple(s and s.scaled(scale, offset) for s in parts.hierarchy.symmetry)
        )  # fmt: skip
        return replace(parts, hierarchy=tree)


def _in_frame(symmetry: Symmetry, sample: Shape, shape: Shape) -> Symmetry:
    """From the coordinates of the sample to those of the shape; both lead to one file's."""
    here, there = sample.transform, shape.transform
    offset = (np.asarray(here.offset) - np.asarray(there.offset)) / there.scale
    return symmetry.scaled(here.scale / there.scale, offset)


def _over(tree: PartHierarchy, of_element: Int[np.ndarray, "n"]) -> PartHierarchy:
    """The hierarchy of a sample over the elements, given each one's leaf by number; parts without any are left out."""
    leaf_of = tree.leaves[of_element]
    size = np.bincount(leaf_of, minlength=tree.n_parts)
    for node in range(tree.n_parts - 1, 0, -1):  # children come after parents
        size[tree.parent[node]] += size[node]
    below = np.bincount(tree.parent[1:][size[1:] > 0], minlength=tree.n_parts)
    kept = (size > 0) & (below != 1)  # a node with one child left is that child
    number, new = np.full(tree.n_parts, -1), np.cumsum(kept) - 1
    parent, above = [], np.full(tree.n_parts, -1)
    for node in range(tree.n_parts):
        over = tree.parent[node]
        above[node] = -1 if over < 0 else (number[over] if kept[over] else above[over])
        if kept[node]:
            number[node] = new[node]
            parent.append(above[node])
    pick = lambda rows: [rows[i] for i in np.flatnonzero(kept)]  # noqa: E731
    return PartHierarchy.build(
        parent, number[leaf_of], pick(tree.name), pick(tree.semantic_id), None, pick(tree.kind), pick(tree.symmetry)
    )  # fmt: skip


def _most_frequent(labels: Int[np.ndarray, "n"], classes: Int[np.ndarray, "n"]) -> Int[np.ndarray, "k"]:
    """The class that most elements of each part have, the lowest on a tie."""
    count = np.zeros((int(labels.max()) + 1, int(classes.max()) + 1), np.int64)
    np.add.at(count, (labels, classes), 1)
    return count.argmax(1)
