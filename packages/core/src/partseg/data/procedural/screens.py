"""Laptops, displays and keyboards."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import rounded_rectangle, superellipse
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
from partseg.data.procedural.objects import upright
from partseg.data.procedural.primitives import Mesh, bar, box, cylinder, prism, sweep


def _keys(rng: np.random.Generator, w: float, d: float, y: float, lift: float, rows: int) -> PartNode:
    """Rows of keys in a field of ``w`` by ``d``, each row a translation group."""
    pitch = d / rows
    groups = []
    for row in range(rows):
        n = count(rng, 8, 13) if row < rows - 1 else 0
        z = -d / 2 + pitch * (row + 0.5)
        if n:
            p = w / n
            key = part("key", box((p * 0.82, lift, pitch * 0.8), (-w / 2 + p / 2, y + lift / 2, z), lift * 0.3))
            groups.append(stepped("key row", key, n, (p, 0, 0)))
        else:
            p = w / 8
            key = part("key", box((p * 0.85, lift, pitch * 0.8), (-w / 2 + p / 2, y + lift / 2, z), lift * 0.3))
            bar_key = part("space bar", box((p * 3.85, lift, pitch * 0.8), (0, y + lift / 2, z), lift * 0.3))
            groups.append(mirrored("key row", stepped("keys", key, 2, (p, 0, 0))))
            groups.append(bar_key)
    return part("keys", *groups)


def laptop(rng: np.random.Generator) -> PartNode:
    """Laptops, open at any angle."""
    w, d, t = between(rng, 0.28, 0.4), between(rng, 0.19, 0.27), between(rng, 0.012, 0.024)
    corner = between(rng, 0.0, 0.02)
    case = part("case", prism(rounded_rectangle(w, d, corner, 3), 0, t, t * 0.15))
    keys = _keys(rng, w * 0.88, d * 0.45, t - 0.0005, 0.003, count(rng, 3, 5)).moved(0, 0, -d * 0.15)
    pad = part("touchpad", box((w * between(rng, 0.25, 0.4), 0.002, d * 0.26), (0, t, d * 0.29), 0.0005))
    lt = t * between(rng, 0.35, 0.6)
    lid_plan = prism(rounded_rectangle(w, d, corner, 3), 0, lt, lt * 0.15)
    back = part("lid", upright(lid_plan, 0, d / 2, 0))
    screen = part("screen", box((w * 0.94, d * 0.86, lt * 0.15), (0, d * 0.52, lt), 0))
    camera = part("camera", cylinder((0, d * 0.975, lt * 0.9), (0, d * 0.975, lt * 1.1), 0.003, sides=10))
    display = part("display", back, screen, camera).moved(0, 0, -lt)
    open_angle = between(rng, 0.05, 0.8)
    display = display.rotated((1, 0, 0), -open_angle).moved(0, t + 0.002, -d / 2 + lt * 0.5)
    if chance(rng, 0.5):
        hinge = mirrored(
            "hinges", part("hinge", cylinder((w * 0.3, t, -d / 2), (w * 0.4, t, -d / 2), t * 0.45, sides=12))
        )
    else:
        hinge = part("hinge", cylinder((-w * 0.35, t, -d / 2), (w * 0.35, t, -d / 2), t * 0.45, sides=12))
    feet = (
        four("feet", part("foot", cylinder((w * 0.42, -0.003, d * 0.42), (w * 0.42, 0.001, d * 0.42), 0.006, sides=10)))
        if chance(rng, 0.5)
        else None
    )
    return part(
        "laptop",
        part("base", case, keys, pad, feet),
        part("screen side", display) if display.name != "display" else display,
        hinge,
    )


def display(rng: np.random.Generator) -> PartNode:
    """Monitors and television sets, flat or curved, on feet, a column or a tripod."""
    w = between(rng, 0.45, 1.2)
    h = w * between(rng, 0.45, 0.75)
    t, lift = w * between(rng, 0.025, 0.08), h * between(rng, 0.12, 0.5)
    y = lift + h / 2
    bend = between(rng, 0.2, 0.6) if chance(rng, 0.25) else 0.0

    def curve(v: np.ndarray) -> np.ndarray:
        v[:, 2] += bend * v[:, 0] ** 2 / w
        return v

    def panel(width: float, height: float, thick: float, z: float) -> Mesh:
        path = np.stack([np.linspace(-width / 2, width / 2, 15), np.full(15, y), np.full(15, z)], 1)
        return sweep(path, 1.0, rounded_rectangle(thick, height, thick * 0.2), up=(0, 1, 0)).deformed(curve)

    shell = part("frame", panel(w, h, t, 0))
    rim = w * between(rng, 0.01, 0.04)
    screen = part("screen", panel(w - 2 * rim, h - 2.5 * rim, t * 0.12, t / 2))
    housing = (
        part("back cover", box((w * 0.5, h * 0.5, t * 1.2), (0, y - h * 0.05, -t * 0.9), t * 0.4, 2))
        if chance(rng, 0.6)
        else None
    )
    head = part("display screen", shell, screen, housing)
    style = pick(rng, ["column", "column", "feet", "tripod", "slab"])
    z = -t * (1.2 if housing else 0.6)
    if style == "feet":
        leg = part(
            "leg",
            sweep(np.array([[w * 0.34, y - h * 0.5 + 0.01, 0], [w * 0.36, 0.006, w * 0.1]]), 0.006, sides=8),
            sweep(np.array([[w * 0.34, y - h * 0.5 + 0.01, 0], [w * 0.36, 0.006, -w * 0.1]]), 0.006, sides=8),
        )
        base = part("base", mirrored("legs", leg))
    elif style == "tripod":
        hub = part("column", cylinder((0, lift * 0.35, z), (0, y, z), 0.015, sides=12))
        leg = part("leg", cylinder((0, lift * 0.4, z), (w * 0.2, 0, z), 0.009, 0.006, 8))
        base = part("base", hub, turned("legs", leg, 3, (0, 1, 0), (0, 0, z)).rotated((0, 1, 0), np.pi / 6, (0, 0, z)))
    else:
        wide = w * between(rng, 0.06, 0.2)
        neck = part(
            "neck", bar((0, 0.005, z - 0.01), (0, y, z), wide, t * 0.5, up=(0, 0, 1), taper=between(rng, 0.7, 1.0))
        )
        plan = superellipse(w * between(rng, 0.3, 0.5), w * between(rng, 0.2, 0.28), pick(rng, [2, 3, 8]), 32)
        foot = part("foot", prism(plan, 0, 0.012, 0.004).moved((0, 0, z * 0.3)))
        mount = part("mount", cylinder((0, y, z - 0.005), (0, y, -t * 0.3), wide * 0.6, sides=16))
        base = part("base", foot, neck, mount)
    buttons = None
    if chance(rng, 0.3):
        n = count(rng, 3, 6)
        one = part(
            "button",
            cylinder(
                (w * 0.3, y - h / 2 + rim * 0.7, t / 2 - 0.002),
                (w * 0.3, y - h / 2 + rim * 0.7, t / 2 + 0.006),
                min(rim * 0.4, 0.007),
                sides=10,
            ),
        )
        buttons = stepped("buttons", one, n, (0.02, 0, 0))
        if bend:
            buttons = None
    if buttons:
        head.children.append(buttons)
    return part("display", head, base)


def keyboard(rng: np.random.Generator) -> PartNode:
    """Computer keyboards, with or without a number pad."""
    w, d, t = between(rng, 0.28, 0.38), between(rng, 0.1, 0.15), between(rng, 0.008, 0.02)
    case = part("case", prism(rounded_rectangle(w, d, between(rng, 0, 0.02), 3), 0, t, t * 0.2))
    pad_w = between(rng, 0.16, 0.22) * w if chance(rng, 0.6) else 0.0
    main_w = w * 0.94 - pad_w * 1.1
    lift = between(rng, 0.004, 0.009)
    keys = _keys(rng, main_w, d * 0.86, t - 0.001, lift, count(rng, 4, 6)).moved(-(w * 0.94 - main_w) / 2, 0, 0)
    numbers = None
    if pad_w:
        pitch = pad_w / 4
        row_pitch = d * 0.86 / 5
        x0 = w * 0.47 - pad_w + pitch / 2
        key = part(
            "key",
            box(
                (pitch * 0.82, lift, row_pitch * 0.8), (x0, t - 0.001 + lift / 2, -d * 0.43 + row_pitch / 2), lift * 0.3
            ),
        )
        numbers = stepped("number pad", stepped("key row", key, 4, (pitch, 0, 0)), 5, (0, 0, row_pitch))
    rest = (
        part("wrist rest", box((w, t * 0.8, d * 0.4), (0, t * 0.4, d * 0.7), t * 0.3, 2)) if chance(rng, 0.3) else None
    )
    feet = (
        mirrored("feet", part("foot", box((0.03, t * 0.9, 0.012), (w * 0.38, -t * 0.35, -d * 0.42))))
        if chance(rng, 0.5)
        else None
    )
    body = part("body", case, rest, feet)
    board = part("keyboard", body, keys, numbers)
    return board.rotated((1, 0, 0), between(rng, 0.0, 0.12))


FAMILIES = {"laptop": laptop, "display": display, "keyboard": keyboard}
