"""Chairs, tables, beds, sofas and storage furniture."""

from __future__ import annotations

import numpy as np

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
    bar,
    box,
    bspline,
    catmull_rom,
    cylinder,
    ellipsoid,
    lathe,
    prism,
    rounded_rectangle,
    slab,
    superellipse,
    sweep,
)

# ------------------------------------------------------------------------------------------------------------ shared bits


def leg_mesh(rng: np.random.Generator, style: str, top: np.ndarray, foot: np.ndarray, r: float) -> Mesh:
    """A leg from ``top`` down to ``foot``; styles square, round, turned, cabriole."""
    top, foot = np.asarray(top, float), np.asarray(foot, float)
    if style == "square":
        return bar(top, foot, 2 * r, 2 * r, up=(0, 0, 1), taper=between(rng, 0.5, 1.0))
    if style == "round":
        return cylinder(top, foot, r, r * between(rng, 0.45, 1.0), sides=12)
    if style == "turned":
        along = np.linspace(0, 1, 26)[:, None]
        swell = bspline([[1.0], [1.15], [between(rng, 0.4, 1.3)], [between(rng, 0.4, 1.2)], [between(rng, 0.8, 1.6)],
                         [between(rng, 0.4, 1.0)], [between(rng, 0.5, 1.0)], [0.6]], 26)[:, 0]  # fmt: skip
        bead = 1 + 0.3 * np.exp(-(((along[:, 0] - between(rng, 0.15, 0.8)) / 0.03) ** 2))
        return sweep(top + along * (foot - top), r * swell * bead, sides=12)
    # cabriole: knee out, ankle in, foot out
    outward = np.sign(np.array([top[0], 0, top[2]])) * r
    curve = [top, top * 0.72 + foot * 0.28 + outward * 1.6, top * 0.25 + foot * 0.75 - outward * 0.9, foot + outward * 0.8]
    return sweep(catmull_rom(curve, 14), r * np.linspace(1.2, 0.55, 14), sides=10, up=(0.3, 0, 1))


def wheel_foot(x: float, z: float, r: float) -> list[Mesh]:
    """A caster: small wheel with its fork, touching y = 0."""
    return [
        cylinder((x - r * 0.5, r, z), (x + r * 0.5, r, z), r, sides=12),
        cylinder((x, r, z), (x, 2.6 * r, z), r * 0.3, sides=8),
    ]


def four_legs(rng: np.random.Generator, height: float, width: float, depth: float, r: float) -> PartNode:
    """"base" of four legs under a rectangle of ``width`` by ``depth`` whose underside is at ``height``."""
    style = pick(rng, ["square", "square", "round", "round", "turned", "cabriole"])
    splay = between(rng, 0, 0.12) * height if chance(rng, 0.4) and style != "cabriole" else 0.0
    x, z = width / 2 - 1.3 * r, depth / 2 - 1.3 * r
    top, foot = np.array([x, height + 0.3 * r, z]), np.array([x + splay, 0, z + splay])
    legs = four("legs", part("leg", leg_mesh(rng, style, top, foot, r)))
    extra = None
    kind = pick(rng, ["none", "none", "sides", "box", "h", "apron"])
    if style in ("cabriole",):
        kind = pick(rng, ["none", "apron"])
    level = between(rng, 0.15, 0.45)
    at = foot + (top - foot) * level
    thin = r * between(rng, 0.4, 0.7)
    if kind in ("sides", "box", "h"):
        side = part("stretcher", cylinder((at[0], at[1], -at[2]), (at[0], at[1], at[2]), thin, sides=10))
        groups = [mirrored("side stretchers", side)]
        if kind == "box":
            lift = at[1] + (0.0 if chance(rng, 0.5) else height * 0.08)
            front = part("stretcher", cylinder((-at[0], lift, at[2]), (at[0], lift, at[2]), thin, sides=10))
            groups.append(mirrored("cross stretchers", front, (0, 0, 1)))
        if kind == "h":
            groups.append(part("stretcher", cylinder((-at[0], at[1], 0), (at[0], at[1], 0), thin, sides=10)))
        extra = part("stretchers", *groups)
    elif kind == "apron":
        tall = height * between(rng, 0.08, 0.18)
        y = height - tall / 2
        long = part("apron board", box((2 * x, tall, r * 0.6), (0, y, z)))
        short = part("apron board", box((r * 0.6, tall, 2 * z), (x, y, 0)))
        extra = part("apron", mirrored("front boards", long, (0, 0, 1)), mirrored("side boards", short))
    return part("base", legs, extra)


