"""Personal objects: eyeglasses, guitars, umbrellas, chess pieces, dumbbells."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline, catmull_rom, rounded_rectangle, superellipse
from partseg.data.procedural.grammar import PartNode, between, chance, count, mirrored, part, pick, stepped, turned
from partseg.data.procedural.objects import upright
from partseg.data.procedural.plates import extrude
from partseg.data.procedural.primitives import (
    band_groups,
    box,
    cylinder,
    ellipsoid,
    lathe,
    lathe_groups,
    ring_stack,
    sweep,
)


def eyeglasses(rng: np.random.Generator) -> PartNode:
    """Spectacles; temples fold at the hinges."""
    w, h = between(rng, 0.024, 0.03), between(rng, 0.016, 0.025)
    gap, thin = between(rng, 0.007, 0.011), between(rng, 0.0008, 0.0028)
    power = pick(rng, [2, 2, 3, 5])
    plan = superellipse(2 * w, 2 * h, power, 36)
    plan = plan * np.stack([1 + 0.12 * plan[:, 1] / h, np.ones(36)], 1) if chance(rng, 0.5) else plan
    x = w + gap
    wrap = between(rng, 0, 4)
    ring = np.stack([plan[:, 0] + x, plan[:, 1], -wrap * (plan[:, 0] + x) ** 2], 1)
    rim = part(
        "rim",
        sweep(
            ring, np.array([thin, thin * between(rng, 0.8, 1.6)])[None].repeat(36, 0), sides=8, loop=True, up=(0, 0, 1)
        ),
    )
    steps = np.array([1.0, 0.6, 0.3])[:, None, None]
    mid = np.array([x, 0, -wrap * x**2])
    lens_front = np.stack([plan[:, 0] * 0.99 + x, plan[:, 1] * 0.99, ring[:, 2]], 1)
    grown = mid + steps * (lens_front - mid)
    back, front = grown - (0, 0, 0.0006), grown + (0, 0, 0.0006)
    lens = part("lens", ring_stack(np.concatenate([back[::-1], front]), mid - (0, 0, 0.0006), mid + (0, 0, 0.0006)))
    rimless = chance(rng, 0.15)
    eye = part("eye", lens) if rimless else part("eye", rim, lens)
    nose_y = h * between(rng, 0.1, 0.6)
    bridge_path = bspline(
        [
            [-gap * 1.15, nose_y, 0],
            [-gap * 0.4, nose_y + 0.003, 0.003],
            [gap * 0.4, nose_y + 0.003, 0.003],
            [gap * 1.15, nose_y, 0],
        ],
        12,
    )
    bridge = part("bridge", sweep(bridge_path, max(thin, 0.001), sides=8))
    pads = None
    if chance(rng, 0.6):
        pad = part(
            "pad",
            ellipsoid((0.0012, 0.0055, 0.003), (gap * 0.75, -h * 0.25, -0.006), 12, 8),
            sweep(np.array([[gap * 0.75, -h * 0.25, -0.006], [gap * 1.1, -h * 0.1, -0.001]]), 0.0005, sides=6),
        )
        pads = mirrored("nose pads", pad)
    hinge_at = np.array([2 * w + gap, h * between(rng, 0.1, 0.6), -wrap * (2 * w + gap) ** 2])
    out = 0.004
    hinge = part("hinge", box((2 * out, 0.005, 0.004), hinge_at + (out * 0.5, 0, -0.001), 0.0008))
    long = between(rng, 0.1, 0.125)
    start = hinge_at + (out, 0, 0)
    curve = bspline(
        [
            start,
            start + (0.002, 0, -long * 0.5),
            start + (0, 0, -long * 0.85),
            start + (-0.002, -0.01, -long),
            start + (-0.004, -0.035, -long * 1.12),
        ],
        26,
    )
    tall = thin * between(rng, 1.0, 2.8)
    outline = rounded_rectangle(2, 2, 0.5)
    arm_mesh = sweep(curve, np.stack([np.full(26, tall), np.full(26, thin * 0.8)], 1), outline, up=(1, 0, 0))
    shaft, tip = arm_mesh.split(band_groups(26, len(outline), [0] * 15 + [1] * 10, 0, 1), 2)
    temple = part("temple", part("temple arm", shaft), part("ear tip", tip))
    fold = between(rng, 0.0, 0.25) if chance(rng, 0.8) else between(rng, 1.0, 1.45)
    temple = temple.rotated((0, 1, 0), -fold if fold > 0.5 else fold * 0.4 - 0.05, tuple(start))
    side = part("side", hinge, temple)
    return part("eyeglasses", part("front", mirrored("eyes", eye), bridge, pads), mirrored("sides", side))


def guitar(rng: np.random.Generator) -> PartNode:
    """Guitars and violins: body with sound hole, neck, frets, pegs, strings."""
    w, long, t = between(rng, 0.17, 0.21), between(rng, 0.4, 0.5), between(rng, 0.04, 0.1)
    waist, upper = between(rng, 0.55, 0.78), between(rng, 0.68, 0.88)
    right = catmull_rom(
        [
            [0, 0],
            [w * 0.7, long * 0.03],
            [w, long * 0.28],
            [w * waist, long * 0.58],
            [w * upper, long * 0.8],
            [w * 0.45, long * 0.98],
            [0, long],
        ],
        30,
    )
    outline = np.concatenate([right, (right * (-1, 1))[-2:0:-1]])
    hole_y = long * 0.64
    hole_kind = pick(rng, ["round", "round", "none"])
    if hole_kind == "round":
        theta = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        hole = np.stack([np.cos(theta), np.sin(theta)], 1) * w * 0.27 + (0, hole_y)
        mesh, groups = extrude(outline, [hole], t, 0.0)
        back, top, side, wall = upright(mesh).split(groups, 4)
        body = part(
            "body", part("back plate", back), part("top plate", top), part("side", side), part("sound hole", wall)
        )
    else:
        mesh, groups = extrude(outline, [], t, t * 0.15)
        back, top, side = upright(mesh).split(groups, 3)
        body = part("body", part("back plate", back), part("top plate", top), part("side", side))
        pickup = part("pickup", box((w * 0.4, 0.02, 0.008), (0, long * 0.4, t), 0.002))
        body.children.append(stepped("pickups", pickup, count(rng, 2, 3), (0, long * 0.14, 0)))
        body.children.append(
            stepped(
                "control knobs",
                part("knob", cylinder((w * 0.6, long * 0.2, t), (w * 0.6, long * 0.2, t + 0.012), 0.011, sides=14)),
                count(rng, 2, 3),
                (w * 0.06, long * 0.055, 0),
            )
        )
    neck_l, neck_w = between(rng, 0.33, 0.42), between(rng, 0.022, 0.028)
    neck_start = long * 0.85
    neck_end = long + neck_l
    neck = part(
        "neck shaft",
        box((2 * neck_w, neck_end - neck_start, 0.022), (0, (neck_start + neck_end) / 2, t - 0.012), 0.007, 2),
    )
    board = part(
        "fretboard", box((1.9 * neck_w, neck_end - long * 0.72, 0.006), (0, (long * 0.72 + neck_end) / 2, t + 0.002))
    )
    n = count(rng, 8, 16)
    fret = part("fret", box((1.85 * neck_w, 0.002, 0.0025), (0, neck_end - 0.02, t + 0.006)))
    frets = stepped("frets", fret, n, (0, -(neck_l * 0.95) / n, 0))
    pegs = count(rng, 2, 3)
    head_l = 0.04 * pegs + 0.05
    head = part("headstock", box((2.6 * neck_w, head_l, 0.016), (0, neck_end + head_l / 2 - 0.004, t - 0.008), 0.004))
    post = part(
        "tuning peg",
        cylinder(
            (neck_w * 1.2, neck_end + 0.03, t - 0.008), (neck_w * 1.9, neck_end + 0.03, t - 0.008), 0.003, sides=8
        ),
        ellipsoid((0.009, 0.007, 0.004), (neck_w * 2.1, neck_end + 0.03, t - 0.008), 12, 6),
    )
    tuners = mirrored("tuning pegs", stepped("peg row", post, pegs, (0, 0.04, 0)))
    strings = 2 * pegs
    spread = 1.5 * neck_w / (strings - 1)
    low = long * between(rng, 0.2, 0.27)
    string = part(
        "string",
        cylinder((-0.75 * neck_w, low, t + 0.012), (-0.75 * neck_w, neck_end + 0.01, t + 0.009), 0.0009, sides=5),
    )
    bridge = part("bridge", box((w * 0.7, 0.022, 0.012), (0, low, t + 0.005), 0.003))
    return part(
        "guitar",
        body,
        part("neck", neck, board, frets),
        part("head", head, tuners),
        part("strings", bridge, stepped("string set", string, strings, (spread, 0, 0))),
    )


def umbrella(rng: np.random.Generator) -> PartNode:
    """Open umbrellas and parasols: canopy gores with ribs."""
    n, r, tall = count(rng, 5, 10), between(rng, 0.4, 0.7), between(rng, 0.15, 0.35)
    long = between(rng, 0.8, 1.2)
    half = np.pi / n
    rows, cols = 8, 7
    s = np.linspace(0.03, 1, rows)[:, None]
    a = np.linspace(-half, half, cols)[None]
    sag = 1 - between(rng, 0.02, 0.1) * np.cos(a / half * np.pi / 2) * s**2
    top = np.stack([r * s * sag * np.sin(a), long - tall * s**2 + 0 * a, r * s * sag * np.cos(a)], -1)
    loop = np.concatenate([top, (top - (0, 0.006, 0))[:, ::-1]], 1)
    gore = ring_stack(loop, loop[0].mean(0), loop[-1].mean(0)).outward()
    curve = np.linspace(0.0, 1.02, 10)
    rib_path = np.stack([0 * curve, long - tall * curve**2 - 0.012, r * curve], 1)
    rib = part("rib", sweep(rib_path, 0.005, sides=6, up=(1, 0, 0)))
    slider = long - tall * between(rng, 1.2, 1.6)
    stay = part("stretcher", cylinder((0, slider, 0.01), (0, long - tall * 0.3 - 0.012, r * 0.55), 0.004, sides=6))
    spread = part(
        "frame",
        turned("ribs", rib.rotated((0, 1, 0), half), n),
        turned("stretchers", stay.rotated((0, 1, 0), half), n),
        part("runner", cylinder((0, slider - 0.03, 0), (0, slider + 0.03, 0), 0.016, sides=12)),
    )
    shaft = part("shaft", cylinder((0, 0.1, 0), (0, long + 0.06, 0), 0.008, sides=10))
    if chance(rng, 0.6):
        hook = bspline([[0, 0.14, 0], [0, 0.02, 0], [0, -0.05, 0.02], [0, -0.05, 0.09], [0, 0.02, 0.1]], 18)
        grip = part("handle", sweep(hook, 0.014, sides=12, up=(1, 0, 0), round_ends=True))
    else:
        grip = part("handle", lathe([[0, 0], [0.02, 0.0], [0.016, 0.06], [0.02, 0.13], [0, 0.13]], 16))
    tip = part("ferrule", cylinder((0, long, 0), (0, long + 0.09, 0), 0.012, 0.004, 10))
    return part(
        "umbrella", part("canopy", turned("gores", part("gore", gore), n)), spread, part("stick", shaft, grip, tip)
    )


def chess_piece(rng: np.random.Generator) -> PartNode:
    """Turned chess pieces and balusters: one surface with base, stem, collars and head."""
    h, r = between(rng, 0.05, 0.1), between(rng, 0.014, 0.022)
    kind = pick(rng, ["pawn", "rook", "bishop", "queen", "king"])
    stem_r = r * between(rng, 0.35, 0.6)
    base = np.concatenate(
        [
            [[0, 0]],
            bspline(
                [[r, 0], [r * 1.05, h * 0.06], [r * 0.9, h * 0.1], [r * 0.95, h * 0.14], [stem_r * 1.3, h * 0.22]], 12
            ),
        ]
    )
    neck_y = h * between(rng, 0.6, 0.7)
    stem = bspline([base[-1], [stem_r, h * 0.35], [stem_r * 0.8, neck_y * 0.9], [stem_r * 0.95, neck_y]], 10)
    collar = bspline(
        [stem[-1], [r * 0.8, neck_y + h * 0.005], [r * 0.85, neck_y + h * 0.03], [stem_r, neck_y + h * 0.05]], 8
    )
    top_r = r * between(rng, 0.5, 0.7)
    start = collar[-1]
    if kind == "pawn":
        angle = np.linspace(-1.0, np.pi / 2, 12)
        head = np.stack([top_r * np.cos(angle), start[1] + top_r * (np.sin(angle) + 0.85)], 1)
    elif kind == "rook":
        head = np.array(
            [
                [start[0] * 1.05, start[1] + 0.01 * h],
                [top_r, start[1] + 0.08 * h],
                [top_r * 1.2, start[1] + 0.1 * h],
                [top_r * 1.2, h],
                [top_r * 0.8, h],
                [top_r * 0.8, h * 0.94],
                [0, h * 0.94],
            ]
        )
    else:
        head = bspline(
            [
                start,
                [top_r * 1.1, start[1] + 0.1 * (h - start[1])],
                [top_r * 1.2, start[1] + 0.5 * (h - start[1])],
                [top_r * 0.3, h * 0.97],
                [0, h],
            ],
            14,
        )[1:]
    head[-1, 0] = 0
    profile = np.concatenate([base, stem[1:], collar[1:], head])
    bands = [0] * (len(base) - 1) + [1] * (len(stem) - 1) + [2] * (len(collar) - 1) + [3] * len(head)
    pieces = lathe(profile, 28).split(lathe_groups(profile, 28, bands), 4)
    top = float(profile[-1, 1])
    extra = None
    if kind == "king":
        size = r * 0.5
        extra = part(
            "cross",
            box((size * 0.35, size * 1.8, size * 0.35), (0, top + size * 0.7, 0)),
            box((size * 1.2, size * 0.35, size * 0.35), (0, top + size * 0.9, 0)),
        )
    elif kind in ("bishop", "queen"):
        extra = part("finial", ellipsoid((r * 0.2,) * 3, (0, top + r * 0.12, 0), 14, 8))
        if kind == "queen":
            spike = part("point", ellipsoid((r * 0.13, r * 0.2, r * 0.13), (top_r * 0.75, top - r * 0.3, 0), 10, 6))
            extra = part("crown", extra, turned("points", spike, count(rng, 5, 9)))
    elif kind == "rook":
        merlon = part("merlon", box((r * 0.22, h * 0.07, r * 0.35), (top_r, h + h * 0.03, 0)))
        extra = turned("merlons", merlon, count(rng, 4, 6))
    return part(
        "chess piece",
        part("base", pieces[0]),
        part("body", part("stem", pieces[1]), part("collar", pieces[2])),
        part("head", part("head surface", pieces[3]), extra),
    )


def dumbbell(rng: np.random.Generator) -> PartNode:
    """Dumbbells and barbells."""
    r, long = between(rng, 0.05, 0.1), between(rng, 0.1, 0.9)
    n = count(rng, 1, 4)
    bar_part = part(
        "bar", cylinder((-long / 2 - 0.03 * (n + 1), 0, 0), (long / 2 + 0.03 * (n + 1), 0, 0), 0.013, sides=14)
    )
    knurl = part(
        "grip",
        lathe(bspline([[0.013, -0.06], [0.018, -0.05], [0.015, 0], [0.018, 0.05], [0.013, 0.06]], 14), 16).mapped(
            np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float)
        ),
    )
    sides = pick(rng, [6, 32, 32])
    plates: list[PartNode] = []
    shape = np.array([[0, -0.012], [0.92, -0.012], [1, -0.006], [1, 0.006], [0.92, 0.012], [0, 0.012]])
    turn = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float)
    if chance(rng, 0.5):
        one = part("plate", lathe(shape * (r, 1), sides).mapped(turn, (long / 2, 0, 0)))
        plates = [stepped("plates", one, n, (0.026, 0, 0))]
    else:
        for i in range(n):
            plates.append(
                part("plate", lathe(shape * (r * (1 - 0.17 * i), 1), sides).mapped(turn, (long / 2 + 0.026 * i, 0, 0)))
            )
    collar = part(
        "collar", cylinder((long / 2 + 0.026 * n - 0.013, 0, 0), (long / 2 + 0.026 * n + 0.012, 0, 0), 0.022, sides=16)
    )
    return part("dumbbell", part("handle", bar_part, knurl), mirrored("weights", part("weight", *plates, collar)))


FAMILIES = {
    "eyeglasses": eyeglasses,
    "guitar": guitar,
    "umbrella": umbrella,
    "chess_piece": chess_piece,
    "dumbbell": dumbbell,
}
