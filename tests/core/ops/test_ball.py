"""Ball query, three nearest, interpolation and batched farthest points against formulations point by point."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from partseg.ops import ball_query, farthest_points, gather_rows, interpolate_rows, inverse_distance_weights
from partseg.ops import three_nearest as nearest
from partseg.ops.ball import ball_query_torch
from partseg.ops.fps import batched_fps_steps, fps_torch
from partseg.ops.interpolate import three_nearest_torch


def cloud(seed: int, b: int, n: int, grid: bool = False) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 4, (b, n, 3)) / 4 if grid else rng.normal(size=(b, n, 3))
    return torch.from_numpy(points.astype(np.float32))


def literal_ball(points: np.ndarray, centre: np.ndarray, radius: float, k: int, closed: bool) -> list[int]:
    """What the paper's kernel does, point by point."""
    found, squares = [], []
    for i, point in enumerate(points):
        x, y, z = centre - point
        square = x * x + y * y + z * z
        squares.append(square)
        limit = np.float32(radius) * np.float32(radius)
        if square < limit or (closed and square == limit):
            found.append(i)
    found = (found or [int(np.argmin(squares))])[:k]
    return found + [found[0]] * (k - len(found))


@given(
    st.integers(0, 99), st.integers(1, 2), st.integers(1, 30), st.integers(0, 6), st.integers(1, 40),
    st.sampled_from([0.25, 0.5, 1.0]), st.booleans(), st.booleans(),
)  # fmt: skip
def test_ball_query_equals_the_literal_one(seed, b, n, m, k, radius, closed, grid):
    """On grids many points lie at exactly the radius."""
    points, centres = cloud(seed, b, n, grid), cloud(seed + 1, b, m, grid)
    index = ball_query(points, centres, radius, k, closed=closed)
    assert index.shape == (b, m, k) and index.dtype == torch.int64
    torch.testing.assert_close(ball_query_torch(points, centres, radius, k, closed=closed, chunk=50), index)
    expected = [[literal_ball(points[i].numpy(), c, radius, k, closed) for c in centres[i].numpy()] for i in range(b)]
    assert index.tolist() == expected


def test_closed_and_open_balls_differ_at_the_radius_alone():
    points = torch.tensor([[[0.0, 0, 0], [0.5, 0, 0], [0.25, 0, 0]]])
    assert ball_query(points, points[:, :1], 0.5, 3).tolist() == [[[0, 2, 0]]]
    assert ball_query(points, points[:, :1], 0.5, 3, closed=True).tolist() == [[[0, 1, 2]]]


def test_the_first_in_the_order_of_the_cloud_not_the_nearest():
    points = torch.tensor([[[0.4, 0, 0], [0.3, 0, 0], [0.0, 0, 0]]])
    assert ball_query(points, points[:, 2:], 0.5, 2).tolist() == [[[0, 1]]]


def test_ball_query_refuses_what_has_no_answer():
    points = cloud(0, 1, 4)
    for bad in ({"radius": 0.0, "k": 1}, {"radius": 1.0, "k": 0}, {"radius": float("nan"), "k": 1}):
        with pytest.raises(ValueError, match="cannot find"):
            ball_query(points, points, **bad)
    with pytest.raises(ValueError, match="cannot find"):
        ball_query(points[:, :0], points, 1.0, 1)
    with pytest.raises(ValueError, match="no points"):
        nearest(points[:, :0], points)


@given(st.integers(0, 99), st.integers(1, 2), st.integers(1, 20), st.integers(1, 9), st.booleans())
def test_three_nearest_equal_sorted_distances(seed, b, n, m, grid):
    points, queries = cloud(seed, b, n, grid), cloud(seed + 1, b, m, grid)
    squared, index = nearest(points, queries)
    difference = queries.numpy()[:, :, None] - points.numpy()[:, None]
    x, y, z = np.moveaxis(difference, 3, 0)
    full = x * x + y * y + z * z
    order = np.argsort(full, axis=2, kind="stable")[:, :, :3]
    np.testing.assert_array_equal(index, order)
    np.testing.assert_array_equal(squared, np.take_along_axis(full, order, 2))
    torch.testing.assert_close(three_nearest_torch(points, queries, chunk=13)[0], squared)


@pytest.mark.parametrize("added", [False, True])
def test_interpolation_equals_the_formula(added):
    points, queries = cloud(0, 2, 12), cloud(1, 2, 7)
    queries[0, 0] = points[0, 3]  # a query on a point takes its features
    features = torch.randn(2, 12, 5, generator=torch.Generator().manual_seed(0))
    squared, index = nearest(points, queries)
    got = interpolate_rows(features, index, inverse_distance_weights(squared, 1e-8, added=added))
    for i in range(2):
        for j in range(7):
            near = squared[i, j].double() + 1e-8 if added else squared[i, j].double().clamp(min=1e-8)
            weight = (1 / near) / (1 / near).sum()
            expected = sum(w * features[i, p].double() for w, p in zip(weight, index[i, j], strict=True))
            torch.testing.assert_close(got[i, j].double(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got[0, 0], features[0, 3], rtol=1e-4, atol=1e-4)


def test_gradients_of_grouping_and_interpolation():
    values = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    index = torch.randint(6, (2, 4, 5))
    assert torch.autograd.gradcheck(lambda v: gather_rows(v, index), values)
    weight = torch.rand(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v, w: interpolate_rows(v, index[..., :3], w), (values, weight))


def test_rows_are_gathered_from_their_own_sample():
    values = torch.arange(12.0).view(2, 3, 2)
    index = torch.tensor([[[0, 2]], [[1, 1]]])
    assert gather_rows(values, index).tolist() == [[[[0, 1], [4, 5]]], [[[8, 9], [8, 9]]]]
    assert gather_rows(values, index[:, 0]).shape == (2, 2, 2)


def test_farthest_points_of_a_batch_equal_those_of_each_cloud():
    points = cloud(3, 3, 50)
    expected = torch.stack([fps_torch(one, 20, start=4) for one in points])
    assert farthest_points(points, 20, start=4).equal(expected)
    assert batched_fps_steps(points, 20, 4).equal(expected)
    assert farthest_points(points, 0).shape == (3, 0)
    with pytest.raises(ValueError, match="cannot choose"):
        farthest_points(points, 51)


@pytest.mark.gpu
def test_a_gpu_gives_the_same():
    points, centres = cloud(5, 2, 3000).cuda(), cloud(6, 2, 200).cuda()
    for closed in (False, True):
        found = ball_query(points, centres, 0.4, 32, closed=closed).cpu()
        expected = ball_query(points.cpu(), centres.cpu(), 0.4, 32, closed=closed)
        assert (found != expected).float().mean() < 1e-4  # a GPU may fuse a multiplication with an addition
    torch.testing.assert_close(nearest(points, centres)[0].cpu(), nearest(points.cpu(), centres.cpu())[0])
    assert (farthest_points(points, 100).cpu() == farthest_points(points.cpu(), 100)).float().mean() > 0.99
