"""Turned vessels: mugs, bottles and vases, and the walls, handles, spouts and lids of vessels.

The wall of a vessel is one surface of revolution, inside and outside; foot, body, neck and lip are stretches of its
profile, so no gap or crease need mark where one part ends and the next begins.
"""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline, catmull_rom, rounded_rectangle
from partseg.data.procedural.grammar import PartNode, between, chance, mirrored, part, pick, turned
from partseg.data.procedural.primitives import Mesh, cylinder, ellipsoid, lathe, lathe_groups, sweep, torus

Stretch = tuple[str, np.ndarray]


def wall(
    rng: np.random.Generator, stretches: list[Stretch], thickness: float, sides: int, flutes: int = 0
) -> list[PartNode]:
    """Hollow wall from the outside profile.

    Args:
        stretches: (part name, (m, 2) radius and height) from the foot upward; each starts where the one before ended.
        thickness: of the wall; the inside follows the outside at that distance and meets it at the rim.
        sides: points around.
        flutes: number of waves around the outside, 0 for a round vessel.

    Returns:
        One leaf a stretch. The inside belongs to the same parts as the outside next to it.
    """
    names = [name for name, _ in stretches]
    outside, owner = [np.array([[0.0, stretches[0][1][0, 1]]])], []
    for number, (_, curve) in enumerate(stretches):
        skip = 0 if number == 0 else 1
        outside.append(curve[skip:])
        owner += [number] * (len(curve) - skip)
    outer = np.concatenate(outside)
    floor = outer[0, 1] + thickness * between(rng, 1.0, 2.5)
    rim = outer[-1]
    slope = np.gradient(outer[1:], axis=0)
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    inner = outer[1:] + thickness * np.stack([-slope[:, 1], slope[:, 0]], 1)
    inner[:, 0] = np.maximum(np.minimum(inner[:, 0], outer[1:, 0] - 0.6 * thickness), 0.15 * thickness)
    inner_owner = np.array(owner)
    keep = inner[:, 1] > floor
    keep[: int(np.argmax(keep))] = False
    inner, inner_owner = inner[keep], inner_owner[keep]
    inner[:, 1] = np.minimum(inner[:, 1], rim[1])
    lip = np.array([[(rim[0] + inner[-1, 0]) / 2, rim[1] + 0.4 * thickness]])
    bottom = np.array([[inner[0, 0] * 0.9, floor], [0, floor]])
    profile = np.concatenate([outer, lip, inner[::-1], bottom])
    last = len(names) - 1
    bands = [*owner, last, last, *inner_owner[::-1][1:].tolist(), int(inner_owner[0]), int(inner_owner[0])]
    mesh = lathe(profile, sides)
    if flutes:
        v = mesh.vertices
        angle = np.arctan2(v[:, 0], v[:, 2])
        height = (v[:, 1] - outer[0, 1]) / max(rim[1] - outer[0, 1], 1e-9)
        wave = 1 + between(rng, 0.02, 0.06) * np.cos(flutes * angle) * np.sin(np.pi * np.clip(height, 0, 1))
        v[:, [0, 2]] *= wave[:, None]
    pieces = mesh.split(lathe_groups(profile, sides, bands), len(names))
    return [part(name, piece) for name, piece in zip(names, pieces, strict=True)]


def radius_at(stretches: list[Stretch], y: float) -> float:
    """Outside radius at a height."""
    curve = np.concatenate([c for _, c in stretches])
    order = np.argsort(curve[:, 1], kind="stable")
    return float(np.interp(y, curve[order, 1], curve[order, 0]))


