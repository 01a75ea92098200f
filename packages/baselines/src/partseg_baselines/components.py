"""Connected components: what a mesh's own pieces already give away."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from scipy.spatial import cKDTree

from partseg.errors import PartsegError
from partseg.geometry.adjacency import connected_components
from partseg.geometry.shape import Shape
from partseg.parts.segmentation import Segmentation
from partseg.parts.tree import renumber
from partseg_baselines.graph import element_edges


class ConnectedComponents:
    """One part for each connected piece of the surface; a single closed surface is one part.

    Never splits a piece, so there is no part tree and `parts` is only an upper bound.
    """

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        """Label the pieces of a shape.

        Args:
            shape: a mesh, or a cloud (pieces of its eight-nearest-neighbours graph).
            parts: keep the `parts` largest pieces (by elements) and give every smaller one to the kept piece whose
                centroid is nearest; None keeps them all.
            level: this method has no named levels.
        """
        if level is not None:
            raise PartsegError(f"connected-components has no level {level!r}; it has none")
        labels = connected_components(element_edges(shape), shape.n_elements).astype(np.int64)
        if parts is not None:
            labels = keep_largest(labels, shape, max(1, parts))
        return Segmentation(shape, renumber(labels))


def keep_largest(labels: Int[np.ndarray, "n"], shape: Shape, parts: int) -> Int[np.ndarray, "n"]:
    """Labels 0…k-1 with all but the `parts` largest given to the kept one whose centroid is nearest."""
    size = np.bincount(labels)
    if len(size) <= parts:
        return labels
    position = shape.element_positions
    centre = np.stack([np.bincount(labels, position[:, axis]) for axis in range(3)], axis=1) / size[:, None]
    kept = np.sort(np.argsort(-size, kind="stable")[:parts])
    _, nearest = cKDTree(centre[kept]).query(centre)
    target = kept[nearest]
    target[kept] = kept
    return target[labels]
