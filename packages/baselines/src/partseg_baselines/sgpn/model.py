"""The network of SGPN: PointNet++ with a class, a similarity and a confidence head."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from partseg.nn import SharedMLP, xavier_init
from partseg_baselines.point_network import backbone
from partseg_baselines.sgpn.config import SgpnConfig


class Prediction(NamedTuple):
    """What the network says, float32.

    Attributes:
        classes: (b, n, C) logits. With one class there is nothing to tell and no head: zeros.
        similarity: (b, n, d) points of one part lie close together.
        confidence: (b, n) in 0..1: how well a point's group would fit its part.
    """

    classes: Float[Tensor, "b n c"]
    similarity: Float[Tensor, "b n d"]
    confidence: Float[Tensor, "b n"]


class Sgpn(nn.Module):
    """See the module's text. Batch normalisation everywhere but in the last layers; Glorot weights."""

    def __init__(self, config: SgpnConfig) -> None:
        super().__init__()
        self.backbone = backbone(config.backbone)
        norm = {"eps": config.backbone.norm_epsilon, "momentum": config.backbone.norm_momentum}
        heads, self.classes = config.heads, config.data.classes
        self.features = SharedMLP(self.backbone.channels, (heads.features,), **norm)
        self.semantic = None
        if self.classes > 1:
            hidden = SharedMLP(heads.features, (heads.semantic,), **norm)
            self.semantic = nn.Sequential(hidden, nn.Linear(heads.semantic, self.classes))
        self.similarity = nn.Linear(heads.features, heads.similarity)
        hidden = SharedMLP(heads.features, (heads.confidence,), **norm)
        self.confidence = nn.Sequential(hidden, nn.Linear(heads.confidence, 1))
        xavier_init(self)

    def forward(self, points: Float[Tensor, "b n 3"]) -> Prediction:
        x = self.features(self.backbone(points, points)[0])
        classes = points.new_zeros(*points.shape[:2], 1) if self.semantic is None else self.semantic(x).float()
        return Prediction(classes, self.similarity(x).float(), self.confidence(x)[..., 0].float().sigmoid())


def squared(a: Float[Tensor, "b m d"], b: Float[Tensor, "b n d"]) -> Float[Tensor, "b m n"]:
    """Squared distances of all pairs, as a matrix product; not negative. (The benchmark multiplies them by a margin
    of 1.)"""
    product = torch.baddbmm(b.square().sum(dim=2)[:, None], a, b.transpose(1, 2), alpha=-2)
    return (product + a.square().sum(dim=2)[:, :, None]).clamp(min=0)
