"""Hand tools: scissors, pliers, knives, hammers, screwdrivers."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline, rotation, rounded_rectangle, superellipse
from partseg.data.procedural.grammar import PartNode, between, chance, count, mirrored, part, pick, stepped, turned
from partseg.data.procedural.primitives import Mesh, band_groups, box, cylinder, ellipsoid, lathe, lathe_groups, sweep


def ribbon(path: np.ndarray, width: np.ndarray, low: float, high: float) -> Mesh:
    """Flat strip along a planar path (x, y), ``width`` wide, between z = low and high."""
    points = np.stack([path[:, 0], path[:, 1], np.full(len(path), (low + high) / 2)], 1)
    scale = np.stack([np.asarray(width) * np.ones(len(path)), np.full(len(path), high - low)], 1)
    return sweep(points, scale, rounded_rectangle(1, 1, 0.18), up=(0, 0, 1))


def scissors(rng: np.random.Generator) -> PartNode:
    """Scissors and shears: each half is one piece of blade, shank and bow."""
    long, t = between(rng, 0.08, 0.14), between(rng, 0.002, 0.004)
    blade_w, r = long * between(rng, 0.09, 0.16), long * between(rng, 0.18, 0.28)
    opening = between(rng, 0.05, 0.5)
    off = r * between(rng, 0.7, 1.1)
    shank = long * between(rng, 0.3, 0.6)
    oval = between(rng, 1.0, 1.5)
    m = 22
    path = bspline([[0, long], [0, long * 0.5], [0, 0], [off * 0.2, -shank * 0.5], [off, -shank]], m)
    width = np.interp(np.linspace(0, 1, m), [0, 0.05, 0.45, 0.6, 1], [0.15, 0.35, 1, 0.9, 0.5]) * blade_w
    flat = ribbon(path, width, 0, t)
    cut = int(m * 0.5)
    groups = band_groups(m, 12, [0 if i < cut else 1 for i in range(m - 1)], 0, 1)
    blade, rest = flat.split(groups, 2)
    centre = np.array([off * 1.05, -shank - r * oval * 0.9])
    plan = superellipse(2 * r, 2 * r * oval, 2.3, 30) + centre
    ring = sweep(
        np.stack([plan[:, 0], plan[:, 1], np.full(30, t / 2)], 1),
        r * between(rng, 0.13, 0.22),
        sides=10,
        loop=True,
        up=(0, 0, 1),
    )
    half = part("half", part("blade", blade), part("shank", rest), part("finger loop", ring)).rotated(
        (0, 0, 1), opening / 2
    )
    pin = part("pivot", cylinder((0, 0, -t * 1.6), (0, 0, t * 1.6), blade_w * 0.4, sides=16))
    return part("scissors", turned("halves", half, 2), pin)


def pliers(rng: np.random.Generator) -> PartNode:
    """Pliers, cutters and tongs."""
    long, t = between(rng, 0.1, 0.16), between(rng, 0.006, 0.012)
    jaw = long * between(rng, 0.2, 0.6)
    w = long * between(rng, 0.1, 0.16)
    opening = between(rng, 0.05, 0.45)
    bow = long * between(rng, 0.12, 0.28)
    m = 24
    path = bspline(
        [
            [w * 0.28, jaw],
            [w * 0.45, jaw * 0.5],
            [w * 0.1, 0],
            [-w * 0.4, -long * 0.12],
            [-bow, -long * 0.4],
            [-bow * 0.8, -long],
        ],
        m,
    )
    width = np.interp(np.linspace(0, 1, m), [0, 0.25, 0.4, 0.55, 1], [0.4, 0.8, 1.0, 0.55, 0.5]) * w
    body = ribbon(path, width, -t / 2, t / 2)
    cut, hold = int(m * 0.33), int(m * 0.52)
    groups = band_groups(m, 12, [0 if i < cut else 1 for i in range(m - 1)], 0, 1)
    jaw_mesh, lever = body.split(groups, 2)
    grip_path = np.stack([path[hold:, 0], path[hold:, 1], np.zeros(m - hold)], 1)
    swell = np.interp(np.linspace(0, 1, m - hold), [0, 0.1, 0.5, 0.9, 1], [0.42, 0.5, 0.4, 0.46, 0.4]) * w
    grip = sweep(
        grip_path,
        np.stack([swell, 0 * swell + t * 0.75], 1),
        superellipse(2, 2, 2.8, 16),
        up=(0, 0, 1),
        round_ends=True,
    )
    half = part("half", part("jaw", jaw_mesh), part("lever", lever), part("grip", grip)).rotated(
        (0, 0, 1), -opening / 2
    )
    pivot = part("pivot", cylinder((0, 0, -t * 0.8), (0, 0, t * 0.8), w * 0.45, sides=20))
    spring = None
    if chance(rng, 0.25):
        end = rotation((0, 0, 1), -opening / 2) @ grip_path[0]
        arc = bspline(
            [
                end,
                (end[0] * 0.5, end[1] + abs(end[0]) * 1.4, 0),
                (-end[0] * 0.5, end[1] + abs(end[0]) * 1.4, 0),
                end * (-1, 1, 1),
            ],
            12,
        )
        spring = part("spring", sweep(arc, t * 0.2, sides=8, up=(0, 0, 1)))
    return part("pliers", mirrored("halves", half), pivot, spring)


def knife(rng: np.random.Generator) -> PartNode:
    """Knives, daggers and swords: blade, guard, grip, pommel, rivets."""
    kind = pick(rng, ["kitchen", "kitchen", "dagger", "sword", "cleaver"])
    long = {"kitchen": 0.18, "dagger": 0.2, "sword": 0.6, "cleaver": 0.16}[kind] * between(rng, 0.8, 1.2)
    w = long * {"kitchen": 0.17, "dagger": 0.14, "sword": 0.07, "cleaver": 0.45}[kind] * between(rng, 0.8, 1.2)
    t, hold = w * 0.1 + 0.001, between(rng, 0.09, 0.13)
    s = np.linspace(0, 1, 20)
    if kind in ("dagger", "sword"):
        half = w / 2 * np.interp(s, [0, 0.7, 1], [1, 0.85, 0.05])
        top, bottom = half, -half
    elif kind == "cleaver":
        top, bottom = np.full(20, w * 0.2), np.full(20, -w * 0.8)
    else:
        top = w * 0.25 - w * 0.2 * s**3 * between(rng, 0, 1.5)
        bottom = -w * 0.75 * np.clip(1 - s ** between(rng, 2, 5), 0, 1) + top * s**3 * 0.9
        bottom = np.minimum(bottom, top - 0.03 * w)
    curve = between(rng, 0, 0.25) * w if kind == "sword" and chance(rng, 0.4) else 0.0
    mid = np.stack([0 * s, (top + bottom) / 2 + curve * 4 * s**2, s * long], 1)
    edge = np.array([[0, 1], [-1, 0.3], [-0.8, -0.2], [0, -1], [0.8, -0.2], [1, 0.3]])
    tall = np.maximum(top - bottom, 0.02 * w) / 2
    thick = t / 2 * np.interp(s, [0, 0.8, 1], [1, 0.8, 0.3])
    blade = part("blade", sweep(mid, np.stack([thick, tall], 1), edge, up=(0, 1, 0)))
    hs = np.linspace(0, 1, 12)
    grip_y = between(rng, -0.3, 0.1) * w * hs**2 if kind != "sword" else 0 * hs
    radius = np.interp(hs, [0, 0.3, 0.6, 0.9, 1], [0.9, 1, 0.85, 1.1, 0.9]) * 0.012
    spine = np.stack([0 * hs, grip_y, -hs * hold], 1)
    hand = sweep(
        spine[::-1],
        np.stack([radius * 0.65, radius], 1)[::-1],
        superellipse(2, 2, 3, 18),
        up=(0, 1, 0),
        round_ends=True,
    )
    pieces: list[PartNode] = [part("grip", hand)]
    if kind in ("dagger", "sword") or chance(rng, 0.3):
        wide = w * between(rng, 0.9, 1.8) if kind in ("dagger", "sword") else 0.016
        guard = sweep(
            bspline([[0, -wide, between(rng, 0, 0.01)], [0, 0, 0], [0, wide, 0.005]], 9),
            0.006,
            rounded_rectangle(2, 2, 0.5),
            up=(0, 0, 1),
        )
        pieces.append(part("guard", guard))
        if kind in ("dagger", "sword"):
            pieces.append(
                part("pommel", ellipsoid((0.013, 0.014, 0.012), (0, float(grip_y[-1]), -hold - 0.008), 16, 8))
            )
    else:
        rivet = part("rivet", cylinder((-0.009, 0.0, -hold * 0.2), (0.009, 0.0, -hold * 0.2), 0.0035, sides=12))
        pieces.append(stepped("rivets", rivet, count(rng, 2, 3), (0, 0, -hold * 0.25)))
    return part("knife", blade, part("handle", *pieces))


def hammer(rng: np.random.Generator) -> PartNode:
    """Hammers, mallets, axes."""
    long, r = between(rng, 0.25, 0.4), between(rng, 0.011, 0.018)
    kind = pick(rng, ["claw", "ball", "mallet", "axe", "sledge"])
    s = np.linspace(0, 1, 20)
    thick = r * np.interp(s, [0, 0.05, 0.3, 0.5, 1], [0.9, 1.15, 1.1, 0.75, 0.8])
    path = np.stack([0 * s, s * long, 0 * s], 1)
    grip, shaft = sweep(path, np.stack([thick, thick * 1.25], 1), superellipse(2, 2, 2.4, 16), up=(0, 0, 1)).split(
        band_groups(20, 16, [0 if i < 9 else 1 for i in range(19)], 0, 1), 2
    )
    handle = part("handle", part("grip", grip), part("shaft", shaft))
    hr = r * between(rng, 1.2, 1.7)
    y = long - hr * 0.5
    head: list[PartNode] = [part("cheek", box((hr * 1.8, hr * 2.1, hr * 2.2), (0, y, 0), hr * 0.3, 2))]
    if kind == "mallet":
        wide = hr * between(rng, 2.5, 3.5)
        head = [part("head block", cylinder((0, y, -wide), (0, y, wide), hr * 1.8, sides=24))]
        head.append(
            mirrored(
                "faces", part("face", cylinder((0, y, wide), (0, y, wide + hr * 0.5), hr * 1.6, sides=24)), (0, 0, 1)
            )
        )
    elif kind == "axe":
        wedge = bspline([[0, y, hr * 0.8], [0, y, hr * 3], [0, y - hr * 0.5, hr * 5.5]], 8)
        flare = np.interp(np.linspace(0, 1, 8), [0, 0.3, 1], [1.0, 0.95, between(rng, 1.8, 2.8)]) * hr
        head.append(
            part(
                "bit",
                sweep(
                    wedge,
                    np.stack([np.linspace(0.9, 0.06, 8) * hr, flare], 1),
                    rounded_rectangle(2, 2, 0.2),
                    up=(0, 1, 0),
                ),
            )
        )
        head.append(part("poll", box((hr * 1.6, hr * 1.8, hr * 0.9), (0, y, -hr * 1.4), hr * 0.15)))
    else:
        reach = hr * between(rng, 2.2, 3.2)
        neck_face = np.array([[0, 0], [0.8, 0], [0.75, 0.5], [1.15, 0.7], [1.2, 1.0], [0, 1.0]]) * (hr, reach)
        front = lathe(neck_face, 18).mapped(np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float), (0, y, hr * 0.5))
        neck, face = front.split(lathe_groups(neck_face, 18, [0, 0, 1, 1, 1]), 2)
        head.append(part("striker", part("neck", neck), part("face", face)))
        if kind == "claw":
            curve = bspline(
                [
                    [hr * 0.35, y + hr * 0.3, -hr],
                    [hr * 0.45, y + hr * 0.6, -hr * 2.5],
                    [hr * 0.65, y - hr * 0.6, -hr * 4.2],
                ],
                10,
            )
            claw = part(
                "claw",
                sweep(
                    curve,
                    np.stack([np.linspace(0.42, 0.3, 10) * hr, np.linspace(0.8, 0.12, 10) * hr], 1),
                    rounded_rectangle(2, 2, 0.3),
                    up=(0, 1, 0),
                ),
            )
            head.append(mirrored("claws", claw))
        elif kind == "ball":
            head.append(
                part(
                    "peen",
                    cylinder((0, y, -hr * 0.8), (0, y, -hr * 2), hr * 0.7, sides=16),
                    ellipsoid((hr * 0.95,) * 3, (0, y, -hr * 2.4), 18, 10),
                )
            )
        else:
            head.append(
                part(
                    "peen",
                    lathe(neck_face, 18).mapped(np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float), (0, y, -hr * 0.5)),
                )
            )
    return part("hammer", handle, part("head", *head))


def screwdriver(rng: np.random.Generator) -> PartNode:
    """Screwdrivers and chisels with fluted grips; shaft and tip are one surface."""
    long, r = between(rng, 0.06, 0.2), between(rng, 0.002, 0.004)
    gl, gr = between(rng, 0.07, 0.11), between(rng, 0.011, 0.017)
    flutes = pick(rng, [0, 6, 8, 10])
    s = np.linspace(0, 1, 22)
    shape = bspline([[0.55], [0.7], [1.0], [between(rng, 0.7, 1.0)], [1.05], [1.0], [0.75], [0.5]], 22)[:, 0] * gr
    profile = np.concatenate([[[0, 0]], np.stack([shape, s * gl], 1), [[0, gl]]])
    mesh = lathe(profile, 40)
    if flutes:
        v = mesh.vertices
        fade = np.sin(np.pi * np.clip(v[:, 1] / gl, 0, 1)) ** 0.5
        v[:, [0, 2]] *= (1 + 0.07 * fade * np.cos(flutes * np.arctan2(v[:, 0], v[:, 2])))[:, None]
    cut = int(22 * between(rng, 0.7, 0.85))
    grip, collar = mesh.split(lathe_groups(profile, 40, [0] * (cut + 1) + [1] * (22 - cut)), 2)
    m = 10
    path = np.stack([np.zeros(m), np.linspace(gl * 0.95, gl + long, m), np.zeros(m)], 1)
    kind = pick(rng, ["flat", "cross", "chisel"])
    scale = np.full((m, 2), r)
    if kind == "flat":
        scale[-3:] = [[r, r], [1.5 * r, 0.6 * r], [1.3 * r, 0.15 * r]]
    elif kind == "chisel":
        scale[2:] = [2.6 * r, 0.7 * r]
        scale[-1] = [2.6 * r, 0.08 * r]
    else:
        scale[-2:] = [[r, r], [0.25 * r, 0.25 * r]]
    outline = superellipse(2, 2, 5, 16) if kind == "chisel" else None
    k = 16 if kind == "chisel" else 12
    rod, tip = sweep(path, scale, outline, sides=12, up=(0, 0, 1)).split(
        band_groups(m, k, [0] * (m - 4) + [1] * 3, 0, 1), 2
    )
    return part(
        "screwdriver",
        part("handle", part("grip", grip), part("collar", collar)),
        part("bit", part("shaft", rod), part("tip", tip)),
    )


FAMILIES = {
    "scissors": scissors,
    "pliers": pliers,
    "knife": knife,
    "hammer": hammer,
    "screwdriver": screwdriver,
}
