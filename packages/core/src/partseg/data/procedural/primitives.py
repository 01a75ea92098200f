"""Triangle meshes of the solid pieces that the shape grammar assembles.

Nearly every piece is a *stack of rings*: ``m`` closed curves of ``k`` points each, joined band by band and closed by
a fan at either end. Boxes, cylinders, lathes, sweeps and superellipsoids differ only in where the ring points lie,
so the triangles come from one cached table and building a piece is a handful of array operations. Plates with holes
are the exception; see :mod:`plates`.

Vertices are float64 here (the finished shape rounds once), faces int32 with outward normals (right-hand rule).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from partseg.data.procedural.curves import Vector, circle, quarter_circle, rounded_rectangle, unit


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """One piece of geometry.

    Two meshes that hold the *same* vertex array object are patches of one connected surface: they stay joined when a
    shape is assembled (see :meth:`split`).

    Attributes:
        vertices: (v, 3) float64.
        faces: (f, 3) int32, outward by the right-hand rule.
    """

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]

    def moved(self, offset: Vector) -> Mesh:
        """The mesh shifted by ``offset`` (3,)."""
        return Mesh(self.vertices + np.asarray(offset, float), self.faces)

    def mapped(self, linear: Float[np.ndarray, "3 3"], offset: Vector = (0.0, 0.0, 0.0)) -> Mesh:
        """``vertices @ linear.T + offset``; faces are turned over when ``linear`` mirrors."""
        faces = self.faces if np.linalg.det(linear) > 0 else self.faces[:, ::-1]
        return Mesh(self.vertices @ linear.T + np.asarray(offset, float), faces)

    def deformed(self, function: Callable[[np.ndarray], np.ndarray]) -> Mesh:
        """``function`` applied to a copy of the vertices, (v, 3) -> (v, 3)."""
        return Mesh(function(self.vertices.copy()), self.faces)

    def outward(self) -> Mesh:
        """A closed mesh with its faces turned so that it encloses a positive volume."""
        a, b, c = (self.vertices[self.faces[:, i]] - self.vertices[0] for i in range(3))
        volume = np.einsum("ij,ij->", a, np.cross(b, c))
        return self if volume >= 0 else Mesh(self.vertices, self.faces[:, ::-1])

    def split(self, group: Int[np.ndarray, " f"], count: int) -> list[Mesh]:
        """``count`` patches of this surface, patch ``i`` with the faces of ``group == i``; they share vertices."""
        return [Mesh(self.vertices, self.faces[group == i]) for i in range(count)]


@lru_cache(maxsize=4096)
def _stack_faces(m: int, k: int, start: bool, end: bool, loop: bool) -> np.ndarray:
    i = np.arange(k, dtype=np.int32)
    nxt = np.roll(i, -1)
    row = np.arange(m if loop else m - 1, dtype=np.int32)[:, None] * k
    above = (row + k) % (m * k) if loop else row + k
    quads = np.stack(
        [np.stack([row + i, row + nxt, above + nxt], -1), np.stack([row + i, above + nxt, above + i], -1)], 2
    ).reshape(-1, 3)
    parts = [quads]
    pole = m * k
    if start:
        parts.append(np.stack([np.full(k, pole, np.int32), nxt, i], 1))
        pole += 1
    if end:
        last = (m - 1) * k
        parts.append(np.stack([np.full(k, pole, np.int32), last + i, last + nxt], 1))
    faces = np.concatenate(parts).astype(np.int32)
    faces.setflags(write=False)
    return faces


def ring_stack(
    rings: Float[np.ndarray, "m k 3"], start: Vector | None = None, end: Vector | None = None, loop: bool = False
) -> Mesh:
    """Join rings band by band.

    Args:
        rings: (m, k, 3), each ring right-handed about the stacking direction (then normals point outward).
        start: centre of the fan that closes the first ring, or None for an open end.
        end: the same for the last ring.
        loop: also join the last ring to the first.

    Returns:
        Mesh whose faces are ordered band by band, 2k a band, then the k faces of the start fan, then those of the
        end fan.
    """
    m, k, _ = rings.shape
    poles = [np.asarray(p, float)[None] for p in (start, end) if p is not None]
    vertices = np.concatenate([rings.reshape(-1, 3), *poles]) if poles else rings.reshape(-1, 3)
    return Mesh(vertices, _stack_faces(m, k, start is not None, end is not None, loop))


def band_groups(m: int, k: int, group_of_band: Sequence[int], start: int | None, end: int | None) -> np.ndarray:
    """Face groups, in the face order of :func:`ring_stack`, from one group a band and one a fan (None: no fan)."""
    groups = [np.repeat(np.asarray(group_of_band, dtype=np.int64), 2 * k)]
    if len(group_of_band) not in (m - 1, m):
        raise ValueError(f"{m} rings have {m - 1} bands ({m} in a loop), got {len(group_of_band)} groups")
    groups += [np.full(k, g) for g in (start, end) if g is not None]
    return np.concatenate(groups)


def box(size: Vector, centre: Vector = (0.0, 0.0, 0.0), bevel: float = 0.0, corner: int = 1) -> Mesh:
    """Axis-aligned box; ``bevel`` > 0 rounds all edges with that radius in ``corner`` steps."""
    w, h, d = (float(s) for s in size)
    bevel = min(bevel, 0.45 * min(w, h, d))
    cx, cy, cz = (float(c) for c in centre)
    if bevel <= 0:
        outline, rise = rounded_rectangle(w, d), np.array([-h / 2, h / 2])
        rings = np.empty((2, 4, 3))
        rings[:, :, 0] = outline[:, 0] + cx
        rings[:, :, 2] = -outline[:, 1] + cz
        rings[:, :, 1] = (rise + cy)[:, None]
        return ring_stack(rings, (cx, cy - h / 2, cz), (cx, cy + h / 2, cz))
    angle = np.linspace(np.radians(25), np.pi / 2, corner + 1)
    radius = bevel * np.sin(angle)
    drop = bevel * np.cos(angle) / np.cos(angle[0])
    rise = np.concatenate([-h / 2 + bevel - drop, (h / 2 - bevel + drop)[::-1]])
    shrink = np.concatenate([radius, radius[::-1]])[:, None]
    unit = np.concatenate(
        [
            quarter_circle(corner),
            quarter_circle(corner) @ [[0, 1], [-1, 0]],
            -quarter_circle(corner),
            quarter_circle(corner) @ [[0, -1], [1, 0]],
        ]
    )
    a, b = w / 2 - bevel, d / 2 - bevel
    core = np.repeat(np.array([[a, b], [-a, b], [-a, -b], [a, -b]]), corner + 1, 0)
    rings = np.empty((len(rise), len(unit), 3))
    rings[:, :, 0] = core[:, 0] + shrink * unit[:, 0] + cx
    rings[:, :, 2] = -(core[:, 1] + shrink * unit[:, 1]) + cz
    rings[:, :, 1] = (rise + cy)[:, None]
    return ring_stack(rings, (cx, cy - h / 2, cz), (cx, cy + h / 2, cz))


def slab(size: Vector, centre: Vector = (0.0, 0.0, 0.0), radius: float = 0.0, cuts: int = 8) -> Mesh:
    """Box of ``size`` with rounded plan outline, cut finely enough to be bent by :meth:`Mesh.deformed`.

    The wide faces (x, z) are cut by ``cuts`` concentric outlines of the same shape; thickness is along y.
    """
    w, h, d = (float(s) for s in size)
    edge = max(2, cuts)
    outline = rounded_rectangle(w, d, radius, 2, edge)
    inner = np.linspace(0.0, 1.0, max(3, cuts // 2 + 1))[1:]
    scale = np.concatenate([inner, inner[::-1]])
    rise = np.concatenate([np.full(len(inner), -h / 2), np.full(len(inner), h / 2)])
    rings = np.empty((len(scale), len(outline), 3))
    rings[:, :, 0] = scale[:, None] * outline[:, 0]
    rings[:, :, 2] = -scale[:, None] * outline[:, 1]
    rings[:, :, 1] = rise[:, None]
    return ring_stack(rings + np.asarray(centre, float), np.add(centre, (0, -h / 2, 0)), np.add(centre, (0, h / 2, 0)))


def prism(outline: Float[np.ndarray, "k 2"], low: float, high: float, bevel: float = 0.0, taper: float = 1.0) -> Mesh:
    """Outline (x, -z), counter-clockwise and star-shaped about its mean, extruded along y; ``taper`` scales the top."""
    middle = outline.mean(0)
    arm = outline - middle
    reach = float(np.abs(arm).max())
    inset = 1 - bevel / reach if bevel else 1.0
    if bevel:
        scale, rise = np.array([inset, 1, taper, taper * inset]), np.array([low, low + bevel, high - bevel, high])
    else:
        scale, rise = np.array([1, taper]), np.array([low, high])
    rings = np.empty((len(scale), len(outline), 3))
    flat = middle + scale[:, None, None] * arm
    rings[:, :, 0], rings[:, :, 2] = flat[..., 0], -flat[..., 1]
    rings[:, :, 1] = rise[:, None]
    return ring_stack(rings, (middle[0], low, -middle[1]), (middle[0], high, -middle[1]))


def lathe(
    profile: Float[np.ndarray, "m 2"] | Sequence, sides: int = 24, centre: Vector = (0.0, 0.0, 0.0), loop: bool = False
) -> Mesh:
    """Surface of revolution about the vertical through ``centre``.

    Args:
        profile: (m, 2) of (radius >= 0, height); the outside lies to the right of its direction of travel upward. An
            end with radius 0 becomes a pole; any other end stays open unless ``loop``.
        sides: points around.
        loop: join the end of the profile to its start (a ring without poles).
    """
    profile = np.asarray(profile, float)
    first, last = (not loop and profile[0, 0] <= 1e-9), (not loop and profile[-1, 0] <= 1e-9)
    inner = profile[int(first) : len(profile) - int(last)]
    c = circle(sides)
    cx, cy, cz = centre
    rings = np.empty((len(inner), sides, 3))
    rings[:, :, 0] = inner[:, :1] * c[:, 1] + cx
    rings[:, :, 2] = inner[:, :1] * c[:, 0] + cz
    rings[:, :, 1] = inner[:, 1:] + cy
    return ring_stack(
        rings, (cx, profile[0, 1] + cy, cz) if first else None, (cx, profile[-1, 1] + cy, cz) if last else None, loop
    )


def lathe_groups(profile: Float[np.ndarray, "m 2"], sides: int, group_of_band: Sequence[int]) -> np.ndarray:
    """Face groups of ``lathe(profile, sides)`` from one group for each of the m - 1 stretches of the profile."""
    profile = np.asarray(profile, float)
    first, last = profile[0, 0] <= 1e-9, profile[-1, 0] <= 1e-9
    bands = list(group_of_band)
    if len(bands) != len(profile) - 1:
        raise ValueError(f"a profile of {len(profile)} points has {len(profile) - 1} stretches, got {len(bands)}")
    start = bands.pop(0) if first else None
    end = bands.pop() if last else None
    return band_groups(len(profile) - first - last, sides, bands, start, end)


def ellipsoid(
    radii: Vector,
    centre: Vector = (0.0, 0.0, 0.0),
    sides: int = 20,
    rows: int = 10,
    power: tuple[float, float] = (2, 2),
) -> Mesh:
    """Superellipsoid; ``power`` is that of the upright section and of the plan (2 round, 4+ boxy, 1 a diamond)."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rows + 1)
    cos, sin = np.cos(angle), np.sin(angle)
    upright = np.stack([np.abs(cos) ** (2 / power[0]), np.sign(sin) * np.abs(sin) ** (2 / power[0])], 1)
    upright[[0, -1], 0] = 0
    mesh = lathe(upright, sides)
    v = mesh.vertices
    if power[1] != 2:
        r = np.hypot(v[:, 0], v[:, 2])
        safe = np.where(r > 0, r, 1)
        c, s = v[:, 0] / safe, v[:, 2] / safe
        v[:, 0] = r * np.sign(c) * np.abs(c) ** (2 / power[1])
        v[:, 2] = r * np.sign(s) * np.abs(s) ** (2 / power[1])
    return Mesh(v * np.asarray(radii, float) + np.asarray(centre, float), mesh.faces)


