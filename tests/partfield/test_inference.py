"""From a field to parts with random weights: every kind of shape gives features of every element and a whole tree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.cluster import AgglomerativeClustering

from partseg.geometry.adjacency import face_adjacency, join_components
from partseg.geometry.shape import Shape
from partseg.ops.thickness import thickness
from partseg.ops.ward import ward_tree
from partseg.parts.tree import renumber
from partseg.testing.contract import cloud_of_two_balls, mesh_of_two_boxes
from partseg_partfield.config import InferenceConfig, load_config
from partseg_partfield.inference import ORIENTATIONS, _below, _complete, embed, part_tree, principal
from partseg_partfield.module import PartFieldModule


@pytest.fixture(scope="module")
def method() -> PartFieldModule:
    torch.manual_seed(0)
    return PartFieldModule(load_config("tiny")).eval()


def boxes(count: int) -> Shape:
    """Many small boxes on a grid: a mesh of `count` components."""
    one = mesh_of_two_boxes()
    box, faces = one.vertices[:8], one.faces[:12]
    at = np.stack(np.unravel_index(np.arange(count), (10, 10, 100)), axis=1) * 1.5
    vertices = (box[None] + at[:, None]).reshape(-1, 3)
    return Shape.from_mesh(vertices, (faces[None] + 8 * np.arange(count)[:, None, None]).reshape(-1, 3))


TRIANGLE = Shape.from_mesh(np.array([[5.0, 0, 0], [6, 0, 0], [5, 2, 0]]), np.array([[0, 1, 2]]))
SHAPES = {
    "mesh": mesh_of_two_boxes(),
    "components": boxes(60),
    "cloud": cloud_of_two_balls(700),
    "bare cloud": cloud_of_two_balls(40, normals=False),
    "splats": Shape.from_points(np.random.default_rng(0).normal(size=(600, 3)) * [1, 2, 5], kind="splats"),
    "triangle": TRIANGLE,
    "point": Shape.from_points(np.array([[1.0, 2, 3]])),
    "two points": Shape.from_points(np.array([[1.0, 2, 3], [1, 2, 4]])),
    "the same point twice": Shape.from_points(np.ones((2, 3))),
    "flat": Shape.from_mesh(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]), np.array([[0, 1, 2], [2, 1, 0]])),
}


# ---------------------------------------------------------------------------------------------------------------- embed


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("orientations", [1, 4])
def test_features_are_finite_and_of_unit_length(method, name, orientations):
    shape = SHAPES[name]
    config = InferenceConfig(points=800, orientations=orientations, position_weight=0.0, thickness_weight=0.0)
    features = embed(method.model, shape, config)
    channels = method.config.model.part_channels
    assert features.shape == (shape.n_elements, channels * orientations) and features.dtype == np.float32
    assert np.isfinite(features).all()
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-4)


def test_positions_stand_beside_the_features(method):
    shape = SHAPES["cloud"]
    plain = embed(method.model, shape, InferenceConfig(points=800, position_weight=0.0))
    weighted = embed(method.model, shape, InferenceConfig(points=800, position_weight=0.5))
    np.testing.assert_array_equal(weighted[:, :-3], plain)
    np.testing.assert_allclose(weighted[:, -3:], shape.normalized().points * 0.5, atol=1e-6)
    # squared distances: the mean over orientations, plus the weighted distance of positions
    parts = plain.reshape(len(plain), 4, -1)
    each = np.mean([pdist(parts[:, i] / np.linalg.norm(parts[:, i], axis=1)[:, None]) ** 2 for i in range(4)], axis=0)
    want = each + 0.25 * pdist(shape.normalized().points.astype(float)) ** 2
    np.testing.assert_allclose(pdist(weighted.astype(float)) ** 2, want, atol=2e-4)


def test_thickness_stands_beside_the_features_of_a_mesh(method):
    shape = SHAPES["mesh"]
    config = InferenceConfig(points=800, thickness_weight=3.0, position_weight=0.7, position_weight_with_thickness=0.2)
    features = embed(method.model, shape, config)
    plain = embed(method.model, shape, config.model_copy(update={"thickness_weight": 0.0, "position_weight": 0.0}))
    np.testing.assert_array_equal(features[:, :-4], plain)
    np.testing.assert_allclose(features[:, -4], 3.0 * thickness(shape.vertices, shape.faces), rtol=1e-3, atol=1e-3)
    assert np.ptp(features[:, -4]) == pytest.approx(3.0)
    np.testing.assert_allclose(features[:, -3:], shape.normalized().face_centroids * 0.2, atol=1e-6)
    only = embed(method.model, shape, config.model_copy(update={"position_weight_with_thickness": 0.0}))
    np.testing.assert_array_equal(only, features[:, :-3])


@pytest.mark.parametrize("name", ["triangle", "flat", "cloud", "splats"])
def test_where_there_is_no_thickness_positions_weigh_more(method, name):
    shape = SHAPES[name]
    features = embed(method.model, shape, InferenceConfig(points=200, position_weight=0.7))
    assert features.shape[1] == 4 * method.config.model.part_channels + 3
    np.testing.assert_allclose(features[:, -3:], shape.normalized().element_positions * 0.7, atol=1e-6)


def test_features_follow_from_the_seed_and_not_from_the_frame(method):
    shape, config = SHAPES["components"], InferenceConfig(points=500)
    first = embed(method.model, shape, config, seed=1)
    np.testing.assert_array_equal(first, embed(method.model, shape, config, seed=1))
    assert (first != embed(method.model, shape, config, seed=2)).any()
    moved = Shape.from_mesh(shape.vertices * 64 + 128, shape.faces)
    np.testing.assert_allclose(embed(method.model, moved, config, seed=1), first, atol=1e-3)


def test_large_shapes_are_read_in_one_orientation(method):
    features = embed(
        method.model, SHAPES["mesh"], InferenceConfig(points=200, position_weight=0.0, thickness_weight=0.0, large=5)
    )
    assert features.shape[1] == method.config.model.part_channels


def test_orientations_are_distinct_rotations():
    assert len({tuple(turn.ravel().tolist()) for turn in ORIENTATIONS}) == len(ORIENTATIONS)
    np.testing.assert_array_equal(ORIENTATIONS @ ORIENTATIONS.transpose(0, 2, 1), np.tile(np.eye(3), (8, 1, 1)))
    np.testing.assert_allclose(np.linalg.det(ORIENTATIONS), 1)


# ----------------------------------------------------------------------------------------------------------- part_tree


@pytest.mark.parametrize("name", SHAPES)
def test_tree_spans_every_element(name):
    shape = SHAPES[name]
    features = np.random.default_rng(0).normal(size=(shape.n_elements, 8)).astype(np.float32)
    tree = part_tree(shape, features, InferenceConfig(cells=64))
    assert tree.n_leaves == shape.n_elements
    for k in (1, 2, 5, 64):
        labels = tree.cut(k)
        assert np.unique(labels).tolist() == list(range(min(k, shape.n_elements)))


def test_components_of_one_feature_come_apart_first():
    shape = boxes(40)
    box = np.arange(shape.n_elements) // 12
    tree = part_tree(shape, np.random.default_rng(1).normal(size=(40, 8)).astype(np.float32)[box], InferenceConfig())
    np.testing.assert_array_equal(tree.cut(40), box)


def test_a_mesh_without_smoothing_is_plain_ward():
    shape = mesh_of_two_boxes()
    features = np.random.default_rng(0).normal(size=(shape.n_elements, 8)).astype(np.float32)
    edges = face_adjacency(shape.faces, vertices=shape.vertices)
    edges = np.concatenate([edges, join_components(edges, shape.face_centroids)])
    tree = part_tree(shape, features, InferenceConfig(smoothing=0))
    np.testing.assert_array_equal(tree.cut(5), ward_tree(features, edges).cut(5))


def test_smoothing_does_not_depend_on_the_winding():
    shape = mesh_of_two_boxes()
    inside_out = Shape.from_mesh(shape.vertices, shape.faces[:, ::-1])
    features = np.random.default_rng(0).normal(size=(shape.n_elements, 8)).astype(np.float32)
    trees = [part_tree(s, features.copy(), InferenceConfig(smoothing=9)) for s in (shape, inside_out)]
    np.testing.assert_array_equal(trees[0].cut(4), trees[1].cut(4))


@given(st.integers(2, 60), st.integers(1, 12), st.integers(0, 100))
def test_principal_components_keep_distances_of_what_fits(rows, width, seed):
    rng = np.random.default_rng(seed)
    flat = (rng.normal(size=(rows, width)) @ rng.normal(size=(width, 20)) + 3).astype(np.float32)
    small = principal(flat, width)
    assert small.shape == (rows, width)
    np.testing.assert_allclose(pdist(small), pdist(flat), atol=1e-3)
    np.testing.assert_array_equal(principal(flat, 20), flat)


def test_a_small_cloud_is_plain_ward():
    shape = SHAPES["bare cloud"]
    features = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    for k in (2, 7):
        want = AgglomerativeClustering(k).fit_predict(features.astype(float))
        np.testing.assert_array_equal(part_tree(shape, features, InferenceConfig()).cut(k), renumber(want))


def test_cells_of_a_cloud_stay_whole():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 12, 900)
    centres = rng.normal(size=(12, 6)) * 20
    features = (centres[group] + rng.normal(size=(900, 6)) * 0.01).astype(np.float32)
    shape = Shape.from_points(rng.normal(size=(900, 3)))
    tree = part_tree(shape, features, InferenceConfig(cells=50), seed=3)
    np.testing.assert_array_equal(tree.cut(12), renumber(group))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(0, 1000))
def test_below_hangs_elements_under_their_cells(cell, seed):
    _, cell = np.unique(cell, return_inverse=True)
    cells = int(cell.max()) + 1
    centres = np.random.default_rng(seed).normal(size=(cells, 3)).astype(np.float32)
    top = ward_tree(centres, _complete(cells), weights=np.bincount(cell).astype(float))
    tree = _below(cell, top)
    assert tree.n_leaves == len(cell)  # and the constructor has checked that it is a tree
    np.testing.assert_array_equal(tree.cut(cells), renumber(cell))
    for k in range(1, cells + 1):
        np.testing.assert_array_equal(tree.cut(k), renumber(top.cut(k)[cell]))
    assert (tree.heights[: len(cell) - cells] == 0).all()
    np.testing.assert_array_equal(tree.heights[len(cell) - cells :], top.heights)


# ------------------------------------------------------------------------------------------------------------- segment


@pytest.mark.parametrize("name", SHAPES)
def test_segment_gives_as_many_parts_as_asked(method, name):
    shape = SHAPES[name]
    inference = method.config.inference.model_copy(update={"points": 400, "orientations": 2, "cells": 32})
    method.config = method.config.model_copy(update={"inference": inference})
    for parts in (1, 3, 10_000):
        seg = method.segment(shape, parts=parts)
        assert seg.shape is shape and seg.n_parts == min(parts, shape.n_elements)
        assert np.unique(seg.labels).tolist() == list(range(seg.n_parts))
    seg = method.segment(shape)
    assert 1 <= seg.n_parts <= min(inference.max_parts, shape.n_elements)
    assert seg.at(2).n_parts == min(2, shape.n_elements)


def test_a_shape_is_not_changed_by_being_segmented(method):
    shape = mesh_of_two_boxes()
    before = {key: getattr(shape, key).copy() for key in ("points", "vertices", "faces")}
    method.segment(shape, parts=2)
    for key, value in before.items():
        np.testing.assert_array_equal(getattr(shape, key), value)
    assert method.segment(replace(shape, name="other"), parts=2).shape.name == "other"
