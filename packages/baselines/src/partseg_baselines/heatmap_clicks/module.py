"""Heat-map clicks as a method: training on parts of any labelled shapes, and click sessions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from partseg.data.batch import PartBatch
from partseg.geometry.shape import Shape
from partseg.methods.method import Method, shapes_of
from partseg.ops.normals import estimate_normals
from partseg.spec import MethodSpec
from partseg_baselines.heatmap_clicks.config import HeatmapClicksConfig
from partseg_baselines.heatmap_clicks.model import HeatmapNetwork
from partseg_baselines.heatmap_clicks.session import HeatmapClicks
from partseg_baselines.heatmap_clicks.training import drawn_parts, part_loss, simulated_clicks
from partseg_baselines.point_shapes import DenseShapes
from partseg_baselines.spec import HEATMAP_CLICKS


class HeatmapClicksModule(Method):
    """One network for shapes and parts of all kinds."""

    spec: ClassVar[MethodSpec] = HEATMAP_CLICKS
    config_class: ClassVar[type[HeatmapClicksConfig]] = HeatmapClicksConfig
    config: HeatmapClicksConfig

    def __init__(self, config: HeatmapClicksConfig = HeatmapClicksConfig()) -> None:  # noqa: B008 (frozen)
        super().__init__(config)
        self.model = HeatmapNetwork(config)

    def start(self, shape: Shape) -> HeatmapClicks:
        """A session on a mesh, cloud or splat field; see `HeatmapClicks` and `inference` of the config."""
        inference = self.config.inference
        return HeatmapClicks(
            shape, self.model, sigma=self.config.clicks.sigma, points=inference.points, batch=inference.batch,
            seed=self.seed,
        )  # fmt: skip

    def compute_loss(
        self, batch: PartBatch, generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Loss for one part of every shape after some clicks, and the mean IoU there (0..1, no gradient).

        Args:
            batch: with labels. Without normals they are estimated. generator: of everything drawn, on the CPU.
        """
        shapes = self._dense(batch, generator)
        target, known = drawn_parts(shapes.labels, generator), shapes.labels >= 0
        heat = simulated_clicks(self.model, shapes, target, self.config.clicks, generator)
        logits = self.model(shapes.points, shapes.normals, heat)
        found = (logits > 0) & known
        iou = (found & target).sum(1) / (found | target).sum(1).clamp(min=1)
        return part_loss(logits, target, known), iou.mean()

    def training_step(self, batch: PartBatch, batch_idx: int) -> Tensor:
        return self._logged("train", batch, *self.compute_loss(batch))

    def validation_step(self, batch: PartBatch, batch_idx: int) -> Tensor:
        generator = torch.Generator().manual_seed(batch_idx)  # the same parts and clicks every time
        return self._logged("val", batch, *self.compute_loss(batch, generator))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.config.optim.learning_rate)
        steps = self.trainer.estimated_stepping_batches
        if not math.isfinite(steps):  # trained for a time: nobody knows where the cosine would end
            return optimizer
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(int(steps), 1))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _dense(self, batch: PartBatch, generator: torch.Generator | None) -> DenseShapes:
        data = self.config.data
        if batch.surface is not None:
            batch = batch.selected(batch.surface)
        if batch.normals is None:
            normals = np.concatenate([estimate_normals(shape.points) for shape in shapes_of(batch)])
            batch = replace(batch, normals=torch.from_numpy(normals).to(batch.points))
        level = data.level
        if level is None and batch.labels:
            level = list(batch.labels)[int(torch.randint(len(batch.labels), (), generator=generator))]
        return DenseShapes.of(batch, level, points=data.points, generator=generator)

    def _logged(self, stage: str, batch: PartBatch, loss: Tensor, iou: Tensor) -> Tensor:
        self.log(f"{stage}/loss", loss.detach(), prog_bar=True, batch_size=batch.n_shapes)
        self.log(f"{stage}/iou", iou, batch_size=batch.n_shapes)
        return loss
