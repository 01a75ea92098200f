"""From a trained field to parts: features per element, one Ward tree, any number of parts as a cut (section 3.4).

Faces get the exact mean of the field over their area (the released pipeline averages random samples), features are
scaled to unit length, and Ward linkage under face adjacency gives the tree. Beside them stand how thick the solid is
beneath a face, which the field of a small network tells only coarsely, and the position; all of it is smoothed along
the surface, but hardly across creases. Points and splats have no adjacency: k-means gathers them into small cells
first, and the tree is built over the cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int

from partseg.geometry.adjacency import face_adjacency, join_components
from partseg.geometry.shape import Shape
from partseg.ops.kmeans import kmeans
from partseg.ops.pool_faces import pool_faces
from partseg.ops.smooth import smooth_over_faces
from partseg.ops.thickness import thickness
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

# Batches of two take a faster path through 3D convolutions than single shapes; larger ones only cost memory.
_TURNS_AT_ONCE = 2

_SMOOTHING_WORK = 16_000_000  # faces x rounds: a few seconds at most


@torch.inference_mode()
def embed(model: PartField, shape: Shape, config: InferenceConfig, seed: int = 0) -> Float[np.ndarray, "n d"]:
    """Features of every element, float32: what the network says, thickness, position, side by side.

    The network's part has rows of unit length, so squared distances add up to the mean over orientations, plus
    `thickness_weight`² times that of thickness, plus the position's weight² times that of positions.

    Args:
        model: the network, in evaluation mode.
        shape: any shape; it is normalised here.
        config: number of sample points and orientations, and the weights.
        seed: of the surface samples.
    """
    shape = shape.normalized()
    few = shape.n_elements > config.large
    turns = ORIENTATIONS[: 1 if few else config.orientations]
    thick = thickness(shape.vertices, shape.faces) if shape.is_mesh and config.thickness_weight else None
    weight = config.position_weight if thick is None else config.position_weight_with_thickness
    width = model.config.part_channels
    features = np.empty((shape.n_elements, width * len(turns) + (thick is not None) + 3 * bool(weight)), np.float32)
    _read_field(model, shape, turns, shape.sampled(config.points, seed), features)
    if thick is not None:
        features[:, width * len(turns)] = config.thickness_weight * thick
    if weight:
        features[:, -3:] = shape.element_positions * weight
    return features


def _read_field(
    model: PartField, shape: Shape, turns: Float[np.ndarray, "t 3 3"], sample: Shape, out: Float[np.ndarray, "n d"]
) -> None:
    """The field on the elements, for each turn of the shape, into consecutive columns of `out`."""
    device = next(model.parameters()).device
    wants_normals = model.config.normals and sample.normals is not None
    width = model.config.part_channels
    for first in range(0, len(turns), _TURNS_AT_ONCE):
        some = turns[first : first + _TURNS_AT_ONCE]
        points = torch.tensor(sample.points @ some.transpose(0, 2, 1), device=device)
        normals = torch.tensor(sample.normals @ some.transpose(0, 2, 1), device=device) if wants_normals else None
        for i, (turn, planes) in enumerate(zip(some, model.planes_of(points, normals), strict=True), first):
            if shape.is_mesh:
                field = pool_faces(planes.cpu().numpy(), shape.vertices @ turn.T.astype(np.float64), shape.faces)
            else:
                field = _query(model, planes[None], shape.points @ turn.T)
            length = np.sqrt(np.einsum("nc,nc->n", field, field) * len(turns))[:, None]
            columns = out[:, i * width : (i + 1) * width]
            columns[:] = 0
            np.divide(field, length, out=columns, where=length > 0)


def _query(model: PartField, planes: torch.Tensor, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n d"]:
    chunks = np.array_split(points.astype(np.float32), max(1, len(points) // 100_000))
    rows = [model.query(planes, torch.tensor(chunk, device=planes.device)[None])[0].cpu().numpy() for chunk in chunks]
    return np.concatenate(rows)


def part_tree(shape: Shape, features: Float[np.ndarray, "n d"], config: InferenceConfig, seed: int = 0) -> MergeTree:
    """The Ward tree over the elements: under face adjacency for meshes, over k-means cells for points and splats.

    Features of a mesh are smoothed along its surface first, which straightens borders and lets them settle on creases.
    Components are joined by the nearest-centroid spanning tree, so that the tree is whole.

    Args:
        shape: the shape, in any coordinates.
        features: from `embed`.
        config: smoothing, and the number of cells for points.
        seed: of k-means.
    """
    if shape.is_mesh:
        edges = face_adjacency(shape.faces, vertices=shape.vertices)
        extra = join_components(edges, shape.face_centroids)
        features = _smoothed(shape, principal(features, config.tree_width), edges, config)
        return ward_tree(features, np.concatenate([edges, extra]) if len(extra) else edges)
    if shape.n_elements <= config.cells:
        return ward_tree(features, _complete(shape.n_elements))
    features = principal(features, config.tree_width)
    labels, centres = kmeans(features, config.cells, seed)
    used, labels = np.unique(labels, return_inverse=True)
    return _below(labels, ward_tree(centres[used], _complete(len(used)), weights=np.bincount(labels)))


def principal(features: Float[np.ndarray, "n d"], width: int, most: int = 20_000) -> Float[np.ndarray, "n w"]:
    """The first `width` principal components, float32: nearly the same distances in fewer columns.

    The axes come from at most `most` evenly spaced rows; features of no more than `width` columns pass unchanged.
    """
    if features.shape[1] <= width:
        return features
    rows = features[:: -(-len(features) // most)].astype(np.float64)
    mean = rows.mean(0)
    _, axes = np.linalg.eigh((rows - mean).T @ (rows - mean))
    axes = np.ascontiguousarray(axes[:, ::-1][:, :width])
    return features @ axes.astype(np.float32) - (mean @ axes).astype(np.float32)


def _smoothed(
    shape: Shape, features: Float[np.ndarray, "f w"], edges: Int[np.ndarray, "m 2"], config: InferenceConfig
) -> Float[np.ndarray, "f w"]:
    rounds = min(config.smoothing, _SMOOTHING_WORK // len(features))
    normals = shape.face_normals
    if np.einsum("fi,fi,f->", shape.face_centroids - shape.face_centroids.mean(0), normals, shape.face_areas) < 0:
        normals = -normals  # wound inside out: concave and convex would change places
    return smooth_over_faces(
        features, edges, shape.face_centroids, normals, shape.face_areas, rounds=rounds, crease=config.crease
    )


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
