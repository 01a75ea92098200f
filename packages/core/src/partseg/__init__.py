"""partseg: segment 3D shapes into parts and part hierarchies.

    import partseg
    shape = partseg.load_shape("robot.glb")
    seg = partseg.load_method("partfield").segment(shape)
    seg.save("robot_parts.glb")

Names are loaded on first use, so that `import partseg` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "Shape": "partseg.geometry.shape",
    "load_shape": "partseg.geometry.io",
    "MergeTree": "partseg.parts.tree",
    "PartHierarchy": "partseg.parts.hierarchy",
    "Symmetry": "partseg.parts.hierarchy",
    "Segmentation": "partseg.parts.segmentation",
    "PartBatch": "partseg.data.batch",
    "load_method": "partseg.methods.registry",
    "list_methods": "partseg.methods.registry",
    "list_datasets": "partseg.methods.registry",
    "list_protocols": "partseg.methods.registry",
    "PartsegError": "partseg.errors",
    "InputError": "partseg.errors",
}
_MODULES = ("callbacks", "data", "geometry", "methods", "metrics", "ops", "parts")

__all__ = [*_EXPORTS, *_MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        value = getattr(importlib.import_module(_EXPORTS[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"partseg.{name}")
    raise AttributeError(f"module 'partseg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
