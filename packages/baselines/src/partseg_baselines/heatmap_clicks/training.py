"""What the network learns from: parts drawn at random, and clicks where it errs.

Clicks placed on the errors of the present network are how networks for images learn to be corrected (Mahadevan,
Voigtlaender, Leibe, "Iteratively Trained Interactive Segmentation", BMVC 2018).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partseg_baselines.heatmap_clicks.config import ClicksConfig
from partseg_baselines.heatmap_clicks.model import NEGATIVE, POSITIVE, HeatmapNetwork, heat_around
from partseg_baselines.point_shapes import DenseShapes


def drawn_parts(labels: Int[Tensor, "b n"], generator: torch.Generator | None = None) -> Bool[Tensor, "b n"]:
    """One part of each shape, all of its parts equally likely; no points of a shape without labels (all -1)."""
    there = labels.new_zeros(len(labels), int(labels.max()) + 2).scatter_(1, labels + 1, 1) > 0
    there[:, 0] = False
    chosen, _ = _drawn(there, generator)
    return (labels == chosen[:, None] - 1) & (labels >= 0)


def clicked(
    heat: Float[Tensor, "b n 2"],
    points: Float[Tensor, "b n 3"],
    target: Bool[Tensor, "b n"],
    wrong: Bool[Tensor, "b n"],
    sigma: float,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "b n 2"]:
    """The heat after one click more on each cloud.

    Args:
        heat: of the clicks before. points: in the unit sphere. target: the part that is wanted.
        wrong: where it may be: on one of these points, all equally likely; positive where that is of the part, else
            negative. A cloud without such points gets no click.
        sigma: see `heat_around`.
    """
    spot, some = _drawn(wrong, generator)
    row = torch.arange(len(points), device=points.device)
    sign = torch.where(target[row, spot], POSITIVE, NEGATIVE)
    new = heat_around(points[row, spot], points, sigma) * some[:, None]
    return torch.maximum(heat, new[:, :, None] * F.one_hot(sign, 2)[:, None])


def simulated_clicks(
    network: HeatmapNetwork,
    shapes: DenseShapes,
    target: Bool[Tensor, "b n"],
    config: ClicksConfig,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "b n 2"]:
    """Heat of 1 to `config.training` clicks, the same number for all shapes: the first in the part, each other on an
    error of the network after those before. Unlabelled points are no errors."""
    heat = torch.zeros(*target.shape, 2, device=target.device)
    wrong = target
    for left in reversed(range(int(torch.randint(config.training, (), generator=generator)) + 1)):
        heat = clicked(heat, shapes.points, target, wrong, config.sigma, generator)
        if left:
            found = network.probability(shapes.points, shapes.normals, heat) > 0.5
            wrong = (found != target) & (shapes.labels >= 0)
    return heat


def part_loss(
    logits: Float[Tensor, "b n"], target: Bool[Tensor, "b n"], known: Bool[Tensor, "b n"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy, the mean over the points that are known; 0 where none is."""
    each = F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def _drawn(
    among: Bool[Tensor, "b n"], generator: torch.Generator | None
) -> tuple[Int[Tensor, " b"], Bool[Tensor, " b"]]:
    """The place of one True of each row, all equally likely, and whether the row has any."""
    lot = torch.rand(among.shape, generator=generator).to(among.device)
    return lot.masked_fill(~among, -1).argmax(dim=1), among.any(dim=1)
