"""Compiled and torch operations on points, faces and features.

Names are loaded when first used, so that `partseg.ops.ward_tree` needs neither torch nor the other kernels. A function
that shares its module's name is found there: `partseg.ops.kmeans.kmeans`, `partseg.ops.knn.knn`,
`partseg.ops.pool_faces.pool_faces`.
"""

from __future__ import annotations

from importlib import import_module

_HOME = {
    "ball_query": "ball",
    "farthest_points": "fps",
    "fps_torch": "fps",
    "gather_rows": "group",
    "interpolate_rows": "interpolate",
    "inverse_distance_weights": "interpolate",
    "knn_torch": "knn",
    "lookup_planes": "pool_faces",
    "scatter_max": "scatter",
    "scatter_mean": "scatter",
    "scatter_sum": "scatter",
    "three_nearest": "interpolate",
    "ward_merges": "ward",
    "ward_tree": "ward",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
