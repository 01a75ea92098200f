"""Result records as Markdown: one row a method, means over shapes with bootstrap intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from partseg.metrics.functional import bootstrap_interval

FIXED = (4, 8, 12)


def column(rows: list[dict[str, Any]], truth: str, key: str | int) -> Float[np.ndarray, "n"]:
    """One number a shape, 0 where the method failed; `key` is "best", "best_2_19", "auto" or a number of parts."""
    values = []
    for row in rows:
        scores = row.get(truth)
        if scores is None:
            values.append(0.0)
        else:
            values.append(scores["parts"][key - 1] if isinstance(key, int) else scores[key])
    return np.array(values)


def main_table(result: dict[str, Any]) -> str:
    """Every method: best of 20 cuts with its interval, then cuts that need no truth, against people and labels."""
    seed = result["seed"]
    fixed = [f"{k} parts" for k in FIXED]
    head = ["method", "people: best of 20 cuts", "auto", *fixed, "labels: best of 20 cuts", "auto", *fixed, "s / shape"]
    lines = [_line(head), _line(["---", *["---:"] * (len(head) - 1)])]
    for name, rows in result["methods"].items():
        cells = [name]
        for truth in ("human", "label"):
            cells.append(interval(column(rows, truth, "best"), seed))
            cells += [f"{100 * column(rows, truth, key).mean():.1f}" for key in ("auto", *FIXED)]
        seconds = [row["seconds"] for row in rows if "seconds" in row]
        cells.append(f"{np.mean(seconds):.2f}" if seconds else "–")
        lines.append(_line(cells))
    people = [value for value in result["humans"].values() if value is not None]
    if people:
        lines.append(_line(["*one person against another*", interval(people, seed), *["–"] * (len(head) - 2)]))
    return "\n".join(lines)


def difference_table(result: dict[str, Any], reference: str) -> str:
    """`reference` minus every other method on the same shapes, best of 20 cuts, with paired bootstrap intervals."""
    lines = [_line([f"{reference} minus", "people", "labels"]), _line(["---", "---:", "---:"])]
    for name, rows in result["methods"].items():
        if name == reference:
            continue
        cells = [name]
        for truth in ("human", "label"):
            ours = column(result["methods"][reference], truth, "best")
            cells.append(interval(ours - column(rows, truth, "best"), result["seed"], sign="+"))
        lines.append(_line(cells))
    return "\n".join(lines)


def category_table(result: dict[str, Any], truth: str) -> str:
    """Best of 20 cuts for each category, and the mean over categories."""
    names = list(result["methods"])
    categories = [shape["category"] for shape in result["shapes"]]
    people = truth == "human"
    head = ["people" if people else "labels", "shapes", *names, *(["*a person*"] if people else [])]
    lines = [_line(head), _line(["---", *["---:"] * (len(head) - 1)])]
    columns = {name: column(result["methods"][name], truth, "best") for name in names}
    if people:
        columns["*a person*"] = np.array([np.nan if v is None else v for v in result["humans"].values()], np.float64)
    means: dict[str, list[float]] = {name: [] for name in columns}
    for category in sorted(set(categories)):
        here = np.array([c == category for c in categories])
        for name, values in columns.items():
            means[name].append(float(np.nanmean(values[here])))
        lines.append(_line([category, str(here.sum()), *(f"{100 * m[-1]:.1f}" for m in means.values())]))
    lines.append(_line(["**mean**", str(len(categories)), *(f"**{100 * np.mean(m):.1f}**" for m in means.values())]))
    return "\n".join(lines)


def interval(values: Any, seed: int, sign: str = "") -> str:
    """Per cent: mean [low, high], the 95 % bootstrap interval over shapes."""
    values = np.asarray(values, np.float64)
    low, high = bootstrap_interval(values, seed=seed)
    return f"{100 * values.mean():{sign}.1f} [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
