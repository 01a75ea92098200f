"""`partseg bench claims`, and `python -m partseg_bench.claims`."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase

from partseg.cli.arguments import positive
from partseg.errors import UnknownNameError
from partseg_bench.claims.registry import Registered, load_claims
from partseg_bench.cli import DEFAULT_RUNS

DEFAULT_MINUTES = 3.0
"""What a claim may cost that is tested unless others are asked for."""


def main(argv: list[str]) -> int:
    """The command; returns 1 when a cell has failed. A claim that is not held is a finding, not a failure."""
    arguments = _parser().parse_args(argv)
    registered = load_claims(arguments.claims)
    shown = choose(registered, arguments.only)
    if arguments.list:
        from partseg_bench.claims.table import listing

        print(listing(shown), end="")
        return 0
    from partseg_bench.claims.outcomes import outcomes, run_claims
    from partseg_bench.claims.table import as_data, markdown
    from partseg_bench.results import Runs
    from partseg_bench.show import display

    every = arguments.all or bool(arguments.only)
    tested = [one for one in shown if every or one.claim.minutes <= DEFAULT_MINUTES]
    runs = Runs(arguments.runs)
    try:
        run_claims(
            tested, runs, workers=arguments.workers, force_failed=arguments.force_failed, show=display()
        )  # fmt: skip
    except KeyboardInterrupt:
        print("partseg bench: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    found = outcomes(shown, runs)
    print(json.dumps(as_data(found), indent=1, ensure_ascii=False) if arguments.json else markdown(found))
    if dear := [one for one in shown if one not in tested and not one.needs]:
        minutes = sum(one.claim.minutes for one in dear)
        print(f"not run: {len(dear)} claims of about {minutes:.0f} minutes in all; --all runs them", file=sys.stderr)
    return 1 if any(one.status == "failed" for one in found) else 0


def choose(registered: Sequence[Registered], only: Sequence[str]) -> list[Registered]:
    """The claims with these ids (`*` stands for anything), all without any.

    Raises:
        UnknownNameError: no claim has such an id.
    """
    names = [one.claim.id for one in registered]
    for pattern in only:
        if not any(fnmatchcase(name, pattern) for name in names):
            close = difflib.get_close_matches(pattern, names, 1)
            told = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
            raise UnknownNameError(f"no claim is called {pattern!r}; {told}")
    return [one for one in registered if not only or any(fnmatchcase(one.claim.id, pattern) for pattern in only)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="partseg bench claims",
        description="Test the orderings that papers' tables claim, on embedded data, and print the verdicts.",
    )
    parser.add_argument("claims", nargs="*", help="files of claims, or folders (default: benchmarks/claims)")
    parser.add_argument("--runs", default=DEFAULT_RUNS, help=f"folder of results (default: {DEFAULT_RUNS})")
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="just this claim, * for anything")
    parser.add_argument(
        "--all", action="store_true", help=f"also claims that take more than {DEFAULT_MINUTES:g} minutes each"
    )
    parser.add_argument("--list", action="store_true", help="list the claims, and run nothing")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a Markdown table")
    parser.add_argument("--workers", type=positive, help="cells at a time (default: one a GPU, or one a core up to 4)")
    parser.add_argument("--force-failed", action="store_true", help="compute those cells again that have failed")
    return parser
