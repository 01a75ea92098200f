"""Embedded data beside the procedural shapes: furnished rooms, and assemblies of primitive patches.

Both are made on demand and kept in the cache like datasets on disk; shape i of a split follows from (seed, split, i).
"""

from __future__ import annotations

import numpy as np

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy
from partseg.data.from_files import FilesDataModule
from partseg.data.reading import Normalization
from partseg.data.reshuffle import KINDS, Placement, Repository, abc_repository, procedural_repository, reshuffle
from partseg.data.rooms import CLASSES, LEVEL, RoomSettings, room
from partseg.geometry.shape import Shape

_PRIMITIVES = "primitives"
_SPLITS = ("train", "val", "test")


class _Endless(Reader):
    """A reader of made shapes: so many of each split."""

    def __init__(self, sizes: tuple[int, int, int], seed: int) -> None:
        super().__init__(".")
        self._sizes = sizes  # the shapes themselves do not depend on them
        self.seed = seed

    def index(self) -> tuple[PartItem, ...]:
        return tuple(
            PartItem(f"{split}/{i}", self.category, split, row=i)
            for split, size in zip(_SPLITS, self._sizes, strict=True)
            for i in range(size)
        )

    category = ""

    def sequence(self, item: PartItem) -> int:
        """The seed of the split's endless sequence."""
        return int(np.random.SeedSequence([self.seed, _SPLITS.index(item.split)]).generate_state(1)[0])


class RoomReader(_Endless):
    """Furnished rooms, see `partseg.data.rooms`."""

    category = "room"

    def __init__(self, sizes: tuple[int, int, int], seed: int, settings: RoomSettings) -> None:
        super().__init__(sizes, seed)
        self.settings = settings

    def load(self, item: PartItem) -> PartSample:
        return room(self.sequence(item), item.row, self.settings).sample(item.name)

    def taxonomy(self) -> Taxonomy:
        return {LEVEL: CLASSES}


class PrimitiveReader(_Endless):
    """Assemblies of primitive patches, see `partseg.data.reshuffle`."""

    category = "assembly"

    def __init__(
        self, sizes: tuple[int, int, int], seed: int, points: int, patches: int, placement: Placement, abc: str | None
    ) -> None:
        super().__init__(sizes, seed)
        self.points, self.patches, self.placement, self.abc = points, patches, placement, abc
        self._repository: Repository | None = None

    def load(self, item: PartItem) -> PartSample:
        made = reshuffle(self.sequence(item), item.row, self.placement, self.repository(), self.points)
        cloud = Shape.from_points(made.points, normals=made.normals, name=item.name)
        return PartSample(cloud, {_PRIMITIVES: made.labels}, {_PRIMITIVES: made.semantics})

    def taxonomy(self) -> Taxonomy:
        return {_PRIMITIVES: KINDS}

    def repository(self) -> Repository:
        """The patches, made (or cut out of ABC's models) when first needed."""
        if self._repository is None:
            made = procedural_repository if self.abc is None else abc_repository
            sources = {} if self.abc is None else {"root": self.abc}
            self._repository = made(patches=self.patches, seed=self.seed, **sources)
        return self._repository


class ProceduralRooms(FilesDataModule):
    """Furnished rooms of procedural objects.

    Args:
        train_size, val_size, test_size: rooms in each split.
        points: points of a room.
        views: places it is scanned from; None gives the whole surface.
        clutter: most small objects on tables and chests.
        settings: see `FilesDataModule`.
    """

    name = "procedural-rooms"

    def __init__(
        self,
        train_size: int = 1000,
        val_size: int = 32,
        test_size: int = 64,
        points: int = 18_000,
        views: int | None = 8,
        clutter: int = 14,
        normalize: Normalization = "none",
        augmentation: str = "gspn",
        seed: int = 0,
        **settings,
    ) -> None:
        made = RoomSettings(points=points, views=views, clutter=clutter)
        reader = RoomReader((train_size, val_size, test_size), seed, made)
        super().__init__(reader, points=None, normalize=normalize, augmentation=augmentation, seed=seed, **settings)


class Primitives(FilesDataModule):
    """Assemblies of primitive patches (ABC Reshuffle).

    Args:
        train_size, val_size, test_size: shapes in each split; the paper trains on 40,000.
        points: points of a shape.
        patches: patches in the repository.
        placement: the rules of assembly.
        abc: root of the ABC data set, to cut patches out of its models; None makes procedural ones.
        settings: see `FilesDataModule`.
    """

    name = "primitives"

    def __init__(
        self,
        train_size: int = 40_000,
        val_size: int = 64,
        test_size: int = 256,
        points: int = 4096,
        patches: int = 512,
        placement: Placement = Placement(),  # noqa: B008 (frozen)
        abc: str | None = None,
        cache: str | None = None,
        seed: int = 0,
        **settings,
    ) -> None:
        reader = PrimitiveReader((train_size, val_size, test_size), seed, points, patches, placement, abc)
        super().__init__(reader, points=None, normalize="none", cache=cache, seed=seed, **settings)
