"""Files in and out: `load_shape` for every format, `write_glb` and `write_ply` for results."""

from __future__ import annotations

from partseg.geometry.io.load import SUFFIXES, load_shape

__all__ = ["SUFFIXES", "load_shape"]
