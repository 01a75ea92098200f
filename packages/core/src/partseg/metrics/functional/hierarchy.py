"""Two part hierarchies over the same elements compared: nodes, levels, edits, and symmetries.

Nodes are compared by their elements alone, never by name. Roots hold everything in both trees, so they match whatever a
method does: node scores leave them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from partseg.metrics.functional._tree_edit_kernel import edit_distance
from partseg.metrics.functional.class_agnostic import class_agnostic_miou
from partseg.metrics.functional.matching import Matching
from partseg.parts.hierarchy import NodeKind, PartHierarchy, Symmetry

_MOST_PAIRS = 2**24  # of nodes: 128 MB a table


class NodeMatch(NamedTuple):
    """Nodes of two hierarchies matched one to one.

    Attributes:
        precision, recall: matched share of the predicted and of the true nodes, roots left out, 0..1. f_score: their
            harmonic mean.
        pred, true: (m,) int64 matched nodes, in the order of the true ones. iou: (m,) their IoU.
    """

    precision: float
    recall: float
    f_score: float
    pred: Int[np.ndarray, "m"]
    true: Int[np.ndarray, "m"]
    iou: Float[np.ndarray, "m"]


def node_match(pred: PartHierarchy, true: PartHierarchy, threshold: float = 0.5) -> NodeMatch:
    """Node-match F-score: nodes are matched one to one where their IoU is at least `threshold`.

    Of all such matchings the one with the largest total IoU counts, of equal totals the one with fewer, better pairs:
    a node that both trees have is not split up between two halves of it. A chain of nodes with the same elements is
    matched only as often as the other tree repeats it.

    Args:
        pred, true: over the same elements. Unlabelled elements of one count in the sizes of the other's nodes.
        threshold: IoU in (0, 1]; 0.25, 0.5 and 0.75 are usual.

    Returns:
        All scores 1 where both trees are only a root; 0 where one of them is.

    Raises:
        ValueError: threshold out of range, or trees too large for a table of all pairs of nodes.
        PartsegError: hierarchies over different numbers of elements.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be an IoU in (0, 1], not {threshold}")
    iou = _ious(pred, true)[1:, 1:]
    p, t = iou.shape
    weight = np.where(iou >= threshold, iou - 1e-9, 0.0)
    rows, cols = linear_sum_assignment(weight, maximize=True)
    kept = weight[rows, cols] > 0
    rows, cols = rows[kept], cols[kept]
    order = np.argsort(cols, kind="stable")
    rows, cols = rows[order], cols[order]
    if p == 0 and t == 0:
        precision = recall = f_score = 1.0
    else:
        precision, recall = (len(rows) / n if n else 0.0 for n in (p, t))
        f_score = 2 * len(rows) / (p + t)
    return NodeMatch(precision, recall, f_score, rows + 1, cols + 1, iou[rows, cols])


def level_mious(
    pred: PartHierarchy, true: PartHierarchy, levels: Sequence[str] | None = None, matching: Matching = "greedy"
) -> dict[str, float]:
    """Class-agnostic mIoU (0..1) of the cuts of the same name.

    Args:
        levels: names that both hierarchies have; None: all those of the truth.

    Raises:
        UnknownNameError: a level that one of them lacks.
    """
    names = list(true.levels) if levels is None else list(levels)
    return {name: class_agnostic_miou(pred.cut(level=name), true.cut(level=name), matching) for name in names}


def depth_mious(pred: PartHierarchy, true: PartHierarchy, matching: Matching = "greedy") -> Float[np.ndarray, "d"]:
    """Class-agnostic mIoU (0..1) of the cuts at depth 1, 2, … down to the deepest true leaf.

    A cut at a depth holds the leaves above it, so a prediction that is less deep is scored by its leaves. Empty where
    the truth is only a root.
    """
    deepest = int(true.depth.max())
    return np.array(
        [class_agnostic_miou(pred.cut(depth=d), true.cut(depth=d), matching) for d in range(1, deepest + 1)], np.float64
    )


class TreeEdit(NamedTuple):
    """A tree edit distance, and its share (0..1) of deleting one whole tree and inserting the other."""

    distance: float
    normalised: float


