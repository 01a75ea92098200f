"""From a reader's samples to batches: points sampled and normalised once, kept in the cache, served as `PartBatch`."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch.utils.data import Dataset

from partseg.data.batch import PartBatch
from partseg.data.cache import EntryCache
from partseg.data.formats.base import PartItem, PartSample, Reader
from partseg.errors import InputError, PartsegError, ShapeWarning, UnknownNameError
from partseg.geometry.interior import interior_points
from partseg.geometry.sampling import sample_surface
from partseg.geometry.shape import Shape
from partseg.parts.hierarchy import PartHierarchy

Normalization = Literal["box", "sphere", "none"]
_EXTENT = 1.8
_TEXTS = ("name", "symmetry", "level_names")  # of PartHierarchy.to_arrays: not numbers


class ReaderDataset(Dataset):
    """The shapes of a reader as batches of one.

    Args:
        reader: a dataset on disk.
        points: points of each shape: sampled by area from a mesh, drawn without repetition from a larger cloud; fewer
            where a cloud has fewer. None: every point of a cloud (a mesh needs a number).
        level: serve this level's labels alone; None serves all.
        normalize: "box" puts the box's centre at the origin and its longest side to 1.8, "sphere" the largest distance
            from the box's centre to 1, "none" leaves the file's units.
        cache: folder of prepared copies; None reads the files every time. Items are the same either way.
        items: which shapes (default: all of the reader's).
        interior: labelled points inside the solids, after the surface points and without normals; needs normals.
        hierarchies: serve the part trees too.
        skip_damaged: serve the next good shape in place of one that cannot be read, with a warning for each.

    A shape's points follow from its name, so they are the same in every epoch, process and run.
    """

    def __init__(
        self,
        reader: Reader,
        points: int | None = 10_000,
        *,
        level: str | None = None,
        normalize: Normalization = "box",
        cache: str | Path | None = None,
        items: Sequence[PartItem] | None = None,
        interior: int = 0,
        hierarchies: bool = False,
        skip_damaged: bool = False,
    ) -> None:
        if normalize not in get_args(Normalization):
            raise UnknownNameError(
                f"unknown normalisation {normalize!r}; there are {', '.join(get_args(Normalization))}"
            )
        self.reader, self.points, self.level, self.normalize = reader, points, level, normalize
        self.interior, self.hierarchies, self.skip_damaged = interior, hierarchies, skip_damaged
        self.items = reader.index() if items is None else tuple(items)
        # root and split only say where and which shapes are; private attributes are what a reader remembers
        chosen = {k: v for k, v in vars(reader).items() if k not in ("root", "split") and not k.startswith("_")}
        options = {key: str(chosen[key]) for key in sorted(chosen)}
        recipe = {
            "reader": type(reader).__qualname__,
            "version": reader.version,
            "options": options,
            "points": points,
            "normalize": normalize,
        }
        self.cache = None if cache is None else EntryCache(cache, recipe)
        self.damaged: dict[int, InputError] = {}

    def __len__(self) -> int:
        return len(self.items)

    def prepare(self, i: int) -> bool:
        """See that shape i is in the cache; returns whether it had to be made.

        Raises:
            InputError: its files cannot be read, or the cache cannot be written to.
        """
        if self.cache is None:
            raise PartsegError("there is no cache to prepare")
        item = self.items[i]
        if self.cache.read(item.name, item.files) is not None:
            return False
        self.cache.write(item.name, item.files, *self._pack(item))
        return True

    def __getitem__(self, i: int) -> PartBatch:
        if not 0 <= i < len(self):
            raise IndexError(f"shape {i} of {len(self)}")
        for _ in range(len(self)):
            try:
                if i in self.damaged:
                    raise self.damaged[i]
                return self._serve(i)
            except InputError as error:
                if not self.skip_damaged:
                    raise
                if i not in self.damaged:
                    warnings.warn(f"left out: {error}", ShapeWarning, stacklevel=2)
                    self.damaged[i] = error
                i = (i + 1) % len(self)
        raise InputError(self.reader.root, f"none of the {len(self)} shapes can be read")

    def _serve(self, i: int) -> PartBatch:
        item = self.items[i]
        entry = None if self.cache is None else self.cache.read(item.name, item.files)
        if entry is not None:
            return self._batch(item, entry.arrays, entry.about)
        arrays, about = self._pack(item)
        if self.cache is not None:
            self.cache.write(item.name, item.files, arrays, about)
        return self._batch(item, arrays, about)

    def _pack(self, item: PartItem) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        return pack(self.reader.load(item), self.points, self.normalize, seed_of(item.name))

    def _batch(self, item: PartItem, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> PartBatch:
        points = torch.from_numpy(arrays["points"])
        normals = torch.from_numpy(arrays["normals"]) if "normals" in arrays else None
        colors = torch.from_numpy(arrays["colors"]).float() / 255 if "colors" in arrays else None
        batch = PartBatch(
            points=points,
            ptr=torch.tensor([0, len(points)]),
            normals=normals,
            colors=colors,
            labels=self._levels(item, arrays, about["labels"], "labels"),
            semantics=self._levels(item, arrays, about["semantics"], "semantics"),
            hierarchies=(_hierarchy(arrays, about["hierarchy"]),) if self.hierarchies and about["hierarchy"] else (),
            names=(item.name,),
            categories=(item.category,),
        )
        return with_interior(batch, self.interior, seed=seed_of(item.name)) if self.interior else batch

    def _levels(self, item: PartItem, arrays: Mapping, names: list[str], what: str) -> dict[str, torch.Tensor]:
        if self.level is not None and what == "labels" and self.level not in names:
            raise InputError(item.name, f"expected labels at level {self.level!r}, found {', '.join(names) or 'none'}")
        kept = [name for name in names if self.level in (None, name)]
        return {name: torch.from_numpy(arrays[f"{what}.{name}"]).long() for name in kept}


def seed_of(text: str) -> int:
    """A seed that follows from a name, 0..2³²-1."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def pack(
    sample: PartSample, points: int | None, normalize: Normalization, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the plain data of a prepared copy (see `ReaderDataset` for the arguments).

    Raises:
        PartsegError: a mesh without a number of points.
    """
    shape = sample.shape
    scale, centre = frame(shape, normalize)
    arrays: dict[str, np.ndarray] = {}
    if shape.is_mesh:
        if points is None:
            raise PartsegError("a mesh needs a number of points to sample")
        xyz, normals, rows = sample_surface((shape.vertices - centre) * scale, shape.faces, points, seed)
        arrays |= {"points": xyz.astype(np.float32), "normals": normals.astype(np.float32)}
    else:
        n = shape.n_elements
        rows = np.arange(n) if points is None or n <= points else np.random.default_rng(seed).permutation(n)[:points]
        arrays["points"] = ((shape.points[rows] - centre) * scale).astype(np.float32)
        if shape.normals is not None:
            arrays["normals"] = shape.normals[rows].astype(np.float32)
        if shape.colors is not None:
            arrays["colors"] = np.round(shape.colors[rows] * 255).astype(np.uint8)
    arrays |= {f"labels.{level}": values[rows].astype(np.int32) for level, values in sample.labels.items()}
    arrays |= {f"semantics.{level}": values[rows].astype(np.int32) for level, values in sample.semantics.items()}
    about: dict[str, Any] = {
        "labels": list(sample.labels), "semantics": list(sample.semantics), "hierarchy": None,
        "scale": scale, "centre": centre.tolist(),
    }  # fmt: skip
    if (tree := sample.hierarchy) is not None:
        symmetry = [s and replace(s, point=tuple((np.array(s.point) - centre) * scale)) for s in tree.symmetry]
        symmetry = [replace(s, step=s.step * scale) if s and s.kind == "translational" else s for s in symmetry]
        told = replace(tree, leaf_of=tree.leaf_of[rows], symmetry=tuple(symmetry)).to_arrays()
        about["hierarchy"] = {key: told.pop(key).tolist() for key in _TEXTS}
        arrays |= {f"hierarchy.{key}": values for key, values in told.items()}
    return arrays, about


def frame(shape: Shape, normalize: Normalization) -> tuple[float, Float[np.ndarray, "3"]]:
    """(scale, centre): normalised coordinates are (xyz - centre) * scale. A shape without extent keeps its size."""
    if normalize == "none":
        return 1.0, np.zeros(3)
    low, high = np.asarray(shape.bounds, np.float64)
    centre = (low + high) / 2
    if normalize == "box":
        size = (high - low).max() / _EXTENT
    else:
        corners = shape.vertices[np.unique(shape.faces)] if shape.is_mesh else shape.points
        size = np.linalg.norm(corners - centre, axis=1).max(initial=0.0)
    return (float(1 / size) if size > 0 else 1.0), centre


def with_interior(batch: PartBatch, n: int, seed: int) -> PartBatch:
    """A batch of one with n labelled points inside its solid after its own (see `partseg.geometry.interior`).

    Raises:
        PartsegError: the shape has no normals.
    """
    if batch.normals is None:
        raise PartsegError(f"{batch.names[0]}: points inside a solid need normals")
    rng = np.random.default_rng(seed)
    inside, row = interior_points(batch.points.numpy(), batch.normals.numpy(), n, rng)
    rows = torch.cat([torch.arange(len(batch.points)), torch.from_numpy(row)])
    take = lambda x: None if x is None else x[rows]  # noqa: E731
    return replace(
        batch,
        points=torch.cat([batch.points, torch.from_numpy(inside).float()]),
        ptr=torch.tensor([0, len(rows)]),
        normals=torch.cat([batch.normals, torch.zeros(len(row), 3)]),
        colors=take(batch.colors),
        labels={k: v[rows] for k, v in batch.labels.items()},
        semantics={k: v[rows] for k, v in batch.semantics.items()},
        hierarchies=(),
        surface=torch.arange(len(rows)) < len(batch.points),
    )


def _hierarchy(arrays: Mapping[str, np.ndarray], texts: Mapping[str, Any]) -> PartHierarchy:
    stored = {key.removeprefix("hierarchy."): values for key, values in arrays.items() if key.startswith("hierarchy.")}
    return PartHierarchy.from_arrays(stored | {key: np.array(value) for key, value in texts.items()})
