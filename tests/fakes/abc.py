"""ABC as its archives unpack: a cylinder with two lids, its surfaces in a feature file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

CODE = "1ffb81a71e5b402e966b9341"


def cylinder(sides: int, height: float) -> tuple[np.ndarray, np.ndarray, list[tuple[str, np.ndarray]]]:
    """Vertices, triangles in shuffled order, and (type, triangles) of the wall and the two lids."""
    angle = np.arange(sides) * 2 * np.pi / sides
    ring = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(sides)])
    vertices = np.concatenate([ring, ring + [0, 0, height], [[0, 0, 0], [0, 0, height]]])
    i, j = np.arange(sides), (np.arange(sides) + 1) % sides
    wall = np.concatenate([np.stack([i, j, j + sides], 1), np.stack([i, j + sides, i + sides], 1)])
    lids = [
        np.stack([j, i, np.full(sides, 2 * sides)], 1),
        np.stack([i + sides, j + sides, np.full(sides, 2 * sides + 1)], 1),
    ]
    order = np.random.default_rng(sides).permutation(4 * sides)
    faces = np.concatenate([wall, *lids])[order]
    owner = np.repeat([0, 1, 2], [2 * sides, sides, sides])[order]
    kinds = ("Cylinder", "Plane", "Plane")
    return vertices, faces, [(kind, np.flatnonzero(owner == k)) for k, kind in enumerate(kinds)]


def features(surfaces: list[tuple[str, np.ndarray]], style: bool | None) -> str:
    """A feature file as PyYAML writes it: all blocks (False), blocks with lists in a line (None) or one line (True)."""
    document: dict[str, Any] = {
        "curves": [
            {"type": "Line", "sharp": True, "direction": [1.0, 0.0, 0.0], "vert_indices": [0, 1],
             "vert_parameters": [0.0, 1.0]},
        ],
        "surfaces": [
            {"type": kind, "location": [0.0, 0.0, 0.0], "face_indices": faces.tolist(),
             "vert_indices": faces[:20].tolist(), "vert_parameters": [[0.25, 1e-3 * k] for k in range(30)],
             "z_axis": [0.0, 0.0, 1.0]}
            for kind, faces in surfaces
        ],
    }  # fmt: skip
    return yaml.safe_dump(document, default_flow_style=style)


def write_abc(root: Path, models: int = 3, side_by_side: bool = False) -> dict[str, dict[str, Any]]:
    """Models, each in a style of YAML of its own; in one folder each, or meshes and feature files apart. Returns type
    and triangles of each model's surfaces, by name."""
    known = {}
    for m in range(models):
        vertices, faces, surfaces = cylinder(8 + m, 1 + m)
        number, n = f"{m + 2:08d}", f"{m:03d}"
        obj = root / ("abc_0000_obj_v00" if side_by_side else "") / number
        feat = root / ("abc_0000_feat_v00" if side_by_side else "") / number
        for place in (obj, feat):
            place.mkdir(parents=True, exist_ok=True)
        lines = [f"v {x} {y} {z}" for x, y, z in vertices.tolist()] + ["vn 0 0 1"]
        lines += ["f " + " ".join(f"{v + 1}//1" for v in face) for face in faces.tolist()]
        (obj / f"{number}_{CODE}_trimesh_{n}.obj").write_text("\n".join(lines) + "\n")
        (feat / f"{number}_{CODE}_features_{n}.yml").write_text(features(surfaces, (False, None, True)[m % 3]))
        known[f"{number}_{CODE}_{n}"] = {"surfaces": surfaces, "faces": faces, "vertices": vertices}
    return known
