"""Free-form assemblies: random trees of primitives, stacks, worms and chains.

They stand for no category; they show parts meeting in every way, so that a method learns parts and not catalogues.
"""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline, circle, superellipse
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
from partseg.data.procedural.primitives import (
    Mesh,
    band_groups,
    box,
    cylinder,
    ellipsoid,
    lathe,
    lathe_groups,
    prism,
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
    """One convex-ish piece that grows from the origin along +y to ``long``, about ``radius`` wide, ``sides`` points
    around.

    Returns one mesh, or two or three patches of one surface (a shank and its tip, say).
    """
    kind = pick(rng, ["ellipsoid", "box", "cylinder", "cone", "lathe", "prism", "bent", "capsule", "super", "lathe"])
    if kind == "ellipsoid":
        return [ellipsoid((radius, long / 2, radius * between(rng, 0.6, 1)), (0, long * 0.45, 0), sides, sides // 2)]
    if kind == "super":
        return [
            ellipsoid(
                (radius, long / 2, radius),
                (0, long * 0.48, 0),
                sides + 4,
                sides // 2,
                (between(rng, 1, 6), between(rng, 1, 6)),
            )
        ]
    if kind == "box":
        return [
            box(
                (2 * radius, long, 2 * radius * between(rng, 0.4, 1)),
                (0, long / 2, 0),
                radius * pick(rng, [0, 0.1, 0.3, 0.6]),
                2,
            )
        ]
    if kind == "cylinder":
        return [cylinder((0, -0.02 * long, 0), (0, long, 0), radius, sides=count(rng, sides - 6, sides + 6))]
    if kind == "cone":
        return [cylinder((0, -0.02 * long, 0), (0, long, 0), radius, radius * between(rng, 0.1, 0.7), sides=sides)]
    if kind == "prism":
        sides = count(rng, 3, 8)
        outline = circle(sides) * radius
        if chance(rng, 0.35):
            star = (
                circle(2 * sides) * np.where(np.arange(2 * sides) % 2, radius * between(rng, 0.5, 0.8), radius)[:, None]
            )
            outline = star
        return [prism(outline, -0.02 * long, long, 0.06 * radius, between(rng, 0.5, 1.1))]
    if kind == "capsule":
        path = np.array([[0, 0, 0], [0, long, 0]]) if long > radius else np.array([[0, 0, 0], [0, radius, 0]])
        return [sweep(path, radius, sides=sides, round_ends=True)]
    if kind == "bent":
        sway = between(rng, -0.5, 0.5) * long
        path = bspline([[0, 0, 0], [0, long * 0.4, 0], [sway * 0.5, long * 0.8, 0], [sway, long, sway * 0.3]], 16)
        radii = radius * np.interp(
            np.linspace(0, 1, 16), [0, 0.5, 1], [1, between(rng, 0.6, 1), between(rng, 0.3, 0.9)]
        )
        if chance(rng, 0.5):
            return [sweep(path, radii * 0.6, sides=14, up=(0.1, 0.05, 1), round_ends=True)]
        cut = count(rng, 6, 11)
        mesh = sweep(path, radii * 0.6, sides=14, up=(0.1, 0.05, 1))
        return mesh.split(band_groups(16, 14, [0 if i < cut else 1 for i in range(15)], 0, 1), 2)
    m = sides + 2
    waves = np.concatenate(
        [[[between(rng, 0.5, 1)]], [[between(rng, 0.3, 1.2)] for _ in range(4)], [[between(rng, 0.1, 0.8)]]]
    )
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
            bulb = (
                part("knob", ellipsoid((size * 1.3,) * 3, top, 16, 10))
                if chance(rng, 0.6)
                else part("cap", box((size * 2, size, size * 2), top, size * 0.2))
            )
            own.append(bulb)
        elif kind == "ring":
            own.append(
                part(
                    "collar", torus((0, long * between(rng, 0.2, 0.7), 0), (0, 1, 0), radius * 0.95, size * 0.5, 8, 26)
                )
            )
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
        profile = np.concatenate(
            [[[0, -ext[1]]], np.stack([shape, np.linspace(-ext[1], ext[1], 20)], 1), [[0, ext[1]]]]
        )
        ext[[0, 2]] = shape.mean() * 0.95
        return part("core", lathe(profile, 30)), ext, "round"
    if kind == "box":
        return part("core", box(2 * ext, (0, 0, 0), 0.3 * float(ext.min()) * rng.random(), 3)), ext, "square"
    if kind == "super":
        return (
            part("core", ellipsoid(ext, (0, 0, 0), 28, 16, (between(rng, 1.5, 6), between(rng, 1.5, 6)))),
            ext * 0.92,
            "square",
        )
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
            limb = _limb(rng, r * 0.15, r * between(rng, 0.6, 1.2), 0).mapped(
                _frame_to(np.array([1, between(rng, -0.2, 0.8), 0])), (r * 0.4, y + long * 0.5, 0)
            )
            item = part("storey", item, turned("limb crown", limb, count(rng, 3, 8)))
        nodes.append(item)
        top = item.points()
        y = max(
            y + 0.3 * long,
            float(top[np.hypot(top[:, 0], top[:, 2]) < r * 0.6][:, 1].max(initial=y + 0.5 * long)) - 0.03 * long,
        )
    return part("totem", *nodes)


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
    radius = (
        0.32 * swell * np.interp(np.linspace(0, n, m), np.arange(n + 1), [between(rng, 0.6, 1.2) for _ in range(n + 1)])
    )
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


FAMILIES = {"assembly": assembly, "totem": totem, "chain": chain}
