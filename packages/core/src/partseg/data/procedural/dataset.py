"""The embedded default dataset: endless procedural shapes, split by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from partseg.data.batch import PartBatch
from partseg.data.datamodule import PartDataModule
from partseg.data.procedural import FAMILIES, LEVELS, ProceduralShape, generate
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
        families: assembled and fused shapes are of these families only (`partseg.data.procedural.FAMILIES`).
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
        families: Sequence[str] | None = None,
    ) -> None:
        if split not in SPLITS:
            raise UnknownNameError(f"unknown split {split!r}; there are {', '.join(SPLITS)}")
        kinds = {"assembled": 0.35, "fused": 0.25, "organic": 0.4} if kinds is None else dict(kinds)
        if unknown := set(kinds) - set(KINDS):
            raise UnknownNameError(f"unknown kinds {sorted(unknown)}; there are {', '.join(KINDS)}")
        share = np.array([kinds.get(kind, 0.0) for kind in KINDS])
        self.share = share / share.sum()
        self.families = tuple(sorted(families or ()))
        if unknown := sorted(set(self.families) - set(FAMILIES)):
            raise UnknownNameError(f"unknown families {unknown}; there are {', '.join(sorted(FAMILIES))}")
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
            family = self.families[int(rng.integers(len(self.families)))] if self.families else None
            shape = generate(seed, i, family)
            return fuse(shape, rng) if kind == "fused" else shape

        if self.cache is None or kind == "assembled":
            return build()
        # what is drawn from rng after the kind does not depend on the shares
        shape, _ = self.cache.get(
            {"dataset": kind, "seed": self.entropy[0], "split": self.entropy[1], "index": i}
            | ({"families": list(self.families)} if self.families and kind == "fused" else {}),
            build,
        )
        return shape

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
