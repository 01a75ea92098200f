"""Metrics whose state is a small record of each shape, the same from one process as from several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class RecordMetric(Metric):
    """Keeps columns of records; processes put theirs together by concatenation.

    Args:
        columns: name -> (width, or None for a vector; data type). A column is a list of tensors of that form.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(self, columns: Mapping[str, tuple[tuple[int, ...], torch.dtype]], **metric: Any) -> None:
        super().__init__(**metric)
        self._columns = dict(columns)
        for name in self._columns:
            self.add_state(name, [], dist_reduce_fx="cat")
        self._start()

    def _start(self) -> None:
        """An empty row each: a process that saw no shape must still say what its columns are."""
        for name, (width, dtype) in self._columns.items():
            getattr(self, name).append(torch.zeros((0, *width), dtype=dtype, device=self.device))

    def reset(self) -> None:
        """Forget all shapes."""
        super().reset()
        self._start()

    def append(self, values: Sequence[np.ndarray]) -> None:
        """Add rows to each column, in the order in which the columns were named."""
        for (name, (_, dtype)), column in zip(self._columns.items(), values, strict=True):
            getattr(self, name).append(torch.as_tensor(column).to(self.device, dtype))

    def gathered(self) -> list[np.ndarray]:
        """The columns so far. Of this process alone unless called while the state is synchronised."""
        return [dim_zero_cat(getattr(self, name)).cpu().numpy() for name in self._columns]

    def as_tensors(self, values: Mapping[str, float]) -> dict[str, torch.Tensor]:
        """Scalars, float64."""
        return {key: torch.tensor(value, dtype=torch.float64, device=self.device) for key, value in values.items()}


def to_numpy(value: Any) -> Any:
    """Tensors as arrays, also in a list or tuple; anything else as it is."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    return [to_numpy(one) for one in value] if type(value) in (list, tuple) else value
