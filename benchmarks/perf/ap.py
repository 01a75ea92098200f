"""Part-category AP: bit rows and one matching pass a shape, against comparing boolean masks one by one.

`python benchmarks/perf ap`. The peer is PartNet's definition written down in NumPy, mask by mask; both sides score
the same shapes in this run and must agree to 1e-6. The target is for AP25, AP50, AP75 and AP50:95 against one run of
the peer for each IoU, as the released evaluation has it. Beside it stand a peer that compares masks once for all IoUs,
and a single IoU. Ours gives AP by shape too.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
from table import Row, seconds

from partseg.metrics.functional.average_precision import THRESHOLDS, InstanceRecords
from partseg.metrics.functional.partnet_ap import partnet_instance_ap, partnet_records

SPEED_TARGET, EQUAL, SECONDS, MEMORY = 30.0, 1e-6, 60.0, 2 * 2**30
POINTS, MASKS, CLASSES = 10_000, 30, 6
SLOTS, CHAIR_CLASSES = 200, 39  # slots of PartNet's files; labels of Chair at its finest level


class Sample(NamedTuple):
    """One shape as PartNet's files hold it: rows of booleans in slots, of which some are valid."""

    pred: np.ndarray
    pred_class: np.ndarray
    confidence: np.ndarray
    pred_valid: np.ndarray
    true: np.ndarray
    true_class: np.ndarray
    true_valid: np.ndarray
    other: np.ndarray


