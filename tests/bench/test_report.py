"""The numbers of a report, and its Markdown and CSV."""

from __future__ import annotations

import csv
import io
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fakes.bench_results import failed_result, fake_result
from partseg.errors import InputError, PartsegError
from partseg.metrics.functional.summary import bootstrap_interval
from partseg_bench.report import form, write
from partseg_bench.report.compare import indistinguishable
from partseg_bench.report.curves import curves
from partseg_bench.report.model import tables
from partseg_bench.report.plain import lower_is_better, number, text
from partseg_bench.report.text import comma_separated, escape, markdown

NASTY = "a|b <script>alert(1)</script> `x` [l](http://evil) *b* \n# c & \u202e =1"


def test_a_table_is_one_dataset_by_one_version_of_one_protocol_on_one_truth() -> None:
    results = [
        fake_result("a", 0.5),
        fake_result("b", 0.6),
        fake_result("a", 0.5, protocol="class-agnostic-oracle"),
        fake_result("a", 0.5, version="2"),
        fake_result("a", 0.5, dataset="primitives"),
        fake_result("a", 0.7, truth_sha256="another truth"),
    ]
    found = tables(results)
    assert [(t.dataset, t.protocol, t.version, t.truth, [row.label for row in t.rows]) for t in found] == [
        ("primitives", "class-agnostic-auto", "1", "truth of primitives", ["a"]),
        ("procedural", "class-agnostic-auto", "1", "another truth", ["a"]),
        ("procedural", "class-agnostic-auto", "1", "truth of procedural", ["b", "a"]),
        ("procedural", "class-agnostic-auto", "2", "truth of procedural", ["a"]),
        ("procedural", "class-agnostic-oracle", "1", "truth of procedural", ["a"]),
    ]
    assert len({t.anchor for t in found}) == 5
    assert "another " in found[1].data and found[2].data != found[1].data  # two truths are told apart by their headings
    assert found[2].summary and not found[3].summary  # the installed protocol is version 1: its words are not of 2


def test_a_level_of_its_own_is_a_table_of_its_own() -> None:
    fine = fake_result("a", 0.5)
    fine["cell"] = fine["cell"] | {"level": "fine"}
    assert [t.data for t in tables([fine, fake_result("a", 0.5)])] == ["procedural · test", "procedural · test · fine"]


def test_seeds_are_averaged_and_their_spread_is_kept_apart() -> None:
    results = [fake_result("a", quality, seed=seed) for seed, quality in enumerate((0.5, 0.55, 0.63))]
    (row,) = tables(results)[0].rows
    values = [one["metrics"]["miou"]["value"] for one in results]
    score = row.scores["miou"]
    assert score.value == pytest.approx(sum(values) / 3)
    assert score.spread == pytest.approx(statistics.stdev(values))
    assert score.low == pytest.approx(sum(one["metrics"]["miou"]["low"] for one in results) / 3)
    assert row.seeds == (0, 1, 2) and row.of == 3 and form.seeds(row) == "3"
    one = [result["per_shape"]["test/7"]["scores"]["miou"] for result in results]
    assert row.shapes["test/7"] == pytest.approx(sum(one) / 3)


def test_a_seed_that_failed_is_a_row_beside_the_others() -> None:
    results = [fake_result("a", 0.5), failed_result("a", "timeout", "took longer than 60 s", seed=1)]
    (table,) = tables(results)
    assert [(row.seeds, row.of) for row in table.rows] == [((0,), 2)]
    assert [(row.status, row.error, row.seeds) for row in table.failed] == [("timeout", "took longer than 60 s", (1,))]
    assert form.seeds(table.rows[0]) == "1 of 2"


def test_only_the_last_result_of_a_seed_counts() -> None:
    old = fake_result("a", 0.9, created="2026-01-01T00:00:00+00:00", key="0" * 64)
    new = fake_result("a", 0.5, created="2026-02-01T00:00:00+00:00", key="1" * 64)
    for order in ([old, new], [new, old]):
        (row,) = tables(order)[0].rows
        assert row.scores["miou"].value == new["metrics"]["miou"]["value"] and row.stale == 1


def test_failures_alone_are_a_table_without_numbers() -> None:
    (table,) = tables([failed_result("a", "failed", "no weights"), failed_result("b", "memory", "4 GB")])
    assert table.rows == () and [row.label for row in table.failed] == ["a", "b"]
    assert "no weights" in markdown([table]) and "no weights" in comma_separated([table])


