"""The LightningModule: it learns, it logs, it survives a round trip."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import lightning
import pytest
import torch
from torch.utils.data import DataLoader

from partseg.data.batch import PartBatch
from partseg.data.procedural.dataset import Procedural
from partseg.errors import PartsegError
from partseg_partfield.config import PartFieldConfig, load_config
from partseg_partfield.module import FieldBatch, PartFieldModule, rate_factor


def changed(config: PartFieldConfig, **parts: dict) -> PartFieldConfig:
    tree = config.model_dump()
    for part, values in parts.items():
        tree[part] |= values
    return PartFieldConfig.model_validate(tree)


@pytest.fixture(scope="module")
def tiny() -> PartFieldConfig:
    return load_config("tiny")


@pytest.fixture
def items(boxes):
    def make(count: int = 4, n: int = 300) -> list[PartBatch]:
        points, normals, labels = boxes(count, n)
        shapes = []
        for i, (p, k, (a, b)) in enumerate(zip(points, normals, labels, strict=True)):
            m = n - i
            shapes.append(PartBatch(p[:m], torch.tensor([0, m]), k[:m], labels={"whole": a[:m], "part": b[:m]}))
        return shapes

    return make


def trainer(**options) -> lightning.Trainer:
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return lightning.Trainer(accelerator="cpu", **(quiet | options))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_fit_with_accumulation(tiny, items, precision):
    module = PartFieldModule(tiny)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    loader = DataLoader(items(4), batch_size=2, collate_fn=PartBatch.collate)
    run = trainer(max_epochs=2, precision=precision, accumulate_grad_batches=2, gradient_clip_val=1.0)
    run.fit(module, loader, loader)
    assert run.global_step == 2
    assert all(not torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert {"train/loss", "val/loss", "val/accuracy", "val/margin", "val/temperature"} <= set(run.callback_metrics)
    assert all(torch.isfinite(v) for v in run.callback_metrics.values())


def test_it_learns(tiny, boxes):
    module = PartFieldModule(changed(tiny, loss={"points": 512}))
    points, normals, labels = boxes(2, 600)
    batch = FieldBatch(points, labels, normals=normals)
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3)
    first = module.eval().compute_loss(batch, torch.Generator().manual_seed(0))
    module.train()
    for _ in range(40):
        optimizer.zero_grad()
        module.compute_loss(batch)[0].backward()
        optimizer.step()
    last = module.eval().compute_loss(batch, torch.Generator().manual_seed(0))
    assert last[0] < first[0] - 0.5
    assert last[1]["margin"] > first[1]["margin"] + 0.2


def test_validation_repeats_itself(tiny, items):
    module = PartFieldModule(tiny).eval()
    batch = PartBatch.collate(items(2))
    a, b = (module.compute_loss(batch, torch.Generator().manual_seed(0))[0] for _ in range(2))
    assert torch.equal(a, b)


def test_unequal_shapes_repeat_points(items):
    batch = PartBatch.collate([items(1, 10)[0], items(2, 8)[1]])
    dense = FieldBatch.of(batch, ["part"])
    assert dense.points.shape == (2, 10, 3)
    assert torch.equal(dense.points[1, 7:], batch.points[10:13])
    assert torch.equal(dense.labels[1, 0, 7:], batch.labels["part"][10:13])
    assert dense.normals is not None


def test_an_empty_shape_is_refused():
    batch = PartBatch(torch.zeros(3, 3), torch.tensor([0, 3, 3]), labels={"part": torch.zeros(3).long()})
    with pytest.raises(PartsegError, match="without points"):
        FieldBatch.of(batch, ["part"])


def test_sources_choose_levels(tiny, items):
    batch = items(1)[0]
    batch.labels["image 0"] = batch.labels["part"]
    for labels, images, want in (
        (True, False, ["whole", "part"]),
        (False, True, ["image 0"]),
        (True, True, ["whole", "part", "image 0"]),
    ):
        config = changed(tiny, loss={"proposals": {"labels": labels, "images": images}})
        assert PartFieldModule(config).levels_of(batch) == want


def test_a_batch_without_labels_costs_nothing(tiny, items):
    batch = items(1)[0]
    batch.labels.clear()
    loss, _ = PartFieldModule(tiny).compute_loss(batch)
    assert loss.item() == 0
    loss.backward()


def test_interior_points_and_distances(tiny, boxes):
    config = changed(tiny, model={"sdf_channels": 4})
    module = PartFieldModule(config)
    points, normals, _ = boxes(2, 200)
    query, labels = points * 0.7, torch.randint(0, 3, (2, 1, 200))
    distance = torch.rand(2, 200) - 0.5
    loss, log = module.compute_loss(FieldBatch(points, labels, query, normals, distance))
    assert loss.item() == pytest.approx((log["contrastive"] + log["sdf"]).item())
    loss.backward()
    assert all(p.grad is not None for p in module.parameters())
    # without distances the SDF term is an honest zero
    _, log = module.compute_loss(FieldBatch(points, labels, query, normals))
    assert log["sdf"].item() == 0


def test_interior_rows_are_asked_for_but_not_read(tiny, items):
    shapes = [replace(x, surface=torch.arange(len(x.points)) % 3 > 0) for x in items(3)]
    batch = PartBatch.collate(shapes)
    field = FieldBatch.of(batch, ["whole", "part"])
    read = max(int(x.surface.sum()) for x in shapes)
    assert field.points.shape == (3, read, 3) and field.normals.shape == (3, read, 3)
    assert field.query.shape == (3, 300, 3) and field.labels.shape == (3, 2, 300)
    for i, x in enumerate(shapes):
        turn = torch.arange(read) % int(x.surface.sum())
        assert torch.equal(field.points[i], x.points[x.surface][turn])
        assert torch.equal(field.normals[i], x.normals[x.surface][turn])
        turn = torch.arange(300) % len(x.points)
        assert torch.equal(field.query[i], x.points[turn]) and torch.equal(field.labels[i, 1], x.labels["part"][turn])
    module = PartFieldModule(tiny)
    module.compute_loss(batch)[0].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.parameters() if p.requires_grad)
    with pytest.raises(PartsegError, match="without points"):
        FieldBatch.of(replace(batch, surface=batch.index > 0), ["part"])


def test_a_run_on_procedural_shapes_with_interior_points(tiny):
    data = Procedural(train_size=2, val_size=1, points=300, interior=200, batch_size=2)
    run = trainer(max_epochs=1, num_sanity_val_steps=0)
    run.fit(PartFieldModule(tiny), data)
    assert run.global_step == 1 and torch.isfinite(run.callback_metrics["val/loss"])


def test_planes_of_one_shape_and_of_a_batch(tiny, boxes):
    module = PartFieldModule(tiny).eval()
    points, normals, _ = boxes(2, 100)
    both = module.planes(points, normals)
    assert both.shape == (2, 3, 32, 32, 32)
    assert not both.requires_grad
    torch.testing.assert_close(module.planes(points[1], normals[1]), both[1], atol=1e-4, rtol=1e-3)
    assert module.planes(points[0]).shape == (3, 32, 32, 32)


def test_normals_are_hidden_while_training_only(tiny):
    module = PartFieldModule(changed(tiny, optim={"normal_dropout": 0.5}))
    normals = torch.ones(400, 2, 3)
    hidden = (module.train()._visible_normals(normals) == 0).all(dim=(1, 2)).float().mean()
    assert hidden == pytest.approx(0.5, abs=0.12)
    assert torch.equal(module.eval()._visible_normals(normals), normals)


def test_round_trip(tiny, tmp_path, boxes):
    module = PartFieldModule(tiny).eval()
    again = PartFieldModule.from_pretrained(module.save_pretrained(tmp_path / "w"))
    points, normals, _ = boxes(1, 60)
    assert again.config == tiny
    assert torch.equal(again.planes(points, normals), module.planes(points, normals))


def test_temperature_starts_as_configured(tiny):
    module = PartFieldModule(changed(tiny, loss={"temperature": 0.25}))
    assert module.model.logit_scale.item() == pytest.approx(-math.log(0.25))


def test_moving_average(tiny, items):
    module = PartFieldModule(changed(tiny, optim={"ema_decay": 0.5}))
    assert len(module.configure_callbacks()) == 1
    assert not PartFieldModule(tiny).configure_callbacks()
    loader = DataLoader(items(2), batch_size=2, collate_fn=PartBatch.collate)
    trainer(max_epochs=2).fit(module, loader)
    assert all(torch.isfinite(p).all() for p in module.parameters())


def test_only_kernels_decay(tiny, items):
    module = PartFieldModule(tiny)
    loader = DataLoader(items(2), batch_size=2, collate_fn=PartBatch.collate)
    run = trainer(max_epochs=1)
    run.fit(module, loader)
    kernels, free = run.optimizers[0].param_groups
    assert kernels["weight_decay"] == tiny.optim.weight_decay
    assert free["weight_decay"] == 0
    assert all(p.ndim >= 2 for p in kernels["params"])
    assert len(kernels["params"]) + len(free["params"]) == len(list(module.parameters()))
    assert any(p is module.model.triplane_transformer.pos_embed for p in free["params"])


def test_rate():
    rates = [rate_factor(step, 100, 10, 0.1) for step in range(101)]
    assert all(a < b for a, b in pairwise(rates[:11]))
    assert max(rates) == rates[10] == 1
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert rates[100] == pytest.approx(0.1)
    assert rate_factor(500, 100, 10, 0.1) == pytest.approx(0.1)
    assert rate_factor(0, 0, 0, 0.1) == 1


@pytest.mark.parametrize("wanted", [False, True])
def test_compiles_when_fitting_and_asked(tiny, wanted):
    module = PartFieldModule(changed(tiny, optim={"compile": wanted}))
    module.setup("validate")
    assert module.model._compiled_call_impl is None
    module.setup("fit")
    assert (module.model._compiled_call_impl is not None) == wanted
