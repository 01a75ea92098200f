"""Three axis-aligned feature planes: filling, plane U-Net, lookup.

Planes are ordered xy, yz, xz; within a plane the row is the second named axis and the column the first.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from partseg_partfield.config import ModelConfig
from partseg_partfield.pointvoxel import norm_groups, scatter_mean

PLANE_AXES = ((0, 1), (1, 2), (0, 2))  # (column axis, row axis)


def plane_coordinates(points: Float[Tensor, "b m 3"]) -> Float[Tensor, "b 3 m 2"]:
    """(column, row) coordinates of the points on each plane, in the units of the points."""
    return torch.stack([points[..., list(axes)] for axes in PLANE_AXES], dim=1)


def project(
    features: Float[Tensor, "b n c"], points: Float[Tensor, "b n 3"], resolution: int, half_cell: bool
) -> Float[Tensor, "b 3 c h w"]:
    """Mean of the point features in each pixel of each plane, empty pixels 0 (PartField section 3.3).

    `half_cell` (released weights) uses pixels of width 2 / R; otherwise each point goes to the nearest pixel of the
    lookup's own grid, whose first and last pixels lie on -1 and 1.
    """
    b, n, c = features.shape
    where = plane_coordinates(points)
    if half_cell:
        unit = where / 2 / (1 + 1e-5) + 0.5
        unit = torch.where(unit >= 1, 1 - 1e-5, unit).clamp(min=0)
        pixel = (unit * resolution).long()
    else:
        pixel = ((where + 1) * (0.5 * (resolution - 1))).clamp(0, resolution - 1).round().long()
    plane = torch.arange(3, device=points.device)[None, :, None]
    cell = (plane * resolution + pixel[..., 1]) * resolution + pixel[..., 0]
    repeated = features[:, None].expand(b, 3, n, c).reshape(b, 3 * n, c)
    planes = scatter_mean(repeated, cell.reshape(b, 3 * n), 3 * resolution * resolution)
    return planes.reshape(b, 3, resolution, resolution, c).permute(0, 1, 4, 2, 3)


def query_planes(planes: Float[Tensor, "b 3 c h w"], points: Float[Tensor, "b m 3"]) -> Float[Tensor, "b m c"]:
    """Field values: bilinear lookup on each plane (corners aligned, border held), summed over the three planes."""
    b, _, c, h, w = planes.shape
    last = points.new_tensor([w - 1, h - 1])
    pixel = torch.minimum(((plane_coordinates(points) + 1) * (0.5 * last)).clamp(min=0), last)
    low = torch.minimum(pixel.floor(), last - 1)
    fx, fy = (pixel - low).unbind(-1)
    column, row = low.long().unbind(-1)
    plane = torch.arange(b * 3, device=points.device).reshape(b, 3, 1)
    corner = (plane * h + row) * w + column
    # Twelve weighted pixels a point, added up in one pass over channels-last rows: four times as fast as grid_sample
    # with its backward pass, which scatters channel by channel.
    corners = torch.stack([corner, corner + 1, corner + w, corner + w + 1], dim=-1)
    weights = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], dim=-1)
    values = F.embedding_bag(
        corners.transpose(1, 2).reshape(-1, 12),
        planes.permute(0, 1, 3, 4, 2).reshape(-1, c),
        mode="sum",
        per_sample_weights=weights.transpose(1, 2).reshape(-1, 12).to(planes.dtype),
    )
    return values.reshape(b, -1, c)


class CrossPlaneConv(nn.Module):
    """1x1 convolution per plane on its own pixels and on mean profiles of the other two planes.

    Rightly each plane hears, along each of its two axes, the plane that shares this axis. The released weights were
    trained with profiles of the axis the plane lacks (`foreign`), laid once along columns and once along rows.
    """

    # (source plane, source is averaged over its rows?) for the profile along columns and the one along rows
    RIGHT = (((2, True), (1, True)), ((0, False), (2, False)), ((0, True), (1, False)))
    # In the released module plane 2 is transposed around the convolution, so its two profiles change places.
    FOREIGN = (((1, False), (2, False)), ((2, True), (0, True)), ((1, True), (0, False)))

    def __init__(self, channels: int, foreign: bool) -> None:
        super().__init__()
        self.foreign = foreign
        self.plane_convs = nn.ModuleList(nn.Conv2d(3 * channels, channels, 1) for _ in range(3))

    def forward(self, x: Float[Tensor, "b 3 c h w"]) -> Float[Tensor, "b 3 d h w"]:
        b, _, c, h, w = x.shape
        over_rows, over_columns = x.mean(dim=3), x.mean(dim=4)
        table = self.FOREIGN if self.foreign else self.RIGHT
        own, by_column, by_row, column, row = [], [], [], [], []
        for plane, conv in enumerate(self.plane_convs):
            first, second, third = conv.weight[:, :, 0, 0].split(c, dim=1)
            if self.foreign and plane == 2:
                second, third = third, second
            own.append(first)
            by_column.append(second)
            by_row.append(third)
            (source, rows), (source_b, rows_b) = table[plane]
            column.append((over_rows if rows else over_columns)[:, source])
            row.append((over_rows if rows_b else over_columns)[:, source_b])
        bias = torch.stack([conv.bias for conv in self.plane_convs])

        # Channels last, and the profiles, which are one-dimensional, multiplied before they are laid over the plane.
        pixels = x.permute(0, 1, 3, 4, 2).reshape(b, 3, h * w, c)
        y = (pixels @ torch.stack(own).transpose(1, 2)).reshape(b, 3, h, w, c)
        along_columns = torch.stack(column, dim=1).transpose(2, 3) @ torch.stack(by_column).transpose(1, 2)
        along_rows = torch.stack(row, dim=1).transpose(2, 3) @ torch.stack(by_row).transpose(1, 2)
        y = y + (along_columns + bias[:, None])[:, :, None, :, :] + along_rows[:, :, :, None, :]
        return y.permute(0, 1, 4, 2, 3)


class _PlaneBlock(nn.Module):
    """Residual block on planes held either stacked along height (`stacked`, released) or as a batch."""

    def __init__(self, inputs: int, channels: int, config: ModelConfig) -> None:
        super().__init__()
        released = config.trunk == "released"
        self.stacked = config.official_oddities

        def norm(width: int) -> nn.GroupNorm:
            return nn.GroupNorm(32, width, eps=1e-6) if released else nn.GroupNorm(norm_groups(width), width)

        self.norm1 = norm(inputs)
        self.conv1 = nn.Conv2d(inputs, channels, 3, padding=1)
        if config.cross_plane:
            self.norm_mid = norm(channels) if released else nn.Identity()
            self.conv_3daware = CrossPlaneConv(channels, foreign=config.official_oddities)
        else:
            self.conv_3daware = None
        if released:
            self.norm2 = norm(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        else:
            self.conv2 = None
        self.nin_shortcut = nn.Conv2d(inputs, channels, 1) if inputs != channels else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        if self.conv_3daware is not None:
            y = join_planes(self.conv_3daware(part_planes(F.silu(self.norm_mid(y)), self.stacked)), self.stacked)
        if self.conv2 is not None:
            y = self.conv2(F.silu(self.norm2(y)))
        return y + (x if self.nin_shortcut is None else self.nin_shortcut(x))


def join_planes(planes: Float[Tensor, "b 3 c h w"], stacked: bool) -> Tensor:
    """Planes as one tall image (b, c, 3h, w) or as a batch of images (3b, c, h, w)."""
    b, _, c, h, w = planes.shape
    return planes.transpose(1, 2).reshape(b, c, 3 * h, w) if stacked else planes.reshape(b * 3, c, h, w)


def part_planes(x: Tensor, stacked: bool) -> Float[Tensor, "b 3 c h w"]:
    """Inverse of `join_planes`."""
    if stacked:
        b, c, h, w = x.shape
        return x.reshape(b, c, 3, h // 3, w).transpose(1, 2)
    return x.reshape(-1, 3, *x.shape[1:])


class _Level(nn.Module):
    """Names the released checkpoint's `block` (and, going up, the norm of the joined input before it)."""

    def __init__(self, inputs: int, channels: int, config: ModelConfig, norm: bool = False) -> None:
        super().__init__()
        if norm:
            self.norm1 = nn.GroupNorm(32, inputs, eps=1e-6)
        self.block = _PlaneBlock(inputs, channels, config)