def test_less_is_better_is_known_and_ranks() -> None:
    for metric in ("noc@80", "failed@85", "hamming", "cut-discrepancy", "gce", "tree-edit", "rotation_error"):
        assert lower_is_better(metric)
    for metric in ("miou", "miou@fine", "AP50", "rand-index", "iou@10", "node-f-score", "mCov"):
        assert not lower_is_better(metric)
    results = []
    for method, value in (("worse", 0.4), ("better", 0.2)):
        metrics = {"hamming": {"value": value, "low": value, "high": value, "n": 3}}
        results.append(fake_result(method, 0.5, protocol="of-a-stranger", metrics=metrics, per_shape={}))
    assert [row.label for row in tables(results)[0].rows] == ["better", "worse"]


def test_the_paired_test_sees_what_separate_intervals_hide() -> None:
    rng = np.random.default_rng(0)
    hard = rng.uniform(0, 1, 60)  # shapes differ much more than the methods
    best = {str(i): x + 0.02 for i, x in enumerate(hard)}
    behind = {str(i): x + rng.normal(0, 0.01) for i, x in enumerate(hard)}
    even = {str(i): x + 0.02 + rng.normal(0, 0.1) for i, x in enumerate(hard)}
    found = indistinguishable(best, [behind, even, best, {"other": 1.0}, {}])
    assert found == [False, True, True, None, None]
    assert indistinguishable({"a": 0.9}, [{"a": 0.1}]) == [None]  # one shape says nothing
    for other in (behind, even):  # the same draws in another formulation
        low, high = bootstrap_interval(np.array([other[shape] - best[shape] for shape in best]), n=4000)
        assert (low <= 0 <= high) is indistinguishable(best, [other])[0]


def test_the_test_marks_rows_only_where_the_number_is_a_mean_of_shapes() -> None:
    close, far = fake_result("close", 0.5), fake_result("far", 0.3)
    best = fake_result("best", 0.505)
    for name, record in close["per_shape"].items():  # within the noise, shape by shape
        record["scores"]["miou"] = best["per_shape"][name]["scores"]["miou"] + (0.01 if int(name[5:]) % 2 else -0.0101)
    close["metrics"]["miou"]["value"] = statistics.fmean(r["scores"]["miou"] for r in close["per_shape"].values())
    (table,) = tables([close, far, best])
    assert [(row.label, row.best, row.tied) for row in table.rows] == [
        ("best", True, None), ("close", False, True), ("far", False, False),
    ]  # fmt: skip
    close["metrics"]["miou"]["value"] -= 0.01  # no longer the mean of its shapes: another kind of number
    assert [row.tied for row in tables([close, far, best])[0].rows] == [None, None, False]


def test_a_table_is_ranked_by_the_first_number_that_is_defined_somewhere() -> None:
    results = [fake_result("a", 0.5), fake_result("b", 0.6)]
    for result in results:
        result["metrics"]["miou"] |= {"value": None, "low": None, "high": None}
    (table,) = tables(results)
    assert table.rank == "miou-one-to-one" and [row.label for row in table.rows] == ["b", "a"]
    results[0]["metrics"]["miou"] = results[0]["metrics"]["miou-one-to-one"]
    (table,) = tables(results)
    assert table.rank == "miou" and [row.label for row in table.rows] == ["a", "b"]


def test_numbers_are_written_for_people() -> None:
    assert [form.duration(x) for x in (None, 0.0354, 4.123, 119, 121, 7199, 7201)] == [
        "–", "35 ms", "4.12 s", "119 s", "2.0 min", "120 min", "2.0 h",
    ]  # fmt: skip
    assert [form.count(x) for x in (None, 0, 950, 12_400_000, 3.2e9)] == ["–", "0", "950", "12.4 M", "3.20 G"]
    assert [form.memory(x) for x in (None, 812.4, 2140)] == ["–", "812 MB", "2.1 GB"]
    assert [form.significant(x) for x in (0, 1.23456, -0.00123456, 12345.6, 1e-9)] == [
        "0", "1.23", "−0.00123", "12346", "1.00e-09",
    ]  # fmt: skip
    assert form.plain(0.67289, True) == "67.29" and form.plain(3.14159, False) == "3.142"


