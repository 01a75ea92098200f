"""The refiner as a LightningModule: true parts, clouds coarsened on the fly."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from partseg.data.batch import PartBatch
from partseg.data.coarse import coarsen
from partseg.methods.method import Method
from partseg_recursive_partnet.optim import optimiser
from partseg_recursive_partnet.refinement.config import RefinerConfig
from partseg_recursive_partnet.refinement.losses import hierarchical_loss, node_chamfer
from partseg_recursive_partnet.refinement.parts import Nodes, TrueParts
from partseg_recursive_partnet.refinement.refiner import Refiner


class RefinedBatch(NamedTuple):
    """What became of a batch: refined parts, fine points end to end, coarse clouds, and the nodes to compare at."""

    refined: Float[Tensor, "l k 3"]
    true: Float[Tensor, "n 3"]
    coarse: Float[Tensor, "b m 3"]
    nodes: Nodes


class RefinerModule(Refiner, Method):
    """What `partseg fit --config recursive-partnet-refiner/small` trains."""

    config: RefinerConfig

    def __init__(self, config: RefinerConfig = RefinerConfig()) -> None:  # noqa: B008 (frozen)
        super().__init__(config)

    def forward_batch(self, batch: PartBatch, generator: torch.Generator) -> RefinedBatch:
        """Coarsen a batch and refine its true parts; parts that keep no coarse point are left out."""
        truth = TrueParts.of(batch, self.config.data)
        options = self.config.coarse
        coarse = coarsen(truth.cloud, generator, options.points, options.blur, options.sigma)
        leaf = torch.gather(truth.leaf, 1, coarse.rows).flatten()
        b, m = coarse.rows.shape
        held = leaf[leaf >= 0].unique()
        held = held[truth.trees.shape[held].argsort(stable=True)]
        number = torch.full((len(truth.trees) + 1,), -1, device=leaf.device)
        number[held] = torch.arange(len(held), device=leaf.device)
        shape = torch.arange(b, device=leaf.device).repeat_interleave(m)
        refined = self.model(coarse.points.reshape(-1, 3), number[leaf], shape, truth.trees.shape[held])
        return RefinedBatch(refined, truth.cloud.reshape(-1, 3), coarse.points, truth.nodes(held))

    def training_step(self, batch: PartBatch, batch_idx: int) -> Tensor:
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        out = self.forward_batch(batch, generator)
        loss, terms = hierarchical_loss(out.refined, out.true, out.nodes, self.config.loss, generator)
        self.log("train/loss", loss.detach(), prog_bar=True, batch_size=batch.n_shapes)
        self.log_dict({f"train/{name}": value for name, value in terms.items()}, batch_size=batch.n_shapes)
        return loss

    def validation_step(self, batch: PartBatch, batch_idx: int) -> Tensor:
        """Loss, and the Chamfer distance (both directions added) of whole shapes before and after refinement."""
        generator = torch.Generator().manual_seed(batch_idx)
        out = self.forward_batch(batch, generator)
        loss, terms = hierarchical_loss(out.refined, out.true, out.nodes, self.config.loss, generator)
        roots = out.nodes.live[out.nodes.live < out.nodes.shapes]  # the first b nodes are the roots
        fine = out.true.view(out.coarse.shape[0], -1, 3)
        table = torch.cdist(out.coarse, fine)
        before = (table.amin(2).mean(1) + table.amin(1).mean(1)).mean()
        after = sum(node_chamfer(out.refined, out.true, out.nodes))[roots].mean()
        self.log("val/loss", loss, prog_bar=True, batch_size=batch.n_shapes)
        values = {f"val/{name}": value for name, value in terms.items()}
        self.log_dict(values | {"val/before": before, "val/after": after}, batch_size=batch.n_shapes)
        return loss

    def configure_optimizers(self) -> Any:
        return optimiser(self, self.config.optim)
