"""Typed settings of SGPN. Defaults are those of the PartNet benchmark's second stage, but for `optim.start`."""

from __future__ import annotations

from pydantic import Field, model_validator

from partseg_baselines.point_config import InferenceConfig, MethodConfig, Strict, Width


class HeadsConfig(Strict):
    """What stands on the backbone."""

    features: Width = Field(default=256, description="Width of the point features that all heads read.")
    semantic: Width = Field(default=128, description="Layer before the class logits.")
    similarity: Width = Field(default=128, description="Dimensions of the similarity space.")
    confidence: Width = Field(default=128, description="Layer before the confidences.")


class LossConfig(Strict):
    """The double hinge over pairs of points, and when which term counts."""

    same_class_margin: float = Field(default=1.0, gt=0.0, le=1e4, description="K1: between parts of one class.")
    other_class_margin: float = Field(default=2.0, gt=0.0, le=1e4, description="K2: between parts of other classes.")
    alpha: float = Field(default=2.0, ge=0.0, le=1e4, description="Weight of pairs of parts of one class, at first.")
    alpha_step: float = Field(default=0.4, ge=0.0, le=1e4, description="Added to it every epoch.")
    alpha_most: float = Field(default=10.0, ge=0.0, le=1e4, description="Never more than this.")
    similarity_epochs: int = Field(default=6, ge=0, description="First epochs, in which the hinge counts alone.")
    semantics_only: bool = Field(default=False, description="First stage: the cross-entropy counts alone.")
    rows: int = Field(default=2048, ge=1, description="Points whose pairs are held at a time; bounds the memory.")

    @model_validator(mode="after")
    def _margins_rise(self) -> LossConfig:
        if self.other_class_margin < self.same_class_margin:
            raise ValueError("other_class_margin must not be smaller than same_class_margin")
        return self


class OptimConfig(Strict):
    """Adam."""

    learning_rate: float = Field(default=1e-4, gt=0.0, le=1.0, description="Constant rate.")
    freeze_norm: bool = Field(default=True, description="Keep the batch normalisation's statistics as they are.")
    start: str | None = Field(
        default=None, description="Weights to start from: folder or checkpoint of the first stage (semantics_only)."
    )


class GroupingConfig(InferenceConfig):
    """From similarities to parts."""

    confidence: float = Field(default=0.4, ge=0.0, le=1.0, description="Seeds are more confident than this.")
    group_points: int = Field(default=5, ge=0, description="A seed's group has more points than this.")
    merge_iou: float = Field(default=0.6, ge=0.0, le=1.0, description="Groups of a larger IoU become one.")
    merge_share: float = Field(
        default=0.8, ge=0.0, le=1.0, description="So does a group of which a larger share lies in another."
    )
    least_points: int = Field(default=50, ge=0, description="A merged group has more points than this.")
    least_share: float = Field(
        default=0.25, ge=0.0, le=1.0, description="And at least this share of its class's mean size in validation."
    )
    threshold: float = Field(
        default=0.2, gt=0.0, le=1e4, description="Similarity of one group, for classes that validation set none for."
    )
    bins: int = Field(default=50, ge=1, le=10_000, description="Thresholds that validation tries.")


class SgpnConfig(MethodConfig):
    """A whole configuration, as a YAML file holds it."""

    heads: HeadsConfig = Field(default=HeadsConfig(), description="What stands on the backbone.")
    loss: LossConfig = Field(default=LossConfig(), description="The loss.")
    optim: OptimConfig = Field(default=OptimConfig(), description="The optimiser.")
    inference: GroupingConfig = Field(default=GroupingConfig(), description="From similarities to parts.")
