"""Plane outlines, spline curves and rotations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float

Vector = Sequence[float] | np.ndarray


@lru_cache(maxsize=256)
def circle(sides: int) -> Float[np.ndarray, "k 2"]:
    """Unit circle, ``sides`` points counter-clockwise from (1, 0). Read-only."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    points = np.stack([np.cos(angle), np.sin(angle)], 1)
    points.setflags(write=False)
    return points


@lru_cache(maxsize=256)
def _bspline_basis(controls: int, n: int) -> np.ndarray:
    # Clamped uniform B-spline by the Cox-de Boor recursion, all samples at once.
    degree = min(3, controls - 1)
    knots = np.concatenate([np.zeros(degree), np.linspace(0, 1, controls - degree + 1), np.ones(degree)])
    t = np.linspace(0, 1, n)
    t[-1] = 1 - 1e-12
    basis = ((t[:, None] >= knots[None, :-1]) & (t[:, None] < knots[None, 1:])).astype(float)
    for d in range(1, degree + 1):
        width_a = knots[d:-1] - knots[: -d - 1]
        width_b = knots[d + 1 :] - knots[1:-d]
        a = np.divide(t[:, None] - knots[None, : -d - 1], width_a, out=np.zeros((n, len(width_a))), where=width_a > 0)
        b = np.divide(knots[None, d + 1 :] - t[:, None], width_b, out=np.zeros((n, len(width_b))), where=width_b > 0)
        basis = a * basis[:, :-1] + b * basis[:, 1:]
    return basis / basis.sum(1, keepdims=True)


@lru_cache(maxsize=256)
def _catmull_rom_basis(controls: int, n: int) -> np.ndarray:
    # End points are doubled by linear extrapolation, so the curve runs from the first to the last control point.
    extend = np.zeros((controls + 2, controls))
    extend[1:-1] = np.eye(controls)
    extend[0, :2] = 2, -1
    extend[-1, -2:] = -1, 2
    t = np.linspace(0, controls - 1, n)
    i = np.minimum(t.astype(int), controls - 2)
    s = t - i
    weights = 0.5 * np.stack(
        [-s + 2 * s**2 - s**3, 2 - 5 * s**2 + 3 * s**3, s + 4 * s**2 - 3 * s**3, -(s**2) + s**3], 1
    )
    basis = np.zeros((n, controls + 2))
    np.put_along_axis(basis, i[:, None] + np.arange(4), weights, 1)
    return basis @ extend


def bspline(controls: Float[np.ndarray, "c d"] | Sequence, n: int = 16) -> Float[np.ndarray, "n d"]:
    """``n`` samples of the clamped cubic B-spline of ``controls``: inside their convex hull, through the end points."""
    controls = np.asarray(controls, float)
    return _bspline_basis(len(controls), n) @ controls


def catmull_rom(controls: Float[np.ndarray, "c d"] | Sequence, n: int = 16) -> Float[np.ndarray, "n d"]:
    """``n`` samples of the Catmull-Rom spline through every one of ``controls``."""
    controls = np.asarray(controls, float)
    return _catmull_rom_basis(len(controls), n) @ controls


@lru_cache(maxsize=64)
def quarter_circle(corner: int) -> np.ndarray:
    angle = np.linspace(0, np.pi / 2, corner + 1)
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def rounded_rectangle(
    width: float, height: float, radius: float = 0.0, corner: int = 2, edge: int = 1
) -> Float[np.ndarray, "k 2"]:
    """Outline centred at the origin, counter-clockwise. ``edge``: pieces each straight side is cut into."""
    radius = min(radius, 0.49 * width, 0.49 * height)
    a, b = width / 2 - radius, height / 2 - radius
    if radius <= 0:
        arcs = [np.array([[a, b]]), np.array([[-a, b]]), np.array([[-a, -b]]), np.array([[a, -b]])]
    else:
        q = quarter_circle(corner) * radius
        turned = np.stack([-q[:, 1], q[:, 0]], 1)
        arcs = [q + (a, b), turned + (-a, b), -q + (-a, -b), -turned + (a, -b)]
    if edge <= 1:
        return np.concatenate(arcs)
    steps = (np.arange(1, edge) / edge)[:, None]
    pieces = []
    for here, there in zip(arcs, arcs[1:] + arcs[:1], strict=True):
        pieces += [here, here[-1] + steps * (there[0] - here[-1])]
    return np.concatenate(pieces)


def superellipse(width: float, height: float, power: float, sides: int = 24) -> Float[np.ndarray, "k 2"]:
    """Outline ``|2x/w|^p + |2y/h|^p = 1``; ``power`` 2 is an ellipse, large values approach a rectangle."""
    c = circle(sides)
    return np.sign(c) * np.abs(c) ** (2 / power) * (width / 2, height / 2)


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.sqrt((v * v).sum(-1, keepdims=True)), 1e-12)


def rotation(axis: Vector, angle: float) -> Float[np.ndarray, "3 3"]:
    """Rotation matrix by ``angle`` radians about ``axis`` (Rodrigues)."""
    x, y, z = unit(np.asarray(axis, float))
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * (skew @ skew)
