"""What the learned baselines share as methods: reading batches, segmenting shapes, counting samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from partseg.data.batch import PartBatch
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.method import Method
from partseg.parts.segmentation import Segmentation
from partseg_baselines.point_config import MethodConfig
from partseg_baselines.point_parts import PointParts, sample_of, segmentation
from partseg_baselines.point_shapes import DenseShapes, unit_sphere


class PointMethod(Method):
    """A method that learns from dense clouds and segments shapes through sampled points.

    A subclass sets `spec` and `config_class`, and implements `compute_loss` and `parts_of`.
    """

    config: MethodConfig

    def __init__(self, config: MethodConfig) -> None:
        super().__init__(config)
        self.samples = 0  # training shapes seen, over all processes; goes into checkpoints

    def compute_loss(self, shapes: DenseShapes) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Loss of a batch, and its parts, detached, for the log."""
        raise NotImplementedError

    def parts_of(self, points: Float[Tensor, "n 3"]) -> PointParts:
        """Parts of one cloud in the unit sphere."""
        raise NotImplementedError

    def dense(self, batch: PartBatch, seed: int | None = None) -> DenseShapes:
        """A batch as the networks read it, at the configured level of labels; a seed fixes which points are drawn."""
        data = self.config.data
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return DenseShapes.of(
            batch, data.level, data.classes, normalize=data.normalize, points=data.points, generator=generator
        )

    def training_step(self, batch: PartBatch, batch_idx: int) -> Tensor:
        loss, log = self.compute_loss(self.dense(batch))
        self.samples += batch.n_shapes * self.trainer.world_size
        self._log("train", loss.detach(), log, batch)
        return loss

    def validation_step(self, batch: PartBatch, batch_idx: int) -> Tensor:
        loss, log = self.compute_loss(self.dense(batch, batch_idx))
        self._log("val", loss, log, batch)
        return loss

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        """Parts of a mesh, cloud or splat field, with masks, scores and classes.

        Args:
            shape: sampled here (`inference.points`) and brought into the unit sphere; faces take the majority of their
                points, or that of the nearest.
            parts: at most so many, those of the highest score.
            level: the level it was trained on (`data.level`), or None; it knows no other.

        Raises:
            PartsegError: another level.
        """
        if level is not None and level != self.config.data.level:
            raise PartsegError(f"{self.spec.name} has no level {level!r}; it was trained on {self.config.data.level!r}")
        if parts is not None and parts < 1:
            raise PartsegError(f"parts must be at least 1, not {parts}")
        sample = sample_of(shape, self.config.inference.points, self.seed)
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                points = torch.tensor(np.ascontiguousarray(sample.points), device=self.device)
                found = self.parts_of(unit_sphere(points[None])[0])
        finally:
            self.train(training)
        return segmentation(shape, sample, found, parts, complete=self.config.inference.complete)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["partseg"]["samples"] = self.samples

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.samples = int(checkpoint.get("partseg", {}).get("samples", 0))

    def _log(self, stage: str, loss: Tensor, log: dict[str, Tensor], batch: PartBatch) -> None:
        self.log(f"{stage}/loss", loss, prog_bar=True, batch_size=batch.n_shapes)
        self.log_dict({f"{stage}/{key}": value for key, value in log.items()}, batch_size=batch.n_shapes)
