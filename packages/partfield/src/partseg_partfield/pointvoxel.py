"""Point-voxel encoders: points in, one feature vector per point out (PVCNN, Liu et al. 2019; PartField section 3.3)."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from partseg_partfield.config import ModelConfig


def scatter_mean(
    features: Float[Tensor, "b n c"], cell: Int[Tensor, "b n"], n_cells: int
) -> Float[Tensor, "b cells c"]:
    """Mean of the features that fall into each cell; empty cells are 0. Sums run in float32 whatever autocast says."""
    b, _, c = features.shape
    with torch.autocast(features.device.type, enabled=False):
        rows = (cell + n_cells * torch.arange(b, device=cell.device)[:, None]).reshape(-1)
        values = features.float().reshape(-1, c)
        total = values.new_zeros(b * n_cells, c).index_add(0, rows, values)
        count = values.new_zeros(b * n_cells).index_add(0, rows, values.new_ones(1).expand(rows.numel()))
        return (total / count.clamp(min=1)[:, None]).reshape(b, n_cells, c)


def voxel_coordinates(points: Float[Tensor, "b n 3"], resolution: int, half_cell: bool) -> Float[Tensor, "b n 3"]:
    """Unrounded voxel coordinates in [0, resolution - 1].

    `half_cell` (released weights): voxel i lies at -1 + 2 i / R, so the last half voxel is clamped away; otherwise
    voxels 0 and R - 1 lie on the faces of the cube, where the trilinear lookup expects them.
    """
    scale = resolution if half_cell else resolution - 1
    return ((points + 1) * (0.5 * scale)).clamp(0, resolution - 1)


def voxelise(
    features: Float[Tensor, "b n c"], coordinates: Float[Tensor, "b n 3"], resolution: int
) -> Float[Tensor, "b c x y z"]:
    """Mean features of the voxels nearest to the points; the grid is x-major."""
    index = coordinates.round().long()
    cell = (index[..., 0] * resolution + index[..., 1]) * resolution + index[..., 2]
    grid = scatter_mean(features, cell, resolution**3)
    return grid.transpose(1, 2).reshape(features.shape[0], features.shape[2], resolution, resolution, resolution)


def devoxelise(
    grid: Float[Tensor, "b c x y z"], coordinates: Float[Tensor, "b n 3"], exchanged: bool
) -> Float[Tensor, "b c n"]:
    """Trilinear lookup at voxel coordinates. `exchanged` reads (z, y, x) for (x, y, z), as the released weights do."""
    resolution = grid.shape[-1]
    where = coordinates * (2.0 / (resolution - 1)) - 1
    if not exchanged:  # grid_sample takes its first coordinate along the last axis, here z
        where = where.flip(-1)
    sampled = F.grid_sample(
        grid, where[:, :, None, None].to(grid.dtype), mode="bilinear", padding_mode="border", align_corners=True
    )
    return sampled.flatten(2)


class _PointBranch(nn.Module):
    """1x1 convolution over points with instance norm and ReLU; one point normalises to 0, as its own mean."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(inputs, channels, 1)])

    def forward(self, x: Float[Tensor, "b c n"]) -> Float[Tensor, "b d n"]:
        x = self.layers[0](x)
        variance, mean = torch.var_mean(x.float(), dim=2, keepdim=True, correction=0)
        return F.relu((x - mean) * torch.rsqrt(variance + 1e-5))


