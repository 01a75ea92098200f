"""Building blocks of organic figures: limbs along bent axes, frames, and the walk from limbs to a labelled mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from partseg.data.procedural.implicit import (
    BONE,
    compact,
    grid_field,
    largest_component,
    nearest_limb,
    surface_nets,
)
from partseg.data.procedural.remesh import irregular

Path = tuple[str, ...]
"""Names from the coarse part down to the leaf (1 to 3); ``name@key`` tells instances of one name apart."""

X, Y, Z = np.eye(3)
SIDES = (("left", 1.0), ("right", -1.0))
"""Names and signs of x of the two halves of a figure."""


def unit(v: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
    """``v`` scaled to length one."""
    v = np.asarray(v, float)
    return v / max(np.linalg.norm(v), 1e-12)


def turn(axis: Float[np.ndarray, " 3"], degrees: float) -> Float[np.ndarray, "3 3"]:
    """Rotation matrix about ``axis`` (right-handed), by Rodrigues' formula."""
    x, y, z = unit(axis)
    a = np.radians(degrees)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(a) * k + (1 - np.cos(a)) * (k @ k)


def bent(points: Float[np.ndarray, "m 3"], n: int) -> Float[np.ndarray, "n 3"]:
    """``n`` points along a Catmull-Rom spline through ``points``."""
    p = np.asarray(points, float)
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, len(p) - 3, n)
    i = np.minimum(t.astype(int), len(p) - 4)
    t = (t - i)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def walk(
    start: Float[np.ndarray, " 3"],
    direction: Float[np.ndarray, " 3"],
    axis: Float[np.ndarray, " 3"],
    step: float,
    bends: Float[np.ndarray, " m"],
) -> Float[np.ndarray, "m_plus_1 3"]:
    """Points of a path of equal steps that turns by ``bends`` (degrees) about ``axis`` before each step."""
    points, direction = [np.asarray(start, float)], unit(direction)
    for bend in bends:
        direction = turn(axis, bend) @ direction
        points.append(points[-1] + step * direction)
    return np.array(points)


