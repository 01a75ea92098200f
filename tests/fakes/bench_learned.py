"""A method that learns, and the data it learns from, for boards of the tests: "fakes.bench_learned:…"."""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np
import pydantic
import torch
from torch import nn
from torch.utils.data import Dataset

from fakes.bench import POINTS, Shapes
from partseg.data.batch import PartBatch
from partseg.data.datamodule import PartDataModule
from partseg.geometry.shape import Shape
from partseg.methods.method import Method
from partseg.parts.segmentation import Segmentation
from partseg.spec import MethodSpec


class TinyConfig(pydantic.BaseModel, extra="forbid", frozen=True):
    """Config of `Tiny`."""

    width: int = pydantic.Field(default=4, ge=1, description="Width.")
    pause: float = pydantic.Field(default=0.0, ge=0, description="Seconds that a step takes.")


class Tiny(Method):
    """Learns the height at which to cut."""

    spec: ClassVar = MethodSpec(
        name="tiny",
        summary="learns a height",
        method="fakes.bench_learned:Tiny",
        license="MIT",
        capabilities=("segmenter",),
    )
    config_class: ClassVar = TinyConfig

    def __init__(self, config: TinyConfig = TinyConfig()) -> None:  # noqa: B008 (frozen)
        super().__init__(config)
        self.network = nn.Sequential(nn.Linear(1, config.width), nn.Tanh(), nn.Linear(config.width, 1))

    def training_step(self, batch: PartBatch, batch_idx: int) -> torch.Tensor:
        time.sleep(self.config.pause)
        guess = self.network(batch.points[:, 2:].float())[:, 0]
        return nn.functional.binary_cross_entropy_with_logits(guess, batch.labels["parts"].float())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 0.05)

    @torch.no_grad()
    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        guess = self.network(torch.from_numpy(shape.points[:, 2:]).float())[:, 0]
        return Segmentation(shape, (guess > 0).numpy().astype(np.int64))


class TinyDataset(Dataset):
    """The clouds as batches of one."""

    def __init__(self, n: int, seed: int) -> None:
        self.shapes = Shapes(n, None, seed + 1000)

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, i: int) -> PartBatch:
        sample = self.shapes[i]
        points = torch.from_numpy(np.asarray(sample.shape.points, np.float32))
        labels = {level: torch.from_numpy(values) for level, values in sample.labels.items()}
        return PartBatch(points=points, ptr=torch.tensor([0, POINTS]), labels=labels, names=(sample.shape.name,))


class TinyData(PartDataModule):
    """Datamodule of the clouds."""

    def __init__(self, train_size: int = 16, seed: int = 0) -> None:
        super().__init__(batch_size=4, augmentation="none", seed=seed)
        self.train_size = train_size

    def dataset(self, split: str) -> Dataset:
        return TinyDataset(self.train_size, self.seed)
