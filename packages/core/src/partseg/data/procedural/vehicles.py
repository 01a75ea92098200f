"""Airplanes, cars, bicycles, rockets, boats, helicopters and skateboards."""

from __future__ import annotations

import numpy as np

from partseg.data.procedural.grammar import PartNode, between, chance, count, four, mirrored, part, pick, stepped, turned
from partseg.data.procedural.primitives import (
    Mesh,
    band_groups,
    bar,
    box,
    bspline,
    catmull_rom,
    circle,
    cylinder,
    ellipsoid,
    lathe,
    lathe_groups,
    prism,
    ring_stack,
    rounded_rectangle,
    superellipse,
    sweep,
    torus,
)

FORWARD = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], float)  # y (up) -> z (front), z -> -y


def airfoil(points: int = 16) -> np.ndarray:
    """Closed section, chord 1 from trailing edge (-0.5) to leading edge (0.5), thickness about 1 before scaling."""
    t = np.linspace(0, 2 * np.pi, points, endpoint=False)
    x = 0.5 * np.cos(t)
    return np.stack([x, 0.5 * np.sin(t) * np.sqrt(np.clip(0.12 + 0.88 * (x + 0.5), 0, 1))], 1)


def wing_mesh(root: np.ndarray, tip: np.ndarray, root_chord: float, tip_chord: float, thick: float, up: tuple, rows: int = 7) -> Mesh:
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
    rings = path[:, None] + (scale[:, :1] * outline[:, 0])[..., None] * along + (scale[:, 1:] * outline[:, 1])[..., None] * up
    if np.cross(along, up) @ (path[-1] - path[0]) < 0:
        rings = rings[:, ::-1]
    return ring_stack(rings, rings[0].mean(0), rings[-1].mean(0))


def _nacelle(rng: np.random.Generator, at: np.ndarray, r: float, long: float, propeller: bool) -> PartNode:
    """Engine along z centred at ``at``."""
    if propeller:
        shape = bspline([[0, -0.5], [0.6, -0.4], [1.0, 0.1], [0.9, 0.45], [0.4, 0.5], [0, 0.5]], 16) * (r, long)
        shape[[0, -1], 0] = 0
        body = part("nacelle", lathe(shape, 16).mapped(FORWARD, at))
        nose = part("spinner", lathe(np.array([[0, -0.1], [0.42, -0.1], [0.3, 0.3], [0, 0.55]]) * r, 14).mapped(FORWARD, at + (0, 0, long / 2)))
        n = count(rng, 2, 4)
        blade = wing_mesh(at + (0.1 * r, 0, long / 2 + 0.05 * r), at + (2.2 * r, 0, long / 2 + 0.05 * r), 0.22 * r, 0.3 * r, 0.2, (0, 0.6, 0.8), 4)
        return part("engine", body, part("propeller", nose, turned("blades", part("blade", blade), n, (0, 0, 1), tuple(at))))
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
    span = long * {"jet": 0.45, "prop": 0.5, "twin prop": 0.5, "fighter": 0.3, "glider": 0.8}[kind] * between(rng, 0.85, 1.15)
    root_c = long * {"jet": 0.2, "prop": 0.17, "twin prop": 0.15, "fighter": 0.38, "glider": 0.09}[kind] * between(rng, 0.85, 1.15)
    tip_c = root_c * (between(rng, 0.08, 0.3) if kind == "fighter" else between(rng, 0.25, 0.9))
    sweep_back = span * {"jet": between(rng, 0.3, 0.7), "fighter": between(rng, 0.5, 0.9)}.get(kind, between(rng, -0.05, 0.12))
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
        wing.children.append(part("winglet", wing_mesh(tip - (0.01 * span, 0, 0), end, tip_c * 0.8, tip_c * 0.4, 0.1, (-1, 0.2, 0), 4)))
    wings = mirrored("wings", wing)
    if kind == "prop" and chance(rng, 0.3):
        upper = part("wing", part("wing panel", wing_mesh(root * (0, 1, 1) + (0, 1.3 * r * 2 - high, 0.05), tip + (0, 2.6 * r - high, 0.05), root_c, tip_c, 0.1, rise, 7)))
        strut = part("strut", cylinder(root * 0.45 + tip * 0.55, root * (0, 0.45, 0.45) + tip * 0.55 + (0, 2.6 * r - high, 0.05), 0.02, sides=8))
        wings = part("wings", wings, mirrored("upper wings", upper), mirrored("struts", strut))
    fin_h = long * between(rng, 0.12, 0.2)
    fin_c = long * between(rng, 0.1, 0.17)
    tz = -long / 2 + fin_c * 0.6
    fin = part("fin", wing_mesh(np.array([0, lift[1], tz]), np.array([0, lift[0] + fin_h, tz - fin_h * between(rng, 0.2, 0.7)]), fin_c, fin_c * between(rng, 0.35, 0.7), 0.1, (-1, 0, 0), 5))
    t_tail = chance(rng, 0.25)
    stab_y = lift[0] + (fin_h * 0.92 if t_tail else 0.0)
    stab_z = tz - (fin_h * 0.35 if t_tail else 0)
    stab_span = span * between(rng, 0.3, 0.42)
    stab_root = np.array([0.0 if t_tail else r * 0.05, stab_y, stab_z])
    stab = part("stabilizer", wing_mesh(stab_root, stab_root + (stab_span, 0.03, -sweep_back * 0.35), fin_c * 0.8, fin_c * 0.4, 0.09, (0, 1, 0), 5))
    tail = part("tail", fin, mirrored("stabilizers", stab))
    if kind == "fighter" and chance(rng, 0.5):
        tail = part("tail", mirrored("fins", fin.rotated((0, 0, 1), -0.25).moved(r * 0.7, 0, 0)), mirrored("stabilizers", stab))
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
        pipe = lathe(np.array([[0, 0.3], [0.5, 0.3], [0.6, -0.6], [0.75, -0.6], [0.85, 0.5], [0, 0.5]])[::-1] * r, 18).mapped(FORWARD, (r * 0.45, lift[0], -long / 2))
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


