"""Files of what a method predicts on a dataset."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import lightning

from partseg.data.batch import PartBatch


class SavePredictions(lightning.Callback):
    """Writes each segmentation of `predict` into a folder, numbered in the order of the data.

    Args:
        folder: made when missing.
        formats: suffixes that `Segmentation.save` knows: npz (everything), glb, ply, json.
    """

    def __init__(self, folder: str = "predictions", formats: tuple[str, ...] = ("npz",)) -> None:
        self.folder, self.formats = Path(folder), formats
        self.count = 0

    def on_predict_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.count = trainer.global_rank

    def on_predict_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: PartBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Save what `predict_step` returned."""
        for seg in outputs:
            stem = file_stem(self.count, seg.shape.name)
            for suffix in self.formats:
                seg.save(self.folder / f"{stem}.{suffix.removeprefix('.')}")
            self.count += trainer.world_size  # ranks take shapes in turn


def file_stem(number: int, name: str) -> str:
    """A file's name for the shape with a number in the order of the data: "000012-chair-4"."""
    return f"{number:06d}-" + re.sub(r"[^\w.-]+", "-", name)
