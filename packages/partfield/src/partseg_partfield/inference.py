"""From a trained field to parts: features per element, one Ward tree, any number of parts as a cut (section 3.4).

Faces get the exact mean of the field over their area (the released pipeline averages random samples), features are
scaled to unit length, and Ward linkage under face adjacency gives the tree. Points and splats have no adjacency:
k-means gathers them into small cells first, and the tree is built over the cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from partseg.geometry.adjacency import face_adjacency, join_components
from partseg.geometry.shape import Shape
from partseg.ops.kmeans import kmeans
from partseg.ops.pool_faces import pool_faces
from partseg.ops.ward import ward_tree
from partseg.parts.tree import MergeTree

if TYPE_CHECKING:
    from partseg_partfield.config import InferenceConfig
    from partseg_partfield.model import PartField

# Proper rotations that permute the axes: the planes of the field look along other directions of the shape, so the
# averages over several are finer and depend less on how a file is oriented.
ORIENTATIONS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
        [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
        [[-1, 0, 0], [0, 0, 1], [0, 1, 0]],
        [[0, 0, -1], [0, -1, 0], [-1, 0, 0]],
        [[0, -1, 0], [-1, 0, 0], [0, 0, -1]],
        [[0, 0, 1], [0, -1, 0], [1, 0, 0]],
        [[0, -1, 0], [0, 0, 1], [-1, 0, 0]],
    ],
    np.float32,
)


@torch.inference_mode()
def embed(model: PartField, shape: Shape, config: InferenceConfig, seed: int = 0) -> Float[np.ndarray, "n d"]:
    """Features of every element, float32, rows of unit length (before the position part): squared distances add up to
    the mean over orientations, plus `position_weight`² times the squared distance of positions.

    Args:
        model: the network, in evaluation mode.
        shape: any shape; it is normalised here.
        config: number of sample points, orientations and the weight of positions.
        seed: of the surface samples.
    """
    shape = shape.normalized()
    device = next(model.parameters()).device
    sample = shape.sampled(config.points, seed)
    few = shape.n_elements > config.large
    turns = ORIENTATIONS[: 1 if few else config.orientations]
    wants_normals = model.config.normals and sample.normals is not None
    parts = []
    for turn in turns:
        points = torch.tensor(sample.points @ turn.T, device=device)[None]
        normals = torch.tensor(sample.normals @ turn.T, device=device)[None] if wants_normals else None
        planes = model.planes_of(points, normals)
        if shape.is_mesh:
            field = pool_faces(planes[0].cpu().numpy(), shape.vertices @ turn.T.astype(np.float64), shape.faces)
        else:
            field = _query(model, planes, shape.points @ turn.T)
        length = np.linalg.norm(field, axis=1, keepdims=True)
        parts.append(np.divide(field, length * np.sqrt(len(turns)), out=field, where=length > 0))
    if config.position_weight:
        parts.append((shape.element_positions * config.position_weight).astype(np.float32))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _query(model: PartField, planes: torch.Tensor, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n d"]:
    chunks = np.array_split(points.astype(np.float32), max(1, len(points) // 100_000))
    rows = [model.query(planes, torch.tensor(chunk, device=planes.device)[None])[0].cpu().numpy() for chunk in chunks]
    return np.concatenate(rows)


def part_tree(shape: Shape, features: Float[np.ndarray, "n d"], *, cells: int = 512, seed: int = 0) -> MergeTree:
    """The Ward tree over the elements: under face adjacency for meshes, over k-means cells for points and splats.

    Components of a mesh are joined by the nearest-centroid spanning tree, so that the tree is whole.
    """
    if shape.is_mesh:
        edges = face_adjacency(shape.faces, vertices=shape.vertices)
        extra = join_components(edges, shape.face_centroids)
        return ward_tree(features, np.concatenate([edges, extra]) if len(extra) else edges)
    if shape.n_elements <= cells:
        return ward_tree(features, _complete(shape.n_elements))
    labels, centres = kmeans(features, cells, seed)
    used, labels = np.unique(labels, return_inverse=True)
    return _below(labels, ward_tree(centres[used], _complete(len(used)), weights=np.bincount(labels)))


def _complete(n: int) -> np.ndarray:
    return np.stack(np.triu_indices(n, 1), axis=1).astype(np.int32)


def _below(cell: np.ndarray, tree: MergeTree) -> MergeTree:
    """A tree over elements from one over their cells: elements of a cell merge first, at height 0."""
    n, cells = len(cell), tree.n_leaves
    order = np.argsort(cell, kind="stable")
    same = cell[order][1:] == cell[order][:-1]
    step = np.cumsum(same) - 1  # number of the merge that adds order[i + 1] to its cell
    chain = np.r_[False, same][:-1]  # is order[i] itself the result of a merge?
    left = np.where(chain, n + step - 1, order[:-1])[same]
    inner = np.stack([left, order[1:][same]], axis=1)
    last = np.flatnonzero(np.r_[~same, True])  # last element of each cell
    top = np.where(np.r_[False, same][last], n + np.r_[-1, step][last], order[last])
    node = np.r_[top, n + len(inner) + np.arange(cells - 1)]
    return MergeTree(
        np.concatenate([inner, node[tree.children]]), np.r_[np.zeros(len(inner)), np.maximum(tree.heights, 0.0)]
    )
