"""Files in and out: `load_shape` for every format, `write_glb` and `write_ply` for results."""

from __future__ import annotations

from partseg.geometry.io.glb_parts import GlbParts, read_glb_parts
from partseg.geometry.io.glb_write import write_glb
from partseg.geometry.io.load import SUFFIXES, load_shape
from partseg.geometry.io.ply_write import write_ply

__all__ = ["SUFFIXES", "GlbParts", "load_shape", "read_glb_parts", "write_glb", "write_ply"]
