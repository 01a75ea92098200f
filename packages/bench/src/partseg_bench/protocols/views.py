"""What the geometry-only protocols show of a shape, and how predictions travel back to its elements.

Neither the artist's connected components nor the tessellation may help a method there. So of a mesh it sees points that
are drawn uniformly by area, with the normals of the surface, and of a cloud its points in random order
(`partseg.ops.transfer`). On the way back each element takes what was said of the point nearest to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from partseg.geometry.shape import Shape
from partseg.ops.transfer import nearest_elements, without_topology
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.segmentation import Masks
from partseg.parts.tree import MergeTree, renumber
from partseg_bench.predictions import Prediction

POINTS = 20_000
"""Points drawn from a mesh; part of the version of the geometry-only protocols."""


@dataclass(frozen=True, eq=False)
class PointsView:
    """A shape without its topology.

    Attributes:
        cloud: what the method sees. source: (n,) the point that speaks for each element of the shape.
    """

    cloud: Shape
    source: Int[np.ndarray, "n"]

    @classmethod
    def of(cls, shape: Shape) -> PointsView:
        """The view of a shape; always the same for one shape."""
        cloud = without_topology(shape, "points", points=POINTS)
        return cls(cloud, nearest_elements(cloud, shape))

    def back(self, prediction: Prediction) -> Prediction:
        """A prediction of the points as one of the elements. Parts that none takes are gone from labels and trees."""
        p, source = prediction, self.source
        tree = None if p.tree is None else carried_tree(p.tree, source)
        masks = None if p.masks is None else carried_masks(p.masks, source)
        labels = p.labels[source]
        scores, classes = p.scores, p.semantic_id
        if masks is None:  # labels are renumbered, what is said of them goes along
            kept = np.unique(labels[labels >= 0])
            scores, classes = (None if x is None else x[kept] for x in (scores, classes))
            labels = np.where(labels >= 0, np.searchsorted(kept, labels), -1)
        hierarchy = p.part_tree
        if hierarchy is not None:
            hierarchy = carried_hierarchy(hierarchy, source).to_arrays()
        return Prediction(
            labels=labels.astype(np.int64),
            tree_children=None if tree is None else tree.children,
            tree_heights=None if tree is None else tree.heights,
            mask_indptr=None if masks is None else masks.indptr,
            mask_indices=None if masks is None else masks.indices,
            scores=scores,
            semantic_id=classes,
            classes=None if p.classes is None else p.classes[source],
            cuts=None if p.cuts is None else np.stack([renumber(cut[source]) for cut in p.cuts]),
            hierarchy=hierarchy,
        )


def carried_tree(tree: MergeTree, source: Int[np.ndarray, "f"]) -> MergeTree:
    """A tree over other elements, each of which stands where `source` stood.

    Elements of one source are merged first, below all other merges; leaves that are nobody's source drop out with their
    merges. So every cut of the result is a cut of `tree`, looked at from the new elements, or lies below all of them.
    """
    n = len(source)
    order = np.argsort(source, kind="stable")
    used, start = np.unique(source[order], return_index=True)
    node = dict(zip(used.tolist(), order[start].tolist(), strict=True))  # node of the new tree, by node of the old one
    children: list[tuple[int, int]] = []
    below = float(np.nextafter(tree.heights[0], -np.inf)) if len(tree.heights) else 0.0
    heights: list[float] = []
    for place in np.setdiff1d(np.arange(n), start).tolist():
        leaf = int(source[order[place]])
        children.append((node[leaf], int(order[place])))
        heights.append(below)
        node[leaf] = n + len(children) - 1
    for j, (a, b) in enumerate(tree.children.tolist()):
        x, y = node.pop(a, None), node.pop(b, None)
        if x is not None and y is not None:
            children.append((x, y))
            heights.append(float(tree.heights[j]))
            node[tree.n_leaves + j] = n + len(children) - 1
        elif x is not None or y is not None:
            node[tree.n_leaves + j] = y if x is None else x
    return MergeTree(np.array(children, np.int64).reshape(-1, 2), np.array(heights, np.float64))


def carried_masks(masks: Masks, source: Int[np.ndarray, "f"]) -> Masks:
    """Masks over other elements: each is in the masks that its source is in. Their number stays."""
    order = np.argsort(source, kind="stable")
    start = np.searchsorted(source[order], np.arange(masks.n_elements + 1))
    count = np.diff(start)[masks.indices]
    row = np.repeat(np.arange(len(masks)), np.diff(masks.indptr))
    first = np.repeat(start[masks.indices] - np.r_[0, np.cumsum(count)[:-1]], count) if len(count) else count
    member = order[first + np.arange(count.sum())]
    row = np.repeat(row, count)
    place = np.lexsort((member, row))
    return Masks(np.r_[0, np.cumsum(np.bincount(row, minlength=len(masks)))], member[place], len(source))


def carried_hierarchy(tree: PartHierarchy, source: Int[np.ndarray, "f"]) -> PartHierarchy:
    """A part tree over other elements, each of which is where its source is."""
    return replace(tree, leaf_of=tree.leaf_of[source])