# ------------------------------------------------------------------------------------------------------------------ cars


def road_wheel(rng: np.random.Generator, at: tuple, r: float, width: float, spokes: int, side: float = 1.0) -> PartNode:
    """Wheel about the x axis; tyre and rim are one surface, hub and spokes their own."""
    profile = np.array([[0.55, -0.5], [0.68, -0.52], [0.95, -0.5], [1.0, -0.3], [1.0, 0.3], [0.95, 0.5], [0.68, 0.52], [0.55, 0.5], [0.55, -0.2]]) * (r, width)
    turn = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float)
    tyre, rim = lathe(profile, 28, loop=True).mapped(turn, at).split(band_groups(9, 28, [1, 0, 0, 0, 0, 0, 1, 1, 1], None, None), 2)
    x = at[0] + side * width * 0.25
    hub = part("hub", cylinder((x - width * 0.2, at[1], at[2]), (x + width * 0.3 * side, at[1], at[2]), r * 0.16, sides=14))
    one = part("spoke", bar((x, at[1] + 0.05 * r, at[2]), (x, at[1] + 0.58 * r, at[2]), width * 0.2, r * 0.14, up=(0, 0, 1)))
    return part("wheel", part("tyre", tyre), part("rim", rim), part("wheel center", hub, turned("spokes", one, spokes, (1, 0, 0), at)))


