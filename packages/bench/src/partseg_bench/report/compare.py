"""Whether two methods can be told apart on the shapes at hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from partseg.metrics.functional.summary import bootstrap_interval

MIN_SHAPES = 5  # a bootstrap over fewer knows next to nothing
RESAMPLES = 2000


def indistinguishable(best: Mapping[str, float], other: Mapping[str, float]) -> bool | None:
    """Whether the 95 % bootstrap interval of the mean paired difference over shapes contains 0.

    Both methods met the same shapes, so the difference on each shape is free of how hard that shape is; comparing two
    separate intervals is not. The test is of one pair: with 20 methods about one is marked wrongly.

    Args:
        best, other: score of each shape.

    Returns:
        None where the shapes are not the same, or are fewer than five.
    """
    if best.keys() != other.keys() or len(best) < MIN_SHAPES:
        return None
    low, high = bootstrap_interval(np.array([other[shape] - best[shape] for shape in best]), n=RESAMPLES)
    return low <= 0 <= high
