"""Averages that do not depend on the order of shapes."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float


def exact_mean(values: Float[np.ndarray, "n"]) -> float:
    """Mean of the values that are no NaN; NaN when there is none.

    The sum is rounded once, at its end. So the mean is the same to the last bit in whatever order the values come,
    and however they were spread over processes.
    """
    values = np.asarray(values, np.float64)
    kept = values[~np.isnan(values)]
    return math.fsum(kept.tolist()) / len(kept) if len(kept) else float("nan")
