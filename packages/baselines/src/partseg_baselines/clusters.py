"""Clustering without a graph of neighbours: k-means on position and normal, and Euclidean clusters."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from partseg.errors import PartsegError
from partseg.geometry.adjacency import connected_components, weld_vertices
from partseg.geometry.shape import Shape
from partseg.ops.kmeans import kmeans
from partseg.ops.transfer import carry_labels
from partseg.parts.segmentation import Segmentation
from partseg.parts.tree import renumber
from partseg_baselines.components import keep_largest
from partseg_baselines.ward import WardPositionNormal


class KMeansPositionNormal(WardPositionNormal):
    """k-means on position and unit normal, side by side: compact parts of one orientation, not always in one piece.

    Args:
        normal_weight: length of a normal, in units where the shape's longest side is 1.8.
        clusters: parts when no number is asked for.
        seed: of k-means.
    """

    name = "kmeans-position-normal"

    def __init__(self, normal_weight: float = 0.3, clusters: int = 8, seed: int = 0) -> None:
        super().__init__(normal_weight)
        if clusters < 1:
            raise ValueError(f"clusters must be at least 1, not {clusters}")
        self.clusters, self.seed = clusters, seed

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        """Cluster the elements; fewer parts where fewer elements differ. There is no tree."""
        if level is not None:
            raise PartsegError(f"{self.name} has no level {level!r}; ask for a number of parts")
        wanted = self.clusters if parts is None else parts
        labels, _ = kmeans(self.embed(shape), max(1, min(wanted, shape.n_elements)), self.seed)
        return Segmentation(shape, renumber(labels))


class EuclideanClusters:
    """Euclidean clustering (Rusu 2010): points closer than a tolerance belong together; what a gap parts is a part.

    On meshes it clusters points of the surface, so that, unlike connected components, pieces that touch are one part
    and a file's topology does not matter. There is no tree; the number of parts follows from the shape.

    Args:
        tolerance: in units of the typical spacing, the median distance of a point to its nearest other.
        smallest: share of the points below which a cluster is a crumb and joins the nearest cluster.
        points: sampled from a mesh.
        seed: of the samples.
    """

    name = "euclidean-clusters"

    def __init__(self, tolerance: float = 6.0, smallest: float = 0.005, points: int = 20_000, seed: int = 0) -> None:
        if not tolerance > 0 or not 0 <= smallest < 1 or points < 1:
            raise ValueError("expected tolerance > 0, 0 <= smallest < 1 and points >= 1")
        self.tolerance, self.smallest, self.points, self.seed = tolerance, smallest, points, seed

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        """Label the clusters of a shape.

        Args:
            shape: a mesh, cloud or splat field.
            parts: keep the `parts` largest (by elements); every other goes to the kept one of the nearest centroid.
            level: this method has no named levels.
        """
        if level is not None:
            raise PartsegError(f"{self.name} has no level {level!r}; it has none")
        sample = shape.normalized()
        if shape.is_mesh:
            sample = sample.sampled(self.points, self.seed)
        labels = renumber(carry_labels(shape, sample, self._clusters(sample.points.astype(np.float64))))
        if parts is not None:
            labels = keep_largest(labels, shape, max(1, parts))
        return Segmentation(shape, renumber(labels))

    def _clusters(self, points: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, "n"]:
        first = weld_vertices(points)  # points at one position would give as many pairs as their number squared
        distinct, group = np.unique(first, return_inverse=True)
        places = points[distinct]
        if len(places) < 2:
            return np.zeros(len(points), np.int64)
        spacing = float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))
        cluster = euclidean_clusters(places, self.tolerance * spacing)
        size = np.bincount(cluster, np.bincount(group))
        crumb = size[cluster] < min(self.smallest * len(points), size.max())
        if crumb.any():
            _, near = cKDTree(places[~crumb]).query(places[crumb])
            cluster[crumb] = cluster[~crumb][near]
        return cluster[group]


def euclidean_clusters(
    points: Float[np.ndarray, "n 3"], tolerance: float, *, most_pairs: int = 20_000_000
) -> Int[np.ndarray, "n"]:
    """Connected components of the graph of points at most `tolerance` apart, int64, numbered by first point.

    Where that graph has more than `most_pairs` edges, one point of every cell of an eighth of the tolerance stands for
    the others in it, as a voxel filter before clustering does; gaps of nearly the tolerance may then be judged wrongly.
    """
    tree, rows = cKDTree(points), np.arange(len(points))
    if tree.count_neighbors(tree, tolerance) > 2 * most_pairs + len(points):
        cell = np.floor((points - points.min(axis=0)) / (tolerance / 8))
        _, chosen, rows = np.unique(cell, axis=0, return_index=True, return_inverse=True)
        tree, rows = cKDTree(points[chosen]), rows.reshape(-1)
    pairs = tree.query_pairs(tolerance, output_type="ndarray")
    return renumber(connected_components(pairs, tree.n).astype(np.int64)[rows])
