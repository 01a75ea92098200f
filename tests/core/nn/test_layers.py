"""Point-wise layers and PointNet."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

import partseg.nn as blocks
from partseg.nn import PointNet, PointNorm, SharedMLP, freeze_norms, xavier_init


@pytest.mark.parametrize("name", blocks.__all__)
def test_every_name_is_there(name):
    assert callable(getattr(blocks, name))


def test_importing_the_package_loads_no_torch():
    code = "import sys, partseg.nn; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    with pytest.raises(AttributeError, match="no attribute"):
        _ = blocks.nothing


def test_layers_equal_one_by_one_convolutions():
    torch.manual_seed(0)
    ours = SharedMLP(4, (8, 5), eps=1e-3, bias=True)
    theirs = nn.Sequential(
        nn.Conv1d(4, 8, 1), nn.BatchNorm1d(8, eps=1e-3), nn.ReLU(), nn.Conv1d(8, 5, 1), nn.BatchNorm1d(5, eps=1e-3),
        nn.ReLU(),
    )  # fmt: skip
    for i in range(2):
        theirs[3 * i].load_state_dict({"weight": ours.linear[i].weight[..., None], "bias": ours.linear[i].bias})
    x = torch.randn(3, 10, 4)
    for _ in range(2):  # in training, then with running statistics
        torch.testing.assert_close(ours(x), theirs(x.transpose(1, 2)).transpose(1, 2), rtol=1e-4, atol=1e-5)
        ours, theirs = ours.eval(), theirs.eval()


def test_a_single_row_trains_on_the_running_statistics():
    norm = PointNorm(3)
    norm.running_mean.fill_(1.0)
    x = torch.full((1, 3), 2.0, requires_grad=True)
    torch.testing.assert_close(norm(x), torch.ones(1, 3), rtol=1e-4, atol=1e-4)
    norm(x).sum().backward()
    assert (x.grad > 0).all() and norm.running_mean.tolist() == [1, 1, 1]


def test_dropout_takes_whole_channels_of_a_sample():
    torch.manual_seed(0)
    layer = SharedMLP(3, (200,), norm=False, dropout=0.5)
    nn.init.ones_(layer.linear[0].bias)
    nn.init.zeros_(layer.linear[0].weight)
    out = layer(torch.randn(4, 6, 3))
    assert (out == out[:, :1]).all()  # the same for all points of a sample
    assert set(out.unique().tolist()) == {0.0, 2.0}
    assert not (out[0] == out[1]).all()
    assert (layer.eval()(torch.randn(4, 6, 3)) == 1).all()
    with pytest.raises(ValueError, match="dropout rates"):
        SharedMLP(3, (4, 5), dropout=(0.1,))


def test_pointnet_knows_neither_order_nor_padding():
    torch.manual_seed(0)
    net = PointNet(6, (8, 16), bias=True).eval()
    x = torch.randn(2, 9, 6)
    code = net(x)
    assert code.shape == (2, 16)
    torch.testing.assert_close(net(x[:, torch.randperm(9)]), code)
    padded = torch.cat([x, torch.full((2, 3, 6), 1e3)], dim=1)
    mask = torch.arange(12).expand(2, -1) < 9
    torch.testing.assert_close(net(padded, mask), code)
    assert (net(padded, torch.zeros(2, 12, dtype=torch.bool)) == 0).all()


def test_initialisation_and_frozen_norms():
    net = PointNet(3, (400, 300), bias=True)
    xavier_init(net)
    bound = (6 / 700) ** 0.5
    weight = net.layers.linear[1].weight
    assert 0.99 * bound < weight.abs().max() <= bound and (net.layers.linear[1].bias == 0).all()
    freeze_norms(net.train())
    before = net.layers.norm[0].running_mean.clone()
    net(torch.randn(2, 50, 3) + 5)
    assert net.layers.norm[0].running_mean.equal(before) and net.training
