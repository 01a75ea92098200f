"""Claims about numbers of all shapes together, such as AP50: both sides computed anew on the same draws of shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from partseg.errors import PartsegError
from partseg_bench.claims.verdict import Comparison
from partseg_bench.facts import protocol_spec
from partseg_bench.protocols.pooled import PooledProtocol, drawn_places, members_of, quantiles

RESAMPLES = 1000

Value = Callable[[Int[np.ndarray, "s"]], float]
"""The number of the shapes with these places, some more than once."""


def pooled_protocol(name: str, metric: str) -> type[PooledProtocol] | None:
    """The protocol of a name, if it computes a metric from all shapes together; None if every shape has its own."""
    cls = protocol_spec(name).load()
    return cls if issubclass(cls, PooledProtocol) and metric not in cls.shape_means else None


def pooled_sides(
    a: Sequence[dict[str, Any]],
    b: Sequence[dict[str, Any]],
    metric: str,
    protocols: Sequence[type[PooledProtocol] | None],
) -> tuple[list[Value], list[Value], list[str]]:
    """The numbers of two sides, to be computed of any of their shapes, for each seed; and the group of each shape.

    Args:
        a, b: a result for each seed, seeds in the same order.
        metric: the number.
        protocols: what computes it on either side.

    Raises:
        PartsegError: results of different shapes or without such a number, or one side has no protocol.
    """
    ids = shared_shapes(a, b)
    values: list[list[Value]] = []
    groups = []
    for protocol, results in zip(protocols, (a, b), strict=True):
        if protocol is None:
            raise PartsegError(f"{metric} is a number of all shapes together on one side, of each shape on the other")
        made = [protocol(None, result["categories"]) for result in results]
        numbers = [one.numbers(result["per_shape"], ids) for one, result in zip(made, results, strict=True)]
        if metric not in (there := numbers[0](np.arange(len(ids)))):
            raise PartsegError(f"{metric} is not among the numbers of these shapes: {', '.join(there)}")
        values.append([lambda places, of=of: of(places)[metric] for of in numbers])
        groups.append(made[0].groups(ids))
    return values[0], values[1], [" ".join(pair) for pair in zip(*groups, strict=True)]


def shared_shapes(a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]]) -> list[str]:
    """Ids of the shapes of all results.

    Raises:
        PartsegError: they are not the same.
    """
    ids = list(a[0]["per_shape"])
    for result in (*a, *b):
        if sorted(result["per_shape"]) != sorted(ids):
            raise PartsegError(f"the sides were scored on different shapes: {len(ids)} and {len(result['per_shape'])}")
    return ids


def compare_pooled(
    a: Sequence[Value], b: Sequence[Value], groups: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compare two sides by a number that is computed from all shapes, paired over shapes and seeds.

    Shapes and seeds are drawn as in `partseg_bench.claims.verdict.compare`, a draw of shapes being the same for both
    sides and all seeds; a draw's value is the difference of the sides' numbers of its shapes, averaged over its seeds.
    Draws in which a number is undefined are left out.

    Args:
        a, b: a number for each seed.
        groups: one for each shape; shapes are drawn within their group, so that no group ends up empty.
        resamples: draws of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: the sides have different seeds.
    """
    if len(a) != len(b):
        raise ValueError(f"the sides differ in seeds: {len(a)} and {len(b)}")
    shapes, seeds = len(groups), len(a)
    whole = np.array([[value(np.arange(shapes)) for value in side] for side in (a, b)]).mean(1)
    if np.isnan(whole).any():
        return Comparison(*[math.nan] * 5, 0, seeds)
    rng, members, draws = np.random.default_rng(seed), members_of(groups), np.empty(resamples)
    for i in range(resamples):
        places = drawn_places(rng, members)
        chosen, times = np.unique(rng.integers(seeds, size=seeds), return_counts=True)
        draws[i] = np.average([a[k](places) - b[k](places) for k in chosen], weights=times)
    return Comparison(*whole.tolist(), float(whole[0] - whole[1]), *quantiles(draws), shapes, seeds)
