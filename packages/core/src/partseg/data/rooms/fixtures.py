"""What hangs in walls: doors, windows and pictures, as families of the shape grammar (y up, front +z, metres)."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.furniture import knob
from partseg.data.procedural.grammar import Family, PartNode, between, chance, count, mirrored, part, stepped
from partseg.data.procedural.primitives import box


def _frame(w: float, h: float, bar: float, t: float) -> PartNode:
    """Four bars around a rectangle of w by h, from its lower edge at y = 0."""
    side = part("frame bar", box((bar, h + 2 * bar, t), (w / 2 + bar / 2, h / 2, 0)))
    across = part("frame bar", box((w, bar, t), (0, h + bar / 2, 0)))
    return part(
        "frame", mirrored("side bars", side), mirrored("cross bars", across, normal=(0, 1, 0), point=(0, h / 2, 0))
    )


def door(rng: np.random.Generator) -> PartNode:
    """A closed door leaf in its frame, flush with a wall behind it."""
    w, h, t = between(rng, 0.75, 0.95), between(rng, 1.95, 2.1), 0.04
    bar = between(rng, 0.05, 0.09)
    leaf = part("door leaf", box((w, h, t * 0.8), (0, h / 2, 0)))
    side = part("frame bar", box((bar, h + bar, t * 1.4), (w / 2 + bar / 2, (h + bar) / 2, 0)))
    top = part("frame bar", box((w, bar, t * 1.4), (0, h + bar / 2, 0)))
    panels = None
    n = count(rng, 0, 3)
    if n:
        tall = 0.8 * h / n
        one = part("door panel", box((w * 0.7, tall * 0.8, t * 0.3), (0, 0.12 * h + tall * 0.4, t * 0.45)))
        panels = stepped("panels", one, n, (0, tall, 0))
    handle = knob(rng, w * 0.4, h * 0.5, t * 0.4, 0.12)
    return part("door", part("frame", mirrored("side bars", side), top), leaf, panels, handle)


def window(rng: np.random.Generator) -> PartNode:
    """Panes between bars, with a sill."""
    w, h, t = between(rng, 0.7, 1.8), between(rng, 0.8, 1.4), 0.03
    bar = between(rng, 0.04, 0.07)
    pane = part("pane", box((w, h, 0.006), (0, h / 2, 0)))
    n = count(rng, 0, 2)
    posts = None
    if n:
        pitch = w / (n + 1)
        post = part("frame bar", box((bar * 0.7, h, t), (-w / 2 + pitch, h / 2, 0)))
        posts = stepped("posts", post, n, (pitch, 0, 0))
    sill = part("sill", box((w + 3 * bar, 0.03, 0.12), (0, -bar - 0.015, 0.05))) if chance(rng, 0.7) else None
    return part("window", _frame(w, h, bar, t), pane, posts, sill)


def picture(rng: np.random.Generator) -> PartNode:
    """A framed picture, upright or wide."""
    w, h = between(rng, 0.25, 1.0), between(rng, 0.25, 0.8)
    return part(
        "picture", _frame(w, h, between(rng, 0.015, 0.05), 0.025), part("canvas", box((w, h, 0.01), (0, h / 2, 0)))
    )


FAMILIES: dict[str, Family] = {"door": door, "window": window, "picture": picture}
