"""The leaderboard as Markdown, for a README, and as CSV, for programs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from partseg_bench.report import form
from partseg_bench.report.model import Table
from partseg_bench.report.plain import mapping, number, text
from partseg_bench.report.rows import Result, Row

COLUMNS = (
    "dataset", "split", "level", "truth_sha256", "protocol", "protocol_version", "method", "label", "config", "weights",
    "seed", "status", "error", "metric", "value", "low", "high", "n", "shapes_expected", "shapes_scored", "published",
    "parameters", "train_s", "predict_s", "score_s", "latency_s", "throughput", "peak_memory_mb", "selection", "commit",
    "predictions_sha256", "created", "key",
)  # fmt: skip
NOTE = (
    "Intervals are 95 % bootstrap intervals over shapes. ± is the standard deviation over seeds. A shape without a "
    "prediction counts as the worst there is. ≈ cannot be told from the best: the 95 % bootstrap interval of the "
    "paired difference over shapes contains 0 (not adjusted for the number of methods, and not tested where the number "
    "is no mean over shapes). *Paper* is what the method's authors printed, on their data and by their protocol."
)


def markdown(tables: Sequence[Table]) -> str:
    """One Markdown table for each dataset × protocol."""
    out = ["# Leaderboard", ""]
    if not tables:
        out += ["No results.", ""]
    for table in tables:
        out += [f"## {escape(table.data)}: {escape(table.name)}", ""]
        if table.summary:
            out += [escape(table.summary[:1].upper() + table.summary[1:]) + ".", ""]
        out += [*_markdown_table(table), ""]
    return "\n".join([*out, NOTE, ""])


def escape(words: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no links, no end of a table's cell."""
    words = re.sub(r"([\\`*_{}\[\]<>()#+!|~&:@$^=-])", r"\\\1", text(words, 2000))
    words = words.replace("www.", "www\\.").replace("WWW.", "WWW\\.")
    return re.sub(r"(?<=\w)\\-(?=\w)", "-", words)  # a hyphen inside a word means nothing to Markdown


def _markdown_table(table: Table) -> list[str]:
    metrics = form.columns(table)
    shares = {metric: form.is_share(table, metric) for metric in metrics}
    scores = [f"{escape(metric)} {form.arrow(metric)}{' %' if shares[metric] else ''}" for metric in metrics]
    cost = ["paper", "seeds", "parameters", "train", "a shape", "throughput", "memory", "shapes", "status", "commit"]
    lines = [_line(["method", *scores, *cost]), _line([":--", *["--:"] * (len(scores) + len(cost) - 2), ":--", ":--"])]
    for row in (*table.rows, *table.failed):
        cells = [_name(row)]
        for metric in metrics:
            cells.append(_value(row, metric, shares[metric], metric == table.rank))
        paper = form.published(row, table.rank)
        state = row.status if not row.error else f"**{escape(row.status)}**: {escape(row.error)}"
        cells += [
            form.NONE if paper is None else escape(f"{paper.printed} ({paper.what})"), form.seeds(row),
            form.count(row.parameters), form.duration(row.train), form.duration(row.latency), form.rate(row.throughput),
            form.memory(row.memory), form.coverage(row), state, escape(form.commit(row)),
        ]  # fmt: skip
        lines.append(_line(cells))
    return lines


def _name(row: Row) -> str:
    config = form.config(row)
    return escape(row.label) + (f" ({escape(config)})" if config else "")


def _value(row: Row, metric: str, share: bool, ranks: bool) -> str:
    score = row.scores.get(metric)
    if score is None:
        return form.NONE
    value = form.plain(score.value, share)
    if ranks and (row.best or row.tied):
        value = f"**{value}**" + (" ≈" if row.tied else "")
    if score.spread is not None:
        value += f" ± {form.plain(score.spread, share)}"
    between = form.interval(score, share)
    return f"{value} [{between}]" if ranks and between else value


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def comma_separated(tables: Sequence[Table]) -> str:
    """One line for each seed and metric (one for each failed seed), numbers in full: data to go on with."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for table in tables:
        for row in (*table.rows, *table.failed):
            for result in row.results:
                for values in _csv_rows(table, row, result):
                    writer.writerow([_csv_cell(values.get(column)) for column in COLUMNS])
    return out.getvalue()


def _csv_rows(table: Table, row: Row, result: Result) -> Iterable[dict[str, Any]]:
    cell, seconds, coverage = (mapping(result.get(key)) for key in ("cell", "seconds", "coverage"))
    paper = form.published(row, table.rank)
    whole = {column: result.get(column) for column in COLUMNS} | {column: cell.get(column) for column in COLUMNS[:11]}
    whole |= {
        "truth_sha256": result.get("truth_sha256"), "value": None, "metric": None, "low": None, "high": None, "n": None,
        "shapes_expected": coverage.get("expected"), "shapes_scored": coverage.get("scored"),
        "published": None if paper is None else f"{paper.printed} {paper.what}",
        **{f"{name}_s": seconds.get(name) for name in ("train", "predict", "score")},
    }  # fmt: skip
    scores = mapping(result.get("metrics")) if row.status == "ok" else {}
    for name in table.metrics if row.status == "ok" else ():
        if name in scores:
            score = mapping(scores[name])
            yield whole | {"metric": name, **{key: score.get(key) for key in ("value", "low", "high", "n")}}
    if not scores:
        yield whole


def _csv_cell(value: Any) -> Any:
    if number(value) is not None:
        return value
    words = text(value, 2000)
    return f"'{words}" if words[:1] in tuple("=+-@") else words  # spreadsheets run such text as a formula
