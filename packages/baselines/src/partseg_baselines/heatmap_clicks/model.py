"""The network: PointNet++ on position, normal and two heat maps of clicks, with one logit a point."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from partseg.nn import SharedMLP
from partseg_baselines.heatmap_clicks.config import HeatmapClicksConfig
from partseg_baselines.point_network import backbone

POSITIVE, NEGATIVE = 0, 1  # places in the last axis of heat


class HeatmapNetwork(nn.Module):
    """See the module's text. Clouds lie in the unit sphere."""

    def __init__(self, config: HeatmapClicksConfig) -> None:
        super().__init__()
        norm = {"eps": config.backbone.norm_epsilon, "momentum": config.backbone.norm_momentum}
        self.backbone = backbone(config.backbone, beside=3 + 2)
        self.head = nn.Sequential(SharedMLP(self.backbone.channels, (config.head,), **norm), nn.Linear(config.head, 1))

    def forward(
        self, points: Float[Tensor, "a n 3"], normals: Float[Tensor, "a n 3"], heat: Float[Tensor, "b n 2"]
    ) -> Float[Tensor, "b n"]:
        """Logits, float32, positive for points of the part that is meant.

        Args:
            points, normals: a is b, or 1 for one cloud under several clicks. heat: see `heat_around`.
        """
        cloud = torch.cat([points, normals], dim=2).expand(len(heat), -1, -1)
        return self.head(self.backbone(points, torch.cat([cloud, heat], dim=2))[0])[..., 0].float()

    @torch.no_grad()
    def probability(
        self, points: Float[Tensor, "a n 3"], normals: Float[Tensor, "a n 3"], heat: Float[Tensor, "b n 2"]
    ) -> Float[Tensor, "b n"]:
        """That points are of the part, 0..1; in evaluation mode, whatever the mode is."""
        if not self.training:
            return self(points, normals, heat).sigmoid()
        self.eval()
        try:
            return self(points, normals, heat).sigmoid()
        finally:
            self.train()


def heat_around(
    spots: Float[Tensor, "*#b 3"], points: Float[Tensor, "*#b n 3"], sigma: float
) -> Float[Tensor, "... n"]:
    """Heat of one click on each cloud: a Gaussian of the distance, 1 at the click.

    Several clicks of a sign make one map by their maximum, so that heat tells how far the nearest click is.
    """
    return torch.exp((points - spots[..., None, :]).square().sum(dim=-1) / (-2 * sigma**2))
