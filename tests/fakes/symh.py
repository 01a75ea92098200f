"""PartNet-Symh, FineSeg and GRASS folders of chairs made of boxes, with every group written out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import savemat

OPS = (0, 0, 0, 1, 2, 1, 0, 2, 1, 0, 2, 1, 0, 2, 2, 1)
LABELS = (1, 2, 2, 0, 2, 3)
"""Seat, a front and a hind leg, a slat, a foot, a bar of the arms."""

TYPES = {
    "symh": {"reflective": 0, "rotational": -1, "translational": 1},
    "fineseg": {"reflective": 0, "rotational": -1, "translational": 1},
    "grass": {"reflective": 1, "rotational": -1, "translational": 0},
}


class Chair(NamedTuple):
    """Axis-aligned boxes, and one foot turned about y.

    centre, size: (6, 3) stored leaves. copies: for each part of the whole chair (stored leaf, centre, angle about y).
    groups: (kind, p1..p3 as a single step, p4..p6, fold) in the order of the tree.
    """

    centre: np.ndarray
    size: np.ndarray
    copies: list[tuple[int, tuple[float, float, float], float]]
    groups: list[tuple[str, tuple[float, ...], tuple[float, ...], int]]


def chair(seed: int) -> Chair:
    """Four legs (a mirrored pair of pairs), 4 slats in a row, 5 feet in a circle, 3 bars on each side: 20 parts."""
    rng = np.random.default_rng(seed)
    w, d, gap, bar = rng.uniform(0.3, 0.4), rng.uniform(0.3, 0.4), rng.uniform(0.1, 0.14), rng.uniform(0.12, 0.2)
    x0 = -1.5 * gap
    centre = [(0, 0, 0), (w, -0.3, d), (w, -0.32, -d), (x0, 0.3, -d), (0.2, -0.6, 0), (w + 0.08, 0.2, -bar)]
    size = [(2 * w, 0.06, 2 * d), (0.05, 0.5, 0.05), (0.05, 0.54, 0.05), (0.06, 0.5, 0.03), (0.3, 0.04, 0.06),
            (0.04, 0.3, 0.07)]  # fmt: skip
    copies = [(0, (0, 0, 0), 0.0)]
    copies += [(leaf, (side * w, y, z), 0.0) for side in (1, -1) for leaf, y, z in ((1, -0.3, d), (2, -0.32, -d))]
    copies += [(3, (x0 + i * gap, 0.3, -d), 0.0) for i in range(4)]
    for i in range(5):
        a = 2 * np.pi * i / 5
        copies.append((4, (0.2 * np.cos(a), -0.6, -0.2 * np.sin(a)), a))
    copies += [(5, (side * (w + 0.08), 0.2, z), 0.0) for side in (1, -1) for z in (-bar, 0.0, bar)]
    groups = [
        ("reflective", (2.0, 0, 0), (0, 0.5, 0), 2),  # normals need not have length 1
        ("translational", (gap, 0, 0), (0, 0, 0), 4),
        ("rotational", (0, -3.0, 0), (0, 1, 0), 5),
        ("translational", (0, 0, bar), (0, 0, 0), 3),
        ("reflective", (-1, 0, 0), (0, 0, 0), 2),
    ]
    return Chair(np.array(centre), np.array(size), copies, groups)


def rows(one: Chair, coding: str) -> np.ndarray:
    """(8, 5) parameters as a release writes them."""
    out = []
    for kind, direction, point, fold in one.groups:
        whole = fold - 1 if coding == "fineseg" and kind == "translational" else 1
        out.append(
            [TYPES[coding][kind], *np.multiply(direction, whole), *point, 0 if kind == "reflective" else 1 / fold]
        )
    return np.array(out, float).T


def columns(one: Chair) -> np.ndarray:
    """(12, 6) boxes: centre, lengths along y, z and x, axes y and z."""
    n = len(one.size)
    return np.concatenate([one.centre.T, one.size[:, [1, 2, 0]].T, np.tile([[0], [1], [0], [0], [0], [1]], (1, n))])


def surface(size: np.ndarray, centre: tuple[float, ...], angle: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 6) points and normals on a box turned about y."""
    area = np.array([size[1] * size[2], size[0] * size[2], size[0] * size[1]])
    axis = rng.choice(3, n, p=area / area.sum())
    side = rng.choice([-1.0, 1.0], n)
    xyz, normal = rng.uniform(-0.5, 0.5, (n, 3)) * size, np.zeros((n, 3))
    xyz[np.arange(n), axis], normal[np.arange(n), axis] = side * size[axis] / 2, side
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return np.concatenate([xyz @ turn.T + centre, normal @ turn.T], 1)


