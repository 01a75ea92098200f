"""Every dataset that is listed can be built, and its datamodule takes what its reader takes."""

from __future__ import annotations

import inspect

import pytest
import torch

from partseg.data.datamodule import PartDataModule
from partseg.data.formats.base import Reader
from partseg.data.from_files import FilesDataModule
from partseg.data.mixture import MixedDataset, Mixture
from partseg.data.modules import Robots
from partseg.data.procedural.dataset import Procedural
from partseg.data.specs import DATASETS
from partseg.errors import PartsegError

ON_DISK = [spec for spec in DATASETS if spec.reader is not None]


@pytest.mark.parametrize("spec", DATASETS, ids=lambda spec: spec.name)
def test_every_listed_dataset_is_a_datamodule(spec):
    assert issubclass(spec.load(), PartDataModule)
    assert spec.embedded == (spec.reader is None) and (spec.embedded or spec.obtain)


@pytest.mark.parametrize("spec", ON_DISK, ids=lambda spec: spec.name)
def test_a_datamodule_passes_on_what_its_reader_takes(spec, tmp_path):
    module, reader = spec.load(), spec.load_reader()
    assert issubclass(module, FilesDataModule) and issubclass(reader, Reader) and module.name == spec.name
    assert module(root=str(tmp_path), cache=None).reader.root == tmp_path
    # the split is the datamodule's affair
    wanted = set(inspect.signature(reader).parameters) - {"split"}
    offered = set(inspect.signature(module).parameters) | set(inspect.signature(FilesDataModule).parameters)
    assert wanted <= offered


def test_a_mixture_renames_levels_finest_to_finest(test_data):
    robots = Robots(str(test_data("robots")), points=3000, cache=None, category="anybotics_anymal_c")
    robots = robots.dataset("predict")
    shapes = Procedural(train_size=50, points=512, assembled=1, fused=0, organic=0).dataset("train")
    mixed = MixedDataset([shapes, robots], [0.5, 0.5], ["coarse", "middle", "fine"], points=512, seed=3)
    items = [mixed[i] for i in range(12)]
    real = [item for item in items if item.names[0].startswith("mjcf")]
    assert 0 < len(real) < 12
    for item in items:
        assert list(item.labels) == ["coarse", "middle", "fine"] and len(item.points) == 512
        assert torch.equal(item.points, mixed[items.index(item)].points)
    assert all((item.labels["coarse"] == -1).all() and item.labels["middle"].max() > 5 for item in real)
    other = next(item for item in items if item not in real)
    assert torch.equal(other.points, shapes[items.index(other)].points)


def test_a_mixture_validates_on_its_first_source():
    first = Procedural(train_size=4, val_size=3, points=64, assembled=1, fused=0, organic=0)
    data = Mixture([first, Procedural(points=64)], [1.0, 0.0], ["coarse", "middle", "fine"], batch_size=2)
    assert [batch.n_shapes for batch in data.val_dataloader()] == [2, 1]
    assert sum(batch.n_shapes for batch in data.train_dataloader()) == 4
    for shares in ([1.0], [1.0, -1.0], [0.0, 0.0]):
        with pytest.raises(PartsegError, match="shares"):
            Mixture([first, first], shares, ["fine"])
