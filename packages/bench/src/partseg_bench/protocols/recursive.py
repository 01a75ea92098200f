"""Average precision of a decomposition by the rule of recursive PartNet (Yu et al. 2019, Sec. 4.2) and of its release.

It measures grouping with oracle classes: a predicted group has the class that most of its elements truly have, so that
methods which name nothing can be scored; there is no confidence. The rule is in
`partseg.metrics.functional.recursive_ap`. Elements without a part are a group of no class, in the truth and in the
prediction; numbers are means over the classes that have true parts in the set (the release counts a class of the
category without any as 0). `…-one-class` takes all parts for one class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartSample
from partseg.metrics.functional.average_precision import InstanceRecords
from partseg.metrics.functional.recursive_ap import RECURSIVE_THRESHOLDS, recursive_partnet_ap, recursive_records
from partseg_bench import spec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.base import Record, View, n_classes, only_level, same_elements
from partseg_bench.protocols.pooled import PooledProtocol, Statistic

_NAMES = tuple(f"AP{100 * threshold:g}" for threshold in RECURSIVE_THRESHOLDS)
_ONE = "-one-class"


class RecursiveInstances(PooledProtocol):
    """AP25 and AP50 of one level, class by class and as one class."""

    spec: ClassVar = spec.RECURSIVE_INSTANCE
    view: ClassVar[View] = "points"
    asks: ClassVar[str] = "segment-points"

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        level = only_level(sample)
        labels, classes = sample.labels[level], sample.semantics[level]
        most = n_classes(self.taxonomy, sample, level)
        named = np.where(labels >= 0, classes + 1, 0).astype(np.int64)  # 0: no class
        if prediction is None:
            group = np.full(len(labels), -1, np.int64)
        else:
            same_elements(prediction, sample)
            group = prediction.labels
        record: Record = {"scores": {}}
        for key, true_class, count in (("", named, most + 1), (_ONE, (named > 0).astype(np.int64), 2)):
            found = recursive_records(0, group, labels.astype(np.int64), true_class, n_classes=count)
            kept = found.pred_class > 0 if prediction is not None else np.zeros(len(found.pred_class), bool)
            number = found.n_true[0]
            record[f"n_true{key}"] = {str(c): int(number[c]) for c in np.flatnonzero(number) if c > 0}
            record[f"pred_class{key}"] = found.pred_class[kept].tolist()
            record[f"hits{key}"] = found.hits[kept].astype(int).tolist()
            record["scores"] |= {f"{name}{key}": value for name, value in _ap([record], key, np.zeros(1, int)).items()}
        return record | ({"missing": True} if prediction is None else {})

    def statistic(self, records: Sequence[Record]) -> Statistic:
        def numbers(places: Int[np.ndarray, "s"]) -> dict[str, float]:
            both = {f"{name}{key}": value for key in ("", _ONE) for name, value in _ap(records, key, places).items()}
            return {name: both[name] for name in self.spec.metrics}

        return numbers


def _ap(rows: Sequence[Record], key: str, places: Int[np.ndarray, "s"]) -> dict[str, float]:
    """AP at each threshold, mean over the classes that have true parts; 0 where none has."""
    chosen = [rows[i] for i in places]
    kinds = sorted({int(c) for row in chosen for c in row[f"n_true{key}"]})
    if not kinds:
        return dict.fromkeys(_NAMES, 0.0)
    place = {c: i for i, c in enumerate(kinds)}
    n_true = np.zeros((len(chosen), len(kinds)), np.int64)
    counts, classes, hits = [], [], []
    for i, row in enumerate(chosen):
        for c, count in row[f"n_true{key}"].items():
            n_true[i, place[int(c)]] = count
        pairs = zip(row[f"pred_class{key}"], row[f"hits{key}"], strict=True)
        known = [(place[c], hit) for c, hit in pairs if c in place]
        counts.append(len(known))
        classes.extend(c for c, _ in known)
        hits.extend(hit for _, hit in known)
    merged = InstanceRecords(
        np.arange(len(chosen)), np.array(counts), n_true, np.array(classes, np.int64), np.zeros(len(classes)),
        np.array(hits, bool).reshape(-1, len(_NAMES)),
    )  # fmt: skip
    return dict(zip(_NAMES, recursive_partnet_ap([merged]).part_mean.tolist(), strict=True))
