"""A furnished room as a scanner sees it: coloured points of what some cameras see."""

from __future__ import annotations

import colorsys
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from partseg.data.procedural.grammar import between, chance, pick
from partseg.data.rooms.furnish import CLASSES, Thing
from partseg.data.rooms.plan import Box, Plan
from partseg.geometry.buffers import Buffers, rasterise
from partseg.geometry.camera import Camera
from partseg.geometry.sampling import sample_faces
from partseg.geometry.shape import triangle_normals

_SIZE = (240, 320)  # pixels of a view: height, width
_FOV = 58.0  # degrees upright, about that of a hand-held depth sensor on its side
_GRAZING = 0.1  # cosine below which a sensor gets no depth
_WOOD = (((0.06, 0.1), (0.35, 0.65), (0.35, 0.8)), ((0.0, 1.0), (0.0, 0.08), (0.15, 0.95)))
_CLOTH = (((0.0, 1.0), (0.1, 0.6), (0.25, 0.85)),)
_ANY = (((0.0, 1.0), (0.2, 0.9), (0.3, 0.95)), ((0.0, 1.0), (0.0, 0.1), (0.1, 0.95)))
_DARK = (((0.0, 1.0), (0.0, 0.1), (0.08, 0.35)),)
_PAINT = {
    "table": _WOOD, "storage": _WOOD, "door": _WOOD, "bed": _CLOTH, "sofa": _CLOTH, "chair": _CLOTH + _WOOD,
    "display": _DARK, "laptop": _DARK, "keyboard": _DARK,
}  # fmt: skip
_WALL = (((0.08, 0.2), (0.02, 0.15), (0.82, 0.97)), ((0.5, 0.65), (0.03, 0.2), (0.75, 0.95)))
_GROUND = (((0.06, 0.1), (0.3, 0.55), (0.4, 0.75)), ((0.0, 1.0), (0.0, 0.12), (0.35, 0.7)))


class Scene(NamedTuple):
    """The meshes of a room as one.

    Attributes:
        vertices: (v, 3) float64. faces: (f, 3) int32.
        owner: (f,) int64, number of the object, -1 for floor and walls.
        paint: (f, 3) float32 colour.
    """

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    owner: Int[np.ndarray, " f"]
    paint: Float[np.ndarray, "f 3"]


def assemble(rng: np.random.Generator, plan: Plan, things: list[Thing]) -> Scene:
    """Floor, four walls (seen from inside) and the objects, each with seeded colours of its parts."""
    w, d, h = plan.width, plan.depth, plan.height
    corners = np.array([[x, y, z] for z in (0.0, h) for x, y in ((0, 0), (w, 0), (w, d), (0, d))])
    quads = [(0, 1, 2, 3), (1, 0, 4, 5), (2, 1, 5, 6), (3, 2, 6, 7), (0, 3, 7, 4)]
    shell = np.array([t for a, b, c, e in quads for t in ((a, b, c), (a, c, e))], np.int64)
    walls = _color(rng, _WALL)
    paint = [np.repeat([_color(rng, _GROUND)] + [walls * between(rng, 0.93, 1.0) for _ in range(4)], 2, axis=0)]
    vertices, faces, owner, total = [corners], [shell], [np.full(len(shell), -1)], len(corners)
    for number, thing in enumerate(things):
        vertices.append(thing.placed())
        faces.append(thing.shape.faces.astype(np.int64) + total)
        owner.append(np.full(len(thing.shape.faces), number))
        paint.append(_painted(rng, thing))
        total += len(vertices[-1])
    return Scene(
        np.concatenate(vertices),
        np.concatenate(faces).astype(np.int32),
        np.concatenate(owner).astype(np.int64),
        np.concatenate(paint).astype(np.float32),
    )


def _color(rng: np.random.Generator, ranges: tuple) -> Float[np.ndarray, "3"]:
    """A colour from one of several ranges of hue, saturation and value."""
    return np.array(colorsys.hsv_to_rgb(*(between(rng, *span) for span in pick(rng, ranges))))


def _painted(rng: np.random.Generator, thing: Thing) -> Float[np.ndarray, "f 3"]:
    """Colour of each face: parts of a name share it; often most parts of an object do."""
    shape, ranges = thing.shape, _PAINT.get(thing.name, _ANY)
    base, accent = _color(rng, ranges), _color(rng, pick(rng, (ranges, _ANY, _DARK)))
    share = pick(rng, (0.0, 0.3, 0.6))
    nodes = shape.level_nodes["middle"]
    colors: dict[str, np.ndarray] = {}
    for node in nodes.tolist():
        if shape.names[node] not in colors:
            chosen = accent if chance(rng, share) else base
            colors[shape.names[node]] = chosen * between(rng, 0.85, 1.1)
    table = np.stack([colors[shape.names[node]] for node in nodes.tolist()])
    return table[shape.labels("middle")].clip(0, 1)


