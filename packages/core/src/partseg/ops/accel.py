"""Which optional compiled libraries of the `pyg` extra can be imported."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def optional(name: str) -> ModuleType | None:
    """The module, or None when it is absent or cannot be loaded (built for another torch, a missing library)."""
    try:
        return import_module(name)
    except (ImportError, OSError):
        return None
