"""`reshuffle`: one training shape as points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from partseg.data.reshuffle.placement import Placement, assemble
from partseg.data.reshuffle.repository import Repository


class ReshuffleSample(NamedTuple):
    """One shape, n points in random order.

    Attributes:
        points: (n, 3) float32; the box is centred at the origin, its longest side `Placement.extent`.
        normals: (n, 3) float32, unit.
        labels: (n,) int64, the primitive of each point, 0..k-1 in the order of assembly; each has points.
        semantics: (n,) int64, its type, an index into `KINDS`.
    """

    points: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    labels: Int[np.ndarray, "n"]
    semantics: Int[np.ndarray, "n"]


def reshuffle(
    seed: int, index: int, placement: Placement, repository: Repository, n_points: int = 4096
) -> ReshuffleSample:
    """Shape number `index` of the endless sequence `seed`; the same arguments always give the same shape.

    Points are spread by area, but every primitive gets `Placement.min_points` (or its share, when there are fewer
    points than that).

    Args:
        seed, index: from 0.
        placement: the rules of assembly.
        repository: the patches.
        n_points: 4096 in the paper, which uses 6 numbers a point: positions and normals.

    Raises:
        ValueError: fewer points than primitives may be asked for.
    """
    if n_points < placement.primitives[1]:
        raise ValueError(f"{placement.primitives[1]} primitives need as many points, got {n_points}")
    rng = np.random.default_rng([seed, index])
    patch, size, turn, move = assemble(rng, placement, repository)
    share = _shares(repository.area[patch] * size**2, n_points, placement)
    labels = rng.permutation(np.repeat(np.arange(len(patch)), share))
    of = patch[labels]
    first, last = repository.first[of], repository.first[of + 1]
    u, v, w = rng.random((3, n_points))
    begin, end = repository.bounds[of], repository.bounds[of + 1]
    face = np.searchsorted(repository.cumulative, begin + u * (end - begin), side="right")
    face = np.clip(face, first, last - 1)  # a draw next to an end may round across it
    v = np.sqrt(v)
    weight = np.stack([1 - v, v * (1 - w), v * w], 1).astype(np.float32)[:, None]
    points = (weight @ repository.corners[face])[:, 0]
    normals = (weight @ repository.normals[face])[:, 0]
    turned, scaled = turn[labels].astype(np.float32), (size[:, None, None] * turn)[labels].astype(np.float32)
    points = (scaled @ points[..., None])[..., 0] + move[labels]
    normals = (turned @ normals[..., None])[..., 0]
    low, high = points.min(0), points.max(0)
    points = (points - (low + high) / 2) * (placement.extent / max(float((high - low).max()), 1e-12))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return ReshuffleSample(
        points.astype(np.float32), normals.astype(np.float32), labels.astype(np.int64), repository.kind[of]
    )


def _shares(area: Float[np.ndarray, "k"], n: int, placement: Placement) -> Int[np.ndarray, "k"]:
    """Points of each primitive: the least number each, the rest by area, by largest remainder."""
    least = min(placement.min_points, n // len(area))
    exact = area / area.sum() * (n - least * len(area))
    share = np.floor(exact).astype(np.int64)
    share[np.argsort(share - exact, kind="stable")[: n - least * len(area) - share.sum()]] += 1
    return share + least
