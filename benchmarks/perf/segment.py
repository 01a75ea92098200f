"""The whole command `partseg segment` on one mesh, each time in a process of its own: wall time and peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from inputs import torus
from table import Row, seconds

TARGETS = {80_000: (10.0, 3.0), 1_000_000: (60.0, 8.0)}  # faces: seconds, GB
FIRST_RUN_TARGET = 25.0


class Run(NamedTuple):
    """One run of the command: wall seconds, peak resident memory in GB, user and system seconds of its threads."""

    wall: float
    gigabytes: float
    cpu: float


def command(faces: list[int], repeats: int, weights: str | None = None) -> list[Row]:
    """Rows for meshes of these sizes (keys of `TARGETS`), and for the very first run, when nothing is compiled yet.

    Args:
        faces: sizes. repeats: runs of meshes below half a million faces; larger ones run once.
        weights: as `--weights`; None for those that ship. Time does not depend on what the weights have learnt.
    """
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for count in faces:
            mesh = folder / f"mesh{count}.obj"
            found = _write_obj(mesh, count)
            where = f"{found:,} faces, OBJ of {mesh.stat().st_size / 1e6:.0f} MB"
            if not rows:
                fresh = _run(mesh, folder / "first", weights, NUMBA_CACHE_DIR=str(folder / "cache"))
                rows.append(_time_row("partseg segment, first run ever (compiles)", where, [fresh], FIRST_RUN_TARGET))
                _run(mesh, folder / "warm", weights)  # the runs below find everything compiled
            times = range(repeats if count < 500_000 else 1)
            runs = [_run(mesh, folder / f"out-{count}-{i}", weights) for i in times]
            wall, memory = TARGETS[count]
            rows.append(_time_row("partseg segment, whole process", where, runs, wall))
            peak = max(run.gigabytes for run in runs)
            rows.append(
                Row("… peak memory", where, f"{peak:.2f} GB", "", "", f"<= {memory:.0f} GB", bool(peak <= memory))
            )
    return rows


def _time_row(what: str, where: str, runs: list[Run], target: float) -> Row:
    wall = float(np.median([run.wall for run in runs]))
    cpu = float(np.median([run.cpu for run in runs]))
    ours = f"{seconds(wall)} ({seconds(cpu)} of processor time)"
    return Row(what, where, ours, "", "", f"<= {target:.0f} s", wall <= target)


def _run(mesh: Path, output: Path, weights: str | None, **environment: str) -> Run:
    arguments = [sys.executable, "-m", "partseg", "segment", str(mesh), "-o", str(output)]
    arguments += ["--weights", weights] if weights else []
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, env={**os.environ, **environment})
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise SystemExit(f"partseg segment failed: {log.read().decode(errors='replace').strip()}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in kilobytes on Linux
    return Run(wall, usage.ru_maxrss * unit / 1e9, usage.ru_utime + usage.ru_stime)


def _write_obj(path: Path, count: int) -> int:
    vertices, faces = torus(count)
    with path.open("w") as file:
        np.savetxt(file, vertices, "v %.6f %.6f %.6f")
        np.savetxt(file, faces + 1, "f %d %d %d")
    return len(faces)
