"""Procedural shapes with exact part hierarchies, deterministic from (seed, index)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from partseg.data.procedural import assemblies, furniture, machined, objects, tools, vehicles, vessels
from partseg.data.procedural.grammar import LEVELS, Family, PartNode, ProceduralShape, SurfaceSample, finish
from partseg.data.procedural.primitives import rotation

__all__ = ["FAMILIES", "LEVELS", "PartNode", "ProceduralShape", "SurfaceSample", "generate"]

FAMILIES: dict[str, Family] = {**furniture.FAMILIES, **vessels.FAMILIES, **objects.FAMILIES, **vehicles.FAMILIES, **tools.FAMILIES, **machined.FAMILIES, **assemblies.FAMILIES}


def generate(
    seed: int,
    index: int,
    family: str | None = None,
    *,
    pose: Literal["canonical", "yaw", "free"] = "canonical",
    extent: float = 1.8,
) -> ProceduralShape:
    """Shape number ``index`` of the endless sequence ``seed``."""
    rng = np.random.default_rng([seed, index])
    names = sorted(FAMILIES)
    drawn = names[int(rng.integers(len(names)))]
    root = FAMILIES[family or drawn](rng)
    linear = None
    if pose == "yaw":
        linear = rotation((0, 1, 0), rng.uniform(0, 2 * np.pi))
    elif pose == "free":
        linear = rotation(rng.normal(size=3), rng.uniform(0, 2 * np.pi))
    return finish(root, family or drawn, seed, index, extent, linear)
