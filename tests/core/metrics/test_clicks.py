"""IoU@k, NoC and the area under the curve against loops over single curves."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.processes import compute_on_processes
from partseg.metrics.clicks import ClickCurves
from partseg.metrics.functional.clicks import (
    area_under_clicks,
    filled_curves,
    iou_at_k,
    mean_over_categories,
    number_of_clicks,
)

sessions = st.lists(st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.8, 0.85, 1.0]), max_size=6), min_size=1, max_size=8)


def padded(curves: list[list[float]], clicks: int = 6) -> np.ndarray:
    return np.array([c + [np.nan] * (clicks - len(c)) for c in curves])


def after(curve: list[float], k: int) -> float:
    return curve[min(k, len(curve)) - 1] if curve else 0.0


@given(sessions, st.integers(1, 6), st.sampled_from([0.5, 0.8, 0.85, 0.9]))
def test_everything_equals_reading_one_curve_at_a_time(curves: list[list[float]], k: int, target: float) -> None:
    table = padded(curves)
    assert iou_at_k(table, k).tolist() == [after(c, k) for c in curves]
    found = number_of_clicks(table, target, cap=k)
    for i, curve in enumerate(curves):
        good = [n for n in range(1, k + 1) if after(curve, n) >= target]
        assert found.clicks[i] == (good[0] if good else k)
        assert found.reached[i] == bool(good)
    heights = [[after(c, n) for n in range(1, k + 1)] for c in curves]
    expected = [h[0] if k == 1 else sum((a + b) / 2 for a, b in pairwise(h)) / (k - 1) for h in heights]
    np.testing.assert_allclose(area_under_clicks(table, k), expected, atol=1e-12)


def test_rules_of_early_ends_caps_and_falling_curves() -> None:
    curves = np.array([[0.5, 0.9, np.nan, np.nan], [0.8, 0.2, 0.2, 0.2], [np.nan] * 4, [0.1, 0.2, 0.3, 0.8]])
    assert filled_curves(curves)[0].tolist() == [0.5, 0.9, 0.9, 0.9]
    assert iou_at_k(curves, 4).tolist() == [0.9, 0.2, 0.0, 0.8]
    found = number_of_clicks(curves, 0.8, cap=4)
    assert found.clicks.tolist() == [2, 1, 4, 4] and found.reached.tolist() == [True, True, False, True]
    assert area_under_clicks(np.full((1, 5), 0.7), 5).tolist() == pytest.approx([0.7])


def test_categories_count_alike() -> None:
    assert mean_over_categories(np.array([1.0, 0.0, 0.0, 0.0]), [7, 3, 3, 3]) == 0.5
    assert np.isnan(mean_over_categories(np.zeros(0), np.zeros(0, int)))
    with pytest.raises(ValueError, match="category"):
        mean_over_categories(np.zeros(2), [1])


def test_means_of_the_paper_s_table() -> None:
    # Qian et al. 2021, Table 1: mIoU@10, NoC@80 and NoC@85 by category, and their printed means
    for row, mean in (
        ([82.2, 83.6, 83.5, 82.0, 95.7, 86.5, 76.0, 80.1], 83.7),
        ([7.6, 8.1, 8.3, 8.5, 3.4, 8.2, 9.8, 8.0], 7.7),
        ([8.9, 9.6, 9.8, 9.8, 4.2, 9.3, 11.0, 9.0], 9.0),
    ):
        assert mean_over_categories(np.array(row), np.arange(8)) == pytest.approx(mean, abs=0.051)


@pytest.mark.parametrize(
    ("curves", "cause"),
    [
        ([[0.5, np.nan, 0.6]], "part 0 has NaN before its last click"),
        ([[0.5, 0.6, 0.6], [0.1, 0.2, 1.2]], "part 1 has an IoU outside 0..1"),
        (np.zeros((2, 0)), "at least one click"),
    ],
)
def test_bad_curves_are_refused(curves: list[list[float]], cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        iou_at_k(np.array(curves, float), 1)


def test_curves_that_are_too_short_are_not_stretched() -> None:
    with pytest.raises(ValueError, match="curves of 3 clicks say nothing of 4"):
        iou_at_k(np.zeros((1, 3)), 4)
    with pytest.raises(ValueError, match="say nothing of 15"):
        number_of_clicks(np.zeros((1, 3)), 0.8)
    with pytest.raises(ValueError, match="target"):
        number_of_clicks(np.zeros((1, 15)), 80)


def shapes(seed: int = 0) -> list[tuple[np.ndarray, int, int]]:
    rng = np.random.default_rng(seed)
    return [(np.sort(rng.random((rng.integers(1, 5), 15)), axis=1), i, i % 2) for i in range(5)]


def test_metric_averages_parts_then_categories() -> None:
    metric = ClickCurves()
    for one in shapes():
        metric.update(*one)
    metric.update(*shapes()[2])  # given twice
    found = metric.compute()
    curves = np.concatenate([c for c, _, _ in shapes()])
    category = np.concatenate([np.full(len(c), k) for c, _, k in shapes()])
    for k in (1, 5, 10):
        expected = np.mean([curves[category == c, k - 1].mean() for c in (0, 1)])
        assert float(found[f"iou@{k}"]) == pytest.approx(expected)
    clicks = number_of_clicks(curves, 0.9)
    expected = np.mean([clicks.clicks[category == c].mean() for c in (0, 1)])
    assert float(found["noc@90"]) == pytest.approx(expected)
    assert 0 <= float(found["failed@90"]) <= 1 and 0 < float(found["auc"]) < 1
    assert all(np.isnan(float(value)) for value in ClickCurves().compute().values())


def test_metric_names_the_shape_it_refuses() -> None:
    with pytest.raises(ValueError, match="shape 3: curves must be"):
        ClickCurves().update(np.zeros((2, 10)), 3)
    with pytest.raises(ValueError, match="shape 4: curves: part 0"):
        ClickCurves().update(np.full((2, 15), 2.0), 4)
    with pytest.raises(ValueError, match="shape: expected the number"):
        ClickCurves().update(np.zeros((2, 15)), -1)
    with pytest.raises(ValueError, match="expected ks"):
        ClickCurves(5)


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    one = ClickCurves()
    for each in shapes():
        one.update(*each)
    dealt = [shapes()[3:] + shapes()[:1], shapes()[:3][::-1]]
    assert compute_on_processes(ClickCurves(), dealt, tmp_path) == [one.compute()] * 2
