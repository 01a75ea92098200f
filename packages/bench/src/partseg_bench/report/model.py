"""Results as a reader meets them: one table for each dataset × protocol, one row for each method."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from partseg.errors import PartsegError
from partseg_bench.report.compare import indistinguishable

Result = Mapping[str, Any]
OK = "ok"
# of which less is better, by words of their names; a list, since specs of protocols do not say
_LESS = {
    "noc",
    "failed",
    "error",
    "distance",
    "chamfer",
    "hamming",
    "discrepancy",
    "edit",
    "rmse",
    "gce",
    "lce",
    "seconds",
}
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


@dataclass(frozen=True)
class Table:
    """One dataset by one version of one protocol, on one set of true parts.

    Attributes:
        rows: those with numbers, best first. failed: the others.
        metrics: names, the ranking one first. summary: what the protocol says of itself; empty if not installed.
        truth: digest of the true parts; "" where every result failed. several: there are other truths of that name.
        categories: id -> category. anchor: unique in the report, letters and digits.
    """

    dataset: str
    split: str
    level: str
    protocol: str
    version: str
    truth: str
    several: bool
    rows: tuple[Row, ...]
    failed: tuple[Row, ...]
    metrics: tuple[str, ...]
    summary: str
    categories: Mapping[str, str]
    anchor: str

    @property
    def rank(self) -> str:
        """The metric that ranks; "" where there are no numbers."""
        return self.metrics[0] if self.metrics else ""

    def level_of(self, metric: str) -> str:
        """What a number like `miou@fine` is of: "fine"; "" for numbers of the whole set."""
        whole, _, part = metric.partition("@")
        return part if whole in self.metrics else ""

    @property
    def data(self) -> str:
        """The dataset as a heading says it."""
        extra = [self.split, self.level, f"truth {self.truth[:8]}" if self.several and self.truth else ""]
        return " · ".join([self.dataset, *filter(None, extra)])

    @property
    def name(self) -> str:
        """The protocol with its version."""
        return f"{self.protocol} v{self.version}"


def tables(results: Iterable[Result]) -> list[Table]:
    """Results sorted into tables, by dataset and then protocol.

    Results of another protocol, protocol version, split, level or truth are never in one table. Of two results for the
    same seed of the same row the one created last counts.

    Raises:
        PartsegError: a result without its identity or status; the text says which and what.
    """
    groups: dict[tuple[str, ...], dict[str, list[Result]]] = {}
    for i, result in enumerate(results):
        cell = _cell(result, i)
        name = tuple(text(cell.get(key)) for key in ("dataset", "split", "level", "protocol", "protocol_version"))
        groups.setdefault(name, {}).setdefault(text(result.get("truth_sha256")), []).append(result)
    specs = _specs()
    out = []
    for name in sorted(groups):
        truths = groups[name]
        if unknown := truths.pop("", []):  # failed before the truth was read: with the truth of most results
            most = max(truths, key=lambda truth: (len(truths[truth]), truth), default="")
            truths.setdefault(most, []).extend(unknown)
        out += [_table(name, truth, len(truths) > 1, truths[truth], specs) for truth in sorted(truths)]
    return out


def lower_is_better(metric: str) -> bool:
    """Whether less of a metric is better, as far as its name tells."""
    words = metric.lower().partition("@")[0].replace("_", "-").split("-")
    return any(word in _LESS for word in words)


def number(value: Any) -> float | None:
    """A finite number as float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def text(value: Any, most: int = 300) -> str:
    """One line of printable text, shortened; "" for None."""
    if value is None:
        return ""
    words = str(value)
    if not words.isprintable():
        words = "".join(c if c.isprintable() else " " for c in words)
    words = " ".join(words.split())
    return words if len(words) <= most else words[: most - 1] + "…"


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def shape_score(record: Any, metric: str) -> float | None:
    """What one shape scored; None where its record does not say."""
    return number(mapping(mapping(record).get("scores")).get(metric))


def _cell(result: Any, i: int) -> Mapping[str, Any]:
    where = f"result {i + 1}" + (f" ({text(result.get('key'))[:12]})" if isinstance(result, Mapping) else "")
    if not isinstance(result, Mapping) or not isinstance(result.get("cell"), Mapping):
        raise PartsegError(f"{where}: cell: expected the names of method, dataset and protocol, found none")
    for key in ("method", "dataset", "protocol"):
        if not isinstance(result["cell"].get(key), str) or not result["cell"][key]:
            raise PartsegError(f"{where}: cell.{key}: expected a name, found {text(result['cell'].get(key)) or 'none'}")
    if not isinstance(result.get("status"), str) or not result["status"]:
        raise PartsegError(f"{where}: status: expected ok, failed, timeout or memory, found none")
    return result["cell"]


