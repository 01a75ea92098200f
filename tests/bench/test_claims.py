"""Claims: the arithmetic of verdicts, what files may say, where claims stand, and a run from file to table."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import yaml

from partseg.errors import InputError, PartsegError, UnknownNameError
from partseg_bench.claims.cli import DEFAULT_MINUTES, choose, main
from partseg_bench.claims.outcomes import cell_groups, outcomes, paired_values
from partseg_bench.claims.registry import Claim, load_claims
from partseg_bench.claims.table import as_data, listing, markdown, summary
from partseg_bench.claims.verdict import MIN_SHAPES, Comparison, compare
from partseg_bench.results import Runs, environment, failed_result, result_of
from partseg_bench.runner import standing

SHAPES = 6
CLAIM = {
    "id": "two-baselines",
    "table": "Table 0",
    "statement": "One baseline is better | than another.",
    "a": "ward-position",
    "b": "connected-components",
    "dataset": {"name": "procedural", "limit": SHAPES},
    "protocol": "class-agnostic-oracle",
    "metric": "miou",
    "minutes": 0.1,
}
FILE = {"name": "a paper", "paper": "A paper: its title", "claims": [CLAIM]}


def write(folder: Path, name: str = "claims.yaml", **changes) -> Path:
    """A file with one claim; None removes a field."""
    claim = {key: value for key, value in (CLAIM | changes).items() if value is not None}
    path = folder / name
    path.write_text(yaml.safe_dump(FILE | {"claims": [claim]}), encoding="utf-8")
    return path


def slow_bootstrap(a: np.ndarray, b: np.ndarray, draws: int) -> tuple[float, float]:
    """The same interval, word by word: draw seeds, draw shapes, average the differences where they cross."""
    rng = random.Random(5)
    seeds, shapes = a.shape
    means = []
    for _ in range(draws):
        rows = rng.choices(range(seeds), k=seeds)
        columns = rng.choices(range(shapes), k=shapes)
        means.append(math.fsum(a[s, i] - b[s, i] for s in rows for i in columns) / (seeds * shapes))
    means.sort()
    return means[round(0.025 * draws)], means[round(0.975 * draws)]


@pytest.mark.parametrize(("seeds", "shapes"), [(1, 8), (3, 12), (5, 6)])
def test_intervals_are_those_of_a_bootstrap_in_plain_python(seeds, shapes):
    rng = np.random.default_rng(seeds)
    a = rng.normal(0.5, 0.2, (seeds, shapes)) + rng.normal(0, 0.1, (seeds, 1))
    b = rng.normal(0.4, 0.2, (seeds, shapes))
    found = compare(a, b)
    low, high = slow_bootstrap(a, b, 20_000)
    width = high - low
    assert abs(found.low - low) < 0.04 * width and abs(found.high - high) < 0.04 * width
    assert found.difference == pytest.approx(a.mean() - b.mean()) and (found.shapes, found.seeds) == (shapes, seeds)
    assert (found.a, found.b) == (pytest.approx(a.mean()), pytest.approx(b.mean()))


def test_with_one_seed_the_interval_is_scipys_over_shapes():
    rng = np.random.default_rng(0)
    a, b = rng.random((1, 20)), rng.random((1, 20))
    found = compare(a, b)
    theirs = scipy.stats.bootstrap(
        ((a - b)[0],), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert abs(found.low - theirs.low) < 0.05 * width and abs(found.high - theirs.high) < 0.05 * width


def test_pairing_takes_the_difficulty_of_shapes_out():
    hard = np.linspace(0, 1, 12)[None]
    found = compare(hard + 0.01, hard)
    assert found.verdict("higher") == "held" and found.high - found.low < 1e-9


def test_seeds_that_disagree_widen_the_interval():
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.02, (2, 30))
    same = compare(0.05 + noise, np.zeros((2, 30)))
    apart = compare(0.05 + noise + np.array([[0.1], [-0.1]]), np.zeros((2, 30)))
    assert same.difference == pytest.approx(apart.difference)
    assert same.verdict("higher") == "held" and apart.verdict("higher") == "undecided"


@pytest.mark.parametrize(
    ("low", "high", "shapes", "direction", "verdict"),
    [
        (0.1, 0.2, 10, "higher", "held"),
        (0.1, 0.2, 10, "lower", "not held"),
        (-0.2, -0.1, 10, "higher", "not held"),
        (-0.2, -0.1, 10, "lower", "held"),
        (-0.1, 0.2, 10, "higher", "undecided"),
        (0.0, 0.2, 10, "higher", "undecided"),
        (-0.2, 0.0, 10, "lower", "undecided"),
        (0.1, 0.2, MIN_SHAPES - 1, "higher", "undecided"),
        (0.1, 0.2, MIN_SHAPES, "higher", "held"),
        (math.nan, math.nan, 0, "higher", "undecided"),
    ],
)
def test_verdicts(low, high, shapes, direction, verdict):
    assert Comparison(0.0, 0.0, 0.0, low, high, shapes, 1).verdict(direction) == verdict


def test_undefined_shapes_are_left_out_on_both_sides():
    a, b = np.full((2, 8), 0.75), np.full((2, 8), 0.5)
    a[0, 1] = b[1, 3] = np.nan
    found = compare(a, b)
    assert (found.shapes, found.a, found.b, found.difference) == (6, 0.75, 0.5, 0.25)
    nothing = compare(np.full((1, 3), np.nan), np.zeros((1, 3)))
    assert nothing.shapes == 0 and math.isnan(nothing.difference) and nothing.verdict("higher") == "undecided"
    with pytest.raises(ValueError, match="seeds × shapes"):
        compare(np.zeros((1, 3)), np.zeros((2, 3)))


def result(values: dict[str, float | None], metric: str = "miou") -> dict:
    return {"per_shape": {shape: {"scores": {metric: value}} for shape, value in values.items()}}


def test_values_are_paired_by_the_names_of_shapes():
    a, b = paired_values([result({"x": 1.0, "y": 2.0})], [result({"y": 20.0, "x": 10.0})], "miou")
    assert a.tolist() == [[1.0, 2.0]] and b.tolist() == [[10.0, 20.0]]
    a, _ = paired_values([result({"x": None, "y": 2.0})], [result({"y": 1.0, "x": 1.0})], "miou")
    assert math.isnan(a[0, 0])
    with pytest.raises(PartsegError, match="different shapes"):
        paired_values([result({"x": 1.0})], [result({"z": 1.0})], "miou")
    with pytest.raises(PartsegError, match=r"AP50 is no number of each shape.*: shapes have sAP50"):
        paired_values([result({"x": 1.0}, "sAP50")], [result({"x": 1.0}, "sAP50")], "AP50")


def test_a_claim_of_two_names(tmp_path):
    (one,) = load_claims([write(tmp_path)])
    method, dataset, protocol = one.claim.side("b")
    assert (method.name, dataset.limit, protocol) == ("connected-components", SHAPES, "class-agnostic-oracle")
    assert (one.claim.direction, one.claim.seeds, one.needs, one.paper) == ("higher", (0,), "", "A paper: its title")
    assert load_claims([tmp_path]) == (one,)


def test_every_field_has_a_sentence():
    for name, field in Claim.model_fields.items():
        assert field.description and field.description.endswith("."), name


TRAINED = {"name": "partfield", "config": "tiny", "train": {"max_steps": 1}}


@pytest.mark.parametrize(
    ("changes", "cause", "mend"),
    [
        ({"metric": None}, "claim 'two-baselines': metric: Field required", "needed are id, table, statement, a, b"),
        ({"id": None}, "claim 0: id: Field required", "needed are id"),
        ({"b": {"protocol": "class-agnostic-auto"}}, "claim 'two-baselines': b: method: Field required", "method"),
        ({"id": "Two Baselines"}, "id: String should match", ""),
        ({"metrics": "miou"}, "metrics: Extra inputs", ""),
        ({"protocol": None}, "protocol: missing, for the claim or for both of its sides", ""),
        ({"dataset": None}, "dataset: missing", ""),
        ({"a": "connected-components"}, "b: is the same as a", ""),
        ({"seeds": [1, 1]}, "seeds", ""),
        ({"minutes": 0}, "minutes", ""),
        ({"direction": "up"}, "direction", ""),
        ({"a": "ward-positions"}, "a: unknown method 'ward-positions'", "under 'packages'"),
        ({"dataset": "procedurals"}, "a: unknown dataset 'procedurals'", "Did you mean"),
        ({"protocol": "class-agnostic"}, "a: unknown protocol 'class-agnostic'", "Did you mean"),
        ({"metric": "mio"}, "a: metric: protocol 'class-agnostic-oracle' has no 'mio'; did you mean 'miou'?", ""),
        ({"a": {"method": TRAINED | {"config": "tinny"}}}, "has no config 'tinny'", "did you mean 'tiny'?"),
        ({"a": {"method": {"name": "ward-position", "train": {}}}}, "cannot be trained", "leave out 'train'"),
        ({"a": {"method": {"name": "partfield", "config": "tiny"}}}, "a config is for training", ""),
        ({"dataset": {"name": "procedural", "options": {"fused": math.nan}}}, "nan is not a number", ""),
    ],
)
def test_a_wrong_claim_is_an_error_of_its_file(tmp_path, changes, cause, mend):
    path = write(tmp_path, **changes)
    with pytest.raises(InputError) as caught:
        load_claims([path])
    told = str(caught.value)
    assert caught.value.path == str(path) and cause in told and mend in told and "\n" not in told


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("claims: [", "cannot be read as YAML"),
        ("just text", "is not a mapping"),
        ("{}", "name: Field required"),
        ("{name: n, paper: p, claims: []}", "claims"),
        ("{name: n, paper: p, claims: [text]}", "claim 0"),
    ],
)
def test_a_wrong_file(tmp_path, text, cause):
    (path := tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"wrong\.yaml") as caught:
        load_claims([path])
    assert cause in str(caught.value) and "\n" not in str(caught.value)


def test_no_files(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_claims([tmp_path / "absent.yaml"])
    with pytest.raises(InputError, match=r"has no \*.yaml"):
        load_claims([tmp_path])
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as YAML"):
        load_claims([tmp_path / "binary.yaml"])


def test_an_id_stands_once(tmp_path):
    write(tmp_path, "one.yaml")
    write(tmp_path, "two.yaml", metric="miou-one-to-one")
    with pytest.raises(InputError, match=r"two.yaml: claim 'two-baselines' stands here and in .*one.yaml"):
        load_claims([tmp_path])


def test_methods_that_are_not_installed_are_needed(tmp_path):
    (path := tmp_path / "claims.yaml").write_text(
        yaml.safe_dump(
            FILE
            | {"packages": {"nobodys": "partseg-nobodys", "another": "partseg-baselines"}}
            | {
                "claims": [
                    CLAIM | {"a": {"method": {"name": "nobodys", "config": "tiny", "train": {}}}, "b": "another"}
                ]
            }
        ),
        encoding="utf-8",
    )
    (one,) = load_claims([path])
    assert one.needs == "needs partseg-nobodys and another of partseg-baselines"
    (found,) = outcomes([one], Runs(tmp_path / "runs"))
    assert found.status == one.needs and found.comparison is None
    assert "1 not testable here" in summary([found]) and one.needs in listing([one])


def test_choosing(tmp_path):
    both = load_claims([write(tmp_path, "one.yaml"), write(tmp_path, "two.yaml", id="others")])
    assert [one.claim.id for one in choose(both, [])] == ["two-baselines", "others"]
    assert [one.claim.id for one in choose(both, ["two-*"])] == ["two-baselines"]
    with pytest.raises(UnknownNameError, match="did you mean 'others'"):
        choose(both, ["other"])


def results(path: Path, runs: Runs, a: float | None, b: float | None) -> None:
    """Write results of the cells of a file's claim by hand; None is a failure."""
    made = environment(1, 0, None)
    for group in cell_groups(one.claim for one in load_claims([path])).values():
        for cell in standing(group.board, runs).plan.cells:
            mean = a if cell.about["method"] == "ward-position" else b
            if mean is None:
                runs.write(failed_result(cell, {"status": "timeout", "error": "took too long"}, made))
                continue
            values = {f"test/{i}": mean + 0.01 * i for i in range(SHAPES)}
            runs.write(
                result_of(cell.key, cell.predictions, cell.about, (), made)
                | {"per_shape": {shape: {"scores": {"miou": value}} for shape, value in values.items()}}
            )