def test_shares_are_per_cent_and_counts_are_not() -> None:
    metrics = {
        name: {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9} for name in ("miou", "noc@80", "cut-discrepancy", "auc")
    }
    (table,) = tables([fake_result("a", 0.5, metrics=metrics)])
    assert [name for name in table.metrics if form.is_share(table, name)] == ["miou", "auc"]


def test_the_papers_number_that_is_named_like_ours_is_chosen() -> None:
    told = [
        {"metric": "IoU@25", "value": 1.5, "where": "Table 9", "unit": ""},
        {"metric": "mIoU", "value": 79.18, "where": "Table 2", "unit": "%"},
    ]
    row = tables([fake_result("a", 0.5, published=told)])[0].rows[0]
    assert form.published(row, "miou") == (79.18, "79.18 %", "mIoU, Table 2, 1 more")
    assert form.published(row, "AP50") == (1.5, "1.5", "IoU@25, Table 9, 1 more")
    assert form.published(tables([fake_result("a", 0.5)])[0].rows[0], "miou") is None


def test_curves_of_clicks_parts_and_thresholds() -> None:
    a = fake_result("a", 0.5, shapes=2)
    first, second = a["per_shape"].values()
    first["curves"] = [[0.2, 0.4, 0.6], [0.4, 0.6, 0.8]]  # two parts
    second["curves"] = [[0.5, 0.5, 0.5]]
    (curve,) = curves(tables([a])[0])
    assert curve.title == "IoU by click"
    ((label, x, y),) = curve.lines
    assert label == "a" and x == (1, 2, 3) and y == pytest.approx([0.4, 0.5, 0.6])

    first["curves"], second["curves"] = {"miou-by-parts": [0.2, 0.4, 0.6]}, {"miou-by-parts": [0.6, 0.8]}
    assert curves(tables([a])[0])[0].lines[0][2] == pytest.approx([0.4, 0.6, 0.7])  # a short one keeps its last value
    del second["curves"]
    assert curves(tables([a])[0])[0].lines[0][2] == pytest.approx([0.1, 0.2, 0.3])  # a shape without one counts 0

    a["per_shape"].pop("test/1")
    assert curves(tables([a])[0])[0].lines[0][2] == pytest.approx([0.1, 0.2, 0.3])  # also one without any record

    metrics = {f"AP{t}": {"value": v, "low": v, "high": v, "n": 2} for t, v in (("50", 0.5), ("25", 0.7), ("75", 0.2))}
    metrics |= {"AP50:95": metrics["AP75"], "sAP50": metrics["AP50"]}
    (curve,) = curves(tables([fake_result("a", 0.5, metrics=metrics)])[0])
    assert curve.title == "AP by IoU threshold" and curve.lines == (("a", (0.25, 0.5, 0.75), (0.7, 0.5, 0.2)),)


@pytest.mark.parametrize(
    "bad", [[["a"]], [[1, 2], [1]], {"c": [1]}, {"c": "text"}, {"c": {"x": [2, 1], "y": [1, 1]}}, {"c": [None, 1]}, 7]
)
def test_curves_that_are_none_are_left_out(bad: object) -> None:
    result = fake_result("a", 0.5, shapes=1)
    result["per_shape"]["test/0"]["curves"] = bad
    assert curves(tables([result])[0]) == []


