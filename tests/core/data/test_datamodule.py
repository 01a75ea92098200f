"""PartDataModule: loading, order by epoch, augmentation of training batches only."""

from __future__ import annotations

import lightning
import pytest
import torch
from torch.utils.data import Dataset

from partseg.data.batch import PartBatch
from partseg.data.datamodule import PartDataModule, Shuffled
from partseg.errors import UnknownNameError


class Numbered(Dataset):
    """Item i has i + 1 points at (i, 0, 0)."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> PartBatch:
        points = torch.tensor([[float(i), 0.0, 0.0]]).repeat(i + 1, 1)
        return PartBatch(points, torch.tensor([0, i + 1]), labels={"fine": torch.full((i + 1,), i)}, names=(str(i),))


class Module(PartDataModule):
    def dataset(self, split: str) -> Dataset:
        return Numbered({"train": 7, "val": 3, "test": 2, "predict": 2}[split])


class Recorder(lightning.LightningModule):
    """Learns nothing; keeps the names and points of every batch by stage and epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[tuple[str, int, tuple[str, ...], torch.Tensor]] = []

    def _keep(self, stage: str, batch: PartBatch) -> None:
        self.seen.append((stage, self.current_epoch, batch.names, batch.points.clone()))

    def training_step(self, batch: PartBatch, batch_idx: int) -> torch.Tensor:
        self._keep("train", batch)
        return self.weight.sum() * 0

    def validation_step(self, batch: PartBatch, batch_idx: int) -> None:
        self._keep("val", batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer(epochs: int, folder) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", devices=1, logger=False, default_root_dir=folder, num_sanity_val_steps=0,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip


def test_loaders_pack_every_item_once():
    module = Module(batch_size=3)
    for loader, n in ((module.val_dataloader(), 3), (module.test_dataloader(), 2), (module.predict_dataloader(), 2)):
        assert [name for batch in loader for name in batch.names] == [str(i) for i in range(n)]
    batches = list(module.train_dataloader())
    assert [batch.n_shapes for batch in batches] == [3, 3, 1]
    assert sorted(name for batch in batches for name in batch.names) == [str(i) for i in range(7)]
    for batch in batches:
        batch.validate()
        assert batch.ptr.diff().tolist() == [int(name) + 1 for name in batch.names]


def test_a_worker_process_loads_the_same():
    here = [batch.names for batch in Module(batch_size=2).train_dataloader()]
    there = list(Module(batch_size=2, workers=1).train_dataloader())
    assert [batch.names for batch in there] == here
    assert there[0].points.shape == (sum(int(name) + 1 for name in here[0]), 3)


def test_order_follows_from_seed_and_epoch():
    order = Shuffled(50, seed=3)
    first = list(order)
    assert sorted(first) == list(range(50)) and list(order) == first and len(order) == 50
    order.set_epoch(1)
    assert list(order) != first
    assert list(Shuffled(50, seed=3, epoch=1)) == list(order)
    assert list(Shuffled(50, seed=4)) != first


def test_a_resumed_run_sees_what_it_would_have_seen(tmp_path):
    whole = Recorder()
    trainer(3, tmp_path).fit(whole, Module(batch_size=2, seed=5))
    half = Recorder()
    first = trainer(2, tmp_path)
    first.fit(half, Module(batch_size=2, seed=5))
    first.save_checkpoint(tmp_path / "half.ckpt")
    resumed, data = Recorder(), Module(batch_size=2, seed=5)
    trainer(3, tmp_path).fit(resumed, data, ckpt_path=tmp_path / "half.ckpt")
    want = [row for row in whole.seen if row[:2] == ("train", 2)]
    got = [row for row in resumed.seen if row[0] == "train"]
    assert [row[1:3] for row in got] == [row[1:3] for row in want]
    assert all(torch.equal(a[3], b[3]) for a, b in zip(got, want))  # augmented alike
    orders = {tuple(n for row in whole.seen if row[:2] == ("train", epoch) for n in row[2]) for epoch in range(3)}
    assert len(orders) == 3


def test_only_training_batches_are_augmented(tmp_path):
    model = Recorder()
    trainer(1, tmp_path).fit(model, Module(batch_size=2))
    for stage, _, names, points in model.seen:
        plain = torch.cat([Numbered(7)[int(name)].points for name in names])
        assert torch.equal(points, plain) == (stage == "val")


def test_what_is_wrong_says_so():
    with pytest.raises(UnknownNameError, match="any-up"):
        PartDataModule(augmentation="sideways")
    with pytest.raises(NotImplementedError, match="PartDataModule has no val split"):
        PartDataModule().val_dataloader()
