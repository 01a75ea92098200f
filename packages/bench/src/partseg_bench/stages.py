"""The three stages of a cell, as a worker process runs them: train, predict, score.

Each writes aside and renames what it has made when that is complete, so whatever exists is whole.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from partseg.data.formats.base import PartSample
from partseg.errors import InputError, PartsegError
from partseg.files import write_text
from partseg.methods.registry import load_method
from partseg.spec import load_target
from partseg_bench.board import DatasetEntry
from partseg_bench.facts import make_eval_set, one_line
from partseg_bench.memory import out_of_memory, own_peak_mb
from partseg_bench.predictions import Manifest, read_manifest, read_predictions, write_manifest, write_prediction
from partseg_bench.results import Runs, result_of
from partseg_bench.sources import canonical

Tell = Callable[[int, int], None]
"""Called with (how many steps or shapes are done, how many there are)."""

TRAINING = "training.json"
_KEPT_BYTES = 256 << 20  # of samples that are kept for the next protocol
_BYTES_PER_ELEMENT = 200  # of a sample, roughly


def predict(task: dict[str, Any], tell: Tell) -> None:
    """Ask a method about every shape and write what it says.

    A shape on which the method fails is an entry of the manifest with its error; every protocol scores it 0.

    Args:
        task: runs, predictions (key), method, weights, trained (key or None), dataset, protocol ("module:Class"), seed,
            device, config.

    Raises:
        PartsegError: a shape's files cannot be read, or the method failed on every shape.
    """
    runs = Runs(task["runs"])
    folder = runs.predictions(task["predictions"])
    if folder.is_dir():
        return
    shapes = _Shapes.of(task["dataset"])
    protocol = shapes.protocol(task["protocol"])
    weights = str(runs.weights(task["trained"])) if task["trained"] else task["weights"]
    started = time.perf_counter()
    method = load_method(task["method"], weights, device=task["device"], seed=task["seed"])
    loaded = time.perf_counter() - started
    with _aside(folder) as aside:
        entries: dict[str, dict[str, Any]] = {}
        for i, name in enumerate(shapes.ids):
            tell(i, len(shapes))
            sample = shapes[i]
            _seed(task["seed"])
            started = time.perf_counter()
            try:
                prediction = protocol.predict(method, sample, task["seed"])
                taken = time.perf_counter() - started
                entries[name] = write_prediction(aside, name, prediction) | {"seconds": taken}
            except Exception as error:
                if out_of_memory(error):
                    raise
                entries[name] = {"error": one_line(error), "seconds": time.perf_counter() - started}
                first = error
        failed = [name for name, entry in entries.items() if "error" in entry]
        if failed and len(failed) == len(entries):
            raise PartsegError(f"failed on all {len(failed)} shapes, the first: {one_line(first)}") from first
        about = {
            "load_seconds": loaded,
            "peak_memory_mb": own_peak_mb(),
            "gpu_peak_memory_mb": _gpu_peak_mb(),
            "parameters": _parameters(method),
        }
        manifest = Manifest(entries, task["method"], task["config"], protocol.view, task["seed"], True, about)
        write_manifest(aside, manifest)


def score(task: dict[str, Any], tell: Tell) -> None:
    """Score predictions by a protocol and write the result of the cell.

    Args:
        task: runs, key, predictions (key), trained (key or None), about (the "cell" of the result), published, dataset,
            protocol ("module:Class"), environment.

    Raises:
        PartsegError: the predictions do not fit the shapes.
    """
    started = time.perf_counter()
    runs = Runs(task["runs"])
    shapes = _Shapes.of(task["dataset"])
    protocol = shapes.protocol(task["protocol"])
    folder = runs.predictions(task["predictions"])
    predictions = read_predictions(folder)
    if unknown := sorted(set(predictions) - set(shapes.ids)):
        raise PartsegError(f"{unknown[0]}: shape: is not one of those that are scored ({len(unknown)} such)")
    records = {}
    for i, name in enumerate(shapes.ids):
        tell(i, len(shapes))
        records[name] = protocol.score(predictions.get(name), shapes[i])
    metrics = protocol.aggregate(records, shapes.ids)
    manifest = read_manifest(folder)
    told = manifest.about or {}
    timed = [entry for entry in manifest.shapes.values() if "seconds" in entry]
    done = [float(entry["seconds"]) for entry in timed if "error" not in entry]
    trained = read_training(runs.weights(task["trained"])) if task["trained"] else {}
    missing = [name for name in shapes.ids if name not in predictions]
    result = result_of(task["key"], task["predictions"], task["about"], task["published"], task["environment"])
    result |= {
        "metrics": {name: metric._asdict() for name, metric in metrics.items()},
        "per_shape": records,
        "categories": dict(zip(shapes.ids, shapes.categories)),
        "coverage": {
            "expected": len(shapes),
            "scored": len(shapes) - len(missing),
            "missing": missing,
            "errors": {name: predictions.errors[name] for name in missing if name in predictions.errors},
        },
        "predictions_sha256": predictions.digest(),
        "truth_sha256": shapes.digest,
        "latency_s": statistics.median(done) if done else None,
        "throughput": len(done) / sum(done) if sum(done) > 0 else None,
        "peak_memory_mb": told.get("peak_memory_mb"),
        "gpu_peak_memory_mb": told.get("gpu_peak_memory_mb"),
        "parameters": told.get("parameters"),
        "selection": "last step" if task["trained"] else "",
    }
    parts = {
        "train": float(trained.get("seconds", 0.0)),
        "predict": sum(float(entry["seconds"]) for entry in timed) + float(told.get("load_seconds", 0.0)),
        "score": time.perf_counter() - started,
    }
    runs.write(result | {"seconds": parts | {"total": sum(parts.values())}})


def train(task: dict[str, Any], tell: Tell) -> None:
    """Train a method and write its weights, going on from the last checkpoint where there is one.

    Args:
        task: runs, key, method, config, trainer, dataset, data, seed, device, checkpoint_seconds.

    Raises:
        PartsegError: the config is not one of the method's, or training diverged.
    """
    folder = Runs(task["runs"]).weights(task["key"])
    if folder.is_dir():
        return
    from partseg_bench.training import CHECKPOINT, train_into  # imports Lightning

    with _aside(folder, keep=True) as aside:
        told = train_into(aside, task, tell)
        write_text(aside / TRAINING, json.dumps(told | {"peak_memory_mb": own_peak_mb()}) + "\n")
    (folder / CHECKPOINT).unlink(missing_ok=True)


STAGES: dict[str, Callable[[dict[str, Any], Tell], None]] = {"train": train, "predict": predict, "score": score}


def read_training(folder: Path) -> dict[str, Any]:
    """What is recorded of a training: seconds, steps, peak_memory_mb.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return json.loads((folder / TRAINING).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(folder / TRAINING, f"cannot be read: {error}", "delete the folder and run again") from None


class _Shapes:
    """The shapes of a dataset entry; of the last one that was opened, samples are kept for the next protocol."""

    _last: tuple[str, _Shapes] | None = None

    def __init__(self, made: Any) -> None:
        self._made = made
        self._kept: dict[int, PartSample] = {}
        self._bytes = 0
        self.ids: tuple[str, ...] = tuple(made.ids)
        self.categories: tuple[str, ...] = tuple(made.categories)

    @classmethod
    def of(cls, entry: dict[str, Any]) -> _Shapes:
        name = canonical(entry)
        if cls._last is None or cls._last[0] != name:
            cls._last = (name, cls(make_eval_set(DatasetEntry.model_validate(entry))))
        return cls._last[1]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> PartSample:
        if i in self._kept:
            return self._kept[i]
        sample = self._made[i]
        self._bytes += _BYTES_PER_ELEMENT * sample.shape.n_elements
        if self._bytes <= _KEPT_BYTES:
            self._kept[i] = sample
        return sample

    @property
    def digest(self) -> str:
        return str(self._made.digest)

    def protocol(self, target: str) -> Any:
        """A protocol for these shapes."""
        return load_target(target)(self._made.taxonomy, dict(zip(self.ids, self.categories)))


@contextmanager
def _aside(folder: Path, keep: bool = False) -> Iterator[Path]:
    """A folder that becomes `folder` when the block ends well. One that a killed process left is emptied, or kept."""
    aside = folder.with_name(f".{folder.name}.partial")
    if not keep:
        shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True, exist_ok=True)
    yield aside
    os.replace(aside, folder)


def _seed(seed: int) -> None:
    """For methods that draw from the process's own generators."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _parameters(method: Any) -> int | None:
    counted = [one.numel() for one in method.parameters()] if hasattr(method, "parameters") else []
    return sum(counted) if counted else None


def _gpu_peak_mb() -> float | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return torch.cuda.max_memory_allocated() / 2**20