def handle(
    rng: np.random.Generator, stretches: list[Stretch], low: float, high: float, reach: float, r: float
) -> PartNode:
    """Ear on the +x side between two heights, standing off by ``reach``."""
    x0, x1 = radius_at(stretches, low) - 0.4 * r, radius_at(stretches, high) - 0.4 * r
    tall = high - low
    style = pick(rng, ["ear", "ear", "ring", "square", "loop"])
    if style == "ear":
        middle = [
            [x1 + reach * 0.8, high + 0.12 * tall],
            [x1 + reach * 1.1, high - 0.25 * tall],
            [x0 + reach * 0.5, low + 0.1 * tall],
        ]
        path = catmull_rom([[x1, high], *middle, [x0, low]], 20)
    elif style == "ring":
        path = catmull_rom(
            [
                [x1, high],
                [x1 + reach * 0.7, high],
                [max(x0, x1) + reach, (low + high) / 2],
                [x0 + reach * 0.7, low],
                [x0, low],
            ],
            20,
        )
    elif style == "square":
        out = max(x0, x1) + reach
        path = bspline(
            [[x1, high], [out, high], [out, high], [out, high], [out, low], [out, low], [out, low], [x0, low]], 24
        )
    else:
        path = bspline(
            [
                [x1, high - 0.1 * tall],
                [x1 + reach * 0.6, high + 0.6 * tall],
                [x1 + reach * 1.8, high],
                [x0 + reach * 0.8, low],
                [x0, low],
            ],
            22,
        )
    points = np.stack([path[:, 0], path[:, 1], np.zeros(len(path))], 1)
    swell = r * np.interp(
        np.linspace(0, 1, len(path)), [0, 0.2, 0.8, 1], [1.25, between(rng, 0.8, 1), between(rng, 0.7, 1), 1.2]
    )
    flat = between(rng, 0.55, 1.0)
    outline = None if chance(rng, 0.6) else rounded_rectangle(2, 2, 0.6, 2)
    scale = np.stack([swell * flat, swell], 1)
    return part("handle", sweep(points, scale, outline, sides=12, up=(0, 0, 1)))


def spout(
    rng: np.random.Generator, stretches: list[Stretch], low: float, top: float, reach: float, r: float
) -> PartNode:
    """Spout on the -x side, from the body at height ``low`` to height ``top``."""
    x = radius_at(stretches, low)
    bend = between(rng, 0.1, 0.9)
    path = bspline(
        [
            [-x * 0.8, low, 0],
            [-x - reach * bend, low + 0.1 * (top - low), 0],
            [-x - reach * 0.4, (low + top) / 2, 0],
            [-x - reach * 0.7, top, 0],
            [-x - reach * 1.1, top + 0.03 * (top - low), 0],
        ],
        16,
    )
    radii = r * np.linspace(1.3, between(rng, 0.45, 0.7), 16)
    outer = sweep(path, radii, sides=14, up=(0, 0, 1), open_ends=True)
    inner = sweep(path[::-1], radii[::-1] * 0.75, sides=14, up=(0, 0, 1), open_ends=True)
    # Outside and bore meet in a rim: one tube turned back into itself.
    inside = Mesh(inner.vertices, inner.faces[:, ::-1])
    k = 14
    rim_a = np.arange(15 * k, 16 * k)
    tip = inner.vertices[:k]
    near = np.argmin(((outer.vertices[rim_a][:, None] - tip[None]) ** 2).sum(-1), 1) + len(outer.vertices)
    rim = np.concatenate(
        [np.stack([rim_a, np.roll(rim_a, -1), np.roll(near, -1)], 1), np.stack([rim_a, np.roll(near, -1), near], 1)]
    )
    faces = np.concatenate([outer.faces, inside.faces + len(outer.vertices), rim])
    return part("spout", Mesh(np.concatenate([outer.vertices, inside.vertices]), faces.astype(np.int32)))


