"""Mean IoU of semantic parts as PartNet reports it (Mo et al. 2019, Sec. 5.1), from a class for each element.

The numbers of a category are those of `partseg.metrics.functional.semantic`, over the classes that occur in its truth
or predictions; a set of several categories has the mean over them, as the paper's tables. Elements without a true class
are left out; those without a predicted class are misses, and so is a shape without a prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartSample
from partseg.metrics.functional.averages import exact_mean
from partseg.metrics.functional.semantic import class_counts, class_ious, partnet_shape_miou
from partseg_bench import spec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.base import Record, element_classes, json_safe, n_classes, only_level, same_elements
from partseg_bench.protocols.pooled import PooledProtocol, Statistic


class SemanticParts(PooledProtocol):
    """Part-wise and shape-wise mean IoU of one level."""

    spec: ClassVar = spec.SEMANTIC
    shape_means: ClassVar = ("shape-miou",)

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        level = only_level(sample, needs_instances=False)
        true = sample.semantics[level]
        classes, name = n_classes(self.taxonomy, sample, level), sample.shape.name
        if prediction is None:
            pred = np.full(len(true), -1, np.int64)
        else:
            same_elements(prediction, sample)
            pred = element_classes(prediction, name, classes)
        counts = class_counts(pred, true, classes, name)
        used = np.flatnonzero(counts.any(0))
        record: Record = {"scores": json_safe({"shape-miou": partnet_shape_miou(counts[None])})}
        record |= {"classes": used.tolist(), "counts": counts[:, used].tolist()}
        return record | ({"missing": True} if prediction is None else {})

    def statistic(self, records: Sequence[Record]) -> Statistic:
        tables = _tables(records)

        def numbers(places: Int[np.ndarray, "s"]) -> dict[str, float]:
            counts = tables[places]
            return {"part-miou": exact_mean(class_ious(counts.sum(0))), "shape-miou": partnet_shape_miou(counts)}

        return numbers


def _tables(records: Sequence[Record]) -> Int[np.ndarray, "s 3 c"]:
    classes = np.unique(np.concatenate([np.asarray(record["classes"], np.int64) for record in records]))
    tables = np.zeros((len(records), 3, len(classes)), np.int64)
    for table, record in zip(tables, records):
        table[:, np.searchsorted(classes, np.asarray(record["classes"], np.int64))] = record["counts"]
    return tables
