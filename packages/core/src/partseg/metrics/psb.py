"""The Princeton Segmentation Benchmark's scores as a torchmetrics metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from partseg.geometry.shape import Shape
from partseg.metrics.functional.mesh_segmentation import MeasuredMesh
from partseg.metrics.functional.psb import PSB_METRICS, psb_average, psb_scores
from partseg.metrics.records import ShapeRecords, as_array


class PrincetonBenchmarkScores(ShapeRecords):
    """Errors of mesh segmentations against several people's (see `partseg.metrics.functional.psb`).

    Each `update` scores one shape. Exact on any number of processes.

    Args:
        categories: names that `update` may give, such as `partseg.data.formats.psb.CATEGORIES`.
    """

    higher_is_better = False

    def __init__(self, categories: Sequence[str], **metric: Any) -> None:
        super().__init__(1 + len(PSB_METRICS), **metric)
        self.categories = tuple(categories)

    def update(
        self, segmentation: Any, humans: Sequence[Any], shape: Shape | MeasuredMesh, category: str, name: str = ""
    ) -> None:
        """Score one shape.

        Args:
            segmentation: (f,) integers from 0, array or tensor.
            humans: the human segmentations, alike.
            shape: the mesh, or its `measure_mesh`.
            category: one of `categories`.
            name: what to call the shape in errors.

        Raises:
            ValueError: an unknown category, or what `psb_scores` refuses.
        """
        if category not in self.categories:
            raise ValueError(f"{name or 'shape'}: unknown category {category!r}")
        people = [as_array(labels) for labels in humans]
        scores = psb_scores(as_array(segmentation), people, shape, name or "shape")
        self.keep(np.array([self.categories.index(category), *scores.values()]))

    def compute(self) -> dict[str, torch.Tensor]:
        """float64 scalars, NaN where undefined.

        `<metric>` is the mean over shapes, `categories/<metric>` the mean over categories that have shapes, and
        `<category>/<metric>` the mean over one category's shapes.
        """
        table = self.table()
        names = [self.categories[int(i)] for i in table[:, 0]]
        averages = psb_average([dict(zip(PSB_METRICS, row, strict=True)) for row in table[:, 1:].tolist()], names)
        groups = {"": averages.shapes, "categories/": averages.categories}
        groups |= {f"{category}/": scores for category, scores in averages.by_category.items()}
        return self.scalars(
            {f"{prefix}{metric}": x for prefix, scores in groups.items() for metric, x in scores.items()}
        )
