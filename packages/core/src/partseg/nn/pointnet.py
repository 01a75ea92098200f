"""PointNet (Qi et al., CVPR 2017): point-wise layers, then the maximum over the points."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Bool, Float
from torch import Tensor, nn

from partseg.nn.layers import SharedMLP, masked_max


class PointNet(nn.Module):
    """One vector for a set of points, whatever their number and order.

    Args:
        channels: width of a point, e.g. 6 for positions and normals. widths: of the layers; the last is the output's.
        eps, momentum, bias, dropout: see `partseg.nn.layers.SharedMLP`. The node encoder of Yu et al. (CVPR 2019) is
            ``PointNet(6, (64, 128, 128, 256, 128), dropout=(0, 0, 0, 0.2, 0.2), bias=True)``.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
        bias: bool = False,
        dropout: float | Sequence[float] = 0.0,
    ) -> None:
        super().__init__()
        self.layers = SharedMLP(channels, widths, eps=eps, momentum=momentum, bias=bias, dropout=dropout)
        self.channels = self.layers.channels

    def points(self, x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n d"]:
        """Features of each point, before the maximum."""
        return self.layers(x)

    def forward(self, x: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"] | None = None) -> Float[Tensor, "b d"]:
        """Encode each set.

        Args:
            x: points with whatever they carry, n >= 1.
            mask: which rows are points; the others are padding, which no maximum sees (the statistics of the batch
                normalisation do). None: all of them. A set without points gives zeros.
        """
        return masked_max(self.points(x), mask)
