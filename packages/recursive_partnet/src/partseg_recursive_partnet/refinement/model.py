"""The part refiner: two PointNets, of the part and of the shape, then four fully connected layers (section 5).

Parts of all shapes of a batch are packed end to end; nothing visits them one by one.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from partseg.nn import PointNorm, SharedMLP
from partseg.ops.scatter import scatter_max
from partseg_recursive_partnet.refinement.config import RefinerConfig

_START = 0.1  # of the last layer's usual initial weights
_LEAST = 0.02  # side of a part's box: what is smaller is noise


class PartRefiner(nn.Module):
    """A refined cloud of `config.points` points for every part.

    Both are in the frame of the part's box, which has sides of length 1. Beside the two features the fully connected
    layers read its centre and size, which the PointNet of the part cannot see.

    Args:
        config: widths and number of points.
    """

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__()
        self.points = config.points
        encoder = lambda layers: SharedMLP(3, layers.widths, norm=layers.norm, dropout=layers.dropout or 0.0)  # noqa: E731
        self.part, self.shape = encoder(config.part), encoder(config.shape)
        widths = [self.part.channels + self.shape.channels + 6, *config.hidden]
        self.linear = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.norm = nn.ModuleList(PointNorm(b) for b in config.hidden)
        self.last = nn.Linear(widths[-1], 3 * config.points)
        with torch.no_grad():  # an untrained refiner gives boxes
            self.last.weight *= _START
            self.last.bias.copy_(cube_surface(config.points).flatten())

    def forward(
        self,
        points: Float[Tensor, "q 3"],
        part: Int[Tensor, "q"],
        shape: Int[Tensor, "q"],
        of_part: Int[Tensor, "l"],
    ) -> Float[Tensor, "l k 3"]:
        """Refined clouds, in the coordinates of the points.

        Args:
            points: coarse points of b shapes, each in its cube (`partseg_recursive_partnet.batches.in_cube`).
            part: part of each point, 0…l-1; -1: in none, seen by the channel of the shape only. Each part has points.
            shape: shape of each point, 0…b-1. of_part: shape of each part.
        """
        centre, extent = part_boxes(points, part, len(of_part))
        side = extent.clamp(min=_LEAST)
        inside = part >= 0
        own = part[inside]
        local = (points[inside] - centre[own]) / side[own]
        of_parts = scatter_max(self.part(local, own), own, len(of_part))
        of_shapes = scatter_max(self.shape(points, shape), shape, int(shape.max()) + 1)
        x = torch.cat([of_parts, of_shapes[of_part], centre, extent], 1)
        for linear, norm in zip(self.linear, self.norm, strict=True):
            x = F.relu(norm(linear(x)))
        return centre[:, None] + side[:, None] * self.last(x).float().view(-1, self.points, 3)


def cube_surface(count: int) -> Float[Tensor, "k 3"]:
    """Points spread over the surface of the cube from -0.5 to 0.5: a Fibonacci sphere pushed outwards."""
    place = torch.arange(count, dtype=torch.float64)
    height, turn = 1 - (2 * place + 1) / count, place * torch.pi * (3 - 5**0.5)
    ring = (1 - height.square()).sqrt()
    sphere = torch.stack([ring * turn.cos(), height, ring * turn.sin()], 1)
    return (sphere / (2 * sphere.abs().amax(1, keepdim=True))).float()


def part_boxes(
    points: Float[Tensor, "q 3"], part: Int[Tensor, "q"], count: int
) -> tuple[Float[Tensor, "l 3"], Float[Tensor, "l 3"]]:
    """Centre and size of the box of each part; points of part -1 are in none."""
    inside = part >= 0
    high = scatter_max(points[inside], part[inside], count)
    low = -scatter_max(-points[inside], part[inside], count)
    return (low + high) / 2, high - low
