"""Feature fields across shapes as torchmetrics metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from partseg.metrics.functional.averages import exact_mean
from partseg.metrics.functional.correspondence import (
    correspondence_accuracy,
    correspondence_errors,
    cosegmentation_iou,
)
from partseg.metrics.records import NumberedRecords, as_array, scalar


class CorrespondenceError(NumberedRecords):
    """Mean correspondence error and accuracy over pairs of shapes (`partseg.metrics.functional.correspondence`).

    Every pair counts alike, however many elements it has. Exact on any number of processes.

    Args:
        tolerances: of the accuracy, in longest sides of the target.
    """

    higher_is_better = None

    def __init__(self, tolerances: Sequence[float] = (0.05, 0.1), **metric: Any) -> None:
        super().__init__(2 + len(tolerances), **metric)
        self.tolerances = tuple(tolerances)

    def update(self, source: Any, target: Any, positions: Any, true: Any, pair: int) -> None:
        """Add one pair of shapes.

        Args:
            source: (n, d), target: (m, d) features. positions: (m, 3) of the target's elements.
            true: (n,) target element of each source element, -1 for none; at least one is known.
            pair: number of the pair; a pair given twice counts once.
        """
        try:
            errors = correspondence_errors(*(as_array(x) for x in (source, target, positions, true)))
            if not len(errors):
                raise ValueError("true holds no correspondent")
        except ValueError as error:
            raise ValueError(f"pair {pair}: {error}") from error
        shares = correspondence_accuracy(errors, np.array(self.tolerances, np.float64))
        self.keep_of(pair, np.array([[errors.mean(), *shares]]))

    def compute(self) -> dict[str, torch.Tensor]:
        """Scalars "error" (longest sides) and "accuracy@0.05" … (0..1); NaN before the first."""
        names = ["error", *(f"accuracy@{t:g}" for t in self.tolerances)]
        return {n: scalar(exact_mean(column)) for n, column in zip(names, self.table().T[1:], strict=True)}


class CosegmentationIoU(NumberedRecords):
    """Co-segmentation IoU and accuracy, means over sets (`partseg.metrics.functional.correspondence`).

    Exact on any number of processes: a set is scored where it is given, whole.
    """

    higher_is_better = True

    def __init__(self, **metric: Any) -> None:
        super().__init__(3, **metric)

    def update(self, pred: Any, true: Any, shape: Any, group: int) -> None:
        """Add one set of shapes.

        Args:
            pred, true: (n,) clusters and true parts of the elements of all its shapes, -1 for none.
            shape: (n,) number of the shape of each element.
            group: number of the set; a set given twice counts once.
        """
        try:
            found = cosegmentation_iou(as_array(pred), as_array(true), as_array(shape))
            if np.isnan(found.miou):
                raise ValueError("true holds no label")
        except ValueError as error:
            raise ValueError(f"set {group}: {error}") from error
        self.keep_of(group, np.array([[found.miou, found.accuracy]]))

    def compute(self) -> dict[str, torch.Tensor]:
        """Scalars "miou" and "accuracy", 0..1; NaN before the first."""
        names = ("miou", "accuracy")
        return {n: scalar(exact_mean(column)) for n, column in zip(names, self.table().T[1:], strict=True)}
