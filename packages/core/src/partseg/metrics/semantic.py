"""Mean IoU of semantic parts as torchmetrics metrics, one class a published evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from partseg.metrics.functional import semantic as f
from partseg.metrics.records import ShapeRecords, as_array


class SemanticPartMeanIoU(ShapeRecords):
    """PartNet's part-category and shape mIoU, and the three versions of the fusion paper, of one label set.

    Definitions are in `partseg.metrics.functional.semantic`. Each `update` takes one shape. Exact on any number of
    processes.

    Args:
        classes: number of labels (of one category and level).
    """

    higher_is_better = True

    def __init__(self, classes: int, **metric: Any) -> None:
        super().__init__(3 * _positive(classes), **metric)
        self.classes = classes

    def update(self, pred: Any, true: Any, name: str = "") -> None:
        """Add one shape: (n,) integers, -1 for none; array or tensor. `name` is for errors."""
        self.keep(f.class_counts(as_array(pred), as_array(true), self.classes, name or "shape"))

    def compute(self) -> dict[str, torch.Tensor]:
        """float64 scalars by the names of the functions; NaN where undefined."""
        counts = _counts(self.table(), self.classes)
        functions = (
            f.partnet_part_miou,
            f.partnet_shape_miou,
            f.instance_fusion_miou_v1,
            f.instance_fusion_miou_v2,
            f.instance_fusion_miou_v3,
        )
        return self.scalars({function.__name__: function(counts) for function in functions})


class ShapeNetPartMeanIoU(ShapeRecords):
    """Instance-average and category-average mIoU of ShapeNetPart (see `partseg.metrics.functional.semantic`).

    Each `update` takes one shape. Exact on any number of processes.

    Args:
        classes: number of labels over all categories; 50 in ShapeNetPart.
        parts_of: labels of each category, by its name; 16 categories in ShapeNetPart.
    """

    higher_is_better = True

    def __init__(self, classes: int, parts_of: dict[str, Sequence[int]], **metric: Any) -> None:
        super().__init__(1 + 3 * _positive(classes), **metric)
        self.classes, self.categories = classes, tuple(parts_of)
        self.parts_of = tuple(tuple(parts) for parts in parts_of.values())

    def update(self, pred: Any, true: Any, category: str, name: str = "") -> None:
        """Add one shape of a category: (n,) integers, -1 for none; array or tensor. `name` is for errors."""
        if category not in self.categories:
            raise ValueError(f"{name or 'shape'}: unknown category {category!r}")
        counts = f.class_counts(as_array(pred), as_array(true), self.classes, name or "shape")
        self.keep(np.array([self.categories.index(category), *counts.ravel()]))

    def compute(self) -> dict[str, torch.Tensor]:
        """`instance`, `category`, and `category/<name>` for each: float64 scalars, NaN without shapes."""
        table = self.table()
        scores = f.shapenetpart_miou(_counts(table[:, 1:], self.classes), table[:, 0].astype(np.int64), self.parts_of)
        named = zip(self.categories, scores.by_category.tolist(), strict=True)
        averages = {"instance": scores.instance, "category": scores.category}
        return self.scalars(averages | {f"category/{name}": value for name, value in named})


class PartNetHierarchicalMeanIoU(ShapeRecords):
    """PartNet's hierarchical mIoU, pooled and per shape (see `partseg.metrics.functional.semantic`).

    Each `update` takes one shape. Exact on any number of processes.

    Args:
        parent: parent of each node of the category's template, -1 for roots.
    """

    higher_is_better = True

    def __init__(self, parent: Sequence[int], **metric: Any) -> None:
        super().__init__(3 * _positive(len(parent)), **metric)
        self.parent = np.array(parent, np.int64)

    def update(self, pred: Any, true: Any, name: str = "") -> None:
        """Add one shape: (n,) deepest predicted and true node of each point, -1 for none. `name` is for errors."""
        self.keep(f.partnet_hierarchical_counts(as_array(pred), as_array(true), self.parent, name or "shape"))

    def compute(self) -> dict[str, torch.Tensor]:
        """`part` and `shape`: float64 scalars, NaN without labelled points."""
        scores = f.partnet_hierarchical_miou(_counts(self.table(), len(self.parent)))
        return self.scalars({"part": scores.part, "shape": scores.shape})


def _counts(table: np.ndarray, classes: int) -> Int[np.ndarray, "s 3 c"]:
    return table.reshape(len(table), 3, classes).astype(np.int64)


def _positive(classes: int) -> int:
    if classes < 1:
        raise ValueError(f"expected at least one class, not {classes}")
    return classes
