"""The network's parts against plain formulations, and what every configuration must keep."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from partseg_partfield.config import ModelConfig, load_config
from partseg_partfield.model import PartField
from partseg_partfield.pointvoxel import devoxelise, scatter_mean, voxel_coordinates, voxelise
from partseg_partfield.transformer import PatchConv2d
from partseg_partfield.triplane import CrossPlaneConv, plane_coordinates, project, query_planes

RUNS = ["small", "small-no-cross-plane", "small-no-hourglass", "small-no-normals", "small-sdf", "tiny"]


@pytest.fixture(scope="module")
def tiny() -> ModelConfig:
    return load_config("tiny").model


def perturbed(config: ModelConfig) -> PartField:
    torch.manual_seed(1)
    return PartField(config)


# ---- pieces ----


def test_scatter_mean_is_a_mean_per_cell():
    features, cell = torch.randn(2, 40, 3), torch.randint(0, 7, (2, 40))
    got = scatter_mean(features, cell, 9)
    for b in range(2):
        for c in range(9):
            inside = features[b][cell[b] == c]
            want = inside.mean(0) if len(inside) else torch.zeros(3)
            torch.testing.assert_close(got[b, c], want)


def test_scatter_mean_sums_in_float32():
    # In bfloat16 a running sum of ones stops at 256.
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = scatter_mean(torch.ones(1, 5000, 1, dtype=torch.bfloat16), torch.zeros(1, 5000, dtype=torch.long), 1)
    assert got.dtype == torch.float32
    assert got.item() == 1


def test_voxels_are_read_where_they_were_filled():
    resolution = 8
    lattice = -1 + 2 * torch.randint(0, resolution, (1, 30, 3)) / (resolution - 1)
    lattice = torch.unique(lattice, dim=1)
    features = torch.randn(1, lattice.shape[1], 4)
    where = voxel_coordinates(lattice, resolution, half_cell=False)
    read = devoxelise(voxelise(features, where, resolution), where, exchanged=False).transpose(1, 2)
    torch.testing.assert_close(read, features, atol=1e-4, rtol=1e-4)


def test_released_lookup_reads_the_mirrored_voxel():
    point = torch.tensor([[[0.75, 0.0, -0.75]]])
    where = voxel_coordinates(point, 8, half_cell=True)
    grid = voxelise(torch.ones(1, 1, 1), where, 8)
    assert devoxelise(grid, where, exchanged=True).item() == 0
    assert devoxelise(grid, where.flip(-1), exchanged=True).item() > 0.9


def test_plane_pixels_are_read_where_they_were_filled():
    lattice = torch.unique(-1 + 2 * torch.randint(0, 9, (1, 20, 3)) / 8, dim=1)[:, :1]
    features = torch.randn(1, 1, 5)
    planes = project(features, lattice, 9, half_cell=False)
    torch.testing.assert_close(query_planes(planes, lattice), 3 * features)
    assert (planes != 0).any(dim=2).sum() == 3


def test_plane_order_and_orientation():
    planes = project(torch.ones(1, 1, 1), torch.tensor([[[-1.0, 0.0, 1.0]]]), 3, half_cell=False)[0, :, 0]
    # xy: row y (middle), column x (first); yz: row z (last), column y (middle); xz: row z (last), column x (first)
    assert planes.nonzero().tolist() == [[0, 1, 0], [1, 2, 1], [2, 2, 0]]


def test_lookup_equals_grid_sample():
    planes, points = torch.randn(2, 3, 6, 7, 5), torch.rand(2, 200, 3) * 2.6 - 1.3
    grid = plane_coordinates(points).reshape(6, 1, 200, 2)
    want = F.grid_sample(planes.flatten(0, 1), grid, padding_mode="border", align_corners=True)
    want = want.reshape(2, 3, 6, 200).sum(1).transpose(1, 2)
    torch.testing.assert_close(query_planes(planes, points), want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("foreign", [False, True])
def test_cross_plane_conv_equals_concatenation(foreign):
    c, r = 3, 5
    conv = CrossPlaneConv(c, foreign)
    x = torch.randn(2, 3, c, r, r)
    volume_axes = ("yx", "zy", "zx")  # rows, columns of xy, yz, xz

    def profile(source: int, axis: str):
        """Mean over the other axis of a plane: (b, c, r) along `axis`."""
        return x[:, source].mean(dim=3 if volume_axes[source][0] == axis else 2)

    def lay(p, plane, along):
        return (p[:, :, None, :] if volume_axes[plane][1] == along else p[:, :, :, None]).expand(-1, -1, r, r)

    got = conv(x)
    if not foreign:
        # each plane hears, along each of its axes, the one other plane that has this axis: first along its columns
        sources = ((("x", 2), ("y", 1)), (("y", 0), ("z", 2)), (("x", 0), ("z", 1)))
        for plane, pairs in enumerate(sources):
            parts = [x[:, plane], *(lay(profile(source, axis), plane, axis) for axis, source in pairs)]
            torch.testing.assert_close(got[:, plane], conv.plane_convs[plane](torch.cat(parts, 1)))
    else:
        # the axis it lacks, from the next plane along columns and from the one after along rows; plane 2 transposed
        lacked = "zxy"
        for plane in range(3):
            nxt = profile((plane + 1) % 3, lacked[plane])[:, :, None, :].expand(-1, -1, r, r)
            after = profile((plane + 2) % 3, lacked[plane])[:, :, :, None].expand(-1, -1, r, r)
            own = x[:, plane].transpose(2, 3) if plane == 2 else x[:, plane]
            want = conv.plane_convs[plane](torch.cat([own, nxt, after], 1))
            want = want.transpose(2, 3) if plane == 2 else want
            torch.testing.assert_close(got[:, plane], want)


# ---- whole networks ----


@pytest.mark.parametrize("name", ["small", "tiny", "small-sdf"])
def test_every_parameter_gets_a_gradient(name, boxes):
    config = load_config(name).model
    model = perturbed(config)
    points, normals, _ = boxes(1, 300)
    planes = model(points, normals)
    loss = model.query(planes, points).square().sum() * model.logit_scale.sum()
    if config.sdf_channels:
        loss = loss + model.signed_distance(planes, points).square().sum()
    loss.backward()
    without = [k for k, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without


@pytest.mark.parametrize("odd", [False, True])
def test_released_trunk_gradients(odd, released, boxes):
    model = perturbed(released(odd))
    points, _, _ = boxes(1, 200)
    planes = model(points)
    loss = model.query(planes, points).square().sum() * model.logit_scale.sum()
    (loss + model.signed_distance(planes, points).square().sum()).backward()
    without = {k for k, p in model.named_parameters() if p.grad is None}
    dead = {k for k, _ in model.named_parameters() if odd and k.startswith("pvcnn.pc_encoder.encoder.1.")}
    assert without == dead


@pytest.mark.parametrize("name", RUNS)
def test_shapes(name, boxes):
    config = load_config(name).model
    model = perturbed(config).eval()
    points, normals, _ = boxes(1, 100)
    with torch.no_grad():
        planes = model(points, normals)
        part = model.planes_of(points, normals)
        features = model.query(planes, points)
    r = config.plane_resolution
    assert planes.shape == (1, 3, config.sdf_channels + config.part_channels, r, r)
    assert part.shape == (1, 3, config.part_channels, r, r)
    assert features.shape == (1, 100, config.part_channels)
    torch.testing.assert_close(model.query(part, points), features)


@pytest.mark.parametrize("kind", ["tiny", "small", "odd", "even"])
def test_order_of_points_does_not_matter(kind, released, boxes):
    config = released(kind == "odd") if kind in ("odd", "even") else load_config(kind).model
    model = perturbed(config).eval()
    points, normals, _ = boxes(1, 400)
    order = torch.randperm(400)
    with torch.no_grad():
        a, b = model(points, normals), model(points[:, order], normals[:, order])
    torch.testing.assert_close(a, b, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", ["tiny", "odd", "even"])
def test_a_batch_is_its_shapes(kind, released, boxes):
    config = released(kind == "odd") if kind in ("odd", "even") else load_config(kind).model
    model = perturbed(config)
    points, normals, _ = boxes(3, 200)
    with torch.no_grad():
        whole = model(points, normals)
        alone = torch.cat([model(points[i : i + 1], normals[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(whole, alone, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", ["tiny", "small", "odd", "even"])
def test_one_point_and_points_on_the_border(kind, released):
    config = released(kind == "odd") if kind in ("odd", "even") else load_config(kind).model
    model = perturbed(config).train()
    for points in (torch.zeros(1, 1, 3), torch.tensor([[[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0], [1.5, -2.0, 0.0]]])):
        planes = model(points)
        assert torch.isfinite(planes).all()
        assert torch.isfinite(model.query(planes, points)).all()


def test_unknown_normals_are_zeros(tiny, boxes):
    model = perturbed(tiny).eval()
    points, normals, _ = boxes(1, 100)
    with torch.no_grad():
        assert torch.equal(model(points), model(points, torch.zeros_like(normals)))
        assert not torch.allclose(model(points), model(points, normals))


def test_normals_are_ignored_where_the_config_says_so(boxes):
    model = perturbed(load_config("small-no-normals").model).eval()
    points, normals, _ = boxes(1, 100)
    with torch.no_grad():
        assert torch.equal(model(points), model(points, normals))


def test_patches_are_right_in_bfloat16_on_every_cpu():
    ours = PatchConv2d(16, 32, 4, stride=4)
    plain = torch.nn.Conv2d(16, 32, 4, stride=4)
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(6, 16, 32, 32).to(memory_format=torch.channels_last)
    assert torch.equal(ours(x), plain(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = ours(x)
    assert rough.dtype == torch.bfloat16
    assert (rough - plain(x)).norm() < 0.01 * plain(x).norm()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_stays_close(tiny, boxes, dtype):
    model = perturbed(tiny)
    points, normals, _ = boxes(2, 400)
    exact = model.query(model(points, normals), points)
    with torch.autocast("cpu", dtype=dtype):
        rough = model.query(model(points, normals), points)
    assert rough.dtype == torch.float32
    assert F.cosine_similarity(exact, rough, dim=-1).min() > 0.99
    rough.square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for k, p in model.named_parameters() if k != "logit_scale")


@pytest.mark.usefixtures("unchecked")
def test_one_graph(tiny, boxes):
    """Nothing in the network depends on data in Python: the compiler's front end sees one graph, forward and back."""
    model, reference = perturbed(tiny), perturbed(tiny)
    points, normals, _ = boxes(1, 64)
    planes = torch.compile(model, fullgraph=True, backend="aot_eager")(points, normals)
    torch.testing.assert_close(planes, reference(points, normals), atol=1e-4, rtol=1e-4)
    planes.square().mean().backward()
    reference(points, normals).square().mean().backward()
    for (name, ours), theirs in zip(model.named_parameters(), reference.parameters(), strict=True):
        if name != "logit_scale":
            torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
