"""One row of a table: a method with all its seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from partseg_bench.report.plain import listed, mapping, number, shape_score, text

Result = Mapping[str, Any]
OK = "ok"
_AGREE = 1e-6  # between a number and the mean of its shapes' scores, for the paired test to be about that number


@dataclass(frozen=True)
class Score:
    """One number of a row.

    Attributes:
        value: mean over seeds. low, high: 95 % interval over shapes, its ends averaged over seeds; None if unknown.
        spread: standard deviation over seeds; None for a single one. n: shapes that made it.
    """

    value: float
    low: float | None
    high: float | None
    spread: float | None
    n: int


@dataclass(frozen=True)
class Row:
    """A method on one dataset by one protocol, all its seeds together; or its seeds that failed.

    Attributes:
        label: what the board calls it. status: "ok", "failed", "timeout" or "memory".
        seeds: seeds of this row. of: how many seeds were asked for. error: one line; empty when ok.
        scores: by metric.
        shapes: id -> what each shape scored, mean over seeds; empty where shapes have no scores. by: the name of that
            score, the ranking metric where shapes have it. mean: the ranking number is the mean of `shapes`.
        tied: cannot be told from the best row; None where that cannot be tested.
        train, latency: seconds; no training is None. throughput: shapes a second. memory: MB. Like `parameters` they
            are means over seeds, or None.
        coverage: (scored, expected) shapes, of the worst seed; None if unknown.
        stale: results of the same seeds that are older than those shown.
    """

    method: str
    label: str
    config: str
    weights: str
    status: str
    seeds: tuple[int, ...]
    of: int
    error: str = ""
    scores: Mapping[str, Score] = field(default_factory=dict)
    shapes: Mapping[str, float] = field(default_factory=dict)
    by: str = ""
    mean: bool = False
    best: bool = False
    tied: bool | None = None
    published: tuple[Mapping[str, Any], ...] = ()
    parameters: float | None = None
    train: float | None = None
    latency: float | None = None
    throughput: float | None = None
    memory: float | None = None
    coverage: tuple[int, int] | None = None
    missing: tuple[str, ...] = ()
    commit: str = ""
    stale: int = 0
    results: tuple[Result, ...] = ()


def latest(results: Sequence[Result]) -> list[Result]:
    """One result a seed: the last one created."""
    by_seed: dict[int, Result] = {}
    for result in sorted(results, key=lambda one: (text(one.get("created")), text(one.get("key")))):
        by_seed[_seed(result)] = result
    return [by_seed[seed] for seed in sorted(by_seed)]


def _seed(result: Result) -> int:
    return int(number(result["cell"].get("seed")) or 0)


def row_of(who: tuple[str, ...], results: list[Result], of: int, stale: int, ranking: str, status: str = OK) -> Row:
    """A row of results of the same method, one for each of its seeds.

    Args:
        who: method, label, config and weights.
        results: at least one, all of this status.
        of: how many seeds there are, of any status. stale: results left out, since later ones are of the same seeds.
        ranking: the metric that ranks.
    """
    method, label, config, weights = who
    errors = dict.fromkeys(text(one.get("error")) or "no reason given" for one in results)
    seconds = [mapping(one.get("seconds")) for one in results]
    names = dict.fromkeys(text(key) for one in results for key in mapping(one.get("metrics"))) if status == OK else {}
    scores = {name: score for name in names if (score := _score(results, name)) is not None}
    by = _shape_metric(results, ranking) if status == OK else ""
    shapes = _shape_scores(results, by) if by else {}
    covered = [_coverage(one) for one in results]
    missing = {text(one): None for result in results for one in listed(mapping(result.get("coverage")).get("missing"))}
    return Row(
        method, label or method, config, weights, status, tuple(_seed(one) for one in results), of,
        error="" if status == OK else "; ".join(errors),
        scores=scores,
        shapes=shapes, by=by, mean=by == ranking and ranking in scores and _is_mean(scores[ranking].value, shapes),
        published=tuple(mapping(one) for one in listed(results[-1].get("published")) if mapping(one)),
        parameters=_mean(one.get("parameters") for one in results),
        train=_mean(one.get("train") for one in seconds) or None,
        latency=_mean(one.get("latency_s") for one in results),
        throughput=_mean(one.get("throughput") for one in results),
        memory=_mean(one.get("peak_memory_mb") for one in results),
        coverage=min((one for one in covered if one), default=None, key=lambda one: one[0] / max(1, one[1])),
        missing=tuple(missing),
        commit=" ".join(dict.fromkeys(filter(None, (text(one.get("commit"), 60) for one in results)))),
        stale=stale,
        results=tuple(results),
    )  # fmt: skip


def _score(results: list[Result], name: str) -> Score | None:
    found = [mapping(mapping(one.get("metrics")).get(name)) for one in results]
    values = [value for one in found if (value := number(one.get("value"))) is not None]
    if not values or len(values) < len(found):  # a mean over some of the seeds would be another number
        return None
    spread = statistics.stdev(values) if len(values) > 1 else None
    n = max(int(number(one.get("n")) or 0) for one in found)
    return Score(
        statistics.fmean(values), *(_all_mean([one.get(end) for one in found]) for end in ("low", "high")), spread, n
    )


def _all_mean(values: Sequence[Any]) -> float | None:
    found = [number(value) for value in values]
    return None if None in found else statistics.fmean(found)


def _mean(values: Iterable[Any]) -> float | None:
    found = [value for one in values if (value := number(one)) is not None]
    return statistics.fmean(found) if found else None


def _coverage(result: Result) -> tuple[int, int] | None:
    told = mapping(result.get("coverage"))
    scored, expected = number(told.get("scored")), number(told.get("expected"))
    return None if scored is None or not expected else (int(scored), int(expected))


def _shape_metric(results: list[Result], ranking: str) -> str:
    """The score that shapes are told apart by: the ranking metric, else the first that they have."""
    for result in results:
        for record in mapping(result.get("per_shape")).values():
            if names := list(mapping(mapping(record).get("scores"))):
                return ranking if ranking in names else text(names[0])
    return ""


def _shape_scores(results: list[Result], metric: str) -> dict[str, float]:
    """Mean over seeds of each shape's score; nothing where some seed lacks some shape."""
    by_seed = []
    for result in results:
        records = mapping(result.get("per_shape"))
        found = {text(name): shape_score(record, metric) for name, record in records.items()}
        by_seed.append({name: value for name, value in found.items() if value is not None})
    if not by_seed or any(one.keys() != by_seed[0].keys() for one in by_seed):
        return {}
    return {name: statistics.fmean(one[name] for one in by_seed) for name in by_seed[0]}


def _is_mean(value: float, shapes: Mapping[str, float]) -> bool:
    """Whether a number is the plain mean of the shapes' scores, so that differences by shape are about it."""
    return bool(shapes) and abs(statistics.fmean(shapes.values()) - value) <= _AGREE * max(1, abs(value))
