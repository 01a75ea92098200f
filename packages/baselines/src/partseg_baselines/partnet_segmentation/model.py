"""The network of PartNet's detection by segmentation: PointNet++ with a class, a slot and a confidence branch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from partseg.nn import SharedMLP, xavier_init
from partseg_baselines.partnet_segmentation.config import PartNetSegmentationConfig, SlotInferenceConfig
from partseg_baselines.point_network import backbone
from partseg_baselines.point_parts import PointParts


class Prediction(NamedTuple):
    """What the network says, float32.

    Attributes:
        classes: (b, n, C + 1) logits, class 0 is "other".
        slots: (b, slots + 1, n) probabilities that sum to one over the slots; the last is "other".
        confidence: (b, slots) in 0..1.
    """

    classes: Float[Tensor, "b n c"]
    slots: Float[Tensor, "b s n"]
    confidence: Float[Tensor, "b k"]


class PartNetSegmentation(nn.Module):
    """See the module's text. Batch normalisation everywhere but in the last layers; Glorot weights."""

    def __init__(self, config: PartNetSegmentationConfig) -> None:
        super().__init__()
        self.backbone = backbone(config.backbone)
        norm = {"eps": config.backbone.norm_epsilon, "momentum": config.backbone.norm_momentum}
        heads, width = config.heads, self.backbone.channels
        semantic = SharedMLP(width, heads.semantic_widths, **norm)
        instance = SharedMLP(width, heads.instance_widths, **norm)
        confidence = SharedMLP(self.backbone.coarse_channels, heads.confidence_widths, **norm)
        self.semantic = nn.Sequential(semantic, nn.Linear(semantic.channels, config.data.classes + 1))
        self.instance = nn.Sequential(instance, nn.Linear(instance.channels, heads.slots + 1))
        self.confidence = nn.Sequential(confidence, nn.Linear(confidence.channels, heads.slots))
        xavier_init(self)

    def forward(self, points: Float[Tensor, "b n 3"]) -> Prediction:
        features, coarse = self.backbone(points, points)
        slots = self.instance(features).float().softmax(dim=2).transpose(1, 2)
        confidence = self.confidence(coarse[:, 0]).float().sigmoid()
        return Prediction(self.semantic(features).float(), slots, confidence)


def parts_of(prediction: Prediction, config: SlotInferenceConfig) -> PointParts:
    """Parts of the one cloud that a prediction is of.

    A slot's class is the largest sum over its points, probabilities up to the threshold left out, of probability times
    class *logit* (not probability); slots of class "other" and small ones are dropped. Slots do not overlap, because
    the probabilities of a point sum to one.
    """
    classes, slots, confidence = (x[0] for x in prediction)
    inside = slots[:-1] > config.threshold
    weight = torch.where(inside, slots[:-1], 0.0)
    label = (weight @ classes).argmax(dim=1)
    valid = torch.nonzero((inside.sum(dim=1) > config.least_points) & (label > 0))[:, 0]
    labels = np.full(classes.shape[0], -1, np.int64)
    slot, point = (x.cpu().numpy() for x in torch.nonzero(inside[valid], as_tuple=True))
    labels[point] = slot
    return PointParts(labels, confidence[valid].double().cpu().numpy(), (label[valid] - 1).cpu().numpy())
