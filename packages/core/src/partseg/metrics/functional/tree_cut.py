"""Cuts of one merge tree by height, and what no cut of it can exceed (class-agnostic IoU, see `class_agnostic`).

Four questions about one tree, from honest to generous:

- `auto`: the number of parts the method itself names; scored as a plain labelling.
- `oracle-k` (`class_agnostic.best_of_cuts_miou`): the best of the cuts into 1..20 parts, chosen against the truth.
  Merges are undone one at a time, so merges of equal height are told apart; more than 20 parts are never tried.
- `tree-cut` (`tree_cut_miou`): one threshold on the height, chosen against the truth, cuts the whole tree. *Every*
  threshold is tried, into any number of parts; merges of equal height are undone together or not at all.
- `best_node_ious`: each true part takes the best node anywhere in the tree, whether or not those nodes can stand in
  one segmentation. A bound for every cut, also for those that go deeper in some places than in others.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from partseg.metrics.functional.class_agnostic import class_agnostic_miou, contingency, pair_ious
from partseg.metrics.functional.matching import Matching, match_pairs
from partseg.parts.hierarchy import PartHierarchy


@runtime_checkable
class HeightTree(Protocol):
    """What is needed of a `partseg.parts.MergeTree`: merges in scikit-learn's numbering, and their heights."""

    @property
    def children(self) -> Int[np.ndarray, "merges 2"]: ...

    @property
    def heights(self) -> Float[np.ndarray, "merges"]: ...


class HeightCurve(NamedTuple):
    """Scores of every cut by height, coarsest first.

    Attributes:
        parts: (c,) number of parts. threshold: (c,) height of the highest merge that is kept, -inf where none is.
        miou: (c,) class-agnostic mIoU, 0..1.
    """

    parts: Int[np.ndarray, "c"]
    threshold: Float[np.ndarray, "c"]
    miou: Float[np.ndarray, "c"]


class TreeCut(NamedTuple):
    """The best cut by height: its score (0..1), its number of parts, and the height of the highest merge it keeps."""

    miou: float
    parts: int
    threshold: float


def miou_by_height(tree: HeightTree, true: Int[np.ndarray, "n"]) -> HeightCurve:
    """Class-agnostic mIoU (greedy) of every cut of a tree by height.

    O(t n log n) time and O(n) memory for t true parts, with no cut ever made. The single elements are a cut, too.

    Args:
        tree: over n elements, heights not decreasing. true: labels, -1 for none.

    Returns:
        NaN scores when no element has a true label.

    Raises:
        ValueError: labels that are not (n,) integers.
    """
    found = _examine(tree, true)
    cuts = found.cuts
    return HeightCurve(found.n - cuts, found.threshold[cuts], found.greedy[cuts])


def tree_cut_miou(
    tree: HeightTree | PartHierarchy, true: Int[np.ndarray, "n"], *, matching: Matching = "greedy"
) -> TreeCut:
    """The best cut of one tree by height, chosen against the truth: the protocol `tree-cut`.

    Of equally good cuts the coarsest is taken. With one-to-one matching, cuts are tried in the order of what they can
    reach at most (the greedy score; the sum of every part's best IoU), until none can be better than the best so far.

    Args:
        tree: a merge tree; or a hierarchy, which is cut at every height where it has heights, else at every depth (the
            negative depth is then the threshold).
        true: labels, -1 for none.

    Returns:
        mIoU NaN, one part, when no element has a true label.
    """
    if isinstance(tree, PartHierarchy):
        return _hierarchy_cut(tree, true, matching)
    found = _examine(tree, true)
    cuts = found.cuts
    if np.isnan(found.greedy).any():
        return TreeCut(float("nan"), 1, float(found.threshold[-1]))
    if matching == "greedy":
        m = cuts[np.argmax(found.greedy[cuts])]
        return TreeCut(float(found.greedy[m]), int(found.n - m), float(found.threshold[m]))
    bound = np.minimum(found.greedy, found.by_part)[cuts]
    score, parts, threshold = -1.0, 0, 0.0
    for i in np.argsort(-bound, kind="stable"):
        if bound[i] < score - 1e-12:
            break
        m = int(cuts[i])
        one = found.one_to_one(m)
        if one > score + 1e-12 or (one > score - 1e-12 and found.n - m < parts):
            score, parts, threshold = max(one, score), int(found.n - m), float(found.threshold[m])
    return TreeCut(score, parts, threshold)


def best_node_ious(tree: HeightTree | PartHierarchy, true: Int[np.ndarray, "n"]) -> Float[np.ndarray, "t"]:
    """Highest IoU (0..1) that any node of the tree reaches with each true part, in ascending order of true label.

    Single elements are nodes of a merge tree. The mean bounds the greedy score of every cut.
    """
    if isinstance(tree, PartHierarchy):
        ids, dense = np.unique(np.asarray(true), return_inverse=True)
        truth = PartHierarchy.from_labels(dense - int(ids[0] == -1) if len(ids) else dense)
        return tree.iou(truth)[:, 1:].max(0)
    return _examine(tree, true).node_best


