"""Mean IoU of semantic parts by the rules of PartNet and of ShapeNetPart, from a class for each element.

The definitions are in `partseg.metrics.functional.semantic`. `semantic` is PartNet's (Mo et al. 2019, Sec. 5.1): the
numbers of a category are over the classes that occur in its truth or predictions; a set of several categories has the
mean over them, as the paper's tables. `shapenet-part` is ShapeNetPart's (Yi et al. 2016; Qi et al., "PointNet", 2017,
Sec. 5.1): a shape's IoU is over all classes of its category, and one in neither truth nor prediction counts 1.

Elements without a true class are left out; those without a predicted class are misses, and so is a shape without a
prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartSample, Taxonomy
from partseg.metrics.functional.averages import exact_mean
from partseg.metrics.functional.semantic import (
    class_counts,
    class_ious,
    partnet_shape_miou,
    shapenetpart_shape_ious,
)
from partseg_bench import spec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.base import Record, element_classes, json_safe, n_classes, only_level, same_elements
from partseg_bench.protocols.pooled import PooledProtocol, Statistic


class SemanticParts(PooledProtocol):
    """Part-wise and shape-wise mean IoU of one level."""

    spec: ClassVar = spec.SEMANTIC
    shape_means: ClassVar = ("shape-miou",)

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        counts = _counts(prediction, sample, self.taxonomy)
        record: Record = {"scores": json_safe({"shape-miou": partnet_shape_miou(counts[None])}), **_sparse(counts)}
        return record | ({"missing": True} if prediction is None else {})

    def statistic(self, records: Sequence[Record]) -> Statistic:
        tables = _tables(records, np.unique(np.concatenate([np.asarray(one["classes"], np.int64) for one in records])))

        def numbers(places: Int[np.ndarray, "s"]) -> dict[str, float]:
            counts = tables[places]
            return {"part-miou": exact_mean(class_ious(counts.sum(0))), "shape-miou": partnet_shape_miou(counts)}

        return numbers


class ShapeNetParts(PooledProtocol):
    """Instance, category and part-wise mean IoU of one level.

    The classes of a category are those that the dataset names `<category>/…`, as it names ShapeNetPart's; without such
    names, those that occur in the truth of its shapes. An element predicted as another category's class is a miss.
    Part-wise, elements of all shapes are pooled, and a class that is nowhere is left out. A shape without a prediction
    has IoU 0; one without a true class is left out.
    """

    spec: ClassVar = spec.SHAPENET_PART
    over_categories: ClassVar = False

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        counts = _counts(prediction, sample, self.taxonomy)
        category = self.categories.get(sample.shape.name, "")
        names = self.taxonomy.get(only_level(sample, needs_instances=False), ())
        named = [i for i, name in enumerate(names) if name.startswith(f"{category}/")]
        parts = sorted({*named, *np.flatnonzero(counts[2]).tolist()})
        record: Record = {"category": category, "parts": parts, **_sparse(counts)}
        record |= {"missing": True} if prediction is None else {}
        if named:  # else further classes are known from other shapes
            whole = self.statistic([record])(np.zeros(1, np.int64))
            record = {"scores": json_safe({"instance-miou": whole["instance-miou"]}), **record}
        return record

    def groups(self, ids: Sequence[str]) -> list[str]:
        return [self.categories.get(shape, "") for shape in ids]

    def statistic(self, records: Sequence[Record]) -> Statistic:
        names, category = np.unique([record["category"] for record in records], return_inverse=True)
        parts: list[set[int]] = [set() for _ in names]
        for k, record in zip(category, records, strict=True):
            parts[k] |= set(record["parts"])
        width = 1 + max((c for record in records for c in (*record["parts"], *record["classes"])), default=0)
        mine = np.zeros((len(names), width), bool)
        for k, classes in enumerate(parts):
            mine[k, sorted(classes)] = True
        tables = _tables(records, np.arange(width))
        tables[:, 1] *= mine[category]
        ious = shapenetpart_shape_ious(tables, category, [sorted(classes) or [0] for classes in parts])
        ious[[bool(record.get("missing")) for record in records]] = 0.0
        ious[~tables[:, 2].any(1)] = np.nan

        def numbers(places: Int[np.ndarray, "s"]) -> dict[str, float]:
            each = [exact_mean(ious[places[category[places] == k]]) for k in range(len(names))]
            out = {
                "instance-miou": exact_mean(ious[places]),
                "category-miou": exact_mean(np.array(each)),
                "part-miou": exact_mean(class_ious(tables[places].sum(0))),
            }
            several = dict(zip(names.tolist(), each, strict=True)) if len(names) > 1 else {}
            return out | {f"instance-miou@{name}": value for name, value in several.items()}

        return numbers


def _counts(prediction: Prediction | None, sample: PartSample, taxonomy: Taxonomy) -> Int[np.ndarray, "3 c"]:
    """`class_counts` of a shape; nothing is right of one without a prediction."""
    level = only_level(sample, needs_instances=False)
    true = sample.semantics[level]
    classes, name = n_classes(taxonomy, sample, level), sample.shape.name
    if prediction is None:
        pred = np.full(len(true), -1, np.int64)
    else:
        same_elements(prediction, sample)
        pred = element_classes(prediction, name, classes)
    return class_counts(pred, true, classes, name)


def _sparse(counts: Int[np.ndarray, "3 c"]) -> Record:
    used = np.flatnonzero(counts.any(0))
    return {"classes": used.tolist(), "counts": counts[:, used].tolist()}


def _tables(records: Sequence[Record], classes: Int[np.ndarray, "c"]) -> Int[np.ndarray, "s 3 c"]:
    """Counts of the records, of all these classes (ascending)."""
    tables = np.zeros((len(records), 3, len(classes)), np.int64)
    for table, record in zip(tables, records, strict=True):
        table[:, np.searchsorted(classes, np.asarray(record["classes"], np.int64))] = record["counts"]
    return tables
