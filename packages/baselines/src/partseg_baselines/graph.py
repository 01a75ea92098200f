"""Which elements of a shape are neighbours: faces that share an edge, or nearest points."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from scipy.spatial import cKDTree

from partseg.geometry.adjacency import face_adjacency, join_components
from partseg.geometry.shape import Shape

CLOUD_NEIGHBOURS = 8


def element_edges(shape: Shape) -> Int[np.ndarray, "m 2"]:
    """Pairs of neighbouring elements; the graph may fall into several components.

    Faces of a mesh are neighbours across an edge (vertices at one position count as one); points of a cloud are
    neighbours of their eight nearest.
    """
    if shape.is_mesh:
        return face_adjacency(shape.faces, vertices=shape.vertices)
    n = len(shape.points)
    if n < 2:
        return np.empty((0, 2), np.int32)
    _, near = cKDTree(shape.points).query(shape.points, k=min(CLOUD_NEIGHBOURS + 1, n))
    pairs = np.stack([np.repeat(np.arange(n), near.shape[1]), near.reshape(-1)], axis=1)
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    return np.unique(pairs, axis=0).astype(np.int32)


def connected_edges(shape: Shape) -> Int[np.ndarray, "m 2"]:
    """`element_edges` with links added between the nearest elements of separate components, so that one is left."""
    edges = element_edges(shape)
    return np.concatenate([edges, join_components(edges, shape.element_positions)])
