"""What recursive PartNet is and can do: plain data, nothing heavy."""

from __future__ import annotations

from partseg.spec import MethodSpec, Paper, PublishedResult

_CONFIGS = (
    "paper",
    "release",
    "semantic",
    "small",
    "small-copies",
    "small-no-context",
    "small-no-encoding",
    "small-no-normals",
    "small-random",
    "tiny",
)

# Table 1 of the paper: average precision on FineSeg, parts found at an IoU above 0.25 and 0.5.
_FINESEG = {
    "mean": (84.8, 72.8),
    "airplane": (95.2, 88.0),
    "bike": (97.0, 89.4),
    "chair": (91.1, 80.5),
    "helicopter": (83.0, 69.4),
    "sofa": (65.4, 46.7),
    "table": (77.2, 62.6),
}

SPEC = MethodSpec(
    name="recursive-partnet",
    summary="top-down recursive decomposition of a cloud into a binary hierarchy of parts, any number of them",
    method="partseg_recursive_partnet.module:RecursivePartNetModule",
    inference="partseg_recursive_partnet.segmenter:RecursivePartNetSegmenter",
    license="MIT",
    paper=Paper(
        title="PartNet: A Recursive Part Decomposition Network for Fine-grained and Hierarchical Shape Segmentation",
        authors=("Fenggen Yu", "Kun Liu", "Yan Zhang", "Chenyang Zhu", "Kai Xu"),
        venue="CVPR",
        year=2019,
        url="https://arxiv.org/abs/1903.00709",
    ),
    converter="partseg_recursive_partnet.convert:main",
    capabilities=("segmenter",),
    needs=("instances",),
    configs={name: f"partseg_recursive_partnet:configs/{name}.yaml" for name in _CONFIGS},
    default_config="small",
    training={
        "paper": {"max_epochs": 1000},
        "release": {"max_epochs": 1000},
        "semantic": {"max_epochs": 1000},
        "tiny": {"max_steps": 200},
        **{name: {"max_steps": 8500, "gradient_clip_val": 1.0} for name in _CONFIGS if name.startswith("small")},
    },
    weights={"procedural": "partseg_recursive_partnet:weights/procedural"},
    default_weights="procedural",
    augmentation="none",  # shapes keep their orientation, as in the paper, and with it their part trees
    published=tuple(
        PublishedResult(dataset="FineSeg", metric=f"AP@{iou}, {category}", value=value, where="Table 1")
        for category, both in _FINESEG.items()
        for iou, value in zip(("0.25", "0.5"), both, strict=True)
    ),
    status={"FineSeg": "not attempted"},
)
