"""Results on disk: one JSON file a cell, which a later run never overwrites unless it says that the cell failed."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from partseg.errors import InputError
from partseg.files import write_text
from partseg_bench.cells import Cell

SCHEMA = 1
OK, FAILED, TIMEOUT, MEMORY = "ok", "failed", "timeout", "memory"
STATUSES = (OK, FAILED, TIMEOUT, MEMORY)
_PACKAGES = ("numpy", "scipy", "numba", "torch", "lightning")


class Runs:
    """A folder of results and of what they were made from.

    Attributes:
        root: the folder; it and its parts are made when something is written.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def cell(self, key: str) -> Path:
        """The result of a cell."""
        return self.root / "cells" / key[:2] / f"{key}.json"

    def weights(self, key: str) -> Path:
        """The folder of what a training gave."""
        return self.root / "weights" / key

    def predictions(self, key: str) -> Path:
        """The folder of predictions."""
        return self.root / "predictions" / key

    @property
    def facts(self) -> Path:
        """What is remembered of shapes and protocols."""
        return self.root / "facts.json"

    def read(self, key: str) -> dict[str, Any] | None:
        """The result of a cell; None where there is none.

        Raises:
            InputError: the file is damaged, or of another schema.
        """
        path = self.cell(key)
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputError(path, f"cannot be read: {error}", "delete it, and the cell is scored anew") from None
        if not isinstance(result, dict) or result.get("schema") != SCHEMA or result.get("status") not in STATUSES:
            raise InputError(path, f"is no result of schema {SCHEMA}", "delete it, and the cell is scored anew")
        return result

    def write(self, result: dict[str, Any]) -> Path:
        """Write the result of a cell, complete or not at all; one that says "ok" is never replaced."""
        key = result["key"]
        before = self.read(key)
        if before is not None and before["status"] == OK:
            return self.cell(key)
        return write_text(self.cell(key), json.dumps(plain(result), indent=1, allow_nan=False) + "\n")

    def forget(self, key: str) -> None:
        """Remove the result of a cell."""
        self.cell(key).unlink(missing_ok=True)


def failure_record(folder: Path) -> Path:
    """Where it stands that the stage which would make a folder has failed."""
    return folder.with_name(f"{folder.name}.failed.json")


def read_failure(folder: Path) -> dict[str, Any] | None:
    """{"status", "error", "trace", "seconds"} of a stage that has failed; None when it has not."""
    try:
        found = json.loads(failure_record(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("status") in STATUSES else None


def failed_result(cell: Cell, failure: dict[str, Any], environment: dict[str, Any]) -> dict[str, Any]:
    """The result of a cell that could not be computed."""
    return result_of(cell.key, cell.predictions, cell.about, cell.published, environment) | {
        "status": failure["status"],
        "error": failure["error"],
        "trace": failure.get("trace", ""),
        "seconds": {"train": 0.0, "predict": 0.0, "score": 0.0, "total": failure.get("seconds", 0.0)},
    }


def result_of(
    key: str, predictions: str, about: dict[str, Any], published: Any, environment: dict[str, Any]
) -> dict[str, Any]:
    """A result with all its fields, of which none is known yet."""
    return {
        "schema": SCHEMA,
        "key": key,
        "cell": about,
        "status": OK,
        "error": "",
        "trace": "",
        "metrics": {},
        "per_shape": {},
        "categories": {},
        "coverage": {"expected": 0, "scored": 0, "missing": []},
        "published": list(published),
        "predictions": predictions,
        "predictions_sha256": "",
        "truth_sha256": "",
        **environment,
        "seconds": {"train": 0.0, "predict": 0.0, "score": 0.0, "total": 0.0},
        "latency_s": None,
        "throughput": None,
        "peak_memory_mb": None,
        "parameters": None,
        "selection": "",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def plain(data: Any) -> Any:
    """Data as JSON holds it: numbers of NumPy become Python's, those that are not finite become None."""
    if isinstance(data, dict):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [plain(value) for value in data]
    if hasattr(data, "tolist"):
        return plain(data.tolist())
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data


def environment(cores: int, gpus: int, memory_gb: float | None) -> dict[str, Any]:
    """{"versions", "commit", "hardware"} of results that are made here.

    Args:
        cores: of one worker.
        gpus: of the machine, as far as they are used.
        memory_gb: the limit of one worker; None for none.
    """
    import partseg
    import partseg_bench

    versions = {"python": platform.python_version(), "partseg-core": partseg.__version__}
    versions["partseg-bench"] = partseg_bench.__version__
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    hardware = {
        "cpu": _cpu(),
        "cores": cores,
        "machine_cores": os.cpu_count(),
        "memory_gb": _memory_gb(),
        "memory_limit_gb": memory_gb,
        "gpu": _gpu() if gpus else None,
        "system": f"{platform.system()} {platform.machine()}",
    }
    return {"versions": versions, "commit": _commit(Path(partseg.__file__).parent), "hardware": hardware}


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, ValueError):
        return None


def _gpu() -> str | None:
    try:
        told = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.splitlines()[0].strip() if told.returncode == 0 and told.stdout.strip() else None


def _commit(folder: Path) -> str:
    """The commit of the checkout that a folder belongs to, with "+" when files of it are changed; "" outside one."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=20)
        if head.returncode:
            return ""
        # a site-packages folder may lie inside someone's repository: only tracked sources are of that commit
        tracked = subprocess.run(["git", "ls-files", "--error-unmatch", "__init__.py"], cwd=folder, capture_output=True)
        if tracked.returncode:
            return ""
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"], cwd=folder, capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
