"""Class-agnostic intersection over union of part decompositions, as PartField scores them (Liu et al. 2025, Sec. 4.1).

A true part scores the largest IoU that any predicted part reaches with it, whichever name either has; several true
parts may choose the same predicted one. A shape scores the mean over its true parts. Elements (faces, points) count
one each, whatever their area. Where a method offers several decompositions of a shape (the cuts of a part tree), the
released evaluation takes the cut that scores best *against the truth*, per shape: an oracle number of parts.
`best_of_cuts_miou` does the same over 1..20 parts; the released script reads 2..19 (`min_parts=2, max_parts=19`).
Report `miou_by_cut` at a fixed or automatic number of parts beside it.

Everything is read off contingency tables: one sorted pass over the elements, no masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int


@runtime_checkable
class _Tree(Protocol):
    """What is needed of a `partseg.parts.MergeTree`: merges in scikit-learn's numbering."""

    @property
    def children(self) -> Int[np.ndarray, "merges 2"]: ...


class Contingency(NamedTuple):
    """Which predicted part meets which true part in how many elements; only pairs that meet are held.

    Attributes:
        pred_ids: (p,) predicted labels, ascending; true_ids: (t,) true labels, ascending, without -1.
        pred: (m,) index into `pred_ids`; true: (m,) index into `true_ids`; count: (m,) elements in both, > 0.
        pred_size: (p,) elements of each predicted part, unlabelled ones included; true_size: (t,).
    """

    pred_ids: Int[np.ndarray, "p"]
    true_ids: Int[np.ndarray, "t"]
    pred: Int[np.ndarray, "m"]
    true: Int[np.ndarray, "m"]
    count: Int[np.ndarray, "m"]
    pred_size: Int[np.ndarray, "p"]
    true_size: Int[np.ndarray, "t"]

    def dense(self) -> Int[np.ndarray, "p t"]:
        """The full table. Memory grows with p * t: for few parts only."""
        table = np.zeros((len(self.pred_ids), len(self.true_ids)), np.int64)
        table[self.pred, self.true] = self.count
        return table


def contingency(pred: Int[np.ndarray, "n"], true: Int[np.ndarray, "n"]) -> Contingency:
    """Joint counts of two labellings of the same elements.

    Labels are any integers. Elements with true label -1 belong to no true part, but count in the size of the
    predicted part that covers them. Elements with predicted label -1 belong to no predicted part. O(n log n) time,
    O(n) memory.

    Raises:
        ValueError: the labellings are not one-dimensional integers of one length.
    """
    pred, true = _labels(pred, "pred"), _labels(true, "true")
    if len(pred) != len(true):
        raise ValueError(f"pred labels {len(pred)} elements but true labels {len(true)}")
    pred_ids, p = np.unique(pred, return_inverse=True)
    true_ids, t = np.unique(true, return_inverse=True)
    width = max(len(true_ids), 1)
    pair, count = np.unique(p * width + t, return_counts=True)
    p, t = pair // width, pair % width
    pred_size = np.bincount(p, count, len(pred_ids)).astype(np.int64)
    true_size = np.bincount(t, count, len(true_ids)).astype(np.int64)
    keep_p, keep_t = pred_ids != -1, true_ids != -1
    new_p, new_t = np.cumsum(keep_p) - 1, np.cumsum(keep_t) - 1
    both = keep_p[p] & keep_t[t]
    return Contingency(
        pred_ids[keep_p],
        true_ids[keep_t],
        new_p[p[both]],
        new_t[t[both]],
        count[both],
        pred_size[keep_p],
        true_size[keep_t],
    )


def part_ious(pred: Int[np.ndarray, "n"], true: Int[np.ndarray, "n"]) -> Float[np.ndarray, "t"]:
    """Best IoU (0..1) of each true part over the predicted parts, in ascending order of true label (-1 is no part).

    0 for a true part that no predicted part touches. Empty when no element has a true label.
    """
    table = contingency(pred, true)
    best = np.zeros(len(table.true_ids))
    union = table.pred_size[table.pred] + table.true_size[table.true] - table.count
    np.maximum.at(best, table.true, table.count / union)
    return best


def class_agnostic_miou(pred: Int[np.ndarray, "n"], true: Int[np.ndarray, "n"]) -> float:
    """Mean over true parts of the best IoU with a predicted part (0..1); NaN when no element has a true label."""
    best = part_ious(pred, true)
    return float(best.mean()) if len(best) else float("nan")


class NestedCuts(NamedTuple):
    """The cuts of a merge tree with 1..k parts, as its finest cut and the merges above it.

    Attributes:
        labels: (n,) part of each element in the finest cut, 0..k-1, numbered by tree node (not by first element).
        merges: (k-1, 2) rows to join, in order: each merge puts the second row's elements into the first's.
    """

    labels: Int[np.ndarray, "n"]
    merges: Int[np.ndarray, "k_1 2"]


