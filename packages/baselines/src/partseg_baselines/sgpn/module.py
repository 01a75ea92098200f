"""SGPN as a method: training in one or two stages, thresholds from validation, segmenting."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor

from partseg.data.batch import PartBatch
from partseg.methods import weights
from partseg.nn import freeze_norms
from partseg.spec import MethodSpec
from partseg_baselines.point_method import PointMethod
from partseg_baselines.point_parts import PointParts
from partseg_baselines.point_shapes import DenseShapes
from partseg_baselines.sgpn.config import SgpnConfig
from partseg_baselines.sgpn.grouping import Calibration, parts_of
from partseg_baselines.sgpn.losses import sgpn_loss
from partseg_baselines.sgpn.model import Prediction, Sgpn
from partseg_baselines.spec import SGPN


class SgpnModule(PointMethod):
    """One network for a category and level.

    The buffers `thresholds` and `sizes` (one entry a class) are set by every validation run and saved with the weights.
    """

    spec: ClassVar[MethodSpec] = SGPN
    config_class: ClassVar[type[SgpnConfig]] = SgpnConfig
    config: SgpnConfig
    thresholds: Tensor
    sizes: Tensor

    def __init__(self, config: SgpnConfig = SgpnConfig()) -> None:  # noqa: B008 (frozen)
        super().__init__(config)
        self.model = Sgpn(config)
        self.register_buffer("thresholds", torch.full((config.data.classes,), config.inference.threshold))
        self.register_buffer("sizes", torch.zeros(config.data.classes))
        self._calibration: Calibration | None = None

    def setup(self, stage: str) -> None:
        """Start from the weights of the first stage, where the config names some."""
        if stage == "fit" and self.config.optim.start is not None:
            found = weights.read(weights.locate(self.config.optim.start, self.spec))
            self.load_state_dict(found.state)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if mode and self.config.optim.freeze_norm:
            freeze_norms(self)
        return self

    def compute_loss(self, shapes: DenseShapes) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        return sgpn_loss(self.model(shapes.points), shapes, self._epoch, self.config.loss)

    def on_validation_epoch_start(self) -> None:
        inference, loss = self.config.inference, self.config.loss
        self._calibration = Calibration(self.config.data.classes, inference.bins, loss.same_class_margin)

    def validation_step(self, batch: PartBatch, batch_idx: int) -> Tensor:
        shapes = self.dense(batch, batch_idx)
        prediction: Prediction = self.model(shapes.points)
        loss, log = sgpn_loss(prediction, shapes, self._epoch, self.config.loss)
        for features, labels, classes in zip(prediction.similarity, shapes.labels, shapes.classes, strict=True):
            self._calibration.update(features, labels, classes, self.config.loss.rows)
        self._log("val", loss, log, batch)
        return loss

    def on_validation_epoch_end(self) -> None:
        """Set thresholds and sizes from what all processes have seen."""
        if self.trainer.sanity_checking:
            return
        found = self._calibration
        for name in ("pairs", "points", "parts"):
            counts = getattr(found, name).to(device=self.device)
            setattr(found, name, self.trainer.strategy.reduce(counts, reduce_op="sum").cpu())
        self.thresholds.copy_(found.thresholds(self.config.inference.threshold))
        self.sizes.copy_(found.sizes())

    def parts_of(self, points: Float[Tensor, "n 3"]) -> PointParts:
        return parts_of(self.model(points[None]), self.thresholds, self.sizes, self.config.inference)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.config.optim.learning_rate)

    @property
    def _epoch(self) -> int:
        return 0 if self._trainer is None else self.trainer.current_epoch
