"""`partseg segment`: parts of shapes, for files, folders and patterns."""

from __future__ import annotations

import argparse
import glob
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from partseg.cli.arguments import not_negative, positive
from partseg.errors import InputError, PartsegError, UnknownNameError
from partseg.methods.registry import PUBLISHED, list_methods, load_method

if TYPE_CHECKING:
    from partseg.methods.pipeline import Result

_EPILOG = """\
For each input a folder <output>/<name>/ with
  parts.glb    one named node a part, nested as the part tree, with the input's coordinates and materials
  labels.npy   one label a face (or point), in the order of the input file
  tree.json    the part tree
  parts.png    pictures of it

examples:
  partseg segment robot.glb                    parts/robot/, as many parts as the method thinks right
  partseg segment chair.obj --parts 8          eight parts
  partseg segment chair.obj --levels 3,8,20    three nested levels in one tree
  partseg segment scans/ -o out --parts 12     every shape in a folder
  partseg segment *.ply -o out --tree          keep the whole tree: any other number of parts later, at no cost
"""


@dataclass
class Summary:
    """What became of a list of inputs: results, and (input, reason) for those that failed."""

    done: list[Result] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)


def main(argv: list[str]) -> int:
    """The command; returns 0, or 1 when an input failed."""
    arguments = _parser().parse_intermixed_args(argv)  # inputs may stand on both sides of options
    # Threads that spin while they wait make a small network ten times slower where cores are shared; read by OpenMP
    # when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    jobs = plan(arguments.inputs, arguments.output)
    _check_writable(arguments.output)
    name = arguments.method or default_method()
    with _status(f"loading {name}"):
        method = _load(name, arguments.weights, arguments.device, arguments.seed)
    with _progress(len(jobs)) as advance:

        def report(source: Path, result: Result | None, reason: str) -> None:
            advance(source.name)
            if result is None:
                print(f"{source}: FAILED: {reason}", file=sys.stderr if len(jobs) == 1 else sys.stdout, flush=True)
                return
            for note in result.warnings:
                print(f"{source.name}: warning: {note.removeprefix(f'{source.name}: ')}", flush=True)
            parts = f"{result.parts} part" + "s" * (result.parts != 1)
            print(f"{source.name}: {parts}, {result.seconds:.1f} s, {result.folder}", flush=True)

        summary = segment_files(
            jobs,
            method,
            parts=arguments.parts,
            levels=arguments.levels,
            tree=arguments.tree,
            overwrite=arguments.overwrite,
            report=report,
        )
    if summary.failed and len(jobs) > 1:
        print(f"\n{len(summary.done)} of {len(jobs)} done; {len(summary.failed)} failed:", file=sys.stderr)
        for source, reason in summary.failed:
            print(f"  {source}: {reason}", file=sys.stderr)
    return 1 if summary.failed else 0


def segment_files(
    jobs: Sequence[tuple[Path, Path]],
    method: object,
    *,
    parts: int | None = None,
    levels: Sequence[int] = (),
    tree: bool = False,
    overwrite: bool = False,
    report: Callable[[Path, Result | None, str], None] = lambda source, result, reason: None,
) -> Summary:
    """Segment (input file, output folder) pairs one after another; a bad one is noted and the rest go on.

    Args:
        jobs: from `plan`.
        method: a `Segmenter`.
        parts, levels, tree, overwrite: see `partseg.methods.pipeline.segment_file`.
        report: called after each input with its result, or with None and the reason of the failure.
    """
    from partseg.methods.pipeline import segment_file

    summary = Summary()
    for source, folder in jobs:
        result, reason = None, ""
        try:
            result = segment_file(source, folder, method, parts=parts, levels=levels, tree=tree, overwrite=overwrite)
            summary.done.append(result)
        except PartsegError as error:
            reason = _without_path(str(error), source)
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


def default_method() -> str:
    """The method that `segment` uses when none is named: PartField where it is installed, else the first that can.

    Raises:
        UnknownNameError: no installed method segments.
    """
    able = [spec for spec in list_methods() if "segmenter" in spec.capabilities]
    if not able:
        raise UnknownNameError(f"no method is installed that segments; pip install {next(iter(PUBLISHED.values()))}")
    ready = [spec.name for spec in able if spec.default_weights or not spec.trainable]
    return next((name for name in PUBLISHED if name in ready), (ready or [able[0].name])[0])


def _load(name: str, weights: str | None, device: str, seed: int) -> object:
    from partseg.methods.capabilities import Segmenter

    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    method = load_method(name, weights, device=device, seed=seed)
    if not isinstance(method, Segmenter):
        raise PartsegError(f"method {name!r} does not segment shapes; see `partseg methods {name}`")
    return method


# Suffixes of shapes that mostly are something else: read when named, not when a folder is searched.
_AMBIGUOUS = (".txt", ".csv", ".npy", ".npz")


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


def _check_writable(output: Path) -> None:
    """Fail before any work is done when nothing could be written in the end."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        cause = f"cannot be written: {error.strerror or error}"
        raise InputError(output, cause, "choose another output folder with --output") from None


def _without_path(text: str, source: Path) -> str:
    return text.removeprefix(f"{source}: ")


@contextmanager
def _status(text: str) -> Iterator[None]:
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on a terminal for more than one input; `advance(name)` after each."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda name: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("segmenting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda name: bar.update(task, advance=1, description=name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="partseg segment",
        description="Segment meshes, point clouds and Gaussian splats into parts.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="shape files, folders of them, or patterns")
    parser.add_argument("-o", "--output", type=Path, default=Path("parts"), help="output folder (default: parts)")
    count = parser.add_mutually_exclusive_group()
    count.add_argument("--parts", type=_parts, default=None, metavar="N|auto", help="number of parts (default: auto)")
    count.add_argument("--levels", type=_levels, default=(), metavar="3,8,20", help="nested levels, by number of parts")
    parser.add_argument("--tree", action="store_true", help="also write segmentation.npz with the whole merge tree")
    parser.add_argument("--method", help="an installed method, or module:object (default: partfield where installed)")
    parser.add_argument("--weights", help="shipped name, folder, .ckpt file or hub id (default: those that ship)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, … (default: a GPU where there is one)")
    parser.add_argument("--seed", type=not_negative, default=0, help="for methods that sample (default: 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results")
    return parser


def _parts(text: str) -> int | None:
    return None if text == "auto" else positive(text)


def _levels(text: str) -> tuple[int, ...]:
    return tuple(sorted({positive(item) for item in text.split(",")}))
