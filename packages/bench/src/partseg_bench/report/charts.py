"""Small inline SVG drawings; colours come from the page's style, so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from partseg_bench.report.curves import Curve
from partseg_bench.report.form import significant
from partseg_bench.report.rows import Score

MOST_LINES = 8  # more cannot be told apart
_WIDTH, _HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 12, 42


def scale(scores: Sequence[Score]) -> tuple[float, float]:
    """A range that holds all intervals, with a little room."""
    ends = [x for one in scores for x in (one.value, one.low, one.high) if x is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    room = 0.06 * (high - low) or max(abs(high), 1e-9) * 0.05
    return low - room, high + room


def bar(score: Score, best: Score, ends: tuple[float, float], width: int = 84) -> str:
    """The interval as a thin bar with a dot at the value; a faint line marks the best value."""

    def at(x: float) -> float:
        return round(3 + (width - 6) * (x - ends[0]) / (ends[1] - ends[0]), 1)

    out = [f'<svg class="bar" width="{width}" height="12" viewBox="0 0 {width} 12" aria-hidden="true">']
    out.append(f'<path class="axis" d="M0 6H{width}"/><path class="mark" d="M{at(best.value)} 0V12"/>')
    if score.low is not None and score.high is not None:
        out.append(f'<path class="range" d="M{at(score.low)} 6H{at(score.high)}"/>')
    return "".join([*out, f'<circle class="dot" cx="{at(score.value)}" cy="6" r="2.8"/></svg>'])


def chart(curve: Curve) -> str:
    """A line chart with its legend, as a figure."""
    lines = curve.lines[:MOST_LINES]
    xs, ys = [x for _, line, _ in lines for x in line], [y for _, _, line in lines for y in line]
    share = min(ys) >= 0 and max(ys) <= 1
    x0, x1 = min(xs), max(xs)
    y0, y1 = (0.0, _ceiling(max(ys))) if min(ys) >= 0 else (min(ys), max(ys))

    def across(x: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (x - x0) / ((x1 - x0) or 1)

    def down(y: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (y - y0) / ((y1 - y0) or 1)

    said = "; ".join(f"{label}: {_said(line[0], share)} to {_said(line[-1], share)}" for label, _, line in lines)
    title = escape(curve.title)
    out = [
        f'<figure class="chart"><figcaption>{title}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}. {escape(said)}">'
    ]
    for y in _ticks(y0, y1, 5):
        out.append(f'<path class="grid" d="M{_LEFT} {down(y):.1f}H{_WIDTH - _RIGHT}"/>')
        out.append(f'<text class="tick end" x="{_LEFT - 8}" y="{down(y) + 4:.1f}">{_said(y, share)}</text>')
    for x in _ticks(x0, x1, 8, whole=all(x == round(x) for x in xs)):
        out.append(f'<text class="tick mid" x="{across(x):.1f}" y="{_HEIGHT - _BOTTOM + 18}">{x:.4g}</text>')
    name = escape(curve.x_name)
    out.append(f'<text class="tick mid" x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 4}">{name}</text>')
    for i, (label, line_x, line_y) in reversed(list(enumerate(lines))):  # the best one on top
        points = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in zip(line_x, line_y))
        out.append(f'<polyline class="line s{i}" points="{points}"><title>{escape(label)}</title></polyline>')
        if len(line_x) <= 24:
            dots = "".join(f"M{across(x):.1f} {down(y):.1f}h0" for x, y in zip(line_x, line_y))
            out.append(f'<path class="dots s{i}" d="{dots}"/>')
    out.append("</svg><ul>")
    for i, (label, _, _) in enumerate(lines):
        swatch = f'<svg width="22" height="8" aria-hidden="true"><path class="line s{i}" d="M1 4H21"/></svg>'
        out.append(f"<li>{swatch} {escape(label)}</li>")
    if len(curve.lines) > MOST_LINES:
        out.append(f"<li>the best {MOST_LINES} of {len(curve.lines)}</li>")
    return "".join([*out, "</ul></figure>"])


def _said(y: float, share: bool) -> str:
    return f"{100 * y:.3g} %" if share else significant(y, 3)


def _ceiling(y: float) -> float:
    """The next round number above."""
    if y <= 0:
        return 1.0
    step = 10 ** math.floor(math.log10(y))
    return next(step * k / 10 for k in (10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100) if step * k / 10 >= y * (1 - 1e-9))


def _ticks(low: float, high: float, most: int, whole: bool = False) -> list[float]:
    span = high - low
    if span <= 0:
        return [low]
    raw = max(span / most, 1.0 if whole else 0.0)
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * k for k in ((1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)) if size * k >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, first + most + 2) if k * step <= high + 1e-9 * span]
