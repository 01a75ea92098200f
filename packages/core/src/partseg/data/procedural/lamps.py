"""Floor, table, desk and ceiling lamps."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline
from partseg.data.procedural.grammar import (
    PartNode,
    between,
    chance,
    count,
    mirrored,
    part,
    pick,
    stepped,
    turned,
)
from partseg.data.procedural.objects import disk_foot
from partseg.data.procedural.primitives import box, cylinder, ellipsoid, lathe, lathe_groups, sweep


def _shade(rng: np.random.Generator, low: float, r: float, tall: float) -> PartNode:
    """Lamp shade about the y axis with its lower rim at ``low``, and the bulb in it."""
    style = pick(rng, ["cone", "drum", "dome", "bell", "sphere", "pleated"])
    top = r * between(rng, 0.3, 0.8)
    t = r * 0.03
    if style == "sphere":
        return part("shade", part("shade surface", ellipsoid((r, tall * 0.55, r), (0, low + tall * 0.5, 0), 28, 16)))
    if style == "dome":
        outer = bspline([[r, low], [r, low + tall * 0.7], [r * 0.6, low + tall], [r * 0.1, low + tall]], 14)
    elif style == "bell":
        outer = bspline(
            [[r * 1.1, low], [r * 0.7, low + tall * 0.3], [r * 0.6, low + tall * 0.8], [top * 0.6, low + tall]], 14
        )
    else:
        top = r * between(rng, 0.9, 1.0) if style == "drum" else top
        outer = np.stack([np.linspace(r, top, 8), np.linspace(low, low + tall, 8)], 1)
    profile = np.concatenate([outer, (outer - (t, 0))[::-1]])
    mesh = lathe(profile, 40, loop=True)
    if style == "pleated":
        v = mesh.vertices
        v[:, [0, 2]] *= (1 + 0.05 * np.cos(20 * np.arctan2(v[:, 0], v[:, 2])))[:, None]
    # Spokes carry the shade: without them it would hang in the air.
    y = low + tall * 0.55
    reach = float(np.interp(y, outer[:, 1], outer[:, 0]))
    spoke = part("spoke", cylinder((0, y, 0), (reach, y, 0), r * 0.02, sides=6))
    return part("shade", part("shade surface", mesh), turned("spokes", spoke, 3))


def _bulb(y: float, r: float) -> PartNode:
    """Bulb with its socket above; glass and thread on one surface."""
    profile = (
        np.array(
            [
                [0, -1.2],
                [0.5, -1.1],
                [0.85, -0.75],
                [1.0, -0.2],
                [0.8, 0.4],
                [0.5, 0.8],
                [0.45, 1.1],
                [0.45, 1.6],
                [0, 1.6],
            ]
        )
        * r
    )
    glass, thread = lathe(profile, 16, (0, y, 0)).split(lathe_groups(profile, 16, [0] * 6 + [1, 1]), 2)
    return part("bulb", part("glass", glass), part("socket", thread))


def lamp(rng: np.random.Generator) -> PartNode:
    """Floor, table, desk and ceiling lamps, chandeliers."""
    style = pick(rng, ["floor", "table", "desk", "desk", "ceiling", "chandelier"])
    if style in ("floor", "table"):
        h = between(rng, 1.2, 1.7) if style == "floor" else between(rng, 0.25, 0.5)
        reach = between(rng, 0.12, 0.2) if style == "floor" else between(rng, 0.07, 0.12)
        r, tall = (
            reach * between(rng, 0.8, 1.6),
            between(rng, 0.2, 0.35) if style == "floor" else between(rng, 0.14, 0.25),
        )
        thin = 0.012 if style == "floor" else 0.01
        if style == "floor" and chance(rng, 0.4):
            path = bspline([[0.02, h * 0.5, 0], [0.06, h * 0.4, 0], [reach * 1.2, 0.05, 0], [reach * 1.5, 0, 0]], 10)
            leg = part("leg", sweep(path, thin * 0.8, sides=8, up=(0, 0, 1)))
            base = part("base", turned("legs", leg, count(rng, 3, 4)))
            low = h * 0.45
        else:
            low = between(rng, 0.015, 0.04)
            base = part("base", disk_foot(rng, reach, low))
        if style == "table" and chance(rng, 0.65):
            belly = reach * between(rng, 0.4, 0.9)
            y = np.linspace(0, 1, 22)
            swell = (
                bspline([[0.3], [1.0], [between(rng, 0.3, 1.3)], [between(rng, 0.2, 0.8)], [0.25]], 22)[:, 0] * belly
            )
            body = part(
                "body",
                sweep(np.stack([0 * y, low * 0.8 + y * (h - low * 0.8), 0 * y], 1), np.maximum(swell, thin), sides=20),
            )
        else:
            body = part("pole", cylinder((0, low * 0.8, 0), (0, h, 0), thin, sides=12))
        stem = part("stem", cylinder((0, h - 0.01, 0), (0, h + tall * 0.7, 0), thin * 0.6, sides=8))
        head = part("head", _shade(rng, h, r, tall), _bulb(h + tall * 0.45, min(0.03, tall * 0.12)), stem)
        return part("lamp", base, part("body", body) if body.name != "body" else body, head)
    if style == "desk":
        a, b = between(rng, 0.2, 0.4), between(rng, 0.2, 0.4)
        thin, low = 0.008, 0.03
        base = part("base", disk_foot(rng, between(rng, 0.07, 0.11), low))
        lean, second = between(rng, 0.1, 0.6), between(rng, -1.3, -0.3)
        elbow = np.array([0, low + a * np.cos(lean), -a * np.sin(lean)])
        wrist = elbow + b * np.array([0, np.sin(-second) * 0.6, np.cos(second)])

        def link(name: str, start: np.ndarray, end: np.ndarray) -> PartNode:
            if double:
                return mirrored(
                    name, part("rod", cylinder(start + (0.014, 0, 0), end + (0.014, 0, 0), thin * 0.5, sides=8))
                )
            return part(name, cylinder(start, end, thin, sides=10))

        double = chance(rng, 0.5)

        def joint(at: np.ndarray) -> PartNode:
            return part("joint", cylinder(at - (0.022, 0, 0), at + (0.022, 0, 0), 0.016, sides=14))

        if chance(rng, 0.3):
            path = bspline(
                [[0, low * 0.7, 0], [0, (low + a) * 1.2, -a * 0.2], elbow + (0, 0.1, 0), wrist + (0, 0.06, 0), wrist],
                24,
            )
            arm = part("arm", part("gooseneck", sweep(path, thin, sides=10, up=(1, 0, 0))))
        else:
            arm = part(
                "arm",
                link("lower arm", np.array([0, low, 0]), elbow),
                joint(elbow),
                link("upper arm", elbow, wrist),
                joint(wrist),
            )
        r = between(rng, 0.06, 0.09)
        head = part("head", _shade(rng, -between(rng, 0.08, 0.12), r, 0.11), _bulb(-0.03, 0.022))
        head = head.rotated((1, 0, 0), between(rng, -0.6, 0.3)).moved(*wrist)
        return part("lamp", base, arm, head)
    rose = part("ceiling rose", lathe([[0, -0.05], [0.04, -0.05], [0.1, -0.02], [0.1, 0], [0, 0]], 24))
    drop = between(rng, 0.2, 0.9)
    if style == "ceiling":
        r, tall = between(rng, 0.12, 0.3), between(rng, 0.15, 0.3)
        n = pick(rng, [1, 1, 1, 2, 3])
        cord = part("cord", cylinder((0, 0, 0), (0, -drop - 0.57 * tall, 0), 0.006, sides=8))
        lampshade = _shade(rng, -drop - tall, r, tall)
        pendant = part("pendant", cord, part("head", lampshade, _bulb(-drop - tall * 0.6, 0.03)))
        if n == 1:
            return part("lamp", part("mount", rose), pendant)
        pitch = r * 2.4
        rail = part("rail", box((pitch * n, 0.03, 0.06), (0, -0.01, 0), 0.008))
        return part(
            "lamp",
            part("mount", rail),
            stepped("pendants", pendant.moved(-(n - 1) * pitch / 2, 0, 0), n, (pitch, 0, 0)),
        )
    n, reach = count(rng, 3, 8), between(rng, 0.25, 0.45)
    cord = part("cord", cylinder((0, 0, 0), (0, -drop, 0), 0.008, sides=8))
    hub = part(
        "hub",
        lathe(
            np.array([[0, -0.16], [0.02, -0.15], [0.05, -0.08], [0.03, -0.02], [0.045, 0.05], [0.01, 0.1], [0, 0.1]]),
            20,
            (0, -drop, 0),
        ),
    )
    path = bspline(
        [
            [0.02, -drop - 0.05, 0],
            [reach * 0.5, -drop - between(rng, 0.1, 0.3), 0],
            [reach * 1.05, -drop - 0.12, 0],
            [reach, -drop + 0.02, 0],
        ],
        16,
    )
    up = chance(rng, 0.5)
    candle = part("candle", cylinder((reach, -drop, 0), (reach, -drop + 0.1, 0), 0.012, sides=10)) if up else None
    light = _bulb(0, 0.02)
    light = light.rotated((1, 0, 0), np.pi).moved(reach, -drop + 0.13, 0) if up else light.moved(reach, -drop - 0.02, 0)
    cup = part("cup", lathe([[0, 0], [0.02, 0], [0.04, 0.02], [0.035, 0.025], [0, 0.02]], 16, (reach, -drop, 0)))
    arm = part("chandelier arm", part("arm", sweep(path, 0.008, sides=8, up=(0, 0, 1))), cup, candle, light)
    if chance(rng, 0.5):
        arm.children.append(_shade(rng, 0.0, 0.07, 0.09).moved(reach, -drop + (0.08 if up else -0.1), 0))
    return part("lamp", part("mount", rose, cord), part("body", hub), turned("arms", arm, n))


FAMILIES = {"lamp": lamp}
