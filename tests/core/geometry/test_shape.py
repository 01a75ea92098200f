"""Shape: labels back to the file's faces, coordinates back to the file, samples, and what it refuses."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from partseg.errors import InputError
from partseg.geometry.shape import Shape, Similarity, triangle_normals

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
CUBE = np.array(
    [
        t
        for a, b, c, d in [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
        for t in ((a, b, c), (a, c, d))
    ]
)


def cube(offset=(0.0, 0.0, 0.0), size=1.0, **options) -> Shape:
    return Shape.from_mesh(CORNERS * size + offset, CUBE, **options)


def strip(n: int, **options) -> Shape:
    """A mesh of n triangles."""
    v = np.stack([np.arange(n + 2), np.arange(n + 2) % 2, np.zeros(n + 2)], axis=1)
    return Shape.from_mesh(v, np.arange(n)[:, None] + [0, 1, 2], **options)


# ------------------------------------------------------------------------------------------------------ labels to file


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 3)), min_size=1, max_size=30), st.integers(0, 9))
def test_to_file_is_the_majority_of_each_polygon(rows, more):
    polygon, labels = (np.array(x) for x in zip(*rows))
    n = int(polygon.max()) + 1 + more
    got = strip(len(rows), polygon=polygon, n_polygons=n).to_file(labels)
    assert got.shape == (n,) and got.dtype == labels.dtype
    for face in range(n):
        votes = Counter(label for p, label in rows if p == face)
        most = max(votes.values(), default=0)
        want = min((label for label, k in votes.items() if k == most), default=-1)
        assert got[face] == want


def test_to_file_without_polygons_is_the_identity():
    labels = np.arange(12)
    np.testing.assert_array_equal(cube().to_file(labels), labels)


# ---------------------------------------------------------------------------------------------------------- coordinates


@settings(max_examples=50)
@given(
    st.tuples(*[st.floats(-1e6, 1e6)] * 3),
    st.floats(1e-3, 1e4),
    st.sampled_from([1.0, 1.8]),
)
def test_normalized_mesh_leads_back_to_the_file(offset, size, extent):
    shape = cube(offset, size)
    unit = shape.normalized(extent)
    low, high = unit.bounds
    np.testing.assert_allclose(high - low, extent, rtol=1e-6)
    np.testing.assert_allclose(low + high, 0, atol=1e-6 * extent)
    ulp = np.spacing(np.abs(shape.vertices).max())
    np.testing.assert_allclose(unit.transform.apply(unit.vertices), shape.vertices, rtol=0, atol=8 * ulp)
    # normalising again changes nothing but rounding, and the chain of transforms still leads to the file
    twice = unit.normalized(3.0)
    np.testing.assert_allclose(twice.transform.apply(twice.vertices), shape.vertices, rtol=0, atol=16 * ulp)
    # points are as exact as the vertices, however far from the origin the file lies
    np.testing.assert_allclose(unit.points, unit.vertices[CUBE].mean(1), atol=1e-6)
    np.testing.assert_array_equal(unit.normals, shape.normals)


def test_normalized_twice_equals_once():
    shape = cube((3.0, -2.0, 7.0), 5.0).normalized()
    np.testing.assert_allclose(shape.normalized().vertices, shape.vertices, atol=1e-12)


@pytest.mark.parametrize("far", [0.0, 1e3, 5e6])
def test_a_cloud_keeps_its_detail_far_from_the_origin(far):
    points = np.random.default_rng(0).random((100, 3)) + far
    shape = Shape.from_points(points)
    np.testing.assert_allclose(shape.transform.apply(shape.points), points, atol=1e-4 if far == 1e3 else 1e-6)
    unit = shape.normalized()
    assert unit.n_elements == 100 and unit.vertices is None
    np.testing.assert_allclose(unit.transform.apply(unit.points), points, atol=1e-4 if far == 1e3 else 1e-6)


def test_a_shape_without_extent_is_only_centred():
    shape = Shape.from_points(np.full((5, 3), 4.0)).normalized()
    np.testing.assert_array_equal(shape.points, 0)
    np.testing.assert_allclose(shape.transform.apply(shape.points), 4.0)


def test_vertices_not_in_use_do_not_count_for_the_box():
    shape = Shape.from_mesh(np.vstack([CORNERS, [[100.0, 0, 0]]]), CUBE)
    np.testing.assert_array_equal(shape.bounds, [[0, 0, 0], [1, 1, 1]])


@given(
    st.floats(0.01, 100), arrays(float, 3, elements=st.floats(-10, 10)), st.floats(0.01, 100),
    arrays(float, 3, elements=st.floats(-10, 10)), arrays(float, (4, 3), elements=st.floats(-10, 10)),
)  # fmt: skip
def test_similarity_after_is_composition(s, o, t, p, xyz):
    outer = Similarity(s, tuple(o))
    np.testing.assert_allclose(outer.after(t, p).apply(xyz), outer.apply(xyz * t + p), atol=1e-8)


# ------------------------------------------------------------------------------------------------------- points, frames


def test_a_mesh_has_one_point_per_triangle():
    shape = cube(polygon=np.arange(12) // 2)
    assert shape.kind == "mesh" and shape.is_mesh and shape.n_elements == 12 and shape.n_polygons == 6
    np.testing.assert_allclose(shape.points, CORNERS[CUBE].mean(1), atol=1e-7)
    np.testing.assert_array_equal(shape.face_index, np.arange(12))
    np.testing.assert_allclose(shape.face_areas, 0.5)
    outward = (shape.face_centroids - 0.5) * 2
    assert (np.einsum("ij,ij->i", outward, shape.face_normals) > 0.99).all()
    np.testing.assert_allclose(shape.normals, shape.face_normals, atol=1e-6)
    np.testing.assert_array_equal(shape.element_positions, shape.face_centroids)


def test_triangles_of_no_area_have_no_normal():
    normals, areas = triangle_normals(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]), np.array([[0, 1, 2], [0, 0, 1]]))
    np.testing.assert_array_equal(normals, 0)
    np.testing.assert_array_equal(areas, 0)


def test_sampled_mesh_keeps_its_elements():
    shape = cube((1.0, 2.0, 3.0), 4.0)
    sample = shape.sampled(5000, seed=3)
    assert sample.n_elements == 12 and len(sample.points) == 5000
    triangle = sample.faces[sample.face_index]
    corner = sample.vertices[triangle[:, 0]]
    off = np.einsum("ij,ij->i", sample.points - corner, sample.face_normals[sample.face_index])
    np.testing.assert_allclose(off, 0, atol=1e-5)
    np.testing.assert_allclose(sample.normals, sample.face_normals[sample.face_index], atol=1e-6)
    share = np.bincount(sample.face_index, minlength=12) / 5000
    np.testing.assert_allclose(share, 1 / 12, atol=0.03)
    np.testing.assert_array_equal(sample.points, shape.sampled(5000, seed=3).points)
    assert (sample.points != shape.sampled(5000, seed=4).points).any()


def test_sampled_cloud_is_a_part_of_it():
    rng = np.random.default_rng(0)
    shape = Shape.from_points(rng.random((50, 3)), normals=np.tile([0, 0, 1.0], (50, 1)), colors=rng.random((50, 3)))
    few = shape.sampled(20, seed=1)
    where = [int(np.flatnonzero((shape.points == p).all(1))[0]) for p in few.points]
    assert len(set(where)) == 20 and where == sorted(where)
    np.testing.assert_array_equal(few.colors, shape.colors[where])
    assert few.n_elements == 20 and shape.sampled(50) is shape and shape.sampled(99) is shape


# ---------------------------------------------------------------------------------------------------------- invariants


def test_arrays_are_read_only_and_the_callers_stay_writable():
    vertices, faces = CORNERS.copy(), CUBE.astype(np.int32)
    polygon = np.arange(12, dtype=np.int32)
    shape = Shape.from_mesh(vertices, faces, polygon=polygon)
    for name in ("points", "normals", "vertices", "faces", "face_index", "polygon"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(shape, name)[0] = 0
    vertices[0], faces[0], polygon[0] = 0, 0, 0  # no error
    with pytest.raises(AttributeError):
        shape.name = "other"


TRIANGLE = {"vertices": np.eye(3), "faces": [[0, 1, 2]], "points": np.zeros((1, 3)), "face_index": [0]}


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"points": np.zeros((0, 3))}, "no geometry"),
        ({"points": np.zeros((2, 2))}, "points must be"),
        ({"points": np.full((2, 3), np.nan)}, "NaN"),
        ({"points": np.full((2, 3), 1e300)}, "infinite"),
        ({"points": np.zeros((2, 3)), "normals": np.zeros((1, 3))}, "2 points but 1 normals"),
        ({"points": np.zeros((2, 3)), "colors": np.zeros((2, 4))}, "colors must be"),
        ({"points": np.zeros((2, 3)), "kind": "mesh"}, "needs vertices and faces"),
        ({"points": np.zeros((2, 3)), "vertices": np.eye(3)}, "both vertices and faces"),
        (TRIANGLE | {"faces": [[0, 1, 3]]}, "vertex 3 of 3"),
        (TRIANGLE | {"faces": [[0, 1, -1]]}, "vertex -1 of 3"),
        (TRIANGLE | {"faces": [[0, 1, 2, 0]]}, "faces must be"),
        (TRIANGLE | {"faces": np.zeros((0, 3)), "points": np.zeros((0, 3)), "face_index": []}, "no geometry"),
        (TRIANGLE | {"face_index": [1]}, "face_index"),
        (TRIANGLE | {"face_index": None}, "face_index"),
        (TRIANGLE | {"polygon": [0, 1]}, "polygon"),
        (TRIANGLE | {"polygon": [-1]}, "polygon"),
    ],
)
def test_what_cannot_be_a_shape_says_why(fields, cause):
    with pytest.raises(InputError, match=cause) as caught:
        Shape(**fields)
    assert "\n" not in str(caught.value)


def test_from_mesh_refuses_indices_beyond_int32():
    with pytest.raises(InputError, match="of 8"):
        Shape.from_mesh(CORNERS, np.array([[0, 1, 2**32 + 1]]))
