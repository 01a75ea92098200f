"""Specs of the commands: plain data, nothing heavy."""

from __future__ import annotations

from partseg.spec import CommandSpec

BENCH = CommandSpec(
    name="bench",
    summary="score methods on datasets: run a board, show its status, write its report",
    run="partseg_bench.cli:main",
)

EVALUATE = CommandSpec(
    name="evaluate",
    summary="score predictions on disk by an evaluation protocol",
    run="partseg_bench.evaluate:main",
)

COMMANDS = (BENCH, EVALUATE)