def car(rng: np.random.Generator) -> PartNode:
    """Cars, vans, pick-ups: hood, cabin and trunk are stretches of one body surface."""
    kind = pick(rng, ["sedan", "sedan", "hatch", "van", "pickup", "sports", "bus"])
    long = {"van": 4.4, "bus": 7.0, "pickup": 4.9}.get(kind, 4.2) * between(rng, 0.92, 1.08)
    w = between(rng, 1.6, 1.95)
    h = {"van": 1.9, "bus": 2.6, "sports": 1.1, "pickup": 1.6}.get(kind, 1.4) * between(rng, 0.93, 1.07)
    wheel_r = between(rng, 0.28, 0.38)
    clear = wheel_r * 0.55
    belt = h * between(rng, 0.5, 0.58) if kind not in ("van", "bus") else h * 0.5
    # Roof line from rear (-0.5) to front (0.5).
    lines = {
        "sedan": [(-0.5, belt * 0.95), (-0.36, belt * 1.05), (-0.2, h), (0.05, h), (0.2, belt * 1.08), (0.42, belt * 0.92), (0.5, belt * 0.72)],
        "hatch": [(-0.5, belt), (-0.46, belt * 1.25), (-0.36, h * 0.98), (0.05, h), (0.22, belt * 1.08), (0.43, belt * 0.92), (0.5, belt * 0.72)],
        "van": [(-0.5, h * 0.95), (-0.47, h), (0.2, h), (0.3, h * 0.95), (0.42, belt * 1.1), (0.48, belt * 0.95), (0.5, belt * 0.8)],
        "bus": [(-0.5, h * 0.96), (-0.48, h), (0.2, h), (0.45, h), (0.48, h * 0.9), (0.495, belt), (0.5, belt * 0.8)],
        "pickup": [(-0.5, belt), (-0.12, belt), (-0.1, h), (0.08, h), (0.2, belt * 1.1), (0.43, belt), (0.5, belt * 0.8)],
        "sports": [(-0.5, belt * 1.05), (-0.35, belt * 1.1), (-0.12, h), (0.02, h), (0.2, belt * 1.02), (0.42, belt * 0.82), (0.5, belt * 0.6)],
    }
    line = np.array(lines[kind])
    m = 34
    s = np.linspace(-0.5, 0.5, m)
    roof = np.interp(s, line[:, 0], line[:, 1])
    roof = np.convolve(np.pad(roof, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
    taper = 1 - 0.14 * np.clip((np.abs(s) - 0.38) / 0.12, 0, 1) ** 2
    # One closed cross-section: floor, sill, belt, roof edge, roof; the cabin narrows towards the roof.
    half = np.array([[0, 0], [0.85, 0], [1.0, 0.12], [1.02, 0.55], [1.0, 1.0]])
    rings = []
    for i in range(m):
        low, b, top = clear, min(belt, roof[i]), roof[i]
        right = [(x, low + y * (b - low)) for x, y in half]
        narrow = 1 - 0.3 * min((top - b) / max(h - belt, 1e-6), 1)
        right += [((1 + narrow) / 2 * 0.99, (b + top) / 2), (narrow * 0.97, b + 0.92 * (top - b) - 0.004), (narrow * 0.8, top), (0, top + 0.01)]
        right = np.array(right) * (w / 2 * taper[i], 1)
        ring = np.concatenate([right, (right * (-1, 1))[-2:0:-1]])
        rings.append(np.column_stack([ring[:, 0], ring[:, 1], np.full(len(ring), s[i] * long)]))
    rings = np.array(rings)
    k = rings.shape[1]
    body = ring_stack(rings, rings[0].mean(0), rings[-1].mean(0))
    cabin_from = line[2, 0] if kind == "pickup" else line[1, 0] if kind in ("sedan", "sports") else -0.6
    cabin_to = line[4, 0]
    bands = [0 if s[i + 1] <= cabin_from else 2 if s[i] >= cabin_to else 1 for i in range(m - 1)]
    groups = band_groups(m, k, bands, bands[0], bands[-1])
    # Windows: the side quads between belt and roof edge where the roof is well above the belt.
    quad = np.arange(2 * k * (m - 1)) % (2 * k) // 2
    band = np.arange(2 * k * (m - 1)) // (2 * k)
    glassy = np.isin(quad, [5, k - 7]) | np.isin(quad, [4, k - 6])
    tall_enough = (roof[band] - belt > 0.6 * (h - belt)) & (roof[np.minimum(band + 1, m - 1)] - belt > 0.6 * (h - belt))
    side = glassy & tall_enough
    pillar = (band % pick(rng, [5, 6, 7, 8])) == 0
    groups[: len(side)][side & ~pillar] = 3
    trunk, cabin, hood, glass = body.split(groups, 4)
    shell = [part("cabin", cabin)]
    if len(trunk.faces):
        shell.append(part("cargo bed" if kind == "pickup" else "trunk", trunk))
    if len(hood.faces):
        shell.append(part("hood", hood))
    if len(glass.faces):
        shell.append(part("side windows", glass))
    front, rear = long / 2, -long / 2
    bumper = [part("bumper", box((w * 0.9, 0.18, 0.14), (0, clear + 0.15, z), 0.06, 2)) for z in (front - 0.02, rear + 0.02)]
    light = part("headlight", ellipsoid((0.14, 0.07, 0.05), (w * 0.32, belt * 0.68, front - 0.01), 16, 8, (2, 3)))
    tail = part("tail light", box((0.22, 0.1, 0.04), (w * 0.34, belt * 0.85, rear), 0.01))
    details = [part("bumpers", *bumper), mirrored("headlights", light), mirrored("tail lights", tail)]
    mirror = part("mirror", ellipsoid((0.1, 0.07, 0.05), (w / 2 + 0.09, belt * 1.1, long * (cabin_to - 0.06)), 14, 8, (3, 3)), cylinder((w / 2 - 0.08, belt * 1.02, long * (cabin_to - 0.06)), (w / 2 + 0.06, belt * 1.08, long * (cabin_to - 0.06)), 0.02, sides=8))
    details.append(mirrored("mirrors", mirror))
    if kind == "sports" or chance(rng, 0.12):
        y = roof[0] + 0.16
        post = part("post", box((0.04, 0.22, 0.1), (w * 0.3, y - 0.1, rear + 0.16)))
        details.append(part("spoiler", part("blade", box((w * 0.85, 0.03, 0.22), (0, y, rear + 0.14), 0.01)), mirrored("posts", post)))
    if kind in ("van", "hatch", "sedan") and chance(rng, 0.3):
        rail = part("rail", bar((w * 0.33, h + 0.05, -0.25 * long), (w * 0.33, h + 0.05, 0.03 * long), 0.04, 0.05))
        details.append(mirrored("roof rails", rail))
    track = w / 2 - 0.1
    width = between(rng, 0.18, 0.26)
    spokes = count(rng, 4, 8)
    wheelbase = long * between(rng, 0.29, 0.33)
    wheel = road_wheel(rng, (track, wheel_r, wheelbase), wheel_r, width, spokes)
    wheels = four("wheels", wheel)
    axle = part("axle", cylinder((-track, wheel_r, wheelbase), (track, wheel_r, wheelbase), 0.05, sides=10))
    return part("car", part("body", *shell), part("details", *details), part("running gear", wheels, mirrored("axles", axle, (0, 0, 1))))


# -------------------------------------------------------------------------------------------------------------- bicycles


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
        top_tube = part("top tube", cylinder(seat_top - (seat_top - bb) * 0.05, head_top - steer * 0.02, t * 0.85, sides=12))
    stay = 0.05
    chain = part("chain stay", sweep(bspline([bb + (0.02, 0, 0), bb * 0.6 + axle_r * 0.4 + (stay, 0, 0), axle_r + (stay, 0, 0)], 8), t * 0.5, sides=8))
    seat_stay = part("seat stay", sweep(bspline([seat_top - (seat_top - bb) * 0.08 + (0.01, 0, 0), seat_top * 0.6 + axle_r * 0.4 + (stay, 0, 0), axle_r + (stay, 0, 0)], 8), t * 0.45, sides=8))
    frame = part(
        "frame",
        part("main tubes", top_tube, part("down tube", cylinder(bb, head_low, t * 1.1, sides=12)), part("seat tube", cylinder(bb, seat_top, t, sides=12)), part("head tube", cylinder(head_low - steer * 0.01, head_top, t * 1.3, sides=14))),
        part("stays", mirrored("chain stays", chain), mirrored("seat stays", seat_stay)),
    )
    blade = part("blade", sweep(bspline([crown + (stay, 0, 0), axle_f - rake + steer * r * 0.4 + (stay, 0, 0), axle_f + (stay, 0, 0)], 10), t * np.linspace(0.9, 0.5, 10), sides=10))
    fork = part("fork", part("crown", bar(crown - (stay * 1.2, 0, 0), crown + (stay * 1.2, 0, 0), 0.03, 0.035, up=(0, 1, 0.2))), mirrored("blades", blade))
    bar_y = head_top + steer * between(rng, 0.06, 0.14)
    style = pick(rng, ["flat", "drop", "city", "flat"])
    half = between(rng, 0.2, 0.32)
    ahead = np.array([0, 0.01, between(rng, 0.04, 0.09)])
    clamp = bar_y + ahead
    if style == "flat":
        curve = np.array([clamp, clamp + (half * 0.6, 0.0, 0), clamp + (half, 0.0, -0.03)])
    elif style == "drop":
        curve = clamp + np.array([[0, 0, 0], [half * 0.8, 0, 0], [half * 0.85, 0, 0.1], [half * 0.85, -0.06, 0.13], [half * 0.85, -0.12, 0.08], [half * 0.87, -0.13, -0.02]])
    else:
        curve = clamp + np.array([[0, 0, 0], [half * 0.4, 0.06, 0.05], [half * 0.85, 0.07, -0.02], [half, 0.06, -0.2]])
    path = catmull_rom(curve, 20)
    arm_side = sweep(path[:16], 0.012, sides=10)
    grip_side = sweep(path[15:], 0.018, sides=10, round_ends=True)
    grips = mirrored("handlebar sides", part("handlebar side", part("bar", arm_side), part("grip", grip_side)))
    stem = part("stem", cylinder(head_top - steer * 0.01, bar_y, t * 0.8, sides=10), cylinder(bar_y, clamp, t * 0.8, sides=10))
    steering = part("steering", part("handlebar", stem, grips), fork)
    post_top = seat_top + (seat_top - bb) / seat_len * between(rng, 0.06, 0.18)
    sad_l = between(rng, 0.24, 0.28)
    s = np.linspace(0, 1, 14)
    wide = np.interp(s, [0, 0.15, 0.35, 0.6, 0.95, 1], [0.05, 0.075, 0.07, 0.028, 0.02, 0.008])
    spine = np.stack([0 * s, post_top[1] + 0.02 + 0.012 * (2 * s - 1) ** 2, post_top[2] + (s - 0.4) * sad_l], 1)
    saddle = part("saddle", sweep(spine, np.stack([wide, 0.022 + 0 * s], 1), superellipse(2, 2, 2.5, 16), up=(0, 1, 0)))
    seat = part("seat", saddle, part("seat post", cylinder(seat_top - (seat_top - bb) * 0.05, post_top + (0, 0.02, 0), t * 0.7, sides=10)))
    ring_r = between(rng, 0.07, 0.1)
    teeth = circle(48) * (ring_r * (1 + 0.03 * np.where(np.arange(48) % 2, 1, -1)))[:, None]
    side_turn = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float)
    chainring = part("chainring", prism(teeth, -0.003, 0.003).mapped(side_turn, bb + (0.05, 0, 0)))
    shell = part("bottom bracket", cylinder(bb - (0.045, 0, 0), bb + (0.045, 0, 0), t * 1.5, sides=14))
    turn = between(rng, 0, 2 * np.pi)
    arm_end = bb + 0.17 * np.array([0, np.cos(turn), np.sin(turn)])
    crank = part("crank arm", bar(bb + (0.065, 0, 0), arm_end + (0.075, 0, 0), 0.014, 0.026, up=(1, 0, 0)))
    pedal = part("pedal", box((0.085, 0.018, 0.07), arm_end + (0.13, 0, 0), 0.004), cylinder(arm_end + (0.07, 0, 0), arm_end + (0.1, 0, 0), 0.007, sides=8))
    cranks = _opposite(part("crank", crank, pedal), bb)
    cog = part("sprocket", cylinder(axle_r + (0.03, 0, 0), axle_r + (0.055, 0, 0), 0.035, 0.028, 18))
    up_off, low_off = np.array([0.045, ring_r, 0.0]), np.array([0.045, -ring_r, 0.0])
    chain_path = np.array([bb + up_off, axle_r + (0.045, 0.036, 0), axle_r + (0.045, 0, -0.036), axle_r + (0.045, -0.036, 0), bb + low_off, bb + (0.045, 0, ring_r)])
    drive_chain = part("chain", sweep(bspline(np.concatenate([chain_path, chain_path[:1]]), 30)[:-1], 0.005, sides=6, loop=True, up=(1, 0, 0)))
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


# ---------------------------------------------------------------------------------------------------------------- others


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
    fin = part("fin", swept_section(np.array([[r * 0.9, fin_h * 0.6, 0], [r * between(rng, 1.9, 2.6), fin_h * between(rng, -0.1, 0.4), 0]]), np.array([[0.03, fin_h], [0.015, fin_h * 0.5]]), rounded_rectangle(1, 1), np.array([0, 1.0, 0])))
    fins = turned("fins", fin, n)
    bell = np.array([[0, 0.0], [0.25, 0.0], [0.3, -0.3], [0.6, -1.0], [0.55, -1.0], [0.2, -0.3], [0, -0.25]])
    count_n = pick(rng, [1, 1, 3, 4])
    size = r * (0.9 if count_n == 1 else 0.45)
    one = part("nozzle", lathe(bell[::-1] * size, 18, (0 if count_n == 1 else r * 0.5, 0.01, 0)))
    engines = part("engines", turned("nozzles", one, count_n) if count_n > 1 else one)
    boosters = None
    if chance(rng, 0.5):
        br, bh = r * between(rng, 0.4, 0.6), h * cut1 * between(rng, 0.9, 1.3)
        shape = np.concatenate([[[0, 0], [br, 0], [br, bh * 0.8]], bspline([[br, bh * 0.8], [br, bh * 0.95], [0, bh]], 7)[1:]])
        shape[-1, 0] = 0
        tube_mesh, tip = lathe(shape, 18, (r + br * 0.9, 0, 0)).split(lathe_groups(shape, 18, [0, 0] + [1] * (len(shape) - 3)), 2)
        unit = part("booster", part("booster tube", tube_mesh), part("booster tip", tip), part("nozzle", lathe(bell[::-1] * br, 14, (r + br * 0.9, 0.01, 0))))
        boosters = turned("boosters", unit, pick(rng, [2, 2, 3, 4])).rotated((0, 1, 0), np.pi / n)
    return part("rocket", body, fins, engines, boosters)


def boat(rng: np.random.Generator) -> PartNode:
    """Sailing and motor boats: hull and deck are one surface."""
    long, w, h = between(rng, 3, 5), between(rng, 0.9, 1.5), between(rng, 0.4, 0.8)
    m = 22
    s = np.linspace(0, 1, m)
    wide = w / 2 * np.minimum(np.sqrt(np.clip((1 - s) / 0.55, 0, 1)), 1) * (0.75 + 0.25 * np.clip(s / 0.3, 0, 1))
    wide = np.maximum(wide, 0.015)
    deck = h + 0.3 * h * np.clip((s - 0.5) / 0.5, 0, 1) ** 2
    keel = h * 0.75 * np.clip((s - 0.75) / 0.25, 0, 1) ** 2
    angle = np.linspace(0, np.pi, 13)
    bottom = np.stack([np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.7, -(np.abs(np.sin(angle)) ** 0.8)], 1)[::-1]
    top = np.stack([np.linspace(1, -1, 7)[1:-1], np.full(5, 0.0)], 1)
    ring = np.concatenate([bottom, top])
    rings = np.zeros((m, len(ring), 3))
    rings[..., 0] = wide[:, None] * ring[:, 0]
    rings[..., 1] = deck[:, None] + ring[:, 1] * (deck - keel)[:, None]
    rings[..., 2] = (-long / 2 + long * s)[:, None]
    body = ring_stack(rings, rings[0].mean(0), rings[-1].mean(0))
    k = len(ring)
    group = np.zeros(len(body.faces), int)
    quad = np.arange(2 * k * (m - 1)) % (2 * k) // 2
    group[: len(quad)][(quad >= 12)] = 1
    hull, deck_mesh = body.split(group, 2)
    parts = [part("hull", part("hull shell", hull), part("deck", deck_mesh))]
    style = pick(rng, ["sail", "sail", "motor"])
    top_y = h
    if style == "sail":
        tall = long * between(rng, 0.9, 1.3)
        mz = long * between(rng, 0.05, 0.15)
        mast = part("mast", cylinder((0, top_y - 0.05, mz), (0, top_y + tall, mz), 0.03, 0.015, 10))
        boom_y = top_y + 0.3
        boom = part("boom", cylinder((0, boom_y, mz), (0, boom_y, mz - long * 0.42), 0.02, sides=8))
        belly = between(rng, 0.03, 0.15)

        def sail(tack: np.ndarray, head: np.ndarray, clew: np.ndarray) -> Mesh:
            rows = np.linspace(0.02, 1, 9)[:, None, None]
            cols = np.linspace(0, 1, 9)[None, :, None]
            grid = head + rows * ((tack - head) * (1 - cols) + (clew - head) * cols)
            bulge = belly * long * 0.4 * np.sin(np.pi * cols) * np.sin(np.pi * np.clip(rows * 0.9, 0, 1))
            front = grid + np.concatenate([bulge + 0.006, 0 * bulge, 0 * bulge], -1)
            back = grid + np.concatenate([bulge - 0.006, 0 * bulge, 0 * bulge], -1)
            loops = np.concatenate([front, back[:, ::-1]], 1)
            return ring_stack(loops, loops[0].mean(0), loops[-1].mean(0)).outward()

        main = part("mainsail", sail(np.array([0, boom_y + 0.03, mz - 0.03]), np.array([0, top_y + tall * 0.97, mz - 0.03]), np.array([0, boom_y + 0.03, mz - long * 0.4])))
        jib = part("jib", sail(np.array([0, top_y + 0.1, mz + 0.1]), np.array([0, top_y + tall * 0.8, mz + 0.05]), np.array([0, top_y + 0.25, long * 0.48]))) if chance(rng, 0.7) else None
        parts.append(part("rig", part("spars", mast, boom), part("sails", main, jib)))
        fin = part("keel fin", swept_section(np.array([[0, 0.1, 0], [0, -h * 1.1, -0.05]]), np.array([[long * 0.15, 0.06], [long * 0.1, 0.04]]), circle(14) * 0.5, np.array([1.0, 0, 0])))
        parts.append(part("appendages", fin, part("rudder", box((0.03, h * 1.2, 0.2), (0, h * 0.25, -long * 0.5), 0.01))))
    else:
        ch = between(rng, 0.35, 0.6)
        house = part("cabin wall", prism(superellipse(w * 0.6, long * 0.35, 4, 24), top_y - 0.03, top_y + ch, 0.03, 0.85))
        roof = part("roof", prism(superellipse(w * 0.6, long * 0.38, 4, 24), top_y + ch, top_y + ch + 0.05, 0.02))
        parts.append(part("cabin", house, roof))
        n = count(rng, 4, 9)
        post = part("rail post", cylinder((w * 0.36, top_y - 0.02, -long * 0.4), (w * 0.36, top_y + 0.25, -long * 0.4), 0.012, sides=8))
        pitch = long * 0.55 / n
        rail = part("rail", cylinder((w * 0.36, top_y + 0.25, -long * 0.4), (w * 0.36, top_y + 0.25, -long * 0.4 + pitch * (n - 1)), 0.014, sides=8))
        parts.append(mirrored("railings", part("railing", stepped("rail posts", post, n, (0, 0, pitch)), rail)))
        motor = part("motor", part("motor cover", box((0.3, 0.35, 0.25), (0, h + 0.1, -long / 2 - 0.1), 0.08, 2)), part("shaft", box((0.08, h * 1.1, 0.1), (0, h * 0.4, -long / 2 - 0.12), 0.02)),
                     part("propeller", turned("blades", part("blade", ellipsoid((0.1, 0.035, 0.02), (0.1, 0, 0), 12, 6)), 3, (0, 0, 1)).moved(0, -0.1 * h, -long / 2 - 0.2)))  # fmt: skip
        parts.append(motor)
    return part("boat", *parts)


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
    blade = part("blade", swept_section(np.array([[0.1, top, cz], [reach, top - 0.03, cz]]), np.array([[0.16, 0.02], [0.12, 0.015]]), airfoil(), np.array([0, 1.0, 0.12])))
    rotor = part("main rotor", part("hub", cylinder((0, top - 0.05, cz), (0, top + 0.06, cz), 0.12, 0.08, 16)), mast, turned("blades", blade, n, (0, 1, 0), (0, 0, cz)))
    tail_at = np.array([0.1, path[0, 1], path[0, 2] + 0.1])
    tail_blade = part("blade", box((0.015, 0.4, 0.07), tail_at + (0.02, 0.22, 0), 0.003))
    tail_rotor = part("tail rotor", part("hub", cylinder(tail_at - (0.12, 0, 0), tail_at + (0.05, 0, 0), 0.04, sides=12)), turned("blades", tail_blade, count(rng, 2, 4), (1, 0, 0), tuple(tail_at)))
    fin = part("fin", wing_mesh(path[0] + (0, 0, 0.2), path[0] + (0, 0.55, -0.1), 0.35, 0.2, 0.12, (-1, 0, 0), 4))
    stab = mirrored("stabilizers", part("stabilizer", wing_mesh(path[3], path[3] + (0.5, 0, 0), 0.25, 0.18, 0.12, (0, 1, 0), 4)))
    y = -r * 1.3
    skid_path = catmull_rom([[r * 0.9, y, cz - 0.8], [r * 0.9, y, cz + 0.6], [r * 0.9, y + 0.05, cz + 0.85], [r * 0.9, y + 0.16, cz + 0.98]], 14)
    skid = part("skid", sweep(skid_path, 0.03, sides=10))
    strut = part("strut", cylinder((r * 0.5, -r * 0.6, cz - 0.4), (r * 0.9, y, cz - 0.4), 0.022, sides=8))
    side = part("skid side", skid, stepped("struts", strut, 2, (0, 0, 0.75)))
    return part("helicopter", hull, rotor, part("tail", tail_rotor, fin, stab), mirrored("landing gear", side))


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
    wheel = part("wheel", lathe(np.array([[0, -0.5], [0.8, -0.5], [1, -0.35], [1, 0.35], [0.8, 0.5], [0, 0.5]]) * (wheel_r, 0.035), 20).mapped(np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]], float), (x, ay, z)))
    hanger = part("hanger", sweep(np.array([[-x, ay, z], [-0.02, ay + 0.012, z], [0.02, ay + 0.012, z], [x, ay, z]]), np.array([0.008, 0.018, 0.018, 0.008]), sides=10), bar((0, ay, z), (0, 0.08, z - 0.02), 0.03, 0.03, up=(0, 0, 1)))
    plate = part("base plate", box((0.055, 0.02, 0.08), (0, 0.086, z), 0.004))
    truck = part("truck", plate, hanger, mirrored("wheels", wheel))
    trucks = mirrored("trucks", truck, (0, 0, 1))
    steering = None
    if chance(rng, 0.35):
        pole = part("pole", cylinder((0, 0.1, long * 0.42), (0, 0.95, long * 0.3), 0.016, sides=12))
        grip = part("grip", cylinder((0.08, 0.95, long * 0.3), (0.22, 0.95, long * 0.3), 0.016, sides=12))
        steering = part("steering", pole, part("handlebar", part("bar", cylinder((-0.1, 0.95, long * 0.3), (0.1, 0.95, long * 0.3), 0.011, sides=10)), mirrored("grips", grip)))
    return part("skateboard", part("deck", part("tail", tail), part("deck board", flat), part("nose", nose)), trucks, steering)


FAMILIES = {
    "airplane": airplane,
    "car": car,
    "bicycle": bicycle,
    "rocket": rocket,
    "boat": boat,
    "helicopter": helicopter,
    "skateboard": skateboard,
}
