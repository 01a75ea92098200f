"""`partseg bench`: run a board, show its status, write its report."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from partseg.cli.arguments import positive
from partseg.cli.verbs import run_verb
from partseg.errors import PartsegError

DEFAULT_RUNS = "bench_runs"

_HELP = """\
usage: partseg bench <verb> [board.yaml] [arguments]

Score methods on datasets by named protocols. Without a board file, the embedded board: every installed method on the
embedded shapes.

verbs:
  run      compute the cells that have no result yet; stop it at any time, the next run goes on
  status   which cells are done, failed and left
  report   tables of the results as Markdown and CSV, and as one HTML page
  claims   test the orderings that papers' tables claim, and print the verdicts

examples:
  partseg bench run                                    the embedded board
  partseg bench run board.yaml --workers 2             two cells at a time
  partseg bench run board.yaml --only method=partfield --only seed=0
  partseg bench run board.yaml --force-failed          those that failed, again
  partseg bench status board.yaml
  partseg bench report board.yaml --html

A board file says which methods, datasets, protocols and seeds (docs/benchmark.md).
`partseg bench <verb> --help` says more.
"""
_VERBS = {
    "run": "partseg_bench.cli:run_command",
    "status": "partseg_bench.cli:status_command",
    "report": "partseg_bench.cli:report_command",
    "claims": "partseg_bench.claims.cli:main",
}


def main(argv: list[str]) -> int:
    """The command."""
    return run_verb("partseg bench", _HELP, _VERBS, argv)


def run_command(argv: list[str]) -> int:
    """`partseg bench run`; returns 1 when a cell has failed."""
    parser = _parser("run", "Compute the cells of a board that have no result yet.")
    parser.add_argument("--workers", type=positive, help="cells at a time (default: one a GPU, or one a core up to 4)")
    parser.add_argument("--force-failed", action="store_true", help="compute those again that have failed")
    arguments = parser.parse_args(argv)
    from partseg_bench.board import load_board
    from partseg_bench.results import Runs
    from partseg_bench.runner import run_board
    from partseg_bench.show import display

    board = load_board(arguments.board)
    try:
        after = run_board(
            board,
            Runs(arguments.runs),
            workers=arguments.workers,
            only=tuple(arguments.only),
            force_failed=arguments.force_failed,
            show=display(),
        )
    except KeyboardInterrupt:
        print("partseg bench: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    counts = after.counts()
    failed = len(after.failed)
    print(f"{board.name}: {_told(counts)}; results in {arguments.runs}")
    if failed:
        print("`partseg bench status` lists what failed; `--force-failed` computes it again")
    return 1 if failed else 0


def status_command(argv: list[str]) -> int:
    """`partseg bench status`."""
    parser = _parser("status", "Which cells of a board are done, failed and left.")
    parser.add_argument("--skipped", action="store_true", help="also list the combinations that make no sense")
    arguments = parser.parse_args(argv)
    from partseg_bench.board import load_board
    from partseg_bench.results import Runs
    from partseg_bench.runner import standing

    board = load_board(arguments.board)
    found = standing(board, Runs(arguments.runs), tuple(arguments.only))
    by_method: dict[str, Counter[str]] = {}
    for cell in found.plan.cells:
        by_method.setdefault(cell.about["label"], Counter())[found.status(cell)] += 1
    width = max(map(len, by_method), default=0)
    for label, counts in by_method.items():
        print(f"{label:<{width}}  {_told(counts)}")
    print(f"{board.name}: {_told(found.counts())}" + f"; {len(found.plan.skipped)} skipped" * bool(found.plan.skipped))
    for cell in found.failed:
        result = found.results[cell.key]
        print(f"{result['status']:<8} {cell.title}: {result['error']}")
    if arguments.skipped:
        for name, why in found.plan.skipped:
            print(f"skipped  {name}: {why}")
    return 0


def report_command(argv: list[str]) -> int:
    """`partseg bench report`."""
    parser = _parser("report", "Tables of the results of a board as Markdown and CSV, and as one HTML page.")
    parser.add_argument("-o", "--output", help="folder to write to (default: report, in the folder of results)")
    parser.add_argument("--html", action="store_true", help="also the HTML page, with curves and pictures")
    arguments = parser.parse_args(argv)
    from pathlib import Path

    from partseg_bench import report
    from partseg_bench.board import load_board
    from partseg_bench.results import Runs
    from partseg_bench.runner import standing

    found = standing(load_board(arguments.board), Runs(arguments.runs), tuple(arguments.only))
    rows = found.rows()
    if not rows:
        raise PartsegError(f"no cell of the board has a result in {arguments.runs}; start with `partseg bench run`")
    output = Path(arguments.output or Path(arguments.runs) / "report")
    report.write(rows, output, html=arguments.html, runs=Path(arguments.runs))
    print(f"{len(rows)} of {len(found.plan.cells)} cells; report in {output}")
    return 0


def _parser(verb: str, about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"partseg bench {verb}", description=about)
    parser.add_argument("board", nargs="?", help="board file (default: the embedded board)")
    parser.add_argument(
        "--runs", default=DEFAULT_RUNS, help=f"folder of results and artefacts (default: {DEFAULT_RUNS})"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="KIND=NAME",
        help="just these cells: method=…, dataset=…, protocol=… or seed=…, * for anything; may be repeated",
    )  # fmt: skip
    return parser


def _told(counts: Counter[str]) -> str:
    done, left = counts["ok"], counts["left"]
    bad = [f"{number} {status}" for status, number in sorted(counts.items()) if status not in ("ok", "left") and number]
    return ", ".join([f"{done} done", *bad, f"{left} left"])
