"""The contract that every method keeps, for each baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import partseg_baselines
from partseg.spec import MethodSpec
from partseg.testing import LearnedMethodContract, SegmenterContract
from partseg_baselines import spec as specs


class TestConnectedComponents(SegmenterContract):
    spec = specs.CONNECTED_COMPONENTS
    exact_parts = False


class TestWardPosition(SegmenterContract):
    spec = specs.WARD_POSITION


class TestWardPositionNormal(SegmenterContract):
    spec = specs.WARD_POSITION_NORMAL
    bare_clouds = False


class TestShapeDiameter(SegmenterContract):
    spec = specs.SHAPE_DIAMETER
    clouds = False
    exact_parts = False


class TestWardShapeDiameter(SegmenterContract):
    spec = specs.WARD_SHAPE_DIAMETER
    clouds = False


class TestKMeansPositionNormal(SegmenterContract):
    spec = specs.KMEANS_POSITION_NORMAL
    bare_clouds = False


class TestEuclideanClusters(SegmenterContract):
    spec = specs.EUCLIDEAN_CLUSTERS
    exact_parts = False


class TestPartNetSegmentation(LearnedMethodContract):
    spec = specs.PARTNET_SEGMENTATION
    exact_parts = False


class TestSgpn(LearnedMethodContract):
    spec = specs.SGPN
    exact_parts = False


class WithClasses(LearnedMethodContract):
    """The same with classes: those of the coarsest level's parts stand in for semantics."""

    exact_parts = False

    def construct(self, config: str) -> Any:
        method = super().construct(config)
        data = method.config.data.model_copy(update={"classes": 8, "level": "middle"})
        return type(method)(method.config.model_copy(update={"data": data}))

    def batch(self, shapes: int = 2, points: int = 512, first: int = 0) -> Any:
        from dataclasses import replace

        batch = super().batch(shapes, points, first)
        coarse = batch.labels["coarse"].clamp(max=7)
        return replace(batch, semantics=dict.fromkeys(batch.labels, coarse))


class TestPartNetSegmentationWithClasses(WithClasses):
    spec = specs.PARTNET_SEGMENTATION


class TestSgpnWithClasses(WithClasses):
    spec = specs.SGPN


@pytest.mark.parametrize("spec", [specs.PARTNET_SEGMENTATION, specs.SGPN], ids=lambda s: s.name)
def test_the_specs_list_the_configs_that_ship(spec: MethodSpec) -> None:
    folder = Path(partseg_baselines.__file__).parent / spec.name.replace("-", "_") / "configs"
    assert sorted(spec.configs) == sorted(file.stem for file in folder.glob("*.yaml"))