def _specs() -> dict[str, Any]:
    from partseg.methods.registry import list_protocols

    return {spec.name: spec for spec in list_protocols()}


def _table(name: tuple[str, ...], truth: str, several: bool, results: list[Result], specs: Mapping[str, Any]) -> Table:
    dataset, split, level, protocol, version = name
    spec = specs.get(protocol)
    if spec is not None and spec.version != version:
        spec = None
    categories: dict[str, str] = {}
    groups: dict[tuple[str, ...], list[Result]] = {}
    found: dict[str, None] = dict.fromkeys(spec.metrics if spec else ())
    for result in results:
        cell = result["cell"]
        who = tuple(text(cell.get(key)) for key in ("method", "label", "config", "weights"))
        groups.setdefault(who, []).append(result)
        if not categories:  # the same for all: they are part of the truth
            categories = {text(key): text(one) for key, one in mapping(result.get("categories")).items()}
        if result["status"] == OK:
            found |= dict.fromkeys(text(key) for key in mapping(result.get("metrics")))
    ranking = next(iter(found), "")
    rows, failed = [], []
    for who, group in groups.items():
        fresh = _latest(group)
        stale = len(group) - len(fresh)
        well = [one for one in fresh if one["status"] == OK]
        if well:
            rows.append(_row(who, well, len(fresh), stale, ranking))
        for status in sorted({text(one["status"]) for one in fresh} - {OK}):
            ill = [one for one in fresh if text(one["status"]) == status]
            failed.append(_row(who, ill, len(fresh), 0 if well else stale, ranking, status))
    metrics = tuple(metric for metric in found if any(metric in row.scores for row in rows))
    less = lower_is_better(ranking)
    rows = [row for row in rows if ranking in row.scores] + [row for row in rows if ranking not in row.scores]
    rows.sort(key=lambda row: (_place(row, ranking, less), row.label.lower(), row.config, row.weights))
    anchor = "t" + hashlib.sha256("\0".join([*name, truth]).encode()).hexdigest()[:8]
    ranked = tuple(_compared(rows))
    failed.sort(key=lambda row: (row.label.lower(), row.config, row.status))
    summary = text(spec.summary) if spec else ""
    return Table(
        dataset, split, level, protocol, version, truth, several, ranked, tuple(failed), metrics, summary, categories,
        anchor,
    )  # fmt: skip


def _latest(results: Sequence[Result]) -> list[Result]:
    """One result a seed: the last one created."""
    by_seed: dict[int, Result] = {}
    for result in sorted(results, key=lambda one: (text(one.get("created")), text(one.get("key")))):
        by_seed[_seed(result)] = result
    return [by_seed[seed] for seed in sorted(by_seed)]


def _seed(result: Result) -> int:
    return int(number(result["cell"].get("seed")) or 0)


def _row(who: tuple[str, ...], results: list[Result], of: int, stale: int, ranking: str, status: str = OK) -> Row:
    method, label, config, weights = who
    errors = dict.fromkeys(text(one.get("error")) or "no reason given" for one in results)
    seconds = [mapping(one.get("seconds")) for one in results]
    names = dict.fromkeys(text(key) for one in results for key in mapping(one.get("metrics"))) if status == OK else {}
    scores = {name: score for name in names if (score := _score(results, name)) is not None}
    by = _shape_metric(results, ranking) if status == OK else ""
    shapes = _shape_scores(results, by) if by else {}
    covered = [_coverage(one) for one in results]
    missing = {text(one): None for result in results for one in _list(mapping(result.get("coverage")).get("missing"))}
    return Row(
        method, label or method, config, weights, status, tuple(_seed(one) for one in results), of,
        error="" if status == OK else "; ".join(errors),
        scores=scores,
        shapes=shapes, by=by, mean=by == ranking and ranking in scores and _is_mean(scores[ranking].value, shapes),
        published=tuple(mapping(one) for one in _list(results[-1].get("published")) if mapping(one)),
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


def _place(row: Row, metric: str, less: bool) -> float:
    score = row.scores.get(metric)
    return math.inf if score is None else score.value if less else -score.value


def _compared(rows: list[Row]) -> list[Row]:
    """The rows, the best and those that cannot be told from it marked."""
    if not rows or not rows[0].scores:
        return rows
    best, *others = rows
    told = indistinguishable(best.shapes, [row.shapes if row.mean else {} for row in others]) if best.mean else ()
    marks = told or [None] * len(others)
    return [replace(best, best=True), *(replace(row, tied=tied) for row, tied in zip(others, marks))]


def _is_mean(value: float, shapes: Mapping[str, float]) -> bool:
    """Whether a number is the plain mean of the shapes' scores, so that differences by shape are about it."""
    return bool(shapes) and abs(statistics.fmean(shapes.values()) - value) <= _AGREE * max(1, abs(value))
