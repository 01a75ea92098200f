"""The process that computes: `python -m partseg_bench.worker <job file> [descriptor]`.

It runs the tasks of a job one after the other and reports each as a line of JSON on the descriptor, or on stderr
without one, so that a job that failed can be run again by hand. It ends itself when the runner is gone.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from partseg_bench.facts import one_line
from partseg_bench.memory import out_of_memory
from partseg_bench.results import FAILED, MEMORY

_TRACE_LINES = 30
_PROGRESS_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1  # Linux, sys/prctl.h


class Reports:
    """Where a worker reports to.

    Args:
        descriptor: of a pipe; None for stderr.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._file = sys.stderr if descriptor is None else os.fdopen(descriptor, "w", buffering=1, encoding="utf-8")
        self._told = 0.0

    def send(self, kind: str, task: int, **data: Any) -> None:
        """A line: what happened to which task of the job."""
        self._file.write(json.dumps({"kind": kind, "task": task, **data}) + "\n")
        self._file.flush()

    def progress(self, task: int, done: int, total: int) -> None:
        """The same, as often as a person can read."""
        if (now := time.monotonic()) - self._told >= _PROGRESS_SECONDS:
            self._told = now
            self.send("progress", task, done=done, total=total)


def main(argv: list[str]) -> int:
    """Run a job; returns 0 also when tasks failed, since that is reported."""
    job = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    reports = Reports(int(argv[1]) if len(argv) > 1 else None)
    if len(argv) > 1:
        _end_with_parent(job["parent"])
    from partseg_bench.stages import STAGES  # takes seconds, which are no task's; the parent is watched already

    failed: set[str] = set()
    for i, task in enumerate(job["tasks"]):
        if task.get("needs") in failed:
            continue
        reports.send("begin", i)
        started = time.monotonic()
        failure = _run(STAGES, task, i, reports)
        seconds = time.monotonic() - started
        if failure is None:
            reports.send("done", i, seconds=seconds)
        else:
            failed.add(task["id"])
            reports.send("failed", i, seconds=seconds, **failure)
    return 0


def _run(stages: Any, task: dict[str, Any], i: int, reports: Reports) -> dict[str, str] | None:
    """What went wrong with a task: {"status", "error", "trace"}; None for nothing."""
    try:
        stages[task["stage"]](task, lambda done, total: reports.progress(i, done, total))
    except Exception as error:
        trace = "".join(traceback.format_exception(error)).splitlines()[-_TRACE_LINES:]
        status = MEMORY if _out_of_memory(error) else FAILED
        return {"status": status, "error": one_line(error), "trace": "\n".join(trace)}
    return None


def _out_of_memory(error: BaseException) -> bool:
    causes: list[BaseException | None] = [error, error.__cause__]
    return any(out_of_memory(one) for one in causes if one is not None)


def _end_with_parent(parent: int) -> None:
    """End this process when the runner is gone, however it ended: nobody takes what is made here."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # also while a kernel holds the interpreter

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
