"""Speed and memory against the obvious peers, as one Markdown table: `python benchmarks/perf [group ...]`.

Everything in the table is measured by this run. Exit status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable

import ap
import board
import class_agnostic
import clicks
import data
import datasets
import hierarchy
import mesh_metrics
import numba
import numpy
import partnet_index
import pool
import recursive
import segment
import sklearn
import torch
import ward
from table import Row, markdown

# group -> what it measures; in the order of the table
GROUPS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "ap": lambda o: [*ap.category(), *ap.compare()],  # first: it measures the peak memory of this process
    "ward": lambda o: [row for n in o.faces for row in ward.compare(n, o.repeats)],
    "million": lambda o: [ward.million()],
    "pool": lambda o: pool.compare(max(o.faces), o.repeats, max(o.faces) if o.full_peer else o.peer_faces),
    "procedural": lambda o: data.loader(o.shapes, o.repeats),
    "segment": lambda o: segment.command(
        sorted(segment.TARGETS)[: 2 if "million" in o.groups else 1], o.repeats, o.weights
    ),
    "datasets": lambda o: [*datasets.cached(min(o.shapes, 400), 3), *partnet_index.index(repeats=o.repeats)],
    "hierarchy": lambda o: hierarchy.measure(shapes=200, seed=0, repeats=15),
    "scores": lambda o: [*class_agnostic.compare(), *mesh_metrics.psb(), *mesh_metrics.s3dis()],
    "clicks": lambda o: clicks.compare(o.repeats),
    "board": lambda o: board.commands(o.repeats),
    "recursive": lambda o: recursive.measure(o.repeats),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/perf", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("groups", nargs="*", metavar="group", help=f"all by default: {', '.join(GROUPS)}")
    parser.add_argument("--faces", type=int, nargs="+", default=[20_000, 80_000], help="sizes of the Ward comparison")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side; medians are shown")
    parser.add_argument("--peer-faces", type=int, default=2000, help="faces the sampling peer is timed on, then scaled")
    parser.add_argument("--full-peer", action="store_true", help="time the sampling peer on all faces (minutes)")
    parser.add_argument("--shapes", type=int, default=1000, help="shapes read in each run of a loader")
    parser.add_argument("--weights", help="weights of the whole command (default: those that ship)")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    options.groups = options.groups or list(GROUPS)

    rows = [row for name in GROUPS if name in options.groups for row in GROUPS[name](options)]
    versions = ", ".join(f"{m.__name__} {m.__version__}" for m in (numpy, numba, torch, sklearn))
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(markdown(rows))
    print(
        f"\nPython {platform.python_version()}, {versions}; {os.cpu_count()} cores, {torch.get_num_threads()} torch ",
        end="",
    )
    print(f"threads{load} at the end. Medians of {options.repeats} runs (ours: three times as many for the Ward tree).")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
