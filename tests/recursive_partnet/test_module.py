"""Learning and segmenting: a network that overfits, classes of leaves, symmetries in the shape's own coordinates."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from partseg.data.batch import PartBatch
from partseg.data.procedural.dataset import ProceduralDataset
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.configs import load_config
from partseg.metrics.functional.recursive_ap import recursive_partnet_ap, recursive_records
from partseg.parts.hierarchy import NodeKind, PartHierarchy, Symmetry
from partseg_recursive_partnet.batches import TreeMaker, in_cube
from partseg_recursive_partnet.config import DataConfig, NetworkConfig, RecursivePartNetConfig
from partseg_recursive_partnet.module import RecursivePartNetModule
from partseg_recursive_partnet.spec import SPEC

from .conftest import small_network


def config(**changes) -> RecursivePartNetConfig:
    return RecursivePartNetConfig.model_validate(load_config(SPEC, "tiny") | changes)


def chairs(n: int, points: int = 512, first: int = 0) -> PartBatch:
    data = ProceduralDataset("train", first + n, points, kinds={"assembled": 1.0}, families=["chair"])
    return PartBatch.collate([data[i] for i in range(first, first + n)])


def train(module: RecursivePartNetModule, batch: PartBatch, steps: int, rate: float = 3e-3) -> None:
    adam = torch.optim.Adam(module.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    module.train()
    for _ in range(steps):
        loss, _ = module.compute_loss(batch, noisy=False)
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        adam.step()
        schedule.step()
    module.eval()


def parts(batch: PartBatch, i: int) -> tuple[Shape, np.ndarray]:
    one = batch[i]
    cloud = Shape.from_points(one.points.numpy(), normals=one.normals.numpy(), name=one.names[0])
    return cloud, list(one.labels.values())[-1].numpy()


@pytest.mark.slow
def test_overfits_eight_shapes():
    """AP by the paper's rule, all parts of one class, on what it was trained on."""
    data = {"points": 768, "hierarchy": "given"}
    module = RecursivePartNetModule(config(data=data, inference={"points": 768, "min_points": 3}))
    batch = chairs(8, 768)
    train(module, batch, 400)
    records = []
    for i in range(8):
        cloud, truth = parts(batch, i)
        labels = module.segment(cloud).labels
        records.append(recursive_records(i, labels, truth, np.zeros_like(truth), n_classes=1, thresholds=(0.25,)))
    assert recursive_partnet_ap(records, (0.25,)).part_mean[0] >= 0.95


def test_semantic_head_learns_the_classes_of_leaves():
    network = load_config(SPEC, "tiny")["network"] | {"classes": 659, "symmetry": "copies"}
    data, inference = {"points": 256, "hierarchy": "template"}, {"points": 256, "min_points": 3}
    module = RecursivePartNetModule(config(network=network, data=data, inference=inference))
    batch = chairs(3, 256)
    train(module, batch, 300)
    right = total = 0
    for i in range(3):
        cloud, _ = parts(batch, i)
        seg = module.segment(cloud)
        assert seg.semantic_id is not None and len(seg.semantic_id) == seg.n_parts
        truth = list(batch[i].semantics.values())[-1].numpy()
        right += int((seg.semantic_id[seg.labels] == truth).sum())
        total += len(truth)
    assert right / total > 0.8


def test_symmetries_are_in_the_coordinates_of_the_shape():
    """A table far from the origin, ten times as large: the mirror of its legs is where the legs are."""
    module = RecursivePartNetModule(config(data={"points": 512, "hierarchy": "symmetry"}))
    cube = Shape.from_points(_legs(), name="legs")
    batch = PartBatch(
        torch.from_numpy(cube.points), torch.tensor([0, len(cube.points)]),
        labels={"fine": torch.arange(4).repeat_interleave(128)},
    )  # fmt: skip
    train(module, batch, 250)
    far = Shape.from_points(_legs() * 10 + [100.0, -50, 7], name="legs")
    tree = module.segment(far).hierarchy
    symmetric = np.flatnonzero(tree.kind == NodeKind.SYMMETRY)
    assert len(symmetric)
    for node in symmetric:
        first, *others = tree.children(int(node))
        for copy, other in enumerate(others, 1):
            moved = tree.symmetry[node].apply(far.points[tree.members(first)], copy).mean(0)
            assert np.linalg.norm(moved - far.points[tree.members(other)].mean(0)) < 1.5  # of a side of 20


def _legs() -> np.ndarray:
    rng = np.random.default_rng(0)
    corner = np.array([[1, 0, 1], [1, 0, -1], [-1, 0, 1], [-1, 0, -1]])
    return np.concatenate([c + rng.uniform(-0.1, 0.1, (128, 3)) * [1, 8, 1] for c in corner]).astype(np.float32)


