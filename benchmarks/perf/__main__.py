"""Speed and memory of the kernels against their peers, as one Markdown table: `python benchmarks/perf`.

Everything in the table is measured by this run. Exit status 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys

import data
import numba
import numpy
import pool
import segment
import sklearn
import torch
import ward
from table import markdown


def main() -> int:
    parser = argparse.ArgumentParser(prog="python benchmarks/perf", description=__doc__)
    parser.add_argument("--faces", type=int, nargs="+", default=[20_000, 80_000], help="sizes of the Ward comparison")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side; medians are shown")
    parser.add_argument("--no-million", action="store_true", help="skip the million-face runs (3 GB)")
    parser.add_argument("--peer-faces", type=int, default=2000, help="faces the sampling peer is timed on, then scaled")
    parser.add_argument("--full-peer", action="store_true", help="time the sampling peer on all faces (minutes)")
    parser.add_argument("--shapes", type=int, default=1000, help="procedural shapes read in each run of the loader")
    parser.add_argument("--weights", help="weights of the whole command (default: those that ship)")
    options = parser.parse_args()

    rows = []
    for n_faces in options.faces:
        rows += ward.compare(n_faces, options.repeats)
    if not options.no_million:
        rows.append(ward.million())
    n_faces = max(options.faces)
    rows += pool.compare(n_faces, options.repeats, n_faces if options.full_peer else options.peer_faces)
    rows += data.loader(options.shapes, options.repeats)
    rows += segment.command(sorted(segment.TARGETS)[: 1 if options.no_million else 2], options.repeats, options.weights)

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
