"""Coarsening, the network, training, and refining a shape."""

from __future__ import annotations

from dataclasses import replace

import lightning
import numpy as np
import pytest
import torch

from partseg.data.batch import PartBatch
from partseg.data.procedural.dataset import ProceduralDataset
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape, Similarity
from partseg.methods.configs import load_config
from partseg.parts.segmentation import Segmentation
from partseg_recursive_partnet.refinement.config import RefinerConfig
from partseg_recursive_partnet.refinement.model import PartRefiner, part_boxes
from partseg_recursive_partnet.refinement.module import RefinerModule
from partseg_recursive_partnet.refinement.refiner import Refiner
from partseg_recursive_partnet.refinement.spec import SPEC

TINY = RefinerConfig.model_validate(load_config(SPEC, "tiny"))


def chairs(count: int = 4, points: int = 512) -> PartBatch:
    data = ProceduralDataset("train", count, points, kinds={"assembled": 1.0}, families=["chair"])
    return PartBatch.collate([data[i] for i in range(count)])


def test_parts_and_shapes_do_not_mix():
    """Each shape refined alone gives the same as packed with another, wherever its parts stand."""
    model = PartRefiner(TINY).eval()
    points, part = torch.rand(60, 3) - 0.5, torch.arange(60) % 5 - 1
    shape = (part >= 2).long()
    of_part = torch.tensor([0, 0, 1, 1])
    with torch.no_grad():
        both = model(points, part, shape, of_part)
        for i in range(2):
            own = shape == i
            alone = model(points[own], (part[own] - 2 * i).clamp(min=-1), shape[own] * 0, of_part[:2] * 0)
            torch.testing.assert_close(alone, both[2 * i : 2 * i + 2], atol=1e-5, rtol=1e-5)


def test_part_boxes():
    points = torch.tensor([[0.0, 0, 0], [1, 2, 4], [5, 5, 5], [9, 9, 9]])
    centre, size = part_boxes(points, torch.tensor([0, 0, 1, -1]), 2)
    assert centre.tolist() == [[0.5, 1, 2], [5, 5, 5]] and size.tolist() == [[1, 2, 4], [0, 0, 0]]


def fit(module: RefinerModule, batches: list[PartBatch], epochs: int, **options) -> lightning.Trainer:
    lightning.seed_everything(0, verbose=False)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=epochs, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **options,
    )  # fmt: skip
    loader = torch.utils.data.DataLoader(batches, batch_size=None)
    trainer.fit(module.train(), loader, loader)
    return trainer


def test_training_brings_coarse_clouds_nearer_to_the_surface(tmp_path):
    torch.manual_seed(0)
    module, batches = RefinerModule(TINY), [chairs()]
    first = fit(module, batches, 1).callback_metrics
    assert {"val/before", "val/after", "val/chamfer", "val/emd", "train/loss"} <= set(first)
    last = fit(module, batches, 120).callback_metrics
    assert last["val/after"] < last["val/before"] == first["val/before"] < first["val/after"]

    module.eval().save_pretrained(tmp_path / "weights")
    shape = Shape.from_points(chairs(1, 200).points.numpy())
    seg = Segmentation(shape, np.arange(200) % 3)
    again = Refiner.from_pretrained(tmp_path / "weights")
    np.testing.assert_array_equal(again.refine(shape, seg).shape.points, module.refine(shape, seg).shape.points)


@pytest.mark.parametrize("change", ["no hierarchies", "one shape", "beside a point", "unlabelled"])
def test_trains_on_odd_batches(change: str):
    batch = chairs(2, 64)
    if change == "no hierarchies":
        batch = replace(batch, hierarchies=())
    elif change == "one shape":
        batch = batch[0]
    elif change == "beside a point":
        batch = PartBatch.collate([chairs(1, 1), batch])
    else:
        known = torch.arange(128) < 100
        labels = {level: torch.where(known, value, -1) for level, value in batch.labels.items()}
        batch = replace(batch, hierarchies=(), labels=labels)
    module = RefinerModule(TINY)
    fit(module, [batch], 1)
    assert all(torch.isfinite(value).all() for value in module.parameters())


def test_refined_shapes_move_and_grow_with_the_coarse_one():
    torch.manual_seed(0)
    refiner, rng = Refiner(TINY).eval(), np.random.default_rng(0)
    points = rng.normal(size=(150, 3))
    labels = np.arange(150) % 4 - 1
    shape, far = Shape.from_points(points), Shape.from_points(points * 3 + [5, 0, -2])
    out, moved = (refiner.refine(one, Segmentation(one, labels)).shape for one in (shape, far))
    assert out.points.shape == (3 * TINY.points, 3)
    np.testing.assert_allclose(moved.points, out.points * 3 + [5, 0, -2], atol=1e-4)
    assert out.transform == Similarity()
    with pytest.raises(PartsegError, match="no point is in a part"):
        refiner.refine(shape, Segmentation(shape, np.full(150, -1)))


def test_meshes_are_sampled():
    from partseg.testing.contract import mesh_of_two_boxes

    mesh = mesh_of_two_boxes()
    out = Refiner(TINY).refine(mesh, Segmentation(mesh, np.repeat([0, 1], 12)))
    assert out.shape.points.shape == (2 * TINY.points, 3)


def test_every_part_of_a_dense_cloud_is_refined():
    points = np.random.default_rng(0).normal(size=(5000, 3))
    labels = np.zeros(5000, np.int64)
    labels[:3] = [1, 2, 3]
    shape = Shape.from_points(points)
    out = Refiner(TINY).refine(shape, Segmentation(shape, labels))
    assert out.n_parts == 4 and len(out.labels) == 4 * TINY.points
    for part, row in ((1, 0), (2, 1), (3, 2)):  # a part of one point stays near it
        assert np.linalg.norm(out.shape.points[out.labels == part].mean(0) - points[row]) < 0.5
