"""Free-form assemblies: random trees of primitives, stacks, pipe runs, chains, lattices and stairs.

They stand for no category; they show parts meeting in every way, so that a method learns parts and not catalogues.
"""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.grammar import PartNode, between, chance, count, four, mirrored, part, pick, stepped, turned
from partseg.data.procedural.primitives import (
    Mesh,
    band_groups,
    bar,
    box,
    bspline,
    catmull_rom,
    circle,
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


def _frame_to(direction: np.ndarray) -> np.ndarray:
    """Rotation that takes +y to ``direction``."""
    y = direction / np.linalg.norm(direction)
    x = np.cross(y, np.eye(3)[np.argmin(np.abs(y))])
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], 1)


def primitive(rng: np.random.Generator, radius: float, long: float, sides: int = 20) -> list[Mesh]:
    """One convex-ish piece that grows from the origin along +y to ``long``, about ``radius`` wide, ``sides`` points around.

    Returns one mesh, or two or three patches of one surface (a shank and its tip, say).
    """
    kind = pick(rng, ["ellipsoid", "box", "cylinder", "cone", "lathe", "prism", "bent", "capsule", "super", "lathe"])
    if kind == "ellipsoid":
        return [ellipsoid((radius, long / 2, radius * between(rng, 0.6, 1)), (0, long * 0.45, 0), sides, sides // 2)]
    if kind == "super":
        return [ellipsoid((radius, long / 2, radius), (0, long * 0.48, 0), sides + 4, sides // 2, (between(rng, 1, 6), between(rng, 1, 6)))]
    if kind == "box":
        return [box((2 * radius, long, 2 * radius * between(rng, 0.4, 1)), (0, long / 2, 0), radius * pick(rng, [0, 0.1, 0.3, 0.6]), 2)]
    if kind == "cylinder":
        return [cylinder((0, -0.02 * long, 0), (0, long, 0), radius, sides=count(rng, sides - 6, sides + 6))]
    if kind == "cone":
        return [cylinder((0, -0.02 * long, 0), (0, long, 0), radius, radius * between(rng, 0.1, 0.7), sides=sides)]
    if kind == "prism":
        sides = count(rng, 3, 8)
        outline = circle(sides) * radius
        if chance(rng, 0.35):
            star = circle(2 * sides) * np.where(np.arange(2 * sides) % 2, radius * between(rng, 0.5, 0.8), radius)[:, None]
            outline = star
        return [prism(outline, -0.02 * long, long, 0.06 * radius, between(rng, 0.5, 1.1))]
    if kind == "capsule":
        path = np.array([[0, 0, 0], [0, long, 0]]) if long > radius else np.array([[0, 0, 0], [0, radius, 0]])
        return [sweep(path, radius, sides=sides, round_ends=True)]
    if kind == "bent":
        sway = between(rng, -0.5, 0.5) * long
        path = bspline([[0, 0, 0], [0, long * 0.4, 0], [sway * 0.5, long * 0.8, 0], [sway, long, sway * 0.3]], 16)
        radii = radius * np.interp(np.linspace(0, 1, 16), [0, 0.5, 1], [1, between(rng, 0.6, 1), between(rng, 0.3, 0.9)])
        if chance(rng, 0.5):
            return [sweep(path, radii * 0.6, sides=14, up=(0.1, 0.05, 1), round_ends=True)]
        cut = count(rng, 6, 11)
        mesh = sweep(path, radii * 0.6, sides=14, up=(0.1, 0.05, 1))
        return mesh.split(band_groups(16, 14, [0 if i < cut else 1 for i in range(15)], 0, 1), 2)
    m = sides + 2
    waves = np.concatenate([[[between(rng, 0.5, 1)]], [[between(rng, 0.3, 1.2)] for _ in range(4)], [[between(rng, 0.1, 0.8)]]])
    r = bspline(waves, m)[:, 0] * radius
    profile = np.concatenate([[[0, -0.02 * long]], np.stack([r, np.linspace(0, long, m)], 1), [[0, long]]])
    mesh = lathe(profile, sides + 2)
    # A neck is where one part of a turned piece ends and the next begins.
    necks = [i for i in range(4, m - 4) if r[i] < r[i - 1] and r[i] <= r[i + 1]]
    if not necks:
        return [mesh]
    cuts = necks[:2]
    bands = [sum(i > c for c in cuts) for i in range(m + 1)]
    return mesh.split(lathe_groups(profile, sides + 2, bands), len(cuts) + 1)


def _limb(rng: np.random.Generator, radius: float, long: float, depth: int, sides: int = 14) -> PartNode:
    """A part that grows along +y, with parts of its own while ``depth`` lasts."""
    patches = primitive(rng, radius, long, sides)
    names = {1: ["segment"], 2: ["shank", "tip"], 3: ["root", "shank", "tip"]}[len(patches)]
    nodes = [part(name, patch) for name, patch in zip(names, patches, strict=True)]
    own: list[PartNode] = []
    if depth > 0 and chance(rng, 0.55):
        size = radius * between(rng, 0.25, 0.6)
        kind = pick(rng, ["end", "ring", "side", "row"])
        if kind == "end":
            tip = patches[-1].vertices[patches[-1].faces].reshape(-1, 3)
            top = tip[np.argmax(tip[:, 1])]
            bulb = part("knob", ellipsoid((size * 1.3,) * 3, top, 16, 10)) if chance(rng, 0.6) else part("cap", box((size * 2, size, size * 2), top, size * 0.2))
            own.append(bulb)
        elif kind == "ring":
            own.append(part("collar", torus((0, long * between(rng, 0.2, 0.7), 0), (0, 1, 0), radius * 0.95, size * 0.5, 8, 26)))
        elif kind == "side":
            spike = _limb(rng, size * 0.6, radius * between(rng, 0.8, 1.6), 0)
            y = long * between(rng, 0.25, 0.75)
            inner = radius * 0.45
            spike = spike.mapped(_frame_to(np.array([1.0, between(rng, -0.3, 0.8), 0])), (inner, y, 0))
            own.append(turned("spikes", spike, count(rng, 2, 6)))
        else:
            stud = part("stud", ellipsoid((size * 0.7,) * 3, (radius * 0.75, long * 0.2, 0), 12, 8))
            n = count(rng, 2, 4)
            own.append(stepped("studs", stud, n, (0, long * 0.6 / n, 0)))
    content = nodes + own
    if len(content) == 1:
        return PartNode("limb", [], content[0].pieces)
    return part("limb", *content)


def _core(rng: np.random.Generator) -> tuple[PartNode, np.ndarray, str]:
    """Central body, its half extents, and which repetitions keep parts on its surface: "round" or "square"."""
    ext = np.array([between(rng, 0.4, 0.9), between(rng, 0.35, 1.0), between(rng, 0.4, 0.9)])
    kind = pick(rng, ["ellipsoid", "box", "turned", "cylinder", "super"])
    if kind in ("turned", "cylinder"):
        ext[2] = ext[0]
        if kind == "cylinder":
            return part("core", prism(superellipse(2 * ext[0], 2 * ext[0], 2, 28), -ext[1], ext[1], 0.08)), ext, "round"
        shape = bspline([[0.7], [1.1], [between(rng, 0.5, 1.1)], [1.0], [between(rng, 0.4, 0.9)]], 20)[:, 0] * ext[0]
        profile = np.concatenate([[[0, -ext[1]]], np.stack([shape, np.linspace(-ext[1], ext[1], 20)], 1), [[0, ext[1]]]])
        ext[[0, 2]] = shape.mean() * 0.95
        return part("core", lathe(profile, 30)), ext, "round"
    if kind == "box":
        return part("core", box(2 * ext, (0, 0, 0), 0.3 * float(ext.min()) * rng.random(), 3)), ext, "square"
    if kind == "super":
        return part("core", ellipsoid(ext, (0, 0, 0), 28, 16, (between(rng, 1.5, 6), between(rng, 1.5, 6)))), ext * 0.92, "square"
    if chance(rng, 0.5):
        ext[2] = ext[0]
        return part("core", ellipsoid(ext, (0, 0, 0), 28, 16)), ext, "round"
    return part("core", ellipsoid(ext, (0, 0, 0), 28, 16)), ext, "square"


def _surface_point(points: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Point of the hull's surface seen from the centre in a direction: the vertex nearest to that ray, far out."""
    along = points @ direction
    off = np.sqrt(np.maximum((points**2).sum(1) - along**2, 0))
    return points[np.argmax(np.where(along > 0, along - 3 * off, -9))]


def assembly(rng: np.random.Generator) -> PartNode:
    """A body with groups of limbs: single ones, mirrored pairs, crowns, fours, rows."""
    core, ext, shape = _core(rng)
    points = core.points()
    groups: list[PartNode] = []
    size = float(ext.mean())
    for _ in range(count(rng, 2, 5)):
        r = size * between(rng, 0.1, 0.34)
        long = size * between(rng, 0.4, 1.8)
        limb = _limb(rng, r, long, 1)
        how = pick(rng, ["single", "pair", "pair", "four", "crown", "crown", "row"])
        if how == "crown" and shape != "round":
            how = "pair"
        polar, azimuth = between(rng, -1.1, 1.1), between(rng, -np.pi, np.pi)
        if how == "single":
            direction = np.eye(3)[pick(rng, [1, 1, 2])] * pick(rng, [-1, 1])
        elif how == "row":
            direction = np.array([0, 1.0, 0]) if chance(rng, 0.6) else np.array([0, 0, 1.0])
        elif how in ("pair", "four"):
            direction = np.array([0.3 + abs(np.cos(azimuth)), np.tan(polar) * 0.7, np.sin(azimuth)])
            if how == "four":
                direction[2] = 0.4 + abs(direction[2])
        else:
            direction = np.array([np.cos(polar), np.sin(polar), 0.0])
        direction = direction / np.linalg.norm(direction)
        at = _surface_point(points, direction)
        lean = direction + 0.5 * between(rng, 0, 1) * np.array([0, between(rng, -1, 1), 0])
        if how == "row":
            n = count(rng, 2, 6)
            width = float(ext[0]) * 1.3
            limb = _limb(rng, min(r, 0.35 * width / n), long * 0.7, 1)
            inward = 0.35 * size if shape == "square" else 0.5 * size
            start = at * (0, 1, 1) - direction * inward + (-width / 2, 0, 0)
            placed = limb.mapped(_frame_to(direction), start)
            groups.append(stepped("row", placed, n, (width / (n - 1), 0, 0)))
            continue
        placed = limb.mapped(_frame_to(lean), at - direction * r * 0.7)
        if how == "single":
            groups.append(placed)
        elif how == "pair":
            groups.append(mirrored("limb pair", placed))
        elif how == "four":
            groups.append(four("limbs", placed))
        else:
            groups.append(turned("limb crown", placed, count(rng, 3, 9)))
    if chance(rng, 0.25) and shape == "round":
        y = float(ext[1]) * between(rng, -0.4, 0.4)
        groups.append(part("belt", torus((0, y, 0), (0, 1, 0), float(ext[0]), size * 0.08, 8, 36)))
    return part("assembly", part("body", core) if core.name != "body" else core, *groups)


def totem(rng: np.random.Generator) -> PartNode:
    """Primitives stacked on one axis, some blended into a single turned surface, some with crowns of limbs."""
    y, nodes = 0.0, []
    for _ in range(count(rng, 2, 6)):
        r, long = between(rng, 0.2, 0.6), between(rng, 0.2, 0.8)
        patches = primitive(rng, r, long)
        names = {1: ["block"], 2: ["lower", "upper"], 3: ["lower", "middle", "upper"]}[len(patches)]
        pieces = [part(name, patch) for name, patch in zip(names, patches, strict=True)]
        item = part("tier", *pieces) if len(pieces) > 1 else pieces[0]
        item = item.rotated((0, 1, 0), between(rng, 0, 2 * np.pi)).moved(0, y, 0)
        if chance(rng, 0.3):
            limb = _limb(rng, r * 0.15, r * between(rng, 0.6, 1.2), 0).mapped(_frame_to(np.array([1, between(rng, -0.2, 0.8), 0])), (r * 0.4, y + long * 0.5, 0))
            item = part("storey", item, turned("limb crown", limb, count(rng, 3, 8)))
        nodes.append(item)
        top = item.points()
        y = max(y + 0.3 * long, float(top[np.hypot(top[:, 0], top[:, 2]) < r * 0.6][:, 1].max(initial=y + 0.5 * long)) - 0.03 * long)
    return part("totem", *nodes)


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
        options = [d for a in range(3) for s in (1, -1) if abs((d := s * np.eye(3)[a]) @ heading) < 0.5 and d @ used > -0.5]
        used = heading
        heading = pick(rng, options) if chance(rng, 0.85) else heading
    bend = r * between(rng, 1.5, 2.5)
    joints: list[PartNode] = []
    runs: list[PartNode] = []
    bends: list[PartNode] = []
    # Bends are their own torus pieces in half the shapes, in the others swept in one with the run before them.
    single = chance(rng, 0.5)
    outline_sides = 16
    for i in range(n):
        a, b = corners[i], corners[i + 1]
        forward = (b - a) / np.linalg.norm(b - a)
        trim_a = bend if i > 0 and not np.allclose(prev, forward) else 0.0
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
                wheel = part("handwheel", torus(out, side, r * 1.3, r * 0.22, 8, 22), cylinder(out - np.cross(side, forward) * r * 1.2, out + np.cross(side, forward) * r * 1.2, r * 0.15, sides=8))
                joints.append(part("valve", part("coupling", ring), part("stem", cylinder(mid, out, r * 0.35, sides=12)), wheel))
            else:
                joints.append(part("coupling", ring))
        prev = forward
    ends = []
    for at_end, direction in ((corners[0], corners[0] - corners[1]), (corners[-1], corners[-1] - corners[-2])):
        d = direction / np.linalg.norm(direction)
        ends.append(part("flange", cylinder(at_end - d * r * 0.5, at_end + d * r * 0.1, r * 1.8, sides=24)))
    return part("pipework", part("tubing", part("runs", *runs), part("bends", *bends) if bends else None), part("joints", *joints) if joints else None, part("ends", *ends))


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
        post = part("post", box((r * 4, h * 1.1, r * 4), (w / 2 + pitch * 0.7, h * 0.55, -r), r * 0.5), ellipsoid((r * 2.4,) * 3, (w / 2 + pitch * 0.7, h * 1.12, -r), 14, 8))
        return part("fence", stepped("pickets", picket, n, (pitch, 0, 0)), stepped("rails", rail, count(rng, 2, 3), (0, h * 0.25, 0)), mirrored("posts", post))
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
        top = part("roof", cylinder((0, n * tall + r, 0), (0, n * tall + tall * 0.8, 0), w * 0.5, 0.02, pick(rng, [4, 20]))) if chance(rng, 0.5) else None
        return part("tower", turned("posts", leg, 4), stepped("bays", bay, n, (0, tall, 0)), deck, top)
    if kind == "grid":
        n, m = count(rng, 3, 8), count(rng, 3, 8)
        w, h = 0.2 * n, 0.2 * m
        frame_path = np.concatenate([[p] for p in ([-w / 2, 0, 0], [w / 2, 0, 0], [w / 2, h, 0], [-w / 2, h, 0])]).astype(float)
        edges = [part("frame bar", bar(frame_path[i], frame_path[(i + 1) % 4], r * 2.5, r * 2.5, up=(0, 0, 1))) for i in range(4)]
        up = part("upright", cylinder((-w / 2 + w / (n + 1), 0, r * 0.4), (-w / 2 + w / (n + 1), h, r * 0.4), r * 0.6, sides=8))
        across = part("cross bar", cylinder((-w / 2, h / (m + 1), -r * 0.4), (w / 2, h / (m + 1), -r * 0.4), r * 0.6, sides=8))
        return part("grille", part("frame", *edges), stepped("uprights", up, n, (w / (n + 1), 0, 0)), stepped("cross bars", across, m, (0, h / (m + 1), 0)))
    w, d, y = between(rng, 1.0, 1.8), between(rng, 0.35, 0.5), 0.45
    n = count(rng, 3, 5)
    pitch = d / n
    plank = part("plank", box((w, 0.03, pitch * 0.8), (0, y, -d / 2 + pitch / 2), 0.006))
    path = catmull_rom([[w * 0.4, 0.0, d / 2 + 0.05], [w * 0.4, 0.2, d / 2 - 0.06], [w * 0.4, y - 0.03, d / 2 - 0.02], [w * 0.4, y - 0.03, -d / 2], [w * 0.4, y + 0.2, -d / 2 - 0.08], [w * 0.4, y + 0.42, -d / 2 - 0.14]], 26)
    side = part("bench side", part("support", sweep(path, 1.0, rounded_rectangle(0.05, 0.045, 0.01), up=(1, 0, 0))), part("rear leg", bar((w * 0.4, y - 0.03, -d / 2 + 0.05), (w * 0.4, 0, -d / 2 - 0.08), 0.045, 0.05, up=(1, 0, 0))))
    back = part("plank", box((w, pitch * 0.9, 0.025), (0, y + 0.13, -d / 2 - 0.035), 0.006))
    return part("bench", stepped("seat", plank, n, (0, 0, pitch)), stepped("back", back, count(rng, 2, 3), (0, pitch * 1.15, -0.032)), mirrored("sides", side))


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
        rail = part("handrail", sweep(np.array([[w / 2, rise + 0.85, 0.05], [w / 2, rise * n + 0.85, -go * (n - 1) - 0.05]]), 0.03, sides=12))
        side = part("side", stringer, part("railing", stepped("balusters", post, n, (0, rise, -go)), rail))
        return part("stairs", steps, mirrored("sides", side) if chance(rng, 0.6) else side)
    r, rise, angle = between(rng, 0.6, 0.9), 0.18, np.radians(between(rng, 20, 32))
    s = np.linspace(-angle * 0.55, angle * 0.55, 6)
    outer = np.stack([r * np.cos(s), r * np.sin(s)], 1)
    outline = np.concatenate([outer, [[0.06, 0.06], [0.06, -0.06]]])
    treads, posts = [], []
    for i in range(n):
        turn = angle * i
        treads.append(part("tread", prism(outline, rise * (i + 1) - 0.02, rise * (i + 1) + 0.02)).rotated((0, 1, 0), turn))
        foot = (r * 0.94, rise * (i + 1), 0)
        posts.append(part("baluster", cylinder(foot, (r * 0.94, rise * (i + 1) + 0.85, 0), 0.014, sides=8)).rotated((0, 1, 0), turn))
    a = np.linspace(-angle * 0.3, angle * (n - 0.7), 40)
    helix = np.stack([r * 0.94 * np.cos(a), rise * (a / angle + 1) + 0.85, -r * 0.94 * np.sin(a)], 1)
    rail = part("handrail", sweep(helix, 0.025, sides=10, up=(0, 1, 0)))
    pole = part("column", cylinder((0, 0, 0), (0, rise * (n + 1) + 0.9, 0), 0.08, sides=18), ellipsoid((0.12,) * 3, (0, rise * (n + 1) + 0.95, 0), 16, 10))
    return part("spiral stairs", pole, part("treads", *treads), part("railing", part("balusters", *posts), rail))


def chain(rng: np.random.Generator) -> PartNode:
    """Worms and chains: one tube with swollen segments along a curve, or linked rings."""
    if chance(rng, 0.35):
        n = count(rng, 3, 7)
        r, thin = 0.3, between(rng, 0.05, 0.09)
        oval = np.stack([circle(30)[:, 0] * r, circle(30)[:, 1] * r * 0.6, np.zeros(30)], 1)
        pitch = 2 * r - 2.2 * thin
        links = []
        for i in range(n):
            ring = sweep(oval if i % 2 == 0 else oval[:, [0, 2, 1]] * (1, 1, -1), thin, sides=10, loop=True)
            links.append(part("link", ring.moved((pitch * i, 0, 0))))
        return part("chain", part("links", *links))
    n = count(rng, 3, 7)
    per = 9
    m = n * per + 1
    controls = np.cumsum(np.concatenate([np.zeros((1, 3)), rng.normal(size=(5, 3)) * (0.6, 0.4, 0.6) + (0.7, 0, 0)]), 0)
    path = bspline(controls, m)
    phase = np.linspace(0, n, m)
    swell = 0.55 + 0.45 * np.sqrt(np.abs(np.sin(np.pi * phase)))
    radius = 0.32 * swell * np.interp(np.linspace(0, n, m), np.arange(n + 1), [between(rng, 0.6, 1.2) for _ in range(n + 1)])
    tube = sweep(path, radius, sides=16)
    bands = [i // per for i in range(m - 1)]
    segments = tube.split(band_groups(m, 16, bands, 0, n - 1), n)
    body = [part("segment", s) for s in segments]
    extras: list[PartNode] = []
    if chance(rng, 0.5):
        end = path[-1]
        heading = path[-1] - path[-3]
        heading /= np.linalg.norm(heading)
        extras.append(part("head", ellipsoid((radius[-1] * 1.5,) * 3, end + heading * radius[-1] * 0.8, 18, 10)))
    return part("worm", part("body", *body), *extras)


FAMILIES = {"assembly": assembly, "totem": totem, "pipes": pipes, "lattice": lattice, "stairs": stairs, "chain": chain}