def tree_edit_distance(pred: PartHierarchy, true: PartHierarchy) -> TreeEdit:
    """Constrained edit distance of unordered trees (Zhang 1996, Algorithmica 15).

    Children of a part have no order, and the edit distance of unordered trees is NP-hard; Zhang's adds the condition
    that separate subtrees are mapped to separate subtrees, under which it is exact and quick: one assignment problem
    between the children for each pair of nodes. It is never below the unconstrained distance, and strict with nodes
    in between: ((a, b), c) is 3 away from (a, b, c), not 1, as a and b together are separate from c in one tree only.
    `cluster_distance` bounds the unconstrained distance from below.

    Inserting or deleting a node costs 1; turning one into another costs 1 - IoU of their elements, a metric, which
    makes the distance one. Nodes without elements are alike.

    Returns:
        0 for trees that are equal up to the order of children.

    Raises:
        ValueError: trees too large for a table of all pairs of nodes.
        PartsegError: hierarchies over different numbers of elements.
    """
    distance = constrained_edit_distance(pred.parent, true.parent, _relabel(pred, true))
    return TreeEdit(distance, distance / (pred.n_parts + true.n_parts))


def cluster_distance(pred: PartHierarchy, true: PartHierarchy) -> TreeEdit:
    """Generalised Robinson-Foulds distance with Jaccard costs (Nye et al. 2006; Böcker et al. 2013).

    The cheapest one-to-one matching of the nodes: a pair costs 1 - IoU of its elements, a node left over costs 1. Which
    node stands above which is not looked at, only what they hold; so it is never above any tree edit distance of these
    costs. A grouping that is left out costs 1 whatever it groups.

    Returns, raises: as `tree_edit_distance`.
    """
    saved = 2 - _relabel(pred, true)
    rows, cols = linear_sum_assignment(saved, maximize=True)
    distance = float(pred.n_parts + true.n_parts - saved[rows, cols].sum())
    return TreeEdit(distance, distance / (pred.n_parts + true.n_parts))


def constrained_edit_distance(
    parent_a: Int[np.ndarray, "p"], parent_b: Int[np.ndarray, "q"], relabel: Float[np.ndarray, "p q"]
) -> float:
    """`tree_edit_distance` of two trees given as parents (-1 for node 0, parents before children) and relabel costs.

    Costs must lie in 0..2, what deleting and inserting would cost.
    """
    relabel = np.ascontiguousarray(relabel, np.float64)
    if relabel.shape != (len(parent_a), len(parent_b)) or not relabel.size:
        raise ValueError(f"relabel: costs of {relabel.shape} nodes for trees of {len(parent_a)} and {len(parent_b)}")
    if not ((relabel >= 0) & (relabel <= 2)).all():
        raise ValueError("relabel: costs must lie in 0..2")
    return float(edit_distance(*_children(parent_a), *_children(parent_b), relabel))


class SymmetryScores(NamedTuple):
    """What a predicted hierarchy says of the symmetries of a true one. Errors are of matched nodes of the same kind.

    Attributes:
        true_nodes, pred_nodes: SYMMETRY nodes with parameters on either side. matched: true ones whose matched node is
            such a node, of whatever kind. correct: … of the same kind.
        angle: (correct,) degrees 0..90 between directions (normals, axes, translations), which have no sign.
        offset: (correct,) distance between the mirror planes, or the axes, at the true node's centre, by the longest
            side of the shape; NaN for translations, which have no place.
        fold: (correct,) difference of the numbers of copies, absolute.
        step: (correct,) difference of the steps, absolute: degrees (rotations) or by the longest side (translations);
            NaN for mirrors.
    """

    true_nodes: int
    pred_nodes: int
    matched: int
    correct: int
    angle: Float[np.ndarray, "c"]
    offset: Float[np.ndarray, "c"]
    fold: Float[np.ndarray, "c"]
    step: Float[np.ndarray, "c"]

    @property
    def type_accuracy(self) -> float:
        """Share of the true symmetry nodes that were found with their kind; NaN without such nodes."""
        return self.correct / self.true_nodes if self.true_nodes else float("nan")

    @property
    def type_precision(self) -> float:
        """Share of the predicted symmetry nodes that are right; NaN without such nodes."""
        return self.correct / self.pred_nodes if self.pred_nodes else float("nan")


