"""Fused shapes are one closed connected surface that stays near the pieces and keeps their labels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from partseg.data.procedural import FAMILIES, generate
from partseg.data.procedural.fused import _band, _distance2, _inside_votes, fuse
from partseg.data.procedural.grammar import PartNode, finish
from partseg.data.procedural.primitives import Mesh


def components(shape) -> int:
    edges = np.concatenate([shape.faces[:, :2], shape.faces[:, 1:]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), (len(shape.vertices),) * 2)
    return connected_components(graph, directed=False)[0]


def volume(shape) -> float:
    a, b, c = shape.vertices[shape.faces].astype(float).transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def cube(low, size) -> Mesh:
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * size + low
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return Mesh(corners, np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32))


def two_cubes(gap: float = 0.0):
    root = PartNode(
        "pair",
        [PartNode("left", pieces=[cube((0, 0, 0), 1.0)]), PartNode("right", pieces=[cube((1 + gap, 0, 0), 1.0)])],
    )
    return finish(root, "pair")


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_one_connected_surface_near_the_pieces(family):
    for index in range(2):
        shape = generate(7, index, family)
        fused = fuse(shape, np.random.default_rng(index), n_faces=5000)
        assert components(fused) == 1
        assert len(np.unique(fused.face_leaf)) == len(fused.leaf_nodes)
        assert fused.hierarchy.n_parts == len(fused.parent)
        assert volume(fused) > 0
        pieces = shape.sample(20000, np.random.default_rng(0)).points
        surface = fused.sample(4000, np.random.default_rng(0)).points
        distance, _ = cKDTree(pieces).query(surface)
        assert np.quantile(distance, 0.95) < 0.12  # of an extent of 1.8


def test_labels_agree_with_nearest_piece():
    shape = generate(7, 0, "chair")
    fused = fuse(shape, np.random.default_rng(0), n_faces=8000)
    sample = shape.sample(60000, np.random.default_rng(1))
    centre = fused.vertices[fused.faces].mean(1)
    _, nearest = cKDTree(sample.points).query(centre)
    expected = [shape.names[shape.leaf_nodes[i]] for i in shape.face_leaf[sample.face_index[nearest]]]
    got = [fused.names[fused.leaf_nodes[i]] for i in fused.face_leaf]
    assert np.mean([a == b for a, b in zip(expected, got, strict=True)]) > 0.9


def test_two_cubes_share_their_wall():
    fused = fuse(two_cubes(), np.random.default_rng(0), n_faces=6000)
    x = fused.vertices[fused.faces].mean(1)[:, 0]
    right = fused.face_leaf == 1
    assert components(fused) == 1
    assert (x[right] > -0.08).all()
    assert (x[~right] < 0.08).all()
    # the pair is 1.8 x 0.9 x 0.9: thickened by less than two cells, and no wall left inside
    assert 1.8 * 0.9 * 0.9 < volume(fused) < 1.95 * 1.05 * 1.05
    assert not (np.abs(fused.vertices) < 0.2).all(1).any()


def test_hairline_gaps_grow_together_and_far_pieces_are_dropped():
    fused = fuse(two_cubes(0.02), np.random.default_rng(1), n_faces=4000)
    assert components(fused) == 1
    assert len(fused.leaf_nodes) == 2
    fused = fuse(two_cubes(3.0), np.random.default_rng(1), n_faces=4000)
    assert components(fused) == 1
    assert len(fused.leaf_nodes) == 1
    assert fused.hierarchy.name[1] in ("left", "right")


def test_deterministic():
    shape = generate(7, 3, "mug" if "mug" in FAMILIES else sorted(FAMILIES)[0])
    a, b = fuse(shape, np.random.default_rng(5)), fuse(shape, np.random.default_rng(5))
    np.testing.assert_array_equal(a.vertices, b.vertices)
    np.testing.assert_array_equal(a.face_leaf, b.face_leaf)
    other = fuse(shape, np.random.default_rng(6))
    assert other.vertices.shape != a.vertices.shape or not np.array_equal(other.vertices, a.vertices)


def test_symmetry_is_dropped_with_a_copy():
    shape = generate(7, 0, "chair")
    fused = fuse(shape, np.random.default_rng(0))
    for node, symmetry in enumerate(fused.hierarchy.symmetry):
        if symmetry is not None:
            assert (fused.parent == node).sum() == symmetry.fold


def test_band_and_votes_against_brute_force():
    rng = np.random.default_rng(0)
    mesh = cube((2.3, 2.6, 2.2), 5.4)
    triangles = np.ascontiguousarray(mesh.vertices[mesh.faces])
    shape = np.array([11, 11, 11])
    distance, nearest = _band(triangles, shape, 2.0)
    for node in rng.integers(0, 11, (60, 3)):
        brute = min(np.sqrt(_distance2(t, *node.astype(float))) for t in triangles)
        assert distance[tuple(node)] == pytest.approx(min(brute, 2.0), abs=1e-5)
        assert (nearest[tuple(node)] >= 0) == (brute < 2.0)
    grid = np.indices((11, 11, 11)).transpose(1, 2, 3, 0)
    inside = ((grid > [2.3, 2.6, 2.2]) & (grid < [7.7, 8.0, 7.6])).all(-1)
    np.testing.assert_array_equal(_inside_votes(triangles, shape) >= 2, inside)


def test_point_triangle_distance_against_sampling():
    rng = np.random.default_rng(1)
    for _ in range(30):
        tri, p = rng.normal(size=(3, 3)), rng.normal(size=3) * 2
        grid = np.linspace(0, 1, 150)
        u, v = np.meshgrid(grid, grid)
        u, v = u[u + v <= 1], v[u + v <= 1]
        samples = tri[0] + u[:, None] * (tri[1] - tri[0]) + v[:, None] * (tri[2] - tri[0])
        brute = np.sqrt(((samples - p) ** 2).sum(1).min())
        got = np.sqrt(_distance2(tri, *p))
        assert brute - 0.03 <= got <= brute + 1e-9