class PointVoxelBlock(nn.Module):
    """Released block: two 3D convolutions with instance norms beside a point branch, summed."""

    def __init__(self, inputs: int, channels: int, resolution: int, odd: bool) -> None:
        super().__init__()
        self.resolution = resolution
        self.odd = odd
        self.voxel_layers = nn.Sequential(
            nn.Conv3d(inputs, channels, 3, padding=1),
            nn.InstanceNorm3d(channels, eps=1e-4),
            nn.LeakyReLU(0.1),
            nn.Conv3d(channels, channels, 3, padding=1),
            nn.InstanceNorm3d(channels, eps=1e-4),
            nn.LeakyReLU(0.1),
        )
        self.point_features = _PointBranch(inputs, channels)

    def forward(self, features: Float[Tensor, "b n c"], points: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n d"]:
        coordinates = voxel_coordinates(points, self.resolution, half_cell=self.odd)
        grid = self.voxel_layers(voxelise(features, coordinates, self.resolution))
        fine = self.point_features(features.transpose(1, 2))
        return (devoxelise(grid, coordinates, exchanged=self.odd) + fine).transpose(1, 2)


class ReleasedPointEncoder(nn.Module):
    """Sequence of point-voxel blocks.

    With the oddities the inputs are (p, 2p, 0, 0) and only the first block is evaluated: the released code discards
    the others' output, but its checkpoint holds their tensors, so they exist here too.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.odd = config.official_oddities
        self.normals = config.normals
        inputs = 8 if self.odd else (6 if config.normals else 3)
        blocks = []
        for block in config.point_blocks:
            blocks.append(PointVoxelBlock(inputs, block.channels, block.resolution, self.odd))
            inputs = block.channels
        self.encoder = nn.ModuleList(blocks)

    def forward(self, points: Float[Tensor, "b n 3"], normals: Tensor | None = None) -> Float[Tensor, "b n c"]:
        if self.odd:
            return self.encoder[0](torch.cat([points, 2 * points, torch.zeros_like(points[..., :2])], dim=-1), points)
        x = points
        if self.normals:
            x = torch.cat([points, torch.zeros_like(points) if normals is None else normals], dim=-1)
        for block in self.encoder:
            x = block(x, points)
        return x


def norm_groups(channels: int) -> int:
    """Largest of 8, 4, 2, 1 that divides `channels` and leaves at least two channels a group."""
    return next(g for g in (8, 4, 2, 1) if channels % g == 0 and (channels // g >= 2 or g == 1))


class _Conv3dNorm(nn.Module):
    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, channels, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(norm_groups(channels), channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.norm(self.conv(x)), inplace=True)


class LeanPointEncoder(nn.Module):
    """Ours: voxel means of position, normal, occupancy and offset, a light 3D hourglass, trilinear lookup, point MLP.

    The hourglass sees across the inside of a shape, which tells thickness and concavity; the point MLP joins its
    context with the point's own position and normal. No norm runs over points, so a feature does not depend on how
    densely the cloud was sampled beyond the voxel means.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.normals = config.normals
        block, widths = config.point_blocks[0], config.voxel_widths
        self.resolution = block.resolution
        inputs = 8 if config.normals else 4  # position, one[, normal, is-known]
        self.down = nn.ModuleList(_Conv3dNorm(i, o) for i, o in zip((inputs + 3, *widths), widths, strict=False))
        self.reduce = nn.ModuleList(nn.Conv3d(o, i, 1) for i, o in pairwise(widths))
        self.up = nn.ModuleList(_Conv3dNorm(w, w) for w in widths[:-1])
        self.point_mlp = nn.Sequential(
            nn.Linear(widths[0] + inputs, block.channels), nn.SiLU(), nn.Linear(block.channels, block.channels)
        )

    def point_inputs(self, points: Tensor, normals: Tensor | None) -> Float[Tensor, "b n i"]:
        parts = [points, torch.ones_like(points[..., :1])]
        if self.normals:
            normals = torch.zeros_like(points) if normals is None else normals
            known = (normals.abs().amax(dim=-1, keepdim=True) > 0).to(points.dtype)
            parts += [normals, known]
        return torch.cat(parts, dim=-1)

    def forward(self, points: Float[Tensor, "b n 3"], normals: Tensor | None = None) -> Float[Tensor, "b n c"]:
        inputs = self.point_inputs(points, normals)
        coordinates = voxel_coordinates(points, self.resolution, half_cell=False)
        offset = coordinates - coordinates.round()
        x = voxelise(torch.cat([inputs, offset], dim=-1), coordinates, self.resolution)
        skips = []
        for level, layer in enumerate(self.down):
            x = layer(x if level == 0 else F.avg_pool3d(x, 2))
            skips.append(x)
        for level in reversed(range(len(self.up))):
            x = F.interpolate(self.reduce[level](x), scale_factor=2.0, mode="nearest")
            x = self.up[level](x + skips[level])
        context = devoxelise(x, coordinates, exchanged=False).transpose(1, 2)
        return self.point_mlp(torch.cat([context.to(inputs.dtype), inputs], dim=-1))
