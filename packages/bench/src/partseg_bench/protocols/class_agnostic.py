"""Class-agnostic mIoU of part decompositions: `auto`, `oracle`, `tree-cut`, each with mesh topology and without.

The definitions are in `partseg.metrics.functional.class_agnostic` and `tree_cut`. A shape scores the mean over its
levels (or annotators); `miou@<level>` are the named levels' own. Numbers `...-one-to-one` match every predicted part
with one true part at most, the others let several true parts choose the same (the published, more generous way).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, get_args

import numpy as np

from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.metrics.functional.class_agnostic import best_of_cuts_miou, class_agnostic_miou, nested_cuts
from partseg.metrics.functional.matching import Matching
from partseg.metrics.functional.tree_cut import tree_cut_miou
from partseg_bench import spec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.base import MeanProtocol, Record, View, json_safe, same_elements, segmentation_of

MAX_PARTS = 20
_NAMES = {"greedy": "miou", "one-to-one": "miou-one-to-one"}

Score = Callable[[np.ndarray, Matching], float]


class ClassAgnostic(MeanProtocol):
    """What the three have in common: a score of one truth, averaged over the levels of a shape."""

    def scorer(self, prediction: Prediction) -> Score:
        """What scores a truth (labels, -1 for none) under a matching."""
        raise NotImplementedError

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        truths = {level: labels for level, labels in sample.labels.items() if (labels >= 0).any()}
        if not truths:
            raise PartsegError(f"{sample.shape.name}: the truth has no parts at any level")
        named = [level for level in truths if level in self.taxonomy]  # people who cut the shape are no levels
        if prediction is None:
            levels = [f"{name}@{level}" for name in _NAMES.values() for level in named] if len(named) > 1 else []
            return {"missing": True, "scores": dict.fromkeys([*_NAMES.values(), *levels], 0.0)}
        same_elements(prediction, sample)
        ask = self.scorer(prediction)
        by_level = {m: {level: ask(labels, m) for level, labels in truths.items()} for m in get_args(Matching)}
        scores = {_NAMES[m]: float(np.mean(list(values.values()))) for m, values in by_level.items()}
        if len(named) > 1:
            scores |= {
                f"{_NAMES[m]}@{level}": x
                for m, values in by_level.items()
                for level, x in values.items()
                if level in named
            }
        return {"scores": json_safe(scores), "parts": len(np.setdiff1d(prediction.labels, [-1]))}


class Auto(ClassAgnostic):
    """The labels that the method itself chose."""

    spec: ClassVar = spec.CLASS_AGNOSTIC_AUTO

    def scorer(self, prediction: Prediction) -> Score:
        return lambda true, matching: class_agnostic_miou(prediction.labels, true, matching)


class Oracle(ClassAgnostic):
    """The best of the cuts into 1..20 parts; a method without a tree is asked for each of them.

    The method's own labels are a decomposition on offer as well, if they have so few parts.
    """

    spec: ClassVar = spec.CLASS_AGNOSTIC_ORACLE
    asks: ClassVar[str] = "cuts-mesh"

    def predict(self, method: Any, sample: PartSample, seed: int = 0) -> Prediction:
        def ask(shape: Any) -> Prediction:
            seg = segmentation_of(method.segment(shape), shape.name)
            if seg.tree is not None:
                return Prediction.of(seg)
            cuts = [segmentation_of(method.segment(shape, parts=k), shape.name).labels for k in range(1, MAX_PARTS + 1)]
            return Prediction.of(seg, np.stack([np.asarray(cut) for cut in cuts]))

        return self.segment(method, sample, seed, ask)

    def scorer(self, prediction: Prediction) -> Score:
        offered = [prediction.labels, *(() if prediction.cuts is None else prediction.cuts)]
        nested = None if prediction.tree is None else nested_cuts(prediction.tree, MAX_PARTS)

        def best(true: np.ndarray, matching: Matching) -> float:
            own = best_of_cuts_miou(offered, true, max_parts=MAX_PARTS, matching=matching)
            return own if nested is None else max(own, best_of_cuts_miou(nested, true, matching=matching))

        return best


class BestTreeCut(ClassAgnostic):
    """The best of all cuts of one tree by height (of a part tree without heights: by depth).

    A method that gives no tree has one cut, its labels: it offers no choice to make.
    """

    spec: ClassVar = spec.CLASS_AGNOSTIC_TREE_CUT

    def scorer(self, prediction: Prediction) -> Score:
        tree = prediction.part_tree if prediction.tree is None else prediction.tree
        if tree is None:
            return lambda true, matching: class_agnostic_miou(prediction.labels, true, matching)
        return lambda true, matching: tree_cut_miou(tree, true, matching=matching).miou


class AutoGeometry(Auto):
    """The same of points of the surface."""

    spec: ClassVar = spec.CLASS_AGNOSTIC_AUTO_GEOMETRY
    view: ClassVar[View] = "points"
    asks: ClassVar[str] = "segment-points"


class OracleGeometry(Oracle):
    """The same of points of the surface."""

    spec: ClassVar = spec.CLASS_AGNOSTIC_ORACLE_GEOMETRY
    view: ClassVar[View] = "points"
    asks: ClassVar[str] = "cuts-points"


class BestTreeCutGeometry(BestTreeCut):
    """The same of points of the surface."""

    spec: ClassVar = spec.CLASS_AGNOSTIC_TREE_CUT_GEOMETRY
    view: ClassVar[View] = "points"
    asks: ClassVar[str] = "segment-points"
