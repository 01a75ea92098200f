"""Household and office objects: lamps, faucets, laptops, displays, keyboards, clocks, bins, bags, fans, microphones."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.grammar import PartNode, between, chance, count, four, mirrored, part, pick, stepped, turned
from partseg.data.procedural.primitives import (
    Mesh,
    bar,
    box,
    bspline,
    catmull_rom,
    cylinder,
    ellipsoid,
    lathe,
    lathe_groups,
    prism,
    rounded_rectangle,
    superellipse,
    sweep,
    torus,
)

UPRIGHT = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)  # y (up) -> z (front)


def upright(mesh: Mesh, *at: float) -> Mesh:
    """A mesh built lying on the ground (y up), stood up so that its top faces the front (+z), moved to ``at``."""
    return mesh.mapped(UPRIGHT, at or (0.0, 0.0, 0.0))


def disk_foot(rng: np.random.Generator, r: float, tall: float) -> PartNode:
    """Heavy turned foot on the ground."""
    curve = bspline([[r, 0], [r, tall * 0.5], [r * between(rng, 0.5, 0.95), tall * 0.9], [r * 0.15, tall], [0, tall]], 12)
    curve[-1, 0] = 0
    return part("foot", lathe(np.concatenate([[[0, 0]], curve]), 28))


# ------------------------------------------------------------------------------------------------------------------ lamp


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
        outer = bspline([[r * 1.1, low], [r * 0.7, low + tall * 0.3], [r * 0.6, low + tall * 0.8], [top * 0.6, low + tall]], 14)
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
    profile = np.array([[0, -1.2], [0.5, -1.1], [0.85, -0.75], [1.0, -0.2], [0.8, 0.4], [0.5, 0.8], [0.45, 1.1], [0.45, 1.6], [0, 1.6]]) * r
    glass, thread = lathe(profile, 16, (0, y, 0)).split(lathe_groups(profile, 16, [0] * 6 + [1, 1]), 2)
    return part("bulb", part("glass", glass), part("socket", thread))


def lamp(rng: np.random.Generator) -> PartNode:
    """Floor, table, desk and ceiling lamps, chandeliers."""
    style = pick(rng, ["floor", "table", "desk", "desk", "ceiling", "chandelier"])
    if style in ("floor", "table"):
        h = between(rng, 1.2, 1.7) if style == "floor" else between(rng, 0.25, 0.5)
        reach = between(rng, 0.12, 0.2) if style == "floor" else between(rng, 0.07, 0.12)
        r, tall = reach * between(rng, 0.8, 1.6), between(rng, 0.2, 0.35) if style == "floor" else between(rng, 0.14, 0.25)
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
            swell = bspline([[0.3], [1.0], [between(rng, 0.3, 1.3)], [between(rng, 0.2, 0.8)], [0.25]], 22)[:, 0] * belly
            body = part("body", sweep(np.stack([0 * y, low * 0.8 + y * (h - low * 0.8), 0 * y], 1), np.maximum(swell, thin), sides=20))
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
                return mirrored(name, part("rod", cylinder(start + (0.014, 0, 0), end + (0.014, 0, 0), thin * 0.5, sides=8)))
            return part(name, cylinder(start, end, thin, sides=10))

        double = chance(rng, 0.5)

        def joint(at: np.ndarray) -> PartNode:
            return part("joint", cylinder(at - (0.022, 0, 0), at + (0.022, 0, 0), 0.016, sides=14))

        if chance(rng, 0.3):
            path = bspline([[0, low * 0.7, 0], [0, (low + a) * 1.2, -a * 0.2], elbow + (0, 0.1, 0), wrist + (0, 0.06, 0), wrist], 24)
            arm = part("arm", part("gooseneck", sweep(path, thin, sides=10, up=(1, 0, 0))))
        else:
            arm = part("arm", link("lower arm", np.array([0, low, 0]), elbow), joint(elbow), link("upper arm", elbow, wrist), joint(wrist))
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
        return part("lamp", part("mount", rail), stepped("pendants", pendant.moved(-(n - 1) * pitch / 2, 0, 0), n, (pitch, 0, 0)))
    n, reach = count(rng, 3, 8), between(rng, 0.25, 0.45)
    cord = part("cord", cylinder((0, 0, 0), (0, -drop, 0), 0.008, sides=8))
    hub = part("hub", lathe(np.array([[0, -0.16], [0.02, -0.15], [0.05, -0.08], [0.03, -0.02], [0.045, 0.05], [0.01, 0.1], [0, 0.1]]), 20, (0, -drop, 0)))
    path = bspline([[0.02, -drop - 0.05, 0], [reach * 0.5, -drop - between(rng, 0.1, 0.3), 0], [reach * 1.05, -drop - 0.12, 0], [reach, -drop + 0.02, 0]], 16)
    up = chance(rng, 0.5)
    candle = part("candle", cylinder((reach, -drop, 0), (reach, -drop + 0.1, 0), 0.012, sides=10)) if up else None
    light = _bulb(0, 0.02)
    light = light.rotated((1, 0, 0), np.pi).moved(reach, -drop + 0.13, 0) if up else light.moved(reach, -drop - 0.02, 0)
    cup = part("cup", lathe([[0, 0], [0.02, 0], [0.04, 0.02], [0.035, 0.025], [0, 0.02]], 16, (reach, -drop, 0)))
    arm = part("chandelier arm", part("arm", sweep(path, 0.008, sides=8, up=(0, 0, 1))), cup, candle, light)
    if chance(rng, 0.5):
        arm.children.append(_shade(rng, 0.0, 0.07, 0.09).moved(reach, -drop + (0.08 if up else -0.1), 0))
    return part("lamp", part("mount", rose, cord), part("body", hub), turned("arms", arm, n))


# ---------------------------------------------------------------------------------------------------------------- faucet


def faucet(rng: np.random.Generator) -> PartNode:
    """Taps with one lever, two handles or a wall mount."""
    r, h = between(rng, 0.014, 0.024), between(rng, 0.1, 0.3)
    reach = between(rng, 0.1, 0.2)
    style = pick(rng, ["arch", "low", "square"])
    column = h * between(rng, 0.25, 0.6)
    if style == "arch":
        path = bspline([[0, column * 0.9, 0], [0, h, 0], [0, h * 1.35, reach * 0.3], [0, h * 1.3, reach], [0, h * 0.9, reach], [0, h * 0.75, reach]], 28)
    elif style == "low":
        path = bspline([[0, column * 0.8, 0], [0, column * 1.1, reach * 0.4], [0, column * 1.0, reach * 0.9], [0, column * 0.8, reach], [0, column * 0.65, reach]], 20)
    else:
        path = bspline([[0, column * 0.9, 0], [0, h, 0], [0, h, 0], [0, h, 0], [0, h, reach], [0, h, reach], [0, h, reach], [0, h - 0.03, reach]], 24)
    outline = rounded_rectangle(2, 2, 0.4) if style == "square" else None
    radii = r * np.linspace(0.75, between(rng, 0.45, 0.75), len(path))
    tube = part("spout tube", sweep(path, radii, outline, sides=14, up=(1, 0, 0)))
    tip = path[-1]
    nozzle = part("nozzle", cylinder(tip + (0, 0.005, 0), tip - (0, 0.018, 0), radii[-1] * 1.25, sides=16))
    body = part("column", lathe([[0, 0], [r * 1.5, 0], [r * 1.5, 0.006], [r * 1.05, 0.014], [r, column * 0.9], [r * 0.9, column], [0, column]], 24))
    plate = None
    two = chance(rng, 0.45)
    if two:
        span = between(rng, 0.08, 0.13)
        post_h = column * between(rng, 0.5, 0.9)
        stem = part("stem", lathe([[0, 0], [r * 1.3, 0], [r * 1.2, 0.008], [r * 0.7, post_h * 0.5], [r * 0.8, post_h], [0, post_h]], 20, (span, 0, 0)))
        kind = pick(rng, ["cross", "lever", "knob"])
        if kind == "cross":
            arm = part("arm", cylinder((span, post_h, 0), (span + 2.4 * r, post_h, 0), r * 0.35, r * 0.45, 10))
            grip: PartNode = turned("cross handle", arm, count(rng, 3, 5), (0, 1, 0), (span, 0, 0))
        elif kind == "lever":
            path2 = bspline([[span, post_h, 0], [span + r, post_h + r * 0.5, r], [span + 3.5 * r, post_h + r, 1.5 * r]], 8)
            grip = part("lever", sweep(path2, r * np.linspace(0.6, 0.35, 8), sides=10, round_ends=True))
        else:
            outline2 = superellipse(3.4 * r, 3.4 * r, 2, 24) * (1 + 0.08 * np.cos(6 * np.arange(24) * np.pi / 12))[:, None]
            grip = part("knob", prism(outline2, post_h * 0.95, post_h + 1.6 * r, 0.2 * r, 0.85).moved((span, 0, 0)))
        switch = mirrored("switches", part("switch", stem, grip))
        if two:
            plate = part("plate", prism(rounded_rectangle(2 * span + 5 * r, 4 * r, 2 * r, 5), -0.006, 0.005, 0.002))
    else:
        side = chance(rng, 0.5)
        if side:
            hub = part("hub", cylinder((r * 0.8, column * 0.6, 0), (r * 2.4, column * 0.6, 0), r * 0.75, sides=14))
            path2 = bspline([[r * 2, column * 0.6, 0], [r * 2.8, column * 0.6 + 2 * r, 0], [r * 3.2, column * 0.6 + 4.5 * r, -r]], 8)
        else:
            hub = part("hub", ellipsoid((r * 1.05, r * 0.9, r * 1.05), (0, column * (1.0 if style != "arch" else 0.55), 0 if style != "arch" else -r), 18, 8))
            y = column * (1.0 if style != "arch" else 0.55)
            path2 = bspline([[0, y, -r * 0.2], [0, y + 2 * r, -r * 1.5], [0, y + 3 * r, -4 * r]], 8)
        switch = part("switch", hub, part("lever", sweep(path2, r * np.linspace(0.5, 0.3, 8), sides=10, round_ends=True)))
    return part("faucet", part("base", body, plate), part("spout", tube, nozzle), switch)


# --------------------------------------------------------------------------------------------------- screens, keyboards


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
        hinge = mirrored("hinges", part("hinge", cylinder((w * 0.3, t, -d / 2), (w * 0.4, t, -d / 2), t * 0.45, sides=12)))
    else:
        hinge = part("hinge", cylinder((-w * 0.35, t, -d / 2), (w * 0.35, t, -d / 2), t * 0.45, sides=12))
    feet = four("feet", part("foot", cylinder((w * 0.42, -0.003, d * 0.42), (w * 0.42, 0.001, d * 0.42), 0.006, sides=10))) if chance(rng, 0.5) else None
    return part("laptop", part("base", case, keys, pad, feet), part("screen side", display) if display.name != "display" else display, hinge)


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
    housing = part("back cover", box((w * 0.5, h * 0.5, t * 1.2), (0, y - h * 0.05, -t * 0.9), t * 0.4, 2)) if chance(rng, 0.6) else None
    head = part("display screen", shell, screen, housing)
    style = pick(rng, ["column", "column", "feet", "tripod", "slab"])
    z = -t * (1.2 if housing else 0.6)
    if style == "feet":
        leg = part("leg", sweep(np.array([[w * 0.34, y - h * 0.5 + 0.01, 0], [w * 0.36, 0.006, w * 0.1]]), 0.006, sides=8), sweep(np.array([[w * 0.34, y - h * 0.5 + 0.01, 0], [w * 0.36, 0.006, -w * 0.1]]), 0.006, sides=8))
        base = part("base", mirrored("legs", leg))
    elif style == "tripod":
        hub = part("column", cylinder((0, lift * 0.35, z), (0, y, z), 0.015, sides=12))
        leg = part("leg", cylinder((0, lift * 0.4, z), (w * 0.2, 0, z), 0.009, 0.006, 8))
        base = part("base", hub, turned("legs", leg, 3, (0, 1, 0), (0, 0, z)).rotated((0, 1, 0), np.pi / 6, (0, 0, z)))
    else:
        wide = w * between(rng, 0.06, 0.2)
        neck = part("neck", bar((0, 0.005, z - 0.01), (0, y, z), wide, t * 0.5, up=(0, 0, 1), taper=between(rng, 0.7, 1.0)))
        plan = superellipse(w * between(rng, 0.3, 0.5), w * between(rng, 0.2, 0.28), pick(rng, [2, 3, 8]), 32)
        foot = part("foot", prism(plan, 0, 0.012, 0.004).moved((0, 0, z * 0.3)))
        mount = part("mount", cylinder((0, y, z - 0.005), (0, y, -t * 0.3), wide * 0.6, sides=16))
        base = part("base", foot, neck, mount)
    buttons = None
    if chance(rng, 0.3):
        n = count(rng, 3, 6)
        one = part("button", cylinder((w * 0.3, y - h / 2 + rim * 0.7, t / 2 - 0.002), (w * 0.3, y - h / 2 + rim * 0.7, t / 2 + 0.006), min(rim * 0.4, 0.007), sides=10))
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
        key = part("key", box((pitch * 0.82, lift, row_pitch * 0.8), (x0, t - 0.001 + lift / 2, -d * 0.43 + row_pitch / 2), lift * 0.3))
        numbers = stepped("number pad", stepped("key row", key, 4, (pitch, 0, 0)), 5, (0, 0, row_pitch))
    rest = part("wrist rest", box((w, t * 0.8, d * 0.4), (0, t * 0.4, d * 0.7), t * 0.3, 2)) if chance(rng, 0.3) else None
    feet = mirrored("feet", part("foot", box((0.03, t * 0.9, 0.012), (w * 0.38, -t * 0.35, -d * 0.42)))) if chance(rng, 0.5) else None
    body = part("body", case, rest, feet)
    board = part("keyboard", body, keys, numbers)
    return board.rotated((1, 0, 0), between(rng, 0.0, 0.12))


# ----------------------------------------------------------------------------------------------------------------- clock


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
        outline = np.array([[-width, -0.15 * length], [width, -0.15 * length], [width * 0.5, length], [-width * 0.5, length]])
        return part(name, upright(prism(outline, z, z + t * 0.06), 0, 0, 0)).rotated((0, 0, 1), angle)

    hands = [hand("hour hand", r * 0.5, r * 0.035, t * 0.2), hand("minute hand", r * 0.75, r * 0.025, t * 0.28)]
    if chance(rng, 0.5):
        hands.append(hand("second hand", r * 0.78, r * 0.01, t * 0.36))
    pin = part("pin", cylinder((0, 0, 0), (0, 0, t * 0.5), r * 0.05, sides=12))
    front = part("face", face, marks, part("hands", *hands, pin))
    extras: list[PartNode] = []
    if style == "alarm":
        foot = part("foot", cylinder((r * 0.5, -r * 0.75, -t * 0.5), (r * 0.75, -r * 1.2, -t * 0.5), r * 0.06, r * 0.09, 10))
        bell = part("bell", ellipsoid((r * 0.32, r * 0.2, r * 0.32), (0, r * 1.18, -t * 0.5), 20, 8)).rotated((0, 0, 1), -0.55)
        path = catmull_rom([[r * 0.5, r * 0.95, -t * 0.5], [r * 0.35, r * 1.5, -t * 0.5], [-r * 0.35, r * 1.5, -t * 0.5], [-r * 0.5, r * 0.95, -t * 0.5]], 18)
        extras = [mirrored("feet", foot), part("alarm", mirrored("bells", bell), part("handle", sweep(path, r * 0.04, sides=8, up=(0, 0, 1))))]
    elif style == "mantel":
        wide = r * between(rng, 2.6, 4)
        path = bspline([[-wide / 2, -r * 1.2], [wide / 2, -r * 1.2], [wide / 2, -r * 0.7], [r * 1.2, -r * 0.5], [r * 1.25, r * 1.3], [-r * 1.25, r * 1.3], [-r * 1.2, -r * 0.5], [-wide / 2, -r * 0.7], [-wide / 2, -r * 1.2]], 48)[:-1]
        body = part("housing", upright(prism(path, -t * 2.5, -t * 0.3, t * 0.1), 0, 0, 0))
        plinth = part("plinth", box((wide * 1.08, r * 0.18, t * 3.4), (0, -r * 1.25, -t * 1.3), t * 0.1))
        extras = [part("stand", body, plinth)]
    elif chance(rng, 0.35):
        drop = r * between(rng, 1.6, 2.6)
        rod = part("rod", bar((0, -r * 0.9, -t * 0.5), (0, -drop, -t * 0.5), r * 0.05, r * 0.03, up=(0, 0, 1)))
        bob = part("bob", upright(lathe([[0, -t * 0.2], [r * 0.22, -t * 0.1], [r * 0.25, 0], [r * 0.22, t * 0.1], [0, t * 0.2]], 24), 0, -drop, -t * 0.5))
        swing = part("pendulum", rod, bob).rotated((0, 0, 1), between(rng, -0.3, 0.3), (0, -r * 0.5, 0))
        extras = [swing]
    return part("clock", part("body", ring, bezel), front, *extras)


# ----------------------------------------------------------------------------------------------------------- containers


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
    from partseg.data.procedural.primitives import band_groups, ring_stack

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
        cover = part("lid", prism(plan * reach, 0, tall, tall * 0.2, between(rng, 0.6, 0.95)), *([cylinder((-0.04, tall, d * 0.2), (0.04, tall, d * 0.2), 0.012, sides=10)] if chance(rng, 0.4) else []))
        if chance(rng, 0.35):
            cover = cover.rotated((1, 0, 0), -between(rng, 0.2, 1.4), (0, 0, -d / 2 * reach))
        hinge = part("hinge", cylinder((-w * 0.2, h, -d / 2 * reach), (w * 0.2, h, -d / 2 * reach), 0.012, sides=10))
        extras.append(part("cover", cover.moved(0, h, 0), hinge))
        if style != "wheeled" and chance(rng, 0.6):
            pedal = part("pedal", sweep(bspline([[0, 0.03, d * 0.4], [0, 0.025, d * 0.55], [0, 0.012, d * 0.62]], 6), 1.0, rounded_rectangle(0.08, 0.01, 0.004), up=(0, 1, 0)))
            extras.append(pedal)
    elif style == "swing":
        dome_y = np.linspace(0, 1, 8)
        shape = np.sqrt(np.clip(1 - (dome_y * 0.85) ** 2, 0, 1))
        rings = np.empty((8, 32, 3))
        rings[..., 0], rings[..., 2] = shape[:, None] * plan[:, 0] * reach, -shape[:, None] * plan[:, 1] * reach
        rings[..., 1] = (h + dome_y * w * 0.5)[:, None]
        dome = ring_stack(rings, (0, h, 0), (0, h + w * 0.5, 0))
        flap = part("flap", box((w * 0.6, w * 0.35, 0.012), (0, h + w * 0.26, d * 0.5 * reach * 0.9), 0.004)).rotated((1, 0, 0), -between(rng, 0.3, 0.6), (0, h + w * 0.26, d * 0.5 * reach * 0.9))
        extras.append(part("cover", part("lid", dome), flap))
    if style == "wheeled":
        wheel = part("wheel", cylinder((w * 0.36, 0.02, -d * 0.48), (w * 0.48, 0.02, -d * 0.48), 0.07, sides=20))
        axle = part("axle", cylinder((-w * 0.4, 0.02, -d * 0.48), (w * 0.4, 0.02, -d * 0.48), 0.012, sides=8))
        grip = part("handle", cylinder((-w * 0.35, h * 0.95, -d / 2 * top - 0.06), (w * 0.35, h * 0.95, -d / 2 * top - 0.06), 0.015, sides=10),
                    cylinder((-w * 0.33, h * 0.95, -d * 0.5 * top + 0.02), (-w * 0.33, h * 0.95, -d / 2 * top - 0.06), 0.012, sides=8),
                    cylinder((w * 0.33, h * 0.95, -d * 0.5 * top + 0.02), (w * 0.33, h * 0.95, -d / 2 * top - 0.06), 0.012, sides=8))  # fmt: skip
        extras += [part("wheels", mirrored("wheels", wheel), axle), grip]
    elif chance(rng, 0.3):
        x = w / 2 * (1 + (top - 1) * 0.8)
        path = catmull_rom([[x - 0.005, h * 0.8, 0.05], [x + 0.035, h * 0.8, 0.045], [x + 0.035, h * 0.8, -0.045], [x - 0.005, h * 0.8, -0.05]], 14)
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
        path = catmull_rom([[-wide, h * 0.9, z], [-wide * 0.9, h + tall * 0.7, z], [0, h + tall, z], [wide * 0.9, h + tall * 0.7, z], [wide, h * 0.9, z]], 24)
        strap = sweep(path, 1.0, rounded_rectangle(2.6 * r, r, 0.3 * r), up=(0, 0, 1)) if chance(rng, 0.5) else sweep(path, r, sides=10, up=(0, 0, 1))
        strap_part = part("strap", strap)
        extras.append(mirrored("handles", strap_part, (0, 0, 1)) if chance(rng, 0.6) else strap_part)
        if chance(rng, 0.5):
            extras.append(part("clasp", box((w * 0.12, h * 0.12, 0.02), (0, h * 0.72, d / 2 * 0.93), 0.005)))
    else:
        grip_path = catmull_rom([[-0.07, h - 0.01, 0], [-0.06, h + 0.035, 0], [0.06, h + 0.035, 0], [0.07, h - 0.01, 0]], 16)
        extras.append(part("handle", sweep(grip_path, r, sides=10, up=(0, 0, 1))))
    if style == "case":
        extras.append(mirrored("latches", part("latch", box((0.03, 0.045, 0.012), (w * 0.3, h * 0.96, d / 2), 0.003))))
        extras.append(part("seam", box((w * 1.01, h * 1.01, 0.012), (0, h / 2, 0), 0.004)))
    if style == "backpack":
        x = w * 0.22
        path = catmull_rom([[x, h * 0.92, -d * 0.3], [x * 1.1, h * 0.95, -d * 0.7], [x * 1.25, h * 0.55, -d * 0.85], [x * 1.35, h * 0.12, -d * 0.35]], 20)
        extras.append(mirrored("straps", part("strap", sweep(path, 1.0, rounded_rectangle(0.06, 0.016, 0.006), up=(0, -0.6, -0.8)))))
        extras.append(part("pocket", ellipsoid((w * 0.38, h * 0.22, d * 0.25), (0, h * 0.3, d * 0.42), 24, 10, (4, 4))))
        if chance(rng, 0.5):
            extras.append(mirrored("side pockets", part("pocket", ellipsoid((d * 0.2, h * 0.17, d * 0.3), (w * 0.47, h * 0.25, 0), 18, 8, (3, 3)))))
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
    motor = part("motor", upright(lathe([[0, 0], [r * 0.3, 0.02], [r * 0.34, r * 0.3], [r * 0.25, r * 0.5], [0, r * 0.5]], 24), 0, y, -r * 0.62))
    wires = count(rng, 12, 24)
    wire_path = np.array([[0, y + 0.15 * r, depth * 0.75], [0, y + 0.75 * r, depth * 0.6], [0, y + 0.99 * r, 0], [0, y + 0.75 * r, -depth * 0.7], [0, y + 0.2 * r, -depth]])
    wire = part("wire", sweep(catmull_rom(wire_path, 10), r * 0.012, sides=5, up=(1, 0, 0)))
    cage = part("guard", turned("wires", wire, wires, (0, 0, 1), (0, y, 0)), part("rim", torus((0, y, 0), (0, 0, 1), r, r * 0.025, 8, 36)), part("badge", cylinder((0, y, depth * 0.7), (0, y, depth * 0.8), r * 0.17, sides=20)))
    tall = 0.03
    foot = disk_foot(rng, r * between(rng, 0.6, 0.9), tall).moved(0, 0, -r * 0.35)
    pole = part("pole", cylinder((0, tall * 0.7, -r * 0.35), (0, y, -r * 0.35), r * 0.07, sides=12))
    return part("fan", part("head", rotor, motor, cage), part("stand", pole, foot))


FAMILIES = {
    "lamp": lamp,
    "faucet": faucet,
    "laptop": laptop,
    "display": display,
    "keyboard": keyboard,
    "clock": clock,
    "trash_can": trash_can,
    "bag": bag,
    "fan": fan,
}
