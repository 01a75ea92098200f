"""Shared by the tests of recursive PartNet: the release's reproducible weights, small networks, small trees."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
import torch

from partseg_recursive_partnet.config import LayersConfig, NetworkConfig, PointNet2Config, SetLevelConfig
from partseg_recursive_partnet.model import RecursivePartNet
from partseg_recursive_partnet.release import convert_state

FOLDER = "recursive_partnet_parity"


@pytest.fixture(autouse=True)
def _one_thread_and_a_seed():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def by_rule(key: str, shape: list[int], seed: int = 20) -> torch.Tensor:
    """A tensor of the reference's weights, which follow from name, shape and seed."""
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    z = np.random.Generator(np.random.PCG64([zlib.crc32(key.encode()), seed])).standard_normal(shape)
    if key.endswith("running_mean"):
        z = z / 10
    elif key.endswith("running_var"):
        z = 1 + np.abs(z) / 10
    elif len(shape) >= 2:
        z = z * np.sqrt(2 / np.prod(shape[1:]))
    else:
        z = (1 + z / 10) if key.endswith("weight") else z / 10
    return torch.from_numpy(np.asarray(z, np.float32).reshape(shape))


@pytest.fixture(scope="session")
def released_state(test_data) -> dict[str, torch.Tensor]:
    """The reference's weights by the authors' names (weight set "rule")."""
    rows = json.loads((test_data(FOLDER) / "state_dict.json").read_text())["state_dict"]
    return {row["key"]: by_rule(row["key"], row["shape"]) for row in rows}


@pytest.fixture(scope="session")
def released_models(test_data, released_state) -> dict[str, RecursivePartNet]:
    """The `release` network with both weight sets."""
    with np.load(test_data(FOLDER) / "heads.npz") as file:
        fitted = released_state | {key: torch.from_numpy(file[key]) for key in file.files}
    models = {}
    for name, state in (("rule", released_state), ("fitted", fitted)):
        models[name] = RecursivePartNet().eval()
        models[name].load_state_dict(convert_state(state))
    return models


def small_network(**changes) -> NetworkConfig:
    """A network of the release's structure, at a size for tests."""
    sizes = {
        "encoder": LayersConfig(widths=(16, 24)),
        "points": PointNet2Config(
            levels=(
                SetLevelConfig(centres=32, radius=0.3, neighbours=8, widths=(16,)),
                SetLevelConfig(widths=(24,)),
            ),
            up=((24,), (16,)),
        ),
        "labeller": LayersConfig(widths=(24, 16), norm=False),
        "hidden": 24,
    }
    return NetworkConfig(**(sizes | changes))
