"""Machined and assembled mechanical parts: flanges, brackets, blocks, bearings, gears, shafts, fasteners, fittings, hinges."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.grammar import PartNode, Repeat, between, chance, count, four, mirrored, part, pick, stepped, turned
from partseg.data.procedural.primitives import (
    Mesh,
    band_groups,
    bar,
    box,
    circle,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    lathe_groups,
    prism,
    ring_stack,
    rounded_rectangle,
    superellipse,
    sweep,
    torus,
)

SIDEWAYS = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float)  # y (up) -> x


def _hole(x: float, y: float, r: float, sides: int = 14) -> np.ndarray:
    return circle(sides) * r + (x, y)


def _hole_circle(n: int, reach: float, r: float, sides: int = 14, start: float = 0.0) -> list[np.ndarray]:
    """``n`` holes on a circle, each the one before turned, so that the walls are exact copies."""
    first = _hole(reach, 0, r, sides)
    loops = []
    for i in range(n):
        a = start + 2 * np.pi * i / n
        loops.append(first @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]))
    return loops


def _ring_of(name: str, leaves: list[PartNode], axis: tuple = (0, 1, 0)) -> PartNode:
    """Group of parts that already lie on a circle about the vertical axis, in order."""
    if len(leaves) == 1:
        return leaves[0]
    return PartNode(name, leaves, repeat=Repeat("rotational", np.zeros(3), np.array(axis, float), len(leaves), 2 * np.pi / len(leaves)))


def _plate(name: str, outline: np.ndarray, holes: list[np.ndarray], height: float, bevel: float = 0.0) -> tuple[list[Mesh], list[PartNode]]:
    """Faces of a drilled plate as [bottom, top, outer wall] and one "hole wall" leaf a hole: all one surface."""
    mesh, groups = extrude(outline, holes, height, bevel)
    patches = mesh.split(groups, 3 + len(holes))
    return patches[:3], [part(name, wall) for wall in patches[3:]]


def tube_mesh(inner: float, outer: float, low: float, high: float, sides: int = 32, bevel: float = 0.0) -> Mesh:
    """Ring about the y axis with a rectangular section, outer edges chamfered."""
    b = min(bevel, 0.4 * (high - low), 0.4 * (outer - inner))
    profile = [[inner, low], [outer - b, low], [outer, low + b], [outer, high - b], [outer - b, high], [inner, high]]
    if b <= 0:
        profile = [[inner, low], [outer, low], [outer, high], [inner, high]]
    return lathe(np.array(profile), sides, loop=True)


def hex_head(r: float, low: float, high: float, bore: float = 0.0) -> Mesh:
    """Hexagon with chamfered corners; with a bore it is a nut."""
    outline = circle(6) * r
    if not bore:
        return prism(np.repeat(outline, 2, 0) * 0.5 + np.roll(np.repeat(outline, 2, 0), -1, 0) * 0.5, low, high, (high - low) * 0.12)
    dense = np.concatenate([outline[i] + np.linspace(0, 1, 4, endpoint=False)[:, None] * (outline[(i + 1) % 6] - outline[i]) for i in range(6)])
    c = circle(24) * bore
    rings = np.empty((4, 24, 3))
    for row, (plan, y) in enumerate([(c, low), (dense, low), (dense, high), (c, high)]):
        rings[row, :, 0], rings[row, :, 1], rings[row, :, 2] = plan[:, 0], y, -plan[:, 1]
    return ring_stack(rings, loop=True)


def bolt_node(r: float, long: float, head_r: float, head_h: float, kind: str, thread: bool) -> PartNode:
    """Bolt with the underside of its head at y = 0, shank downward."""
    if kind == "hex":
        head = part("bolt head", hex_head(head_r, 0, head_h))
    elif kind == "socket":
        profile = np.array([[0, 0], [head_r, 0], [head_r, head_h * 0.9], [head_r * 0.92, head_h], [head_r * 0.5, head_h], [head_r * 0.5, head_h * 0.4], [0, head_h * 0.4]])
        groups = lathe_groups(profile, 24, [0, 0, 0, 0, 1, 1])
        outer, socket = lathe(profile, 24).split(groups, 2)
        head = part("bolt head", part("head surface", outer), part("socket", socket))
    else:
        curve = np.array([[0, 0], [head_r, 0], [head_r * 0.93, head_h * 0.4], [head_r * 0.6, head_h * 0.85], [0, head_h]])
        head = part("bolt head", lathe(curve, 24))
    n = 14
    ridges = np.linspace(-long, -long * 0.35, 2 * n)
    teeth = np.where(np.arange(2 * n) % 2 == 0, r * 0.84, r) if thread else np.full(2 * n, r * 0.97)
    profile = np.concatenate([[[0, -long]], np.stack([teeth, ridges], 1), [[r, -long * 0.34], [r, 0], [0, 0]]])
    threaded, plain = lathe(profile, 18).split(lathe_groups(profile, 18, [0] * (2 * n + 1) + [1, 1]), 2)
    return part("bolt", head, part("shank", part("thread", threaded), part("plain shank", plain)))


def flange(rng: np.random.Generator) -> PartNode:
    """Pipe flanges and hubs: drilled disk, boss, bore, ribs, sometimes bolts."""
    r, h = 1.0, between(rng, 0.1, 0.3)
    bore = between(rng, 0.15, 0.45)
    n = count(rng, 3, 10)
    hole_r = between(rng, 0.04, 0.1)
    reach = between(rng, 0.72, 0.84)
    hole_r = min(hole_r, 0.4 * (reach - bore - 0.12), reach * np.sin(np.pi / n) * 0.7, 0.95 - reach)
    lobes = chance(rng, 0.25) and n <= 6
    outline = circle(72) if not lobes else circle(72) * (0.86 + 0.14 * np.cos(n * np.arange(72) * 2 * np.pi / 72))[:, None]
    faces, walls = _plate("hole wall", outline, [_hole(0, 0, bore, 28), *_hole_circle(n, reach, hole_r)], h, h * between(rng, 0, 0.15))
    disk = part("disk", *faces)
    bolt_holes = _ring_of("bolt holes", walls[1:])
    plate = part("flange plate", disk, walls[0], bolt_holes)
    plate.children[1].name = "bore wall"
    hub_r, hub_h = between(rng, bore + 0.06, max(bore + 0.08, reach - hole_r - 0.03)), between(rng, 0.2, 1.2)
    cone = between(rng, 0.75, 1.0)
    top_r = max(bore + 0.04, hub_r * cone)
    profile = np.array([[bore, h * 0.9], [hub_r, h * 0.9], [hub_r, h + 0.05], [top_r, h + hub_h * 0.5], [top_r, h + hub_h], [bore, h + hub_h]])
    outer, inner = lathe(profile, 36, loop=True).split(band_groups(6, 36, [0, 0, 0, 0, 0, 1], None, None), 2)
    boss = part("boss", part("boss surface", outer), part("bore wall", inner))
    ribs = bolts = None
    if hub_h > 0.35 and chance(rng, 0.5):
        k = pick(rng, [3, 4, n])
        t = between(rng, 0.03, 0.07)
        far = reach + hole_r * 0.5
        shape = np.array([[top_r * 0.95, h * 0.95], [far, h * 0.95], [far, h + 0.05], [top_r * 0.95, h + hub_h * 0.85]])
        web = prism(shape, -t / 2, t / 2).mapped(np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float))
        ribs = turned("ribs", part("rib", web), k)
        if k == n:
            ribs = ribs.rotated((0, 1, 0), np.pi / n)
    elif chance(rng, 0.5):
        one = bolt_node(hole_r * 0.85, h * 1.8, hole_r * 1.6, hole_r * 1.2, pick(rng, ["hex", "socket", "round"]), chance(rng, 0.5)).moved(reach, h, 0)
        bolts = turned("bolts", one, n)
    return part("flange", plate, boss, ribs, bolts)


def bracket(rng: np.random.Generator) -> PartNode:
    """L, U and T brackets: drilled plates joined at right angles, gussets."""
    w, d, h = between(rng, 0.6, 1.4), between(rng, 0.5, 1.0), between(rng, 0.5, 1.2)
    t, r = between(rng, 0.05, 0.12), between(rng, 0.05, 0.1)
    style = pick(rng, ["L", "U", "T", "L"])
    corner = pick(rng, [0.0, 0.08, 0.14, 0.2]) * min(w, d, h)

    def plate(wide: float, deep: float, name: str, n: int) -> PartNode:
        outline = rounded_rectangle(wide, deep, corner, 4, 4)
        x = wide * 0.3
        loops = [_hole(-x, 0.12 * deep, r), _hole(x, 0.12 * deep, r)] if n == 2 else [_hole(0, 0.1 * deep, min(wide, deep) * 0.25, 24)]
        faces, walls = _plate("hole wall", outline, loops, t, t * 0.1)
        holes = walls[0] if len(walls) == 1 else PartNode("holes", walls, repeat=Repeat("translational", np.zeros(3), np.array([1.0, 0, 0]), 2, 2 * x))
        return part(name, part("plate", *faces), holes)

    base = plate(w, d, "base plate", 2).moved(0, 0, d / 2)
    stand = plate(w, h, "upright plate", pick(rng, [1, 2]))
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    wall_node = stand.mapped(turn, (0, h / 2, 0))
    gusset_kind = pick(rng, ["one", "two", "none", "many"])
    size = min(d, h) * between(rng, 0.4, 0.8)

    def gusset(x: float) -> PartNode:
        curve = [[0, 0], [size, 0], [size * 0.9, size * 0.1], [size * 0.45, size * 0.4], [size * 0.1, size * 0.9], [0, size]]
        straight = chance_straight
        outline = np.array([[0, 0], [size, 0], [0, size]] if straight else curve)
        web = prism(outline, -t * 0.4, t * 0.4)
        # (x, y up, z) of the prism is (u, thickness, -v): turn u to +z, v to +y.
        swap = np.array([[0, 1, 0], [0, 0, -1], [1, 0, 0]], float)
        return part("gusset", web.mapped(swap, (x, t * 0.8, t * 0.8)))

    chance_straight = chance(rng, 0.5)
    ribs: PartNode | None = None
    if gusset_kind == "one":
        ribs = gusset(0.0)
    elif gusset_kind == "two":
        ribs = mirrored("gussets", gusset(w / 2 - t))
    elif gusset_kind == "many":
        n = count(rng, 3, 5)
        ribs = stepped("gussets", gusset(-w / 2 + t), n, ((w - 2 * t) / (n - 1), 0, 0))
    if style == "L":
        return part("bracket", base, wall_node, ribs)
    if style == "T":
        return part("bracket", mirrored("base plates", base, (0, 0, 1)), wall_node.moved(0, 0, -t / 2), mirrored("webs", ribs, (0, 0, 1)) if ribs else None)
    group = part("arm", wall_node, ribs) if ribs and size < 0.45 * d else wall_node
    return part("bracket", base, mirrored("arms", group.moved(0, 0, 0), (0, 0, 1), (0, 0, d / 2)))


def block(rng: np.random.Generator) -> PartNode:
    """Milled blocks: chamfered body with through holes, bosses, ribs, slots and mounting ears."""
    w, d, h = between(rng, 0.8, 1.6), between(rng, 0.6, 1.2), between(rng, 0.2, 0.6)
    small = min(w, d)
    r = small * between(rng, 0.04, 0.08)
    square = chance(rng, 0.75)
    outline = rounded_rectangle(w, d, pick(rng, [0.0, 0.1, 0.13, 0.17, 0.2]) * small, 4, 6) if square else superellipse(w, d, between(rng, 2, 4), 48)
    x, y = w * 0.36, d * 0.32
    corner_holes = [_hole(sx * x, sy * y, r) for sx, sy in ((1, 1), (-1, 1), (-1, -1), (1, -1))] if square and chance(rng, 0.8) else []
    centre = pick(rng, ["bore", "slot", "none", "bore"])
    inner: list[np.ndarray] = []
    size = min(w, d) * between(rng, 0.15, 0.24)
    if centre == "bore":
        inner = [_hole(0, 0, size, 28)]
    elif centre == "slot":
        inner = [rounded_rectangle(w * 0.38, size, size / 2.05, 6, 3)]
    faces, walls = _plate("hole wall", outline, corner_holes + inner, h, min(h * 0.2, small * between(rng, 0.01, 0.06)))
    holes: list[PartNode] = []
    if corner_holes:
        holes.append(part("corner holes", *walls[:4]))
    if inner:
        last = walls[-1]
        last.name = "bore wall" if centre == "bore" else "slot wall"
        holes.append(last)
    body_parts: list[PartNode]
    bottom, top, side = faces
    body_parts = [part("body surface", *faces)] if chance(rng, 0.5) else [part("base face", bottom), part("top face", top), part("side face", side)]
    body = part("body", *body_parts, part("holes", *holes) if holes else None)
    extras: list[PartNode] = []
    kind = pick(rng, ["bosses", "ring boss", "ribs", "step", "ears", "bosses"])
    if centre == "bore" and kind in ("ring boss", "bosses"):
        extras.append(part("boss", tube_mesh(size, size * between(rng, 1.3, 1.6), h * 0.95, h + between(rng, 0.1, 0.5), 32, 0.02)))
    if kind == "bosses":
        rb = r * between(rng, 1.4, 1.9)
        top_y = h + between(rng, 0.05, 0.3)
        if corner_holes:
            one = tube_mesh(r, rb, h * 0.96, top_y, 20, 0.015).moved((x, 0, y))
        else:
            one = lathe([[0, h * 0.96], [rb, h * 0.96], [rb, top_y - 0.02], [rb - 0.02, top_y], [0, top_y]], 20, (x, 0, y))
        extras.append(four("bosses", part("boss", one)))
    elif kind == "ribs":
        n = count(rng, 3, 8)
        tall = between(rng, 0.1, 0.5)
        pitch = w * 0.8 / n
        if centre == "none":
            fin = part("rib", box((pitch * between(rng, 0.25, 0.5), tall, d * 0.82), (-w * 0.4 + pitch / 2, h + tall / 2 - 0.01, 0), 0.01))
            extras.append(stepped("ribs", fin, n, (pitch, 0, 0)))
    elif kind == "step" and centre == "none":
        extras.append(part("step", box((w * 0.45, h * 0.8, d * 0.6), (0, h * 1.38, 0), 0.04, 2)))
    elif kind == "ears":
        er = d * between(rng, 0.13, 0.2)
        ear_h = h * between(rng, 0.2, 0.5)
        reach = w / 2 + er * 0.8
        s = np.linspace(-np.pi / 2, np.pi / 2, 14)
        ear_outline = np.concatenate([np.stack([reach + er * np.cos(s), er * np.sin(s)], 1), [[w / 2 - 0.05, er], [w / 2 - 0.05, 0], [w / 2 - 0.05, -er]]])
        mesh, groups = extrude(ear_outline, [_hole(reach, 0, er * 0.45)], ear_h)
        patches = mesh.split(groups, 4)
        extras.append(mirrored("ears", part("ear", part("ear plate", *patches[:3]), part("hole wall", patches[3]))))
    if chance(rng, 0.25) and corner_holes and kind != "bosses":
        one = bolt_node(r * 0.85, h * 1.15, r * 1.5, r, pick(rng, ["hex", "socket", "round"]), True).moved(x, h, y)
        extras.append(four("bolts", one))
    return part("block", body, *extras)


def bearing(rng: np.random.Generator) -> PartNode:
    """Ball and roller bearings, sometimes in a pillow block."""
    outer, bore, w = 1.0, between(rng, 0.3, 0.55), between(rng, 0.2, 0.6)
    gap = (outer - bore) / 3
    mid = (outer + bore) / 2
    ball_r = gap * between(rng, 0.55, 0.68)
    groove = ball_r * between(rng, 0.5, 0.8)
    s = np.linspace(-1, 1, 9)
    race = np.sqrt(np.clip(1 - (s * 0.8) ** 2, 0, 1)) - 0.6

    def ring(edge: float, track: float, sign: float) -> PartNode:
        path = np.stack([track + sign * race * groove * 0.5, s * groove], 1)
        body = np.array([[track, -w / 2], [edge, -w / 2], [edge, w / 2], [track, w / 2]]) if sign > 0 else np.array([[edge, -w / 2], [track, -w / 2]])
        if sign > 0:
            profile = np.concatenate([body, path[::-1]])
            bands = [0, 0, 0, 0] + [1] * 8 + [0]
        else:
            profile = np.concatenate([body, path, [[track, w / 2], [edge, w / 2]]])
            bands = [0, 0] + [1] * 8 + [0, 0, 0]
        mesh = lathe(profile, 44, loop=True)
        solid, track_mesh = mesh.split(band_groups(len(profile), 44, bands, None, None), 2)
        return part("ring", part("ring surface", solid), part("raceway", track_mesh))

    outer_ring, inner_ring = ring(outer, mid + gap * 0.5, 1.0), ring(bore, mid - gap * 0.5, -1.0)
    outer_ring.name, inner_ring.name = "outer ring", "inner ring"
    n = min(count(rng, 7, 14), int(np.pi * mid / ball_r * 0.95))
    if chance(rng, 0.65):
        element = part("ball", ellipsoid((ball_r,) * 3, (mid, 0, 0), 16, 8))
    else:
        element = part("roller", lathe([[0, -w * 0.4], [ball_r * 0.8, -w * 0.4], [ball_r * 0.9, -w * 0.35], [ball_r * 0.9, w * 0.35], [ball_r * 0.8, w * 0.4], [0, w * 0.4]], 16, (mid, 0, 0)))
    rollers = turned("rolling elements", element, n)
    cage = part("cage", tube_mesh(mid - ball_r * 0.25, mid + ball_r * 0.25, -ball_r * 0.15, ball_r * 0.15, 40)) if chance(rng, 0.6) else None
    core = part("bearing", part("rings", outer_ring, inner_ring), part("rolling set", rollers, cage))
    if chance(rng, 0.35):
        core = core.mapped(np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float))
        a = np.linspace(0, np.pi, 22)
        wall_r = outer * between(rng, 1.2, 1.4)
        foot = -outer * between(rng, 1.25, 1.5)
        half = wall_r * between(rng, 1.5, 1.9)
        arch = np.stack([wall_r * np.cos(a), wall_r * np.sin(a)], 1)
        tail = np.array([[-wall_r, foot * 0.5], [-wall_r, foot], [-wall_r * 0.5, foot], [0, foot], [wall_r * 0.5, foot], [wall_r, foot], [wall_r, foot * 0.5]])
        mesh, groups = extrude(np.concatenate([arch, tail]), [circle(44) * outer * 1.0], w * 1.1)
        turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
        patches = mesh.mapped(turn, (0, 0, -w * 0.55)).split(groups, 4)
        housing = part("housing body", *patches[:3])
        plate = part("foot plate", box((2 * half, -foot * 0.25, w * 1.3), (0, foot, 0), 0.04))
        bolt = bolt_node(0.11, 0.4, 0.2, 0.14, "hex", False).moved(half * 0.83, foot - foot * 0.125, 0)
        return part("pillow block", part("housing", housing, part("bore wall", patches[3]), plate), core, mirrored("bolts", bolt))
    return core


def gear(rng: np.random.Generator) -> PartNode:
    """Spur gears: rim with teeth, web with spokes or holes, hub with bore."""
    n = count(rng, 10, 36)
    h = between(rng, 0.15, 0.5)
    tooth = between(rng, 1.6, 2.4) / n
    root = 1 - tooth
    step = 2 * np.pi / n
    offsets = np.array([-0.5, -0.28, -0.16, 0.16, 0.28]) * step
    radii = np.array([root, root, 1, 1, root])
    angle = (np.arange(n)[:, None] * step + offsets).ravel()
    outline = np.stack([np.cos(angle), np.sin(angle)], 1) * np.tile(radii, n)[:, None]
    bore = between(rng, 0.1, 0.25)
    hub_r = bore * between(rng, 1.4, 2.0)
    rim_in = root * between(rng, 0.7, 0.85)
    web = pick(rng, ["solid", "holes", "spokes"])
    k = len(outline)
    unit = np.stack([np.cos(angle), np.sin(angle)], 1)

    def rings(plans: list[tuple[np.ndarray, float]]) -> Mesh:
        r = np.empty((len(plans), k, 3))
        for i, (plan, y) in enumerate(plans):
            r[i, :, 0], r[i, :, 1], r[i, :, 2] = plan[:, 0], y, -plan[:, 1]
        return ring_stack(r, loop=True)

    body = rings([(unit * rim_in, 0), (unit * root * 0.98, 0), (outline, 0), (outline, h), (unit * root * 0.98, h), (unit * rim_in, h)])
    teeth, rim = body.split(band_groups(6, k, [1, 0, 0, 0, 1, 1], None, None), 2)
    pieces: list[PartNode] = [part("toothed rim", part("teeth", teeth), part("rim", rim))]
    thin = h * between(rng, 0.3, 0.8)
    low, high = (h - thin) / 2, (h + thin) / 2
    if web == "spokes":
        m = count(rng, 3, 7)
        spoke = sweep(np.array([[hub_r * 0.9, h / 2, 0], [rim_in * 1.02, h / 2, 0]]), np.array([1.0, 0.75]), rounded_rectangle(hub_r * 0.6, thin, 0.03), up=(0, 1, 0))
        pieces.append(turned("spokes", part("spoke", spoke), m))
    elif web == "holes":
        m = count(rng, 3, 7)
        reach = (hub_r + rim_in) / 2
        hr = min((rim_in - hub_r) * 0.32, reach * np.sin(np.pi / m) * 0.75)
        faces, walls = _plate("hole wall", circle(48) * rim_in * 1.01, [circle(28) * hub_r * 0.95, *_hole_circle(m, reach, hr, 18)], thin)
        pieces.append(part("web", part("web plate", *faces, *walls[0].pieces), _ring_of("lightening holes", walls[1:])).moved(0, low, 0))
    else:
        pieces.append(part("web", tube_mesh(hub_r * 0.95, rim_in * 1.01, low, high, 40)))
    tall = h * between(rng, 1.0, 1.8)
    y0, y1 = h / 2 - tall / 2, h / 2 + tall / 2
    hub_mesh = tube_mesh(bore, hub_r, y0, y1, 32)
    surface, wall_mesh = hub_mesh.split(band_groups(4, 32, [0, 0, 0, 1], None, None), 2)
    pieces.append(part("hub", part("hub surface", surface), part("bore wall", wall_mesh)))
    if chance(rng, 0.35):
        long = between(rng, 0.8, 2.0)
        steps = np.array([[0, -long * 0.4], [bore * 0.8, -long * 0.4], [bore * 0.8, y0], [bore * 0.99, y0], [bore * 0.99, y1], [bore * 0.7, y1], [bore * 0.7, long], [0, long]])
        pieces.append(part("shaft", lathe(steps, 24)))
    return part("gear", *pieces)


def shaft(rng: np.random.Generator) -> PartNode:
    """Stepped shafts: journals, shoulders and a threaded end on one turned surface; keys, collars, splines."""
    n = count(rng, 3, 7)
    y, r = 0.0, between(rng, 0.08, 0.16)
    profile, bands = [[0.0, 0.0]], []
    centres = []
    for i in range(n):
        r_new = between(rng, 0.08, 0.28)
        long = between(rng, 0.15, 0.7)
        b = 0.02
        profile += [[r_new - b, y], [r_new, y + b], [r_new, y + long - b], [r_new - b, y + long]]
        bands += ([i] if i == 0 else [i]) + [i, i, i]
        centres.append((y, y + long, r_new))
        y += long
        r = r_new
    profile.append([0.0, y])
    bands.append(n - 1)
    names = [pick(rng, ["journal", "shoulder", "seat"]) for _ in range(n)]
    p = np.array(profile)
    patches = lathe(p, 32).split(lathe_groups(p, 32, bands), n)
    steps_node = part("shaft", *[part(name, patch) for name, patch in zip(names, patches, strict=True)])
    extras: list[PartNode] = []
    a, b_, rr = centres[int(np.argmax([c[1] - c[0] for c in centres]))]
    kind = pick(rng, ["key", "spline", "disk", "none"])
    if kind == "key":
        extras.append(part("key", box((rr * 0.35, (b_ - a) * 0.6, rr * 0.35), (0, (a + b_) / 2, rr), 0.01, 1)))
    elif kind == "spline":
        k = count(rng, 6, 14)
        tooth = part("spline tooth", box((rr * 0.25, (b_ - a) * 0.8, rr * 2.4 / k + 0.02), (rr, (a + b_) / 2, 0)))
        extras.append(turned("splines", tooth, k))
    elif kind == "disk":
        extras.append(part("collar", tube_mesh(rr * 0.99, rr * between(rng, 1.8, 3.0), a + 0.05, a + 0.05 + (b_ - a) * 0.3, 36, 0.02)))
    node = part("turned shaft", steps_node, *extras)
    return node.mapped(SIDEWAYS) if chance(rng, 0.5) else node


def fastener(rng: np.random.Generator) -> PartNode:
    """Bolts with nuts and washers, clamping plates or alone."""
    r, long = 0.12, between(rng, 0.6, 1.6)
    kind = pick(rng, ["hex", "socket", "round"])
    one = bolt_node(r, long, r * between(rng, 1.5, 2.0), r * between(rng, 1.0, 1.5), kind, chance(rng, 0.8))
    washer = part("washer", tube_mesh(r * 1.02, r * between(rng, 2.0, 2.6), -0.05, 0.0, 28)) if chance(rng, 0.6) else None
    at = -long * between(rng, 0.6, 0.9)
    nut = part("nut", hex_head(r * 1.9, at, at + r * 1.5, r * 0.98)) if chance(rng, 0.8) else None
    if chance(rng, 0.4):
        pitch = between(rng, 0.6, 1.0)
        unit = part("fastener", one, washer, nut)
        n = count(rng, 2, 4)
        top = -0.05 if washer else 0.0
        t = (top - (at + (r * 1.5 if nut else 0))) / 2
        plate = [part("plate", box((pitch * n, t * 0.98, 0.8), (0, top - t * (i + 0.5), 0), 0.02)) for i in range(2)]
        return part("bolted joint", part("plates", *plate), stepped("fasteners", unit.moved(-(n - 1) * pitch / 2, 0, 0), n, (pitch, 0, 0)))
    return part("fastener", one, washer, nut)


def fitting(rng: np.random.Generator) -> PartNode:
    """Pipe elbows, tees, crosses and valves with flanges and handwheels."""
    r = 0.25
    wall_t = between(rng, 0.03, 0.06)
    arm = between(rng, 0.7, 1.1)
    fr, ft = r * between(rng, 1.6, 2.0), between(rng, 0.08, 0.14)
    bolts = count(rng, 4, 8)

    def end_flange() -> PartNode:
        """Flange about +y whose outer face is at y = arm."""
        faces, walls = _plate("hole wall", circle(40) * fr, [circle(24) * r * 0.9, *_hole_circle(bolts, (fr + r) / 2 + 0.02, (fr - r) * 0.2, 10)], ft)
        return part("flange", part("flange disk", *faces, *walls[0].pieces), _ring_of("bolt holes", walls[1:])).moved(0, arm - ft, 0)

    style = pick(rng, ["elbow", "tee", "cross", "valve", "valve"])
    if style == "elbow":
        bend = between(rng, 0.35, 0.7) * arm
        a = np.linspace(0, np.pi / 2, 14)
        curve = np.stack([bend - bend * np.cos(a) + 0 * a, bend * np.sin(a), 0 * a], 1)[::-1]
        path = np.concatenate([[[arm, bend, 0]], curve + (0, 0, 0)])
        path = np.concatenate([[[bend + arm * 0.6, bend, 0]], curve, [[0, -arm * 0.6, 0]]])
        outer = sweep(path, r + wall_t, sides=24, up=(0, 0, 1))
        m = len(path)
        groups = band_groups(m, 24, [0] + [1] * (m - 3) + [2], 0, 2)
        one, two, three = outer.split(groups, 3)
        body = part("body", part("inlet", one), part("bend", two), part("outlet", three))
        f = end_flange().moved(0, -arm, 0)
        top = f.mapped(np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], float), (bend + arm * 0.6, bend, 0))
        low = f.mapped(np.diag([1.0, -1, -1]), (0, -arm * 0.6, 0))
        return part("elbow", body, part("flanges", top, low))
    tube_node = part("pipe", tube_mesh(r, r + wall_t, 0, arm - ft * 0.5, 28))
    branch = part("branch", tube_node, end_flange())
    run = mirrored("run", branch, (0, 1, 0))
    run = run.mapped(SIDEWAYS)
    centre = part("body", ellipsoid((r * 1.35,) * 3, (0, 0, 0), 24, 12) if chance(rng, 0.5) else cylinder((-r * 1.3, 0, 0), (r * 1.3, 0, 0), r + 1.6 * wall_t, sides=28))
    if style == "tee":
        return part("tee", centre, run, branch)
    if style == "cross":
        return part("cross", centre, turned("branches", branch, 4, (0, 0, 1)))
    bonnet_h = between(rng, 0.4, 0.7)
    bonnet = part("bonnet", lathe(np.array([[0, 0], [r * 0.9, 0], [r * 0.9, bonnet_h * 0.4], [r * 1.2, bonnet_h * 0.42], [r * 1.2, bonnet_h * 0.55], [r * 0.7, bonnet_h * 0.7], [r * 0.4, bonnet_h], [0, bonnet_h]]), 24))
    stem_top = bonnet_h + between(rng, 0.25, 0.5)
    stem = part("stem", cylinder((0, bonnet_h * 0.9, 0), (0, stem_top + 0.03, 0), r * 0.16, sides=12))
    if chance(rng, 0.65):
        wr = between(rng, 0.35, 0.6)
        rim = part("wheel rim", torus((0, stem_top, 0), (0, 1, 0), wr, wr * 0.09, 10, 32))
        spoke = part("wheel spoke", cylinder((0, stem_top, 0), (wr, stem_top, 0), wr * 0.06, sides=8))
        actuator = part("handwheel", rim, turned("wheel spokes", spoke, count(rng, 3, 6)))
    else:
        actuator = part("lever", bar((-r * 0.3, stem_top, 0), (arm * 1.1, stem_top + 0.12, 0), 0.14, 0.04, taper=0.8))
    return part("valve", centre, run, part("actuator", bonnet, stem, actuator))


def hinge(rng: np.random.Generator) -> PartNode:
    """Butt hinges: two drilled leaves with interlocking knuckles and a pin."""
    h, w = between(rng, 0.8, 1.6), between(rng, 0.4, 0.7)
    t, r = between(rng, 0.04, 0.08), between(rng, 0.07, 0.12)
    k = pick(rng, [3, 5, 7])
    pitch = h / k
    n = count(rng, 2, 3)
    hole_r = between(rng, 0.04, 0.07)
    loops = [_hole(w * 0.55 + (0.12 * w if i % 2 else 0), -h / 2 + h * (i + 0.5) / n, hole_r) for i in range(n)]
    outline = rounded_rectangle(w, h, pick(rng, [0.0, 0.06, 0.1, 0.15]) * w, 3, 6) + (w / 2 + r * 0.5, 0)
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    opening = between(rng, 0.0, 1.2)

    def leaf(side: int) -> PartNode:
        mesh, groups = extrude(outline, loops, t, t * 0.15)
        patches = mesh.mapped(turn, (0, 0, r - t)).split(groups, 3 + n)
        holes = [part("hole wall", p) for p in patches[3:]]
        own = [i for i in range(k) if i % 2 == side]
        first = part("knuckle", tube_mesh(r * 0.5, r, -h / 2 + pitch * own[0] + 0.01, -h / 2 + pitch * (own[0] + 1) - 0.01, 24))
        return part("hinge leaf", part("leaf plate", *patches[:3]), part("holes", *holes), stepped("knuckles", first, len(own), (0, 2 * pitch, 0)))

    # The second leaf is the first one's mirror image up to its knuckles, so this pair records no symmetry.
    left = leaf(0).rotated((0, 1, 0), -opening / 2)
    right = leaf(1).mapped(np.diag([-1.0, 1, 1])).rotated((0, 1, 0), opening / 2)
    pin = part("pin", lathe([[0, -h / 2 - 0.04], [r * 0.7, -h / 2 - 0.03], [r * 0.7, -h / 2], [r * 0.48, -h / 2], [r * 0.48, h / 2], [r * 0.7, h / 2], [r * 0.7, h / 2 + 0.03], [0, h / 2 + 0.05]], 18))
    return part("hinge", part("leaves", left, right), pin)


def connecting_rod(rng: np.random.Generator) -> PartNode:
    """Connecting rods and levers: two eyes and a shank cut from one plate."""
    a, b = between(rng, 0.25, 0.4), between(rng, 0.13, 0.25)
    long, h = between(rng, 0.9, 1.6), between(rng, 0.12, 0.3)
    waist = b * between(rng, 0.45, 0.9)
    ta, tb = np.arcsin(min(0.9, waist * 1.1 / a)), np.arcsin(min(0.9, waist * 0.9 / b))
    big = np.linspace(ta, 2 * np.pi - ta, 26)
    small = np.linspace(-np.pi + tb, np.pi - tb, 22)
    low_edge = np.stack([np.linspace(a * np.cos(ta), long - b * np.cos(tb), 12)[1:-1], -np.linspace(a * np.sin(ta), b * np.sin(tb), 12)[1:-1] * between(rng, 0.75, 1)], 1)
    outline = np.concatenate([np.stack([a * np.cos(big), a * np.sin(big)], 1), low_edge, np.stack([long + b * np.cos(small), b * np.sin(small)], 1), (low_edge * (1, -1))[::-1]])
    ra, rb = a * between(rng, 0.5, 0.72), b * between(rng, 0.45, 0.68)
    mesh, groups = extrude(outline, [_hole(0, 0, ra, 24), _hole(long, 0, rb, 18)], h, 0.0)
    x = mesh.vertices[mesh.faces][:, :, 0].mean(1)
    label = np.where(groups == 3, 3, np.where(groups == 4, 4, np.where(x < a * 0.95, 0, np.where(x > long - b * 0.95, 2, 1))))
    big_end, shank, small_end, bore_a, bore_b = mesh.split(label, 5)
    extras: list[PartNode] = []
    if chance(rng, 0.6):
        extras.append(part("bush", tube_mesh(ra * 0.85, ra, -0.02, h + between(rng, 0.02, 0.15), 30)))
    if chance(rng, 0.5):
        rib_h = h * 0.3
        rib = part("rib", box((long - a - b, rib_h, waist * 0.35), ((long + a - b) / 2, h + rib_h * 0.4, waist * 0.45), 0.01))
        extras.append(mirrored("ribs", rib, (0, 0, 1)))
    return part("connecting rod", part("big end", part("eye", big_end), part("bore wall", bore_a)), part("shank", shank), part("small end", part("eye", small_end), part("bore wall", bore_b)), *extras)


def spring_damper(rng: np.random.Generator) -> PartNode:
    """Helical springs between plates, dampers and shock absorbers."""
    r, long = between(rng, 0.2, 0.4), between(rng, 0.8, 1.6)
    turns, wire = between(rng, 4, 8), between(rng, 0.03, 0.06)
    m = int(turns * 16)
    a = np.linspace(0, 2 * np.pi * turns, m)
    grow = between(rng, 0.7, 1.3) if chance(rng, 0.3) else 1.0
    radius = r * np.linspace(1, grow, m)
    path = np.stack([radius * np.cos(a), np.linspace(wire, long - wire, m), radius * np.sin(a)], 1)
    coil = part("coil", sweep(path, wire, sides=7, up=(0, 1, 0)))
    big = r * max(1, grow) + 2 * wire
    plate = [part("seat", tube_mesh(r * 0.3, big, y - 0.04, y + 0.02, 30, 0.01)) for y in (0.0, long + 0.02)]
    extras: list[PartNode] = []
    if chance(rng, 0.7):
        extras.append(part("damper", part("cylinder", cylinder((0, -0.2, 0), (0, long * 0.55, 0), r * 0.5, sides=20)), part("rod", cylinder((0, long * 0.5, 0), (0, long + 0.2, 0), r * 0.25, sides=14))))
        eye_r = r * 0.4
        eyes = [part("eye", torus((0, y, 0), (0, 0, 1), eye_r * 0.75, eye_r * 0.3, 10, 24)) for y in (-0.2 - eye_r * 0.8, long + 0.2 + eye_r * 0.8)]
        extras.append(part("eyes", *eyes))
    return part("spring", coil, part("seats", *plate), *extras)


FAMILIES = {
    "flange": flange,
    "bracket": bracket,
    "block": block,
    "bearing": bearing,
    "gear": gear,
    "shaft": shaft,
    "fastener": fastener,
    "fitting": fitting,
    "hinge": hinge,
    "connecting_rod": connecting_rod,
    "spring": spring_damper,
}
