"""Views without topology, and labels carried by the nearest face, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from partseg.geometry.adjacency import connected_components, face_adjacency, weld_vertices
from partseg.geometry.shape import Shape
from partseg.metrics.functional import class_agnostic_miou
from partseg.ops.transfer import (
    carry_labels,
    carry_weights,
    nearest_elements,
    nearest_faces,
    transfer_labels,
    without_topology,
)


def boxes(*places: tuple[float, float, float], size: float = 1.0) -> tuple[Shape, np.ndarray]:
    """A mesh of cubes, and the cube of each face."""
    corner = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * size
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = np.array([t for a, b, c, d in quads for t in ([a, b, c], [a, c, d])])
    vertices = np.concatenate([corner + place for place in places])
    all_faces = np.concatenate([faces + 8 * i for i in range(len(places))])
    return Shape.from_mesh(vertices, all_faces, name="cubes"), np.repeat(np.arange(len(places)), 12)


def brute_distance(triangle: np.ndarray, point: np.ndarray) -> float:
    """By numerical minimisation over barycentric coordinates, from every corner and the middle."""
    a, u, v = triangle[0], triangle[1] - triangle[0], triangle[2] - triangle[0]

    def square(x: np.ndarray) -> float:
        return float(((a + x[0] * u + x[1] * v - point) ** 2).sum())

    def slope(x: np.ndarray) -> np.ndarray:
        apart = a + x[0] * u + x[1] * v - point
        return 2 * np.array([apart @ u, apart @ v])

    inside = {"type": "ineq", "fun": lambda x: 1 - x[0] - x[1]}
    starts = [(0, 0), (1, 0), (0, 1), (1 / 3, 1 / 3)]
    found = [
        minimize(square, s, jac=slope, bounds=[(0, 1)] * 2, constraints=inside, options={"ftol": 1e-14, "maxiter": 200})
        for s in starts
    ]
    return min(x.fun for x in found) ** 0.5


@pytest.mark.parametrize("f", [1, 8, 9, 60])
def test_nearest_face_is_that_of_brute_force(f: int) -> None:
    rng = np.random.default_rng(f)
    triangles = rng.normal(size=(f, 3, 3)) * 0.4 + rng.normal(size=(f, 1, 3))
    points = np.concatenate([rng.normal(size=(6, 3)), triangles[rng.integers(f, size=4)].mean(1)])
    found = nearest_faces(triangles.reshape(-1, 3), np.arange(3 * f).reshape(-1, 3), points)
    for point, distance, face in zip(points, found.distance, found.face, strict=True):
        each = [brute_distance(t, point) for t in triangles]
        assert distance == pytest.approx(min(each), abs=2e-6)
        assert each[face] == pytest.approx(min(each), abs=2e-6)


DEGENERATE = {
    "a point": [[1, 2, 3]] * 3,
    "a segment": [[0, 0, 0], [1, 0, 0], [0.25, 0, 0]],
    "two equal corners": [[0, 0, 0], [0, 0, 0], [0, 2, 0]],
    "a hair": [[0, 0, 0], [1, 0, 0], [0.5, 1e-9, 0]],
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_faces_without_area_count_as_segments(name: str) -> None:
    triangle = np.array(DEGENERATE[name], float)
    points = np.random.default_rng(0).normal(size=(20, 3)) + triangle.mean(0)
    found = nearest_faces(triangle, np.array([[0, 1, 2]]), points)
    along = np.linspace(0, 1, 4001)[:, None]
    ends = [(triangle[i], triangle[j]) for i, j in ((0, 1), (1, 2), (2, 0))]
    dense = np.concatenate([p + along * (q - p) for p, q in ends])
    expected = np.linalg.norm(points[:, None] - dense[None], axis=2).min(1)
    np.testing.assert_allclose(found.distance, expected, atol=1e-4)
    assert (found.face == 0).all()


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_scale_and_place_do_not_matter(seed: int, scale: float, move: float) -> None:
    rng = np.random.default_rng(seed)
    vertices, faces, points = rng.normal(size=(30, 3)), rng.integers(0, 30, (20, 3)), rng.normal(size=(5, 3))
    plain = nearest_faces(vertices, faces, points)
    moved = nearest_faces(vertices * scale + move, faces, points * scale + move)
    np.testing.assert_allclose(moved.distance, plain.distance * scale, rtol=1e-6, atol=1e-9 * (scale + abs(move)))


def test_of_equally_near_faces_the_one_with_the_nearest_centroid_is_taken_then_the_first() -> None:
    small, large = (
        np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float),
        np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0]], float),
    )
    vertices, point = np.concatenate([large, small, small]), small.mean(0)[None]
    assert nearest_faces(vertices, np.arange(9).reshape(3, 3), point).face[0] == 1
    assert nearest_faces(vertices[::-1], np.arange(9).reshape(3, 3), point).face[0] == 0


def test_thousands_of_coincident_faces_end_in_time_with_a_face_that_is_nearest() -> None:
    rng = np.random.default_rng(0)
    fan = np.concatenate([np.zeros((1, 3)), rng.normal(size=(40_000, 3))])
    faces = np.stack([np.zeros(20_000, int), np.arange(1, 20_001), np.arange(20_001, 40_001)], axis=1)
    found = nearest_faces(fan, faces, np.zeros((50, 3)))
    assert (found.distance < 1e-6).all() and (found.face >= 0).all()


def test_labels_return_from_a_shuffled_soup_to_every_face() -> None:
    shape, cube = boxes((0, 0, 0), (1, 0, 0), (5, 5, 5))  # the first two touch: welding would join them
    for seed in range(3):
        seen = without_topology(shape, "soup", seed=seed)
        assert seen.n_elements == shape.n_elements and seen.name == "shape"
        back = nearest_elements(seen, shape)
        here = shape.element_positions
        np.testing.assert_allclose(seen.element_positions[back], here, atol=1e-12)
        carried = transfer_labels(shape, cube, seen)
        found = transfer_labels(seen, carried, shape)
        on_both = (here[:, 0] == 1) & (here[:, 1] < 1)  # the two cubes share a wall: its faces coincide
        assert on_both.sum() == 4
        assert (found[~on_both] == cube[~on_both]).all()


def test_a_soup_does_not_tell_the_components_even_after_welding() -> None:
    shape, _ = boxes((0, 0, 0), (3, 0, 0))
    edges = face_adjacency(shape.faces, vertices=shape.vertices)
    assert connected_components(edges, shape.n_elements).max() == 1
    seen = without_topology(shape, "soup")
    assert len(np.unique(weld_vertices(seen.vertices))) == 3 * shape.n_elements
    assert len(face_adjacency(seen.faces, vertices=seen.vertices)) == 0
    order = nearest_elements(shape, seen)
    assert not np.array_equal(order, np.arange(len(order)))  # the order of faces tells nothing either
    assert np.array_equal(np.sort(order), np.arange(len(order)))
    np.testing.assert_allclose(seen.bounds, shape.bounds, atol=1e-3)
    np.testing.assert_allclose(seen.face_normals, shape.face_normals[order], atol=1e-6)


def test_points_lie_on_the_surface_and_bring_labels_back() -> None:
    shape, cube = boxes((0, 0, 0), (3, 0, 0), (0, 3, 0))
    seen = without_topology(shape, "points", points=3000, seed=1)
    assert not seen.is_mesh and seen.n_elements == 3000 and seen.normals is not None
    assert nearest_faces(shape.vertices, shape.faces, seen.element_positions).distance.max() < 1e-5
    carried = transfer_labels(shape, cube, seen)
    assert set(np.bincount(carried) // 100) <= {8, 9, 10, 11}
    assert class_agnostic_miou(transfer_labels(seen, carried, shape), cube) == 1.0


@pytest.mark.parametrize("view", ["points", "soup"])
def test_shapes_far_from_the_origin_and_normalised_ones_meet_in_the_file_s_coordinates(view: str) -> None:
    near, cube = boxes((0, 0, 0), (3, 0, 0), (0, 3, 0))
    far = Shape.from_mesh(near.vertices + [3e7, -1e7, 2e7], near.faces)
    for shape, origin in ((far, far), (near.normalized(), near), (far.normalized(), far)):
        seen = without_topology(shape, view, points=2000)
        carried = transfer_labels(shape, cube, seen)
        assert np.array_equal(carried, transfer_labels(shape.normalized(0.3), cube, seen))
        assert len(np.unique(carried)) == 3
        assert np.array_equal(transfer_labels(seen, carried, shape), cube)
        in_file = seen.transform.apply(seen.element_positions)
        assert nearest_faces(origin.vertices, origin.faces, in_file).distance.max() < 1e-5


def test_clouds_are_shuffled_and_labels_return_exactly() -> None:
    rng = np.random.default_rng(0)
    cloud = Shape.from_points(rng.normal(size=(200, 3)), colors=rng.random((200, 3)).astype(np.float32))
    seen = without_topology(cloud)
    labels = rng.integers(-1, 5, 200)
    back = nearest_elements(seen, cloud)
    assert not np.array_equal(back, np.arange(200))
    assert np.array_equal(seen.colors[back], cloud.colors)
    assert np.array_equal(transfer_labels(seen, labels, cloud), labels[back])
    assert without_topology(cloud).points.tolist() == seen.points.tolist()


def test_of_points_at_one_place_the_first_gives_its_label() -> None:
    cloud = Shape.from_points(np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]))
    target = Shape.from_points(np.array([[0.1, 0, 0], [0.9, 0, 0]]))
    assert transfer_labels(cloud, np.array([7, 1, 2, 3]), target).tolist() == [1, 7]


def test_real_meshes_lose_no_label_on_the_way_there_and_back(test_data) -> None:
    from partseg.geometry.io import load_shape

    paths = sorted(test_data("psb").rglob("*.off"))[:2]
    assert paths
    for path in paths:
        shape = load_shape(path)
        labels = (np.arange(shape.n_elements) * 10) // shape.n_elements
        seen = without_topology(shape, "soup")
        back = transfer_labels(seen, transfer_labels(shape, labels, seen), shape)
        assert (back == labels).mean() > 0.999


def test_bad_input_is_named() -> None:
    shape, cube = boxes((0, 0, 0))
    with pytest.raises(ValueError, match=r"labels must be \(12,\) integers"):
        transfer_labels(shape, cube[:5], shape)
    with pytest.raises(ValueError, match="integers"):
        transfer_labels(shape, cube.astype(float), shape)
    with pytest.raises(ValueError, match="points or soup"):
        without_topology(shape, "mesh")
    with pytest.raises(ValueError, match="at least 1"):
        without_topology(shape, points=0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        nearest_faces(shape.vertices, shape.faces, np.array([[np.nan, 0, 0]]))
    with pytest.raises(ValueError, match="no triangles"):
        nearest_faces(shape.vertices, shape.faces[:0], np.zeros((1, 3)))


def test_faces_take_the_majority_of_their_points_and_others_that_of_the_nearest():
    second = trimesh.creation.box((1, 1, 1)).subdivide()
    second.apply_translation([3, 0, 0])
    mesh = trimesh.util.concatenate([trimesh.creation.box((1, 1, 1)).subdivide(), second])
    shape = Shape.from_mesh(mesh.vertices, mesh.faces, name="boxes")
    truth = (shape.face_centroids[:, 0] > 1.5).astype(np.int64)
    sample = shape.normalized().sampled(2000)
    on_face = truth[sample.face_index]
    np.testing.assert_array_equal(carry_labels(shape, sample, on_face), truth)
    noisy = on_face.copy()
    noisy[np.unique(sample.face_index, return_index=True)[1]] = -1  # the first point of each face
    np.testing.assert_array_equal(carry_labels(shape, sample, noisy), truth)
    few = shape.normalized().sampled(12)  # fewer than faces
    np.testing.assert_array_equal(carry_labels(shape, few, truth[few.face_index]), truth)


def test_ties_on_a_face_go_to_the_lowest_label():
    shape = Shape.from_mesh(np.eye(3), np.array([[0, 1, 2]]))
    sample = shape.normalized().sampled(4)
    assert carry_labels(shape, sample, np.array([3, 1, 1, 3])).tolist() == [1]
    assert carry_labels(shape, sample, np.array([-1, 1, 1, -1])).tolist() == [-1]


def test_points_that_were_not_drawn_take_the_label_of_the_nearest():
    points = np.random.default_rng(0).random((500, 3))
    shape = Shape.from_points(points)
    sample = shape.normalized().sampled(100)
    labels = (sample.points[:, 0] > 0).astype(np.int64)
    near = np.linalg.norm(shape.normalized().points[:, None] - sample.points[None], axis=2).argmin(1)
    np.testing.assert_array_equal(carry_labels(shape, sample, labels), labels[near])


def test_values_of_a_face_are_the_mean_of_its_points_or_the_nearest():
    """Against a loop over the faces; the few points leave most faces empty."""
    mesh = trimesh.creation.icosphere(subdivisions=2)
    shape = Shape.from_mesh(mesh.vertices, mesh.faces)
    for n in (40, 2000):
        sample = shape.normalized().sampled(n, seed=1)
        values = np.random.default_rng(n).random((n, 2)).astype(np.float32)
        got = carry_weights(shape, sample) @ values
        assert got.dtype == np.float32
        for face in range(shape.n_elements):
            own = np.flatnonzero(sample.face_index == face)
            apart = ((sample.points - sample.element_positions[face]) ** 2).sum(1)
            expected = values[own].mean(0) if len(own) else values[apart.argmin()]
            np.testing.assert_allclose(got[face], expected, rtol=1e-5)


def test_values_of_points_are_their_own_or_those_of_the_nearest_drawn():
    cloud = Shape.from_points(np.random.default_rng(0).random((50, 3)) * 7 + 3)
    assert (carry_weights(cloud, cloud.normalized()).toarray() == np.eye(50)).all()
    sample = cloud.normalized().sampled(9)
    near = ((cloud.normalized().points[:, None] - sample.points) ** 2).sum(2).argmin(1)
    np.testing.assert_array_equal(carry_weights(cloud, sample) @ np.arange(9), near)
