"""From one value a shape to one number: missing shapes score 0, coverage is part of the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Summary(NamedTuple):
    """A mean over every expected shape.

    Attributes:
        mean: shapes without a value count 0. low, high: percentile bootstrap interval of the mean.
        coverage: share of the expected shapes that have a value, 0..1.
        expected, scored: numbers of shapes. missing: those without a value, in the order expected.
        values: the value of every expected shape, in that order; 0 for the missing.
    """

    mean: float
    low: float
    high: float
    coverage: float
    expected: int
    scored: int
    missing: tuple[str, ...]
    values: dict[str, float]


def summarise(
    values_by_shape: Mapping[str, float],
    expected_ids: Sequence[str],
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Summary:
    """Mean over the expected shapes, with its bootstrap interval and what was missing.

    Meant for values of which more is better and 0 is worst. A method that fails on a shape is so no better off than
    one that answers badly.

    Args:
        values_by_shape: one finite value for each shape that was scored.
        expected_ids: every shape of the evaluation, each once.
        level, resamples, seed: of the bootstrap over shapes.

    Raises:
        ValueError: no shape is expected, one is expected twice, one was not expected, or a value is not finite.
    """
    expected = [str(shape) for shape in expected_ids]
    if not expected:
        raise ValueError("expected_ids: no shape is expected")
    known: set[str] = set()
    for shape in expected:
        if shape in known:
            raise ValueError(f"expected_ids: shape {shape!r} stands there twice")
        known.add(shape)
    for shape, value in values_by_shape.items():
        if shape not in known:
            raise ValueError(f"values_by_shape: shape {shape!r} is not one of the {len(expected)} expected")
        if not np.isfinite(value):
            raise ValueError(f"values_by_shape: shape {shape!r} has the value {value}")
    values = {shape: float(values_by_shape.get(shape, 0.0)) for shape in expected}
    missing = tuple(shape for shape in expected if shape not in values_by_shape)
    array = np.array(list(values.values()))
    low, high = bootstrap_interval(array, level, seed, resamples)
    scored = len(expected) - len(missing)
    return Summary(float(array.mean()), low, high, scored / len(expected), len(expected), scored, missing, values)


def bootstrap_interval(
    values: Float[np.ndarray, "n"], level: float = 0.95, seed: int = 0, n: int = 10_000
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values`, drawing shapes with replacement `n` times.

    For a paired comparison pass the differences per shape. One value gives an interval of no width; none gives NaN.
    """
    values = np.asarray(values, np.float64).ravel()
    if not len(values):
        return float("nan"), float("nan")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    rng = np.random.default_rng(seed)
    rows = max(1, 2**18 // len(values))  # draws of one pass stay in the cache; the stream is the same for any size
    means = np.concatenate(
        [values[rng.integers(0, len(values), (min(rows, n - i), len(values)))].mean(1) for i in range(0, n, rows)]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
