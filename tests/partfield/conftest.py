"""Shared by the PartField tests: small configurations, shapes made of boxes, the reproducible released weights."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch

from partseg_partfield.config import ModelConfig, PointBlock
from partseg_partfield.model import PartField


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def released_config(odd: bool, **changes) -> ModelConfig:
    """The released trunk with its structure (levels, blocks, branches) at a size for tests."""
    sizes = {
        "trunk": "released",
        "official_oddities": odd,
        "normals": False,
        "point_blocks": (PointBlock(channels=32, resolution=8), PointBlock(channels=32, resolution=4)),
        "plane_resolution": 16,
        "unet_widths": (32, 64),
        "width": 32,
        "layers": 1,
        "heads": 4,
        "token_resolution": 4,
        "part_channels": 24,
        "sdf_channels": 8,
    }
    return ModelConfig(**(sizes | changes))


@pytest.fixture
def released():
    return released_config


@pytest.fixture
def boxes():
    """Points with normals on axis-aligned boxes; the box is the part, half of the boxes the coarser part."""

    def make(b: int = 2, n: int = 512, parts: int = 4, seed: int = 0):
        g = torch.Generator().manual_seed(seed)
        centre = torch.rand(b, parts, 3, generator=g) * 1.2 - 0.6
        size = torch.rand(b, parts, 3, generator=g) * 0.2 + 0.05
        part = torch.randint(0, parts, (b, n), generator=g)
        u = torch.rand(b, n, 3, generator=g) * 2 - 1
        axis = torch.randint(0, 3, (b, n, 1), generator=g)
        sign = torch.where(u.gather(2, axis) < 0, -1.0, 1.0)
        u = u.scatter(2, axis, sign)
        normals = torch.zeros(b, n, 3).scatter(2, axis, sign)
        of = part[..., None].expand(-1, -1, 3)
        points = (centre.gather(1, of) + u * size.gather(1, of)).clamp(-0.95, 0.95)
        return points, normals, torch.stack([part // 2, part], dim=1)

    return make


def reproducible_weights(model: PartField) -> dict[str, torch.Tensor]:
    """Weights that follow from each tensor's name and shape alone (the rule of the parity reference)."""
    state = {}
    for key, tensor in model.state_dict().items():
        shape = tuple(tensor.shape)
        z = np.random.Generator(np.random.PCG64([zlib.crc32(key.encode()), 0])).standard_normal(shape)
        if key == "logit_scale":
            value = np.ones(shape)
        elif key.endswith("pos_embed"):
            value = z / 32
        elif len(shape) >= 2:
            value = z * np.sqrt(2 / np.prod(shape[1:]))
        elif key.endswith("weight"):
            value = 1 + z / 10
        else:
            value = z / 10
        state[key] = torch.from_numpy(value.astype(np.float32))
    return state


@pytest.fixture(scope="session")
def official_weights() -> dict[str, torch.Tensor]:
    from partseg_partfield.config import load_config

    with torch.device("meta"):
        model = PartField(load_config("official").model)
    return reproducible_weights(model)
