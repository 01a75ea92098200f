"""Ward trees on what a face is made of: where it is, and which way it looks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from partseg.errors import InputError, PartsegError
from partseg.geometry.shape import Shape
from partseg.ops.ward import ward_tree
from partseg.parts.segmentation import Segmentation
from partseg_baselines.graph import connected_edges


class WardPosition:
    """Ward clustering of face centroids under face adjacency (or of points under nearest neighbours).

    The same tree as PartField builds, on positions in place of learned features: what compactness alone achieves.
    """

    name = "ward-position"

    def embed(self, shape: Shape) -> Float[np.ndarray, "n_elements d"]:
        """Features of the elements: the position, box centred, longest side 1.8. float32."""
        low, high = shape.bounds
        extent = float((high - low).max())
        scale = 1.8 / extent if extent > 0 else 1.0
        return ((shape.element_positions - (low + high) / 2) * scale).astype(np.float32)

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        """Build the tree and cut it at `parts` (default: `MergeTree.auto_parts`); the tree comes with the result."""
        if level is not None:
            raise PartsegError(f"{self.name} has no level {level!r}; ask for a number of parts")
        tree = ward_tree(self.embed(shape), connected_edges(shape))
        return Segmentation(shape, tree.cut(tree.auto_parts() if parts is None else parts), tree=tree)


class WardPositionNormal(WardPosition):
    """Ward clustering of position and unit normal, side by side.

    Args:
        normal_weight: length of a normal, in units where the shape's longest side is 1.8.
    """

    name = "ward-position-normal"

    def __init__(self, normal_weight: float = 0.1) -> None:
        if normal_weight < 0:
            raise ValueError(f"normal_weight must not be negative, not {normal_weight}")
        self.normal_weight = normal_weight

    def embed(self, shape: Shape) -> Float[np.ndarray, "n_elements d"]:
        """(n, 6) float32: the position, then the weighted normal.

        Raises:
            InputError: a cloud without normals.
        """
        normals = shape.face_normals if shape.is_mesh else shape.normals
        if normals is None:
            raise InputError(shape.name, "holds no normals", "use ward-position")
        return np.concatenate([super().embed(shape), (normals * self.normal_weight).astype(np.float32)], axis=1)
