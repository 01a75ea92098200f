"""Airplanes, helicopters and rockets."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.curves import bspline, catmull_rom, rounded_rectangle, superellipse
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
    Mesh,
    band_groups,
    box,
    cylinder,
    ellipsoid,
    lathe,
    lathe_groups,
    ring_stack,
    sweep,
)

FORWARD = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)  # y (up) -> z (front), z -> -y


def airfoil(points: int = 16) -> np.ndarray:
    """Closed section, chord 1 from trailing edge (-0.5) to leading edge (0.5), thickness about 1 before scaling."""
    t = np.linspace(0, 2 * np.pi, points, endpoint=False)
    x = 0.5 * np.cos(t)
    return np.stack([x, 0.5 * np.sin(t) * np.sqrt(np.clip(0.12 + 0.88 * (x + 0.5), 0, 1))], 1)


def wing_mesh(
    root: np.ndarray, tip: np.ndarray, root_chord: float, tip_chord: float, thick: float, up: tuple, rows: int = 7
) -> Mesh:
    """Tapered wing from root to tip; ``up`` points out of its upper side; leading edge towards +z."""
    s = np.linspace(0, 1, rows)[:, None]
    path = np.asarray(root, float) * (1 - s) + np.asarray(tip, float) * s
    chord = (root_chord * (1 - s) + tip_chord * s)[:, 0]
    chord[-1] *= 0.8
    mesh_scale = np.stack([chord, chord * thick], 1)
    return swept_section(path, mesh_scale, airfoil(), np.asarray(up, float))


def swept_section(path: np.ndarray, scale: np.ndarray, outline: np.ndarray, up: np.ndarray) -> Mesh:
    """Sections that stay parallel: outline axis 0 along +z (perpendicular part), axis 1 along ``up``."""
    up = up / np.linalg.norm(up)
    along = np.array([0.0, 0, 1]) - up[2] * up
    along /= np.linalg.norm(along)
    rings = (
        path[:, None]
        + (scale[:, :1] * outline[:, 0])[..., None] * along
        + (scale[:, 1:] * outline[:, 1])[..., None] * up
    )
    if np.cross(along, up) @ (path[-1] - path[0]) < 0:
        rings = rings[:, ::-1]
    return ring_stack(rings, rings[0].mean(0), rings[-1].mean(0))


def _nacelle(rng: np.random.Generator, at: np.ndarray, r: float, long: float, propeller: bool) -> PartNode:
    """Engine along z centred at ``at``."""
    if propeller:
        shape = bspline([[0, -0.5], [0.6, -0.4], [1.0, 0.1], [0.9, 0.45], [0.4, 0.5], [0, 0.5]], 16) * (r, long)
        shape[[0, -1], 0] = 0
        body = part("nacelle", lathe(shape, 16).mapped(FORWARD, at))
        nose = part(
            "spinner",
            lathe(np.array([[0, -0.1], [0.42, -0.1], [0.3, 0.3], [0, 0.55]]) * r, 14).mapped(
                FORWARD, at + (0, 0, long / 2)
            ),
        )
        n = count(rng, 2, 4)
        blade = wing_mesh(
            at + (0.1 * r, 0, long / 2 + 0.05 * r),
            at + (2.2 * r, 0, long / 2 + 0.05 * r),
            0.22 * r,
            0.3 * r,
            0.2,
            (0, 0.6, 0.8),
            4,
        )
        return part(
            "engine", body, part("propeller", nose, turned("blades", part("blade", blade), n, (0, 0, 1), tuple(at)))
        )
    outer = bspline([[0.62, -0.5], [0.85, -0.2], [1.05, 0.2], [1.0, 0.5]], 10)
    inner = np.array([[0.85, 0.48], [0.8, 0.2], [0.1, 0.2]])
    cone = np.array([[0.0, -0.75], [0.3, -0.5], [0.6, -0.5]])
    profile = np.concatenate([cone, outer, inner, [[0, 0.38]]]) * (r, long)
    mesh = lathe(profile, 20).mapped(FORWARD, at)
    bands = [1] * 2 + [0] * 11 + [1] * (len(profile) - 1 - 13)
    shell, core = mesh.split(lathe_groups(profile, 20, bands), 2)
    return part("engine", part("nacelle", shell), part("turbine", core))


def airplane(rng: np.random.Generator) -> PartNode:
    """Airliners, propeller aircraft, gliders and jets; nose, cabin and tail cone are one surface."""
    kind = pick(rng, ["jet", "jet", "prop", "twin prop", "fighter", "glider"])
    long = between(rng, 3.2, 4.6)
    r = {"jet": 0.24, "prop": 0.25, "twin prop": 0.24, "fighter": 0.19, "glider": 0.15}[kind] * between(rng, 0.85, 1.2)
    m = 26
    s = np.linspace(0, 1, m)
    s = s - 0.08 * np.sin(2 * np.pi * s)
    z = -long / 2 + long * s
    tail_cut, nose_cut = between(rng, 0.3, 0.45), between(rng, 0.82, 0.9)
    full = np.clip(np.where(s < tail_cut, 0.15 + 0.85 * np.sin(np.pi / 2 * s / tail_cut), 1), 0, 1)
    nose_s = np.clip((s - nose_cut) / (1 - nose_cut), 0, 1)
    full *= np.sqrt(np.clip(1 - nose_s**2, 0.004, 1)) if kind != "fighter" else 1 - 0.97 * nose_s**1.3
    lift = 0.5 * r * np.clip(1 - s / tail_cut, 0, 1) ** 1.5 - 0.25 * r * nose_s**2
    path = np.stack([0 * z, lift, z], 1)
    tall = between(rng, 0.9, 1.2)
    section = superellipse(2, 2, between(rng, 2, 2.8), 24)
    body = sweep(path, np.stack([full * r, full * r * tall], 1), section, up=(0, 1, 0))
    bands = [0 if s[i] < tail_cut * 0.75 else 2 if s[i + 1] > nose_cut else 1 for i in range(m - 1)]
    tail_mesh, cabin, nose = body.split(band_groups(m, 24, bands, 0, 2), 3)
    fuselage: list[PartNode] = [part("tail cone", tail_mesh), part("cabin", cabin), part("nose", nose)]
    if kind in ("prop", "fighter", "glider"):
        cz = long * between(rng, 0.08, 0.2)
        fuselage.append(part("canopy", ellipsoid((r * 0.75, r * 0.8, r * 2.2), (0, r * tall * 0.75, cz), 20, 10)))
    if kind in ("jet", "twin prop") and chance(rng, 0.6):
        n = count(rng, 6, 14)
        pitch = long * 0.45 / n
        pane = part("window", ellipsoid((r * 0.05, r * 0.13, r * 0.09), (r * 0.98, r * 0.2, -long * 0.15), 10, 6))
        fuselage.append(mirrored("windows", stepped("window row", pane, n, (0, 0, pitch))))
    span = (
        long
        * {"jet": 0.45, "prop": 0.5, "twin prop": 0.5, "fighter": 0.3, "glider": 0.8}[kind]
        * between(rng, 0.85, 1.15)
    )
    root_c = (
        long
        * {"jet": 0.2, "prop": 0.17, "twin prop": 0.15, "fighter": 0.38, "glider": 0.09}[kind]
        * between(rng, 0.85, 1.15)
    )
    tip_c = root_c * (between(rng, 0.08, 0.3) if kind == "fighter" else between(rng, 0.25, 0.9))
    sweep_back = span * {"jet": between(rng, 0.3, 0.7), "fighter": between(rng, 0.5, 0.9)}.get(
        kind, between(rng, -0.05, 0.12)
    )
    high = pick(rng, [-0.6, -0.5, 0.0, 0.85]) * r * tall
    wz = between(rng, -0.02, 0.08) * long if kind != "fighter" else -0.08 * long
    root = np.array([r * 0.3, high, wz])
    tip = root + (span, span * between(rng, -0.05, 0.14), -sweep_back)
    rise = tuple(np.cross((0, 0, 1), tip - root))
    outer_cut = between(rng, 0.6, 0.8)
    half = wing_mesh(root, tip, root_c, tip_c, between(rng, 0.08, 0.14), rise, 9)
    if chance(rng, 0.4):
        cut = int(outer_cut * 8)
        inner_w, outer_w = half.split(band_groups(9, 16, [0] * cut + [1] * (8 - cut), 0, 1), 2)
        wing = part("wing", part("inner wing", inner_w), part("outer wing", outer_w))
    else:
        wing = part("wing", part("wing panel", half))
    if kind == "jet" and chance(rng, 0.5):
        end = tip + (0.02 * span, 0.13 * span, -0.06 * span)
        wing.children.append(
            part("winglet", wing_mesh(tip - (0.01 * span, 0, 0), end, tip_c * 0.8, tip_c * 0.4, 0.1, (-1, 0.2, 0), 4))
        )
    wings = mirrored("wings", wing)
    if kind == "prop" and chance(rng, 0.3):
        upper = part(
            "wing",
            part(
                "wing panel",
                wing_mesh(
                    root * (0, 1, 1) + (0, 1.3 * r * 2 - high, 0.05),
                    tip + (0, 2.6 * r - high, 0.05),
                    root_c,
                    tip_c,
                    0.1,
                    rise,
                    7,
                ),
            ),
        )
        strut = part(
            "strut",
            cylinder(
                root * 0.45 + tip * 0.55, root * (0, 0.45, 0.45) + tip * 0.55 + (0, 2.6 * r - high, 0.05), 0.02, sides=8
            ),
        )
        wings = part("wings", wings, mirrored("upper wings", upper), mirrored("struts", strut))
    fin_h = long * between(rng, 0.12, 0.2)
    fin_c = long * between(rng, 0.1, 0.17)
    tz = -long / 2 + fin_c * 0.6
    fin = part(
        "fin",
        wing_mesh(
            np.array([0, lift[1], tz]),
            np.array([0, lift[0] + fin_h, tz - fin_h * between(rng, 0.2, 0.7)]),
            fin_c,
            fin_c * between(rng, 0.35, 0.7),
            0.1,
            (-1, 0, 0),
            5,
        ),
    )
    t_tail = chance(rng, 0.25)
    stab_y = lift[0] + (fin_h * 0.92 if t_tail else 0.0)
    stab_z = tz - (fin_h * 0.35 if t_tail else 0)
    stab_span = span * between(rng, 0.3, 0.42)
    stab_root = np.array([0.0 if t_tail else r * 0.05, stab_y, stab_z])
    stab = part(
        "stabilizer",
        wing_mesh(
            stab_root, stab_root + (stab_span, 0.03, -sweep_back * 0.35), fin_c * 0.8, fin_c * 0.4, 0.09, (0, 1, 0), 5
        ),
    )
    tail = part("tail", fin, mirrored("stabilizers", stab))
    if kind == "fighter" and chance(rng, 0.5):
        tail = part(
            "tail", mirrored("fins", fin.rotated((0, 0, 1), -0.25).moved(r * 0.7, 0, 0)), mirrored("stabilizers", stab)
        )
    engines: PartNode | None = None
    if kind in ("jet", "twin prop"):
        er, el = r * between(rng, 0.38, 0.6), r * between(rng, 1.6, 2.6)
        groups = []
        rear = kind == "jet" and chance(rng, 0.25)
        spots = [0.33] if kind == "twin prop" or rear else pick(rng, [[0.33], [0.33], [0.28, 0.58]])
        for f in spots:
            on = root * (1 - f) + tip * f
            if rear:
                at = np.array([r * 1.0 + er, lift[3] + r * 0.3, -long * 0.28])
                pylon = box((er * 1.2, er * 0.3, el * 0.5), at - (er * 0.9, 0, 0), er * 0.08)
            elif kind == "jet":
                at = on + (0, -er * 1.35, root_c * 0.45)
                pylon = box((er * 0.25, er * 1.2, el * 0.6), (at + on) / 2 + (0, 0, -root_c * 0.05), er * 0.05)
            else:
                at, pylon = on + (0, 0, root_c * 0.5), None
            unit = _nacelle(rng, at, er if kind == "jet" else er * 0.8, el, kind != "jet")
            if pylon is not None:
                unit.children.append(part("pylon", pylon))
            groups.append(mirrored("engines", unit))
        engines = groups[0] if len(groups) == 1 else part("engines", *groups)
    elif kind == "prop":
        engines = _nacelle(rng, np.array([0, -0.25 * r, long / 2]), r * 0.5, r, True)
    elif kind == "fighter":
        pipe = lathe(
            np.array([[0, 0.3], [0.5, 0.3], [0.6, -0.6], [0.75, -0.6], [0.85, 0.5], [0, 0.5]])[::-1] * r, 18
        ).mapped(FORWARD, (r * 0.45, lift[0], -long / 2))
        engines = mirrored("engines", part("nozzle", pipe))
    gear = None
    if chance(rng, 0.45):
        y = -r * tall - between(rng, 0.12, 0.25)

        def strut_and_wheel(x: float, top: float, at_z: float, wheels: int) -> PartNode:
            leg = part("strut", cylinder((x, top, at_z), (x, y, at_z), 0.018, sides=8))
            one = part("wheel", cylinder((x + 0.012, y, at_z), (x + 0.05, y, at_z), 0.06, sides=16))
            return part("gear leg", leg, mirrored("wheels", one, point=(x, 0, 0)) if wheels == 2 else one)

        inboard = 0.78 * root + 0.22 * tip
        main = strut_and_wheel(float(inboard[0]), float(inboard[1]), float(inboard[2]), 2)
        end_z = long * 0.33 if kind != "prop" else -long * 0.35
        belly = float(np.interp(end_z, z, lift - 0.6 * r * tall * full))
        gear = part("landing gear", mirrored("main gear", main), strut_and_wheel(0.0, belly, end_z, 2))
    return part("airplane", part("fuselage", *fuselage), wings, tail, engines, gear)


def rocket(rng: np.random.Generator) -> PartNode:
    """Rockets: nose cone, stages and skirt on one surface, fins, boosters and nozzles."""
    h, r = between(rng, 1.5, 3.0), between(rng, 0.12, 0.25)
    cut1, cut2 = between(rng, 0.3, 0.45), between(rng, 0.65, 0.8)
    upper = r * between(rng, 0.65, 1.0)
    nose = bspline([[upper, h * cut2], [upper, h * (cut2 + (1 - cut2) * 0.5)], [upper * 0.3, h * 0.97], [0, h]], 12)
    nose[-1, 0] = 0
    lower = np.array([[0, 0], [r * 0.9, 0], [r, 0.03 * h], [r, h * cut1]])
    middle = np.array([[upper, h * (cut1 + 0.05)], [upper, h * cut2]])
    profile = np.concatenate([lower, middle, nose[1:]])
    bands = [0, 0, 0, 1, 1] + [2] * (len(nose) - 1)
    pieces = lathe(profile, 28).split(lathe_groups(profile, 28, bands), 3)
    body = part("body", part("first stage", pieces[0]), part("second stage", pieces[1]), part("nose cone", pieces[2]))
    n = count(rng, 3, 5)
    fin_h = h * between(rng, 0.12, 0.22)
    fin = part(
        "fin",
        swept_section(
            np.array([[r * 0.9, fin_h * 0.6, 0], [r * between(rng, 1.9, 2.6), fin_h * between(rng, -0.1, 0.4), 0]]),
            np.array([[0.03, fin_h], [0.015, fin_h * 0.5]]),
            rounded_rectangle(1, 1),
            np.array([0, 1.0, 0]),
        ),
    )
    fins = turned("fins", fin, n)
    bell = np.array([[0, 0.0], [0.25, 0.0], [0.3, -0.3], [0.6, -1.0], [0.55, -1.0], [0.2, -0.3], [0, -0.25]])
    count_n = pick(rng, [1, 1, 3, 4])
    size = r * (0.9 if count_n == 1 else 0.45)
    one = part("nozzle", lathe(bell[::-1] * size, 18, (0 if count_n == 1 else r * 0.5, 0.01, 0)))
    engines = part("engines", turned("nozzles", one, count_n) if count_n > 1 else one)
    boosters = None
    if chance(rng, 0.5):
        br, bh = r * between(rng, 0.4, 0.6), h * cut1 * between(rng, 0.9, 1.3)
        shape = np.concatenate(
            [[[0, 0], [br, 0], [br, bh * 0.8]], bspline([[br, bh * 0.8], [br, bh * 0.95], [0, bh]], 7)[1:]]
        )
        shape[-1, 0] = 0
        tube_mesh, tip = lathe(shape, 18, (r + br * 0.9, 0, 0)).split(
            lathe_groups(shape, 18, [0, 0] + [1] * (len(shape) - 3)), 2
        )
        unit = part(
            "booster",
            part("booster tube", tube_mesh),
            part("booster tip", tip),
            part("nozzle", lathe(bell[::-1] * br, 14, (r + br * 0.9, 0.01, 0))),
        )
        boosters = turned("boosters", unit, pick(rng, [2, 2, 3, 4])).rotated((0, 1, 0), np.pi / n)
    return part("rocket", body, fins, engines, boosters)


def helicopter(rng: np.random.Generator) -> PartNode:
    """Helicopters: cabin and tail boom are one surface."""
    long, r = between(rng, 3.2, 4.2), between(rng, 0.4, 0.55)
    m = 26
    s = np.linspace(0, 1, m)
    cut = between(rng, 0.45, 0.55)
    boom_r = between(rng, 0.1, 0.18)
    shape = np.where(s < cut, boom_r + (0.35 - boom_r) * np.clip((s - cut + 0.12) / 0.12, 0, 1) ** 2, 0)
    round_part = np.sqrt(np.clip(1 - ((s - (cut + 1) / 2) / ((1 - cut) / 2 + 0.02)) ** 2, 0.002, 1))
    radius = r * np.maximum(shape * (s < cut), round_part * (s >= cut))
    radius = np.convolve(np.pad(radius, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    path = np.stack([0 * s, 0.25 * r * np.clip(1 - s / cut, 0, 1), -long * 0.6 + long * s], 1)
    body = sweep(path, radius, superellipse(2, 2, 2.4, 22), up=(0, 1, 0))
    bands = [0 if s[i + 1] < cut - 0.06 else 1 if s[i] < 0.83 else 2 for i in range(m - 1)]
    boom, cabin, nose = body.split(band_groups(m, 22, bands, 0, 2), 3)
    hull = part("fuselage", part("tail boom", boom), part("cabin", cabin), part("nose", nose))
    cz = float(path[int(m * (cut + 1) / 2), 2])
    top = r * 1.35
    mast = part("mast", cylinder((0, r * 0.7, cz), (0, top, cz), 0.05, sides=12))
    n = count(rng, 2, 5)
    reach = long * between(rng, 0.42, 0.55)
    blade = part(
        "blade",
        swept_section(
            np.array([[0.1, top, cz], [reach, top - 0.03, cz]]),
            np.array([[0.16, 0.02], [0.12, 0.015]]),
            airfoil(),
            np.array([0, 1.0, 0.12]),
        ),
    )
    rotor = part(
        "main rotor",
        part("hub", cylinder((0, top - 0.05, cz), (0, top + 0.06, cz), 0.12, 0.08, 16)),
        mast,
        turned("blades", blade, n, (0, 1, 0), (0, 0, cz)),
    )
    tail_at = np.array([0.1, path[0, 1], path[0, 2] + 0.1])
    tail_blade = part("blade", box((0.015, 0.4, 0.07), tail_at + (0.02, 0.22, 0), 0.003))
    tail_rotor = part(
        "tail rotor",
        part("hub", cylinder(tail_at - (0.12, 0, 0), tail_at + (0.05, 0, 0), 0.04, sides=12)),
        turned("blades", tail_blade, count(rng, 2, 4), (1, 0, 0), tuple(tail_at)),
    )
    fin = part("fin", wing_mesh(path[0] + (0, 0, 0.2), path[0] + (0, 0.55, -0.1), 0.35, 0.2, 0.12, (-1, 0, 0), 4))
    stab = mirrored(
        "stabilizers", part("stabilizer", wing_mesh(path[3], path[3] + (0.5, 0, 0), 0.25, 0.18, 0.12, (0, 1, 0), 4))
    )
    y = -r * 1.3
    skid_path = catmull_rom(
        [
            [r * 0.9, y, cz - 0.8],
            [r * 0.9, y, cz + 0.6],
            [r * 0.9, y + 0.05, cz + 0.85],
            [r * 0.9, y + 0.16, cz + 0.98],
        ],
        14,
    )
    skid = part("skid", sweep(skid_path, 0.03, sides=10))
    strut = part("strut", cylinder((r * 0.5, -r * 0.6, cz - 0.4), (r * 0.9, y, cz - 0.4), 0.022, sides=8))
    side = part("skid side", skid, stepped("struts", strut, 2, (0, 0, 0.75)))
    return part("helicopter", hull, rotor, part("tail", tail_rotor, fin, stab), mirrored("landing gear", side))


FAMILIES = {"airplane": airplane, "rocket": rocket, "helicopter": helicopter}
