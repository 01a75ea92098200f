"""Tables and storage furniture, and the legs, feet and grips that furniture shares."""

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
    turned,
)
from partseg.data.procedural.primitives import Mesh, bar, box, cylinder, lathe, prism, sweep


def leg_mesh(rng: np.random.Generator, style: str, top: np.ndarray, foot: np.ndarray, r: float) -> Mesh:
    """A leg from ``top`` down to ``foot``; styles square, round, turned, cabriole."""
    top, foot = np.asarray(top, float), np.asarray(foot, float)
    if style == "square":
        return bar(top, foot, 2 * r, 2 * r, up=(0, 0, 1), taper=between(rng, 0.5, 1.0))
    if style == "round":
        return cylinder(top, foot, r, r * between(rng, 0.45, 1.0), sides=12)
    if style == "turned":
        along = np.linspace(0, 1, 26)[:, None]
        swell = bspline([[1.0], [1.15], [between(rng, 0.4, 1.3)], [between(rng, 0.4, 1.2)], [between(rng, 0.8, 1.6)],
                         [between(rng, 0.4, 1.0)], [between(rng, 0.5, 1.0)], [0.6]], 26)[:, 0]  # fmt: skip
        bead = 1 + 0.3 * np.exp(-(((along[:, 0] - between(rng, 0.15, 0.8)) / 0.03) ** 2))
        return sweep(top + along * (foot - top), r * swell * bead, sides=12)
    # cabriole: knee out, ankle in, foot out
    outward = np.sign(np.array([top[0], 0, top[2]])) * r
    curve = [
        top,
        top * 0.72 + foot * 0.28 + outward * 1.6,
        top * 0.25 + foot * 0.75 - outward * 0.9,
        foot + outward * 0.8,
    ]
    return sweep(catmull_rom(curve, 14), r * np.linspace(1.2, 0.55, 14), sides=10, up=(0.3, 0, 1))


def wheel_foot(x: float, z: float, r: float) -> list[Mesh]:
    """A caster: small wheel with its fork, touching y = 0."""
    return [
        cylinder((x - r * 0.5, r, z), (x + r * 0.5, r, z), r, sides=12),
        cylinder((x, r, z), (x, 2.6 * r, z), r * 0.3, sides=8),
    ]


def four_legs(rng: np.random.Generator, height: float, width: float, depth: float, r: float) -> PartNode:
    """ "base" of four legs under a rectangle of ``width`` by ``depth`` whose underside is at ``height``."""
    style = pick(rng, ["square", "square", "round", "round", "turned", "cabriole"])
    splay = between(rng, 0, 0.12) * height if chance(rng, 0.4) and style != "cabriole" else 0.0
    x, z = width / 2 - 1.3 * r, depth / 2 - 1.3 * r
    top, foot = np.array([x, height + 0.3 * r, z]), np.array([x + splay, 0, z + splay])
    legs = four("legs", part("leg", leg_mesh(rng, style, top, foot, r)))
    extra = None
    kind = pick(rng, ["none", "none", "sides", "box", "h", "apron"])
    if style in ("cabriole",):
        kind = pick(rng, ["none", "apron"])
    level = between(rng, 0.15, 0.45)
    at = foot + (top - foot) * level
    thin = r * between(rng, 0.4, 0.7)
    if kind in ("sides", "box", "h"):
        side = part("stretcher", cylinder((at[0], at[1], -at[2]), (at[0], at[1], at[2]), thin, sides=10))
        groups = [mirrored("side stretchers", side)]
        if kind == "box":
            lift = at[1] + (0.0 if chance(rng, 0.5) else height * 0.08)
            front = part("stretcher", cylinder((-at[0], lift, at[2]), (at[0], lift, at[2]), thin, sides=10))
            groups.append(mirrored("cross stretchers", front, (0, 0, 1)))
        if kind == "h":
            groups.append(part("stretcher", cylinder((-at[0], at[1], 0), (at[0], at[1], 0), thin, sides=10)))
        extra = part("stretchers", *groups)
    elif kind == "apron":
        tall = height * between(rng, 0.08, 0.18)
        y = height - tall / 2
        long = part("apron board", box((2 * x, tall, r * 0.6), (0, y, z)))
        short = part("apron board", box((r * 0.6, tall, 2 * z), (x, y, 0)))
        extra = part("apron", mirrored("front boards", long, (0, 0, 1)), mirrored("side boards", short))
    return part("base", legs, extra)


