"""Procedural primitive patches: grids of a surface's parameters, with the surface's own normals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

KINDS = ("plane", "disk", "cylinder", "cone", "sphere", "torus", "freeform")
"""Types of primitives, in the order of their numbers."""

WEIGHTS = (0.22, 0.12, 0.24, 0.12, 0.10, 0.08, 0.12)
"""How often a procedural repository has each of `KINDS`."""

_FULL = 2 * np.pi
Grid = Float[np.ndarray, "u v 3"]


@dataclass(frozen=True, eq=False)
class Patch:
    """One primitive, open or closed.

    Attributes:
        kind: index into `KINDS`.
        vertices: (v, 3) float64.
        faces: (f, 3) int64; some may have no area, as at a pole.
        normals: (f, 3, 3) float64, the unit normal at each corner; outward where there is an outside.
    """

    kind: int
    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    normals: Float[np.ndarray, "f 3 3"]


def draw_patch(kind: int, rng: np.random.Generator) -> Patch:
    """A patch of a kind with proportions drawn from `rng`, in no particular size, its axis along z."""
    points, normals = _MAKERS[KINDS[kind]](rng)
    rows, columns, _ = points.shape
    i = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = i[:-1, :-1], i[1:, :-1], i[1:, 1:], i[:-1, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    unit = normals / np.where(length > 0, length, 1)
    return Patch(kind, points.reshape(-1, 3), faces, unit.reshape(-1, 3)[faces])


def _grid(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(u, v, indexing="ij")


def _arc(rng: np.random.Generator) -> np.ndarray:
    """Angles of three full turns in four, else of a part of a turn."""
    turn = _FULL if rng.random() < 0.75 else rng.choice([0.25, 0.5, 0.75]) * _FULL
    return np.linspace(0, turn, int(np.ceil(48 * turn / _FULL)) + 1)


def _plane(rng: np.random.Generator) -> tuple[Grid, Grid]:
    """A rectangle, or a trapezoid."""
    u, v = _grid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9))
    taper = 1.0 if rng.random() < 0.75 else rng.uniform(0.3, 0.9)
    width = rng.choice([1.0, rng.uniform(0.2, 1.0)])
    x = u * (1 + (taper - 1) * (v + 1) / 2)
    return np.stack([x, width * v, 0 * u], -1), np.broadcast_to([0.0, 0, 1], (*u.shape, 3))


def _disk(rng: np.random.Generator) -> tuple[Grid, Grid]:
    """A full circle, a sector or a ring."""
    inner = 0.0 if rng.random() < 0.7 else rng.uniform(0.3, 0.8)
    angle, radius = _grid(_arc(rng), np.linspace(inner, 1, 5))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], -1)
    return points[:, ::-1], np.broadcast_to([0.0, 0, 1], (*angle.shape, 3))


def _cylinder(rng: np.random.Generator) -> tuple[Grid, Grid]:
    height = np.exp(rng.uniform(np.log(0.3), np.log(8)))
    angle, z = _grid(_arc(rng), np.linspace(-height / 2, height / 2, 7))
    normal = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    return normal + z[..., None] * [0, 0, 1], normal


def _cone(rng: np.random.Generator) -> tuple[Grid, Grid]:
    """A whole cone, or one cut off."""
    height, top = rng.uniform(0.5, 2.5), (0.0 if rng.random() < 0.4 else rng.uniform(0.3, 0.8))
    angle, t = _grid(_arc(rng), np.linspace(0, 1, 7))
    radial = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    points = radial * (1 + (top - 1) * t)[..., None] + (height * t)[..., None] * [0, 0, 1]
    return points, radial * height + np.array([0, 0, 1 - top])


def _sphere(rng: np.random.Generator) -> tuple[Grid, Grid]:
    """A whole one, a half or a zone."""
    ranges = [(-90, 90), (0, 90), (rng.uniform(-50, 30), 90), (-40, 40)]
    low, high = ranges[int(rng.choice(4, p=[0.3, 0.35, 0.2, 0.15]))]
    angle, height = _grid(np.linspace(0, _FULL, 49), np.radians(np.linspace(low, high, 17)))
    normal = np.stack([np.cos(height) * np.cos(angle), np.cos(height) * np.sin(angle), np.sin(height)], -1)
    return normal, normal


def _torus(rng: np.random.Generator) -> tuple[Grid, Grid]:
    """A ring, or a bent pipe."""
    turn = _FULL if rng.random() < 0.35 else rng.choice([0.25, 0.5, 0.75]) * _FULL
    radius = rng.uniform(0.12, 0.45)
    along, around = _grid(np.linspace(0, turn, int(48 * turn / _FULL) + 1), np.linspace(0, _FULL, 21))
    out = np.stack([np.cos(along), np.sin(along), 0 * along], -1)
    normal = np.cos(around)[..., None] * out + np.sin(around)[..., None] * [0, 0, 1]
    return out + radius * normal, normal


def _freeform(rng: np.random.Generator) -> tuple[Grid, Grid]:
    """A bicubic Bézier patch over a rectangle, or a curve carried along a straight line."""
    u, v = np.linspace(0, 1, 17), np.linspace(0, 1, 17)
    height = rng.uniform(-0.8, 0.8, (4, 4))
    if rng.random() < 0.3:
        height[:] = height[:, :1]
    width = rng.uniform(0.4, 1.0)
    bend = lambda t: np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], -1)  # noqa: E731
    slope = lambda t: np.stack(  # noqa: E731
        [-3 * (1 - t) ** 2, 3 * (1 - t) * (1 - 3 * t), 3 * t * (2 - 3 * t), 3 * t**2], -1
    )
    x, y = _grid(2 * u - 1, width * (2 * v - 1))
    points = np.stack([x, y, bend(u) @ height @ bend(v).T], -1)
    dx, dy = slope(u) @ height @ bend(v).T / 2, bend(u) @ height @ slope(v).T / (2 * width)
    return points, np.stack([-dx, -dy, np.ones_like(dx)], -1)


_MAKERS: dict[str, Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]] = {
    "plane": _plane, "disk": _disk, "cylinder": _cylinder, "cone": _cone, "sphere": _sphere, "torus": _torus,
    "freeform": _freeform,
}  # fmt: skip