def lid(rng: np.random.Generator, y: float, r: float, tall: float) -> PartNode:
    """Lid resting on a rim of radius ``r`` at height ``y``, with a knob."""
    dome = bspline(
        [[r * 0.9, 0], [r * 1.04, 0], [r * 1.04, tall * 0.25], [r * 0.7, tall * between(rng, 0.4, 1.2)], [0.0, tall]],
        12,
    )
    dome[-1, 0] = 0
    cover = part("lid cover", lathe(np.concatenate([[[0, 0]], dome]), 28, (0, y, 0)))
    top = y + dome[-1, 1]
    size = r * between(rng, 0.12, 0.25)
    style = pick(rng, ["ball", "turned", "bow"])
    if style == "ball":
        grip = part(
            "knob",
            cylinder((0, top - size * 0.2, 0), (0, top + size, 0), size * 0.5, sides=10),
            ellipsoid((size, size * 0.8, size), (0, top + size * 1.4, 0), 14, 8),
        )
    elif style == "turned":
        grip = part(
            "knob",
            lathe(
                np.array([[0, -0.2], [0.8, -0.2], [0.45, 0.4], [1.0, 1.1], [0.8, 1.6], [0, 1.7]]) * size,
                16,
                (0, top, 0),
            ),
        )
    else:
        path = catmull_rom(
            [
                [-size * 1.5, top - size * 0.3, 0],
                [-size * 1.2, top + size, 0],
                [size * 1.2, top + size, 0],
                [size * 1.5, top - size * 0.3, 0],
            ],
            14,
        )
        grip = part("knob", sweep(path, size * 0.3, sides=8))
    return part("lid", cover, grip)


def foot_curve(rng: np.random.Generator, r: float, tall: float) -> np.ndarray:
    """Foot ring ending at (r, tall)."""
    style = pick(rng, ["plain", "step", "flare"])
    if style == "plain":
        return np.array([[r * 0.85, 0], [r * 0.97, tall * 0.2], [r, tall]])
    if style == "step":
        return np.array([[r * 1.0, 0], [r * 1.06, tall * 0.15], [r * 1.06, tall * 0.8], [r, tall]])
    return bspline([[r * 1.15, 0], [r * 1.3, tall * 0.1], [r * 0.9, tall * 0.5], [r, tall]], 8)


def mug(rng: np.random.Generator) -> PartNode:
    """Mugs and cups, with or without a saucer."""
    r, h = between(rng, 0.032, 0.05), between(rng, 0.06, 0.13)
    foot_r = r * between(rng, 0.6, 1.05)
    tall = h * between(rng, 0.03, 0.1)
    belly = between(rng, 0.9, 1.25)
    body = bspline(
        [[foot_r, tall], [foot_r * belly + 0.1 * r, tall + 0.15 * h], [r * belly, h * 0.5], [r, h * 0.95]], 16
    )
    rim = np.array([body[-1], [r * between(rng, 1, 1.08), h]])
    stretches = [("base", foot_curve(rng, foot_r, tall)), ("body", body), ("rim", rim)]
    t = r * between(rng, 0.05, 0.14)
    container = part("container", *wall(rng, stretches, t, 36))
    ear = handle(
        rng,
        stretches,
        h * between(rng, 0.15, 0.3),
        h * between(rng, 0.7, 0.88),
        r * between(rng, 0.45, 0.85),
        r * between(rng, 0.09, 0.18),
    )
    saucer = None
    if chance(rng, 0.25):
        s = r * between(rng, 1.5, 1.9)
        curve = bspline([[s * 0.5, -0.006], [s * 0.6, -0.004], [s * 0.95, 0.006], [s, 0.012]], 10)
        saucer = part("saucer", *wall(rng, [("well", curve[:5]), ("brim", curve[4:])], 0.004, 36))
    return part("mug", container, ear, saucer)