@pytest.mark.parametrize(
    ("a", "b", "direction", "status"),
    [
        (0.6, 0.5, "higher", "held"),
        (0.6, 0.5, "lower", "not held"),
        (0.5, 0.6, "higher", "not held"),
        (0.5, 0.5, "higher", "undecided"),
        (0.5, None, "higher", "failed"),
    ],
)
def test_where_a_claim_stands_follows_from_results(tmp_path, a, b, direction, status):
    path, runs = write(tmp_path, direction=direction, seeds=[0, 4]), Runs(tmp_path / "runs")
    registered = load_claims([path])
    (before,) = outcomes(registered, runs)
    assert before.status == "left" and before.why == "4 of 4 cells have no result yet"
    results(path, runs, a, b)
    (found,) = outcomes(registered, runs)
    assert found.status == status
    if status == "failed":
        assert "took too long" in found.why and "took too long" in markdown([found])
    else:
        assert found.comparison.difference == pytest.approx(a - b) and found.comparison.seeds == 2
        (data,) = as_data([found])
        assert json.loads(json.dumps(data, allow_nan=False))["comparison"]["shapes"] == SHAPES


def test_a_pair_that_makes_no_sense_says_why(tmp_path):
    path = write(tmp_path, protocol="clicks", metric="iou@10")
    (found,) = outcomes(load_claims([path]), Runs(tmp_path / "runs"))
    assert found.status == "failed" and "'connected-components' is no interactive or embedder" in found.why