def nested_cuts(tree: _Tree, max_parts: int = 20) -> NestedCuts:
    """The last `max_parts` levels of `tree`, ready to be scored against any number of truths. O(n log depth)."""
    children = np.asarray(tree.children, np.int64).reshape(-1, 2)
    n = len(children) + 1
    k = max(1, min(int(max_parts), n))
    kept = n - k  # merges below the finest cut
    up = np.arange(2 * n - 1)
    up[children[:kept]] = n + np.arange(kept)[:, None]
    while not np.array_equal(up, higher := up[up]):  # pointer doubling: every node learns its topmost kept ancestor
        up = higher
    nodes, labels = np.unique(up[:n], return_inverse=True)
    row_of = dict(zip(nodes.tolist(), range(k), strict=True))
    merges = np.empty((k - 1, 2), np.int64)
    for i, (a, b) in enumerate(children[kept:].tolist()):
        merges[i] = row_of[a], row_of[b]
        row_of[n + kept + i] = row_of[a]
    return NestedCuts(labels.astype(np.int64), merges)


def miou_by_cut(
    cuts: NestedCuts | _Tree | Sequence[Int[np.ndarray, "n"]], true: Int[np.ndarray, "n"], *, max_parts: int = 20
) -> Float[np.ndarray, "k"]:
    """Class-agnostic mIoU of every decomposition on offer.

    Args:
        cuts: a merge tree, its `nested_cuts` (saves work when there are several truths), or a sequence of label
            vectors.
        true: (n,) true part per element, -1 for none.
        max_parts: finest cut of a tree to score; trees of fewer leaves offer fewer cuts. Unused for the other two.

    Returns:
        For a tree, entry i is the score of the cut with i + 1 parts. For label vectors, one score each, in their order.
        NaN throughout when no element has a true label.
    """
    if not isinstance(cuts, NestedCuts) and hasattr(cuts, "children"):
        cuts = nested_cuts(cuts, max_parts)
    if not isinstance(cuts, NestedCuts):
        return np.array([class_agnostic_miou(labels, true) for labels in cuts])
    finest = contingency(cuts.labels, true)
    table, size = finest.dense(), finest.pred_size.copy()
    scores = np.full(len(table), np.nan)
    if not len(finest.true_ids):
        return scores
    scores[-1] = _mean_best(table, size, finest.true_size)
    for i, (into, from_) in enumerate(cuts.merges.tolist()):
        table[into] += table[from_]
        size[into] += size[from_]
        table[from_] = 0  # an empty row never is the best
        size[from_] = 0
        scores[-2 - i] = _mean_best(table, size, finest.true_size)
    return scores


def best_of_cuts_miou(
    cuts: NestedCuts | _Tree | Sequence[Int[np.ndarray, "n"]],
    true: Int[np.ndarray, "n"],
    *,
    min_parts: int = 1,
    max_parts: int = 20,
) -> float:
    """mIoU of the decomposition that suits the truth best: the number PartField's tables give (oracle number of parts).

    Args:
        cuts: as for `miou_by_cut`.
        true: (n,) true part per element, -1 for none.
        min_parts, max_parts: range of cuts of a tree; label vectors are taken if their number of parts lies in the
            range.

    Returns:
        0..1; 0 when no cut lies in the range; NaN when no element has a true label.
    """
    if not isinstance(cuts, NestedCuts) and hasattr(cuts, "children"):
        cuts = nested_cuts(cuts, max_parts)
    if isinstance(cuts, NestedCuts):
        scores = miou_by_cut(cuts, true)[min_parts - 1 : max_parts]
    else:
        number = [len(np.setdiff1d(labels, [-1])) for labels in cuts]
        kept = [c for c, k in zip(cuts, number, strict=True) if min_parts <= k <= max_parts]
        scores = miou_by_cut(kept, true)
    return float(scores.max()) if len(scores) else 0.0


def bootstrap_interval(
    values: Float[np.ndarray, "n"], level: float = 0.95, seed: int = 0, n: int = 10_000
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values`, drawing shapes with replacement `n` times.

    For a paired comparison pass the differences per shape. One value gives an interval of no width; none gives NaN.
    """
    values = np.asarray(values, np.float64).ravel()
    if not len(values):
        return float("nan"), float("nan")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    rng = np.random.default_rng(seed)
    means = np.concatenate(
        [values[rng.integers(0, len(values), (min(1000, n - i), len(values)))].mean(1) for i in range(0, n, 1000)]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _mean_best(
    table: Int[np.ndarray, "p t"], pred_size: Int[np.ndarray, "p"], true_size: Int[np.ndarray, "t"]
) -> float:
    return float((table / (pred_size[:, None] + true_size - table)).max(0).mean())


def _labels(labels: Int[np.ndarray, "n"], name: str) -> Int[np.ndarray, "n"]:
    labels = np.asarray(labels)
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iub"):
        raise ValueError(f"{name} must be (n,) integers, not {labels.dtype} {labels.shape}")
    return labels.astype(np.int64)
