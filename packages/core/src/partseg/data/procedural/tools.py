"""Hand tools and personal objects: scissors, pliers, knives, eyeglasses, hammers, screwdrivers, guitars, umbrellas, chess."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.grammar import PartNode, between, chance, count, mirrored, part, pick, stepped, turned
from partseg.data.procedural.objects import upright
from partseg.data.procedural.primitives import (
    Mesh,
    band_groups,
    bar,
    box,
    bspline,
    catmull_rom,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    lathe_groups,
    prism,
    ring_stack,
    rotation,
    rounded_rectangle,
    superellipse,
    sweep,
)


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
    ring = sweep(np.stack([plan[:, 0], plan[:, 1], np.full(30, t / 2)], 1), r * between(rng, 0.13, 0.22), sides=10, loop=True, up=(0, 0, 1))
    half = part("half", part("blade", blade), part("shank", rest), part("finger loop", ring)).rotated((0, 0, 1), opening / 2)
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
    path = bspline([[w * 0.28, jaw], [w * 0.45, jaw * 0.5], [w * 0.1, 0], [-w * 0.4, -long * 0.12], [-bow, -long * 0.4], [-bow * 0.8, -long]], m)
    width = np.interp(np.linspace(0, 1, m), [0, 0.25, 0.4, 0.55, 1], [0.4, 0.8, 1.0, 0.55, 0.5]) * w
    body = ribbon(path, width, -t / 2, t / 2)
    cut, hold = int(m * 0.33), int(m * 0.52)
    groups = band_groups(m, 12, [0 if i < cut else 1 for i in range(m - 1)], 0, 1)
    jaw_mesh, lever = body.split(groups, 2)
    grip_path = np.stack([path[hold:, 0], path[hold:, 1], np.zeros(m - hold)], 1)
    swell = np.interp(np.linspace(0, 1, m - hold), [0, 0.1, 0.5, 0.9, 1], [0.42, 0.5, 0.4, 0.46, 0.4]) * w
    grip = sweep(grip_path, np.stack([swell, 0 * swell + t * 0.75], 1), superellipse(2, 2, 2.8, 16), up=(0, 0, 1), round_ends=True)
    half = part("half", part("jaw", jaw_mesh), part("lever", lever), part("grip", grip)).rotated((0, 0, 1), -opening / 2)
    pivot = part("pivot", cylinder((0, 0, -t * 0.8), (0, 0, t * 0.8), w * 0.45, sides=20))
    spring = None
    if chance(rng, 0.25):
        end = rotation((0, 0, 1), -opening / 2) @ grip_path[0]
        arc = bspline([end, (end[0] * 0.5, end[1] + abs(end[0]) * 1.4, 0), (-end[0] * 0.5, end[1] + abs(end[0]) * 1.4, 0), end * (-1, 1, 1)], 12)
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
        bottom = -w * 0.75 * np.clip(1 - s**between(rng, 2, 5), 0, 1) + top * s**3 * 0.9
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
    hand = sweep(spine[::-1], np.stack([radius * 0.65, radius], 1)[::-1], superellipse(2, 2, 3, 18), up=(0, 1, 0), round_ends=True)
    pieces: list[PartNode] = [part("grip", hand)]
    if kind in ("dagger", "sword") or chance(rng, 0.3):
        wide = w * between(rng, 0.9, 1.8) if kind in ("dagger", "sword") else 0.016
        guard = sweep(bspline([[0, -wide, between(rng, 0, 0.01)], [0, 0, 0], [0, wide, 0.005]], 9), 0.006, rounded_rectangle(2, 2, 0.5), up=(0, 0, 1))
        pieces.append(part("guard", guard))
        if kind in ("dagger", "sword"):
            pieces.append(part("pommel", ellipsoid((0.013, 0.014, 0.012), (0, float(grip_y[-1]), -hold - 0.008), 16, 8)))
    else:
        rivet = part("rivet", cylinder((-0.009, 0.0, -hold * 0.2), (0.009, 0.0, -hold * 0.2), 0.0035, sides=12))
        pieces.append(stepped("rivets", rivet, count(rng, 2, 3), (0, 0, -hold * 0.25)))
    return part("knife", blade, part("handle", *pieces))


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
    rim = part("rim", sweep(ring, np.array([thin, thin * between(rng, 0.8, 1.6)])[None].repeat(36, 0), sides=8, loop=True, up=(0, 0, 1)))
    steps = np.array([1.0, 0.6, 0.3])[:, None, None]
    mid = np.array([x, 0, -wrap * x**2])
    lens_front = np.stack([plan[:, 0] * 0.99 + x, plan[:, 1] * 0.99, ring[:, 2]], 1)
    grown = mid + steps * (lens_front - mid)
    back, front = grown - (0, 0, 0.0006), grown + (0, 0, 0.0006)
    lens = part("lens", ring_stack(np.concatenate([back[::-1], front]), mid - (0, 0, 0.0006), mid + (0, 0, 0.0006)))
    rimless = chance(rng, 0.15)
    eye = part("eye", lens) if rimless else part("eye", rim, lens)
    nose_y = h * between(rng, 0.1, 0.6)
    bridge_path = bspline([[-gap * 1.15, nose_y, 0], [-gap * 0.4, nose_y + 0.003, 0.003], [gap * 0.4, nose_y + 0.003, 0.003], [gap * 1.15, nose_y, 0]], 12)
    bridge = part("bridge", sweep(bridge_path, max(thin, 0.001), sides=8))
    pads = None
    if chance(rng, 0.6):
        pad = part("pad", ellipsoid((0.0012, 0.0055, 0.003), (gap * 0.75, -h * 0.25, -0.006), 12, 8), sweep(np.array([[gap * 0.75, -h * 0.25, -0.006], [gap * 1.1, -h * 0.1, -0.001]]), 0.0005, sides=6))
        pads = mirrored("nose pads", pad)
    hinge_at = np.array([2 * w + gap, h * between(rng, 0.1, 0.6), -wrap * (2 * w + gap) ** 2])
    out = 0.004
    hinge = part("hinge", box((2 * out, 0.005, 0.004), hinge_at + (out * 0.5, 0, -0.001), 0.0008))
    long = between(rng, 0.1, 0.125)
    start = hinge_at + (out, 0, 0)
    curve = bspline([start, start + (0.002, 0, -long * 0.5), start + (0, 0, -long * 0.85), start + (-0.002, -0.01, -long), start + (-0.004, -0.035, -long * 1.12)], 26)
    tall = thin * between(rng, 1.0, 2.8)
    outline = rounded_rectangle(2, 2, 0.5)
    arm_mesh = sweep(curve, np.stack([np.full(26, tall), np.full(26, thin * 0.8)], 1), outline, up=(1, 0, 0))
    shaft, tip = arm_mesh.split(band_groups(26, len(outline), [0] * 15 + [1] * 10, 0, 1), 2)
    temple = part("temple", part("temple arm", shaft), part("ear tip", tip))
    fold = between(rng, 0.0, 0.25) if chance(rng, 0.8) else between(rng, 1.0, 1.45)
    temple = temple.rotated((0, 1, 0), -fold if fold > 0.5 else fold * 0.4 - 0.05, tuple(start))
    side = part("side", hinge, temple)
    return part("eyeglasses", part("front", mirrored("eyes", eye), bridge, pads), mirrored("sides", side))


def hammer(rng: np.random.Generator) -> PartNode:
    """Hammers, mallets, axes."""
    long, r = between(rng, 0.25, 0.4), between(rng, 0.011, 0.018)
    kind = pick(rng, ["claw", "ball", "mallet", "axe", "sledge"])
    s = np.linspace(0, 1, 20)
    thick = r * np.interp(s, [0, 0.05, 0.3, 0.5, 1], [0.9, 1.15, 1.1, 0.75, 0.8])
    path = np.stack([0 * s, s * long, 0 * s], 1)
    grip, shaft = sweep(path, np.stack([thick, thick * 1.25], 1), superellipse(2, 2, 2.4, 16), up=(0, 0, 1)).split(band_groups(20, 16, [0 if i < 9 else 1 for i in range(19)], 0, 1), 2)
    handle = part("handle", part("grip", grip), part("shaft", shaft))
    hr = r * between(rng, 1.2, 1.7)
    y = long - hr * 0.5
    head: list[PartNode] = [part("cheek", box((hr * 1.8, hr * 2.1, hr * 2.2), (0, y, 0), hr * 0.3, 2))]
    if kind == "mallet":
        wide = hr * between(rng, 2.5, 3.5)
        head = [part("head block", cylinder((0, y, -wide), (0, y, wide), hr * 1.8, sides=24))]
        head.append(mirrored("faces", part("face", cylinder((0, y, wide), (0, y, wide + hr * 0.5), hr * 1.6, sides=24)), (0, 0, 1)))
    elif kind == "axe":
        wedge = bspline([[0, y, hr * 0.8], [0, y, hr * 3], [0, y - hr * 0.5, hr * 5.5]], 8)
        flare = np.interp(np.linspace(0, 1, 8), [0, 0.3, 1], [1.0, 0.95, between(rng, 1.8, 2.8)]) * hr
        head.append(part("bit", sweep(wedge, np.stack([np.linspace(0.9, 0.06, 8) * hr, flare], 1), rounded_rectangle(2, 2, 0.2), up=(0, 1, 0))))
        head.append(part("poll", box((hr * 1.6, hr * 1.8, hr * 0.9), (0, y, -hr * 1.4), hr * 0.15)))
    else:
        reach = hr * between(rng, 2.2, 3.2)
        neck_face = np.array([[0, 0], [0.8, 0], [0.75, 0.5], [1.15, 0.7], [1.2, 1.0], [0, 1.0]]) * (hr, reach)
        front = lathe(neck_face, 18).mapped(np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float), (0, y, hr * 0.5))
        neck, face = front.split(lathe_groups(neck_face, 18, [0, 0, 1, 1, 1]), 2)
        head.append(part("striker", part("neck", neck), part("face", face)))
        if kind == "claw":
            curve = bspline([[hr * 0.35, y + hr * 0.3, -hr], [hr * 0.45, y + hr * 0.6, -hr * 2.5], [hr * 0.65, y - hr * 0.6, -hr * 4.2]], 10)
            claw = part("claw", sweep(curve, np.stack([np.linspace(0.42, 0.3, 10) * hr, np.linspace(0.8, 0.12, 10) * hr], 1), rounded_rectangle(2, 2, 0.3), up=(0, 1, 0)))
            head.append(mirrored("claws", claw))
        elif kind == "ball":
            head.append(part("peen", cylinder((0, y, -hr * 0.8), (0, y, -hr * 2), hr * 0.7, sides=16), ellipsoid((hr * 0.95,) * 3, (0, y, -hr * 2.4), 18, 10)))
        else:
            head.append(part("peen", lathe(neck_face, 18).mapped(np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float), (0, y, -hr * 0.5))))
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
    rod, tip = sweep(path, scale, outline, sides=12, up=(0, 0, 1)).split(band_groups(m, k, [0] * (m - 4) + [1] * 3, 0, 1), 2)
    return part("screwdriver", part("handle", part("grip", grip), part("collar", collar)), part("bit", part("shaft", rod), part("tip", tip)))


def guitar(rng: np.random.Generator) -> PartNode:
    """Guitars and violins: body with sound hole, neck, frets, pegs, strings."""
    w, long, t = between(rng, 0.17, 0.21), between(rng, 0.4, 0.5), between(rng, 0.04, 0.1)
    waist, upper = between(rng, 0.55, 0.78), between(rng, 0.68, 0.88)
    right = catmull_rom([[0, 0], [w * 0.7, long * 0.03], [w, long * 0.28], [w * waist, long * 0.58], [w * upper, long * 0.8], [w * 0.45, long * 0.98], [0, long]], 30)
    outline = np.concatenate([right, (right * (-1, 1))[-2:0:-1]])
    hole_y = long * 0.64
    hole_kind = pick(rng, ["round", "round", "none"])
    if hole_kind == "round":
        theta = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        hole = np.stack([np.cos(theta), np.sin(theta)], 1) * w * 0.27 + (0, hole_y)
        mesh, groups = extrude(outline, [hole], t, 0.0)
        back, top, side, wall = upright(mesh).split(groups, 4)
        body = part("body", part("back plate", back), part("top plate", top), part("side", side), part("sound hole", wall))
    else:
        mesh, groups = extrude(outline, [], t, t * 0.15)
        back, top, side = upright(mesh).split(groups, 3)
        body = part("body", part("back plate", back), part("top plate", top), part("side", side))
        pickup = part("pickup", box((w * 0.4, 0.02, 0.008), (0, long * 0.4, t), 0.002))
        body.children.append(stepped("pickups", pickup, count(rng, 2, 3), (0, long * 0.14, 0)))
        body.children.append(stepped("control knobs", part("knob", cylinder((w * 0.6, long * 0.2, t), (w * 0.6, long * 0.2, t + 0.012), 0.011, sides=14)), count(rng, 2, 3), (w * 0.06, long * 0.055, 0)))
    neck_l, neck_w = between(rng, 0.33, 0.42), between(rng, 0.022, 0.028)
    neck_start = long * 0.85
    neck_end = long + neck_l
    neck = part("neck shaft", box((2 * neck_w, neck_end - neck_start, 0.022), (0, (neck_start + neck_end) / 2, t - 0.012), 0.007, 2))
    board = part("fretboard", box((1.9 * neck_w, neck_end - long * 0.72, 0.006), (0, (long * 0.72 + neck_end) / 2, t + 0.002)))
    n = count(rng, 8, 16)
    fret = part("fret", box((1.85 * neck_w, 0.002, 0.0025), (0, neck_end - 0.02, t + 0.006)))
    frets = stepped("frets", fret, n, (0, -(neck_l * 0.95) / n, 0))
    pegs = count(rng, 2, 3)
    head_l = 0.04 * pegs + 0.05
    head = part("headstock", box((2.6 * neck_w, head_l, 0.016), (0, neck_end + head_l / 2 - 0.004, t - 0.008), 0.004))
    post = part("tuning peg", cylinder((neck_w * 1.2, neck_end + 0.03, t - 0.008), (neck_w * 1.9, neck_end + 0.03, t - 0.008), 0.003, sides=8), ellipsoid((0.009, 0.007, 0.004), (neck_w * 2.1, neck_end + 0.03, t - 0.008), 12, 6))
    tuners = mirrored("tuning pegs", stepped("peg row", post, pegs, (0, 0.04, 0)))
    strings = 2 * pegs
    spread = 1.5 * neck_w / (strings - 1)
    low = long * between(rng, 0.2, 0.27)
    string = part("string", cylinder((-0.75 * neck_w, low, t + 0.012), (-0.75 * neck_w, neck_end + 0.01, t + 0.009), 0.0009, sides=5))
    bridge = part("bridge", box((w * 0.7, 0.022, 0.012), (0, low, t + 0.005), 0.003))
    return part("guitar", body, part("neck", neck, board, frets), part("head", head, tuners), part("strings", bridge, stepped("string set", string, strings, (spread, 0, 0))))


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
    spread = part("frame", turned("ribs", rib.rotated((0, 1, 0), half), n), turned("stretchers", stay.rotated((0, 1, 0), half), n), part("runner", cylinder((0, slider - 0.03, 0), (0, slider + 0.03, 0), 0.016, sides=12)))
    shaft = part("shaft", cylinder((0, 0.1, 0), (0, long + 0.06, 0), 0.008, sides=10))
    if chance(rng, 0.6):
        hook = bspline([[0, 0.14, 0], [0, 0.02, 0], [0, -0.05, 0.02], [0, -0.05, 0.09], [0, 0.02, 0.1]], 18)
        grip = part("handle", sweep(hook, 0.014, sides=12, up=(1, 0, 0), round_ends=True))
    else:
        grip = part("handle", lathe([[0, 0], [0.02, 0.0], [0.016, 0.06], [0.02, 0.13], [0, 0.13]], 16))
    tip = part("ferrule", cylinder((0, long, 0), (0, long + 0.09, 0), 0.012, 0.004, 10))
    return part("umbrella", part("canopy", turned("gores", part("gore", gore), n)), spread, part("stick", shaft, grip, tip))


def chess_piece(rng: np.random.Generator) -> PartNode:
    """Turned chess pieces and balusters: one surface with base, stem, collars and head."""
    h, r = between(rng, 0.05, 0.1), between(rng, 0.014, 0.022)
    kind = pick(rng, ["pawn", "rook", "bishop", "queen", "king"])
    stem_r = r * between(rng, 0.35, 0.6)
    base = np.concatenate([[[0, 0]], bspline([[r, 0], [r * 1.05, h * 0.06], [r * 0.9, h * 0.1], [r * 0.95, h * 0.14], [stem_r * 1.3, h * 0.22]], 12)])
    neck_y = h * between(rng, 0.6, 0.7)
    stem = bspline([base[-1], [stem_r, h * 0.35], [stem_r * 0.8, neck_y * 0.9], [stem_r * 0.95, neck_y]], 10)
    collar = bspline([stem[-1], [r * 0.8, neck_y + h * 0.005], [r * 0.85, neck_y + h * 0.03], [stem_r, neck_y + h * 0.05]], 8)
    top_r = r * between(rng, 0.5, 0.7)
    start = collar[-1]
    if kind == "pawn":
        angle = np.linspace(-1.0, np.pi / 2, 12)
        head = np.stack([top_r * np.cos(angle), start[1] + top_r * (np.sin(angle) + 0.85)], 1)
    elif kind == "rook":
        head = np.array([[start[0] * 1.05, start[1] + 0.01 * h], [top_r, start[1] + 0.08 * h], [top_r * 1.2, start[1] + 0.1 * h], [top_r * 1.2, h], [top_r * 0.8, h], [top_r * 0.8, h * 0.94], [0, h * 0.94]])
    else:
        head = bspline([start, [top_r * 1.1, start[1] + 0.1 * (h - start[1])], [top_r * 1.2, start[1] + 0.5 * (h - start[1])], [top_r * 0.3, h * 0.97], [0, h]], 14)[1:]
    head[-1, 0] = 0
    profile = np.concatenate([base, stem[1:], collar[1:], head])
    bands = [0] * (len(base) - 1) + [1] * (len(stem) - 1) + [2] * (len(collar) - 1) + [3] * len(head)
    pieces = lathe(profile, 28).split(lathe_groups(profile, 28, bands), 4)
    top = float(profile[-1, 1])
    extra = None
    if kind == "king":
        size = r * 0.5
        extra = part("cross", box((size * 0.35, size * 1.8, size * 0.35), (0, top + size * 0.7, 0)), box((size * 1.2, size * 0.35, size * 0.35), (0, top + size * 0.9, 0)))
    elif kind in ("bishop", "queen"):
        extra = part("finial", ellipsoid((r * 0.2,) * 3, (0, top + r * 0.12, 0), 14, 8))
        if kind == "queen":
            spike = part("point", ellipsoid((r * 0.13, r * 0.2, r * 0.13), (top_r * 0.75, top - r * 0.3, 0), 10, 6))
            extra = part("crown", extra, turned("points", spike, count(rng, 5, 9)))
    elif kind == "rook":
        merlon = part("merlon", box((r * 0.22, h * 0.07, r * 0.35), (top_r, h + h * 0.03, 0)))
        extra = turned("merlons", merlon, count(rng, 4, 6))
    return part("chess piece", part("base", pieces[0]), part("body", part("stem", pieces[1]), part("collar", pieces[2])), part("head", part("head surface", pieces[3]), extra))


def dumbbell(rng: np.random.Generator) -> PartNode:
    """Dumbbells and barbells."""
    r, long = between(rng, 0.05, 0.1), between(rng, 0.1, 0.9)
    n = count(rng, 1, 4)
    bar_part = part("bar", cylinder((-long / 2 - 0.03 * (n + 1), 0, 0), (long / 2 + 0.03 * (n + 1), 0, 0), 0.013, sides=14))
    knurl = part("grip", lathe(bspline([[0.013, -0.06], [0.018, -0.05], [0.015, 0], [0.018, 0.05], [0.013, 0.06]], 14), 16).mapped(np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float)))
    sides = pick(rng, [6, 32, 32])
    plates: list[PartNode] = []
    shape = np.array([[0, -0.012], [0.92, -0.012], [1, -0.006], [1, 0.006], [0.92, 0.012], [0, 0.012]])
    turn = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float)
    if chance(rng, 0.5):
        one = part("plate", lathe(shape * (r, 1), sides).mapped(turn, (long / 2, 0, 0)))
        plates = [stepped("plates", one, n, (0.026, 0, 0))]
    else:
        for i in range(n):
            plates.append(part("plate", lathe(shape * (r * (1 - 0.17 * i), 1), sides).mapped(turn, (long / 2 + 0.026 * i, 0, 0))))
    collar = part("collar", cylinder((long / 2 + 0.026 * n - 0.013, 0, 0), (long / 2 + 0.026 * n + 0.012, 0, 0), 0.022, sides=16))
    return part("dumbbell", part("handle", bar_part, knurl), mirrored("weights", part("weight", *plates, collar)))


FAMILIES = {
    "scissors": scissors,
    "pliers": pliers,
    "knife": knife,
    "eyeglasses": eyeglasses,
    "hammer": hammer,
    "screwdriver": screwdriver,
    "guitar": guitar,
    "umbrella": umbrella,
    "chess_piece": chess_piece,
    "dumbbell": dumbbell,
}