def pedestal(rng: np.random.Generator, height: float, reach: float, swivel: bool) -> PartNode:
    """"base" on one column: a foot disk, or a star of arms (with casters when ``swivel``)."""
    r = reach * between(rng, 0.08, 0.16)
    if swivel or chance(rng, 0.4):
        n = count(rng, 3, 6) if not swivel else count(rng, 4, 6)
        caster = height * 0.06 if swivel else 0.0
        low = caster * 2.4 + r * 0.5
        hub_y = low + between(rng, 0.02, 0.15) * height
        path = bspline([[r * 0.5, hub_y, 0], [reach * 0.5, hub_y + 0.03 * height, 0], [reach, low, 0]], 7)
        outline = rounded_rectangle(1.4 * r, 1.0 * r, 0.3 * r)
        arm: PartNode = part("arm", sweep(path, np.linspace(1, 0.55, 7), outline, up=(0, 1, 0)))
        if swivel:
            arm = part("star leg", arm, part("caster", *wheel_foot(reach * 0.95, 0, caster)))
        foot = turned("star base", arm, n)
        column_low = hub_y - r * 0.6
    else:
        t = height * between(rng, 0.03, 0.08)
        profile = bspline([[0, 0], [reach, 0], [reach, t * 0.5], [reach * 0.9, t], [r * 2, t * 1.3], [r, t * 2.2], [0, t * 2.2]], 14)
        profile[:, 0][[0, -1]] = 0
        foot = part("foot", lathe(profile, 28))
        column_low = t
    swell = between(rng, 0.8, 1.6)
    mid = (column_low + height) / 2
    if swivel:
        column = part(
            "column",
            part("sleeve", cylinder((0, column_low, 0), (0, mid, 0), r, sides=14)),
            part("piston", cylinder((0, mid, 0), (0, height, 0), r * 0.6, sides=14)),
        )
    else:
        radii = bspline([[1.0], [swell], [between(rng, 0.5, 1.2)], [between(rng, 0.8, 1.8)]], 12)[:, 0] * r
        path = np.stack([np.zeros(12), np.linspace(column_low, height, 12), np.zeros(12)], 1)
        column = part("column", sweep(path, radii, sides=16))
    return part("base", column, foot)


def knob(rng: np.random.Generator, x: float, y: float, z: float, size: float, upright: bool = False) -> PartNode:
    """A handle on a front at depth ``z``: knob, bar, bow or cup pull."""
    kind = pick(rng, ["knob", "bar", "bow", "pull"])
    long = np.array([0, 1, 0]) if upright else np.array([1, 0, 0])
    at = np.array([x, y, z])
    out = np.array([0, 0, 1.0])
    if kind == "knob":
        profile = np.array([[0.45, 0], [0.35, 0.5], [0.9, 0.9], [1.0, 1.3], [0.7, 1.6], [0, 1.65]]) * size * 0.35
        mesh = lathe(np.concatenate([[[0, 0]], profile]), 12)
        turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)
        return part("handle", mesh.mapped(turn, at))
    if kind == "bar":
        ends = [at + long * size, at - long * size]
        posts = [cylinder(e * 0.999, e + out * size * 0.4, size * 0.1, sides=8) for e in (at + long * size * 0.7, at - long * size * 0.7)]
        return part("handle", cylinder(ends[0] + out * size * 0.4, ends[1] + out * size * 0.4, size * 0.13, sides=10), *posts)
    if kind == "bow":
        path = catmull_rom([at + long * size, at + long * size * 0.7 + out * size * 0.4, at - long * size * 0.7 + out * size * 0.4, at - long * size], 14)
        return part("handle", sweep(path, size * 0.12, sides=8))
    across = np.cross(out, long)
    dims = np.abs(long) * size * 1.6 + np.abs(across) * size * 0.3 + out * size * 0.35
    return part("handle", box(dims, at + out * size * 0.17, size * 0.06))


