"""Typed settings of recursive PartNet. The defaults are those of the authors' release."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Width = Annotated[int, Field(ge=1, le=8192)]
Widths = Annotated[tuple[Width, ...], Field(min_length=1)]
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]
Template = int | tuple[Any, Any]


class Strict(BaseModel):
    """A part of a config: unknown keys are refused, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LayersConfig(Strict):
    """Layers that every point goes through alike."""

    widths: Widths = Field(description="Widths of the layers.")
    norm: bool = Field(default=True, description="Batch normalisation after each linear map.")
    dropout: tuple[Rate, ...] = Field(
        default=(), description="Rates at which channels are dropped for a whole node, one a layer; none: nowhere."
    )

    @model_validator(mode="after")
    def _a_rate_a_layer(self) -> LayersConfig:
        if self.dropout and len(self.dropout) != len(self.widths):
            raise ValueError(f"{len(self.widths)} layers but {len(self.dropout)} dropout rates")
        return self


class SetLevelConfig(Strict):
    """One level of set abstraction."""

    widths: Widths = Field(description="Widths of the point-wise layers.")
    centres: int | None = Field(default=None, ge=1, le=10**6, description="Farthest points; none groups the whole.")
    radius: float = Field(default=0.0, ge=0.0, le=100.0, description="Radius of the balls; the longest box side is 1.")
    neighbours: int = Field(default=0, ge=0, le=10**5, description="Points of a ball.")


class PointNet2Config(Strict):
    """PointNet++ over the whole shape."""

    levels: tuple[SetLevelConfig, ...] = Field(
        default=(
            SetLevelConfig(centres=512, radius=0.2, neighbours=32, widths=(64, 64, 128)),
            SetLevelConfig(centres=128, radius=0.4, neighbours=64, widths=(128, 256)),
            SetLevelConfig(widths=(256, 128)),
        ),
        min_length=1,
        description="Set abstraction, fine to coarse; the last level groups the whole shape.",
    )
    up: tuple[Widths, ...] = Field(
        default=((256, 256), (256, 128), (128, 128, 128)), description="Feature propagation, coarse to fine."
    )
    branch: Literal["master", "master-literal", "newer"] = Field(
        default="newer",
        description="Branch of the release whose details are followed: balls without or with their border, floor or "
        "sum in the weights of interpolation, [interpolated, skip] or [skip, interpolated]. master-literal: with what "
        "master's extensions do to memory.",
    )

    @model_validator(mode="after")
    def _as_many_up_as_down(self) -> PointNet2Config:
        if len(self.up) != len(self.levels):
            raise ValueError(f"{len(self.levels)} levels but {len(self.up)} propagations")
        if self.levels[-1].centres is not None or any(level.centres is None for level in self.levels[:-1]):
            raise ValueError("the last level, and no other, groups the whole shape")
        return self


class NetworkConfig(Strict):
    """The network: what reads points, and what decides at a node."""

    normals: bool = Field(default=True, description="Read normals beside positions.")
    encoder: LayersConfig = Field(
        default=LayersConfig(widths=(64, 128, 128, 256, 128), dropout=(0.0, 0.0, 0.0, 0.2, 0.2)),
        description="PointNet 1: point-wise layers before the maximum over a node's points.",
    )
    points: LayersConfig | PointNet2Config = Field(
        default=PointNet2Config(), description="PointNet 2: point-wise layers, or PointNet++ over the whole shape."
    )
    pooled_points: bool = Field(
        default=True, description="The labeller also reads the maximum of the point features over the node."
    )
    labeller: LayersConfig = Field(
        default=LayersConfig(widths=(256, 128, 64, 64), norm=False), description="Layers before a point's label."
    )
    hidden: Width = Field(default=256, description="Width of the layers at a node.")
    symmetry: Literal["copies", "parameters"] = Field(
        default="copies",
        description="What a symmetry node is. copies: turns and shifts label all copies at once, mirrors split in two "
        "(four node types, as released). parameters: the first copy is segmented, parameters are predicted, labels are "
        "carried to the other copies (three node types, as in the paper).",
    )
    copies: int = Field(default=10, ge=2, le=100, description="Most copies that a node labels at once.")
    context: bool = Field(default=True, description="Recursive context features; off, the encoding stands twice.")
    encoding_in_classifier: bool = Field(
        default=True, description="The classifier reads the node's part shape feature; off, its context stands twice."
    )
    classes: int = Field(default=0, ge=0, le=10_000, description="Classes of leaves (semantic head); 0: no head.")


