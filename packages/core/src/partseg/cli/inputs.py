"""Inputs of commands that make a folder of results for each shape file: which there are, and one after another."""

from __future__ import annotations

import glob
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from partseg.errors import InputError, PartsegError

R = TypeVar("R")

# Suffixes of shapes that mostly are something else: read when named, not when a folder is searched.
_AMBIGUOUS = (".txt", ".csv", ".npy", ".npz")


@dataclass
class Summary(Generic[R]):
    """What became of a list of inputs: results, and (input, reason) for those that failed."""

    done: list[R] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)

    def close(self) -> int:
        """Name on stderr what has failed of several inputs; the exit code, 1 when an input failed."""
        total = len(self.done) + len(self.failed)
        if self.failed and total > 1:
            print(f"\n{len(self.done)} of {total} done; {len(self.failed)} failed:", file=sys.stderr)
            for source, reason in self.failed:
                print(f"  {source}: {reason}", file=sys.stderr)
        return 1 if self.failed else 0


def run_each(
    jobs: Sequence[tuple[Path, Path]],
    work: Callable[[Path, Path], R],
    report: Callable[[Path, R | None, str], None] = lambda source, result, reason: None,
) -> Summary[R]:
    """Work on (input file, output folder) pairs one after another; a bad one is noted and the rest go on.

    Args:
        jobs: from `plan`.
        work: what is done with a pair.
        report: called after each input with its result, or with None and the reason of the failure.
    """
    summary: Summary[R] = Summary()
    for source, folder in jobs:
        result, reason = None, ""
        try:
            result = work(source, folder)
            summary.done.append(result)
        except PartsegError as error:
            reason = str(error).removeprefix(f"{source}: ")
        except MemoryError:
            reason = "not enough memory for this shape"
        except Exception as error:  # one input must not end the run; --debug is how its author finds the place
            if os.environ.get("PARTSEG_DEBUG"):
                raise
            reason = f"{type(error).__name__}: {' '.join(str(error).split())} (please report this; --debug shows where)"
        if result is None:
            summary.failed.append((source, reason))
        report(source, result, reason)
    return summary


def plan(inputs: Sequence[str | Path], output: str | Path) -> list[tuple[Path, Path]]:
    """Which file goes into which folder: (input file, output folder) pairs, each folder once.

    Args:
        inputs: files, folders (searched for shape files at every depth, except for suffixes that mostly are something
            else, such as .txt, and for earlier results in `output`) and patterns that the shell did not expand.
        output: the folder that will hold one folder an input, named after the file; a second file of the same name gets
            "-2", and so on, in the order given.

    Raises:
        InputError: a folder or pattern holds no shape file. A file that does not exist is left to fail when it is read,
            so that the others are done.
    """
    files: dict[str, Path] = {}
    for item in inputs:
        for path in _expand(str(item), Path(output)):
            files.setdefault(os.path.realpath(path), path)  # unlike resolve(), bears a link that leads to itself
    taken: set[str] = set()
    jobs = []
    for path in files.values():
        stem = path.stem or path.name
        name, count = stem, 1
        while name.casefold() in taken:  # file systems that ignore case exist
            count += 1
            name = f"{stem}-{count}"
        taken.add(name.casefold())
        jobs.append((path, Path(output) / name))
    return jobs


def check_writable(output: Path) -> None:
    """Fail before any work is done when nothing could be written in the end."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        cause = f"cannot be written: {error.strerror or error}"
        raise InputError(output, cause, "choose another output folder with --output") from None


@contextmanager
def status(text: str) -> Iterator[None]:
    """A line on a terminal that says what takes time."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def progress(total: int, doing: str) -> Iterator[Callable[[str], None]]:
    """A progress bar on a terminal for more than one input; `advance(name)` after each."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda name: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda name: bar.update(task, advance=1, description=name)


def _expand(item: str, output: Path) -> Iterator[Path]:
    from partseg.geometry.io import SUFFIXES

    path = Path(item).expanduser()
    if path.is_dir():
        wanted = sorted(set(SUFFIXES) - set(_AMBIGUOUS))
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() in wanted and file.is_file())
        found = [file for file in found if not file.resolve().is_relative_to(output.resolve())]
        if not found:
            raise InputError(path, "holds no shape files", f"they end in {' '.join(wanted)}")
        yield from found
    elif not path.exists() and glob.has_magic(item):
        matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
        if not matches:
            raise InputError(item, "matches no file")
        yield from (match for match in matches if match.is_file())
    else:
        yield path
