"""PartNet's detection by segmentation as a method: training, validation, segmenting."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from partseg.spec import MethodSpec
from partseg_baselines.partnet_segmentation.config import PartNetSegmentationConfig
from partseg_baselines.partnet_segmentation.losses import detection_loss
from partseg_baselines.partnet_segmentation.model import PartNetSegmentation, parts_of
from partseg_baselines.point_method import PointMethod
from partseg_baselines.point_parts import PointParts
from partseg_baselines.point_shapes import DenseShapes
from partseg_baselines.spec import PARTNET_SEGMENTATION


class PartNetSegmentationModule(PointMethod):
    """One network for a category and level: masks for a fixed number of slots, matched to the true parts."""

    spec: ClassVar[MethodSpec] = PARTNET_SEGMENTATION
    config_class: ClassVar[type[PartNetSegmentationConfig]] = PartNetSegmentationConfig
    config: PartNetSegmentationConfig

    def __init__(self, config: PartNetSegmentationConfig = PartNetSegmentationConfig()) -> None:  # noqa: B008 (frozen)
        super().__init__(config)
        self.model = PartNetSegmentation(config)

    def compute_loss(self, shapes: DenseShapes) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        return detection_loss(self.model(shapes.points), shapes, self.config.loss)

    def parts_of(self, points: Float[Tensor, "n 3"]) -> PointParts:
        return parts_of(self.model(points[None]), self.config.inference)

    def configure_optimizers(self) -> dict[str, Any]:
        optim = self.config.optim
        optimizer = torch.optim.Adam(self.parameters(), lr=optim.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: optim.decay ** (self.samples // optim.decay_samples)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
