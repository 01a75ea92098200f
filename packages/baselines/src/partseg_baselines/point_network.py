"""The PointNet++ under the learned baselines."""

from __future__ import annotations

from partseg.nn import PointNet2, SetLevel
from partseg_baselines.point_config import BackboneConfig


def backbone(config: BackboneConfig) -> PointNet2:
    """The PointNet++ of the PartNet benchmark: positions are coordinates and features at once."""
    levels = [SetLevel(level.widths, level.centres, level.radius, level.neighbours) for level in config.levels]
    return PointNet2(3, levels, config.up, eps=config.norm_epsilon, momentum=config.norm_momentum)
