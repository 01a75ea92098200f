"""Human heads, and busts of them. y is up, figures face +z, lengths near one."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.figure import SIDES, Figure, X, Y, Z, turn, unit


def add_head(
    fig: Figure, prefix: tuple[str, ...], neck: np.ndarray, frame: np.ndarray, size: float, *, detail: float
) -> None:
    """A human head above ``neck``; ``size`` is its height, ``detail`` (0..1) how much of a face it gets."""
    rng = fig.rng
    across, up, front = frame.T
    skull = prefix if detail < 0.5 else (*prefix, "face")
    centre = neck + up * size * 0.5 + front * size * 0.04
    r = size * 0.5
    narrow = rng.uniform(0.72, 0.9)
    fig.limb(skull, [centre + up * 0.14 * r - front * 0.1 * r], 0.86 * r, flat=narrow / 0.86, normal=across, blend=0.25)
    fig.limb(
        skull,
        [centre - up * 0.1 * r + front * 0.12 * r, centre - up * 0.62 * r + front * 0.3 * r],
        [0.62 * r, rng.uniform(0.26, 0.4) * r],
        blend=0.5,
    )
    nose = centre + front * 0.78 * r - up * 0.08 * r
    path = (*prefix, "nose") if detail > 0.75 else skull
    if detail > 0.2:
        fig.limb(
            path,
            [nose + up * 0.16 * r, nose - up * 0.16 * r + front * rng.uniform(0.08, 0.2) * r],
            [0.06 * r, rng.uniform(0.1, 0.15) * r],
            blend=0.6,
        )
    if detail > 0.35:
        for name, s in SIDES:
            ear = centre + across * s * narrow * 0.92 * r - front * 0.08 * r
            path = (*prefix, f"ear@{name}") if detail > 0.6 else skull
            fig.limb(
                path,
                [ear - up * 0.13 * r, ear + up * 0.14 * r + across * s * 0.05 * r],
                [0.12 * r, 0.17 * r],
                flat=0.4,
                normal=unit(across + s * front * 0.5),
                blend=0.4,
            )
    if detail > 0.6:
        for _, s in SIDES:
            brow = centre + front * 0.62 * r + up * 0.14 * r
            fig.limb(
                skull,
                [brow + across * s * 0.12 * r, brow + across * s * 0.42 * r - front * 0.1 * r],
                0.09 * r,
                blend=0.8,
            )
        lips = centre + front * 0.62 * r - up * 0.5 * r
        fig.limb(skull, [lips - across * 0.15 * r, lips + across * 0.15 * r], 0.07 * r, blend=0.8)
    if rng.random() < (0.55 if detail > 0.5 else 0.3):
        hair = (*prefix, "hair") if detail >= 0.5 else skull
        drop = rng.choice([0.0, 0.6, 1.3], p=[0.5, 0.25, 0.25])
        points = [centre + up * 0.28 * r - front * 0.16 * r, centre - up * 0.05 * r - front * 0.36 * r]
        if drop:
            points.append(centre - up * drop * r - front * 0.45 * r)
        fig.limb(
            hair,
            points,
            [0.84 * r, 0.72 * r, 0.4 * r][: len(points)],
            flat=min(1.0, narrow + 0.08),
            normal=across,
            blend=0.05,
        )


def bust(rng: np.random.Generator) -> Figure:
    """Head, neck and cut shoulders of a person, sometimes on a pedestal or with a hat."""
    fig = Figure(rng, blend=0.4)
    size = 0.5
    turned = turn(Y, rng.normal(scale=20)) @ turn(X, rng.normal(scale=8))
    neck_r, low = rng.uniform(0.1, 0.135), rng.uniform(0.1, 0.18)
    w, depth = rng.uniform(0.26, 0.36), rng.uniform(0.55, 0.75)
    chest = np.array([0, -low - 0.16, -0.02])
    fig.limb("torso", [chest - X * w * 0.5, chest + X * w * 0.5], rng.uniform(0.2, 0.26), flat=depth, blend=0.6)
    yoke = np.array([[-w, -low - 0.09, -0.03], [0, -low * 0.4, -0.04], [w, -low - 0.09, -0.03]])
    fig.limb("torso", yoke, [0.085, 0.13, 0.085], flat=0.85, blend=0.8)
    drop = rng.uniform(0.08, 0.4)
    if rng.random() < 0.45:  # the stumps of arms
        for name, s in SIDES:
            shoulder = np.array([s * w, -low - 0.1, -0.03])
            down = turn(Z, s * rng.uniform(3, 25)) @ turn(X, rng.normal(scale=15)) @ -Y
            fig.limb(f"arm@{name}", [shoulder, shoulder + down * (drop + 0.15)], [0.105, 0.09], blend=0.4)
    fig.limb("neck", [[0, -low * 0.6, -0.03], [0, 0.1, 0.0]], [neck_r * 1.1, neck_r * 0.9], blend=0.9)
    add_head(fig, ("head",), np.zeros(3), turned, size, detail=rng.choice([0.65, 0.9]))
    if rng.random() < 0.15:
        c = turned @ (Y * size * 0.72)
        fig.limb(("head", "hat"), [c + turned @ (Y * 0.02)], size * 0.66, flat=0.12, normal=turned @ Y, blend=0.05)
        fig.limb(("head", "hat"), [c, c + turned @ (Y * size * 0.25)], size * 0.42, blend=0.05)
    base = -low - 0.1 - drop
    if rng.random() < 0.3:
        base = -low - rng.uniform(0.4, 0.5)
        fig.limb("pedestal", [[0, base + 0.04, 0], [0, base - 0.1, 0]], [0.09, 0.15], blend=0.2)
        base -= 0.12
    elif rng.random() < 0.25:
        base = -low * rng.uniform(0.4, 1.0)  # cut through the neck
    fig.cut([0, base, 0], Y)
    return fig
