"""`shapenet-part`: by hand, against the conventions written down plainly, and on ShapeNetPart's own form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fakes.shapenet_part import write_text
from partseg.cli.main import main
from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg_bench.predictions import Prediction
from partseg_bench.protocols import Metric, open_protocol

NAMES = ("Mug/0", "Mug/1", "Car/0", "Car/1", "Car/2")
OF = {"Mug": (0, 1), "Car": (2, 3, 4)}


def sample(name: str, classes: list[int]) -> PartSample:
    shape = Shape.from_points(np.arange(3 * len(classes), dtype=float).reshape(-1, 3), name=name)
    return PartSample(shape, {}, {"parts": np.array(classes, np.int64)})


def scored(
    samples: list[PartSample], predicted: list[list[int] | None], categories: list[str], names: tuple[str, ...] = NAMES
) -> dict[str, Metric]:
    """Records go through JSON on the way, as those of the runner do."""
    ids = [s.shape.name for s in samples]
    protocol = type(open_protocol("shapenet-part"))({"parts": names}, dict(zip(ids, categories, strict=True)))
    records = {}
    for s, p in zip(samples, predicted, strict=True):
        given = None if p is None else Prediction(np.zeros(len(p), np.int64), classes=np.array(p, np.int64))
        records[s.shape.name] = protocol.score(given, s)
    return protocol.aggregate(json.loads(json.dumps(records, allow_nan=False)), ids)


def test_by_hand():
    samples = [sample("a", [0, 0, 1, 1]), sample("b", [0, 0, 0, 0]), sample("c", [2, 2, 3, 3])]
    got = scored(samples, [[0, 1, 1, 1], [0, 0, 0, 0], [2, 2, 2, 3]], ["Mug", "Mug", "Car"])
    # a: 1/2 and 2/3. b: 1, and its absent handle counts 1. c: 2/3, 1/2, and the absent class 4 counts 1
    a, b, c = 7 / 12, 1.0, (2 / 3 + 1 / 2 + 1) / 3
    assert list(got) == ["instance-miou", "category-miou", "part-miou", "instance-miou@Car", "instance-miou@Mug"]
    assert got["instance-miou"].value == pytest.approx((a + b + c) / 3)
    assert got["category-miou"].value == pytest.approx(((a + b) / 2 + c) / 2)
    assert got["instance-miou@Mug"].value == pytest.approx((a + b) / 2)
    # pooled: body 5 of 6, handle 2 of 3, 2 of 3, 1 of 2; class 4 is nowhere
    assert got["part-miou"].value == pytest.approx((5 / 6 + 2 / 3 + 2 / 3 + 1 / 2) / 4)


def test_a_missing_shape_counts_0_whatever_it_lacks():
    samples = [sample("a", [0, 0, 0, 0]), sample("b", [0, 0, 1, 1])]
    got = scored(samples, [None, [0, 0, 1, 1]], ["Mug", "Mug"])  # the absent handle of a is no merit
    assert got["instance-miou"].value == 0.5 and got["instance-miou"].n == 2
    assert got["part-miou"].value == pytest.approx((2 / 6 + 1) / 2)
    assert scored(samples, [None, None], ["Mug", "Mug"])["category-miou"].value == 0


def test_another_category_s_class_is_a_miss_and_nobody_s_false_alarm():
    got = scored([sample("a", [0, 0, 1, 1]), sample("b", [2, 2, 3, 4])], [[0, 3, 1, 1], [2, 2, 3, 4]], ["Mug", "Car"])
    assert got["instance-miou@Mug"].value == 0.75 and got["instance-miou@Car"].value == 1
    assert got["part-miou"].value == pytest.approx((0.5 + 1 + 1 + 1 + 1) / 5)


def test_without_such_names_a_category_has_the_classes_that_occur_in_it():
    samples = [sample("a", [0, 0, 1, 1]), sample("b", [0, 0, 0, 0]), sample("c", [0, 2, 2, 2])]
    names = ("body", "handle", "wheel")
    got = scored(samples, [[0, 0, 1, 1], [0, 0, 0, 1], [0, 2, 2, 0]], ["Mug", "Mug", "Car"], names)
    assert got["instance-miou@Mug"].value == pytest.approx((1 + (3 / 4 + 0) / 2) / 2)
    assert got["instance-miou@Car"].value == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_unlabelled_elements_and_shapes_are_left_out():
    samples = [sample("a", [0, -1, 1, 1]), sample("b", [-1, -1, -1, -1])]
    got = scored(samples, [[0, 1, 1, 1], [0, 0, 0, 0]], ["Mug", "Mug"])
    assert got["instance-miou"].value == 1 and got["part-miou"].value == 1


def plainly(samples: list[PartSample], predicted: list[np.ndarray], categories: list[str]) -> dict[str, float]:
    """Shape by shape and class by class."""
    shapes: dict[str, list[float]] = {}
    for s, p, category in zip(samples, predicted, categories, strict=True):
        true, ious = s.semantics["parts"], []
        for c in OF[category]:
            union = ((p == c) | (true == c)).sum()
            ious.append(1.0 if union == 0 else ((p == c) & (true == c)).sum() / union)
        shapes.setdefault(category, []).append(float(np.mean(ious)))
    parts = []
    for category, classes in OF.items():
        mine = [i for i, other in enumerate(categories) if other == category]
        p, true = (np.concatenate([x[i] for i in mine]) for x in (predicted, [s.semantics["parts"] for s in samples]))
        parts += [((p == c) & (true == c)).sum() / ((p == c) | (true == c)).sum() for c in classes]
    return {
        "instance-miou": float(np.mean(np.concatenate(list(shapes.values())))),
        "category-miou": float(np.mean([np.mean(values) for values in shapes.values()])),
        "part-miou": float(np.mean(parts)),
    }


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_conventions_written_down_plainly(seed):
    rng = np.random.default_rng(seed)
    categories = [("Mug", "Car")[int(i > 3)] for i in range(12)]
    samples, predicted = [], []
    for i, category in enumerate(categories):
        there = rng.choice(OF[category], rng.integers(1, len(OF[category]) + 1), replace=False)  # some are absent
        true = rng.choice(there, 40)
        samples.append(sample(f"s{i}", true.tolist()))
        predicted.append(np.where(rng.random(40) < 0.3, rng.choice(there, 40), true))
    got = scored(samples, [p.tolist() for p in predicted], categories)
    for name, value in plainly(samples, predicted, categories).items():
        assert got[name].value == pytest.approx(value, abs=1e-12)
        assert got[name].low <= got[name].value <= got[name].high


def test_errors_name_shape_and_field():
    with pytest.raises(PartsegError, match="a: labels: expected 3 elements, found 2"):
        scored([sample("a", [0, 0, 1])], [[0, 1]], ["Mug"])
    with pytest.raises(PartsegError, match=r"a: classes: expected -1\.\.4, found 0\.\.5"):
        scored([sample("a", [0, 0, 1])], [[0, 1, 5]], ["Mug"])


def test_evaluate_on_the_form_of_the_dataset(tmp_path: Path, capsys):
    """Three categories of the release, each shape predicted as it is, but for one that is missing."""
    write_text(tmp_path / "d")
    from partseg_bench.samples import eval_set

    shapes = eval_set("shapenet-part", options={"root": tmp_path / "d"})
    for name, s in list(zip(shapes.ids, shapes))[1:]:
        path = tmp_path / "p" / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, labels=s.labels["parts"], classes=s.semantics["parts"])
    arguments = ["--predictions", str(tmp_path / "p"), "--dataset", "shapenet-part", "--root", str(tmp_path / "d")]
    assert main(["evaluate", "--protocol", "shapenet-part", *arguments, "-o", str(tmp_path / "r.json")]) == 0
    n, text = len(shapes), capsys.readouterr().out
    assert f"coverage: {n - 1} of {n} shapes" in text
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["metrics"]["instance-miou"]["value"] == pytest.approx((n - 1) / n)
    assert [one["scores"]["instance-miou"] for one in result["per_shape"].values()] == [0.0] + [1.0] * (n - 1)
