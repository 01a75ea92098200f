"""Which objects a room holds, and where: furniture by rejection on footprints, then what hangs, then clutter on tops.

Nothing interpenetrates: the upright boxes around objects meet nowhere, except that what stands on a top begins just
above the box of what carries it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from partseg.data.procedural import FAMILIES
from partseg.data.procedural.grammar import ProceduralShape, between, chance, count, finish, pick
from partseg.data.rooms import fixtures
from partseg.data.rooms.plan import Box, Plan

CLASS_OF = {
    "chair": "chair", "table": "table", "bed": "bed", "sofa": "sofa", "storage": "storage", "lamp": "lamp",
    "display": "display", "laptop": "laptop", "keyboard": "keyboard", "mug": "vessel", "bottle": "vessel",
    "vase": "vessel", "goblet": "vessel", "teapot": "vessel", "pot": "vessel", "trash_can": "trash can", "bag": "bag",
    "fan": "fan", "clock": "clock", "bicycle": "bicycle", "door": "door", "window": "window", "picture": "picture",
}  # fmt: skip
"""Family of the shape grammar -> class of the room."""

CLASSES = tuple(dict.fromkeys(CLASS_OF.values()))
"""The 18 classes in the order of their numbers."""

SMALL = ("display", "laptop", "keyboard", "mug", "bottle", "vase", "goblet", "teapot", "pot", "lamp", "bag")
_UPRIGHT = ("display", "laptop", "keyboard")  # these face the way their table does
_MARGIN = 0.02  # metres between boxes


class _Entry(NamedTuple):
    """So many (low … high) of a family; `how` is wall, middle or free; tables get so many seats."""

    family: str
    how: str
    low: int
    high: int
    seats: tuple[int, int] = (0, 0)


KINDS: dict[str, tuple[_Entry, ...]] = {
    "bedroom": (
        _Entry("bed", "wall", 1, 1), _Entry("storage", "wall", 1, 3), _Entry("table", "wall", 0, 1, (0, 1)),
        _Entry("chair", "free", 0, 1), _Entry("lamp", "free", 0, 2), _Entry("bag", "free", 0, 2),
        _Entry("fan", "free", 0, 1),
    ),
    "living room": (
        _Entry("sofa", "wall", 1, 2), _Entry("table", "middle", 1, 1), _Entry("storage", "wall", 1, 2),
        _Entry("chair", "free", 0, 3), _Entry("lamp", "free", 0, 2), _Entry("fan", "free", 0, 1),
        _Entry("bag", "free", 0, 1), _Entry("trash_can", "free", 0, 1),
    ),
    "office": (
        _Entry("table", "wall", 1, 3, (1, 1)), _Entry("table", "free", 0, 2, (0, 2)), _Entry("storage", "wall", 1, 3),
        _Entry("chair", "free", 0, 2), _Entry("trash_can", "free", 1, 2), _Entry("bag", "free", 0, 2),
        _Entry("lamp", "free", 0, 1), _Entry("bicycle", "wall", 0, 1),
    ),
    "dining room": (
        _Entry("table", "middle", 1, 1, (2, 6)), _Entry("storage", "wall", 1, 3), _Entry("chair", "free", 0, 2),
        _Entry("trash_can", "free", 0, 2), _Entry("fan", "free", 0, 1), _Entry("lamp", "free", 0, 1),
    ),
    "class room": (
        _Entry("table", "free", 3, 7, (1, 2)), _Entry("storage", "wall", 0, 2), _Entry("chair", "free", 0, 3),
        _Entry("trash_can", "free", 0, 1),
    ),
}  # fmt: skip
"""What each kind of room is furnished with, in the order of placing."""


@dataclass(frozen=True, eq=False)
class Thing:
    """An object with its place.

    Attributes:
        shape: the mesh in metres about its box's centre, y up, front +z.
        box: where it stands.
    """

    shape: ProceduralShape
    box: Box

    @property
    def name(self) -> str:
        """The class."""
        return CLASS_OF[self.shape.family]

    def placed(self) -> Float[np.ndarray, "v 3"]:
        """Vertices in the room, float64."""
        x, up, front = self.shape.vertices.astype(np.float64).T
        c, s = np.cos(self.box.yaw), np.sin(self.box.yaw)
        across, back = x, -front
        middle = (self.box.low + self.box.high) / 2
        return np.stack([self.box.x + c * across - s * back, self.box.y + s * across + c * back, middle + up], axis=1)


def furnish(rng: np.random.Generator, clutter: int) -> tuple[Plan, list[Thing], str]:
    """A room of a random kind and size, with everything in it.

    Args:
        rng: source of the draws. clutter: most small objects on tops.

    Returns:
        The plan, the objects, the kind (a key of `KINDS`).
    """
    kind = pick(rng, list(KINDS))
    plan = Plan(between(rng, 3.0, 5.8), between(rng, 2.8, 5.0), between(rng, 2.4, 3.0))
    things: list[Thing] = []
    _hang(rng, plan, things, "door", 0.0, 0.0, count(rng, 1, 2))
    for thing in list(things):  # a way to the door
        box = thing.box
        front = np.array([np.sin(box.yaw), -np.cos(box.yaw)]) * (box.b + 0.42)
        plan.add(Box(box.x + front[0], box.y + front[1], box.yaw, box.a, 0.4, 0.0, 2.0))
    for entry in KINDS[kind]:
        for _ in range(count(rng, entry.low, entry.high)):
            shape = _make(rng, entry.family, _FLOOR.get(entry.family))
            thing = None if shape is None else _stand(rng, plan, shape, entry.how)
            if thing is None:
                continue
            things.append(thing)
            for _ in range(count(rng, *entry.seats)):
                seat = _seat(rng, plan, thing.box)
                if seat is not None:
                    things.append(seat)
    _hang(rng, plan, things, "window", 0.75, 1.1, count(rng, 0, 3))
    _hang(rng, plan, things, "picture", 1.1, 1.7, count(rng, 0, 4))
    _hang(rng, plan, things, "clock", 1.6, 2.0, count(rng, 0, 1))
    _clutter(rng, plan, things, clutter)
    return plan, things, kind


Accept = Callable[[np.ndarray, np.ndarray], bool]  # lower and upper corner, y up

_FLOOR: dict[str, Accept] = {
    "lamp": lambda low, high: low[1] > -0.02 and high[1] > 1.15,
    "storage": lambda low, high: high[1] < 2.3,
}


def _make(rng: np.random.Generator, family: str, accept: Accept | None = None) -> ProceduralShape | None:
    """A shape of a family in its own metres; None where none of twelve draws is acceptable."""
    grow = fixtures.FAMILIES.get(family) or FAMILIES[family]
    for _ in range(12):
        root = grow(rng)
        points = root.points()
        low, high = points.min(0), points.max(0)
        if accept is None or accept(low, high):
            return finish(root, family, extent=float((high - low).max()))
    return None


def _half(shape: ProceduralShape) -> tuple[float, float, float]:
    """Half width, half depth and height."""
    size = np.ptp(shape.vertices.astype(np.float64), axis=0)
    return float(size[0] / 2), float(size[2] / 2), float(size[1])


def _keep(plan: Plan, shape: ProceduralShape, box: Box, margin: float = _MARGIN) -> Thing | None:
    if not plan.fits(box, margin):
        return None
    plan.add(box)
    return Thing(shape, box)


def _stand(rng: np.random.Generator, plan: Plan, shape: ProceduralShape, how: str) -> Thing | None:
    """A place on the floor, None where none of forty draws is free."""
    a, b, high = _half(shape)
    for _ in range(40):
        if how == "wall":
            gap = between(rng, 0.08, 0.2)
            box = plan.against_wall(count(rng, 0, 3), rng.random(), a, b, 0.0, high, gap)
        else:
            spread = 0.15 if how == "middle" else 0.5
            x = plan.width * (0.5 + between(rng, -spread, spread))
            y = plan.depth * (0.5 + between(rng, -spread, spread))
            turn = count(rng, 0, 3) * np.pi / 2
            if how == "free":
                turn += rng.normal(0, 0.15) if chance(rng, 0.6) else between(rng, 0, np.pi / 2)
            box = Box(x, y, turn, a, b, 0.0, high)
        thing = _keep(plan, shape, box)
        if thing is not None:
            return thing
    return None


def _seat(rng: np.random.Generator, plan: Plan, table: Box) -> Thing | None:
    """A chair at one side of a table, facing it."""
    shape = _make(rng, "chair")
    a, b, high = _half(shape)
    for _ in range(8):
        side = count(rng, 0, 3)
        reach, room = (table.b, table.a) if side % 2 == 0 else (table.a, table.b)
        turn = table.yaw + side * np.pi / 2
        off, along = reach + b + between(rng, 0.03, 0.3), between(rng, -1, 1) * max(room - a, 0.0)
        # seen from the table: its front is -y, the chair there looks back
        x = table.x + along * np.cos(turn) + off * np.sin(turn)
        y = table.y + along * np.sin(turn) - off * np.cos(turn)
        thing = _keep(plan, shape, Box(x, y, turn + np.pi + rng.normal(0, 0.12), a, b, 0.0, high))
        if thing is not None:
            return thing
    return None


def _hang(
    rng: np.random.Generator, plan: Plan, things: list[Thing], family: str, low: float, high: float, n: int
) -> None:
    """Up to n objects on walls, their lower edges between two heights."""
    for _ in range(n):
        shape = _make(rng, family, lambda lo, hi: hi[2] - lo[2] < 0.2)
        if shape is None:
            continue
        a, b, tall = _half(shape)
        for _ in range(10):
            at = between(rng, low, high)
            box = plan.against_wall(count(rng, 0, 3), rng.random(), a, b, at, at + tall, 0.002)
            thing = _keep(plan, shape, box, 0.001)
            if thing is not None:
                things.append(thing)
                break


class _Top(NamedTuple):
    """A flat top: its rectangle in the carrier's own frame, where small objects may stand."""

    box: Box
    low: np.ndarray
    high: np.ndarray


