"""Base of metrics whose records say which shape they are of, so that a shape seen twice counts once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from partseg.metrics.rows import ShapeRecords


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


def scalar(value: float) -> torch.Tensor:
    """A result as metrics hand them out: 0-dimensional, float64."""
    return torch.tensor(float(value), dtype=torch.float64)
