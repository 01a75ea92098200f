"""The losses of PartNet's detection by segmentation (Mo et al. 2019, Sec. 5.3 and the released experiments)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from partseg_baselines.partnet_segmentation.config import LossConfig
from partseg_baselines.partnet_segmentation.model import Prediction
from partseg_baselines.point_shapes import DenseShapes


def soft_iou(a: Float[Tensor, "b s n"], b: Float[Tensor, "b k n"]) -> Float[Tensor, "b s k"]:
    """Σ ab / (Σ a + Σ b - Σ ab) of every pair of masks with values in 0..1; 0 where both are empty."""
    common = a @ b.transpose(1, 2)
    union = a.sum(dim=2)[:, :, None] + b.sum(dim=2)[:, None] - common
    return common / (union + 1e-8)


def match_slots(iou: Float[Tensor, "b s k"], valid: Bool[Tensor, "b k"]) -> Int[Tensor, "b k"]:
    """The slot of each true part in the assignment of the largest total IoU (Hungarian algorithm); no gradient passes.

    Parts that are not valid, or for which no slot is left, get -1.
    """
    out = np.full(valid.shape, -1, np.int64)
    cost, real = 1 - iou.detach().cpu().double().numpy(), valid.cpu().numpy()
    for i in range(len(out)):
        parts = np.flatnonzero(real[i])
        slot, part = linear_sum_assignment(cost[i][:, parts])
        out[i, parts[part]] = slot
    return torch.from_numpy(out).to(iou.device)


def detection_loss(
    prediction: Prediction, shapes: DenseShapes, config: LossConfig
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """The weighted sum of the five terms, and each of them, detached.

    - semantic: cross-entropy over C + 1 classes, 0 for points of no class.
    - instance: minus the mean soft IoU of true parts and their matched slots.
    - other: minus the soft IoU of the last slot and the points of no part.
    - sparsity: sum over all slots of the Euclidean norm of (slot + 1e-6), divided by the number of points.
    - confidence: squared error to the soft IoU of the slot's match (0 without one), the mean over slots above
      `confident_iou` plus the mean over the rest.

    Each is a mean over shapes, computed in float32.
    """
    with torch.autocast(prediction.slots.device.type, enabled=False):
        slots, n = prediction.slots, prediction.slots.shape[2]
        truth = shapes.one_hot()
        valid = truth.any(dim=2)
        iou = soft_iou(slots[:, :-1], truth)
        slot = match_slots(iou, valid)
        held = slot >= 0
        matched = iou.gather(1, slot.clamp(min=0)[:, None])[:, 0] * held
        instance = -(matched.sum(dim=1) / valid.sum(dim=1).clamp(min=1)).mean()

        nowhere = (shapes.labels < 0).float()[:, None]
        other = -soft_iou(slots[:, -1:], nowhere).mean()
        sparsity = ((slots + 1e-6).norm(dim=2).sum(dim=1) / n).mean()
        semantic = F.cross_entropy(prediction.classes.transpose(1, 2), shapes.classes + 1)

        target = torch.zeros_like(prediction.confidence)
        row = torch.arange(len(slot), device=slot.device)[:, None].expand_as(slot)
        target[row[held], slot[held]] = matched.detach()[held]
        error = (prediction.confidence - target).square()
        high = (target > config.confident_iou).float()
        confidence = (_mean(error, high) + _mean(error, 1 - high)).mean()

        terms = {
            "semantic": semantic, "instance": instance, "other": other, "sparsity": sparsity, "confidence": confidence,
        }  # fmt: skip
        loss = sum(getattr(config, name) * term for name, term in terms.items())
    return loss, {name: term.detach() for name, term in terms.items()}


def _mean(values: Float[Tensor, "b s"], weight: Float[Tensor, "b s"]) -> Float[Tensor, "b"]:
    return (values * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
