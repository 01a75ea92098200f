from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from partseg.ops.click_balls import square_distances
from partseg.ops.mask_cleaning import MaskCleaner, nearest_others


@pytest.mark.parametrize("k", [1, 5, 199, 500])
def test_nearest_others_match_sorted_distances(k):
    points = np.random.default_rng(0).normal(size=(200, 3))
    apart = cdist(points, points)
    np.fill_diagonal(apart, np.inf)
    np.testing.assert_array_equal(nearest_others(points, k), np.argsort(apart, axis=1)[:, : min(k, 199)])


def test_points_in_one_place_are_neighbours_of_one_another_only():
    points = np.repeat(np.random.default_rng(0).normal(size=(5, 3)), 40, axis=0)
    near = nearest_others(points, 6)
    own = np.arange(200)[:, None]
    assert (near != own).all() and (near // 40 == own // 40).all()
    assert all(len(set(row)) == 6 for row in near.tolist())


def test_no_others():
    assert nearest_others(np.zeros((1, 3)), 4).shape == (1, 0)
    assert nearest_others(np.zeros((0, 3)), 4).shape == (0, 0)
    cleaner = MaskCleaner(np.zeros((1, 3)))
    assert cleaner.clean(np.array([True]), np.array([0])).tolist() == [True]
    assert cleaner.clean(np.array([False]), np.array([0])).tolist() == [False]


def test_paths_run_along_links_in_either_direction():
    """On a line the last point's nearest is the one before, whose own nearest is further on."""
    line = np.array([0.0, 1, 1.9, 2.7, 3.4, 4.0, 4.5])[:, None] * [1.0, 0, 0]
    cleaner = MaskCleaner(line, links=1, passes=0)
    mask = np.array([1, 1, 1, 0, 1, 1, 1], bool)
    assert np.flatnonzero(cleaner.connected(mask, np.array([2]))).tolist() == [0, 1, 2]
    assert np.flatnonzero(cleaner.connected(mask, np.array([0]))).tolist() == [0, 1, 2]
    assert np.flatnonzero(cleaner.connected(mask, np.array([6, 3]))).tolist() == [4, 5, 6]
    assert not cleaner.connected(mask, np.array([3])).any()
    assert mask.sum() == 6  # left alone


@pytest.mark.parametrize(
    ("surround", "share", "need"), [(32, 0.7, 23), (10, 0.7, 8), (30, 0.7, 22), (3, 0.0, 1), (2, 0.99, 2)]
)
def test_more_than_the_share_is_needed(surround, share, need):
    """7 of 10 is no more than 0.7."""
    points = np.random.default_rng(0).normal(size=(60, 3))
    cleaner = MaskCleaner(points, surround=surround, share=share, passes=1)
    near = nearest_others(points, surround)[0]
    for selected in (need - 1, need):
        mask = np.zeros(60, bool)
        mask[near[:selected]] = True
        assert cleaner.filled(mask)[0] == (selected == need)


def test_passes_look_at_the_mask_before_them():
    """A selection grows along a row by as much in each pass as whole neighbourhoods allow."""
    row = (np.arange(40) + 0.01 * np.arange(40) ** 2)[:, None] * [1.0, 0, 0]
    near = nearest_others(row, 4)
    expected = np.arange(40) < 12
    sizes = []
    for passes in range(1, 6):
        filled = MaskCleaner(row, surround=4, share=0.4, passes=passes).filled(np.arange(40) < 12)
        expected = expected | (expected[near].mean(1) > 0.4)
        np.testing.assert_array_equal(filled, expected)
        sizes.append(filled.sum())
    assert np.diff([12, *sizes]).tolist() == [1] * 5


def test_bad_parameters():
    points = np.zeros((4, 3))
    for change in ({"links": -1}, {"surround": 0}, {"share": 1.0}, {"passes": -1}):
        with pytest.raises(ValueError, match="expected links"):
            MaskCleaner(points, **change)
    with pytest.raises(ValueError):
        MaskCleaner(points * np.nan)


@pytest.mark.parametrize("d", [1, 7, 64, 129])
def test_square_distances(d):
    z = np.random.default_rng(d).normal(size=(50, d)).astype(np.float32)
    z[30] = z[4]
    found = square_distances(z, 4)
    np.testing.assert_allclose(found, cdist(z[4:5].astype(float), z.astype(float))[0] ** 2, rtol=1e-5)
    assert found[4] == found[30] == 0
    assert square_distances(z, 9)[4] == square_distances(z, 9)[30] == found[9]
