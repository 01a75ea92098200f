"""Bases of the metrics: small records of each shape as state, the same from one process as from several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Num
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


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


class NumberedRecords(ShapeRecords):
    """Records that start with the number of their shape; a shape may have several.

    The table is sorted, and records that are equal throughout are in it once: samplers that give every process
    equally many shapes repeat some. So results are the same to the last bit however shapes were dealt out.

    Args:
        width: numbers in a record, the shape's included.
    """

    def __init__(self, width: int, **metric: Any) -> None:
        super().__init__(width, **metric)

    def keep_of(self, shape: int, values: Float[np.ndarray, "k w"]) -> None:
        """Add `k` records of one shape, each of `width - 1` numbers.

        Raises:
            ValueError: the shape is not a number of 0 or more.
        """
        if isinstance(shape, bool) or not isinstance(shape, int | np.integer) or not 0 <= shape < 2**53:
            raise ValueError(f"shape: expected the number of the shape in its data set, 0 or more, not {shape!r}")
        for row in np.asarray(values, np.float64).reshape(-1, self.width - 1):
            self.keep(np.r_[float(shape), row])

    def table(self) -> Float[np.ndarray, "records width"]:
        """The records of all shapes, sorted by their columns from the first to the last, without repetitions."""
        table = super().table()
        table = table[np.lexsort(table.T[::-1])]
        fresh = np.ones(len(table), bool)
        same = (table[1:] == table[:-1]) | (np.isnan(table[1:]) & np.isnan(table[:-1]))
        fresh[1:] = ~same.all(1)
        return table[fresh]


class ColumnRecords(Metric):
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


def as_array(values: Any) -> np.ndarray:
    """An array of a tensor (on any device) or of anything NumPy understands."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def to_numpy(value: Any) -> Any:
    """Tensors as arrays, also in a list or tuple; anything else as it is."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    return [to_numpy(one) for one in value] if type(value) in (list, tuple) else value


def scalar(value: float) -> torch.Tensor:
    """A result as metrics hand them out: 0-dimensional, float64."""
    return torch.tensor(float(value), dtype=torch.float64)
