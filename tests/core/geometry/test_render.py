"""The software renderer against ray casting, and its behaviour at the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from partseg.geometry.buffers import (
    MAX_OVERDRAW,
    buffer_normals,
    corner_normals,
    depth_normals,
    point_radius,
    rasterise,
    rasterise_points,
    within_overdraw,
)
from partseg.geometry.camera import Camera, fit_camera, frame_views, orbit_cameras, up_axes
from partseg.geometry.render import render_mesh, render_points
from partseg.geometry.shading import BACKGROUND, ambient_occlusion, light, shade

CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
_QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
CUBE_FACES = np.concatenate([_QUADS[:, [0, 1, 2]], _QUADS[:, [0, 2, 3]]]).astype(np.int32)


def sphere(rings: int = 40, segments: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Closed unit sphere of a latitude-longitude grid, with one vertex at each pole."""
    theta = np.linspace(0, np.pi, rings + 1)[1:-1]
    phi = np.arange(segments) * 2 * np.pi / segments
    t, p = np.meshgrid(theta, phi, indexing="ij")
    body = np.stack([np.sin(t) * np.cos(p), np.cos(t), np.sin(t) * np.sin(p)], -1).reshape(-1, 3)
    vertices = np.concatenate([body, [[0, 1, 0], [0, -1, 0]]])
    i, j = np.meshgrid(np.arange(rings - 2), np.arange(segments), indexing="ij")
    a, b = i * segments + j, i * segments + (j + 1) % segments
    quads = [np.stack([a, b, a + segments], -1), np.stack([b, b + segments, a + segments], -1)]
    k = np.arange(segments)
    last = (rings - 2) * segments
    caps = [
        np.stack([np.full(segments, len(body)), (k + 1) % segments, k], -1),
        np.stack([np.full(segments, len(body) + 1), last + k, last + (k + 1) % segments], -1),
    ]
    return vertices, np.concatenate([q.reshape(-1, 3) for q in quads] + caps).astype(np.int32)


def cast_rays(vertices, faces, camera, size):
    """Nearest hit of every pixel ray (Moller & Trumbore 1997), every ray against every face.

    Returns face, depth, weights, and whether the answer is clear (no edge and no second surface very near).
    """
    origin, direction = (a.reshape(-1, 1, 3) for a in camera.rays(size))
    a, b, c = (vertices[faces[:, i]][None] for i in range(3))
    p = np.cross(direction, c - a)
    det = ((b - a) * p).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        s = origin - a
        u = (s * p).sum(-1) / det
        q = np.cross(s, b - a)
        v = (direction * q).sum(-1) / det
        t = ((c - a) * q).sum(-1) / det
        slack = np.minimum(np.minimum(u, v), 1 - u - v)
        hit = (slack >= 0) & (t >= camera.near_depth)
        edge = (np.abs(slack) < 1e-6) | (np.abs(t - camera.near_depth) < 1e-6)
    t = np.where(hit, t, np.inf)
    face = t.argmin(axis=1)
    rows = np.arange(len(face))
    depth = t[rows, face]
    second = np.sort(t, axis=1)[:, 1] if t.shape[1] > 1 else np.full(len(t), np.inf)
    with np.errstate(invalid="ignore"):
        clear = ~edge.any(axis=1) & ((second - depth > 1e-5) | ~np.isfinite(depth))
    found = np.isfinite(depth)
    u, v = (np.where(found, x[rows, face], 0) for x in (u, v))
    w = np.stack([1 - u - v, u, v], -1)
    return (
        np.where(found, face, -1).reshape(size),
        depth.reshape(size),
        np.where(found[:, None], w, 0).reshape(*size, 3),
        clear.reshape(size),
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), perspective=st.booleans(), inside=st.booleans())
def test_agrees_with_ray_casting(seed, perspective, inside):
    """Random soups; with ``inside`` the camera stands among the triangles, so that many reach behind it."""
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(24, 3))
    faces = rng.integers(0, 24, size=(30, 3)).astype(np.int32)  # some are degenerate
    faces = faces[np.unique(np.sort(faces, axis=1), axis=0, return_index=True)[1]]  # none lies on another
    eye = rng.normal(size=3) * (0.3 if inside else 4.0) + 0.01
    camera = Camera(eye, rng.normal(size=3) * 0.2, rng.normal(size=3), 50.0 if perspective else None, 3.0, near=0.05)
    size = (23, 31)
    face, depth, weights, clear = cast_rays(vertices, faces, camera, size)
    seen = rasterise(vertices, faces, camera, size)
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(seen.face_id[clear], face[clear])
    np.testing.assert_allclose(seen.depth[clear], depth[clear], rtol=1e-5)
    np.testing.assert_allclose(seen.barycentric[clear], weights[clear], atol=1e-4)
    normals = buffer_normals(seen, vertices, faces)
    hit = clear & (face >= 0)
    if hit.any():
        a, b, c = (vertices[faces[face[hit], i]] for i in range(3))
        expected = np.cross(b - a, c - a) @ camera.axes.T
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        _, direction = camera.rays(size)
        expected *= -np.sign(((direction @ camera.axes.T)[hit] * expected).sum(1, keepdims=True))
        np.testing.assert_allclose(normals[hit], expected, atol=1e-4)


