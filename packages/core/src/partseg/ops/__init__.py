"""Compiled and torch operations on points, faces and features.

Names are loaded when first used, so that `partseg.ops.ward_tree` needs neither torch nor the other kernels.
"""

from __future__ import annotations

from importlib import import_module

_HOME = {
    "farthest_point_sampling": "fps",
    "kmeans": "kmeans",
    "knn": "knn",
    "lookup_planes": "pool_faces",
    "pool_faces": "pool_faces",
    "scatter_max": "scatter",
    "scatter_mean": "scatter",
    "scatter_sum": "scatter",
    "ward_merges": "ward",
    "ward_tree": "ward",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Some functions share their module's name: the import below puts the module here, the assignment the function.
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
