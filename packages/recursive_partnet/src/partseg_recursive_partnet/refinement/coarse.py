"""Coarse clouds to learn from, in place of reconstructions from single images: sparse, blurred, noisy."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from partseg_recursive_partnet.refinement.config import CoarseConfig


class Coarse(NamedTuple):
    """Coarse clouds.

    Attributes:
        points: (b, m, 3). rows: (b, m) int64, the fine point that each comes from and whose part it has.
    """

    points: Float[Tensor, "b m 3"]
    rows: Int[Tensor, "b m"]


def coarsen(
    points: Float[Tensor, "b n 3"],
    generator: torch.Generator,
    config: CoarseConfig = CoarseConfig(),  # noqa: B008 (frozen)
) -> Coarse:
    """Sparse, blurred and noisy versions of fine clouds.

    Rows are drawn at random without repetition (all n, where n <= `config.points`), each becomes the mean of its
    `config.neighbours` nearest points of the fine cloud, itself among them, and gets Gaussian noise.

    Args:
        points: fine clouds of n >= 1 points, longest box side 1.
        generator: of the draws, a CPU one, so that a seed gives the same on every device.
        config: number of points, blur and noise.
    """
    b, n, _ = points.shape
    m = min(config.points, n)
    rows = torch.rand(b, n, generator=generator).argsort(1)[:, :m].to(points.device)
    drawn = torch.gather(points, 1, rows[..., None].expand(-1, -1, 3))
    near = torch.cdist(drawn, points).topk(min(config.neighbours, n), dim=2, largest=False).indices
    blurred = points[torch.arange(b, device=points.device)[:, None, None], near].mean(2)
    noise = torch.randn(b, m, 3, generator=generator).to(points)
    return Coarse(blurred + config.sigma * noise, rows)
