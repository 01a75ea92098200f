"""PartField: a feed-forward part feature field over a point-sampled shape (Liu et al., ICCV 2025, section 3.3)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from partseg_partfield.config import ModelConfig
from partseg_partfield.pointvoxel import LeanPointEncoder, ReleasedPointEncoder
from partseg_partfield.transformer import TriplaneTransformer
from partseg_partfield.triplane import PlaneUNet, project, query_planes


class PlaneEncoder(nn.Module):
    """Points to planes: point-voxel encoder, projection, plane U-Net (absent where the config has none)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        released = config.trunk == "released"
        self.pc_encoder = ReleasedPointEncoder(config) if released else LeanPointEncoder(config)
        self.unet_encoder = PlaneUNet(config.plane_channels, config) if config.unet_widths else None
        self.channels = self.unet_encoder.channels if self.unet_encoder is not None else config.plane_channels

    def scattered(self, points: Float[Tensor, "b n 3"], normals: Tensor | None) -> Float[Tensor, "b 3 c h w"]:
        """Mean point features per pixel."""
        features = self.pc_encoder(points, normals)
        return project(features, points, self.config.plane_resolution, half_cell=self.config.official_oddities)

    def forward(self, points: Float[Tensor, "b n 3"], normals: Tensor | None = None) -> Float[Tensor, "b 3 c h w"]:
        planes = self.scattered(points, normals)
        return planes if self.unet_encoder is None else self.unet_encoder(planes)


class SdfDecoder(nn.Module):
    """Signed distance from SDF plane features: linear layers without bias, ReLU between, tanh at the end."""

    def __init__(self, channels: int, hidden_layers: int = 6) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(hidden_layers):
            layers += [nn.Linear(channels, channels, bias=False), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(channels, 1, bias=False))

    def forward(self, features: Float[Tensor, "b m c"]) -> Float[Tensor, "b m"]:
        return torch.tanh(self.layers(features))[..., 0]


class PartField(nn.Module):
    """The network. Everything is batched over shapes of equally many points.

    `planes = model(points, normals)` holds the SDF channels (if any) first and the part channels last;
    `model.query(planes, positions)` reads the part feature field anywhere in the cube [-1, 1]^3 (positions outside
    read its border). Shapes should be centred with their longest side at 1.8, as `Shape.normalized` leaves them.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.logit_scale = nn.Parameter(torch.ones(1))  # log of the inverse temperature
        self.pvcnn = PlaneEncoder(config)
        self.triplane_transformer = TriplaneTransformer(self.pvcnn.channels, config)
        if config.sdf_channels:
            self.sdf_decoder = SdfDecoder(config.sdf_channels)

    def forward(self, points: Float[Tensor, "b n 3"], normals: Tensor | None = None) -> Float[Tensor, "b 3 c h w"]:
        """Planes of all channels, float32, bfloat16 or float16 as autocast decides."""
        return self.triplane_transformer(self.pvcnn(points, normals))

    def planes_of(self, points: Float[Tensor, "b n 3"], normals: Tensor | None = None) -> Float[Tensor, "b 3 c h w"]:
        """Part planes only, float32: what inference keeps of a shape."""
        return self.part_planes(self(points, normals)).float()

    def part_planes(self, planes: Float[Tensor, "b 3 c h w"]) -> Float[Tensor, "b 3 p h w"]:
        """The part channels of `forward`'s planes (planes that hold nothing else pass unchanged)."""
        return planes[:, :, planes.shape[2] - self.config.part_channels :]

    def query(self, planes: Float[Tensor, "b 3 c h w"], points: Float[Tensor, "b m 3"]) -> Float[Tensor, "b m p"]:
        """Part features (float32, not normalised) at positions, from planes of `forward` or `planes_of`."""
        return query_planes(self.part_planes(planes).float(), points)

    def signed_distance(
        self, planes: Float[Tensor, "b 3 c h w"], points: Float[Tensor, "b m 3"]
    ) -> Float[Tensor, "b m"]:
        """SDF prediction in (-1, 1) from planes of `forward`.

        Raises:
            ValueError: the configuration has no SDF branch.
        """
        if not self.config.sdf_channels:
            raise ValueError("this configuration has no SDF branch (sdf_channels is 0)")
        return self.sdf_decoder(query_planes(planes[:, :, : self.config.sdf_channels].float(), points))
