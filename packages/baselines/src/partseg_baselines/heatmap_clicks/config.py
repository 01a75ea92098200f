"""Typed settings of heat-map clicks. The publication gives none of them; see FIDELITY.md."""

from __future__ import annotations

from pydantic import Field

from partseg_baselines.point_config import BackboneConfig, Strict, Width


class DataConfig(Strict):
    """What is read of a training batch."""

    level: str | None = Field(
        default=None, description="Level of labels to learn; none: one of those the batch has, drawn anew each step."
    )
    points: int | None = Field(
        default=None, ge=1, description="At most so many points of a training shape, drawn anew each step; none: all."
    )


class ClicksConfig(Strict):
    """How clicks are shown to the network, and how many it sees while it learns."""

    sigma: float = Field(
        default=0.1, gt=0.0, le=10.0, description="Width of the Gaussian about a click; the shape's radius is 1."
    )
    training: int = Field(
        default=10, ge=1, le=100, description="Clicks of a training step at most; each step draws how many it makes."
    )


class OptimConfig(Strict):
    """Adam."""

    learning_rate: float = Field(
        default=1e-3, gt=0.0, le=1.0, description="At first; falls to 0 along a half cosine over the training."
    )


class InferenceConfig(Strict):
    """What a session reads of a shape."""

    points: int = Field(default=4096, ge=1, le=10**6, description="Points that the network reads of a shape.")
    batch: int = Field(default=16, ge=1, le=4096, description="Clicks tried at a time; bounds the memory.")


class HeatmapClicksConfig(Strict):
    """A whole configuration, as a YAML file holds it."""

    backbone: BackboneConfig = Field(default=BackboneConfig(), description="The network below the head.")
    head: Width = Field(default=128, description="Width of the layer before the logit.")
    data: DataConfig = Field(default=DataConfig(), description="What is read of a training batch.")
    clicks: ClicksConfig = Field(default=ClicksConfig(), description="The clicks.")
    optim: OptimConfig = Field(default=OptimConfig(), description="The optimiser.")
    inference: InferenceConfig = Field(default=InferenceConfig(), description="What a session reads of a shape.")
