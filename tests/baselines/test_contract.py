"""The contract that every method keeps, for each baseline."""

from __future__ import annotations

from partseg.testing import SegmenterContract
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
