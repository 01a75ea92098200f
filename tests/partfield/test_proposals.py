"""Proposals and negatives: always where they belong, and distributed as said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from partseg_partfield.proposals import draw_near, sample_proposals


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3), st.integers(1, 40), st.integers(1, 6))
def test_every_triplet_is_one(seed, b, levels, m, parts):
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, parts, (b, levels, m), generator=g)
    proposals = sample_proposals(labels, masks=7, pairs=5, pool=11, generator=g)
    usable = any(
        (row == part).sum() >= 2 and ((row >= 0) & (row != part)).any()
        for shape in labels
        for row in shape
        for part in range(parts)
    )
    assert len(proposals) == (7 if usable else 0)
    for k in range(len(proposals)):
        shape, level, part = (int(x[k]) for x in (proposals.shape, proposals.level, proposals.part))
        row = labels[shape, level]
        for name in ("anchor", "positive", "pool"):
            flat = getattr(proposals, name)[k]
            assert (flat // m == shape).all(), name
        assert (row[proposals.anchor[k] % m] == part).all()
        assert (row[proposals.positive[k] % m] == part).all()
        assert (proposals.anchor[k] != proposals.positive[k]).all()
        outside = row[proposals.pool[k] % m]
        assert (outside != part).all()
        assert (outside >= 0).all()


def test_proposals_are_distinct_while_there_are_enough():
    labels = torch.arange(20).repeat_interleave(3).reshape(1, 1, 60)
    proposals = sample_proposals(labels, masks=20, pairs=2, pool=4)
    assert sorted(proposals.part.tolist()) == list(range(20))


def test_draws_are_uniform():
    labels = torch.tensor([[[0] * 10 + [1] * 20 + [2] * 10 + [-1] * 8]])
    labels = labels[..., torch.randperm(48)]
    proposals = sample_proposals(labels, masks=600, pairs=64, pool=200, generator=torch.Generator().manual_seed(3))
    for part in range(3):
        mine = proposals.part == part
        assert 150 < mine.sum() < 250
        inside = (labels[0, 0] == part).numpy()
        outside = ((labels[0, 0] != part) & (labels[0, 0] >= 0)).numpy()
        for flat, where in ((proposals.anchor, inside), (proposals.positive, inside), (proposals.pool, outside)):
            count = np.bincount(flat[mine].reshape(-1).numpy(), minlength=48)
            assert (count[~where] == 0).all()
            expected = count.sum() / where.sum()
            assert np.abs(count[where] - expected).max() < 6 * np.sqrt(expected)


def test_positive_pairs_cover_every_pair_alike():
    labels = torch.tensor([[[0] * 4 + [1]]])
    proposals = sample_proposals(labels, masks=100, pairs=120, pool=1)
    table = np.zeros((4, 4))
    np.add.at(table, (proposals.anchor.numpy().ravel(), proposals.positive.numpy().ravel()), 1)
    assert (np.diag(table) == 0).all()
    off = table[~np.eye(4, dtype=bool)]
    assert np.abs(off - 1000).max() < 200


def test_size_power_prefers_large_parts():
    labels = torch.tensor([[[0] * 90 + [1] * 10]])
    share = [
        (sample_proposals(labels, masks=4000, pairs=1, pool=1, size_power=power).part == 0).float().mean()
        for power in (0.0, 1.0)
    ]
    assert share[0] == pytest.approx(0.5, abs=0.05)
    assert share[1] == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(
    "labels", [torch.full((2, 2, 9), -1), torch.zeros(2, 2, 9).long(), torch.arange(9)[None, None]]
)
def test_nothing_to_contrast(labels):
    proposals = sample_proposals(labels, masks=4, pairs=3, pool=5)
    assert len(proposals) == 0
    assert proposals.anchor.shape == (0, 3)
    assert proposals.pool.shape == (0, 5)


def test_same_seed_same_triplets():
    labels = torch.randint(0, 5, (2, 2, 50))
    a, b = (sample_proposals(labels, 6, 4, 8, generator=torch.Generator().manual_seed(9)) for _ in range(2))
    assert torch.equal(a.anchor, b.anchor)
    assert torch.equal(a.pool, b.pool)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_near_ones_are_drawn_in_proportion(power):
    distance = torch.tensor([0.1, 0.2, 0.4, 0.8, 1.6])
    index = draw_near(distance.expand(1, 1, -1), 200_000, power, torch.Generator().manual_seed(0))
    got = np.bincount(index.reshape(-1).numpy(), minlength=5) / 200_000
    want = (distance.numpy() + 0.01 * distance.mean().item()) ** -power
    np.testing.assert_allclose(got, want / want.sum(), atol=0.01)
    assert power == 0 or (np.diff(got) < 0).all()


def test_near_draws_bear_coincident_points():
    index = draw_near(torch.zeros(2, 3, 4), 50, 2.0)
    assert index.shape == (2, 3, 50)
    assert set(index.unique().tolist()) == {0, 1, 2, 3}
    assert draw_near(torch.zeros(0, 3, 4), 50, 2.0).shape == (0, 3, 50)
