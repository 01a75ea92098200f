"""Normals of clouds that have none."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree


def estimate_normals(points: Float[np.ndarray, "n 3"], neighbours: int = 16) -> Float[np.ndarray, "n 3"]:
    """Unit normals of a cloud, pointing outward as far as can be told.

    The direction is that of least extent among the nearest points. Signs are carried along the tree of the most
    parallel neighbours (Hoppe et al., "Surface reconstruction from unorganized points", SIGGRAPH 1992); in each
    connected piece they are chosen so that most normals point away from the piece's centre.

    Args:
        points: finite. neighbours: nearest points of each, itself included.

    Returns:
        float32; (0, 0, 1) for a cloud of fewer than three points. Points whose neighbours lie on a line, or at one
        position, get one of the directions across it.
    """
    points = np.asarray(points, np.float64)
    n = len(points)
    if n < 3:
        return np.tile(np.array([0, 0, 1], np.float32), (n, 1))
    k = min(neighbours, n)
    _, near = cKDTree(points).query(points, k)
    around = points[near] - points[near].mean(1, keepdims=True)
    normals = np.linalg.eigh(around.transpose(0, 2, 1) @ around)[1][:, :, 0]

    a, b = np.repeat(np.arange(n), k - 1), near[:, 1:].ravel()
    agree = np.einsum("ij,ij->i", normals[a], normals[b])
    weight = 1 - np.abs(agree) + 1e-6  # an edge of weight 0 is none
    graph = coo_array((np.maximum(weight, 1e-6), (a, b)), shape=(n, n)).tocsr()
    graph = graph.maximum(graph.T)
    tree = minimum_spanning_tree(graph)
    pieces, piece = connected_components(tree, directed=False)
    above = np.arange(n)
    for root in np.unique(piece, return_index=True)[1]:
        order, before = breadth_first_order(tree, root, directed=False)
        above[order[1:]] = before[order[1:]]
    sign = np.where(np.einsum("ij,ij->i", normals, normals[above]) < 0, -1.0, 1.0)
    for _ in range(int(n).bit_length()):  # each round doubles how far up the tree signs have come
        sign, above = sign * sign[above], above[above]
    normals = normals * sign[:, None]
    centre = np.stack([np.bincount(piece, points[:, i], pieces) for i in range(3)], 1) / np.bincount(piece)[:, None]
    outward = np.bincount(piece, np.einsum("ij,ij->i", normals, points - centre[piece]), pieces)
    return (normals * np.where(outward < 0, -1.0, 1.0)[piece, None]).astype(np.float32)
