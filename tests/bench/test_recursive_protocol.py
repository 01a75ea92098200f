"""`recursive-instance`: by hand, against the rule written down plainly, and what becomes of missing shapes."""

from __future__ import annotations

import numpy as np
import pytest

from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg_bench.predictions import Prediction
from partseg_bench.protocols import open_protocol

NAMES = ("seat", "leg", "arm")


def sample(name: str, labels: list[int], classes: list[int]) -> PartSample:
    shape = Shape.from_points(np.arange(3 * len(labels), dtype=float).reshape(-1, 3), name=name)
    return PartSample(shape, {"fine": np.array(labels)}, {"fine": np.array(classes)})


def protocol(categories: dict[str, str] | None = None):
    return type(open_protocol("recursive-instance"))({"fine": NAMES}, categories or {})


def scored(found, samples: list[PartSample], groups: list[list[int] | None]) -> dict[str, float]:
    records = {
        s.shape.name: found.score(None if g is None else Prediction(np.array(g)), s)
        for s, g in zip(samples, groups, strict=True)
    }
    return {name: metric.value for name, metric in found.aggregate(records, [*records]).items()}


def test_by_hand():
    """A seat found whole, two legs taken for one: of three groups predicted all hit or not as below."""
    truth = sample("a", [0, 0, 0, 0, 1, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1, 1, 1, 1])
    got = scored(protocol(), [truth], [[5, 5, 5, 5, 7, 7, 7, 7, 7]])
    # seat: IoU 1. legs: one group, IoU 3/5 with the first, which is 1 hit of 2: recall 1/2, precision 1, levels 0…0.5
    assert got["AP50"] == pytest.approx((1.0 + 0.6) / 2)
    assert got["AP25"] == pytest.approx((1.0 + 0.6) / 2)
    # as one class: two hits of three parts, recall 2/3 and levels 0…0.6 (0.6000000000000001 is below 2/3)
    assert got["AP50-one-class"] == pytest.approx(0.7)


def plain_ap(samples: list[PartSample], groups: list[list[int]], threshold: float) -> float:
    """The release's loop: shapes in order, groups in order, each takes the best true group of its class."""
    hits: dict[int, list[int]] = {}
    true: dict[int, int] = {}
    for s, group in zip(samples, groups, strict=True):
        labels, classes, group = s.labels["fine"], s.semantics["fine"], np.array(group)
        of = {g: np.bincount(classes[labels == g]).argmax() for g in np.unique(labels)}
        for c in of.values():
            true[c] = true.get(c, 0) + 1
        used = set()
        for p in np.unique(group):
            mine = group == p
            c = np.bincount(classes[mine]).argmax()
            same = [g for g in of if of[g] == c]
            ious = [(mine & (labels == g)).sum() / (mine | (labels == g)).sum() for g in same]
            hit = 0
            if ious and max(ious) >= threshold and same[int(np.argmax(ious))] not in used:
                used.add(same[int(np.argmax(ious))])
                hit = 1
            hits.setdefault(c, []).append(hit)
    values = []
    for c, n in true.items():
        h = np.array(hits.get(c, []))
        precision, recall = np.cumsum(h) / (1 + np.arange(len(h))), np.cumsum(h) / n
        best = [precision[recall >= level].max(initial=0.0) for level in 0.1 * np.arange(10)]
        values.append(np.mean(best))
    return float(np.mean(values))


@pytest.mark.parametrize("seed", range(5))
def test_equals_the_rule_written_down_plainly(seed):
    rng = np.random.default_rng(seed)
    samples, groups = [], []
    for i in range(4):
        labels = rng.integers(5, size=60)
        samples.append(sample(f"s{i}", labels.tolist(), (labels % 3).tolist()))
        noise = rng.random(60) < 0.3
        groups.append(np.where(noise, rng.integers(6, size=60), labels).tolist())
    got = scored(protocol(), samples, groups)
    assert got["AP50"] == pytest.approx(plain_ap(samples, groups, 0.5), abs=1e-12)
    assert got["AP25"] == pytest.approx(plain_ap(samples, groups, 0.25), abs=1e-12)


def test_missing_shapes_and_unlabelled_elements_count():
    truth = sample("a", [0, 0, 1, 1], [0, 0, 1, 1])
    assert scored(protocol(), [truth], [None])["AP50"] == 0
    both = scored(protocol(), [truth, sample("b", [0, 0, 1, 1], [0, 0, 1, 1])], [[0, 0, 1, 1], None])
    assert both["AP50"] == pytest.approx(0.6)  # one of two parts of each class: levels 0…0.5
    holes = sample("c", [0, 0, -1, -1], [0, 0, -1, -1])
    assert scored(protocol(), [holes], [[3, 3, -1, -1]])["AP50"] == 1
    assert scored(protocol(), [holes], [[3, 3, 3, -1]])["AP50"] == 1  # IoU 2/3


def test_categories_are_averaged_and_lengths_checked():
    truths = [sample("a", [0, 0, 1], [0, 0, 0]), sample("b", [0, 0, 1], [2, 2, 2])]
    got = scored(protocol({"a": "Chair", "b": "Lamp"}), truths, [[0, 0, 1], [0, 0, 0]])
    assert got["AP50@Chair"] == 1 and got["AP50"] == pytest.approx((1 + got["AP50@Lamp"]) / 2)
    with pytest.raises(PartsegError, match="a: labels: expected 3 elements, found 2"):
        protocol().score(Prediction(np.zeros(2, np.int64)), truths[0])
