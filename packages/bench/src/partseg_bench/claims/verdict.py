"""Whether one side of a comparison is better than the other: paired differences, their interval, a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Direction = Literal["higher", "lower"]
Verdict = Literal["held", "not held", "undecided"]

LEVEL = 0.95
RESAMPLES = 10_000
MIN_SHAPES = 6
"""Fewer differences than this have all the same sign by chance more often than once in 20 (2 · 2^-5 > 0.05)."""


@dataclass(frozen=True)
class Comparison:
    """Two sides on the same shapes and seeds.

    Attributes:
        a, b: means of the sides over shapes and seeds; over seeds, of a number that all shapes have together.
        difference: a − b.
        low, high: 95 % bootstrap interval of the difference.
        shapes, seeds: how many there are; shapes for which a side is undefined are left out.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    shapes: int
    seeds: int

    def verdict(self, direction: Direction) -> Verdict:
        """Whether side A is better, where `direction` says which values are.

        "undecided" where the interval includes 0 or there are fewer than `MIN_SHAPES` shapes; "not held" only where B
        is better beyond the interval.
        """
        if self.shapes < MIN_SHAPES or not (self.low > 0 or self.high < 0):
            return "undecided"
        return "held" if (self.low > 0) == (direction == "higher") else "not held"


def compare(
    a: Float[np.ndarray, "seeds shapes"],
    b: Float[np.ndarray, "seeds shapes"],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two sides whose values are paired over seeds and shapes.

    Differences on one shape are free of how hard the shape is. Shapes and seeds are both drawn with replacement,
    independently of each other, since another person would have other shapes and other seeds (the bootstrap of crossed
    effects of Owen 2007, "The pigeonhole bootstrap", which errs to the wide side); the interval is that of percentiles.
    With one seed it is the bootstrap over shapes, and says nothing of other seeds.

    Args:
        a, b: a value for each seed and shape; NaN where it is undefined, which leaves the shape out for all seeds.
        resamples: draws of the bootstrap.
        seed: of the bootstrap.

    Returns:
        NaN everywhere, with 0 shapes, where no shape is left.

    Raises:
        ValueError: the sides have different shapes or seeds.
    """
    if a.shape != b.shape:
        raise ValueError(f"the sides differ in seeds × shapes: {a.shape} and {b.shape}")
    kept = ~np.isnan(a + b).any(0)
    a, b = a[:, kept].astype(np.float64), b[:, kept].astype(np.float64)
    seeds, shapes = a.shape
    if not shapes or not seeds:
        return Comparison(*[math.nan] * 5, 0, seeds)
    differences = a - b
    rng = np.random.default_rng(seed)
    of_seeds, of_shapes = _weights(rng, resamples, seeds), _weights(rng, resamples, shapes)
    means = ((of_seeds @ differences) * of_shapes).sum(1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Comparison(
        float(a.mean()), float(b.mean()), float(differences.mean()), float(low), float(high), shapes, seeds
    )


def _weights(rng: np.random.Generator, resamples: int, n: int) -> Float[np.ndarray, "r n"]:
    """How much each of n weighs in each draw with replacement; rows sum to 1."""
    return rng.multinomial(n, np.full(n, 1 / n), resamples) / n
