"""Crease-aware smoothing against a dense formulation, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest

from partseg.geometry.adjacency import face_adjacency
from partseg.geometry.shape import Shape
from partseg.ops.smooth import smooth_over_faces


def bent_strip(angle: float, n: int = 8) -> Shape:
    """Two flat strips of triangles that meet at x = 0; the second is turned up by `angle` about y."""
    x = np.linspace(-1, 1, 2 * n + 1)
    place = np.where(x <= 0, x, x * np.cos(angle)), np.where(x <= 0, 0.0, x * np.sin(angle))
    vertices = np.concatenate([np.stack([place[0], np.full_like(x, y), place[1]], 1) for y in (0.0, 0.2)])
    m = 2 * n + 1
    i = np.arange(2 * n)
    faces = np.concatenate([np.stack([i, i + 1, m + i], 1), np.stack([i + 1, m + i + 1, m + i], 1)])
    return Shape.from_mesh(vertices, faces)


def smooth(shape: Shape, x: np.ndarray, **options: float) -> np.ndarray:
    edges = face_adjacency(shape.faces)
    return smooth_over_faces(
        x.astype(np.float32), edges, shape.face_centroids, shape.face_normals, shape.face_areas, **options
    )


def test_equals_a_dense_average() -> None:
    shape = bent_strip(0.7)
    rng = np.random.default_rng(0)
    x, n = rng.normal(size=(shape.n_elements, 40)), shape.n_elements
    matrix = np.diag(shape.face_areas)
    for a, b in face_adjacency(shape.faces):
        na, nb = shape.face_normals[a], shape.face_normals[b]
        angle = np.arccos(np.clip(na @ nb, -1, 1))
        concave = (nb - na) @ (shape.face_centroids[b] - shape.face_centroids[a]) < 0
        w = np.exp(-5 * angle * (1 if concave else 0.15))
        matrix[a, b], matrix[b, a] = w * shape.face_areas[b], w * shape.face_areas[a]
    matrix /= matrix.sum(1, keepdims=True)
    want = np.linalg.matrix_power(matrix, 3) @ x
    assert np.allclose(smooth(shape, x, rounds=3), want, atol=1e-5)
    assert matrix.shape == (n, n)


def test_a_concave_seam_holds_what_a_convex_one_lets_through() -> None:
    def leak(angle: float) -> float:
        shape = bent_strip(angle)
        side = (shape.face_centroids[:, 0] > 1e-9) * 1.0
        out = smooth(shape, side[:, None], rounds=10)[:, 0]
        return float(np.abs(out - side).mean())

    up, down = leak(1.2), leak(-1.2)
    concave, convex = min(up, down), max(up, down)
    assert concave < 0.3 * convex < 0.3 * leak(0.0)


@pytest.mark.parametrize("rounds", [0, 1, 7])
def test_constants_stay(rounds: int) -> None:
    shape = bent_strip(0.4)
    x = np.tile([1.0, -3.0, 0.5], (shape.n_elements, 1))
    assert np.allclose(smooth(shape, x, rounds=rounds), x, atol=1e-6)


def test_lonely_and_degenerate_faces() -> None:
    shape = Shape.from_mesh(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), [[0, 1, 2], [0, 0, 1], [2, 2, 2]])
    x = np.array([[1.0], [2.0], [4.0]])
    out = smooth(shape, x, rounds=5)
    assert np.isfinite(out).all() and out[2] == 4.0
