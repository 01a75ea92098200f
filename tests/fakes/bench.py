"""Shapes, a protocol and methods for boards of the tests, named as "fakes.bench:…" so that workers find them.

Nothing heavy is imported: workers start quickly. What learns is in `fakes.bench_learned`.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from typing import Any, ClassVar

import numpy as np

from partseg.data.formats.base import PartSample
from partseg.geometry.shape import Shape
from partseg.parts.segmentation import Segmentation
from partseg.spec import ProtocolSpec
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
    """Takes memory, 32 MiB at a time, up to 1 GiB."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        held = []
        for _ in range(32):
            held.append(np.ones(4 << 20))
            time.sleep(0.1)
        return super().segment(shape)
