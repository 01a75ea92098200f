"""Rows of the report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Row:
    """One line: what was measured, on what; our figure, the peer's, their ratio, and the target it should meet."""

    what: str
    input: str
    ours: str
    peer: str
    ratio: str
    target: str
    met: bool


def seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def markdown(rows: list[Row]) -> str:
    head = ["what", "input", "ours", "peer", "ratio", "target", "met?"]
    cells = [[r.what, r.input, r.ours, r.peer, r.ratio, r.target, "yes" if r.met else "NO"] for r in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *cells])
