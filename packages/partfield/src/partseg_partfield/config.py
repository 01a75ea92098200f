"""Typed settings of PartField: network, loss, optimiser, and the named configurations that ship as YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from partseg.methods import configs
from partseg_partfield.spec import SPEC

PositiveWidth = Annotated[int, Field(ge=1, le=8192)]
GridSize = Annotated[int, Field(ge=2, le=1024)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointBlock(_Strict):
    """One point-voxel block: its output width and the resolution of its voxel grid."""

    channels: PositiveWidth = Field(description="Width of the block's point features.")
    resolution: GridSize = Field(description="Voxels along each side of the cube [-1, 1]^3.")


class ModelConfig(_Strict):
    """The network. `trunk` and `official_oddities` choose whose blocks are built; the rest are sizes."""

    trunk: Literal["released", "lean"] = Field(
        default="lean",
        description="'released': the block shapes of the published code; 'lean': our cheaper blocks with affine "
        "group norms, a 3D hourglass, joins by addition and a fusing head.",
    )
    official_oddities: bool = Field(
        default=False,
        description="Keep what the published weights were trained with: doubled inputs, x/z exchange, unused point "
        "blocks, cross-plane profiles on foreign axes, half-cell lookup, convolutions across stacked planes.",
    )
    normals: bool = Field(default=True, description="Read unit normals beside positions; zeros mean 'unknown'.")
    point_blocks: tuple[PointBlock, ...] = Field(
        default=(PointBlock(channels=32, resolution=32),), min_length=1, description="Point-voxel blocks, in sequence."
    )
    voxel_widths: tuple[PositiveWidth, ...] = Field(
        default=(16, 32, 64, 96),
        description="Lean trunk: widths of the 3D hourglass, finest first; each level halves the voxel resolution.",
    )
    plane_resolution: GridSize = Field(default=64, description="Pixels along each side of a plane.")
    unet_widths: tuple[PositiveWidth, ...] = Field(
        default=(32, 64, 96), description="Plane U-Net widths, finest first; empty switches the U-Net off."
    )
    cross_plane: bool = Field(default=True, description="Mean profiles of the other two planes inside U-Net blocks.")
    width: PositiveWidth = Field(default=192, description="Token width of the transformer.")
    layers: int = Field(default=3, ge=1, le=48, description="Transformer layers.")
    heads: int = Field(default=6, ge=1, le=64, description="Attention heads; must divide the width.")
    mlp_ratio: int = Field(default=4, ge=1, le=8, description="Hidden width of a transformer MLP over its width.")
    token_resolution: GridSize = Field(default=8, description="Tokens along each side of a plane.")
    part_channels: PositiveWidth = Field(default=64, description="Width of the part feature field.")
    sdf_channels: int = Field(default=0, ge=0, le=1024, description="Width of the SDF planes; 0 builds no SDF branch.")
    skip_mlp: bool = Field(default=True, description="Carry the planes past the transformer through a per-pixel MLP.")

    @model_validator(mode="after")
    def _sizes_agree(self) -> ModelConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        factor, rest = divmod(self.plane_resolution, self.token_resolution)
        if rest or factor < 2:
            raise ValueError("plane_resolution must be a multiple (2 or more) of token_resolution")
        if self.trunk == "released" and factor & (factor - 1):
            raise ValueError("the released trunk halves planes: plane_resolution / token_resolution must be 2^k")
        if self.trunk == "lean" and factor % 2:
            raise ValueError("the lean trunk needs an even plane_resolution / token_resolution")
        if self.unet_widths and self.plane_resolution % 2 ** (len(self.unet_widths) - 1):
            raise ValueError("plane_resolution must be divisible by 2^(U-Net levels - 1)")
        if self.trunk == "released":
            if any(w % 32 for w in self.unet_widths) or (self.unet_widths and self.plane_channels % 32):
                raise ValueError("the released U-Net has 32 norm groups: widths must be multiples of 32")
        else:
            if len(self.point_blocks) != 1 or not self.voxel_widths or not self.unet_widths:
                raise ValueError("the lean trunk has one point block, a 3D hourglass and a U-Net")
            if self.point_blocks[0].resolution % 2 ** (len(self.voxel_widths) - 1):
                raise ValueError("voxel resolution must be divisible by 2^(hourglass levels - 1)")
            if not self.skip_mlp:
                raise ValueError("the lean head fuses planes and tokens: skip_mlp cannot be off")
        if self.official_oddities and (self.trunk != "released" or self.normals):
            raise ValueError("official_oddities belong to the released trunk without normals")
        return self

    @property
    def plane_channels(self) -> int:
        """Width of the point features scattered onto the planes."""
        block = self.point_blocks[0 if self.official_oddities else -1]
        return block.channels

    @property
    def upsampling(self) -> int:
        """Pixels per token along a side."""
        return self.plane_resolution // self.token_resolution


class ProposalConfig(_Strict):
    """Where part proposals come from."""

    labels: bool = Field(default=True, description="Masks of the 3D part labels, every hierarchy level.")
    images: bool = Field(
        default=False,
        description="2D image masks: label levels named 'image…', -1 on points that the image does not see.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> ProposalConfig:
        if not (self.labels or self.images):
            raise ValueError("switch on at least one proposal source")
        return self


class NegativeConfig(_Strict):
    """One kind of negatives."""

    enabled: bool = Field(default=True, description="Use this kind at all.")
    count: int = Field(default=256, ge=1, le=65536, description="Negatives of this kind per positive pair.")
    power: float = Field(
        default=1.0, ge=0.0, le=8.0, description="Hard kinds: probability proportional to distance^-power."
    )


class LossConfig(_Strict):
    """Triplet-contrastive loss (paper eq. 2) and the SDF term."""

    masks: int = Field(default=32, ge=1, le=4096, description="K: part proposals per batch of shapes.")
    pairs: int = Field(default=64, ge=1, le=4096, description="Positive pairs per proposal.")
    points: int = Field(
        default=4096, ge=2, le=10**7, description="At most this many points per shape take part, drawn anew each step."
    )
    pool: int = Field(
        default=1024, ge=1, le=65536, description="Complement points per proposal from which negatives are chosen."
    )
    uniform: NegativeConfig = Field(default=NegativeConfig(power=0.0), description="Uniform negatives.")
    near: NegativeConfig = Field(default=NegativeConfig(power=2.0), description="Negatives near the anchor in space.")
    feature: NegativeConfig = Field(
        default=NegativeConfig(power=1.0), description="Negatives near the anchor in feature space."
    )
    mask_size_power: float = Field(
        default=0.25, ge=0.0, le=1.0, description="Proposals drawn in proportion to points^power; 0 is uniform."
    )
    temperature: float = Field(default=0.1, gt=0.0, le=10.0, description="Initial temperature (it is learnt).")
    sdf_weight: float = Field(default=1.0, ge=0.0, le=100.0, description="Weight of the SDF term where a batch has it.")
    sdf_truncation: float = Field(default=0.1, gt=0.0, le=2.0, description="Signed distances are clamped to +- this.")
    proposals: ProposalConfig = Field(default=ProposalConfig(), description="Proposal sources.")

    @model_validator(mode="after")
    def _some_negatives(self) -> LossConfig:
        if not (self.uniform.enabled or self.near.enabled or self.feature.enabled):
            raise ValueError("switch on at least one kind of negatives")
        if self.uniform.enabled and self.uniform.count > self.pool:
            raise ValueError("the pool must hold at least the uniform negatives")
        return self


class OptimConfig(_Strict):
    """AdamW with linear warm-up and a cosine to `final_fraction` of the peak rate."""

    learning_rate: float = Field(default=1e-3, gt=0.0, le=1.0, description="Peak learning rate.")
    weight_decay: float = Field(default=0.01, ge=0.0, le=1.0, description="Decay of matrices and kernels only.")
    betas: tuple[float, float] = Field(default=(0.9, 0.98), description="AdamW moments.")
    warmup_steps: int = Field(default=200, ge=0, le=10**7, description="Steps of linear warm-up.")
    final_fraction: float = Field(default=0.02, ge=0.0, le=1.0, description="Rate at the end over the peak rate.")
    ema_decay: float = Field(default=0.0, ge=0.0, lt=1.0, description="Moving average of the weights; 0 is off.")
    compile: bool = Field(default=False, description="Compile the network with torch.compile when training starts.")
    normal_dropout: float = Field(
        default=0.15, ge=0.0, le=1.0, description="Share of training shapes whose normals are hidden."
    )


class InferenceConfig(_Strict):
    """From the field to parts."""

    points: int = Field(default=16_384, ge=1, le=10**7, description="Surface points that the network reads of a mesh.")
    orientations: int = Field(
        default=4, ge=1, le=8, description="Axis-aligned turns of the shape whose features are joined."
    )
    thickness_weight: float = Field(
        default=2.0,
        ge=0.0,
        le=100.0,
        description="A mesh's thickness (0..1) times this stands beside the unit features in the tree's distances; 0 "
        "leaves it out. Open and badly wound meshes, clouds and splats have none.",
    )
    position_weight: float = Field(
        default=0.3,
        ge=0.0,
        le=10.0,
        description="Positions (longest side 1.8) times this stand there too, where there is no thickness.",
    )
    position_weight_with_thickness: float = Field(
        default=0.1, ge=0.0, le=10.0, description="The same, where there is one."
    )
    large: int = Field(
        default=300_000, ge=1, description="Shapes of more elements are read in one orientation, to save memory."
    )
    smoothing: int = Field(
        default=160,
        ge=0,
        le=10_000,
        description="Rounds of crease-aware smoothing of a mesh's features before the tree (fewer on large meshes); 0 "
        "switches it off.",
    )
    crease: float = Field(default=20.0, ge=0.0, le=1000.0, description="How sharply creases stop the smoothing.")
    tree_width: int = Field(
        default=48, ge=1, le=8192, description="Principal components of the features that smoothing and tree work on."
    )
    cells: int = Field(
        default=512, ge=2, le=4096, description="k-means cells under the tree of a point cloud or splat field."
    )
    max_parts: int = Field(default=20, ge=2, le=1000, description="Most parts that the automatic choice may give.")


class PartFieldConfig(_Strict):
    """A whole configuration, as a YAML file holds it."""

    model: ModelConfig = Field(default=ModelConfig(), description="The network.")
    loss: LossConfig = Field(default=LossConfig(), description="The loss.")
    optim: OptimConfig = Field(default=OptimConfig(), description="The optimiser.")
    inference: InferenceConfig = Field(default=InferenceConfig(), description="Clustering of the field into parts.")

    def to_yaml(self) -> str:
        """YAML text that `load_config` reads back to an equal object."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def load_config(name: str | Path | None = None) -> PartFieldConfig:
    """A shipped configuration by name (None: the default), or a YAML file, which may name a shipped one as `base`.

    Raises:
        partseg.errors.UnknownNameError: `name` is neither a shipped name nor a file.
        partseg.errors.InputError: the file is not a YAML mapping, or names bases in a circle.
        pydantic.ValidationError: an unknown key or a value out of range.
    """
    return PartFieldConfig.model_validate(configs.load_config(SPEC, name))
