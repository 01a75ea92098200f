"""How numbers are written: the same in every form of the report."""

from __future__ import annotations

import math
from typing import NamedTuple

from partseg_bench.report.model import Table
from partseg_bench.report.plain import lower_is_better, number, text
from partseg_bench.report.rows import Row, Score

NONE = "–"
_COLUMNS = 5
_ABSOLUTE = {"noc", "chamfer", "distance", "discrepancy", "edit", "rmse", "seconds", "clicks"}  # words of names


def columns(table: Table) -> tuple[str, ...]:
    """The metrics of the main table: the first five without those of single levels, such as `miou@fine`."""
    return tuple(metric for metric in table.metrics if not table.level_of(metric))[:_COLUMNS] or table.metrics[:1]


def is_share(table: Table, metric: str) -> bool:
    """Whether a metric is shown in per cent: all its values lie in 0..1, and it is no distance or count."""
    found = [row.scores[metric] for row in table.rows if metric in row.scores]
    ends = [x for one in found for x in (one.value, one.low, one.high) if x is not None]
    return bool(ends) and not _is_absolute(metric) and all(0 <= x <= 1 for x in ends)


def shape_score(value: float, metric: str) -> str:
    """What one shape scored."""
    share = 0 <= value <= 1 and not _is_absolute(metric)
    return plain(value, share) + (" %" if share else "")


def plain(value: float | None, share: bool) -> str:
    """A score: per cent with two decimals, or four significant digits."""
    if value is None:
        return NONE
    return f"{100 * value:.2f}" if share else significant(value, 4)


def interval(score: Score, share: bool) -> str:
    """The 95 % interval, such as "61.2–65.8"; "" if unknown."""
    if score.low is None or score.high is None:
        return ""
    if share:
        return f"{100 * score.low:.1f}–{100 * score.high:.1f}"
    dash = "–" if score.low >= 0 else " to "
    return f"{significant(score.low, 3)}{dash}{significant(score.high, 3)}"


def significant(value: float, digits: int = 3) -> str:
    """Rounded to so many digits, without an exponent where that is short."""
    if not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if not -4 <= size <= 6:
        return f"{value:.{digits - 1}e}"
    out = f"{value:.{max(0, digits - 1 - size)}f}"
    return out.replace("-", "−")


def count(value: float | None) -> str:
    """Parameters: "3.2 M"."""
    if value is None:
        return NONE
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return significant(value / size, 3) + unit
    return f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: "35 ms", "4.1 s", "12 min", "3.5 h"."""
    if seconds is None:
        return NONE
    for size, unit in ((3600.0, "h"), (60.0, "min"), (1.0, "s")):
        if seconds >= size * (2 if unit != "s" else 1):
            return f"{significant(seconds / size, 2 if unit != 's' else 3)} {unit}"
    return f"{significant(seconds * 1000, 2)} ms" if seconds > 0 else "0"


def memory(megabytes: float | None) -> str:
    """ "840 MB", "2.1 GB"."""
    if megabytes is None:
        return NONE
    return f"{significant(megabytes / 1000, 2)} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def rate(per_second: float | None) -> str:
    """Shapes a second."""
    return NONE if per_second is None else f"{significant(per_second, 2)}/s"


def coverage(row: Row) -> str:
    """Scored of expected shapes."""
    return NONE if row.coverage is None else f"{row.coverage[0]}/{row.coverage[1]}"


def seeds(row: Row) -> str:
    """How many seeds, of how many."""
    return str(len(row.seeds)) if len(row.seeds) == row.of else f"{len(row.seeds)} of {row.of}"


def arrow(metric: str) -> str:
    """Which way is better."""
    return "↓" if lower_is_better(metric) else "↑"


class Published(NamedTuple):
    """A paper's own number: the value, as printed ("79.18 %"), and what it is ("mIoU, Table 2")."""

    value: float
    printed: str
    what: str


def published(row: Row, metric: str) -> Published | None:
    """The paper's own number: the one named like the metric, else the first; None where there is none."""
    found = [one for one in row.published if number(one.get("value")) is not None]
    if not found:
        return None
    chosen = next((one for one in found if _letters(text(one.get("metric"))) == _letters(metric)), found[0])
    value, unit = float(chosen["value"]), text(chosen.get("unit", "%"), 12)
    rest = f"{len(found) - 1} more" if len(found) > 1 else ""
    what = ", ".join(filter(None, [text(chosen.get("metric"), 60), text(chosen.get("where"), 80), rest]))
    return Published(value, f"{value:g}" + (f" {unit}" if unit else ""), what)


def config(row: Row) -> str:
    """Config and weights, as far as the label does not say them."""
    return ", ".join(one for one in (row.config, row.weights) if one and one not in row.label)


def commit(row: Row) -> str:
    """Short names of the commits."""
    return " ".join(one[:9] + "+" * one.endswith("+") for one in row.commit.split()) or NONE


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _is_absolute(metric: str) -> bool:
    return bool({*metric.lower().partition("@")[0].replace("_", "-").split("-")} & _ABSOLUTE)
