"""Part hierarchies against the true one: which nodes are found, and what it takes to turn one tree into the other.

The definitions are in `partseg.metrics.functional.hierarchy`. A method's hierarchy is its part tree; else the top of
its merge tree, down to its own labels; else a root with a part for each label.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.metrics.functional.hierarchy import depth_mious, node_match, tree_edit_distance
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.tree import renumber
from partseg_bench import spec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.base import MeanProtocol, Record, json_safe, same_elements


class Hierarchies(MeanProtocol):
    """Node-match F-score at IoU 0.5, tree edit distance, and mIoU depth by depth."""

    spec: ClassVar = spec.HIERARCHY
    worst: ClassVar[Mapping[str, float]] = {"tree-edit": 1.0}

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        name, truth = sample.shape.name, sample.hierarchy
        if truth is None:
            raise PartsegError(f"{name}: the truth has no part hierarchy")
        if prediction is None:
            return {"missing": True, "scores": {m: self.worst.get(m, 0.0) for m in self.spec.metrics}}
        same_elements(prediction, sample)
        tree = predicted_hierarchy(prediction)
        try:
            match, edit = node_match(tree, truth), tree_edit_distance(tree, truth)
        except ValueError as error:
            raise PartsegError(f"{name}: hierarchy: {error}") from None
        by_depth = depth_mious(tree, truth)
        scores = {
            "node-f-score": match.f_score,
            "tree-edit": edit.normalised,
            "depth-miou": float(np.mean(by_depth)) if len(by_depth) else float("nan"),
            "node-precision": match.precision,
            "node-recall": match.recall,
        }
        return {"scores": json_safe(scores), "nodes": tree.n_parts, "true_nodes": truth.n_parts}


def predicted_hierarchy(prediction: Prediction) -> PartHierarchy:
    """The hierarchy that a prediction stands for."""
    if prediction.part_tree is not None:
        return prediction.part_tree
    if prediction.tree is not None and (prediction.labels >= 0).all():
        return prediction.tree.hierarchy(len(np.unique(prediction.labels)))
    return PartHierarchy.from_labels(renumber(prediction.labels))
