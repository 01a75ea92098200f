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
        if self == Augmentation():
            return batch
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


@dataclass(frozen=True)
class PaperAugmentation:
    """Random motions as the papers state them: x' = s (R (x + noise + shift) + t), drawn anew for each shape.

    Attributes:
        angles: R is the product of rotations about these axes, the last one applied first ("zxy": Rz Rx Ry).
        degrees: angles are whole degrees, uniform in [-this, this).
        sigma, clip: angles are normal with this deviation, in radians, cut off at ± clip. Without either, angles are
            uniform in the full circle.
        scale: s is uniform in this range.
        shift: uniform in ± this on each axis, before the rotation.
        move, move_sigma: t is uniform in ± move, or normal, on each axis.
        noise, noise_clip: normal noise on every coordinate, cut off at ± noise_clip.
        noisy_normals: the same noise on normals, which are not made unit vectors again.
        cube: points that leave [-cube, cube]³ are dropped; 0 keeps all.
    """

    angles: str = ""
    degrees: int = 0
    sigma: float = 0.0
    clip: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    move: float = 0.0
    move_sigma: float = 0.0
    noise: float = 0.0
    noise_clip: float = 0.0
    noisy_normals: bool = False
    cube: float = 0.0

    def __call__(self, batch: PartBatch, generator: torch.Generator | None = None) -> PartBatch:
        """The batch with each shape moved. Random numbers come from `generator` (on the CPU)."""
        b, device, index = batch.n_shapes, batch.points.device, batch.index

        def uniform(low: float, high: float, *size: int) -> Tensor:
            return (low + (high - low) * torch.rand(size, generator=generator)).to(device)

        def noisy(x: Tensor) -> Tensor:
            draw = torch.randn(x.shape, generator=generator) * self.noise
            return x + (draw.clamp(-self.noise_clip, self.noise_clip) if self.noise_clip else draw).to(device)

        turn = self.rotations(b, generator).to(device)
        scale = uniform(*self.scale, b)
        shift = uniform(-self.shift, self.shift, b, 3)
        move = uniform(-self.move, self.move, b, 3)
        if self.move_sigma:
            move = move + torch.randn((b, 3), generator=generator).to(device) * self.move_sigma
        points = noisy(batch.points) if self.noise else batch.points
        points = torch.einsum("nij,nj->ni", turn[index], points + shift[index])
        points = scale[index, None] * (points + move[index])
        normals = batch.normals
        if normals is not None:
            normals = noisy(normals) if self.noisy_normals else normals
            normals = torch.einsum("nij,nj->ni", turn[index], normals)
        moved = replace(batch, points=points, normals=normals, hierarchies=())
        return moved.selected((points.abs() <= self.cube).all(1)) if self.cube else moved

    def rotations(self, b: int, generator: torch.Generator | None = None) -> Float[Tensor, "b 3 3"]:
        """b random rotations."""
        out = torch.eye(3).repeat(b, 1, 1)
        for name in self.angles:
            if self.degrees:
                angle = torch.randint(-self.degrees, self.degrees, (b,), generator=generator) * (math.pi / 180)
            elif self.sigma:
                angle = (torch.randn(b, generator=generator) * self.sigma).clamp(-self.clip, self.clip)
            else:
                angle = torch.rand(b, generator=generator) * (2 * math.pi)
            out = out @ rotations(torch.eye(3)["xyz".index(name)].repeat(b, 1), angle)
        return out


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


PRESETS: dict[str, Augmentation | PaperAugmentation] = {
    "none": Augmentation(),
    # ours: any of the six axes may be up in a stranger's file
    "any-up": Augmentation(
        up="any", turn=math.pi, tilt=0.35, stretch=0.15, mirror=0.5, jitter=0.002, extent=1.8, extent_range=0.1
    ),
    "upright": Augmentation(turn=math.pi, stretch=0.15, mirror=0.5, jitter=0.002, extent=1.8, extent_range=0.1),
    # Mo et al. 2019, the training scripts of the PartNet experiments
    "partnet": PaperAugmentation(
        angles="zyx", sigma=0.06, clip=0.18, scale=(0.8, 1.25), shift=0.1, noise=0.01, noise_clip=0.05
    ),
    # Yu et al. 2019, the released training code
    "recursive-partnet": PaperAugmentation(noise=0.01, noise_clip=0.05, noisy_normals=True),
    # Sun et al. 2022, Sec. 4.1 and the released data layer
    "instance-fusion": PaperAugmentation(angles="zxy", degrees=10, scale=(0.75, 1.25), move=0.125, cube=1.0),
    # Yi et al. 2019, the released ScanNet loader
    "gspn": PaperAugmentation(angles="z", move_sigma=1.0),
}
