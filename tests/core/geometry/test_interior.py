"""Interior points lie inside, belong to their nearest sample, and reach the middle."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from partseg.geometry.interior import inner_radius, interior_points


def winding_number(mesh: trimesh.Trimesh, at: np.ndarray) -> np.ndarray:
    """Solid angle of the surface seen from each point over 4π: 1 inside, 0 outside (Van Oosterom, Strackee 1983)."""
    out = []
    for block in np.array_split(at.astype(float), max(1, len(at) * len(mesh.faces) // 200_000)):
        a, b, c = (mesh.vertices[mesh.faces[:, k]][None] - block[:, None] for k in range(3))
        la, lb, lc = (np.linalg.norm(x, axis=2) for x in (a, b, c))
        volume = (a * np.cross(b, c)).sum(2)
        rest = la * lb * lc + (a * b).sum(2) * lc + (b * c).sum(2) * la + (c * a).sum(2) * lb
        out.append(2 * np.arctan2(volume, rest).sum(1) / (4 * np.pi))
    return np.concatenate(out)


SOLIDS = {
    "ball": trimesh.creation.icosphere(3),
    "box": trimesh.creation.box((1, 2, 3)),
    "plate thinner than the spacing": trimesh.creation.box((2, 2, 0.01)),
    "rod thinner than the spacing": trimesh.creation.cylinder(0.01, 2, sections=12),
    "ring": trimesh.creation.torus(1, 0.15),
    "hollow": trimesh.creation.annulus(0.8, 1.0, 1.0),
}


def sampled(mesh: trimesh.Trimesh, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    points, face = trimesh.sample.sample_surface(mesh, n, seed=seed)
    return np.asarray(points, np.float32), np.asarray(mesh.face_normals[face], np.float32)


@pytest.mark.parametrize("name", SOLIDS)
def test_points_lie_inside(name):
    mesh = SOLIDS[name]
    points, normals = sampled(mesh, 4000)
    inside, row = interior_points(points, normals, 1000, np.random.default_rng(1))
    assert inside.dtype == np.float32 and inside.shape == (1000, 3) and len(np.unique(row)) == 1000
    # float32 points of the surface itself may be a rounding outside it
    deep = np.linalg.norm(inside - points[row], axis=1) > 1e-5
    assert deep.mean() > 0.98 and (winding_number(mesh, inside[deep]) > 0.5).all()


@pytest.mark.parametrize("name", SOLIDS)
def test_each_belongs_to_its_nearest_sample(name):
    points, normals = sampled(SOLIDS[name], 4000)
    inside, row = interior_points(points, normals, 1000, np.random.default_rng(2))
    nearest, _ = cKDTree(points).query(inside)
    own = np.linalg.norm(inside - points[row], axis=1)
    np.testing.assert_allclose(nearest, own, atol=1e-4)


def test_radius_is_that_of_the_medial_ball():
    normals = np.random.default_rng(0).normal(size=(4000, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    np.testing.assert_allclose(inner_radius(normals * 3, normals, np.arange(300)), 3.0, rtol=1e-6)  # a round ball
    points, normals = sampled(SOLIDS["plate thinner than the spacing"], 4000)
    flat = np.flatnonzero(np.abs(normals[:, 2]) > 0.5)[:300]
    np.testing.assert_allclose(np.median(inner_radius(points, normals, flat)), 0.005, rtol=1e-3)


def test_tangent_balls_hold_no_other_sample():
    points, normals = sampled(SOLIDS["ring"], 3000)
    rows = np.arange(400)
    radius = inner_radius(points, normals, rows)
    centre = points[rows] - normals[rows] * radius[:, None]
    nearest, _ = cKDTree(points).query(centre)
    assert (nearest >= radius - 1e-4).mean() > 0.99


def test_few_points_and_many():
    points, normals = sampled(SOLIDS["box"], 5)
    inside, row = interior_points(points, normals, 40, np.random.default_rng(0))
    assert inside.shape == (40, 3) and np.isfinite(inside).all() and set(row.tolist()) == set(range(5))
    alone, _ = interior_points(points[:1], normals[:1], 3, np.random.default_rng(0))
    np.testing.assert_array_equal(alone, np.repeat(points[:1], 3, axis=0))
    same, _ = interior_points(np.zeros((30, 3)), np.tile([0.0, 0, 1], (30, 1)), 10, np.random.default_rng(0))
    np.testing.assert_array_equal(same, 0)
