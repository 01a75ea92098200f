"""Object proposals as a torchmetrics metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from partseg.metrics.functional.averages import exact_mean
from partseg.metrics.functional.proposals import box_ious, chamfer_distance, gspn_box_miou, proposal_recall
from partseg.metrics.records import NumberedRecords, as_array, scalar


class BoxProposals(NumberedRecords):
    """Mean IoU of the boxes proposed at seeds, and recall of the true boxes (`partseg.metrics.functional.proposals`).

    Means are over all seeds, and over all true boxes, of all shapes. Exact on any number of processes.

    Args:
        thresholds: IoU of the recall, each in (0, 1].
    """

    higher_is_better = True

    def __init__(self, thresholds: Sequence[float] = (0.25, 0.5, 0.75), **metric: Any) -> None:
        if not thresholds or not all(0 < t <= 1 for t in thresholds):
            raise ValueError(f"thresholds must lie in (0, 1], not {list(thresholds)}")
        super().__init__(6 + len(thresholds), **metric)
        self.thresholds = tuple(thresholds)

    def update(self, pred: Any, true: Any, of_seed: Any, shape: int) -> None:
        """Add one shape or scene.

        Args:
            pred: (s, 2, 3) low and high corners of the box proposed at each seed.
            true: (t, 2, 3) boxes of the true objects.
            of_seed: (s,) integers, the true object that each seed lies on; -1 for the background, whose proposals count
                for recall only.
            shape: number of the shape in its data set; a shape given twice counts once.
        """
        pred, true, of_seed = as_array(pred), as_array(true), as_array(of_seed)
        if of_seed.shape != (len(pred),) or of_seed.dtype.kind not in "iu":
            raise ValueError(f"shape {shape}: of_seed must be ({len(pred)},) integers, not {of_seed.dtype}")
        if len(of_seed) and not -1 <= of_seed.min() <= of_seed.max() < len(true):
            raise ValueError(f"shape {shape}: of_seed names objects {of_seed.min()}..{of_seed.max()} of {len(true)}")
        try:
            recall = proposal_recall(box_ious(pred, true), self.thresholds)
            lies = of_seed >= 0
            miou = gspn_box_miou(pred[lies], true[of_seed[lies]])
        except ValueError as error:
            raise ValueError(f"shape {shape}: {error}") from error
        seeds, objects = int(lies.sum()), len(true)
        counts = [seeds, np.nan_to_num(miou) * seeds, objects, len(pred), 1.0]
        self.keep_of(shape, np.array([[*counts, *(np.nan_to_num(recall) * objects)]]))

    def compute(self) -> dict[str, torch.Tensor]:
        """Scalars "box_miou" and "recall@25" … (0..1; NaN without seeds or objects), "proposals" (mean a shape)."""
        table = self.table()
        total = [math.fsum(column) for column in table.T]

        def share(part: float, whole: float) -> torch.Tensor:
            return scalar(part / whole if whole else float("nan"))

        out = {"box_miou": share(total[2], total[1]), "proposals": share(total[4], total[5])}
        names = [f"recall@{100 * threshold:g}" for threshold in self.thresholds]
        return out | {name: share(hits, total[3]) for name, hits in zip(names, total[6:], strict=True)}


class ChamferDistance(NumberedRecords):
    """Mean over generated objects of their chamfer distance (`partseg.metrics.functional.proposals.chamfer_distance`).

    Exact on any number of processes.

    Args:
        squared: average squares of distances.
    """

    higher_is_better = False

    def __init__(self, squared: bool = False, **metric: Any) -> None:
        super().__init__(4, **metric)
        self.squared = squared

    def update(self, pred: Any, true: Any, shape: int, number: int = 0) -> None:
        """Add one generated object.

        Args:
            pred: (p, 3) generated points. true: (t, 3) points of the true object; at least one each.
            shape: number of the shape in its data set. number: of the object in it; an object given twice counts once.
        """
        try:
            found = chamfer_distance(as_array(pred), as_array(true), squared=self.squared)
        except ValueError as error:
            raise ValueError(f"shape {shape}, object {number}: {error}") from error
        self.keep_of(shape, np.array([[float(number), found.forward, found.backward]]))

    def compute(self) -> dict[str, torch.Tensor]:
        """Scalars "forward" (generated to true), "backward", their "sum" and their "mean"; NaN before the first."""
        forward, backward = (exact_mean(column) for column in self.table().T[2:])
        both = forward + backward
        values = {"forward": forward, "backward": backward, "sum": both, "mean": both / 2}
        return {name: scalar(value) for name, value in values.items()}
