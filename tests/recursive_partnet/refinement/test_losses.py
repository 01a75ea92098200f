"""Distances against SciPy's, node by node."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from partseg.data.batch import PartBatch
from partseg.data.procedural.dataset import ProceduralDataset
from partseg.metrics.functional.proposals import chamfer_distance
from partseg_recursive_partnet.refinement.config import RefinerDataConfig, RefinerLossConfig
from partseg_recursive_partnet.refinement.losses import exact_emd, hierarchical_loss, node_chamfer, sinkhorn_emd
from partseg_recursive_partnet.refinement.parts import TrueParts


def clouds(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)), rng.normal(size=(n, 3)) * [1, 0.2, 2] + [0.5, 0, 0]


def chairs(count: int = 2, points: int = 300) -> PartBatch:
    data = ProceduralDataset("train", count, points, kinds={"assembled": 1.0}, families=["chair"])
    return PartBatch.collate([data[i] for i in range(count)])


def test_emd_of_a_permutation_is_0_and_of_a_shift_its_length():
    points, _ = clouds(20, 0)
    assert exact_emd(points, points[::-1]) == pytest.approx(0, abs=1e-12)
    assert exact_emd(points, points + [3, 0, 4]) == pytest.approx(5)
    with pytest.raises(ValueError, match="as many points"):
        exact_emd(points, points[:3])


@pytest.mark.parametrize("n", [2, 16, 64])
def test_sinkhorn_comes_near_the_exact_assignment(n: int):
    pairs = [clouds(n, seed) for seed in range(4)]
    pairs.append((pairs[0][0], pairs[0][0] + [0.3, 0, 0]))
    a, b = (torch.tensor(np.stack(side), dtype=torch.float32) for side in zip(*pairs, strict=True))
    exact = np.array([exact_emd(*pair) for pair in pairs])
    np.testing.assert_allclose(sinkhorn_emd(a, b).numpy(), exact, rtol=0.05)


def test_following_the_gradient_of_sinkhorn_brings_clouds_together():
    first, second = clouds(24, 3)
    a, b = torch.tensor(first, requires_grad=True), torch.tensor(second)
    adam = torch.optim.Adam([a], lr=0.05)
    for _ in range(100):
        adam.zero_grad()
        sinkhorn_emd(a[None], b[None]).sum().backward()
        adam.step()
    assert exact_emd(a.detach().numpy(), second) < 0.2 * exact_emd(first, second)


def test_chamfer_of_nodes_is_that_of_their_clouds():
    truth = TrueParts.of(chairs(), RefinerDataConfig(points=256))
    leaves = truth.leaf.unique()
    leaves = leaves[truth.trees.shape[leaves].argsort(stable=True)]
    nodes = truth.nodes(leaves)
    refined, true = torch.rand(len(leaves), 5, 3) - 0.5, truth.cloud.reshape(-1, 3)
    forward, backward = node_chamfer(refined, true, nodes)
    trees, flat = truth.trees, truth.leaf.flatten()

    def under(leaf: int, node: int) -> bool:
        while leaf >= 0 and leaf != node:
            leaf = int(trees.parent[leaf])
        return leaf == node

    for node in range(len(trees)):
        mine = [i for i, leaf in enumerate(leaves.tolist()) if under(leaf, node)]
        theirs = [under(leaf, node) for leaf in flat.tolist()]
        wanted = chamfer_distance(refined[mine].reshape(-1, 3).numpy(), true[theirs].numpy())
        assert float(forward[node]) == pytest.approx(wanted.forward, rel=1e-3, abs=1e-5)
        assert float(backward[node]) == pytest.approx(wanted.backward, rel=1e-3, abs=1e-5)


def test_draws_come_from_the_node_and_cover_its_parts():
    truth = TrueParts.of(chairs(), RefinerDataConfig(points=256))
    leaves = truth.leaf.unique()
    leaves = leaves[truth.trees.shape[leaves].argsort(stable=True)]
    nodes = truth.nodes(leaves)
    refined, true = nodes.draw(32, 4, torch.Generator().manual_seed(0))
    assert ((nodes.above[refined // 4] == nodes.live[:, None, None]).any(2)).all()
    assert ((nodes.true_above[true] == nodes.live[:, None, None]).any(2)).all()
    for root in range(truth.trees.levels[1]):
        below = set(torch.nonzero(nodes.above[:, 0] == root)[:, 0].tolist())
        assert set((refined[root] // 4).tolist()) == below


def test_perfect_parts_have_nearly_no_loss_and_dropped_ones_are_no_error():
    batch = chairs()
    truth = TrueParts.of(batch, RefinerDataConfig(points=256))
    true, leaves = truth.cloud.reshape(-1, 3), truth.leaf.unique()
    leaves = leaves[truth.trees.shape[leaves].argsort(stable=True)]
    rows = [torch.nonzero(truth.leaf.flatten() == leaf)[:, 0] for leaf in leaves]
    perfect = torch.stack([true[row[torch.arange(128) % len(row)]] for row in rows])
    generator = torch.Generator().manual_seed(0)
    good, terms = hierarchical_loss(perfect, true, truth.nodes(leaves), RefinerLossConfig(), generator)
    bad, _ = hierarchical_loss(perfect + 0.3, true, truth.nodes(leaves), RefinerLossConfig(), generator)
    assert terms["chamfer"] < 0.01 and good < 0.3 * bad
    partial, _ = hierarchical_loss(perfect[1:], true, truth.nodes(leaves[1:]), RefinerLossConfig(), generator)
    assert torch.isfinite(partial)
