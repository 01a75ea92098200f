"""Class-agnostic scores of one large tree, and the bootstrap over a benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from inputs import torus
from table import Row, seconds

from partseg.geometry.adjacency import face_adjacency
from partseg.metrics.functional import bootstrap_interval, miou_by_cut
from partseg.metrics.functional.tree_cut import tree_cut_miou
from partseg.ops import ward_tree
from partseg.parts.tree import MergeTree

CUTS_TARGET, BOOTSTRAP_TARGET = 0.1, 1.0  # seconds
CUTS, RESAMPLES, SHAPES = 20, 2000, 10_000


def compare(n_faces: int = 100_000, repeats: int = 3, true_parts: int = 30) -> list[Row]:
    """Scores of a Ward tree over the faces of a torus, whose true parts are bands; medians of the runs.

    The peer makes each cut's labels and compares boolean masks, one pair of parts after another.
    """
    vertices, faces = torus(n_faces)
    centre = vertices[faces].mean(1)
    tree = ward_tree(centre.astype(np.float32), face_adjacency(faces))
    angle = np.arctan2(centre[:, 1], centre[:, 0])
    true = np.floor((angle + np.pi) / (2 * np.pi) * true_parts).astype(np.int64).clip(0, true_parts - 1)
    values = np.random.default_rng(0).random(SHAPES)
    expected = _mask_scores(tree, true)
    if not np.allclose(miou_by_cut(tree, true), expected, atol=1e-12):
        raise AssertionError("the scores of the cuts are not those of boolean masks")
    for matching in ("greedy", "one-to-one"):  # compiles
        tree_cut_miou(tree, true, matching=matching)
    where = f"{len(faces):,} faces, {true_parts} true parts"
    peer = _median(lambda: _mask_scores(tree, true), 1)
    rows = []
    for matching in ("greedy", "one-to-one"):
        took = _median(lambda way=matching: miou_by_cut(tree, true, max_parts=CUTS, matching=way), repeats)
        slow = peer if matching == "greedy" else None
        rows.append(
            Row(
                f"Class-agnostic mIoU of {CUTS} cuts, {matching}",
                where,
                seconds(took),
                seconds(slow) + " (masks)" if slow else "",
                f"{slow / took:.0f}x" if slow else "",
                f"< {CUTS_TARGET} s",
                took < CUTS_TARGET,
            )
        )
    for matching in ("greedy", "one-to-one"):
        took = _median(lambda way=matching: tree_cut_miou(tree, true, matching=way), repeats)
        what = f"… best of all {tree.n_leaves:,} cuts by height, {matching}"
        rows.append(Row(what, where, seconds(took), "", "", "", True))
    took = _median(lambda: bootstrap_interval(values, n=RESAMPLES), repeats)
    where = f"{SHAPES:,} shapes, {RESAMPLES:,} resamples"
    target = f"< {BOOTSTRAP_TARGET:.0f} s"
    rows.append(Row("Bootstrap interval of a mean", where, seconds(took), "", "", target, took < BOOTSTRAP_TARGET))
    return rows


def _median(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _mask_scores(tree: MergeTree, true: np.ndarray) -> list[float]:
    masks = [true == t for t in np.unique(true)]
    out = []
    for k in range(1, CUTS + 1):
        labels = tree.cut(k)
        parts = [labels == p for p in range(k)]
        out.append(float(np.mean([max((p & t).sum() / (p | t).sum() for p in parts) for t in masks])))
    return out
