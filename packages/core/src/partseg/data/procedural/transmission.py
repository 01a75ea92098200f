"""Gears, shafts and connecting rods."""

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
    turned,
)
from partseg.data.procedural.machined import SIDEWAYS, drilled_plate, hole, hole_circle, ring_of, tube_mesh
from partseg.data.procedural.plates import extrude
from partseg.data.procedural.primitives import Mesh, band_groups, box, lathe, lathe_groups, ring_stack, sweep


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

    body = rings(
        [
            (unit * rim_in, 0),
            (unit * root * 0.98, 0),
            (outline, 0),
            (outline, h),
            (unit * root * 0.98, h),
            (unit * rim_in, h),
        ]
    )
    teeth, rim = body.split(band_groups(6, k, [1, 0, 0, 0, 1, 1], None, None), 2)
    pieces: list[PartNode] = [part("toothed rim", part("teeth", teeth), part("rim", rim))]
    thin = h * between(rng, 0.3, 0.8)
    low, high = (h - thin) / 2, (h + thin) / 2
    if web == "spokes":
        m = count(rng, 3, 7)
        spoke = sweep(
            np.array([[hub_r * 0.9, h / 2, 0], [rim_in * 1.02, h / 2, 0]]),
            np.array([1.0, 0.75]),
            rounded_rectangle(hub_r * 0.6, thin, 0.03),
            up=(0, 1, 0),
        )
        pieces.append(turned("spokes", part("spoke", spoke), m))
    elif web == "holes":
        m = count(rng, 3, 7)
        reach = (hub_r + rim_in) / 2
        hr = min((rim_in - hub_r) * 0.32, reach * np.sin(np.pi / m) * 0.75)
        faces, walls = drilled_plate(
            "hole wall", circle(48) * rim_in * 1.01, [circle(28) * hub_r * 0.95, *hole_circle(m, reach, hr, 18)], thin
        )
        pieces.append(
            part("web", part("web plate", *faces, *walls[0].pieces), ring_of("lightening holes", walls[1:])).moved(
                0, low, 0
            )
        )
    else:
        pieces.append(part("web", tube_mesh(hub_r * 0.95, rim_in * 1.01, low, high, 40)))
    tall = h * between(rng, 1.0, 1.8)
    y0, y1 = h / 2 - tall / 2, h / 2 + tall / 2
    hub_mesh = tube_mesh(bore, hub_r, y0, y1, 32)
    surface, wall_mesh = hub_mesh.split(band_groups(4, 32, [0, 0, 0, 1], None, None), 2)
    pieces.append(part("hub", part("hub surface", surface), part("bore wall", wall_mesh)))
    if chance(rng, 0.35):
        long = between(rng, 0.8, 2.0)
        steps = np.array(
            [
                [0, -long * 0.4],
                [bore * 0.8, -long * 0.4],
                [bore * 0.8, y0],
                [bore * 0.99, y0],
                [bore * 0.99, y1],
                [bore * 0.7, y1],
                [bore * 0.7, long],
                [0, long],
            ]
        )
        pieces.append(part("shaft", lathe(steps, 24)))
    return part("gear", *pieces)


def shaft(rng: np.random.Generator) -> PartNode:
    """Stepped shafts: journals, shoulders and a threaded end on one turned surface; keys, collars, splines."""
    n = count(rng, 3, 7)
    y = 0.0
    profile, bands = [[0.0, 0.0]], []
    centres = []
    for i in range(n):
        r_new = between(rng, 0.08, 0.28)
        long = between(rng, 0.15, 0.7)
        b = 0.02
        profile += [[r_new - b, y], [r_new, y + b], [r_new, y + long - b], [r_new - b, y + long]]
        bands += [i, i, i, i]
        centres.append((y, y + long, r_new))
        y += long
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
        extras.append(
            part(
                "collar",
                tube_mesh(rr * 0.99, rr * between(rng, 1.8, 3.0), a + 0.05, a + 0.05 + (b_ - a) * 0.3, 36, 0.02),
            )
        )
    node = part("turned shaft", steps_node, *extras)
    return node.mapped(SIDEWAYS) if chance(rng, 0.5) else node


def connecting_rod(rng: np.random.Generator) -> PartNode:
    """Connecting rods and levers: two eyes and a shank cut from one plate."""
    a, b = between(rng, 0.25, 0.4), between(rng, 0.13, 0.25)
    long, h = between(rng, 0.9, 1.6), between(rng, 0.12, 0.3)
    waist = b * between(rng, 0.45, 0.9)
    ta, tb = np.arcsin(min(0.9, waist * 1.1 / a)), np.arcsin(min(0.9, waist * 0.9 / b))
    big = np.linspace(ta, 2 * np.pi - ta, 26)
    small = np.linspace(-np.pi + tb, np.pi - tb, 22)
    low_edge = np.stack(
        [
            np.linspace(a * np.cos(ta), long - b * np.cos(tb), 12)[1:-1],
            -np.linspace(a * np.sin(ta), b * np.sin(tb), 12)[1:-1] * between(rng, 0.75, 1),
        ],
        1,
    )
    outline = np.concatenate(
        [
            np.stack([a * np.cos(big), a * np.sin(big)], 1),
            low_edge,
            np.stack([long + b * np.cos(small), b * np.sin(small)], 1),
            (low_edge * (1, -1))[::-1],
        ]
    )
    ra, rb = a * between(rng, 0.5, 0.72), b * between(rng, 0.45, 0.68)
    mesh, groups = extrude(outline, [hole(0, 0, ra, 24), hole(long, 0, rb, 18)], h, 0.0)
    x = mesh.vertices[mesh.faces][:, :, 0].mean(1)
    label = np.where(
        groups == 3, 3, np.where(groups == 4, 4, np.where(x < a * 0.95, 0, np.where(x > long - b * 0.95, 2, 1)))
    )
    big_end, shank, small_end, bore_a, bore_b = mesh.split(label, 5)
    extras: list[PartNode] = []
    if chance(rng, 0.6):
        extras.append(part("bush", tube_mesh(ra * 0.85, ra, -0.02, h + between(rng, 0.02, 0.15), 30)))
    if chance(rng, 0.5):
        rib_h = h * 0.3
        rib = part(
            "rib", box((long - a - b, rib_h, waist * 0.35), ((long + a - b) / 2, h + rib_h * 0.4, waist * 0.45), 0.01)
        )
        extras.append(mirrored("ribs", rib, (0, 0, 1)))
    return part(
        "connecting rod",
        part("big end", part("eye", big_end), part("bore wall", bore_a)),
        part("shank", shank),
        part("small end", part("eye", small_end), part("bore wall", bore_b)),
        *extras,
    )


FAMILIES = {"gear": gear, "shaft": shaft, "connecting_rod": connecting_rod}
