"""Results as a reader meets them: one table for each dataset × protocol, one row for each method."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from partseg.errors import PartsegError
from partseg_bench.report.compare import indistinguishable
from partseg_bench.report.plain import lower_is_better, mapping, number, text
from partseg_bench.report.rows import OK, Result, Row, latest, row_of


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
    ranking = next((metric for metric in found if any(_has(result, metric) for result in results)), "")
    rows, failed = [], []
    for who, group in groups.items():
        fresh = latest(group)
        stale = len(group) - len(fresh)
        well = [one for one in fresh if one["status"] == OK]
        if well:
            rows.append(row_of(who, well, len(fresh), stale, ranking))
        for status in sorted({text(one["status"]) for one in fresh} - {OK}):
            ill = [one for one in fresh if text(one["status"]) == status]
            failed.append(row_of(who, ill, len(fresh), 0 if well else stale, ranking, status))
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


def _has(result: Result, metric: str) -> bool:
    score = mapping(mapping(result.get("metrics")).get(metric))
    return result["status"] == OK and number(score.get("value")) is not None


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
