"""Beds."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline
from partseg.data.procedural.furniture import leg_mesh
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
)
from partseg.data.procedural.primitives import bar, box, cylinder, ellipsoid, prism, slab


def bed(rng: np.random.Generator) -> PartNode:
    """Beds: frame, mattress, pillows, head- and footboard; sometimes a bunk."""
    w, d = between(rng, 0.9, 1.9), between(rng, 1.8, 2.2)
    rail_y, rail_h, thick = between(rng, 0.18, 0.35), between(rng, 0.1, 0.22), between(rng, 0.03, 0.07)
    r = between(rng, 0.03, 0.055)
    x, z = w / 2, d / 2
    side = part("side rail", box((thick, rail_h, d), (x, rail_y + rail_h / 2, 0), thick * 0.15))
    foot_rail = part("end rail", box((w, rail_h, thick), (0, rail_y + rail_h / 2, z), thick * 0.15))
    n = count(rng, 6, 11)
    slat = part("slat", box((w, thick * 0.4, d / n * 0.5), (0, rail_y + rail_h * 0.7, -z + d / n / 2)))
    frame = part(
        "frame",
        mirrored("side rails", side),
        mirrored("end rails", foot_rail, (0, 0, 1)),
        stepped("slats", slat, n, (0, 0, d / n)),
    )
    mat_h = between(rng, 0.12, 0.3)
    mat_y = rail_y + rail_h * 0.75 + mat_h / 2
    mattress = part("mattress", box((w * 0.97, mat_h, d * 0.97), (0, mat_y, 0), min(0.08, mat_h * 0.4), 3))
    pillows = 1 if w < 1.2 else 2
    pw = w * 0.75 if pillows == 1 else w * 0.42
    px = 0.0 if pillows == 1 else w * 0.24
    pillow = part("pillow", ellipsoid((pw / 2, 0.085, 0.2), (px, mat_y + mat_h / 2 + 0.05, -z + 0.3), 24, 10, (1.6, 5)))
    heads = pillow if pillows == 1 else mirrored("pillows", pillow)
    bedding = part("bedding", mattress, heads)
    if chance(rng, 0.6):
        long = d * between(rng, 0.5, 0.72)
        cover = slab((w * 1.04, 0.05, long), (0, mat_y + mat_h / 2 + 0.01, z - long / 2 - 0.03), 0.05, 10)

        def drape(v: np.ndarray) -> np.ndarray:
            over = np.clip(np.abs(v[:, 0]) / x - 0.86, 0, 1)
            v[:, 1] -= over * mat_h * 2.4
            v[:, 1] += 0.012 * np.sin(v[:, 0] * 9) * np.cos(v[:, 2] * 7)
            return v

        bedding.children.append(part("blanket", cover.deformed(drape)))

    def board(at: float, high: float) -> PartNode:
        style = pick(rng, ["panel", "panel", "slats", "rails", "arch"])
        low = rail_y
        if style == "panel":
            return part("panel", box((w, high - low, thick), (0, (high + low) / 2, at), thick * 0.3, 2))
        if style == "arch":
            top = bspline(
                [[x, low], [x, high * 0.9], [x * 0.5, high * 1.1], [-x * 0.5, high * 1.1], [-x, high * 0.9], [-x, low]],
                22,
            )
            mesh = prism(
                np.concatenate([top, [[-x * 0.5, low], [0, low], [x * 0.5, low]]]), -thick / 2, thick / 2, thick * 0.15
            )
            return part("panel", mesh.mapped(np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float), (0, 0, at)))
        rail = part("rail", cylinder((-x, high, at), (x, high, at), thick * 0.6, sides=12))
        if style == "slats":
            k = count(rng, 5, 12)
            pitch = w / (k + 1)
            one = part("slat", box((pitch * 0.4, high - low, thick * 0.4), (-x + pitch, (high + low) / 2, at)))
            return part("grille", rail, stepped("slats", one, k, (pitch, 0, 0)))
        k = count(rng, 2, 4)
        return stepped("rails", rail, k, (0, -(high - low) / k, 0))

    def end(name: str, at: float, high: float) -> PartNode:
        post = part(
            "post",
            leg_mesh(
                rng, pick(rng, ["square", "round"]), np.array([x - r, high * 1.03, at]), np.array([x - r, 0, at]), r
            ),
        )
        return part(name, board(at, high), mirrored("posts", post))

    style = pick(rng, ["boards", "boards", "head", "legs", "bunk"])
    if style == "legs":
        base = four(
            "legs",
            part(
                "leg",
                leg_mesh(
                    rng,
                    pick(rng, ["square", "round", "turned"]),
                    np.array([x - r, rail_y + 0.02, z - r]),
                    np.array([x - r, 0, z - r]),
                    r,
                ),
            ),
        )
        head = end("headboard", -z - thick / 2, between(rng, 0.7, 1.2))
        return part("bed", frame, bedding, head, part("base", base))
    head = end("headboard", -z, between(rng, 0.7, 1.3))
    if style == "head":
        short = part(
            "leg", leg_mesh(rng, "square", np.array([x - r, rail_y + 0.02, z - r]), np.array([x - r, 0, z - r]), r)
        )
        return part("bed", frame, bedding, head, part("base", mirrored("legs", short)))
    if style == "bunk":
        rise = between(rng, 0.95, 1.15)
        post = part(
            "post", leg_mesh(rng, "square", np.array([x + r, rise + 0.75, z + r]), np.array([x + r, 0, z + r]), r)
        )
        rung_n = count(rng, 4, 6)
        at = x + r * 1.6
        ladder_side = part("ladder side", bar((at, 0, z * 0.5), (at, rise + 0.5, z * 0.5), r, r, up=(0, 0, 1)))
        sides = stepped("ladder sides", ladder_side, 2, (0, 0, 0.32))
        step = (rise + 0.3) / (rung_n + 1)
        rung = part("rung", cylinder((at, step, z * 0.5), (at, step, z * 0.5 + 0.32), r * 0.5, sides=10))
        ladder = part("ladder", sides, stepped("rungs", rung, rung_n, (0, step, 0)))
        bunk = part("bunk", frame, bedding)
        return part("bed", stepped("bunks", bunk, 2, (0, rise, 0)), part("base", four("posts", post)), ladder)
    return part("bed", frame, bedding, head, end("footboard", z, between(rng, 0.4, 0.7)))


FAMILIES = {"bed": bed}
