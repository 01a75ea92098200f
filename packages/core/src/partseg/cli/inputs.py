"""Inputs of commands that make a folder of results for each shape file: which there are, and one after another."""

from __future__ import annotations

import argparse
import glob
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from partseg.cli.arguments import not_negative
from partseg.cli.progress import progress
from partseg.errors import InputError, PartsegError

# Suffixes of shapes that mostly are something else: read when named, not when a folder is searched.
_AMBIGUOUS = (".txt", ".csv", ".npy", ".npz")


class Done(Protocol):
    """What became of an input."""

    warnings: tuple[str, ...]
    """What had to be mended or ignored, one line each."""


R = TypeVar("R", bound=Done)


def run_each(
    jobs: Sequence[tuple[Path, Path]], work: Callable[[Path, Path], R], doing: str, describe: Callable[[R], str]
) -> int:
    """Work on (input file, output folder) pairs one after another; a bad one is told and the rest go on.

    Args:
        jobs: from `plan`.
        work: what is done with a pair.
        doing: what the progress bar calls it.
        describe: what is printed of a result.

    Returns:
        The exit code: 1 when an input failed. What failed of several is listed at the end.
    """
    failed: list[tuple[Path, str]] = []
    with progress(len(jobs), doing) as advance:
        for source, folder in jobs:
            reason = ""
            try:
                result = work(source, folder)
            except PartsegError as error:
                reason = str(error).removeprefix(f"{source}: ")
            except MemoryError:
                reason = "not enough memory for this shape"
            except Exception as error:  # one input must not end the run; --debug is how its author finds the place
                if os.environ.get("PARTSEG_DEBUG"):
                    raise
                told = " ".join(str(error).split())
                reason = f"{type(error).__name__}: {told} (please report this; --debug shows where)"
            advance(source.name)
            if reason:
                failed.append((source, reason))
                print(f"{source}: FAILED: {reason}", file=sys.stderr if len(jobs) == 1 else sys.stdout, flush=True)
                continue
            for note in result.warnings:
                print(f"{source.name}: warning: {note.removeprefix(f'{source.name}: ')}", flush=True)
            print(f"{source.name}: {describe(result)}", flush=True)
    if failed and len(jobs) > 1:
        print(f"\n{len(jobs) - len(failed)} of {len(jobs)} done; {len(failed)} failed:", file=sys.stderr)
        for source, reason in failed:
            print(f"  {source}: {reason}", file=sys.stderr)
    return 1 if failed else 0


def add_arguments(parser: argparse.ArgumentParser, output: str) -> None:
    """What all such commands take: inputs, the output folder (by default `output`), device, seed, overwrite."""
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="shape files, folders of them, or patterns")
    parser.add_argument("-o", "--output", type=Path, default=Path(output), help=f"output folder (default: {output})")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, … (default: a GPU where there is one)")
    parser.add_argument("--seed", type=not_negative, default=0, help="for methods that sample (default: 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results")


def on_device(name: str) -> str:
    """The device that `--device` means: of "auto" a GPU where there is one."""
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


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
