"""Machined parts: flanges, brackets, blocks, and the drilled plates and bolts they share."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import circle, rounded_rectangle, superellipse
from partseg.data.procedural.grammar import (
    PartNode,
    Repeat,
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
from partseg.data.procedural.plates import extrude
from partseg.data.procedural.primitives import Mesh, band_groups, box, lathe, lathe_groups, prism, ring_stack

SIDEWAYS = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float)  # y (up) -> x


def hole(x: float, y: float, r: float, sides: int = 14) -> np.ndarray:
    return circle(sides) * r + (x, y)


def hole_circle(n: int, reach: float, r: float, sides: int = 14, start: float = 0.0) -> list[np.ndarray]:
    """``n`` holes on a circle, each the one before turned, so that the walls are exact copies."""
    first = hole(reach, 0, r, sides)
    loops = []
    for i in range(n):
        a = start + 2 * np.pi * i / n
        loops.append(first @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]))
    return loops


def ring_of(name: str, leaves: list[PartNode], axis: tuple = (0, 1, 0)) -> PartNode:
    """Group of parts that already lie on a circle about the vertical axis, in order."""
    if len(leaves) == 1:
        return leaves[0]
    return PartNode(
        name,
        leaves,
        repeat=Repeat("rotational", np.zeros(3), np.array(axis, float), len(leaves), 2 * np.pi / len(leaves)),
    )


def drilled_plate(
    name: str, outline: np.ndarray, holes: list[np.ndarray], height: float, bevel: float = 0.0
) -> tuple[list[Mesh], list[PartNode]]:
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
        return prism(
            np.repeat(outline, 2, 0) * 0.5 + np.roll(np.repeat(outline, 2, 0), -1, 0) * 0.5,
            low,
            high,
            (high - low) * 0.12,
        )
    dense = np.concatenate(
        [
            outline[i] + np.linspace(0, 1, 4, endpoint=False)[:, None] * (outline[(i + 1) % 6] - outline[i])
            for i in range(6)
        ]
    )
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
        profile = np.array(
            [
                [0, 0],
                [head_r, 0],
                [head_r, head_h * 0.9],
                [head_r * 0.92, head_h],
                [head_r * 0.5, head_h],
                [head_r * 0.5, head_h * 0.4],
                [0, head_h * 0.4],
            ]
        )
        groups = lathe_groups(profile, 24, [0, 0, 0, 0, 1, 1])
        outer, socket = lathe(profile, 24).split(groups, 2)
        head = part("bolt head", part("head surface", outer), part("socket", socket))
    else:
        curve = np.array(
            [[0, 0], [head_r, 0], [head_r * 0.93, head_h * 0.4], [head_r * 0.6, head_h * 0.85], [0, head_h]]
        )
        head = part("bolt head", lathe(curve, 24))
    n = 14
    ridges = np.linspace(-long, -long * 0.35, 2 * n)
    teeth = np.where(np.arange(2 * n) % 2 == 0, r * 0.84, r) if thread else np.full(2 * n, r * 0.97)
    profile = np.concatenate([[[0, -long]], np.stack([teeth, ridges], 1), [[r, -long * 0.34], [r, 0], [0, 0]]])
    threaded, plain = lathe(profile, 18).split(lathe_groups(profile, 18, [0] * (2 * n + 1) + [1, 1]), 2)
    return part("bolt", head, part("shank", part("thread", threaded), part("plain shank", plain)))


def flange(rng: np.random.Generator) -> PartNode:
    """Pipe flanges and hubs: drilled disk, boss, bore, ribs, sometimes bolts."""
    h = between(rng, 0.1, 0.3)
    bore = between(rng, 0.15, 0.45)
    n = count(rng, 3, 10)
    hole_r = between(rng, 0.04, 0.1)
    reach = between(rng, 0.72, 0.84)
    hole_r = min(hole_r, 0.4 * (reach - bore - 0.12), reach * np.sin(np.pi / n) * 0.7, 0.95 - reach)
    lobes = chance(rng, 0.25) and n <= 6
    outline = (
        circle(72) if not lobes else circle(72) * (0.86 + 0.14 * np.cos(n * np.arange(72) * 2 * np.pi / 72))[:, None]
    )
    faces, walls = drilled_plate(
        "hole wall", outline, [hole(0, 0, bore, 28), *hole_circle(n, reach, hole_r)], h, h * between(rng, 0, 0.15)
    )
    disk = part("disk", *faces)
    bolt_holes = ring_of("bolt holes", walls[1:])
    plate = part("flange plate", disk, walls[0], bolt_holes)
    plate.children[1].name = "bore wall"
    hub_r, hub_h = between(rng, bore + 0.06, max(bore + 0.08, reach - hole_r - 0.03)), between(rng, 0.2, 1.2)
    cone = between(rng, 0.75, 1.0)
    top_r = max(bore + 0.04, hub_r * cone)
    profile = np.array(
        [
            [bore, h * 0.9],
            [hub_r, h * 0.9],
            [hub_r, h + 0.05],
            [top_r, h + hub_h * 0.5],
            [top_r, h + hub_h],
            [bore, h + hub_h],
        ]
    )
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
        one = bolt_node(
            hole_r * 0.85, h * 1.8, hole_r * 1.6, hole_r * 1.2, pick(rng, ["hex", "socket", "round"]), chance(rng, 0.5)
        ).moved(reach, h, 0)
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
        loops = (
            [hole(-x, 0.12 * deep, r), hole(x, 0.12 * deep, r)]
            if n == 2
            else [hole(0, 0.1 * deep, min(wide, deep) * 0.25, 24)]
        )
        faces, walls = drilled_plate("hole wall", outline, loops, t, t * 0.1)
        holes = (
            walls[0]
            if len(walls) == 1
            else PartNode("holes", walls, repeat=Repeat("translational", np.zeros(3), np.array([1.0, 0, 0]), 2, 2 * x))
        )
        return part(name, part("plate", *faces), holes)

    base = plate(w, d, "base plate", 2).moved(0, 0, d / 2)
    stand = plate(w, h, "upright plate", pick(rng, [1, 2]))
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    wall_node = stand.mapped(turn, (0, h / 2, 0))
    gusset_kind = pick(rng, ["one", "two", "none", "many"])
    size = min(d, h) * between(rng, 0.4, 0.8)

    def gusset(x: float) -> PartNode:
        curve = [
            [0, 0],
            [size, 0],
            [size * 0.9, size * 0.1],
            [size * 0.45, size * 0.4],
            [size * 0.1, size * 0.9],
            [0, size],
        ]
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
        return part(
            "bracket",
            mirrored("base plates", base, (0, 0, 1)),
            wall_node.moved(0, 0, -t / 2),
            mirrored("webs", ribs, (0, 0, 1)) if ribs else None,
        )
    group = part("arm", wall_node, ribs) if ribs and size < 0.45 * d else wall_node
    return part("bracket", base, mirrored("arms", group.moved(0, 0, 0), (0, 0, 1), (0, 0, d / 2)))


def block(rng: np.random.Generator) -> PartNode:
    """Milled blocks: chamfered body with through holes, bosses, ribs, slots and mounting ears."""
    w, d, h = between(rng, 0.8, 1.6), between(rng, 0.6, 1.2), between(rng, 0.2, 0.6)
    small = min(w, d)
    r = small * between(rng, 0.04, 0.08)
    square = chance(rng, 0.75)
    outline = (
        rounded_rectangle(w, d, pick(rng, [0.0, 0.1, 0.13, 0.17, 0.2]) * small, 4, 6)
        if square
        else superellipse(w, d, between(rng, 2, 4), 48)
    )
    x, y = w * 0.36, d * 0.32
    corner_holes = (
        [hole(sx * x, sy * y, r) for sx, sy in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
        if square and chance(rng, 0.8)
        else []
    )
    centre = pick(rng, ["bore", "slot", "none", "bore"])
    inner: list[np.ndarray] = []
    size = min(w, d) * between(rng, 0.15, 0.24)
    if centre == "bore":
        inner = [hole(0, 0, size, 28)]
    elif centre == "slot":
        inner = [rounded_rectangle(w * 0.38, size, size / 2.05, 6, 3)]
    faces, walls = drilled_plate(
        "hole wall", outline, corner_holes + inner, h, min(h * 0.2, small * between(rng, 0.01, 0.06))
    )
    holes: list[PartNode] = []
    if corner_holes:
        holes.append(part("corner holes", *walls[:4]))
    if inner:
        last = walls[-1]
        last.name = "bore wall" if centre == "bore" else "slot wall"
        holes.append(last)
    body_parts: list[PartNode]
    bottom, top, side = faces
    body_parts = (
        [part("body surface", *faces)]
        if chance(rng, 0.5)
        else [part("base face", bottom), part("top face", top), part("side face", side)]
    )
    body = part("body", *body_parts, part("holes", *holes) if holes else None)
    extras: list[PartNode] = []
    kind = pick(rng, ["bosses", "ring boss", "ribs", "step", "ears", "bosses"])
    if centre == "bore" and kind in ("ring boss", "bosses"):
        extras.append(
            part("boss", tube_mesh(size, size * between(rng, 1.3, 1.6), h * 0.95, h + between(rng, 0.1, 0.5), 32, 0.02))
        )
    if kind == "bosses":
        rb = r * between(rng, 1.4, 1.9)
        top_y = h + between(rng, 0.05, 0.3)
        if corner_holes:
            one = tube_mesh(r, rb, h * 0.96, top_y, 20, 0.015).moved((x, 0, y))
        else:
            one = lathe(
                [[0, h * 0.96], [rb, h * 0.96], [rb, top_y - 0.02], [rb - 0.02, top_y], [0, top_y]], 20, (x, 0, y)
            )
        extras.append(four("bosses", part("boss", one)))
    elif kind == "ribs":
        n = count(rng, 3, 8)
        tall = between(rng, 0.1, 0.5)
        pitch = w * 0.8 / n
        if centre == "none":
            fin = part(
                "rib",
                box(
                    (pitch * between(rng, 0.25, 0.5), tall, d * 0.82),
                    (-w * 0.4 + pitch / 2, h + tall / 2 - 0.01, 0),
                    0.01,
                ),
            )
            extras.append(stepped("ribs", fin, n, (pitch, 0, 0)))
    elif kind == "step" and centre == "none":
        extras.append(part("step", box((w * 0.45, h * 0.8, d * 0.6), (0, h * 1.38, 0), 0.04, 2)))
    elif kind == "ears":
        er = d * between(rng, 0.13, 0.2)
        ear_h = h * between(rng, 0.2, 0.5)
        reach = w / 2 + er * 0.8
        s = np.linspace(-np.pi / 2, np.pi / 2, 14)
        ear_outline = np.concatenate(
            [
                np.stack([reach + er * np.cos(s), er * np.sin(s)], 1),
                [[w / 2 - 0.05, er], [w / 2 - 0.05, 0], [w / 2 - 0.05, -er]],
            ]
        )
        mesh, groups = extrude(ear_outline, [hole(reach, 0, er * 0.45)], ear_h)
        patches = mesh.split(groups, 4)
        extras.append(mirrored("ears", part("ear", part("ear plate", *patches[:3]), part("hole wall", patches[3]))))
    if chance(rng, 0.25) and corner_holes and kind != "bosses":
        one = bolt_node(r * 0.85, h * 1.15, r * 1.5, r, pick(rng, ["hex", "socket", "round"]), True).moved(x, h, y)
        extras.append(four("bolts", one))
    return part("block", body, *extras)


FAMILIES = {
    "flange": flange,
    "bracket": bracket,
    "block": block,
}
