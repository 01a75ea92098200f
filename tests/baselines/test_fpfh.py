"""FPFH clicks: descriptors against the definition in numpy, every kind of shape, clicks, a missing Open3D."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.clicks import start_clicks
from partseg.testing.contract import mesh_of_two_boxes
from partseg_baselines.fpfh import FpfhClicks, fpfh

open3d = pytest.mark.skipif(
    find_spec("open3d") is None, reason="the extra open3d is not installed"
)


def histograms(points: np.ndarray, normals: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Simplified descriptors of all points, (n, 33): the angles of each pair in its Darboux frame, counted in percent.

    Rusu et al. 2009, section II: the frame stands on the point of the pair whose normal is nearer to the line of both.
    `near` (n, n) says who is whose neighbour.
    """
    line = points[None] - points[:, None]
    length = np.linalg.norm(line, axis=2)
    line = line / np.where(length > 0, length, 1)[..., None]
    own, other = (np.einsum("ijk,ijk->ij", np.broadcast_to(n, line.shape), line) for n in (normals[:, None], normals))
    turned = (np.abs(own) < np.abs(other))[..., None]
    u = np.where(turned, normals[None], normals[:, None])
    target = np.where(turned, normals[:, None], normals[None])
    line = np.where(turned, -line, line)
    v = np.cross(line, u)
    across = np.linalg.norm(v, axis=2, keepdims=True)
    v /= np.where(across > 0, across, 1)
    w = np.cross(u, v)
    dot = lambda a, b: np.einsum("ijk,ijk->ij", a, b)  # noqa: E731
    angles = np.arctan2(dot(w, target), dot(u, target)) / np.pi, dot(v, target), dot(u, line)
    out = np.zeros((len(points), 3, 11))
    for i, row in enumerate(near):
        for block, angle in enumerate(angles):
            out[i, block] = np.histogram(np.clip(angle[i, row], -1, 1), 11, (-1, 1))[0] * 100 / max(row.sum(), 1)
    return out


def literal(points: np.ndarray, normals: np.ndarray, radius: float, neighbours: int) -> np.ndarray:
    """The whole descriptor: one's own histograms and those of the neighbours, weighted by 1 / squared distance."""
    apart = cdist(points, points)
    np.fill_diagonal(apart, np.inf)
    rank = apart.argsort(1).argsort(1)
    near = (apart < radius) & (rank < neighbours)
    own = histograms(points, normals, near)
    around = np.einsum("ij,jbk->ibk", near / apart**2, own)
    total = around.sum(2, keepdims=True)
    return (own + 100 * around / np.where(total > 0, total, 1)).reshape(-1, 33)


def ball(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points near a sphere, and unit vectors near its normals."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    normals = direction + rng.normal(size=(n, 3)) * 0.2
    return direction * rng.uniform(0.9, 1, (n, 1)), normals / np.linalg.norm(normals, axis=1, keepdims=True)


@open3d
@pytest.mark.parametrize(("radius", "neighbours"), [(0.5, 1000), (10.0, 12), (0.4, 8)])
def test_descriptors_are_those_of_the_definition(radius: float, neighbours: int) -> None:
    points, normals = ball(150)
    got = fpfh(points, normals, radius, neighbours)
    assert got.dtype == np.float32 and got.shape == (150, 33)
    np.testing.assert_allclose(got, literal(points, normals, radius, neighbours), atol=1e-3)


@open3d
def test_turning_a_cloud_changes_nothing() -> None:
    points, normals = ball(200, seed=1)
    turn = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(
        fpfh(points @ turn.T + 2, normals @ turn.T, 0.5, 50), fpfh(points, normals, 0.5, 50), atol=1e-3
    )


@open3d
def test_a_triangle_has_the_mean_of_its_points() -> None:
    method, shape = FpfhClicks(points=3000, seed=4), mesh_of_two_boxes()
    sample = shape.normalized().sampled(3000, 4)
    each = fpfh(sample.points, sample.normals, method.radius, method.neighbours)
    expected = [each[sample.face_index == face].mean(0) for face in range(shape.n_elements)]
    np.testing.assert_allclose(method.embed(shape), expected, rtol=1e-4)
    # few points leave triangles without any: they have the nearest point's
    assert np.isfinite(FpfhClicks(points=5).embed(shape)).all()


@open3d
def test_clouds_of_any_size() -> None:
    points, normals = ball(500)
    bare = Shape.from_points(points)
    thinned = FpfhClicks(points=300).embed(bare)
    assert thinned.shape == (500, 33) and len(np.unique(thinned, axis=0)) <= 300
    named = Shape.from_points(points, normals=normals.astype(np.float32))
    seen = named.normalized()
    np.testing.assert_array_equal(FpfhClicks().embed(named), fpfh(seen.points, seen.normals, 0.15, 100))
    for n in (1, 2, 3):
        assert FpfhClicks().embed(Shape.from_points(points[:n])).shape == (n, 33)
    assert not FpfhClicks().embed(Shape.from_points(np.zeros((1, 3)))).any()
    assert np.isfinite(FpfhClicks().embed(Shape.from_points(np.zeros((40, 3))))).all()


@open3d
def test_a_click_finds_what_is_shaped_alike() -> None:
    """On a plate under a thin rod: the click on the plate takes of it, not of the rod."""
    rng = np.random.default_rng(0)
    plate = np.concatenate([rng.uniform(-1, 1, (3000, 2)), np.zeros((3000, 1))], axis=1)
    angle = rng.uniform(0, 2 * np.pi, 1000)
    rod = np.stack([0.05 * np.cos(angle), 0.05 * np.sin(angle), rng.uniform(0.2, 1.5, 1000)], axis=1)
    up, out = np.tile([0.0, 0, 1], (3000, 1)), np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    shape = Shape.from_points(np.concatenate([plate, rod]), normals=np.concatenate([up, out]).astype(np.float32))
    session = start_clicks(FpfhClicks(), shape)
    mask = session.add_click(int(np.abs(plate - [0.5, 0.5, 0]).sum(1).argmin()))
    assert mask[:3000].mean() > 0.9 and not mask[3000:].any()


def test_a_missing_open3d_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)  # as if it were not there
    with pytest.raises(PartsegError, match=r"needs Open3D .*pip install 'partseg-baselines\[open3d\]'") as caught:
        FpfhClicks().embed(mesh_of_two_boxes())
    assert "\n" not in str(caught.value)


def test_bad_settings_are_refused() -> None:
    for bad in ({"radius": 0.0}, {"neighbours": 0}, {"points": 0}):
        with pytest.raises(ValueError, match="expected radius > 0"):
            FpfhClicks(**bad)
