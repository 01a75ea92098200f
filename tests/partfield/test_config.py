"""Configurations: every shipped one builds, survives YAML, and nonsense is refused."""

from __future__ import annotations

import pytest
import torch
import yaml
from pydantic import BaseModel, ValidationError

from partseg_partfield.config import LossConfig, ModelConfig, PartFieldConfig, load_config
from partseg_partfield.model import PartField
from partseg_partfield.spec import SPEC

NAMES = sorted(SPEC.configs)


@pytest.mark.parametrize("name", NAMES)
def test_builds_and_round_trips(name, tmp_path):
    config = load_config(name)
    with torch.device("meta"):
        PartField(config.model)
    path = tmp_path / "copy.yaml"
    path.write_text(config.to_yaml())
    assert load_config(path) == config


def test_every_shipped_file_is_named_by_the_spec():
    from partseg.spec import resource

    folder = resource(SPEC.configs["small"]).parent
    assert {p.stem for p in folder.glob("*.yaml")} == set(NAMES)


def test_default_is_small():
    assert load_config() == load_config("small") == PartFieldConfig()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("small-no-near-negatives", lambda c: not c.loss.near.enabled and c.loss.feature.enabled),
        ("small-no-feature-negatives", lambda c: c.loss.near.enabled and not c.loss.feature.enabled),
        ("small-uniform-only", lambda c: not c.loss.near.enabled and not c.loss.feature.enabled),
        ("small-no-normals", lambda c: not c.model.normals),
        ("small-no-cross-plane", lambda c: not c.model.cross_plane),
        ("small-no-hourglass", lambda c: len(c.model.voxel_widths) == 1),
        ("small-sdf", lambda c: c.model.sdf_channels > 0),
    ],
)
def test_ablations_change_one_thing(name, change):
    config, base = load_config(name), load_config("small")
    assert change(config)
    assert not change(base)
    a, b = config.model_dump(), base.model_dump()
    same = sum(a[k] == b[k] for k in a)
    assert same == len(a) - 1


def _models(kind: type[BaseModel]):
    yield kind
    for field in kind.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _models(field.annotation)


def test_every_field_is_described_and_unknown_keys_are_refused():
    for kind in _models(PartFieldConfig):
        assert kind.model_config["extra"] == "forbid"
        assert all(field.description for field in kind.model_fields.values()), kind


@pytest.mark.parametrize(
    "bad",
    [
        {"width": 100, "heads": 6},
        {"plane_resolution": 90},
        {"plane_resolution": 0},
        {"trunk": "released", "official_oddities": True, "normals": True},
        {"official_oddities": True},
        {"skip_mlp": False},
        {"unet_widths": []},
        {"voxel_widths": [8] * 8},
        {"colour": 1},
        {"trunk": "released", "normals": False, "unet_widths": [24]},
        {"trunk": "released", "normals": False, "plane_resolution": 96, "token_resolution": 16, "unet_widths": []},
    ],
)
def test_impossible_models_are_refused(bad):
    with pytest.raises(ValidationError):
        ModelConfig.model_validate(bad)


@pytest.mark.parametrize(
    "bad",
    [
        {k: {"enabled": False} for k in ("uniform", "near", "feature")},
        {"proposals": {"labels": False, "images": False}},
        {"pool": 10},
        {"temperature": 0},
        {"masks": 0},
    ],
)
def test_impossible_losses_are_refused(bad):
    with pytest.raises(ValidationError):
        LossConfig.model_validate(bad)


def test_yaml_is_plain():
    assert yaml.safe_load(load_config("official").to_yaml())["model"]["part_channels"] == 448
