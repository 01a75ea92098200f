"""Specs of the evaluation protocols: plain data, nothing heavy. Each summary says what a method may see.

A number belongs to one protocol and one version of it. Protocols that let a method see different things are different
protocols, also where the arithmetic is the same: their numbers share no column.
"""

from __future__ import annotations

from partseg.spec import Capability, Feature, ProtocolSpec

_PROTOCOLS = "partseg_bench.protocols"
_MIOU = ("miou", "miou-one-to-one")


def _spec(
    name: str,
    summary: str,
    target: str,
    metrics: tuple[str, ...],
    needs: tuple[Feature, ...],
    capability: Capability = "segmenter",
) -> ProtocolSpec:
    return ProtocolSpec(
        name=name, version="1", summary=summary, protocol=f"{_PROTOCOLS}.{target}", capability=capability,
        metrics=metrics, needs=needs,
    )  # fmt: skip


_MESH: tuple[Feature, ...] = ("instances", "mesh")
_ANY: tuple[Feature, ...] = ("instances",)
_CLASSES: tuple[Feature, ...] = ("instances", "semantics")
_GEOMETRY = "sees points of the surface with normals, no mesh topology"

CLASS_AGNOSTIC_AUTO = _spec(
    "class-agnostic-auto",
    "the one cut that the method chooses itself; sees the mesh with its connectivity, no hint of the truth",
    "class_agnostic:Auto", _MIOU, _MESH,
)  # fmt: skip
CLASS_AGNOSTIC_AUTO_GEOMETRY = _spec(
    "class-agnostic-auto-geometry",
    f"the one cut that the method chooses itself; {_GEOMETRY}, no hint of the truth",
    "class_agnostic:AutoGeometry", _MIOU, _ANY,
)  # fmt: skip
CLASS_AGNOSTIC_ORACLE = _spec(
    "class-agnostic-oracle",
    "the best of the cuts into 1..20 parts, number of parts told by the truth; sees the mesh with its connectivity",
    "class_agnostic:Oracle", _MIOU, _MESH,
)  # fmt: skip
CLASS_AGNOSTIC_ORACLE_GEOMETRY = _spec(
    "class-agnostic-oracle-geometry",
    f"the best of the cuts into 1..20 parts, number of parts told by the truth; {_GEOMETRY}",
    "class_agnostic:OracleGeometry", _MIOU, _ANY,
)  # fmt: skip
CLASS_AGNOSTIC_TREE_CUT = _spec(
    "class-agnostic-tree-cut",
    "the best of all cuts of one tree by height, the height told by the truth; sees the mesh with its connectivity",
    "class_agnostic:BestTreeCut", _MIOU, _MESH,
)  # fmt: skip
CLASS_AGNOSTIC_TREE_CUT_GEOMETRY = _spec(
    "class-agnostic-tree-cut-geometry",
    f"the best of all cuts of one tree by height, the height told by the truth; {_GEOMETRY}",
    "class_agnostic:BestTreeCutGeometry", _MIOU, _ANY,
)  # fmt: skip

PROTOCOLS: tuple[ProtocolSpec, ...] = (
    CLASS_AGNOSTIC_AUTO,
    CLASS_AGNOSTIC_AUTO_GEOMETRY,
    CLASS_AGNOSTIC_ORACLE,
    CLASS_AGNOSTIC_ORACLE_GEOMETRY,
    CLASS_AGNOSTIC_TREE_CUT,
    CLASS_AGNOSTIC_TREE_CUT_GEOMETRY,
)
