"""Boards are run: what is shared, what fails alone, what a killed run leaves, what limits do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from partseg.errors import InputError
from partseg_bench.board import Board
from partseg_bench.cli import main
from partseg_bench.launch import shares
from partseg_bench.memory import group_mb, own_peak_mb
from partseg_bench.results import Runs, plain
from partseg_bench.runner import Standing, run_board, standing

PROTOCOLS = ["fakes.bench:Accuracy", "fakes.bench:PartCount"]
TINY = {"dataset": "fakes.bench_learned:TinyData", "max_steps": 30}


def method(name: str, **more):
    module = "fakes.bench_learned" if name == "Tiny" else "fakes.bench"
    return {"name": f"{module}:{name}", "label": name.lower(), **more}


def board(*methods, protocols=PROTOCOLS, datasets=("fakes.bench:shapes",), seconds=120.0, **limits) -> Board:
    return Board.model_validate(
        {
            "methods": methods,
            "datasets": datasets,
            "protocols": protocols,
            "limits": {"seconds": seconds, **limits},
            "device": "cpu",
        }
    )


@pytest.fixture(scope="module", autouse=True)
def workers_find_the_fakes():
    """The processes of a run import `fakes.bench` too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        yield


def by_label(after: Standing) -> dict[tuple[str, str], dict]:
    return {(row["cell"]["label"], row["cell"]["protocol"]): row for row in after.rows()}


class Told:
    """Remembers what a display is told."""

    def __init__(self) -> None:
        self.counts: Counter[str] | None = None
        self.jobs: list[list[str]] = []
        self.results: list[tuple[str, str]] = []
        self.ended = 0

    def begin(self, counts):
        self.counts = counts

    def started(self, job):
        self.jobs.append([task["stage"] for task in job.tasks])

    def event(self, event):
        assert event.kind in ("begin", "progress", "done", "failed", "end")

    def result(self, cell, status, error):
        self.results.append((cell.about["label"], status))

    def end(self):
        self.ended += 1


