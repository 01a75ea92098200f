"""Segmentation by shape diameter: parts are where a solid is equally thick, bounded where the surface bends inwards."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from partseg.errors import InputError, PartsegError
from partseg.geometry.adjacency import connected_components
from partseg.geometry.shape import Shape
from partseg.ops.thickness import bilateral, fill_unknown, log_normalized, shape_diameter
from partseg.parts.segmentation import Segmentation
from partseg.parts.tree import renumber
from partseg_baselines.graph import element_edges
from partseg_baselines.potts import directed_rows, mixture_costs, potts_labels
from partseg_baselines.ward import WardPosition


class ShapeDiameter:
    """Shape diameter segmentation (Shapira, Shamir, Cohen-Or 2008): thickness, Gaussian mixture, graph cut, pieces.

    The diameter function is smoothed over the surface and mapped to log scale; a mixture of Gaussians gives each face a
    cost for each cluster, a Potts field prefers boundaries along concave edges, and every cluster falls into its
    connected pieces; crumbs join the piece they share most edges with. Message passing stands where the paper uses
    alpha expansion. The number of parts follows from that of clusters, so there is no part tree: an asked-for number of
    parts takes the finest partition that does not exceed it.

    Args:
        clusters: Gaussians when no number of parts is asked for.
        most_clusters: finest mixture tried when one is.
        smoothness: weight of the boundary cost against the mixture's.
        smallest: share of the area below which a piece is a crumb.
        rays, cone: of the diameter function (degrees).
        sigma, rounds: of its smoothing over the surface.
    """

    name = "shape-diameter"

    def __init__(
        self,
        clusters: int = 5,
        most_clusters: int = 10,
        smoothness: float = 0.26,
        smallest: float = 0.005,
        rays: int = 30,
        cone: float = 120.0,
        sigma: float = 0.1,
        rounds: int = 40,
    ) -> None:
        if not 1 <= clusters <= most_clusters:
            raise ValueError(f"expected 1 <= clusters <= most_clusters, not {clusters} and {most_clusters}")
        self.clusters, self.most_clusters = clusters, most_clusters
        self.smoothness, self.smallest = smoothness, smallest
        self.rays, self.cone, self.sigma, self.rounds = rays, cone, sigma, rounds
        self._last: tuple[Shape, _Field] | None = None  # several numbers of parts of one shape share the ray casting

    def embed(self, shape: Shape) -> Float[np.ndarray, "n_elements 1"]:
        """The smoothed diameter of each face on log scale, 0 (thinnest) … 1, float32.

        Raises:
            InputError: the shape is no mesh.
        """
        return self._field(shape).thickness[:, None].astype(np.float32)

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        """Segment a mesh; the number of parts follows from the shape, `parts` is an upper bound."""
        if level is not None:
            raise PartsegError(f"{self.name} has no level {level!r}; it has none")
        field = self._field(shape)
        if parts is None:
            return Segmentation(shape, field.partition(self.clusters))
        for clusters in range(self.most_clusters, 0, -1):
            labels = field.partition(clusters)
            if labels.max() < parts:
                return Segmentation(shape, labels)
        return Segmentation(shape, np.zeros(shape.n_elements, np.int64))  # even one cluster has more pieces

    def _field(self, shape: Shape) -> _Field:
        if not shape.is_mesh:
            raise InputError(shape.name, "shape diameter needs a mesh, this is a cloud", "use ward-position")
        if self._last is None or self._last[0] is not shape:
            self._last = (
                shape,
                _Field(shape, self.smoothness, self.smallest, self.rays, self.cone, self.sigma, self.rounds),
            )
        return self._last[1]


class WardShapeDiameter(WardPosition):
    """Ward clustering of thickness and position under adjacency: a part tree from the shape diameter function.

    Not a published method; it shows what thickness is worth when it is clustered like a learned feature.

    Args:
        position_weight: scale of the position (longest side 1.8) beside the thickness (0..1).
    """

    name = "ward-shape-diameter"

    def __init__(self, position_weight: float = 0.05) -> None:
        self.position_weight = position_weight
        self._thickness = ShapeDiameter(rounds=0)

    def embed(self, shape: Shape) -> Float[np.ndarray, "n_elements d"]:
        """(n, 4) float32: the thickness, then the weighted position.

        The thickness is not smoothed: the tree averages it over its parts.
        """
        return np.concatenate([self._thickness.embed(shape), super().embed(shape) * self.position_weight], axis=1)


class _Field:
    """What all partitions of one mesh share: thickness, face graph, boundary costs."""

    def __init__(
        self, shape: Shape, smoothness: float, smallest: float, rays: int, cone: float, sigma: float, rounds: int
    ) -> None:
        self.edges = element_edges(shape)
        self.area, self.smallest = shape.face_areas, smallest
        raw = shape_diameter(shape.vertices, shape.faces, rays=rays, cone=cone)
        value = log_normalized(fill_unknown(raw, self.edges))
        indptr, indices, _, _ = directed_rows(self.edges, len(value))
        self.thickness = log_normalized(bilateral(value, self.area, indptr, indices, sigma=sigma, rounds=rounds))
        self.boundary = smoothness * bend_costs(shape, self.edges)
        self._partition: dict[int, Int[np.ndarray, "f"]] = {}

    def partition(self, clusters: int) -> Int[np.ndarray, "f"]:
        """Connected pieces of the clusters, 0..k-1 by first face."""
        if clusters not in self._partition:
            costs = mixture_costs(self.thickness, self.area, clusters)
            label = potts_labels(costs, self.edges, self.boundary)
            inside = self.edges[label[self.edges[:, 0]] == label[self.edges[:, 1]]]
            pieces = connected_components(inside, len(label))
            self._partition[clusters] = renumber(join_crumbs(pieces, self.area, self.edges, self.smallest))
        return self._partition[clusters]


def join_crumbs(
    pieces: Int[np.ndarray, "f"], area: Float[np.ndarray, "f"], edges: Int[np.ndarray, "m 2"], smallest: float
) -> Int[np.ndarray, "f"]:
    """Give every piece of less than `smallest` of the whole area to the neighbour it shares most edges with.

    Repeated until none is left; a crumb without neighbours stays.
    """
    pieces = np.unique(pieces, return_inverse=True)[1].ravel()
    while True:
        n = int(pieces.max()) + 1
        small = np.bincount(pieces, area, n) < smallest * area.sum()
        pair = pieces[np.concatenate([edges, edges[:, ::-1]])]
        pair = pair[small[pair[:, 0]] & (pair[:, 0] != pair[:, 1])]
        if not len(pair):
            return pieces
        key, shared = np.unique(pair[:, 0] * n + pair[:, 1], return_counts=True)
        order = np.lexsort((shared, key // n))
        last = np.r_[np.diff(key[order] // n) != 0, True]  # of each crumb: the neighbour with most edges
        chosen = np.stack([key[order] // n, key[order] % n], axis=1)[last]
        pieces = connected_components(chosen, n).astype(np.int64)[pieces]


def bend_costs(
    shape: Shape, edges: Int[np.ndarray, "m 2"], convex: float = 0.08, flattest: float = 1e-5
) -> Float[np.ndarray, "m"]:
    """Cost of a boundary between two faces: -log(w θ / π), θ the angle between their normals (the paper's Sec. 4).

    w is 1 where the surface bends inwards and `convex` where it bends outwards, so cuts run along concave edges.
    """
    normals, centre = shape.face_normals, shape.face_centroids
    a, b = edges[:, 0], edges[:, 1]
    angle = np.arccos(np.einsum("ei,ei->e", normals[a], normals[b]).clip(-1, 1))
    outwards = np.einsum("ei,ei->e", centre[b] - centre[a], normals[a]) <= 0
    return -np.log((np.where(outwards, convex, 1.0) * angle / np.pi).clip(flattest, 1.0))
