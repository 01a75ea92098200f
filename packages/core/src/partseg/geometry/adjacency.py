"""Which faces touch: adjacency graphs of meshes, their components, and edges that make them connected."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components as _scipy_components
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import cKDTree

# Faces around one edge up to which every pair of them is linked; a manifold edge has two.
ALL_PAIRS_UP_TO = 8


@njit(cache=True, nogil=True)
def _weld_rows(rows: np.ndarray) -> np.ndarray:
    """First index with the same bit pattern, for each row of an (n, 3) int64 array (open-addressing hash table)."""
    n = rows.shape[0]
    bits = 4
    while (1 << bits) < 2 * n:
        bits += 1
    mask = (1 << bits) - 1
    table = np.full(1 << bits, -1, np.int32)
    first = np.empty(n, np.int32)
    for i in range(n):
        h = np.uint64(0)
        for axis in range(3):  # the finaliser of splitmix64 spreads neighbouring floats over the table
            h = (h ^ np.uint64(rows[i, axis])) * np.uint64(0x9E3779B97F4A7C15)
            h ^= h >> np.uint64(29)
            h *= np.uint64(0xBF58476D1CE4E5B9)
            h ^= h >> np.uint64(32)
        slot = np.int64(h) & mask
        while True:
            j = table[slot]
            if j < 0:
                table[slot] = i
                first[i] = i
                break
            if rows[i, 0] == rows[j, 0] and rows[i, 1] == rows[j, 1] and rows[i, 2] == rows[j, 2]:
                first[i] = j
                break
            slot = (slot + 1) & mask
    return first


def weld_vertices(vertices: Float[np.ndarray, "v 3"]) -> Int[np.ndarray, " v"]:
    """Smallest index of a vertex at exactly the same position, for each vertex.

    Args:
        vertices: positions, any float dtype; compared exactly (as float64), -0 equals 0.

    Returns:
        int32 representative of each vertex; `faces = weld_vertices(vertices)[faces]` stitches triangle soup.
    """
    positions = np.asarray(vertices, np.float64).reshape(-1, 3) + 0.0  # turns -0.0 into 0.0; makes a fresh array
    return _weld_rows(np.ascontiguousarray(positions).view(np.int64))


def face_adjacency(
    faces: Int[np.ndarray, "f 3"],
    n_vertices: int | None = None,
    vertices: Float[np.ndarray, "v 3"] | None = None,
    weld: bool = True,
) -> Int[np.ndarray, "m 2"]:
    """Pairs of faces that share an edge.

    An edge with up to eight faces links every pair of them. Around an edge with more (broken or hostile files) faces
    are linked in a chain with a second chain over every eighth one, so the number of pairs stays linear.

    Args:
        faces: vertex indices. A face with a repeated vertex keeps its proper edges; it is always a node of the graph.
        n_vertices: number of vertices; found from `faces` or `vertices` when absent.
        vertices: positions; needed for welding.
        weld: treat vertices at identical positions as one (triangle soup of STL files, split seams of GLB files).

    Returns:
        int32 pairs (a, b) with a < b, unique, sorted.

    Raises:
        ValueError: a face names a vertex that does not exist.
    """
    faces = np.asarray(faces).reshape(-1, 3)
    if len(faces) == 0:
        return np.empty((0, 2), np.int32)
    top = int(faces.max()) + 1
    if vertices is not None:
        n_vertices = len(vertices)
    n_vertices = top if n_vertices is None else int(n_vertices)
    if int(faces.min()) < 0 or top > n_vertices:
        raise ValueError(f"faces name vertices {int(faces.min())}..{top - 1}, but there are {n_vertices} vertices")
    if vertices is not None and weld:
        faces = weld_vertices(vertices)[faces]

    n_faces = len(faces)
    start = faces.T.reshape(-1).astype(np.int64)
    end = np.roll(faces, -1, axis=1).T.reshape(-1).astype(np.int64)
    key = np.minimum(start, end) * n_vertices + np.maximum(start, end)
    face = np.tile(np.arange(n_faces, dtype=np.int32), 3)
    proper = start != end
    if not proper.all():
        key, face = key[proper], face[proper]
    order = np.argsort(key, kind="stable")
    key, face = key[order], face[order]
    if len(key) == 0:
        return np.empty((0, 2), np.int32)

    first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    count = np.diff(np.r_[first, len(key)])
    pairs = [np.stack([face[first[count == 2]], face[first[count == 2] + 1]], axis=1)]
    if count.max() > 2:
        rank = np.arange(len(key)) - np.repeat(first, count)
        size = np.repeat(count, count)
        small = (size > 2) & (size <= ALL_PAIRS_UP_TO)
        for step in range(1, min(int(count.max()), ALL_PAIRS_UP_TO + 1)):
            take = (small & (rank + step < size)) if step < ALL_PAIRS_UP_TO else np.zeros_like(small)
            if step == 1:
                take |= (size > ALL_PAIRS_UP_TO) & (rank + 1 < size)
            elif step == ALL_PAIRS_UP_TO:
                take = (size > ALL_PAIRS_UP_TO) & (rank % step == 0) & (rank + step < size)
            at = np.flatnonzero(take)
            pairs.append(np.stack([face[at], face[at + step]], axis=1))
    return _unique_pairs(np.concatenate(pairs), n_faces)


def _unique_pairs(pairs: np.ndarray, n: int) -> np.ndarray:
    """Pairs with a < b, without repeats and self loops, sorted; int32."""
    low = pairs.min(axis=1).astype(np.int64)
    high = pairs.max(axis=1).astype(np.int64)
    key = np.sort((low * n + high)[low != high])
    if len(key):
        key = key[np.r_[True, key[1:] != key[:-1]]]
    return np.stack([key // n, key % n], axis=1).astype(np.int32)


def connected_components(edges: Int[np.ndarray, "m 2"], n: int) -> Int[np.ndarray, " n"]:
    """Component label of each of `n` nodes: int32, 0..c-1, numbered by first node."""
    edges = np.asarray(edges).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(n, n))
    return _scipy_components(graph, directed=False)[1].astype(np.int32, copy=False)


def join_components(
    edges: Int[np.ndarray, "m 2"], centroids: Float[np.ndarray, "n 3"], neighbours: int = 10
) -> Int[np.ndarray, "j 2"]:
    """Edges to add so that a graph becomes connected, each between points that are close in space.

    The graph of the nearest centroids is reduced to its minimum spanning tree, and the tree's edges that join
    different components are added (PartField's remedy for badly connected meshes). Where the nearest-neighbour graph is
    itself split, whole components are joined to the components with the nearest mean, through their closest points.

    Args:
        edges: pairs of node indices already there.
        centroids: position of each node, finite.
        neighbours: nearest centroids looked at per node, the node itself included.

    Returns:
        int32 extra pairs (a, b) with a < b, unique; empty when the graph is connected already.

    Raises:
        ValueError: a centroid is not finite.
    """
    centroids = np.asarray(centroids, np.float64)
    n = len(centroids)
    component = connected_components(edges, n)
    if n < 2 or component.max() == 0:
        return np.empty((0, 2), np.int32)
    if not np.isfinite(centroids).all():
        raise ValueError("centroids contain NaN or infinite coordinates")

    extra = [_coincident(centroids, component), _nearest_tree(centroids, component, neighbours)]
    while True:
        added = np.concatenate(extra)
        merged = connected_components(np.concatenate([np.asarray(edges, np.int64).reshape(-1, 2), added]), n)
        if merged.max() == 0:
            return _unique_pairs(added, n)
        extra.append(_component_tree(centroids, merged, neighbours))


def _coincident(centroids: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Chain through the points at one position, where it passes from one component to another.

    Taken out first because a spatial index degenerates on many equal points.
    """
    first = weld_vertices(centroids)
    order = np.lexsort((component, first))
    a, b = order[:-1], order[1:]
    keep = (first[a] == first[b]) & (component[a] != component[b])
    return np.stack([a[keep], b[keep]], axis=1).astype(np.int64)


def _neighbour_tree(points: np.ndarray, neighbours: int) -> np.ndarray:
    """Minimum spanning forest of the graph of nearest neighbours of distinct points, as (e, 2) pairs."""
    n = len(points)
    if n < 2:
        return np.empty((0, 2), np.int64)
    k = min(max(int(neighbours), 2), n)
    distance, near = cKDTree(points).query(points, k=k)
    a = np.repeat(np.arange(n), k)
    b, distance = near.reshape(-1), distance.reshape(-1)
    keep = a != b
    a, b, distance = a[keep], b[keep], distance[keep]
    # scipy takes a weight of zero for a missing edge (distances may underflow), so weigh by rank.
    rank = np.empty(len(a))
    rank[np.argsort(distance, kind="stable")] = np.arange(1, len(a) + 1)
    low, high = np.minimum(a, b), np.maximum(a, b)
    key = low * n + high
    order = np.lexsort((rank, key))  # coo_array would add the weights of a pair seen from both sides
    key, rank = key[order], rank[order]
    once = np.r_[True, key[1:] != key[:-1]]
    key, rank = key[once], rank[once]
    tree = minimum_spanning_tree(coo_array((rank, (key // n, key % n)), shape=(n, n)).tocsr()).tocoo()
    return np.stack([tree.row, tree.col], axis=1).astype(np.int64)


def _nearest_tree(centroids: np.ndarray, component: np.ndarray, neighbours: int) -> np.ndarray:
    distinct = np.flatnonzero(weld_vertices(centroids) == np.arange(len(centroids)))
    tree = distinct[_neighbour_tree(centroids[distinct], neighbours)]
    return tree[component[tree[:, 0]] != component[tree[:, 1]]]


def _component_tree(centroids: np.ndarray, component: np.ndarray, neighbours: int) -> np.ndarray:
    """Edges through the closest points of neighbouring components; at least halves the number of components.

    Each component gets a spatial index at most once, and an edge queries it with the smaller side only: over a tree
    these sides sum to no more than all points, so a thousand crumbs around one large body cost no more than the body.
    """
    n_components = int(component.max()) + 1
    order = np.argsort(component, kind="stable")
    size = np.bincount(component, minlength=n_components)
    end = np.cumsum(size)
    mean = np.stack([np.bincount(component, centroids[:, axis], n_components) for axis in range(3)], axis=1)
    mean /= size[:, None]
    first = weld_vertices(mean)
    distinct = np.flatnonzero(first == np.arange(n_components))
    same = np.flatnonzero(first != np.arange(n_components))
    pairs = np.concatenate([distinct[_neighbour_tree(mean[distinct], neighbours)], np.stack([first[same], same], 1)])
    index: dict[int, cKDTree] = {}
    found = np.empty((len(pairs), 2), np.int64)
    for row, (a, b) in enumerate(pairs):
        small, large = (a, b) if size[a] <= size[b] else (b, a)
        of_large = order[end[large] - size[large] : end[large]]
        of_small = order[end[small] - size[small] : end[small]]
        if large not in index:
            # duplicates make the index degenerate; one of each position is enough
            kept = np.flatnonzero(weld_vertices(centroids[of_large]) == np.arange(len(of_large)))
            index[large] = (cKDTree(centroids[of_large[kept]]), of_large[kept])
        tree, ids = index[large]
        distance, near = tree.query(centroids[of_small])
        best = int(np.argmin(distance))
        found[row] = of_small[best], ids[near[best]]
    return found