# ----------------------------------------------------------------------------------------------------------------- chair


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
        outline = superellipse(wide, h - gap, between(rng, 3, 8), 28) if chance(rng, 0.4) else rounded_rectangle(wide, h - gap, 0.12 * w, 3, 5)
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
        path = bspline([[-w * 0.46, y - 0.02, z], [-w * 0.5, y + h * 0.75, z], [-w * 0.3, y + h * 1.1, z], [w * 0.3, y + h * 1.1, z],
                        [w * 0.5, y + h * 0.75, z], [w * 0.46, y - 0.02, z]], 24)  # fmt: skip
        hoop = part("back frame", sweep(path, r * 0.6, sides=10))
        n = count(rng, 3, 8)
        spindles = []
        tall = np.interp(np.linspace(-0.34, 0.34, n) * w, path[4:-4, 0], path[4:-4, 1])
        for i, x in enumerate(np.linspace(-0.34, 0.34, n) * w):
            spindles.append(part("spindle", cylinder((x * 0.85, y - 0.02, z), (x, tall[i], z), r * 0.3, sides=8)))
        back = part("back", hoop, part("spindles", *spindles))
    else:
        x = w / 2 - r
        post = part("back post", leg_mesh(rng, pick(rng, ["square", "round"]), np.array([x, y + h, z]), np.array([x, y - 0.04 * h, z]), r * 0.8))
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
                slats.append(part("slat", box((pitch * 0.45, h * 0.85 - rail_h * 0.8, r * 0.4), (at, y + h * 0.575 - rail_h * 0.5, z + dz))))
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
            mesh = mesh.mapped(np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float), (0, y + h - tall / 2 - rail_h * 0.9, z + bow * -0.7))
            back = part("back", posts, part("rails", top), part("back surface", mesh))
    return back.rotated((1, 0, 0), -lean, (0, y, -d / 2)) if abs(lean) > 0.02 else back


def _chair_arms(rng: np.random.Generator, w: float, d: float, y: float, r: float) -> PartNode:
    tall = between(rng, 0.16, 0.26)
    x = w / 2 + r * 0.3
    style = pick(rng, ["posts", "loop", "panel", "single"])
    back_z, front_z = -d / 2 + r, d / 2 - r * between(rng, 1.5, 4)
    if style == "loop":
        path = catmull_rom([[x, y - r, back_z + 0.05], [x, y + tall * 0.9, back_z + 0.02], [x, y + tall, 0], [x, y + tall * 0.9, front_z], [x, y - r, front_z - 0.05]], 20)
        return mirrored("arms", part("arm", sweep(path, r * 0.6, sides=10)))
    if style == "panel":
        wide = between(rng, 0.06, 0.14)
        panel = part("arm panel", box((wide * 0.7, tall + 0.12, d * 0.95), (x, y + tall / 2 - 0.06, 0), 0.02, 2))
        pad = part("arm pad", box((wide, 0.05, d), (x, y + tall, 0), 0.02, 2))
        return mirrored("arms", part("arm", panel, pad))
    path = bspline([[x, y + tall, back_z - 0.01], [x + 0.02, y + tall * 1.03, 0], [x + 0.03, y + tall, front_z], [x + 0.01, y + tall * 0.96, front_z + 0.05]], 10)
    pad = part("arm pad", sweep(path, 1.0, rounded_rectangle(2.2 * r, 0.9 * r, 0.4 * r), up=(0, 1, 0)))
    posts = [part("arm post", cylinder((x - 0.4 * r, y - 0.03, front_z), (x + 0.01, y + tall, front_z), r * 0.5, sides=10))]
    if style == "posts":
        posts.append(part("arm post", cylinder((x - 0.4 * r, y - 0.03, back_z + 0.06), (x, y + tall, back_z + 0.06), r * 0.5, sides=10)))
    return mirrored("arms", part("arm", pad, part("arm posts", *posts)))


