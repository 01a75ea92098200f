"""Where jobs run. A launcher takes jobs and reports what becomes of their tasks; `LocalLauncher` runs them here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from partseg_bench.memory import group_mb
from partseg_bench.results import FAILED, MEMORY, TIMEOUT

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_TRACE_LINES = 30
_LOG_BYTES = 64 << 10  # of the end of a worker's output, for the trace
_START_SECONDS = 300.0  # that a worker may take until it begins its first task
_MEMORY_SECONDS = 0.2  # between two looks at the memory of a worker


@dataclass(frozen=True)
class Job:
    """Tasks for one process, run in order.

    Attributes:
        name: what it is called in listings.
        tasks: plain data, see `partseg_bench.stages`; each has "id", "stage", "seconds" (its limit) and, where it is
            pointless after another one of the job has failed, "needs" (the id of that one).
    """

    name: str
    tasks: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Event:
    """What became of a task, or of a job.

    Attributes:
        kind: "begin", "progress", "done" or "failed" of a task; "end" of the job, after which nothing comes.
        job: the job.
        task: the task; None for "end".
        data: of "failed": status, error, trace, seconds; of "done": seconds; of "progress": done, total.
    """

    kind: str
    job: Job
    task: dict[str, Any] | None = None
    data: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class Launcher(Protocol):
    """Runs jobs somewhere; the runner decides which and when."""

    def free(self) -> int:
        """How many jobs can be started now."""
        ...

    def start(self, job: Job) -> None:
        """Start a job; there is room for it."""
        ...

    def poll(self) -> list[Event]:
        """What has happened since the last call; does not wait."""
        ...

    def stop(self) -> None:
        """End everything that runs, now."""
        ...


class LocalLauncher:
    """Runs each job in a process of its own on this machine, pinned to its share of the cores or to a GPU.

    Args:
        workers: jobs at a time.
        jobs: folder for job files and logs; made.
        memory_mb: resident memory that the processes of a job may hold; None for no limit.
        gpus: identifiers of the GPUs to use, in turn; empty for none.
        keep_open: descriptors that workers inherit, such as a lock that is held until the last of them has ended.
    """

    def __init__(
        self,
        workers: int,
        jobs: Path,
        memory_mb: float | None = None,
        gpus: tuple[str, ...] = (),
        keep_open: tuple[int, ...] = (),
    ) -> None:
        self.jobs, self.memory_mb, self.gpus, self.keep_open = jobs, memory_mb, gpus, keep_open
        self.cores = shares(usable_cores(), workers)
        self._running: dict[int, _Process] = {}  # by place

    def free(self) -> int:
        return len(self.cores) - len(self._running)

    def start(self, job: Job) -> None:
        place = next(i for i in range(len(self.cores)) if i not in self._running)
        self._running[place] = _Process(self, job, place)

    def poll(self) -> list[Event]:
        events: list[Event] = []
        for place, process in list(self._running.items()):
            events += process.poll()
            if process.ended:
                del self._running[place]
        return events

    def stop(self) -> None:
        for process in self._running.values():
            process.kill()
        self._running.clear()


class _Process:
    """A running job."""

    def __init__(self, launcher: LocalLauncher, job: Job, place: int) -> None:
        self.job, self.memory_mb = job, launcher.memory_mb
        self.ended = False
        self._left = [True] * len(job.tasks)  # no verdict yet
        self._current: int | None = None
        self._began = self._looked = time.monotonic()
        self._buffer = b""
        launcher.jobs.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=launcher.jobs, prefix="job-", suffix=".json")
        self._file = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"parent": os.getpid(), "tasks": job.tasks}, file)
        self._log = self._file.with_suffix(".log")
        self._pipe, theirs = os.pipe()
        os.set_blocking(self._pipe, False)
        cores = launcher.cores[place]
        gpu = launcher.gpus[place % len(launcher.gpus)] if launcher.gpus else ""
        environment = os.environ | dict.fromkeys(_THREADS, str(len(cores))) | {"CUDA_VISIBLE_DEVICES": gpu}
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "partseg_bench.worker", str(self._file), str(theirs)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=(theirs, *launcher.keep_open),
                start_new_session=True,  # its own processes are found, and ended, as a group
            )
        os.close(theirs)
        if hasattr(os, "sched_setaffinity"):
            with suppress(OSError):  # it has ended already, which `poll` tells
                os.sched_setaffinity(self._process.pid, cores)

    def poll(self) -> list[Event]:
        """What happened since the last call."""
        code = self._process.poll()  # before reading, so that nothing is left when it is known to have ended
        events = list(self._reports())
        if code is not None:
            return [*events, *self._end(code)]
        if failure := self._over():
            self.kill()
            events += [event for event in self._reports() if event.kind == "done"]  # it was quicker
            if any(self._left):
                events.append(self._fail(self._at(), **failure))
            events += self._finish()
        return events

    def kill(self) -> None:
        """End the process and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _over(self) -> dict[str, Any] | None:
        """Which limit the current task exceeds, if any."""
        now = time.monotonic()
        task = self.job.tasks[self._at()]
        if self._current is None and now - self._began > _START_SECONDS:
            return {"status": TIMEOUT, "error": f"its process did not begin within {_START_SECONDS:g} s"}
        if self._current is not None and now - self._began > task["seconds"]:
            error = f"{task['stage']} took longer than the limit of {task['seconds']:g} s"
            return {"status": TIMEOUT, "error": error}
        if self.memory_mb is not None and now - self._looked >= _MEMORY_SECONDS:
            self._looked = now
            if (held := group_mb(self._process.pid)) > self.memory_mb:
                limit = f"{held:,.0f} MiB of memory, more than the limit of {self.memory_mb:,.0f} MiB"
                return {"status": MEMORY, "error": f"{task['stage']} held {limit}"}
        return None

    def _reports(self) -> Iterator[Event]:
        while True:
            try:
                chunk = os.read(self._pipe, 1 << 16)
            except (BlockingIOError, OSError):
                break
            if not chunk:
                break
            self._buffer += chunk
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            data = json.loads(line)
            kind, i = data.pop("kind"), data.pop("task")
            if kind == "begin":
                self._current, self._began = i, time.monotonic()
            elif kind in ("done", "failed"):
                self._left[i], self._current, self._began = False, None, time.monotonic()
            yield Event(kind, self.job, self.job.tasks[i], data)

    def _end(self, code: int) -> Iterator[Event]:
        if code != 0 and any(self._left):  # it died: of the task it was at, or before the first
            yield self._fail(self._at(), MEMORY if code == -signal.SIGKILL else FAILED, _died(code))
        yield from self._finish()

    def _at(self) -> int:
        """The task it is at, or about to begin."""
        return self._current if self._current is not None else self._left.index(True) if any(self._left) else 0

    def _fail(self, i: int, status: str, error: str) -> Event:
        self._left[i] = False
        data = {"status": status, "error": error, "trace": _tail(self._log), "seconds": time.monotonic() - self._began}
        return Event("failed", self.job, self.job.tasks[i], data)

    def _finish(self) -> Iterator[Event]:
        self.ended = True
        self.kill()  # what it started and left behind
        os.close(self._pipe)
        self._file.unlink(missing_ok=True)
        self._log.unlink(missing_ok=True)
        yield Event("end", self.job)


def usable_cores() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def shares(cores: list[int], workers: int) -> list[list[int]]:
    """The cores of each worker: even shares side by side; with fewer cores than workers, one each in turn."""
    if workers >= len(cores):
        return [[cores[i % len(cores)]] for i in range(workers)]
    bounds = [i * len(cores) // workers for i in range(workers + 1)]
    return [cores[start:end] for start, end in pairwise(bounds)]


def visible_gpus() -> tuple[str, ...]:
    """Identifiers of the CUDA devices that this process may use; empty where there are none."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        told = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = [line for line in told.stdout.splitlines() if line.startswith("GPU ")]
    if told.returncode or not found:
        return ()
    if chosen is None:
        return tuple(str(i) for i in range(len(found)))
    return tuple(one.strip() for one in chosen.split(",") if one.strip() and one.strip() != "-1")


def _died(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name if -code in iter(signal.Signals) else str(-code)
        return f"its process was ended by {name}" + (", perhaps for want of memory" * (code == -signal.SIGKILL))
    return f"its process ended with exit code {code}"


def _tail(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-_TRACE_LINES:])
