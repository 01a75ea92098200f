"""Four-legged animals and dinosaurs. y is up, figures face +z, lengths near a body length of 1."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.figure import SIDES, Figure, X, Y, Z, bent, turn, unit, walk

# leg, body height, body width, neck length, neck lift (degrees), neck radius, head length, snout, ears, tail length,
# tail radius
BREEDS: dict[str, tuple[float, ...]] = {
    "horse": (0.62, 0.17, 0.8, 0.42, 48, 0.085, 0.26, 0.62, 0.07, 0.42, 0.03),
    "dog": (0.42, 0.14, 0.8, 0.2, 45, 0.085, 0.22, 0.55, 0.09, 0.38, 0.025),
    "cat": (0.36, 0.13, 0.85, 0.14, 35, 0.07, 0.17, 0.25, 0.07, 0.5, 0.022),
    "cow": (0.44, 0.21, 0.8, 0.22, 22, 0.11, 0.28, 0.6, 0.09, 0.4, 0.018),
    "pig": (0.26, 0.2, 0.95, 0.1, 5, 0.14, 0.25, 0.5, 0.1, 0.15, 0.015),
    "giraffe": (0.8, 0.17, 0.75, 0.85, 65, 0.075, 0.24, 0.6, 0.07, 0.35, 0.015),
    "elephant": (0.5, 0.25, 0.9, 0.12, 15, 0.16, 0.24, 0.3, 0.2, 0.3, 0.016),
    "bear": (0.38, 0.21, 0.9, 0.16, 15, 0.13, 0.24, 0.5, 0.06, 0.06, 0.03),
    "deer": (0.58, 0.14, 0.75, 0.34, 58, 0.065, 0.2, 0.6, 0.1, 0.1, 0.025),
    "rabbit": (0.24, 0.16, 0.9, 0.06, 45, 0.08, 0.19, 0.3, 0.26, 0.05, 0.05),
    "rat": (0.16, 0.14, 0.95, 0.08, 5, 0.09, 0.2, 0.6, 0.08, 0.7, 0.02),
    "lizard": (0.26, 0.1, 1.1, 0.12, 8, 0.07, 0.2, 0.55, 0.0, 0.9, 0.06),
}


def add_leg(
    fig: Figure,
    name: str,
    top: np.ndarray,
    length: float,
    radius: float,
    angles: tuple[float, float, float],
    out: float,
    foot: str,
    split: bool,
) -> None:
    """A leg of two segments and a foot; ``angles`` are hip, knee and ankle swing in degrees (positive: forward)."""
    frame = turn(X, -angles[0]) @ turn(Z, out)
    knee = top - frame @ (Y * length * 0.48)
    frame = turn(X, -angles[1]) @ frame
    ankle = knee - frame @ (Y * length * 0.4)
    upper, lower = ("upper leg", "lower leg") if split else ("leg", "leg")
    fig.limb(
        (name, upper),
        [top, top + 0.45 * (knee - top), knee],
        np.array([1.75, 1.35, 0.85]) * radius,
        blend=0.5,
        flat=0.75,
        normal=X,
    )
    fig.limb((name, lower), [knee, ankle], np.array([0.85, 0.55]) * radius, blend=0.1, bulge=0.08)
    frame = turn(X, -angles[2]) @ frame
    end = ankle - frame @ (Y * length * 0.1)
    part = (name, "foot") if split else (name, lower)
    if foot == "hoof":
        fig.limb(part, [ankle, end], np.array([0.58, 0.85]) * radius, blend=0.1)
    elif foot == "pillar":
        fig.limb(part, [ankle, end], np.array([0.75, 1.15]) * radius, blend=0.1)
    else:
        fig.limb(
            part,
            [end, end + Z * radius * 0.6, end + Z * radius * 1.35],
            np.array([0.7, 0.78, 0.6]) * radius,
            blend=0.3,
            flat=0.75,
            normal=Y,
        )


def add_ears(
    fig: Figure, prefix: tuple[str, ...], at: np.ndarray, nod: np.ndarray, size: float, half: float, droop: bool
) -> None:
    """Two flattened ears at ``at`` ± ``half`` across."""
    rng = fig.rng
    up = unit([rng.uniform(0.9, 1.4), -0.5, -0.1]) if droop else unit([rng.uniform(0.2, 0.9), 1, -0.3])
    fat = rng.uniform(0.3, 0.42) if not droop else 0.42
    for name, s in SIDES:
        base, axis = at + nod @ (X * s * half), nod @ (up * np.array([s, 1, 1]))
        fig.limb(
            (*prefix, f"ear@{name}"),
            [base, base + axis * size * 0.5, base + axis * size],
            np.array([0.6, 1, 0.4]) * size * fat,
            flat=0.4,
            normal=nod @ unit([s * -0.5, 0.2, 1]),
            blend=0.4,
        )


def quadruped(rng: np.random.Generator) -> Figure:
    """A four-legged animal near one of a dozen breeds, standing, walking, grazing, sitting or galloping."""
    fig = Figure(rng, blend=0.4)
    breed = str(rng.choice(list(BREEDS)))
    spread = np.exp(rng.normal(scale=0.1, size=11))
    leg, high, wide, neck, lift, neck_r, head, snout, ear, tail, tail_r = np.array(BREEDS[breed]) * spread
    if rng.random() < 0.2:  # nobody's breed: a mixture of two
        other = np.array(BREEDS[str(rng.choice(list(BREEDS)))])
        leg, high, neck, head, ear, tail = (
            0.5 * a + 0.5 * other[i] for i, a in ((0, leg), (1, high), (3, neck), (6, head), (8, ear), (9, tail))
        )
    wide = min(wide, 1.15)
    long = rng.uniform(0.36, 0.46)
    sit = breed in ("dog", "cat", "bear", "rabbit") and rng.random() < 0.25
    tilt = turn(X, -rng.uniform(30, 58)) if sit else turn(X, rng.normal(scale=4))
    sway = turn(Y, rng.normal(scale=8))
    arch = rng.normal(scale=0.025)
    hips, chest = tilt @ sway @ np.array([0, 0, -long]), tilt @ np.array([0, 0, long])
    middle = np.array([0, arch, 0])
    waist = rng.uniform(0.8, 1.05)
    split_body = rng.random() < 0.25
    body = bent([hips, middle, chest], 7)
    radii = high * np.interp(np.linspace(0, 1, 7), [0, 0.3, 0.6, 0.85, 1], [0.8, waist * 0.95, 1.0, 1.05, 0.85])
    if split_body:
        fig.limb(("body", "hindquarters"), body[:4], radii[:4], flat=wide, normal=X)
        fig.limb(("body", "forequarters"), body[3:], radii[3:], flat=wide, normal=X, blend=0.05)
    else:
        fig.limb("body", body, radii, flat=wide, normal=X)
    if sit:
        fig.limb(("body", "hindquarters") if split_body else "body", [hips - Y * 0.02], high * 1.05)

    up = turn(X, -float(np.clip(lift + rng.normal(scale=14), -35, 85))) @ turn(Y, rng.normal(scale=12))
    if rng.random() < 0.12 and neck > 0.15:
        up = turn(X, rng.uniform(20, 50))  # grazing
    root = chest + tilt @ np.array([0, high * 0.35, -high * 0.1])
    neck_path = walk(root, up @ Z, up @ X, (neck + high * 0.55) / 4, rng.uniform(0, 7) * np.ones(4))
    fig.limb(("head", "neck"), neck_path, np.linspace(1.35, 0.95, 5) * neck_r, flat=0.85, normal=X, blend=0.7)
    top = neck_path[-1]
    level = turn(X, rng.uniform(0, 45) if neck > 0.2 else rng.uniform(-8, 22)) @ turn(Y, rng.normal(scale=14))
    r = head * rng.uniform(0.36, 0.44)
    skull = top + level @ np.array([0, r * 0.15, r * 0.4])
    face = skull + level @ np.array([0, -r * 0.2, head * 0.35 + snout * head * 0.65])
    fig.limb(("head", "skull"), [skull], max(r, neck_r * 1.02), blend=0.5, flat=0.9, normal=X)
    nose = ("head", "snout") if rng.random() < 0.6 else ("head", "skull")
    blunt = 0.8 if breed in ("pig", "cow", "elephant") else rng.uniform(0.45, 0.65)
    fig.limb(
        nose,
        [skull + level @ np.array([0, -0.1 * r, r * 0.35]), face],
        [r * 0.78, r * blunt],
        blend=0.5,
        flat=0.88,
        normal=X,
    )
    if rng.random() < 0.3:
        fig.limb(
            nose,
            [skull + level @ np.array([0, -0.55 * r, r * 0.3]), face - level @ np.array([0, 0.45 * r, r * 0.3])],
            [r * 0.4, r * 0.26],
            blend=0.3,
        )
    if breed == "elephant":
        swing = rng.uniform(-14, 10, 7) + np.linspace(4, -8, 7)
        trunk = walk(face, level @ turn(X, 55) @ Z, X, leg * 0.14, swing)
        fig.limb(("head", "trunk"), trunk, np.linspace(0.55, 0.28, 8) * r, blend=0.5)
        for name, s in SIDES:
            at = face + level @ np.array([s * r * 0.55, -0.1 * r, -0.1 * r])
            fig.limb(
                ("head", f"tusk@{name}"),
                walk(at, level @ unit([s * 0.25, -0.5, 1]), X, 0.07, [-12, -14, -14]),
                [0.03, 0.026, 0.02, 0.01],
            )
    if ear > 0.02:
        flop = breed == "elephant" or (breed in ("dog", "pig", "rabbit", "cow") and rng.random() < 0.4)
        add_ears(
            fig,
            ("head",),
            skull + level @ np.array([0, r * 0.75, -r * 0.3]),
            level,
            ear * rng.uniform(1, 1.4),
            r * 0.6,
            flop,
        )
    if (breed in ("cow", "deer") and rng.random() < 0.7) or rng.random() < 0.06:
        size = head * rng.uniform(0.4, 1.2)
        for name, s in SIDES:
            at = skull + level @ np.array([s * r * 0.4, r * 0.85, -r * 0.1])
            path = bent(
                [
                    at,
                    at + level @ np.array([s * 0.5, 0.5, 0]) * size,
                    at + level @ np.array([s * rng.uniform(0.3, 0.7), 1.1, rng.uniform(-0.3, 0.3)]) * size,
                ],
                5,
            )
            fig.limb(("head", f"horn@{name}"), path, np.linspace(0.17, 0.05, 5) * r, blend=0.2)
            if breed == "deer" and rng.random() < 0.8:
                for t in (1, 2, 3):
                    fig.limb(
                        ("head", f"horn@{name}"),
                        [path[t], path[t] + level @ unit([s * -0.2, 0.6, 0.8]) * size * 0.35],
                        [0.1 * r, 0.04 * r],
                    )

    foot = {"elephant": "pillar", "horse": "hoof", "cow": "hoof", "deer": "hoof", "giraffe": "hoof", "pig": "hoof"}.get(
        breed, "paw"
    )
    radius = {"elephant": 0.09, "cow": 0.06, "bear": 0.075, "pig": 0.055, "horse": 0.055, "giraffe": 0.055}.get(
        breed, 0.05
    ) * rng.uniform(0.85, 1.15)
    split = rng.random() < 0.75
    gait = rng.choice(["stand", "walk", "gallop"], p=[0.45, 0.4, 0.15])
    stride = {"stand": 4, "walk": 20, "gallop": 45}[str(gait)]
    phase = rng.uniform(0, 6.3)
    low = breed == "lizard"
    for i, (end, name) in enumerate(((chest, "front"), (hips, "hind"))):
        for j, (side, s) in enumerate(SIDES):
            swing = stride * np.sin(phase + np.pi * (i + j) + (0.6 * i if gait == "gallop" else 0)) + rng.normal(
                scale=3
            )
            bend = rng.uniform(0, 15) + (0.5 * stride if rng.random() < 0.4 else 0)
            top = end + np.array([s * high * wide * 0.62, -high * 0.15, (-0.2 if i == 0 else 0.25) * high])
            angles = (
                (swing - bend * 0.4, bend * 0.8, 0.0) if i == 0 else (swing + bend * 0.8 + 8, -bend * 1.4 - 16, 8.0)
            )
            reach = leg + 0.15 * high
            if sit and i == 1:
                angles = (75 + rng.normal(scale=6), -rng.uniform(100, 120), 40.0)
                reach *= 0.75
            if sit and i == 0:
                angles = (rng.uniform(-5, 10), 0.0, 0.0)
                reach *= 1.15
            out = s * (rng.uniform(45, 70) if low else rng.uniform(-2, 7))
            if low:
                knee = top + np.array([s * 0.13, 0.0, rng.uniform(-0.06, 0.06)])
                wrist = knee + np.array([s * 0.05, -leg * 0.55, rng.uniform(-0.05, 0.08)])
                leg_name = f"{name} leg@{side}"
                fig.limb((leg_name, "upper leg"), [top, knee], [0.045, 0.034])
                fig.limb((leg_name, "lower leg"), [knee, wrist], [0.034, 0.026], blend=0.1)
                fig.limb(
                    (leg_name, "foot"),
                    [wrist, wrist + np.array([s * 0.03, 0, 0.06])],
                    [0.03, 0.034],
                    flat=0.5,
                    normal=Y,
                )
            else:
                fat = 1.15 if i == 1 else 1.0
                add_leg(fig, f"{name} leg@{side}", top, reach, radius * fat, angles, out, foot, split)

    steps = 8
    hang = rng.choice([-60, -25, 15, 60], p=[0.35, 0.25, 0.25, 0.15]) * (0.3 if low else 1)
    back = turn(X, hang) @ (tilt @ -Z)
    curl = rng.normal(scale=8) * np.ones(steps)
    path = walk(
        hips + tilt @ np.array([0, high * 0.35, -high * 0.55]),
        back,
        turn(Z, rng.normal(scale=40 if not low else 90)) @ X,
        tail / steps,
        curl,
    )
    thick = (
        np.linspace(1.3, 0.6, steps + 1)
        if rng.random() < 0.7
        else np.interp(np.linspace(0, 1, steps + 1), [0, 0.5, 1], [0.8, 2.0, 0.8])
    )
    fig.limb("tail", path, np.minimum(max(tail_r, 0.018) * thick * rng.uniform(1, 1.4), 0.7 * high), blend=0.8)
    return fig


def dinosaur(rng: np.random.Generator) -> Figure:
    """A biped with small arms or a long-necked four-legged one; long tail on a smooth spine."""
    fig = Figure(rng, blend=0.45)
    biped = rng.random() < 0.5
    fat = rng.uniform(0.15, 0.21)
    pitch = turn(X, -rng.uniform(5, 45) if biped else rng.normal(scale=5))
    hips, chest = pitch @ (Z * -0.2), pitch @ (Z * 0.2)
    fig.limb(
        "body",
        bent([hips, np.array([0, rng.uniform(-0.02, 0.03), 0]), chest], 6),
        fat * np.array([0.9, 1, 1.02, 0.98, 0.86, 0.72]),
        flat=rng.uniform(0.75, 1),
        normal=X,
    )
    long = rng.uniform(0.12, 0.22) if biped else rng.uniform(0.35, 0.75)
    rise = -rng.uniform(35, 75) if biped else -rng.uniform(20, 70)
    neck = walk(
        chest + pitch @ np.array([0, 0.02, 0.03]),
        turn(X, rise) @ turn(Y, rng.normal(scale=12)) @ Z,
        X,
        long / 5,
        rng.uniform(0, 14) * np.ones(5) * (1 if biped else rng.uniform(-0.5, 1)),
    )
    end_r = fat * (rng.uniform(0.38, 0.5) if biped else rng.uniform(0.24, 0.34))
    fig.limb(("head", "neck"), neck, np.linspace(fat * 0.62, end_r, 6), blend=0.6)
    r = end_r * (rng.uniform(1.25, 1.7) if biped else rng.uniform(1.1, 1.5))
    nod = turn(Y, rng.normal(scale=15)) @ turn(X, rng.uniform(0, 20))
    at = neck[-1] + nod @ (Z * r * 0.4)
    fig.limb(("head", "skull"), [at], r)
    tip = at + nod @ np.array([0, -0.1 * r, r * rng.uniform(1.4, 2.2)])
    fig.limb(("head", "skull"), [at, tip], [r * 0.8, r * 0.5], blend=0.5, flat=0.85, normal=X)
    if biped:
        fig.limb(
            ("head", "jaw"),
            [at - nod @ (Y * 0.5 * r), at + nod @ np.array([0, -r * rng.uniform(0.7, 1.1), r * 1.7])],
            [r * 0.5, r * 0.28],
            blend=0.2,
        )
    steps = 9
    curve = rng.normal(scale=5) * np.ones(steps) + np.linspace(-6, 6, steps)
    path = walk(
        hips - pitch @ (Z * fat * 0.3),
        turn(X, rng.uniform(-20, 12)) @ turn(Y, rng.normal(scale=15)) @ -Z,
        turn(Z, rng.normal(scale=50)) @ X,
        rng.uniform(0.5, 0.9) / steps,
        curve,
    )
    fig.limb("tail", path, np.linspace(fat * 0.62, 0.018, steps + 1), blend=0.6)
    for i, (end, name) in enumerate(((chest, "front"), (hips, "hind"))):
        for side, s in SIDES:
            top = end + np.array([s * fat * 0.55, -fat * 0.25, 0])
            if i == 0 and biped:
                frame = turn(X, -rng.uniform(20, 70)) @ turn(Z, s * rng.uniform(5, 35))
                elbow = top - frame @ (Y * 0.12)
                wrist = elbow - turn(X, -rng.uniform(30, 80)) @ frame @ (Y * 0.1)
                arm = f"arm@{side}"
                fig.limb((arm, "upper arm"), [top, elbow], [0.042, 0.032])
                fig.limb((arm, "forearm"), [elbow, wrist], [0.032, 0.026], blend=0.1)
                fig.limb((arm, "hand"), [wrist, wrist + np.array([0, -0.03, 0.035])], [0.03, 0.02], blend=0.2)
                continue
            stride = rng.normal(scale=18)
            angles = (
                (stride + rng.uniform(15, 40), -rng.uniform(40, 70), rng.uniform(20, 35))
                if biped
                else (stride, -rng.uniform(0, 15), 0.0)
            )
            add_leg(
                fig,
                f"{name} leg@{side}" if not biped else f"leg@{side}",
                top,
                rng.uniform(0.42, 0.5) if biped else rng.uniform(0.32, 0.42),
                rng.uniform(0.06, 0.075),
                angles,
                s * rng.uniform(0, 8),
                "paw" if biped else "pillar",
                True,
            )
    if rng.random() < 0.25:  # plates along the back
        for k, t in enumerate(np.linspace(-0.9, 0.9, int(rng.integers(5, 9)))):
            at = pitch @ np.array([0, fat * 0.85, 0.22 * t])
            fig.limb(
                ("back plates", f"plate@{k}"),
                [at, at + Y * fat * (0.75 - 0.4 * abs(t))],
                [0.05, 0.015],
                flat=0.25,
                normal=X,
                blend=0.2,
            )
    return fig
