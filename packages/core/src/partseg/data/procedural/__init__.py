"""Procedural shapes with exact part hierarchies, deterministic from (seed, index).

Families of assembled shapes live in :data:`FAMILIES`, each a function ``rng -> PartNode``; :func:`generate` makes a
labelled mesh of one, or of an organic figure, or fuses its pieces. Organic and fused shapes take longer to make; their
modules are loaded when asked for.
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

__all__ = ["FAMILIES", "LEVELS", "PartNode", "ProceduralShape", "SurfaceSample", "family_names", "generate"]

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
    fused: bool = False,
) -> ProceduralShape:
    """Shape number ``index`` of the endless sequence ``seed``; the same arguments always give the same shape.

    Args:
        family: one of :func:`family_names`; None draws an assembled one from (seed, index).
        pose: "canonical" (y up, front +z), "yaw" (turned about y) or "free" (any rotation).
        extent: longest side of the box, which is centred at the origin (fusing thickens it a little).
        fused: the pieces as one connected, remeshed surface; organic figures are one already.

    Raises:
        KeyError: no such family.
    """
    rng = np.random.default_rng([seed, index])
    names = sorted(FAMILIES)
    drawn = names[int(rng.integers(len(names)))]
    name = family or drawn
    figure = name not in FAMILIES
    root = None if figure else FAMILIES[name](rng)
    linear = None
    if pose == "yaw":
        linear = rotation((0, 1, 0), rng.uniform(0, 2 * np.pi))
    elif pose == "free":
        linear = rotation(rng.normal(size=3), rng.uniform(0, 2 * np.pi))
    more = np.random.default_rng([seed, index, 1])
    if figure:
        from partseg.data.procedural.organic import organic

        return organic(more, _figures()[name], seed=seed, index=index, extent=extent, linear=linear)
    shape = finish(root, name, seed, index, extent, linear)
    if fused:
        from partseg.data.procedural.fused import fuse

        return fuse(shape, more)
    return shape


def family_names() -> list[str]:
    """Names of all families, assembled and organic, sorted."""
    return sorted({*FAMILIES, *_figures()})


def _figures() -> dict[str, str]:
    from partseg.data.procedural.organic import FIGURES

    return {name.replace(" ", "_"): name for name in FIGURES}