@pytest.mark.slow
def test_a_board_and_its_rerun(tmp_path):
    runs, told = Runs(tmp_path / "runs"), Told()
    mine = board(method("Halves"), method("Tiny", train=TINY))
    assert standing(mine, runs).counts() == {"left": 4}
    after = run_board(mine, runs, workers=2, show=told)
    assert after.counts() == {"ok": 4} and told.ended == 1
    assert sorted(told.jobs) == [["predict", "score", "score"], ["predict", "score", "score"], ["train"]]

    rows = by_label(after)
    halves, tiny = rows["halves", "accuracy"], rows["tiny", "accuracy"]
    assert halves["metrics"]["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 4}
    assert rows["halves", "part-count"]["metrics"]["accuracy"]["value"] == 2.0
    assert tiny["metrics"]["accuracy"]["value"] > 0.8  # it has learnt
    assert tiny["parameters"] == 13 and halves["parameters"] is None
    assert tiny["cell"]["weights"] == "trained" and tiny["selection"] == "last step"
    assert tiny["seconds"]["train"] > 0 and halves["seconds"]["train"] == 0
    assert halves["seconds"]["total"] == pytest.approx(sum(list(halves["seconds"].values())[:3]))
    assert halves["latency_s"] > 0 and halves["throughput"] > 0 and halves["peak_memory_mb"] > 10
    assert halves["coverage"] == {"expected": 4, "scored": 4, "missing": [], "errors": {}}
    assert set(halves["per_shape"]) == set(halves["categories"]) == {f"cloud/{i}" for i in range(4)}
    assert halves["predictions_sha256"] == rows["halves", "part-count"]["predictions_sha256"] != ""
    assert len(halves["truth_sha256"]) == 64 and halves["versions"]["partseg-core"] and halves["hardware"]["cpu"]

    again = Told()
    before = {path: path.stat().st_mtime_ns for path in runs.root.rglob("*.json")}
    assert run_board(mine, runs, workers=2, show=again).counts() == {"ok": 4}
    assert again.jobs == [] and again.results == []
    wider = board(method("Whole"), method("Halves"), method("Tiny", train=TINY))
    assert run_board(wider, runs, workers=2, show=again).counts() == {"ok": 6}
    assert again.jobs == [["predict", "score", "score"]] and {label for label, _ in again.results} == {"whole"}
    assert before.items() <= {path: path.stat().st_mtime_ns for path in before}.items()

    assert not (runs.root / "jobs").exists()


@pytest.mark.slow
def test_failures_are_rows(tmp_path):
    runs, told = Runs(tmp_path), Told()
    mine = board(
        method("Broken"),
        method("Flaky"),
        method("Deadly"),
        method("Halves"),
        method("Tiny", train=TINY | {"max_steps": 2}, overrides={"width": 0}),
        protocols=[*PROTOCOLS, "fakes.bench:Faulty"],
    )
    after = run_board(mine, runs, workers=2, show=told)
    assert after.counts() == {"ok": 4, "failed": 11}
    rows = by_label(after)
    assert "failed on all 4 shapes" in rows["broken", "accuracy"]["error"]
    assert "this method is broken" in rows["broken", "part-count"]["error"]
    assert "fakes/bench.py" in rows["broken", "accuracy"]["trace"]
    assert "SIGSEGV" in rows["deadly", "accuracy"]["error"]
    assert "last words" in rows["deadly", "accuracy"]["trace"]
    assert rows["halves", "faulty"]["error"] == "ZeroDivisionError: no score"
    assert "config: width" in rows["tiny", "accuracy"]["error"]
    for row in rows.values():
        assert "\n" not in row["error"] and (row["status"] == "ok") == (row["error"] == "")

    flaky = rows["flaky", "accuracy"]
    assert flaky["status"] == "ok" and flaky["metrics"]["accuracy"]["value"] == 0.75
    assert flaky["coverage"]["missing"] == ["cloud/1"] and flaky["coverage"]["scored"] == 3
    assert "not this one" in flaky["coverage"]["errors"]["cloud/1"]

    again = Told()
    assert run_board(mine, runs, workers=2, show=again).counts() == after.counts()
    assert again.jobs == []  # what failed stays a row …
    ok = {key: row["created"] for key, row in after.results.items() if row["status"] == "ok"}
    forced = run_board(mine, runs, workers=2, only=("method=broken",), force_failed=True, show=again)
    assert forced.counts() == {"failed": 3}
    assert again.jobs == [["predict", "score", "score", "score"]]  # … until it is asked for
    assert {key: standing(mine, runs).results[key]["created"] for key in ok} == ok


@pytest.mark.slow
def test_limits_of_time_and_memory(tmp_path):
    runs = Runs(tmp_path)
    mine = board(method("Endless"), method("Greedy"), method("Halves"), seconds=15.0, memory_gb=0.5)
    start = time.monotonic()
    after = run_board(mine, runs, workers=2)
    assert time.monotonic() - start < 90
    rows = by_label(after)
    assert after.counts() == {"ok": 2, "timeout": 2, "memory": 2}
    assert rows["endless", "accuracy"]["error"] == "predict took longer than the limit of 15 s"
    assert "more than the limit of 512 MiB" in rows["greedy", "accuracy"]["error"]
    assert rows["endless", "accuracy"]["seconds"]["total"] >= 15


def test_shapes_that_are_not_there_are_rows(tmp_path):
    after = run_board(board(method("Halves"), datasets=["fakes.bench:no_shapes"]), Runs(tmp_path))
    assert after.counts() == {"failed": 2}
    assert {row["error"] for row in after.rows()} == {"FileNotFoundError: no such files"}


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path):
    """The runner is killed in the middle of a training: what was done is kept, the training goes on from its
    checkpoint, and no worker is left."""
    runs = Runs(tmp_path / "runs")
    slow = {"dataset": "fakes.bench_learned:TinyData", "max_steps": 60, "checkpoint_seconds": 0.2}
    mine = board(method("Halves"), method("Tiny", overrides={"pause": 0.2}, train=slow))
    file = tmp_path / "board.yaml"
    file.write_text(yaml.safe_dump(mine.model_dump(mode="json")))
    command = [sys.executable, "-m", "partseg", "bench", "run", str(file), "--runs", str(runs.root), "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _wait(lambda: list(runs.root.glob("weights/.*.partial/checkpoint.ckpt")) and len(_cells(runs)) == 2)
        workers = _children(process.pid)
        assert workers
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 15)
    done = {path: path.read_text() for path in _cells(runs)}
    counts = standing(mine, runs).counts()
    assert counts == {"ok": 2, "left": 2}

    told = Told()
    after = run_board(mine, runs, workers=2, show=told)
    assert after.counts() == {"ok": 4}
    assert {path: path.read_text() for path in done} == done
    assert told.jobs == [["train"], ["predict", "score", "score"]]
    (training,) = runs.root.glob("weights/*/training.json")
    record = json.loads(training.read_text())
    assert record["resumed"] and record["steps"] == 60
    assert record["seconds"] > 60 * 0.2 * 0.8  # of both attempts
    assert not list(runs.root.glob("**/.*.partial")) and not list(runs.root.glob("weights/*/checkpoint.ckpt"))


