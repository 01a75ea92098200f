"""The datamodule of datasets on disk; `partseg.data.modules` has one subclass a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from partseg.data.cache import cache_root
from partseg.data.datamodule import Balanced, PartDataModule, Shuffled
from partseg.data.formats.base import PartItem, Reader
from partseg.data.reading import Normalization, ReaderDataset, seed_of
from partseg.errors import InputError

_SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def split_of(item: PartItem) -> str:
    """The split its dataset says, else one that follows from its name: 80 % train, 10 % val, 10 % test."""
    if item.split:
        return item.split
    place = seed_of(item.name) / 2**32
    return "train" if place < _SHARES["train"] else "val" if place < 1 - _SHARES["test"] else "test"


def select(items: Sequence[PartItem], split: str) -> tuple[PartItem, ...]:
    """The items of a split; "predict" has them all."""
    return tuple(items) if split == "predict" else tuple(item for item in items if split_of(item) == split)


class FilesDataModule(PartDataModule):
    """A dataset on disk, split as its own files say (else by name: 80 % train, 10 % val, 10 % test).

    Args:
        reader: reads it.
        points: points of each shape; None takes every point of a cloud.
        level: serve this level's labels alone; None serves all.
        normalize: "box" (longest side 1.8), "sphere" (radius 1) or "none" (the file's units).
        cache: folder of prepared copies; "auto" is a folder of this dataset under ``$PARTSEG_CACHE`` or the platform's
            cache folder; None reads the files every time.
        interior: labelled points inside each solid, in training and validation.
        hierarchies: serve the part trees.
        balanced: draw every category equally often in training.
        skip_damaged: go on past shapes that cannot be read, with a warning for each.
        exclude: names of shapes to leave out, for instance for their licence.
        batch_size, workers, augmentation, seed: see `PartDataModule`.
    """

    name: ClassVar[str] = "files"

    def __init__(
        self,
        reader: Reader,
        points: int | None = 10_000,
        level: str | int | None = None,
        normalize: Normalization = "box",
        cache: str | None = "auto",
        interior: int = 0,
        hierarchies: bool = False,
        balanced: bool = False,
        skip_damaged: bool = False,
        exclude: tuple[str, ...] = (),
        batch_size: int = 4,
        workers: int = 0,
        augmentation: str = "any-up",
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, workers, augmentation, seed)
        self.reader, self.points, self.normalize = reader, points, normalize
        self.level = None if level is None else str(level)
        self.cache = cache_root() / "data" / self.name if cache == "auto" else cache
        self.interior, self.hierarchies = interior, hierarchies
        self.balanced, self.skip_damaged = balanced, skip_damaged
        self.exclude = frozenset(exclude)
        self._items: tuple[PartItem, ...] | None = None

    @property
    def items(self) -> tuple[PartItem, ...]:
        """Every shape, indexed once."""
        if self._items is None:
            self._items = tuple(item for item in self.reader.index() if item.name not in self.exclude)
        return self._items

    def dataset(self, split: str) -> ReaderDataset:
        items = select(self.items, split)
        if not items:
            found = ", ".join(sorted({split_of(item) for item in self.items})) or "none"
            raise InputError(
                self.reader.root, f"none of its {len(self.items)} shapes is in split {split!r}", f"splits: {found}"
            )
        return ReaderDataset(
            self.reader,
            self.points,
            level=self.level,
            normalize=self.normalize,
            cache=self.cache,
            items=items,
            interior=self.interior if split in ("train", "val") else 0,
            hierarchies=self.hierarchies,
            skip_damaged=self.skip_damaged,
        )

    def sampler(self, dataset: ReaderDataset) -> Shuffled:
        if self.balanced:
            return Balanced([item.category for item in dataset.items], self.seed, self._epoch)
        return super().sampler(dataset)
