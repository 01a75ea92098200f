"""Teapots, goblets and pots."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline, catmull_rom
from partseg.data.procedural.grammar import PartNode, between, chance, count, mirrored, part, pick, turned
from partseg.data.procedural.primitives import ellipsoid, lathe, lathe_groups, sweep
from partseg.data.procedural.vessels import Stretch, foot_curve, handle, lid, radius_at, spout, wall


def teapot(rng: np.random.Generator) -> PartNode:
    """Teapots, kettles and jugs: handle, spout, lid."""
    r, h = between(rng, 0.07, 0.11), between(rng, 0.09, 0.22)
    foot_r, rim_r = r * between(rng, 0.5, 0.9), r * between(rng, 0.45, 0.85)
    a = h * 0.06
    belly = between(rng, 0.3, 0.65)
    body = bspline(
        [[foot_r, a], [r * 1.1, a + 0.1 * h], [r * 1.2, a + belly * h], [rim_r * 1.2, h * 0.9], [rim_r, h * 0.95]], 24
    )
    rim = np.array([body[-1], [rim_r * 1.04, h * 0.97], [rim_r * 1.04, h]])
    stretches = [("base", foot_curve(rng, foot_r, a)), ("body", body), ("rim", rim)]
    container = part("container", *wall(rng, stretches, r * 0.05, 40, pick(rng, [0, 0, 0, 8])))
    pour = spout(
        rng,
        stretches,
        h * between(rng, 0.25, 0.45),
        h * between(rng, 0.8, 1.05),
        r * between(rng, 0.5, 0.9),
        r * between(rng, 0.13, 0.22),
    )
    cover = lid(rng, h, rim_r, h * between(rng, 0.1, 0.25)) if chance(rng, 0.85) else None
    if chance(rng, 0.7):
        ear = handle(
            rng,
            stretches,
            h * between(rng, 0.2, 0.35),
            h * between(rng, 0.7, 0.85),
            r * between(rng, 0.5, 0.8),
            r * between(rng, 0.07, 0.12),
        )
    else:
        x = radius_at(stretches, h * 0.75) * 0.97
        top = h * between(rng, 1.6, 2.0)
        path = catmull_rom(
            [[x, h * 0.75, 0], [x * 1.05, top * 0.85, 0], [0, top, 0], [-x * 1.05, top * 0.85, 0], [-x, h * 0.75, 0]],
            30,
        )
        wire, thick = r * 0.04, r * between(rng, 0.08, 0.13)
        grip = sweep(path[9:21], thick, sides=12, up=(0, 0, 1), round_ends=True)
        bail = part(
            "bail", sweep(path[:10], wire, sides=8, up=(0, 0, 1)), sweep(path[20:], wire, sides=8, up=(0, 0, 1))
        )
        ear = part("handle", bail, part("grip", grip))
    return part("teapot", container, ear, pour, cover)


def goblet(rng: np.random.Generator) -> PartNode:
    """Goblets, bowls on a foot and wine glasses: foot, stem with knots, cup, on one surface."""
    h, r = between(rng, 0.12, 0.26), between(rng, 0.03, 0.06)
    stem_r = r * between(rng, 0.08, 0.2)
    a, b = h * between(rng, 0.03, 0.08), h * between(rng, 0.35, 0.6)
    foot = bspline([[r * between(rng, 0.7, 1.0), 0], [r * 0.9, a * 0.4], [stem_r * 1.5, a * 0.6], [stem_r, a]], 10)
    y = np.linspace(a, b, 16)
    knot = between(rng, 0.0, 2.2) if chance(rng, 0.6) else 0.0
    at = between(rng, 0.25, 0.75)
    stem = np.stack([stem_r * (1 + knot * np.exp(-((((y - a) / (b - a) - at) / 0.13) ** 2))), y], 1)
    rim = r * between(rng, 0.7, 1.25)
    cup = bspline([[stem_r, b], [r * 1.0, b + 0.02 * h], [r * 1.3, b + (h - b) * 0.5], [rim, h]], 20)
    # The bowl is hollow, foot and stem are solid: the inside starts where the cup does.
    t = r * between(rng, 0.04, 0.1)
    inside = cup[::-1] - (t, 0)
    inside[:, 0] = np.maximum(inside[:, 0], 0.3 * stem_r)
    inside = inside[inside[:, 1] > b + t]
    profile = np.concatenate(
        [[[0, 0]], foot, stem[1:], cup[1:], [[rim - t / 2, h + t / 3]], inside, [[0, inside[-1, 1] - t / 2]]]
    )
    bands = [0] * len(foot) + [1] * (len(stem) - 1) + [2] * (len(profile) - 1 - len(foot) - len(stem) + 1)
    pieces = lathe(profile, 36).split(lathe_groups(profile, 36, bands), 3)
    ears = None
    if chance(rng, 0.3):
        curve: list[Stretch] = [("cup", cup)]
        one = handle(rng, curve, b + (h - b) * 0.35, b + (h - b) * 0.85, r * between(rng, 0.4, 0.9), r * 0.09)
        ears = mirrored("handles", one)
    return part("goblet", part("foot", pieces[0]), part("stem", pieces[1]), part("bowl", pieces[2]), ears)


def pot(rng: np.random.Generator) -> PartNode:
    """Cooking pots, pans and bowls."""
    r, h = between(rng, 0.09, 0.16), between(rng, 0.04, 0.18)
    flare = between(rng, 0.7, 1.0)
    body = bspline([[r * flare * 0.9, 0.004], [r * flare, 0.006], [r * flare, h * 0.2], [r, h * 0.9]], 14)
    rim = np.array([body[-1], [r * 1.04, h * 0.97], [r * 1.05, h]])
    stretches = [("base", np.array([[r * flare * 0.8, 0], [r * flare * 0.9, 0.004]])), ("body", body), ("rim", rim)]
    container = part("container", *wall(rng, stretches, r * 0.03, 40))
    style = pick(rng, ["ears", "ears", "stick", "bowl", "stick and ear"])
    y = h * between(rng, 0.65, 0.85)
    x = radius_at(stretches, y)
    wide = r * between(rng, 0.2, 0.35)
    grips = []
    if style in ("ears", "stick and ear"):
        path = catmull_rom(
            [
                [x - 0.004, y, wide],
                [x + wide * 0.6, y + 0.005, wide * 0.8],
                [x + wide * 0.6, y + 0.005, -wide * 0.8],
                [x - 0.004, y, -wide],
            ],
            18,
        )
        ear = part("ear", sweep(path, r * 0.05, sides=10))
        grips.append(mirrored("ears", ear) if style == "ears" else ear)
    if style in ("stick", "stick and ear"):
        long = r * between(rng, 1.2, 2.2)
        path = bspline(
            [
                [-x + 0.01, y, 0],
                [-x - long * 0.25, y + 0.01, 0],
                [-x - long * 0.6, y + 0.03, 0],
                [-x - long, y + between(rng, 0, 0.05), 0],
            ],
            18,
        )
        thick = r * np.interp(np.linspace(0, 1, 18), [0, 0.25, 0.45, 0.9, 1], [0.06, 0.05, 0.1, 0.11, 0.08])
        arm, hold = (
            sweep(path[:7], thick[:7], sides=12, up=(0, 0, 1)),
            sweep(path[6:], thick[6:], sides=12, up=(0, 0, 1), round_ends=True),
        )
        grips.append(part("handle", part("arm", arm), part("grip", hold)))
    cover = lid(rng, h, r, r * between(rng, 0.12, 0.3)) if style != "bowl" and chance(rng, 0.6) else None
    feet = (
        turned("feet", part("foot", ellipsoid((r * 0.1,) * 3, (r * 0.55, 0.0, 0), 12, 6)), count(rng, 3, 4))
        if chance(rng, 0.2)
        else None
    )
    return part("pot", container, *grips, cover, feet)


FAMILIES = {"teapot": teapot, "goblet": goblet, "pot": pot}