def bottle(rng: np.random.Generator) -> PartNode:
    """Bottles and jars: base, body, shoulder, neck and lip on one surface; caps, labels and grips."""
    h, r = between(rng, 0.18, 0.34), between(rng, 0.028, 0.055)
    neck_r = r * between(rng, 0.25, 0.6) if chance(rng, 0.75) else r * between(rng, 0.75, 0.92)
    a, b, c = h * between(rng, 0.03, 0.06), h * between(rng, 0.5, 0.7), h * between(rng, 0.76, 0.88)
    waist = between(rng, 0.75, 1.15) if chance(rng, 0.4) else 1.0
    base = np.array([[r * 0.85, 0], [r * 0.97, a * 0.3], [r, a]])
    body = catmull_rom([[r, a], [r * (1 + waist) / 2, a + (b - a) * 0.3], [r * waist, a + (b - a) * 0.55], [r, b]], 16)
    shoulder = bspline(
        [[r, b], [r, b + (c - b) * between(rng, 0.3, 0.8)], [neck_r * 1.05, b + (c - b) * 0.6], [neck_r, c]], 12
    )
    neck = np.stack([np.linspace(neck_r, neck_r * between(rng, 0.85, 1.0), 5), np.linspace(c, h, 5)], 1)
    lip_r, lip_h = neck[-1, 0] * between(rng, 1.12, 1.3), h * 0.02
    lip = np.array([neck[-1], [lip_r, h + lip_h * 0.1], [lip_r, h + lip_h], [neck[-1, 0], h + lip_h * 1.2]])
    stretches = [("base", base), ("body", body), ("shoulder", shoulder), ("neck", neck), ("lip", lip)]
    square = chance(rng, 0.2)
    nodes = wall(
        rng, stretches, min(r, neck_r) * between(rng, 0.06, 0.14), 40, pick(rng, [0, 0, 0, 8, 12]) if not square else 0
    )
    if square:
        v = nodes[0].pieces[0].vertices
        radius = np.hypot(v[:, 0], v[:, 2])
        blend = (
            np.clip((radius - neck_r * 1.1) / max(r - neck_r * 1.1, 1e-6), 0, 1)
            if r > 1.15 * neck_r
            else np.zeros(len(v))
        )
        largest = np.maximum(np.abs(v[:, 0]), np.abs(v[:, 2])) / np.maximum(radius, 1e-9)
        v[:, [0, 2]] *= (1 + blend * 0.85 * (np.minimum(1 / np.maximum(largest, 0.5), 1.3) - 1))[:, None]
    extras: list[PartNode] = []
    top = h + lip_h
    cap = pick(rng, ["screw", "cork", "none", "pump", "dropper"])
    if cap == "screw":
        cr, ch = lip_r * 1.1, h * between(rng, 0.05, 0.1)
        extras.append(
            part(
                "closure",
                part(
                    "cap",
                    lathe([[0, 0], [cr, 0], [cr, ch * 0.85], [cr * 0.9, ch], [0, ch]], 24, (0, top - ch * 0.5, 0)),
                ),
            )
        )
    elif cap == "cork":
        extras.append(
            part(
                "closure",
                part(
                    "cork",
                    cylinder(
                        (0, top - h * 0.04, 0), (0, top + h * 0.05, 0), neck[-1, 0] * 0.85, neck[-1, 0] * 0.97, 20
                    ),
                ),
            )
        )
    elif cap == "pump":
        nr = neck_r * 0.3
        stem = part("stem", cylinder((0, top - 0.01, 0), (0, top + h * 0.14, 0), nr, sides=12))
        path = bspline(
            [
                [0, top + h * 0.13, 0],
                [r * 0.4, top + h * 0.16, 0],
                [r * 0.9, top + h * 0.15, 0],
                [r * 1.2, top + h * 0.11, 0],
            ],
            10,
        )
        collar = part(
            "cap",
            lathe(
                [[0, 0], [lip_r * 1.15, 0], [lip_r * 1.15, h * 0.04], [nr * 1.5, h * 0.055], [0, h * 0.055]],
                24,
                (0, top - h * 0.03, 0),
            ),
        )
        extras.append(
            part("closure", collar, stem, part("nozzle", sweep(path, np.linspace(nr * 1.4, nr * 0.8, 10), sides=12)))
        )
    elif cap == "dropper":
        bulb = bspline(
            [
                [0, 0],
                [lip_r * 1.1, 0],
                [lip_r * 1.1, h * 0.06],
                [lip_r * 0.6, h * 0.07],
                [lip_r * 0.7, h * 0.16],
                [0, h * 0.17],
            ],
            18,
        )
        bulb[[0, -1], 0] = 0
        groups = [0 if y < h * 0.065 else 1 for y in (bulb[1:, 1] + bulb[:-1, 1]) / 2]
        collar_mesh, bulb_mesh = lathe(bulb, 24, (0, top - h * 0.02, 0)).split(lathe_groups(bulb, 24, groups), 2)
        extras.append(part("closure", part("cap", collar_mesh), part("bulb", bulb_mesh)))
    if chance(rng, 0.2) and cap != "dropper":
        extras.append(handle(rng, stretches, b * 0.7, c, r * 0.7, r * 0.16))
    return part("bottle", part("container", *nodes), *extras)


