"""PartDataModule: loaders, collation and augmentation, the same for every part dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import lightning
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from partseg.data.batch import PartBatch
from partseg.data.transforms import PRESETS
from partseg.errors import UnknownNameError


@runtime_checkable
class PartDataset(Protocol):
    """What a dataset is: shapes by number, each a batch of one with labels per level (and its hierarchy)."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> PartBatch: ...


class Shuffled(Sampler[int]):
    """0 … n-1 in an order that follows from the seed and the epoch alone, so that a resumed run goes on as it would
    have; the Trainer says which epoch it is."""

    def __init__(self, n: int, seed: int = 0, epoch: int = 0) -> None:
        self.n, self.seed, self.epoch = n, seed, epoch

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[int]:
        return iter(torch.randperm(self.n, generator=self._generator()).tolist())

    def _generator(self) -> torch.Generator:
        seed = int(np.random.SeedSequence([self.seed, self.epoch]).generate_state(1)[0])
        return torch.Generator().manual_seed(seed)


class Balanced(Shuffled):
    """As many draws as there are shapes, every category equally often, with repetition."""

    def __init__(self, categories: Sequence[str], seed: int = 0, epoch: int = 0) -> None:
        super().__init__(len(categories), seed, epoch)
        _, number, count = np.unique(np.asarray(categories), return_inverse=True, return_counts=True)
        self.weights = torch.from_numpy(1.0 / count[number])

    def __iter__(self) -> Iterator[int]:
        return iter(torch.multinomial(self.weights, self.n, replacement=True, generator=self._generator()).tolist())


class PartDataModule(lightning.LightningDataModule):
    """Base of the datamodules: a subclass says which dataset a split has; everything else stands here.

    Batches are `PartBatch`es. Augmentation runs after the transfer to the device, on training batches only, with random
    numbers that follow from `seed`, the epoch and the batch, so that a run resumed
    between epochs sees what it would have seen (Lightning does not skip the batches of an epoch already begun).

    Args:
        batch_size: shapes in a batch.
        workers: loader processes; 0 loads in the training process.
        augmentation: name of a preset in `partseg.data.transforms.PRESETS`.
        seed: of the order of shapes and of augmentation.
    """

    def __init__(self, batch_size: int = 4, workers: int = 0, augmentation: str = "any-up", seed: int = 0) -> None:
        super().__init__()
        if augmentation not in PRESETS:
            raise UnknownNameError(f"unknown augmentation {augmentation!r}; there are {', '.join(PRESETS)}")
        self.batch_size, self.workers, self.seed = batch_size, workers, seed
        self.augmentation = PRESETS[augmentation]

    def dataset(self, split: str) -> Dataset:
        """The dataset of "train", "val", "test" or "predict"."""
        raise NotImplementedError(f"{type(self).__name__} has no {split} split")

    def sampler(self, dataset: Dataset) -> Shuffled:
        """The order of training shapes."""
        return Shuffled(len(dataset), self.seed, self._epoch)

    def train_dataloader(self) -> DataLoader:
        dataset = self.dataset("train")
        return self._loader(dataset, sampler=self.sampler(dataset))

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.dataset("val"))

    def test_dataloader(self) -> DataLoader:
        return self._loader(self.dataset("test"))

    def predict_dataloader(self) -> DataLoader:
        return self._loader(self.dataset("predict"))

    def on_after_batch_transfer(self, batch: PartBatch, dataloader_idx: int) -> PartBatch:
        if self.trainer is None or not self.trainer.training:
            return batch
        seed = hash((self.seed, self.trainer.global_rank, self._epoch, self.trainer.fit_loop.batch_idx)) % 2**63
        return self.augmentation(batch, torch.Generator().manual_seed(seed))

    @property
    def _epoch(self) -> int:
        return 0 if self.trainer is None else self.trainer.current_epoch

    def _loader(self, dataset: Dataset, **options: Any) -> DataLoader:
        collate: Callable = PartBatch.collate
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            num_workers=self.workers,
            collate_fn=collate,
            persistent_workers=self.workers > 0,
            multiprocessing_context="spawn" if self.workers else None,  # compiled kernels and threads do not fork well
            **options,
        )
