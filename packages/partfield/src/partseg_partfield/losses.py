"""Losses of PartField: triplet-contrastive (eq. 1 and 2) with hard negatives, and the SDF term."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from partseg_partfield.config import LossConfig
from partseg_partfield.proposals import Proposals, draw_near

MAX_LOG_SCALE = 4.6052  # inverse temperature at most 100


def inverse_temperature(logit_scale: Float[Tensor, "1"]) -> Float[Tensor, "1"]:
    """1 / tau from its learnt logarithm, at most 100."""
    return logit_scale.float().clamp(max=MAX_LOG_SCALE).exp()


def triplet_loss(
    positive: Float[Tensor, "..."], negative_a: Float[Tensor, "... c"], negative_b: Float[Tensor, "... c"]
) -> Float[Tensor, "..."]:
    """Eq. (2) from scaled cosines: cos / tau of the pair, of a and of b with the negatives.

    -1/2 [log(s_ab / (s_ab + sum_c s_ac)) + log(s_ba / (s_ba + sum_c s_bc))] with s = exp(cos / tau), written as
    softplus(logsumexp_c(cos_c / tau) - cos_ab / tau), which neither overflows nor loses small values. With one
    negative it is eq. (1).
    """
    a = F.softplus(torch.logsumexp(negative_a, dim=-1) - positive)
    b = F.softplus(torch.logsumexp(negative_b, dim=-1) - positive)
    return 0.5 * (a + b)


def contrastive_loss(
    features: Float[Tensor, "b m c"],
    points: Float[Tensor, "b m 3"],
    proposals: Proposals,
    logit_scale: Float[Tensor, "1"],
    config: LossConfig,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """Mean of eq. (2) over all proposals and pairs.

    All negatives of a proposal come from its shared pool, so cosines are one matrix product per proposal and the
    three kinds of negatives only choose among its columns: uniform ones are the pool's first, near ones and
    feature-hard ones are drawn for each anchor. The same negatives serve both halves of the loss.

    Args:
        features: field values at `points` (the proposals' flat indices address these), any scale.
        points: their positions; input points or others, on the surface or inside.
        proposals: from `sample_proposals`; with none, the loss is a zero that still has gradients.
        logit_scale: logarithm of the inverse temperature.
        config: kinds and numbers of negatives.
        generator: source of randomness.

    Returns:
        Loss, and detached values to log: "accuracy" (share of pairs more alike than all their negatives),
        "margin" (mean cosine of pairs minus that of uniform pool points).
    """
    with torch.autocast(features.device.type, enabled=False):
        unit = F.normalize(features.float(), dim=-1, eps=1e-6).flatten(0, 1)
        scale = inverse_temperature(logit_scale)
        if len(proposals) == 0:
            zero = unit.sum() * 0 + scale.sum() * 0
            return zero, {"accuracy": zero.detach(), "margin": zero.detach()}
        fa, fb, fc = unit[proposals.anchor], unit[proposals.positive], unit[proposals.pool]
        cos_ab = (fa * fb).sum(dim=-1)
        cos_ac, cos_bc = fa @ fc.transpose(1, 2), fb @ fc.transpose(1, 2)
        k, p, _ = cos_ac.shape

        chosen = []
        if config.uniform.enabled:
            first = torch.arange(config.uniform.count, device=cos_ac.device)
            chosen.append(first.expand(k, p, -1))
        if config.near.enabled:
            where = points.detach().float().flatten(0, 1)
            distance = torch.cdist(where[proposals.anchor], where[proposals.pool])
            chosen.append(draw_near(distance, config.near.count, config.near.power, generator))
        if config.feature.enabled:
            chosen.append(draw_near(1 - cos_ac, config.feature.count, config.feature.power, generator))
        index = torch.cat(chosen, dim=-1)
        neg_a, neg_b = cos_ac.gather(-1, index), cos_bc.gather(-1, index)
        loss = triplet_loss(scale * cos_ab, scale * neg_a, scale * neg_b).mean()
        with torch.no_grad():
            accuracy = (cos_ab > neg_a.amax(dim=-1)).float().mean()
            margin = cos_ab.mean() - cos_ac.mean()
        return loss, {"accuracy": accuracy, "margin": margin}


def sdf_loss(prediction: Float[Tensor, "b m"], distance: Float[Tensor, "b m"], truncation: float) -> Float[Tensor, ""]:
    """L1 between the prediction and the signed distance clamped to +-truncation and divided by it.

    Entries that are NaN (no distance known there) do not count; with none known the loss is a zero with gradients.
    """
    known = torch.isfinite(distance)
    target = torch.where(known, distance, 0.0).clamp(-truncation, truncation) / truncation
    error = (prediction.float() - target).abs() * known
    return error.sum() / known.sum().clamp(min=1)
