from __future__ import annotations

import itertools

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from partseg.geometry.adjacency import connected_components, face_adjacency, join_components, weld_vertices

faces_strategy = st.lists(st.tuples(*[st.integers(0, 8)] * 3), min_size=1, max_size=25)


def brute_force_pairs(faces: np.ndarray) -> set[tuple[int, int]]:
    edges = [{frozenset(e) for e in ((a, b), (b, c), (c, a)) if e[0] != e[1]} for a, b, c in faces.tolist()]
    return {(i, j) for i, j in itertools.combinations(range(len(faces)), 2) if edges[i] & edges[j]}


@settings(max_examples=150, deadline=None)
@given(faces_strategy)
def test_small_meshes_match_the_definition(rows):
    faces = np.array(rows)
    expected = brute_force_pairs(faces)
    found = face_adjacency(faces)
    as_set = {tuple(p) for p in found.tolist()}
    assert len(as_set) == len(found)
    counts: dict[frozenset, set[int]] = {}
    for i, (a, b, c) in enumerate(rows):
        for e in ((a, b), (b, c), (c, a)):
            if e[0] != e[1]:
                counts.setdefault(frozenset(e), set()).add(i)
    if max((len(v) for v in counts.values()), default=0) <= 4:  # a fan also counts a face's double edge
        assert as_set == expected
    else:
        assert as_set <= expected
    n = len(faces)
    full = np.array(sorted(expected), int).reshape(-1, 2)
    np.testing.assert_array_equal(connected_components(found, n), connected_components(full, n))


def test_agrees_with_trimesh_on_a_closed_mesh():
    mesh = trimesh.creation.icosphere(subdivisions=4)
    expected = np.sort(mesh.face_adjacency, axis=1)
    expected = expected[np.lexsort((expected[:, 1], expected[:, 0]))]
    found = face_adjacency(mesh.faces)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)


def test_soup_is_welded_by_position_only_when_asked():
    mesh = trimesh.creation.icosphere(subdivisions=2)
    soup = mesh.vertices[mesh.faces].reshape(-1, 3)
    faces = np.arange(len(soup)).reshape(-1, 3)
    np.testing.assert_array_equal(face_adjacency(faces, vertices=soup), face_adjacency(mesh.faces))
    assert len(face_adjacency(faces, vertices=soup, weld=False)) == 0
    assert len(face_adjacency(faces)) == 0


def test_weld_keeps_the_first_of_equal_positions():
    vertices = np.array([[0.0, 0, 0], [1, 2, 3], [-0.0, 0, 0], [1, 2, 3.0000001], [1, 2, 3]])
    assert weld_vertices(vertices).tolist() == [0, 1, 0, 3, 1]
    rng = np.random.default_rng(0)
    many = rng.integers(0, 12, (5000, 3)).astype(float)
    _, inverse = np.unique(many, axis=0, return_inverse=True)
    first = np.full(inverse.max() + 1, len(many))
    np.minimum.at(first, inverse, np.arange(len(many)))
    np.testing.assert_array_equal(weld_vertices(many), first[inverse])


def test_hostile_fan_stays_linear_and_connected():
    k = 5000
    faces = np.stack([np.zeros(k, int), np.ones(k, int), np.arange(2, k + 2)], axis=1)
    pairs = face_adjacency(faces)
    assert len(pairs) < 3 * k
    assert np.bincount(pairs.ravel()).max() <= 8
    assert connected_components(pairs, k).max() == 0


def test_degenerate_faces_are_nodes():
    faces = np.array([[0, 1, 2], [1, 1, 2], [3, 3, 3], [2, 1, 4]])
    assert {tuple(p) for p in face_adjacency(faces).tolist()} == {(0, 1), (0, 3), (1, 3)}
    assert connected_components(face_adjacency(faces), 4).tolist() == [0, 0, 1, 0]
    assert face_adjacency(np.array([[3, 3, 3]])).shape == (0, 2)
    assert face_adjacency(np.empty((0, 3), int)).shape == (0, 2)


def test_faces_outside_the_vertices_are_refused():
    with pytest.raises(ValueError, match="name vertices"):
        face_adjacency(np.array([[0, 1, 7]]), n_vertices=3)
    with pytest.raises(ValueError, match="name vertices"):
        face_adjacency(np.array([[0, 1, -1]]), vertices=np.zeros((3, 3)))


def joined(edges: np.ndarray, extra: np.ndarray, n: int) -> bool:
    return connected_components(np.concatenate([np.asarray(edges).reshape(-1, 2), extra]), n).max() == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=2, max_size=40),
    st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=30),
    st.integers(1, 5),
)
def test_join_always_connects_different_components_only(points, links, neighbours):
    centroids = np.array(points, float)
    n = len(centroids)
    edges = np.array(links, int).reshape(-1, 2) % n
    extra = join_components(edges, centroids, neighbours)
    assert joined(edges, extra, n)
    component = connected_components(edges, n)
    assert (component[extra[:, 0]] != component[extra[:, 1]]).all()


def test_join_of_isolated_points_is_the_euclidean_minimum_spanning_tree():
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial.distance import cdist

    points = np.random.default_rng(1).normal(size=(200, 3))
    extra = join_components(np.empty((0, 2), int), points, neighbours=200)
    exact = minimum_spanning_tree(cdist(points, points))
    assert len(extra) == 199
    np.testing.assert_allclose(np.linalg.norm(points[extra[:, 0]] - points[extra[:, 1]], axis=1).sum(), exact.sum())


def test_far_groups_are_joined_by_their_closest_points():
    line = np.stack([np.arange(30.0), np.zeros(30), np.zeros(30)], axis=1)
    points = np.concatenate([line, line + np.array([129, 0, 0]), line + np.array([0, 1000, 0])])
    edges = np.concatenate([np.stack([np.arange(29), np.arange(1, 30)], 1) + 30 * i for i in range(3)])
    extra = join_components(edges, points, neighbours=4)
    assert joined(edges, extra, 90)
    assert [29, 30] in extra.tolist()
    lengths = np.linalg.norm(points[extra[:, 0]] - points[extra[:, 1]], axis=1)
    np.testing.assert_allclose(np.sort(lengths), [100, 1000])


def test_ten_thousand_fragments_and_coincident_points_stay_fast():
    rng = np.random.default_rng(0)
    clumps = np.concatenate([rng.normal(size=(5000, 3)) * 0.01 + shift for shift in (0, 100)] + [np.zeros((5000, 3))])
    extra = join_components(np.empty((0, 2), int), clumps)
    assert joined(np.empty((0, 2), int), extra, len(clumps))
    # a body with crumbs around it: one component of 5000, the rest single
    chain = np.stack([np.arange(4999), np.arange(1, 5000)], 1)
    assert joined(chain, join_components(chain, clumps), len(clumps))


def test_connected_graph_needs_nothing_and_bad_centroids_are_named():
    assert join_components(np.array([[0, 1]]), np.zeros((2, 3))).shape == (0, 2)
    assert join_components(np.empty((0, 2), int), np.zeros((1, 3))).shape == (0, 2)
    with pytest.raises(ValueError, match="NaN"):
        join_components(np.empty((0, 2), int), np.array([[0, 0, np.nan], [1, 1, 1]]))