def _shell(rng: np.random.Generator, w: float, d: float, y: float, h: float, t: float) -> list[PartNode]:
    """Seat and back on one bent surface."""
    lean = between(rng, 0.1, 0.4) * h
    path = bspline([[0, y - t, d / 2], [0, y + 0.02, d / 2 - 0.08], [0, y - 0.02, -d * 0.1], [0, y - 0.02, -d * 0.5],
                    [0, y + h * 0.35, -d / 2 - lean * 0.2], [0, y + h, -d / 2 - lean]], 26)  # fmt: skip
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
        path = [[x, under, front], [x, 0.06, front + 0.02], [x, r * 0.6, front - 0.04], [x, r * 0.6, rear - 0.02], [x, 0.06, rear - 0.06], [x, under, rear]]
        runner = part("runner", sweep(catmull_rom(path, 30), r * 0.6, sides=10))
        bars = stepped("cross bars", part("cross bar", cylinder((-x, under - r * 0.4, front - 0.03), (x, under - r * 0.4, front - 0.03), r * 0.5, sides=10)), 2, (0, 0, rear - front + 0.06))
        base = part("base", mirrored("runners", runner), bars)
    else:
        x = bw / 2 - r
        front, rear = bd / 2 - r, -bd / 2 + r
        half = [[x, under - 0.3 * r, rear], [x, under - 0.3 * r, front - 0.08], [x, under * 0.8, front], [x, under * 0.2, front], [x, r * 0.6, front - 0.08], [x, r * 0.6, rear], [x * 0.8, r * 0.6, rear - 0.05]]
        path = np.array(half + [[-a, b, c] for a, b, c in half[::-1]])
        tube = part("frame", sweep(bspline(path, 64), r * 0.6, sides=9, up=(0.01, 0.3, 1)))
        base = part("base", tube, part("cross bar", cylinder((-x, under - 0.3 * r, 0), (x, under - 0.3 * r, 0), r * 0.5, sides=10)))
    if shell or base_style in ("swivel", "pedestal"):
        size = (bw, bd) if shell else (0.4 * w, 0.4 * d)
        top = y + t - 0.02 if shell else under + 0.005
        base.children.append(part("mount", box((size[0], max(top - under + 0.02, 0.012), size[1]), (0, (top + under) / 2 - 0.005, 0), 0.003)))
    arms = None
    if not stool and not shell and not round_seat and chance(rng, 0.45):
        arms = _chair_arms(rng, w, d, y + t, r)
    return part("chair", *seat_parts, base, arms)


# ----------------------------------------------------------------------------------------------------------------- table


def _drawer(rng: np.random.Generator, x: float, y: float, z: float, w: float, h: float, deep: float, handles: int = 1) -> PartNode:
    """Drawer whose front is centred at (x, y) and stands at depth z, pulled out a little."""
    out = between(rng, 0, 0.5) * deep if chance(rng, 0.25) else 0.0
    t = min(w, h) * 0.06
    z = z + out
    front = part("drawer front", box((w - min(0.04 * w, 0.012), h - min(0.06 * h, 0.012), t), (x, y, z + t / 2), t * 0.25))
    size = min(w * 0.16, h * 0.28)
    grip = [knob(rng, x, y, z + t, size)]
    if handles == 2:
        one = knob(rng, x + w * 0.28, y, z + t, size * 0.8)
        grip = [mirrored("handles", one, point=(x, 0, 0))]
    case = None
    if out > 0.05 * deep:
        inner_w, inner_h = w * 0.88, h * 0.7
        low = y - h * 0.4
        case = part(
            "drawer box",
            box((inner_w, t * 0.6, deep), (x, low, z - deep / 2)),
            box((t * 0.6, inner_h, deep), (x - inner_w / 2, low + inner_h / 2, z - deep / 2)),
            box((t * 0.6, inner_h, deep), (x + inner_w / 2, low + inner_h / 2, z - deep / 2)),
        )
    return part("drawer", front, case, *grip)