@pytest.mark.parametrize("fov", [30.0, None])
def test_surfaces_have_no_pinholes(fov):
    vertices, faces = sphere()
    vertices = vertices + 1e-3 * np.sin(57 * vertices[:, ::-1])  # no symmetric, easy coordinates
    for camera in orbit_cameras(vertices, 3, (0.0, 37.0), fov=fov):
        seen = rasterise(vertices, faces, camera, (200, 200)).face_id >= 0
        first, last = seen.argmax(axis=1), 199 - seen[:, ::-1].argmax(axis=1)
        for row in np.flatnonzero(seen.any(axis=1)):
            assert seen[row, first[row] : last[row] + 1].all()


def test_edges_through_pixel_centres_are_covered():
    # All corners lie on pixel centres, and so does the shared diagonal.
    vertices = np.array([[-2.5, -2.5, 0], [2.5, -2.5, 0], [2.5, 2.5, 0], [-2.5, 2.5, 0]])
    camera = Camera((0, 0, 5), fov=None, extent=8.0)
    seen = rasterise(vertices, [[0, 1, 2], [2, 3, 0]], camera, (8, 8))
    expected = np.zeros((8, 8), bool)
    expected[1:7, 1:7] = True
    np.testing.assert_array_equal(seen.face_id >= 0, expected)


def test_sphere_depth_and_smooth_normals():
    vertices, faces = sphere()
    camera = Camera((0, 0, 10), fov=None, extent=2.2)
    seen = rasterise(vertices, faces, camera, (110, 110))
    normals = buffer_normals(seen, vertices, faces, corner_normals(vertices, faces))
    origin, _ = camera.rays((110, 110))
    x, y = origin[..., 0], origin[..., 1]
    inner = x * x + y * y < 0.9
    z = np.sqrt(1 - (x * x + y * y)[inner])
    np.testing.assert_allclose(seen.depth[inner], 10 - z, atol=5e-3)
    np.testing.assert_allclose(normals[inner], np.stack([x[inner], y[inner], z], -1), atol=0.02)
    np.testing.assert_allclose(depth_normals(seen)[inner], np.stack([x[inner], y[inner], z], -1), atol=0.12)


