"""Shapes, a protocol and methods for boards of the tests, named as "fakes.bench:…" so that workers find them."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from typing import Any, ClassVar

import numpy as np
import pydantic
import torch
from torch import nn
from torch.utils.data import Dataset

from partseg.data.batch import PartBatch
from partseg.data.datamodule import PartDataModule
from partseg.data.formats.base import PartSample
from partseg.geometry.shape import Shape
from partseg.methods.method import Method
from partseg.parts.segmentation import Segmentation
from partseg.spec import MethodSpec, ProtocolSpec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.base import Metric, Protocol

POINTS = 64


class Shapes:
    """Clouds of two parts: below and above a height that differs from shape to shape."""

    def __init__(self, limit: int | None, level: str | None, seed: int = 0) -> None:
        self.ids = tuple(f"cloud/{i}" for i in range(limit or 4))
        self.categories = ("cloud",) * len(self.ids)
        self.taxonomy = {"parts": ("low", "high")}
        self.levels = ("parts",)
        self.seed = seed

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr((self.ids, self.seed)).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> PartSample:
        points = np.random.default_rng([self.seed, i]).random((POINTS, 3))
        labels = (points[:, 2] > 0.5).astype(np.int64)
        return PartSample(Shape.from_points(points, name=self.ids[i]), {"parts": labels}, {"parts": labels})


def shapes(split: str, limit: int | None, level: str | None, seed: int = 0) -> Shapes:
    """What a board names as a dataset."""
    return Shapes(limit, level, seed)


def no_shapes(split: str, limit: int | None, level: str | None) -> Shapes:
    """A dataset whose files are not there."""
    raise FileNotFoundError("no such files")


class Accuracy(Protocol):
    """Share of points with the right label."""

    spec: ClassVar = ProtocolSpec(
        name="accuracy",
        summary="share of points with the right label",
        version="1",
        protocol="fakes.bench:Accuracy",
        capability="segmenter",
        metrics=("accuracy",),
    )
    asks: ClassVar[str] = "segment"

    def score(self, prediction: Prediction | None, sample: PartSample) -> dict[str, Any]:
        if prediction is None:
            return {"missing": True, "scores": {"accuracy": 0.0}}
        return {"scores": {"accuracy": float((prediction.labels == sample.labels["parts"]).mean())}}

    def aggregate(self, records: Any, ids: Any) -> dict[str, Metric]:
        values = [records[name]["scores"]["accuracy"] for name in ids]
        return {"accuracy": Metric(float(np.mean(values)), min(values), max(values), len(values))}


class PartCount(Accuracy):
    """Number of predicted parts: another number from the same predictions."""

    spec: ClassVar = ProtocolSpec(
        name="part-count",
        summary="number of predicted parts",
        version="1",
        protocol="fakes.bench:PartCount",
        capability="segmenter",
        metrics=("accuracy",),
    )

    def score(self, prediction: Prediction | None, sample: PartSample) -> dict[str, Any]:
        return {"scores": {"accuracy": 0.0 if prediction is None else float(len(np.unique(prediction.labels)))}}


class Faulty(Accuracy):
    """A protocol that cannot score."""

    spec: ClassVar = ProtocolSpec(
        name="faulty",
        summary="cannot score",
        version="1",
        protocol="fakes.bench:Faulty",
        capability="segmenter",
        metrics=("accuracy",),
    )

    def score(self, prediction: Prediction | None, sample: PartSample) -> dict[str, Any]:
        raise ZeroDivisionError("no score")


class Clicked(Accuracy):
    """A protocol for methods that take clicks."""

    spec: ClassVar = ProtocolSpec(
        name="clicked",
        summary="for methods that take clicks",
        version="1",
        protocol="fakes.bench:Clicked",
        capability="interactive",
        metrics=("accuracy",),
    )


class Halves:
    """Cuts at half the height, which is the truth."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        return Segmentation(shape, (shape.points[:, 2] > 0.5).astype(np.int64))


class Whole:
    """One part."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        return Segmentation(shape, np.zeros(shape.n_elements, np.int64))


class Broken(Halves):
    """Fails on every shape."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        raise ValueError("this method is broken")


class Flaky(Halves):
    """Fails on one shape."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        if shape.name == "cloud/1":
            raise ValueError("not this one")
        return super().segment(shape)


class Deadly(Halves):
    """Ends its process, and says something before it does."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        print("last words", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError


class Endless(Halves):
    """Never answers."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        while True:
            time.sleep(1)


class Greedy(Halves):
    """Takes memory, 64 MiB at a time, up to 3 GiB."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        held = []
        for _ in range(48):
            held.append(np.ones(8 << 20))
            time.sleep(0.1)
        return super().segment(shape)


class TinyConfig(pydantic.BaseModel, extra="forbid", frozen=True):
    """Config of `Tiny`."""

    width: int = pydantic.Field(default=4, ge=1, description="Width.")
    pause: float = pydantic.Field(default=0.0, ge=0, description="Seconds that a step takes.")


class Tiny(Method):
    """Learns the height at which to cut."""

    spec: ClassVar = MethodSpec(
        name="tiny",
        summary="learns a height",
        method="fakes.bench:Tiny",
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
