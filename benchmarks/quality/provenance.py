"""What a number depends on: versions, weights, commit, truth, machine."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import importlib.resources
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from partseg.data.formats.psb import PsbShape
from partseg.methods.registry import find_method

PACKAGES = ("numpy", "scipy", "numba", "torch", "partseg-core", "partseg-partfield", "partseg-baselines")


def provenance(names: list[str]) -> dict[str, Any]:
    """Plain data for the result file."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "packages": {name: _version(name) for name in PACKAGES},
        "weights_sha256": {name: _weights(name) for name in names},
    }


def truth_hash(shapes: list[PsbShape]) -> str:
    """SHA-256 over the meshes and all their truths, in order."""
    digest = hashlib.sha256()
    for s in shapes:
        digest.update(s.item.name.encode())
        for array in (s.shape.vertices, s.shape.faces, s.labels, *s.humans):
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _weights(name: str) -> str | None:
    """SHA-256 over the files of the weights' folder, None for methods without weights."""
    plain, _, given = name.partition("[")[0].partition("@")
    spec = find_method(plain)
    named = given or spec.default_weights
    if named is None:
        return None
    if named in spec.weights:
        package, _, folder = spec.weights[named].partition(":")
        root = Path(str(importlib.resources.files(package))) / folder
    else:
        root = Path(named)
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest() if files else None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    try:
        run = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(run, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
