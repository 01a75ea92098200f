"""From claims to verdicts: the boards that hold their cells, runs of what is missing, comparisons of the results."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from partseg.errors import PartsegError
from partseg_bench.board import Board, DatasetEntry, Limits, MethodEntry
from partseg_bench.cells import Cell
from partseg_bench.claims.pooled import compare_pooled, pooled_protocol, pooled_sides, shared_shapes
from partseg_bench.claims.registry import Claim, Registered
from partseg_bench.claims.verdict import Comparison, compare
from partseg_bench.facts import one_line
from partseg_bench.results import OK, Runs
from partseg_bench.runner import Standing, run_board, standing
from partseg_bench.show import Display
from partseg_bench.sources import canonical

LIMITS = Limits(seconds=1800, train_seconds=8 * 3600, memory_gb=8)


@dataclass(frozen=True)
class Outcome:
    """Where a claim stands.

    Attributes:
        registered: the claim.
        status: "held", "not held", "undecided"; "left" (cells are missing), "failed", or what it needs.
        comparison: the numbers; None where there are none.
        why: what failed or is left, one line.
    """

    registered: Registered
    status: str
    comparison: Comparison | None = None
    why: str = ""

    @property
    def claim(self) -> Claim:
        """The claim itself."""
        return self.registered.claim


@dataclass
class CellGroup:
    """Cells that share shapes, protocol and seeds; the methods by what they are, labels aside."""

    dataset: DatasetEntry
    protocol: str
    seeds: tuple[int, ...]
    methods: dict[str, MethodEntry] = field(default_factory=dict)

    def add(self, method: MethodEntry) -> None:
        """A method, under a label that no other has."""
        if _identity(method) in self.methods:
            return
        taken = {one.title for one in self.methods.values()}
        steps = method.train.max_steps if method.train is not None else None
        title = method.title if steps is None else f"{method.title} ({steps} steps)"
        label = next(
            text for i in range(1, len(taken) + 2) if (text := title if i == 1 else f"{title} #{i}") not in taken
        )
        self.methods[_identity(method)] = method.model_copy(update={"label": label, "optional": False})

    @property
    def board(self) -> Board:
        """The board of just these cells."""
        return Board(
            name="claims", methods=tuple(self.methods.values()), datasets=(self.dataset,), protocols=(self.protocol,),
            seeds=self.seeds, limits=LIMITS,
        )  # fmt: skip


def run_claims(
    registered: Sequence[Registered],
    runs: Runs,
    *,
    workers: int | None = None,
    force_failed: bool = False,
    show: Display | None = None,
) -> None:
    """Compute the cells of claims that have no result yet; claims that need what is not installed are left out.

    Raises:
        PartsegError: see `partseg_bench.runner.run_board`.
    """
    for group in cell_groups(one.claim for one in registered if not one.needs).values():
        before = standing(group.board, runs)
        if before.left or (force_failed and before.failed):  # starting workers takes seconds
            run_board(group.board, runs, workers=workers, force_failed=force_failed, show=show)


def outcomes(registered: Sequence[Registered], runs: Runs) -> list[Outcome]:
    """Where claims stand, from the results on disk; nothing is computed but the comparisons.

    Raises:
        PartsegError: a damaged result.
    """
    groups = cell_groups(one.claim for one in registered if not one.needs)
    found = {key: standing(group.board, runs) for key, group in groups.items()}
    return [Outcome(one, one.needs) if one.needs else _outcome(one, groups, found) for one in registered]


def paired_values(
    a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]], metric: str
) -> tuple[Float[np.ndarray, "seeds shapes"], Float[np.ndarray, "seeds shapes"]]:
    """The values of two sides for each seed and shape, shapes in one order.

    Args:
        a, b: a result for each seed, seeds in the same order.
        metric: the number of each shape. A shape without a prediction has the protocol's worst value.

    Raises:
        PartsegError: results of different shapes, or shapes have no such number of their own.
    """
    ids = shared_shapes(a, b)
    for result in (*a, *b):
        if not any(metric in record.get("scores", {}) for record in result["per_shape"].values()):
            there = sorted({name for record in result["per_shape"].values() for name in record.get("scores", {})})
            raise PartsegError(
                f"{metric} is no number of each shape, nor one that is computed anew from all of them: shapes have "
                f"{', '.join(there) or 'none'}"
            )
    rows = [[[_number(result["per_shape"][shape], metric) for shape in ids] for result in side] for side in (a, b)]
    return np.array(rows[0], np.float64), np.array(rows[1], np.float64)


def _outcome(registered: Registered, groups: dict[str, CellGroup], found: dict[str, Standing]) -> Outcome:
    claim = registered.claim
    results: dict[str, list[dict[str, Any]]] = {"a": [], "b": []}
    left = 0
    for name, row in results.items():
        key, identity = _key(claim, name), _identity(claim.side(name)[0])
        label, stand = groups[key].methods[identity].title, found[key]
        cells: dict[int, Cell] = {one.about["seed"]: one for one in stand.plan.cells if one.about["label"] == label}
        if not cells:
            why = next((why for title, why in stand.plan.skipped if title.startswith(f"{label} · ")), "no such cell")
            return Outcome(registered, "failed", why=f"{label}: {why}")
        for seed in claim.seeds:
            result = stand.results.get(cells[seed].key)
            if result is None:
                left += 1
            elif result["status"] != OK:
                return Outcome(registered, "failed", why=f"{cells[seed].title}: {result['error']}")
            else:
                row.append(result)
    if left:
        return Outcome(registered, "left", why=f"{left} of {2 * len(claim.seeds)} cells have no result yet")
    try:
        numbers = _compared(claim, results["a"], results["b"])
    except PartsegError as error:
        return Outcome(registered, "failed", why=one_line(error))
    return Outcome(registered, numbers.verdict(claim.direction), numbers)


def _compared(claim: Claim, a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]]) -> Comparison:
    protocols = [pooled_protocol(claim.side(name)[2], claim.metric) for name in ("a", "b")]
    if any(protocols):
        return compare_pooled(*pooled_sides(a, b, claim.metric, protocols))
    return compare(*paired_values(a, b, claim.metric))


def cell_groups(claims: Iterable[Claim]) -> dict[str, CellGroup]:
    """The cells of claims and no others, in groups that are a board each."""
    groups: dict[str, CellGroup] = {}
    for claim in claims:
        for name in ("a", "b"):
            method, dataset, protocol = claim.side(name)
            groups.setdefault(_key(claim, name), CellGroup(dataset, protocol, claim.seeds)).add(method)
    return groups


def _key(claim: Claim, name: str) -> str:
    _, dataset, protocol = claim.side(name)
    return canonical([dataset.model_dump(mode="json"), protocol, list(claim.seeds)])


def _identity(method: MethodEntry) -> str:
    """What a method entry is, whatever it is called."""
    return canonical(method.model_dump(mode="json", exclude={"label", "optional"}))


def _number(record: dict[str, Any], metric: str) -> float:
    value = record.get("scores", {}).get(metric)
    return math.nan if value is None else float(value)
