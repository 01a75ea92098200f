"""The Princeton Segmentation Benchmark: a segmentation of a mesh against several people's (Chen et al. 2009).

The four errors are those of `partseg.metrics.functional.psb`, means over the people, then over shapes (the benchmark's
"Average" row). What ranks is the Rand index, 1 minus its error, of which more is better. A shape without a prediction
has Rand index 0 and Hamming distance and consistency errors 1; cut discrepancy has no worst value, so it is left out of
that mean, whose `n` tells. Faces that a method leaves without a part form one segment together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.metrics.functional.psb import psb_scores
from partseg_bench import spec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.base import MeanProtocol, Record, json_safe, same_elements

_PERSON = "human-"
_NAMES = {
    "rand-index": "rand_index_error", "hamming": "hamming", "cut-discrepancy": "cut_discrepancy",
    "gce": "GCE_area", "lce": "LCE_area",
}  # fmt: skip


class PrincetonBenchmark(MeanProtocol):
    """Against every person who cut the shape."""

    spec: ClassVar = spec.PSB
    worst: ClassVar[Mapping[str, float]] = {"hamming": 1.0, "gce": 1.0, "lce": 1.0, "cut-discrepancy": float("nan")}

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        name = sample.shape.name
        people = [labels for level, labels in sample.labels.items() if level.startswith(_PERSON)]
        if not people or not sample.shape.is_mesh:
            raise PartsegError(f"{name}: the benchmark needs a mesh that people have cut (levels {_PERSON}0, …)")
        if prediction is None:
            scores = {metric: self.worst.get(metric, 0.0) for metric in _NAMES}
            return {"missing": True, "scores": json_safe(scores)}
        same_elements(prediction, sample)
        labels = np.where(prediction.labels < 0, prediction.labels.max(initial=-1) + 1, prediction.labels)
        people = [np.where(cut < 0, cut.max(initial=-1) + 1, cut) for cut in people]
        errors = psb_scores(labels, people, sample.shape, name)
        scores = {metric: errors[error] for metric, error in _NAMES.items()}
        scores["rand-index"] = 1 - scores["rand-index"]
        return {"scores": json_safe(scores), "parts": len(np.unique(labels)), "people": len(people)}
