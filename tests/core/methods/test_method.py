"""The base class of learned methods, on the smallest method there is."""

from __future__ import annotations

from pathlib import Path

import pydantic
import pytest
import torch
import yaml

from partseg.errors import InputError, UnknownNameError
from partseg.methods import weights
from partseg.methods.configs import load_config, merge
from partseg.methods.method import Method
from partseg.spec import MethodSpec

SPEC = MethodSpec(name="toy", summary="a toy", method="builtins:object", license="MIT", capabilities=())


class Layer(pydantic.BaseModel, extra="forbid"):
    width: int = pydantic.Field(default=3, ge=1)


class ToyConfig(pydantic.BaseModel, extra="forbid"):
    layers: tuple[Layer, ...] = (Layer(),)
    rate: float = 0.1


class Toy(Method):
    spec = SPEC
    config_class = ToyConfig

    def __init__(self, config: ToyConfig = ToyConfig()) -> None:  # noqa: B008
        super().__init__(config)
        self.layer = torch.nn.Linear(config.layers[0].width, 1)


def test_saved_weights_come_back(tmp_path: Path) -> None:
    method = Toy(ToyConfig(layers=(Layer(width=5),), rate=0.3))
    method.save_pretrained(tmp_path, trained_on="nothing")
    again = Toy.from_pretrained(tmp_path)
    assert again.config == method.config
    assert again.layer.weight.equal(method.layer.weight)
    assert not again.training
    assert weights.read(tmp_path).card["trained_on"] == "nothing"


def test_weights_of_another_method_are_refused(tmp_path: Path) -> None:
    weights.write(tmp_path, Toy().state_dict(), {}, method="other")
    with pytest.raises(InputError, match="method 'other', not 'toy'"):
        Toy.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"layers": [{"width": 0}]}, "layers.0.width"),
        ({"unknown": 1}, "unknown"),
        ({"layers": [{"width": 7}]}, "tensors do not fit"),
    ],
)
def test_a_config_that_does_not_fit_is_one_line(tmp_path: Path, config: dict, text: str) -> None:
    weights.write(tmp_path, Toy().state_dict(), config, method="toy")
    with pytest.raises(InputError, match=text) as caught:
        Toy.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_method_without_shipped_weights_says_so() -> None:
    with pytest.raises(InputError, match=r"'toy'.*ships no weights"):
        Toy.from_pretrained()


def test_the_wrong_config_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="takes a ToyConfig"):
        Toy({"rate": 1})


def test_a_method_without_config_class_says_what_is_missing() -> None:
    with pytest.raises(AttributeError, match="config_class"):
        type("Bare", (Method,), {"spec": SPEC})(ToyConfig())


def test_configs_in_lists_can_be_written_by_the_command_line() -> None:
    """jsonargparse writes an instance inside a tuple as prose unless the model is registered."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    parser.add_subclass_arguments(Toy, "model")
    text = parser.dump(parser.parse_args([f"--model={Toy.__module__}.Toy"]))
    assert yaml.safe_load(text)["model"]["init_args"]["config"] == ToyConfig().model_dump(mode="json")


def test_named_configs_build_on_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "toy_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "base.yaml").write_text("rate: 0.5\nnest: {a: 1, b: 2}\n")
    (package / "child.yaml").write_text("base: base\nnest: {b: 3}\n")
    (package / "loop.yaml").write_text("base: loop\n")
    (package / "list.yaml").write_text("- 1\n")
    (package / "bad.yaml").write_text("a: [\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = ("base", "child", "loop", "list", "bad")
    spec = MethodSpec(
        name="toy",
        summary="a toy",
        method="builtins:object",
        license="MIT",
        capabilities=(),
        configs={name: f"toy_package:{name}.yaml" for name in names},
        default_config="child",
    )
    assert load_config(spec) == {"rate": 0.5, "nest": {"a": 1, "b": 3}}
    (tmp_path / "own.yaml").write_text("base: child\nrate: 1\n")
    assert load_config(spec, tmp_path / "own.yaml") == {"rate": 1, "nest": {"a": 1, "b": 3}}
    for name, text in (("loop", "circle"), ("list", "not a mapping"), ("bad", "YAML")):
        with pytest.raises(InputError, match=text):
            load_config(spec, name)
    with pytest.raises(UnknownNameError, match="it has: bad, base, child"):
        load_config(spec, "absent")
    with pytest.raises(UnknownNameError, match="no configs"):
        load_config(SPEC)


def test_merging_changes_neither_side() -> None:
    base, over = {"a": {"b": 1}}, {"a": {"c": 2}}
    assert merge(base, over) == {"a": {"b": 1, "c": 2}}
    assert (base, over) == ({"a": {"b": 1}}, {"a": {"c": 2}})
