"""Numbers that are computed from all shapes together, such as AP, with bootstrap intervals over shapes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from partseg.metrics.functional.averages import exact_mean
from partseg_bench.protocols.base import Metric, Protocol, Record, check_ids

POOLED_RESAMPLES = 200

Statistic = Callable[[Int[np.ndarray, "s"]], Mapping[str, float]]
"""Numbers by name of the shapes with these places, some more than once."""


class PooledProtocol(Protocol):
    """A protocol whose numbers follow from the records of all shapes; every shape has one, with or without prediction.

    Attributes:
        over_categories: whether they are those of a category, of which a set of several has the mean.
        shape_means: those of the numbers that are means of the shapes' own scores.
    """

    over_categories: ClassVar[bool] = True
    shape_means: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def statistic(self, records: Sequence[Record]) -> Statistic:
        """The numbers of the spec, in its order, of any of these shapes; of one category, where there are several."""

    def numbers(self, records: Mapping[str, Record], ids: Sequence[str]) -> Statistic:
        """The numbers of any of the shapes `ids`, the mean over categories where the protocol averages over them.

        Raises:
            PartsegError: a record of another shape, or none of one.
        """
        check_ids(records, ids, self.spec.name, all_of_them=True)
        statistic = self.statistic([records[shape] for shape in ids])
        return by_category(statistic, self.groups(ids)) if self.over_categories else statistic

    def groups(self, ids: Sequence[str]) -> list[str]:
        """What shapes are drawn within: their categories where numbers are averaged over them, else all are one."""
        return [self.categories.get(shape, "") if self.over_categories else "" for shape in ids]

    def aggregate(self, records: Mapping[str, Record], ids: Sequence[str]) -> dict[str, Metric]:
        return pooled(self.numbers(records, ids), len(ids), self.groups(ids))


def pooled(statistic: Statistic, n: int, groups: Sequence[str] | None = None, seed: int = 0) -> dict[str, Metric]:
    """Numbers of all of n shapes, with percentile bootstrap intervals over shapes.

    Args:
        statistic: the numbers.
        n: number of shapes.
        groups: one for each shape; shapes are drawn within their group, so that no group ends up empty.
        seed: of the bootstrap.
    """
    value = statistic(np.arange(n))
    if n < 2:
        return {name: Metric(x, x, x, n) for name, x in value.items()}
    rng = np.random.default_rng(seed)
    members = members_of([""] * n if groups is None else groups)
    drawn: dict[str, list[float]] = {name: [] for name in value}
    for _ in range(POOLED_RESAMPLES):
        for name, x in statistic(drawn_places(rng, members)).items():
            drawn[name].append(x)
    return {name: Metric(x, *quantiles(np.array(drawn[name])), n) for name, x in value.items()}


def by_category(statistic: Statistic, categories: Sequence[str]) -> Statistic:
    """The statistic as a mean over categories, with `<name>@<category>` beside it where there are several.

    Categories for which a number is undefined are left out of its mean.
    """
    names = sorted(set(categories))
    if len(names) == 1:
        return lambda places: dict(statistic(places))
    number = np.array([names.index(category) for category in categories])

    def means(places: Int[np.ndarray, "s"]) -> dict[str, float]:
        rows = {name: statistic(places[number[places] == i]) for i, name in enumerate(names)}
        first = next(iter(rows.values()))
        out = {key: exact_mean(np.array([row[key] for row in rows.values()])) for key in first}
        return out | {f"{key}@{name}": value for name, row in rows.items() for key, value in row.items()}

    return means


def members_of(groups: Sequence[str]) -> list[Int[np.ndarray, "m"]]:
    """Places of each group's shapes."""
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    return [np.flatnonzero(group == g) for g in range(group.max() + 1)]


def drawn_places(rng: np.random.Generator, members: Sequence[Int[np.ndarray, "m"]]) -> Int[np.ndarray, "s"]:
    """As many shapes of each group as it has, drawn with replacement."""
    return np.concatenate([rng.choice(rows, len(rows)) for rows in members])


def quantiles(values: Float[np.ndarray, "r"]) -> tuple[float, float]:
    """2.5 % and 97.5 % of the values that are no NaN."""
    kept = values[~np.isnan(values)]
    if not len(kept):
        return float("nan"), float("nan")
    low, high = np.quantile(kept, [0.025, 0.975])
    return float(low), float(high)
