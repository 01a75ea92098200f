"""PointNet++ against a formulation ball by ball and point by point."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from partseg.nn import FeaturePropagation, PointNet2, SetAbstraction, SetLevel


def run(layers, rows: np.ndarray) -> np.ndarray:
    """The point-wise layers in numpy, with running statistics."""
    for linear, norm in zip(layers.linear, layers.norm, strict=True):
        rows = rows @ linear.weight.detach().numpy().T
        if linear.bias is not None:
            rows = rows + linear.bias.detach().numpy()
        mean, variance = norm.running_mean.numpy(), norm.running_var.numpy()
        rows = (rows - mean) / np.sqrt(variance + norm.eps) * norm.weight.detach().numpy() + norm.bias.detach().numpy()
        rows = np.maximum(rows, 0)
    return rows


def literal_abstraction(layer: SetAbstraction, points: np.ndarray, features: np.ndarray):
    chosen = [0]
    while len(chosen) < layer.level.centres:
        nearest = [min(np.sum((p - points[c]) ** 2) for c in chosen) for p in points]
        chosen.append(int(np.argmax(nearest)))
    out = []
    for centre in points[chosen]:
        near = [i for i, p in enumerate(points) if np.sum((p - centre) ** 2) < layer.level.radius**2]
        near = near[: layer.level.neighbours]
        out.append(run(layer.layers, np.concatenate([points[near] - centre, features[near]], axis=1)).max(0))
    return points[chosen], np.array(out)


def literal_propagation(layer: FeaturePropagation, points, skip, known_points, known):
    rows = []
    for point, own in zip(points, skip, strict=True):
        square = np.sum((known_points - point) ** 2, axis=1)
        near = np.argsort(square)[:3]
        weight = 1 / np.maximum(square[near], 1e-10)
        carried = (weight / weight.sum()) @ known[near]
        rows.append(np.concatenate([own, carried] if layer.skip_first else [carried, own]))
    return run(layer.layers, np.array(rows))


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 60, 3, generator=generator), torch.randn(2, 60, 4, generator=generator)


def settled(module: torch.nn.Module) -> torch.nn.Module:
    """In evaluation mode with statistics that are not the initial ones."""
    generator = torch.Generator().manual_seed(1)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.running_mean = torch.randn(layer.num_features, generator=generator) * 0.1
            layer.running_var = torch.rand(layer.num_features, generator=generator) + 0.5
    return module.eval()


def test_set_abstraction_equals_the_literal_one(inputs):
    torch.manual_seed(0)
    layer = settled(SetAbstraction(4, SetLevel((8, 16), 12, 0.9, 5), eps=1e-3, bias=True))
    centres, out = layer(*inputs)
    for i in range(2):
        where, expected = literal_abstraction(layer, *(x[i].double().numpy() for x in inputs))
        np.testing.assert_allclose(centres[i], where, rtol=1e-6)
        np.testing.assert_allclose(out[i].detach(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("skip_first", [False, True])
def test_propagation_equals_the_literal_one(inputs, skip_first):
    torch.manual_seed(0)
    points, skip = inputs
    layer = settled(FeaturePropagation(6, 4, (8, 5), skip_first=skip_first))
    known_points, known = torch.randn(2, 10, 3), torch.randn(2, 10, 6)
    out = layer(points, skip, known_points, known)
    for i in range(2):
        values = (x[i].double().numpy() for x in (points, skip, known_points, known))
        np.testing.assert_allclose(out[i].detach(), literal_propagation(layer, *values), rtol=1e-4, atol=1e-5)


def test_a_level_without_centres_sees_absolute_positions(inputs):
    points, features = inputs
    layer = settled(SetAbstraction(4, SetLevel((8, 16))))
    centre, out = layer(points, features)
    assert centre.shape == (2, 1, 3) and out.shape == (2, 1, 16)
    expected = run(layer.layers, torch.cat([points[0], features[0]], 1).numpy()).max(0)
    np.testing.assert_allclose(out[0, 0].detach(), expected, rtol=1e-4, atol=1e-5)
    moved = layer(points + 1, features)[1]
    assert not torch.allclose(moved, out)


def test_given_centres_take_the_place_of_farthest_points(inputs):
    points, features = inputs
    layer = settled(SetAbstraction(4, SetLevel((8,), 12, 0.9, 5)))
    centres, out = layer(points, features)
    torch.testing.assert_close(layer(points, features, centres)[1], out)
    assert layer(points, features, torch.zeros(2, 1, 3))[1].shape == (2, 1, 8)


LEVELS = (SetLevel((8, 12), 16, 0.8, 6), SetLevel((12, 16), 4, 1.6, 6), SetLevel((20, 24)))
UP = ((16,), (12,), (10, 9))


@pytest.mark.parametrize("skip_points", [False, True])
def test_the_whole_network(inputs, skip_points):
    net = PointNet2(4, LEVELS, UP, skip_points=skip_points)
    out, coarse = net(*inputs)
    assert out.shape == (2, 60, 9) and coarse.shape == (2, 1, 24)
    assert net.channels == 9 and net.coarse_channels == 24
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())
    # a shape's features do not depend on what else is in the batch
    net = settled(net)
    torch.testing.assert_close(net(inputs[0][1:], inputs[1][1:])[0][0], net(*inputs)[0][1], rtol=1e-4, atol=1e-5)
    assert [x.shape[1] for x, _ in net.encode(*inputs)] == [60, 16, 4, 1]


@pytest.mark.parametrize("skip_points", [False, True])
def test_one_cloud_carries_several_sets_of_features(inputs, skip_points):
    points, features = inputs[0][:1], torch.cat([inputs[1], inputs[1][:1] + 1])
    net = settled(PointNet2(4, LEVELS, UP, skip_points=skip_points))
    for one, each in zip(net(points, features), net(points.repeat(3, 1, 1), features), strict=True):
        torch.testing.assert_close(one, each, rtol=1e-5, atol=1e-6)


def test_gradients(inputs):
    """Of a small network in float64, numerically."""
    points, features = (x[:, :8].double() for x in inputs)
    net = settled(PointNet2(4, (SetLevel((5,), 4, 1.0, 3), SetLevel((6,))), ((5,), (4,)))).double()
    assert torch.autograd.gradcheck(lambda f: net(points, f)[0], features.requires_grad_(True))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_smallest_clouds(n):
    net = PointNet2(0, LEVELS, UP)
    for mode in (True, False):
        out, _ = net.train(mode)(torch.randn(1, n, 3))
        assert out.shape == (1, n, 9) and torch.isfinite(out).all()


def test_sizes_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="needs widths"):
        SetLevel(())
    with pytest.raises(ValueError, match="needs widths"):
        SetLevel((4,), 8)
    with pytest.raises(ValueError, match="3 levels down but 1 up"):
        PointNet2(0, LEVELS, ((4,),))


def test_the_partnet_benchmarks_backbone_has_the_published_widths():
    """PartNet (Mo et al., CVPR 2019): the input widths of every layer, with xyz as position and feature."""
    levels = (
        SetLevel((64, 64, 128), 512, 0.2, 64),
        SetLevel((128, 128, 256), 128, 0.4, 64),
        SetLevel((256, 512, 1024)),
    )
    net = PointNet2(3, levels, ((256, 256), (256, 128), (128, 128, 128)))
    down = [[layer.in_features for layer in level.layers.linear] for level in net.down]
    up = [[layer.in_features for layer in level.layers.linear] for level in net.up]
    assert down == [[6, 64, 64], [131, 128, 128], [259, 256, 512]]
    assert up == [[1024 + 256, 256], [256 + 128, 256], [128 + 3, 128, 128]]


@pytest.mark.gpu
def test_a_gpu_gives_the_same(inputs):
    net = settled(PointNet2(4, LEVELS, UP))
    expected = net(*inputs)[0]
    got = net.cuda()(*(x.cuda() for x in inputs))[0].cpu()
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)
