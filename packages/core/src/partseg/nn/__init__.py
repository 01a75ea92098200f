"""Network blocks that several methods share: point-wise layers, PointNet and PointNet++ on dense batches.

Names are loaded when first used: nothing here needs torch before a block is asked for.
"""

from __future__ import annotations

from importlib import import_module

_HOME = {
    "FeaturePropagation": "pointnet2",
    "PointNet": "pointnet",
    "PointNet2": "pointnet2",
    "PointNorm": "layers",
    "SetAbstraction": "pointnet2",
    "SetLevel": "pointnet2",
    "SharedMLP": "layers",
    "freeze_norms": "layers",
    "xavier_init": "layers",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
