"""Repositories of patches, ready to be put together: sizes, symmetries, and the anchors where patches can meet."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from partseg.data.formats.abc import TYPES, AbcReader
from partseg.data.formats.base import PartItem
from partseg.data.reshuffle.patches import KINDS, WEIGHTS, Patch, draw_patch
from partseg.errors import InputError, ShapeWarning
from partseg.geometry.sampling import farthest_point_sampling

RIM, FACE, EDGE, SIDE, SURFACE = range(5)
"""Kinds of anchors: the middle of an opening; the middle of a flat patch; an edge, outward and sideways; a point."""

_PROBES = 32
_EDGES, _POINTS = 10, 10
_KIND_OF_TYPE = {"Plane": "plane", "Cylinder": "cylinder", "Cone": "cone", "Sphere": "sphere", "Torus": "torus"}


@dataclass(frozen=True, eq=False)
class Repository:
    """p patches of t triangles with a anchors, packed end to end; each patch about its centroid, within radius 1.

    Attributes:
        corners: (t, 3, 3) float32 corners of the triangles.
        normals: (t, 3, 3) float32 unit normals at them.
        cumulative: (t,) float64 area of all triangles up to and with each.
        first: (p+1,) int64, where each patch's triangles begin.
        kind: (p,) int64 index into `KINDS`.
        axis: (p, 3) float64 unit vector, the patch's own upright.
        fold: (p,) int64, the most turns of a full circle about the axis that map the patch onto itself: 1, 2, 3 or 4.
        probes: (p, 32, 3) float64 points spread over the patch.
        anchor_first: (p+1,) int64, where each patch's anchors begin.
        anchor_kind: (a,) int64, RIM … SURFACE.
        anchor_frame: (a, 3, 3) float64; rows: where it is, the unit direction away from the patch, a unit vector
            across (along the edge of an edge).
        anchor_radius: (a,) float64 radius of the opening; 0 where there is none.
    """

    corners: Float[np.ndarray, "t 3 3"]
    normals: Float[np.ndarray, "t 3 3"]
    cumulative: Float[np.ndarray, "t"]
    first: Int[np.ndarray, "p1"]
    kind: Int[np.ndarray, "p"]
    axis: Float[np.ndarray, "p 3"]
    fold: Int[np.ndarray, "p"]
    probes: Float[np.ndarray, "p k 3"]
    anchor_first: Int[np.ndarray, "p1"]
    anchor_kind: Int[np.ndarray, "a"]
    anchor_frame: Float[np.ndarray, "a 3 3"]
    anchor_radius: Float[np.ndarray, "a"]

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def area(self) -> Float[np.ndarray, "p"]:
        """Area of each patch."""
        return np.diff(self.bounds)

    @cached_property
    def bounds(self) -> Float[np.ndarray, "p1"]:
        """Where each patch begins in `cumulative`, and the end of the last."""
        return np.r_[0.0, self.cumulative][self.first]

    @classmethod
    def build(cls, patches: list[Patch], seed: int = 0) -> Repository:
        """Pack patches; those without area are left out.

        Raises:
            ValueError: no patch is left.
        """
        rng = np.random.default_rng(seed)
        packed = [one for one in (_pack(patch, rng) for patch in patches) if one is not None]
        if not packed:
            raise ValueError("a repository needs at least one patch with area")
        count = lambda sizes: np.r_[0, np.cumsum(sizes)].astype(np.int64)  # noqa: E731
        return cls(
            corners=np.concatenate([x.corners for x in packed]).astype(np.float32),
            normals=np.concatenate([x.normals for x in packed]).astype(np.float32),
            cumulative=np.cumsum(np.concatenate([x.areas for x in packed])),
            first=count([len(x.corners) for x in packed]),
            kind=np.array([x.kind for x in packed], np.int64),
            axis=np.stack([x.axis for x in packed]),
            fold=np.array([x.fold for x in packed], np.int64),
            probes=np.stack([x.probes for x in packed]),
            anchor_first=count([len(x.kinds) for x in packed]),
            anchor_kind=np.concatenate([x.kinds for x in packed]),
            anchor_frame=np.concatenate([x.frames for x in packed]),
            anchor_radius=np.concatenate([x.radii for x in packed]),
        )


def procedural_repository(patches: int = 512, seed: int = 0) -> Repository:
    """Patches of all `KINDS` with drawn proportions; the same arguments give the same repository.

    Args:
        patches: how many; kinds occur as `WEIGHTS` says.
        seed: of the draws.
    """
    rng = np.random.default_rng([seed, 0])
    kinds = rng.choice(len(KINDS), max(patches, 1), p=np.array(WEIGHTS) / sum(WEIGHTS))
    return Repository.build([draw_patch(int(kind), rng) for kind in kinds], seed)


def abc_repository(
    root: str | Path, models: int = 200, patches: int = 2000, smallest: float = 0.01, seed: int = 0
) -> Repository:
    """Patches cut out of models of ABC, each surface of a feature file one.

    Surfaces of revolution, extrusions, splines and others are "freeform". A model that cannot be read is left out with
    a ShapeWarning.

    Args:
        root: see `AbcReader`.
        models: how many models to cut up, drawn from all.
        patches: how many patches to keep at most, drawn from all that were cut.
        smallest: patches with a smaller share of their model's area are left out.
        seed: of the draws.

    Raises:
        InputError: the root is no such dataset, or not one patch can be cut out of the models drawn.
    """
    reader = AbcReader(root)
    items = reader.index()
    rng = np.random.default_rng([seed, 1])
    cut: list[Patch] = []
    for i in rng.permutation(len(items))[:models].tolist():
        try:
            cut += _cut(reader, items[i], smallest)
        except InputError as error:
            warnings.warn(f"{error}: left out", ShapeWarning, stacklevel=2)
    if not cut:
        raise InputError(root, f"no patch can be cut out of {min(models, len(items))} models")
    chosen = np.sort(rng.permutation(len(cut))[:patches])
    return Repository.build([cut[i] for i in chosen.tolist()], seed)


def _cut(reader: AbcReader, item: PartItem, smallest: float) -> list[Patch]:
    sample = reader.load(item)
    shape, label, kind = sample.shape, sample.labels["primitives"], sample.semantics["primitives"]
    normals = np.repeat(shape.face_normals[:, None], 3, axis=1)
    if shape.appearance is not None and shape.appearance.corner_normals is not None:
        given = shape.appearance.corner_normals.astype(np.float64)
        length = np.linalg.norm(given, axis=2, keepdims=True)
        normals = np.where(length > 0.5, given / np.where(length > 0, length, 1), normals)
    share = np.bincount(np.maximum(label, 0), np.where(label >= 0, shape.face_areas, 0)) / shape.face_areas.sum()
    found = []
    for i in np.flatnonzero(share >= smallest).tolist():
        faces = np.flatnonzero(label == i)
        used, inside = np.unique(shape.faces[faces], return_inverse=True)
        name = _KIND_OF_TYPE.get(TYPES[int(kind[faces[0]])], "freeform")
        found.append(
            Patch(KINDS.index(name), shape.vertices[used], inside.reshape(-1, 3).astype(np.int64), normals[faces])
        )
    return found


class _Packed(NamedTuple):
    corners: np.ndarray
    normals: np.ndarray
    areas: np.ndarray
    kind: int
    axis: np.ndarray
    fold: int
    probes: np.ndarray
    kinds: np.ndarray
    frames: np.ndarray
    radii: np.ndarray


def _pack(patch: Patch, rng: np.random.Generator) -> _Packed | None:
    corners = patch.vertices[patch.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(cross, axis=1) / 2
    extent = np.ptp(patch.vertices, axis=0).max(initial=0)
    keep = areas > 1e-9 * extent**2
    if not keep.any() or not np.isfinite(areas).all():
        return None
    corners, normals, areas = corners[keep], patch.normals[keep], areas[keep]
    centre = np.average(corners.mean(1), axis=0, weights=areas)
    size = np.linalg.norm(corners - centre, axis=2).max()
    corners, areas = (corners - centre) / size, areas / size**2
    points, point_normals = _draw(corners, normals, areas, 256, rng)
    mean = np.average(normals.mean(1), axis=0, weights=areas)
    flat = np.linalg.norm(mean) > 0.9
    kinds, frames, radii, axis = _boundary(corners, normals, mean, flat, rng)
    if axis is None:
        axis = _unit(mean) if np.linalg.norm(mean) > 0.3 else _shortest(points)
    sides = (1, -1) if flat else (1,)
    for i in rng.permutation(len(points))[:_POINTS].tolist():
        for side in sides:
            kinds.append(SURFACE)
            radii.append(0.0)
            frames.append(_frame(points[i], side * _unit(point_normals[i]), axis))
    return _Packed(
        corners, normals, areas, patch.kind, axis, _fold(points, corners, areas, normals, axis, rng),
        points[farthest_point_sampling(points, _PROBES, start=0)], np.array(kinds, np.int64), np.stack(frames),
        np.array(radii),
    )  # fmt: skip


def _boundary(
    corners: np.ndarray, normals: np.ndarray, mean: np.ndarray, flat: bool, rng: np.random.Generator
) -> tuple[list[int], list[np.ndarray], list[float], np.ndarray | None]:
    """Anchors on the patch's boundary: kinds, frames, radii; and the axis, where an opening gives one."""
    kinds: list[int] = []
    frames: list[np.ndarray] = []
    radii: list[float] = []
    axis = None
    cell = np.rint(corners.reshape(-1, 3) * 1e5).astype(np.int64) + (1 << 20)  # joins seams
    _, vertex = np.unique(cell @ np.array([1 << 42, 1 << 21, 1]), return_inverse=True)
    faces = vertex.reshape(-1, 3)
    ends = np.stack([faces, np.roll(faces, -1, 1)], -1).reshape(-1, 2)
    n = int(faces.max()) + 1
    _, index, count = np.unique(np.sort(ends, 1) @ np.array([n, 1]), return_index=True, return_counts=True)
    border = index[count == 1]
    if len(border) == 0:
        return kinds, frames, radii, None
    face, side = border // 3, border % 3
    a, b = corners[face, side], corners[face, (side + 1) % 3]
    middle, along = (a + b) / 2, _unit(b - a)
    normal = _unit(normals[face, side] + normals[face, (side + 1) % 3])
    out = np.cross(along, normal)
    out = _unit(out * np.where(np.einsum("ij,ij->i", out, middle - corners[face].mean(1)) < 0, -1, 1)[:, None])
    joined = coo_array((np.ones(len(border)), ends[border].T), (n, n))
    _, part = connected_components(joined, directed=False)
    loop = np.unique(part[ends[border, 0]], return_inverse=True)[1]
    length = np.linalg.norm(b - a, axis=1)
    for i in range(int(loop.max()) + 1):
        here = loop == i
        centre = np.average(middle[here], axis=0, weights=length[here])
        radius = float(np.average(np.linalg.norm(middle[here] - centre, axis=1), weights=length[here]))
        away = np.linalg.norm(centre)
        if flat and radius > 0.15:
            for turn in (1, -1):
                kinds.append(FACE)
                radii.append(radius)
                frames.append(_frame(centre, turn * _unit(mean), along[here][0]))
        elif away > 0.1 * radius and radius > 0.05 and _round(middle[here] - centre, radius):
            # an opening looks along the normal of its plane, away from the patch
            plane = np.linalg.svd(middle[here] - centre, full_matrices=False)[2][-1]
            plane = plane * (1 if plane @ out[here].mean(0) >= 0 else -1)
            kinds.append(RIM)
            radii.append(radius)
            frames.append(_frame(centre, plane, _unit(middle[here][0] - centre)))
            axis = plane if axis is None else axis
    for i in rng.choice(len(border), _EDGES, p=length / length.sum()).tolist():
        for what, direction in ((EDGE, out[i]), (SIDE, normal[i]), (SIDE, -normal[i])):
            kinds.append(what)
            radii.append(0.0)
            frames.append(_frame(middle[i], direction, along[i]))
    return kinds, frames, radii, axis


