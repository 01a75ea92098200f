"""Typed settings that the learned baselines share: the PointNet++ backbone, points of a shape, inference."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Width = Annotated[int, Field(ge=1, le=8192)]
Widths = tuple[Width, ...]


class Strict(BaseModel):
    """A part of a config: unknown keys are refused, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LevelConfig(Strict):
    """One level of set abstraction."""

    widths: Widths = Field(min_length=1, description="Widths of the point-wise layers.")
    centres: int | None = Field(default=None, ge=1, le=10**6, description="Farthest points; none groups the whole.")
    radius: float = Field(default=0.0, ge=0.0, le=100.0, description="Radius of the balls; the shape's is 1.")
    neighbours: int = Field(default=0, ge=0, le=10**5, description="Points of a ball.")

    @model_validator(mode="after")
    def _balls_have_sizes(self) -> LevelConfig:
        if self.centres is not None and not (self.radius > 0 and self.neighbours > 0):
            raise ValueError("a level with centres needs a radius and neighbours")
        return self


class BackboneConfig(Strict):
    """PointNet++ on positions, which are coordinates and features at once. The default is the PartNet benchmark's."""

    levels: tuple[LevelConfig, ...] = Field(
        default=(
            LevelConfig(centres=512, radius=0.2, neighbours=64, widths=(64, 64, 128)),
            LevelConfig(centres=128, radius=0.4, neighbours=64, widths=(128, 128, 256)),
            LevelConfig(widths=(256, 512, 1024)),
        ),
        min_length=1,
        description="Set abstraction, fine to coarse; the last level must group the whole shape.",
    )
    up: tuple[Widths, ...] = Field(
        default=((256, 256), (256, 128), (128, 128, 128)), description="Feature propagation, coarse to fine."
    )
    norm_epsilon: float = Field(default=1e-3, gt=0.0, le=1.0, description="Of the batch normalisation.")
    norm_momentum: float = Field(default=0.1, gt=0.0, le=1.0, description="Of its running statistics.")

    @model_validator(mode="after")
    def _as_many_up_as_down(self) -> BackboneConfig:
        if len(self.up) != len(self.levels):
            raise ValueError(f"{len(self.levels)} levels but {len(self.up)} propagations")
        if self.levels[-1].centres is not None or any(level.centres is None for level in self.levels[:-1]):
            raise ValueError("the last level, and no other, groups the whole shape")
        return self


class DataConfig(Strict):
    """What is read of a training batch."""

    level: str | None = Field(default=None, description="Level of labels to learn; none takes the finest there is.")
    classes: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="Classes of that level in the dataset's taxonomy. 1 reads no semantics: any labelled part is one "
        "of the only class.",
    )
    points: int | None = Field(
        default=None,
        ge=1,
        description="At most so many points of a training shape, drawn anew each step; none: all.",
    )
    normalize: bool = Field(
        default=True,
        description="Bring every training shape into the unit sphere. Off: coordinates are read as they are served, so "
        "that augmentation may shift and scale; then serve unit spheres (--data.normalize sphere).",
    )


class InferenceConfig(Strict):
    """From a network's answer on points to the parts of a shape."""

    points: int = Field(default=10_000, ge=1, le=10**6, description="Points that the network reads of a shape.")
    complete: bool = Field(
        default=True,
        description="Elements outside every part get the part of the nearest element that has one, and a shape in "
        "which nothing is found is one part of score 0. Masks stay as predicted. Off: such elements are unlabelled.",
    )


class MethodConfig(Strict):
    """What the config of every learned baseline holds."""

    backbone: BackboneConfig = Field(default=BackboneConfig(), description="The network below the heads.")
    data: DataConfig = Field(default=DataConfig(), description="What is read of a training batch.")
