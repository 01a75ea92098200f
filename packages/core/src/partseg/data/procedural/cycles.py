"""Bicycles, skateboards and scooters."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline, catmull_rom, circle, rounded_rectangle, superellipse
from partseg.data.procedural.grammar import (
    PartNode,
    between,
    chance,
    count,
    mirrored,
    part,
    pick,
    stepped,
    turned,
)
from partseg.data.procedural.primitives import (
    band_groups,
    bar,
    box,
    cylinder,
    lathe,
    prism,
    sweep,
    torus,
)


def _bike_wheel(rng: np.random.Generator, z: float, r: float, n: int, thin: float) -> PartNode:
    at = (0.0, r, z)
    tyre = part("tyre", torus(at, (1, 0, 0), r - thin, thin, 8, 44))
    rim = part("rim", torus(at, (1, 0, 0), r - 2.3 * thin, thin * 0.7, 6, 40))
    hub = part("hub", cylinder((-0.035, r, z), (0.035, r, z), 0.02, sides=12))
    spoke = part("spoke", cylinder((0.02, r, z), (0.0, 2 * r - 2.5 * thin, z), 0.003, sides=4))
    return part("wheel", tyre, rim, hub, turned("spokes", mirrored("spoke pair", spoke), n, (1, 0, 0), at))


def bicycle(rng: np.random.Generator) -> PartNode:
    """Bicycles: road, city and mountain geometry."""
    r = between(rng, 0.28, 0.35)
    base = between(rng, 0.95, 1.12)
    thin = between(rng, 0.013, 0.03)
    n = count(rng, 6, 12)
    rear, front = -base / 2, base / 2
    bb = np.array([0, r * between(rng, 0.78, 0.9), rear + between(rng, 0.38, 0.44)])
    seat_angle = np.radians(between(rng, 70, 75))
    seat_len = between(rng, 0.42, 0.58)
    seat_top = bb + seat_len * np.array([0, np.sin(seat_angle), -np.cos(seat_angle)])
    head_angle = np.radians(between(rng, 68, 74))
    steer = np.array([0, np.sin(head_angle), -np.cos(head_angle)])
    rake = np.array([0, 0, 0.045])
    axle_f, axle_r = np.array([0, r, front]), np.array([0, r, rear])
    crown = axle_f - rake + steer * (r + 0.06)
    head_low, head_top = crown + steer * 0.02, crown + steer * between(rng, 0.12, 0.2)
    t = between(rng, 0.013, 0.022)
    step_through = chance(rng, 0.25)
    if step_through:
        low = bb * 0.35 + seat_top * 0.65
        path = bspline([head_top - steer * 0.05, (head_top + bb) / 2 + (0, -0.05, 0.05), bb + (0, 0.12, 0.02), low], 18)
        top_tube = part("top tube", sweep(path, t * 0.8, sides=10, up=(1, 0, 0)))
    else:
        top_tube = part(
            "top tube", cylinder(seat_top - (seat_top - bb) * 0.05, head_top - steer * 0.02, t * 0.85, sides=12)
        )
    stay = 0.05
    chain = part(
        "chain stay",
        sweep(
            bspline([bb + (0.02, 0, 0), bb * 0.6 + axle_r * 0.4 + (stay, 0, 0), axle_r + (stay, 0, 0)], 8),
            t * 0.5,
            sides=8,
        ),
    )
    seat_stay = part(
        "seat stay",
        sweep(
            bspline(
                [
                    seat_top - (seat_top - bb) * 0.08 + (0.01, 0, 0),
                    seat_top * 0.6 + axle_r * 0.4 + (stay, 0, 0),
                    axle_r + (stay, 0, 0),
                ],
                8,
            ),
            t * 0.45,
            sides=8,
        ),
    )
    frame = part(
        "frame",
        part(
            "main tubes",
            top_tube,
            part("down tube", cylinder(bb, head_low, t * 1.1, sides=12)),
            part("seat tube", cylinder(bb, seat_top, t, sides=12)),
            part("head tube", cylinder(head_low - steer * 0.01, head_top, t * 1.3, sides=14)),
        ),
        part("stays", mirrored("chain stays", chain), mirrored("seat stays", seat_stay)),
    )
    blade = part(
        "blade",
        sweep(
            bspline([crown + (stay, 0, 0), axle_f - rake + steer * r * 0.4 + (stay, 0, 0), axle_f + (stay, 0, 0)], 10),
            t * np.linspace(0.9, 0.5, 10),
            sides=10,
        ),
    )
    fork = part(
        "fork",
        part("crown", bar(crown - (stay * 1.2, 0, 0), crown + (stay * 1.2, 0, 0), 0.03, 0.035, up=(0, 1, 0.2))),
        mirrored("blades", blade),
    )
    bar_y = head_top + steer * between(rng, 0.06, 0.14)
    style = pick(rng, ["flat", "drop", "city", "flat"])
    half = between(rng, 0.2, 0.32)
    ahead = np.array([0, 0.01, between(rng, 0.04, 0.09)])
    clamp = bar_y + ahead
    if style == "flat":
        curve = np.array([clamp, clamp + (half * 0.6, 0.0, 0), clamp + (half, 0.0, -0.03)])
    elif style == "drop":
        curve = clamp + np.array(
            [
                [0, 0, 0],
                [half * 0.8, 0, 0],
                [half * 0.85, 0, 0.1],
                [half * 0.85, -0.06, 0.13],
                [half * 0.85, -0.12, 0.08],
                [half * 0.87, -0.13, -0.02],
            ]
        )
    else:
        curve = clamp + np.array([[0, 0, 0], [half * 0.4, 0.06, 0.05], [half * 0.85, 0.07, -0.02], [half, 0.06, -0.2]])
    path = catmull_rom(curve, 20)
    arm_side = sweep(path[:16], 0.012, sides=10)
    grip_side = sweep(path[15:], 0.018, sides=10, round_ends=True)
    grips = mirrored("handlebar sides", part("handlebar side", part("bar", arm_side), part("grip", grip_side)))
    stem = part(
        "stem", cylinder(head_top - steer * 0.01, bar_y, t * 0.8, sides=10), cylinder(bar_y, clamp, t * 0.8, sides=10)
    )
    steering = part("steering", part("handlebar", stem, grips), fork)
    post_top = seat_top + (seat_top - bb) / seat_len * between(rng, 0.06, 0.18)
    sad_l = between(rng, 0.24, 0.28)
    s = np.linspace(0, 1, 14)
    wide = np.interp(s, [0, 0.15, 0.35, 0.6, 0.95, 1], [0.05, 0.075, 0.07, 0.028, 0.02, 0.008])
    spine = np.stack([0 * s, post_top[1] + 0.02 + 0.012 * (2 * s - 1) ** 2, post_top[2] + (s - 0.4) * sad_l], 1)
    saddle = part("saddle", sweep(spine, np.stack([wide, 0.022 + 0 * s], 1), superellipse(2, 2, 2.5, 16), up=(0, 1, 0)))
    seat = part(
        "seat",
        saddle,
        part("seat post", cylinder(seat_top - (seat_top - bb) * 0.05, post_top + (0, 0.02, 0), t * 0.7, sides=10)),
    )
    ring_r = between(rng, 0.07, 0.1)
    teeth = circle(48) * (ring_r * (1 + 0.03 * np.where(np.arange(48) % 2, 1, -1)))[:, None]
    side_turn = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float)
    chainring = part("chainring", prism(teeth, -0.003, 0.003).mapped(side_turn, bb + (0.05, 0, 0)))
    shell = part("bottom bracket", cylinder(bb - (0.045, 0, 0), bb + (0.045, 0, 0), t * 1.5, sides=14))
    turn = between(rng, 0, 2 * np.pi)
    arm_end = bb + 0.17 * np.array([0, np.cos(turn), np.sin(turn)])
    crank = part("crank arm", bar(bb + (0.065, 0, 0), arm_end + (0.075, 0, 0), 0.014, 0.026, up=(1, 0, 0)))
    pedal = part(
        "pedal",
        box((0.085, 0.018, 0.07), arm_end + (0.13, 0, 0), 0.004),
        cylinder(arm_end + (0.07, 0, 0), arm_end + (0.1, 0, 0), 0.007, sides=8),
    )
    cranks = _opposite(part("crank", crank, pedal), bb)
    cog = part("sprocket", cylinder(axle_r + (0.03, 0, 0), axle_r + (0.055, 0, 0), 0.035, 0.028, 18))
    up_off, low_off = np.array([0.045, ring_r, 0.0]), np.array([0.045, -ring_r, 0.0])
    chain_path = np.array(
        [
            bb + up_off,
            axle_r + (0.045, 0.036, 0),
            axle_r + (0.045, 0, -0.036),
            axle_r + (0.045, -0.036, 0),
            bb + low_off,
            bb + (0.045, 0, ring_r),
        ]
    )
    drive_chain = part(
        "chain",
        sweep(bspline(np.concatenate([chain_path, chain_path[:1]]), 30)[:-1], 0.005, sides=6, loop=True, up=(1, 0, 0)),
    )
    drive = part("drivetrain", part("crankset", chainring, shell, cranks), cog, drive_chain)
    wheels = stepped("wheels", _bike_wheel(rng, rear, r, n, thin), 2, (0, 0, base))
    extras = []
    if style == "city" and chance(rng, 0.7):
        outline = rounded_rectangle(0.004, 0.05, 0.002)
        angles = np.linspace(0.2, 2.9, 16)
        arc = np.stack([0 * angles, r + (r + 0.025) * np.sin(angles), rear - (r + 0.025) * np.cos(angles)], 1)
        guard = part("mudguard", sweep(arc, 1.0, outline, up=(1, 0, 0)))
        extras.append(stepped("mudguards", guard, 2, (0, 0, base)))
    return part("bicycle", frame, steering, seat, wheels, drive, *extras)


def _opposite(one: PartNode, centre: np.ndarray) -> PartNode:
    """``one`` and its copy at the other end of the axle, half a turn on: a point reflection, so a plain group."""
    return part("cranks", one, one.mapped(-np.eye(3), 2 * np.asarray(centre)))


def skateboard(rng: np.random.Generator) -> PartNode:
    """Skateboards and scooters: kicked deck (one surface: nose, deck, tail), trucks, wheels."""
    long, w = between(rng, 0.7, 1.0), between(rng, 0.18, 0.25)
    m = 25
    s = np.linspace(-1, 1, m)
    kick = between(rng, 0.0, 0.06)
    y = 0.1 + kick * np.clip((np.abs(s) - 0.68) / 0.32, 0, 1) ** 1.5
    wide = w * np.clip(1 - np.clip((np.abs(s) - 0.75) / 0.25, 0, 1) ** 2.5, 0.15, 1)
    path = np.stack([0 * s, y, s * long / 2], 1)
    outline = rounded_rectangle(1, 1, 0.1, 1, 6)
    deck = sweep(path, np.stack([wide, np.full(m, 0.012)], 1), outline, up=(0, 1, 0))
    bands = [0 if s[i + 1] <= -0.66 else 2 if s[i] >= 0.66 else 1 for i in range(m - 1)]
    tail, flat, nose = deck.split(band_groups(m, len(outline), bands, 0, 2), 3)
    z = long * between(rng, 0.26, 0.3)
    wheel_r = between(rng, 0.024, 0.035)
    ay = wheel_r
    x = w * 0.42
    wheel = part(
        "wheel",
        lathe(
            np.array([[0, -0.5], [0.8, -0.5], [1, -0.35], [1, 0.35], [0.8, 0.5], [0, 0.5]]) * (wheel_r, 0.035), 20
        ).mapped(np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float), (x, ay, z)),
    )
    hanger = part(
        "hanger",
        sweep(
            np.array([[-x, ay, z], [-0.02, ay + 0.012, z], [0.02, ay + 0.012, z], [x, ay, z]]),
            np.array([0.008, 0.018, 0.018, 0.008]),
            sides=10,
        ),
        bar((0, ay, z), (0, 0.08, z - 0.02), 0.03, 0.03, up=(0, 0, 1)),
    )
    plate = part("base plate", box((0.055, 0.02, 0.08), (0, 0.086, z), 0.004))
    truck = part("truck", plate, hanger, mirrored("wheels", wheel))
    trucks = mirrored("trucks", truck, (0, 0, 1))
    steering = None
    if chance(rng, 0.35):
        pole = part("pole", cylinder((0, 0.1, long * 0.42), (0, 0.95, long * 0.3), 0.016, sides=12))
        grip = part("grip", cylinder((0.08, 0.95, long * 0.3), (0.22, 0.95, long * 0.3), 0.016, sides=12))
        steering = part(
            "steering",
            pole,
            part(
                "handlebar",
                part("bar", cylinder((-0.1, 0.95, long * 0.3), (0.1, 0.95, long * 0.3), 0.011, sides=10)),
                mirrored("grips", grip),
            ),
        )
    return part(
        "skateboard", part("deck", part("tail", tail), part("deck board", flat), part("nose", nose)), trucks, steering
    )


FAMILIES = {"bicycle": bicycle, "skateboard": skateboard}