def write_symh(root: Path, names: tuple[str, ...] = ("1001", "1002"), models: bool = True) -> None:
    """A PartNet-Symh category at `root`; shape number k (from 1) is `chair(k)`, groups of the OBJ in shuffled order."""
    for kind in ("ops", "boxes", "labels", "syms", "part mesh indices", *(["models", "obbs"] if models else [])):
        (root / kind).mkdir(parents=True, exist_ok=True)
    for k, name in enumerate(names, 1):
        one = chair(k)
        title = np.array([name])
        serial = np.empty((1, 6), object)
        serial[0] = [np.array([[i + 1]], np.uint8) for i in range(6)]
        savemat(root / "ops" / f"{k}.mat", {"op": np.array([OPS], np.uint8)}, do_compression=True)
        savemat(root / "boxes" / f"{k}.mat", {"box": columns(one)}, do_compression=True)
        savemat(root / "labels" / f"{k}.mat", {"label": np.array([LABELS], np.uint8)}, do_compression=True)
        savemat(root / "syms" / f"{k}.mat", {"shapename": title, "sym": rows(one, "symh")}, do_compression=True)
        savemat(
            root / "part mesh indices" / f"{k}.mat",
            {"cell_boxs_correspond_objSerialNumber": serial, "shapename": title},
        )
        if models:
            (root / "models" / f"{name}.obj").write_text(obj(one, order(k)))


def order(k: int) -> np.ndarray:
    """Group g of the OBJ of shape k is part `order(k)[g]` of `chair(k).copies`."""
    return np.random.default_rng(100 + k).permutation(len(chair(k).copies))


def obj(one: Chair, parts: np.ndarray) -> str:
    """Boxes of 12 triangles, a `g` each."""
    lines, total = [], 0
    faces = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6), (0, 2, 6),
             (0, 6, 4), (1, 5, 7), (1, 7, 3)]  # fmt: skip
    for g, number in enumerate(parts.tolist()):
        leaf, centre, a = one.copies[number]
        turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * one.size[leaf] / 2
        lines.append(f"g {g}")
        lines += ["v {:.6f} {:.6f} {:.6f}".format(*v) for v in corners @ turn.T + centre]
        lines += [f"f {a + total + 1} {b + total + 1} {c + total + 1}" for a, b, c in faces]
        total += 8
    return "\n".join(lines) + "\n"


def write_fineseg(root: Path, shapes: int = 2, points: int = 512, first: int = 1) -> list[np.ndarray]:
    """A FineSeg category at `root`; shape i is `chair(i)`. Returns the number of the part each point was drawn from."""
    clouds, segments = root / "models_2048_points_normals", root / "training_data_models_segment_2048_normals"
    for path in (clouds, segments, root / "training_trees"):
        path.mkdir(parents=True, exist_ok=True)
    ops = np.full((len(OPS) + 3, shapes), 9.0)  # shorter shapes are filled up with another number
    syms, labels, truth = [], [], []
    for i in range(shapes):
        one, rng = chair(i), np.random.default_rng(200 + i)
        leaf = [surface(size, centre, 0.0, points, rng) for size, centre in zip(one.size, one.centre, strict=True)]
        number = np.sort(np.arange(points) % len(one.copies))
        whole = [
            surface(one.size[part], centre, angle, int((number == c).sum()), rng)
            for c, (part, centre, angle) in enumerate(one.copies)
        ]
        savemat(clouds / f"{i + first}.mat", {"pc": np.concatenate(whole)[None].astype(np.float32)})
        savemat(segments / f"{i + first}.mat", {"pc": np.stack(leaf).astype(np.float32)})
        ops[: len(OPS), i] = OPS
        syms.append(np.concatenate([rows(one, "fineseg"), np.zeros((8, 2))], 1))
        labels.append([*LABELS, 0, 0])
        truth.append(number)
    savemat(root / "training_trees" / "ops.mat", {"ops": ops})
    savemat(root / "training_trees" / "syms.mat", {"syms": np.concatenate(syms, 1)})
    savemat(root / "training_trees" / "labels.mat", {"labels": np.concatenate(labels)[None].astype(float)})
    return truth


def write_grass(root: Path, shapes: int = 2) -> None:
    """A GRASS folder; shape i is `chair(i)`."""
    root.mkdir(parents=True, exist_ok=True)
    pad = lambda table: np.concatenate([table, np.zeros((len(table), 2))], 1)  # noqa: E731
    savemat(root / "op_data.mat", {"ops": np.tile(np.array([[*OPS, -1]], float).T, (1, shapes))})
    savemat(root / "sym_data.mat", {"syms": np.concatenate([pad(rows(chair(i), "grass")) for i in range(shapes)], 1)})
    savemat(root / "box_data.mat", {"boxes": np.concatenate([pad(columns(chair(i))) for i in range(shapes)], 1)})
