"""The losses of SGPN (Wang et al. 2018, Sec. 3.1): double hinge over pairs, confidence, classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from partseg_baselines.point_shapes import DenseShapes
from partseg_baselines.sgpn.config import LossConfig
from partseg_baselines.sgpn.model import Prediction, squared


def double_hinge(
    distance: Float[Tensor, "b m n"],
    same_part: Bool[Tensor, "b m n"],
    same_class: Bool[Tensor, "b m n"],
    alpha: float,
    same_class_margin: float,
    other_class_margin: float,
) -> Float[Tensor, "b m n"]:
    """Loss of each pair, from its squared distance D.

    One part: D. Two parts of one class: alpha · max(0, K1 - D). Parts of two classes: max(0, K2 - D).
    """
    apart = torch.where(
        same_class, alpha * (same_class_margin - distance).clamp(min=0), (other_class_margin - distance).clamp(min=0)
    )
    return torch.where(same_part, distance, apart)


def similarity_loss(
    similarity: Float[Tensor, "b n d"],
    labels: Int[Tensor, "b n"],
    classes: Int[Tensor, "b n"],
    alpha: float,
    config: LossConfig,
) -> Float[Tensor, ""]:
    """Mean double hinge over all pairs of labelled points of one shape.

    `config.rows` rows of the pair matrix are held at a time; their gradients are computed again when they are needed.
    Parts of no class form a class of their own.
    """

    def rows(some: Tensor, low: int, high: int) -> Tensor:
        part, kind = labels[:, low:high, None], classes[:, low:high, None]
        loss = double_hinge(
            squared(some, similarity), part == labels[:, None], kind == classes[:, None], alpha,
            config.same_class_margin, config.other_class_margin,
        )  # fmt: skip
        return (loss * ((part >= 0) & (labels[:, None] >= 0))).sum()

    n = similarity.shape[1]
    total = similarity.new_zeros(())
    for low in range(0, n, config.rows):
        some = similarity[:, low : low + config.rows]
        if n <= config.rows:
            total = total + rows(some, low, n)
        else:
            total = total + checkpoint(rows, some, low, low + config.rows, use_reentrant=False)
    pairs = (labels >= 0).sum(dim=1).float().square().sum()
    return total / pairs.clamp(min=1)


@torch.no_grad()
def group_iou(
    similarity: Float[Tensor, "b n d"], labels: Int[Tensor, "b n"], margin: float, rows: int
) -> Float[Tensor, "b n"]:
    """IoU of each point's group, the labelled points at a squared distance below `margin`, and its part; 0 for points
    of no part."""
    known = labels >= 0
    out = []
    for low in range(0, similarity.shape[1], rows):
        group = (squared(similarity[:, low : low + rows], similarity) < margin) & known[:, None]
        part = (labels[:, low : low + rows, None] == labels[:, None]) & known[:, None]
        common = (group & part).sum(dim=2)
        iou = common / ((group | part).sum(dim=2)).clamp(min=1)
        out.append(iou * known[:, low : low + rows])
    return torch.cat(out, dim=1)


def semantic_loss(logits: Float[Tensor, "b n c"], classes: Int[Tensor, "b n"]) -> Float[Tensor, ""]:
    """Cross-entropy over points of a class, classes weighted by their inverse frequency in the batch (mean 1)."""
    known = classes >= 0
    count = torch.bincount(classes[known], minlength=logits.shape[2])
    weight = torch.where(count > 0, known.sum() / count.clamp(min=1), 0.0)
    weight = weight / (count > 0).sum().clamp(min=1)
    loss = F.cross_entropy(logits.transpose(1, 2), classes, weight.to(logits), ignore_index=-1, reduction="sum")
    return loss / known.sum().clamp(min=1)


def alpha_of(epoch: int, config: LossConfig) -> float:
    """Weight of pairs of parts of one class in an epoch."""
    return min(config.alpha_most, config.alpha + config.alpha_step * epoch)


def sgpn_loss(
    prediction: Prediction, shapes: DenseShapes, epoch: int, config: LossConfig
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """The loss of an epoch, and its terms, detached.

    First stage: the cross-entropy alone. Then the double hinge, and after `similarity_epochs` also the cross-entropy
    and the squared error of the confidences to the IoU of groups (no gradient passes through that). In float32.
    """
    with torch.autocast(prediction.similarity.device.type, enabled=False):
        terms = {}
        if prediction.classes.shape[2] > 1:
            terms["semantic"] = semantic_loss(prediction.classes, shapes.classes)
        if config.semantics_only:
            if not terms:
                raise ValueError("a first stage on semantics needs data.classes of at least 2")
            return terms["semantic"], {"semantic": terms["semantic"].detach()}
        alpha = alpha_of(epoch, config)
        hinge = similarity_loss(prediction.similarity, shapes.labels, shapes.classes, alpha, config)
        target = group_iou(prediction.similarity, shapes.labels, config.same_class_margin, config.rows)
        known = shapes.labels >= 0
        error = (prediction.confidence - target).square() * known
        terms["confidence"] = error.sum() / known.sum().clamp(min=1)
        loss = hinge if epoch < config.similarity_epochs else hinge + sum(terms.values())
    return loss, {name: term.detach() for name, term in (terms | {"similarity": hinge}).items()}
