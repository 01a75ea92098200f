"""Correspondence error and co-segmentation against plain loops."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.processes import compute_on_processes
from partseg.metrics.correspondence import CorrespondenceError, CosegmentationIoU
from partseg.metrics.functional import correspondence
from partseg.metrics.functional.correspondence import (
    correspondence_accuracy,
    correspondence_errors,
    cosegmentation_iou,
    nearest_features,
)


def test_nearest_features_equal_all_distances_in_any_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 30)).astype(np.float32) + 100, rng.normal(size=(25, 30)).astype(np.float32) + 100
    expected = np.linalg.norm(a[:, None].astype(float) - b[None], axis=2).argmin(1)
    assert nearest_features(a, b).tolist() == expected.tolist()
    monkeypatch.setattr(correspondence, "_CHUNK", 60)
    assert nearest_features(a, b).tolist() == expected.tolist()
    assert nearest_features(np.zeros((1, 2)), np.zeros((3, 2))).tolist() == [0]
    far = rng.normal(size=(25, 30)) + 1e8  # squares that float64 cannot tell apart
    order = rng.permutation(25)
    assert nearest_features(far[order], far).tolist() == order.tolist()


def test_errors_are_distances_to_the_true_element_in_longest_sides() -> None:
    positions = np.array([[0, 0, 0], [4, 0, 0], [0, 3, 0.0]])
    target, source = np.eye(3), np.eye(3)[[0, 1, 2, 0]]
    errors = correspondence_errors(source, target, positions, np.array([0, 2, -1, 1]))
    assert errors.tolist() == [0.0, 5 / 4, 1.0]
    assert correspondence_accuracy(errors, np.array([0.0, 1.0, 2.0])).tolist() == [1 / 3, 2 / 3, 1.0]
    scaled = correspondence_errors(source * 5, target * 5, positions * 9 + 2, np.array([0, 2, -1, 1]))
    np.testing.assert_allclose(scaled, errors)
    assert np.isnan(correspondence_accuracy(np.zeros(0), np.array([0.1]))).all()


def test_bad_correspondences_are_refused() -> None:
    good = [np.eye(2), np.eye(2), np.zeros((2, 3)), np.array([0, 1])]
    for place, bad, cause in (
        (3, np.array([0, 2]), r"true names elements 0\.\.2 of 2"),
        (3, np.array([0]), r"true must be \(2,\)"),
        (2, np.zeros((1, 3)), "positions must be"),
        (0, np.full((2, 2), np.nan), "NaN or infinite"),
        (1, np.zeros((2, 3)), "features must be"),
    ):
        with pytest.raises(ValueError, match=cause):
            correspondence_errors(*(bad if i == place else x for i, x in enumerate(good)))


sets = st.integers(1, 14).flatmap(
    lambda n: st.tuples(
        *[st.lists(st.integers(-1, k), min_size=n, max_size=n).map(lambda x: np.array(x, int)) for k in (3, 2)],
        st.lists(st.integers(5, 6), min_size=n, max_size=n).map(lambda x: np.array(x, int)),
    )
)


@given(sets)
def test_cosegmentation_equals_the_best_naming_of_clusters(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    pred, true, shape = case
    found = cosegmentation_iou(pred, true, shape)
    parts, clusters = sorted(set(true.tolist()) - {-1}), sorted(set(pred.tolist()) - {-1})
    if not parts:
        assert np.isnan(found.miou) and np.isnan(found.accuracy)
        return

    def iou(cluster: int | None, part: int, inside: np.ndarray) -> float:
        p, t = inside & (pred == (-9 if cluster is None else cluster)), inside & (true == part)
        return (p & t).sum() / (p | t).sum()

    everywhere = np.ones(len(true), bool)
    options = [*clusters, *[None] * len(parts)]
    totals = [sum(map(lambda c, t: iou(c, t, everywhere), way, parts)) for way in permutations(options, len(parts))]
    mine = [None if c == -1 else int(c) for c in found.cluster]
    assert sum(map(lambda c, t: iou(c, t, everywhere), mine, parts)) == pytest.approx(max(totals))
    for value, s in zip(found.by_shape, sorted(set(shape.tolist())), strict=True):
        inside = shape == s
        scores = [iou(c, t, inside) for c, t in zip(mine, parts, strict=True) if (inside & (true == t)).any()]
        assert value == pytest.approx(np.mean(scores)) if scores else np.isnan(value)
    right = sum(((pred == c) & (true == t)).sum() for c, t in zip(mine, parts, strict=True) if c is not None)
    assert found.accuracy == pytest.approx(right / (true != -1).sum())
    assert found.miou == pytest.approx(np.nanmean(found.by_shape))


def test_one_naming_serves_the_whole_set() -> None:
    true = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    shape = np.repeat([0, 1], 4)
    assert cosegmentation_iou(true + 5, true, shape)[:1] == (1.0,)
    swapped = np.array([0, 0, 1, 1, 1, 1, 0, 0])  # perfect in each shape, with the names exchanged in the second
    found = cosegmentation_iou(swapped, true, shape)
    assert sorted(found.by_shape) == [0.0, 1.0] and found.accuracy == 0.5
    with pytest.raises(ValueError, match="shape must be"):
        cosegmentation_iou(true, true, shape[:3])


def pairs() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]]:
    rng, out = np.random.default_rng(2), []
    for i in range(4):
        target = rng.normal(size=(30, 8))
        true = rng.permutation(30)
        out.append((target[true] + rng.normal(size=(30, 8)) * 0.8, target, rng.random((30, 3)), true, i))
    return out


def test_metrics_average_pairs_and_sets() -> None:
    metric = CorrespondenceError(tolerances=(0.1,))
    for pair in pairs():
        metric.update(*pair)
    metric.update(*pairs()[0])
    errors = [correspondence_errors(*pair[:4]) for pair in pairs()]
    found = metric.compute()
    assert float(found["error"]) == pytest.approx(np.mean([e.mean() for e in errors]))
    assert float(found["accuracy@0.1"]) == pytest.approx(np.mean([(e <= 0.1).mean() for e in errors]))
    with pytest.raises(ValueError, match="pair 8: true holds no correspondent"):
        metric.update(*pairs()[0][:3], np.full(30, -1), 8)
    sets = CosegmentationIoU()
    true, shape = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    sets.update(true, true, shape, 0)
    sets.update(np.zeros(4, int), true, shape, 1)
    assert float(sets.compute()["miou"]) == pytest.approx(
        (1 + cosegmentation_iou(np.zeros(4, int), true, shape)[0]) / 2
    )
    with pytest.raises(ValueError, match="set 3: true holds no label"):
        sets.update(true, np.full(4, -1), shape, 3)


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    one = CorrespondenceError()
    for pair in pairs():
        one.update(*pair)
    assert compute_on_processes(CorrespondenceError(), [pairs()[2:], pairs()[:3]], tmp_path) == [one.compute()] * 2
