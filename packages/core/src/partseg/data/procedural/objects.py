"""Faucets, clocks and fans."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline, catmull_rom, rounded_rectangle, superellipse
from partseg.data.procedural.grammar import (
    PartNode,
    between,
    chance,
    count,
    mirrored,
    part,
    pick,
    turned,
)
from partseg.data.procedural.primitives import Mesh, bar, box, cylinder, ellipsoid, lathe, prism, sweep, torus

UPRIGHT = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)  # y (up) -> z (front)


def upright(mesh: Mesh, *at: float) -> Mesh:
    """A mesh built lying on the ground (y up), stood up so that its top faces the front (+z), moved to ``at``."""
    return mesh.mapped(UPRIGHT, at or (0.0, 0.0, 0.0))


def disk_foot(rng: np.random.Generator, r: float, tall: float) -> PartNode:
    """Heavy turned foot on the ground."""
    curve = bspline(
        [[r, 0], [r, tall * 0.5], [r * between(rng, 0.5, 0.95), tall * 0.9], [r * 0.15, tall], [0, tall]], 12
    )
    curve[-1, 0] = 0
    return part("foot", lathe(np.concatenate([[[0, 0]], curve]), 28))


def faucet(rng: np.random.Generator) -> PartNode:
    """Taps with one lever, two handles or a wall mount."""
    r, h = between(rng, 0.014, 0.024), between(rng, 0.1, 0.3)
    reach = between(rng, 0.1, 0.2)
    style = pick(rng, ["arch", "low", "square"])
    column = h * between(rng, 0.25, 0.6)
    if style == "arch":
        path = bspline(
            [
                [0, column * 0.9, 0],
                [0, h, 0],
                [0, h * 1.35, reach * 0.3],
                [0, h * 1.3, reach],
                [0, h * 0.9, reach],
                [0, h * 0.75, reach],
            ],
            28,
        )
    elif style == "low":
        path = bspline(
            [
                [0, column * 0.8, 0],
                [0, column * 1.1, reach * 0.4],
                [0, column * 1.0, reach * 0.9],
                [0, column * 0.8, reach],
                [0, column * 0.65, reach],
            ],
            20,
        )
    else:
        path = bspline(
            [
                [0, column * 0.9, 0],
                [0, h, 0],
                [0, h, 0],
                [0, h, 0],
                [0, h, reach],
                [0, h, reach],
                [0, h, reach],
                [0, h - 0.03, reach],
            ],
            24,
        )
    outline = rounded_rectangle(2, 2, 0.4) if style == "square" else None
    radii = r * np.linspace(0.75, between(rng, 0.45, 0.75), len(path))
    tube = part("spout tube", sweep(path, radii, outline, sides=14, up=(1, 0, 0)))
    tip = path[-1]
    nozzle = part("nozzle", cylinder(tip + (0, 0.005, 0), tip - (0, 0.018, 0), radii[-1] * 1.25, sides=16))
    body = part(
        "column",
        lathe(
            [
                [0, 0],
                [r * 1.5, 0],
                [r * 1.5, 0.006],
                [r * 1.05, 0.014],
                [r, column * 0.9],
                [r * 0.9, column],
                [0, column],
            ],
            24,
        ),
    )
    plate = None
    two = chance(rng, 0.45)
    if two:
        span = between(rng, 0.08, 0.13)
        post_h = column * between(rng, 0.5, 0.9)
        stem = part(
            "stem",
            lathe(
                [[0, 0], [r * 1.3, 0], [r * 1.2, 0.008], [r * 0.7, post_h * 0.5], [r * 0.8, post_h], [0, post_h]],
                20,
                (span, 0, 0),
            ),
        )
        kind = pick(rng, ["cross", "lever", "knob"])
        if kind == "cross":
            arm = part("arm", cylinder((span, post_h, 0), (span + 2.4 * r, post_h, 0), r * 0.35, r * 0.45, 10))
            grip: PartNode = turned("cross handle", arm, count(rng, 3, 5), (0, 1, 0), (span, 0, 0))
        elif kind == "lever":
            path2 = bspline(
                [[span, post_h, 0], [span + r, post_h + r * 0.5, r], [span + 3.5 * r, post_h + r, 1.5 * r]], 8
            )
            grip = part("lever", sweep(path2, r * np.linspace(0.6, 0.35, 8), sides=10, round_ends=True))
        else:
            outline2 = (
                superellipse(3.4 * r, 3.4 * r, 2, 24) * (1 + 0.08 * np.cos(6 * np.arange(24) * np.pi / 12))[:, None]
            )
            grip = part("knob", prism(outline2, post_h * 0.95, post_h + 1.6 * r, 0.2 * r, 0.85).moved((span, 0, 0)))
        switch = mirrored("switches", part("switch", stem, grip))
        if two:
            plate = part("plate", prism(rounded_rectangle(2 * span + 5 * r, 4 * r, 2 * r, 5), -0.006, 0.005, 0.002))
    else:
        side = chance(rng, 0.5)
        if side:
            hub = part("hub", cylinder((r * 0.8, column * 0.6, 0), (r * 2.4, column * 0.6, 0), r * 0.75, sides=14))
            path2 = bspline(
                [[r * 2, column * 0.6, 0], [r * 2.8, column * 0.6 + 2 * r, 0], [r * 3.2, column * 0.6 + 4.5 * r, -r]], 8
            )
        else:
            hub = part(
                "hub",
                ellipsoid(
                    (r * 1.05, r * 0.9, r * 1.05),
                    (0, column * (1.0 if style != "arch" else 0.55), 0 if style != "arch" else -r),
                    18,
                    8,
                ),
            )
            y = column * (1.0 if style != "arch" else 0.55)
            path2 = bspline([[0, y, -r * 0.2], [0, y + 2 * r, -r * 1.5], [0, y + 3 * r, -4 * r]], 8)
        switch = part(
            "switch", hub, part("lever", sweep(path2, r * np.linspace(0.5, 0.3, 8), sides=10, round_ends=True))
        )
    return part("faucet", part("base", body, plate), part("spout", tube, nozzle), switch)


def clock(rng: np.random.Generator) -> PartNode:
    """Wall, alarm and mantel clocks."""
    r, t = between(rng, 0.08, 0.2), between(rng, 0.02, 0.06)
    style = pick(rng, ["wall", "wall", "alarm", "square", "mantel"])
    power = {"wall": 2, "alarm": 2, "square": pick(rng, [4, 8, 20]), "mantel": 2}[style]
    plan = superellipse(2 * r, 2 * r, power, 40)
    ring = part("case", upright(prism(plan, -t, 0, t * 0.15), 0, 0, 0))
    rim_path = np.stack([plan[:, 0] * 0.97, plan[:, 1] * 0.97, np.zeros(len(plan))], 1)
    bezel = part("bezel", sweep(rim_path, r * between(rng, 0.03, 0.07), sides=8, loop=True, up=(0, 0, 1)))
    face = part("dial", upright(prism(plan * 0.9, 0, t * 0.1), 0, 0, 0))
    n = pick(rng, [4, 12, 12])
    long = r * between(rng, 0.06, 0.12)
    mark = part("mark", box((r * 0.03, long, t * 0.1), (0, r * 0.82 - long / 2, t * 0.13)))
    marks = turned("marks", mark, n, (0, 0, 1))

    def hand(name: str, length: float, width: float, z: float) -> PartNode:
        angle = between(rng, 0, 2 * np.pi)
        outline = np.array(
            [[-width, -0.15 * length], [width, -0.15 * length], [width * 0.5, length], [-width * 0.5, length]]
        )
        return part(name, upright(prism(outline, z, z + t * 0.06), 0, 0, 0)).rotated((0, 0, 1), angle)

    hands = [hand("hour hand", r * 0.5, r * 0.035, t * 0.2), hand("minute hand", r * 0.75, r * 0.025, t * 0.28)]
    if chance(rng, 0.5):
        hands.append(hand("second hand", r * 0.78, r * 0.01, t * 0.36))
    pin = part("pin", cylinder((0, 0, 0), (0, 0, t * 0.5), r * 0.05, sides=12))
    front = part("face", face, marks, part("hands", *hands, pin))
    extras: list[PartNode] = []
    if style == "alarm":
        foot = part(
            "foot", cylinder((r * 0.5, -r * 0.75, -t * 0.5), (r * 0.75, -r * 1.2, -t * 0.5), r * 0.06, r * 0.09, 10)
        )
        bell = part("bell", ellipsoid((r * 0.32, r * 0.2, r * 0.32), (0, r * 1.18, -t * 0.5), 20, 8)).rotated(
            (0, 0, 1), -0.55
        )
        path = catmull_rom(
            [
                [r * 0.5, r * 0.95, -t * 0.5],
                [r * 0.35, r * 1.5, -t * 0.5],
                [-r * 0.35, r * 1.5, -t * 0.5],
                [-r * 0.5, r * 0.95, -t * 0.5],
            ],
            18,
        )
        extras = [
            mirrored("feet", foot),
            part("alarm", mirrored("bells", bell), part("handle", sweep(path, r * 0.04, sides=8, up=(0, 0, 1)))),
        ]
    elif style == "mantel":
        wide = r * between(rng, 2.6, 4)
        path = bspline(
            [
                [-wide / 2, -r * 1.2],
                [wide / 2, -r * 1.2],
                [wide / 2, -r * 0.7],
                [r * 1.2, -r * 0.5],
                [r * 1.25, r * 1.3],
                [-r * 1.25, r * 1.3],
                [-r * 1.2, -r * 0.5],
                [-wide / 2, -r * 0.7],
                [-wide / 2, -r * 1.2],
            ],
            48,
        )[:-1]
        body = part("housing", upright(prism(path, -t * 2.5, -t * 0.3, t * 0.1), 0, 0, 0))
        plinth = part("plinth", box((wide * 1.08, r * 0.18, t * 3.4), (0, -r * 1.25, -t * 1.3), t * 0.1))
        extras = [part("stand", body, plinth)]
    elif chance(rng, 0.35):
        drop = r * between(rng, 1.6, 2.6)
        rod = part("rod", bar((0, -r * 0.9, -t * 0.5), (0, -drop, -t * 0.5), r * 0.05, r * 0.03, up=(0, 0, 1)))
        bob = part(
            "bob",
            upright(
                lathe([[0, -t * 0.2], [r * 0.22, -t * 0.1], [r * 0.25, 0], [r * 0.22, t * 0.1], [0, t * 0.2]], 24),
                0,
                -drop,
                -t * 0.5,
            ),
        )
        swing = part("pendulum", rod, bob).rotated((0, 0, 1), between(rng, -0.3, 0.3), (0, -r * 0.5, 0))
        extras = [swing]
    return part("clock", part("body", ring, bezel), front, *extras)


def fan(rng: np.random.Generator) -> PartNode:
    """Electric fans with twisted blades and a wire guard."""
    r, h = between(rng, 0.12, 0.25), between(rng, 0.2, 1.1)
    y = h + r
    n = count(rng, 3, 6)
    twist = between(rng, 0.3, 0.7)
    s = np.linspace(0, 1, 9)
    path = np.stack([r * (0.1 + 0.8 * s), y + 0 * s, 0 * s], 1)
    chord = r * np.interp(s, [0, 0.4, 0.85, 1], [0.25, between(rng, 0.5, 0.8), between(rng, 0.5, 0.8), 0.25])
    mesh = sweep(path, np.stack([np.full(9, 0.004), chord / 2], 1), sides=12, up=(0, np.cos(twist), np.sin(twist)))
    blades = turned("blades", part("blade", mesh), n, (0, 0, 1), (0, y, 0))
    hub = part("hub", ellipsoid((r * 0.17, r * 0.17, r * 0.12), (0, y, 0.01), 18, 8))
    rotor = part("rotor", hub, blades)
    depth = r * 0.3
    motor = part(
        "motor",
        upright(
            lathe([[0, 0], [r * 0.3, 0.02], [r * 0.34, r * 0.3], [r * 0.25, r * 0.5], [0, r * 0.5]], 24),
            0,
            y,
            -r * 0.62,
        ),
    )
    wires = count(rng, 12, 24)
    wire_path = np.array(
        [
            [0, y + 0.15 * r, depth * 0.75],
            [0, y + 0.75 * r, depth * 0.6],
            [0, y + 0.99 * r, 0],
            [0, y + 0.75 * r, -depth * 0.7],
            [0, y + 0.2 * r, -depth],
        ]
    )
    wire = part("wire", sweep(catmull_rom(wire_path, 10), r * 0.012, sides=5, up=(1, 0, 0)))
    cage = part(
        "guard",
        turned("wires", wire, wires, (0, 0, 1), (0, y, 0)),
        part("rim", torus((0, y, 0), (0, 0, 1), r, r * 0.025, 8, 36)),
        part("badge", cylinder((0, y, depth * 0.7), (0, y, depth * 0.8), r * 0.17, sides=20)),
    )
    tall = 0.03
    foot = disk_foot(rng, r * between(rng, 0.6, 0.9), tall).moved(0, 0, -r * 0.35)
    pole = part("pole", cylinder((0, tall * 0.7, -r * 0.35), (0, y, -r * 0.35), r * 0.07, sides=12))
    return part("fan", part("head", rotor, motor, cage), part("stand", pole, foot))


FAMILIES = {
    "faucet": faucet,
    "clock": clock,
    "fan": fan,
}
