"""The floor plan of a room: what stands where, and what still fits. Metres, z up, the room's corner at the origin."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Box(NamedTuple):
    """An upright box, turned about z.

    Attributes:
        x, y: centre. yaw: radians, counter-clockwise from above; at 0 the front of what is in it faces -y.
        a, b: half sides along its own x and y. low, high: heights of bottom and top.
    """

    x: float
    y: float
    yaw: float
    a: float
    b: float
    low: float
    high: float

    def grown(self, margin: float) -> Box:
        """The box with `margin` more on each side; heights stay."""
        return self._replace(a=self.a + margin, b=self.b + margin)

    @property
    def reach(self) -> tuple[float, float]:
        """Half sides of the axis-aligned box around it."""
        c, s = abs(np.cos(self.yaw)), abs(np.sin(self.yaw))
        return float(self.a * c + self.b * s), float(self.a * s + self.b * c)


class Plan:
    """A rectangular room and the boxes in it.

    Attributes:
        width, depth, height: along x, y and z.
        boxes: all that was added.
    """

    def __init__(self, width: float, depth: float, height: float) -> None:
        self.width, self.depth, self.height = width, depth, height
        self.boxes: list[Box] = []

    def add(self, box: Box) -> None:
        self.boxes.append(box)

    def fits(self, box: Box, margin: float = 0.0) -> bool:
        """Whether a box lies in the room and, grown by `margin`, meets no other box."""
        rx, ry = box.reach
        slack = 1e-9
        if not (rx <= box.x + slack and box.x + rx <= self.width + slack and box.high <= self.height + slack):
            return False
        if not (ry <= box.y + slack and box.y + ry <= self.depth + slack and box.low >= 0):
            return False
        return not (self.boxes and meets(box.grown(margin), np.array(self.boxes)).any())

    def against_wall(self, wall: int, along: float, a: float, b: float, low: float, high: float, gap: float) -> Box:
        """A box with its back to a wall.

        Args:
            wall: 0 at the largest y, 1 at y = 0, 2 at x = 0, 3 at the largest x.
            along: 0..1, from one end of the wall to the other. gap: between wall and back.
        """
        length = self.width if wall < 2 else self.depth
        at, off = a + along * max(length - 2 * a, 0.0), b + gap
        x, y, yaw = (
            (at, self.depth - off, 0.0),
            (at, off, np.pi),
            (off, at, np.pi / 2),
            (self.width - off, at, -np.pi / 2),
        )[wall]
        return Box(x, y, yaw, a, b, low, high)


def meets(box: Box, others: Float[np.ndarray, "k 7"]) -> np.ndarray:
    """(k,) bool: which of the boxes (rows are `Box`) share more than their border with this one.

    Rectangles in the plane are apart if they are along a side of one of the two (separating axes).
    """
    x, y, yaw, a, b, low, high = others.T
    dx, dy = x - box.x, y - box.y
    turn = yaw - box.yaw
    c, s = np.abs(np.cos(turn)), np.abs(np.sin(turn))
    apart = (low >= box.high) | (high <= box.low)
    own_c, own_s = np.cos(box.yaw), np.sin(box.yaw)
    apart |= np.abs(dx * own_c + dy * own_s) >= box.a + a * c + b * s
    apart |= np.abs(dy * own_c - dx * own_s) >= box.b + a * s + b * c
    other_c, other_s = np.cos(yaw), np.sin(yaw)
    apart |= np.abs(dx * other_c + dy * other_s) >= a + box.a * c + box.b * s
    apart |= np.abs(dy * other_c - dx * other_s) >= b + box.a * s + box.b * c
    return ~apart
