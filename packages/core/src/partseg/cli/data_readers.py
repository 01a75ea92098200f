"""Readers on the command line: their options are made from their signatures and docstrings."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonargparse

from partseg.cli.data_names import find_dataset, root_of
from partseg.errors import InputError, PartsegError
from partseg.spec import DatasetSpec, SpecError

if TYPE_CHECKING:
    from partseg.data.formats.base import Reader

# Options of the verbs. A reader's option of the same name is written `--reader.<name>`, for every verb alike.
OWN = (
    "cache", "columns", "count", "help", "json", "level", "normalize", "output", "points", "root", "skip_damaged", "up",
    "workers",
)  # fmt: skip


class _Formatter(argparse.RawDescriptionHelpFormatter, jsonargparse.DefaultHelpFormatter):
    """Types and defaults of options, and examples as they are written."""


def reader_class(spec: DatasetSpec) -> type[Reader]:
    """The class that reads a dataset.

    Raises:
        InputError: it is embedded.
        PartsegError: the class cannot be imported.
    """
    if spec.reader is None:
        raise InputError(spec.name, "is embedded: there are no files to read", f"partseg datasets {spec.name}")
    try:
        return spec.load_reader()
    except (ImportError, SpecError) as error:
        cause = " ".join(str(error).split())
        raise PartsegError(f"the reader of {spec.name!r} cannot be imported: {cause}; try `partseg doctor`") from error


def open_reader(dataset: str, root: str | Path | None = None, options: Mapping[str, Any] | None = None) -> Reader:
    """The reader of a dataset.

    Args:
        dataset: its name or that of its class, in any case.
        root: its folder; None for the one where it is looked for (``$PARTSEG_DATA/<name>`` or ``./<name>``).
        options: arguments of the reader's class, such as a category.

    Raises:
        PartsegError: no such dataset, an embedded one, or one that cannot be imported.
    """
    spec = find_dataset(dataset)
    cls = reader_class(spec)
    known = _options(cls)
    if unknown := sorted(set(options or {}) - set(known)):
        raise PartsegError(f"{spec.name} has no option {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    return cls(root_of(spec) if root is None else root, **(options or {}))


def reader_parser(verb: str, spec: DatasetSpec, about: str, examples: str) -> jsonargparse.ArgumentParser:
    """A parser of `partseg data <verb> <dataset>` with `--root` and the options of the dataset's reader.

    Args:
        examples: text in which {name} stands for the dataset's name.
    """
    cls = reader_class(spec)
    parser = jsonargparse.ArgumentParser(
        prog=f"partseg data {verb} {spec.name}",
        description=f"{about}\n\n{spec.name}: {spec.summary}",
        epilog="examples:\n" + examples.format(name=spec.name).rstrip("\n"),
        formatter_class=_Formatter,
    )
    shown = f"the folder that holds it; when not given, {spec.name} in $PARTSEG_DATA or here"
    parser.add_argument("--root", type=str, default=str(root_of(spec)), help=shown)
    names = _options(cls)
    parser.add_class_arguments(cls, skip={"root", *OWN} & {"root", *names})
    if clash := [name for name in names if name in OWN]:
        parser.add_class_arguments(cls, "reader", skip={"root", *names} - set(clash))
    return parser


def chosen_reader(spec: DatasetSpec, arguments: jsonargparse.Namespace) -> Reader:
    """The reader that the parsed arguments of `reader_parser` ask for."""
    cls = reader_class(spec)
    options = {name: arguments[f"reader.{name}" if name in OWN else name] for name in _options(cls)}
    return cls(arguments["root"], **options)


def describe_options(spec: DatasetSpec) -> list[str]:
    """The reader's options as text: `--name  what it does (type, default)`, a line each."""
    from docstring_parser import parse

    cls = reader_class(spec)
    told = {entry.arg_name: " ".join((entry.description or "").split()) for entry in parse(cls.__doc__ or "").params}
    lines = []
    for name, parameter in _options(cls).items():
        flag = f"--reader.{name}" if name in OWN else f"--{name}"
        kind = parameter.annotation if isinstance(parameter.annotation, str) else str(parameter.annotation)
        lines.append(f"{flag}: {told.get(name, '')} ({kind}, default {parameter.default})")
    return lines


def dataset_of(verb: str, argv: list[str]) -> tuple[DatasetSpec, list[str]] | int:
    """The dataset that stands first among a verb's arguments, and the rest; or the exit code when none does."""
    if argv and not argv[0].startswith("-"):
        return find_dataset(argv[0]), argv[1:]
    usage = f"usage: partseg data {verb} <dataset> [--root D] [options]"
    if argv and argv[0] in ("-h", "--help"):
        print(
            f"{usage}\n\n`partseg datasets` lists the datasets; `partseg data {verb} <dataset> --help` says more, e.g."
        )
        print(f"  partseg data {verb} psb --help")
        return 0
    print(f"{usage}\npartseg data {verb}: name the dataset first; `partseg datasets` lists them", file=sys.stderr)
    return 2


def _options(cls: type) -> dict[str, inspect.Parameter]:
    return {name: one for name, one in inspect.signature(cls).parameters.items() if name != "root"}
