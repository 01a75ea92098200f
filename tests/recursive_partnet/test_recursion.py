"""The batched recursion against one that visits node after node, and what it does with hard shapes."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from partseg.parts.hierarchy import PartHierarchy, Symmetry
from partseg.parts.templates import random_hierarchy
from partseg_recursive_partnet.config import LayersConfig, LossConfig, NetworkConfig
from partseg_recursive_partnet.hierarchy import parts_of
from partseg_recursive_partnet.losses import partnet_loss
from partseg_recursive_partnet.model import RecursivePartNet
from partseg_recursive_partnet.recursion import decompose
from partseg_recursive_partnet.targets import Tree, Trees

from .conftest import small_network


@pytest.fixture(scope="module")
def peer(repository):
    """The recursion that visits node after node: the peer of the measurements too."""
    path = repository / "benchmarks" / "perf" / "node_by_node.py"
    spec = importlib.util.spec_from_file_location("node_by_node", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VARIANTS = {
    "release": small_network(),
    "paper": small_network(
        symmetry="parameters", pooled_points=False, points=LayersConfig(widths=(16, 24)),
        labeller=LayersConfig(widths=(24, 16), dropout=(0.0, 0.2)),
    ),
    "no context": small_network(context=False),
    "no encoding in the classifier": small_network(encoding_in_classifier=False),
    "no normals": small_network(normals=False),
}  # fmt: skip


def splitting(config: NetworkConfig, seed: int) -> RecursivePartNet:
    """A network with random weights that takes shapes apart: types drawn widely, labels near even."""
    torch.manual_seed(seed)
    model = RecursivePartNet(config).eval()
    with torch.no_grad():
        for value in model.parameters():
            if value.ndim > 1:
                value.mul_(2.5)
        model.classifier[-1].bias[0] -= 1.0
    return model


def clouds(b: int, n: int, channels: int) -> torch.Tensor:
    rng = np.random.default_rng(b)
    cloud = rng.uniform(-0.5, 0.5, (b, n, channels))
    return torch.from_numpy(cloud.astype(np.float32))


def some_trees(n: int, how: str) -> list[Tree]:
    turn = Symmetry("rotational", (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), 3, 2 * np.pi / 3)
    rng = np.random.default_rng(0)
    flat = PartHierarchy.build([-1, 0, 0, 0], 1 + rng.integers(3, size=n), symmetry=[turn, None, None, None])
    deep = random_hierarchy(np.arange(n) % 9, seed=1)
    return [Tree.of(h, how) for h in (deep, flat, PartHierarchy.from_labels(np.zeros(n, np.int64)))]


@pytest.mark.parametrize("variant", VARIANTS)
def test_losses_and_gradients_equal_those_of_single_nodes(variant, peer):
    config = VARIANTS[variant]
    model = splitting(config, 0)
    cloud = clouds(3, 120, 6 if config.normals else 3)
    trees = some_trees(120, config.symmetry)
    packed = Trees.pack(trees, [0, 120, 240])
    output = model(cloud, packed)
    total, _ = partnet_loss(output, packed, 3, LossConfig(types=1.0, labels=1.0, symmetry=0.0))
    total.backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    wanted = sum(peer.losses(model, points, tree) for points, tree in zip(cloud, trees, strict=True)) / 3
    wanted.backward()
    torch.testing.assert_close(total, wanted, atol=1e-5, rtol=1e-5)
    for name, p in model.named_parameters():
        if p.grad is not None:
            torch.testing.assert_close(found[name], p.grad, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("variant", VARIANTS)
def test_parts_equal_those_of_single_nodes(variant, peer):
    config = VARIANTS[variant]
    cloud = clouds(4, 300, 6 if config.normals else 3)
    split = 0
    for seed in range(16):
        model = splitting(config, seed)
        found = decompose(model, cloud, min_points=8)
        numbers = found.instances().reshape(4, 300)
        for i, points in enumerate(cloud):
            parts = list(peer.parts(model, points, min_points=8))
            wanted = {frozenset(members.tolist()) for members, _ in parts if len(members)}
            assert {frozenset(np.flatnonzero(numbers[i] == k).tolist()) for k in np.unique(numbers[i])} == wanted
            split += len(wanted) > 1
    assert split > 5  # the comparison is about trees, not about roots


@pytest.mark.parametrize("variant", ["release", "paper"])
def test_hierarchies_cover_the_points(variant):
    config = VARIANTS[variant]
    cloud = clouds(3, 200, 6)
    for seed in range(4):
        found = decompose(splitting(config, seed), cloud, torch.tensor([200, 150, 90]), min_points=8)
        assert (found.leaf.view(3, 200)[1, 150:] == -1).all()
        for parts, n in zip(parts_of(found, cloud.numpy(), [200, 150, 90]), (200, 150, 90), strict=True):
            tree = parts.hierarchy
            assert parts.labels.shape == (n,)
            np.testing.assert_array_equal(np.unique(parts.labels), np.arange(len(tree.leaves)))
            np.testing.assert_array_equal(tree.leaves[parts.labels], tree.leaf_of)


def test_padding_changes_nothing_of_a_pointwise_network():
    model = splitting(VARIANTS["paper"], 1)
    cloud = clouds(2, 200, 6)
    alone = decompose(model, cloud[1:, :120], min_points=8)
    beside = decompose(model, cloud, torch.tensor([200, 120]), min_points=8)
    np.testing.assert_array_equal(alone.instances(), beside.instances().reshape(2, 200)[1, :120])


def test_small_clouds_and_bounded_depth():
    model = splitting(VARIANTS["release"], 0)
    for n in (1, 2, 19):
        found = decompose(model, clouds(1, n, 6))
        labelled_at_once = bool((found.type == 2).any())
        assert len(found.type) == 1 and (labelled_at_once or len(np.unique(found.instances())) == 1)
    with torch.no_grad():  # a network that never stops
        model.classifier[-1].weight.zero_()
        model.classifier[-1].bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))
    found = decompose(model, clouds(1, 400, 6), min_points=0, max_depth=3)
    assert int(found.depth.max()) <= 3
    assert found.cut == bool((found.depth == 3).any())
