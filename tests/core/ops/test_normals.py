"""Estimated normals against surfaces whose normals are known."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from partseg.ops.normals import estimate_normals


def ball(n: int) -> np.ndarray:
    direction = np.random.default_rng(0).normal(size=(n, 3))
    return direction / np.linalg.norm(direction, axis=1, keepdims=True)


def test_ball_has_its_own_normals():
    points = ball(2000)
    assert np.einsum("ij,ij->i", estimate_normals(points), points).min() > 0.95


def test_two_balls_point_outward_each():
    points = ball(500)
    both = np.concatenate([points, points + [9, 0, 0]])
    assert np.einsum("ij,ij->i", estimate_normals(both), np.concatenate([points, points])).min() > 0.8


def test_signs_agree_on_a_concave_surface():
    torus = trimesh.creation.torus(1.0, 0.4)
    points, face = trimesh.sample.sample_surface(torus, 4000, seed=0)
    agree = np.einsum("ij,ij->i", estimate_normals(points), torus.face_normals[face])
    assert (agree > 0.9).mean() > 0.98


@pytest.mark.parametrize(
    "points",
    [*(np.zeros((n, 3)) for n in (0, 1, 2, 40)), np.linspace(0, 1, 30)[:, None] * [1, 0, 0]],
    ids=["none", "one", "two", "one place", "line"],
)
def test_degenerate_clouds_get_unit_normals(points):
    normals = estimate_normals(points)
    assert normals.shape == points.shape and normals.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
