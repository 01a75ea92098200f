"""What a person waits for at a large board: `partseg bench` status, report, and a run that finds nothing left.

The board has 200 cells. Its results and the predictions that the report draws are made up, in the form and size of real
ones; the commands are the real ones, each time in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import yaml
from table import Row, seconds

from partseg.methods.registry import find
from partseg_bench.board import load_board
from partseg_bench.cells import Cell
from partseg_bench.facts import make_eval_set
from partseg_bench.predictions import Manifest, Prediction, write_manifest, write_prediction
from partseg_bench.results import Runs, environment, result_of
from partseg_bench.runner import standing

# command -> arguments, seconds it may take
COMMANDS = {"status": ((), 2.0), "run": (("--workers", "1"), 2.0), "report": (("--html",), 5.0)}
SHAPES = 32
BOARD = {
    "methods": [
        *("connected-components", "euclidean-clusters", "kmeans-position-normal", "partfield", "shape-diameter"),
        *("ward-position", "ward-position-normal", "ward-shape-diameter"),
        {"name": "sgpn", "config": "tiny", "train": {}},
        {"name": "partnet-segmentation", "config": "tiny", "train": {}},
    ],
    "datasets": [{"name": "procedural", "limit": SHAPES, "options": {"cache": True}}],
    "protocols": ["class-agnostic-auto", "class-agnostic-oracle", "class-agnostic-tree-cut", "hierarchy"],
    "seeds": [0, 1, 2, 3, 4],
    "device": "cpu",
}
_PATIENCE = 60  # seconds
_LEVELS = ("coarse", "middle", "fine")


def commands(repeats: int = 3) -> list[Row]:
    """Median wall time of each command on a board of which every cell is finished."""
    with tempfile.TemporaryDirectory() as scratch, mock.patch.dict(os.environ, PARTSEG_CACHE=f"{scratch}/cache"):
        folder = Path(scratch)
        file, runs = folder / "board.yaml", Runs(folder / "runs")
        file.write_text(yaml.safe_dump(BOARD))
        cells = finish(file, runs)
        megabytes = sum(path.stat().st_size for path in runs.root.glob("cells/*/*.json")) / 1e6
        where = f"{cells} finished cells of {SHAPES} shapes, {megabytes:.0f} MB of results"
        rows = []
        for verb, (options, target) in COMMANDS.items():
            arguments = [sys.executable, "-m", "partseg", "bench", verb, str(file), "--runs", str(runs.root), *options]
            took = float(np.median([_time(arguments) for _ in range(repeats)]))
            name = " ".join(["partseg bench", verb, *options]) + ", whole process"
            rows.append(Row(name, where, seconds(took), "", "", f"< {target:.0f} s", took < target))
    return rows


def finish(file: Path, runs: Runs) -> int:
    """Give every cell of a board a result, and the first seed's cells predictions; returns how many cells there are."""
    board = load_board(file)
    cells = standing(board, runs).plan.cells
    made = environment(1, 0, None)
    samples = make_eval_set(board.datasets[0])
    drawn = {name: samples[i] for i, name in enumerate(samples.ids)}
    kinds = dict(zip(samples.ids, samples.categories))
    for i, cell in enumerate(cells):
        rng = np.random.default_rng(i)
        result = result_of(cell.key, cell.predictions, cell.about, cell.published, made)
        runs.write(result | _scores(cell, list(drawn), rng) | {"categories": kinds, "truth_sha256": samples.digest})
        folder = runs.predictions(cell.predictions)
        if cell.about["seed"] == 0 and not folder.is_dir():
            entries = {
                name: write_prediction(folder, name, Prediction(_altered(sample.labels["middle"], rng)))
                for name, sample in drawn.items()
            }
            write_manifest(folder, Manifest(entries, cell.about["method"]))
    return len(cells)


def _scores(cell: Cell, shapes: list[str], rng: np.random.Generator) -> dict[str, Any]:
    """Fields of a result: numbers of the cell's protocol for every shape, and their means."""
    names = list(find("protocol", cell.about["protocol"]).metrics)
    if cell.about["protocol"] != "hierarchy":
        names += [f"{name}@{level}" for name in names for level in _LEVELS]
    table = rng.beta(4, 3, (len(shapes), len(names)))
    metrics = {
        name: {"value": mean, "low": mean - 0.05, "high": mean + 0.05, "n": len(shapes)}
        for name, mean in zip(names, table.mean(0).tolist())
    }
    records = [{"scores": dict(zip(names, row)), "parts": 7} for row in table.tolist()]
    return {
        "metrics": metrics,
        "per_shape": dict(zip(shapes, records)),
        "coverage": {"expected": len(shapes), "scored": len(shapes), "missing": []},
        "seconds": {"train": 0.0, "predict": 8.0, "score": 1.0, "total": 9.0},
        "latency_s": 0.2,
        "throughput": 5.0,
        "peak_memory_mb": 800.0,
    }


def _altered(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Parts, some of them joined."""
    return rng.integers(0, 8, int(labels.max()) + 2)[labels]


def _time(arguments: list[str]) -> float:
    start = time.perf_counter()
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{' '.join(arguments)}: not done in {_PATIENCE} s; was source edited meanwhile?") from None
    took = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed: {(done.stderr or done.stdout).strip()}")
    return took


if __name__ == "__main__":
    for row in commands():
        print(f"{row.what}, {row.input}: {row.ours} (target {row.target})")
