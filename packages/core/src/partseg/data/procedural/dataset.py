"""The embedded default dataset: endless procedural shapes, split by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from partseg.data.batch import PartBatch
from partseg.data.datamodule import PartDataModule
from partseg.data.procedural import LEVELS
from partseg.data.procedural.endless import ProceduralShapes
from partseg.geometry.interior import interior_points


class ProceduralDataset(ProceduralShapes, Dataset):
    """Points of procedural shapes with normals, and labels at the levels coarse, middle, fine.

    Args:
        split, size, kinds, seed, cache, families: see `ProceduralShapes`.
        points: surface points of each shape.
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
        families: Sequence[str] | None = None,
    ) -> None:
        super().__init__(split, size, kinds, seed, cache, families)
        self.points, self.interior = points, interior

    def __getitem__(self, i: int) -> PartBatch:
        if not 0 <= i < self.size:
            raise IndexError(f"shape {i} of {self.size}")
        shape = self.shape(i)
        sample = shape.sample(self.points, np.random.default_rng([*self.entropy, i, 1]))
        points, normals, surface = sample.points, sample.normals, None
        row = np.arange(self.points)
        if self.interior:
            rng = np.random.default_rng([*self.entropy, i, 2])
            inside, below = interior_points(points, normals, self.interior, rng)
            points, normals = np.concatenate([points, inside]), np.concatenate([normals, np.zeros_like(inside)])
            row = np.concatenate([row, below])
            surface = torch.arange(len(points)) < self.points
        tree = shape.hierarchy
        labels = {level: sample.labels[level][row] for level in LEVELS}
        classes = {level: tree.semantic_id[nodes].astype(np.int64) for level, nodes in shape.level_nodes.items()}
        return PartBatch(
            points=torch.from_numpy(np.ascontiguousarray(points, np.float32)),
            ptr=torch.tensor([0, len(points)]),
            normals=torch.from_numpy(np.ascontiguousarray(normals, np.float32)),
            labels={level: torch.from_numpy(labels[level]) for level in LEVELS},
            semantics={level: torch.from_numpy(classes[level][labels[level]]) for level in LEVELS},
            hierarchies=(tree.over(sample.face_index[row]),),
            names=(f"{shape.family}-{i}",),
            surface=surface,
        )


class Procedural(PartDataModule):
    """Datamodule of the procedural shapes: nothing to download, nothing to configure.

    Args:
        train_size, val_size, test_size: shapes in each split.
        points: surface points of a shape.
        assembled, fused, organic: shares of the three kinds.
        families: assembled and fused shapes are of these families only, e.g. [chair]; none: of all.
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
        families: Sequence[str] | None = None,
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
        self.families = tuple(families or ())
        self.kinds = {"assembled": assembled, "fused": fused, "organic": organic}

    def dataset(self, split: str) -> ProceduralDataset:
        interior = self.interior if split in ("train", "val") else 0
        size = self.sizes[split]
        return ProceduralDataset(split, size, self.points, self.kinds, self.seed, interior, self.cache, self.families)
