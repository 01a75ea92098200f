"""Interactive segmentation as a torchmetrics metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from partseg.metrics.functional.clicks import (
    area_under_clicks,
    filled_curves,
    iou_at_k,
    mean_over_categories,
    number_of_clicks,
)
from partseg.metrics.records import NumberedRecords, as_array, scalar


class ClickCurves(NumberedRecords):
    """IoU@k, NoC@target with a cap, and the area under the IoU-click curve (`partseg.metrics.functional.clicks`).

    Means are over the parts of a category, then over categories, as iSeg3D's. Exact on any number of processes.

    Args:
        clicks: length of the curves and the cap of NoC; iSeg3D's is 15.
        ks: numbers of clicks to report the IoU after.
        targets: IoU to count the clicks up to, in (0, 1].
    """

    higher_is_better = None

    def __init__(
        self,
        clicks: int = 15,
        ks: Sequence[int] = (1, 5, 10),
        targets: Sequence[float] = (0.8, 0.85, 0.9),
        **metric: Any,
    ) -> None:
        if clicks < 1 or not all(1 <= k <= clicks for k in ks) or not all(0 < t <= 1 for t in targets):
            raise ValueError(f"expected ks in 1..{clicks} and targets in (0, 1], not {list(ks)} and {list(targets)}")
        super().__init__(3 + clicks, **metric)
        self.clicks, self.ks, self.targets = clicks, tuple(ks), tuple(targets)

    def update(self, curves: Any, shape: int, category: int = 0) -> None:
        """Add the curves of one shape.

        Args:
            curves: (parts, clicks) IoU after each click, in a fixed order of parts; NaN after a session ended.
            shape: number of the shape in its data set; a shape given twice counts once.
            category: number of its category.
        """
        curves = as_array(curves)
        if curves.ndim != 2 or curves.shape[1] != self.clicks:
            raise ValueError(f"shape {shape}: curves must be (parts, {self.clicks}), not {curves.shape}")
        try:
            filled = filled_curves(curves)
        except ValueError as error:
            raise ValueError(f"shape {shape}: {error}") from error
        part = np.arange(len(filled), dtype=np.float64)[:, None]
        self.keep_of(shape, np.concatenate([np.full_like(part, category), part, filled], axis=1))

    def compute(self) -> dict[str, torch.Tensor]:
        """Scalars "iou@k" and "auc" (0..1), "noc@80" (clicks), "failed@80" (share never there); NaN when empty."""
        table = self.table()
        category, curves = table[:, 1].astype(np.int64), table[:, 3:]

        def mean(values: Float[np.ndarray, "parts"]) -> torch.Tensor:
            return scalar(mean_over_categories(values, category))

        out = {f"iou@{k}": mean(iou_at_k(curves, k)) for k in self.ks}
        for target in self.targets:
            needed = number_of_clicks(curves, target, self.clicks)
            out[f"noc@{100 * target:g}"] = mean(needed.clicks.astype(np.float64))
            out[f"failed@{100 * target:g}"] = mean((~needed.reached).astype(np.float64))
        return out | {"auc": mean(area_under_clicks(curves, self.clicks))}
