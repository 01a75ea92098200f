"""Packed batches as the dense clouds that a point network reads, and unit spheres."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from partseg.data.batch import PartBatch
from partseg.errors import PartsegError


@dataclass(frozen=True, eq=False)
class DenseShapes:
    """b shapes of n points each.

    Attributes:
        points: (b, n, 3) float32.
        labels: (b, n) int64 parts of each shape, -1 for no part.
        classes: (b, n) int64 classes of these parts, -1 for no part or no class.
        normals: (b, n, 3) float32, or None where the batch has none.
    """

    points: Float[Tensor, "b n 3"]
    labels: Int[Tensor, "b n"]
    classes: Int[Tensor, "b n"]
    normals: Float[Tensor, "b n 3"] | None = None

    @classmethod
    def of(
        cls,
        batch: PartBatch,
        level: str | None = None,
        classes: int = 1,
        *,
        normalize: bool = True,
        points: int | None = None,
        generator: torch.Generator | None = None,
    ) -> DenseShapes:
        """Dense form of a packed batch; shapes with fewer points than the largest repeat their points in turn.

        Args:
            batch: its surface points are taken.
            level: of the labels; None takes the last of the batch, which is the finest.
            classes: how many there are; 1 makes every labelled point one of class 0, whatever its semantics.
            normalize: bring every shape into the unit sphere.
            points: draw at most so many points of each shape, with `generator` (on the CPU).

        Raises:
            PartsegError: no such level, semantics are missing or name classes beyond, or a shape has no points.
        """
        if batch.surface is not None:
            batch = batch.selected(batch.surface)
        if not batch.labels or (level is not None and level not in batch.labels):
            found = ", ".join(batch.labels) or "none"
            raise PartsegError(f"the data has labels of {found}, not of level {level!r}; set data.level of the config")
        level = list(batch.labels)[-1] if level is None else level
        labels = batch.labels[level]
        if classes == 1:
            kinds = torch.where(labels >= 0, 0, -1)
        elif level not in batch.semantics:
            raise PartsegError(f"the data has no classes of level {level!r}; set data.classes of the config to 1")
        else:
            kinds = torch.where(labels >= 0, batch.semantics[level], -1)
            if len(kinds) and (top := int(kinds.max())) >= classes:
                raise PartsegError(f"level {level!r} has a class {top}, but data.classes of the config is {classes}")
        sizes = batch.ptr.diff()
        if bool((sizes == 0).any()):
            raise PartsegError("a shape without points cannot be trained on")
        turn = torch.arange(int(sizes.max()), device=sizes.device)
        rows = (sizes.cumsum(0) - sizes)[:, None] + turn % sizes[:, None]
        if points is not None and rows.shape[1] > points:
            drawn = torch.randperm(rows.shape[1], generator=generator)[:points]
            rows = rows[:, drawn.to(rows.device)]
        xyz = batch.points[rows]
        normals = None if batch.normals is None else batch.normals[rows]
        return cls(unit_sphere(xyz) if normalize else xyz, labels[rows], kinds[rows], normals)

    def one_hot(self) -> Float[Tensor, "b k n"]:
        """A mask for each part, float32; k is the largest number of parts, the masks of parts that a shape lacks are
        empty."""
        k = int(self.labels.max()) + 1 if self.labels.numel() else 0
        number = torch.arange(k, device=self.labels.device)
        return (self.labels[:, None] == number[None, :, None]).float()


def unit_sphere(points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
    """Box centre to the origin, largest distance from it to 1 (a cloud of one position is only centred)."""
    centre, radius = sphere_of(points)
    return (points - centre) / radius


def sphere_of(points: Float[Tensor, "b n 3"]) -> tuple[Float[Tensor, "b 1 3"], Float[Tensor, "b 1 1"]]:
    """Centre of the box, and the largest distance from it (1 for a cloud of one position)."""
    centre = (points.amin(dim=1, keepdim=True) + points.amax(dim=1, keepdim=True)) / 2
    radius = (points - centre).norm(dim=2).amax(dim=1)[:, None, None]
    return centre, torch.where(radius > 0, radius, torch.ones_like(radius))
