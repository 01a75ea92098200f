"""Recursive PartNet as a LightningModule."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from partseg.data.batch import PartBatch
from partseg.methods.method import Method
from partseg_recursive_partnet.batches import TreeMaker
from partseg_recursive_partnet.config import RecursivePartNetConfig
from partseg_recursive_partnet.losses import partnet_loss
from partseg_recursive_partnet.optim import optimiser
from partseg_recursive_partnet.segmenter import RecursivePartNetSegmenter


class RecursivePartNetModule(RecursivePartNetSegmenter, Method):
    """What `partseg fit --model recursive-partnet` trains; teacher forcing on the trees of a batch."""

    config: RecursivePartNetConfig

    def __init__(self, config: RecursivePartNetConfig = RecursivePartNetConfig()) -> None:  # noqa: B008 (frozen)
        super().__init__(config)
        self.trees = TreeMaker(config.data, config.network)

    def compute_loss(self, batch: PartBatch, *, noisy: bool) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Loss of a batch, and its terms, detached."""
        dense = self.trees.dense(batch)
        output = self.model(dense.cloud, dense.trees, self.config.noise if noisy else None)
        return partnet_loss(output, dense.trees, batch.n_shapes, self.config.loss)

    def training_step(self, batch: PartBatch, batch_idx: int) -> Tensor:
        loss, terms = self.compute_loss(batch, noisy=True)
        self._log("train", loss, terms, batch)
        return loss

    def validation_step(self, batch: PartBatch, batch_idx: int) -> Tensor:
        loss, terms = self.compute_loss(batch, noisy=False)
        self._log("val", loss, terms, batch)
        return loss

    def configure_optimizers(self) -> Any:
        return optimiser(self, self.config.optim)

    def _log(self, stage: str, loss: Tensor, terms: dict[str, Tensor], batch: PartBatch) -> None:
        self.log(f"{stage}/loss", loss.detach(), prog_bar=True, batch_size=batch.n_shapes)
        self.log_dict({f"{stage}/{name}": value for name, value in terms.items()}, batch_size=batch.n_shapes)
