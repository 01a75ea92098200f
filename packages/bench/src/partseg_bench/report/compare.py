"""Whether methods can be told apart on the shapes at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

MIN_SHAPES = 5  # a bootstrap over fewer knows next to nothing
RESAMPLES = 2000
_AT_ONCE = 1 << 21  # draws


def indistinguishable(best: Mapping[str, float], others: Sequence[Mapping[str, float]]) -> list[bool | None]:
    """Whether the 95 % bootstrap interval of the mean paired difference over shapes contains 0, for each other method.

    All methods met the same shapes, so the difference on each shape is free of how hard that shape is; comparing two
    separate intervals is not. Each test is of one pair: of 20 methods as good as the best, about one is told from it.

    Args:
        best, others: score of each shape.

    Returns:
        None for those scored on other shapes than the best, and for all where there are fewer than five.
    """
    paired = [i for i, other in enumerate(others) if other.keys() == best.keys()] if len(best) >= MIN_SHAPES else []
    out: list[bool | None] = [None] * len(others)
    if not paired:
        return out
    difference = np.array([[others[i][shape] - value for i in paired] for shape, value in best.items()])
    n = len(difference)
    rng = np.random.default_rng(0)
    rows, even = max(1, _AT_ONCE // n), np.full(n, 1 / n)
    means = np.concatenate(  # the same draws for all of them
        [rng.multinomial(n, even, min(rows, RESAMPLES - i)) @ difference / n for i in range(0, RESAMPLES, rows)]
    )
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    zero = 1e-12 * np.abs(difference).max(axis=0)  # equal methods differ by rounding
    for i, tied in zip(paired, (low <= zero) & (high >= -zero)):
        out[i] = bool(tied)
    return out
