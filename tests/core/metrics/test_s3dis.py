"""Scores of S3DIS rooms against the official program, a literal formulation, and one process against two."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from fakes.processes import compute_on_processes
from partseg.metrics.functional.s3dis import S3disRoom, s3dis_room, s3dis_scores
from partseg.metrics.s3dis import S3disInstanceScores

MEANS = {"mCov": 0, "mWCov": 1, "mPrec": 2, "mRec": 3, "OA": 4, "mAcc": 5, "mIoU": 6}
Room = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def rooms_of(folder: Path) -> list[Room]:
    with np.load(folder / "case_01.npz") as case:
        fields = [case[key] for key in ("pred_ins", "pred_sem", "gt_ins", "gt_sem")]
        bounds = case["room_offsets"]
    return [tuple(x[a:b] for x in fields) for a, b in pairwise(bounds)]


def random_rooms(rng: np.random.Generator, rooms: int, classes: int) -> list[Room]:
    out = []
    for n in rng.integers(60, 120, rooms):
        true = rng.integers(0, 5, n)
        pred = np.where(rng.random(n) < 0.7, true, rng.integers(-1, 5, n))
        kinds = np.r_[rng.integers(0, classes, 6)]
        true_class = np.where(rng.random(n) < 0.8, kinds[true], rng.integers(0, classes, n))
        pred_class = np.where(rng.random(n) < 0.7, true_class, rng.integers(0, classes, n))
        out.append((pred, pred_class, true, true_class))
    return out


def test_official_answers(test_data: Callable[[str], Path]) -> None:
    folder = test_data("s3dis_parity")
    official = json.loads((folder / "case_01.json").read_text())
    parts = [s3dis_room(*room) for room in rooms_of(folder)]
    scores = s3dis_scores(parts)
    for name, i in MEANS.items():
        assert scores[i] == pytest.approx(official["mean"][name], rel=0, abs=1e-12), name
    classes = official["per_class"]
    ours = {
        "mCov": scores.coverage,
        "mWCov": scores.weighted_coverage,
        "mPrec": scores.precision,
        "mRec": scores.recall,
        "Acc": scores.accuracy,
        "IoU": scores.iou,
        "num_gt": sum(room.num_true for room in parts),
        "num_pred": sum(room.num_pred for room in parts),
        "num_tp": sum(room.num_hits for room in parts),
        "gt_points": sum(room.true_points for room in parts),
        "pred_points": sum(room.pred_points for room in parts),
        "tp_points": sum(room.hit_points for room in parts),
    }
    for name, values in ours.items():
        np.testing.assert_allclose(values, np.array(classes[name], float), rtol=0, atol=1e-12, err_msg=name)
    for i, (cov, wcov) in enumerate(zip(*(official["per_class_per_room"][k] for k in ("cov", "wcov")), strict=True)):
        held = [room for room in parts if room.num_true[i]]
        np.testing.assert_allclose([room.coverage[i] for room in held], cov, rtol=0, atol=1e-12)
        np.testing.assert_allclose([room.weighted_coverage[i] for room in held], wcov, rtol=0, atol=1e-12)


def literal(rooms: list[Room], classes: int) -> tuple[list[float], list[float], list[float], list[float]]:
    """mCov, mWCov, mPrec, mRec of each class, with a mask for every instance."""
    cov, wcov = [[] for _ in range(classes)], [[] for _ in range(classes)]
    hits, preds, trues = [0] * classes, [0] * classes, [0] * classes
    for pred_instance, pred_class, true_instance, true_class in rooms:
        mode = lambda mask, kinds: max(range(classes), key=lambda c: ((kinds[mask] == c).sum(), -c))  # noqa: E731
        pred_masks = [pred_instance == i for i in set(pred_instance.tolist()) if i != -1]
        true_masks = [true_instance == i for i in set(true_instance.tolist())]
        pred_kinds = [mode(mask, pred_class) for mask in pred_masks]
        true_kinds = [mode(mask, true_class) for mask in true_masks]
        iou = lambda a, b: (a & b).sum() / (a | b).sum()  # noqa: E731
        for k in range(classes):
            mine = [mask for mask, kind in zip(pred_masks, pred_kinds, strict=True) if kind == k]
            theirs = [mask for mask, kind in zip(true_masks, true_kinds, strict=True) if kind == k]
            preds[k] += len(mine)
            trues[k] += len(theirs)
            hits[k] += sum(max((iou(p, t) for t in theirs), default=0) >= 0.5 for p in mine)
            if theirs:
                best = [max((iou(p, t) for p in mine), default=0.0) for t in theirs]
                cov[k].append(np.mean(best))
                wcov[k].append(np.average(best, weights=[t.sum() for t in theirs]))
    mean = lambda values: float(np.mean(values)) if values else np.nan  # noqa: E731
    part = lambda a, b: a / b if b else np.nan  # noqa: E731
    return (
        [mean(values) for values in cov],
        [mean(values) for values in wcov],
        [part(h, p) for h, p in zip(hits, preds, strict=True)],
        [part(h, t) for h, t in zip(hits, trues, strict=True)],
    )


labels = st.integers(1, 14).flatmap(
    lambda n: st.tuples(
        *[st.lists(st.integers(low, high), min_size=n, max_size=n).map(np.array) for low, high in [(-1, 3), (0, 2)] * 2]
    )
)


@given(st.lists(labels, min_size=1, max_size=3))
def test_equals_the_literal_formulation(rooms: list[Room]) -> None:
    scores = s3dis_scores([s3dis_room(*room, classes=3) for room in rooms])
    expected = literal(rooms, 3)
    for values, wanted, mean in zip(scores[7:11], expected, scores[:4], strict=True):
        np.testing.assert_allclose(values, wanted, rtol=0, atol=1e-14)
        assert mean == pytest.approx(np.mean(wanted), nan_ok=True)


_ONE = np.zeros(10, int)
_LAST = lambda *tail: np.r_[np.zeros(10 - len(tail), int), tail]  # noqa: E731


@example(  # two instances of a class, summed the other way round, differ in the last bit
    [
        (_ONE, _ONE, _LAST(1, -1), _LAST(1)),
        (
            np.array([0] * 6 + [1] * 4 + [2] * 3 + [0]),
            np.zeros(14, int),
            np.array([0, 0, 0, 2, 0, -1, 0, 0, 0, 3, 0, 0, 1, -1]),
            np.array([0, 0, 0, 2] + [0] * 10),
        ),
    ],
    [0, 1, 3, 4, 2],
)
@given(st.lists(labels, min_size=2, max_size=4), st.permutations(range(5)))
def test_order_of_rooms_and_names_of_instances_do_not_matter(rooms: list[Room], names: list[int]) -> None:
    first = s3dis_scores([s3dis_room(*room, classes=3) for room in rooms])
    renamed = [
        (np.where(p >= 0, np.array(names)[p] * 997, -1), c, np.array(names)[t + 1], k) for p, c, t, k in rooms[::-1]
    ]
    second = s3dis_scores([s3dis_room(*room, classes=3) for room in renamed])
    # inside a room the names set the order of sums; that of rooms does not matter to the last bit
    np.testing.assert_allclose(np.array(second[:7]), np.array(first[:7]), rtol=1e-13, atol=0)
    turned = s3dis_scores([s3dis_room(*room, classes=3) for room in rooms[::-1]])
    assert [repr(value) for value in first[:7]] == [repr(value) for value in turned[:7]]


def test_an_object_cut_in_exact_halves_gives_two_hits_and_recall_above_one() -> None:
    zeros = np.zeros(4, int)
    room = s3dis_room(np.array([0, 0, 1, 1]), zeros, zeros, zeros, classes=1)
    scores = s3dis_scores([room])
    assert (scores.m_prec, scores.m_rec, scores.m_cov) == (1.0, 2.0, 0.5)


def test_points_without_a_prediction_belong_to_no_instance_but_count_in_the_union() -> None:
    zeros = np.zeros(4, int)
    room = s3dis_room(np.array([0, 0, 0, -1]), zeros, zeros, zeros, classes=1)
    assert room.num_pred.tolist() == [1]
    assert room.coverage.tolist() == [0.75]


def test_the_vote_on_an_instances_class_goes_to_the_lowest_on_a_tie() -> None:
    zeros, kinds = np.zeros(4, int), np.array([2, 1, 1, 2])
    room = s3dis_room(zeros, kinds, zeros, kinds, classes=3)
    assert room.num_true.tolist() == room.num_pred.tolist() == room.num_hits.tolist() == [0, 1, 0]


def test_undefined_values() -> None:
    """Class 0 is right, 1 predicted only, 2 true only, 3 neither."""
    ids = np.array([0, 0, 1, 1])
    scores = s3dis_scores([s3dis_room(ids, np.array([0, 0, 1, 1]), ids, np.array([0, 0, 2, 2]), classes=4)])
    np.testing.assert_array_equal(scores.coverage, [1, np.nan, 0, np.nan])
    np.testing.assert_array_equal(scores.precision, [1, 0, np.nan, np.nan])
    np.testing.assert_array_equal(scores.recall, [1, np.nan, 0, np.nan])
    np.testing.assert_array_equal(scores.accuracy, [1, np.nan, 0, np.nan])
    np.testing.assert_array_equal(scores.iou, [1, 0, 0, np.nan])
    assert np.isnan([scores.m_cov, scores.m_prec, scores.m_rec, scores.m_acc, scores.m_iou]).all()
    assert scores.overall_accuracy == 0.5
    assert np.isnan(s3dis_scores([])[:7]).all()
    empty = np.empty(0, int)
    assert np.isnan(s3dis_scores([s3dis_room(empty, empty, empty, empty)])[:7]).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({1: np.array([0, 1, 13])}, "office_1: pred_class holds class 13, expected 0..12"),
        ({3: np.array([0, -1, 2])}, "office_1: true_class holds class -1"),
        ({0: np.array([0, 1])}, "office_1: pred_instance labels 2 points, expected 3"),
        ({2: np.array([0.0, 1.0, 2.0])}, "office_1: true_instance must be"),
        ({0: np.array([0.0, np.nan, 2.0])}, "office_1: pred_instance must be"),
    ],
)
def test_bad_input_names_room_and_field(change: dict[int, np.ndarray], text: str) -> None:
    good = [np.array([0, 1, 2])] * 4
    with pytest.raises(ValueError, match=text):
        s3dis_room(*[change.get(i, x) for i, x in enumerate(good)], name="office_1")


def test_rooms_of_different_taxonomies_are_refused() -> None:
    x = np.zeros(2, int)
    with pytest.raises(ValueError, match="different numbers of classes"):
        s3dis_scores([s3dis_room(x, x, x, x, classes=2), s3dis_room(x, x, x, x, classes=3)])


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_metric_gives_what_the_functions_give_and_merges() -> None:
    rooms = random_rooms(np.random.default_rng(0), 5, 3)
    whole, left, right = (S3disInstanceScores(3) for _ in range(3))
    for i, room in enumerate(rooms):
        whole.update(*(torch.from_numpy(x) for x in room))
        (left if i % 2 else right).update(*room)
    expected = s3dis_scores([s3dis_room(*room, classes=3) for room in rooms])
    assert not np.isnan(expected.m_cov)
    assert {name: value.item() for name, value in whole.compute().items()} == {
        name: expected[i] for name, i in MEANS.items()
    }
    left.merge_state(right)
    assert left.compute() == whole.compute()
    assert all(torch.isnan(value) for value in S3disInstanceScores(3).compute().values())
    whole.reset()
    assert torch.isnan(whole.compute()["mCov"])


def test_a_room_survives_the_state() -> None:
    room = random_rooms(np.random.default_rng(1), 1, 4)[0]
    metric = S3disInstanceScores(4)
    metric.update(*room)
    back, there = metric._room(metric.table()[0]), s3dis_room(*room, classes=4)
    for name in S3disRoom._fields:
        np.testing.assert_array_equal(getattr(back, name), getattr(there, name))
        assert getattr(back, name).dtype == getattr(there, name).dtype


@pytest.mark.slow
@pytest.mark.parametrize("share", [2, 0])
def test_two_processes_equal_one(share: int, tmp_path: Path) -> None:
    rooms = random_rooms(np.random.default_rng(2), 5, 3)
    one = S3disInstanceScores(3)
    for room in rooms:
        one.update(*room)
    results = compute_on_processes(S3disInstanceScores(3), [rooms[:share], rooms[share:]], tmp_path)
    assert results == [one.compute()] * 2
