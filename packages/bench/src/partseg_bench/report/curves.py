"""Curves of methods: what the records of shapes hold beside single numbers, averaged over shapes and seeds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from partseg_bench.report.model import Table
from partseg_bench.report.plain import mapping, number, text
from partseg_bench.report.rows import Row

# names of known curves -> title, what x is; others are shown under their own name
KNOWN = {
    "miou-by-parts": ("mIoU by number of parts", "parts"),
    "iou-by-click": ("IoU by click", "clicks"),
}
_CLICKS = "iou-by-click"  # a record's curves without a name, one for each part
_BY = " by IoU threshold"
_MOST_POINTS = 400
_THRESHOLD = re.compile(r"([a-z]*AP)(\d\d)")  # AP25, sAP50; not AP50:95


@dataclass(frozen=True)
class Curve:
    """One chart: the same curve of several methods.

    Attributes:
        title, x_name: what it shows. lines: (label, x, y) of each method, best first; y in 0..1 is a share.
    """

    title: str
    x_name: str
    lines: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...]


def curves(table: Table) -> list[Curve]:
    """The charts of a table.

    Two sources: a record's `"curves"`, which are IoU-click curves of its parts, or name -> list of numbers
    (x = 1, 2, …), or name -> {"x": [...], "y": [...]}; and metrics at three or more thresholds, such as `AP25`, `AP50`,
    `AP75`. Curves that end early keep their last value, and a shape without one counts 0.
    """
    found: dict[str, list[tuple[str, tuple[float, ...], tuple[float, ...]]]] = {}
    for row in table.rows:
        for name, x, y in _of_records(row):
            found.setdefault(name, []).append((row.label, x, y))
        for name, x, y in _of_metrics(row):
            found.setdefault(f"{name}{_BY}", []).append((row.label, x, y))
    out = []
    for name, lines in found.items():
        title, x_name = KNOWN.get(name, (name, name.partition(" by ")[2] or "x"))
        out.append(Curve(title, x_name, tuple(lines)))
    return out


def _of_records(row: Row) -> Iterator[tuple[str, tuple[float, ...], tuple[float, ...]]]:
    told: dict[str, list[tuple[list[float], list[float]]]] = {}
    shapes = 0
    for result in row.results:
        records = mapping(result.get("per_shape"))
        shapes += max(len(records), int(number(mapping(result.get("coverage")).get("expected")) or 0))
        for record in records.values():
            for name, one in _named(mapping(record).get("curves")).items():
                if (xy := _points(one)) is not None:
                    told.setdefault(text(name, 60), []).append(xy)
    for name, ones in told.items():
        longest = max((x for x, _ in ones), key=len)
        ones = [(x, y) for x, y in ones if x == longest[: len(x)]]  # curves over other places cannot be averaged
        total = np.zeros(len(longest))
        for _, y in ones:
            total += np.pad(np.asarray(y), (0, len(longest) - len(y)), mode="edge")
        yield name, tuple(longest), tuple((total / shapes).tolist())


def _named(curves: Any) -> Mapping[str, Any]:
    if not isinstance(curves, list):
        return mapping(curves)
    rows = [one for one in curves if isinstance(one, list)]
    if not rows or len({len(one) for one in rows}) > 1 or any(number(x) is None for one in rows for x in one):
        return {}
    return {_CLICKS: np.mean(rows, axis=0).tolist()}


def _points(one: Any) -> tuple[list[float], list[float]] | None:
    y = one.get("y") if isinstance(one, Mapping) else one
    if not isinstance(y, Sequence) or isinstance(y, str) or not 1 < len(y) <= _MOST_POINTS:
        return None
    x = one.get("x") if isinstance(one, Mapping) else list(range(1, len(y) + 1))
    if not isinstance(x, Sequence) or len(x) != len(y):
        return None
    xs, ys = [number(value) for value in x], [number(value) for value in y]
    if None in xs or None in ys or any(b <= a for a, b in pairwise(xs)):
        return None
    return xs, ys


def _of_metrics(row: Row) -> Iterator[tuple[str, tuple[float, ...], tuple[float, ...]]]:
    families: dict[str, list[tuple[float, float]]] = {}
    for name, score in row.scores.items():
        if parts := _THRESHOLD.fullmatch(name):
            families.setdefault(parts[1], []).append((int(parts[2]) / 100, score.value))
    for name, places in families.items():
        if len(places) > 2:
            x, y = zip(*sorted(places))
            yield name, x, y
