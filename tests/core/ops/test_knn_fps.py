from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from partseg.geometry.sampling import farthest_point_sampling
from partseg.ops import fps_torch, knn_torch
from partseg.ops.fps import fps_steps
from partseg.ops.knn import knn


@pytest.fixture(scope="module")
def cloud() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 3)), rng.normal(size=(90, 3))


@pytest.mark.parametrize("k", [1, 7, 400])
def test_neighbours_match_sorted_distances(cloud, k):
    points, queries = cloud
    full = cdist(queries, points)
    order = np.argsort(full, axis=1)[:, :k]
    distance, index = knn(points, queries, k)
    np.testing.assert_array_equal(index, order)
    np.testing.assert_allclose(distance, np.take_along_axis(full, order, 1))
    distance, index = knn_torch(torch.from_numpy(points), torch.from_numpy(queries), k, chunk=1000)
    np.testing.assert_array_equal(index, order)
    np.testing.assert_allclose(distance, np.take_along_axis(full, order, 1))


def test_neighbours_far_from_the_origin_keep_their_order(cloud):
    points = torch.from_numpy(cloud[0]).float() + 1000
    index = knn_torch(points, points, 1)[1]
    assert (index[:, 0] == torch.arange(400)).all()


def test_neighbours_edge_cases(cloud):
    points, queries = cloud
    assert knn(points, queries[:0], 3)[1].shape == (0, 3)
    assert knn_torch(torch.from_numpy(points), torch.zeros(0, 3), 3)[1].shape == (0, 3)
    for k in (0, 401):
        with pytest.raises(ValueError, match="cannot find"):
            knn(points, queries, k)
        with pytest.raises(ValueError, match="cannot find"):
            knn_torch(torch.from_numpy(points), torch.from_numpy(queries), k)
    with pytest.raises(ValueError, match="NaN"):
        knn(points, queries * np.nan, 2)


def test_farthest_points_of_tensors_equal_those_of_arrays(cloud):
    points = cloud[0].astype(np.float32)
    expected = farthest_point_sampling(points, 60, start=5)
    np.testing.assert_array_equal(fps_torch(torch.from_numpy(points), 60, start=5), expected)
    np.testing.assert_array_equal(fps_steps(torch.from_numpy(points), 60, 5), expected)
    assert fps_torch(torch.from_numpy(points), 0).shape == (0,)
    with pytest.raises(ValueError, match="cannot choose"):
        fps_torch(torch.from_numpy(points), 401)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu(cloud):
    points = torch.from_numpy(cloud[0]).float()
    expected = farthest_point_sampling(points.numpy(), 60, start=5)
    np.testing.assert_array_equal(fps_torch(points.cuda(), 60, start=5).cpu(), expected)
    near = knn_torch(points.cuda(), points.cuda(), 4)[1].cpu()
    np.testing.assert_array_equal(near, knn(points.numpy(), points.numpy(), 4)[1])


@pytest.mark.pyg
def test_equal_to_torch_cluster(cloud):
    library = pytest.importorskip("torch_cluster", reason="torch-cluster cannot be imported (extra 'pyg')")
    points, queries = (torch.from_numpy(a).float() for a in cloud)
    np.testing.assert_array_equal(
        fps_torch(points, 40, start=0), library.fps(points, ratio=0.1, random_start=False)[:40]
    )
    row, column = library.knn(points, queries, 5)
    found = knn_torch(points, queries, 5)[1]
    for query in range(len(queries)):
        assert set(column[row == query].tolist()) == set(found[query].tolist())