def table(rng: np.random.Generator) -> PartNode:
    """Tables and desks: legs, pedestal, trestle or panel sides; drawers; round, oval, rounded and square tops."""
    w, d, h = between(rng, 0.7, 2.0), between(rng, 0.5, 1.0), between(rng, 0.38, 0.85)
    t, r = between(rng, 0.02, 0.06), between(rng, 0.02, 0.05)
    style = pick(rng, ["legs", "legs", "legs", "pedestal", "trestle", "desk", "panel", "hairpin"])
    shape = pick(rng, ["square", "square", "rounded", "oval", "round"])
    if style in ("desk", "panel", "trestle") and shape in ("round", "oval"):
        shape = "rounded"
    if shape == "round":
        d = w = max(d, min(w, 1.1))
    outline = {
        "square": lambda: rounded_rectangle(w, d, 0.0),
        "rounded": lambda: rounded_rectangle(w, d, between(rng, 0.05, 0.3) * d, 4),
        "oval": lambda: superellipse(w, d, between(rng, 2, 3.5), 36),
        "round": lambda: superellipse(w, d, 2, 36),
    }[shape]()
    board = part("board", prism(outline, h - t, h, t * between(rng, 0.05, 0.3), taper=between(rng, 0.98, 1.0)))
    top = part("top", board)
    if shape in ("round", "oval") and chance(rng, 0.3):
        top.children.append(part("top edge", sweep(np.stack([outline[:, 0] * 0.98, np.full(len(outline), h - t * 1.1), -outline[:, 1] * 0.98], 1), t * 0.6, sides=8, loop=True, up=(0, 1, 0))))
    under = h - t
    inset = 0.66 if shape in ("round", "oval") else 0.95
    drawers = None
    if style == "legs":
        base = four_legs(rng, under, w * inset, d * inset, r)
        if shape not in ("round", "oval") and chance(rng, 0.35):
            n = count(rng, 1, 3)
            tall = under * between(rng, 0.14, 0.25)
            pitch = (w * inset - 4 * r) / n
            z = d * inset / 2 - r
            case = part("drawer case", box((w * inset - 3 * r, tall, d * inset - 4 * r), (0, under - tall / 2, -r * 0.5)))
            one = _drawer(rng, -(n - 1) * pitch / 2, under - tall / 2, z - r * 1.6, pitch, tall, d * 0.7)
            drawers = part("drawers", case, stepped("drawer row", one, n, (pitch, 0, 0)) if n > 1 else one)
    elif style == "pedestal":
        reach = min(w, d) * between(rng, 0.3, 0.45)
        one = pedestal(rng, under + 0.005, reach, False)
        if w > 1.8 * d:
            for child in one.children:
                child.name = {"column": "column"}.get(child.name, child.name)
            one = mirrored("base", PartNode("pedestal", one.moved(w * 0.27, 0, 0).children))
        base = one
    elif style == "trestle":
        x = w * between(rng, 0.3, 0.42)
        kind = pick(rng, ["a", "x", "t"])
        z = d * 0.4
        if kind == "a":
            one = part("trestle leg", leg_mesh(rng, "square", np.array([x, under, z * 0.25]), np.array([x, 0, z]), r))
            frame = part("trestle", mirrored("trestle legs", one, (0, 0, 1)), part("cross bar", bar((x, under * 0.4, -z * 0.75), (x, under * 0.4, z * 0.75), r, r * 1.5)))
        elif kind == "x":
            one = part("trestle leg", bar((x + r * 0.5, under, -z), (x + r * 0.5, 0, z), r, 2 * r, up=(1, 0, 0)))
            frame = part("trestle", turned("trestle legs", one, 2, (0, 1, 0), (x, 0, 0)))
        else:
            frame = part(
                "trestle",
                part("column", box((1.5 * r, under - 2 * r, 5 * r), (x, under / 2, 0), r * 0.2)),
                part("foot", box((2 * r, 2 * r, 2 * z), (x, r, 0), r * 0.6, 2)),
                part("head", box((2 * r, 1.5 * r, 1.6 * z), (x, under - 0.7 * r, 0), r * 0.3)),
            )
        beam = part("beam", box((2 * x, 3 * r, r), (0, under * 0.45, 0)))
        base = part("base", mirrored("trestles", frame), beam)
    elif style == "hairpin":
        x, z = w * inset / 2 - 0.06, d * inset / 2 - 0.06
        path = catmull_rom([[x - 0.05, under + 0.005, z], [x + 0.02, 0.05, z], [x + 0.03, 0.012, z], [x + 0.04, 0.05, z], [x + 0.05, under + 0.005, z]], 26)
        base = part("base", four("legs", part("leg", sweep(path, 0.009, sides=8))))
    else:
        thick = between(rng, 0.02, 0.05)
        side = part("side panel", box((thick, under, d * 0.94), (w / 2 - thick * 1.2, under / 2, 0)))
        sides = mirrored("side panels", side)
        back = part("back panel", box((w - 2 * thick, under * between(rng, 0.3, 0.9), thick * 0.7), (0, under * 0.6, -d * 0.4)))
        base = part("base", sides, back)
        if style == "desk":
            n = count(rng, 2, 4)
            wide = w * between(rng, 0.22, 0.34)
            pitch = under * 0.9 / n
            x = w / 2 - thick * 1.7 - wide / 2
            case = part("drawer case", box((wide, under * 0.95, d * 0.86), (x, under * 0.52, -0.02 * d)))
            one = _drawer(rng, x, under - 0.02 - pitch / 2, d * 0.41, wide, pitch, d * 0.8)
            stack = part("pedestal", case, stepped("drawer column", one, n, (0, -pitch, 0)))
            drawers = mirrored("drawers", stack) if chance(rng, 0.35) else part("drawers", stack)
    return part("table", top, base, drawers)


