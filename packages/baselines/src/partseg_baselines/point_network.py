"""The PointNet++ under the learned baselines."""

from __future__ import annotations

from partseg.nn import PointNet2, SetLevel
from partseg_baselines.point_config import BackboneConfig


def backbone(config: BackboneConfig, beside: int = 0) -> PointNet2:
    """The PointNet++ of the PartNet benchmark: positions are coordinates and features at once.

    Args:
        config: sizes. beside: width of further features of the points, after the position.
    """
    levels = [SetLevel(level.widths, level.centres, level.radius, level.neighbours) for level in config.levels]
    return PointNet2(3 + beside, levels, config.up, eps=config.norm_epsilon, momentum=config.norm_momentum)