def test_sides_may_differ_in_protocol_and_shapes_only(tmp_path):
    fused = {"name": "procedural", "limit": SHAPES, "options": {"fused": 1.0}}
    sides = {
        "a": {"method": "ward-position", "protocol": "class-agnostic-auto", "dataset": fused},
        "b": {"method": "ward-position", "protocol": "class-agnostic-auto-geometry", "dataset": CLAIM["dataset"]},
    }
    (one,) = load_claims([write(tmp_path, **sides, protocol=None, dataset=None)])
    (found,) = outcomes([one], Runs(tmp_path / "runs"))
    assert found.status == "left" and found.why.startswith("2 of 2")


def test_trainings_of_one_config_are_told_apart(tmp_path):
    sides = {name: {"method": TRAINED | {"train": {"max_steps": steps}}} for name, steps in (("a", 2), ("b", 1))}
    (found,) = outcomes(load_claims([write(tmp_path, **sides)]), Runs(tmp_path / "runs"))
    assert found.why == "2 of 2 cells have no result yet"


def test_the_claims_of_the_repository(repository):
    found = load_claims([repository / "benchmarks" / "claims"])
    assert {one.path.stem for one in found} >= {"partfield", "gspn", "iseg3d", "instance_fusion", "recursive_partnet"}
    cheap = [one.claim.minutes for one in found if one.claim.minutes <= DEFAULT_MINUTES]
    assert cheap and sum(cheap) <= 15
    for one in found:
        trained = any(one.claim.side(name)[0].train is not None for name in ("a", "b"))
        assert not trained or len(one.claim.seeds) >= 3, f"{one.claim.id}: trainings differ from seed to seed"
    assert len(listing(found).splitlines()) == len(found) + 2


