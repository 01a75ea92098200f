"""The refinement protocol: the coarse cloud, its distances against SciPy's, shapes without a prediction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape, Similarity
from partseg.methods.registry import load_method
from partseg.parts.segmentation import Segmentation
from partseg_bench.predictions import Prediction, read_predictions, write_prediction
from partseg_bench.protocols import open_protocol
from partseg_bench.protocols.refinement import CoarsePair
from partseg_bench.samples import eval_set


@pytest.fixture(scope="module")
def samples() -> list[PartSample]:
    return list(eval_set("procedural", limit=2, level="fine"))


class Perfect:
    """Gives the surface itself."""

    def __init__(self, sample: PartSample) -> None:
        self.sample = sample

    def refine(self, shape: Shape, segmentation: Segmentation) -> Segmentation:
        drawn = self.sample.shape.sampled(4000, 1)
        return Segmentation(Shape.from_points(drawn.points), np.zeros(4000, np.int64))


class Collapsed:
    """Gives one point."""

    def refine(self, shape: Shape, segmentation: Segmentation) -> Segmentation:
        return Segmentation(Shape.from_points(np.ones((1, 3))), np.zeros(1, np.int64))


def test_what_is_left_as_it_is_is_reduced_by_nothing(samples: list[PartSample]) -> None:
    protocol, method = open_protocol("refinement"), load_method("no-refinement")
    for sample in samples:
        record = protocol.score(protocol.predict(method, sample), sample)
        scores = record["scores"]
        assert scores["reduction"] == pytest.approx(0, abs=1e-5)
        assert record["points"] == 512 and record["parts"] >= 2
        points = sample.shape.sampled(20_000, 0).points
        coarse = CoarsePair.of(sample).coarse.shape.points
        wanted = cKDTree(points).query(coarse)[0].mean() + cKDTree(coarse).query(points)[0].mean()
        side = np.ptp(points, axis=0).max()
        assert scores["chamfer"] == pytest.approx(wanted / side, rel=1e-4)


def test_better_clouds_reduce_more_and_worse_ones_harm(samples: list[PartSample]) -> None:
    protocol = open_protocol("refinement")
    for sample in samples:
        score = lambda method, sample=sample: protocol.score(protocol.predict(method, sample), sample)["scores"]  # noqa: E731
        good, bad = score(Perfect(sample)), score(Collapsed())
        assert 0.5 < good["reduction"] < 1 and bad["reduction"] < -1
        assert good["chamfer-before"] == bad["chamfer-before"]


def test_numbers_do_not_depend_on_unit_or_place(samples: list[PartSample]) -> None:
    sample, protocol = samples[0], open_protocol("refinement")
    far = Shape.from_mesh(sample.shape.vertices * 50 + [7, 0, -3], sample.shape.faces, name="far")
    moved = PartSample(far, sample.labels)
    method = load_method("no-refinement")
    here, there = (protocol.score(protocol.predict(method, one), one)["scores"] for one in (sample, moved))
    assert there["chamfer"] == pytest.approx(here["chamfer"], rel=1e-3)


def test_predictions_are_in_the_coordinates_of_the_file(samples: list[PartSample]) -> None:
    class InAFrame:
        def refine(self, shape: Shape, segmentation: Segmentation) -> Segmentation:
            cloud = Shape(points=np.zeros((1, 3), np.float32), transform=Similarity(2.0, (1.0, 2.0, 3.0)))
            return Segmentation(cloud, np.zeros(1, np.int64))

    found = open_protocol("refinement").predict(InAFrame(), samples[0])
    assert found.refined.tolist() == [[1.0, 2.0, 3.0]]


def test_missing_shapes_and_other_predictions(samples: list[PartSample], tmp_path) -> None:
    protocol, sample = open_protocol("refinement"), samples[0]
    name, n = sample.shape.name, sample.shape.n_elements
    records = {name: protocol.score(None, sample)}
    metrics = protocol.aggregate(records, [name])
    assert metrics["reduction"].value == -1 and metrics["chamfer"].n == 0
    with pytest.raises(PartsegError, match=f"{name}: refined: .* there is none"):
        protocol.score(Prediction(np.zeros(n, np.int64)), sample)
    for bad in (np.zeros((0, 3)), np.full((2, 3), np.nan), np.zeros((2, 2))):
        with pytest.raises(PartsegError, match="refined: expected"):
            Prediction(np.zeros(n, np.int64)).from_arrays({"labels": np.zeros(n, np.int64), "refined": bad}, name)
    prediction = protocol.predict(load_method("no-refinement"), sample)
    entry = write_prediction(tmp_path, name, prediction)
    (tmp_path / entry["file"]).rename(tmp_path / "x.npz")
    np.testing.assert_array_equal(read_predictions(tmp_path)["x"].refined, prediction.refined)


def test_shapes_without_parts_are_refused() -> None:
    shape = Shape.from_points(np.random.default_rng(0).normal(size=(50, 3)), name="bare")
    with pytest.raises(PartsegError, match="bare: refinement needs the parts"):
        open_protocol("refinement").predict(load_method("no-refinement"), PartSample(shape))
