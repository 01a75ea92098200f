"""Class-agnostic intersection over union of part decompositions, as PartField scores them (Liu et al. 2025, Sec. 4.1).

A true part scores the largest IoU that any predicted part reaches with it, whichever name either has; several true
parts may choose the same predicted one (`matching="greedy"`; with `"one-to-one"` they may not, see `matching`). A shape
scores the mean over its true parts. Elements (faces, points) count one each, whatever their area. Where a method
offers several decompositions of a shape (the cuts of a part tree), the released evaluation takes the cut that scores
best *against the truth*, per shape: an oracle number of parts. The protocols, told apart by name:

- `auto`: `class_agnostic_miou` of the one decomposition that the method itself chose;
- `oracle-k`: `best_of_cuts_miou`, over 1..20 parts; the released script reads 2..19 (`min_parts=2, max_parts=19`);
- `tree-cut`: `tree_cut.tree_cut_miou`, the best of all cuts of one tree by height;
- `prompt-1`, `prompt-n`: `prompt_mious`, of the masks that a method gives after 1 or n prompts inside each true part.

Everything is read off contingency tables: one sorted pass over the elements, no masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit

from partseg.metrics.functional.matching import Matching, mask_ious, match_pairs, match_parts
from partseg.metrics.functional.summary import bootstrap_interval

__all__ = [
    "Contingency",
    "NestedCuts",
    "PromptScores",
    "best_of_cuts_miou",
    "bootstrap_interval",
    "class_agnostic_miou",
    "contingency",
    "miou_by_cut",
    "nested_cuts",
    "pair_ious",
    "part_ious",
    "prompt_mious",
]


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
    predicted part that covers them. Elements with predicted label -1 belong to no predicted part. O(n) memory, and
    O(n) time where labels lie close together, else O(n log n).

    Raises:
        ValueError: the labellings are not one-dimensional integers of one length.
    """
    pred, true = _labels(pred, "pred"), _labels(true, "true")
    if len(pred) != len(true):
        raise ValueError(f"pred labels {len(pred)} elements but true labels {len(true)}")
    pred_ids, p, _ = _compact(pred)
    true_ids, t, _ = _compact(true)
    width = max(len(true_ids), 1)
    pair, _, count = _compact(p * width + t)
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


def pair_ious(table: Contingency) -> Float[np.ndarray, "m"]:
    """IoU (0..1) of each pair of parts that meet."""
    return table.count / (table.pred_size[table.pred] + table.true_size[table.true] - table.count)


def part_ious(
    pred: Int[np.ndarray, "n"], true: Int[np.ndarray, "n"], matching: Matching = "greedy"
) -> Float[np.ndarray, "t"]:
    """IoU (0..1) of each true part with the predicted part matched to it, in ascending order of true label.

    0 for a true part that no predicted part touches, or that is left without a match. -1 is no part; empty when no
    element has a true label.
    """
    table = contingency(pred, true)
    return match_pairs(table.pred, table.true, pair_ious(table), len(table.true_ids), matching).iou


def class_agnostic_miou(pred: Int[np.ndarray, "n"], true: Int[np.ndarray, "n"], matching: Matching = "greedy") -> float:
    """Mean of `part_ious` over true parts (0..1); NaN when no element has a true label."""
    best = part_ious(pred, true, matching)
    return float(best.mean()) if len(best) else float("nan")


class PromptScores(NamedTuple):
    """Means over the true parts of one shape, 0..1; NaN when no element has a true label.

    Attributes:
        own: every mask is scored against the part it was prompted for.
        greedy: every true part takes the best mask, whichever part that was prompted for. Never below `own`.
        one_to_one: every mask answers for one part at most. Between the two.
    """

    own: float
    greedy: float
    one_to_one: float


def prompt_mious(masks: Bool[np.ndarray, "t n"], true: Int[np.ndarray, "n"]) -> PromptScores:
    """Scores of one mask per true part, given after prompts inside that part: the protocols `prompt-1` and `prompt-n`.

    A prompt drawn from every true part tells the method where parts are and how many, so these numbers belong in no
    column with `auto`.

    Args:
        masks: may overlap; row i was prompted for the i-th true part in ascending order of label.
        true: labels, -1 for none; such elements count in the size of the masks.

    Raises:
        ValueError: not one mask for each true part, or wrong shapes or types.
    """
    iou = mask_ious(masks, true)
    if iou.shape[0] != iou.shape[1]:
        raise ValueError(f"masks: {iou.shape[0]} masks for {iou.shape[1]} true parts; prompts give one for each")
    if not len(iou):
        return PromptScores(float("nan"), float("nan"), float("nan"))
    greedy, single = (float(match_parts(iou, way).iou.mean()) for way in ("greedy", "one-to-one"))
    return PromptScores(float(np.diag(iou).mean()), greedy, single)


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
    nodes, labels, _ = _compact(_topmost(children, kept)[:n])
    row_of = dict(zip(nodes.tolist(), range(k), strict=True))
    merges = np.empty((k - 1, 2), np.int64)
    for i, (a, b) in enumerate(children[kept:].tolist()):
        merges[i] = row_of[a], row_of[b]
        row_of[n + kept + i] = row_of[a]
    return NestedCuts(labels.astype(np.int64), merges)


