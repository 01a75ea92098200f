"""Pieces of geometry against closed forms and an independent mesh library."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from partseg.data.procedural import curves as c
from partseg.data.procedural import plates as q
from partseg.data.procedural import primitives as p


def solid(mesh: p.Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.floats(0.2, 3)] * 3), st.floats(0, 0.09), st.integers(1, 4))
def test_box(size: tuple[float, float, float], bevel: float, corner: int) -> None:
    mesh = solid(p.box(size, (1, 2, 3), bevel, corner))
    assert mesh.is_watertight and mesh.is_winding_consistent
    np.testing.assert_allclose(mesh.bounds.mean(0), (1, 2, 3), atol=1e-9)
    np.testing.assert_allclose(mesh.extents, size, rtol=1e-9)
    full = np.prod(size)
    assert 0 < mesh.volume <= full + 1e-9
    if bevel == 0:
        assert np.isclose(mesh.volume, full)


def test_round_pieces_approach_their_volumes() -> None:
    assert np.isclose(solid(p.ellipsoid((1, 2, 3), sides=96, rows=64)).volume, 4 / 3 * np.pi * 6, rtol=5e-3)
    assert np.isclose(
        solid(p.cylinder((0, 0, 0), (1, 1, 1), 0.5, sides=96)).volume, np.pi * 0.25 * np.sqrt(3), rtol=5e-3
    )
    assert np.isclose(solid(p.torus((1, 0, 0), (1, 1, 0), 2, 0.5, 64, 128)).volume, 2 * np.pi**2 * 2 * 0.25, rtol=5e-3)
    cone = solid(p.lathe([[0, 0], [1, 0], [0, 3]], 96))
    assert np.isclose(cone.volume, np.pi, rtol=5e-3)
    ring = solid(p.lathe([[1, 0], [2, 0], [2, 1], [1, 1]], 96, loop=True))
    assert np.isclose(ring.volume, np.pi * 3, rtol=5e-3)
    for mesh in (cone, ring, solid(p.slab((2, 0.2, 1), radius=0.2)), solid(p.prism(c.circle(7), 0, 2, 0.1, 0.5))):
        assert mesh.is_watertight and mesh.volume > 0


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("round_ends", [False, True])
def test_sweeps_are_closed_and_outward(loop: bool, round_ends: bool) -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        if loop:
            path = np.stack([3 * c.circle(24)[:, 0], 0.5 * c.circle(24)[:, 1] ** 2, 2 * c.circle(24)[:, 1]], 1)
        else:
            path = c.bspline(np.cumsum(rng.normal(size=(5, 3)) + (2, 0, 0), 0), 30)
        mesh = solid(p.sweep(path, 0.1, sides=9, loop=loop, round_ends=round_ends))
        assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0
        length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
        assert 0.6 * np.pi * 0.01 * length < mesh.volume < 1.6 * np.pi * 0.01 * length


def test_sweep_follows_up() -> None:
    mesh = p.bar((0, 0, 0), (0, 0, 5), 2.0, 0.5, up=(0, 1, 0))
    np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0), (2.0, 0.5, 5.0))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 9), st.integers(2, 30), st.integers(0, 10_000))
def test_bspline_equals_scipy(controls: int, n: int, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(controls, 3))
    degree = min(3, controls - 1)
    knots = np.concatenate([np.zeros(degree), np.linspace(0, 1, controls - degree + 1), np.ones(degree)])
    wanted = BSpline(knots, points, degree)(np.linspace(0, 1, n))
    np.testing.assert_allclose(c.bspline(points, n), wanted, atol=1e-6)


def test_catmull_rom_meets_its_points() -> None:
    points = np.random.default_rng(0).normal(size=(6, 2))
    np.testing.assert_allclose(c.catmull_rom(points, 26)[::5], points, atol=1e-9)


def test_lathe_groups_follow_the_profile() -> None:
    profile = np.array([[0, 0], [1, 0], [1, 1], [0.5, 2], [0, 2]])
    mesh, groups = p.lathe(profile, 10), p.lathe_groups(profile, 10, [0, 1, 2, 3])
    height = mesh.vertices[mesh.faces][:, :, 1]
    assert (height[groups == 0] == 0).all() and (height[groups == 3] == 2).all()
    assert height[groups == 1].max() == 1 and height[groups == 2].min() == 1
    with pytest.raises(ValueError, match="stretches"):
        p.lathe_groups(profile, 10, [0, 1])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 6), st.floats(0.02, 0.12), st.floats(0.0, 0.05))
def test_plates_with_holes(holes: int, radius: float, bevel: float) -> None:
    outline = c.rounded_rectangle(2, 1, 0.3, 6, 6)
    loops = [c.circle(18) * radius + (-0.75 + 0.3 * i, 0.1) for i in range(holes)]
    mesh, groups = q.extrude(outline, loops, 0.4, bevel)
    body = solid(mesh)
    assert body.is_watertight and body.is_winding_consistent
    assert body.euler_number == 2 - 2 * holes  # every hole goes through
    area = q._area(outline) - sum(q._area(h) for h in loops)
    assert body.volume <= 0.4 * area + 1e-9
    if bevel == 0:
        assert np.isclose(body.volume, 0.4 * area)
    normal = body.face_normals
    assert (normal[groups == 0][:, 1] < -0.99).all() and (normal[groups == 1][:, 1] > 0.99).all()
    assert set(groups.tolist()) == set(range(3 + holes))
    for i in range(holes):  # walls of holes face their axis
        wall = groups == 3 + i
        middle = np.array([loops[i].mean(0)[0], 0.2, -loops[i].mean(0)[1]])
        assert ((middle - body.triangles_center[wall]) * normal[wall]).sum(1).min() > 0


def test_crossing_holes_are_refused() -> None:
    with pytest.raises(ValueError, match="cross"):
        q.extrude(c.rounded_rectangle(2, 1), [c.circle(12) * 0.6], 1.0)


def test_outward_turns_faces() -> None:
    mesh = p.box((1, 1, 1), (5, 5, 5))
    turned = p.Mesh(mesh.vertices, mesh.faces[:, ::-1]).outward()
    assert solid(turned).volume > 0.99
