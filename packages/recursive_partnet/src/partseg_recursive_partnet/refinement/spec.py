"""What the refiner is: configs and the name in its weights. It segments nothing, so it is no installed method."""

from __future__ import annotations

from partseg.spec import MethodSpec
from partseg_recursive_partnet.spec import SPEC as SEGMENTER

SPEC = MethodSpec(
    name="recursive-partnet-refiner",
    summary="refines a coarse point cloud part by part",
    method="partseg_recursive_partnet.refinement.module:RefinerModule",
    inference="partseg_recursive_partnet.refinement.refiner:Refiner",
    license="MIT",
    paper=SEGMENTER.paper,
    capabilities=(),
    needs=("instances",),
    configs={
        name: f"partseg_recursive_partnet:refinement/configs/{name}.yaml" for name in ("refiner-small", "refiner-tiny")
    },
    default_config="refiner-small",
    augmentation="none",
)
