from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partseg.ops.pool_faces import lookup_planes, pool_faces


def grid_sample(planes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The field as torch computes it, in double precision."""
    planes, points = torch.from_numpy(planes.astype(float)), torch.from_numpy(np.asarray(points, float))
    total = 0.0
    for plane, axes in enumerate(([0, 1], [1, 2], [0, 2])):
        sampled = torch.nn.functional.grid_sample(
            planes[plane : plane + 1], points[:, axes][None, None], align_corners=True, padding_mode="border"
        )
        total = total + sampled[0, :, 0].T
    return total.numpy()


def dense_mean(planes: np.ndarray, triangle: np.ndarray, n: int = 300) -> np.ndarray:
    """Mean over the n^2 equal triangles of a regular subdivision, one centroid each."""
    i, j = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    up, down = i + j < n, i + j < n - 1
    corner = np.concatenate([np.stack([i[up], j[up]], 1) + 1 / 3, np.stack([i[down], j[down]], 1) + 2 / 3]) / n
    barycentric = np.column_stack([1 - corner.sum(1), corner])
    return grid_sample(planes, barycentric @ triangle).mean(axis=0)


@pytest.fixture(scope="module")
def planes() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 5, 12, 9)).astype(np.float32)


def test_lookup_is_torch_grid_sample(planes):
    points = np.random.default_rng(1).uniform(-1.4, 1.4, (2000, 3))
    points[:27] = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 3)
    found = lookup_planes(planes, points)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, grid_sample(planes, points), atol=2e-6)


def test_lookup_convention_first_axis_along_columns():
    planes = np.zeros((3, 1, 5, 5), np.float32)
    planes[0, 0, 4, 0] = 1  # plane xy: row 4 is y = 1, column 0 is x = -1
    assert lookup_planes(planes, np.array([[-1, 1, 0.3], [1, -1, 0.3]])).ravel().tolist() == [1, 0]
    planes = np.zeros((3, 1, 5, 5), np.float32)
    planes[2, 0, 4, 0] = 1  # plane xz: z = 1, x = -1
    assert lookup_planes(planes, np.array([[-1, 0.2, 1], [1, 0.2, -1]])).ravel().tolist() == [1, 0]


@pytest.mark.parametrize(
    ("kind", "scale"),
    [("anywhere", 1.0), ("reaching outside", 1.7), ("small", 0.05), ("edge-on", 1.0), ("segment", 1.0), ("point", 1.0)],
)
def test_mean_over_each_face_against_dense_subdivision(planes, kind, scale):
    rng = np.random.default_rng(2)
    vertices = rng.uniform(-scale, scale, (8 * 3, 3))
    if kind == "edge-on":
        vertices[:12, 2] = 0.31
        vertices[12:, 1] = -0.2 * vertices[12:, 0]
    if kind == "segment":
        vertices[:, 1:] = [0.123, -0.7]
    if kind == "point":
        vertices = vertices[::3].repeat(3, axis=0)
    faces = np.arange(24).reshape(8, 3)
    expected = np.stack([dense_mean(planes, vertices[f]) for f in faces])
    np.testing.assert_allclose(pool_faces(planes, vertices, faces), expected, atol=4e-4)


def test_field_linear_in_space_gives_the_value_at_the_centroid():
    axis = np.linspace(-1, 1, 7, dtype=np.float32)
    columns, rows = np.meshgrid(axis, axis)
    planes = np.stack([np.stack([columns, rows])] * 3)
    rng = np.random.default_rng(3)
    vertices = rng.uniform(-1, 1, (300, 3))
    faces = rng.integers(0, 300, (500, 3))
    x, y, z = vertices[faces].mean(axis=1).T
    np.testing.assert_allclose(pool_faces(planes, vertices, faces), np.stack([x + y + x, y + z + z], 1), atol=2e-6)


def test_one_cell_has_the_closed_form_of_the_product():
    """On a 2 x 2 plane the field is u v; its mean over a triangle is (9 mean(u) mean(v) + sum(u v)) / 12."""
    planes = np.zeros((3, 1, 2, 2), np.float32)
    planes[0, 0, 1, 1] = 1
    vertices = np.random.default_rng(4).uniform(-1, 1, (30, 3))
    faces = np.arange(30).reshape(10, 3)
    u, v = (vertices[faces][..., 0] + 1) / 2, (vertices[faces][..., 1] + 1) / 2
    expected = (9 * u.mean(1) * v.mean(1) + (u * v).sum(1)) / 12
    np.testing.assert_allclose(pool_faces(planes, vertices, faces)[:, 0], expected, atol=1e-6)


# Multiples of 1/16 fall on texel borders of the 9 and 17 wide planes often.
coordinate = st.one_of(st.integers(-20, 20).map(lambda i: i / 16), st.floats(-1.25, 1.25))
triangle_strategy = st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=3, max_size=3)


@settings(max_examples=150, deadline=None)
@given(triangle_strategy)
def test_a_face_is_the_mean_of_its_four_quarters(corners):
    planes = np.random.default_rng(5).normal(size=(3, 3, 17, 9)).astype(np.float32)
    a, b, c = np.array(corners, float)
    vertices = np.array([a, b, c, (a + b) / 2, (b + c) / 2, (c + a) / 2])
    faces = np.array([[0, 1, 2], [0, 3, 5], [3, 1, 4], [5, 4, 2], [3, 4, 5], [2, 0, 1], [1, 0, 2]])
    pooled = pool_faces(planes, vertices, faces)
    np.testing.assert_allclose(pooled[0], pooled[1:5].mean(axis=0), atol=5e-6)
    np.testing.assert_allclose(pooled[0], pooled[5], atol=5e-6)
    np.testing.assert_allclose(pooled[0], pooled[6], atol=5e-6)
    assert (np.abs(pooled) <= 3 * np.abs(planes).max() + 1e-5).all()


def test_constant_planes_come_back(planes):
    vertices = np.random.default_rng(6).uniform(-2, 2, (60, 3))
    vertices[:10] *= 1e6
    ones = np.ones_like(planes)
    np.testing.assert_allclose(pool_faces(ones, vertices, np.arange(60).reshape(20, 3)), 3.0, rtol=1e-5)


def test_closer_to_the_limit_than_sampling(planes):
    """Against 100k samples of a face, the exact mean beats the mean of 1000."""
    rng = np.random.default_rng(7)
    vertices = rng.uniform(-1, 1, (3, 3))

    def sampled(n: int) -> np.ndarray:
        root, r = np.sqrt(rng.random(n)), rng.random(n)
        return grid_sample(planes, np.stack([1 - root, root * (1 - r), root * r], 1) @ vertices).mean(axis=0)

    reference = sampled(100_000)
    exact = pool_faces(planes, vertices, np.array([[0, 1, 2]]))[0]
    assert np.abs(exact - reference).max() < np.abs(sampled(1000) - reference).max()


def test_little_memory_changes_nothing(planes):
    rng = np.random.default_rng(8)
    vertices, faces = rng.uniform(-1, 1, (5000, 3)), rng.integers(0, 5000, (5000, 3))
    full = pool_faces(planes, vertices, faces)
    np.testing.assert_array_equal(pool_faces(planes, vertices, faces, memory=1), full)
    np.testing.assert_array_equal(
        pool_faces(planes.transpose(0, 1, 3, 2).copy().transpose(0, 1, 3, 2), vertices, faces), full
    )
    np.testing.assert_array_equal(lookup_planes(planes, vertices, memory=1), lookup_planes(planes, vertices))


def test_working_memory_stays_within_the_argument():
    import tracemalloc

    planes = np.zeros((3, 64, 64, 64), np.float32)
    vertices = np.random.default_rng(0).uniform(-1, 1, (300, 3))
    faces = np.arange(300).reshape(100, 3)
    pool_faces(planes, vertices, faces)
    peaks = []
    for memory in (2**30, 400_000):
        tracemalloc.start()
        pool_faces(planes, vertices, faces, memory=memory)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 600_000 < planes.nbytes < peaks[0]


def test_single_texel_and_no_faces():
    planes = np.array([1, 2, 4], np.float32).reshape(3, 1, 1, 1)
    triangle = np.random.default_rng(0).uniform(-1, 1, (3, 3))
    assert pool_faces(planes, triangle, np.array([[0, 1, 2]])).tolist() == [[7.0]]
    assert pool_faces(planes, triangle, np.empty((0, 3), int)).shape == (0, 1)
    assert lookup_planes(planes, np.empty((0, 3))).shape == (0, 1)


def test_bad_input_is_named(planes):
    triangle = np.zeros((3, 3))
    with pytest.raises(ValueError, match="faces name"):
        pool_faces(planes, triangle, np.array([[0, 1, 3]]))
    with pytest.raises(ValueError, match="NaN"):
        pool_faces(planes, triangle * np.nan, np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match="NaN"):
        lookup_planes(planes, np.full((1, 3), np.inf))
    with pytest.raises(ValueError, match="shape"):
        pool_faces(planes[:2], triangle, np.array([[0, 1, 2]]))
    unused = np.concatenate([triangle, [[np.nan] * 3]])
    assert np.isfinite(pool_faces(planes, unused, np.array([[0, 1, 2]]))).all()