class NoiseConfig(Strict):
    """Gaussian noise on all channels while training; normals are not made unit vectors again."""

    sigma: float = Field(default=0.01, ge=0.0, le=1.0, description="Deviation; the longest box side is 1.")
    clip: float = Field(default=0.05, ge=0.0, le=1.0, description="Largest value.")
    per: Literal["node", "shape"] = Field(
        default="node",
        description="node: drawn anew wherever a point is read, so that a point goes through the encoder once for each "
        "node it is in, as released. shape: drawn once, so that it goes through once: several times faster.",
    )


class LossConfig(Strict):
    """Equation 1."""

    normalise: Literal["nodes", "internal"] = Field(
        default="internal",
        description="Mean over nodes: the paper takes all nodes for types and internal ones for labels (nodes); the "
        "release takes internal ones for both (internal).",
    )
    types: float = Field(default=30.0, ge=0.0, description="Weight of the node types.")
    labels: float = Field(default=30.0, ge=0.0, description="Weight of the point labels.")
    symmetry: float = Field(default=1.0, ge=0.0, description="Weight of symmetry parameters.")
    classes: float = Field(default=1.0, ge=0.0, description="Weight of the leaves' classes.")


class OptimConfig(Strict):
    """Adam."""

    learning_rate: float = Field(default=1e-3, gt=0.0, le=1.0)
    weight_decay: float = Field(default=1e-5, ge=0.0, le=1.0)
    schedule: Literal["constant", "step", "cosine"] = Field(
        default="step", description="step: times 0.8 every 50 epochs (release). cosine: to zero at the end of training."
    )


class DataConfig(Strict):
    """What is learned of a training batch."""

    level: str | None = Field(default=None, description="Level of labels to learn; none takes the finest there is.")
    points: int = Field(default=2048, ge=1, le=10**6, description="At most so many points of a training shape.")
    hierarchy: Literal["symmetry", "given", "random", "template"] = Field(
        default="symmetry",
        description="Trees to learn. given: the data's own (symmetry where it has none). symmetry: built from parts by "
        "proximity and symmetry. random: pairs drawn at random. template: one tree over classes for all shapes.",
    )
    template: Template | None = Field(
        default=None, description="Tree over classes as nested pairs; none: classes halved in order of their numbers."
    )


class InferenceConfig(Strict):
    """From a cloud to its parts."""

    points: int = Field(default=2048, ge=1, le=10**6, description="Points that are read of a shape.")
    min_points: int = Field(default=20, ge=0, description="A split stands when both sides have more points than this.")
    max_depth: int = Field(default=64, ge=1, le=200, description="Nodes at this depth are leaves.")


class RecursivePartNetConfig(Strict):
    """The whole config."""

    network: NetworkConfig = Field(default=NetworkConfig(), description="The network.")
    noise: NoiseConfig = Field(default=NoiseConfig(), description="Noise while training.")
    loss: LossConfig = Field(default=LossConfig(), description="Weights and means of the loss.")
    optim: OptimConfig = Field(default=OptimConfig(), description="Optimiser.")
    data: DataConfig = Field(default=DataConfig(), description="What is learned of a batch.")
    inference: InferenceConfig = Field(default=InferenceConfig(), description="Segmenting.")

    @model_validator(mode="after")
    def _templates_have_classes(self) -> RecursivePartNetConfig:
        if self.data.hierarchy == "template" and not self.network.classes:
            raise ValueError("a template is a tree over classes: set network.classes")
        return self