@pytest.mark.slow
def test_two_baselines_from_file_to_table(tmp_path, capsys):
    path, runs = write(tmp_path), tmp_path / "runs"
    arguments = [str(path), "--runs", str(runs), "--workers", "1"]
    assert main(arguments) == 0
    table = capsys.readouterr().out
    row = next(line for line in table.splitlines() if line.startswith("| two-baselines"))
    assert "better \\| than" in row and row.split(" | ")[-1].strip("* |") in ("held", "not held", "undecided")
    cells = {file: file.stat().st_mtime_ns for file in (runs / "cells").rglob("*.json")}
    assert len(cells) == 2
    assert main([*arguments, "--json"]) == 0
    told = capsys.readouterr()
    (data,) = json.loads(told.out)
    assert told.err == "" and {file: file.stat().st_mtime_ns for file in cells} == cells  # nothing was computed again
    scores = {}
    for file in cells:
        kept = json.loads(file.read_text())
        scores[kept["cell"]["method"]] = [record["scores"]["miou"] for record in kept["per_shape"].values()]
    differences = np.subtract(scores["ward-position"], scores["connected-components"])
    assert len(differences) == SHAPES
    assert data["comparison"]["difference"] == pytest.approx(differences.mean())
    assert differences.min() <= data["comparison"]["low"] <= data["comparison"]["high"] <= differences.max()


def test_dear_claims_are_left_unless_asked_for(tmp_path, capsys):
    path = write(tmp_path, minutes=90)
    assert main([str(path), "--runs", str(tmp_path / "runs")]) == 0
    told = capsys.readouterr()
    assert "left: 2 of 2 cells have no result yet" in told.out and "--all" in told.err
    assert not list((tmp_path / "runs").rglob("cells"))
    assert main([str(path), "--list"]) == 0
    assert "| 90 |" in capsys.readouterr().out