def pedestal(rng: np.random.Generator, height: float, reach: float, swivel: bool) -> PartNode:
    """ "base" on one column: a foot disk, or a star of arms (with casters when ``swivel``)."""
    r = reach * between(rng, 0.08, 0.16)
    if swivel or chance(rng, 0.4):
        n = count(rng, 3, 6) if not swivel else count(rng, 4, 6)
        caster = height * 0.06 if swivel else 0.0
        low = caster * 2.4 + r * 0.5
        hub_y = low + between(rng, 0.02, 0.15) * height
        path = bspline([[r * 0.5, hub_y, 0], [reach * 0.5, hub_y + 0.03 * height, 0], [reach, low, 0]], 7)
        outline = rounded_rectangle(1.4 * r, 1.0 * r, 0.3 * r)
        arm: PartNode = part("arm", sweep(path, np.linspace(1, 0.55, 7), outline, up=(0, 1, 0)))
        if swivel:
            arm = part("star leg", arm, part("caster", *wheel_foot(reach * 0.95, 0, caster)))
        foot = turned("star base", arm, n)
        column_low = hub_y - r * 0.6
    else:
        t = height * between(rng, 0.03, 0.08)
        profile = bspline(
            [[0, 0], [reach, 0], [reach, t * 0.5], [reach * 0.9, t], [r * 2, t * 1.3], [r, t * 2.2], [0, t * 2.2]], 14
        )
        profile[:, 0][[0, -1]] = 0
        foot = part("foot", lathe(profile, 28))
        column_low = t
    swell = between(rng, 0.8, 1.6)
    mid = (column_low + height) / 2
    if swivel:
        column = part(
            "column",
            part("sleeve", cylinder((0, column_low, 0), (0, mid, 0), r, sides=14)),
            part("piston", cylinder((0, mid, 0), (0, height, 0), r * 0.6, sides=14)),
        )
    else:
        radii = bspline([[1.0], [swell], [between(rng, 0.5, 1.2)], [between(rng, 0.8, 1.8)]], 12)[:, 0] * r
        path = np.stack([np.zeros(12), np.linspace(column_low, height, 12), np.zeros(12)], 1)
        column = part("column", sweep(path, radii, sides=16))
    return part("base", column, foot)


def knob(rng: np.random.Generator, x: float, y: float, z: float, size: float, upright: bool = False) -> PartNode:
    """A handle on a front at depth ``z``: knob, bar, bow or cup pull."""
    kind = pick(rng, ["knob", "bar", "bow", "pull"])
    long = np.array([0, 1, 0]) if upright else np.array([1, 0, 0])
    at = np.array([x, y, z])
    out = np.array([0, 0, 1.0])
    if kind == "knob":
        profile = np.array([[0.45, 0], [0.35, 0.5], [0.9, 0.9], [1.0, 1.3], [0.7, 1.6], [0, 1.65]]) * size * 0.35
        mesh = lathe(np.concatenate([[[0, 0]], profile]), 12)
        turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
        return part("handle", mesh.mapped(turn, at))
    if kind == "bar":
        ends = [at + long * size, at - long * size]
        posts = [
            cylinder(e * 0.999, e + out * size * 0.4, size * 0.1, sides=8)
            for e in (at + long * size * 0.7, at - long * size * 0.7)
        ]
        return part(
            "handle", cylinder(ends[0] + out * size * 0.4, ends[1] + out * size * 0.4, size * 0.13, sides=10), *posts
        )
    if kind == "bow":
        path = catmull_rom(
            [
                at + long * size,
                at + long * size * 0.7 + out * size * 0.4,
                at - long * size * 0.7 + out * size * 0.4,
                at - long * size,
            ],
            14,
        )
        return part("handle", sweep(path, size * 0.12, sides=8))
    across = np.cross(out, long)
    dims = np.abs(long) * size * 1.6 + np.abs(across) * size * 0.3 + out * size * 0.35
    return part("handle", box(dims, at + out * size * 0.17, size * 0.06))