def sample(seed: int, points: int, masks: int, classes: int, slots: int) -> Sample:
    """Runs of points as true parts, the first unlabelled; predictions are noisy copies, of which some overlap."""
    rng = np.random.default_rng(seed)
    n_true = int(rng.integers(masks // 2, masks + 1))
    cuts = np.sort(rng.choice(np.arange(1, points), n_true, replace=False))
    part = np.searchsorted(cuts, np.arange(points), side="right") - 1
    true = np.zeros((slots, points), bool)
    true[:n_true] = part == np.arange(n_true)[:, None]
    true_class = np.zeros(slots, np.int64)
    true_class[:n_true] = rng.integers(0, classes, n_true)
    pred, pred_class = np.zeros((slots, points), bool), np.zeros(slots, np.int64)
    source = rng.integers(0, n_true, masks)
    noise = rng.uniform(0, 0.5, (masks, 1)).astype(np.float32)
    draw = rng.random((masks, points), np.float32)
    pred[:masks] = (true[source] & (draw > noise)) | (draw < noise * n_true**-1.5)
    pred_class[:masks] = np.where(rng.random(masks) < 0.8, true_class[source], rng.integers(0, classes, masks))
    confidence = np.round(rng.random(slots), 2)  # with ties
    return Sample(
        pred, pred_class, confidence, np.arange(slots) < masks, true, true_class, np.arange(slots) < n_true, part < 0
    )


class Peer:
    """The definition in NumPy, one pair of masks of a class after the other; IoUs serve all thresholds."""

    def __init__(self, classes: int, thresholds: tuple[float, ...]) -> None:
        self.thresholds, self.n_true = thresholds, np.zeros(classes, int)
        self.found: dict[tuple[int, int], list[tuple[float, bool]]] = {}

    def add(self, s: Sample) -> None:
        true, true_class = s.true[s.true_valid], s.true_class[s.true_valid]
        self.n_true += np.bincount(true_class, minlength=len(self.n_true))
        order = [i for i in np.argsort(-s.confidence, kind="stable") if s.pred_valid[i]]
        ious = []
        for i in order:
            mask = s.pred[i] & ~s.other
            ious.append(
                {
                    j: np.logical_and(mask, true[j]).sum() / np.logical_or(mask, true[j]).sum()
                    for j in np.flatnonzero(true_class == s.pred_class[i])
                }
            )
        for t, threshold in enumerate(self.thresholds):
            used: set[int] = set()
            for i, iou in zip(order, ious):
                free = [j for j in iou if j not in used]
                best = max(free, key=iou.__getitem__, default=-1)
                hit = best >= 0 and iou[best] > threshold
                if hit:
                    used.add(best)
                self.found.setdefault((t, s.pred_class[i]), []).append((s.confidence[i], hit))

    def result(self) -> np.ndarray:
        """(t, c) AP of each class, NaN without truth."""
        out = np.full((len(self.thresholds), len(self.n_true)), np.nan)
        out[:, self.n_true > 0] = 0
        for (t, c), entries in self.found.items():
            if self.n_true[c]:
                order = np.argsort([-confidence for confidence, _ in entries], kind="stable")
                total = np.concatenate([[0], np.cumsum(np.array([hit for _, hit in entries])[order])])
                precision = np.concatenate([[1.0], total[1:] / np.arange(1, len(total))])
                levels = [precision[100 * total >= level * self.n_true[c]] for level in range(101)]
                out[t, c] = np.mean([at.max() if len(at) else 0.0 for at in levels])
        return out


def ours(number: int, s: Sample, classes: int, thresholds: tuple[float, ...]) -> InstanceRecords:
    return partnet_records(
        number,
        s.pred,
        s.pred_class,
        s.confidence,
        s.true,
        s.true_class,
        n_classes=classes,
        pred_valid=s.pred_valid,
        true_valid=s.true_valid,
        other=s.other,
        thresholds=thresholds,
    )


def compare(shapes: int = 500) -> list[Row]:
    """All sides on each shape in turn, so that they meet the same load of the machine."""
    at = THRESHOLDS.index(0.5)
    sets = {"all": THRESHOLDS, "one": (0.5,)}
    ours(0, sample(0, POINTS, MASKS, CLASSES, MASKS), CLASSES, THRESHOLDS)  # compiles
    records: dict[str, list[InstanceRecords]] = {name: [] for name in sets}
    once, each = Peer(CLASSES, THRESHOLDS), [Peer(CLASSES, (threshold,)) for threshold in THRESHOLDS]
    took = dict.fromkeys([*sets, "once", *range(len(each))], 0.0)

    def timed(side: str | int, work: Callable[..., Any], *arguments: Any) -> Any:
        start = time.perf_counter()
        out = work(*arguments)
        took[side] += time.perf_counter() - start
        return out

    for number in range(shapes):
        s = sample(number, POINTS, MASKS, CLASSES, MASKS)
        for name, thresholds in sets.items():
            records[name].append(timed(name, ours, number, s, CLASSES, thresholds))
        timed("once", once.add, s)
        for side, peer in enumerate(each):
            timed(side, peer.add, s)
    found = {name: timed(name, partnet_instance_ap, records[name], sets[name]).part for name in sets}
    theirs = timed("once", once.result)
    apiece = np.concatenate([timed(side, peer.result) for side, peer in enumerate(each)])
    apart = max(float(np.nanmax(np.abs(found["all"] - other))) for other in (theirs, apiece))
    apart = max(apart, float(np.nanmax(np.abs(found["one"][0] - theirs[at]))))
    whole = sum(took[side] for side in range(len(each)))

    def row(what: str, mine: float, peer: float, target: float = 0.0) -> Row:
        wanted = f">= {target:.0f}x, equal to {EQUAL:g}" if target else f"equal to {EQUAL:g}"
        return Row(
            what,
            f"{shapes} shapes x {POINTS:,} x {MASKS} masks; mean AP50 {np.nanmean(theirs[at]):.2f}, off by {apart:.0e}",
            seconds(mine),
            seconds(peer),
            f"{peer / mine:.0f}x",
            wanted,
            bool(apart <= EQUAL and peer / mine >= target),
        )

    return [
        row(f"Part-category AP at {len(each)} IoUs (peer: NumPy, a run an IoU)", took["all"], whole, SPEED_TARGET),
        row("… (peer: overlaps kept from IoU to IoU)", took["all"], took["once"]),
        row("… at IoU 0.5 alone", took["one"], took[at]),
    ]


def _score_some(seeds: range) -> tuple[list[InstanceRecords], float, int]:
    """Records, seconds spent scoring, and peak memory of this process in bytes."""
    records, took = [], 0.0
    for number in seeds:
        s = sample(number, POINTS, MASKS, CHAIR_CLASSES, SLOTS)
        start = time.perf_counter()
        records.append(ours(number, s, CHAIR_CLASSES, THRESHOLDS))
        took += time.perf_counter() - start
    return records, took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def category(shapes: int = 1200, workers: int = 2) -> list[Row]:
    """A test split of Chair's size, in the 200 slots of PartNet's files, over two processes."""
    shares = [range(i, shapes, workers) for i in range(workers)]
    begin = time.perf_counter()
    with get_context("spawn").Pool(workers) as pool:
        parts = pool.map(_score_some, shares, chunksize=1)
    start = time.perf_counter()
    partnet_instance_ap([record for records, _, _ in parts for record in records])
    end = time.perf_counter()
    took = max(part[1] for part in parts) + end - start
    memory = sum(part[2] for part in parts) + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return [
        Row(
            f"A category scored by {workers} processes (AP and s-AP at {len(THRESHOLDS)} IoUs)",
            f"{shapes} shapes x {POINTS:,} points, {MASKS} of {SLOTS} slots, {CHAIR_CLASSES} classes",
            f"{seconds(took)} ({seconds(end - begin)} with making the input), {memory / 2**20:.0f} MiB at most",
            "",
            "",
            f"< {SECONDS:.0f} s, < {MEMORY // 2**30} GiB",
            took < SECONDS and memory < MEMORY,
        )
    ]
