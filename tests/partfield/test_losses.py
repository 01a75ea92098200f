"""Losses against loops that follow the equations letter by letter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from partseg_partfield.config import LossConfig, NegativeConfig
from partseg_partfield.losses import contrastive_loss, inverse_temperature, sdf_loss, triplet_loss
from partseg_partfield.proposals import sample_proposals

OFF = NegativeConfig(enabled=False)


def equation_2(f_a, f_b, f_c, tau):
    """Supplement, eq. (2), for one triplet (numpy, float64)."""

    def sim(u, v):
        return math.exp(u @ v / np.linalg.norm(u) / np.linalg.norm(v) / tau)

    def half(x, y):
        return math.log(sim(x, y) / (sim(x, y) + sum(sim(x, c) for c in f_c)))

    return -0.5 * (half(f_a, f_b) + half(f_b, f_a))


def test_contrastive_loss_equals_the_equation():
    g = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (2, 2, 30), generator=g)
    features, points = torch.randn(2, 30, 8, generator=g), torch.randn(2, 30, 3, generator=g)
    config = LossConfig(masks=3, pairs=5, pool=16, uniform=NegativeConfig(count=16, power=0), near=OFF, feature=OFF)
    proposals = sample_proposals(labels, 3, 5, 16, generator=g)
    tau = 0.3
    loss, log = contrastive_loss(features, points, proposals, torch.tensor([-math.log(tau)]), config)
    flat = features.reshape(-1, 8).double().numpy()
    want, better = [], []
    for k in range(3):
        for a, b in zip(proposals.anchor[k], proposals.positive[k], strict=True):
            negatives = [flat[c] for c in proposals.pool[k]]
            want.append(equation_2(flat[a], flat[b], negatives, tau))
            cos = [flat[a] @ c / np.linalg.norm(flat[a]) / np.linalg.norm(c) for c in [flat[b], *negatives]]
            better.append(cos[0] > max(cos[1:]))
    assert loss.item() == pytest.approx(np.mean(want), rel=1e-4)
    assert log["accuracy"].item() == pytest.approx(np.mean(better))


def test_one_negative_is_equation_1():
    a, b, c = np.random.default_rng(0).normal(size=(3, 5))
    unit = [torch.from_numpy(x / np.linalg.norm(x)) for x in (a, b, c)]
    scale = 1 / 0.2
    got = triplet_loss(scale * unit[0] @ unit[1], scale * (unit[0] @ unit[2])[None], scale * (unit[1] @ unit[2])[None])
    assert got.item() == pytest.approx(equation_2(a, b, [c], 0.2))


def test_each_kind_adds_its_negatives():
    g = torch.Generator().manual_seed(0)
    labels, features = torch.randint(0, 3, (1, 1, 60), generator=g), torch.randn(1, 60, 4, generator=g)
    points = torch.randn(1, 60, 3, generator=g)
    proposals = sample_proposals(labels, 2, 4, 32, generator=g)
    on = NegativeConfig(count=8)

    def value(**kinds):
        config = LossConfig(pool=32, **({"uniform": OFF, "near": OFF, "feature": OFF} | kinds))
        scale = torch.zeros(1)
        return contrastive_loss(features, points, proposals, scale, config, torch.Generator().manual_seed(1))[0]

    singles = [value(uniform=on), value(near=on), value(feature=on)]
    assert value(uniform=on, near=on) > max(singles[:2])
    assert value(uniform=on, near=on, feature=on) > value(uniform=on, near=on)
    assert singles[2] > singles[0]  # feature-hard negatives are harder than uniform ones


def test_near_negatives_are_near():
    """With two clusters outside the part, hard negatives come from the one beside the anchors."""
    labels = torch.tensor([[[0] * 10 + [1] * 20]])
    points = torch.cat([torch.zeros(10, 3), torch.full((10, 3), 0.1), torch.full((10, 3), 5.0)])[None]
    features = torch.zeros(1, 30, 3)
    features[0, :10, 0] = features[0, 10:20, 0] = features[0, 20:, 1] = 1  # near ones look like the part
    near = LossConfig(pool=256, uniform=OFF, near=NegativeConfig(count=64, power=2), feature=OFF)
    uniform = LossConfig(pool=256, uniform=NegativeConfig(count=64, power=0), near=OFF, feature=OFF)
    proposals = sample_proposals(labels, 8, 4, 256)
    keep = proposals.part == 0
    proposals = type(proposals)(**{k: v[keep] for k, v in vars(proposals).items()})
    scale = torch.tensor([2.0])
    hard = contrastive_loss(features, points, proposals, scale, near)[0]
    easy = contrastive_loss(features, points, proposals, scale, uniform)[0]
    assert hard > easy + 0.3


def test_extreme_values_neither_overflow_nor_vanish():
    positive = torch.tensor([100.0, -100.0], requires_grad=True)
    negative = torch.tensor([[-100.0, -100.0], [100.0, 100.0]])
    loss = triplet_loss(positive, negative, negative)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert loss[0] < 1e-6
    assert loss[1].item() == pytest.approx(200 + math.log(2))
    assert torch.isfinite(positive.grad).all()


def test_zero_features_and_half_precision_stay_finite():
    labels, points = torch.randint(0, 3, (1, 1, 40)), torch.randn(1, 40, 3)
    proposals = sample_proposals(labels, 4, 4, 1024)
    features = torch.zeros(1, 40, 6, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = contrastive_loss(features, points, proposals, torch.zeros(1), LossConfig())
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(features.grad).all()


def test_no_proposals_still_has_gradients():
    features, scale = torch.randn(1, 9, 4, requires_grad=True), torch.zeros(1, requires_grad=True)
    proposals = sample_proposals(torch.zeros(1, 1, 9).long(), 4, 4, 8)
    loss, _ = contrastive_loss(features, torch.randn(1, 9, 3), proposals, scale, LossConfig())
    loss.backward()
    assert loss.item() == 0
    assert features.grad.abs().sum() == 0
    assert scale.grad is not None


def test_temperature_is_bounded():
    assert inverse_temperature(torch.tensor([50.0])).item() == pytest.approx(100, rel=1e-3)
    assert inverse_temperature(torch.tensor([0.0])).item() == 1


def test_sdf_loss():
    prediction = torch.tensor([[0.5, -1.0, 0.0, 0.3]])
    distance = torch.tensor([[0.05, -0.4, math.nan, 0.02]])
    want = np.mean([abs(0.5 - 0.5), abs(-1 + 1), abs(0.3 - 0.2)])
    assert sdf_loss(prediction, distance, 0.1).item() == pytest.approx(want, abs=1e-6)


def test_sdf_loss_with_nothing_known():
    prediction = torch.ones(1, 3, requires_grad=True)
    loss = sdf_loss(prediction, torch.full((1, 3), math.nan), 0.1)
    loss.backward()
    assert loss.item() == 0
    assert prediction.grad.abs().sum() == 0
