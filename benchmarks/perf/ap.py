"""Part-category AP: bit rows and one matching pass a shape, against comparing boolean masks one by one.

`python benchmarks/perf/ap.py`. The peer is PartNet's definition written down in NumPy, mask by mask; both sides score
the same shapes in this run and must agree to 1e-6.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
from table import Row, markdown, seconds

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


def peer(samples: list[Sample], classes: int, threshold: float) -> np.ndarray:
    """(c,) AP of each class, NaN without truth: the definition, one pair of masks after the other."""
    found: list[list[tuple[float, bool]]] = [[] for _ in range(classes)]
    n_true = np.zeros(classes, int)
    for s in samples:
        free: list[list[np.ndarray]] = [[] for _ in range(classes)]
        for mask, c in zip(s.true[s.true_valid], s.true_class[s.true_valid]):
            free[c].append(mask)
            n_true[c] += 1
        for i in np.argsort(-s.confidence, kind="stable"):
            if not s.pred_valid[i]:
                continue
            mask, c = s.pred[i] & ~s.other, s.pred_class[i]
            ious = [np.logical_and(mask, t).sum() / np.logical_or(mask, t).sum() for t in free[c]]
            hit = bool(ious) and max(ious) > threshold
            if hit:
                del free[c][int(np.argmax(ious))]
            found[c].append((s.confidence[i], hit))
    out = np.full(classes, np.nan)
    for c in range(classes):
        if n_true[c] and found[c]:
            order = np.argsort([-confidence for confidence, _ in found[c]], kind="stable")
            hits = np.array([hit for _, hit in found[c]])[order]
            total = np.concatenate([[0], np.cumsum(hits)])
            precision = np.concatenate([[1.0], total[1:] / np.arange(1, len(total))])
            levels = [precision[100 * total >= level * n_true[c]] for level in range(101)]
            out[c] = np.mean([at.max() if len(at) else 0.0 for at in levels])
        elif n_true[c]:
            out[c] = 0.0
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


def compare(shapes: int = 500, part: int = 50) -> list[Row]:
    """Both sides on the same `shapes`, made `part` at a time so that they fit in memory."""
    ours(0, sample(0, POINTS, MASKS, CLASSES, MASKS), CLASSES, THRESHOLDS)  # compiles
    rows = []
    for name, thresholds in (("at IoU 0.5", (0.5,)), (f"at {len(THRESHOLDS)} IoUs", THRESHOLDS)):
        records, our_time = [], 0.0
        everything: list[Sample] = []
        for first in range(0, shapes, part):
            some = [sample(first + i, POINTS, MASKS, CLASSES, MASKS) for i in range(min(part, shapes - first))]
            start = time.perf_counter()
            records += [ours(first + i, s, CLASSES, thresholds) for i, s in enumerate(some)]
            our_time += time.perf_counter() - start
            everything += some
        start = time.perf_counter()
        result = partnet_instance_ap(records, thresholds)
        our_time += time.perf_counter() - start
        start = time.perf_counter()
        theirs = np.stack([peer(everything, CLASSES, threshold) for threshold in thresholds])
        peer_time = time.perf_counter() - start
        apart = float(np.nanmax(np.abs(theirs - result.part)))
        ratio = peer_time / our_time
        rows.append(
            Row(
                f"Part-category and shape AP {name} (peer: part-category AP, mask by mask)",
                f"{shapes} shapes x {POINTS:,} points x {MASKS} masks; mean AP {np.nanmean(theirs):.3f}, "
                f"{apart:.0e} apart",
                seconds(our_time),
                seconds(peer_time),
                f"{ratio:.0f}x",
                f">= {SPEED_TARGET:.0f}x, equal to {EQUAL:g}",
                bool(ratio >= SPEED_TARGET and apart <= EQUAL),
            )
        )
    return rows


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", type=int, default=500, help="shapes of the comparison")
    parser.add_argument("--category", type=int, default=1200, help="shapes of the category")
    options = parser.parse_args()
    rows = category(options.category) + compare(options.shapes)  # memory is measured first
    print(markdown(rows))
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"\n{os.cpu_count()} cores{load}.")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