def cameras(rng: np.random.Generator, plan: Plan, n: int) -> list[Camera]:
    """Views of someone who walks about: at eye height, clear of objects, looking down and across the room."""
    out = []
    start = rng.random()
    for k in range(n):
        angle = 2 * np.pi * (start + (k + between(rng, -0.3, 0.3)) / n)
        for attempt in range(20):
            far = between(rng, 0.1, 0.42) if attempt < 19 else 0.0
            x = plan.width * (0.5 + far * np.cos(angle))
            y = plan.depth * (0.5 + far * np.sin(angle))
            z = between(rng, 1.3, 1.9)
            if plan.fits(Box(x, y, 0.0, 0.12, 0.12, z - 0.12, z + 0.12)):
                break
        target = np.array([plan.width * between(rng, 0.25, 0.75), plan.depth * between(rng, 0.25, 0.75), 0.0])
        target[2] = between(rng, 0.2, 1.1)
        if np.hypot(target[0] - x, target[1] - y) < 0.8:  # not straight down
            target[:2] = [x - np.cos(angle), y - np.sin(angle)]
        out.append(Camera((x, y, z), tuple(target.tolist()), (0.0, 0.0, 1.0), _FOV, near=0.1))
    return out


def seen(
    views: list[Buffers],
    points: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"],
    face: Int[np.ndarray, " n"],
) -> Bool[np.ndarray, " n"]:
    """Which points on a surface a view sees from the front, by depth buffer.

    A point is seen where its pixel shows its own face, or nothing nearer than the depth that a pixel's width allows.

    Args:
        views: the rasterised scene. points, normals, face: the points and the faces they lie on.
    """
    out = np.zeros(len(points), bool)
    for buffers in views:
        view, (height, width) = buffers.camera, buffers.face_id.shape
        rows = np.flatnonzero(~out)
        ray = np.asarray(view.eye) - points[rows]
        cosine = np.einsum("nd,nd->n", ray, normals[rows]) / np.sqrt(np.einsum("nd,nd->n", ray, ray) + 1e-12)
        front = cosine > _GRAZING
        rows, cosine = rows[front], cosine[front]
        x, y, depth = view.project(points[rows], (height, width)).T
        with np.errstate(invalid="ignore"):
            inside = (depth > view.near_depth) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
        rows, cosine, depth = rows[inside], cosine[inside], depth[inside]
        column, line = x[inside].astype(np.int64), y[inside].astype(np.int64)
        slope = np.sqrt(1 - np.minimum(cosine**2, 1)) / cosine
        slack = 0.004 + 0.7 * depth / view.focal(height) * np.minimum(slope, 1.5)
        near = depth <= buffers.depth[line, column] + slack
        out[rows[near | (buffers.face_id[line, column] == face[rows])]] = True
    return out


def scan(
    rng: np.random.Generator, scene: Scene, views: list[Camera] | None, n: int
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"], Int[np.ndarray, " n"]]:
    """n points spread over the surface by area, of what the views see (everything for None).

    Returns:
        points (n, 3) float32, normals (n, 3) float32, face (n,) int32. Where little is seen, points repeat.

    Raises:
        ValueError: the views see nothing at all.
    """
    normals = triangle_normals(scene.vertices, scene.faces)[0]
    buffers = [rasterise(scene.vertices, scene.faces, view, _SIZE) for view in views or ()]
    draws = n if views is None else int(2.6 * n)  # a good third is seen
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(5):
        points, face, _ = sample_faces(scene.vertices, scene.faces, draws, rng)
        if views is not None:
            visible = seen(buffers, points.astype(np.float64), normals[face], face)
            points, face = points[visible], face[visible]
        kept.append((points, face))
        if sum(len(p) for p, _ in kept) >= n:
            break
    points, face = (np.concatenate(column) for column in zip(*kept, strict=True))
    if not len(points):
        raise ValueError("no point is seen")
    if len(points) < n:
        rows = np.concatenate([np.arange(len(points)), rng.integers(len(points), size=n - len(points))])
    else:
        rows = rng.permutation(len(points))[:n]
    return points[rows], normals[face[rows]].astype(np.float32), face[rows]


def colored(
    rng: np.random.Generator, paint: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], noise: float
) -> Float[np.ndarray, "n 3"]:
    """Colours under a light from above, with the sensor's noise, 0..1 float32."""
    lit = (0.86 + 0.14 * normals[:, 2:3]) * between(rng, 0.85, 1.05)
    return (paint * lit + rng.normal(0, noise, paint.shape)).clip(0, 1).astype(np.float32)


def classes(things: list[Thing]) -> Int[np.ndarray, " k"]:
    """Class number of each object."""
    return np.array([CLASSES.index(thing.name) for thing in things], np.int64)
