"""Pictures of what a method predicts while it trains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
from jaxtyping import Int
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_warn

from partseg.callbacks.predictions import file_stem
from partseg.data.batch import PartBatch
from partseg.errors import PartsegError
from partseg.files import write_aside
from partseg.methods.capabilities import Segmenter
from partseg.parts.picture import caption, contact_sheet
from partseg.parts.segmentation import Segmentation

if TYPE_CHECKING:
    from PIL.Image import Image

KEY = "val/renders"  # of the images, among the metrics
_CELL = 240  # pixels


class LogRenders(lightning.Callback):
    """After every validation, a row of pictures for each of its first shapes: input, truth of each level, prediction.

    Where the run has a W&B logger, the rows are its images `val/renders`; for every other logger they are files,
    `renders/step_<steps done>/<number>-<shape>.png` in the folder of the run. The first process writes, of the shapes
    that it validates. Nothing is drawn for a method that does not segment, without a logger, or in Lightning's sanity
    check.

    Args:
        shapes: how many; 0 for none.
    """

    def __init__(self, shapes: int = 4) -> None:
        self.shapes = shapes
        self.folder: str | None = None
        self.seen = 0
        self.rows: list[tuple[str, Image]] = []

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Ask for the folder of the run, which all processes must do together."""
        self.folder = trainer.log_dir

    def on_validation_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.seen, self.rows = 0, []

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: PartBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Segment and draw shapes until there are enough, with the weights that are validated."""
        if trainer.sanity_checking or not trainer.is_global_zero or not trainer.loggers:
            return
        if not isinstance(pl_module, Segmenter):
            return
        for i in range(min(self.shapes - self.seen, batch.n_shapes)):
            self.seen += 1
            one = batch[i]
            try:
                (seg,) = pl_module.predict_step(one, batch_idx)
            except PartsegError as error:  # a picture is not worth a training
                rank_zero_warn(f"no picture of a validation shape: {error}")
                continue
            row = comparison(seg, {level: labels.cpu().numpy() for level, labels in one.labels.items()})
            self.rows.append((seg.shape.name, row))

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Hand the rows to the loggers."""
        if not self.rows:
            return
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                names, images = zip(*self.rows, strict=True)
                step = max(trainer.global_step - 1, 0)  # that of the scores: Lightning's curves begin at 0
                logger.log_image(KEY, list(images), step, caption=list(names))
        if self.folder is not None and not all(isinstance(logger, WandbLogger) for logger in trainer.loggers):
            folder = Path(self.folder) / "renders" / f"step_{trainer.global_step:06d}"
            for number, (name, image) in enumerate(self.rows):
                with write_aside(folder / f"{file_stem(number, name)}.png") as aside:
                    image.save(aside)
        self.rows = []


def comparison(seg: Segmentation, truths: dict[str, Int[np.ndarray, "n"]]) -> Image:
    """A row of pictures: the shape, the truth of each level, the prediction.

    Predicted parts have the colours of the true parts that they lie in, those of the last level. A prediction with a
    merge tree is shown as the cut of as many parts as that level has.

    Args:
        seg: what was predicted.
        truths: level -> part of every element, -1 for none; coarse levels first; may be empty.
    """
    labels = seg.labels
    if seg.tree is not None and truths:
        finest = next(reversed(truths.values()))
        labels = seg.tree.cut(len(np.unique(finest[finest >= 0])))
    cells = [(seg.shape, None, f"input: {seg.shape.name}")]
    for name, part in (truths | {"prediction": labels}).items():
        cells.append((seg.shape, part, caption(name, part)))
    return contact_sheet(cells, len(cells), cell=_CELL)
