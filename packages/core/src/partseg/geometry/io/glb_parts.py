"""The part tree of a GLB file that `write_glb` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from partseg.errors import InputError
from partseg.geometry.io.glb_write import ELEMENTS_KEY
from partseg.geometry.io.gltf_buffers import Accessors, item, split_glb


class GlbParts(NamedTuple):
    """Nodes in the order of the file.

    Attributes:
        names: of the nodes.
        parents: (p,) index of each node's parent, -1 for roots.
        elements: for each node the elements (faces or points of the input file) in it, ascending; None without a mesh.
    """

    names: tuple[str, ...]
    parents: Int[np.ndarray, " p"]
    elements: tuple[Int[np.ndarray, " k"] | None, ...]


def read_glb_parts(path: str | Path) -> GlbParts:
    """Names, hierarchy and elements of the parts in a GLB.

    Raises:
        InputError: no GLB, or one whose meshes do not say which elements they hold (another tool wrote it).
    """
    path = Path(path)
    try:
        document, binary = split_glb(path, path.read_bytes())
        accessors = Accessors(path, document, binary)
        nodes = document.get("nodes", [])
        parents = np.full(len(nodes), -1, np.int32)
        for index, node in enumerate(nodes):
            parents[node.get("children", [])] = index
        elements = []
        for node in nodes:
            if "mesh" not in node:
                elements.append(None)
                continue
            primitives = item(document, "meshes", node["mesh"])["primitives"]
            numbers = [accessors.get(primitive["extras"][ELEMENTS_KEY])[:, 0] for primitive in primitives]
            elements.append(np.sort(np.concatenate(numbers)).astype(np.int64))
        return GlbParts(tuple(str(node.get("name", "")) for node in nodes), parents, tuple(elements))
    except OSError as error:
        raise InputError(path, f"it cannot be read: {error.strerror or error}") from None
    except (LookupError, TypeError, ValueError, AttributeError):
        raise InputError(path, "it does not say which part holds which element", "write it with write_glb") from None
