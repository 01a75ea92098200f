"""glTF files of blocks: a cart with shared wheels, unnamed nodes, a mesh of two materials and nodes to be left out."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

_QUADS = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
_FACES = np.array(_QUADS, np.uint16)[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)

# part (a node with a mesh, depth first) -> name, class, lower corner, upper corner, primitives
PARTS = [
    ("body", "body", (0, 0, 0), (1, 1, 1), 2),
    ("wheel.L", "wheel.L", (10, 0, 0), (12, 2, 2), 1),
    ("wheel.R", "wheel.L", (10, 0, -5), (12, 2, -3), 1),  # the same mesh, so the same class
    ("lamp mesh", "lamp mesh", (-1, 7, 0), (0, 8, 1), 1),  # unnamed node, turned by a quarter about z
]
# the part tree: name and parent of each node
TREE = [
    ("cart", -1),
    ("body", 0),  # the node, which carries the lamp
    ("body", 1),  # its mesh, of two materials
    ("paint", 2),
    ("body_1", 2),
    ("lamp mesh", 1),
    ("axle", 0),
    ("wheel.L", 6),
    ("wheel.R", 6),
]


def cart() -> tuple[dict[str, Any], bytes]:
    """The document, without its buffer's place, and the buffer."""
    position, index = _CORNERS.tobytes(), _FACES.tobytes()
    half = len(index) // 2
    primitive = {"attributes": {"POSITION": 0}, "indices": 1}
    return {
        "asset": {"version": "2.0"},
        "scene": 1,
        "scenes": [{"nodes": [9]}, {"nodes": [0]}],
        "nodes": [
            {"name": "export root", "children": [1]},  # holds only the cart
            {"name": "cart", "children": [2, 4, 7]},
            {"name": "body", "mesh": 0, "children": [3]},
            {"mesh": 2, "translation": [0, 7, 0], "rotation": [0, 0, np.sqrt(0.5), np.sqrt(0.5)]},
            {"name": "axle", "children": [5, 6], "translation": [10, 0, 0], "scale": [2, 2, 2]},
            {"name": "wheel.L", "mesh": 1},
            {"name": "wheel.R", "mesh": 1, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, -2.5, 1]},
            {"name": "empty", "children": [8]},
            {"name": "locator"},
            {"name": "of another scene", "mesh": 1},
        ],
        "meshes": [
            {"name": "hull", "primitives": [
                {**primitive, "indices": 2, "material": 0}, {**primitive, "indices": 3}]},
            {"name": "wheel mesh", "primitives": [primitive]},
            {"name": "lamp mesh", "primitives": [{**primitive, "mode": 1}, primitive]},  # lines are no faces
        ],
        "materials": [{"name": "paint"}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC3", "min": [0] * 3, "max": [1] * 3},
            {"bufferView": 1, "componentType": 5123, "count": 36, "type": "SCALAR"},
            {"bufferView": 1, "componentType": 5123, "count": 18, "type": "SCALAR"},
            {"bufferView": 1, "byteOffset": half, "componentType": 5123, "count": 18, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": len(position)},
            {"buffer": 0, "byteOffset": len(position), "byteLength": len(index)},
        ],
        "buffers": [{"byteLength": len(position) + len(index)}],
    }, position + index  # fmt: skip


def write_glb(path: Path, document: dict[str, Any], binary: bytes) -> None:
    """A GLB file of two chunks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document).encode()
    chunks = []
    for kind, data, fill in ((b"JSON", text, b" "), (b"BIN\0", binary, b"\0")):
        data += fill * (-len(data) % 4)
        chunks.append(struct.pack("<I", len(data)) + kind + data)
    body = b"".join(chunks)
    path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(body)) + body)


def write_scene_graphs(root: Path) -> list[str]:
    """The cart as GLB, as glTF with a buffer beside it, and with the buffer in the JSON; returns the items' names."""
    document, binary = cart()
    write_glb(root / "cart.glb", document, binary)
    for folder, uri in (("beside", "cart.bin"), ("within", None)):
        here = root / folder
        here.mkdir(parents=True, exist_ok=True)
        own, _ = cart()
        own["buffers"][0]["uri"] = uri or "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
        (here / "cart.gltf").write_text(json.dumps(own))
    (root / "beside" / "cart.bin").write_bytes(binary)
    return ["cart", "beside/cart", "within/cart"]
