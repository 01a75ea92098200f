"""Chairs, stools and sofas."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline, catmull_rom, rounded_rectangle, superellipse
from partseg.data.procedural.furniture import four_legs, leg_mesh, pedestal
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
from partseg.data.procedural.primitives import (
    Mesh,
    band_groups,
    bar,
    box,
    cylinder,
    ellipsoid,
    lathe,
    prism,
    slab,
    sweep,
)


def _cushion(w: float, d: float, t: float, y: float, puff: float, radius: float) -> Mesh:
    mesh = slab((w, t, d), (0, y, 0), radius, 8)

    def puffed(v: np.ndarray) -> np.ndarray:
        u, s = 2 * v[:, 0] / w, 2 * v[:, 2] / d
        v[:, 1] += np.where(v[:, 1] > y, 1, 0.2) * puff * (1 - u**2) * (1 - s**2)
        return v

    return mesh.deformed(puffed)


def _chair_seat(rng: np.random.Generator, w: float, d: float, y: float, t: float, round_seat: bool) -> PartNode:
    """Seat whose underside is at ``y``."""
    if round_seat:
        r = w / 2
        profile = bspline([[0, 0], [r * 0.9, 0], [r, t * 0.2], [r, t * 0.9], [r * 0.9, t * 1.1], [0, t * 0.8]], 14)
        profile[[0, -1], 0] = 0
        return part("seat", part("seat surface", lathe(profile, 28, (0, y, 0))))
    style = pick(rng, ["slab", "saddle", "cushion", "cushion", "slats", "tapered"])
    if style == "slab":
        return part("seat", part("seat surface", box((w, t, d), (0, y + t / 2, 0), t * between(rng, 0.1, 0.45), 2)))
    if style == "saddle":
        dip = t * between(rng, 0.2, 0.7)
        mesh = slab((w, t, d), (0, y + t / 2, 0), between(rng, 0.02, 0.18) * w, 8)

        def saddle(v: np.ndarray) -> np.ndarray:
            u, s = 2 * v[:, 0] / w, 2 * v[:, 2] / d
            top = v[:, 1] > y + t / 2
            v[:, 1] += np.where(top, dip * (0.7 * u**2 - 0.5 * np.clip(1 - (s + 0.2) ** 2, 0, 1)), 0)
            return v

        return part("seat", part("seat surface", mesh.deformed(saddle)))
    if style == "cushion":
        frame = part("seat frame", box((w, t * 0.5, d), (0, y + t * 0.25, 0), t * 0.1))
        pad = part("cushion", _cushion(w * 0.97, d * 0.97, t * 0.8, y + t * 0.9, t * between(rng, 0.2, 0.7), w * 0.1))
        return part("seat", frame, pad)
    if style == "slats":
        n = count(rng, 4, 8)
        pitch = w / n
        one = part("slat", box((pitch * 0.7, t * 0.5, d), (-w / 2 + pitch / 2, y + t * 0.75, 0), t * 0.1))
        rail = part("seat rail", box((w, t * 0.5, t * 0.8), (0, y + t * 0.25, d / 2 - t * 0.6)))
        return part("seat", stepped("slats", one, n, (pitch, 0, 0)), mirrored("seat frame", rail, (0, 0, 1)))
    mesh = box((w, t, d), (0, y + t / 2, 0), t * 0.3, 2)
    narrow = between(rng, -0.1, 0.12)

    def taper(v: np.ndarray) -> np.ndarray:
        v[:, 0] *= 1 + narrow * (v[:, 2] / d - 0.5)
        return v

    return part("seat", part("seat surface", mesh.deformed(taper)))


def _chair_back(rng: np.random.Generator, w: float, d: float, y: float, h: float, r: float) -> PartNode:
    """Back above the seat top ``y`` at the rear edge, ``h`` tall."""
    z = -d / 2 + r * 1.1
    bow = between(rng, -0.05, 0.15) * w if chance(rng, 0.6) else 0.0
    lean = between(rng, 0.03, 0.35)
    style = pick(rng, ["panel", "panel", "vertical slats", "vertical slats", "ladder", "frame", "hoop", "cushion"])
    if style == "panel":
        t = between(rng, 0.03, 0.09) * w
        gap = between(rng, 0.0, 0.3) * h
        gap = gap if gap > 0.06 * h else -0.01
        wide = w * between(rng, 0.8, 1.05)
        outline = (
            superellipse(wide, h - gap, between(rng, 3, 8), 28)
            if chance(rng, 0.4)
            else rounded_rectangle(wide, h - gap, 0.12 * w, 3, 5)
        )
        mesh = prism(outline, -t / 2, t / 2, t * 0.2).mapped(np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float))
        mesh = mesh.moved((0, y + gap + (h - gap) / 2, z))
        top = between(rng, 0.75, 1.1)

        def shaped(v: np.ndarray) -> np.ndarray:
            s = (v[:, 1] - y) / h
            v[:, 0] *= 1 + (top - 1) * s
            v[:, 2] += bow * ((2 * v[:, 0] / w) ** 2 - 0.5)
            return v

        panel = part("back surface", mesh.deformed(shaped))
        posts = None
        if gap > 0.06 * h:
            post = part("back post", bar((w * 0.28, y - 0.05 * h, z), (w * 0.28, y + gap * 1.5, z), r, r, up=(0, 0, 1)))
            posts = mirrored("back posts", post)
        back = part("back", panel, posts)
    elif style == "hoop":
        path = bspline(
            [
                [-w * 0.46, y - 0.02, z],
                [-w * 0.5, y + h * 0.75, z],
                [-w * 0.3, y + h * 1.1, z],
                [w * 0.3, y + h * 1.1, z],
                [w * 0.5, y + h * 0.75, z],
                [w * 0.46, y - 0.02, z],
            ],
            24,
        )
        hoop = part("back frame", sweep(path, r * 0.6, sides=10))
        n = count(rng, 3, 8)
        spindles = []
        tall = np.interp(np.linspace(-0.34, 0.34, n) * w, path[4:-4, 0], path[4:-4, 1])
        for i, x in enumerate(np.linspace(-0.34, 0.34, n) * w):
            spindles.append(part("spindle", cylinder((x * 0.85, y - 0.02, z), (x, tall[i], z), r * 0.3, sides=8)))
        back = part("back", hoop, part("spindles", *spindles))
    else:
        x = w / 2 - r
        post = part(
            "back post",
            leg_mesh(
                rng, pick(rng, ["square", "round"]), np.array([x, y + h, z]), np.array([x, y - 0.04 * h, z]), r * 0.8
            ),
        )
        posts = mirrored("back posts", post)
        inside = 2 * x
        rail_h = h * between(rng, 0.07, 0.2)

        def rail(at: float, tall: float) -> Mesh:
            path = np.stack([np.linspace(-x, x, 9), np.full(9, at), z + bow * (np.linspace(-1, 1, 9) ** 2 - 1)], 1)
            return sweep(path, 1.0, rounded_rectangle(r * 0.9, tall, r * 0.2), up=(0, 1, 0))

        top = part("top rail", rail(y + h - rail_h / 2, rail_h))
        if style == "vertical slats":
            n = count(rng, 2, 8)
            low = part("bottom rail", rail(y + 0.15 * h, rail_h * 0.7))
            pitch = inside / (n + 1)
            slats = []
            for i in range(n):
                at = -x + pitch * (i + 1)
                dz = bow * ((at / x) ** 2 - 1)
                slats.append(
                    part(
                        "slat",
                        box(
                            (pitch * 0.45, h * 0.85 - rail_h * 0.8, r * 0.4), (at, y + h * 0.575 - rail_h * 0.5, z + dz)
                        ),
                    )
                )
            back = part("back", posts, part("rails", top, low), part("slats", *slats))
        elif style == "ladder":
            n = count(rng, 2, 5)
            pitch = (h - rail_h) / n
            rungs = stepped("rungs", part("rung", rail(y + h - rail_h / 2, rail_h)), n, (0, -pitch, 0))
            back = part("back", posts, rungs)
        else:
            wide, tall = inside - r, h * between(rng, 0.5, 0.75)
            if style == "cushion":
                mesh = _cushion(wide, tall, r * 1.5, 0, r * 0.8, 0.1 * w)
            else:
                mesh = box((wide, r * 0.6, tall), bevel=r * 0.1)
            mesh = mesh.mapped(
                np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float),
                (0, y + h - tall / 2 - rail_h * 0.9, z + bow * -0.7),
            )
            back = part("back", posts, part("rails", top), part("back surface", mesh))
    return back.rotated((1, 0, 0), -lean, (0, y, -d / 2)) if abs(lean) > 0.02 else back


def _chair_arms(rng: np.random.Generator, w: float, d: float, y: float, r: float) -> PartNode:
    tall = between(rng, 0.16, 0.26)
    x = w / 2 + r * 0.3
    style = pick(rng, ["posts", "loop", "panel", "single"])
    back_z, front_z = -d / 2 + r, d / 2 - r * between(rng, 1.5, 4)
    if style == "loop":
        path = catmull_rom(
            [
                [x, y - r, back_z + 0.05],
                [x, y + tall * 0.9, back_z + 0.02],
                [x, y + tall, 0],
                [x, y + tall * 0.9, front_z],
                [x, y - r, front_z - 0.05],
            ],
            20,
        )
        return mirrored("arms", part("arm", sweep(path, r * 0.6, sides=10)))
    if style == "panel":
        wide = between(rng, 0.06, 0.14)
        panel = part("arm panel", box((wide * 0.7, tall + 0.12, d * 0.95), (x, y + tall / 2 - 0.06, 0), 0.02, 2))
        pad = part("arm pad", box((wide, 0.05, d), (x, y + tall, 0), 0.02, 2))
        return mirrored("arms", part("arm", panel, pad))
    path = bspline(
        [
            [x, y + tall, back_z - 0.01],
            [x + 0.02, y + tall * 1.03, 0],
            [x + 0.03, y + tall, front_z],
            [x + 0.01, y + tall * 0.96, front_z + 0.05],
        ],
        10,
    )
    pad = part("arm pad", sweep(path, 1.0, rounded_rectangle(2.2 * r, 0.9 * r, 0.4 * r), up=(0, 1, 0)))
    posts = [
        part("arm post", cylinder((x - 0.4 * r, y - 0.03, front_z), (x + 0.01, y + tall, front_z), r * 0.5, sides=10))
    ]
    if style == "posts":
        posts.append(
            part(
                "arm post",
                cylinder((x - 0.4 * r, y - 0.03, back_z + 0.06), (x, y + tall, back_z + 0.06), r * 0.5, sides=10),
            )
        )
    return mirrored("arms", part("arm", pad, part("arm posts", *posts)))


def _shell(rng: np.random.Generator, w: float, d: float, y: float, h: float, t: float) -> list[PartNode]:
    """Seat and back on one bent surface."""
    lean = between(rng, 0.1, 0.4) * h
    path = bspline(
        [
            [0, y - t, d / 2],
            [0, y + 0.02, d / 2 - 0.08],
            [0, y - 0.02, -d * 0.1],
            [0, y - 0.02, -d * 0.5],
            [0, y + h * 0.35, -d / 2 - lean * 0.2],
            [0, y + h, -d / 2 - lean],
        ],
        26,
    )
    s = np.linspace(0, 1, 26)
    wide = w * (1 - between(rng, 0, 0.3) * s**3) * (1 - 0.25 * np.clip((s - 0.9) / 0.1, 0, 1) ** 2)
    outline = rounded_rectangle(1, 1, 0.2, 2, 6)
    mesh = sweep(path, np.stack([np.full(26, t), wide], 1), outline, up=(1, 0, 0))
    curl = between(rng, 0.0, 0.5) * w

    def cupped(v: np.ndarray) -> np.ndarray:
        u = (2 * v[:, 0] / w) ** 2
        v[:, 1] += curl * 0.25 * u * (v[:, 2] > -d * 0.6)
        v[:, 2] += curl * 0.4 * u * np.clip((v[:, 1] - y) / h, 0, 1)
        return v

    bands = [0 if i < 13 else 1 for i in range(25)]
    groups = band_groups(26, len(outline), bands, 0, 1)
    seat, back = mesh.deformed(cupped).split(groups, 2)
    return [part("seat", part("seat surface", seat)), part("back", part("back surface", back))]


def chair(rng: np.random.Generator) -> PartNode:
    """Chairs and stools: four legs, swivel, pedestal, sled or cantilever; many backs; with or without arms."""
    w, d = between(rng, 0.38, 0.6), between(rng, 0.38, 0.56)
    y, t, r = between(rng, 0.36, 0.52), between(rng, 0.02, 0.07), between(rng, 0.014, 0.032)
    back_h = between(rng, 0.3, 0.7)
    stool = chance(rng, 0.1)
    if stool:
        y *= between(rng, 0.8, 1.5)
    base_style = pick(rng, ["legs"] * 5 + ["swivel", "swivel", "pedestal", "sled", "sled", "cantilever"])
    round_seat = chance(rng, 0.6 if stool else 0.1)
    shell = not stool and chance(rng, 0.22)
    under = y
    if shell:
        seat_parts = _shell(rng, w, d, y + t, back_h, max(t * 0.6, 0.015))
        under = y + 0.0
    else:
        seat = _chair_seat(rng, w, d, y, t, round_seat)
        high = float(seat.points()[:, 1].max())
        top = min(high, y + t * 1.3)
        # On a round seat the back stands on a chord.
        back_w, back_d = (0.62 * w, 0.76 * w + 2 * r) if round_seat else (w, d)
        seat_parts = [seat] + ([] if stool else [_chair_back(rng, back_w, back_d, top - 0.005, back_h, r)])
    if round_seat:
        bw, bd = 0.72 * w, 0.72 * w
    elif shell:
        bw, bd, under = 0.74 * w, 0.85 * d, y + 0.3 * t
    else:
        bw, bd = 0.97 * w, 0.97 * d
    if base_style == "legs":
        base = four_legs(rng, under, bw, bd, r)
    elif base_style in ("swivel", "pedestal"):
        base = pedestal(rng, under + 0.01, max(w, d) * between(rng, 0.45, 0.62), base_style == "swivel")
    elif base_style == "sled":
        x = bw / 2 - r
        front, rear = bd / 2 - r, -bd / 2 + r
        path = [
            [x, under, front],
            [x, 0.06, front + 0.02],
            [x, r * 0.6, front - 0.04],
            [x, r * 0.6, rear - 0.02],
            [x, 0.06, rear - 0.06],
            [x, under, rear],
        ]
        runner = part("runner", sweep(catmull_rom(path, 30), r * 0.6, sides=10))
        bars = stepped(
            "cross bars",
            part(
                "cross bar",
                cylinder((-x, under - r * 0.4, front - 0.03), (x, under - r * 0.4, front - 0.03), r * 0.5, sides=10),
            ),
            2,
            (0, 0, rear - front + 0.06),
        )
        base = part("base", mirrored("runners", runner), bars)
    else:
        x = bw / 2 - r
        front, rear = bd / 2 - r, -bd / 2 + r
        half = [
            [x, under - 0.3 * r, rear],
            [x, under - 0.3 * r, front - 0.08],
            [x, under * 0.8, front],
            [x, under * 0.2, front],
            [x, r * 0.6, front - 0.08],
            [x, r * 0.6, rear],
            [x * 0.8, r * 0.6, rear - 0.05],
        ]
        path = np.array(half + [[-a, b, c] for a, b, c in half[::-1]])
        tube = part("frame", sweep(bspline(path, 64), r * 0.6, sides=9, up=(0.01, 0.3, 1)))
        base = part(
            "base",
            tube,
            part("cross bar", cylinder((-x, under - 0.3 * r, 0), (x, under - 0.3 * r, 0), r * 0.5, sides=10)),
        )
    if shell or base_style in ("swivel", "pedestal"):
        size = (bw, bd) if shell else (0.4 * w, 0.4 * d)
        top = y + t - 0.02 if shell else under + 0.005
        base.children.append(
            part(
                "mount",
                box((size[0], max(top - under + 0.02, 0.012), size[1]), (0, (top + under) / 2 - 0.005, 0), 0.003),
            )
        )
    arms = None
    if not stool and not shell and not round_seat and chance(rng, 0.45):
        arms = _chair_arms(rng, w, d, y + t, r)
    return part("chair", *seat_parts, base, arms)


def sofa(rng: np.random.Generator) -> PartNode:
    """Upholstered sofas and armchairs."""
    seats = count(rng, 1, 3)
    sw = between(rng, 0.5, 0.75)
    w, d = sw * seats, between(rng, 0.6, 0.85)
    leg_h, base_h, cush = between(rng, 0.05, 0.18), between(rng, 0.12, 0.22), between(rng, 0.1, 0.2)
    y = leg_h + base_h
    arm_w, arm_h = between(rng, 0.1, 0.25), between(rng, 0.18, 0.32)
    platform = part("seat base", box((w + 0.02, base_h, d), (0, leg_h + base_h / 2, 0), 0.03, 2))
    pad = part(
        "cushion",
        _cushion(sw * 0.98, d * 0.8, cush * 0.8, y + cush * 0.4, cush * 0.25, 0.08).moved(
            (-(seats - 1) * sw / 2, 0, d * 0.09)
        ),
    )
    seat = part("seat", platform, stepped("cushions", pad, seats, (sw, 0, 0)))
    back_h, back_t = between(rng, 0.35, 0.6), between(rng, 0.1, 0.2)
    rest = part(
        "back frame", box((w + 0.02, back_h, back_t), (0, y + back_h / 2 - 0.05, -d / 2 + back_t / 2), back_t * 0.35, 3)
    )
    soft = part(
        "back cushion",
        ellipsoid(
            (sw * 0.48, back_h * 0.42, 0.1),
            (-(seats - 1) * sw / 2, y + cush * 0.8 + back_h * 0.36, -d / 2 + back_t + 0.07),
            24,
            10,
            (3.5, 4),
        ),
    )
    back = part("back", rest, stepped("back cushions", soft, seats, (sw, 0, 0))).rotated(
        (1, 0, 0), -between(rng, 0, 0.2), (0, y, -d / 2)
    )
    x = w / 2 + arm_w / 2
    if chance(rng, 0.5):
        arm = part(
            "arm",
            part(
                "arm panel",
                box((arm_w, arm_h + base_h, d), (x, leg_h + (arm_h + base_h) / 2, 0), min(0.06, arm_w * 0.4), 3),
            ),
        )
    else:
        panel = part(
            "arm panel", box((arm_w * 0.8, arm_h + base_h, d * 0.96), (x, leg_h + (arm_h + base_h) / 2, 0), 0.02)
        )
        roll = part(
            "arm pad",
            cylinder((x + arm_w * 0.1, y + arm_h, -d / 2), (x + arm_w * 0.1, y + arm_h, d / 2), arm_w * 0.6, sides=18),
        )
        arm = part("arm", panel, roll)
    lx, lz = w / 2 + arm_w * 0.5, d / 2 - 0.06
    leg = part(
        "leg",
        leg_mesh(
            rng,
            pick(rng, ["round", "turned", "square"]),
            np.array([lx, leg_h + 0.01, lz]),
            np.array([lx, 0, lz]),
            between(rng, 0.02, 0.04),
        ),
    )
    return part("sofa", seat, back, mirrored("arms", arm), part("base", four("legs", leg)))


FAMILIES = {"chair": chair, "sofa": sofa}
