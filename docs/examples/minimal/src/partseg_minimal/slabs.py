"""Slabs: one class with one method."""

import numpy as np

from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.parts.segmentation import Segmentation
from partseg.parts.tree import renumber


class Slabs:
    """Cuts a shape into slabs along the longest side of its box."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        """Slabs that hold equally many elements; four of them unless `parts` says otherwise."""
        if level is not None:
            raise PartsegError(f"slabs have no level {level!r}")
        positions = shape.element_positions
        along = positions[:, np.ptp(positions, axis=0).argmax()]
        count = min(parts or 4, len(along))
        rank = np.empty(len(along), np.int64)
        rank[np.argsort(along, kind="stable")] = np.arange(len(along))
        return Segmentation(shape, renumber(rank * count // len(along)))
