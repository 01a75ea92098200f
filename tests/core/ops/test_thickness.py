"""The shape diameter function against solids of known thickness."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from partseg.ops.thickness import bilateral, fill_unknown, log_normalized, shape_diameter, thickness


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


def test_values_of_chosen_faces_are_those_of_all() -> None:
    ball = trimesh.creation.icosphere(3)
    chosen = np.array([5, 100, 3, 1279])
    all_faces = shape_diameter(ball.vertices, ball.faces, rays=40)
    np.testing.assert_array_equal(shape_diameter(ball.vertices, ball.faces, rays=40, chosen=chosen), all_faces[chosen])


def test_robust_mean_is_that_of_the_definition() -> None:
    # a box seen from one face centre: distances by hand, then median, deviation, weights 1 / angle
    box = trimesh.creation.box((1, 2, 3))
    found = shape_diameter(box.vertices, box.faces, rays=24)
    for face in (0, 5, 11):
        axis, start = -box.face_normals[face], box.triangles_center[face]
        sign = 1.0 if axis[2] >= 0 else -1.0
        a = -1 / (sign + axis[2])
        x, y, _ = axis
        frame = np.array([[1 + sign * x * x * a, sign * x * y * a, -sign * x], [x * y * a, sign + y * y * a, -y], axis])
        i = np.arange(24)
        cosine = 1 - (i + 0.5) / 24 * 0.5
        turn = i * np.pi * (3 - np.sqrt(5))
        sine = np.sqrt(1 - cosine**2)
        directions = np.stack([sine * np.cos(turn), sine * np.sin(turn), cosine], axis=1) @ frame
        half = np.array([0.5, 1, 1.5])
        with np.errstate(divide="ignore"):
            steps = (np.sign(directions) * half - start) / directions
        steps[np.abs(directions) < 1e-9] = np.inf
        distance = steps.min(1)
        keep = np.abs(distance - np.median(distance)) <= distance.std()
        assert found[face] == pytest.approx(np.average(distance[keep], weights=1 / np.arccos(cosine)[keep]), rel=1e-4)


def rod_on_ball() -> tuple[trimesh.Trimesh, int]:
    ball = trimesh.creation.icosphere(3)
    rod = trimesh.creation.cylinder(0.1, 4, sections=24).subdivide().subdivide()
    rod.apply_translation([5, 0, 0])
    return trimesh.util.concatenate([ball, rod]), len(ball.faces)


def test_thickness_is_low_on_a_rod_and_high_on_a_ball() -> None:
    both, n = rod_on_ball()
    found = thickness(both.vertices, both.faces)
    assert found.dtype == np.float32
    assert (found.min(), found.max()) == (0, 1)
    assert np.median(found[:n]) > 0.9
    assert np.median(found[n:]) < 0.2


def test_thickness_of_a_mesh_turned_inside_out_is_the_same() -> None:
    both, _ = rod_on_ball()
    expected, turned = thickness(both.vertices, both.faces), thickness(both.vertices, both.faces[:, ::-1])
    # the turned face has other first corners, so its centroid rounds otherwise
    assert np.median(np.abs(turned - expected)) < 1e-4


def test_thickness_of_some_faces_carries_to_all() -> None:
    both, _ = rod_on_ball()
    expected, found = (thickness(both.vertices, both.faces, most=most) for most in (10**6, 800))
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 0.05


def test_thickness_says_nothing_of_sheets_and_mixed_winding() -> None:
    grid = np.stack(np.meshgrid(np.arange(9.0), np.arange(9.0)), -1).reshape(-1, 2)
    sheet = np.concatenate([grid, 0.1 * np.sin(grid[:, :1])], axis=1)
    a = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    faces = np.concatenate([np.stack([a, a + 1, a + 10], 1), np.stack([a, a + 10, a + 9], 1)])
    assert thickness(sheet, faces) is None
    ball = trimesh.creation.icosphere(3)
    mixed = ball.faces.copy()
    flip = np.random.default_rng(0).random(len(mixed)) < 0.5
    mixed[flip] = mixed[flip][:, ::-1]
    assert thickness(ball.vertices, mixed) is None
    assert thickness(np.zeros((3, 3)), np.zeros((0, 3), int)) is None
    assert thickness(np.zeros((3, 3)), np.array([[0, 1, 2]])) is None


def test_thickness_fills_gaps() -> None:
    ball = trimesh.creation.icosphere(3)
    faces = np.concatenate([ball.faces, [[0, 0, 1]]])  # no area, so no rays
    found = thickness(ball.vertices, faces)
    assert np.isfinite(found).all()


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


def test_coincident_triangles_are_bounded_work():
    # 40,000 copies of one tetrahedron's faces: every box holds every ray
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    faces = np.tile([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], (10_000, 1))
    values = thickness(corners, faces, most=200)
    assert values is None or (values.shape == (40_000,) and np.isfinite(values).all())