@pytest.mark.slow
def test_two_runs_do_not_share_a_folder(tmp_path, monkeypatch):
    import fcntl

    monkeypatch.setattr("partseg_bench.runner._LOCK_SECONDS", 0.3)
    with open(tmp_path / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another run"):
            run_board(board(method("Halves")), Runs(tmp_path))


def test_damaged_results_are_named(tmp_path):
    runs = Runs(tmp_path)
    mine = board(method("Halves"))
    key = standing(mine, runs).left[0].key
    runs.cell(key).parent.mkdir(parents=True)
    for text in ("{", "[]", '{"schema": 99, "status": "ok"}', '{"schema": 1, "status": "great"}'):
        runs.cell(key).write_text(text)
        with pytest.raises(InputError, match=key):
            standing(mine, runs)


def test_results_that_say_ok_are_never_replaced(tmp_path):
    runs = Runs(tmp_path)
    runs.write({"schema": 1, "key": "ab1", "status": "failed", "value": 1})
    runs.write({"schema": 1, "key": "ab1", "status": "ok", "value": 2})
    runs.write({"schema": 1, "key": "ab1", "status": "failed", "value": 3})
    assert runs.read("ab1") == {"schema": 1, "key": "ab1", "status": "ok", "value": 2}


def test_commands(tmp_path, capsys):
    file = tmp_path / "board.yaml"
    file.write_text(yaml.safe_dump(board(method("Halves"), datasets=["fakes.bench:no_shapes"]).model_dump(mode="json")))
    common = [str(file), "--runs", str(tmp_path / "runs")]
    assert main(["status", *common]) == 0
    assert capsys.readouterr().out.splitlines() == ["halves  0 done, 2 left", "board: 0 done, 2 left"]
    assert main(["run", *common]) == 1
    told = capsys.readouterr()
    assert "0 done, 2 failed, 0 left" in told.out and "[2/2] halves" in told.err
    assert main(["status", *common, "--only", "protocol=accuracy"]) == 0
    assert "failed   halves · fakes.bench:no_shapes · accuracy: FileNotFoundError" in capsys.readouterr().out
    assert main(["--help"]) == 0 and "partseg bench run" in capsys.readouterr().out
    assert main(["rnu"]) == 2 and "did you mean 'run'" in capsys.readouterr().err
    assert main([]) == 2


def test_cores_are_shared_evenly():
    assert shares([0, 1, 2, 3, 4], 2) == [[0, 1], [2, 3, 4]]
    assert shares([3, 5], 2) == [[3], [5]]
    assert shares([3, 5], 3) == [[3], [5], [3]]


def test_memory_of_a_process_group():
    mine = group_mb(os.getpgid(0))
    assert mine > 0
    assert own_peak_mb() > 0
    with subprocess.Popen([sys.executable, "-c", "x = b'1' * (64 << 20); input()"], stdin=-1, process_group=0) as child:
        _wait(lambda: group_mb(child.pid) > 64)
        child.communicate(b"\n")
    assert group_mb(child.pid) == 0


def test_plain_data():
    import numpy as np

    given = {1: np.float64("nan"), "a": (np.int64(3), np.array([1.5, np.inf])), "b": None}
    assert plain(given) == {"1": None, "a": [3, [1.5, None]], "b": None}


def _cells(runs: Runs) -> list[Path]:
    return sorted((runs.root / "cells").rglob("*.json"))


def _children(parent: int) -> list[int]:
    told = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(pid) for pid, above in (line.split() for line in told.splitlines()) if int(above) == parent]


def _wait(until, seconds: float = 90.0) -> None:
    start = time.monotonic()
    while not until():
        assert time.monotonic() - start < seconds, "it took too long"
        time.sleep(0.05)
