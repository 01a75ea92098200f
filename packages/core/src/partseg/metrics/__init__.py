"""Metrics: plain functions in `partseg.metrics.functional`, torchmetrics classes here."""

from __future__ import annotations

import importlib
from typing import Any

_EXPORTS = {"ClassAgnosticMeanIoU": "partseg.metrics.class_agnostic"}

__all__ = ["ClassAgnosticMeanIoU", "functional"]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    if name == "functional":
        return importlib.import_module("partseg.metrics.functional")
    raise AttributeError(f"module 'partseg.metrics' has no attribute {name!r}")
