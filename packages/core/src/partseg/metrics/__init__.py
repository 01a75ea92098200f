"""Metrics: plain functions in `partseg.metrics.functional`, torchmetrics classes here, imported when used."""

from __future__ import annotations

import importlib
from typing import Any

_EXPORTS = {
    "BoxProposals": "proposals",
    "ChamferDistance": "proposals",
    "ClassAgnosticBenchmark": "class_agnostic",
    "ClassAgnosticMeanIoU": "class_agnostic",
    "ClickCurves": "clicks",
    "CorrespondenceError": "correspondence",
    "CosegmentationIoU": "correspondence",
    "FusionInstanceAP": "instance_ap",
    "HierarchyQuality": "hierarchy",
    "PartNetHierarchicalMeanIoU": "semantic",
    "PartNetInstanceAP": "instance_ap",
    "PrincetonBenchmarkScores": "psb",
    "RecursivePartNetAP": "instance_ap",
    "S3disInstanceScores": "s3dis",
    "ScanNetInstanceAP": "scannet_ap",
    "SemanticPartMeanIoU": "semantic",
    "ShapeNetPartMeanIoU": "semantic",
    "SymmetryQuality": "hierarchy",
}

__all__ = [*_EXPORTS, "functional"]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"{__name__}.{_EXPORTS[name]}"), name)
    if name == "functional":
        return importlib.import_module(f"{__name__}.functional")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
