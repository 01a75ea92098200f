"""Outcomes as a Markdown table and as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from partseg_bench.claims.outcomes import Outcome
from partseg_bench.claims.registry import Registered
from partseg_bench.claims.verdict import MIN_SHAPES
from partseg_bench.results import plain

_HEADS = ("claim", "paper", "statement", "metric", "A", "B", "A − B [95 %]", "shapes × seeds", "verdict")
_NOTE = (
    "*held*: A is better and the interval of the paired difference excludes 0; *not held*: B is; *undecided*: it "
    f"includes 0, or there are fewer than {MIN_SHAPES} shapes. A and B are means over seeds, and over shapes unless "
    "the number is one of all shapes together, as AP50 is; intervals of one seed know nothing of others. What is "
    "tested is the ordering, on shapes and budgets of our own, not the paper's numbers."
)


def markdown(outcomes: Sequence[Outcome]) -> str:
    """A table of all outcomes, and what its words mean."""
    rows = [_row(one) for one in outcomes]
    lines = [_line(_HEADS), _line(["---"] * len(_HEADS)), *map(_line, rows), "", _NOTE, ""]
    return "\n".join([*lines, summary(outcomes) + ".", ""])


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many claims stand how, in a few words."""
    counts = Counter(one.status if not one.registered.needs else "not testable here" for one in outcomes)
    return f"{len(outcomes)} claims: " + ", ".join(f"{n} {status}" for status, n in counts.most_common())


def listing(registered: Sequence[Registered]) -> str:
    """A table of claims without their outcomes."""
    heads = ("claim", "paper", "statement", "minutes", "")
    rows = [(x.claim.id, _source(x), x.claim.statement, f"{x.claim.minutes:g}", x.needs) for x in registered]
    return "\n".join([_line(heads), _line(["---"] * len(heads)), *map(_line, rows), ""])


def as_data(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Outcomes as JSON holds them."""
    return [
        {
            "id": one.claim.id,
            "paper": one.registered.paper,
            "table": one.claim.table,
            "statement": one.claim.statement,
            "published": one.claim.published,
            "sides": {name: _side(one, name) for name in ("a", "b")},
            "metric": one.claim.metric,
            "direction": one.claim.direction,
            "seeds": list(one.claim.seeds),
            "status": one.status,
            "why": one.why,
            "comparison": None if one.comparison is None else plain(asdict(one.comparison)),
        }
        for one in outcomes
    ]


def _row(one: Outcome) -> list[str]:
    numbers = one.comparison
    metric = f"{one.claim.metric} {'↑' if one.claim.direction == 'higher' else '↓'}"
    verdict = f"**{one.status}**" if numbers is not None else one.status
    told = [one.claim.id, _source(one.registered), one.claim.statement, metric]
    if numbers is None:
        return [*told, "", "", "", "", verdict + (f": {one.why}" if one.why else "")]
    difference = f"{numbers.difference:+.3f} [{numbers.low:+.3f}, {numbers.high:+.3f}]"
    size = f"{numbers.shapes} × {numbers.seeds}"
    return [*told, f"{numbers.a:.3f}", f"{numbers.b:.3f}", difference, size, verdict]


def _source(registered: Registered) -> str:
    claim = registered.claim
    return f"{registered.name}, {claim.table}" + (f" ({claim.published})" if claim.published else "")


def _side(one: Outcome, name: str) -> dict[str, Any]:
    method, dataset, protocol = one.claim.side(name)
    return {
        "method": method.model_dump(mode="json", exclude_defaults=True),
        "dataset": dataset.model_dump(mode="json", exclude_defaults=True),
        "protocol": protocol,
    }


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