# ------------------------------------------------------------------------------------------------------------------ beds


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
    frame = part("frame", mirrored("side rails", side), mirrored("end rails", foot_rail, (0, 0, 1)), stepped("slats", slat, n, (0, 0, d / n)))
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
            top = bspline([[x, low], [x, high * 0.9], [x * 0.5, high * 1.1], [-x * 0.5, high * 1.1], [-x, high * 0.9], [-x, low]], 22)
            mesh = prism(np.concatenate([top, [[-x * 0.5, low], [0, low], [x * 0.5, low]]]), -thick / 2, thick / 2, thick * 0.15)
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
        post = part("post", leg_mesh(rng, pick(rng, ["square", "round"]), np.array([x - r, high * 1.03, at]), np.array([x - r, 0, at]), r))
        return part(name, board(at, high), mirrored("posts", post))

    style = pick(rng, ["boards", "boards", "head", "legs", "bunk"])
    if style == "legs":
        base = four("legs", part("leg", leg_mesh(rng, pick(rng, ["square", "round", "turned"]), np.array([x - r, rail_y + 0.02, z - r]), np.array([x - r, 0, z - r]), r)))
        head = end("headboard", -z - thick / 2, between(rng, 0.7, 1.2))
        return part("bed", frame, bedding, head, part("base", base))
    head = end("headboard", -z, between(rng, 0.7, 1.3))
    if style == "head":
        short = part("leg", leg_mesh(rng, "square", np.array([x - r, rail_y + 0.02, z - r]), np.array([x - r, 0, z - r]), r))
        return part("bed", frame, bedding, head, part("base", mirrored("legs", short)))
    if style == "bunk":
        rise = between(rng, 0.95, 1.15)
        post = part("post", leg_mesh(rng, "square", np.array([x + r, rise + 0.75, z + r]), np.array([x + r, 0, z + r]), r))
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


# --------------------------------------------------------------------------------------------------------------- storage


