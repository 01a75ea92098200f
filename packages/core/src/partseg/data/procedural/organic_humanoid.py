"""Humans, chunky tailed bipeds and teddy bears. y is up, figures face +z, lengths near a height of 1."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.figure import SIDES, Figure, X, Y, Z, bent, turn, unit
from partseg.data.procedural.organic_hand import add_fingers
from partseg.data.procedural.organic_head import add_head


def arm_pose(rng: np.random.Generator, mood: str) -> tuple[float, float, float, float]:
    """Arm raise from hanging, swing forward, elbow bend, forearm twist; degrees."""
    if mood == "T":
        return rng.uniform(75, 100), rng.uniform(-10, 15), rng.uniform(0, 15), rng.uniform(-30, 30)
    if mood == "A":
        return rng.uniform(25, 60), rng.uniform(-10, 15), rng.uniform(0, 25), rng.uniform(-30, 30)
    if mood == "up":
        return rng.uniform(110, 165), rng.uniform(-10, 30), rng.uniform(0, 60), rng.uniform(-60, 60)
    if mood == "front":
        return rng.uniform(15, 40), rng.uniform(50, 95), rng.uniform(0, 60), rng.uniform(-40, 40)
    return rng.uniform(12, 40), rng.uniform(-40, 50), rng.uniform(5, 100), rng.uniform(-50, 50)


def human(rng: np.random.Generator) -> Figure:
    """A standing, walking, running, reaching or sitting person, thin to stout, adult to child or cartoon."""
    fig = Figure(rng, blend=0.3)
    cartoon = rng.random() < 0.2
    head = rng.uniform(0.12, 0.16) * (rng.uniform(1.3, 2.1) if cartoon else 1)
    stout = np.exp(rng.normal(scale=0.16)) * rng.choice([1, 1, 1.35])
    legs, trunk = rng.uniform(0.44, 0.52) * (0.75 if cartoon else 1), rng.uniform(0.28, 0.33)
    fine_hands = rng.random() < 0.5
    mood = rng.choice(
        ["T", "A", "rest", "walk", "run", "sit", "up", "front"], p=[0.14, 0.2, 0.15, 0.16, 0.1, 0.1, 0.08, 0.07]
    )
    lean = turn(X, {"run": rng.uniform(5, 25), "sit": rng.uniform(-8, 12)}.get(mood, rng.normal(scale=5))) @ turn(
        Z, rng.normal(scale=4)
    )
    chest_turn = lean @ turn(Y, rng.normal(scale=9))
    hip = np.zeros(3)
    waist, chest = hip + lean @ (Y * trunk * 0.32), hip + lean @ (Y * trunk * 0.62)
    shoulders = chest + chest_turn @ (Y * trunk * 0.28)
    neck = shoulders + chest_turn @ (Y * trunk * 0.12)
    depth = rng.uniform(0.55, 0.72)
    front = chest_turn @ Z
    broad, wide = rng.uniform(0.095, 0.125), rng.uniform(0.05, 0.065) * (1 + 0.3 * (stout - 1))
    belly = stout * rng.uniform(0.065, 0.085)
    fig.limb(
        ("torso", "lower torso"),
        [hip - wide * 0.55 * X - Y * 0.01, hip + wide * 0.55 * X - Y * 0.01],
        stout * 0.074,
        flat=depth * 1.1,
        normal=lean @ Z,
    )
    fig.limb(
        ("torso", "lower torso"),
        [hip + Y * 0.02, waist],
        [stout * 0.085, belly],
        flat=depth,
        normal=lean @ Z,
        blend=0.5,
    )
    fig.limb(
        ("torso", "upper torso"),
        [waist + 0.2 * (chest - waist), chest, shoulders - 0.02 * Y],
        [belly * 1.02, stout * 0.093, 0.07],
        flat=depth,
        normal=front,
        blend=0.4,
    )
    bar = chest_turn @ X
    fig.limb(
        ("torso", "upper torso"),
        [shoulders - bar * broad * 0.78, shoulders + bar * broad * 0.78],
        0.037 * np.sqrt(stout),
        blend=0.9,
    )
    if rng.random() < 0.3:
        for _, s in SIDES:
            fig.limb(
                ("torso", "upper torso"),
                [chest + bar * s * 0.045 + front * depth * 0.07 * stout],
                rng.uniform(0.032, 0.05),
                blend=0.6,
            )
    nod = chest_turn @ turn(X, rng.normal(scale=9)) @ turn(Y, rng.normal(scale=18))
    chin = neck + nod @ (Y * trunk * rng.uniform(0.1, 0.16) + Z * 0.012)
    fig.limb(
        ("head", "neck"),
        [shoulders, chin + nod @ (Y * head * 0.15)],
        [0.034 * np.sqrt(stout), 0.028 * np.sqrt(stout)],
        blend=0.6,
    )
    add_head(fig, ("head", "head"), chin, nod, head, detail=rng.choice([0.1, 0.4, 0.45, 0.7], p=[0.2, 0.3, 0.3, 0.2]))
    thin = np.sqrt(stout) * rng.uniform(0.85, 1.15)
    both = arm_pose(rng, mood)
    for name, s in SIDES:
        raise_, swing, elbow, twist = both if rng.random() < 0.4 or mood == "T" else arm_pose(rng, mood)
        if mood in ("walk", "run"):
            swing = s * rng.uniform(10, 45)
        frame = chest_turn @ turn(X, -swing) @ turn(Z, s * raise_)
        a = rng.uniform(0.155, 0.175)
        joint = shoulders + bar * s * broad * 1.02 - Y * 0.004
        bend = turn(frame @ turn(Y, twist) @ X, -elbow) @ frame
        elbow_at = joint - frame @ (Y * a)
        wrist = elbow_at - bend @ (Y * a * 0.92)
        arm = f"arm@{name}"
        fig.limb((arm, "upper arm"), [joint, elbow_at], [0.034 * thin, 0.025 * thin], bulge=0.12, blend=0.8)
        fig.limb((arm, "forearm"), [elbow_at, wrist], [0.0255 * thin, 0.017 * thin], bulge=0.14, blend=0.1)
        hand = rng.uniform(0.095, 0.115) * np.sqrt(thin)
        roll = turn(bend @ Y, rng.uniform(-60, 60) - s * 60)
        axes = np.stack([roll @ bend @ Z, -(bend @ Y), roll @ bend @ X * -s], 1)
        if fine_hands:
            add_fingers(fig, (arm, "hand"), wrist, axes, hand * 1.15, 1.0, spread=rng.uniform(5, 20))
        else:
            along, thumb = axes[:, 1], axes[:, 0]
            fig.limb(
                (arm, "hand"),
                [wrist + along * 0.02, wrist + along * hand * 0.55, wrist + along * hand],
                [0.02 * thin, 0.033, 0.018],
                flat=0.5,
                normal=axes[:, 2],
                blend=0.5,
            )
            if rng.random() < 0.8:
                fig.limb(
                    (arm, "hand"),
                    [wrist + along * hand * 0.25, wrist + along * hand * 0.6 + thumb * hand * 0.38],
                    [0.013, 0.01],
                    blend=0.6,
                )
    for name, s in SIDES:
        if mood == "sit":
            flex, knee, out = rng.uniform(70, 100), rng.uniform(60, 105), rng.uniform(2, 22)
        elif mood in ("walk", "run"):
            big = 1.0 if mood == "walk" else 1.8
            flex = -s * big * rng.uniform(8, 28)
            knee, out = (
                (rng.uniform(2, 20) if flex > 0 and mood == "walk" else big * rng.uniform(10, 45)),
                rng.uniform(0, 6),
            )
        else:
            flex, knee, out = rng.normal(scale=5), abs(rng.normal(scale=6)), rng.uniform(1, 16)
        frame = turn(X, -flex) @ turn(Z, s * out) @ turn(Y, s * rng.uniform(0, 20))
        joint = hip + X * s * wide * 1.05 - Y * 0.02
        lower = frame @ turn(X, knee)
        knee_at = joint - frame @ (Y * legs * 0.5)
        ankle = knee_at - lower @ (Y * legs * 0.48)
        leg = f"leg@{name}"
        fig.limb((leg, "thigh"), [joint, knee_at], [0.058 * thin, 0.037 * thin], bulge=0.1, blend=0.35)
        fig.limb(
            (leg, "shin"),
            [knee_at, knee_at + 0.4 * (ankle - knee_at), ankle],
            [0.038 * thin, 0.037 * thin, 0.021 * thin],
            blend=0.1,
        )
        foot = lower @ turn(X, rng.normal(scale=6) + (0 if mood not in ("run",) else rng.uniform(0, 40)))
        heel = ankle + foot @ (-0.016 * Z - 0.02 * Y)
        fig.limb(
            (leg, "foot"),
            [heel, heel + foot @ (Z * 0.07 - 0.008 * Y), heel + foot @ (Z * rng.uniform(0.1, 0.13) - 0.01 * Y)],
            [0.026 * thin, 0.027, 0.02],
            flat=0.85,
            normal=foot @ Y,
            blend=0.4,
        )
    return fig


def armadillo(rng: np.random.Generator) -> Figure:
    """A chunky upright creature with tail, ears, snout and claws."""
    fig = Figure(rng, blend=0.4)
    fat = rng.uniform(0.85, 1.2)
    hip, chest = np.array([0, 0, -0.02]), np.array([0, 0.2, 0.01])
    fig.limb(("torso", "belly"), [hip, 0.55 * (hip + chest)], [0.125 * fat, 0.13 * fat], blend=0.3)
    fig.limb(
        ("torso", "chest"), [0.6 * chest, chest, chest + 0.06 * Y], [0.13 * fat, 0.125 * fat, 0.09], blend=0.4, flat=0.9
    )
    if rng.random() < 0.5:
        shell = ("torso", "shell")
        fig.limb(
            shell,
            [hip + np.array([0, 0.02, -0.05]), chest + np.array([0, 0.02, -0.06])],
            [0.125 * fat, 0.13 * fat],
            blend=0.05,
        )
    head = chest + np.array([0, rng.uniform(0.15, 0.19), rng.uniform(0.03, 0.06)])
    nod = turn(X, rng.uniform(-10, 20)) @ turn(Y, rng.normal(scale=18))
    r = rng.uniform(0.065, 0.09)
    fig.limb(("head", "neck"), [chest + 0.05 * Y, head], [0.06, 0.05])
    fig.limb(("head", "skull"), [head], r, blend=0.3)
    tip = head + nod @ np.array([0, -0.03, r + rng.uniform(0.06, 0.13)])
    fig.limb(("head", "snout"), [head + nod @ np.array([0, -0.012, 0.6 * r]), tip], [0.62 * r, 0.35 * r], blend=0.35)
    fig.limb(("head", "snout"), [tip + nod @ (0.01 * Y)], 0.3 * r)
    for name, s in SIDES:
        base = head + nod @ np.array([s * r * 0.7, r * 0.6, -0.2 * r])
        e = rng.uniform(0.06, 0.15)
        fig.limb(
            ("head", f"ear@{name}"),
            [
                base,
                base + nod @ unit([s * rng.uniform(0.3, 1.1), 1, -0.2]) * e * 0.6,
                base + nod @ unit([s * rng.uniform(0.4, 1.2), 1, -0.3]) * e,
            ],
            [0.022, 0.04, 0.014],
            flat=0.4,
            normal=nod @ unit([s * -0.4, 0.1, 1]),
            blend=0.4,
        )
    for name, s in SIDES:
        arm = f"arm@{name}"
        raise_, swing, elbow = rng.uniform(35, 110), rng.uniform(-30, 60), rng.uniform(0, 80)
        frame = turn(X, -swing) @ turn(Z, s * raise_)
        joint = chest + np.array([s * 0.105 * fat, 0.045, 0])
        at = joint - frame @ (Y * 0.13)
        bend = frame @ turn(turn(Y, rng.uniform(-50, 50)) @ X, -elbow)
        wrist = at - bend @ (Y * 0.12)
        fig.limb((arm, "upper arm"), [joint, at], [0.058, 0.042], bulge=0.15)
        fig.limb((arm, "forearm"), [at, wrist], [0.044, 0.034], bulge=0.2, blend=0.1)
        add_claws(fig, (arm, "hand"), wrist, bend @ -Y, bend @ Z, bend @ X, rng.uniform(0.8, 1.1))
    for name, s in SIDES:
        leg = f"leg@{name}"
        flex, out, knee = rng.uniform(-15, 45), rng.uniform(8, 30), rng.uniform(0, 60)
        frame = turn(X, -flex) @ turn(Z, s * out)
        lower = frame @ turn(X, knee)
        joint = hip + np.array([s * 0.075 * fat, -0.05, 0])
        at = joint - frame @ (Y * 0.14)
        ankle = at - lower @ (Y * 0.13)
        fig.limb((leg, "thigh"), [joint, at], [0.085, 0.06], bulge=0.1)
        fig.limb((leg, "shin"), [at, ankle], [0.058, 0.042], bulge=0.1, blend=0.15)
        foot = lower @ turn(X, -rng.uniform(0, 20))
        add_claws(fig, (leg, "foot"), ankle, foot @ unit([0, -0.25, 1]), foot @ X, foot @ Y, rng.uniform(1.0, 1.3))
    n = rng.integers(4, 8)
    path = bent(
        [
            hip + np.array([0, -0.06, -0.06]),
            hip + np.array([0.02 * rng.normal(), -0.16, -0.18]),
            hip + np.array([0.12 * rng.normal(), -0.24 + 0.1 * rng.random(), -0.32]),
            hip + np.array([0.2 * rng.normal(), -0.26 + 0.22 * rng.random(), -0.42]),
        ],
        n,
    )
    fig.limb("tail", path, np.linspace(0.075, 0.012, n))
    return fig


def add_claws(
    fig: Figure,
    prefix: tuple[str, ...],
    wrist: np.ndarray,
    along: np.ndarray,
    across: np.ndarray,
    out: np.ndarray,
    size: float,
) -> None:
    """A paw with three or four claws, one part each at the finest level."""
    rng = fig.rng
    end = wrist + along * 0.055 * size
    fig.limb(
        (*prefix, "paw"), [wrist + along * 0.015, end], [0.034 * size, 0.045 * size], flat=0.65, normal=out, blend=0.4
    )
    n = int(rng.integers(3, 5))
    for i, t in enumerate(np.linspace(-1, 1, n)):
        base = end + across * t * 0.033 * size
        tip = base + unit(along + across * t * 0.4) * rng.uniform(0.05, 0.075) * size
        fig.limb((*prefix, f"claw@{i}"), [base, tip], [0.016 * size, 0.007], blend=0.4)


def teddy(rng: np.random.Generator) -> Figure:
    """A sitting or standing toy bear of spherical blobs."""
    fig = Figure(rng, blend=rng.uniform(0.08, 0.25))
    body = rng.uniform(0.17, 0.23)
    tall = rng.uniform(1.0, 1.35)
    chest = Y * body * 0.6 * tall
    fig.limb("torso", [-chest * 0.4, chest * 0.5], [body, body * rng.uniform(0.75, 0.95)])
    r = rng.uniform(0.13, 0.19)
    head = chest * 0.6 + Y * (body * 0.75 + r * 0.75) + Z * rng.uniform(-0.01, 0.03)
    nod = turn(X, rng.normal(scale=7)) @ turn(Z, rng.normal(scale=6)) @ turn(Y, rng.normal(scale=10))
    fig.limb(("head", "skull"), [head], r * rng.uniform(1.0, 1.12), flat=rng.uniform(0.85, 1), normal=Z)
    snout = head + nod @ (Z * r * 0.8 - Y * r * 0.2)
    fig.limb(("head", "snout"), [snout, snout + nod @ (Z * r * rng.uniform(0.05, 0.4))], [r * 0.46, r * 0.36])
    if rng.random() < 0.6:
        fig.limb(("head", "snout", "nose"), [snout + nod @ (Z * r * 0.52 + Y * r * 0.12)], r * 0.15)
    long_ears = rng.random() < 0.15
    e = rng.uniform(0.32, 0.48) * r
    for name, s in SIDES:
        at = head + nod @ (unit([s * rng.uniform(0.75, 1.1), 1, 0]) * r * 1.05)
        points = [at, at + Y * e * rng.uniform(2.0, 3.5)] if long_ears else [at]
        fig.limb(
            ("head", f"ear@{name}"),
            points,
            e * (0.7 if long_ears else 1),
            flat=rng.uniform(0.4, 0.7),
            normal=nod @ unit(Z + s * -0.3 * X),
        )
    sit = rng.random() < 0.55
    arm_r, leg_r = rng.uniform(0.055, 0.08), rng.uniform(0.07, 0.1)
    feet, hands = rng.random() < 0.6, rng.random() < 0.4
    for name, s in SIDES:
        frame = turn(X, -rng.uniform(-10, 60)) @ turn(Z, s * rng.uniform(25, 100))
        joint = chest * 0.75 + X * s * body * 0.72
        end = joint - frame @ (Y * rng.uniform(0.15, 0.24))
        fig.limb((f"arm@{name}", "arm"), [joint, end], [arm_r, arm_r * rng.uniform(0.75, 1.1)])
        if hands:
            fig.limb((f"arm@{name}", "paw"), [end - frame @ (Y * arm_r * 0.6)], arm_r * rng.uniform(1.0, 1.2))
        frame = (
            turn(Y, s * rng.uniform(5, 35))
            @ turn(X, -(rng.uniform(65, 95) if sit else rng.uniform(-8, 20)))
            @ turn(Z, s * rng.uniform(0, 12))
        )
        joint = -chest * 0.5 + X * s * body * 0.55 - Y * body * (0.25 if sit else 0.6) + Z * (0.3 * body if sit else 0)
        end = joint - frame @ (Y * rng.uniform(0.14, 0.24))
        fig.limb((f"leg@{name}", "leg"), [joint, end], [leg_r * 1.1, leg_r])
        if feet:
            fig.limb(
                (f"leg@{name}", "foot"),
                [end, end + frame @ (Z * leg_r * rng.uniform(0.5, 0.9))],
                leg_r * rng.uniform(0.85, 1.15),
            )
    if rng.random() < 0.35:
        fig.limb("tail", [-chest * 0.6 - Z * body * 0.98], body * 0.25)
    return fig
