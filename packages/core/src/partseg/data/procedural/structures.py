"""Pipework, fences, ladders, towers, benches and stairs."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import catmull_rom, rounded_rectangle
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
from partseg.data.procedural.primitives import band_groups, bar, box, cylinder, ellipsoid, prism, sweep, torus


def pipes(rng: np.random.Generator) -> PartNode:
    """A run of pipe that turns in space, one surface with straight runs and bends; couplings and branches on it."""
    n = count(rng, 3, 6)
    r = between(rng, 0.08, 0.16)
    at, heading = np.zeros(3), np.array([1.0, 0, 0])
    corners, lengths = [at.copy()], []
    used = heading
    for _ in range(n):
        lengths.append(between(rng, 0.7, 1.5))
        at = at + heading * lengths[-1]
        corners.append(at.copy())
        options = [
            d for a in range(3) for s in (1, -1) if abs((d := s * np.eye(3)[a]) @ heading) < 0.5 and d @ used > -0.5
        ]
        used = heading
        heading = pick(rng, options) if chance(rng, 0.85) else heading
    bend = r * between(rng, 1.5, 2.5)
    joints: list[PartNode] = []
    runs: list[PartNode] = []
    bends: list[PartNode] = []
    # Bends are their own torus pieces in half the shapes, in the others swept in one with the run before them.
    single = chance(rng, 0.5)
    outline_sides = 16
    before = heading
    for i in range(n):
        a, b = corners[i], corners[i + 1]
        forward = (b - a) / np.linalg.norm(b - a)
        trim_a = bend if i > 0 and not np.allclose(before, forward) else 0.0
        nxt = (corners[i + 2] - b) / np.linalg.norm(corners[i + 2] - b) if i + 2 <= n else forward
        turn = not np.allclose(nxt, forward)
        start, stop = a + forward * trim_a, b - forward * (bend if turn else 0.0)
        straight = np.array([start, stop])
        if turn:
            t = np.linspace(0, np.pi / 2, 9)
            arc = stop + bend * (np.sin(t)[:, None] * forward + (1 - np.cos(t))[:, None] * nxt)
            axis = np.cross(forward, nxt)
            if single:
                path = np.concatenate([straight[:1], arc])
                tube = sweep(path, r, sides=outline_sides, up=axis)
                one, two = tube.split(band_groups(len(path), outline_sides, [0] + [1] * 8, 0, 1), 2)
                runs.append(part("run", one))
                bends.append(part("bend", two))
            else:
                runs.append(part("run", sweep(straight, r, sides=outline_sides)))
                bends.append(part("bend", sweep(arc, r * 1.15, sides=outline_sides, up=axis)))
        else:
            runs.append(part("run", sweep(straight, r, sides=outline_sides)))
        if chance(rng, 0.4):
            mid = start + (stop - start) * between(rng, 0.3, 0.7)
            ring = cylinder(mid - forward * r * 0.6, mid + forward * r * 0.6, r * between(rng, 1.25, 1.5), sides=20)
            if chance(rng, 0.5):
                side = np.cross(forward, np.eye(3)[np.argmin(np.abs(forward))])
                out = mid + side * r * between(rng, 2.5, 5)
                wheel = part(
                    "handwheel",
                    torus(out, side, r * 1.3, r * 0.22, 8, 22),
                    cylinder(
                        out - np.cross(side, forward) * r * 1.2,
                        out + np.cross(side, forward) * r * 1.2,
                        r * 0.15,
                        sides=8,
                    ),
                )
                joints.append(
                    part("valve", part("coupling", ring), part("stem", cylinder(mid, out, r * 0.35, sides=12)), wheel)
                )
            else:
                joints.append(part("coupling", ring))
        before = forward
    ends = []
    for at_end, direction in ((corners[0], corners[0] - corners[1]), (corners[-1], corners[-1] - corners[-2])):
        d = direction / np.linalg.norm(direction)
        ends.append(part("flange", cylinder(at_end - d * r * 0.5, at_end + d * r * 0.1, r * 1.8, sides=24)))
    return part(
        "pipework",
        part("tubing", part("runs", *runs), part("bends", *bends) if bends else None),
        part("joints", *joints) if joints else None,
        part("ends", *ends),
    )


def lattice(rng: np.random.Generator) -> PartNode:
    """Fences, ladders, trellises and scaffold towers."""
    kind = pick(rng, ["fence", "ladder", "tower", "grid", "bench"])
    r = between(rng, 0.015, 0.035)
    if kind == "fence":
        n, pitch, h = count(rng, 5, 12), between(rng, 0.12, 0.22), between(rng, 0.6, 1.1)
        w = pitch * (n - 1)
        wide = pitch * between(rng, 0.3, 0.7)
        if chance(rng, 0.5):
            outline = np.array([[-wide / 2, 0], [wide / 2, 0], [wide / 2, h * 0.88], [0, h], [-wide / 2, h * 0.88]])
            mesh = prism(outline, -r / 2, r / 2).mapped(np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float))
        else:
            mesh = cylinder((0, 0, 0), (0, h, 0), r, r * 0.6, 10)
        picket = part("picket", mesh.moved((-w / 2, 0, 0)))
        rail = part("rail", box((w + pitch, r * 2.5, r), (0, h * 0.25, -r)))
        post = part(
            "post",
            box((r * 4, h * 1.1, r * 4), (w / 2 + pitch * 0.7, h * 0.55, -r), r * 0.5),
            ellipsoid((r * 2.4,) * 3, (w / 2 + pitch * 0.7, h * 1.12, -r), 14, 8),
        )
        return part(
            "fence",
            stepped("pickets", picket, n, (pitch, 0, 0)),
            stepped("rails", rail, count(rng, 2, 3), (0, h * 0.25, 0)),
            mirrored("posts", post),
        )
    if kind == "ladder":
        n, pitch, w = count(rng, 4, 10), between(rng, 0.22, 0.3), between(rng, 0.3, 0.5)
        h = pitch * (n + 0.6)
        side = part("stile", bar((w / 2, 0, 0), (w / 2, h, 0), r * 2, r * 3.5, up=(0, 0, 1)))
        rung = part("rung", cylinder((-w / 2, pitch * 0.8, 0), (w / 2, pitch * 0.8, 0), r, sides=10))
        flat = part("ladder side", mirrored("stiles", side), stepped("rungs", rung, n, (0, pitch, 0)))
        if chance(rng, 0.5):
            lean = between(rng, 0.12, 0.3)
            front = flat.rotated((1, 0, 0), -lean, (0, h, 0))
            hinge = part("hinge", cylinder((-w / 2 - r * 2, h, 0), (w / 2 + r * 2, h, 0), r * 1.6, sides=12))
            return part("step ladder", mirrored("ladder sides", front, (0, 0, 1)), hinge)
        return flat
    if kind == "tower":
        n, w, tall = count(rng, 2, 5), between(rng, 0.4, 0.7), between(rng, 0.5, 0.8)
        x = w / 2
        leg = part("post", cylinder((x, 0, x), (x, n * tall, x), r, sides=8))
        beam = part("beam", cylinder((-x, tall, x), (x, tall, x), r * 0.8, sides=8))
        brace = part("brace", cylinder((-x, 0, x), (x, tall, x), r * 0.6, sides=8))
        bay = part("bay", turned("beams", beam, 4), turned("braces", brace, 4))
        deck = part("deck", box((w * 1.2, r * 2, w * 1.2), (0, n * tall + r, 0), r * 0.3))
        top = (
            part(
                "roof", cylinder((0, n * tall + r, 0), (0, n * tall + tall * 0.8, 0), w * 0.5, 0.02, pick(rng, [4, 20]))
            )
            if chance(rng, 0.5)
            else None
        )
        return part("tower", turned("posts", leg, 4), stepped("bays", bay, n, (0, tall, 0)), deck, top)
    if kind == "grid":
        n, m = count(rng, 3, 8), count(rng, 3, 8)
        w, h = 0.2 * n, 0.2 * m
        frame_path = np.concatenate(
            [[p] for p in ([-w / 2, 0, 0], [w / 2, 0, 0], [w / 2, h, 0], [-w / 2, h, 0])]
        ).astype(float)
        edges = [
            part("frame bar", bar(frame_path[i], frame_path[(i + 1) % 4], r * 2.5, r * 2.5, up=(0, 0, 1)))
            for i in range(4)
        ]
        up = part(
            "upright",
            cylinder((-w / 2 + w / (n + 1), 0, r * 0.4), (-w / 2 + w / (n + 1), h, r * 0.4), r * 0.6, sides=8),
        )
        across = part(
            "cross bar", cylinder((-w / 2, h / (m + 1), -r * 0.4), (w / 2, h / (m + 1), -r * 0.4), r * 0.6, sides=8)
        )
        return part(
            "grille",
            part("frame", *edges),
            stepped("uprights", up, n, (w / (n + 1), 0, 0)),
            stepped("cross bars", across, m, (0, h / (m + 1), 0)),
        )
    w, d, y = between(rng, 1.0, 1.8), between(rng, 0.35, 0.5), 0.45
    n = count(rng, 3, 5)
    pitch = d / n
    plank = part("plank", box((w, 0.03, pitch * 0.8), (0, y, -d / 2 + pitch / 2), 0.006))
    path = catmull_rom(
        [
            [w * 0.4, 0.0, d / 2 + 0.05],
            [w * 0.4, 0.2, d / 2 - 0.06],
            [w * 0.4, y - 0.03, d / 2 - 0.02],
            [w * 0.4, y - 0.03, -d / 2],
            [w * 0.4, y + 0.2, -d / 2 - 0.08],
            [w * 0.4, y + 0.42, -d / 2 - 0.14],
        ],
        26,
    )
    side = part(
        "bench side",
        part("support", sweep(path, 1.0, rounded_rectangle(0.05, 0.045, 0.01), up=(1, 0, 0))),
        part(
            "rear leg", bar((w * 0.4, y - 0.03, -d / 2 + 0.05), (w * 0.4, 0, -d / 2 - 0.08), 0.045, 0.05, up=(1, 0, 0))
        ),
    )
    back = part("plank", box((w, pitch * 0.9, 0.025), (0, y + 0.13, -d / 2 - 0.035), 0.006))
    return part(
        "bench",
        stepped("seat", plank, n, (0, 0, pitch)),
        stepped("back", back, count(rng, 2, 3), (0, pitch * 1.15, -0.032)),
        mirrored("sides", side),
    )


def stairs(rng: np.random.Generator) -> PartNode:
    """Straight and spiral stairs with railings."""
    n = count(rng, 6, 14)
    if chance(rng, 0.5):
        w, rise, go = between(rng, 0.7, 1.2), 0.17, between(rng, 0.22, 0.3)
        tread = part("tread", box((w, 0.04, go * 1.1), (0, rise, 0), 0.008))
        steps = stepped("treads", tread, n, (0, rise, -go))
        line = np.array([0, rise * n, -go * (n - 1)])
        start = np.array([w / 2, rise - 0.06, go * 0.5])
        stringer = part("stringer", bar(start, start + line * (1, 1, 1.02), 0.05, 0.2, up=(0, 1, 0)))
        post = part("baluster", cylinder((w / 2, rise, 0), (w / 2, rise + 0.85, 0), 0.016, sides=8))
        rail = part(
            "handrail",
            sweep(
                np.array([[w / 2, rise + 0.85, 0.05], [w / 2, rise * n + 0.85, -go * (n - 1) - 0.05]]), 0.03, sides=12
            ),
        )
        side = part("side", stringer, part("railing", stepped("balusters", post, n, (0, rise, -go)), rail))
        return part("stairs", steps, mirrored("sides", side) if chance(rng, 0.6) else side)
    r, rise, angle = between(rng, 0.6, 0.9), 0.18, np.radians(between(rng, 20, 32))
    s = np.linspace(-angle * 0.55, angle * 0.55, 6)
    outer = np.stack([r * np.cos(s), r * np.sin(s)], 1)
    outline = np.concatenate([outer, [[0.06, 0.06], [0.06, -0.06]]])
    treads, posts = [], []
    for i in range(n):
        turn = angle * i
        treads.append(
            part("tread", prism(outline, rise * (i + 1) - 0.02, rise * (i + 1) + 0.02)).rotated((0, 1, 0), turn)
        )
        foot = (r * 0.94, rise * (i + 1), 0)
        posts.append(
            part("baluster", cylinder(foot, (r * 0.94, rise * (i + 1) + 0.85, 0), 0.014, sides=8)).rotated(
                (0, 1, 0), turn
            )
        )
    a = np.linspace(-angle * 0.3, angle * (n - 0.7), 40)
    helix = np.stack([r * 0.94 * np.cos(a), rise * (a / angle + 1) + 0.85, -r * 0.94 * np.sin(a)], 1)
    rail = part("handrail", sweep(helix, 0.025, sides=10, up=(0, 1, 0)))
    pole = part(
        "column",
        cylinder((0, 0, 0), (0, rise * (n + 1) + 0.9, 0), 0.08, sides=18),
        ellipsoid((0.12,) * 3, (0, rise * (n + 1) + 0.95, 0), 16, 10),
    )
    return part("spiral stairs", pole, part("treads", *treads), part("railing", part("balusters", *posts), rail))


FAMILIES = {"pipes": pipes, "lattice": lattice, "stairs": stairs}