def storage(rng: np.random.Generator) -> PartNode:
    """Cabinets, wardrobes, shelves and chests: columns of drawers, doors and open shelves in one carcass."""
    w, h, d = between(rng, 0.5, 1.6), between(rng, 0.5, 2.0), between(rng, 0.3, 0.6)
    t = between(rng, 0.015, 0.04)
    base_kind = pick(rng, ["plinth", "legs", "legs", "flat", "casters"])
    lift = {"plinth": between(rng, 0.04, 0.1), "legs": between(rng, 0.08, 0.25), "flat": 0.0, "casters": 0.08}[base_kind]
    y0, y1 = lift, lift + h
    side = part("side panel", box((t, h, d), (w / 2 - t / 2, (y0 + y1) / 2, 0)))
    overhang = between(rng, 0, 0.03)
    carcass = part(
        "frame",
        mirrored("side panels", side),
        part("top panel", box((w + 2 * overhang, t, d + overhang), (0, y1 - t / 2, overhang / 2), t * 0.2)),
        part("bottom panel", box((w - 2 * t, t, d), (0, y0 + t / 2, 0))),
        part("back panel", box((w - 2 * t, h - 2 * t, t * 0.4), (0, (y0 + y1) / 2, -d / 2 + t * 0.2))),
    )
    columns = count(rng, 1, 3) if w > 0.8 else count(rng, 1, 2)
    wide = (w - 2 * t - (columns - 1) * t) / columns
    left = -w / 2 + t
    low, high = y0 + t, y1 - t
    if columns > 1:
        wall = part("divider", box((t, h - 2 * t, d - t), (left + wide + t / 2, (y0 + y1) / 2, 0)))
        carcass.children.append(stepped("dividers", wall, columns - 1, (wide + t, 0, 0)) if columns > 2 else wall)

    def shelf_board(x: float, y: float) -> PartNode:
        return part("shelf", box((wide, t * 0.8, d - 2 * t), (x, y, 0)))

    def cell(kind: str, x: float, a: float, b: float) -> list[PartNode]:
        """Content of the opening centred at x from height a to b."""
        tall = b - a
        z = d / 2
        if kind == "drawers":
            n = max(1, int(tall / between(rng, 0.15, 0.3)))
            pitch = tall / n
            one = _drawer(rng, x, b - pitch / 2, z - t * 0.6, wide, pitch, d * 0.85, 2 if wide > 0.7 else 1)
            return [stepped("drawers", one, n, (0, -pitch, 0)) if n > 1 else one]
        if kind == "shelves":
            n = max(1, int(tall / between(rng, 0.22, 0.4)))
            pitch = tall / (n + 1)
            one = shelf_board(x, a + pitch)
            return [stepped("shelves", one, n, (0, pitch, 0)) if n > 1 else one]
        double = wide > 0.6
        panel_w = wide / 2 if double else wide
        px = x + panel_w / 2 if double else x
        hinge = px + panel_w / 2
        frame_style = chance(rng, 0.5)
        outer = box((panel_w * 0.98, tall * 0.98, t * 0.8), (px, (a + b) / 2, z + t * 0.2), t * 0.15)
        detail = [part("door panel", outer)]
        if frame_style:
            rim = box((panel_w * 0.7, tall * 0.8, t * 0.5), (px, (a + b) / 2, z + t * 0.6), t * 0.2)
            detail = [part("door frame", outer), part("door panel", rim)]
        grip = knob(rng, px - panel_w * 0.38, (a + b) / 2, z + t * 0.58, min(0.07, panel_w * 0.15), True)
        door = part("door", *detail, grip)
        swing = between(rng, 0.2, 1.7) if chance(rng, 0.3) else 0.0
        if swing:
            door = door.rotated((0, 1, 0), swing, (hinge, 0, z))
        content = [mirrored("doors", door, point=(x, 0, 0)) if double else door]
        if swing:
            content.append(shelf_board(x, (a + b) / 2))
        return content

    groups: dict[str, list[PartNode]] = {"drawers": [], "doors": [], "shelves": []}
    same = chance(rng, 0.5)
    plan = None
    for i in range(columns):
        x = left + wide / 2 + i * (wide + t)
        if plan is None or not same:
            cut = between(rng, 0.35, 0.65) if h > 0.8 and chance(rng, 0.6) else 0.0
            plan = (cut, [pick(rng, ["drawers", "doors", "shelves"]) for _ in range(2)])
        cut, kinds = plan
        spans = [(low, high)] if not cut else [(low, low + cut * (high - low) - t / 2), (low + cut * (high - low) + t / 2, high)]
        if cut:
            carcass.children.append(part("shelf", box((wide, t, d - t), (x, low + cut * (high - low), 0))))
        for kind, (a, b) in zip(kinds, spans, strict=False):
            groups[kind] += cell(kind, x, a, b)
    contents = [part(name, *nodes) if len(nodes) > 1 or nodes[0].name != name else nodes[0] for name, nodes in groups.items() if nodes]
    base = None
    if base_kind == "plinth":
        base = part("base", part("plinth", box((w * 0.94, lift, d * 0.9), (0, lift / 2, -0.02 * d))))
    elif base_kind == "legs":
        r = between(rng, 0.012, 0.03)
        style = pick(rng, ["square", "round", "turned"])
        foot = np.array([w / 2 - 2.2 * r, 0, d / 2 - 2.2 * r])
        base = part("base", four("legs", part("leg", leg_mesh(rng, style, foot * (0.97, 1, 0.97) + (0, lift + 0.005, 0), foot, r))))
    elif base_kind == "casters":
        base = part("base", four("casters", part("caster", *wheel_foot(w / 2 - 0.05, d / 2 - 0.05, lift / 2.5))))
    return part("storage furniture", carcass, *contents, base)


