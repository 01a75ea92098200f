"""Names on the command line of fit and its kin become what Lightning's CLI understands."""

from __future__ import annotations

import json

import pydantic
import pytest

from partseg.cli import train
from partseg.cli.data_names import class_name, find_dataset
from partseg.data.specs import DATASETS
from partseg.errors import PartsegError, UnknownNameError
from partseg.methods import registry
from partseg.methods.registry import IncompatibleError
from partseg.spec import DatasetSpec, MethodSpec

METHOD = MethodSpec(
    name="toy",
    summary="a toy",
    method="toy.module:Toy",
    license="MIT",
    capabilities=(),
    needs=("color",),
    configs={"tiny": "toy:tiny.yaml"},
    training={"tiny": {"max_steps": 5}},
    augmentation="none",
)


class ToyConfig(pydantic.BaseModel):
    name: str
    rate: float = 0.5


class Toy:
    config_class = ToyConfig


DATA = DatasetSpec(name="procedural", summary="x", dataset="toy.data:Data", license="MIT", features=("normals",))


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {("method", "toy"): METHOD, ("dataset", "procedural"): DATA}
    monkeypatch.setattr(train, "find", lambda kind, name: found[kind, name])
    monkeypatch.setitem(registry.BUILT_IN, "dataset", (DATA,))
    monkeypatch.setattr(train, "list_methods", lambda: [METHOD])
    monkeypatch.setattr(train, "list_datasets", lambda: [DATA])
    monkeypatch.setattr(train, "load_config", lambda spec, name: {"name": name})
    monkeypatch.setattr(MethodSpec, "load", lambda spec: Toy)


def test_a_named_config_becomes_a_run_on_the_embedded_data() -> None:
    for arguments in (["--config", "toy/tiny"], ["--config=toy/tiny"], ["-c", "toy/tiny"]):
        flag, value = train.resolve(arguments)
        assert flag == "--config"
        assert json.loads(value) == {
            "model": {"class_path": "toy.module.Toy", "init_args": {"config": {"name": "tiny", "rate": 0.5}}},
            "data": {"class_path": "toy.data.Data", "init_args": {"augmentation": "none"}},
            "trainer": {"max_steps": 5},
        }


def test_names_become_class_paths_and_the_rest_stays() -> None:
    arguments = ["--model", "toy", "--data=procedural", "--trainer.max_steps", "3", "--model.config.rate=1", "--x"]
    assert train.resolve(arguments) == [
        *("--model", "toy.module.Toy", "--data", "toy.data.Data"),
        *("--trainer.max_steps", "3", "--model.config.rate=1", "--x"),
    ]
    for arguments in (["--config", "my/run.yaml"], ["--model", "my.module.Class"], ["--config", "toy/own.yaml"]):
        assert train.resolve(arguments) == arguments


def test_datasets_are_known_by_name_or_class_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = DatasetSpec(
        name="shape-part", summary="x", dataset="toy.data:ShapeNetPart", license="MIT", features=(), reader="toy.r:R"
    )
    monkeypatch.setitem(registry.BUILT_IN, "dataset", (DATA, spec))
    for name in ("shape-part", "Shape-Part", "shapepart", "ShapeNetPart", "shapenetpart", "shapenet-part"):
        arguments = train.resolve(["--data", name, "--data.root", "D", "--data.level=3"])
        assert arguments == ["--data", "toy.data.ShapeNetPart", "--data.root", "D", "--data.level=3"]
    with pytest.raises(UnknownNameError, match=r"unknown dataset 'ShapeNet'; installed: procedural, shape-part"):
        train.resolve(["--data", "ShapeNet"])


def test_every_dataset_of_core_is_known_by_its_class() -> None:
    names = {class_name(spec).casefold() for spec in DATASETS}
    assert len(names) == len(DATASETS), "no two classes have one name"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.BUILT_IN, "dataset", DATASETS)
        for spec in DATASETS:
            assert find_dataset(class_name(spec)) is find_dataset(spec.name.upper()) is spec


def test_an_unknown_config_says_which_there_are() -> None:
    with pytest.raises(PartsegError, match="no config 'huge'; it has: tiny"):
        train.resolve(["--config", "toy/huge"])
    with pytest.raises(PartsegError, match="needs a value"):
        train.resolve(["--config"])


def test_an_impossible_pair_is_refused() -> None:
    with pytest.raises(IncompatibleError, match="'toy' needs color"):
        train.check_classes("toy.module.Toy", "toy.data.Data")
    train.check_classes("some.other.Class", "toy.data.Data")
