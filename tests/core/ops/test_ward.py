from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import ward_tree as sklearn_ward

from partseg.ops import _ward_kernel
from partseg.ops.ward import _basis, _project, ward_merges, ward_tree
from partseg.parts.tree import MergeTree


def sklearn_merges(features: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(features)
    one_way = sp.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n, n))
    graph = ((one_way + one_way.T) > 0).tocsr()
    children, _, n_leaves, _, distances = sklearn_ward(features, connectivity=graph, return_distance=True)
    assert n_leaves == n
    return np.sort(children, axis=1), distances


def partitions(children: np.ndarray, ks) -> list[np.ndarray]:
    tree = MergeTree(children, np.arange(float(len(children))))
    return [tree.cut(k) for k in ks]


def random_graph(rng: np.random.Generator, n: int, extra: int) -> np.ndarray:
    """A random tree with more edges thrown in: connected."""
    tree = np.stack([np.arange(1, n), (rng.random(n - 1) * np.arange(1, n)).astype(int)], axis=1)
    return np.concatenate([tree, rng.integers(0, n, (extra, 2))])


def path(n: int) -> np.ndarray:
    return np.stack([np.arange(n - 1), np.arange(1, n)], axis=1)


@pytest.mark.parametrize("dims", [1, 3, 64, 65, 130])
@pytest.mark.parametrize("seed", range(4))
def test_same_merges_as_sklearn(dims, seed):
    rng = np.random.default_rng(seed)
    n = 300
    features = rng.normal(size=(n, dims)).astype(np.float32)
    edges = random_graph(rng, n, [0, 100, 600, 3000][seed])
    children, heights = ward_merges(features, edges)
    expected, distances = sklearn_merges(features.astype(float), edges[edges[:, 0] != edges[:, 1]])
    np.testing.assert_array_equal(children, expected)
    np.testing.assert_allclose(heights, distances, rtol=1e-4)


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_smooth_features_on_a_mesh_give_sklearn_partitions(offset):
    """Neighbours nearly equal, most directions idle: where the lower bounds do their work. An offset costs digits."""
    mesh = trimesh.creation.icosphere(subdivisions=4)
    rng = np.random.default_rng(0)
    frequency = rng.normal(size=(3, 200)) * np.repeat([2.0, 5.0], 100)
    features = (np.cos(mesh.triangles_center @ frequency + rng.uniform(0, 6, 200)) + offset).astype(np.float32)
    children, heights = ward_merges(features, mesh.face_adjacency)
    expected, distances = sklearn_merges(features.astype(float), mesh.face_adjacency)
    if offset == 0:
        np.testing.assert_allclose(np.sort(heights), np.sort(distances), rtol=1e-4)
    for ours, theirs in zip(partitions(children, range(2, 40)), partitions(expected, range(2, 40)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_bounds_never_exceed_the_distance():
    rng = np.random.default_rng(3)
    x = (rng.normal(size=(500, 200)) * np.geomspace(3, 1e-3, 200) + 5).astype(np.float32)
    z = _project(x, _basis(x), np.empty((500, _ward_kernel.PROJECTED), np.float32))
    i, j = rng.integers(0, 500, (2, 4000))
    exact = ((x[i].astype(float) - x[j]) ** 2).sum(1)
    projected = ((z[i].astype(float) - z[j]) ** 2).sum(1)
    slack = 2e-6**2 * (x.astype(float) ** 2).sum(1).max() / _ward_kernel.RELATIVE
    assert (projected * (1 - _ward_kernel.RELATIVE) - slack <= exact).all()
    different = i != j
    assert np.median(projected[different] / exact[different]) > 0.5


@pytest.mark.parametrize("rank", [5, 200])
def test_projection_keeps_the_leading_directions(rank):
    rng = np.random.default_rng(4)
    sample = (rng.normal(size=(256, rank)) * np.geomspace(1, 1e-2, rank)) @ rng.normal(size=(rank, 300))
    start = rng.normal(size=(256, 64)).astype(np.float32)
    basis = _ward_kernel.subspace(sample.astype(np.float32), start)
    np.testing.assert_allclose(basis.T @ basis, np.eye(64), atol=1e-5)
    best = np.linalg.svd(sample, compute_uv=False)[:64]
    assert ((sample @ basis) ** 2).sum() > 0.97 * (best**2).sum()
    assert (_ward_kernel.subspace(np.zeros((256, 300), np.float32), start) == 0).all()


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 40), st.integers(0, 60), st.integers(0, 2**31))
def test_any_graph_gives_a_full_tree(n, m, seed):
    rng = np.random.default_rng(seed)
    features = rng.integers(0, 3, (n, 2)).astype(float)  # full of ties
    edges = rng.integers(0, n, (m, 2))
    tree = ward_tree(features, edges)
    assert tree.children.shape == (n - 1, 2)
    assert len(np.unique(tree.cut(n))) == n
    # as long as edges are left, a merge joins clusters that an edge connects
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edges.tolist())
    components = nx.number_connected_components(graph)
    labels = tree.cut(components)
    for part in range(components):
        assert nx.is_connected(graph.subgraph(np.flatnonzero(labels == part).tolist()))


