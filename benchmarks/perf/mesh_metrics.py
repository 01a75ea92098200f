"""How long the scores of one mesh and of one room take."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from inputs import torus
from table import Row, seconds

from partseg.geometry.shape import Shape
from partseg.metrics.functional.psb import psb_scores
from partseg.metrics.functional.s3dis import s3dis_room

MESH_TARGET = 1.0  # seconds
HUMANS = 11  # as a shape of the benchmark has on average


def psb(faces: int = 30_000, repeats: int = 3) -> list[Row]:
    """Median time of `psb_scores` against `HUMANS` segmentations, from a mesh nothing is known of."""
    vertices, triangles = torus(faces)
    shape = Shape.from_mesh(vertices, triangles)
    centres = shape.face_centroids
    rng = np.random.default_rng(0)
    people = [_nearest(centres, rng.choice(len(centres), rng.integers(2, 20))) for _ in range(HUMANS)]
    took = _median(lambda: psb_scores(people[0], people, shape), repeats)
    name = f"{len(triangles):,} faces, {HUMANS} human segmentations"
    return [
        Row("Princeton benchmark scores", name, seconds(took), "", "", f"< {MESH_TARGET:.0f} s", took < MESH_TARGET)
    ]


def s3dis(points: int = 1_000_000, repeats: int = 3) -> list[Row]:
    """Median time of `s3dis_room` on one room; no target."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 60, points)
    pred = np.where(rng.random(points) < 0.8, true, rng.integers(-1, 80, points))
    took = _median(lambda: s3dis_room(pred, pred % 13 * (pred >= 0), true, true % 13), repeats)
    return [Row("S3DIS scores of a room", f"{points:,} points", seconds(took), "", "", "", True)]


def _nearest(points: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[seeds], axis=2).argmin(1)


def _median(function: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