def _round(arm: np.ndarray, radius: float) -> bool:
    """Whether a loop is a circle, give or take a fifth."""
    return bool(np.abs(np.linalg.norm(arm, axis=1) - radius).max() < 0.2 * radius)


def _fold(
    points: np.ndarray, corners: np.ndarray, areas: np.ndarray, normals: np.ndarray, axis: np.ndarray,
    rng: np.random.Generator,
) -> int:  # fmt: skip
    """The largest of 4, 3, 2 turns that map the patch onto itself, else 1; measured on points of it."""
    dense, _ = _draw(corners, normals, areas, 2048, rng)
    tree = cKDTree(dense)
    x, y = _across(axis)
    frame = np.stack([x, y, axis])
    for fold in (4, 3, 2):
        c, s = np.cos(2 * np.pi / fold), np.sin(2 * np.pi / fold)
        turned = points @ frame.T @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ frame
        if tree.query(turned)[0].max() < 0.1:
            return fold
    return 1


def _draw(
    corners: np.ndarray, normals: np.ndarray, areas: np.ndarray, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    face = rng.choice(len(areas), n, p=areas / areas.sum())
    u, v = np.sqrt(rng.random(n)), rng.random(n)
    weight = np.stack([1 - u, u * (1 - v), u * v], 1)
    return np.einsum("nk,nkd->nd", weight, corners[face]), np.einsum("nk,nkd->nd", weight, normals[face])


def _frame(point: np.ndarray, direction: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Rows: point, direction, and what of `near` is across the direction (any vector across where nothing is)."""
    across = near - (near @ direction) * direction
    across = _unit(across) if np.linalg.norm(across) > 1e-3 else _across(direction)[0]
    return np.stack([point, direction, across])


def _across(direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first = _unit(np.cross(direction, np.eye(3)[np.argmin(np.abs(direction))]))
    return first, np.cross(direction, first)


def _shortest(points: np.ndarray) -> np.ndarray:
    return np.linalg.svd(points - points.mean(0), full_matrices=False)[2][-1]


def _unit(x: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.where(length > 1e-12, x / np.where(length > 0, length, 1), np.array([0.0, 0, 1]))