def brute_force(
    features: np.ndarray, edges: np.ndarray, weights: np.ndarray
) -> tuple[list[tuple[int, int]], list[float]]:
    """Ward's criterion written down: look at every pair of neighbouring clusters before every merge."""
    n = len(features)
    clusters = {i: (features[i].astype(float), float(weights[i]), {i}) for i in range(n)}
    linked = {(int(a), int(b)) for a, b in edges} | {(int(b), int(a)) for a, b in edges}
    merges, heights = [], []
    for step in range(n - 1):
        candidates = []
        for i in clusters:
            for j in clusters:
                if i < j and any((a, b) in linked for a in clusters[i][2] for b in clusters[j][2]):
                    (x, u, _), (y, v, _) = clusters[i], clusters[j]
                    candidates.append((2 * u * v / (u + v) * ((x - y) ** 2).sum(), i, j))
        value, i, j = min(candidates)
        (x, u, s), (y, v, t) = clusters.pop(i), clusters.pop(j)
        clusters[n + step] = ((u * x + v * y) / (u + v), u + v, s | t)
        merges.append((i, j))
        heights.append(value**0.5)
    return merges, heights


@pytest.mark.parametrize("seed", range(5))
def test_weights_match_the_definition(seed):
    rng = np.random.default_rng(seed)
    features, weights = rng.normal(size=(25, 4)), rng.uniform(0.1, 5, 25)
    edges = random_graph(rng, 25, 15)
    children, heights = ward_merges(features, edges, weights=weights)
    expected, distances = brute_force(features, edges, weights)
    assert children.tolist() == [list(pair) for pair in expected]
    np.testing.assert_allclose(heights, distances, rtol=1e-5)


def test_components_left_over_are_merged_by_ward():
    """Two sheets of a path each, far apart, plus single elements: the last merges follow unconstrained Ward."""
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(size=(20, 5)), rng.normal(size=(20, 5)) + 50, rng.normal(size=(3, 5)) - 90])
    edges = np.concatenate([path(20), path(20) + 20])
    children, _ = ward_merges(features, edges)
    labels = MergeTree(children, np.arange(42.0)).cut(3)
    assert labels.tolist() == [0] * 20 + [1] * 20 + [2] * 3
    full = np.stack(np.triu_indices(43, 1), axis=1)
    np.testing.assert_array_equal(ward_merges(features, np.empty((0, 2), int))[0], ward_merges(features, full)[0])


def test_ten_thousand_components_do_not_fail():
    rng = np.random.default_rng(0)
    tree = ward_tree(rng.normal(size=(10_000, 60)).astype(np.float32), np.empty((0, 2), int))
    assert tree.n_leaves == 10_000
    same = ward_tree(np.ones((3000, 4)), np.empty((0, 2), int))
    assert same.heights.max() < 1e-3


def test_small_and_odd_inputs():
    assert ward_tree(np.zeros((1, 4)), np.empty((0, 2), int)).children.shape == (0, 2)
    two = ward_tree(np.array([[0.0], [3.0]]), np.array([[0, 1], [1, 0], [0, 1], [1, 1]]))
    assert two.children.tolist() == [[0, 1]]
    np.testing.assert_allclose(two.heights, [3.0])
    constant = ward_tree(np.ones((50, 100)), path(50))
    assert constant.heights.max() == pytest.approx(0, abs=1e-3)
    huge = ward_tree(np.linspace(0, 1e18, 30)[:, None].repeat(100, 1), path(30))  # squares overflow float32
    assert np.isfinite(huge.heights).all()


def test_inputs_survive_and_read_only_is_accepted():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 60)).astype(np.float32)
    edges, weights = random_graph(rng, 200, 50), np.ones(200)
    kept = features.copy()
    first = ward_merges(features, edges, weights=weights)
    np.testing.assert_array_equal(features, kept)
    np.testing.assert_array_equal(weights, 1)
    features.setflags(write=False)
    second = ward_merges(features, edges[::-1])
    np.testing.assert_array_equal(first[0], second[0])
    third = ward_merges(np.asfortranarray(features.astype(float)), edges)
    np.testing.assert_array_equal(first[0], third[0])


@pytest.mark.parametrize("dims", [3, 100])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_features_that_are_not_finite_are_named(dims, bad):
    features = np.zeros((70, dims))
    features[57, 2] = bad
    with pytest.raises(ValueError, match="NaN or infinite"):
        ward_tree(features, path(70))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="edges name"):
        ward_tree(np.zeros((3, 2)), np.array([[0, 3]]))
    with pytest.raises(ValueError, match="edges name"):
        ward_tree(np.zeros((3, 2)), np.array([[0, -1]]))
    with pytest.raises(ValueError, match="at least one row"):
        ward_tree(np.zeros((0, 2)), np.empty((0, 2), int))
    for weights in ([1.0, 2.0], [1.0, 0.0, 1.0], [1.0, np.nan, 1.0]):
        with pytest.raises(ValueError, match="positive"):
            ward_tree(np.zeros((3, 2)), path(3), weights=np.array(weights))


def test_ward_needs_no_torch():
    code = "import sys; from partseg.ops import ward_tree; assert 'torch' not in sys.modules; print(ward_tree.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "ward_tree", done.stderr
