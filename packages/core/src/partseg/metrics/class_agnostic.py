"""Class-agnostic mean IoU as a torchmetrics metric, for validation loops and loggers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torchmetrics import Metric

from partseg.metrics.functional.class_agnostic import best_of_cuts_miou, class_agnostic_miou


class ClassAgnosticMeanIoU(Metric):
    """Mean over shapes of the class-agnostic mIoU (see `partseg.metrics.functional.class_agnostic`), 0..1.

    Each `update` scores one shape. A prediction is a label per element, or several decompositions (a merge tree, or a
    sequence of label vectors), of which the one that suits the truth best counts. Shapes whose truth holds no label
    are passed over.

    Args:
        min_parts, max_parts: range of cuts tried where several are on offer.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(self, min_parts: int = 1, max_parts: int = 20, **metric: Any) -> None:
        super().__init__(**metric)
        if not 1 <= min_parts <= max_parts:
            raise ValueError(f"expected 1 <= min_parts <= max_parts, not {min_parts} and {max_parts}")
        self.min_parts, self.max_parts = min_parts, max_parts
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("shapes", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, pred: Any, true: Any) -> None:
        """Score one shape.

        Args:
            pred: (n,) integer labels (array or tensor), a merge tree, or a sequence of (n,) label vectors.
            true: (n,) integer labels, -1 for none.
        """
        true = _numpy(true)
        if hasattr(pred, "children") and not isinstance(pred, torch.nn.Module):
            score = best_of_cuts_miou(pred, true, min_parts=self.min_parts, max_parts=self.max_parts)
        elif isinstance(pred, Sequence):
            cuts = [_numpy(labels) for labels in pred]
            score = best_of_cuts_miou(cuts, true, min_parts=self.min_parts, max_parts=self.max_parts)
        else:
            score = class_agnostic_miou(_numpy(pred), true)
        if not np.isnan(score):
            self.total += score
            self.shapes += 1

    def compute(self) -> torch.Tensor:
        """Mean over the shapes seen; NaN before the first."""
        return (self.total / self.shapes).to(torch.float32)


def _numpy(labels: Any) -> np.ndarray:
    return labels.detach().cpu().numpy() if isinstance(labels, torch.Tensor) else np.asarray(labels)