class _Examined(NamedTuple):
    """All cuts of a tree, numbered by the merges they keep, m = 0..n-1."""

    n: int
    true: Int[np.ndarray, "n"]  # in the order of `order`
    start: Int[np.ndarray, "nodes"]
    size: Int[np.ndarray, "nodes"]
    dies: Int[np.ndarray, "nodes"]  # the last cut that a node is part of
    threshold: Float[np.ndarray, "n"]
    cuts: Int[np.ndarray, "c"]  # those by height, coarsest first
    greedy: Float[np.ndarray, "n"]
    by_part: Float[np.ndarray, "n"]  # sum over parts of their best IoU, by the number of true parts
    node_best: Float[np.ndarray, "t"]

    def one_to_one(self, m: int) -> float:
        born = np.maximum(np.arange(2 * self.n - 1) - self.n + 1, 0)
        alive = np.flatnonzero((born <= m) & (self.dies >= m))
        alive = alive[np.argsort(self.start[alive])]
        table = contingency(np.repeat(np.arange(len(alive)), self.size[alive]), self.true)
        pairs = match_pairs(table.pred, table.true, pair_ious(table), len(table.true_ids), "one-to-one")
        return float(pairs.iou.mean())


def _examine(tree: HeightTree, true: Int[np.ndarray, "n"]) -> _Examined:
    children = np.ascontiguousarray(tree.children, np.int64).reshape(-1, 2)
    heights = np.asarray(tree.heights, np.float64)
    n, true = len(children) + 1, np.asarray(true)
    if true.shape != (n,) or true.dtype.kind not in "iu":
        raise ValueError(f"true must be ({n},) integers, as the tree has {n} elements, not {true.dtype} {true.shape}")
    ids, label = np.unique(true, return_inverse=True)
    label = label.astype(np.int64) - int(ids[0] == -1)
    t = int(label.max()) + 1
    start, size, dies, order = _layout(children)
    rises = np.r_[True, heights[:-1] < heights[1:], True] if n > 1 else np.ones(1, bool)
    greedy, own, node_best = _best_ious(children, size, dies, label, np.bincount(label[label >= 0], minlength=t))
    with np.errstate(invalid="ignore"):
        greedy = greedy / t if t else np.full(n, np.nan)
    # by_part: a node counts in the cuts born..dies
    steps = np.zeros(n + 1)
    np.add.at(steps, np.maximum(np.arange(2 * n - 1) - n + 1, 0), own)
    np.subtract.at(steps, dies + 1, own)
    by_part = np.cumsum(steps[:n]) / max(t, 1) + 1e-9  # rounding of the running sum must not cut off a candidate
    threshold = np.r_[-np.inf, heights]
    return _Examined(
        n, true[order], start, size, dies, threshold, np.flatnonzero(rises)[::-1], greedy, by_part, node_best
    )


def _hierarchy_cut(tree: PartHierarchy, true: Int[np.ndarray, "n"], matching: Matching) -> TreeCut:
    by: list[tuple[str, float]] = [("depth", d) for d in range(int(tree.depth.max()) + 1)]
    if tree.height is not None:
        by = [("threshold", x) for x in [*np.unique(tree.height)[::-1].tolist(), -np.inf]]
    best = TreeCut(float("nan"), 1, float(by[0][1]))
    for key, value in by:
        score = class_agnostic_miou(tree.cut(**{key: value}), true, matching)
        if score > best.miou or (np.isnan(best.miou) and not np.isnan(score)):
            parts = len(tree.cut_nodes(**{key: value}))
            best = TreeCut(score, parts, float(value if key == "threshold" else -value))
    return best


@njit(cache=True, nogil=True)
def _layout(children):  # pragma: no cover - compiled
    """Node i holds the elements `order[start[i] : start[i] + size[i]]` and is part of the cuts up to dies[i]."""
    n = len(children) + 1
    size = np.ones(2 * n - 1, np.int64)
    start = np.zeros(2 * n - 1, np.int64)
    dies = np.full(2 * n - 1, n - 1, np.int64)
    for j in range(n - 1):
        a, b = children[j, 0], children[j, 1]
        size[n + j] = size[a] + size[b]
        dies[a] = j
        dies[b] = j
    for j in range(n - 2, -1, -1):
        start[children[j, 0]] = start[n + j]
        start[children[j, 1]] = start[n + j] + size[children[j, 0]]
    order = np.empty(n, np.int64)
    for i in range(n):
        order[start[i]] = i
    return start, size, dies, order


@njit(cache=True, nogil=True)
def _best_ious(children, size, dies, label, true_size):  # pragma: no cover - compiled
    """Sum over true parts of the best IoU in each cut; best IoU of each node; best IoU of each true part.

    For one true part a node offers its IoU to an interval of cuts: the maxima are kept in a segment tree over cuts.
    """
    n = len(label)
    total = np.zeros(n)
    own = np.zeros(2 * n - 1)
    node_best = np.zeros(len(true_size))
    count = np.empty(2 * n - 1, np.int64)
    top = np.empty(2 * n)
    for t in range(len(true_size)):
        top[:] = 0
        for node in range(2 * n - 1):
            if node < n:
                count[node] = label[node] == t
                first = n
            else:
                count[node] = count[children[node - n, 0]] + count[children[node - n, 1]]
                first = node + 1
            shared = count[node]
            if shared == 0:
                continue
            iou = shared / (size[node] + true_size[t] - shared)
            own[node] = max(own[node], iou)
            node_best[t] = max(node_best[t], iou)
            last = n + dies[node] + 1
            while first < last:
                if first & 1:
                    top[first] = max(top[first], iou)
                    first += 1
                if last & 1:
                    last -= 1
                    top[last] = max(top[last], iou)
                first >>= 1
                last >>= 1
        for i in range(1, n):
            top[2 * i] = max(top[2 * i], top[i])
            top[2 * i + 1] = max(top[2 * i + 1], top[i])
        for m in range(n):
            total[m] += top[n + m]
    return total, own, node_best
