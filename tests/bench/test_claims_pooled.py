"""Claims about numbers of all shapes together: AP by hand, a bootstrap in plain Python, from results to verdicts."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from partseg.errors import PartsegError
from partseg_bench.claims.outcomes import cell_groups, outcomes, paired_values
from partseg_bench.claims.pooled import compare_pooled, pooled_protocol, pooled_sides
from partseg_bench.claims.registry import load_claims
from partseg_bench.claims.verdict import compare
from partseg_bench.protocols.instances import PartNetInstances
from partseg_bench.results import Runs, environment, result_of
from partseg_bench.runner import standing

SHAPES = 8
IDS = [f"test/{i}" for i in range(SHAPES)]
ALL = 2**11 - 1  # a hit at every threshold


def shape(confidence: float, hit: bool = True, alarm: float | None = None) -> dict:
    """The record of a shape with one true part: found or not; perhaps a false alarm beside it."""
    rows = [(confidence, ALL if hit else 0)] + ([] if alarm is None else [(alarm, 0)])
    own = 1.0 if hit and (alarm is None or alarm < confidence) else 0.5 if hit else 0.0
    return {
        "scores": {"sAP50": own},
        "n_true": {"0": 1},
        "pred_class": [0] * len(rows),
        "confidence": [c for c, _ in rows],
        "hits": [bits for _, bits in rows],
    }


def result(records: list[dict], categories: list[str] | None = None) -> dict:
    return {"per_shape": dict(zip(IDS, records)), "categories": dict(zip(IDS, categories or [""] * SHAPES))}


FOUND = [shape(0.9) for _ in range(SHAPES)]
ALARMED = [shape(0.5, alarm=0.4) for _ in range(4)] + [shape(0.1, alarm=0.9) for _ in range(4)]
"""Four false alarms lead, four parts follow, four false alarms and the other four parts are last."""


def plain_ap(order: list[bool], truths: int) -> float:
    """Mean over the recall levels 0, 0.01 … 1 of the best precision at that recall or beyond."""
    points, hits = [(0, 1.0)], 0
    for i, hit in enumerate(order, 1):
        hits += hit
        points.append((hits, hits / i))
    return sum(max((p for h, p in points if 100 * h >= level * truths), default=0.0) for level in range(101)) / 101


def test_a_pooled_difference_by_hand():
    sides = pooled_sides([result(FOUND)], [result(ALARMED)], "AP50", [PartNetInstances] * 2)
    found = compare_pooled(*sides)
    after = [False] * 4 + [True] * 4 + [False] * 4 + [True] * 4
    assert plain_ap(after, 8) == pytest.approx((1 + 100 * 0.5) / 101)  # the precision is 1 at recall 0, then 8 of 16
    assert (found.a, found.b) == (1, pytest.approx(51 / 101))
    assert found.difference == pytest.approx(50 / 101) and (found.shapes, found.seeds) == (SHAPES, 1)
    assert found.verdict("higher") == "held" and found.verdict("lower") == "not held"
    own = compare(*paired_values([result(FOUND)], [result(ALARMED)], "sAP50"))
    assert own.difference == 0.25  # which is another number


def test_equal_sides_and_the_same_draws_of_shapes():
    assert compare_pooled(*pooled_sides([result(ALARMED)], [result(ALARMED)], "AP50", [PartNetInstances] * 2)).high == 0
    hard = np.linspace(0, 1, 12)
    a, b = (lambda places: hard[places].mean() + 0.01), (lambda places: hard[places].mean())
    found = compare_pooled([a], [b], [""] * 12)
    assert found.low == pytest.approx(0.01) and found.high == pytest.approx(0.01)


def ratios(rng: np.random.Generator, shift: float, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    size = rng.integers(1, 20, 14)
    return size, rng.binomial(size, 0.5 + shift, (seeds, 14))


def ratio(hits: np.ndarray, size: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda places: float(hits[places].sum() / size[places].sum())


@pytest.mark.parametrize("groups", [[""] * 14, ["a"] * 10 + ["b"] * 4])
def test_intervals_are_those_of_a_bootstrap_in_plain_python(groups):
    """Draw seeds, draw shapes of each group, sum what was drawn on both sides, take the difference of the ratios."""
    rng, seeds = np.random.default_rng(4), 3
    size, a = ratios(rng, 0.1, seeds)
    b = ratios(rng, 0.0, seeds)[1].clip(max=size)
    dice, drawn = random.Random(8), []
    members = [[i for i, g in enumerate(groups) if g == name] for name in sorted(set(groups))]
    for _ in range(6000):
        places = [i for rows in members for i in dice.choices(rows, k=len(rows))]
        total = sum(int(size[i]) for i in places)
        each = []
        for k in dice.choices(range(seeds), k=seeds):
            each.append((sum(int(a[k, i]) for i in places) - sum(int(b[k, i]) for i in places)) / total)
        drawn.append(math.fsum(each) / seeds)
    drawn.sort()
    low, high = drawn[150], drawn[5850]
    found = compare_pooled([ratio(row, size) for row in a], [ratio(row, size) for row in b], groups, resamples=6000)
    assert abs(found.low - low) < 0.05 * (high - low) and abs(found.high - high) < 0.05 * (high - low)
    assert found.difference == pytest.approx((a.sum(1) / size.sum() - b.sum(1) / size.sum()).mean())


def test_a_mean_over_shapes_has_the_interval_of_paired_values():
    rng = np.random.default_rng(0)
    a, b = rng.random((3, 20)), rng.random((3, 20)) - 0.1
    means = [[lambda places, row=row: float(row[places].mean()) for row in side] for side in (a, b)]
    pooled, paired = compare_pooled(*means, [""] * 20, resamples=4000), compare(a, b)
    width = paired.high - paired.low
    assert (pooled.a, pooled.b) == (pytest.approx(paired.a), pytest.approx(paired.b))
    assert abs(pooled.low - paired.low) < 0.06 * width and abs(pooled.high - paired.high) < 0.06 * width


def test_what_is_undefined():
    nothing = compare_pooled([lambda places: math.nan], [lambda places: 1.0], [""] * 8)
    assert nothing.verdict("higher") == "undecided" and nothing.shapes == 0
    # no truth in a draw leaves the draw out
    rare = compare_pooled([lambda places: 1.0 if 0 in places else math.nan], [lambda places: 0.25], [""] * 8)
    assert (rare.low, rare.high) == (0.75, 0.75)
    with pytest.raises(ValueError, match="seeds"):
        compare_pooled([lambda places: 1.0], [], [""])


def test_categories_are_averaged_and_drawn_apart():
    kinds = ["Chair"] * 6 + ["Lamp"] * 2
    b = [shape(0.9)] * 6 + [shape(0.9, hit=False)] * 2
    sides = [result(FOUND, kinds)], [result(b, kinds)]
    # without a hit, the precision is 1 at recall 0 all the same
    for metric, difference in (("AP50", 50 / 101), ("AP50@Chair", 0), ("AP50@Lamp", 100 / 101)):
        found = compare_pooled(*pooled_sides(*sides, metric, [PartNetInstances] * 2))
        assert found.difference == pytest.approx(difference), metric
        assert (found.low, found.high) == (pytest.approx(difference), pytest.approx(difference))  # lamps in every draw


def test_sides_that_cannot_be_compared():
    a = result(FOUND)
    with pytest.raises(PartsegError, match="different shapes: 8 and 7"):
        pooled_sides([a], [{"per_shape": dict(zip(IDS[1:], FOUND)), "categories": {}}], "AP50", [PartNetInstances] * 2)
    with pytest.raises(PartsegError, match="AP50@Sofa is not among the numbers of these shapes: AP50, AP25"):
        pooled_sides([a], [a], "AP50@Sofa", [PartNetInstances] * 2)
    with pytest.raises(PartsegError, match="all shapes together on one side"):
        pooled_sides([a], [a], "AP50", [PartNetInstances, None])


def test_which_numbers_are_pooled():
    assert pooled_protocol("partnet-instance", "AP50") is PartNetInstances
    assert pooled_protocol("partnet-instance", "sAP50") is None
    assert pooled_protocol("semantic", "part-miou") and pooled_protocol("semantic", "shape-miou") is None
    assert pooled_protocol("recursive-instance", "AP50") is not None  # shapes have AP50 of their own, another number
    assert pooled_protocol("class-agnostic-oracle", "miou") is None and pooled_protocol("clicks", "iou@10") is None


@pytest.mark.parametrize(("metric", "difference"), [("AP50", 50 / 101), ("sAP50", 0.25)])
def test_from_results_on_disk_to_a_verdict(tmp_path, metric, difference):
    """Both kinds of numbers of one protocol; the per-shape one as it is paired."""
    claim = {
        "id": "pooled", "table": "Table 0", "statement": "One is better.", "a": "ward-position",
        "b": "connected-components", "dataset": {"name": "procedural", "limit": SHAPES, "level": "fine"},
        "protocol": "partnet-instance", "metric": metric, "minutes": 0.1, "seeds": [0, 1],
    }  # fmt: skip
    path, runs, made = Path(tmp_path / "claims.yaml"), Runs(tmp_path / "runs"), environment(1, 0, None)
    path.write_text(yaml.safe_dump({"name": "p", "paper": "P", "claims": [claim]}), encoding="utf-8")
    registered = load_claims([path])
    for group in cell_groups(one.claim for one in registered).values():
        for cell in standing(group.board, runs).plan.cells:
            records = FOUND if cell.about["method"] == "ward-position" else ALARMED
            runs.write(result_of(cell.key, cell.predictions, cell.about, (), made) | result(records))
    (found,) = outcomes(registered, runs)
    assert found.status == "held" and found.comparison.difference == pytest.approx(difference)
    assert (found.comparison.shapes, found.comparison.seeds) == (SHAPES, 2)
    if metric == "sAP50":
        a, b = [result(FOUND)] * 2, [result(ALARMED)] * 2
        assert found.comparison == compare(*paired_values(a, b, metric))
