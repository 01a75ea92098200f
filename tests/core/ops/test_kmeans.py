from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from partseg.ops.kmeans import kmeans


def inertia(features: np.ndarray, labels: np.ndarray, centres: np.ndarray) -> float:
    return float(((features - centres[labels]) ** 2).sum())


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 8, 3000)
    return rng.normal(size=(8, 20))[truth] * 4 + rng.normal(size=(3000, 20)) + 100, truth


def test_finds_clear_clusters(blobs):
    features, truth = blobs
    labels, centres = kmeans(features, 8, seed=1)
    assert labels.dtype == np.int64
    assert centres.shape == (8, 20)
    assert adjusted_rand_score(labels, truth) > 0.999
    expected = np.stack([features[labels == i].mean(0) for i in range(8)])
    np.testing.assert_allclose(centres, expected, atol=1e-3)


@pytest.mark.parametrize("k", [2, 10, 25])
def test_inertia_is_as_good_as_sklearn(k):
    features = np.random.default_rng(1).random((2000, 5))
    ours = [inertia(features, *kmeans(features, k, seed=s)) for s in range(8)]
    theirs = [KMeans(k, n_init=1, random_state=s).fit(features).inertia_ for s in range(8)]
    assert np.median(ours) <= np.median(theirs) * 1.02


def test_same_start_reaches_the_same_place_as_sklearn():
    features = np.random.default_rng(2).normal(size=(1500, 6))
    start = features[:7]
    labels, centres = kmeans(features, 7, init=start, tolerance=0)
    peer = KMeans(7, init=start, n_init=1, tol=0, max_iter=300).fit(features)
    assert adjusted_rand_score(labels, peer.labels_) > 0.99
    np.testing.assert_allclose(inertia(features, labels, centres), peer.inertia_, rtol=1e-4)


def test_every_element_belongs_to_its_nearest_centre(blobs):
    features, _ = blobs
    labels, centres = kmeans(features, 30, tolerance=0)
    distance = ((features[:, None] - centres[None]) ** 2).sum(-1)
    chosen = distance[np.arange(len(features)), labels]
    assert (chosen <= distance.min(1) * (1 + 1e-4) + 1e-3).all()


def test_seed_decides(blobs):
    features, _ = blobs
    np.testing.assert_array_equal(kmeans(features, 12, 3)[0], kmeans(features, 12, 3)[0])
    assert (kmeans(features, 12, 3)[1] != kmeans(features, 12, 4)[1]).any()


def test_empty_clusters_are_refilled():
    features = np.concatenate([np.zeros((50, 2)), np.ones((50, 2)), [[9.0, 9.0]]])
    start = np.array([[0.0, 0], [1, 1], [500, 500], [600, 600]])
    labels, _ = kmeans(features, 4, init=start)
    assert len(np.unique(labels)) == 3  # three different rows; the outlier gets a cluster of its own
    assert (labels == labels[100]).sum() == 1


def test_edge_cases():
    one = np.random.default_rng(0).normal(size=(40, 3))
    labels, centres = kmeans(one, 1)
    assert labels.max() == 0
    np.testing.assert_allclose(centres[0], one.mean(0), atol=1e-6)
    assert sorted(kmeans(one, 40)[0].tolist()) == list(range(40))
    labels, centres = kmeans(np.ones((6, 2)), 3)
    assert np.isfinite(centres).all()
    for k in (0, 41):
        with pytest.raises(ValueError, match="cannot make"):
            kmeans(one, k)
    with pytest.raises(ValueError, match="NaN"):
        kmeans(one * np.nan, 2)
    with pytest.raises(ValueError, match="starting centres"):
        kmeans(one, 2, init=one[:3])