def test_winding_does_not_matter():
    vertices, faces = sphere(12, 20)
    rng = np.random.default_rng(0)
    flipped = np.where((rng.random(len(faces)) < 0.5)[:, None], faces[:, ::-1], faces)
    camera = fit_camera(vertices)
    one, other = (rasterise(vertices, f, camera, (64, 64)) for f in (faces, flipped))
    np.testing.assert_array_equal(one.face_id, other.face_id)
    a, b = buffer_normals(one, vertices, faces), buffer_normals(other, vertices, flipped)
    np.testing.assert_allclose(a, b, atol=1e-6)
    a = buffer_normals(one, vertices, faces, corner_normals(vertices, faces))
    b = buffer_normals(other, vertices, flipped, corner_normals(vertices, flipped))
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_creases_stay_sharp_and_soups_are_smooth():
    camera = fit_camera(CUBE)
    seen = rasterise(CUBE, CUBE_FACES, camera, (64, 64))
    flat = buffer_normals(seen, CUBE, CUBE_FACES)
    np.testing.assert_allclose(
        buffer_normals(seen, CUBE, CUBE_FACES, corner_normals(CUBE, CUBE_FACES)), flat, atol=1e-6
    )
    vertices, faces = sphere(12, 20)
    soup = vertices[faces].reshape(-1, 3)
    np.testing.assert_allclose(
        corner_normals(soup, np.arange(len(soup)).reshape(-1, 3)),
        corner_normals(vertices, faces),
        atol=1e-5,
    )


def test_equal_depth_goes_to_the_lower_face():
    vertices = np.array([[-1, -1, 0], [1, -1, 0], [0, 1, 0]], float)
    seen = rasterise(vertices, [[0, 1, 2], [2, 1, 0], [1, 2, 0]], Camera((0, 0, 3)), (32, 32))
    assert set(np.unique(seen.face_id)) == {-1, 0}


def test_degenerate_input():
    camera = Camera((0, 0, 3))
    empty = rasterise(np.zeros((0, 3)), np.zeros((0, 3), int), camera, (5, 7))
    assert empty.face_id.shape == (5, 7)
    assert (empty.face_id == -1).all()
    assert np.isinf(empty.depth).all()
    assert (render_mesh(np.zeros((0, 3)), np.zeros((0, 3), int), camera, (5, 7)) == BACKGROUND).all()
    assert (render_points(np.zeros((0, 3)), camera, (5, 7)) == BACKGROUND).all()
    vertices = np.array([[-1, -1, 0], [1, -1, 0], [0, 1, 0], [np.nan, 0, 0], [0, 0, 9], [1, 0, 9], [0, 1, 9]])
    faces = [[0, 0, 1], [0, 1, 3], [4, 5, 6], [0, 1, 2]]  # a line, a broken one, one behind the camera, a proper one
    seen = rasterise(vertices, faces, camera, (16, 16))
    assert set(np.unique(seen.face_id)) == {-1, 3}
    with pytest.raises(ValueError, match="vertex outside"):
        rasterise(vertices, [[0, 1, 7]], camera)
    with pytest.raises(ValueError, match="vertex outside"):
        rasterise(vertices, [[0, 1, -1]], camera)
    with pytest.raises(ValueError, match="at least 1"):
        rasterise(vertices, faces, camera, (0, 5))
    for bad in ({"eye": (0, 0, 0)}, {"eye": (0, 0, np.nan)}, {"eye": (0, 0, 1), "fov": 180.0}):
        with pytest.raises(ValueError, match="camera"):
            Camera(**bad)


