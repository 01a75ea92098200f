"""Protocols: their numbers against plain formulations, what methods get to see, and shapes without a prediction."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.registry import list_protocols, load_method
from partseg.metrics.functional.average_precision import THRESHOLDS, headline
from partseg.metrics.functional.partnet_ap import partnet_instance_ap, partnet_records
from partseg.metrics.functional.s3dis import s3dis_room, s3dis_scores
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.segmentation import Masks, Segmentation
from partseg.parts.tree import MergeTree
from partseg_bench.predictions import Prediction
from partseg_bench.protocols import Metric, Protocol, coverage, open_protocol
from partseg_bench.protocols.base import mean_of
from partseg_bench.protocols.pooled import pooled
from partseg_bench.protocols.views import PointsView, carried_masks, carried_tree
from partseg_bench.samples import EvalSet, eval_set
from partseg_bench.spec import PROTOCOLS


@pytest.fixture(scope="module")
def shapes() -> EvalSet:
    return eval_set("procedural", limit=3)


@pytest.fixture(scope="module")
def samples(shapes: EvalSet) -> list[PartSample]:
    return list(shapes)


def cloud(n: int, labels: list[int], classes: list[int] | None = None, name: str = "cloud") -> PartSample:
    """Points on a line with truth at one level."""
    shape = Shape.from_points(np.c_[np.arange(n), np.zeros((n, 2))], name=name)
    labels_ = {"parts": np.array(labels, np.int64)}
    return PartSample(shape, labels_, {} if classes is None else {"parts": np.array(classes, np.int64)})


def run(protocol: Protocol, predictions: list[Prediction | None], samples: list[PartSample]) -> dict[str, Metric]:
    """Score and aggregate; records go through JSON on the way, as those of the runner do."""
    ids = [sample.shape.name for sample in samples]
    records = {i: protocol.score(p, s) for i, p, s in zip(ids, predictions, samples, strict=True)}
    return protocol.aggregate(json.loads(json.dumps(records, allow_nan=False)), ids)


def truth_as_prediction(sample: PartSample, level: str) -> Prediction:
    labels = sample.labels[level]
    classes = (
        [int(sample.semantics[level][labels == i][0]) for i in range(labels.max() + 1)] if sample.semantics else []
    )
    return Prediction(labels, semantic_id=np.array(classes, np.int64) if classes else None)


# -- all of them ------------------------------------------------------------------------------------------------------


def test_every_spec_is_installed_and_says_what_a_method_sees() -> None:
    installed = {spec.name: spec for spec in list_protocols()}
    for spec in PROTOCOLS:
        assert installed[spec.name] == spec
        assert "sees " in spec.summary and spec.version == "1"
        protocol = open_protocol(spec.name)
        assert protocol.spec is spec
        assert ("points of the surface" in spec.summary) == (protocol.view == "points")


def test_protocols_that_share_predictions_show_the_same() -> None:
    views: dict[str, set[str]] = {}
    for spec in PROTOCOLS:
        protocol = spec.load()
        views.setdefault(protocol.asks, set()).add(protocol.view)
    assert all(len(seen) == 1 for seen in views.values())


def test_unknown_protocol() -> None:
    with pytest.raises(PartsegError, match="class-agnostic-auto"):
        open_protocol("class-agnostic-aut")


def test_specs_import_nothing_heavy() -> None:
    import subprocess
    import sys

    program = "import sys, partseg_bench.spec\nprint(sorted({'torch', 'numpy', 'numba', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- class-agnostic ---------------------------------------------------------------------------------------------------


def plain_miou(pred: np.ndarray, true: np.ndarray) -> float:
    best = []
    for t in np.unique(true[true >= 0]):
        candidates = [((pred == p) & (true == t)).sum() / ((pred == p) | (true == t)).sum() for p in np.unique(pred)]
        best.append(max(candidates))
    return float(np.mean(best))


@pytest.mark.parametrize("method", ["connected-components", "ward-position-normal"])
def test_automatic_scores_of_baselines(method: str, shapes: EvalSet, samples: list[PartSample]) -> None:
    """auto is a plain mean of best IoUs; no protocol that is told more scores less."""
    made = load_method(method)
    numbers: dict[str, dict[str, Metric]] = {}
    for name in ("auto", "oracle", "tree-cut"):
        protocol = open_protocol(f"class-agnostic-{name}", shapes)
        predictions = [protocol.predict(made, sample) for sample in samples]
        numbers[name] = run(protocol, predictions, samples)
        assert list(numbers[name])[:2] == list(protocol.spec.metrics)
    predictions = [made.segment(sample.shape).labels for sample in samples]
    for level in ("coarse", "middle", "fine"):
        each = [plain_miou(p, s.labels[level]) for p, s in zip(predictions, samples, strict=True)]
        assert numbers["auto"][f"miou@{level}"].value == pytest.approx(np.mean(each), abs=1e-12)
    whole = numbers["auto"]["miou"]
    assert whole.value == pytest.approx(np.mean([numbers["auto"][f"miou@{x}"].value for x in shapes.levels]))
    assert whole.low <= whole.value <= whole.high and whole.n == 3
    for way in ("miou", "miou-one-to-one"):
        assert numbers["auto"][way].value <= numbers["oracle"][way].value + 1e-12
        assert numbers["auto"][way].value <= numbers["tree-cut"][way].value + 1e-12
    for name in numbers:
        assert numbers[name]["miou-one-to-one"].value <= numbers[name]["miou"].value + 1e-12


def test_oracle_asks_a_method_without_a_tree_for_every_number_of_parts() -> None:
    sample = cloud(40, [i // 10 for i in range(40)])
    asked = []

    class Equal:
        def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
            asked.append(parts)
            n = shape.n_elements
            return Segmentation(shape, np.arange(n) * (parts or 3) // n)

    auto, oracle = (open_protocol(f"class-agnostic-{name}") for name in ("auto", "oracle"))
    assert run(auto, [auto.predict(Equal(), sample)], [sample])["miou"].value < 1
    asked.clear()
    assert run(oracle, [oracle.predict(Equal(), sample)], [sample])["miou"].value == 1  # four parts are among 1..20
    assert asked == [None, *range(1, 21)]


def test_missing_shapes_score_zero_and_are_told(shapes: EvalSet, samples: list[PartSample]) -> None:
    protocol = open_protocol("class-agnostic-auto", shapes)
    perfect = [replace(truth_as_prediction(s, "fine"), semantic_id=None) for s in samples]
    fine = [PartSample(s.shape, {"fine": s.labels["fine"]}) for s in samples]
    assert run(protocol, list(perfect), fine)["miou"].value == 1
    got = run(protocol, [perfect[0], None, perfect[2]], fine)["miou"]
    assert got.value == pytest.approx(2 / 3) and got.n == 3 and got.low < got.value < got.high
    records = {shapes.ids[0]: protocol.score(perfect[0], fine[0])}
    assert protocol.aggregate(records, shapes.ids)["miou"].value == pytest.approx(1 / 3)
    assert coverage(records, shapes.ids) == {"expected": 3, "scored": 1, "missing": ["test/1", "test/2"]}


def test_records_of_other_shapes_are_refused() -> None:
    protocol = open_protocol("class-agnostic-auto")
    with pytest.raises(PartsegError, match="shape 'b' is not one of the 1 expected"):
        protocol.aggregate({"b": {"scores": {"miou": 1.0}}}, ["a"])
    with pytest.raises(PartsegError, match="shape 'a' is expected twice"):
        protocol.aggregate({}, ["a", "a"])
    with pytest.raises(PartsegError, match="no shape is expected"):
        protocol.aggregate({}, [])


def test_wrong_length_names_the_shape() -> None:
    for spec in PROTOCOLS:
        sample = cloud(6, [0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 0, 0], name="chair 7")
        tree = PartHierarchy.from_labels(sample.labels["parts"])
        sample = PartSample(sample.shape, sample.labels, sample.semantics, tree)
        if spec.name == "psb":
            continue
        with pytest.raises(PartsegError, match=r"chair 7: labels: expected 6 elements, found 5"):
            open_protocol(spec.name).score(Prediction(np.zeros(5, np.int64)), sample)


# -- geometry only ----------------------------------------------------------------------------------------------------


def test_geometry_only_shows_points_without_name_or_order(samples: list[PartSample]) -> None:
    seen: list[Shape] = []

    class Looks:
        def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
            seen.append(shape)
            return Segmentation(shape, np.zeros(shape.n_elements, np.int64))

    protocol = open_protocol("class-agnostic-auto-geometry")
    prediction = protocol.predict(Looks(), samples[0])
    assert not seen[0].is_mesh and seen[0].n_elements == 20_000 and seen[0].name == "shape"
    assert prediction.n_elements == samples[0].shape.n_elements
    sample = cloud(30, [i // 10 for i in range(30)], name="points")
    protocol.predict(Looks(), sample)
    assert not np.array_equal(seen[1].points, sample.shape.points)
    assert np.array_equal(np.sort(seen[1].points[:, 0]), sample.shape.points[:, 0])


def test_without_topology_components_do_not_give_parts_away(shapes: EvalSet, samples: list[PartSample]) -> None:
    method = load_method("connected-components")
    mesh, points = (open_protocol(f"class-agnostic-auto{x}", shapes) for x in ("", "-geometry"))
    with_it = run(mesh, [mesh.predict(method, s) for s in samples], samples)["miou"].value
    without = run(points, [points.predict(method, s) for s in samples], samples)["miou"].value
    assert without < with_it - 0.2


def test_a_perfect_segmentation_of_points_comes_back_to_the_points() -> None:
    sample = cloud(50, [i // 10 for i in range(50)])

    class ByPlace:
        def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
            return Segmentation(shape, shape.points[:, 0].astype(np.int64) // 10)

    protocol = open_protocol("class-agnostic-auto-geometry")
    assert run(protocol, [protocol.predict(ByPlace(), sample)], [sample])["miou-one-to-one"].value == 1


@st.composite
def trees_and_sources(draw: st.DrawFn) -> tuple[MergeTree, np.ndarray]:
    n = draw(st.integers(1, 12))
    alive, children = list(range(n)), []
    for j in range(n - 1):
        a = alive.pop(draw(st.integers(0, len(alive) - 1)))
        b = alive.pop(draw(st.integers(0, len(alive) - 1)))
        children.append((a, b))
        alive.append(n + j)
    heights = np.cumsum(draw(st.lists(st.integers(0, 2), min_size=n - 1, max_size=n - 1)))
    source = draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20))
    tree = MergeTree(np.array(children, np.int64).reshape(-1, 2), np.asarray(heights, np.float64))
    return tree, np.array(source, np.int64)


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == x).tolist()) for x in np.unique(labels)}


@settings(max_examples=60)
@given(trees_and_sources())
def test_cuts_of_a_carried_tree_are_cuts_of_the_tree(case: tuple[MergeTree, np.ndarray]) -> None:
    tree, source = case
    carried = carried_tree(tree, source)
    assert carried.n_leaves == len(source)
    seen = [partition(tree.cut(k)[source]) for k in range(1, tree.n_leaves + 1)]
    for k in range(1, len(np.unique(source)) + 1):
        assert partition(carried.cut(k)) in seen
    for distinct in seen:  # and none is lost
        assert partition(carried.cut(len(distinct))) == distinct
    heights = dict.fromkeys(tree.heights.tolist())
    assert set(carried.heights[len(source) - len(np.unique(source)) :].tolist()) <= set(heights)


def test_masks_and_what_is_said_of_parts_are_carried() -> None:
    masks = Masks.from_dense(np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 1]], bool))
    source = np.array([3, 3, 0, 2, 1])
    assert np.array_equal(carried_masks(masks, source).dense(), masks.dense()[:, source])
    shape = Shape.from_points(np.eye(4, 3))
    view = PointsView(shape, np.array([2, 2, 0]))
    back = view.back(
        Prediction(np.array([1, 0, 2, -1]), scores=np.array([0.1, 0.2, 0.3]), semantic_id=np.array([5, 6, 7]))
    )
    assert (
        back.labels.tolist() == [1, 1, 0] and back.scores.tolist() == [0.2, 0.3] and back.semantic_id.tolist() == [6, 7]
    )


# -- classes ----------------------------------------------------------------------------------------------------------


def random_instances(rng: np.random.Generator, n: int, name: str) -> tuple[PartSample, Prediction]:
    labels = rng.integers(-1, 4, n)
    _, labels = np.unique(np.r_[-1, labels], return_inverse=True)
    labels = labels[1:] - 1
    kinds = rng.integers(0, 3, labels.max() + 1)
    sample = cloud(n, labels.tolist(), np.r_[kinds, -1][labels].tolist(), name)
    k = int(rng.integers(0, 6))
    masks = Masks.from_dense(rng.random((k, n)) < 0.4)
    noisy = np.array([labels == i for i in range(labels.max() + 1)]).reshape(-1, n) ^ (
        rng.random((labels.max() + 1, n)) < 0.1
    )
    masks = Masks.from_dense(np.concatenate([masks.dense(), noisy]))
    classes = np.r_[rng.integers(-1, 3, k), kinds].astype(np.int64)
    scores = rng.random(len(masks)).round(1)
    return sample, Prediction(
        masks.to_labels(scores),
        mask_indptr=masks.indptr,
        mask_indices=masks.indices,
        scores=scores,
        semantic_id=classes,
    )


def test_partnet_instances_are_those_of_the_metric() -> None:
    rng = np.random.default_rng(0)
    cases = [random_instances(rng, 60, f"{'ab'[i % 2]}/{i}") for i in range(12)]
    samples, predictions = [c[0] for c in cases], [c[1] for c in cases]
    taxonomy = {"parts": ("x", "y", "z")}
    records = []
    for i, (sample, p) in enumerate(cases):
        labels = sample.labels["parts"]
        kinds = np.array([sample.semantics["parts"][labels == x][0] for x in range(labels.max() + 1)], np.int64)
        kept = p.semantic_id >= 0
        rows = p.masks.dense()
        found = partnet_records(i, rows[kept], p.semantic_id[kept], p.scores[kept], labels, kinds, n_classes=3)
        records.append(found)
    expected = headline(partnet_instance_ap(records, THRESHOLDS))
    got = run(open_protocol("partnet-instance").__class__(taxonomy), predictions, samples)
    assert list(got) == ["AP50", "AP25", "AP75", "AP50:95", "sAP50"]
    for name, metric in got.items():
        assert metric.value == pytest.approx(expected[name], abs=1e-12)
        assert metric.low <= metric.high and metric.n == 12
    assert 0.05 < got["AP50"].value < 1
    # several categories: the mean of the categories' numbers
    by = {s.shape.name: s.shape.name[0] for s in samples}
    both = run(open_protocol("partnet-instance").__class__(taxonomy, by), predictions, samples)
    each = [headline(partnet_instance_ap(records[i::2], THRESHOLDS))["AP50"] for i in (0, 1)]
    assert both["AP50"].value == pytest.approx(np.mean(each), abs=1e-12)
    assert [both[f"AP50@{c}"].value for c in "ab"] == pytest.approx(each, abs=1e-12)


def test_perfect_and_missing_instances() -> None:
    samples = [cloud(20, [i // 5 for i in range(20)], [0] * 10 + [1] * 10, f"s{j}") for j in range(2)]
    protocol = open_protocol("partnet-instance")
    perfect = [truth_as_prediction(s, "parts") for s in samples]
    assert run(protocol, list(perfect), samples)["AP75"].value == 1
    half = run(protocol, [perfect[0], None], samples)
    assert half["AP50"].value == pytest.approx(51 / 101) and half["sAP50"].value == pytest.approx(0.5, abs=0.01)
    with pytest.raises(PartsegError, match="'s1' has no record"):
        protocol.aggregate({"s0": protocol.score(perfect[0], samples[0])}, ["s0", "s1"])


@pytest.mark.parametrize(
    ("name", "prediction", "text"),
    [
        ("partnet-instance", Prediction(np.zeros(4, np.int64)), "x: semantic_id: .* there are none"),
        (
            "partnet-instance",
            Prediction(np.zeros(4, np.int64), semantic_id=np.array([9])),
            r"x: semantic_id: .* -1\.\.1",
        ),
        ("semantic", Prediction(np.zeros(4, np.int64)), "x: classes: .* there are none"),
        (
            "semantic",
            Prediction(np.zeros(4, np.int64), classes=np.array([0, 1, 2, 0])),
            r"x: classes: expected -1\.\.1",
        ),
        (
            "s3dis-instance",
            Prediction(np.zeros(4, np.int64), classes=np.array([0, 1, -1, 0])),
            "x: classes: 1 points have",
        ),
        ("clicks", Prediction(np.zeros(4, np.int64)), "x: click_masks: .* there are none"),
        ("hierarchy", Prediction(np.zeros(4, np.int64)), "x: the truth has no part hierarchy"),
        ("psb", Prediction(np.zeros(4, np.int64)), "x: the benchmark needs a mesh"),
    ],
)
def test_predictions_that_say_too_little(name: str, prediction: Prediction, text: str) -> None:
    sample = cloud(4, [0, 0, 1, 1], [0, 0, 1, 1], "x")
    protocol = open_protocol(name).__class__({"parts": ("a", "b")})
    with pytest.raises(PartsegError, match=text):
        protocol.score(prediction, sample)


def test_levels_must_be_chosen(samples: list[PartSample]) -> None:
    with pytest.raises(PartsegError, match=r"test/0: .* levels coarse, middle, fine: choose one .--level"):
        open_protocol("semantic").score(None, samples[0])


def test_semantic_miou_by_hand() -> None:
    samples = [cloud(4, [0] * 4, [0, 0, 1, -1], "s0"), cloud(4, [0] * 4, [0, 0, 1, 1], "s1")]
    protocol = open_protocol("semantic").__class__({"parts": ("a", "b", "c")})
    wrong = Prediction(np.zeros(4, np.int64), classes=np.array([0, 1, 1, 2]))
    by_part = Prediction(np.array([0, 0, 1, 1]), semantic_id=np.array([0, 1]))
    got = run(protocol, [wrong, by_part], samples)
    # class a: 3 of 4, b: 3 of 4; the fourth element of s0 has no truth
    assert got["part-miou"].value == pytest.approx(3 / 4)
    assert got["shape-miou"].value == pytest.approx((0.5 + 1) / 2)
    lost = run(protocol, [wrong, None], samples)
    assert lost["part-miou"].value == pytest.approx((1 / 4 + 1 / 4) / 2) and lost["shape-miou"].value == 0.25


def test_s3dis_numbers_are_those_of_the_metric() -> None:
    rng = np.random.default_rng(1)
    samples, predictions, rooms = [], [], []
    for i in range(3):
        true, pred = np.arange(80) // 8, np.arange(80) // 7
        kinds, found = true % 3, pred % 3
        samples.append(cloud(80, true.tolist(), kinds.tolist(), f"r{i}"))
        pred = np.where(rng.random(80) < 0.1, -1, pred)
        predictions.append(Prediction(pred, classes=found))
        rooms.append(s3dis_room(pred, found, true, kinds, classes=3))
    protocol = open_protocol("s3dis-instance").__class__({"parts": ("a", "b", "c")})
    got, want = run(protocol, list(predictions), samples), s3dis_scores(rooms)
    names = {"mCov": want.m_cov, "mWCov": want.m_wcov, "mPrec": want.m_prec, "mRec": want.m_rec, "mIoU": want.m_iou}
    for name, value in names.items():
        assert got[name].value == pytest.approx(value, abs=1e-12)
    lost = run(protocol, [predictions[0], None, None], samples)
    assert lost["mRec"].value == pytest.approx(sum(rooms[0].num_hits) / 30, abs=0.05)
    assert lost["accuracy"].value < got["accuracy"].value / 2


def test_scannet_perfect_and_missing() -> None:
    samples = [cloud(400, [i // 100 for i in range(400)], [i // 200 for i in range(400)], f"r{j}") for j in range(2)]
    protocol = open_protocol("scannet-instance").__class__({"parts": ("cabinet", "bed")})
    perfect = [truth_as_prediction(s, "parts") for s in samples]
    assert run(protocol, list(perfect), samples)["AP"].value == pytest.approx(1)
    half = run(protocol, [perfect[0], None], samples)
    assert half["AP50"].value == pytest.approx(0.5) and half["AP50"].n == 2


# -- people, trees, clicks --------------------------------------------------------------------------------------------


def test_psb_sample_against_people(test_data: Any) -> None:
    shapes = eval_set("psb", limit=2, options={"root": test_data("psb")})
    samples = list(shapes)
    protocol = open_protocol("psb", shapes)
    ward = load_method("ward-position-normal")
    got = run(protocol, [protocol.predict(ward, s) for s in samples], samples)
    people = run(protocol, [Prediction(next(iter(s.labels.values()))) for s in samples], samples)
    whole = run(protocol, [Prediction(np.zeros(s.shape.n_elements, np.int64)) for s in samples], samples)
    assert whole["rand-index"].value < got["rand-index"].value < people["rand-index"].value <= 1
    assert people["hamming"].value < got["hamming"].value
    assert math.isnan(whole["cut-discrepancy"].value) and whole["cut-discrepancy"].n == 0
    lost = run(protocol, [None, Prediction(next(iter(samples[1].labels.values())))], samples)
    assert lost["rand-index"].value < people["rand-index"].value and lost["hamming"].value > 0.5
    assert lost["cut-discrepancy"].n == 1


def test_hierarchies(shapes: EvalSet, samples: list[PartSample]) -> None:
    protocol = open_protocol("hierarchy", shapes)
    truth = [Prediction(s.labels["fine"], hierarchy=s.hierarchy.to_arrays()) for s in samples]
    perfect = run(protocol, list(truth), samples)
    assert perfect["node-f-score"].value == 1 and perfect["tree-edit"].value == 0 and perfect["depth-miou"].value == 1
    ward = load_method("ward-position-normal")
    got = run(protocol, [protocol.predict(ward, s) for s in samples], samples)
    assert 0 < got["node-f-score"].value < 1 and 0 < got["tree-edit"].value < 1
    lost = run(protocol, [truth[0], None, truth[2]], samples)
    assert lost["node-f-score"].value == pytest.approx(2 / 3) and lost["tree-edit"].value == pytest.approx(1 / 3)


class Balls:
    """Selects the points within 1.5 of a positive click and not within 1.5 of a negative one."""

    class Session:
        def __init__(self, shape: Shape) -> None:
            self.shape, self.done = shape, []

        def add_click(self, element: int, positive: bool = True) -> np.ndarray:
            self.done.append((element, positive))
            return self.mask

        def undo(self) -> np.ndarray:
            self.done.pop()
            return self.mask

        def fine_tune(self, steps: int = 1) -> None:
            raise AssertionError("not asked for")

        @property
        def mask(self) -> np.ndarray:
            x, out = self.shape.points[:, 0], np.zeros(self.shape.n_elements, bool)
            for element, positive in self.done:
                out[np.abs(x - x[element]) < 1.5] = positive
            return out

    def start(self, shape: Shape) -> Any:
        return self.Session(shape)


def test_clicks_by_hand() -> None:
    sample = cloud(9, [0, 0, 0, 1, 1, 1, 1, 1, 1])
    protocol = open_protocol("clicks")
    prediction = protocol.predict(Balls(), sample)
    record = protocol.score(prediction, sample)
    assert record["curves"][0] == [1.0] * 15  # one click in the middle of three
    assert record["curves"][1] == [0.5] + [1.0] * 14
    got = run(protocol, [prediction], [sample])
    assert list(got) == list(protocol.spec.metrics)
    assert got["iou@1"].value == 0.75 and got["iou@10"].value == 1 and got["noc@80"].value == 1.5
    assert got["failed@90"].value == 0
    lost = run(protocol, [None], [sample])
    assert lost["iou@10"].value == 0 and lost["noc@80"].value == 15 and lost["failed@80"].value == 1


def test_prompts_by_hand() -> None:
    sample = cloud(6, [0, 0, 0, 1, 1, 1])
    for name in ("class-agnostic-prompt-1", "class-agnostic-prompt-1-geometry"):
        protocol = open_protocol(name)
        runs = [run(protocol, [protocol.predict(Balls(), sample, seed)], [sample]) for seed in range(8)]
        # a click in the middle of a part selects it, one at an end two or three of four elements
        assert {round(r["miou-own"].value, 6) for r in runs} <= {1.0, 0.75, 0.5, 0.833333, 0.666667, 0.583333}
        assert len({r["miou-own"].value for r in runs}) > 1
        assert all(r["miou-own"].value <= r["miou-one-to-one"].value <= r["miou"].value for r in runs)
    several = open_protocol("class-agnostic-prompt-n")
    assert run(several, [several.predict(Balls(), sample)], [sample])["miou-own"].value == 0.75  # one too many each


def test_click_masks_of_other_parts_are_refused() -> None:
    sample = cloud(6, [0, 0, 0, 1, 1, 1], name="x")
    three = Prediction(np.zeros(6, np.int64), click_masks=np.zeros((3, 15, 1), np.uint8))
    with pytest.raises(PartsegError, match=r"x: click_masks: expected 2 parts of 15 clicks, found \(3, 15\)"):
        open_protocol("clicks").score(three, sample)


# -- intervals --------------------------------------------------------------------------------------------------------


def test_intervals() -> None:
    values = np.random.default_rng(0).normal(size=200).tolist()
    mean, whole = mean_of(values), pooled(lambda places: {"m": float(np.take(values, places).mean())}, 200)["m"]
    assert mean.value == pytest.approx(whole.value)
    half = 1.96 * np.std(values) / math.sqrt(200)
    for metric in (mean, whole):
        assert metric.low == pytest.approx(metric.value - half, abs=0.04)
        assert metric.high == pytest.approx(metric.value + half, abs=0.04)
    assert mean_of([float("nan"), 2.0]) == Metric(2.0, 2.0, 2.0, 1)
    assert mean_of([]).n == 0 and math.isnan(mean_of([]).value)
    single = pooled(lambda places: {"m": 3.0}, 1)["m"]
    assert single == Metric(3.0, 3.0, 3.0, 1)


def test_groups_are_drawn_apart() -> None:
    groups = ["a"] * 3 + ["b"]
    drawn: list[list[int]] = []
    pooled(lambda places: drawn.append(places.tolist()) or {"m": 0.0}, 4, groups)
    assert all(len(set(places) & {0, 1, 2}) >= 1 and places.count(3) == 1 for places in drawn)
