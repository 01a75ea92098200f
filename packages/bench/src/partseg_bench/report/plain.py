"""Reading results: whatever stands in a file, out come numbers, lines of text, lists and mappings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# of which less is better, by words of their names; a list, since specs of protocols do not say
_LESS = {"noc", "failed", "error", "distance", "chamfer", "hamming", "discrepancy", "edit", "rmse", "gce", "lce"}


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


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def shape_score(record: Any, metric: str) -> float | None:
    """What one shape scored; None where its record does not say."""
    return number(mapping(mapping(record).get("scores")).get(metric))