def test_points_hide_each_other_and_form_a_surface():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(8000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    camera = Camera((0, 0, 10), fov=None, extent=2.4)
    seen = rasterise_points(points, camera, (120, 120))
    origin, _ = camera.rays((120, 120))
    x, y = origin[..., 0], origin[..., 1]
    inner = x * x + y * y < 0.8
    assert (seen.face_id[inner] >= 0).all()
    assert (points[seen.face_id[inner], 2] > 0).mean() > 0.998  # hardly a gap to see the far side through
    z = np.sqrt(1 - (x * x + y * y)[inner])
    assert np.quantile(np.abs(seen.depth[inner] - (10 - z)), 0.99) < 0.04
    cosine = (depth_normals(seen)[inner] * np.stack([x[inner], y[inner], z], -1)).sum(-1)
    assert np.median(cosine) > 0.97
    assert np.quantile(cosine, 0.01) > 0.8
    near, far = Camera((0, 0, 3)), np.array([[0, 0, -1.0], [0, 0, 1.0], [0, 0, 9.0], [np.nan, 0, 0]])
    assert set(np.unique(rasterise_points(far, near, (33, 33), 0.2).face_id)) == {-1, 1}


def test_work_is_bounded_however_often_the_picture_is_covered():
    camera, size = Camera((0, 0, 3)), (64, 64)
    vertices = np.array([[-9, -9, 0], [9, -9, 0], [0, 9, 0], [-0.1, -0.1, 1], [0.1, -0.1, 1], [0, 0.1, 1]], float)
    faces = np.array([[0, 1, 2]] * 4000 + [[3, 4, 5]], np.int32)
    drawn = within_overdraw(vertices, faces, camera, size)
    kept = (drawn != 0).any(1)
    assert MAX_OVERDRAW < kept.sum() < 4 * MAX_OVERDRAW  # a large triangle covers about half of the box it is cut to
    assert kept[:100].all()
    assert kept[-1]
    assert set(np.unique(rasterise(vertices, drawn, camera, size).face_id)) == {0, 4000}
    assert within_overdraw(vertices, faces[-1000:], camera, size)[-1].tolist() == [3, 4, 5]
    small = np.tile(np.array([[3, 4, 5]], np.int32), (4000, 1))  # many, but small: nothing is left out
    assert within_overdraw(vertices, small, camera, size) is small

    one = np.zeros((1, 3))
    alone, crowd = (rasterise_points(np.repeat(one, n, 0), camera, size, 1.0).face_id for n in (1, 4000))
    assert 0 < (crowd == 0).sum() < (alone == 0).sum() / 4


def test_point_radius_follows_the_spacing():
    rng = np.random.default_rng(0)
    few, many = (point_radius(np.c_[rng.random((n, 2)), np.zeros(n)]) for n in (20000, 180000))
    assert 2.8 < few / many < 3.2  # 9 times as many points are 3 times as close
    assert point_radius(np.zeros((0, 3))) == point_radius(np.zeros((9, 3))) == 1.0


@settings(max_examples=60, deadline=None)
@example(seed=893, azimuth=0.0, elevation=0.0, up="-y", fov=60.0, aspect=1.0)
@given(
    seed=st.integers(0, 10**6),
    azimuth=st.floats(-400, 400),
    elevation=st.floats(-90, 90),
    up=st.sampled_from(["x", "y", "z", "-x", "-y", "-z"]),
    fov=st.sampled_from([None, 10.0, 60.0]),
    aspect=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_fitted_cameras_show_everything_tightly(seed, azimuth, elevation, up, fov, aspect):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(30, 3)) * rng.uniform(0.1, 10, 3) + rng.normal(size=3) * 20
    camera = fit_camera(points, azimuth, elevation, up=up, fov=fov, aspect=aspect, margin=1.0)
    pixel = camera.project(points, (100, int(100 * aspect)))
    assert (pixel[:, 2] > camera.near_depth).all()
    low, high = pixel[:, :2].min(0), pixel[:, :2].max(0)
    assert (low > -1e-6).all()
    assert high[0] < 100 * aspect + 1e-6
    assert high[1] < 100 + 1e-6
    at_the_eye = pixel[:, 2].min() < 2e-3 * np.ptp(points, axis=0).max()  # a deep shape: no nearer without passing it
    assert at_the_eye or max((high[0] - low[0]) / aspect, high[1] - low[1]) > 99.99


def test_views_have_their_names():
    for up, front in (("y", (0, 0, 1)), ("z", (0, -1, 0))):
        axes = up_axes(up)
        np.testing.assert_allclose(axes[0], (1, 0, 0), atol=1e-12)
        np.testing.assert_allclose(axes[2], front, atol=1e-12)
        np.testing.assert_allclose(np.cross(axes[0], axes[1]), axes[2], atol=1e-12)
    six = orbit_cameras(CUBE, 4, (0.0,), poles=True)
    backs = np.array([camera.axes[2] for camera in six])
    np.testing.assert_allclose(backs, [[0, 0, 1], [1, 0, 0], [0, 0, -1], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], atol=1e-12)
    np.testing.assert_allclose(six[4].axes[1], (0, 0, -1), atol=1e-12)  # from above the front is at the bottom
    with pytest.raises(ValueError, match="up axis"):
        up_axes("w")


def test_framed_views_share_one_scale():
    vertices, _ = sphere(12, 20)
    vertices = vertices * (1, 2, 3)
    cameras, sizes = frame_views(vertices, [(0, 0), (90, 0), (20, 90)], width=900, height=400)
    assert sum(width for _, width in sizes) <= 900
    assert max(height for height, _ in sizes) <= 400
    for camera, size in zip(cameras, sizes, strict=True):
        pixel = camera.project(vertices, size)[:, :2]
        assert (pixel > 0).all()
        assert (pixel < size[::-1]).all()
        assert (np.ptp(pixel, axis=0) > np.array(size[::-1]) * 0.9).all()
    focal = [camera.focal(size[0]) for camera, size in zip(cameras, sizes, strict=True)]
    np.testing.assert_allclose(focal, focal[0], rtol=1e-9)


def test_light_and_lines():
    vertices, faces = sphere()
    camera = fit_camera(vertices, 0, 0)
    seen = rasterise(vertices, faces, camera, (100, 100))
    normals = buffer_normals(seen, vertices, faces)
    lit = light(seen, normals)
    assert ((lit.gain > 0) == (seen.face_id >= 0)).all()
    assert lit.gain.max() < 1.1
    assert lit.gain[25, 40] > lit.gain[80, 60]  # the light comes from above left
    labels = (vertices[faces].mean(axis=1)[:, 0] > 0).astype(int)
    white = np.full((len(faces), 3), 255, np.uint8)
    plain, lined = (shade(seen, white, lit, labels=x).astype(int).sum(-1) for x in (None, labels))
    changed = np.flatnonzero((plain != lined).any(axis=0))
    assert len(changed)
    assert (np.abs(changed - 49.5) < 5).all()
    assert (lined <= plain).all()
    clean = shade(seen, white, lit, labels=labels, lines=0.0).astype(int).sum(-1)
    assert (clean >= plain).all()
    assert (clean[seen.face_id < 0] == sum(BACKGROUND)).all()
    with pytest.raises(ValueError, match="divide"):
        shade(seen, white, lit, supersample=3)


def test_occlusion_darkens_corners_not_planes():
    floor = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], float)
    wall = np.array([[-1, 0, -1], [1, 0, -1], [1, 1.5, -1], [-1, 1.5, -1]], float)
    quad = np.array([[0, 1, 2], [0, 2, 3]])
    camera = Camera((0, 3, 4), (0, 0.3, 0))
    for vertices, faces, low, high in ((floor, quad, 0, 0.01), (np.r_[floor, wall], np.r_[quad, quad + 4], 0.05, 1)):
        seen = rasterise(vertices, faces, camera, (120, 120))
        dark = ambient_occlusion(seen, buffer_normals(seen, vertices, faces), 0.3)
        x, y, _ = camera.project(np.array([[0, 0, -0.95]]), (120, 120))[0]
        assert low <= dark[int(y), int(x)] <= high
        x, y, _ = camera.project(np.array([[0, 0, 0.3]]), (120, 120))[0]
        assert dark[int(y), int(x)] < 0.02


def test_images_are_the_same_every_time():
    vertices, faces = sphere(12, 20)
    colors = np.random.default_rng(0).integers(0, 256, (len(faces), 3), dtype=np.uint8)
    camera = fit_camera(vertices)
    images = [render_mesh(vertices, faces, camera, (48, 64), colors=colors) for _ in range(2)]
    assert images[0].shape == (48, 64, 3)
    assert images[0].dtype == np.uint8
    np.testing.assert_array_equal(*images)
    images = [render_points(vertices, camera, (48, 64)) for _ in range(2)]
    np.testing.assert_array_equal(*images)
    assert (images[0] != BACKGROUND).any()
