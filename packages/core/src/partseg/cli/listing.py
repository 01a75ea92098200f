"""`partseg methods`, `partseg datasets`, `partseg protocols`: what is installed, broken plugins included."""

from __future__ import annotations

import argparse
import dataclasses
import json
import textwrap

from partseg.methods.registry import PUBLISHED, Entry, entries, find


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
        epilog=f"examples:\n  partseg {kind}s\n  partseg {kind}s --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help=f"show one {kind} in full")
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    arguments = parser.parse_args(argv)
    if arguments.name:
        spec = find(kind, arguments.name)
        print(json.dumps(dataclasses.asdict(spec), indent=2) if arguments.json else describe(spec))
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
        lines = [f"{entry.name:<{width}}  {entry.spec.summary if entry.spec else entry}" for entry in rows]
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
    return row | {"available": True, "spec": dataclasses.asdict(entry.spec)}


def _names(rows: list[Entry]) -> set[str]:
    return {entry.name for entry in rows}
