"""k-means on position and normal, Euclidean clusters."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import trimesh
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.metrics import adjusted_rand_score

from partseg.errors import InputError
from partseg.geometry.shape import Shape
from partseg_baselines.clusters import EuclideanClusters, KMeansPositionNormal, euclidean_clusters


def box(offset: float) -> trimesh.Trimesh:
    mesh = trimesh.creation.box((1, 1, 1)).subdivide().subdivide()
    mesh.apply_translation([offset, 0, 0])
    return mesh


def shape_of(*meshes: trimesh.Trimesh) -> Shape:
    mesh = trimesh.util.concatenate(list(meshes))
    return Shape.from_mesh(mesh.vertices, mesh.faces, name="test")


@pytest.mark.parametrize("tolerance", [0.05, 0.15, 0.4])
def test_clusters_are_those_of_single_linkage(tolerance):
    points = np.random.default_rng(0).random((300, 3))
    got = euclidean_clusters(points, tolerance)
    expected = fcluster(linkage(points, "single"), tolerance, "distance")
    assert adjusted_rand_score(got, expected) == 1
    assert got[0] == 0 and len(np.unique(got)) == got.max() + 1


def test_thinned_clouds_fall_into_the_same_clusters():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.random((400, 3)), rng.random((400, 3)) + [2, 0, 0]])
    got = euclidean_clusters(points, 0.3, most_pairs=1000)
    assert got.tolist() == [0] * 400 + [1] * 400


def test_gaps_part_a_mesh_and_touching_pieces_are_one():
    apart = shape_of(box(0), box(1), box(3))  # the first two share a side
    seg = EuclideanClusters().segment(apart)
    assert adjusted_rand_score(seg.labels, np.repeat([0, 0, 1], 192)) == 1
    assert EuclideanClusters().segment(apart, parts=1).n_parts == 1


def test_crumbs_join_the_nearest_cluster():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.random((500, 3)), rng.random((500, 3)) + [5, 0, 0], [[3.9, 0.5, 0.5]]])
    cloud = Shape.from_points(points)
    assert EuclideanClusters().segment(cloud).labels.tolist() == [0] * 500 + [1] * 501
    assert EuclideanClusters(smallest=0.0).segment(cloud).labels.max() == 2


def test_scale_does_not_matter_and_equal_points_stay_together():
    points = np.random.default_rng(0).random((200, 3))
    points[100:, 0] += 4
    twice = np.concatenate([points, points])
    labels = EuclideanClusters().segment(Shape.from_points(twice)).labels
    assert (labels[:200] == labels[200:]).all() and labels.max() == 1
    assert (EuclideanClusters().segment(Shape.from_points(1000 * twice)).labels == labels).all()
    same = Shape.from_points(np.ones((50, 3)))
    assert (EuclideanClusters().segment(same).labels == 0).all()


def test_kmeans_parts_the_sides_of_a_box_by_their_normals():
    mesh = box(0)
    seg = KMeansPositionNormal(normal_weight=10.0).segment(shape_of(mesh), parts=6)
    sides = np.unique(mesh.face_normals.round(6), axis=0, return_inverse=True)[1].ravel()
    assert adjusted_rand_score(seg.labels, sides) == 1
    assert KMeansPositionNormal(clusters=3).segment(shape_of(mesh)).n_parts == 3


def test_kmeans_needs_normals_and_a_positive_number():
    with pytest.raises(InputError, match="no normals"):
        KMeansPositionNormal().segment(Shape.from_points(np.eye(3)))
    with pytest.raises(ValueError, match="at least 1"):
        KMeansPositionNormal(clusters=0)
    for bad in ({"tolerance": 0.0}, {"smallest": 1.0}, {"points": 0}):
        with pytest.raises(ValueError, match="expected"):
            EuclideanClusters(**bad)


def test_clustering_needs_no_torch():
    code = "import sys, partseg_baselines.clusters; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
