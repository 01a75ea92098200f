"""Scores of predicted parts against the labels of a batch, level by level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning
import numpy as np
from lightning.pytorch.utilities import rank_zero_warn

from partseg.data.batch import PartBatch
from partseg.methods.capabilities import Segmenter
from partseg.metrics.class_agnostic import ClassAgnosticMeanIoU
from partseg.parts.segmentation import Segmentation


class EvaluateParts(lightning.Callback):
    """Logs `<stage>/miou_<level>`: class-agnostic mIoU (0..1), for each level of labels that the data has.

    A method whose result has a merge tree is scored by the cut of at most `max_parts` parts that suits each truth best,
    as PartField's paper does; one without a tree by its labels. Validation scores nothing for a method that does not
    segment, and says so.

    Args:
        max_parts: finest cut that is tried.
        validation_shapes: how many shapes of a validation run are segmented and scored; 0 for none, which is the
            default because segmenting takes longer than the loss.
    """

    def __init__(self, max_parts: int = 20, validation_shapes: int = 0) -> None:
        self.max_parts, self.validation_shapes = max_parts, validation_shapes
        self.metrics: dict[str, ClassAgnosticMeanIoU] = {}
        self.seen = 0

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Say early what will be missing."""
        if stage in ("fit", "validate") and self.validation_shapes and not isinstance(pl_module, Segmenter):
            rank_zero_warn("validation_shapes: nothing is scored, this method does not segment shapes")

    def on_test_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._reset()

    def on_validation_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._reset()

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: PartBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Score what `test_step` returned."""
        self.update(outputs, batch)

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: PartBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Segment and score shapes until there are enough."""
        wanted = self.seen < self.validation_shapes and not trainer.sanity_checking
        if wanted and isinstance(pl_module, Segmenter):
            self.update(pl_module.predict_step(batch, batch_idx), batch)

    def on_test_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._log("test", pl_module)

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._log("val", pl_module)

    def update(self, segmentations: Sequence[Segmentation], batch: PartBatch) -> None:
        """Count one batch.

        Args:
            segmentations: one for each shape of the batch, over its points.
            batch: with labels.
        """
        ptr = batch.ptr.cpu().numpy()
        for level, labels in batch.labels.items():
            metric = self.metrics.setdefault(level, ClassAgnosticMeanIoU(max_parts=self.max_parts))
            truth = labels.cpu().numpy()
            for seg, start, end in zip(segmentations, ptr[:-1], ptr[1:], strict=True):
                metric.update(seg.labels if seg.tree is None else seg.tree, truth[start:end])
        self.seen += len(segmentations)

    def _reset(self) -> None:
        self.metrics, self.seen = {}, 0

    def _log(self, stage: str, module: lightning.LightningModule) -> None:
        # Levels come from the data, so the metrics are no attributes of the module: their sums are reduced here.
        for level, metric in self.metrics.items():
            score = metric.to(module.device).compute()
            if not np.isnan(float(score)):
                module.log(f"{stage}/miou_{level}", score, sync_dist=True)