def vase(rng: np.random.Generator) -> PartNode:
    """Vases and amphorae with 0, 1, 2 or more handles."""
    h, r = between(rng, 0.2, 0.6), between(rng, 0.06, 0.16)
    foot_r, neck_r = r * between(rng, 0.4, 0.8), r * between(rng, 0.25, 0.7)
    a, b, c = h * between(rng, 0.04, 0.12), h * between(rng, 0.5, 0.72), h * between(rng, 0.78, 0.92)
    belly = between(rng, 0.35, 0.8)
    body = bspline(
        [
            [foot_r, a],
            [foot_r * 1.1 + r * 0.15, a + (b - a) * 0.2],
            [r * 1.25, a + (b - a) * belly],
            [r * 1.1, b],
            [neck_r * 1.1, b + (c - b) * 0.15],
            [neck_r, b + (c - b) * 0.3],
        ],
        26,
    )
    neck = catmull_rom(
        [
            [neck_r, b + (c - b) * 0.3],
            [neck_r * between(rng, 0.75, 1.0), b + (c - b) * 0.65],
            [neck_r * between(rng, 0.9, 1.2), c],
        ],
        10,
    )
    lip_r = max(neck[-1, 0], neck_r) * between(rng, 1.15, 1.7)
    lip = bspline([neck[-1], [neck[-1, 0], c + (h - c) * 0.5], [lip_r, h - (h - c) * 0.2], [lip_r, h]], 8)
    stretches = [("base", foot_curve(rng, foot_r, a)), ("body", body), ("neck", neck), ("lip", lip)]
    container = part(
        "container", *wall(rng, stretches, neck_r * between(rng, 0.08, 0.18), 40, pick(rng, [0, 0, 0, 6, 9, 14]))
    )
    ears = None
    n = pick(rng, [0, 0, 1, 2, 2, 2, 3, 4])
    if n:
        low = b * between(rng, 0.75, 1.0)
        one = handle(
            rng,
            stretches,
            low,
            between(rng, max(low + 0.12 * h, c * 0.9), c * 1.02),
            r * between(rng, 0.3, 0.7),
            r * between(rng, 0.06, 0.12),
        )
        ears = one if n == 1 else mirrored("handles", one) if n == 2 else turned("handles", one, n)
    cover = lid(rng, float(lip[-1, 1]), float(lip[-1, 0]), h * between(rng, 0.05, 0.12)) if chance(rng, 0.15) else None
    ring = None
    if chance(rng, 0.25):
        y = b * between(rng, 0.5, 0.9)
        ring = part("band", torus((0, y, 0), (0, 1, 0), radius_at(stretches, y), r * 0.03, 8, 40))
    return part("vase", container, ears, cover, ring)


FAMILIES = {
    "mug": mug,
    "bottle": bottle,
    "vase": vase,
}
