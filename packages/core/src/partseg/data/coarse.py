"""Coarse clouds from fine ones, in place of reconstructions from images: few points, blurred and noisy."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

POINTS, BLUR, SIGMA = 512, 0.01, 0.02


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
    count: int = POINTS,
    blur: float = BLUR,
    sigma: float = SIGMA,
) -> Coarse:
    """Sparse, blurred and noisy versions of fine clouds.

    Rows are drawn at random without repetition. Each becomes the mean of its nearest points of the fine cloud, itself
    among them, and gets Gaussian noise.

    Args:
        points: fine clouds of n >= 1 points; lengths of `sigma` are in their unit, mostly the longest side of the box.
        generator: of the draws, a CPU one, so that a seed gives the same on every device.
        count: points of a coarse cloud; all n, where n is less.
        blur: share (0..1) of the fine points whose mean a coarse one is, so that dense and sparse samples of a surface
            are blurred alike; at least the point itself.
        sigma: deviation of the noise along each axis.
    """
    b, n, _ = points.shape
    m = min(count, n)
    rows = torch.rand(b, n, generator=generator).argsort(1)[:, :m].to(points.device)
    drawn = torch.gather(points, 1, rows[..., None].expand(-1, -1, 3))
    near = torch.cdist(drawn, points).topk(max(round(blur * n), 1), dim=2, largest=False).indices
    blurred = points[torch.arange(b, device=points.device)[:, None, None], near].mean(2)
    noise = torch.randn(b, m, 3, generator=generator).to(points)
    return Coarse(blurred + sigma * noise, rows)