class PlaneUNet(nn.Module):
    """U-Net over the three planes, which exchange mean profiles in every block.

    The released trunk joins by concatenation and ends in a 1x1 convolution back to its input width; the lean one
    reduces first, joins by addition, and hands on its finest width.
    """

    def __init__(self, inputs: int, config: ModelConfig) -> None:
        super().__init__()
        widths = config.unet_widths
        self.released = config.trunk == "released"
        self.stacked = config.official_oddities
        self.down_convs = nn.ModuleList(_Level(i, o, config) for i, o in zip((inputs, *widths), widths, strict=False))
        lower = list(zip(widths[1:], widths, strict=False))[::-1]  # (width below, width here), coarsest first
        if self.released:
            self.up_convs = nn.ModuleList(_Level(low + here, here, config, norm=True) for low, here in lower)
            self.norm_out = nn.GroupNorm(32, widths[0], eps=1e-6)
            self.conv_final = nn.Conv2d(widths[0], inputs, 1)
        else:
            self.reduce = nn.ModuleList(nn.Conv2d(low, here, 1) for low, here in lower)
            self.up_convs = nn.ModuleList(_Level(here, here, config) for _, here in lower)
            self.norm_out = nn.GroupNorm(norm_groups(widths[0]), widths[0])
        self.channels = inputs if self.released else widths[0]

    def forward(self, planes: Float[Tensor, "b 3 c h w"]) -> Float[Tensor, "b 3 d h w"]:
        x = join_planes(planes, self.stacked)
        skips = []
        for level, down in enumerate(self.down_convs):
            x = down.block(F.avg_pool2d(x, 2) if level else x)
            skips.append(x)
        for level, up in enumerate(self.up_convs):
            skip = skips[-2 - level]
            if self.released:
                x = torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), skip], dim=1)
                x = up.block(up.norm1(x))
            else:
                x = up.block(F.interpolate(self.reduce[level](x), scale_factor=2.0, mode="nearest") + skip)
        x = F.silu(self.norm_out(x))
        return part_planes(self.conv_final(x) if self.released else x, self.stacked)
