"""Bins and bags."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline, catmull_rom, rounded_rectangle, superellipse
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
)
from partseg.data.procedural.primitives import band_groups, box, cylinder, ellipsoid, prism, ring_stack, sweep


def trash_can(rng: np.random.Generator) -> PartNode:
    """Bins: step bins, wheeled bins, swing lids and baskets."""
    w, h = between(rng, 0.22, 0.4), between(rng, 0.3, 0.8)
    power = pick(rng, [2, 2, 3, 8])
    d = w * between(rng, 0.8, 1.2) if power > 2 else w
    plan = superellipse(w, d, power, 32)
    top, rim_y = between(rng, 1.05, 1.35), between(rng, 0.8, 0.93)
    y = np.array([0, 0.01, 0.33, rim_y, 0.97, 1.0, 1.0, 0.97, 0.5, 0.06]) * h
    grow = 1 + (top - 1) * y / h
    grow[4:6] *= 1.03
    grow[6:] -= 0.05
    rings = np.empty((10, 32, 3))
    rings[..., 0], rings[..., 2] = grow[:, None] * plan[:, 0], -grow[:, None] * plan[:, 1]
    rings[..., 1] = y[:, None]
    body = ring_stack(rings, (0, 0, 0), (0, 0.06 * h, 0))
    groups = band_groups(10, 32, [0, 0, 0, 1, 1, 1, 1, 0, 0], 0, 0)
    outer, rim = body.split(groups, 2)
    container = part("container", part("wall", outer), part("rim", rim))
    style = pick(rng, ["dome", "flat", "swing", "open", "wheeled"])
    if style == "wheeled" and power == 2:
        style = "dome"
    extras: list[PartNode] = []
    reach = top * 1.04
    if style in ("dome", "flat", "wheeled"):
        tall = h * between(rng, 0.02, 0.18)
        cover = part(
            "lid",
            prism(plan * reach, 0, tall, tall * 0.2, between(rng, 0.6, 0.95)),
            *([cylinder((-0.04, tall, d * 0.2), (0.04, tall, d * 0.2), 0.012, sides=10)] if chance(rng, 0.4) else []),
        )
        if chance(rng, 0.35):
            cover = cover.rotated((1, 0, 0), -between(rng, 0.2, 1.4), (0, 0, -d / 2 * reach))
        hinge = part("hinge", cylinder((-w * 0.2, h, -d / 2 * reach), (w * 0.2, h, -d / 2 * reach), 0.012, sides=10))
        extras.append(part("cover", cover.moved(0, h, 0), hinge))
        if style != "wheeled" and chance(rng, 0.6):
            pedal = part(
                "pedal",
                sweep(
                    bspline([[0, 0.03, d * 0.4], [0, 0.025, d * 0.55], [0, 0.012, d * 0.62]], 6),
                    1.0,
                    rounded_rectangle(0.08, 0.01, 0.004),
                    up=(0, 1, 0),
                ),
            )
            extras.append(pedal)
    elif style == "swing":
        dome_y = np.linspace(0, 1, 8)
        shape = np.sqrt(np.clip(1 - (dome_y * 0.85) ** 2, 0, 1))
        rings = np.empty((8, 32, 3))
        rings[..., 0], rings[..., 2] = shape[:, None] * plan[:, 0] * reach, -shape[:, None] * plan[:, 1] * reach
        rings[..., 1] = (h + dome_y * w * 0.5)[:, None]
        dome = ring_stack(rings, (0, h, 0), (0, h + w * 0.5, 0))
        flap = part("flap", box((w * 0.6, w * 0.35, 0.012), (0, h + w * 0.26, d * 0.5 * reach * 0.9), 0.004)).rotated(
            (1, 0, 0), -between(rng, 0.3, 0.6), (0, h + w * 0.26, d * 0.5 * reach * 0.9)
        )
        extras.append(part("cover", part("lid", dome), flap))
    if style == "wheeled":
        wheel = part("wheel", cylinder((w * 0.36, 0.02, -d * 0.48), (w * 0.48, 0.02, -d * 0.48), 0.07, sides=20))
        axle = part("axle", cylinder((-w * 0.4, 0.02, -d * 0.48), (w * 0.4, 0.02, -d * 0.48), 0.012, sides=8))
        grip = part(
            "handle",
            cylinder(
                (-w * 0.35, h * 0.95, -d / 2 * top - 0.06), (w * 0.35, h * 0.95, -d / 2 * top - 0.06), 0.015, sides=10
            ),
            cylinder(
                (-w * 0.33, h * 0.95, -d * 0.5 * top + 0.02), (-w * 0.33, h * 0.95, -d / 2 * top - 0.06), 0.012, sides=8
            ),
            cylinder(
                (w * 0.33, h * 0.95, -d * 0.5 * top + 0.02), (w * 0.33, h * 0.95, -d / 2 * top - 0.06), 0.012, sides=8
            ),
        )
        extras += [part("wheels", mirrored("wheels", wheel), axle), grip]
    elif chance(rng, 0.3):
        x = w / 2 * (1 + (top - 1) * 0.8)
        path = catmull_rom(
            [
                [x - 0.005, h * 0.8, 0.05],
                [x + 0.035, h * 0.8, 0.045],
                [x + 0.035, h * 0.8, -0.045],
                [x - 0.005, h * 0.8, -0.05],
            ],
            14,
        )
        extras.append(mirrored("handles", part("handle", sweep(path, 0.008, sides=8, up=(0, 1, 0)))))
    return part("trash can", container, *extras)


def bag(rng: np.random.Generator) -> PartNode:
    """Hand bags, briefcases, backpacks and suitcases."""
    style = pick(rng, ["hand", "hand", "case", "backpack", "trolley"])
    w, h, d = between(rng, 0.25, 0.5), between(rng, 0.2, 0.4), between(rng, 0.08, 0.2)
    if style in ("backpack", "trolley"):
        w, h, d = between(rng, 0.3, 0.42), between(rng, 0.45, 0.7), between(rng, 0.15, 0.25)
    if style in ("case", "trolley"):
        body = box((w, h, d), (0, h / 2, 0), min(w, d) * between(rng, 0.1, 0.3), 3)
    else:
        body = ellipsoid((w / 2, h / 2, d / 2), (0, h / 2, 0), 32, 16, (between(rng, 3, 6), between(rng, 2.5, 5)))
        top = between(rng, 0.5, 1.0)

        def pinched(v: np.ndarray) -> np.ndarray:
            v[:, 2] *= 1 + (top - 1) * np.clip(v[:, 1] / h, 0, 1)
            v[:, 0] *= 1 + (between_top - 1) * np.clip(v[:, 1] / h, 0, 1)
            return v

        between_top = between(rng, 0.75, 1.1)
        body = body.deformed(pinched)
    main = part("body", body)
    extras: list[PartNode] = []
    r = between(rng, 0.006, 0.013)
    wide, tall = w * between(rng, 0.15, 0.3), h * between(rng, 0.15, 0.6)
    if style == "hand":
        z = d * between(rng, 0.12, 0.25)
        path = catmull_rom(
            [
                [-wide, h * 0.9, z],
                [-wide * 0.9, h + tall * 0.7, z],
                [0, h + tall, z],
                [wide * 0.9, h + tall * 0.7, z],
                [wide, h * 0.9, z],
            ],
            24,
        )
        strap = (
            sweep(path, 1.0, rounded_rectangle(2.6 * r, r, 0.3 * r), up=(0, 0, 1))
            if chance(rng, 0.5)
            else sweep(path, r, sides=10, up=(0, 0, 1))
        )
        strap_part = part("strap", strap)
        extras.append(mirrored("handles", strap_part, (0, 0, 1)) if chance(rng, 0.6) else strap_part)
        if chance(rng, 0.5):
            extras.append(part("clasp", box((w * 0.12, h * 0.12, 0.02), (0, h * 0.72, d / 2 * 0.93), 0.005)))
    else:
        grip_path = catmull_rom(
            [[-0.07, h - 0.01, 0], [-0.06, h + 0.035, 0], [0.06, h + 0.035, 0], [0.07, h - 0.01, 0]], 16
        )
        extras.append(part("handle", sweep(grip_path, r, sides=10, up=(0, 0, 1))))
    if style == "case":
        extras.append(mirrored("latches", part("latch", box((0.03, 0.045, 0.012), (w * 0.3, h * 0.96, d / 2), 0.003))))
        extras.append(part("seam", box((w * 1.01, h * 1.01, 0.012), (0, h / 2, 0), 0.004)))
    if style == "backpack":
        x = w * 0.22
        path = catmull_rom(
            [
                [x, h * 0.92, -d * 0.3],
                [x * 1.1, h * 0.95, -d * 0.7],
                [x * 1.25, h * 0.55, -d * 0.85],
                [x * 1.35, h * 0.12, -d * 0.35],
            ],
            20,
        )
        extras.append(
            mirrored(
                "straps", part("strap", sweep(path, 1.0, rounded_rectangle(0.06, 0.016, 0.006), up=(0, -0.6, -0.8)))
            )
        )
        extras.append(part("pocket", ellipsoid((w * 0.38, h * 0.22, d * 0.25), (0, h * 0.3, d * 0.42), 24, 10, (4, 4))))
        if chance(rng, 0.5):
            extras.append(
                mirrored(
                    "side pockets",
                    part("pocket", ellipsoid((d * 0.2, h * 0.17, d * 0.3), (w * 0.47, h * 0.25, 0), 18, 8, (3, 3))),
                )
            )
    if style == "trolley":
        wheel = part("wheel", cylinder((w * 0.38, 0.0, d * 0.36), (w * 0.38 + 0.025, 0.0, d * 0.36), 0.03, sides=16))
        extras.append(four("wheels", wheel))
        rise = between(rng, 0.15, 0.45)
        pole = part("pole", cylinder((0.09, h * 0.9, -d * 0.35), (0.09, h + rise, -d * 0.35), 0.008, sides=8))
        grip = part("grip", cylinder((-0.11, h + rise, -d * 0.35), (0.11, h + rise, -d * 0.35), 0.014, sides=12))
        extras.append(part("pull handle", mirrored("poles", pole), grip))
        n = count(rng, 3, 7)
        rib = part("rib", box((w * 0.04, h * 0.8, 0.012), (-w * 0.36, h / 2, d / 2), 0.003))
        extras.append(stepped("ribs", rib, n, (w * 0.72 / (n - 1), 0, 0)))
    return part("bag", main, *extras)


FAMILIES = {"trash_can": trash_can, "bag": bag}
