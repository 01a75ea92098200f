"""Boxes, recall and chamfer distance against counting and double loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fakes.processes import compute_on_processes
from partseg.metrics.functional.proposals import (
    box_ious,
    box_of_points,
    chamfer_distance,
    gspn_box_miou,
    gspn_chamfer,
    proposal_recall,
)
from partseg.metrics.proposals import BoxProposals, ChamferDistance

corners = arrays(np.int64, (2, 3), elements=st.integers(0, 5))
boxes = st.lists(corners.map(lambda c: np.sort(c, axis=0).astype(float)), min_size=1, max_size=4).map(np.stack)


def cells(box: np.ndarray) -> set[tuple[int, ...]]:
    """Unit cells inside a box with integer corners."""
    ranges = [range(int(a), int(b)) for a, b in box.T]
    return {(x, y, z) for x in ranges[0] for y in ranges[1] for z in ranges[2]}


@given(boxes, boxes)
def test_box_ious_count_cells(a: np.ndarray, b: np.ndarray) -> None:
    found = box_ious(a, b)
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            flat = (one[0] == one[1]) & (other[0] == other[1])
            same = flat & (one[0] == other[0])
            if (flat & ~same).any():  # in two parallel planes
                assert found[i, j] == 0
                continue
            thick = [np.where(same[None], [[0.0], [1.0]], box) for box in (one, other)]  # shared planes get thickness
            x, y = (cells(box) for box in thick)
            assert found[i, j] == pytest.approx(len(x & y) / len(x | y) if x | y else 0.0)


@given(boxes, st.floats(0.1, 10), st.floats(-5, 5))
def test_box_ious_do_not_depend_on_scale_place_or_the_order_of_axes(a: np.ndarray, scale: float, move: float) -> None:
    thick = a + np.array([[0.0] * 3, [0.5] * 3])
    expected = box_ious(thick, thick[::-1])
    np.testing.assert_allclose(box_ious(thick * scale + move, thick[::-1] * scale + move), expected, atol=1e-9)
    np.testing.assert_allclose(box_ious(thick[..., [2, 0, 1]], thick[::-1][..., [2, 0, 1]]), expected, atol=1e-12)
    np.testing.assert_allclose(np.diag(box_ious(thick, thick)), 1)


def test_flat_boxes() -> None:
    sheet = np.array([[0, 0, 1], [2, 2, 1.0]])
    half, lifted, thick = sheet * [0.5, 1, 1], sheet + [0, 0, 0.1], sheet + np.array([[0, 0, 0], [0, 0, 1.0]])
    found = box_ious(sheet[None], np.stack([sheet, half, lifted, thick]))[0]
    assert found.tolist() == [1.0, 0.5, 0.0, 0.0]
    point = np.zeros((1, 2, 3))
    assert box_ious(point, point).item() == 1.0
    assert box_ious(point, point + 1).item() == 0.0


def test_gspn_box_miou_pairs_boxes_by_seed() -> None:
    cube = np.array([[0, 0, 0], [1, 1, 1.0]])
    pred, true = np.stack([cube, cube, cube]), np.stack([cube, cube + [0.5, 0, 0], cube + 3])
    assert gspn_box_miou(pred, true) == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert np.isnan(gspn_box_miou(np.zeros((0, 2, 3)), np.zeros((0, 2, 3))))
    with pytest.raises(ValueError, match="true ones"):
        gspn_box_miou(pred, true[:2])


@given(
    arrays(np.float64, st.tuples(st.integers(0, 4), st.integers(1, 4)), elements=st.sampled_from([0, 0.25, 0.5, 1.0]))
)
def test_recall_counts_objects_that_are_reached(iou: np.ndarray) -> None:
    found = proposal_recall(iou, (0.25, 0.5, 1.0))
    for value, threshold in zip(found, (0.25, 0.5, 1.0), strict=True):
        reached = [any(iou[i, j] >= threshold for i in range(len(iou))) for j in range(iou.shape[1])]
        assert value == pytest.approx(sum(reached) / len(reached))


clouds = arrays(np.float64, st.tuples(st.integers(1, 6), st.just(3)), elements=st.floats(-3, 3))


@given(clouds, clouds, st.booleans())
def test_chamfer_equals_double_loops(a: np.ndarray, b: np.ndarray, squared: bool) -> None:
    power = 2 if squared else 1
    forward = np.mean([min(np.linalg.norm(x - y) for y in b) ** power for x in a])
    backward = np.mean([min(np.linalg.norm(x - y) for y in a) ** power for x in b])
    found = chamfer_distance(a, b, squared=squared)
    assert found == pytest.approx((forward, backward), abs=1e-9)
    assert (found.sum, found.mean) == pytest.approx((forward + backward, (forward + backward) / 2), abs=1e-9)


def test_gspn_chamfer_is_squared_and_relative_to_the_radius() -> None:
    rng = np.random.default_rng(0)
    true, pred = rng.random((50, 3)), rng.random((40, 3))
    radius = np.linalg.norm(true.max(0) - true.min(0)) / 2
    assert gspn_chamfer(pred, true) == pytest.approx(chamfer_distance(pred / radius, true / radius, squared=True).sum)
    assert gspn_chamfer(pred * 7 + 3, true * 7 + 3) == pytest.approx(gspn_chamfer(pred, true))
    assert gspn_chamfer(np.array([[3.0, 0, 0]]), np.array([[1.0, 0, 0]])) == 8.0


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="low corner lies above"):
        box_ious(np.array([[[1, 0, 0], [0, 1, 1.0]]]), np.zeros((1, 2, 3)))
    with pytest.raises(ValueError, match="finite corners"):
        box_ious(np.full((1, 2, 3), np.nan), np.zeros((1, 2, 3)))
    with pytest.raises(ValueError, match="at least one point"):
        chamfer_distance(np.zeros((0, 3)), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="finite coordinates"):
        box_of_points(np.array([[np.inf, 0, 0]]))
    with pytest.raises(ValueError, match="thresholds"):
        proposal_recall(np.zeros((1, 1)), (0,))
    with pytest.raises(ValueError, match="without NaN"):
        proposal_recall(np.full((1, 1), np.nan))


def rooms() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    rng, out = np.random.default_rng(1), []
    for i in range(4):
        true = np.sort(rng.random((3, 2, 3)), axis=1)
        seeds = rng.integers(-1, 3, 6)
        pred = np.sort(true[seeds] + rng.normal(size=(6, 2, 3)) * 0.05, axis=1)
        out.append((pred, true, seeds, i))
    return out


def test_metric_averages_over_seeds_and_objects_of_all_rooms() -> None:
    metric, pairs, reached = BoxProposals(thresholds=(0.5,)), [], []
    for pred, true, seeds, i in rooms():
        metric.update(pred, true, seeds, i)
        pairs += [box_ious(pred[k : k + 1], true[s][None]).item() for k, s in enumerate(seeds) if s >= 0]
        reached += (box_ious(pred, true).max(0) >= 0.5).tolist()
    metric.update(*rooms()[1])
    found = metric.compute()
    assert float(found["box_miou"]) == pytest.approx(np.mean(pairs))
    assert float(found["recall@50"]) == pytest.approx(np.mean(reached))
    assert float(found["proposals"]) == 6
    with pytest.raises(ValueError, match="shape 9: of_seed names objects"):
        metric.update(np.zeros((1, 2, 3)), np.zeros((1, 2, 3)), np.array([1]), 9)
    with pytest.raises(ValueError, match="shape 9: a holds a box"):
        metric.update(np.array([[[1, 0, 0], [0, 1, 1.0]]]), np.zeros((1, 2, 3)), np.array([0]), 9)


def test_chamfer_metric_averages_objects() -> None:
    metric = ChamferDistance(squared=True)
    metric.update(np.zeros((1, 3)), np.array([[2.0, 0, 0]]), 0, 0)
    metric.update(np.zeros((1, 3)), np.array([[0.0, 0, 0], [0, 0, 2]]), 0, 1)
    found = {key: float(value) for key, value in metric.compute().items()}
    assert found == {"forward": 2.0, "backward": 3.0, "sum": 5.0, "mean": 2.5}
    with pytest.raises(ValueError, match="shape 1, object 2: pred"):
        metric.update(np.zeros((0, 3)), np.zeros((1, 3)), 1, 2)


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    one = BoxProposals()
    for room in rooms():
        one.update(*room)
    dealt = [rooms()[2:], rooms()[:3]]  # one room on both
    assert compute_on_processes(BoxProposals(), dealt, tmp_path) == [one.compute()] * 2