def _drawer(
    rng: np.random.Generator, x: float, y: float, z: float, w: float, h: float, deep: float, handles: int = 1
) -> PartNode:
    """Drawer whose front is centred at (x, y) and stands at depth z, pulled out a little."""
    out = between(rng, 0, 0.5) * deep if chance(rng, 0.25) else 0.0
    t = min(w, h) * 0.06
    z = z + out
    front = part(
        "drawer front", box((w - min(0.04 * w, 0.012), h - min(0.06 * h, 0.012), t), (x, y, z + t / 2), t * 0.25)
    )
    size = min(w * 0.16, h * 0.28)
    grip = [knob(rng, x, y, z + t, size)]
    if handles == 2:
        one = knob(rng, x + w * 0.28, y, z + t, size * 0.8)
        grip = [mirrored("handles", one, point=(x, 0, 0))]
    case = None
    if out > 0.05 * deep:
        inner_w, inner_h = w * 0.88, h * 0.7
        low = y - h * 0.4
        case = part(
            "drawer box",
            box((inner_w, t * 0.6, deep), (x, low, z - deep / 2)),
            box((t * 0.6, inner_h, deep), (x - inner_w / 2, low + inner_h / 2, z - deep / 2)),
            box((t * 0.6, inner_h, deep), (x + inner_w / 2, low + inner_h / 2, z - deep / 2)),
        )
    return part("drawer", front, case, *grip)


def table(rng: np.random.Generator) -> PartNode:
    """Tables and desks: legs, pedestal, trestle or panel sides; drawers; round, oval, rounded and square tops."""
    w, d, h = between(rng, 0.7, 2.0), between(rng, 0.5, 1.0), between(rng, 0.38, 0.85)
    t, r = between(rng, 0.02, 0.06), between(rng, 0.02, 0.05)
    style = pick(rng, ["legs", "legs", "legs", "pedestal", "trestle", "desk", "panel", "hairpin"])
    shape = pick(rng, ["square", "square", "rounded", "oval", "round"])
    if style in ("desk", "panel", "trestle") and shape in ("round", "oval"):
        shape = "rounded"
    if shape == "round":
        d = w = max(d, min(w, 1.1))
    outline = {
        "square": lambda: rounded_rectangle(w, d, 0.0),
        "rounded": lambda: rounded_rectangle(w, d, between(rng, 0.05, 0.3) * d, 4),
        "oval": lambda: superellipse(w, d, between(rng, 2, 3.5), 36),
        "round": lambda: superellipse(w, d, 2, 36),
    }[shape]()
    board = part("board", prism(outline, h - t, h, t * between(rng, 0.05, 0.3), taper=between(rng, 0.98, 1.0)))
    top = part("top", board)
    if shape in ("round", "oval") and chance(rng, 0.3):
        top.children.append(
            part(
                "top edge",
                sweep(
                    np.stack([outline[:, 0] * 0.98, np.full(len(outline), h - t * 1.1), -outline[:, 1] * 0.98], 1),
                    t * 0.6,
                    sides=8,
                    loop=True,
                    up=(0, 1, 0),
                ),
            )
        )
    under = h - t
    inset = 0.66 if shape in ("round", "oval") else 0.95
    drawers = None
    if style == "legs":
        base = four_legs(rng, under, w * inset, d * inset, r)
        if shape not in ("round", "oval") and chance(rng, 0.35):
            n = count(rng, 1, 3)
            tall = under * between(rng, 0.14, 0.25)
            pitch = (w * inset - 4 * r) / n
            z = d * inset / 2 - r
            case = part(
                "drawer case", box((w * inset - 3 * r, tall, d * inset - 4 * r), (0, under - tall / 2, -r * 0.5))
            )
            one = _drawer(rng, -(n - 1) * pitch / 2, under - tall / 2, z - r * 1.6, pitch, tall, d * 0.7)
            drawers = part("drawers", case, stepped("drawer row", one, n, (pitch, 0, 0)) if n > 1 else one)
    elif style == "pedestal":
        reach = min(w, d) * between(rng, 0.3, 0.45)
        one = pedestal(rng, under + 0.005, reach, False)
        if w > 1.8 * d:
            for child in one.children:
                child.name = {"column": "column"}.get(child.name, child.name)
            one = mirrored("base", PartNode("pedestal", one.moved(w * 0.27, 0, 0).children))
        base = one
    elif style == "trestle":
        x = w * between(rng, 0.3, 0.42)
        kind = pick(rng, ["a", "x", "t"])
        z = d * 0.4
        if kind == "a":
            one = part("trestle leg", leg_mesh(rng, "square", np.array([x, under, z * 0.25]), np.array([x, 0, z]), r))
            frame = part(
                "trestle",
                mirrored("trestle legs", one, (0, 0, 1)),
                part("cross bar", bar((x, under * 0.4, -z * 0.75), (x, under * 0.4, z * 0.75), r, r * 1.5)),
            )
        elif kind == "x":
            one = part("trestle leg", bar((x + r * 0.5, under, -z), (x + r * 0.5, 0, z), r, 2 * r, up=(1, 0, 0)))
            frame = part("trestle", turned("trestle legs", one, 2, (0, 1, 0), (x, 0, 0)))
        else:
            frame = part(
                "trestle",
                part("column", box((1.5 * r, under - 2 * r, 5 * r), (x, under / 2, 0), r * 0.2)),
                part("foot", box((2 * r, 2 * r, 2 * z), (x, r, 0), r * 0.6, 2)),
                part("head", box((2 * r, 1.5 * r, 1.6 * z), (x, under - 0.7 * r, 0), r * 0.3)),
            )
        beam = part("beam", box((2 * x, 3 * r, r), (0, under * 0.45, 0)))
        base = part("base", mirrored("trestles", frame), beam)
    elif style == "hairpin":
        x, z = w * inset / 2 - 0.06, d * inset / 2 - 0.06
        path = catmull_rom(
            [
                [x - 0.05, under + 0.005, z],
                [x + 0.02, 0.05, z],
                [x + 0.03, 0.012, z],
                [x + 0.04, 0.05, z],
                [x + 0.05, under + 0.005, z],
            ],
            26,
        )
        base = part("base", four("legs", part("leg", sweep(path, 0.009, sides=8))))
    else:
        thick = between(rng, 0.02, 0.05)
        side = part("side panel", box((thick, under, d * 0.94), (w / 2 - thick * 1.2, under / 2, 0)))
        sides = mirrored("side panels", side)
        back = part(
            "back panel", box((w - 2 * thick, under * between(rng, 0.3, 0.9), thick * 0.7), (0, under * 0.6, -d * 0.4))
        )
        base = part("base", sides, back)
        if style == "desk":
            n = count(rng, 2, 4)
            wide = w * between(rng, 0.22, 0.34)
            pitch = under * 0.9 / n
            x = w / 2 - thick * 1.7 - wide / 2
            case = part("drawer case", box((wide, under * 0.95, d * 0.86), (x, under * 0.52, -0.02 * d)))
            one = _drawer(rng, x, under - 0.02 - pitch / 2, d * 0.41, wide, pitch, d * 0.8)
            stack = part("pedestal", case, stepped("drawer column", one, n, (0, -pitch, 0)))
            drawers = mirrored("drawers", stack) if chance(rng, 0.35) else part("drawers", stack)
    return part("table", top, base, drawers)