def test_clouds_without_normals_get_some(caplog):
    module = RecursivePartNetModule(config()).eval()
    batch = chairs(1, 300)
    cloud, _ = parts(batch, 0)
    bare = Shape.from_points(cloud.points, name="bare")
    seg = module.segment(bare)
    assert seg.labels.shape == (300,) and seg.labels.min() >= 0
    bare_batch = PartBatch(batch.points, batch.ptr, labels=batch.labels)
    dense = module.trees.dense(bare_batch)
    np.testing.assert_allclose(dense.cloud[0, :, 3:].norm(dim=1).numpy(), 1, atol=1e-4)


def test_a_tree_that_never_ends_is_cut_with_a_note(caplog):
    module = RecursivePartNetModule(config(inference={"points": 512, "min_points": 0, "max_depth": 2})).eval()
    with torch.no_grad():
        module.model.classifier[-1].weight.zero_()
        module.model.classifier[-1].bias.copy_(torch.tensor([0.0, 1.0, 0.0]))
        module.model.binary.last.weight.mul_(50)
    cloud, _ = parts(chairs(1), 0)
    with caplog.at_level(logging.WARNING):
        seg = module.segment(cloud)
    assert seg.n_parts > 1 and seg.hierarchy.depth.max() <= 2
    assert "nodes at depth 2 were not taken apart" in caplog.text


def test_leaves_that_do_not_cover_the_cloud_and_one_point_nodes_are_learned_from():
    batch = chairs(2, 200)
    labels = {"fine": batch.labels["fine"].clone()}
    labels["fine"][::3] = -1
    labels["fine"][1] = 99  # a part of one point
    module = RecursivePartNetModule(config(data={"points": 200, "hierarchy": "symmetry"}))
    holes = PartBatch(batch.points, batch.ptr, batch.normals, labels=labels)
    loss, _ = module.compute_loss(holes, noisy=True)
    assert torch.isfinite(loss)
    nothing = PartBatch(batch.points, batch.ptr, batch.normals, labels={"fine": torch.full((400,), -1)})
    assert torch.isfinite(module.compute_loss(nothing, noisy=True)[0])


def test_errors_name_the_level_and_the_classes():
    batch = chairs(1, 64)
    maker = TreeMaker(DataConfig(level="finest"), small_network())
    with pytest.raises(PartsegError, match=r"labels of coarse, middle, fine, not of level 'finest'"):
        maker.dense(batch)
    few = TreeMaker(DataConfig(hierarchy="template"), small_network(classes=2))
    with pytest.raises(PartsegError, match=r"level 'fine' has a class \d+, but network.classes is 2"):
        few.dense(batch)
    with pytest.raises(PartsegError, match="no level 'fine'"):
        RecursivePartNetModule(config()).segment(parts(batch, 0)[0], level="fine")
    with pytest.raises(ValueError, match=r"set network\.classes"):
        config(data={"hierarchy": "template"})


def test_given_symmetries_are_brought_into_the_cube():
    symmetry = Symmetry("translational", (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), 2, 4.0)
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 4, 0], [1, 4, 0]]) + 7
    tree = PartHierarchy.build([-1, 0, 0], np.array([1, 1, 2, 2]), symmetry=[symmetry, None, None])
    batch = PartBatch(points, torch.tensor([0, 4]), labels={"a": torch.tensor([0, 0, 1, 1])}, hierarchies=(tree,))
    network = NetworkConfig(symmetry="parameters", normals=False)
    dense = TreeMaker(DataConfig(hierarchy="given"), network).dense(batch)
    (moved,) = (s for s in dense.trees.symmetry if s is not None)
    cube, _, side = in_cube(points[None])
    assert float(side) == 4 and moved.step == pytest.approx(1.0)
    np.testing.assert_allclose(moved.apply(cube[0, :2].numpy()), cube[0, 2:].numpy(), atol=1e-6)


def test_trees_are_kept_by_labels_and_made_anew_where_points_matter():
    batch = chairs(1, 200)
    moved = PartBatch(batch.points * 2.0, batch.ptr, batch.normals, labels=batch.labels)
    for how, kept in (("copies", 1), ("parameters", 2)):
        maker = TreeMaker(DataConfig(hierarchy="symmetry"), small_network(symmetry=how))
        points = batch.points + 0.001 * torch.randn_like(batch.points)
        noisy = PartBatch(points, batch.ptr, batch.normals, labels=batch.labels)
        maker.dense(batch)
        maker.dense(noisy)
        maker.dense(moved)  # the same cube
        assert len(maker._kept) == kept
