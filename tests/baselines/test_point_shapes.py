"""Batches as dense clouds, and parts found on points carried back to faces."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from partseg.data.batch import PartBatch
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg_baselines.point_parts import PointParts, sample_of, segmentation
from partseg_baselines.point_shapes import DenseShapes, unit_sphere


def batch() -> PartBatch:
    """Two shapes, of three and of two points."""
    return PartBatch(
        points=torch.tensor([[0.0, 0, 0], [4, 0, 0], [0, 2, 0], [5, 5, 5], [5, 5, 7]]),
        ptr=torch.tensor([0, 3, 5]),
        labels={"coarse": torch.tensor([0, 0, 0, 0, 0]), "fine": torch.tensor([0, 1, -1, 1, 0])},
        semantics={"fine": torch.tensor([2, 2, 3, -1, 0])},
    )


def test_shapes_with_fewer_points_repeat_them_in_turn():
    dense = DenseShapes.of(batch(), "fine", 3, normalize=False)
    assert dense.points[1].tolist() == [[5, 5, 5], [5, 5, 7], [5, 5, 5]]
    assert dense.labels.tolist() == [[0, 1, -1], [1, 0, 1]]
    assert dense.classes.tolist() == [[2, 2, -1], [-1, 0, -1]]  # a point of no part has no class
    assert dense.one_hot().tolist() == [[[1, 0, 0], [0, 1, 0]], [[0, 1, 0], [1, 0, 1]]]


def test_the_finest_level_and_one_class_are_the_default():
    dense = DenseShapes.of(batch())
    assert dense.labels.tolist() == [[0, 1, -1], [1, 0, 1]]
    assert dense.classes.tolist() == [[0, 0, -1], [0, 0, 0]]
    torch.testing.assert_close(dense.points[1], torch.tensor([[0.0, 0, -1], [0, 0, 1], [0, 0, -1]]))


def test_only_surface_points_are_read():
    from dataclasses import replace

    inside = replace(batch(), surface=torch.tensor([True, True, False, True, False]))
    dense = DenseShapes.of(inside, "fine", normalize=False)
    assert dense.labels.tolist() == [[0, 1], [1, 1]]


def test_a_seed_decides_which_points_are_drawn():
    generator = lambda: torch.Generator().manual_seed(3)  # noqa: E731
    points = torch.randn(40, 3)
    one = PartBatch(points, torch.tensor([0, 40]), labels={"a": torch.arange(40)})
    first, again = (DenseShapes.of(one, normalize=False, points=7, generator=generator()) for _ in range(2))
    assert first.labels.shape == (1, 7) and first.labels.equal(again.labels)
    assert len(first.labels.unique()) == 7 and first.points[0].equal(points[first.labels[0]])
    assert DenseShapes.of(one, points=50).labels.shape == (1, 40)


def test_unit_spheres_have_their_boxs_centre_at_the_origin():
    points = unit_sphere(torch.tensor([[[0.0, 0, 0], [4, 0, 0], [0, 2, 0]], [[3.0, 3, 3], [3, 3, 3], [3, 3, 3]]]))
    root = 5**0.5
    expected = torch.tensor([[-2.0, -1, 0], [2, -1, 0], [-2, 1, 0]]) / root
    torch.testing.assert_close(points[0], expected)
    assert (points[1] == 0).all()


def test_what_the_data_lacks_is_said():
    with pytest.raises(PartsegError, match="labels of coarse, fine, not of level 'middle'"):
        DenseShapes.of(batch(), "middle")
    with pytest.raises(PartsegError, match="no classes of level 'coarse'"):
        DenseShapes.of(batch(), "coarse", 4)
    with pytest.raises(PartsegError, match="has a class 2"):
        DenseShapes.of(batch(), "fine", 2)
    with pytest.raises(PartsegError, match="labels of none"):
        DenseShapes.of(PartBatch(torch.zeros(1, 3), torch.tensor([0, 1])))
    empty = PartBatch(torch.zeros(1, 3), torch.tensor([0, 1, 1]), labels={"a": torch.zeros(1, dtype=torch.int64)})
    with pytest.raises(PartsegError, match="without points"):
        DenseShapes.of(empty)


def two_boxes() -> Shape:
    second = trimesh.creation.box((1, 1, 1)).subdivide()
    second.apply_translation([3, 0, 0])
    mesh = trimesh.util.concatenate([trimesh.creation.box((1, 1, 1)).subdivide(), second])
    return Shape.from_mesh(mesh.vertices, mesh.faces, name="boxes")


def found_on(sample: Shape, labels: np.ndarray, scores: list[float]) -> PointParts:
    return PointParts(labels, np.array(scores), np.arange(len(scores)))


def test_masks_stay_as_found_and_labels_are_completed():
    shape = two_boxes()
    sample = sample_of(shape, 2000, 0)
    x = sample.points[:, 0]
    labels = np.where(x < -0.75, 0, np.where(x > 0.75, 1, -1))
    seg = segmentation(shape, sample, found_on(sample, labels, [0.3, 0.9]), None, complete=True)
    assert seg.n_parts == 2 and seg.scores.tolist() == [0.9, 0.3] and seg.semantic_id.tolist() == [1, 0]
    assert (seg.labels == (shape.face_centroids[:, 0] < 1.5)).all()  # the more certain part is the first
    assert 0 < seg.masks.dense().sum() < shape.n_elements
    bare = segmentation(shape, sample, found_on(sample, labels, [0.3, 0.9]), None, complete=False)
    assert (bare.labels == bare.masks.to_labels()).all() and (bare.labels == -1).any()
    one = segmentation(shape, sample, found_on(sample, labels, [0.3, 0.9]), 1, complete=True)
    assert one.n_parts == 1 and one.scores.tolist() == [0.9] and (one.labels == 0).all()


def test_parts_that_hold_no_element_are_dropped():
    shape = Shape.from_mesh(np.eye(3), np.array([[0, 1, 2]]))
    sample = sample_of(shape, 3, 0)
    seg = segmentation(shape, sample, found_on(sample, np.array([0, 1, 1]), [0.9, 0.1]), None, complete=True)
    assert seg.labels.tolist() == [0] and seg.scores.tolist() == [0.1]


def test_where_nothing_is_found_the_shape_is_one_part_of_score_zero():
    shape = two_boxes()
    sample = sample_of(shape, 100, 0)
    nothing = PointParts(np.full(100, -1), np.zeros(0), np.zeros(0, np.int64))
    seg = segmentation(shape, sample, nothing, None, complete=True)
    assert seg.n_parts == 1 and seg.scores.tolist() == [0]
    assert segmentation(shape, sample, nothing, None, complete=False).n_parts == 0


def test_large_clouds_are_read_in_part_and_labelled_whole(tmp_path):
    points = np.random.default_rng(0).normal(size=(500, 3))
    points[250:, 0] += 50
    cloud = Shape.from_points(points)
    sample = sample_of(cloud, 100, 0)
    assert len(sample.points) == 100
    labels = (sample.points[:, 0] > 0).astype(np.int64)
    seg = segmentation(cloud, sample, found_on(sample, labels, [0.2, 0.1]), None, complete=False)
    assert (seg.labels == (np.arange(500) >= 250)).all()
    seg.save(tmp_path / "parts.npz")
    again = type(seg).load(tmp_path / "parts.npz")
    assert again.n_parts == 2 and again.semantic_id.tolist() == [0, 1]
