"""Part hierarchies and their symmetries as torchmetrics metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from partseg.errors import PartsegError
from partseg.metrics.functional.averages import exact_mean
from partseg.metrics.functional.hierarchy import (
    cluster_distance,
    depth_mious,
    node_match,
    symmetry_scores,
    tree_edit_distance,
)
from partseg.metrics.records import NumberedRecords, as_array, scalar
from partseg.parts.hierarchy import PartHierarchy


class HierarchyQuality(NumberedRecords):
    """Node-match F-scores, tree distances and mIoU by depth (`partseg.metrics.functional.hierarchy`).

    Means over shapes. Exact on any number of processes.

    Args:
        thresholds: IoU of the node matches, each in (0, 1].
        depths: deepest cut that is reported.
    """

    higher_is_better = None

    def __init__(self, thresholds: Sequence[float] = (0.25, 0.5, 0.75), depths: int = 4, **metric: Any) -> None:
        if not all(0 < t <= 1 for t in thresholds) or depths < 0:
            raise ValueError(f"expected thresholds in (0, 1] and depths >= 0, not {list(thresholds)} and {depths}")
        super().__init__(3 + 3 * len(thresholds) + depths, **metric)
        self.thresholds, self.depths = tuple(thresholds), depths

    def update(self, pred: PartHierarchy, true: PartHierarchy, shape: int) -> None:
        """Score one shape.

        Args:
            pred, true: over the same elements.
            shape: number of the shape in its data set; a shape given twice counts once.
        """
        try:
            matches = [node_match(pred, true, threshold) for threshold in self.thresholds]
            distances = [distance(pred, true).normalised for distance in (tree_edit_distance, cluster_distance)]
            depths = depth_mious(pred, true)[: self.depths]
        except (ValueError, PartsegError) as error:
            raise ValueError(f"shape {shape}: {error}") from error
        nodes = [value for match in matches for value in match[:3]]
        missing = [np.nan] * (self.depths - len(depths))  # the truth is not so deep
        self.keep_of(shape, np.array([[*distances, *nodes, *depths, *missing]]))

    def compute(self) -> dict[str, torch.Tensor]:
        """Scalars, 0..1: "edit" and "clusters" (0 is best), "precision@25", "recall@25", "f@25" …, and "miou@depth1" …

        A depth averages the shapes whose truth is so deep; NaN without any.
        """
        names = ["edit", "clusters"]
        for threshold in self.thresholds:
            names += [f"{what}@{100 * threshold:g}" for what in ("precision", "recall", "f")]
        names += [f"miou@depth{d + 1}" for d in range(self.depths)]
        columns = self.table().T[1:]
        return {name: scalar(exact_mean(column)) for name, column in zip(names, columns, strict=True)}


class SymmetryQuality(NumberedRecords):
    """Types and parameters of symmetries on matched nodes (`partseg.metrics.functional.hierarchy.symmetry_scores`).

    Over all symmetry nodes of all shapes alike. Exact on any number of processes.

    Args:
        threshold: IoU from which on nodes match, in (0, 1].
    """

    higher_is_better = None

    def __init__(self, threshold: float = 0.5, **metric: Any) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must be an IoU in (0, 1], not {threshold}")
        super().__init__(10, **metric)
        self.threshold = threshold

    def update(self, pred: PartHierarchy, true: PartHierarchy, positions: Any, shape: int) -> None:
        """Score one shape.

        Args:
            pred, true: over the same elements. positions: (n, 3) of the elements.
            shape: number of the shape in its data set; a shape given twice counts once.
        """
        try:
            found = symmetry_scores(pred, true, as_array(positions), self.threshold)
        except (ValueError, PartsegError) as error:
            raise ValueError(f"shape {shape}: {error}") from error
        counts = [found.true_nodes, found.pred_nodes, found.matched, found.correct]
        rows = [[-1.0, *counts, *[np.nan] * 4]]
        errors = zip(found.angle, found.offset, found.fold, found.step, strict=True)
        rows += [[float(i), *[0.0] * 4, *error] for i, error in enumerate(errors)]
        self.keep_of(shape, np.array(rows))

    def compute(self) -> dict[str, torch.Tensor]:
        """Scalars: "type_accuracy", "type_precision", "matched" (0..1), and mean "angle", "offset", "fold", "step"."""
        table = self.table()
        true, pred, matched, correct = table[table[:, 1] < 0, 2:6].sum(0)

        def share(part: float, whole: float) -> torch.Tensor:
            return scalar(part / whole if whole else float("nan"))

        out = {
            "type_accuracy": share(correct, true),
            "type_precision": share(correct, pred),
            "matched": share(matched, true),
        }
        errors = table[table[:, 1] >= 0, 6:].T
        names = ("angle", "offset", "fold", "step")
        return out | {name: scalar(exact_mean(column)) for name, column in zip(names, errors, strict=True)}
