"""Organic figures: deterministic, one connected surface, nested labels, parts where they should be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from partseg.data.procedural.figure import Figure, bent, clean, face_neighbours, turn
from partseg.data.procedural.grammar import LEVELS
from partseg.data.procedural.implicit import grid_field, nearest_limb, surface_nets
from partseg.data.procedural.organic import FIGURES, ORGANIC, organic, part_tree


def components(faces, n) -> int:
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    return connected_components(coo_matrix((np.ones(len(edges)), edges.T), (n, n)), directed=False)[0]


@pytest.mark.parametrize("kind", sorted(FIGURES))
def test_every_kind_builds(kind):
    for seed in range(10):
        shape = organic(np.random.default_rng(seed), kind, n_faces=3000)
        assert shape.family == kind
        assert np.isfinite(shape.vertices).all()
        assert 800 < len(shape.faces) < 9000
        assert components(shape.faces, len(shape.vertices)) == 1
        assert np.ptp(shape.vertices, axis=0).max() == pytest.approx(1.8, abs=1e-5)
        # outward orientation
        a, b, c = shape.vertices[shape.faces].astype(float).transpose(1, 0, 2)
        assert (a * np.cross(b, c)).sum() > 0
        hierarchy = shape.hierarchy
        fine = hierarchy.cut(level="fine")
        assert (np.bincount(fine) > 0).all()
        for level, finer in pairwise(LEVELS):
            pairs = np.unique(np.stack([shape.labels(finer), shape.labels(level)]), axis=1)
            assert len(np.unique(pairs[0])) == pairs.shape[1]  # each finer part lies in one coarser part
        assert 2 <= len(shape.level_nodes["coarse"]) <= len(shape.level_nodes["fine"])


@pytest.mark.parametrize("kind", ["human", "hand", "insect"])
def test_declared_limbs_get_faces(kind):
    kept = declared = 0
    for seed in range(8):
        figure = FIGURES[kind](np.random.default_rng(seed))
        declared += len(set(figure.limb_path))
        kept += len(figure.build(9000).paths)
    assert kept / declared > 0.97


def test_deterministic_and_varied():
    a, b, c = (organic(np.random.default_rng(s)) for s in (4, 4, 5))
    np.testing.assert_array_equal(a.vertices, b.vertices)
    np.testing.assert_array_equal(a.face_leaf, b.face_leaf)
    assert a.names == b.names
    assert a.vertices.shape != c.vertices.shape or not np.array_equal(a.vertices, c.vertices)
    assert set(ORGANIC) == set(FIGURES)
    kinds = {organic(np.random.default_rng(s), n_faces=600).family for s in range(40)}
    assert len(kinds) > 8


def test_human_has_a_persons_parts():
    for seed in range(5):
        shape = organic(np.random.default_rng(seed), "human", n_faces=9000)
        names = [shape.names[i] for i in shape.level_nodes["coarse"]]
        assert sorted(names) == ["arm", "arm", "head", "leg", "leg", "torso"]
        middle = [shape.names[i] for i in shape.level_nodes["middle"]]
        for name in ("upper arm", "forearm", "hand", "thigh", "shin", "foot"):
            assert middle.count(name) == 2
        area = np.bincount(shape.labels("coarse"), minlength=6)
        assert area.min() > 0.02 * area.sum()


def capsule(figure, name, a, b, r, **options):
    figure.limb(name, np.array([a, b], float), r, **options)


def test_surface_lies_on_a_capsule_and_labels_split_it_in_the_middle():
    figure = Figure(np.random.default_rng(0), blend=0.0)
    capsule(figure, "left", (-1, 0, 0), (0, 0, 0), 0.3)
    capsule(figure, "right", (0, 0, 0), (1, 0, 0), 0.3)
    body = figure.build(6000)
    x = body.vertices[:, 0]
    axis = np.stack([x.clip(-1, 1), 0 * x, 0 * x], 1)
    distance = np.linalg.norm(body.vertices - axis, axis=1)
    assert np.abs(distance - 0.3).max() < 0.02
    centre = body.vertices[body.faces].mean(1)[:, 0]
    left = np.array([body.paths[p] == ("left",) for p in body.part])
    assert (centre[left] < 0.08).all()
    assert (centre[~left] > -0.08).all()


def test_flattened_and_cut_figures():
    figure = Figure(np.random.default_rng(0))
    figure.limb("disc", np.zeros((1, 3)), 1.0, flat=0.25, normal=np.array([0.0, 1, 0]))
    body = figure.build(6000, jitter=0.0)
    np.testing.assert_allclose(np.abs(body.vertices).max(0), [1, 0.25, 1], atol=0.03)
    inside = (body.vertices / [1, 0.25, 1]) ** 2
    np.testing.assert_allclose(inside.sum(1), 1, atol=0.12)
    figure.cut([0, 0, 0], [0, 1, 0])
    cut = figure.build(6000)
    assert cut.vertices[:, 1].min() > -0.05
    assert components(cut.faces, len(cut.vertices)) == 1


def test_smooth_union_fills_the_seam_and_touches_nothing_else():
    sharp, soft = (Figure(np.random.default_rng(0), blend=b) for b in (0.0, 0.6))
    for figure in (sharp, soft):
        capsule(figure, "bar", (-1, 0, 0), (1, 0, 0), 0.25)
        capsule(figure, "post", (0, 0, 0), (0, 1, 0), 0.25)
    volumes = []
    for figure in (sharp, soft):
        body = figure.build(8000, jitter=0.0)
        a, b, c = body.vertices[body.faces].transpose(1, 0, 2)
        volumes.append((a * np.cross(b, c)).sum() / 6)
        np.testing.assert_allclose(body.vertices.max(0)[:2], [1.25, 1.25], atol=0.02)
    assert volumes[1] > 1.02 * volumes[0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_nearest_limb_against_brute_force(seed):
    rng = np.random.default_rng(seed)
    figure = Figure(rng)
    for i in range(6):
        figure.limb(f"limb@{i}", rng.normal(size=(int(rng.integers(1, 5)), 3)), rng.uniform(0.05, 0.3))
    bones = np.concatenate(figure.bones)
    start = np.concatenate([[0], np.cumsum([len(b) for b in figure.bones])])
    points = rng.normal(size=(200, 3))
    best = np.full((200, 6), np.inf)
    for limb in range(6):
        for bone in bones[start[limb] : start[limb + 1]]:
            a, b = bone[:3], bone[3:6]
            t = ((points - a) @ (b - a) / max((b - a) @ (b - a), 1e-18)).clip(0, 1)
            distance = np.linalg.norm(points - a - t[:, None] * (b - a), axis=1) - (bone[6] + t * (bone[7] - bone[6]))
            best[:, limb] = np.minimum(best[:, limb], distance)
    got = nearest_limb(points, bones, start, np.zeros(6))
    np.testing.assert_allclose(best[np.arange(200), got], best.min(1), atol=1e-9)


def test_surface_nets_of_a_sphere_is_closed_and_exact():
    grid = np.indices((24, 24, 24)).transpose(1, 2, 3, 0) - 11.3
    field = (np.linalg.norm(grid, axis=-1) - 8).astype(np.float32)
    vertices, faces = surface_nets(field, np.random.default_rng(0))
    assert np.abs(np.linalg.norm(vertices - 11.3, axis=1) - 8).max() < 0.05
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    a, b, c = vertices[faces].transpose(1, 0, 2)
    assert (a * np.cross(b, c)).sum() / 6 == pytest.approx(4 / 3 * np.pi * 512, rel=0.02)


def test_grid_bounds_memory():
    figure = Figure(np.random.default_rng(0))
    capsule(figure, "rod", (0, 0, 0), (1, 1, 1), 0.02)
    field, _, cell = grid_field(figure.bones[0], np.array([0, 1]), np.zeros(1), np.zeros(1), 1e-4, max_nodes=50_000)
    assert field.size < 130_000
    assert cell > 1e-3


def test_clean_removes_islands_and_spikes_only():
    n = 20
    x, y = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    quad = (x * (n + 1) + y).ravel()
    faces = np.concatenate(
        [np.stack([quad, quad + n + 1, quad + 1], 1), np.stack([quad + 1, quad + n + 1, quad + n + 2], 1)]
    )
    truth = np.concatenate([(x >= n // 2).ravel()] * 2).astype(np.int64)
    noisy = truth.copy()
    noisy[[25, 40, 333]] ^= 1
    np.testing.assert_array_equal(clean(faces, noisy), clean(faces, truth))
    assert (clean(faces, truth) != truth).mean() < 0.03
    around = face_neighbours(faces)
    inner = around != np.arange(len(faces))[:, None]
    assert inner.sum() == 2 * (3 * n * n - 2 * n)  # every inner edge seen from both sides
    for face in range(0, len(faces), 37):
        for other in around[face]:
            assert other == face or len(np.intersect1d(faces[face], faces[other])) == 2


def test_part_tree_nests_and_collapses():
    paths = [
        ("head", "skull"),
        ("head", "ear@left"),
        ("head", "ear@right"),
        ("tail",),
        ("arm@left", "arm"),
        ("head", "skull", "nose"),
    ]
    root, leaf_path = part_tree("thing", paths)
    assert [c.name for c in root.children] == ["head", "tail", "arm"]
    assert sorted(leaf_path) == list(range(len(paths)))
    assert [leaf.name for leaf in root.leaves()] == ["skull", "nose", "ear", "ear", "tail", "arm"]
    assert [paths[i] for i in leaf_path][:2] == [("head", "skull"), ("head", "skull", "nose")]


def test_bent_passes_through_its_points_and_turn_is_a_rotation():
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(bent(points, 9)[::2], points, atol=1e-12)
    np.testing.assert_allclose(turn([0, 0, 1], 90) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
