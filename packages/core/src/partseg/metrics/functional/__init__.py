"""Published definitions as plain functions: arrays in, numbers out. One file a protocol family, imported when used."""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = {
    "class_agnostic": (
        "Contingency", "NestedCuts", "PromptScores", "best_of_cuts_miou", "class_agnostic_miou", "contingency",
        "miou_by_cut", "nested_cuts", "pair_ious", "part_ious", "prompt_mious",
    ),
    "matching": ("Matched", "Matching", "mask_ious", "match_pairs", "match_parts"),
    "tree_cut": ("HeightCurve", "TreeCut", "best_node_ious", "miou_by_height", "tree_cut_miou"),
    "summary": ("Summary", "bootstrap_interval", "summarise"),
    "average_precision": ("InstanceAP", "InstanceRecords", "headline", "merge_records"),
    "mask_table": ("MaskTable", "overlaps"),
    "partnet_ap": ("partnet_instance_ap", "partnet_records"),
    "fusion_ap": ("fusion_instance_ap", "fusion_records", "fusion_semantic_miou"),
    "recursive_ap": ("recursive_partnet_ap", "recursive_records"),
    "scannet_ap": (
        "SCANNET_CLASSES", "SCANNET_OFFICIAL", "SCANNET_STATED", "scannet_instance_ap", "scannet_records",
    ),
    "s3dis": ("s3dis_room", "s3dis_scores"),
    "semantic": (
        "class_counts", "class_ious", "instance_fusion_miou_v1", "instance_fusion_miou_v2", "instance_fusion_miou_v3",
        "partnet_hierarchical_counts", "partnet_hierarchical_miou", "partnet_part_miou", "partnet_shape_miou",
        "shapenetpart_miou", "shapenetpart_shape_ious",
    ),
    "psb": (
        "PSB_METRICS", "psb_average", "psb_consistency_error", "psb_cut_discrepancy", "psb_hamming", "psb_human_scores",
        "psb_pair_scores", "psb_rand_index_error", "psb_scores", "rand_index_error",
    ),
    "clicks": ("Clicks", "area_under_clicks", "filled_curves", "iou_at_k", "mean_over_categories", "number_of_clicks"),
    "proposals": (
        "Chamfer", "box_ious", "box_of_points", "chamfer_distance", "gspn_box_miou", "gspn_chamfer", "proposal_recall",
    ),
    "hierarchy": (
        "NodeMatch", "SymmetryScores", "TreeEdit", "cluster_distance", "constrained_edit_distance", "depth_mious",
        "level_mious", "node_match", "symmetry_errors", "symmetry_scores", "tree_edit_distance",
    ),
    "correspondence": (
        "Cosegmentation", "correspondence_accuracy", "correspondence_errors", "cosegmentation_iou", "nearest_features",
    ),
}  # fmt: skip
_EXPORTS = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_EXPORTS])
