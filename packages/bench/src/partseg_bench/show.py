"""What a person sees while a board runs."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Protocol, runtime_checkable

from partseg_bench.cells import Cell
from partseg_bench.launch import Event, Job
from partseg_bench.results import OK


@runtime_checkable
class Display(Protocol):
    """Is told what happens in a run."""

    def begin(self, counts: Counter[str]) -> None:
        """The run begins; how many cells are in which state."""
        ...

    def started(self, job: Job) -> None:
        """A job was started."""
        ...

    def event(self, event: Event) -> None:
        """Something happened in a job."""
        ...

    def result(self, cell: Cell, status: str, error: str) -> None:
        """A cell has its result."""
        ...

    def end(self) -> None:
        """The run has ended."""
        ...


class Silent:
    """Shows nothing."""

    def begin(self, counts: Counter[str]) -> None: ...

    def started(self, job: Job) -> None: ...

    def event(self, event: Event) -> None: ...

    def result(self, cell: Cell, status: str, error: str) -> None: ...

    def end(self) -> None: ...


class Lines(Silent):
    """A line for each cell, on stderr, for logs."""

    def begin(self, counts: Counter[str]) -> None:
        self.done, self.total = counts.total() - counts["left"], counts.total()
        _print(f"{self.total} cells, {counts['left']} left")

    def result(self, cell: Cell, status: str, error: str) -> None:
        self.done += 1
        _print(f"[{self.done}/{self.total}] {cell.title}: {status}" + (f": {error}" if error else ""))


class Bars(Silent):
    """A bar for the board and one for each running stage, on a terminal; failures stay as lines above."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(24),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
        )
        self.bars = Progress(*columns, console=Console(stderr=True), transient=True)
        self.rows: dict[int, int] = {}  # of jobs

    def begin(self, counts: Counter[str]) -> None:
        self.counts = counts.copy()
        self.board = self.bars.add_task("cells", total=counts.total(), told="")
        self.bars.start()
        self._update()

    def started(self, job: Job) -> None:
        self.rows[id(job)] = self.bars.add_task(_plain(job.name), total=None, told="starting")

    def event(self, event: Event) -> None:
        row = self.rows[id(event.job)]
        if event.task is None:
            self.bars.remove_task(self.rows.pop(id(event.job)))
        elif event.kind == "begin":
            self.bars.reset(row, total=None, told=_stage(event))
        elif event.kind == "progress":
            done, total = event.data["done"], event.data["total"]
            told = f"{_stage(event)} {done}/{total}" if total else f"{_stage(event)} {done}"
            self.bars.update(row, completed=done, total=total or None, told=told)

    def result(self, cell: Cell, status: str, error: str) -> None:
        self.counts[status] += 1
        self.counts["left"] -= 1
        if status != OK:
            self.bars.console.print(f"{cell.title}: {status}: {error}", markup=False, highlight=False)
        self._update()

    def end(self) -> None:
        self.bars.stop()

    def _update(self) -> None:
        done, left = self.counts[OK], self.counts["left"]
        failed = self.counts.total() - done - left
        self.bars.update(self.board, completed=done + failed, told=f"{done} done, {failed} failed, {left} left")


def display() -> Display:
    """Bars on a terminal, lines elsewhere."""
    return Bars() if sys.stderr.isatty() else Lines()


def _stage(event: Event) -> str:
    assert event.task is not None
    about = event.task.get("about")
    return f"{event.task['stage']} {about['protocol']}" if about else str(event.task["stage"])


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
