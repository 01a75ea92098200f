"""PointNet++ (Qi et al., NeurIPS 2017) on dense batches (b, n, c): set abstraction, feature propagation, both as one.

Clouds of fewer points than a level has centres take all their points as centres. One cloud, a batch of 1, may carry
features of any batch: it is then grouped once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from partseg.nn.layers import SharedMLP
from partseg.ops.ball import ball_query
from partseg.ops.fps import farthest_points
from partseg.ops.group import gather_rows
from partseg.ops.interpolate import interpolate_rows, inverse_distance_weights, three_nearest


@dataclass(frozen=True)
class SetLevel:
    """One level of set abstraction.

    Args:
        widths: of the point-wise layers.
        centres: how many farthest points; None groups the whole cloud into one.
        radius: of the balls, in units of the coordinates. neighbours: points taken of each ball.
    """

    widths: tuple[int, ...]
    centres: int | None = None
    radius: float = 0.0
    neighbours: int = 0

    def __post_init__(self) -> None:
        if not self.widths or (
            self.centres is not None and not (self.centres > 0 < self.neighbours and self.radius > 0)
        ):
            raise ValueError(f"{self} needs widths, and with centres a radius and neighbours")


class SetAbstraction(nn.Module):
    """Farthest points, a ball around each, a PointNet in every ball on [position relative to the centre, features].

    A level without centres makes one vector of the cloud, from [position, features].

    Args:
        channels: width of the features, 0 for none.
        level: sizes.
        closed: ball query with <= in place of <. start: index of the first farthest point.
        eps, momentum, bias: see `partseg.nn.layers.SharedMLP`.
    """

    def __init__(
        self,
        channels: int,
        level: SetLevel,
        *,
        closed: bool = False,
        start: int = 0,
        eps: float = 1e-5,
        momentum: float = 0.1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.level, self.closed, self.start = level, closed, start
        self.layers = SharedMLP(3 + channels, level.widths, eps=eps, momentum=momentum, bias=bias)
        self.channels = self.layers.channels

    def forward(
        self,
        points: Float[Tensor, "a n 3"],
        features: Float[Tensor, "b n c"] | None = None,
        centres: Float[Tensor, "a m 3"] | None = None,
    ) -> tuple[Float[Tensor, "a m 3"], Float[Tensor, "b m d"]]:
        """Centres and their features.

        Args:
            points: positions, n >= 1; a is b or 1. features: of the points; None where there are none.
            centres: positions to group around, in place of farthest points.

        Returns:
            centres (the origin, for a level without) and features.
        """
        size = self.level
        if size.centres is None:
            inputs = points if features is None else torch.cat([_for_each(points, features), features], dim=2)
            return torch.zeros_like(points[:, :1]), self.layers(inputs).amax(dim=1, keepdim=True)
        if centres is None:
            index = farthest_points(points, min(size.centres, points.shape[1]), start=self.start % points.shape[1])
            centres = gather_rows(points, index)
        near = ball_query(points, centres, size.radius, size.neighbours, closed=self.closed)
        inputs = gather_rows(points, near) - centres[:, :, None]
        if features is not None:
            near = _for_each(near, features)
            inputs = torch.cat([_for_each(inputs, features), gather_rows(features, near)], dim=3)
        return centres, self.layers(inputs).amax(dim=2)


class FeaturePropagation(nn.Module):
    """Features of few points carried to many: three-nearest interpolation, joined with the skip, then layers.

    Args:
        channels: width of the known features. skip: width of those that the target points have already.
        widths: of the layers.
        skip_first: join as [skip, interpolated] in place of [interpolated, skip]; published code differs.
        epsilon, added: of `partseg.ops.interpolate.inverse_distance_weights`.
        eps, momentum, bias: see `partseg.nn.layers.SharedMLP`.
    """

    def __init__(
        self,
        channels: int,
        skip: int,
        widths: Sequence[int],
        *,
        skip_first: bool = False,
        epsilon: float = 1e-10,
        added: bool = False,
        eps: float = 1e-5,
        momentum: float = 0.1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.skip_first, self.epsilon, self.added = skip_first, epsilon, added
        self.layers = SharedMLP(channels + skip, widths, eps=eps, momentum=momentum, bias=bias)
        self.channels = self.layers.channels

    def forward(
        self,
        points: Float[Tensor, "a n 3"],
        skip: Float[Tensor, "b n s"] | None,
        known_points: Float[Tensor, "a m 3"],
        known: Float[Tensor, "b m c"],
    ) -> Float[Tensor, "b n d"]:
        """Features of `points` (a is b or 1); a single known point is repeated."""
        if known.shape[1] == 1:
            carried = known.expand(-1, points.shape[1], -1)
        else:
            squared, index = three_nearest(known_points, points)
            weight = inverse_distance_weights(squared, self.epsilon, added=self.added)
            carried = interpolate_rows(known, _for_each(index, known), _for_each(weight.to(known.dtype), known))
        if skip is not None:
            carried = torch.cat([skip, carried] if self.skip_first else [carried, skip], dim=2)
        return self.layers(carried)


class PointNet2(nn.Module):
    """Encoder and decoder: a feature for every point, and the features of the coarsest level.

    Args:
        channels: width of the points' own features (beside their positions), 0 for none.
        levels: of set abstraction, fine to coarse.
        up: widths of the layers of each propagation, coarse to fine, one entry a level.
        closed, start: see `SetAbstraction`. skip_first, epsilon, added: see `FeaturePropagation`.
        eps, momentum, bias: see `partseg.nn.layers.SharedMLP`.
        skip_points: the finest skip is [position, features] in place of the features alone.
    """

    def __init__(
        self,
        channels: int,
        levels: Sequence[SetLevel],
        up: Sequence[Sequence[int]],
        *,
        closed: bool = False,
        start: int = 0,
        skip_first: bool = False,
        epsilon: float = 1e-10,
        added: bool = False,
        eps: float = 1e-5,
        momentum: float = 0.1,
        bias: bool = False,
        skip_points: bool = False,
    ) -> None:
        super().__init__()
        if not levels or len(levels) != len(up):
            raise ValueError(f"{len(levels)} levels down but {len(up)} up")
        norm = {"eps": eps, "momentum": momentum, "bias": bias}
        self.skip_points = skip_points
        self.down, widths = nn.ModuleList(), [channels]
        for level in levels:
            self.down.append(SetAbstraction(widths[-1], level, closed=closed, start=start, **norm))
            widths.append(self.down[-1].channels)
        self.coarse_channels = widths[-1]
        skips = [channels + 3 * skip_points, *widths[1:-1]]
        self.up, width = nn.ModuleList(), widths[-1]
        for skip, layers in zip(reversed(skips), up, strict=True):
            self.up.append(
                FeaturePropagation(
                    width, skip, layers, skip_first=skip_first, epsilon=epsilon, added=added, **norm
                )
            )  # fmt: skip
            width = self.up[-1].channels
        self.channels = width

    def encode(
        self, points: Float[Tensor, "a n 3"], features: Float[Tensor, "b n c"] | None = None
    ) -> list[tuple[Tensor, Tensor | None]]:
        """(positions, features) of the input and of each level, fine to coarse."""
        stages = [(points, features)]
        for level in self.down:
            stages.append(level(*stages[-1]))
        return stages

    def forward(
        self, points: Float[Tensor, "a n 3"], features: Float[Tensor, "b n c"] | None = None
    ) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b m e"]]:
        """Features of every point, and those of the coarsest level (m is 1 where that groups the whole cloud).

        Args:
            points: positions; a is b, or 1 for one cloud with several sets of features. features: see the class.
        """
        stages = self.encode(points, features)
        known_points, known = coarsest = stages[-1]
        for (target, skip), layer in zip(reversed(stages[:-1]), self.up, strict=True):
            if self.skip_points and target is points:
                skip = points if skip is None else torch.cat([_for_each(points, skip), skip], dim=2)
            known = layer(target, skip, known_points, known)
            known_points = target
        return known, coarsest[1]


def _for_each(one: Tensor, features: Tensor) -> Tensor:
    """What belongs to a cloud, once for each set of features it carries."""
    return one.expand(len(features), *one.shape[1:])
