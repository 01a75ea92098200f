"""Curves of methods: what the records of shapes hold beside single numbers, averaged over shapes and seeds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from partseg_bench.report.model import Row, Table, mapping, number, text

# names of known curves -> title, what x is; others are shown under their own name
KNOWN = {
    "miou-by-parts": ("mIoU by number of parts", "parts"),
    "iou-by-click": ("IoU by click", "clicks"),
    "ap-by-threshold": ("AP by IoU threshold", "IoU threshold"),
}
_MOST_POINTS = 400
_THRESHOLD = re.compile(r"^(?P<stem>(?:[a-z]+-)*m?ap)[-@]?(?:0\.)?(?P<hundredths>\d\d)(?P<rest>(?:-[a-z-]+)?)$")


@dataclass(frozen=True)
class Curve:
    """One chart: the same curve of several methods.

    Attributes:
        title, x_name, y_name: what it shows. lines: (label, x, y) of each method, best first; y in 0..1 is a share.
    """

    title: str
    x_name: str
    y_name: str
    lines: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...]


def curves(table: Table) -> list[Curve]:
    """The charts of a table.

    Two sources: a record's `"curves"`, name -> list of numbers (x = 1, 2, …) or {"x": [...], "y": [...]}; and metrics
    at several thresholds, such as `ap-25`, `ap-50`, `ap-75`. Curves of shapes that end early keep their last value, and
    a shape without one counts 0.
    """
    found: dict[str, list[tuple[str, tuple[float, ...], tuple[float, ...]]]] = {}
    names: dict[str, str] = {}
    for row in table.rows:
        for name, x, y in _of_records(row):
            found.setdefault(name, []).append((row.label, x, y))
        for name, stem, x, y in _of_metrics(row):
            names[name] = stem
            found.setdefault(name, []).append((row.label, x, y))
    out = []
    for name, lines in found.items():
        if name in names:
            title, x_name = f"{names[name]} by IoU threshold", "IoU threshold"
        else:
            title, x_name = KNOWN.get(name, (name, "x"))
        out.append(Curve(title, x_name, names.get(name) or title.partition(" by ")[0], tuple(lines)))
    return out


def _of_records(row: Row) -> Iterator[tuple[str, tuple[float, ...], tuple[float, ...]]]:
    told: dict[str, list[tuple[list[float], list[float]]]] = {}
    shapes = 0
    for result in row.results:
        for record in mapping(result.get("per_shape")).values():
            shapes += 1
            for name, one in mapping(mapping(record).get("curves")).items():
                if (xy := _points(one)) is not None:
                    told.setdefault(text(name, 60), []).append(xy)
    for name, ones in told.items():
        longest = max((x for x, _ in ones), key=len)
        ones = [(x, y) for x, y in ones if x == longest[: len(x)]]  # curves over other places cannot be averaged
        total = np.zeros(len(longest))
        for _, y in ones:
            total += np.pad(np.asarray(y), (0, len(longest) - len(y)), mode="edge")
        yield name, tuple(longest), tuple((total / shapes).tolist())


def _points(one: Any) -> tuple[list[float], list[float]] | None:
    y = one.get("y") if isinstance(one, Mapping) else one
    if not isinstance(y, Sequence) or isinstance(y, str) or not 1 < len(y) <= _MOST_POINTS:
        return None
    x = one.get("x") if isinstance(one, Mapping) else list(range(1, len(y) + 1))
    if not isinstance(x, Sequence) or len(x) != len(y):
        return None
    xs, ys = [number(value) for value in x], [number(value) for value in y]
    if None in xs or None in ys or any(b <= a for a, b in zip(xs, xs[1:])):
        return None
    return xs, ys


def _of_metrics(row: Row) -> Iterator[tuple[str, str, tuple[float, ...], tuple[float, ...]]]:
    families: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for name, score in row.scores.items():
        if (parts := _THRESHOLD.match(name)) and math.isfinite(score.value):
            place = (int(parts["hundredths"]) / 100, score.value)
            families.setdefault((parts["stem"], parts["rest"]), []).append(place)
    for (stem, rest), places in families.items():
        if len(places) > 2:
            x, y = zip(*sorted(places))
            yield f"{stem}{rest} thresholds", f"{stem}{rest}", x, y
