from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from partseg.geometry.sampling import farthest_point_sampling, sample_faces, sample_surface


def test_counts_follow_area_and_points_lie_on_their_faces():
    mesh = trimesh.creation.box((1, 2, 5))
    n = 40_000
    points, normals, index = sample_surface(mesh.vertices, mesh.faces, n, seed=3)
    assert (points.dtype, normals.dtype, index.dtype) == (np.float32, np.float32, np.int32)
    expected = mesh.area_faces / mesh.area
    spread = np.sqrt(expected * (1 - expected) / n)
    assert (np.abs(np.bincount(index, minlength=12) / n - expected) < 5 * spread).all()
    np.testing.assert_allclose(normals, mesh.face_normals[index], atol=1e-6)
    height = ((points - mesh.triangles[index, 0]) * mesh.face_normals[index]).sum(1)
    np.testing.assert_allclose(height, 0, atol=1e-5)


def test_points_are_uniform_inside_a_face():
    triangle = np.array([[0.0, 0, 0], [4, 0, 0], [0, 2, 0]])
    points, _, barycentric = sample_faces(triangle, np.array([[0, 1, 2]]), 50_000, np.random.default_rng(0))
    np.testing.assert_allclose(barycentric.sum(1), 1)
    assert barycentric.min() >= 0
    np.testing.assert_allclose(points, barycentric @ triangle, atol=1e-6)
    np.testing.assert_allclose(points.mean(0), triangle.mean(0), atol=0.02)
    # each barycentric coordinate has the density 2 (1 - t): mean 1/3, mean square 1/6
    np.testing.assert_allclose((barycentric**2).mean(0), 1 / 6, atol=0.005)


def test_seed_decides():
    mesh = trimesh.creation.icosphere(subdivisions=1)
    first = sample_surface(mesh.vertices, mesh.faces, 100, seed=1)
    again = sample_surface(mesh.vertices, mesh.faces, 100, seed=1)
    other = sample_surface(mesh.vertices, mesh.faces, 100, seed=2)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != other[0]).any()


def test_faces_without_area():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [3, 3, 3], [5, 3, 3]])
    faces = np.array([[3, 3, 3], [0, 1, 2], [3, 4, 4], [3, 3, 4]])
    assert set(sample_surface(vertices, faces, 500)[2].tolist()) == {1}
    points, normals, index = sample_surface(vertices, faces[[0, 2, 3]], 900)
    assert (np.bincount(index, minlength=3) > 200).all()
    assert (normals == 0).all()
    assert np.isfinite(points).all()
    for scale in (1e-200, 1e30):
        _, normals, index = sample_surface(vertices * scale, faces, 200)
        assert set(index.tolist()) == {1}
        np.testing.assert_allclose(normals, np.tile([0, 0, 1], (200, 1)))


def test_nothing_to_sample():
    empty = np.empty((0, 3), int)
    points, normals, index = sample_surface(np.zeros((3, 3)), empty, 0)
    assert points.shape == normals.shape == (0, 3)
    assert index.shape == (0,)
    assert sample_surface(np.eye(3), np.array([[0, 1, 2]]), 0)[0].shape == (0, 3)
    with pytest.raises(ValueError, match="without faces"):
        sample_surface(np.zeros((3, 3)), empty, 5)
    with pytest.raises(ValueError, match="NaN"):
        sample_surface(np.full((3, 3), np.nan), np.array([[0, 1, 2]]), 5)


def gonzalez(points: np.ndarray, m: int, start: int) -> list[int]:
    chosen = [start]
    for _ in range(m - 1):
        squared = ((points[:, None] - points[chosen][None]) ** 2).sum(-1).min(1)
        chosen.append(int(np.argmax(squared)))
    return chosen


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(-9, 9)] * 3), min_size=1, max_size=40), st.integers(1, 40), st.integers(0, 39))
def test_farthest_points_follow_the_definition(rows, m, start):
    points = np.array(rows, np.float32)
    m, start = min(m, len(points)), start % len(points)
    assert farthest_point_sampling(points, m, start=start).tolist() == gonzalez(points, m, start)


def test_farthest_points_are_spread_and_deterministic():
    points = np.random.default_rng(0).random((3000, 3))
    chosen = farthest_point_sampling(points, 64, seed=5)
    assert chosen.tolist() == farthest_point_sampling(points, 64, seed=5).tolist()
    assert chosen[0] != farthest_point_sampling(points, 64, seed=6)[0]
    assert len(set(chosen.tolist())) == 64
    separation = np.linalg.norm(points[chosen][:, None] - points[chosen][None], axis=-1)[np.triu_indices(64, 1)].min()
    covering = np.linalg.norm(points[:, None] - points[chosen][None], axis=-1).min(1).max()
    assert covering <= separation * (1 + 1e-5)  # what makes the choice a 2-approximation of k-centre


def test_farthest_points_edge_cases():
    assert farthest_point_sampling(np.zeros((5, 3)), 0).shape == (0,)
    assert farthest_point_sampling(np.zeros((5, 3)), 5, start=2).tolist() == [2, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="cannot choose"):
        farthest_point_sampling(np.zeros((5, 3)), 6)
    with pytest.raises(ValueError, match="no index"):
        farthest_point_sampling(np.zeros((5, 3)), 2, start=5)
    with pytest.raises(ValueError, match="NaN"):
        farthest_point_sampling(np.full((5, 3), np.nan), 2)
