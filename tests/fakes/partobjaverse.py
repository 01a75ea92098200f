"""PartObjaverse-Tiny as its archives unpack: trees of boxes, truths in the order in which trimesh joins a scene."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from fakes.coseg import CORNERS, TRIANGLES

NAME = "PartObjaverse-Tiny"
GROUPS = {"Animals": ("head", "leg", "tail"), "Food": ("leg", "plate")}


def write_tree(path: Path, seed: int, nodes: int) -> None:
    """A GLB of a random tree of nodes, most with a mesh of one or two boxes of a few triangles, some moved."""
    rng = np.random.default_rng(seed)
    binary, views, accessors, meshes, tree = b"", [], [], [], []

    def accessor(array: np.ndarray, kind: str, component: int) -> int:
        nonlocal binary
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes})
        binary += array.tobytes() + b"\0" * (-array.nbytes % 4)
        accessors.append(
            {"bufferView": len(views) - 1, "componentType": component, "count": len(array), "type": kind}
            | ({"min": array.min(0).tolist(), "max": array.max(0).tolist()} if kind == "VEC3" else {})
        )
        return len(accessors) - 1

    for _ in range(max(2, nodes // 2)):
        primitives = []
        for _ in range(int(rng.integers(1, 3))):
            corners = (CORNERS * rng.uniform(0.2, 1, 3) + rng.uniform(-2, 2, 3)).astype(np.float32)
            faces = TRIANGLES[: int(rng.integers(2, 13))].reshape(-1).astype(np.uint16)
            primitives.append(
                {
                    "attributes": {"POSITION": accessor(corners, "VEC3", 5126)},
                    "indices": accessor(faces, "SCALAR", 5123),
                }
            )
        meshes.append({"primitives": primitives})
    roots = []
    for i in range(nodes):
        node: dict[str, Any] = {"name": f"node {i}", "translation": rng.uniform(-3, 3, 3).tolist()}
        if i == 0 or rng.random() < 0.8:
            node["mesh"] = int(rng.integers(len(meshes)))
        tree.append(node)
        if i == 0 or rng.random() < 0.3:
            roots.append(i)
        else:
            tree[int(rng.integers(i))].setdefault("children", []).append(i)
    rng.shuffle(roots)
    document = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": roots}], "nodes": tree, "meshes": meshes,
        "accessors": accessors, "bufferViews": views, "buffers": [{"byteLength": len(binary)}],
    }  # fmt: skip
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def write_partobjaverse(root: Path, per_group: int = 3) -> dict[str, dict[str, Any]]:
    """The release. Returns of each shape, by name: its corners and truths in trimesh's order."""
    for what in ("mesh", "semantic_gt", "instance_gt"):
        (root / f"{NAME}_{what}").mkdir(parents=True)
    names, known = {}, {}
    for g, (group, parts) in enumerate(GROUPS.items()):
        for i in range(per_group):
            name = f"{g}{i:031x}"
            names.setdefault(group, {})[name] = list(parts)
            path = root / f"{NAME}_mesh" / f"{name}.glb"
            write_tree(path, 100 * g + i, 1 + 4 * i)
            mesh = trimesh.load(path, force="mesh", process=False)
            rng = np.random.default_rng([7, g, i])
            semantic = rng.integers(-1, len(parts), len(mesh.faces))
            instance = np.where(semantic < 0, -1, 2 * semantic + rng.integers(0, 2, len(semantic)))
            np.save(root / f"{NAME}_semantic_gt" / f"{name}.npy", semantic)
            np.save(root / f"{NAME}_instance_gt" / f"{name}.npy", instance)
            known[f"{group}/{name}"] = {
                "corners": np.asarray(mesh.triangles), "semantic": semantic, "instance": instance, "names": parts,
            }  # fmt: skip
    (root / f"{NAME}_semantic.json").write_text(json.dumps(names))
    return known
