"""The contract that every method keeps, for each baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import partseg_baselines
from partseg.data.batch import PartBatch
from partseg.spec import MethodSpec
from partseg.testing import LearnedMethodContract, LearnerContract, MethodContract, RefinerContract, SegmenterContract
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


class TestFpfhClicks(MethodContract):
    spec = specs.FPFH_CLICKS

    def test_features_take_clicks(self) -> None:
        pytest.importorskip("open3d", reason="the extra open3d is not installed")
        super().test_features_take_clicks()


class TestHeatmapClicks(LearnerContract):
    spec = specs.HEATMAP_CLICKS


@pytest.mark.parametrize("contract", [TestPartNetSegmentation, TestSgpn], ids=lambda c: c.spec.name)
def test_every_parameter_gets_a_gradient_with_classes(contract: type[LearnedMethodContract]) -> None:
    """The parts of the coarsest level stand in for semantics."""

    class WithClasses(contract):
        def construct(self, config: str) -> Any:
            method = super().construct(config)
            data = method.config.data.model_copy(update={"classes": 8, "level": "middle"})
            return type(method)(method.config.model_copy(update={"data": data}))

        def batch(self, shapes: int = 2, points: int = 512, first: int = 0) -> PartBatch:
            batch = super().batch(shapes, points, first)
            return replace(batch, semantics={"middle": batch.labels["coarse"].clamp(max=7)})

    WithClasses().test_every_parameter_gets_a_gradient()


@pytest.mark.parametrize("spec", [specs.PARTNET_SEGMENTATION, specs.SGPN, specs.HEATMAP_CLICKS], ids=lambda s: s.name)
def test_the_specs_list_the_configs_that_ship(spec: MethodSpec) -> None:
    folder = Path(partseg_baselines.__file__).parent / spec.name.replace("-", "_") / "configs"
    assert sorted(spec.configs) == sorted(file.stem for file in folder.glob("*.yaml"))


class TestNoRefinement(RefinerContract):
    spec = specs.NO_REFINEMENT