def _top(thing: Thing) -> _Top | None:
    """The top of a table or chest; None where there is too little of it. Round tops give a square inside."""
    shape = thing.shape
    corners = shape.vertices[shape.faces].astype(np.float64)
    level = corners[:, :, 1] >= shape.vertices[:, 1].max() - 0.008
    corners = corners[level.all(axis=1)]
    if not len(corners):
        return None
    plan = np.stack([corners[:, :, 0], -corners[:, :, 2]], axis=2)  # the box's own x and y
    u, v = plan[:, 1] - plan[:, 0], plan[:, 2] - plan[:, 0]
    upward = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    low, high = plan.reshape(-1, 2).min(0), plan.reshape(-1, 2).max(0)
    filled = np.maximum(upward, 0).sum() / 2 / max(float(np.prod(high - low)), 1e-9)
    if filled < 0.6:
        return None
    inset = (1 - (0.94 if filled > 0.9 else 0.68)) / 2 * (high - low)
    return _Top(thing.box, low + inset, high - inset)


def _clutter(rng: np.random.Generator, plan: Plan, things: list[Thing], n: int) -> None:
    """Up to n small objects on tables and low chests."""
    carriers = [
        thing for thing in things if thing.name == "table" or (thing.name == "storage" and thing.box.high < 1.4)
    ]
    tops = [top for top in map(_top, carriers) if top is not None]
    if not tops:
        return
    for _ in range(count(rng, n // 2, n)):
        top, family = pick(rng, tops), pick(rng, SMALL)
        shape = _make(rng, family, lambda low, high: low[1] > -0.02 and high[1] - low[1] < 0.9)
        if shape is None:
            continue
        a, b, tall = _half(shape)
        for _ in range(8):
            turn = rng.normal(0, 0.25) if family in _UPRIGHT else between(rng, -np.pi, np.pi)
            rx, ry = Box(0, 0, turn, a, b, 0, 0).reach
            room = top.high - top.low - 2 * np.array([rx, ry])
            if (room < 0).any():
                continue
            x, y = top.low + [rx, ry] + rng.random(2) * room
            c, s = np.cos(top.box.yaw), np.sin(top.box.yaw)
            low = top.box.high + 0.001
            box = Box(top.box.x + c * x - s * y, top.box.y + s * x + c * y, top.box.yaw + turn, a, b, low, low + tall)
            thing = _keep(plan, shape, box, 0.005)
            if thing is not None:
                things.append(thing)
                break
