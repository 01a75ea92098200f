"""The classical methods on solids whose parts are known, and what all of them promise."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from sklearn.metrics import adjusted_rand_score

from partseg.errors import InputError, PartsegError
from partseg.geometry.adjacency import face_adjacency
from partseg.geometry.shape import Shape
from partseg.metrics.functional import class_agnostic_miou
from partseg.spec import MethodSpec
from partseg_baselines import spec
from partseg_baselines.clusters import EuclideanClusters, KMeansPositionNormal
from partseg_baselines.components import ConnectedComponents
from partseg_baselines.shape_diameter import ShapeDiameter, WardShapeDiameter, bend_costs, join_crumbs
from partseg_baselines.ward import WardPosition, WardPositionNormal

SPECS = [value for value in vars(spec).values() if isinstance(value, MethodSpec)]
METHODS = [
    ConnectedComponents, WardPosition, WardPositionNormal, ShapeDiameter, WardShapeDiameter, KMeansPositionNormal,
    EuclideanClusters,
]  # fmt: skip
TREES = [WardPosition, WardPositionNormal, WardShapeDiameter]


def shape_of(mesh: trimesh.Trimesh) -> Shape:
    return Shape.from_mesh(mesh.vertices, mesh.faces, name="test")


def boxes(*offsets: float) -> Shape:
    meshes = []
    for offset in offsets:
        box = trimesh.creation.box((1, 1, 1)).subdivide()
        box.apply_translation([offset, 0, 0])
        meshes.append(box)
    return shape_of(trimesh.util.concatenate(meshes))


def dumbbell() -> tuple[Shape, np.ndarray]:
    """A closed surface of revolution: two balls joined by a thin rod, with the true part of each face (ball, rod,
    ball)."""
    z = np.linspace(-3, 3, 121)
    ball = np.sqrt(np.maximum(1 - (np.abs(z) - 2) ** 2, 0))
    radius = np.maximum(ball, np.where(np.abs(z) < 2, 0.2, 0.0))
    profile = np.stack([radius, z], axis=1)
    mesh = trimesh.creation.revolve(profile, sections=32)
    height = mesh.triangles_center[:, 2]
    join = 2 - np.sqrt(1 - 0.2**2)
    return shape_of(mesh), np.digitize(height, [-join, join])


@pytest.mark.parametrize("one", SPECS, ids=lambda s: s.name)
def test_specs_name_their_classes(one: MethodSpec) -> None:
    method = one.load()()
    verbs = {"segmenter": "segment", "embedder": "embed", "interactive": "start", "refiner": "refine"}
    assert {name for name, verb in verbs.items() if hasattr(method, verb)} == set(one.capabilities)


def test_entry_points_equal_the_specs(repository) -> None:
    import tomllib

    project = tomllib.loads((repository / "packages/baselines/pyproject.toml").read_text())["project"]
    points = project["entry-points"]["partseg.methods"]
    names = {key: value for key, value in vars(spec).items() if isinstance(value, MethodSpec)}
    assert {name: target.rpartition(":")[2] for name, target in points.items()} == {
        one.name: key for key, one in names.items()
    }


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("parts", [None, 1, 3, 50])
def test_labels_are_a_partition_with_at_most_the_parts_asked_for(method: type, parts: int | None) -> None:
    seg = method().segment(boxes(0, 3, 7), parts=parts)
    assert seg.labels.shape == (seg.shape.n_elements,)
    assert seg.labels.min() == 0
    if parts is not None:
        assert seg.n_parts <= parts
    if seg.tree is not None and parts is not None:
        assert seg.n_parts == min(parts, seg.shape.n_elements)


@pytest.mark.parametrize("method", METHODS)
def test_one_triangle_is_one_part(method: type) -> None:
    shape = Shape.from_mesh(np.eye(3), np.array([[0, 1, 2]]))
    for parts in (None, 1, 5):
        assert method().segment(shape, parts=parts).labels.tolist() == [0]


@pytest.mark.parametrize("method", METHODS)
def test_levels_are_refused_by_name(method: type) -> None:
    with pytest.raises(PartsegError, match="fine"):
        method().segment(boxes(0), level="fine")


@pytest.mark.parametrize("method", TREES)
def test_parts_of_a_tree_are_nested(method: type) -> None:
    seg = method().segment(boxes(0, 3, 7))
    fine, coarse = seg.tree.cut(9), seg.tree.cut(4)
    assert len(np.unique(np.stack([fine, coarse], 1), axis=0)) == 9


def test_components_are_the_pieces_and_small_ones_join_the_nearest() -> None:
    shape = boxes(0, 3, 7)
    seg = ConnectedComponents().segment(shape)
    assert adjusted_rand_score(seg.labels, np.repeat([0, 1, 2], 48)) == 1
    big = trimesh.creation.icosphere(3)
    crumbs = [trimesh.creation.box((0.1, 0.1, 0.1)) for _ in range(2)]
    crumbs[0].apply_translation([2, 0, 0])
    crumbs[1].apply_translation([8, 0, 0])
    other = trimesh.creation.icosphere(2)
    other.apply_translation([9, 0, 0])
    seg = ConnectedComponents().segment(shape_of(trimesh.util.concatenate([big, other, *crumbs])), parts=2)
    assert np.bincount(seg.labels).tolist() == [1280 + 12, 320 + 12]


def test_ward_on_positions_finds_what_lies_apart() -> None:
    seg = WardPosition().segment(boxes(0, 3, 7), parts=3)
    assert adjusted_rand_score(seg.labels, np.repeat([0, 1, 2], 48)) == 1


def test_position_features_do_not_depend_on_unit_or_place() -> None:
    shape = boxes(0, 3)
    moved = Shape.from_mesh(shape.vertices * 40 + [5, -3, 100], shape.faces)
    np.testing.assert_allclose(WardPosition().embed(moved), WardPosition().embed(shape), atol=1e-5)
    assert np.abs(WardPosition().embed(shape)).max() <= 0.9


def test_normals_part_the_faces_of_a_box() -> None:
    box = trimesh.creation.box((1, 1, 1)).subdivide().subdivide()
    seg = WardPositionNormal(normal_weight=10.0).segment(shape_of(box), parts=6)
    sides = np.unique(box.face_normals.round(6), axis=0, return_inverse=True)[1].ravel()
    assert adjusted_rand_score(seg.labels, sides) == 1


@pytest.mark.parametrize("method", [ShapeDiameter, WardShapeDiameter])
def test_thickness_parts_balls_from_their_rod(method: type) -> None:
    shape, truth = dumbbell()
    found = method().segment(shape, parts=3).labels
    assert class_agnostic_miou(found, truth) > 0.85
    assert class_agnostic_miou(found, truth) > class_agnostic_miou(WardPosition().segment(shape, parts=3).labels, truth)


def test_boundaries_are_cheap_where_the_surface_bends_inwards() -> None:
    shape, _ = dumbbell()
    edges = face_adjacency(shape.faces, vertices=shape.vertices)
    cost = bend_costs(shape, edges)
    height = np.abs(shape.face_centroids[edges].mean(1)[:, 2])
    at_join = np.abs(height - (2 - np.sqrt(1 - 0.2**2))) < 0.04
    assert cost[at_join].min() < np.quantile(cost[~at_join], 0.01)
    assert (cost >= 0).all()


def test_crumbs_join_the_neighbour_of_the_longest_boundary() -> None:
    # pieces 0 and 1 are large; 2 touches 0 twice and 1 once; 3 touches only 2; 4 is alone
    pieces = np.array([0, 0, 1, 1, 2, 3, 4])
    area = np.array([10, 10, 10, 10, 0.1, 0.1, 0.1])
    edges = np.array([[0, 1], [2, 3], [1, 2], [0, 4], [1, 4], [2, 4], [4, 5]])
    assert join_crumbs(pieces, area, edges, 0.01).tolist() == [0, 0, 1, 1, 0, 0, 2]
    assert (join_crumbs(pieces, area, edges, 0.0) == pieces).all()


def test_clouds_are_clustered_by_position_and_refused_where_a_mesh_is_needed() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(40, 3)), rng.normal(size=(40, 3)) + 30])
    cloud = Shape.from_points(points)
    truth = np.repeat([0, 1], 40)
    assert adjusted_rand_score(WardPosition().segment(cloud, parts=2).labels, truth) == 1
    assert adjusted_rand_score(ConnectedComponents().segment(cloud, parts=2).labels, truth) == 1
    with pytest.raises(InputError, match="needs a mesh"):
        ShapeDiameter().segment(cloud)
    with pytest.raises(InputError, match="no normals"):
        WardPositionNormal().segment(cloud)
