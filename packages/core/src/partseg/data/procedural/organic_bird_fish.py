"""Birds, fish, sharks and dolphins. y is up, figures face +z, lengths near a body length of 1."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.figure import SIDES, Figure, X, Y, Z, bent, turn, unit, walk


def bird(rng: np.random.Generator) -> Figure:
    """Flying with spread wings, or perched with wings folded; songbird to stork and duck."""
    fig = Figure(rng, blend=0.4)
    flying = rng.random() < 0.6
    fat, long = rng.uniform(0.1, 0.16), rng.uniform(0.18, 0.28)
    pitch = turn(X, rng.normal(scale=7) if flying else -rng.uniform(5, 55))
    tail_at, chest = pitch @ (Z * -long), pitch @ (Z * long * 0.55)
    fig.limb(
        "body",
        bent([tail_at, pitch @ np.array([0, -0.015, 0]), chest], 5),
        fat * np.array([0.45, 0.82, 1.0, 1.0, 0.72]),
        flat=rng.uniform(0.85, 1),
        normal=X,
    )
    neck_long = rng.choice([0.02, rng.uniform(0.1, 0.4)], p=[0.55, 0.45])
    rise = turn(X, -rng.uniform(0, 35) if flying else -rng.uniform(35, 75)) @ turn(Y, rng.normal(scale=10))
    neck = walk(
        chest + pitch @ (Y * 0.02),
        rise @ Z,
        X,
        (neck_long + fat * 0.6) / 5,
        rng.normal(scale=6) + np.linspace(-8, 8, 5) * rng.uniform(0, 2),
    )
    r = rng.uniform(0.055, 0.085) if neck_long < 0.05 else rng.uniform(0.04, 0.06)
    fig.limb(("head", "neck"), neck, np.linspace(fat * 0.6, r * 0.75, 6), blend=0.7)
    look = turn(Y, rng.normal(scale=18)) @ turn(X, rng.uniform(-5, 20))
    at = neck[-1] + look @ (Z * r * 0.3)
    fig.limb(("head", "skull"), [at], r, blend=0.3)
    beak = r * rng.choice([rng.uniform(0.5, 1.0), rng.uniform(1.2, 3.0)], p=[0.6, 0.4])
    wide = rng.random() < 0.2
    fig.limb(
        ("head", "beak"),
        [at + look @ (Z * r * 0.7), at + look @ np.array([0, -0.1 * r, r * 0.8 + beak])],
        [r * 0.45, r * (0.36 if wide else 0.12)],
        flat=0.5 if wide else 1,
        normal=Y,
        blend=0.15,
    )
    if rng.random() < 0.12:
        fig.limb(
            ("head", "crest"),
            [at + look @ (Y * r * 0.8), at + look @ np.array([0, 1.6 * r, -0.6 * r])],
            [r * 0.35, r * 0.12],
            flat=0.4,
            normal=X,
        )
    span = rng.uniform(0.35, 0.75)
    split = rng.random() < 0.35
    chord, thin = span * rng.uniform(0.18, 0.42), rng.uniform(0.08, 0.15)
    dihedral = rng.normal(scale=14) if rng.random() < 0.7 else rng.uniform(20, 50)
    sweep, fold = rng.uniform(-5, 20), rng.uniform(0, 45)
    for name, s in SIDES:
        wing = f"wing@{name}"
        joint = pitch @ np.array([s * fat * 0.55, fat * 0.4, long * 0.2])
        if flying:
            d = dihedral + rng.normal(scale=5)
            frame = turn(Z, s * d)
            out = frame @ turn(Y, s * -sweep * -1) @ (X * s)
            elbow = joint + out * span * 0.42
            out2 = frame @ turn(Z, s * rng.normal(scale=8)) @ turn(Y, s * fold * 0.5) @ (X * s)
            tip = elbow + out2 * span * 0.6
            up = frame @ Y
            inner, outer = ((wing, "inner wing"), (wing, "outer wing")) if split else (wing, wing)
            back = -Z * chord * 0.45
            fig.limb(inner, [joint, elbow], [chord * 0.5, chord * 0.52], flat=thin, normal=up, blend=0.8)
            fig.limb(
                inner, [joint + back, elbow + back], [chord * 0.48, chord * 0.5], flat=thin * 0.8, normal=up, blend=0.5
            )
            fig.limb(
                outer,
                [elbow, elbow + 0.55 * (tip - elbow), tip],
                [chord * 0.52, chord * 0.45, chord * 0.14],
                flat=thin * 0.9,
                normal=up,
                blend=0.1,
            )
            fig.limb(
                outer,
                [elbow + back, elbow + back + 0.6 * (tip - elbow), tip + back * 0.6],
                [chord * 0.5, chord * 0.4, chord * 0.12],
                flat=thin * 0.75,
                normal=up,
                blend=0.3,
            )
        else:
            end = pitch @ np.array([s * fat * 0.55, fat * 0.25, -long * rng.uniform(1.0, 1.35)])
            mid = pitch @ np.array([s * fat * 0.85, fat * 0.15, -long * 0.2])
            fig.limb(
                wing,
                bent([joint, mid, end], 5),
                np.array([0.5, 0.8, 0.75, 0.5, 0.2]) * fat,
                flat=0.35,
                normal=pitch @ unit([s, 0.25, -0.2]),
                blend=0.1,
            )
    fan = rng.uniform(0.5, 1.4)
    for k, t in enumerate(np.linspace(-0.4, 0.4, 3)):
        d = pitch @ turn(X, rng.normal(scale=3)) @ unit([t * fan, 0.02, -1])
        fig.limb(
            "tail",
            [tail_at + pitch @ (Z * 0.02), tail_at + d * rng.uniform(0.16, 0.3)],
            [0.04, 0.05 + 0.02 * fan],
            flat=0.25,
            normal=pitch @ Y,
            blend=0.5 if k == 0 else 0.2,
        )
    if not flying or rng.random() < 0.3:
        reach = rng.choice([rng.uniform(0.08, 0.14), rng.uniform(0.25, 0.45)], p=[0.65, 0.35])
        for name, s in SIDES:
            top = np.array([s * fat * 0.45, -fat * 0.45, -0.02])
            back = turn(X, rng.uniform(50, 80) if flying else rng.uniform(-12, 25))
            knee = top - back @ (Y * (reach * 0.45 + fat * 0.4))
            ankle = knee - turn(X, -rng.uniform(0, 25)) @ back @ (Y * reach * 0.6)
            leg = f"leg@{name}"
            fig.limb((leg, "leg"), [top, knee, ankle], [0.036, 0.018, 0.013], blend=0.5)
            for t in (-0.6, 0.0, 0.6):
                fig.limb((leg, "foot"), [ankle, ankle + unit([t, -0.1, 1.0]) * 0.06], [0.015, 0.01], blend=0.1)
            fig.limb((leg, "foot"), [ankle, ankle - Z * 0.035], [0.013, 0.009], blend=0.1)
    return fig


def fish(rng: np.random.Generator) -> Figure:
    """Fish, sharks and dolphins: a swimming bend of the spine and fins that meet the body at their root."""
    fig = Figure(rng, blend=0.35)
    kind = rng.choice(["fish", "shark", "dolphin"], p=[0.55, 0.25, 0.2])
    high = rng.uniform(0.11, 0.22) if kind == "fish" else rng.uniform(0.09, 0.125)
    wide = rng.uniform(0.35, 0.65) if kind == "fish" else rng.uniform(0.85, 1.0)
    t = np.linspace(0, 1, 9)
    bow = rng.normal(scale=0.07)
    wave = rng.uniform(0, 6.3)
    vertical = kind == "dolphin"
    side = bow * np.sin(3.5 * t + wave) * (0.3 + t)
    spine = np.stack([0 * t if vertical else side, side if vertical else 0 * t, 0.5 - t], 1)
    profile = np.interp(
        t, [0, 0.08, 0.22, 0.42, 0.7, 0.9, 1.0], [0.35, 0.62, 0.92, 1.0, 0.62, 0.28, 0.2 + 0.1 * rng.random()]
    )
    if kind == "fish":
        profile = profile ** rng.uniform(0.7, 1.2)
    radii = high * profile
    cut = 2 if rng.random() < 0.7 else 3
    head = rng.random() < 0.65
    fig.limb(("body", "head") if head else ("body", "trunk"), spine[: cut + 1], radii[: cut + 1], flat=wide, normal=X)
    fig.limb(("body", "trunk"), spine[cut:], radii[cut:], flat=wide, normal=X, blend=0.03)
    nose = spine[0]
    if kind == "dolphin":
        fig.limb(("body", "snout"), [nose, nose + np.array([0, -0.015, 0.09])], [0.035, 0.022], blend=0.6)
    elif kind == "shark":
        fig.limb(
            ("body", "head") if head else ("body", "trunk"),
            [nose, nose + np.array([0, 0.01, 0.06])],
            [high * 0.32, high * 0.15],
            blend=0.5,
            flat=0.8,
            normal=Y,
        )

    def fin(
        path: str | tuple[str, ...],
        root: np.ndarray,
        along: np.ndarray,
        tip: np.ndarray,
        chord: float,
        normal: np.ndarray,
        blend: float = 0.3,
    ) -> None:
        """A blade from the root line ``root`` ± ``along`` to ``tip``."""
        thin = rng.uniform(0.1, 0.16)
        for a in np.linspace(-0.6, 0.6, 3):
            start = root + along * a * chord
            end = tip + along * a * chord * 0.35
            fig.limb(
                path,
                [start, 0.5 * (start + end), end],
                np.array([0.42, 0.34, 0.16]) * chord,
                flat=thin,
                normal=normal,
                blend=blend,
                inner=0.2,
            )

    end = spine[-1]
    back = unit(spine[-1] - spine[-2])
    size = rng.uniform(0.12, 0.22) * (1 if kind != "fish" else high / 0.14)
    lift = rng.uniform(0.6, 1.3)
    split = rng.random() < 0.15
    for s in (1.0, -1.0):
        d = unit(back + (X if vertical else Y) * s * lift * (0.7 if kind == "shark" and s < 0 else 1))
        n = 5
        root = end - back * 0.01
        path = bent([root, root + d * size * 0.55, root + unit(d + 0.5 * back) * size * rng.uniform(0.95, 1.15)], n)
        lobe = ("tail fin", f"lobe@{'upper' if s > 0 else 'lower'}") if split else ("tail fin",)
        fig.limb(lobe, path, np.linspace(0.3, 0.1, n) * size, flat=0.2, normal=Y if vertical else X, blend=0.3)
        fig.limb(
            lobe,
            path + back * 0.12 * size,
            np.linspace(0.28, 0.08, n) * size,
            flat=0.18,
            normal=Y if vertical else X,
            blend=0.3,
        )
    at = int(rng.integers(3, 5))
    chord = rng.uniform(0.06, 0.11)
    tall = rng.uniform(0.08, 0.16)
    if kind == "fish" and rng.random() < 0.5:  # a long low fin
        chord, tall = rng.uniform(0.14, 0.22), rng.uniform(0.05, 0.1)
    top = spine[at] + Y * radii[at] * 0.85
    fin("dorsal fin", top, Z, top + np.array([0, tall, -tall * rng.uniform(0.3, 0.9)]), chord, X)
    if kind != "dolphin" and rng.random() < 0.55:
        low = spine[5] - Y * radii[5] * 0.8
        fin("anal fin", low, Z, low + np.array([0, -0.08, -0.06]), rng.uniform(0.04, 0.08), X)
    if kind == "shark" and rng.random() < 0.6:
        top = spine[6] + Y * radii[6] * 0.8
        fin("second dorsal fin", top, Z, top + np.array([0, 0.05, -0.04]), 0.04, X)
    droop, sweep, reach = rng.uniform(0.1, 0.9), rng.uniform(0.2, 0.9), rng.uniform(0.1, 0.2)
    chord = rng.uniform(0.05, 0.08)
    for name, s in SIDES:
        root = spine[3] + np.array([s * radii[3] * wide * 0.85, -0.35 * radii[3], 0.03])
        d = unit([s, -droop + rng.normal(scale=0.1), -sweep])
        fin(f"pectoral fin@{name}", root, Z, root + d * reach, chord, unit(np.cross(d, Z)))
    if kind == "fish" and rng.random() < 0.5:
        for name, s in SIDES:
            root = spine[4] + np.array([s * radii[4] * wide * 0.4, -0.85 * radii[4], 0.0])
            d = unit([s * 0.5, -1, -0.7])
            fin(f"pelvic fin@{name}", root, Z, root + d * 0.08, 0.04, unit(np.cross(d, Z)))
    if kind == "fish" and rng.random() < 0.35:
        for name, s in SIDES:
            fig.limb(
                ("body", f"eye@{name}"),
                [spine[1] + np.array([s * radii[1] * wide * 0.85, 0.25 * radii[1], 0])],
                0.022,
                blend=0.1,
            )
    return fig
