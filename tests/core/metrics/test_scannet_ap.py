"""ScanNet's instance AP against its script's answers, and against the rule written down object by object."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.processes import compute_on_processes
from partseg.metrics.functional.scannet_ap import (
    SCANNET_CLASSES,
    SCANNET_OFFICIAL,
    SCANNET_STATED,
    scannet_instance_ap,
    scannet_records,
)
from partseg.metrics.scannet_ap import ScanNetInstanceAP

Scan = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
NUMBERS = list(SCANNET_CLASSES)


def official_scans(folder: Path) -> list[Scan]:
    with np.load(folder / "case_01.npz") as x:
        scans = []
        for s, (a, b) in enumerate(pairwise(x["scan_offsets"])):
            mine = x["pred_scan"] == s
            scans.append(
                (x["pred_mask"][mine][:, : b - a], x["pred_label"][mine], x["pred_conf"][mine], x["gt_ids"][a:b])
            )
        return scans


@pytest.fixture
def official(test_data: Callable[[str], Path]) -> tuple[list[Scan], dict[str, Any]]:
    folder = test_data("scannet_ap_parity")
    return official_scans(folder), json.loads((folder / "case_01.json").read_text())


def test_answers_are_those_of_the_script(official: tuple[list[Scan], dict[str, Any]]) -> None:
    scans, answers = official
    assert list(SCANNET_CLASSES.values()) == answers["classes"]
    np.testing.assert_allclose([*SCANNET_OFFICIAL, 0.25], answers["overlaps"], rtol=0, atol=1e-12)
    result = scannet_instance_ap([scannet_records(s, *scan) for s, scan in enumerate(scans)])
    expected = np.array(answers["ap"], float)
    np.testing.assert_allclose(result.by_class, expected[:, :9], rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.class_ap25, expected[:, 9], rtol=0, atol=1e-9)
    ours = [result.ap, result.ap50, result.ap25]
    np.testing.assert_allclose(ours, [answers[key] for key in ("all_ap", "all_ap_50", "all_ap_25")], rtol=0, atol=1e-9)
    for c, name in enumerate(answers["classes"]):
        theirs = [answers["per_class"][name][key] for key in ("ap", "ap50%", "ap25%")]
        ours = [result.class_ap[c], result.class_ap50[c], result.class_ap25[c]]
        np.testing.assert_allclose(ours, np.array(theirs, float), rtol=0, atol=1e-9)


def test_the_stated_thresholds_are_one_more(official: tuple[list[Scan], dict[str, Any]]) -> None:
    scans, answers = official
    records = [scannet_records(s, *scan, thresholds=SCANNET_STATED) for s, scan in enumerate(scans)]
    result = scannet_instance_ap(records, SCANNET_STATED)
    assert result.thresholds[-1] == 0.95 and len(result.thresholds) == 10
    np.testing.assert_allclose(result.by_class[:, :9], np.array(answers["ap"], float)[:, :9], rtol=0, atol=1e-9)
    defined = ~np.isnan(result.by_class[:, 0])
    assert result.ap == pytest.approx(result.by_class[defined].mean())
    with pytest.raises(ValueError, match="9 thresholds, but the records were made with 10"):
        scannet_instance_ap(records)


def random_scan(rng: np.random.Generator) -> Scan:
    """A row of objects of three classes, some small, on a void ground; masks that slide over them."""
    lengths = rng.integers(40, 260, 6)
    ids = rng.choice([3, 5, 7, 1, 0], 6) * 1000 + np.arange(1, 7)
    true = np.repeat(ids, lengths)
    k, n = int(rng.integers(0, 10)), len(true)
    pred, label = np.zeros((k, n), bool), np.zeros(k, int)
    ends = np.cumsum(lengths)
    for i in range(k):
        target = int(rng.integers(0, 6))
        slide = int(rng.integers(-60, 60))
        stop = ends[target] + int(rng.integers(-40, 40))
        pred[i, max(0, ends[target] - lengths[target] + slide) : max(stop, 0)] = True
        label[i] = rng.choice([ids[target] // 1000, 3, 5, 2])
    return pred, label, rng.permutation(20)[:k] / 20 if rng.random() < 0.7 else rng.integers(0, 3, k) / 2, true


def literal_ap(scans: list[Scan], kind: int, t: float) -> float:
    """One class and threshold, with dictionaries and masks."""
    scores: list[tuple[float, bool]] = []
    targets = 0
    for pred, label, confidence, true in scans:
        void = ~np.isin(true // 1000, NUMBERS)
        objects = [true == i for i in sorted(set(true.tolist())) if i // 1000 == kind]
        guesses = [i for i in range(len(pred)) if label[i] == kind and pred[i].sum() >= 100]
        iou = {(i, j): (pred[i] & o).sum() / (pred[i] | o).sum() for i in guesses for j, o in enumerate(objects)}
        used: set[int] = set()
        for j, o in enumerate(objects):
            if o.sum() < 100:
                continue
            targets += 1
            held = None
            for i in guesses:
                if iou[i, j] > t and i not in used:
                    if held is None:
                        held = confidence[i]
                        used.add(i)
                    else:
                        scores.append((min(held, confidence[i]), False))
                        held = max(held, confidence[i])
            if held is not None:
                scores.append((held, True))
        for i in guesses:
            if all(iou[i, j] <= t for j in range(len(objects))):
                ignored = (pred[i] & void).sum() + sum((pred[i] & o).sum() for o in objects if o.sum() < 100)
                if ignored / pred[i].sum() <= t:
                    scores.append((confidence[i], False))
    if not targets:
        return float("nan")
    # precision and recall at each distinct confidence, lowest first, then (1, 0)
    levels = sorted({score for score, _ in scores})
    right = [sum(hit for score, hit in scores if score >= level) for level in levels]
    every = [sum(score >= level for score, _ in scores) for level in levels]
    precision = np.array([r / e for r, e in zip(right, every)] + [1.0])
    recall = np.array([r / targets for r in right] + [0.0])
    padded = np.concatenate([recall[:1], recall, [0.0]])
    return float(precision @ ((padded[:-2] - padded[2:]) / 2))


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_ap_is_its_rule(seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    scans = [random_scan(rng) for _ in range(number)]
    thresholds = (0.5, 0.75)
    result = scannet_instance_ap(
        [scannet_records(s, *x, thresholds=thresholds) for s, x in enumerate(scans)], thresholds
    )
    for c, kind in enumerate(NUMBERS):
        expected = [literal_ap(scans, kind, t) for t in thresholds]
        np.testing.assert_allclose(result.by_class[c], expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(result.class_ap25[c], literal_ap(scans, kind, 0.25), rtol=0, atol=1e-12)


@given(st.integers(0, 2**32))
def test_order_of_scans_and_form_of_masks_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scans = [random_scan(rng) for _ in range(4)]
    expected = scannet_instance_ap([scannet_records(s, *x) for s, x in enumerate(scans)])
    lists = [([np.flatnonzero(row) for row in pred], *rest) for pred, *rest in scans]
    again = scannet_instance_ap([scannet_records(s, *lists[s]) for s in (2, 0, 3, 1, 2)])
    for ours, theirs in zip(again, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def row(*runs: tuple[int, int]) -> np.ndarray:
    return np.repeat([i for i, _ in runs], [n for _, n in runs])


def scores(true: np.ndarray, masks: list[range], confidence: list[float], label: int = 5) -> tuple[float, float, float]:
    pred = [np.array(mask) for mask in masks]
    result = scannet_instance_ap([scannet_records(0, pred, np.full(len(pred), label), np.array(confidence), true)])
    return result.ap, result.ap50, result.ap25


def test_a_perfect_scan_scores_one_and_a_missed_one_nothing() -> None:
    true = row((5001, 150), (0, 50), (5002, 120))
    assert scores(true, [range(150), range(200, 320)], [0.3, 0.3]) == (1, 1, 1)
    assert scores(true, [], []) == (0, 0, 0)
    assert scores(true, [range(150), range(200, 320)], [0.3, 0.3], label=7) == (0, 0, 0)
    assert np.isnan(scores(row((1001, 300)), [range(150)], [0.3])).all()


def test_small_regions_are_neither_wanted_nor_punished() -> None:
    true = row((5001, 150), (5002, 99), (0, 200))
    assert scores(true, [range(150)], [0.5]) == (1, 1, 1)  # the small one is no target
    assert scores(true, [range(150), range(150, 249)], [0.5, 0.9]) == (1, 1, 1)  # and too small a prediction
    assert scores(true, [range(150), range(140, 249)], [0.5, 0.9]) == (1, 1, 1)  # one on it is excused: it overlaps it


def test_predictions_on_void_are_ignored_up_to_the_threshold() -> None:
    true = row((5001, 150), (0, 150))
    ap, ap50, ap25 = scores(true, [range(150), range(100, 250)], [0.5, 0.9])  # 2 of 3 vertices of the second are void
    assert (ap50, ap25) == (1, 1)
    # a false positive from 0.7 on, before the hit: points (0, 1), (0, 0), (1, 1/2), of which the last weighs 1/2
    assert ap == pytest.approx((4 + 5 / 4) / 9)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (1, np.array([5, 5]), "scan 4: class of predicted masks: expected 1 integers"),
        (1, np.array([41]), r"scan 4: class of predicted masks: expected 0\.\.40, but there are 41\.\.41"),
        (2, np.array([np.nan]), "scan 4: confidence of predicted masks: 1 not finite"),
        (3, np.full(120, -5), r"scan 4: true ids: expected 0\.\.40999"),
        (0, np.ones((1, 7), bool), "scan 4: predicted masks: masks over 7 points, but the shape has 120"),
    ],
)
def test_bad_predictions_are_refused_by_scan_and_field(place: int, value: np.ndarray, message: str) -> None:
    good = [np.ones((1, 120), bool), np.array([5]), np.array([0.5]), np.full(120, 5001)]
    good[place] = value
    with pytest.raises(ValueError, match=message):
        scannet_records(4, *good)


def test_a_scan_with_two_outcomes_is_refused() -> None:
    arguments = (np.ones((1, 120), bool), np.array([5]))
    records = [scannet_records(4, *arguments, np.array([score]), np.full(120, 5001)) for score in (0.5, 0.6)]
    with pytest.raises(ValueError, match="4 was scored twice, with different outcomes"):
        scannet_instance_ap(records)
    with pytest.raises(ValueError, match="no scan was scored"):
        scannet_instance_ap([])


def updates_of(number: int) -> list[tuple[Any, ...]]:
    rng = np.random.default_rng(1)
    return [(s, *random_scan(rng)) for s in range(number)]


def test_the_metric_is_the_function_whatever_process_a_scan_was_on() -> None:
    torch = pytest.importorskip("torch")
    updates = updates_of(6)
    one, first, second = ScanNetInstanceAP(), ScanNetInstanceAP(), ScanNetInstanceAP()
    for arguments in updates:
        one.update(*(torch.as_tensor(a) if isinstance(a, np.ndarray) else a for a in arguments))
    expected = scannet_instance_ap([scannet_records(*x) for x in updates])
    assert one.result().ap25 == expected.ap25 > 0
    values = {key: float(value) for key, value in one.compute().items()}
    assert values == {"AP": expected.ap, "AP50": expected.ap50, "AP25": expected.ap25}
    for i in (5, 0, 3):
        first.update(*updates[i])
    for i in (4, 1, 2, 0):
        second.update(*updates[i])
    first.merge_state(second)
    assert first.compute() == one.compute()


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    updates = updates_of(5)
    one = ScanNetInstanceAP(SCANNET_STATED)
    for arguments in updates:
        one.update(*arguments)
    results = compute_on_processes(ScanNetInstanceAP(SCANNET_STATED), [updates[:2], updates[2:]], tmp_path)
    assert results == [one.compute()] * 2
