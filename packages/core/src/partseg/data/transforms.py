"""Random similarity transforms of batches, applied to normals correctly, on whatever device the batch is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from partseg.data.batch import PartBatch


@dataclass(frozen=True)
class Augmentation:
    """Ranges of a random transform, drawn anew for each shape. The default changes nothing.

    Attributes:
        up: "any" turns a random axis up (of the six), "y" keeps y up.
        turn: turn about the up axis, uniform in ± this many radians.
        tilt: then a rotation about a random axis, uniform in ± this many radians.
        stretch: scale of each axis, exp(uniform in ± this).
        mirror: probability of a reflection.
        jitter: normal noise on the points, in units of the longest side of the box.
        extent: longest side after all this; 0 leaves the size alone.
        extent_range: extent is multiplied by uniform(1 - this, 1).
    """

    up: str = "y"
    turn: float = 0.0
    tilt: float = 0.0
    stretch: float = 0.0
    mirror: float = 0.0
    jitter: float = 0.0
    extent: float = 0.0
    extent_range: float = 0.0

    def __call__(self, batch: PartBatch, generator: torch.Generator | None = None) -> PartBatch:
        """The batch with each shape transformed. Random numbers come from `generator` (on the CPU)."""
        b, device = batch.n_shapes, batch.points.device
        linear = self.matrices(b, generator).to(device)
        index = batch.index
        points = torch.einsum("nij,nj->ni", linear[index], batch.points)
        if self.jitter:
            low, high = _bounds(points, index, b)
            side = (high - low).amax(1)
            noise = torch.randn(points.shape, generator=generator).to(device)
            points = points + noise * self.jitter * side[index, None]
        if self.extent:
            low, high = _bounds(points, index, b)
            side = (high - low).amax(1).clamp(min=1e-12)
            shrink = 1 - self.extent_range * torch.rand(b, generator=generator).to(device)
            points = (points - ((low + high) / 2)[index]) * (self.extent * shrink / side)[index, None]
        normals = batch.normals
        if normals is not None:
            # normals turn with the inverse transpose; its sign keeps "outward" outward under reflections
            cofactor = torch.linalg.inv(linear).transpose(1, 2)
            normals = torch.einsum("nij,nj->ni", cofactor[index], normals)
            length = normals.norm(dim=1, keepdim=True)
            normals = torch.where(length > 0, normals / length.clamp(min=1e-12), normals)
        # hierarchies hold symmetry parameters in the old frame
        return replace(batch, points=points, normals=normals, hierarchies=())

    def matrices(self, b: int, generator: torch.Generator | None = None) -> Float[Tensor, "b 3 3"]:
        """b random linear maps."""

        def uniform(*size: int) -> Tensor:
            return torch.rand(size, generator=generator) * 2 - 1

        linear = torch.eye(3).repeat(b, 1, 1)
        linear = torch.diag_embed(torch.exp(uniform(b, 3) * self.stretch)) @ linear
        flip = torch.where(torch.rand(b, generator=generator) < self.mirror, -1.0, 1.0)
        linear[:, 0] *= flip[:, None]
        up = torch.tensor([0.0, 1.0, 0.0]).repeat(b, 1)
        linear = rotations(up, uniform(b) * self.turn) @ linear
        if self.up == "any":
            axis = torch.eye(3)[torch.randint(3, (b,), generator=generator)]
            quarter = torch.randint(4, (b,), generator=generator) * (math.pi / 2)
            linear = rotations(axis, quarter) @ linear
        if self.tilt:
            axis = torch.randn(b, 3, generator=generator)
            linear = rotations(axis / axis.norm(dim=1, keepdim=True), uniform(b) * self.tilt) @ linear
        return linear


def rotations(axis: Float[Tensor, "b 3"], angle: Float[Tensor, "b"]) -> Float[Tensor, "b 3 3"]:
    """Rotation matrices about unit axes (Rodrigues' formula), angles in radians."""
    x, y, z = axis.unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)
    s, c = torch.sin(angle)[:, None, None], torch.cos(angle)[:, None, None]
    return torch.eye(3, device=axis.device) + s * cross + (1 - c) * cross @ cross


def _bounds(points: Tensor, index: Tensor, b: int) -> tuple[Tensor, Tensor]:
    rows = index[:, None].expand(-1, 3)
    low = points.new_full((b, 3), torch.inf).scatter_reduce(0, rows, points, "amin")
    high = points.new_full((b, 3), -torch.inf).scatter_reduce(0, rows, points, "amax")
    return torch.nan_to_num(low, posinf=0.0), torch.nan_to_num(high, neginf=0.0)


PRESETS = {
    "none": Augmentation(),
    # ours: any of the six axes may be up in a stranger's file
    "any-up": Augmentation(
        up="any", turn=math.pi, tilt=0.35, stretch=0.15, mirror=0.5, jitter=0.002, extent=1.8, extent_range=0.1
    ),
    "upright": Augmentation(turn=math.pi, stretch=0.15, mirror=0.5, jitter=0.002, extent=1.8, extent_range=0.1),
}
