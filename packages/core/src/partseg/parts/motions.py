"""Fitting mirrors, turns and shifts to points and to the frames of parts."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from partseg.parts.hierarchy import Symmetry


def inverse(motion: Symmetry) -> Symmetry:
    """Back to the copy before."""
    return Symmetry(motion.kind, motion.point, motion.direction, motion.fold, -motion.step)


def refit(symmetry: Symmetry, x: Float[np.ndarray, "n 3"], y: Float[np.ndarray, "n 3"]) -> Symmetry:
    """The motion of the same kind that takes points x nearest to y (least squares)."""
    offset = y - x
    if symmetry.kind == "reflective":
        normal = np.linalg.eigh(offset.T @ offset)[1][:, -1]
        normal = normal if normal @ np.asarray(symmetry.direction) >= 0 else -normal
        return Symmetry("reflective", triple(((x + y) / 2).mean(0)), triple(normal), symmetry.fold)
    if symmetry.kind == "translational":
        step = offset.mean(0)
        length = float(np.linalg.norm(step))
        return symmetry if length < 1e-12 else Symmetry(
            "translational", symmetry.point, triple(step / length), symmetry.fold, length
        )  # fmt: skip
    cx, cy = x.mean(0), y.mean(0)
    u, _, vt = np.linalg.svd((x - cx).T @ (y - cy))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    turn = turn_between(vt.T @ flip @ u.T, cx, cy, np.inf)
    if turn is None:
        return symmetry
    same_way = np.asarray(turn.direction) @ np.asarray(symmetry.direction) * np.sign(symmetry.step) >= 0
    direction = turn.direction if same_way else tuple(-x for x in turn.direction)
    closed = abs(abs(symmetry.step) * symmetry.fold - 2 * np.pi) < 1e-6
    step = symmetry.step if closed else turn.step if same_way else -turn.step
    return Symmetry("rotational", turn.point, direction, symmetry.fold, step)


def turn_between(
    linear: Float[np.ndarray, "3 3"], start: Float[np.ndarray, "3"], end: Float[np.ndarray, "3"], slip: float
) -> Symmetry | None:
    """The turn about an axis with this linear part that takes one point to another; None if it must slide by more."""
    angle = float(np.arccos(np.clip((np.trace(linear) - 1) / 2, -1, 1)))
    if angle < 0.05:
        return None
    skew = np.array([linear[2, 1] - linear[1, 2], linear[0, 2] - linear[2, 0], linear[1, 0] - linear[0, 1]])
    if angle > np.pi - 1e-4:
        axis = np.linalg.eigh(linear + linear.T)[1][:, -1]
        angle = np.pi
    else:
        axis = skew / np.linalg.norm(skew)
    offset = end - start
    if abs(float(axis @ offset)) > slip:
        return None
    offset = offset - (axis @ offset) * axis
    centre = (start + end) / 2 + np.cross(axis, offset) / (2 * np.tan(angle / 2))
    return Symmetry("rotational", triple(centre), triple(axis), 2, angle)


def half_turns(second: Float[np.ndarray, "m 3 3"], offset: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, "m c 3"]:
    """Axes a half turn could have: across the offset, along or across coordinate and principal axes."""
    m = len(offset)
    base = np.concatenate([np.broadcast_to(np.eye(3), (m, 3, 3)), np.linalg.eigh(second)[1].transpose(0, 2, 1)], axis=1)
    length = np.linalg.norm(offset, axis=1)
    unit = offset / np.maximum(length, 1e-12)[:, None]
    along = base - (base @ unit[:, :, None]) * unit[:, None]
    axes = np.concatenate([along, np.cross(unit[:, None], base)], axis=1)
    size = np.linalg.norm(axes, axis=2, keepdims=True)
    return np.where(size > 0.1, axes / np.maximum(size, 1e-12), np.eye(3)[0])


def triple(xyz: Float[np.ndarray, "3"]) -> tuple[float, float, float]:
    """As plain numbers."""
    x, y, z = np.asarray(xyz, np.float64).tolist()
    return x, y, z
