"""Insects, spiders, octopuses, starfish, worms, plants and random limb trees. y is up; sizes near one."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.figure import SIDES, Figure, X, Y, Z, bent, turn, unit, walk


def insect(rng: np.random.Generator) -> Figure:
    """Ants and other six-legged things, or spiders with eight; jointed legs, antennae, sometimes wings or claws."""
    fig = Figure(rng, blend=0.2)
    spider = rng.random() < 0.3
    slim = rng.uniform(0.75, 1.2)
    r_thorax = rng.uniform(0.06, 0.09) * slim
    long = rng.uniform(0.08, 0.14)
    fig.limb("thorax", [[0, 0, -long], [0, 0.01, long * 0.8]], [r_thorax * 0.75, r_thorax], bulge=0.1)
    r_back = rng.uniform(0.1, 0.16) * slim
    waist = rng.uniform(0.0, 0.06)
    droop = turn(X, rng.uniform(-25, 15))
    start = np.array([0, 0, -long - waist - r_back * 0.7])
    mid = start + droop @ (Z * -rng.uniform(0.02, 0.12))
    end = mid + droop @ (Z * -rng.uniform(0.08, 0.35))
    if waist > 0.02:
        fig.limb("abdomen", [[0, 0, -long], start], 0.035, blend=0.4)
    fig.limb("abdomen", [start, mid, end], [r_back * 0.75, r_back, r_back * 0.4], inner=0.1)
    r_head = rng.uniform(0.06, 0.1) * (0.75 if spider else 1)
    front = np.array([0, rng.uniform(-0.01, 0.04), long * 0.9 + r_thorax * 0.6 + r_head])
    nod = turn(X, rng.uniform(0, 35)) @ turn(Y, rng.normal(scale=10))
    fig.limb(("head", "head"), [front, front + nod @ (Z * r_head * rng.uniform(0.1, 0.7))], [r_head, r_head * 0.8])
    fig.limb(("head", "head"), [[0, 0, long * 0.8], front], 0.03)
    if not spider or rng.random() < 0.3:
        reach, lift = rng.uniform(0.12, 0.35), rng.uniform(0.3, 1.2)
        joint = rng.random() < 0.6
        thick = rng.uniform(0.012, 0.018)
        for name, s in SIDES:
            root = front + nod @ np.array([s * r_head * 0.45, r_head * 0.55, r_head * 0.6])
            knee = root + nod @ unit([s * 0.6, lift, 0.7]) * reach * 0.5
            tip = knee + nod @ unit([s * 0.7, -0.1, 1.0]) * reach * rng.uniform(0.5, 0.9)
            fig.limb(f"antenna@{name}", [root, knee, tip] if joint else bent([root, knee, tip], 6), thick)
    if rng.random() < 0.6:
        for name, s in SIDES:
            root = front + nod @ np.array([s * r_head * 0.4, -r_head * 0.3, r_head * 1.0])
            mid = root + nod @ np.array([s * 0.02, -0.01, 0.035])
            fig.limb(
                ("head", f"mandible@{name}"),
                [root, mid, mid + nod @ np.array([s * -0.025, 0, 0.03])],
                [0.022, 0.018, 0.01],
            )
    if rng.random() < 0.35:
        for name, s in SIDES:
            fig.limb(
                ("head", f"eye@{name}"),
                [front + nod @ np.array([s * r_head * 0.8, r_head * 0.35, r_head * 0.35])],
                r_head * 0.33,
                blend=0.05,
            )
    pairs = 4 if spider else 3
    thick = rng.choice([rng.uniform(0.014, 0.022), rng.uniform(0.022, 0.036)])
    span, height = rng.uniform(0.24, 0.5), rng.uniform(-0.02, 0.2)
    rubber = rng.random() < 0.35  # legs bent in one curve, a part each
    ground = -rng.uniform(0.0, 0.24)
    parts = int(rng.integers(2, 4))
    for i in range(pairs):
        t = i / (pairs - 1)
        fan = np.radians(np.interp(t, [0, 1], [50, -50]) + rng.normal(scale=6))
        for name, s in SIDES:
            angle = fan + np.radians(rng.normal(scale=8))
            out = np.array([s * np.cos(angle), 0, np.sin(angle)])
            root = np.array([s * r_thorax * 0.6, -r_thorax * 0.25, np.interp(t, [0, 1], [long * 0.7, -long * 0.8])])
            reach = span * rng.uniform(0.9, 1.1) * (1.15 if i in (0, pairs - 1) else 1)
            hip = root + out * 0.05
            knee = root + out * reach * 0.5 + Y * height * rng.uniform(0.8, 1.2)
            foot = root + out * reach + Y * (ground - root[1])
            toe = foot + out * reach * 0.16 + Y * 0.002
            leg = f"leg@{name} {i}"
            if rubber:
                path = bent([root, knee, foot, toe], 10)
                fig.limb(leg, path, np.linspace(1.2, 0.8, 10) * thick, blend=0.6)
                continue
            tarsus = (leg, "tarsus") if parts == 3 else (leg, "tibia")
            fig.limb((leg, "femur"), [root, hip, knee], np.array([1.25, 1.3, 1.0]) * thick, bulge=0.1, blend=0.6)
            fig.limb((leg, "tibia"), [knee, foot], np.array([1.0, 0.75]) * thick, blend=0.05)
            fig.limb(tarsus, [foot, toe], np.array([0.78, 0.65]) * thick, blend=0.05)
    if not spider and rng.random() < 0.15:
        for i in range(int(rng.integers(1, 3))):
            for name, s in SIDES:
                root = np.array([s * 0.02, r_thorax * 0.8, 0.03 - 0.06 * i])
                d = unit([s, rng.uniform(0.1, 0.5), -0.5 - 0.8 * i])
                fig.limb(
                    f"wing@{name} {i}",
                    [root, root + d * 0.15, root + d * rng.uniform(0.3, 0.42)],
                    [0.03, 0.08, 0.05],
                    flat=0.12,
                    normal=unit(np.cross(d, Z) * s),
                    blend=0.2,
                )
    if spider and rng.random() < 0.25:  # a scorpion's claws and tail
        for name, s in SIDES:
            path = [front + X * s * 0.04, front + np.array([s * 0.16, 0, 0.1]), front + np.array([s * 0.12, 0, 0.25])]
            fig.limb((f"claw arm@{name}", "arm"), path, 0.022)
            for k in (-1, 1):
                fig.limb(
                    (f"claw arm@{name}", "claw"),
                    [path[-1], path[-1] + np.array([0.03 * k, 0, 0.05]), path[-1] + np.array([0.012 * k, 0, 0.1])],
                    [0.03, 0.022, 0.01],
                )
        fig.limb("tail", walk(end, -Z, X, 0.07, rng.uniform(22, 34) * np.ones(7)), np.linspace(0.045, 0.02, 8))
    return fig


def octopus(rng: np.random.Generator) -> Figure:
    """A head and six to nine bent tentacles, sprawling, hanging or raised."""
    fig = Figure(rng, blend=rng.uniform(0.25, 0.6))
    n = int(rng.choice([6, 7, 8, 9], p=[0.2, 0.1, 0.6, 0.1]))
    r = rng.uniform(0.13, 0.22)
    tall = rng.uniform(0.05, 0.4)
    tilt = turn(rng.normal(size=3) * [1, 0, 1] + 1e-6, rng.normal(scale=18))
    fig.limb(
        ("head", "head"),
        [np.zeros(3), tilt @ (Y * r * 0.9), tilt @ (Y * (r * 0.9 + tall))],
        [r * rng.uniform(0.6, 0.9), r, r * rng.uniform(0.6, 1.0)],
        inner=0.2,
    )
    if rng.random() < 0.55:
        e = r * rng.uniform(0.22, 0.32)
        for name, s in SIDES:
            fig.limb(("head", f"eye@{name}"), [tilt @ np.array([s * r * 0.55, r * 0.8, r * 0.8])], e, blend=0.1)
    m, length = 16, rng.choice([rng.uniform(0.5, 1.0), rng.uniform(0.9, 1.6)])
    slope, curl = rng.uniform(-75, 10), rng.uniform(-5, 10)
    wave = rng.choice([0.0, rng.uniform(5, 16)])
    thick = r * rng.uniform(0.26, 0.42) * min(1, 8 / n)
    bands = rng.random() < 0.15
    for i in range(n):
        a = 2 * np.pi * (i + rng.uniform(-0.15, 0.15)) / n
        out = np.array([np.cos(a), 0, np.sin(a)])
        side = np.cross(Y, out)
        start = out * r * 0.5 - Y * r * 0.25
        d = turn(side, -(slope + rng.normal(scale=9))) @ out
        bends = -(curl + rng.normal(scale=3)) * np.linspace(0.3, 1.6, m) + np.linspace(0, 1, m) * rng.normal(scale=6)
        bends += wave * np.sin(np.linspace(0, rng.uniform(4, 8), m) + rng.uniform(0, 6.3))
        axis = turn(out, rng.normal(scale=35)) @ side
        path = walk(start, d, axis, length * rng.uniform(0.85, 1.1) / m, bends)
        radii = thick * np.linspace(1, rng.uniform(0.22, 0.4), m + 1)
        name = f"tentacle@{i}"
        if bands:
            fig.limb((name, "upper tentacle"), path[:6], radii[:6])
            fig.limb((name, "lower tentacle"), path[5:], radii[5:], blend=0.03)
        else:
            fig.limb(name, path, radii)
    return fig


def starfish(rng: np.random.Generator) -> Figure:
    """Flat body with five (rarely more) arms."""
    fig = Figure(rng, blend=0.6)
    n = int(rng.choice([5, 5, 5, 6, 7]))
    r = rng.uniform(0.13, 0.24)
    flat = rng.uniform(0.35, 0.7)
    fig.limb("body", [np.zeros(3)], r, flat=flat, normal=Y)
    for i in range(n):
        a = 2 * np.pi * i / n + rng.normal(scale=0.06)
        out = np.array([np.cos(a), rng.normal(scale=0.1), np.sin(a)])
        path = walk(
            out * r * 0.5,
            out,
            unit(rng.normal(size=3) * [0.4, 1, 0.4]),
            rng.uniform(0.06, 0.08),
            rng.normal(scale=7) * np.ones(6),
        )
        fig.limb(f"arm@{i}", path, np.linspace(r * 0.55, 0.03, 7), flat=min(1.0, flat * 1.2), normal=Y)
    return fig


def worm(rng: np.random.Generator) -> Figure:
    """A snake or worm along a wandering path, with a head and sometimes a marked tail or eyes."""
    fig = Figure(rng, blend=0.2)
    n = 28
    bends = rng.uniform(15, 32) * np.sin(np.linspace(0, rng.uniform(5, 14), n) + rng.uniform(0, 6))
    path = walk(np.zeros(3), Z, Y, 0.06, bends)
    path[:, 1] += rng.uniform(0, 0.12) * np.sin(np.linspace(0, rng.uniform(1, 6), n + 1))
    r = rng.uniform(0.035, 0.06)
    radii = r * np.interp(np.linspace(0, 1, n + 1), [0, 0.08, 0.5, 1], [0.8, 1, 1, 0.25])
    cut = int(n * rng.uniform(0.6, 0.8)) if rng.random() < 0.5 else n
    fig.limb("body", path[: cut + 1], radii[: cut + 1])
    if cut < n:
        fig.limb("tail", path[cut:], radii[cut:], blend=0.02)
    head = -unit(path[1] - path[0])
    tip = path[0] + head * r * rng.uniform(1.6, 2.8)
    fig.limb(("head", "skull"), [path[0] + head * r * 0.9, tip], [r * 1.35, r * 0.75], flat=0.75, normal=Y, blend=0.3)
    if rng.random() < 0.4:
        across = np.cross(Y, head)
        for name, s in SIDES:
            fig.limb(
                ("head", f"eye@{name}"),
                [path[0] + head * r * 1.3 + across * s * r * 0.75 + Y * r * 0.6],
                r * 0.3,
                blend=0.1,
            )
    return fig


def cactus(rng: np.random.Generator) -> Figure:
    """A trunk with upturned arms, sometimes in a pot."""
    fig = Figure(rng, blend=0.3)
    r = rng.uniform(0.07, 0.11)
    h = rng.uniform(0.6, 0.9)
    fig.limb(
        "trunk",
        bent([[0, 0, 0], [rng.normal(scale=0.03), h * 0.5, 0], [rng.normal(scale=0.04), h, 0]], 6),
        np.array([0.9, 1, 1, 1, 1, 0.85]) * r,
    )
    for i in range(int(rng.integers(1, 6))):
        out = turn(Y, rng.uniform(0, 360)) @ X
        y = h * rng.uniform(0.25, 0.75)
        reach, rise = rng.uniform(0.13, 0.22), rng.uniform(0.12, 0.35)
        q = r * rng.uniform(0.5, 0.8)
        path = np.array(
            [[0, y, 0], out * reach * 0.75 + Y * y, out * reach + Y * (y + q), out * reach + Y * (y + rise)]
        )
        fig.limb(f"arm@{i}", path, [q * 0.85, q, q, q * 0.9])
        if rng.random() < 0.2:
            fig.limb(f"flower@{i}", [path[-1] + Y * q], q * 0.6, blend=0.1)
    if rng.random() < 0.6:
        w = rng.uniform(0.15, 0.22)
        fig.limb("pot", [[0, -0.22, 0], [0, 0.0, 0]], [w * 0.8, w], blend=0.05)
        fig.cut([0, -0.24 - rng.uniform(0, 0.08), 0], Y)
    return fig


def plant(rng: np.random.Generator) -> Figure:
    """A stem with leaves or fruit, or a bare forking tree."""
    fig = Figure(rng, blend=0.5)
    h = rng.uniform(0.5, 0.8)
    stem = bent(
        [
            [0, 0, 0],
            [rng.normal(scale=0.05), h * 0.5, rng.normal(scale=0.05)],
            [rng.normal(scale=0.09), h, rng.normal(scale=0.09)],
        ],
        10,
    )
    thick = rng.uniform(0.03, 0.06)
    fig.limb("trunk", stem, np.linspace(thick, thick * 0.55, 10))
    bare = rng.random() < 0.5
    n = int(rng.integers(4, 9))
    for i in range(n):
        root = stem[int(np.interp(i, [0, n - 1], [3, 9]))]
        out = turn(Y, 137.5 * i + rng.uniform(-25, 25)) @ unit([1, rng.uniform(0.2, 1.3), 0])
        reach = rng.uniform(0.22, 0.42) * (1.15 - 0.5 * i / n)
        axis = np.cross(out, Y)
        path = walk(root, out, axis, reach / 5, rng.uniform(-14, 10) * np.ones(5))
        if bare:
            name = f"branch@{i}"
            fig.limb((name, "bough"), path, np.linspace(thick * 0.6, thick * 0.3, 6))
            for j in range(int(rng.integers(0, 3))):
                d = unit(path[-1] - path[-2] + rng.normal(scale=0.7, size=3))
                at = path[int(rng.integers(2, 6))]
                fig.limb((name, f"twig@{j}"), [at, at + d * reach * 0.5], [thick * 0.34, thick * 0.18])
            if rng.random() < 0.3:
                fig.limb((name, "fruit"), [path[-1]], thick * rng.uniform(0.9, 1.6), blend=0.1)
        else:
            w = reach * rng.uniform(0.16, 0.28)
            normal = unit(np.cross(axis, out))
            fig.limb((f"leaf@{i}", "stalk"), path[:3], thick * 0.3)
            fig.limb(
                (f"leaf@{i}", "blade"),
                path[1:] + 0 * normal,
                np.array([0.35, 1, 1.1, 0.7, 0.15]) * w,
                flat=0.15,
                normal=normal,
                blend=0.1,
            )
    if rng.random() < 0.4:
        fig.limb(
            "crown" if bare else "flower",
            [stem[-1] + Y * 0.05],
            rng.uniform(0.1, 0.2) if bare else rng.uniform(0.06, 0.1),
            blend=0.15,
        )
    if rng.random() < 0.5:
        w = rng.uniform(0.12, 0.2)
        fig.limb("pot", [[0, -0.2, 0], [0, -0.02, 0]], [w * 0.75, w], blend=0.03)
        fig.cut([0, -0.22, 0], Y)
    return fig


def limb_tree(rng: np.random.Generator) -> Figure:
    """No animal in particular: a random tree of bent tapered limbs and blobs, mirrored half of the time."""
    fig = Figure(rng, blend=rng.uniform(0.15, 0.5))
    mirrored = rng.random() < 0.5
    r = rng.uniform(0.12, 0.2)
    d = unit(rng.normal(size=3) * ([0.0, 1, 1] if mirrored else [1, 1, 1]))
    core = walk(
        -d * 0.15, d, X if mirrored else unit(rng.normal(size=3)), rng.uniform(0.05, 0.12), rng.normal(scale=12, size=4)
    )
    fig.limb(("body", "core"), core, r * rng.uniform(0.75, 1.1, 5), flat=rng.uniform(0.6, 1), normal=X)
    flip = np.array([-1.0, 1, 1])
    for i in range(int(rng.integers(2, 6))):
        t = int(rng.integers(0, 5))
        out = unit(rng.normal(size=3) + 0.5 * (core[t] - core[2]))
        pair = mirrored and rng.random() < 0.75
        if pair:
            out[0] = abs(out[0]) + 0.3
        elif mirrored:
            out[0] = 0.0
        out = unit(out)
        axis = unit(np.cross(out, rng.normal(size=3))) if not mirrored or pair else X
        q = r * rng.uniform(0.25, 0.6)
        m = int(rng.integers(3, 8))
        path = walk(
            core[t] + out * r * 0.5,
            out,
            axis,
            rng.uniform(0.2, 0.65) / m,
            rng.normal(scale=14) + rng.normal(scale=8, size=m),
        )
        radii = q * np.linspace(1, rng.uniform(0.35, 1.1), m + 1)
        cut = int(rng.integers(1, m)) if rng.random() < 0.5 else 0
        sharp = rng.random() < 0.5
        knob = q * rng.uniform(1.2, 2.0) if rng.random() < 0.35 else 0.0
        for side, f in (("left", np.ones(3)), ("right", flip)) if pair else (("", np.ones(3)),):
            name = f"limb@{i}{side}"
            if cut:
                bend = path.copy()
                if sharp:  # an elbow
                    turned = turn(axis, rng.uniform(40, 100))
                    bend[cut:] = path[cut] + (path[cut:] - path[cut]) @ turned.T
                fig.limb((name, "upper"), bend[: cut + 1] * f, radii[: cut + 1])
                fig.limb((name, "lower"), bend[cut:] * f, radii[cut:], blend=0.05)
                end = bend[-1]
            else:
                fig.limb((name, "upper"), path * f, radii)
                end = path[-1]
            if knob:
                fig.limb((name, "knob"), [end * f], knob, flat=rng.uniform(0.5, 1), normal=Y)
    return fig
