"""`fusion-instance`: by hand, against the rule written down plainly, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from partseg.cli.main import main
from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg_bench.predictions import Prediction
from partseg_bench.protocols import Metric, open_protocol
from partseg_bench.samples import eval_set

CLASSES = 3


def sample(name: str, labels: np.ndarray | list[int], classes: np.ndarray | list[int]) -> PartSample:
    shape = Shape.from_points(np.arange(3 * len(labels), dtype=float).reshape(-1, 3), name=name)
    return PartSample(shape, {"fine": np.array(labels, np.int64)}, {"fine": np.array(classes, np.int64)})


def named(
    samples: list[PartSample], predicted: list[Prediction | None], protocol: str = "fusion-instance", **categories: str
) -> dict[str, Metric]:
    """Records go through JSON on the way, as those of the runner do."""
    made = type(open_protocol(protocol))({"fine": ("seat", "leg", "arm")}, categories)
    records = {s.shape.name: made.score(p, s) for s, p in zip(samples, predicted, strict=True)}
    return made.aggregate(json.loads(json.dumps(records, allow_nan=False)), list(records))


def by_hand() -> tuple[PartSample, Prediction]:
    """Twelve points of a seat, twelve of a leg, six unlabelled; the leg is found on ten points or eleven."""
    truth = sample("a", [0] * 12 + [1] * 12 + [-1] * 6, [0] * 12 + [1] * 12 + [-1] * 6)
    labels = np.array([0] * 12 + [1] * 10 + [-1] * 2 + [0] * 6)
    return truth, Prediction(labels, semantic_id=np.array([0, 1]), scores=np.array([0.9, 0.8]))


def test_by_hand():
    truth, ten = by_hand()
    got = named([truth], [ten])
    assert list(got) == ["AP50", "AP25", "AP75", "AP50:95", "sAP50"]
    # the unlabelled points are no false part of the seat; ten points are too few for a leg
    assert got["AP75"].value == got["AP50"].value == got["sAP50"].value == 0.5
    assert got["AP50:95"].value == 0.5
    eleven = Prediction(np.where(np.arange(30) == 22, 1, ten.labels), semantic_id=ten.semantic_id, scores=ten.scores)
    assert named([truth], [eleven])["AP75"].value == 1  # IoU 11/12
    assert named([truth], [ten], "partnet-instance")["AP50"].value == 1  # which has no smallest size


def test_class_of_a_part_is_the_most_frequent_one_of_its_labelled_points():
    truth, _ = by_hand()
    labels = np.array([0] * 12 + [1] * 12 + [0] * 6)
    each = np.array([0] * 7 + [2] * 5 + [1] * 12 + [2] * 6)  # seat 7 to 5, or 7 to 11 with the deleted points
    assert named([truth], [Prediction(labels, classes=each)])["AP50"].value == 1
    none = np.where(np.arange(30) < 12, -1, each)
    assert named([truth], [Prediction(labels, classes=none)])["AP50"].value == 0.5


def plain_hits(s: PartSample, p: Prediction, threshold: float) -> tuple[list[tuple[float, int, bool]], dict[int, int]]:
    """(confidence, class, hit) of the parts of a shape, and how many true parts each class has."""
    kept = s.semantics["fine"] >= 0
    true, kinds = s.labels["fine"][kept], s.semantics["fine"][kept]
    part = p.labels[kept]
    of = {g: int(kinds[true == g][0]) for g in np.unique(true)}
    rows, used = [], set()
    found = [i for i in np.unique(part) if i >= 0 and (part == i).sum() > 10]
    for i in sorted(found, key=lambda i: -p.scores[i]):
        votes = np.bincount(p.classes[kept][part == i] + 1, minlength=CLASSES + 1)
        c = int(votes.argmax()) - 1
        if c < 0:
            continue
        free = [g for g in of if of[g] == c and g not in used]
        ious = [((part == i) & (true == g)).sum() / ((part == i) | (true == g)).sum() for g in free]
        hit = bool(ious) and max(ious) > threshold
        if hit:
            used.add(free[int(np.argmax(ious))])
        rows.append((float(p.scores[i]), c, hit))
    return rows, {c: list(of.values()).count(c) for c in set(of.values())}


def plain_ap(rows: list[tuple[float, bool]], truths: int) -> float:
    """101 recall levels, with precision 1 at recall 0; a class that is never predicted has 0."""
    if not rows:
        return 0.0
    points, hits = [(0, 1.0)], 0
    for i, (_, hit) in enumerate(sorted(rows, key=lambda row: -row[0]), 1):
        hits += hit
        points.append((hits, hits / i))
    return sum(max((p for h, p in points if 100 * h >= level * truths), default=0.0) for level in range(101)) / 101


def plainly(samples: list[PartSample], predicted: list[Prediction], threshold: float) -> tuple[float, float]:
    """Part-category AP and shape AP."""
    pooled: dict[int, list[tuple[float, bool]]] = {}
    total: dict[int, int] = {}
    own = []
    for s, p in zip(samples, predicted, strict=True):
        rows, truths = plain_hits(s, p, threshold)
        for c, n in truths.items():
            total[c] = total.get(c, 0) + n
        for confidence, c, hit in rows:
            pooled.setdefault(c, []).append((confidence, hit))
        mine = {
            c: [(confidence, hit) for confidence, k, hit in rows if k == c] for c in {*truths, *(r[1] for r in rows)}
        }
        if mine:
            own.append(np.mean([plain_ap(x, truths[c]) if c in truths else 0.0 for c, x in mine.items()]))
    return float(np.mean([plain_ap(pooled.get(c, []), n) for c, n in total.items()])), float(np.mean(own))


def noisy(rng: np.random.Generator, name: str, n: int = 160) -> tuple[PartSample, Prediction]:
    """Blocks of points as truth, some unlabelled; borders moved, labels and classes flipped in the prediction."""
    true = np.sort(rng.integers(0, 7, n))
    kinds = rng.integers(-1, CLASSES, 7)
    kinds[0] = 0
    labels = np.where(kinds[true] >= 0, true, -1)
    part = np.roll(true, rng.integers(-4, 5))
    part = np.where(rng.random(n) < 0.35, rng.integers(-1, 8, n), part)
    part[0] = 7
    classes = np.where(rng.random(n) < 0.6, rng.integers(-1, CLASSES, n), kinds[true])
    return sample(name, labels, kinds[true]), Prediction(
        part, classes=classes, scores=rng.permutation(8) / 8 + rng.random() / 16
    )


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_rule_written_down_plainly(seed):
    rng = np.random.default_rng(seed)
    samples, predicted = zip(*(noisy(rng, f"s{i}") for i in range(8)), strict=True)
    got = named(list(samples), list(predicted))
    for name, threshold in (("AP25", 0.25), ("AP50", 0.5), ("AP75", 0.75)):
        assert got[name].value == pytest.approx(plainly(samples, predicted, threshold)[0], abs=1e-12)
    assert got["sAP50"].value == pytest.approx(plainly(samples, predicted, 0.5)[1], abs=1e-12)
    assert 0.05 < got["AP50"].value < 0.95


def test_missing_shapes_have_their_parts_missed_and_unlabelled_ones_are_passed_over():
    truth, ten = by_hand()
    other = sample("b", truth.labels["fine"], truth.semantics["fine"])
    got = named([truth, other], [ten, None])
    assert got["AP50"].value == pytest.approx(51 / 101 / 2) and got["sAP50"].value == 0.25 and got["AP50"].n == 2
    assert named([truth], [None])["AP50"].value == 0
    bare = sample("c", [-1] * 30, [-1] * 30)
    both = named([truth, bare], [ten, ten])
    assert both["AP50"].value == 0.5 and both["sAP50"].value == 0.5


def test_categories_are_averaged():
    truth, ten = by_hand()
    got = named([truth, sample("b", [0] * 12, [2] * 12)], [ten, None], a="Chair", b="Lamp")
    assert got["AP50@Chair"].value == 0.5 and got["AP50@Lamp"].value == 0 and got["AP50"].value == 0.25


@pytest.mark.parametrize(
    ("prediction", "told"),
    [
        (Prediction(np.zeros(29, np.int64)), "a: labels: expected 30 elements, found 29"),
        (Prediction(np.zeros(30, np.int64)), "a: classes: .* there are none"),
        (Prediction(np.zeros(30, np.int64), semantic_id=np.array([3])), r"a: semantic_id: expected -1\.\.2"),
        (Prediction(np.zeros(30, np.int64), classes=np.full(30, 3)), r"a: classes: expected -1\.\.2"),
        (
            Prediction(
                np.full(30, 2), mask_indptr=np.array([0, 1]), mask_indices=np.array([0]), scores=np.ones(1),
                classes=np.zeros(30, np.int64),
            ),
            "a: labels: name part 2 of 1",
        ),
    ],
)  # fmt: skip
def test_errors_name_shape_and_field(prediction, told):
    with pytest.raises(PartsegError, match=told):
        named([by_hand()[0]], [prediction])


def test_evaluate_on_embedded_shapes(tmp_path: Path, capsys):
    """The truth itself, one shape missing; then a score that is no number."""
    shapes = eval_set("procedural", limit=3, level="fine", options={})
    for name, s in list(zip(shapes.ids, shapes))[1:]:
        labels, path = s.labels["fine"], tmp_path / "p" / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, labels=labels, classes=s.semantics["fine"], scores=np.ones(labels.max() + 1))
    command = ["evaluate", "--protocol", "fusion-instance", "--predictions", str(tmp_path / "p")]
    command += ["--dataset", "procedural", "--limit", "3", "--level", "fine"]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "coverage: 2 of 3 shapes" in text and "test/0" in text and "AP50@" in text
    np.savez(tmp_path / "p" / "test" / "1.npz", labels=labels, scores=np.full(labels.max() + 1, np.nan))
    assert main(command) == 1
    assert "test/1: scores: " in capsys.readouterr().err
