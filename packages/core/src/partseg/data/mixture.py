"""Several datasets as one to train on, in given shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import Dataset

from partseg.data.batch import PartBatch
from partseg.data.datamodule import PartDataModule
from partseg.errors import PartsegError


class MixedDataset(Dataset):
    """As many shapes as the first source has; shape i is the first source's own or drawn from another one.

    Which it is follows from (seed, i) alone. Levels are renamed to those of the first source, finest to finest; a level
    that a source lacks is unlabelled there, and levels beyond the first source's are left out, as are classes.

    Args:
        sources: datasets of `PartBatch`es of one shape.
        shares: of each source; they need not sum to 1.
        levels: the levels of the first source, coarse to fine.
        points: a random subset of so many points of each shape; None serves all.
        seed: of the draws.
    """

    def __init__(
        self,
        sources: Sequence[Dataset],
        shares: Sequence[float],
        levels: Sequence[str],
        points: int | None = None,
        seed: int = 0,
    ) -> None:
        self.sources, self.levels, self.points, self.seed = tuple(sources), tuple(levels), points, seed
        self.share = np.array(shares, float) / np.sum(shares)

    def __len__(self) -> int:
        return len(self.sources[0])

    def __getitem__(self, i: int) -> PartBatch:
        if not 0 <= i < len(self):
            raise IndexError(f"shape {i} of {len(self)}")
        rng = np.random.default_rng([self.seed, i])
        source = self.sources[int(rng.choice(len(self.sources), p=self.share))]
        shape = source[i] if source is self.sources[0] else source[int(rng.integers(len(source)))]
        if self.points is not None and self.points < len(shape.points):
            rows = torch.zeros(len(shape.points), dtype=torch.bool)
            rows[torch.from_numpy(rng.permutation(len(rows))[: self.points])] = True
            shape = shape.selected(rows)
        return replace(shape, labels=self._renamed(shape), semantics={}, hierarchies=())

    def _renamed(self, shape: PartBatch) -> dict[str, torch.Tensor]:
        own = list(shape.labels.values())[-len(self.levels) :]
        unknown = torch.full((len(shape.points),), -1)
        return dict(zip(self.levels, [unknown] * (len(self.levels) - len(own)) + own))


class Mixture(PartDataModule):
    """Training shapes of several datasets; validation, test and prediction are those of the first.

    Args:
        sources: datamodules; of each, the batch size, the workers and the augmentation are not used.
        shares: share of each in training, as many as sources.
        levels: level names of the first source, coarse to fine.
        points: a random subset of so many points of each training shape; None takes all.
        batch_size, workers, augmentation, seed: see `PartDataModule`.
    """

    def __init__(
        self,
        sources: list[PartDataModule],
        shares: list[float],
        levels: list[str],
        points: int | None = None,
        batch_size: int = 4,
        workers: int = 0,
        augmentation: str = "any-up",
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, workers, augmentation, seed)
        if not sources or len(sources) != len(shares):
            raise PartsegError(f"{len(sources)} sources, but {len(shares)} shares")
        if min(shares) < 0 or sum(shares) <= 0:
            raise PartsegError("shares must not be negative, and one of them has to be positive")
        self.sources, self.shares, self.levels, self.points = sources, shares, levels, points

    def dataset(self, split: str) -> Dataset:
        if split != "train":
            return self.sources[0].dataset(split)
        used = [source.dataset("train") for source in self.sources]
        return MixedDataset(used, self.shares, self.levels, self.points, self.seed)
