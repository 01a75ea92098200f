"""Running a board: which stages are left, in which order, and what becomes of the cells."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from partseg.errors import InputError, PartsegError
from partseg.files import unwritable, write_text
from partseg_bench.board import Board
from partseg_bench.cells import Cell, Plan, Training, by_predictions, plan
from partseg_bench.facts import Facts
from partseg_bench.launch import Event, Job, Launcher, LocalLauncher, usable_cores, visible_gpus
from partseg_bench.results import OK, Runs, environment, failed_result, failure_record, read_failure
from partseg_bench.show import Display, Silent
from partseg_bench.sources import canonical

_WAIT_SECONDS = 0.1  # between two looks at what runs
_LOCK_SECONDS = 20.0  # that the workers of a killed run may take to end


@dataclass(frozen=True)
class Standing:
    """Where a board stands.

    Attributes:
        plan: its cells.
        results: key -> result, of the cells that have one.
    """

    plan: Plan
    results: dict[str, dict[str, Any]]

    @property
    def left(self) -> tuple[Cell, ...]:
        """The cells without a result."""
        return tuple(cell for cell in self.plan.cells if cell.key not in self.results)

    @property
    def failed(self) -> tuple[Cell, ...]:
        """The cells whose result is that they failed, ran out of time or of memory."""
        return tuple(cell for cell in self.plan.cells if self.status(cell) not in (OK, "left"))

    def status(self, cell: Cell) -> str:
        """ "ok", "failed", "timeout", "memory" or "left"."""
        return self.results[cell.key]["status"] if cell.key in self.results else "left"

    def counts(self) -> Counter[str]:
        """Status -> number of cells."""
        return Counter(map(self.status, self.plan.cells))

    def rows(self) -> list[dict[str, Any]]:
        """The results in the order of the board, each with the label that the board gives its method now."""
        found = [(cell, self.results[cell.key]) for cell in self.plan.cells if cell.key in self.results]
        return [result | {"cell": cell.about} for cell, result in found]


def standing(board: Board, runs: Runs, only: tuple[str, ...] = ()) -> Standing:
    """Where a board stands, from its keys and the results on disk.

    Raises:
        PartsegError: see `partseg_bench.cells.plan`; a damaged result.
    """
    made = plan(board, Facts(runs.facts), only)
    found = {cell.key: runs.read(cell.key) for cell in made.cells}
    return Standing(made, {key: result for key, result in found.items() if result is not None})


def run_board(
    board: Board,
    runs: Runs,
    *,
    workers: int | None = None,
    only: tuple[str, ...] = (),
    force_failed: bool = False,
    show: Display | None = None,
) -> Standing:
    """Compute all cells of a board that have no result yet, on this machine.

    Args:
        workers: cells at a time; None for one a GPU, or one a core (4 at most).
        only: just these cells, see `partseg_bench.cells.plan`.
        force_failed: also those again whose result is that they failed.
        show: is told what happens.

    Raises:
        PartsegError: a bad board, or another run uses the folder.
    """
    gpus = visible_gpus() if board.device != "cpu" else ()
    if board.device == "cuda" and not gpus:
        raise PartsegError("the board wants device cuda, and there is none; write 'device: auto' or 'cpu'")
    workers = workers or len(gpus) or min(len(usable_cores()), 4)
    memory = board.limits.memory_gb
    with _alone(runs.root) as lock:
        jobs = runs.root / "jobs"
        shutil.rmtree(jobs, ignore_errors=True)
        before = standing(board, runs, only)
        if force_failed:
            _forget_failures(runs, before.failed)
            before = standing(board, runs, only)
        launcher = LocalLauncher(workers, jobs, None if memory is None else memory * 1024, gpus, (lock,))
        made = environment(len(launcher.cores[0]), len(gpus), memory)
        device = "cuda" if gpus else "cpu"
        try:
            _Run(board, before, runs, launcher, made, device, show or Silent()).run()
        finally:
            launcher.stop()
            shutil.rmtree(jobs, ignore_errors=True)
        return standing(board, runs, only)


class _Run:
    def __init__(
        self,
        board: Board,
        before: Standing,
        runs: Runs,
        launcher: Launcher,
        made: dict[str, Any],
        device: str,
        show: Display,
    ) -> None:
        self.board, self.runs, self.launcher, self.device, self.show = board, runs, launcher, device, show
        self.environment = made
        self.left: dict[str, Cell] = {cell.key: cell for cell in before.left}
        self.before = before
        self.running: set[str] = set()  # keys of trainings and predictions that a job is at
        self.jobs = 0

    def run(self) -> None:
        """Until nothing is left."""
        self.show.begin(self.before.counts())
        try:
            for cell in list(self.left.values()):
                if cell.trouble:
                    self._give_up([cell], {"status": "failed", "error": cell.trouble})
            while self.left:
                while self.launcher.free() and (job := self._next()) is not None:
                    self.launcher.start(job)
                    self.jobs += 1
                    self.show.started(job)
                events = self.launcher.poll()
                for event in events:
                    self._take(event)
                if not events and self.left:
                    if not self.jobs:
                        raise RuntimeError(f"{len(self.left)} cells are left and none can be started")
                    time.sleep(_WAIT_SECONDS)
        finally:
            self.show.end()

    def _next(self) -> Job | None:
        """What to start now: what is predicted already is scored first, then come trainings, which take longest."""
        waiting: Job | None = None
        for key, cells in by_predictions(list(self.left.values())):
            training, folder = cells[0].training, self.runs.predictions(key)
            if key in self.running:
                continue
            if failure := read_failure(folder):
                self._give_up(cells, failure)
            elif folder.is_dir():
                return self._start(key, cells[0].title, [self._score(cell) for cell in cells])
            elif training is None or self.runs.weights(training.key).is_dir():
                predict = self._predict(cells[0])
                scores = [self._score(cell) | {"needs": predict["id"]} for cell in cells]
                waiting = waiting or Job(_without_protocol(cells[0]), (predict, *scores))
            elif failure := read_failure(self.runs.weights(training.key)):
                self._give_up(cells, failure)
            elif training.key not in self.running:
                title = f"{cells[0].about['label']} training"
                return self._start(training.key, title, [self._train(training)])
        if waiting is not None:
            self.running.add(waiting.tasks[0]["predictions"])
        return waiting

    def _start(self, key: str, name: str, tasks: list[dict[str, Any]]) -> Job:
        self.running.add(key)
        return Job(name, tuple(tasks))

    def _take(self, event: Event) -> None:
        """What an event means for the cells."""
        if event.task is None:
            self.jobs -= 1
            self.running -= {_artefact(task) for task in event.job.tasks}
        elif event.kind == "done" and event.task["stage"] == "score":
            self.show.result(self.left.pop(event.task["key"]), OK, "")
        elif event.kind == "failed":
            self._failed(event.task, event.data)
        self.show.event(event)

    def _failed(self, task: dict[str, Any], failure: dict[str, Any]) -> None:
        cells = list(self.left.values())
        if task["stage"] == "score":
            return self._give_up([cell for cell in cells if cell.key == task["key"]], failure)
        if task["stage"] == "train":
            folder = self.runs.weights(task["key"])
            cells = [cell for cell in cells if cell.training is not None and cell.training.key == task["key"]]
        else:
            folder = self.runs.predictions(task["predictions"])
            cells = [cell for cell in cells if cell.predictions == task["predictions"]]
        write_text(failure_record(folder), canonical(failure))
        self._give_up(cells, failure)

    def _give_up(self, cells: list[Cell], failure: dict[str, Any]) -> None:
        for cell in cells:
            self.runs.write(failed_result(cell, failure, self.environment))
            del self.left[cell.key]
            self.show.result(cell, failure["status"], failure["error"])

    def _train(self, training: Training) -> dict[str, Any]:
        return self._task("train", training.key) | training.task | {"key": training.key, "device": self.device}

    def _predict(self, cell: Cell) -> dict[str, Any]:
        task = self._task("predict", cell.predictions) | cell.predict
        return task | {"predictions": cell.predictions, "config": cell.about["config"], "device": self.device}

    def _score(self, cell: Cell) -> dict[str, Any]:
        return self._task("score", cell.key) | {
            "key": cell.key,
            "predictions": cell.predictions,
            "trained": cell.predict["trained"],
            "about": cell.about,
            "published": list(cell.published),
            "dataset": cell.predict["dataset"],
            "protocol": cell.predict["protocol"],
            "environment": self.environment,
        }

    def _task(self, stage: str, key: str) -> dict[str, Any]:
        limit = self.board.limits.of(stage)
        return {"id": f"{stage}:{key}", "stage": stage, "seconds": limit, "runs": str(self.runs.root.resolve())}


def _artefact(task: dict[str, Any]) -> str:
    return task["key"] if task["stage"] == "train" else task["predictions"]


def _without_protocol(cell: Cell) -> str:
    return cell.title.replace(f" · {cell.about['protocol']}", "")


def _forget_failures(runs: Runs, cells: tuple[Cell, ...]) -> None:
    """Remove what says that these cells failed. What a training had reached stays, and is gone on from."""
    for cell in cells:
        folders = [runs.predictions(cell.predictions)]
        folders += [runs.weights(cell.training.key)] if cell.training is not None else []
        for folder in folders:
            failure_record(folder).unlink(missing_ok=True)
        runs.forget(cell.key)


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """Keep other runs off a folder; yields the descriptor of the lock, which workers hold as well.

    Raises:
        InputError: another run uses it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / ".lock", "w")  # noqa: SIM115
    except OSError as error:
        raise unwritable(folder, error) from None
    with file:
        until = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > until:
                    raise InputError(folder, "is used by another run", "wait for it, or choose --runs") from None
                time.sleep(_WAIT_SECONDS)
        yield file.fileno()