def test_markdown_keeps_its_cells_whatever_the_text() -> None:
    results = [fake_result(NASTY, 0.5, config=NASTY, commit=NASTY), failed_result("b", "failed", NASTY)]
    out = markdown(tables(results))
    rows = [line for line in out.splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1 and len(rows) == 4
    assert "<script" not in out.replace("\\<script", "") and "http:" not in out and "\u202e" not in out
    assert escape("www.x.y@z") == "www\\.x.y\\@z" and escape("class-agnostic-auto") == "class-agnostic-auto"


def test_markdown_marks_the_best_and_names_the_protocol() -> None:
    out = markdown(tables([fake_result("good", 0.7), fake_result("poor", 0.4)]))
    good, poor = (next(line for line in out.splitlines() if line.startswith(f"| {name}")) for name in ("good", "poor"))
    assert "**" in good and "**" not in poor
    assert "## procedural · test: class-agnostic-auto v1" in out and "no hint of the truth" in out
    assert markdown([]).startswith("# Leaderboard\n\nNo results.")


def test_csv_gives_the_numbers_back_and_no_formulas() -> None:
    results = [fake_result("=HYPERLINK(1)", 0.5, seed=s) for s in (0, 1)] + [failed_result("b", "failed", '+1\nx,"y"')]
    read = list(csv.DictReader(io.StringIO(comma_separated(tables(results)))))
    assert len(read) == 2 * 2 + 1
    assert {row["method"] for row in read} == {"'=HYPERLINK(1)", "b"}
    for result in results[:2]:
        for name, score in result["metrics"].items():
            (row,) = [r for r in read if r["key"] == result["key"] and r["metric"] == name]
            assert [float(row[key]) for key in ("value", "low", "high")] == [score[k] for k in ("value", "low", "high")]
            assert row["shapes_scored"] == "40" and row["train_s"] == "123.0" and row["protocol_version"] == "1"
    assert read[-1]["error"] == '\'+1 x,"y"' and read[-1]["metric"] == "" and read[-1]["status"] == "failed"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"cell": None}, "cell"),
        ({"cell": {"method": "a", "dataset": "d"}}, "cell.protocol"),
        ({"cell": {"method": 3, "dataset": "d", "protocol": "p"}}, "cell.method"),
        ({"status": None}, "status"),
    ],
)
def test_a_result_without_identity_is_an_error_that_names_it(change: dict, where: str) -> None:
    with pytest.raises(PartsegError, match=rf"^result 2 \(.*\): {where}: .*found") as error:
        tables([fake_result("a", 0.5), fake_result("b", 0.5) | change])
    assert "\n" not in str(error.value)


def test_odd_values_in_results_are_not_numbers(tmp_path: Path) -> None:
    odd = {"value": float("nan"), "low": "x", "high": [], "n": None}
    huge = {"value": 10**400, "low": True, "high": {}, "n": -1}
    result = fake_result("a", 0.5, metrics={"miou": odd, "miou-one-to-one": huge}) | {
        "per_shape": {"x": [], "y": {"scores": 3}, "z": 1}, "seconds": 7, "published": [3, {"value": "x"}],
        "coverage": {"expected": "many", "scored": 3, "missing": 4}, "parameters": "big", "latency_s": float("inf"),
        "hardware": [], "versions": "1", "categories": None, "commit": 12,
    }  # fmt: skip
    (table,) = tables([result])
    assert table.rows[0].scores == {} and table.metrics == ()
    assert len(write([result], tmp_path)) == 3
    assert [number(x) for x in (True, "1", None, float("inf"), 2)] == [None, None, None, None, 2.0]
    assert text("a\x00b\n c") == "a b c" and len(text("x" * 999)) == 300


def test_write_says_what_it_wrote(tmp_path: Path) -> None:
    names = [path.name for path in write([fake_result("a", 0.5)], tmp_path / "new", html=False)]
    assert names == ["leaderboard.md", "leaderboard.csv"] == sorted(names, reverse=True)
    assert {path.name for path in (tmp_path / "new").iterdir()} == set(names)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write([], tmp_path / "file")


SPEED = """
import sys, time
from pathlib import Path
from fakes.bench_results import fake_result
from partseg_bench.report import write

results = [
    fake_result(f"method-{m}", 0.4 + 0.02 * m, protocol=f"class-agnostic-{protocol}", dataset=dataset, shapes=256)
    for m in range(25)
    for protocol in ("auto", "oracle", "tree-cut", "auto-geometry")
    for dataset in ("procedural", "primitives")
]
write(results[:2], Path(sys.argv[1]))  # imports are not the report's
started = time.perf_counter()
write(results, Path(sys.argv[1]))
print(len(results), time.perf_counter() - started)
"""


def test_two_hundred_cells_take_seconds(tmp_path: Path, repository: Path) -> None:
    command = [sys.executable, "-c", SPEED, str(tmp_path)]  # a process of its own runs without the tests' type checks
    path = os.environ | {"PYTHONPATH": str(repository / "tests")}
    told = subprocess.run(command, capture_output=True, text=True, env=path, timeout=120, check=True)
    cells, seconds = told.stdout.split()
    assert cells == "200" and float(seconds) < 5
