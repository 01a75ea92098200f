"""Procedural shapes with exact part hierarchies, deterministic from (seed, index).

Families of assembled shapes live in :data:`FAMILIES`, each a function ``rng -> PartNode``; :func:`generate` turns
one into a labelled mesh. Organic and fused shapes, which take longer to make, have modules of their own.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from partseg.data.procedural import (
    aircraft,
    assemblies,
    beds,
    belongings,
    containers,
    cycles,
    furniture,
    lamps,
    machined,
    mechanisms,
    objects,
    screens,
    seating,
    structures,
    tableware,
    tools,
    transmission,
    vehicles,
    vessels,
)
from partseg.data.procedural.curves import rotation
from partseg.data.procedural.grammar import LEVELS, Family, PartNode, ProceduralShape, SurfaceSample, finish

__all__ = ["FAMILIES", "LEVELS", "PartNode", "ProceduralShape", "SurfaceSample", "generate"]

FAMILIES: dict[str, Family] = {
    **aircraft.FAMILIES,
    **assemblies.FAMILIES,
    **beds.FAMILIES,
    **belongings.FAMILIES,
    **containers.FAMILIES,
    **cycles.FAMILIES,
    **furniture.FAMILIES,
    **lamps.FAMILIES,
    **machined.FAMILIES,
    **mechanisms.FAMILIES,
    **objects.FAMILIES,
    **screens.FAMILIES,
    **seating.FAMILIES,
    **structures.FAMILIES,
    **tableware.FAMILIES,
    **tools.FAMILIES,
    **transmission.FAMILIES,
    **vehicles.FAMILIES,
    **vessels.FAMILIES,
}
"""Assembled families by name: ``rng -> PartNode``."""


def generate(
    seed: int,
    index: int,
    family: str | None = None,
    *,
    pose: Literal["canonical", "yaw", "free"] = "canonical",
    extent: float = 1.8,
) -> ProceduralShape:
    """Shape number ``index`` of the endless sequence ``seed``; the same arguments always give the same shape.

    Args:
        family: a key of :data:`FAMILIES`; drawn from (seed, index) if None.
        pose: "canonical" (y up, front +z), "yaw" (turned about y) or "free" (any rotation).
        extent: longest side of the box, which is centred at the origin.

    Raises:
        KeyError: no such family.
    """
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