# ------------------------------------------------------------------------------------------------------------------ sofa


def sofa(rng: np.random.Generator) -> PartNode:
    """Upholstered sofas and armchairs."""
    seats = count(rng, 1, 3)
    sw = between(rng, 0.5, 0.75)
    w, d = sw * seats, between(rng, 0.6, 0.85)
    leg_h, base_h, cush = between(rng, 0.05, 0.18), between(rng, 0.12, 0.22), between(rng, 0.1, 0.2)
    y = leg_h + base_h
    arm_w, arm_h = between(rng, 0.1, 0.25), between(rng, 0.18, 0.32)
    platform = part("seat base", box((w + 0.02, base_h, d), (0, leg_h + base_h / 2, 0), 0.03, 2))
    pad = part("cushion", _cushion(sw * 0.98, d * 0.8, cush * 0.8, y + cush * 0.4, cush * 0.25, 0.08).moved((-(seats - 1) * sw / 2, 0, d * 0.09)))
    seat = part("seat", platform, stepped("cushions", pad, seats, (sw, 0, 0)))
    back_h, back_t = between(rng, 0.35, 0.6), between(rng, 0.1, 0.2)
    rest = part("back frame", box((w + 0.02, back_h, back_t), (0, y + back_h / 2 - 0.05, -d / 2 + back_t / 2), back_t * 0.35, 3))
    soft = part("back cushion", ellipsoid((sw * 0.48, back_h * 0.42, 0.1), (-(seats - 1) * sw / 2, y + cush * 0.8 + back_h * 0.36, -d / 2 + back_t + 0.07), 24, 10, (3.5, 4)))
    back = part("back", rest, stepped("back cushions", soft, seats, (sw, 0, 0))).rotated((1, 0, 0), -between(rng, 0, 0.2), (0, y, -d / 2))
    x = w / 2 + arm_w / 2
    if chance(rng, 0.5):
        arm = part("arm", part("arm panel", box((arm_w, arm_h + base_h, d), (x, leg_h + (arm_h + base_h) / 2, 0), min(0.06, arm_w * 0.4), 3)))
    else:
        panel = part("arm panel", box((arm_w * 0.8, arm_h + base_h, d * 0.96), (x, leg_h + (arm_h + base_h) / 2, 0), 0.02))
        roll = part("arm pad", cylinder((x + arm_w * 0.1, y + arm_h, -d / 2), (x + arm_w * 0.1, y + arm_h, d / 2), arm_w * 0.6, sides=18))
        arm = part("arm", panel, roll)
    lx, lz = w / 2 + arm_w * 0.5, d / 2 - 0.06
    leg = part("leg", leg_mesh(rng, pick(rng, ["round", "turned", "square"]), np.array([lx, leg_h + 0.01, lz]), np.array([lx, 0, lz]), between(rng, 0.02, 0.04)))
    return part("sofa", seat, back, mirrored("arms", arm), part("base", four("legs", leg)))


FAMILIES = {"chair": chair, "table": table, "bed": bed, "storage": storage, "sofa": sofa}
