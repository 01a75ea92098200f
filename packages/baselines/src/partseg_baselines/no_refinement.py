"""The coarse cloud itself, as the row that refinement is compared with."""

from __future__ import annotations

from partseg.geometry.shape import Shape
from partseg.parts.segmentation import Segmentation


class NoRefinement:
    """Refines nothing."""

    def refine(self, shape: Shape, segmentation: Segmentation) -> Segmentation:
        """The segmentation that it is given."""
        return segmentation
