"""Every family, for many seeds: valid meshes, complete labels, nested levels, true symmetries."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from partseg.data.procedural import FAMILIES, LEVELS, ProceduralShape, generate
from partseg.data.procedural.vocabulary import PART_IDS, PART_NAMES
from partseg.parts.hierarchy import NodeKind

SEED = 11


@lru_cache(maxsize=2048)
def shape_of(family: str, index: int) -> ProceduralShape:
    return generate(SEED, index, family)


def components(shape: ProceduralShape) -> np.ndarray:
    """Connected component of each face, by shared vertices."""
    f = shape.faces
    n = len(shape.vertices)
    rows, cols = np.concatenate([f[:, 0], f[:, 1]]), np.concatenate([f[:, 1], f[:, 2]])
    _, of_vertex = connected_components(coo_matrix((np.ones(len(rows)), (rows, cols)), (n, n)), directed=False)
    return of_vertex[f[:, 0]]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_twenty_seeds_are_valid(family: str) -> None:
    for index in range(20):
        shape = shape_of(family, index)
        assert shape.vertices.dtype == np.float32 and shape.faces.dtype == np.int32
        assert np.isfinite(shape.vertices).all()
        assert shape.faces.min() >= 0 and shape.faces.max() < len(shape.vertices)
        low, high = shape.vertices.min(0), shape.vertices.max(0)
        assert np.isclose((high - low).max(), 1.8, rtol=1e-4)
        assert np.abs(low + high).max() < 1e-3
        corner = shape.vertices[shape.faces].astype(float)
        area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
        assert (area <= 1e-12).mean() < 0.01, f"{family} {index}: zero-area triangles"
        assert len(shape.faces) < 40_000
        # Labels: every face has a leaf, every leaf has faces, every name says something.
        leaves = len(shape.leaf_nodes)
        assert (np.bincount(shape.face_leaf, minlength=leaves) > 0).all() and shape.face_leaf.max() < leaves
        assert leaves >= 2
        assert all(name.strip() and name in PART_IDS for name in shape.names), set(shape.names) - set(PART_IDS)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_levels_are_nested(family: str) -> None:
    for index in range(6):
        shape = shape_of(family, index)
        coarse, middle, fine = (shape.labels(level) for level in LEVELS)
        for inner, outer in ((fine, middle), (middle, coarse)):
            pairs = np.unique(np.stack([inner, outer], 1), axis=0)
            assert len(pairs) == inner.max() + 1, "a part lies in two parts of the level above"
        assert coarse.max() <= middle.max() <= fine.max()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_hierarchy_agrees(family: str) -> None:
    for index in range(3):
        shape = shape_of(family, index)
        tree = shape.hierarchy
        for level in LEVELS:
            np.testing.assert_array_equal(tree.cut(level=level), shape.labels(level))
        same_class = tree.semantic_id * 100_000 + tree.instance_id
        assert len(np.unique(same_class)) == tree.n_parts, "two instances share class and number"
        assert ((tree.kind == NodeKind.SYMMETRY) == np.array([s is not None for s in tree.symmetry])).all()


@pytest.mark.parametrize("pose", ["canonical", "free"])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_symmetries_map_members_onto_each_other(family: str, pose: str) -> None:
    for index in range(5):
        shape = shape_of(family, index) if pose == "canonical" else generate(SEED, index, family, pose="free")
        tree = shape.hierarchy
        for node in np.flatnonzero(tree.kind == NodeKind.SYMMETRY):
            children, symmetry = tree.children(node), tree.symmetry[node]
            assert len(children) == symmetry.fold
            first = shape.vertices[shape.faces[tree.members(children[0])]].astype(float)
            for copy in {1, symmetry.fold - 1}:
                other = shape.vertices[shape.faces[tree.members(children[copy])]].astype(float)
                assert first.shape == other.shape
                mapped = symmetry.apply(first.reshape(-1, 3), copy)
                distance, _ = cKDTree(other.reshape(-1, 3)).query(mapped)
                assert distance.max() < 1e-4, f"{tree.name[node]}: copy {copy} is off by {distance.max()}"


def test_all_kinds_of_symmetry_occur() -> None:
    kinds = {s.kind for f in sorted(FAMILIES) for s in shape_of(f, 0).hierarchy.symmetry if s is not None}
    assert kinds == {"reflective", "rotational", "translational"}


def test_connectivity_does_not_tell_the_parts() -> None:
    shared, several, total = 0, 0, 0
    for family in sorted(FAMILIES):
        for index in range(4):
            shape = shape_of(family, index)
            component, part = components(shape), shape.labels("fine")
            pairs = np.unique(np.stack([component, part], 1), axis=0)
            shared += bool((np.bincount(pairs[:, 0]) > 1).any())  # one component, several parts
            several += bool((np.bincount(pairs[:, 1]) > 1).any())  # one part, several components
            total += 1
    assert shared > 0.3 * total
    assert several > 0.15 * total


def test_closed_pieces_face_outward() -> None:
    inward = []
    for family in sorted(FAMILIES):
        for index in range(3):
            shape = shape_of(family, index)
            corner = shape.vertices[shape.faces].astype(float)
            component = components(shape)
            f = shape.faces
            edges = np.sort(np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]]), 1)
            _, inverse, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
            manifold = (count[inverse.ravel()].reshape(3, -1) == 2).all(0)
            for c in np.unique(component):
                mine = component == c
                if not manifold[mine].all():
                    continue
                t = corner[mine] - corner[mine].reshape(-1, 3).mean(0)
                if np.einsum("ij,ij->", t[:, 0], np.cross(t[:, 1], t[:, 2])) < -1e-9:
                    inward.append((family, index, shape.names[shape.leaf_nodes[shape.face_leaf[mine][0]]]))
    assert not inward


def test_families_cover_what_was_asked() -> None:
    assert len(FAMILIES) >= 40
    assert {"chair", "table", "lamp", "storage", "bed", "mug", "scissors", "faucet", "laptop", "display"} <= set(
        FAMILIES
    )
    assert {"airplane", "bicycle", "vase", "block", "assembly"} <= set(FAMILIES)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_shapes_of_a_family_differ(family: str) -> None:
    described = {(len(s.faces), len(s.leaf_nodes), round(float(np.abs(s.vertices).mean()), 4))
                 for s in (shape_of(family, i) for i in range(12))}  # fmt: skip
    assert len(described) >= 11


def test_vocabulary_has_no_duplicates() -> None:
    assert len(set(PART_NAMES)) == len(PART_NAMES) == len(PART_IDS)
    assert all(name == name.strip().lower() for name in PART_NAMES)