class Figure:
    """A growing list of limbs. Later limbs blend into what is there with their own width ``blend``."""

    def __init__(self, rng: np.random.Generator, blend: float = 0.35) -> None:
        self.rng = rng
        self.softness = blend
        self.bones: list[np.ndarray] = []
        self.limb_path: list[Path] = []
        self.blend: list[float] = []
        self.inner: list[float] = []
        self.cuts: list[tuple[np.ndarray, np.ndarray]] = []

    def cut(self, point: Float[np.ndarray, " 3"], normal: Float[np.ndarray, " 3"]) -> None:
        """Cut the figure off flat at the plane through ``point``; what lies along ``normal`` stays."""
        self.cuts.append((np.asarray(point, float), unit(normal)))

    def limb(
        self,
        path: Path | str,
        points: Float[np.ndarray, "m 3"],
        radii: float | Float[np.ndarray, " m"],
        *,
        bulge: float = 0.0,
        flat: float = 1.0,
        normal: Float[np.ndarray, " 3"] = Z,
        blend: float | None = None,
        inner: float = 0.0,
    ) -> None:
        """Add a limb along ``points`` (one point: a ball or, flattened, a disc).

        Args:
            path: names coarse to fine; limbs with the same path are one part.
            points, radii: axis and radius at each axis point.
            bulge: added to the radius in the middle of each bone, as a fraction of the mean radius.
            flat: thickness along ``normal`` as a fraction of the radius.
            blend: width of the seam with what is already there, as a fraction of the first radius
                (default: the figure's own softness).
            inner: width of the smooth union of the limb's own bones, as a fraction of the mean radius.
        """
        points = np.atleast_2d(np.asarray(points, float))
        radii = np.broadcast_to(np.asarray(radii, float), (len(points),))
        if len(points) == 1:
            points, radii = np.repeat(points, 2, 0), np.repeat(radii, 2)
        m = len(points) - 1
        bones = np.empty((m, BONE))
        bones[:, :3], bones[:, 3:6] = points[:-1], points[1:]
        bones[:, 6], bones[:, 7] = radii[:-1], radii[1:]
        bones[:, 8] = bulge * (radii[:-1] + radii[1:]) / 2
        bones[:, 9:12] = unit(normal)
        bones[:, 12] = flat
        self.bones.append(bones)
        self.limb_path.append((path,) if isinstance(path, str) else path)
        self.blend.append((self.softness if blend is None else blend) * float(radii[0]) * max(flat, 0.3))
        self.inner.append(inner * float(radii.mean()))

    def build(self, n_faces: int, jitter: float = 0.2, irregularity: float | None = None) -> Body:
        """Mesh the figure with about ``n_faces`` triangles and label them.

        Args:
            jitter: random move of the vertices of the grid mesh, in cells.
            irregularity: share of the vertices removed by edge collapses (none or up to 0.6 at random if None).
        """
        bones = np.concatenate(self.bones)
        start = np.concatenate([[0], np.cumsum([len(b) for b in self.bones])])
        blend, inner = np.array(self.blend), np.array(self.inner)
        radius = bones[:, 6:8].mean(1)
        length = np.linalg.norm(bones[:, 3:6] - bones[:, :3], axis=1)
        area = float((2 * np.pi * radius * (length + 0.7 * radius)).sum()) * 0.85
        cell = np.sqrt(2.6 * area / n_faces)
        share = float(self.rng.choice([0.0, self.rng.uniform(0.1, 0.6)])) if irregularity is None else irregularity
        # crossings of a coarse grid tell how fine the grid must be: overlaps make the sum of areas a poor guide
        field, _, rough = grid_field(bones, start, blend, inner, 2 * cell)
        solid = field < 0
        crossings = sum(int(np.count_nonzero(np.diff(solid, axis=axis))) for axis in range(3))
        cell = float(np.clip(rough * np.sqrt(2 * max(crossings, 1) * (1 - share) / n_faces), 0.5 * cell, 2 * cell))
        # nothing thinner than the grid can show, or limbs would fall apart into crumbs
        bones[:, 6:8] = np.maximum(bones[:, 6:8], 0.8 * cell)
        bones[:, 12] = np.minimum(1, np.maximum(bones[:, 12], 0.9 * cell / bones[:, 6:8].max(1)))
        field, origin, cell = grid_field(bones, start, blend, inner, cell)
        for point, normal in self.cuts:
            axes = [(origin[i] - point[i] + cell * np.arange(field.shape[i])) * -normal[i] for i in range(3)]
            plane = axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]
            field = np.maximum(field, plane.astype(np.float32))
        vertices, faces = surface_nets(field, self.rng, jitter)
        vertices, faces = compact(vertices, faces, largest_component(faces, len(vertices)))
        if share:
            vertices, faces = irregular(vertices, faces, self.rng, share)
        vertices = origin + cell * vertices
        paths = list(dict.fromkeys(self.limb_path))
        of_limb = np.array([paths.index(p) for p in self.limb_path])
        centre = vertices[faces].mean(1)
        part = clean(faces, of_limb[nearest_limb(centre, bones, start, inner)])
        # parts that all but drowned in others leave their faces to who is next
        count = np.bincount(part, minlength=len(paths))
        low = count < max(4, len(faces) // 2000)
        if low.any():
            keep = np.flatnonzero(~low[of_limb])
            rows = np.concatenate([np.arange(start[i], start[i + 1]) for i in keep])
            first = np.concatenate([[0], np.cumsum([start[i + 1] - start[i] for i in keep])])
            lost = low[part]
            part[lost] = of_limb[keep][nearest_limb(centre[lost], bones[rows], first, inner[keep])]
            number = np.cumsum(~low) - 1
            part, paths = number[part], [p for p, gone in zip(paths, low, strict=True) if not gone]
        return Body(vertices, faces, part, paths)


def clean(faces: Int[np.ndarray, "f 3"], part: Int[np.ndarray, " f"], rounds: int = 2) -> Int[np.ndarray, " f"]:
    """Smooth the borders of parts: a face whose neighbours agree on another part joins them; islands go likewise."""
    neighbour = face_neighbours(faces)
    for _ in range(rounds):
        around = part[neighbour]
        a, b, c = around.T
        other = np.where((a == b) | (a == c), a, np.where(b == c, b, part))
        part = np.where(other != part, other, part)
    # islands: pieces of a part far smaller than its largest piece take the part around them
    inside = part[neighbour] == part[:, None]
    own = np.arange(len(part))
    graph = coo_matrix(
        (np.ones(int(inside.sum()), np.int8), (np.repeat(own, 3)[inside.ravel()], neighbour[inside])), (len(part),) * 2
    )
    n, piece = connected_components(graph, directed=False)
    size = np.bincount(piece, minlength=n)
    of_piece = np.zeros(n, np.int64)
    of_piece[piece] = part
    largest = np.zeros(part.max() + 1, np.int64)
    np.maximum.at(largest, of_piece, size)
    small = size < 0.06 * largest[of_piece]
    if small.any():
        inner, outer = np.repeat(own, 3), neighbour.ravel()
        border = small[piece[inner]] & ~small[piece[outer]]
        votes = piece[inner[border]] * (part.max() + 1) + part[outer[border]]
        value, count = np.unique(votes, return_counts=True)
        best = value[np.argsort(count, kind="stable")]  # the last entry written per piece is its most common neighbour
        of_piece[best // (part.max() + 1)] = best % (part.max() + 1)
        part = of_piece[piece]
    return part


def face_neighbours(faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "f 3"]:
    """Face across each edge (the face itself where there is none; one of several on a non-manifold edge)."""
    f = len(faces)
    a, b = faces.ravel().astype(np.int64), faces[:, [1, 2, 0]].ravel().astype(np.int64)
    key = np.minimum(a, b) * (int(faces.max()) + 1) + np.maximum(a, b)
    order = np.argsort(key)
    same = key[order[1:]] == key[order[:-1]]
    out = np.repeat(np.arange(f), 3)
    out[order[:-1][same]] = order[1:][same] // 3
    back = np.flatnonzero(same)
    out[order[back + 1]] = order[back] // 3
    return out.reshape(f, 3)


@dataclass
class Body:
    """A labelled mesh: ``vertices (v,3) float64``, ``faces (f,3) int32``, ``part (f,)`` index into ``paths``."""

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    part: Int[np.ndarray, " f"]
    paths: list[Path]


def vertex_normals(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "v 3"]:
    """Area-weighted unit normals of vertices (zero where a vertex has no face of positive area)."""
    corner = vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    out = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normal[:, i], 3), minlength=len(vertices)) for i in range(3)], 1
    )
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def warp(rng: np.random.Generator, vertices: Float[np.ndarray, "v 3"], strength: float) -> Float[np.ndarray, "v 3"]:
    """Bend, twist, taper, stretch and low-frequency noise, each of random amount up to about ``strength`` (0..1)."""
    low, high = vertices.min(0), vertices.max(0)
    extent = float((high - low).max())
    v = (vertices - (low + high) / 2) / extent  # longest side 1
    frame = turn(rng.normal(size=3), rng.uniform(0, 180)) if rng.random() < 0.5 else np.eye(3)[rng.permutation(3)]
    v = v @ frame.T
    v = v * np.exp(rng.normal(scale=0.12 * strength, size=3))
    v[:, :2] *= 1 + rng.normal(scale=0.25 * strength) * v[:, 2:3]
    angle = rng.normal(scale=0.5 * strength) * v[:, 2]
    c, s = np.cos(angle), np.sin(angle)
    v = np.stack([c * v[:, 0] - s * v[:, 1], s * v[:, 0] + c * v[:, 1], v[:, 2]], 1)
    curve = rng.normal(scale=0.6 * strength)
    if abs(curve) > 1e-3:  # bend z around the x axis, curvature `curve`
        theta, radius = curve * v[:, 2], 1 / curve - v[:, 1]
        v = np.stack([v[:, 0], 1 / curve - radius * np.cos(theta), radius * np.sin(theta)], 1)
    for _ in range(3):
        wave = rng.normal(size=3) * rng.uniform(2, 7)
        v = v + rng.normal(scale=0.012 * strength, size=3) * np.sin(v @ wave + rng.uniform(0, 6.3))[:, None]
    return (v @ frame) * extent + (low + high) / 2


def bumps(
    rng: np.random.Generator,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    amplitude: float,
    frequency: float,
) -> Float[np.ndarray, "v 3"]:
    """Displace along normals by a sum of sine waves: skin detail of about ``amplitude`` times the extent."""
    extent = float(np.ptp(vertices, axis=0).max())
    total = np.zeros(len(vertices))
    for _ in range(4):
        wave = rng.normal(size=3) * frequency / extent
        total += np.sin(vertices @ wave + rng.uniform(0, 6.3))
    return vertices + (amplitude * extent / 2) * total[:, None] * vertex_normals(vertices, faces)
