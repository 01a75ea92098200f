"""What PartField is and can do: plain data, nothing heavy."""

from __future__ import annotations

from partseg.spec import MethodSpec, Paper, PublishedResult

_CONFIGS = (
    "official",
    "paper",
    "small",
    "small-no-cross-plane",
    "small-no-feature-negatives",
    "small-no-hourglass",
    "small-no-near-negatives",
    "small-no-normals",
    "small-sdf",
    "small-uniform-only",
    "tiny",
)

# Table 1 of the paper: class-agnostic mIoU on PartObjaverse-Tiny, instance labels, best of 20 cuts.
_OBJAVERSE_TINY = {
    "Human-Shape": 80.85,
    "Animals": 83.43,
    "Daily-Used": 77.83,
    "Buildings & Outdoor": 69.66,
    "Transportations": 73.85,
    "Plants": 80.21,
    "Food": 85.27,
    "Electronics": 82.30,
    "average": 79.18,
}

SPEC = MethodSpec(
    name="partfield",
    summary="a learned feature field whose Ward tree gives parts at every granularity; small weights included",
    method="partseg_partfield.module:PartFieldModule",
    inference="partseg_partfield.segmenter:PartFieldSegmenter",
    license="MIT",
    paper=Paper(
        title="PartField: Learning 3D Feature Fields for Part Segmentation and Beyond",
        authors=(
            "Minghua Liu",
            "Mikaela Angelina Uy",
            "Donglai Xiang",
            "Hao Su",
            "Sanja Fidler",
            "Nicholas Sharp",
            "Jun Gao",
        ),
        venue="ICCV",
        year=2025,
        url="https://arxiv.org/abs/2504.11451",
    ),
    capabilities=("segmenter", "embedder"),
    needs=("instances",),
    configs={name: f"partseg_partfield:configs/{name}.yaml" for name in _CONFIGS},
    default_config="small",
    training={
        "tiny": {"max_steps": 200, "gradient_clip_val": 1.0},
        "small": {"max_steps": 5200, "precision": "bf16-mixed", "gradient_clip_val": 1.0},
    },
    weights={"small": "partseg_partfield:weights/small"},
    default_weights="small",
    published=tuple(
        PublishedResult(dataset="partobjaverse-tiny", metric=f"mIoU, {group}", value=iou, where="Table 1")
        for group, iou in _OBJAVERSE_TINY.items()
    ),
    status={"partobjaverse-tiny": "not attempted", "partnete": "not attempted"},
)
