"""Cars and boats."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.aircraft import swept_section
from partseg.data.procedural.curves import circle, superellipse
from partseg.data.procedural.grammar import (
    PartNode,
    between,
    chance,
    count,
    four,
    mirrored,
    part,
    pick,
    stepped,
    turned,
)
from partseg.data.procedural.primitives import (
    Mesh,
    band_groups,
    bar,
    box,
    cylinder,
    ellipsoid,
    lathe,
    prism,
    ring_stack,
)


def road_wheel(rng: np.random.Generator, at: tuple, r: float, width: float, spokes: int, side: float = 1.0) -> PartNode:
    """Wheel about the x axis; tyre and rim are one surface, hub and spokes their own."""
    profile = np.array(
        [
            [0.55, -0.5],
            [0.68, -0.52],
            [0.95, -0.5],
            [1.0, -0.3],
            [1.0, 0.3],
            [0.95, 0.5],
            [0.68, 0.52],
            [0.55, 0.5],
            [0.55, -0.2],
        ]
    ) * (r, width)
    turn = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float)
    tyre, rim = (
        lathe(profile, 28, loop=True)
        .mapped(turn, at)
        .split(band_groups(9, 28, [1, 0, 0, 0, 0, 0, 1, 1, 1], None, None), 2)
    )
    x = at[0] + side * width * 0.25
    hub = part(
        "hub", cylinder((x - width * 0.2, at[1], at[2]), (x + width * 0.3 * side, at[1], at[2]), r * 0.16, sides=14)
    )
    one = part(
        "spoke", bar((x, at[1] + 0.05 * r, at[2]), (x, at[1] + 0.58 * r, at[2]), width * 0.2, r * 0.14, up=(0, 0, 1))
    )
    return part(
        "wheel",
        part("tyre", tyre),
        part("rim", rim),
        part("wheel center", hub, turned("spokes", one, spokes, (1, 0, 0), at)),
    )


def car(rng: np.random.Generator) -> PartNode:
    """Cars, vans, pick-ups: hood, cabin and trunk are stretches of one body surface."""
    kind = pick(rng, ["sedan", "sedan", "hatch", "van", "pickup", "sports", "bus"])
    long = {"van": 4.4, "bus": 7.0, "pickup": 4.9}.get(kind, 4.2) * between(rng, 0.92, 1.08)
    w = between(rng, 1.6, 1.95)
    h = {"van": 1.9, "bus": 2.6, "sports": 1.1, "pickup": 1.6}.get(kind, 1.4) * between(rng, 0.93, 1.07)
    wheel_r = between(rng, 0.28, 0.38)
    clear = wheel_r * 0.55
    belt = h * between(rng, 0.5, 0.58) if kind not in ("van", "bus") else h * 0.5
    # Roof line from rear (-0.5) to front (0.5).
    lines = {
        "sedan": [
            (-0.5, belt * 0.95),
            (-0.36, belt * 1.05),
            (-0.2, h),
            (0.05, h),
            (0.2, belt * 1.08),
            (0.42, belt * 0.92),
            (0.5, belt * 0.72),
        ],
        "hatch": [
            (-0.5, belt),
            (-0.46, belt * 1.25),
            (-0.36, h * 0.98),
            (0.05, h),
            (0.22, belt * 1.08),
            (0.43, belt * 0.92),
            (0.5, belt * 0.72),
        ],
        "van": [
            (-0.5, h * 0.95),
            (-0.47, h),
            (0.2, h),
            (0.3, h * 0.95),
            (0.42, belt * 1.1),
            (0.48, belt * 0.95),
            (0.5, belt * 0.8),
        ],
        "bus": [(-0.5, h * 0.96), (-0.48, h), (0.2, h), (0.45, h), (0.48, h * 0.9), (0.495, belt), (0.5, belt * 0.8)],
        "pickup": [
            (-0.5, belt),
            (-0.12, belt),
            (-0.1, h),
            (0.08, h),
            (0.2, belt * 1.1),
            (0.43, belt),
            (0.5, belt * 0.8),
        ],
        "sports": [
            (-0.5, belt * 1.05),
            (-0.35, belt * 1.1),
            (-0.12, h),
            (0.02, h),
            (0.2, belt * 1.02),
            (0.42, belt * 0.82),
            (0.5, belt * 0.6),
        ],
    }
    line = np.array(lines[kind])
    m = 34
    s = np.linspace(-0.5, 0.5, m)
    roof = np.interp(s, line[:, 0], line[:, 1])
    roof = np.convolve(np.pad(roof, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    taper = 1 - 0.14 * np.clip((np.abs(s) - 0.38) / 0.12, 0, 1) ** 2
    # One closed cross-section: floor, sill, belt, roof edge, roof; the cabin narrows towards the roof.
    half = np.array([[0, 0], [0.85, 0], [1.0, 0.12], [1.02, 0.55], [1.0, 1.0]])
    rings = []
    for i in range(m):
        low, b, top = clear, min(belt, roof[i]), roof[i]
        right = [(x, low + y * (b - low)) for x, y in half]
        narrow = 1 - 0.3 * min((top - b) / max(h - belt, 1e-6), 1)
        right += [
            ((1 + narrow) / 2 * 0.99, (b + top) / 2),
            (narrow * 0.97, b + 0.92 * (top - b) - 0.004),
            (narrow * 0.8, top),
            (0, top + 0.01),
        ]
        right = np.array(right) * (w / 2 * taper[i], 1)
        ring = np.concatenate([right, (right * (-1, 1))[-2:0:-1]])
        rings.append(np.column_stack([ring[:, 0], ring[:, 1], np.full(len(ring), s[i] * long)]))
    rings = np.array(rings)
    k = rings.shape[1]
    body = ring_stack(rings, rings[0].mean(0), rings[-1].mean(0))
    cabin_from = line[2, 0] if kind == "pickup" else line[1, 0] if kind in ("sedan", "sports") else -0.6
    cabin_to = line[4, 0]
    bands = [0 if s[i + 1] <= cabin_from else 2 if s[i] >= cabin_to else 1 for i in range(m - 1)]
    groups = band_groups(m, k, bands, bands[0], bands[-1])
    # Windows: the side quads between belt and roof edge where the roof is well above the belt.
    quad = np.arange(2 * k * (m - 1)) % (2 * k) // 2
    band = np.arange(2 * k * (m - 1)) // (2 * k)
    glassy = np.isin(quad, [5, k - 7]) | np.isin(quad, [4, k - 6])
    tall_enough = (roof[band] - belt > 0.6 * (h - belt)) & (roof[np.minimum(band + 1, m - 1)] - belt > 0.6 * (h - belt))
    side = glassy & tall_enough
    pillar = (band % pick(rng, [5, 6, 7, 8])) == 0
    groups[: len(side)][side & ~pillar] = 3
    trunk, cabin, hood, glass = body.split(groups, 4)
    shell = [part("cabin", cabin)]
    if len(trunk.faces):
        shell.append(part("cargo bed" if kind == "pickup" else "trunk", trunk))
    if len(hood.faces):
        shell.append(part("hood", hood))
    if len(glass.faces):
        shell.append(part("side windows", glass))
    front, rear = long / 2, -long / 2
    bumper = [
        part("bumper", box((w * 0.9, 0.18, 0.14), (0, clear + 0.15, z), 0.06, 2)) for z in (front - 0.02, rear + 0.02)
    ]
    light = part("headlight", ellipsoid((0.14, 0.07, 0.05), (w * 0.32, belt * 0.68, front - 0.01), 16, 8, (2, 3)))
    tail = part("tail light", box((0.22, 0.1, 0.04), (w * 0.34, belt * 0.85, rear), 0.01))
    details = [part("bumpers", *bumper), mirrored("headlights", light), mirrored("tail lights", tail)]
    mirror = part(
        "mirror",
        ellipsoid((0.1, 0.07, 0.05), (w / 2 + 0.09, belt * 1.1, long * (cabin_to - 0.06)), 14, 8, (3, 3)),
        cylinder(
            (w / 2 - 0.08, belt * 1.02, long * (cabin_to - 0.06)),
            (w / 2 + 0.06, belt * 1.08, long * (cabin_to - 0.06)),
            0.02,
            sides=8,
        ),
    )
    details.append(mirrored("mirrors", mirror))
    if kind == "sports" or chance(rng, 0.12):
        y = roof[0] + 0.16
        post = part("post", box((0.04, 0.22, 0.1), (w * 0.3, y - 0.1, rear + 0.16)))
        details.append(
            part(
                "spoiler",
                part("blade", box((w * 0.85, 0.03, 0.22), (0, y, rear + 0.14), 0.01)),
                mirrored("posts", post),
            )
        )
    if kind in ("van", "hatch", "sedan") and chance(rng, 0.3):
        rail = part("rail", bar((w * 0.33, h + 0.05, -0.25 * long), (w * 0.33, h + 0.05, 0.03 * long), 0.04, 0.05))
        details.append(mirrored("roof rails", rail))
    track = w / 2 - 0.1
    width = between(rng, 0.18, 0.26)
    spokes = count(rng, 4, 8)
    wheelbase = long * between(rng, 0.29, 0.33)
    wheel = road_wheel(rng, (track, wheel_r, wheelbase), wheel_r, width, spokes)
    wheels = four("wheels", wheel)
    axle = part("axle", cylinder((-track, wheel_r, wheelbase), (track, wheel_r, wheelbase), 0.05, sides=10))
    return part(
        "car",
        part("body", *shell),
        part("details", *details),
        part("running gear", wheels, mirrored("axles", axle, (0, 0, 1))),
    )


def boat(rng: np.random.Generator) -> PartNode:
    """Sailing and motor boats: hull and deck are one surface."""
    long, w, h = between(rng, 3, 5), between(rng, 0.9, 1.5), between(rng, 0.4, 0.8)
    m = 22
    s = np.linspace(0, 1, m)
    wide = w / 2 * np.minimum(np.sqrt(np.clip((1 - s) / 0.55, 0, 1)), 1) * (0.75 + 0.25 * np.clip(s / 0.3, 0, 1))
    wide = np.maximum(wide, 0.015)
    deck = h + 0.3 * h * np.clip((s - 0.5) / 0.5, 0, 1) ** 2
    keel = h * 0.75 * np.clip((s - 0.75) / 0.25, 0, 1) ** 2
    angle = np.linspace(0, np.pi, 13)
    bottom = np.stack([np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.7, -(np.abs(np.sin(angle)) ** 0.8)], 1)[::-1]
    top = np.stack([np.linspace(1, -1, 7)[1:-1], np.full(5, 0.0)], 1)
    ring = np.concatenate([bottom, top])
    rings = np.zeros((m, len(ring), 3))
    rings[..., 0] = wide[:, None] * ring[:, 0]
    rings[..., 1] = deck[:, None] + ring[:, 1] * (deck - keel)[:, None]
    rings[..., 2] = (-long / 2 + long * s)[:, None]
    body = ring_stack(rings, rings[0].mean(0), rings[-1].mean(0))
    k = len(ring)
    group = np.zeros(len(body.faces), int)
    quad = np.arange(2 * k * (m - 1)) % (2 * k) // 2
    group[: len(quad)][(quad >= 12)] = 1
    hull, deck_mesh = body.split(group, 2)
    parts = [part("hull", part("hull shell", hull), part("deck", deck_mesh))]
    style = pick(rng, ["sail", "sail", "motor"])
    top_y = h
    if style == "sail":
        tall = long * between(rng, 0.9, 1.3)
        mz = long * between(rng, 0.05, 0.15)
        mast = part("mast", cylinder((0, top_y - 0.05, mz), (0, top_y + tall, mz), 0.03, 0.015, 10))
        boom_y = top_y + 0.3
        boom = part("boom", cylinder((0, boom_y, mz), (0, boom_y, mz - long * 0.42), 0.02, sides=8))
        belly = between(rng, 0.03, 0.15)

        def sail(tack: np.ndarray, head: np.ndarray, clew: np.ndarray) -> Mesh:
            rows = np.linspace(0.02, 1, 9)[:, None, None]
            cols = np.linspace(0, 1, 9)[None, :, None]
            grid = head + rows * ((tack - head) * (1 - cols) + (clew - head) * cols)
            bulge = belly * long * 0.4 * np.sin(np.pi * cols) * np.sin(np.pi * np.clip(rows * 0.9, 0, 1))
            front = grid + np.concatenate([bulge + 0.006, 0 * bulge, 0 * bulge], -1)
            back = grid + np.concatenate([bulge - 0.006, 0 * bulge, 0 * bulge], -1)
            loops = np.concatenate([front, back[:, ::-1]], 1)
            return ring_stack(loops, loops[0].mean(0), loops[-1].mean(0)).outward()

        main = part(
            "mainsail",
            sail(
                np.array([0, boom_y + 0.03, mz - 0.03]),
                np.array([0, top_y + tall * 0.97, mz - 0.03]),
                np.array([0, boom_y + 0.03, mz - long * 0.4]),
            ),
        )
        jib = (
            part(
                "jib",
                sail(
                    np.array([0, top_y + 0.1, mz + 0.1]),
                    np.array([0, top_y + tall * 0.8, mz + 0.05]),
                    np.array([0, top_y + 0.25, long * 0.48]),
                ),
            )
            if chance(rng, 0.7)
            else None
        )
        parts.append(part("rig", part("spars", mast, boom), part("sails", main, jib)))
        fin = part(
            "keel fin",
            swept_section(
                np.array([[0, 0.1, 0], [0, -h * 1.1, -0.05]]),
                np.array([[long * 0.15, 0.06], [long * 0.1, 0.04]]),
                circle(14) * 0.5,
                np.array([1.0, 0, 0]),
            ),
        )
        parts.append(
            part("appendages", fin, part("rudder", box((0.03, h * 1.2, 0.2), (0, h * 0.25, -long * 0.5), 0.01)))
        )
    else:
        ch = between(rng, 0.35, 0.6)
        house = part(
            "cabin wall", prism(superellipse(w * 0.6, long * 0.35, 4, 24), top_y - 0.03, top_y + ch, 0.03, 0.85)
        )
        roof = part("roof", prism(superellipse(w * 0.6, long * 0.38, 4, 24), top_y + ch, top_y + ch + 0.05, 0.02))
        parts.append(part("cabin", house, roof))
        n = count(rng, 4, 9)
        post = part(
            "rail post",
            cylinder((w * 0.36, top_y - 0.02, -long * 0.4), (w * 0.36, top_y + 0.25, -long * 0.4), 0.012, sides=8),
        )
        pitch = long * 0.55 / n
        rail = part(
            "rail",
            cylinder(
                (w * 0.36, top_y + 0.25, -long * 0.4),
                (w * 0.36, top_y + 0.25, -long * 0.4 + pitch * (n - 1)),
                0.014,
                sides=8,
            ),
        )
        parts.append(mirrored("railings", part("railing", stepped("rail posts", post, n, (0, 0, pitch)), rail)))
        motor = part(
            "motor",
            part("motor cover", box((0.3, 0.35, 0.25), (0, h + 0.1, -long / 2 - 0.1), 0.08, 2)),
            part("shaft", box((0.08, h * 1.1, 0.1), (0, h * 0.4, -long / 2 - 0.12), 0.02)),
            part(
                "propeller",
                turned("blades", part("blade", ellipsoid((0.1, 0.035, 0.02), (0.1, 0, 0), 12, 6)), 3, (0, 0, 1)).moved(
                    0, -0.1 * h, -long / 2 - 0.2
                ),
            ),
        )
        parts.append(motor)
    return part("boat", *parts)


FAMILIES = {
    "car": car,
    "boat": boat,
}
