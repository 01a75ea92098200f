"""What metrics of one record a shape have in common: a state that any number of processes can share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Num
from torchmetrics import Metric


class ShapeRecords(Metric):
    """Keeps one float64 record for each shape; `compute` sees them all as rows of a table.

    Records are gathered, never summed, across processes. Their order then differs from that of one process, so what
    is computed from them must not depend on it (`partseg.metrics.functional.averages.exact_mean`). A process that saw
    no shape takes part.

    Args:
        width: numbers in a record. Counts are exact up to 2 ** 53.
    """

    is_differentiable = False
    full_state_update = False
    records: list[torch.Tensor]

    def __init__(self, width: int, **metric: Any) -> None:
        super().__init__(**metric)
        self.width = width
        self.add_state("records", [], dist_reduce_fx="cat")
        self.set_dtype(torch.float64)  # the type, and flat records the shape, of what an empty process sends

    def keep(self, record: Num[np.ndarray, "..."]) -> None:
        """Add the record of one shape: `width` numbers in any shape."""
        flat = np.asarray(record, np.float64).reshape(self.width)
        self.records.append(torch.from_numpy(flat.copy()).to(self.device))

    def table(self) -> Float[np.ndarray, "shapes width"]:
        """The records of all shapes."""
        records = self.records if isinstance(self.records, torch.Tensor) else torch.cat([torch.empty(0), *self.records])
        return records.detach().cpu().to(torch.float64).numpy().reshape(-1, self.width)

    def scalars(self, values: Mapping[str, float]) -> dict[str, torch.Tensor]:
        """What `compute` returns: float64 scalars on the metric's device."""
        return {name: torch.tensor(value, dtype=torch.float64, device=self.device) for name, value in values.items()}


def as_array(values: Any) -> np.ndarray:
    """An array of a tensor (on any device) or of anything NumPy understands."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
