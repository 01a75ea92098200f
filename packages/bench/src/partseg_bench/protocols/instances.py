"""Average precision of instances by the rules of PartNet, of instance feature fusion and of the ScanNet benchmark.

A prediction gives masks (or labels), for each a class, an index into the dataset's class names, and a confidence (1
where it gives none). The rules are in `partseg.metrics.functional`: `partnet_ap` (Mo et al. 2019, Sec. 5.3),
`fusion_ap` (Sun, Tong, Liu 2022, Sec. 4) and `scannet_ap`. Numbers by the first two are those of a category; a set of
several has the mean over them, as the papers' tables. Truth counts for every shape: one without a prediction has its
parts missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.metrics.functional.average_precision import THRESHOLDS, InstanceRecords, headline, interpolated_ap
from partseg.metrics.functional.fusion_ap import fusion_records
from partseg.metrics.functional.mask_table import MaskTable
from partseg.metrics.functional.partnet_ap import partnet_records
from partseg.metrics.functional.scannet_ap import (
    SCANNET_CLASSES,
    SCANNET_OFFICIAL,
    ScanNetRecords,
    scannet_instance_ap,
    scannet_records,
)
from partseg_bench import spec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.base import (
    Record,
    element_classes,
    json_safe,
    n_classes,
    only_level,
    part_classes,
    parts_of_elements,
    same_elements,
)
from partseg_bench.protocols.pooled import PooledProtocol, Statistic

_NUMBERS = np.array(list(SCANNET_CLASSES))


class Parts(NamedTuple):
    """Predicted parts that have a class."""

    masks: MaskTable
    classes: Int[np.ndarray, "k"]
    confidence: Float[np.ndarray, "k"]


def predicted_parts(prediction: Prediction | None, sample: PartSample, classes: int) -> Parts:
    """Masks (else labels) with their classes and confidences; those of class -1 are left out.

    Raises:
        PartsegError: of another number of elements, without classes, or a mask names an element twice.
    """
    name, n = sample.shape.name, sample.shape.n_elements
    if prediction is None:
        none = np.zeros(0, np.int64)
        return Parts(MaskTable.from_csr(np.zeros(1, np.int64), none, n), none, np.zeros(0))
    same_elements(prediction, sample)
    found = part_classes(prediction, name, classes)
    try:
        if prediction.masks is not None:
            table = MaskTable.from_csr(prediction.masks.indptr, prediction.masks.indices, n)
        else:
            table = MaskTable.from_labels(prediction.labels, prediction.n_parts)
    except ValueError as error:
        raise PartsegError(f"{name}: mask_indices: {error}") from None
    scores = np.ones(len(found)) if prediction.scores is None else prediction.scores
    kept = found >= 0
    return Parts(table.take(kept), found[kept], scores[kept].astype(np.float64))


def true_parts(sample: PartSample, level: str) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "g"]]:
    """Labels 0..g-1 of the true instances that have a class, -1 elsewhere; and the (most frequent) class of each."""
    labels, semantics = sample.labels[level], sample.semantics[level]
    kept = (labels >= 0) & (semantics >= 0)
    ids, number = np.unique(labels[kept], return_inverse=True)
    out = np.full(len(labels), -1, np.int64)
    out[kept] = number
    votes = np.zeros((len(ids), int(semantics.max(initial=0)) + 1), np.int64)
    np.add.at(votes, (number, semantics[kept]), 1)
    return out, votes.argmax(1).astype(np.int64)


class PartNetInstances(PooledProtocol):
    """Part-category AP and shape AP of one level."""

    spec: ClassVar = spec.PARTNET_INSTANCE
    shape_means: ClassVar = ("sAP50",)

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        level = only_level(sample)
        found = self.matched(prediction, sample, level, n_classes(self.taxonomy, sample, level))
        own = headline(interpolated_ap(found, THRESHOLDS))
        number = found.n_true.sum(0)
        record: Record = {
            "scores": json_safe({"sAP50": own["sAP50"], "sAP50:95": own["sAP50:95"]}),
            "n_true": {str(c): int(number[c]) for c in np.flatnonzero(number)},
            "pred_class": found.pred_class.tolist(),
            "confidence": found.confidence.tolist(),
            "hits": _bits(found.hits),
        }
        return record | ({"missing": True} if prediction is None else {})

    def matched(self, prediction: Prediction | None, sample: PartSample, level: str, classes: int) -> InstanceRecords:
        """What is hit of one shape, by the rule."""
        parts = predicted_parts(prediction, sample, classes)
        labels, kinds = true_parts(sample, level)
        truth = MaskTable.from_labels(labels, len(kinds))
        return partnet_records(0, parts.masks, parts.classes, parts.confidence, truth, kinds, n_classes=classes)

    def statistic(self, records: Sequence[Record]) -> Statistic:
        kinds = sorted({int(c) for row in records for c in (*row["n_true"], *row["pred_class"])})
        place = {c: i for i, c in enumerate(kinds)}
        n_true = np.zeros((len(records), len(kinds)), np.int64)
        for i, row in enumerate(records):
            for c, count in row["n_true"].items():
                n_true[i, place[int(c)]] = count
        classes = [np.array([place[c] for c in row["pred_class"]], np.int64) for row in records]
        confidence = [np.asarray(row["confidence"], np.float64) for row in records]
        hits = [_flags(row["hits"]) for row in records]

        def numbers(places: Int[np.ndarray, "s"]) -> dict[str, float]:
            chosen = InstanceRecords(
                np.arange(len(places)),
                np.array([len(classes[i]) for i in places]),
                n_true[places],
                np.concatenate([classes[i] for i in places]),
                np.concatenate([confidence[i] for i in places]),
                np.concatenate([hits[i] for i in places]),
            )
            found = headline(interpolated_ap(chosen, THRESHOLDS))
            return {name: found[name] for name in self.spec.metrics}

        return numbers


class FusionInstances(PartNetInstances):
    """The same numbers by the rule of instance feature fusion, of predictions that give each element one part.

    Elements without a true part that has a class are deleted first. What is left of a predicted part is its size, at
    most 10 elements being too few, and its class is the most frequent one of its elements. The paper's confidence, 1
    minus the mean entropy of a part's class distributions, is what the prediction gives as the part's score.
    """

    spec: ClassVar = spec.FUSION_INSTANCE

    def matched(self, prediction: Prediction | None, sample: PartSample, level: str, classes: int) -> InstanceRecords:
        truth, kinds = true_parts(sample, level)
        part, found = np.full(len(truth), -1, np.int64), np.full(len(truth), -1, np.int64)
        doubt = np.zeros(len(truth))
        if prediction is not None:
            same_elements(prediction, sample)
            part, found = prediction.labels, element_classes(prediction, sample.shape.name, classes)
            if prediction.scores is not None:
                doubt = 1 - np.r_[prediction.scores, 1.0][parts_of_elements(prediction, sample.shape.name)]
        return fusion_records(0, part, found, doubt, truth, np.r_[kinds, -1][truth], n_classes=classes).instances


class ScanNetInstances(PooledProtocol):
    """AP, AP50 and AP25 of objects in scans; classes are those of the dataset, 18 at most, in the benchmark's order."""

    spec: ClassVar = spec.SCANNET_INSTANCE
    over_categories: ClassVar = False

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        level = only_level(sample)
        classes, name = n_classes(self.taxonomy, sample, level), sample.shape.name
        if classes > len(_NUMBERS):
            raise PartsegError(f"{name}: the rule is for {len(_NUMBERS)} classes at most, the dataset has {classes}")
        parts = predicted_parts(prediction, sample, classes)
        labels, kinds = true_parts(sample, level)
        if len(kinds) >= 1000:
            raise PartsegError(f"{name}: {len(kinds)} true instances, the rule numbers fewer than 1000")
        ids = np.r_[_NUMBERS[kinds] * 1000 + np.arange(1, len(kinds) + 1), 0][labels].astype(np.int64)
        found = scannet_records(0, parts.masks, _NUMBERS[parts.classes], parts.confidence, ids)
        own = scannet_instance_ap([found])
        record: Record = {
            "scores": json_safe({"AP": own.ap, "AP50": own.ap50, "AP25": own.ap25}),
            "n_true": found.n_true[0].tolist(),
            "pred_class": found.pred_class.tolist(),
            "confidence": found.confidence.tolist(),
            "hits": found.hits.tolist(),
            "misses": found.misses.tolist(),
        }
        return record | ({"missing": True} if prediction is None else {})

    def statistic(self, records: Sequence[Record]) -> Statistic:
        width = len(SCANNET_OFFICIAL) + 2
        rows = [
            ScanNetRecords(
                np.array([i]),
                np.array([len(row["pred_class"])]),
                np.asarray(row["n_true"], np.int64)[None],
                np.asarray(row["pred_class"], np.int64),
                np.asarray(row["confidence"], np.float64),
                np.asarray(row["hits"], np.int64).reshape(-1, width),
                np.asarray(row["misses"], np.int64).reshape(-1, width),
            )
            for i, row in enumerate(records)
        ]

        def numbers(places: Int[np.ndarray, "s"]) -> dict[str, float]:
            found = scannet_instance_ap([rows[i]._replace(scan=np.array([k])) for k, i in enumerate(places)])
            return {"AP": found.ap, "AP50": found.ap50, "AP25": found.ap25}

        return numbers


def _bits(hits: np.ndarray) -> list[int]:
    """Hits at the thresholds as one number a prediction, the first threshold its lowest bit."""
    return (hits.astype(np.int64) << np.arange(hits.shape[1])).sum(1).tolist()


def _flags(bits: Sequence[int]) -> np.ndarray:
    return (np.asarray(bits, np.int64)[:, None] >> np.arange(len(THRESHOLDS)) & 1).astype(bool)
