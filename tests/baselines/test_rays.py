"""Ray casting and the shape diameter function against brute force and solids of known thickness."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from partseg_baselines.bvh import LEAF, build_bvh, first_hits
from partseg_baselines.thickness import bilateral, fill_unknown, log_normalized, shape_diameter


def brute_hits(triangles: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Distance of the nearest hit, by solving three equations for every pair of ray and triangle."""
    out = np.full(len(origins), np.inf)
    for i, (o, d) in enumerate(zip(origins, directions, strict=True)):
        for a, b, c in triangles:
            system = np.stack([b - a, c - a, -d], axis=1)
            if abs(np.linalg.det(system)) < 1e-12:
                continue
            u, v, t = np.linalg.solve(system, o - a)
            if u >= 0 and v >= 0 and u + v <= 1 and t > 0:
                out[i] = min(out[i], t)
    return out


@pytest.mark.parametrize("f", [1, LEAF, LEAF + 1, 40])
def test_first_hits_equal_brute_force(f: int) -> None:
    rng = np.random.default_rng(f)
    triangles = rng.normal(size=(f, 3, 3))
    origins, directions = rng.normal(size=(60, 3)), rng.normal(size=(60, 3))
    directions[:6] = np.concatenate([np.eye(3), -np.eye(3)])  # along the axes: divisions by zero
    distance, hit = first_hits(build_bvh(triangles), origins, directions, np.full(60, -1))
    np.testing.assert_allclose(distance, brute_hits(triangles, origins, directions), rtol=1e-9)
    assert ((hit >= 0) == np.isfinite(distance)).all()
    assert ((hit >= -1) & (hit < f)).all()


def test_a_ray_does_not_hit_the_face_it_skips() -> None:
    triangles = np.array([[[0, 0, z], [1, 0, z], [0, 1, z]] for z in (0.0, 1.0)])
    ray = np.array([[0.2, 0.2, -1.0]]), np.array([[0.0, 0.0, 1.0]])
    for skip, expected in ((-1, (1.0, 0)), (0, (2.0, 1))):
        distance, hit = first_hits(build_bvh(triangles), *ray, np.array([skip]))
        assert (distance[0], hit[0]) == expected


def test_many_triangles_at_one_place_make_no_deep_tree() -> None:
    triangles = np.repeat(np.random.default_rng(0).normal(size=(1, 3, 3)), 5000, axis=0)
    assert len(build_bvh(triangles).start) < 5000


def test_a_ball_is_as_thick_as_the_cone_of_chords_says() -> None:
    ball = trimesh.creation.icosphere(4, radius=2.0)
    found = shape_diameter(ball.vertices, ball.faces)
    # chords of a unit ball at angle t to the inner normal: 2 cos t; between those at 60° (1) and on the axis (2)
    assert 2 * 2 * np.cos(np.pi / 3) < found.min() <= found.max() < 2 * 2
    assert found.std() < 0.01 * found.mean()


def test_a_thin_rod_on_a_ball_is_thin() -> None:
    ball = trimesh.creation.icosphere(3)
    rod = trimesh.creation.cylinder(0.1, 4, sections=24).subdivide().subdivide()
    rod.apply_translation([5, 0, 0])
    both = trimesh.util.concatenate([ball, rod])
    found = shape_diameter(both.vertices, both.faces)
    assert np.median(found[len(ball.faces) :]) == pytest.approx(0.2, rel=0.35)
    assert np.median(found[: len(ball.faces)]) > 5 * np.median(found[len(ball.faces) :])


def test_scale_and_rotation_change_nothing_but_the_unit() -> None:
    box = trimesh.creation.box((1, 2, 3)).subdivide().subdivide()
    turn = trimesh.transformations.random_rotation_matrix(np.array([0.1, 0.5, 0.9]))[:3, :3]
    first = shape_diameter(box.vertices, box.faces, rays=200)
    second = shape_diameter(7 * box.vertices @ turn.T, box.faces, rays=200)
    # the spiral of rays turns about the normal, so single rays differ
    assert np.median(np.abs(second / 7 / first - 1)) < 0.05


def test_sheets_and_degenerate_faces_have_no_thickness() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [2, 0, 0.0]])
    found = shape_diameter(vertices, np.array([[0, 1, 2], [0, 1, 3]]))
    assert np.isnan(found).all()
    assert fill_unknown(found, np.array([[0, 1]])).tolist() == [0, 0]


def test_unknown_values_come_from_neighbours_ring_by_ring() -> None:
    chain = np.array([[0, 1], [1, 2], [2, 3]])
    values = np.array([4.0, np.nan, np.nan, 8.0, np.nan])  # the last has no neighbour: median of 4 and 8
    assert fill_unknown(values, chain).tolist() == [4, 4, 8, 8, 6]


def test_log_scale_keeps_order_and_range() -> None:
    values = np.random.default_rng(0).random(100) * 7
    mapped = log_normalized(values)
    assert (np.argsort(mapped) == np.argsort(values)).all()
    assert (mapped.min(), mapped.max()) == (0, 1)
    assert log_normalized(np.full(3, 5.0)).tolist() == [0, 0, 0]


def test_bilateral_smooths_noise_but_keeps_a_step() -> None:
    n = 200
    indptr = np.r_[0, np.cumsum([1, *[2] * (n - 2), 1])]
    indices = np.concatenate([[1], *[[i - 1, i + 1] for i in range(1, n - 1)], [n - 2]])
    step = (np.arange(n) >= n // 2).astype(float)
    noisy = step + np.random.default_rng(0).normal(0, 0.03, n)
    smooth = bilateral(noisy, np.ones(n), indptr, indices, sigma=0.1, rounds=20)
    assert np.abs(smooth - step).mean() < 0.5 * np.abs(noisy - step).mean()
    assert smooth[n // 2] - smooth[n // 2 - 1] > 0.8
