"""Typed settings of the refiner. The paper gives none; they are ours."""

from __future__ import annotations

from pydantic import Field

from partseg.data.coarse import BLUR, POINTS, SIGMA
from partseg_recursive_partnet.config import LayersConfig, OptimConfig, Strict, Width


class CoarseConfig(Strict):
    """How fine clouds are made coarse for training (`partseg.data.coarse`), in lengths of the longest box side."""

    points: int = Field(default=POINTS, ge=1, le=10**5, description="Points of the coarse cloud; more are not read.")
    blur: float = Field(default=BLUR, ge=0.0, le=1.0, description="Share of the fine points that make a coarse one.")
    sigma: float = Field(default=SIGMA, ge=0.0, le=1.0, description="Deviation of the noise after blurring.")


class RefinerDataConfig(Strict):
    """What is learned of a training batch."""

    level: str | None = Field(default=None, description="Level of labels; none takes the finest there is.")
    points: int = Field(default=1024, ge=1, le=10**6, description="At most so many points of a training shape.")


class RefinerLossConfig(Strict):
    """The hierarchical reconstruction loss."""

    chamfer: float = Field(default=1.0, ge=0.0, description="Weight of the Chamfer distance.")
    emd: float = Field(default=1.0, ge=0.0, description="Weight of the earth mover's distance.")
    emd_points: int = Field(default=64, ge=2, le=4096, description="Points drawn of each cloud of a node for it.")


class RefinerConfig(Strict):
    """The whole config."""

    part: LayersConfig = Field(default=LayersConfig(widths=(64, 128, 256)), description="PointNet of a part.")
    shape: LayersConfig = Field(default=LayersConfig(widths=(64, 128, 128)), description="PointNet of the shape.")
    hidden: tuple[Width, Width, Width] = Field(
        default=(256, 256, 256), description="Fully connected layers before the last."
    )
    points: int = Field(default=64, ge=1, le=10**4, description="Points of a refined part.")
    coarse: CoarseConfig = Field(default=CoarseConfig(), description="Coarse clouds.")
    loss: RefinerLossConfig = Field(default=RefinerLossConfig(), description="Weights of the loss.")
    optim: OptimConfig = Field(default=OptimConfig(), description="Optimiser.")
    data: RefinerDataConfig = Field(default=RefinerDataConfig(), description="What is learned of a batch.")