def symmetry_scores(
    pred: PartHierarchy, true: PartHierarchy, positions: Float[np.ndarray, "n 3"], threshold: float = 0.5
) -> SymmetryScores:
    """Types and parameters of symmetries on nodes matched by `node_match`, the roots with each other.

    Planes and axes are compared where the part is, not at the points that happen to describe them: errors of planes
    that are not parallel depend on where one looks.

    Args:
        positions: of the elements, such as the centroids of faces; finite.
        threshold: IoU from which on nodes match.

    Raises:
        ValueError: not one finite position for each element, or as `node_match`.
    """
    positions = np.asarray(positions, np.float64)
    if positions.shape != (len(true.leaf_of), 3) or not np.isfinite(positions).all():
        raise ValueError(f"positions must be ({len(true.leaf_of)}, 3), finite, not {positions.shape}")
    match = node_match(pred, true, threshold)
    partner = {int(t): int(p) for p, t in zip(match.pred, match.true, strict=True)} | {0: 0}
    extent = (float(np.ptp(positions, axis=0).max()) if len(positions) else 0.0) or 1.0
    nodes = [int(i) for i in np.flatnonzero(true.kind == NodeKind.SYMMETRY) if true.symmetry[i] is not None]
    matched, errors = 0, []
    for node in nodes:
        want, have = true.symmetry[node], pred.symmetry[partner[node]] if node in partner else None
        if have is None or want is None:
            continue
        matched += 1
        if have.kind == want.kind:
            members = true.members(node)
            centre = positions[members].mean(0) if len(members) else positions.mean(0)
            errors.append(symmetry_errors(have, want, centre, extent))
    predicted = sum(s is not None and k == NodeKind.SYMMETRY for s, k in zip(pred.symmetry, pred.kind, strict=True))
    columns = np.array(errors, np.float64).reshape(-1, 4).T
    return SymmetryScores(len(nodes), predicted, matched, len(errors), *columns)


def symmetry_errors(
    pred: Symmetry, true: Symmetry, centre: Float[np.ndarray, "3"], extent: float = 1.0
) -> tuple[float, float, float, float]:
    """(angle, offset, fold, step) of two symmetries of one kind, as `SymmetryScores` defines them.

    Args:
        centre: where planes and axes are compared. extent: length that offsets and steps are divided by.

    Raises:
        ValueError: symmetries of different kinds.
    """
    if pred.kind != true.kind:
        raise ValueError(f"a {pred.kind} symmetry has no parameters in common with a {true.kind} one")
    a, b = np.asarray(pred.direction), np.asarray(true.direction)
    a = -a if a @ b < 0 else a
    angle = float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))
    offset = step = float("nan")
    to_pred, to_true = np.subtract(pred.point, centre), np.subtract(true.point, centre)
    if true.kind == "reflective":
        offset = abs(float(to_pred @ a - to_true @ b)) / extent
    elif true.kind == "rotational":
        feet = (to_pred - (to_pred @ a) * a) - (to_true - (to_true @ b) * b)
        offset = float(np.linalg.norm(feet)) / extent
        step = float(np.degrees(abs(abs(pred.step) - abs(true.step))))
    else:
        step = abs(abs(pred.step) - abs(true.step)) / extent
    return angle, offset, float(abs(pred.fold - true.fold)), step


def _ious(pred: PartHierarchy, true: PartHierarchy) -> Float[np.ndarray, "p q"]:
    if pred.n_parts * true.n_parts > _MOST_PAIRS:
        raise ValueError(f"hierarchies of {pred.n_parts} and {true.n_parts} nodes: more pairs than {_MOST_PAIRS}")
    return pred.iou(true)


def _relabel(pred: PartHierarchy, true: PartHierarchy) -> Float[np.ndarray, "p q"]:
    cost = 1 - _ious(pred, true)
    cost[(pred.size == 0)[:, None] & (true.size == 0)[None]] = 0.0
    return cost


def _children(parent: Int[np.ndarray, "p"]) -> tuple[Int[np.ndarray, "p1"], Int[np.ndarray, "c"]]:
    """Children in one array, and where those of each node start."""
    parent = np.asarray(parent, np.int64)
    if not len(parent) or parent[0] != -1 or (parent[1:] < 0).any() or (parent[1:] >= np.arange(1, len(parent))).any():
        raise ValueError("a tree has one root, node 0, and every parent before its children")
    first = np.r_[0, np.cumsum(np.bincount(parent[1:], minlength=len(parent)))]
    return first.astype(np.int64), np.argsort(parent[1:], kind="stable").astype(np.int64) + 1
