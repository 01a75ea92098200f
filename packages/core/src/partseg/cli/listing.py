"""`partseg methods`, `partseg datasets`, `partseg protocols`: what is installed, broken plugins included.

For datasets also whether their files are found; nothing of them is read, and nothing heavy is imported to list.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap

from partseg.cli.data_names import class_name, find_dataset, is_found, root_of
from partseg.errors import PartsegError
from partseg.methods.registry import PUBLISHED, Entry, entries, find
from partseg.spec import DatasetSpec

_EXAMPLES = {
    "method": "examples:\n  partseg methods\n  partseg methods partfield\n  partseg methods --json",
    "dataset": """\
examples:
  partseg datasets                        what there is, and whether its files are found
  partseg datasets partnet                how to obtain it, the options of its reader, what to do with it
  PARTSEG_DATA=D partseg datasets         look for the files in D/<name> instead of ./<name>
  partseg datasets --json                 for other programs""",
    "protocol": "examples:\n  partseg protocols\n  partseg protocols --json",
}


def methods(argv: list[str]) -> int:
    """`partseg methods [name] [--json]`."""
    return _listing("method", argv)


def datasets(argv: list[str]) -> int:
    """`partseg datasets [name] [--json]`."""
    return _listing("dataset", argv)


def protocols(argv: list[str]) -> int:
    """`partseg protocols [name] [--json]`."""
    return _listing("protocol", argv)


def _listing(kind: str, argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog=f"partseg {kind}s",
        description=f"List the installed {kind}s, or show everything about one.",
        epilog=_EXAMPLES[kind],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help=f"show one {kind} in full")
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    arguments = parser.parse_args(argv)
    if arguments.name:
        spec = find_dataset(arguments.name) if kind == "dataset" else find(kind, arguments.name)
        told = describe_dataset if kind == "dataset" else describe
        print(json.dumps(dataclasses.asdict(spec) | _place(spec), indent=2) if arguments.json else told(spec))
        return 0
    rows = entries(kind)
    if arguments.json:
        print(json.dumps([_row(entry) for entry in rows], indent=2))
        return 0
    print(table(kind, rows))
    return 0


def table(kind: str, rows: list[Entry]) -> str:
    """The listing as aligned text, one plugin a line, and below it what else could be installed."""
    lines = []
    if rows:
        width = max(len(entry.name) for entry in rows)
        lines = [line for entry in rows for line in _lines(entry, width)]
        lines += [f"{'':<{width}}  mend {entry.name}: {entry.mend}" for entry in rows if entry.mend]
    else:
        lines = [f"no {kind}s are installed"]
    if kind == "method":
        absent = {package: [] for name, package in PUBLISHED.items() if name not in _names(rows)}
        for name, package in PUBLISHED.items():
            if package in absent:
                absent[package].append(name)
        lines += [f"pip install {package} brings {', '.join(names)}" for package, names in absent.items()]
    return "\n".join(lines)


def describe_dataset(spec: DatasetSpec) -> str:
    """One dataset as readable text: its spec, where its files are looked for, the options of its reader, what to do."""
    lines = [describe(spec)]
    if spec.reader is None:
        return lines[0]
    from partseg.cli.data_readers import describe_options

    lines.append(f"{'files:':<17}{_found(spec)} (--root D, or D/{spec.name} with PARTSEG_DATA=D, names another folder)")
    try:
        options = describe_options(spec)
    except PartsegError as error:  # everything else about it can still be said
        options = [str(error)]
    for i, option in enumerate(options):
        wrapped = textwrap.wrap(option, 103, subsequent_indent="    ")
        lines += [f"{'' if i or j else 'options:':<17}{line}" for j, line in enumerate(wrapped)]
    commands = (
        f"partseg data check {spec.name} --root D",
        f"partseg data preview {spec.name} --root D",
        f"partseg data prepare {spec.name} --root D --cache C",
        f"partseg fit --config <config> --data {class_name(spec)} --data.root D --data.cache C",
    )
    lines += [f"{'' if i else 'use it:':<17}{command}" for i, command in enumerate(commands)]
    return "\n".join(lines)


def describe(spec: object) -> str:
    """One spec as readable text: every field that says something."""
    lines = []
    for field in dataclasses.fields(spec):  # type: ignore[arg-type]
        value = getattr(spec, field.name)
        if value in (None, "", (), {}):
            continue
        lines += _field(field.name.replace("_", " "), value)
    return "\n".join(lines)


def _field(label: str, value: object) -> list[str]:
    head = f"{label + ':':<17}"
    if dataclasses.is_dataclass(value) and hasattr(value, "title"):
        below = [*textwrap.wrap(", ".join(value.authors), 100), f"{value.venue} {value.year}, {value.url}"]
        return [head + value.title, *(" " * 17 + line for line in below)]
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        rows = [f"{r.dataset}: {r.metric} {r.value:g} {r.unit} ({r.where})" for r in value]
        return [head + rows[0], *(" " * 17 + row for row in rows[1:])]
    if isinstance(value, tuple):
        return [head + ", ".join(str(item) for item in value)]
    if hasattr(value, "items"):
        return [head + ", ".join(f"{k}" if ":" in str(v) else f"{k}: {v}" for k, v in value.items())]
    return [head + str(value)]


def _row(entry: Entry) -> dict:
    row = {"name": entry.name, "distribution": entry.distribution, "version": entry.version}
    if entry.spec is None:
        return row | {"available": False, "error": entry.error, "mend": entry.mend}
    return row | {"available": True, "spec": dataclasses.asdict(entry.spec)} | _place(entry.spec)


def _lines(entry: Entry, width: int) -> list[str]:
    """A line for each plugin; for a dataset a second one: levels, licence, whether its files are found."""
    if entry.spec is None:
        return [f"{entry.name:<{width}}  {entry}"]
    lines = [f"{entry.name:<{width}}  {entry.spec.summary}"]
    if isinstance(entry.spec, DatasetSpec):
        levels = f"levels {', '.join(entry.spec.levels)}" if entry.spec.levels else "levels vary"
        about = "; ".join((levels, f"licence {entry.spec.license.removeprefix('LicenseRef-')}", _found(entry.spec)))
        lines.append(f"{'':<{width}}  {about}")
    return lines


def _found(spec: DatasetSpec) -> str:
    if spec.embedded:
        return "embedded"
    return f"{'found' if is_found(spec) else 'not found'} at {root_of(spec)}"


def _place(spec: object) -> dict:
    if not isinstance(spec, DatasetSpec):
        return {}
    return {"found": is_found(spec), "root": None if spec.embedded else str(root_of(spec))}


def _names(rows: list[Entry]) -> set[str]:
    return {entry.name for entry in rows}
