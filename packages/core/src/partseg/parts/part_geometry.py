"""What congruence and contact of parts are judged by: moments of their surfaces, points on them, their boxes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from partseg.errors import PartsegError
from partseg.geometry.shape import Shape, triangle_normals

POINTS = 512  # on each part's surface
PROBES = 64  # of them, taken to other parts
CONTACT = 0.01  # of the shape's longest side

# Integrates cubics over a triangle exactly (Strang and Fix 1973).
_QUADRATURE = np.array([[1 / 3, 1 / 3, 1 / 3], [0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]])
_WEIGHTS = np.array([-27, 25, 25, 25]) / 48


@dataclass(frozen=True, eq=False)
class PartGeometry:
    """k parts; lengths in the shape's units, float64.

    Attributes:
        exact: moments are integrals over triangles; else means over the points of a cloud.
        mass: (k,) area, or number of points.
        centroid: (k, 3).
        second: (k, 3, 3) covariance.
        third: (k, 3, 3, 3) third central moments.
        low, high: (k, 3) corners of the axis-aligned boxes.
        points: k arrays of points on the parts, at most `POINTS` each.
        spacing: (k,) typical distance from a spot on the part to the nearest of its points.
    """

    exact: bool
    mass: Float[np.ndarray, "k"]
    centroid: Float[np.ndarray, "k 3"]
    second: Float[np.ndarray, "k 3 3"]
    third: Float[np.ndarray, "k 3 3 3"]
    low: Float[np.ndarray, "k 3"]
    high: Float[np.ndarray, "k 3"]
    points: tuple[Float[np.ndarray, "_ 3"], ...]
    spacing: Float[np.ndarray, "k"]

    @classmethod
    def of(cls, shape: Shape, labels: Int[np.ndarray, "n"]) -> PartGeometry:
        """Parts 0…k-1 of a shape; elements with -1 belong to none.

        Points on a mesh are spread by area along its triangles, in the same way at every call.

        Raises:
            PartsegError: labels that do not fit the shape, no part, or a part without elements.
        """
        labels = np.asarray(labels)
        if labels.shape != (shape.n_elements,):
            raise PartsegError(f"{shape.n_elements} elements, but labels {labels.shape}")
        k = int(labels.max(initial=-1)) + 1
        count = np.bincount(labels[labels >= 0], minlength=k)
        if k == 0 or (count == 0).any():
            missing = f"part {count.argmin()} of {k} has none" if k else "there are none"
            raise PartsegError(f"expected parts 0…k-1, each with elements; {missing}")
        chosen = np.flatnonzero(labels >= 0)
        order = chosen[np.argsort(labels[chosen], kind="stable")]
        label, start = labels[order], np.r_[0, np.cumsum(count)]
        if not shape.is_mesh:
            xyz = shape.points[order].astype(np.float64)
            points = tuple(_thinned(xyz[a:b]) for a, b in pairwise(start.tolist()))
            return cls._make(False, label, xyz, np.ones(len(xyz)), k, xyz[:, None], start, points, None)
        corners = shape.vertices[shape.faces[order]]
        flat = np.arange(3 * len(order)).reshape(-1, 3)
        area = triangle_normals(corners.reshape(-1, 3), flat)[1]
        whole = np.bincount(label, area, minlength=k)
        area = np.where(whole[label] > 0, area, 1e-12)  # parts of degenerate triangles: every one counts alike
        xyz = np.einsum("qc,fcx->fqx", _QUADRATURE, corners).reshape(-1, 3)
        points = tuple(_spread(corners[a:b], area[a:b]) for a, b in pairwise(start.tolist()))
        spacing = 0.5 * np.sqrt(np.maximum(whole, 0) / POINTS)
        weight = (area[:, None] * _WEIGHTS).reshape(-1)
        return cls._make(True, np.repeat(label, 4), xyz, weight, k, corners, start, points, spacing)

    @classmethod
    def _make(
        cls,
        exact: bool,
        label: Int[np.ndarray, "m"],
        xyz: Float[np.ndarray, "m 3"],
        weight: Float[np.ndarray, "m"],
        k: int,
        corners: Float[np.ndarray, "e c 3"],
        start: Int[np.ndarray, "k1"],
        points: tuple[Float[np.ndarray, "_ 3"], ...],
        spacing: Float[np.ndarray, "k"] | None,
    ) -> PartGeometry:
        mean = lambda x: np.bincount(label, weight * x, minlength=k) / mass  # noqa: E731
        mass = np.bincount(label, weight, minlength=k)
        centroid = np.stack([mean(xyz[:, a]) for a in range(3)], axis=1)
        x = xyz - centroid[label]
        second, third = np.empty((k, 3, 3)), np.empty((k, 3, 3, 3))
        for a in range(3):
            for b in range(a, 3):
                product = x[:, a] * x[:, b]
                second[:, a, b] = second[:, b, a] = mean(product)
                for c in range(b, 3):
                    value = mean(product * x[:, c])
                    for p, q, r in ((a, b, c), (a, c, b), (b, a, c), (b, c, a), (c, a, b), (c, b, a)):
                        third[:, p, q, r] = value
        low = np.minimum.reduceat(corners.min(1), start[:-1], axis=0)
        high = np.maximum.reduceat(corners.max(1), start[:-1], axis=0)
        if spacing is None:
            spacing = np.array([_gap(p) for p in points])
        return cls(exact, mass, centroid, second, third, low, high, points, spacing)

    def __len__(self) -> int:
        return len(self.mass)

    @cached_property
    def size(self) -> Float[np.ndarray, "k"]:
        """Root mean square distance from the centroid."""
        return np.sqrt(np.maximum(np.trace(self.second, axis1=1, axis2=2), 1e-24))

    @cached_property
    def trees(self) -> tuple[cKDTree, ...]:
        return tuple(cKDTree(points) for points in self.points)

    @cached_property
    def probes(self) -> tuple[Float[np.ndarray, "_ 3"], ...]:
        """A few points of each part, evenly out of all."""
        return tuple(p[np.linspace(0, len(p) - 1, min(PROBES, len(p))).astype(int)] for p in self.points)

    @property
    def extent(self) -> float:
        """Longest side of the box around all parts."""
        return float((self.high.max(0) - self.low.min(0)).max())

    @cached_property
    def gap(self) -> Float[np.ndarray, "k k"]:
        """Distance between the boxes of two parts, 0 where they overlap."""
        apart = np.maximum(self.low[:, None] - self.high[None], self.low[None] - self.high[:, None])
        return np.linalg.norm(np.maximum(apart, 0), axis=2)

    @cached_property
    def touching(self) -> Bool[np.ndarray, "k k"]:
        """Parts whose points come closer than 1 % of the shape's longest side and the spacing of the points."""
        out = np.eye(len(self), dtype=bool)
        near = CONTACT * self.extent
        for i, j in zip(*np.nonzero(np.triu(self.gap <= near, 1)), strict=True):
            i, j = (i, j) if self.mass[i] <= self.mass[j] else (j, i)
            reach = near + self.spacing[i] + self.spacing[j]
            points = self.points[i]
            inside = ((points >= self.low[j] - reach) & (points <= self.high[j] + reach)).all(1)
            if inside.any():
                found = self.trees[j].query(points[inside], distance_upper_bound=reach)[0]
                out[i, j] = out[j, i] = bool(np.isfinite(found).any())
        return out


def _spread(corners: Float[np.ndarray, "f 3 3"], area: Float[np.ndarray, "f"]) -> Float[np.ndarray, "p 3"]:
    """`POINTS` points by area: one in each of so many equal steps along the triangles, at spread spots of them."""
    total = np.cumsum(area)
    step = np.arange(POINTS) + 0.5
    face = np.minimum(np.searchsorted(total, step * (total[-1] / POINTS)), len(area) - 1)
    u, v = np.sqrt((step * 0.7548776662466927) % 1.0)[:, None], ((step * 0.5698402909980532) % 1.0)[:, None]
    a, b, c = (corners[face, i] for i in range(3))
    return (1 - u) * a + u * (1 - v) * b + u * v * c


def _thinned(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "p 3"]:
    if len(points) <= POINTS:
        return points
    return points[np.linspace(0, len(points) - 1, POINTS).astype(int)]


def _gap(points: Float[np.ndarray, "n 3"]) -> float:
    """Mean distance to the nearest other point, 0 for fewer than two."""
    return float(cKDTree(points).query(points, 2)[0][:, 1].mean()) if len(points) > 1 else 0.0
