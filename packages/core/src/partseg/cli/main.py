"""The program `partseg`: finds the command, runs it, and turns errors into one line."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import traceback

from partseg import __version__
from partseg.errors import PartsegError
from partseg.methods.registry import BUILT_IN, Entry, entries

_DESCRIPTION = "Segment 3D shapes into parts: meshes, point clouds and Gaussian splats."
_EPILOG = """\
examples:
  partseg segment robot.glb                       parts of one shape, into ./parts/robot/
  partseg segment *.obj -o out/ --parts 8         the same for many
  partseg methods                                 what is installed
  partseg fit --config partfield/tiny             train on the embedded data

`partseg <command> --help` says more. --debug, anywhere, shows the full traceback of an error.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: arguments without the program's name; None for those of the process.

    Returns:
        The exit code: 0 done, 1 failed (or failed for some inputs), 2 wrong usage, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    if debug:  # for code that catches errors on the way, one input of many for example
        os.environ["PARTSEG_DEBUG"] = "1"
    arguments = [argument for argument in arguments if argument != "--debug"]
    if hasattr(sys.stdout, "reconfigure"):  # a file name that the terminal cannot show is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _dispatch(arguments)
    except PartsegError as error:
        if debug:
            traceback.print_exc()
        print(f"partseg: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        if debug:
            traceback.print_exc()
        print("partseg: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(arguments: list[str]) -> int:
    own = [spec.name for spec in BUILT_IN["command"]]  # in the order of use, plugins after them
    rows = sorted(entries("command"), key=lambda row: own.index(row.name) if row.name in own else len(own))
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_parser(rows).format_help(), end="")
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"partseg {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    row = next((row for row in rows if row.name == name), None)
    if row is None:
        return _unknown(name, rows)
    if row.spec is None:
        raise PartsegError(f"command {name!r} is {row}; {row.mend}")
    try:
        run = row.spec.load()
    except ImportError as error:
        raise PartsegError(f"command {name!r} cannot be loaded: {error}; try `partseg doctor`") from error
    return int(run(rest) or 0)


def _parser(rows: list[Entry]) -> argparse.ArgumentParser:
    """A parser only for its help: each command parses its own arguments, so that none is imported to list them."""
    parser = argparse.ArgumentParser(
        prog="partseg",
        usage="partseg <command> [arguments] [--debug]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="store_true", help="show the version")
    parser.add_argument("--debug", action="store_true", help="show the full traceback of an error")
    group = parser.add_argument_group("commands")
    for row in rows:
        group.add_argument(row.name, nargs="?", help=(row.spec.summary if row.spec else str(row)).replace("%", "%%"))
    return parser


def _unknown(name: str, rows: list[Entry]) -> int:
    names = [row.name for row in rows]
    close = difflib.get_close_matches(name, names, 1, 0.6)
    hint = f"; did you mean {close[0]!r}?" if close else f"; commands: {', '.join(names)}"
    print(f"partseg: unknown command {name!r}{hint}", file=sys.stderr)
    return 2
