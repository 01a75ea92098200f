"""Hands, alone or at the end of an arm. Lengths near one."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.figure import Figure, turn, unit


def add_fingers(
    fig: Figure,
    prefix: tuple[str, ...],
    wrist: np.ndarray,
    frame: np.ndarray,
    size: float,
    side: float,
    *,
    phalanges: bool = False,
    spread: float | None = None,
    curl: float | None = None,
    merge: bool = False,
    count: int = 4,
) -> None:
    """A palm and its fingers. Columns of ``frame``: across (towards the thumb, times ``side``), along, out of the palm.

    ``phalanges`` splits each finger into parts; ``merge`` gives palm and fingers the one path ``prefix``.
    """
    rng = fig.rng
    across, along, out = frame.T
    across = across * side
    palm = prefix if merge else (*prefix, "palm")
    width = size * rng.uniform(0.36, 0.46)
    flat = rng.uniform(0.4, 0.52)
    thick = size * rng.uniform(0.062, 0.085) * (1.25 if count == 3 else 1)
    knuckles = wrist + along * size * 0.47
    rows = np.linspace(-0.5, 0.5, 4)[:, None] * across * (width - 1.5 * thick)
    fan = 0.62
    fig.limb(
        palm,
        np.vstack([[wrist + along * size * 0.04 + fan * 0.6 * r, knuckles - along * 2.1 * thick + r] for r in rows]),
        np.tile([size * 0.11 / flat * 0.55, thick * 1.02 / flat], 4),
        flat=flat,
        normal=out,
        inner=0.4,
        blend=0.5,
    )
    spread = rng.uniform(4, 26) if spread is None else spread
    curl = (
        rng.choice([rng.uniform(-5, 12), rng.uniform(5, 35), rng.uniform(20, 60)], p=[0.45, 0.35, 0.2])
        if curl is None
        else curl
    )
    lengths = {4: [0.42, 0.53, 0.58, 0.52], 3: [0.46, 0.55, 0.5]}[count]
    names = {4: ["little", "ring", "middle", "index"], 3: ["little", "middle", "index"]}[count]
    for i, name in enumerate(names):
        t = i / (count - 1) - 0.5
        base = knuckles + across * t * (width - 1.2 * thick) - along * size * (0.05 + 0.12 * t * t)
        heading = unit(along + across * t * np.tan(np.radians(spread)) * 1.5)
        hinge = unit(np.cross(heading, out))
        bend = curl * rng.uniform(0.6, 1.4) + rng.normal(scale=4)
        if not merge and rng.random() < 0.06:
            bend = rng.uniform(60, 95)
        add_finger(
            fig,
            prefix if merge else (*prefix, f"finger@{name}"),
            base,
            heading,
            hinge,
            size * lengths[i] * rng.uniform(0.92, 1.08),
            thick * rng.uniform(0.92, 1.05),
            bend,
            3 if phalanges else 0,
        )
    base = wrist + along * size * 0.14 + across * width * 0.36
    heading = unit(along * rng.uniform(0.75, 1.1) + across * rng.uniform(0.55, 1.1) + out * rng.uniform(0.0, 0.55))
    add_finger(
        fig,
        prefix if merge else (*prefix, "thumb"),
        base,
        heading,
        unit(np.cross(heading, out - 0.6 * across)),
        size * rng.uniform(0.46, 0.54),
        thick * rng.uniform(1.1, 1.25),
        rng.uniform(0, 22),
        2 if phalanges else 0,
    )


def add_finger(
    fig: Figure,
    path: tuple[str, ...],
    base: np.ndarray,
    heading: np.ndarray,
    hinge: np.ndarray,
    length: float,
    radius: float,
    bend: float,
    parts: int,
) -> None:
    """Three bones that curl about ``hinge`` by ``bend`` degrees each; ``parts`` phalanges become parts of their own."""
    points, steps = [base], np.array([0.44, 0.31, 0.25]) * length
    for j, step in enumerate(steps):
        heading = turn(hinge, bend * (0.7, 1.0, 0.8)[j]) @ heading
        points.append(points[-1] + step * heading)
    points = np.array(points)
    radii = radius * np.array([1.06, 0.98, 0.9, 0.72])
    cuts = {0: [(0, 3)], 2: [(0, 2), (2, 3)], 3: [(0, 1), (1, 2), (2, 3)]}[parts]
    for j, (a, b) in enumerate(cuts):
        name = path if parts == 0 else (*path, f"phalanx@{j}")
        fig.limb(name, points[a : b + 1], radii[a : b + 1], blend=0.35 if j == 0 else 0.05, bulge=0.03)


def hand(rng: np.random.Generator) -> Figure:
    """A hand with wrist or forearm; fingers spread, relaxed or curled."""
    fig = Figure(rng, blend=0.35)
    frame = turn(rng.normal(size=3), rng.normal(scale=10))
    along = frame[:, 1]
    size = 0.62
    length = rng.choice([rng.uniform(0.02, 0.12), rng.uniform(0.12, 0.6)])
    r = rng.uniform(0.085, 0.11)
    wrist = np.zeros(3)
    bend = turn(frame[:, 0], rng.normal(scale=14)) @ turn(frame[:, 2], rng.normal(scale=10)) @ -along
    fig.limb(
        "wrist" if length > 0.05 else "palm",
        [wrist + along * 0.01, wrist + bend * length * 0.5, wrist + bend * length],
        [r * 0.95, r, r * rng.uniform(0.95, 1.35)],
        flat=rng.uniform(0.7, 0.95),
        normal=frame[:, 2],
        blend=0.4,
    )
    side = 1.0 if rng.random() < 0.5 else -1.0
    add_fingers(fig, (), wrist, frame, size, side, phalanges=rng.random() < 0.4, count=3 if rng.random() < 0.06 else 4)
    if rng.random() < 0.75:
        fig.cut(wrist + bend * length, -bend)
    return fig
