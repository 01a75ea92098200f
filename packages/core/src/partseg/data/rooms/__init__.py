"""Procedural rooms: objects of the embedded shape grammar in furnished rooms, scanned from a few places.

Rooms are what scene datasets such as ScanNet give: points with colours and normals, an instance and a class for each
object, nothing for floor and walls. Metres, z up, the room's corner at the origin. A room follows from
(seed, index, settings) alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from partseg.data.formats.base import PartSample, dense
from partseg.data.rooms.furnish import CLASSES, KINDS, furnish
from partseg.data.rooms.scan import assemble, cameras, classes, colored, scan
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape

__all__ = ["CLASSES", "KINDS", "LEVEL", "Room", "RoomSettings", "room"]

LEVEL = "objects"


@dataclass(frozen=True)
class RoomSettings:
    """How rooms are made and scanned.

    Attributes:
        points: points of a room.
        views: places it is scanned from; what none of them sees is missing. None: the whole surface, hidden sides and
            insides too.
        clutter: most small objects on tables and chests; half as many at least, where they fit.
        min_points: objects of fewer points are unlabelled.
        color_noise: standard deviation of colours, which are 0..1.
        noise: standard deviation of positions along the normal, metres.
    """

    points: int = 18_000
    views: int | None = 8
    clutter: int = 14
    min_points: int = 10
    color_noise: float = 0.03
    noise: float = 0.002

    def __post_init__(self) -> None:
        if self.points < 1 or (self.views is not None and self.views < 1) or self.clutter < 0 or self.min_points < 0:
            raise PartsegError("a room needs at least 1 point, 1 view (or None), 0 clutter and 0 min_points")
        if not (self.color_noise >= 0 and self.noise >= 0):
            raise PartsegError("noise must not be negative")


@dataclass(frozen=True, eq=False)
class Room:
    """A scanned room.

    Attributes:
        kind: a key of `KINDS`.
        points: (n, 3) float32. normals: (n, 3) float32, unit. colors: (n, 3) float32 in 0..1.
        labels: (n,) int64 object, 0..k-1, -1 for floor, walls and objects of too few points.
        semantics: (n,) int64 index into `CLASSES`, -1 where the label is.
    """

    kind: str
    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    colors: Float[np.ndarray, "n 3"]
    labels: Int[np.ndarray, " n"]
    semantics: Int[np.ndarray, " n"]

    def sample(self, name: str = "room") -> PartSample:
        """The room as readers of datasets give scenes, level "objects"."""
        cloud = Shape.from_points(self.points, normals=self.normals, colors=self.colors, name=name)
        return PartSample(cloud, {LEVEL: self.labels}, {LEVEL: self.semantics})


def room(seed: int, index: int, settings: RoomSettings = RoomSettings()) -> Room:
    """Room number `index` of the endless sequence `seed`; the same arguments always give the same room."""
    rng = np.random.default_rng([seed, index, 7])
    plan, things, kind = furnish(rng, settings.clutter)
    scene = assemble(rng, plan, things)
    views = None if settings.views is None else cameras(rng, plan, settings.views)
    points, normals, face = scan(rng, scene, views, settings.points)
    colors = colored(rng, scene.paint[face], normals, settings.color_noise)
    points = (points + normals * rng.normal(0, settings.noise, (len(points), 1))).astype(np.float32)
    owner = scene.owner[face]
    present = np.bincount(owner[owner >= 0], minlength=len(things)) >= max(settings.min_points, 1)
    owner = np.where((owner >= 0) & np.append(present, False)[owner], owner, -1)
    semantics = np.append(classes(things), -1)[owner]
    return Room(kind, points, normals, colors, dense(owner), semantics)
