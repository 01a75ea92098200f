"""The scene graph of a glTF document: which mesh stands where (glTF 2.0 sections 3.5 and 3.7.3)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from partseg.geometry.io.assemble import warn
from partseg.geometry.io.gltf_buffers import Accessors, item


class Placement(NamedTuple):
    """One mesh of one node: the node's number, its name, the mesh, and node to world."""

    node: int
    name: str
    mesh: int
    matrix: Float[np.ndarray, "4 4"]


class Visit(NamedTuple):
    """A node reached from a scene: its number, the node it was reached from (-1: none), whether it was met before."""

    node: int
    parent: int
    again: bool


def walk(document: dict) -> list[Visit]:
    """Nodes of the default scene, depth first; the children of a node met again are not followed.

    Without a default scene the first counts, without any scene all nodes that are nobody's child.
    """
    nodes = document.get("nodes", [])
    scenes = document.get("scenes", [])
    if scenes:
        roots = item(document, "scenes", document.get("scene", 0)).get("nodes", [])
    else:
        children = {child for node in nodes for child in node.get("children", [])}
        roots = [index for index in range(len(nodes)) if index not in children]
    seen: set[int] = set()
    visits: list[Visit] = []
    stack = [(index, -1) for index in reversed(roots)]
    while stack:
        index, parent = stack.pop()
        visits.append(Visit(index, parent, index in seen))
        if index not in seen:
            seen.add(index)
            stack += [(child, index) for child in reversed(item(document, "nodes", index).get("children", []))]
    return visits


def part_name(document: dict, index: int) -> str:
    """Name of a node with a mesh: its own, or that of the mesh."""
    node = item(document, "nodes", index)
    return str(node.get("name") or item(document, "meshes", node["mesh"]).get("name") or f"node_{index}")


def placements(path: Path, document: dict, accessors: Accessors) -> tuple[list[Placement], dict[int, np.ndarray]]:
    """Meshes of the default scene in depth-first order (see `walk`), and the world matrix of every node reached.

    A node is visited once: one that is its own ancestor, or that has two parents, is a `ShapeWarning`.
    """
    visits = walk(document)
    worlds: dict[int, np.ndarray] = {}
    found: list[Placement] = []
    for visit in visits:
        if visit.again:
            continue
        node = item(document, "nodes", visit.node)
        above = worlds[visit.parent] if visit.parent >= 0 else np.eye(4)
        with np.errstate(all="ignore"):
            world = worlds[visit.node] = above @ local_matrix(node)
        if "mesh" in node:
            name = part_name(document, visit.node)
            found += [Placement(visit.node, name, node["mesh"], m) for m in _instances(node, world, accessors)]
    if any(visit.again for visit in visits):
        warn(path, "its node tree has a cycle or a node with two parents: each node is used once")
    return found, worlds


def local_matrix(node: dict) -> Float[np.ndarray, "4 4"]:
    """Node to parent: its matrix (stored by columns), or translation * rotation * scale."""
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    return compose(
        np.array(node.get("translation", (0, 0, 0)), np.float64),
        np.array(node.get("rotation", (0, 0, 0, 1)), np.float64),
        np.array(node.get("scale", (1, 1, 1)), np.float64),
    )


def compose(translation: np.ndarray, rotation: np.ndarray, scale: np.ndarray) -> Float[np.ndarray, "4 4"]:
    """Matrix of a translation (3,), a quaternion x y z w (4,; scaled to unit) and a scale (3,)."""
    length = np.linalg.norm(rotation)
    x, y, z, w = rotation / length if length > 0 else (0.0, 0.0, 0.0, 1.0)
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, :3] *= scale
    matrix[:3, 3] = translation
    return matrix


def _instances(node: dict, world: np.ndarray, accessors: Accessors) -> list[np.ndarray]:
    """World matrices of a node's mesh: one, or those of EXT_mesh_gpu_instancing."""
    extension = node.get("extensions", {}).get("EXT_mesh_gpu_instancing")
    if not extension:
        return [world]
    attributes = extension.get("attributes", {})
    defaults = {"TRANSLATION": (0.0, 0.0, 0.0), "ROTATION": (0.0, 0.0, 0.0, 1.0), "SCALE": (1.0, 1.0, 1.0)}
    given = {name: accessors.get_float(attributes[name]) for name in defaults if name in attributes}
    count = max((len(values) for values in given.values()), default=0)
    parts = [given.get(name, np.tile(value, (count, 1))) for name, value in defaults.items()]
    return [world @ compose(t, r, s) for t, r, s in zip(*parts)]


def skin_matrices(
    document: dict, accessors: Accessors, skin: int, worlds: dict[int, np.ndarray]
) -> Float[np.ndarray, "j 4 4"]:
    """World matrix of each joint times its inverse bind matrix (section 3.7.3.3): the pose that the file stores."""
    entry = item(document, "skins", skin)
    joints = np.stack([worlds[joint] for joint in entry["joints"]])
    if "inverseBindMatrices" not in entry:
        return joints
    inverse = accessors.get_float(entry["inverseBindMatrices"])[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1)
    return joints @ inverse