@pytest.mark.usefixtures("unchecked")
def test_compiled(tiny, boxes):
    config = tiny.model_copy(update={"voxel_widths": (8,), "unet_widths": (16,)})
    model = perturbed(config).eval()
    points, normals, _ = boxes(1, 64)
    with torch.no_grad():
        planes = torch.compile(model, fullgraph=True)(points, normals)
        torch.testing.assert_close(planes, model(points, normals), atol=1e-3, rtol=1e-3)


def test_paper_config_has_the_papers_sizes():
    config = load_config("paper").model
    with torch.device("meta"):
        model = PartField(config)
        planes = model.triplane_transformer.to_planes(
            torch.empty(1, 3 * 128**2, config.width), torch.empty(1, 3, 128, 512, 512)
        )
    assert planes.shape == (1, 3, 448, 512, 512)
    assert config.plane_channels == 128
    assert len(model.triplane_transformer.transformer.layers) == 6
    assert model.triplane_transformer.pos_embed.shape[1] == 3 * 128**2


def test_small_ships_within_its_size():
    with torch.device("meta"):
        model = PartField(load_config("small").model)
    count = sum(p.numel() for p in model.parameters())
    assert 1_500_000 < count < 5_000_000  # float32: at most 20 MB


def test_no_sdf_branch_says_so(tiny):
    model = PartField(tiny)
    with pytest.raises(ValueError, match="no SDF branch"):
        model.signed_distance(torch.zeros(1, 3, 32, 32, 32), torch.zeros(1, 1, 3))


def test_signed_distance_is_bounded(released):
    model = perturbed(released(False))
    planes = model(torch.rand(1, 50, 3))
    value = model.signed_distance(planes, torch.rand(1, 20, 3)).detach().numpy()
    assert value.shape == (1, 20)
    assert np.abs(value).max() <= 1
