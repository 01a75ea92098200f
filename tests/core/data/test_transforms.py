"""Augmentation: normals stay those of the transformed surface, sizes are as asked, the generator decides everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from partseg.data.batch import PartBatch
from partseg.data.transforms import PRESETS, Augmentation, PaperAugmentation, rotations


def sphere_triangles(b: int, n: int, seed: int) -> PartBatch:
    """Small triangles tangent to spheres round the origin: rows 3i … 3i+2 are corners, normals point outward."""
    g = torch.Generator().manual_seed(seed)
    normal = torch.nn.functional.normalize(torch.randn(b * n, 3, generator=g))
    side = torch.nn.functional.normalize(torch.linalg.cross(normal, torch.randn(b * n, 3, generator=g)))
    other = torch.linalg.cross(normal, side)
    corners = torch.stack([normal, normal + 0.2 * side, normal + 0.2 * other], 1).reshape(-1, 3)
    return PartBatch(corners, torch.arange(b + 1) * 3 * n, normal.repeat_interleave(3, 0))


wild = Augmentation(up="any", turn=math.pi, tilt=1.0, stretch=0.7, mirror=0.5)


@given(st.integers(0, 10**6))
def test_normals_stay_perpendicular_and_outward(seed):
    batch = sphere_triangles(3, 5, seed)
    out = wild(batch, torch.Generator().manual_seed(seed))
    corner, normal = out.points.view(-1, 3, 3), out.normals.view(-1, 3, 3)[:, 0]
    for k in (1, 2):
        edge = corner[:, k] - corner[:, 0]
        cos = (edge * normal).sum(1) / edge.norm(dim=1)
        torch.testing.assert_close(cos, torch.zeros_like(cos), atol=2e-5, rtol=0)
    # an ellipsoid round the origin: outward means away from it
    assert ((corner[:, 0] * normal).sum(1) > 0).all()
    torch.testing.assert_close(normal.norm(dim=1), torch.ones(len(normal)))


def test_mirrored_shapes_really_occur():
    determinants = torch.linalg.det(wild.matrices(200, torch.Generator().manual_seed(0)))
    assert 60 < (determinants < 0).sum() < 140
    plain = Augmentation(turn=math.pi, tilt=1.0)
    linear = plain.matrices(50, torch.Generator().manual_seed(0))
    torch.testing.assert_close(linear @ linear.mT, torch.eye(3).expand(50, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(linear), torch.ones(50), atol=1e-5, rtol=0)


@given(st.integers(0, 10**6))
def test_extent_and_centre(seed):
    batch = sphere_triangles(4, 6, seed)
    augmentation = Augmentation(turn=1.0, stretch=0.5, extent=1.8, extent_range=0.25)
    out = augmentation(batch, torch.Generator().manual_seed(seed))
    for i in range(4):
        low, high = out[i].points.amin(0), out[i].points.amax(0)
        assert 1.8 * 0.75 - 1e-4 <= float((high - low).max()) <= 1.8 + 1e-4
        torch.testing.assert_close(low + high, torch.zeros(3), atol=1e-5, rtol=0)


def test_the_default_changes_nothing():
    batch = sphere_triangles(2, 4, 0)
    out = Augmentation()(batch)
    torch.testing.assert_close(out.points, batch.points)
    torch.testing.assert_close(out.normals, batch.normals)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_follow_from_the_generator(name):
    batch = sphere_triangles(3, 4, 1)
    a, b, c = (PRESETS[name](batch, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(a.points, b.points) and torch.equal(a.normals, b.normals)
    assert name == "none" or not torch.equal(a.points, c.points)
    assert a.n_shapes == batch.n_shapes and a.hierarchies == ()
    assert torch.equal(a.ptr, batch.ptr) or name == "instance-fusion"  # which drops points outside the cube


def test_upright_keeps_up_up():
    linear = Augmentation(turn=math.pi, stretch=0.3, mirror=0.5).matrices(20, torch.Generator().manual_seed(0))
    up = linear[:, :, 1]
    torch.testing.assert_close(torch.nn.functional.normalize(up), torch.tensor([0.0, 1, 0]).expand(20, 3))
    tops = Augmentation(up="any").matrices(300, torch.Generator().manual_seed(0))[:, :, 1].round()
    assert len({tuple(t.tolist()) for t in tops + 0.0}) == 6


def test_each_shape_is_turned_by_its_own_matrix():
    batch = sphere_triangles(3, 4, 2)
    augmentation = Augmentation(turn=math.pi)
    out = augmentation(batch, torch.Generator().manual_seed(3))
    linear = augmentation.matrices(3, torch.Generator().manual_seed(3))
    for i in range(3):
        torch.testing.assert_close(out[i].points, batch[i].points @ linear[i].T)
    assert not torch.allclose(linear[0], linear[1])


def test_unknown_normals_stay_zero_and_empty_shapes_pass():
    batch = PartBatch(torch.randn(4, 3), torch.tensor([0, 0, 4]), torch.zeros(4, 3))
    out = PRESETS["any-up"](batch, torch.Generator().manual_seed(0))
    assert (out.normals == 0).all() and torch.isfinite(out.points).all()
    point = PartBatch(torch.ones(1, 3), torch.tensor([0, 1]))
    out = PRESETS["any-up"](point, torch.Generator().manual_seed(0))
    assert torch.isfinite(out.points).all() and out.normals is None


def test_rotations_are_scipys():
    axis = np.random.default_rng(0).normal(size=(6, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.linspace(-4, 4, 6)
    got = rotations(torch.tensor(axis), torch.tensor(angle)).numpy()
    np.testing.assert_allclose(got, Rotation.from_rotvec(axis * angle[:, None]).as_matrix(), atol=1e-6)


def test_euler_angles_are_applied_last_axis_first():
    augmentation = PaperAugmentation(angles="zxy", degrees=10)
    turns = augmentation.rotations(400, torch.Generator().manual_seed(0)).double()
    angles = Rotation.from_matrix(turns.numpy()).as_euler("ZXY", degrees=True)  # intrinsic: Rz Rx Ry
    np.testing.assert_allclose(angles, np.round(angles), atol=1e-3)
    assert angles.min() >= -10.001 and angles.max() <= 9.001
    assert len(np.unique(np.round(angles[:, 0]))) == 20


def test_the_partnet_ranges():
    augmentation = PRESETS["partnet"]
    turns = augmentation.rotations(4000, torch.Generator().manual_seed(1)).double().numpy()
    angles = Rotation.from_matrix(turns).as_euler("ZYX")
    assert np.abs(angles).max() <= 0.18 + 1e-5
    assert angles.std() == pytest.approx(0.06, abs=0.003)
    grid = torch.zeros(4000, 3)
    grid[1::2, 0] = 1.0  # pairs at distance 1: their distance afterwards is the scale, up to the noise
    batch = PartBatch(grid, torch.arange(0, 4001, 2))
    out = augmentation(batch, torch.Generator().manual_seed(2)).points.view(-1, 2, 3)
    length = (out[:, 1] - out[:, 0]).norm(dim=1)
    assert 0.8 * 0.85 < length.min() < 0.85 and 1.2 < length.max() < 1.25 * 1.15
    assert out[:, 0].abs().max() <= 1.25 * (0.1 + 0.05) * math.sqrt(3)


def test_fusion_scales_the_translation_too_and_drops_what_leaves_the_cube():
    batch = PartBatch(torch.zeros(500, 3), torch.arange(501), labels={"1": torch.arange(500)})
    out = PRESETS["instance-fusion"](batch, torch.Generator().manual_seed(0))
    assert len(out.points) == 500
    assert 0.125 < out.points.abs().max() <= 0.125 * 1.25  # beyond 0.125 only because it is scaled
    edge = PartBatch(torch.full((400, 3), 0.99), torch.arange(0, 401, 100), labels={"1": torch.arange(400)})
    out = PRESETS["instance-fusion"](edge, torch.Generator().manual_seed(0)).validate()
    assert out.n_shapes == 4 and len(out.points) == len(out.labels["1"]) < 400
    assert (out.points.abs() <= 1).all()


def test_recursive_noise_is_on_all_six_channels_and_clipped():
    batch = sphere_triangles(4, 500, 3)
    out = PRESETS["recursive-partnet"](batch, torch.Generator().manual_seed(0))
    for moved, before in ((out.points, batch.points), (out.normals, batch.normals)):
        noise = moved - before
        assert noise.abs().max() <= 0.05 + 1e-6 and noise.std() == pytest.approx(0.01, abs=5e-4)


def test_gspn_turns_about_z_and_moves_by_metres():
    augmentation = PRESETS["gspn"]
    turns = augmentation.rotations(300, torch.Generator().manual_seed(0))
    torch.testing.assert_close(turns[:, 2], torch.tensor([0.0, 0, 1]).expand(300, 3))
    batch = PartBatch(torch.zeros(3000, 3), torch.arange(3001))
    moves = augmentation(batch, torch.Generator().manual_seed(0)).points
    torch.testing.assert_close(moves.std(0), torch.ones(3), atol=0.05, rtol=0)
    torch.testing.assert_close(moves.mean(0), torch.zeros(3), atol=0.08, rtol=0)