def _frames(path: np.ndarray, loop: bool, up: Vector | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if loop:
        tangent = unit(np.roll(path, -1, 0) - np.roll(path, 1, 0))
    else:
        step = unit(path[1:] - path[:-1])
        tangent = np.concatenate([step[:1], unit(step[1:] + step[:-1]), step[-1:]])
    if up is None:
        # The direction the tangents avoid most: for a planar path its normal, so the frame never flips.
        values, vectors = np.linalg.eigh(tangent.T @ tangent)
        reference = vectors[:, 0] if values[1] > 1e-6 else np.eye(3)[np.argmin(np.abs(tangent[0]))]
    else:
        reference = np.asarray(up, float)
    side = unit(np.cross(reference, tangent))
    return tangent, side, np.cross(tangent, side)


def sweep(
    path: Float[np.ndarray, "m 3"] | Sequence,
    radius: float | Float[np.ndarray, " m"] | Float[np.ndarray, "m 2"] = 1.0,
    outline: Float[np.ndarray, "k 2"] | None = None,
    sides: int = 12,
    loop: bool = False,
    up: Vector | None = None,
    round_ends: bool = False,
    open_ends: bool = False,
) -> Mesh:
    """A cross-section carried along a path.

    Args:
        path: (m, 3) points, m >= 2.
        radius: scale of the cross-section; one number, one a point, or one a point and axis (sideways, upward).
        outline: (k, 2) counter-clockwise cross-section as (sideways, upward); the unit circle with ``sides`` points
            if None.
        loop: the path is closed (no end caps).
        up: reference direction that the upward axis follows; must nowhere be parallel to the path. By default the
            direction that the path avoids most (for a planar path its plane's normal is *up*).
        round_ends: hemispherical ends instead of flat ones.
        open_ends: no end caps.

    Returns:
        Mesh with the face order of :func:`ring_stack` (``round_ends`` adds three bands at each end).
    """
    path = np.asarray(path, float)
    tangent, side, upward = _frames(path, loop, up)
    scale = np.asarray(radius, float)
    scale = np.broadcast_to(scale[:, None] if scale.ndim == 1 else scale, (len(path), 2))
    if round_ends and not loop:
        angle = np.radians([15.0, 45.0, 70.0])
        bulge, shrink = np.sin(angle)[:, None], np.cos(angle)[:, None]
        reach0, reach1 = scale[0].min(), scale[-1].min()
        path = np.concatenate(
            [path[0] - (bulge * tangent[0] * reach0)[::-1], path, path[-1] + bulge * tangent[-1] * reach1]
        )
        scale = np.concatenate([(shrink * scale[0])[::-1], scale, shrink * scale[-1]])
        side = np.concatenate([np.repeat(side[:1], 3, 0), side, np.repeat(side[-1:], 3, 0)])
        upward = np.concatenate([np.repeat(upward[:1], 3, 0), upward, np.repeat(upward[-1:], 3, 0)])
    section = circle(sides) if outline is None else outline
    rings = (
        path[:, None]
        + (scale[:, :1] * section[:, 0])[..., None] * side[:, None]
        + (scale[:, 1:] * section[:, 1])[..., None] * upward[:, None]
    )
    if loop or open_ends:
        return ring_stack(rings, loop=loop)
    return ring_stack(rings, rings[0].mean(0), rings[-1].mean(0))


def cylinder(start: Vector, end: Vector, radius: float, end_radius: float | None = None, sides: int = 16) -> Mesh:
    """Cylinder or cone frustum between two points."""
    radii = np.array([radius, radius if end_radius is None else end_radius])
    return sweep(np.stack([np.asarray(start, float), np.asarray(end, float)]), radii, sides=sides)


def bar(start: Vector, end: Vector, width: float, height: float, up: Vector = (0, 1, 0), taper: float = 1.0) -> Mesh:
    """Straight rectangular bar; ``height`` is measured along ``up``, which must not be parallel to the bar."""
    path = np.stack([np.asarray(start, float), np.asarray(end, float)])
    return sweep(path, np.array([1.0, taper]), rounded_rectangle(width, height), up=up)


def torus(centre: Vector, axis: Vector, major: float, minor: float, sides: int = 10, around: int = 28) -> Mesh:
    """Torus with the given axis direction."""
    axis = unit(np.asarray(axis, float))
    first = unit(np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))]))
    second = np.cross(axis, first)
    c = circle(around) * major
    path = np.asarray(centre, float) + c[:, :1] * first + c[:, 1:] * second
    return sweep(path, minor, sides=sides, loop=True, up=axis)
