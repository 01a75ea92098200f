"""What one method scores on one labelled shape, and what people score against each other."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from partseg.data.formats.psb import PsbShape
from partseg.metrics.functional import class_agnostic_miou, miou_by_cut, nested_cuts
from partseg.parts.segmentation import Segmentation

MAX_PARTS = 20


@dataclass(frozen=True)
class Cuts:
    """What a method offers for one shape.

    Attributes:
        tree_or_labels: the nested cuts of a part tree with 1..20 parts, or a list of separate decompositions.
        by_parts: number of parts asked for -> place in `tree_or_labels`.
        auto: (n,) labels with the number of parts the method chose.
    """

    tree_or_labels: Any
    by_parts: dict[int, int]
    auto: Int[np.ndarray, "n"]


def cuts_of(method: Any, shape: Any) -> Cuts:
    """Segment a shape once where the method gives a tree, else once for every number of parts from 1 to 20."""
    seg: Segmentation = method.segment(shape)
    if seg.tree is not None:
        cuts = nested_cuts(seg.tree, MAX_PARTS)
        k = len(cuts.merges) + 1
        return Cuts(cuts, {parts: min(parts, k) - 1 for parts in range(1, MAX_PARTS + 1)}, seg.labels)
    labels = [method.segment(shape, parts=parts).labels for parts in range(1, MAX_PARTS + 1)]
    return Cuts([*labels, seg.labels], {parts: parts - 1 for parts in range(1, MAX_PARTS + 1)}, seg.labels)


def score_cuts(cuts: Cuts, truths: list[Int[np.ndarray, "n"]]) -> dict[str, Any]:
    """Scores against several truths of one shape, each averaged over the truths.

    Returns:
        best: of 1..20 parts, chosen for each truth; best_2_19: the range the released PartField script reads (trees
            only,
        else as best); auto: at the method's own number of parts; parts: mIoU with 1, 2, … 20 parts asked for.
    """
    rows, auto = [], []
    for truth in truths:
        rows.append(miou_by_cut(cuts.tree_or_labels, truth))
        auto.append(class_agnostic_miou(cuts.auto, truth))
    table = np.array(rows)
    inner = table[:, 1:19] if not isinstance(cuts.tree_or_labels, list) and table.shape[1] > 1 else table
    return {
        "best": float(table.max(1).mean()),
        "best_2_19": float(inner.max(1).mean()),
        "auto": float(np.mean(auto)),
        "parts": [float(table[:, cuts.by_parts[k]].mean()) for k in range(1, MAX_PARTS + 1)],
    }


def score_shape(method: Any, item: PsbShape) -> dict[str, Any]:
    """One method on one shape: scores against people and against named labels, number of parts chosen, seconds.

    Seconds are those of `segment` with the method's own number of parts and, without a tree, of the twenty others.
    """
    begin = time.perf_counter()
    cuts = cuts_of(method, item.shape)
    seconds = time.perf_counter() - begin
    out: dict[str, Any] = {"seconds": seconds, "auto_parts": len(np.unique(cuts.auto))}
    if item.humans:
        out["human"] = score_cuts(cuts, list(item.humans))
    if item.labels is not None:
        out["label"] = score_cuts(cuts, [item.labels])
    return out


def humans_against_each_other(humans: tuple[Int[np.ndarray, "n"], ...]) -> float | None:
    """Mean over ordered pairs of different people: one person's segmentation as the prediction of the other's.

    None for a shape that fewer than two people segmented. One partition each: no cut is chosen.
    """
    pairs: list[Float] = [class_agnostic_miou(a, b) for a in humans for b in humans if a is not b]
    return float(np.mean(pairs)) if pairs else None