def storage(rng: np.random.Generator) -> PartNode:
    """Cabinets, wardrobes, shelves and chests: columns of drawers, doors and open shelves in one carcass."""
    w, h, d = between(rng, 0.5, 1.6), between(rng, 0.5, 2.0), between(rng, 0.3, 0.6)
    t = between(rng, 0.015, 0.04)
    base_kind = pick(rng, ["plinth", "legs", "legs", "flat", "casters"])
    lift = {"plinth": between(rng, 0.04, 0.1), "legs": between(rng, 0.08, 0.25), "flat": 0.0, "casters": 0.08}[
        base_kind
    ]
    y0, y1 = lift, lift + h
    side = part("side panel", box((t, h, d), (w / 2 - t / 2, (y0 + y1) / 2, 0)))
    overhang = between(rng, 0, 0.03)
    carcass = part(
        "frame",
        mirrored("side panels", side),
        part("top panel", box((w + 2 * overhang, t, d + overhang), (0, y1 - t / 2, overhang / 2), t * 0.2)),
        part("bottom panel", box((w - 2 * t, t, d), (0, y0 + t / 2, 0))),
        part("back panel", box((w - 2 * t, h - 2 * t, t * 0.4), (0, (y0 + y1) / 2, -d / 2 + t * 0.2))),
    )
    columns = count(rng, 1, 3) if w > 0.8 else count(rng, 1, 2)
    wide = (w - 2 * t - (columns - 1) * t) / columns
    left = -w / 2 + t
    low, high = y0 + t, y1 - t
    if columns > 1:
        wall = part("divider", box((t, h - 2 * t, d - t), (left + wide + t / 2, (y0 + y1) / 2, 0)))
        carcass.children.append(stepped("dividers", wall, columns - 1, (wide + t, 0, 0)) if columns > 2 else wall)

    def shelf_board(x: float, y: float) -> PartNode:
        return part("shelf", box((wide, t * 0.8, d - 2 * t), (x, y, 0)))

    def cell(kind: str, x: float, a: float, b: float) -> list[PartNode]:
        """Content of the opening centred at x from height a to b."""
        tall = b - a
        z = d / 2
        if kind == "drawers":
            n = max(1, int(tall / between(rng, 0.15, 0.3)))
            pitch = tall / n
            one = _drawer(rng, x, b - pitch / 2, z - t * 0.6, wide, pitch, d * 0.85, 2 if wide > 0.7 else 1)
            return [stepped("drawers", one, n, (0, -pitch, 0)) if n > 1 else one]
        if kind == "shelves":
            n = max(1, int(tall / between(rng, 0.22, 0.4)))
            pitch = tall / (n + 1)
            one = shelf_board(x, a + pitch)
            return [stepped("shelves", one, n, (0, pitch, 0)) if n > 1 else one]
        double = wide > 0.6
        panel_w = wide / 2 if double else wide
        px = x + panel_w / 2 if double else x
        hinge = px + panel_w / 2
        frame_style = chance(rng, 0.5)
        outer = box((panel_w * 0.98, tall * 0.98, t * 0.8), (px, (a + b) / 2, z + t * 0.2), t * 0.15)
        detail = [part("door panel", outer)]
        if frame_style:
            rim = box((panel_w * 0.7, tall * 0.8, t * 0.5), (px, (a + b) / 2, z + t * 0.6), t * 0.2)
            detail = [part("door frame", outer), part("door panel", rim)]
        grip = knob(rng, px - panel_w * 0.38, (a + b) / 2, z + t * 0.58, min(0.07, panel_w * 0.15), True)
        door = part("door", *detail, grip)
        swing = between(rng, 0.2, 1.7) if chance(rng, 0.3) else 0.0
        if swing:
            door = door.rotated((0, 1, 0), swing, (hinge, 0, z))
        content = [mirrored("doors", door, point=(x, 0, 0)) if double else door]
        if swing:
            content.append(shelf_board(x, (a + b) / 2))
        return content

    groups: dict[str, list[PartNode]] = {"drawers": [], "doors": [], "shelves": []}
    same = chance(rng, 0.5)
    plan = None
    for i in range(columns):
        x = left + wide / 2 + i * (wide + t)
        if plan is None or not same:
            cut = between(rng, 0.35, 0.65) if h > 0.8 and chance(rng, 0.6) else 0.0
            plan = (cut, [pick(rng, ["drawers", "doors", "shelves"]) for _ in range(2)])
        cut, kinds = plan
        spans = (
            [(low, high)]
            if not cut
            else [(low, low + cut * (high - low) - t / 2), (low + cut * (high - low) + t / 2, high)]
        )
        if cut:
            carcass.children.append(part("shelf", box((wide, t, d - t), (x, low + cut * (high - low), 0))))
        for kind, (a, b) in zip(kinds, spans, strict=False):
            groups[kind] += cell(kind, x, a, b)
    contents = [
        part(name, *nodes) if len(nodes) > 1 or nodes[0].name != name else nodes[0]
        for name, nodes in groups.items()
        if nodes
    ]
    base = None
    if base_kind == "plinth":
        base = part("base", part("plinth", box((w * 0.94, lift, d * 0.9), (0, lift / 2, -0.02 * d))))
    elif base_kind == "legs":
        r = between(rng, 0.012, 0.03)
        style = pick(rng, ["square", "round", "turned"])
        foot = np.array([w / 2 - 2.2 * r, 0, d / 2 - 2.2 * r])
        base = part(
            "base",
            four("legs", part("leg", leg_mesh(rng, style, foot * (0.97, 1, 0.97) + (0, lift + 0.005, 0), foot, r))),
        )
    elif base_kind == "casters":
        base = part("base", four("casters", part("caster", *wheel_foot(w / 2 - 0.05, d / 2 - 0.05, lift / 2.5))))
    return part("storage furniture", carcass, *contents, base)


FAMILIES = {
    "table": table,
    "storage": storage,
}
