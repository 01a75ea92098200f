"""PartField as a LightningModule: training and validation on part labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from torch import Tensor

from partseg.data.batch import PartBatch
from partseg.errors import PartsegError
from partseg.methods.method import Method
from partseg_partfield.config import PartFieldConfig
from partseg_partfield.losses import contrastive_loss, inverse_temperature, sdf_loss
from partseg_partfield.proposals import sample_proposals
from partseg_partfield.segmenter import PartFieldSegmenter

IMAGE_LEVELS = "image"  # label levels whose name starts so are image masks


@dataclass(frozen=True, eq=False)
class FieldBatch:
    """Dense training batch: b shapes of n input points and m labelled query points, which need not be input points
    (interior points of solids, pixels of an image).

    Attributes:
        points: (b, n, 3) input points in [-1, 1]^3.
        labels: (b, levels, m) parts of the query points, -1 unlabelled.
        query: (b, m, 3) labelled points; None where the input points are they.
        normals: (b, n, 3) unit normals of the input points, zero where unknown; None for none at all.
        distance: (b, m) signed distance of the query points, NaN where unknown; None for none at all.
    """

    points: Float[Tensor, "b n 3"]
    labels: Int[Tensor, "b levels m"]
    query: Float[Tensor, "b m 3"] | None = None
    normals: Float[Tensor, "b n 3"] | None = None
    distance: Float[Tensor, "b m"] | None = None

    @classmethod
    def of(cls, batch: PartBatch, levels: list[str]) -> FieldBatch:
        """Dense form of a packed batch: the network reads the surface rows, every row is a labelled query.

        Shapes with fewer points than the largest repeat their points in turn.

        Raises:
            PartsegError: a shape without points.
        """
        rows = read = _in_turn(batch.ptr.diff())
        if batch.surface is not None:
            index = batch.index[batch.surface]
            shown = _in_turn(torch.bincount(index, minlength=batch.n_shapes))
            read = torch.nonzero(batch.surface)[:, 0][shown]
        labels = [batch.labels[level][rows] for level in levels]
        empty = rows.new_full((len(rows), 0, rows.shape[1]), -1)
        return cls(
            points=batch.points[read],
            labels=torch.stack(labels, dim=1) if labels else empty,
            query=None if batch.surface is None else batch.points[rows],
            normals=None if batch.normals is None else batch.normals[read],
        )


class PartFieldModule(PartFieldSegmenter, Method):
    """Training of PartField. `config` is the whole truth; `load_config("small")` reads a shipped one.

    The contrastive loss runs in float32 whatever precision the Trainer uses; gradient accumulation and clipping are
    the Trainer's.
    """

    def __init__(self, config: PartFieldConfig = PartFieldConfig()) -> None:  # noqa: B008 (frozen)
        super().__init__(config)
        with torch.no_grad():
            self.model.logit_scale.fill_(-math.log(config.loss.temperature))

    def levels_of(self, batch: PartBatch) -> list[str]:
        """Label levels of the batch that the configured proposal sources use."""
        source = self.config.loss.proposals
        wanted = {True: source.images, False: source.labels}
        return [level for level in batch.labels if wanted[level.startswith(IMAGE_LEVELS)]]

    def compute_loss(
        self, batch: PartBatch | FieldBatch, generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Loss of one batch and its parts, detached, for the log."""
        config = self.config.loss
        if isinstance(batch, PartBatch):
            batch = FieldBatch.of(batch, self.levels_of(batch))
        planes = self.model(batch.points, self._visible_normals(batch.normals))
        query = batch.points if batch.query is None else batch.query
        labels, distance = batch.labels, batch.distance
        if query.shape[1] > config.points:
            keep = torch.randperm(query.shape[1], generator=generator, device=_device(generator))[: config.points]
            keep = keep.to(query.device)
            query, labels = query[:, keep], labels[:, :, keep]
            distance = None if distance is None else distance[:, keep]
        features = self.model.query(planes, query)
        proposals = sample_proposals(labels, config.masks, config.pairs, config.pool, config.mask_size_power, generator)
        loss, log = contrastive_loss(features, query, proposals, self.model.logit_scale, config, generator)
        log["contrastive"] = loss.detach()
        log["temperature"] = 1 / inverse_temperature(self.model.logit_scale.detach())[0]
        if self.config.model.sdf_channels and config.sdf_weight:
            prediction = self.model.signed_distance(planes, query)
            known = torch.full_like(prediction, torch.nan) if distance is None else distance
            error = sdf_loss(prediction, known, config.sdf_truncation)
            log["sdf"] = error.detach()
            loss = loss + config.sdf_weight * error
        return loss, log

    def training_step(self, batch: PartBatch | FieldBatch, batch_idx: int) -> Tensor:
        loss, log = self.compute_loss(batch)
        self._log("train", loss.detach(), log, batch)
        return loss

    def validation_step(self, batch: PartBatch | FieldBatch, batch_idx: int) -> Tensor:
        # The same triplets every time, so that curves of validation runs compare.
        generator = torch.Generator(self.device).manual_seed(batch_idx)
        loss, log = self.compute_loss(batch, generator)
        self._log("val", loss, log, batch)
        return loss

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.config.optim.compile:
            self.model.compile()

    def configure_callbacks(self) -> list[Callback]:
        decay = self.config.optim.ema_decay
        return [EMAWeightAveraging(decay=decay)] if decay else []

    def configure_optimizers(self) -> dict[str, Any]:
        optim = self.config.optim
        decayed, free = [], []
        for name, parameter in self.named_parameters():
            kernel = parameter.ndim >= 2 and not name.endswith("pos_embed")
            (decayed if kernel else free).append(parameter)
        optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": optim.weight_decay}, {"params": free, "weight_decay": 0.0}],
            lr=optim.learning_rate,
            betas=optim.betas,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: rate_factor(step, steps, optim.warmup_steps, optim.final_fraction)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _visible_normals(self, normals: Tensor | None) -> Tensor | None:
        """Normals, hidden for a random share of the shapes while training, so that bare clouds work too."""
        share = self.config.optim.normal_dropout
        if normals is None or not self.training or not share:
            return normals
        return normals * (torch.rand(len(normals), 1, 1, device=normals.device) >= share)

    def _log(self, stage: str, loss: Tensor, log: dict[str, Tensor], batch: PartBatch | FieldBatch) -> None:
        size = batch.n_shapes if isinstance(batch, PartBatch) else len(batch.points)
        self.log(f"{stage}/loss", loss, prog_bar=True, batch_size=size)
        self.log_dict({f"{stage}/{key}": value for key, value in log.items()}, batch_size=size)


def rate_factor(step: int, steps: int, warmup: int, final: float) -> float:
    """Linear warm-up to 1, then a cosine to `final` at `steps`."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))


def _in_turn(sizes: Int[Tensor, "b"]) -> Int[Tensor, "b n"]:
    """Rows of shapes packed end to end, as many for each as the largest has: a smaller one's come round again."""
    if bool((sizes == 0).any()):
        raise PartsegError("a shape without points cannot be trained on")
    turn = torch.arange(int(sizes.max()), device=sizes.device)
    return (sizes.cumsum(0) - sizes)[:, None] + turn % sizes[:, None]


def _device(generator: torch.Generator | None) -> torch.device:
    return torch.device("cpu") if generator is None else generator.device
