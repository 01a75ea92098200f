"""What comparing two segmentations of a triangle mesh needs: areas, cuts, and distances along edges.

Cuts follow the evaluation program of the Princeton Segmentation Benchmark (Chen, Golovinskiy, Funkhouser 2009): a cut
edge has faces of different segments, cut vertices are the end points of cut edges, and distances to them run along
mesh edges. A border edge is no cut; faces of two segments that meet in a vertex only make none. The program takes apart
what is no manifold (a third face at an edge, a flipped one) and drops faces that repeat a vertex; here every face stays
where it is. The benchmark's meshes hold none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from partseg.geometry.shape import Shape, triangle_normals


@dataclass(frozen=True, eq=False)
class MeasuredMesh:
    """A mesh with all that its segmentations share; make one with `measure_mesh` and use it for all of them.

    Attributes:
        vertices: (v, 3) float64.
        areas: (f,) float64.
        radius: area-weighted mean distance of face centroids from their area-weighted centre; NaN without area.
        edges: (e, 2) int64 vertices of each edge, once; edges of no two different vertices are left out.
        edge_faces: (h,) int64 faces around the edges, edge after edge.
        edge_start: (e,) int64 where the faces of each edge begin in `edge_faces`.
        graph: (v, v) sparse, edge lengths in both directions.
    """

    vertices: Float[np.ndarray, "v 3"]
    areas: Float[np.ndarray, "f"]
    radius: float
    edges: Int[np.ndarray, "e 2"]
    edge_faces: Int[np.ndarray, "h"]
    edge_start: Int[np.ndarray, "e"]
    graph: csr_array


class MeasuredSegmentation(NamedTuple):
    """One segmentation of a measured mesh.

    Attributes:
        segment: (f,) int64 segment of each face, renumbered to 0..k-1.
        count: (k,) int64 faces; area: (k,) float64.
        cut: (m,) int64 cut vertices, ascending: those at distance 0.
        distance: (v,) float64 length of the shortest edge path to a cut vertex; infinite where there is none.
    """

    segment: Int[np.ndarray, "f"]
    count: Int[np.ndarray, "k"]
    area: Float[np.ndarray, "k"]
    cut: Int[np.ndarray, "m"]
    distance: Float[np.ndarray, "v"]


class Overlap(NamedTuple):
    """Which segment of one segmentation meets which of another; only pairs that meet are held.

    Attributes:
        a, b: (m,) int64 segments; count: (m,) int64 faces in both, > 0; area: (m,) float64.
    """

    a: Int[np.ndarray, "m"]
    b: Int[np.ndarray, "m"]
    count: Int[np.ndarray, "m"]
    area: Float[np.ndarray, "m"]


def measure_mesh(shape: Shape) -> MeasuredMesh:
    """Areas, edges and edge graph of a mesh, O(f log f).

    Raises:
        ValueError: the shape is no mesh.
    """
    if not shape.is_mesh:
        raise ValueError(f"{shape.name}: a segmentation of surfaces needs a mesh, not {shape!r}")
    vertices, faces = np.asarray(shape.vertices), np.asarray(shape.faces, np.int64)
    _, areas = triangle_normals(vertices, faces)
    corner = np.stack([faces, np.roll(faces, -1, 1)], -1).reshape(-1, 2)
    face = np.repeat(np.arange(len(faces)), 3)
    real = corner[:, 0] != corner[:, 1]
    key = corner[real].min(1) * len(vertices) + corner[real].max(1)
    order = np.argsort(key, kind="stable")
    key = key[order]
    start = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.empty(0, np.int64)
    edges = np.stack([key[start] // len(vertices), key[start] % len(vertices)], 1)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    ends = np.concatenate([edges, edges[:, ::-1]])
    graph = csr_array((np.tile(length, 2), (ends[:, 0], ends[:, 1])), shape=(len(vertices),) * 2)
    return MeasuredMesh(
        vertices, areas, _radius(vertices[faces].mean(1), areas), edges, face[real][order], start, graph
    )


def measure_segmentation(
    labels: Int[np.ndarray, "f"], mesh: MeasuredMesh, name: str = "segmentation"
) -> MeasuredSegmentation:
    """Segments, cuts and distances of one segmentation; one pass of Dijkstra's algorithm from all cuts at once.

    Args:
        labels: (f,) segment of each face, any integers from 0; every face is in one. Segments need not be connected.
        mesh: the measured mesh.
        name: what to call the segmentation in errors.

    Raises:
        ValueError: the labels are no integers, not one a face, or negative (a face without a segment).
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iub"):
        raise ValueError(f"{name} must be (f,) integers, not {labels.dtype} {labels.shape}")
    if len(labels) != len(mesh.areas):
        raise ValueError(f"{name} labels {len(labels)} faces, the mesh has {len(mesh.areas)}")
    if labels.size and labels.min() < 0:
        raise ValueError(f"{name} gives face {int(labels.argmin())} no segment ({labels.min()}): all faces need one")
    numbers, segment, count = np.unique(labels, return_inverse=True, return_counts=True)
    cut = cut_vertices(segment, mesh)
    distance = np.full(len(mesh.vertices), np.inf)
    if len(cut):
        distance = dijkstra(mesh.graph, indices=cut, min_only=True)
        cut = np.flatnonzero(distance == 0)  # an edge of no length hands a cut on
    return MeasuredSegmentation(
        segment.astype(np.int64), count, np.bincount(segment, mesh.areas, len(numbers)), cut, distance
    )


def cut_vertices(segment: Int[np.ndarray, "f"], mesh: MeasuredMesh) -> Int[np.ndarray, "m"]:
    """End points of the edges whose faces are not all in one segment, ascending. More than two faces may share one."""
    if not len(mesh.edges):
        return np.empty(0, np.int64)
    around = segment[mesh.edge_faces]
    differ = np.minimum.reduceat(around, mesh.edge_start) != np.maximum.reduceat(around, mesh.edge_start)
    return np.unique(mesh.edges[differ])


def overlap(a: MeasuredSegmentation, b: MeasuredSegmentation, mesh: MeasuredMesh) -> Overlap:
    """Faces and area that each pair of segments shares, O(f log f) time, O(f) memory."""
    width = len(b.count)
    pair, where, count = np.unique(a.segment * width + b.segment, return_inverse=True, return_counts=True)
    return Overlap(pair // width, pair % width, count, np.bincount(where, mesh.areas, len(pair)))


def _radius(centroids: Float[np.ndarray, "f 3"], areas: Float[np.ndarray, "f"]) -> float:
    total = areas.sum()
    if not total > 0:
        return float("nan")
    centre = areas @ centroids / total
    return float(areas @ np.linalg.norm(centroids - centre, axis=1) / total)