def miou_by_cut(
    cuts: NestedCuts | _Tree | Sequence[Int[np.ndarray, "n"]],
    true: Int[np.ndarray, "n"],
    *,
    max_parts: int = 20,
    matching: Matching = "greedy",
) -> Float[np.ndarray, "k"]:
    """Class-agnostic mIoU of every decomposition on offer.

    Args:
        cuts: a merge tree, its `nested_cuts` (saves work when there are several truths), or a sequence of label
            vectors.
        true: (n,) true part per element, -1 for none.
        max_parts: finest cut of a tree to score; trees of fewer leaves offer fewer cuts. Unused for the other two.
        matching: of each cut's parts with the true ones.

    Returns:
        For a tree, entry i is the score of the cut with i + 1 parts. For label vectors, one score each, in their order.
        NaN throughout when no element has a true label.
    """
    if not isinstance(cuts, NestedCuts) and hasattr(cuts, "children"):
        cuts = nested_cuts(cuts, max_parts)
    if not isinstance(cuts, NestedCuts):
        return np.array([class_agnostic_miou(labels, true, matching) for labels in cuts])
    finest = contingency(cuts.labels, true)
    table, size = finest.dense(), finest.pred_size.copy()
    scores = np.full(len(table), np.nan)
    if not len(finest.true_ids):
        return scores
    scores[-1] = _mean_best(table, size, finest.true_size, matching)
    for i, (into, from_) in enumerate(cuts.merges.tolist()):
        table[into] += table[from_]
        size[into] += size[from_]
        table[from_] = 0  # an empty row never is the best
        size[from_] = 0
        scores[-2 - i] = _mean_best(table, size, finest.true_size, matching)
    return scores


def best_of_cuts_miou(
    cuts: NestedCuts | _Tree | Sequence[Int[np.ndarray, "n"]],
    true: Int[np.ndarray, "n"],
    *,
    min_parts: int = 1,
    max_parts: int = 20,
    matching: Matching = "greedy",
) -> float:
    """mIoU of the decomposition that suits the truth best: the number PartField's tables give (oracle number of parts).

    Args:
        cuts: as for `miou_by_cut`.
        true: (n,) true part per element, -1 for none.
        min_parts, max_parts: range of cuts of a tree; label vectors are taken if their number of parts lies in the
            range.
        matching: of each cut's parts with the true ones; the best cut is chosen under the same matching.

    Returns:
        0..1; 0 when no cut lies in the range; NaN when no element has a true label.
    """
    if not isinstance(cuts, NestedCuts) and hasattr(cuts, "children"):
        cuts = nested_cuts(cuts, max_parts)
    if isinstance(cuts, NestedCuts):
        scores = miou_by_cut(cuts, true, matching=matching)[min_parts - 1 : max_parts]
    else:
        number = [len(np.setdiff1d(labels, [-1])) for labels in cuts]
        kept = [c for c, k in zip(cuts, number, strict=True) if min_parts <= k <= max_parts]
        scores = miou_by_cut(kept, true, matching=matching)
    return float(scores.max()) if len(scores) else 0.0


def _mean_best(
    table: Int[np.ndarray, "p t"],
    pred_size: Int[np.ndarray, "p"],
    true_size: Int[np.ndarray, "t"],
    matching: Matching,
) -> float:
    iou = table / (pred_size[:, None] + true_size - table)
    return float((iou.max(0) if matching == "greedy" else match_parts(iou, matching).iou).mean())


def _labels(labels: Int[np.ndarray, "n"], name: str) -> Int[np.ndarray, "n"]:
    labels = np.asarray(labels)
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iub"):
        raise ValueError(f"{name} must be (n,) integers, not {labels.dtype} {labels.shape}")
    return labels.astype(np.int64)


def _compact(
    values: Int[np.ndarray, "n"],
) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "n"], Int[np.ndarray, "k"]]:
    """Distinct values ascending, the place of each value among them, how often each occurs; sorts only if it must."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, -1)
    if high - low > 4 * len(values) + 1024:
        ids, place, count = np.unique(values, return_inverse=True, return_counts=True)
        return ids, place, count
    count = np.bincount(values - low, minlength=high - low + 1)
    ids = np.flatnonzero(count)
    rank = np.cumsum(count > 0) - 1
    return ids + low, rank[values - low], count[ids]


@njit(cache=True, nogil=True)
def _topmost(children, kept):  # pragma: no cover - compiled
    """The highest node above each node, itself included, when only the first `kept` merges are made."""
    n = len(children) + 1
    up = np.arange(2 * n - 1)
    for j in range(kept - 1, -1, -1):
        up[children[j, 0]] = up[n + j]
        up[children[j, 1]] = up[n + j]
    return up
