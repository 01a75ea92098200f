"""Typed settings of PartNet's detection by segmentation. Defaults are the published ones."""

from __future__ import annotations

from pydantic import Field

from partseg_baselines.point_config import InferenceConfig, MethodConfig, Strict, Widths


class HeadsConfig(Strict):
    """What stands on the backbone."""

    slots: int = Field(default=200, ge=1, le=4096, description="Part masks that are predicted; one more is 'other'.")
    semantic_widths: Widths = Field(default=(256, 256, 128), description="Layers before the class logits.")
    instance_widths: Widths = Field(default=(256, 256, 128), description="Layers before the slot logits.")
    confidence_widths: Widths = Field(default=(256, 256), description="Layers before the confidences.")


class LossConfig(Strict):
    """Weights of the five terms."""

    semantic: float = Field(default=1.0, ge=0.0, le=1000.0, description="Cross-entropy of the classes, 0 = other.")
    instance: float = Field(default=1.0, ge=0.0, le=1000.0, description="Soft IoU of the matched slots.")
    other: float = Field(default=1.0, ge=0.0, le=1000.0, description="Soft IoU of the slot of other points.")
    sparsity: float = Field(default=0.1, ge=0.0, le=1000.0, description="l2,1 norm of the slots.")
    confidence: float = Field(default=1.0, ge=0.0, le=1000.0, description="Squared error of the confidences.")
    confident_iou: float = Field(
        default=0.1, ge=0.0, le=1.0, description="Slots of a larger IoU and all others are averaged apart."
    )


class OptimConfig(Strict):
    """Adam with a staircase decay."""

    learning_rate: float = Field(default=1e-3, gt=0.0, le=1.0, description="Rate at the start.")
    decay: float = Field(default=0.8, gt=0.0, le=1.0, description="Factor of the rate at each stair.")
    decay_samples: int = Field(default=40_000, ge=1, description="Training shapes between two stairs.")


class SlotInferenceConfig(InferenceConfig):
    """From slots to parts."""

    threshold: float = Field(default=0.5, ge=0.5, lt=1.0, description="A point is in a slot above this probability.")
    least_points: int = Field(default=10, ge=0, description="A part has more points than this.")


class PartNetSegmentationConfig(MethodConfig):
    """A whole configuration, as a YAML file holds it."""

    heads: HeadsConfig = Field(default=HeadsConfig(), description="What stands on the backbone.")
    loss: LossConfig = Field(default=LossConfig(), description="Weights of the loss.")
    optim: OptimConfig = Field(default=OptimConfig(), description="The optimiser.")
    inference: SlotInferenceConfig = Field(default=SlotInferenceConfig(), description="From slots to parts.")
