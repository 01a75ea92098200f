"""Published definitions as plain functions: arrays in, numbers out. One file a protocol family."""

from __future__ import annotations

from partseg.metrics.functional.class_agnostic import (
    Contingency,
    NestedCuts,
    best_of_cuts_miou,
    bootstrap_interval,
    class_agnostic_miou,
    contingency,
    miou_by_cut,
    nested_cuts,
    part_ious,
)

__all__ = [
    "Contingency",
    "NestedCuts",
    "best_of_cuts_miou",
    "bootstrap_interval",
    "class_agnostic_miou",
    "contingency",
    "miou_by_cut",
    "nested_cuts",
    "part_ious",
]
