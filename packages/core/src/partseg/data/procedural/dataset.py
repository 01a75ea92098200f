"""The embedded default dataset: endless procedural shapes, split by seed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.utils.data import Dataset

from partseg.data.batch import PartBatch
from partseg.data.datamodule import PartDataModule
from partseg.data.procedural import LEVELS, ProceduralShape, generate
from partseg.data.procedural.cache import ShapeCache
from partseg.data.procedural.fused import fuse
from partseg.data.procedural.organic import organic
from partseg.errors import UnknownNameError
from partseg.geometry.interior import interior_points

SPLITS = {"train": 0, "val": 1, "test": 2, "predict": 2}
KINDS = ("assembled", "fused", "organic")


class ProceduralDataset(Dataset):
    """`size` shapes of a split; shape i follows from (seed, split, i) alone, whatever the order of reading.

    Args:
        split: "train", "val" or "test".
        size: number of shapes.
        points: surface points of each, with normals and labels at the levels coarse, middle, fine.
        kinds: share of each kind: "assembled" (several components), "fused" (one remeshed surface), "organic".
        seed: another seed gives other shapes.
        cache: keep fused and organic shapes, the dear ones, on disk (see `partseg.data.procedural.cache`). Items are
            the same either way.
        interior: labelled points inside the solids, after the surface points and without normals;
            `PartBatch.surface` tells them apart.
    """

    def __init__(
        self,
        split: str,
        size: int,
        points: int = 8192,
        kinds: Mapping[str, float] | None = None,
        seed: int = 0,
        interior: int = 0,
        cache: bool = False,
    ) -> None:
        if split not in SPLITS:
            raise UnknownNameError(f"unknown split {split!r}; there are {', '.join(SPLITS)}")
        kinds = {"assembled": 0.35, "fused": 0.25, "organic": 0.4} if kinds is None else dict(kinds)
        if unknown := set(kinds) - set(KINDS):
            raise UnknownNameError(f"unknown kinds {sorted(unknown)}; there are {', '.join(KINDS)}")
        share = np.array([kinds.get(kind, 0.0) for kind in KINDS])
        self.share = share / share.sum()
        self.size, self.points, self.interior = size, points, interior
        self.cache = ShapeCache(n_points=0) if cache else None
        self.entropy = (seed, SPLITS[split])

    def __len__(self) -> int:
        return self.size

    def shape(self, i: int) -> ProceduralShape:
        """The labelled mesh behind item i."""
        rng = np.random.default_rng([*self.entropy, i])
        kind = str(rng.choice(KINDS, p=self.share))
        seed = int(np.random.SeedSequence(self.entropy).generate_state(1)[0])

        def build() -> ProceduralShape:
            if kind == "organic":
                return organic(rng, seed=seed, index=i)
            shape = generate(seed, i)
            return fuse(shape, rng) if kind == "fused" else shape

        if self.cache is None or kind == "assembled":
            return build()
        # what is drawn from rng after the kind does not depend on the shares
        shape, _ = self.cache.get(
            {"dataset": kind, "seed": self.entropy[0], "split": self.entropy[1], "index": i}, build
        )
        return shape

    def __getitem__(self, i: int) -> PartBatch:
        if not 0 <= i < self.size:
            raise IndexError(f"shape {i} of {self.size}")
        shape = self.shape(i)
        sample = shape.sample(self.points, np.random.default_rng([*self.entropy, i, 1]))
        points, normals, labels, surface = sample.points, sample.normals, sample.labels, None
        if self.interior:
            rng = np.random.default_rng([*self.entropy, i, 2])
            inside, row = interior_points(points, normals, self.interior, rng)
            points, normals = np.concatenate([points, inside]), np.concatenate([normals, np.zeros_like(inside)])
            labels = {level: np.concatenate([x, x[row]]) for level, x in labels.items()}
            surface = torch.arange(len(points)) < self.points
        return PartBatch(
            points=torch.from_numpy(np.ascontiguousarray(points, np.float32)),
            ptr=torch.tensor([0, len(points)]),
            normals=torch.from_numpy(np.ascontiguousarray(normals, np.float32)),
            labels={level: torch.from_numpy(labels[level]) for level in LEVELS},
            names=(f"{shape.family}-{i}",),
            surface=surface,
        )


class Procedural(PartDataModule):
    """Datamodule of the procedural shapes: nothing to download, nothing to configure.

    Args:
        train_size, val_size, test_size: shapes in each split.
        points: surface points of a shape.
        assembled, fused, organic: shares of the three kinds.
        interior: labelled points inside each shape, in training and validation.
        cache: keep fused and organic shapes on disk, about 0.3 MB each, for the next epoch or run.
        batch_size, workers, augmentation, seed: see `PartDataModule`.
    """

    def __init__(
        self,
        train_size: int = 10_000,
        val_size: int = 64,
        test_size: int = 256,
        points: int = 8192,
        assembled: float = 0.35,
        fused: float = 0.25,
        organic: float = 0.4,
        interior: int = 0,
        cache: bool = False,
        batch_size: int = 4,
        workers: int = 0,
        augmentation: str = "any-up",
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, workers, augmentation, seed)
        self.sizes = {"train": train_size, "val": val_size, "test": test_size, "predict": test_size}
        self.points, self.interior, self.cache = points, interior, cache
        self.kinds = {"assembled": assembled, "fused": fused, "organic": organic}

    def dataset(self, split: str) -> ProceduralDataset:
        interior = self.interior if split in ("train", "val") else 0
        size = self.sizes[split]
        return ProceduralDataset(split, size, self.points, self.kinds, self.seed, interior, self.cache)
