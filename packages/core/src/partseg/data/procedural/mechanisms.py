"""Mechanisms: bearings, bolted joints, pipe fittings, hinges, springs."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import circle, rounded_rectangle
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
from partseg.data.procedural.machined import (
    SIDEWAYS,
    bolt_node,
    drilled_plate,
    hex_head,
    hole,
    hole_circle,
    ring_of,
    tube_mesh,
)
from partseg.data.procedural.plates import extrude
from partseg.data.procedural.primitives import band_groups, bar, box, cylinder, ellipsoid, lathe, sweep, torus


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
        body = (
            np.array([[track, -w / 2], [edge, -w / 2], [edge, w / 2], [track, w / 2]])
            if sign > 0
            else np.array([[edge, -w / 2], [track, -w / 2]])
        )
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
        element = part(
            "roller",
            lathe(
                [
                    [0, -w * 0.4],
                    [ball_r * 0.8, -w * 0.4],
                    [ball_r * 0.9, -w * 0.35],
                    [ball_r * 0.9, w * 0.35],
                    [ball_r * 0.8, w * 0.4],
                    [0, w * 0.4],
                ],
                16,
                (mid, 0, 0),
            ),
        )
    rollers = turned("rolling elements", element, n)
    cage = (
        part("cage", tube_mesh(mid - ball_r * 0.25, mid + ball_r * 0.25, -ball_r * 0.15, ball_r * 0.15, 40))
        if chance(rng, 0.6)
        else None
    )
    core = part("bearing", part("rings", outer_ring, inner_ring), part("rolling set", rollers, cage))
    if chance(rng, 0.35):
        core = core.mapped(np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float))
        a = np.linspace(0, np.pi, 22)
        wall_r = outer * between(rng, 1.2, 1.4)
        foot = -outer * between(rng, 1.25, 1.5)
        half = wall_r * between(rng, 1.5, 1.9)
        arch = np.stack([wall_r * np.cos(a), wall_r * np.sin(a)], 1)
        tail = np.array(
            [
                [-wall_r, foot * 0.5],
                [-wall_r, foot],
                [-wall_r * 0.5, foot],
                [0, foot],
                [wall_r * 0.5, foot],
                [wall_r, foot],
                [wall_r, foot * 0.5],
            ]
        )
        mesh, groups = extrude(np.concatenate([arch, tail]), [circle(44) * outer * 1.0], w * 1.1)
        turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
        patches = mesh.mapped(turn, (0, 0, -w * 0.55)).split(groups, 4)
        housing = part("housing body", *patches[:3])
        plate = part("foot plate", box((2 * half, -foot * 0.25, w * 1.3), (0, foot, 0), 0.04))
        bolt = bolt_node(0.11, 0.4, 0.2, 0.14, "hex", False).moved(half * 0.83, foot - foot * 0.125, 0)
        return part(
            "pillow block",
            part("housing", housing, part("bore wall", patches[3]), plate),
            core,
            mirrored("bolts", bolt),
        )
    return core


def fastener(rng: np.random.Generator) -> PartNode:
    """Bolts with nuts and washers, clamping plates or alone."""
    r, long = 0.12, between(rng, 0.6, 1.6)
    kind = pick(rng, ["hex", "socket", "round"])
    one = bolt_node(r, long, r * between(rng, 1.5, 2.0), r * between(rng, 1.0, 1.5), kind, chance(rng, 0.8))
    washer = (
        part("washer", tube_mesh(r * 1.02, r * between(rng, 2.0, 2.6), -0.05, 0.0, 28)) if chance(rng, 0.6) else None
    )
    at = -long * between(rng, 0.6, 0.9)
    nut = part("nut", hex_head(r * 1.9, at, at + r * 1.5, r * 0.98)) if chance(rng, 0.8) else None
    if chance(rng, 0.4):
        pitch = between(rng, 0.6, 1.0)
        unit = part("fastener", one, washer, nut)
        n = count(rng, 2, 4)
        top = -0.05 if washer else 0.0
        t = (top - (at + (r * 1.5 if nut else 0))) / 2
        plate = [part("plate", box((pitch * n, t * 0.98, 0.8), (0, top - t * (i + 0.5), 0), 0.02)) for i in range(2)]
        return part(
            "bolted joint",
            part("plates", *plate),
            stepped("fasteners", unit.moved(-(n - 1) * pitch / 2, 0, 0), n, (pitch, 0, 0)),
        )
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
        faces, walls = drilled_plate(
            "hole wall",
            circle(40) * fr,
            [circle(24) * r * 0.9, *hole_circle(bolts, (fr + r) / 2 + 0.02, (fr - r) * 0.2, 10)],
            ft,
        )
        return part("flange", part("flange disk", *faces, *walls[0].pieces), ring_of("bolt holes", walls[1:])).moved(
            0, arm - ft, 0
        )

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
    centre = part(
        "body",
        ellipsoid((r * 1.35,) * 3, (0, 0, 0), 24, 12)
        if chance(rng, 0.5)
        else cylinder((-r * 1.3, 0, 0), (r * 1.3, 0, 0), r + 1.6 * wall_t, sides=28),
    )
    if style == "tee":
        return part("tee", centre, run, branch)
    if style == "cross":
        return part("cross", centre, turned("branches", branch, 4, (0, 0, 1)))
    bonnet_h = between(rng, 0.4, 0.7)
    bonnet = part(
        "bonnet",
        lathe(
            np.array(
                [
                    [0, 0],
                    [r * 0.9, 0],
                    [r * 0.9, bonnet_h * 0.4],
                    [r * 1.2, bonnet_h * 0.42],
                    [r * 1.2, bonnet_h * 0.55],
                    [r * 0.7, bonnet_h * 0.7],
                    [r * 0.4, bonnet_h],
                    [0, bonnet_h],
                ]
            ),
            24,
        ),
    )
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
    loops = [hole(w * 0.55 + (0.12 * w if i % 2 else 0), -h / 2 + h * (i + 0.5) / n, hole_r) for i in range(n)]
    outline = rounded_rectangle(w, h, pick(rng, [0.0, 0.06, 0.1, 0.15]) * w, 3, 6) + (w / 2 + r * 0.5, 0)
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
    opening = between(rng, 0.0, 1.2)

    def leaf(side: int) -> PartNode:
        mesh, groups = extrude(outline, loops, t, t * 0.15)
        patches = mesh.mapped(turn, (0, 0, r - t)).split(groups, 3 + n)
        holes = [part("hole wall", p) for p in patches[3:]]
        own = [i for i in range(k) if i % 2 == side]
        first = part(
            "knuckle", tube_mesh(r * 0.5, r, -h / 2 + pitch * own[0] + 0.01, -h / 2 + pitch * (own[0] + 1) - 0.01, 24)
        )
        return part(
            "hinge leaf",
            part("leaf plate", *patches[:3]),
            part("holes", *holes),
            stepped("knuckles", first, len(own), (0, 2 * pitch, 0)),
        )

    # The second leaf is the first one's mirror image up to its knuckles, so this pair records no symmetry.
    left = leaf(0).rotated((0, 1, 0), -opening / 2)
    right = leaf(1).mapped(np.diag([-1.0, 1, 1])).rotated((0, 1, 0), opening / 2)
    pin = part(
        "pin",
        lathe(
            [
                [0, -h / 2 - 0.04],
                [r * 0.7, -h / 2 - 0.03],
                [r * 0.7, -h / 2],
                [r * 0.48, -h / 2],
                [r * 0.48, h / 2],
                [r * 0.7, h / 2],
                [r * 0.7, h / 2 + 0.03],
                [0, h / 2 + 0.05],
            ],
            18,
        ),
    )
    return part("hinge", part("leaves", left, right), pin)


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
        extras.append(
            part(
                "damper",
                part("cylinder", cylinder((0, -0.2, 0), (0, long * 0.55, 0), r * 0.5, sides=20)),
                part("rod", cylinder((0, long * 0.5, 0), (0, long + 0.2, 0), r * 0.25, sides=14)),
            )
        )
        eye_r = r * 0.4
        eyes = [
            part("eye", torus((0, y, 0), (0, 0, 1), eye_r * 0.75, eye_r * 0.3, 10, 24))
            for y in (-0.2 - eye_r * 0.8, long + 0.2 + eye_r * 0.8)
        ]
        extras.append(part("eyes", *eyes))
    return part("spring", coil, part("seats", *plate), *extras)


FAMILIES = {"bearing": bearing, "fastener": fastener, "fitting": fitting, "hinge": hinge, "spring": spring_damper}
