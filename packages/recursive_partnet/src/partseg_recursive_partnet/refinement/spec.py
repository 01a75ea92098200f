"""What the refiner and its command are."""

from __future__ import annotations

from partseg.spec import CommandSpec, MethodSpec
from partseg_recursive_partnet.spec import SPEC as SEGMENTER

SPEC = MethodSpec(
    name="recursive-partnet-refiner",
    summary="refines a coarse point cloud part by part, guided by its segmentation",
    method="partseg_recursive_partnet.refinement.module:RefinerModule",
    inference="partseg_recursive_partnet.refinement.refiner:Refiner",
    license="MIT",
    paper=SEGMENTER.paper,
    capabilities=("refiner",),
    needs=("instances",),
    configs={name: f"partseg_recursive_partnet:refinement/configs/{name}.yaml" for name in ("small", "tiny")},
    default_config="small",
    training={
        "small": {"max_steps": 2000, "gradient_clip_val": 1.0},
        "tiny": {"max_steps": 200, "gradient_clip_val": 1.0},
    },
    augmentation="none",
    weights={"procedural": "partseg_recursive_partnet:refinement/weights/procedural"},
    default_weights="procedural",
)

REFINE = CommandSpec(
    name="refine",
    summary="make a coarse point cloud better, part by part",
    run="partseg_recursive_partnet.refinement.command:main",
)
