"""What a protocol is: it asks a method for a prediction of a shape, scores it, and makes a set's numbers of scores."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartSample, Taxonomy
from partseg.errors import PartsegError
from partseg.metrics.functional.summary import bootstrap_interval
from partseg.parts.segmentation import Segmentation
from partseg.spec import ProtocolSpec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.views import PointsView

View = Literal["mesh", "points", "soup"]
Record = dict[str, Any]
RESAMPLES = 2000


class Metric(NamedTuple):
    """One number of a set of shapes: its value, its 95 % bootstrap interval over shapes, and how many shapes made it.

    NaN where it is undefined. Shapes without a prediction are among the `n`, with the worst score there is.
    """

    value: float
    low: float
    high: float
    n: int


class Protocol(ABC):
    """A named evaluation.

    A subclass sets the three class attributes and implements `score` and `aggregate`; most need no `predict` of their
    own.

    Attributes:
        spec: name, version, what a method may see, and what the numbers are called; the first one ranks.
        view: what the method gets: the shape as the dataset has it ("mesh"), or points of its surface ("points").
        asks: what is asked of the method, part of a prediction's identity; protocols that ask the same share them.

    Args:
        taxonomy: level -> class names, of the dataset; for protocols about classes.
        categories: id -> category of the shapes; for protocols that average over categories.
    """

    spec: ClassVar[ProtocolSpec]
    view: ClassVar[View] = "mesh"
    asks: ClassVar[str] = "segment-mesh"

    def __init__(self, taxonomy: Taxonomy | None = None, categories: Mapping[str, str] | None = None) -> None:
        self.taxonomy, self.categories = dict(taxonomy or {}), dict(categories or {})

    def predict(self, method: Any, sample: PartSample, seed: int = 0) -> Prediction:
        """Ask a method for one shape. `sample`'s truth is not shown to it, unless the protocol says so.

        Raises:
            PartsegError: whatever the method raises, and segmentations that do not fit the shape.
        """
        return self.segment(
            method, sample, seed, lambda shape: Prediction.of(segmentation_of(method.segment(shape), shape.name))
        )

    def segment(self, method: Any, sample: PartSample, seed: int, ask: Callable[[Any], Prediction]) -> Prediction:
        """What `ask` predicts of the view that the method may see, as a prediction of the sample's own elements."""
        if hasattr(method, "seed"):
            method.seed = seed
        name = sample.shape.name
        if self.view == "mesh":
            return ask(sample.shape).check(name, sample.shape.n_elements)
        seen = PointsView.of(sample.shape)
        return seen.back(ask(seen.cloud).check(name, seen.cloud.n_elements)).check(name, sample.shape.n_elements)

    @abstractmethod
    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        """The record of one shape: plain data that `aggregate` needs. None is a shape without a prediction.

        The record has `"missing": True` where there is no prediction, and `"scores"`, the shape's own numbers by name,
        where it has some (the first is what best and worst shapes are chosen by).

        Raises:
            PartsegError: the prediction does not fit the shape; the text names the shape and the field.
        """

    @abstractmethod
    def aggregate(self, records: Mapping[str, Record], ids: Sequence[str]) -> dict[str, Metric]:
        """The numbers of the set of shapes `ids`, those of the spec first and in its order.

        Raises:
            PartsegError: a record of another shape, or (for numbers that need the truth of every shape) none of one.
        """


class MeanProtocol(Protocol):
    """A protocol whose numbers are means over shapes of the records' `scores`; a missing shape counts `worst`.

    Scores that are undefined for a shape (NaN, or None in the record) leave the shape out of that number's mean.
    """

    worst: ClassVar[Mapping[str, float]] = {}

    def aggregate(self, records: Mapping[str, Record], ids: Sequence[str]) -> dict[str, Metric]:
        check_ids(records, ids, self.spec.name)
        rows = {shape: records.get(shape, {}).get("scores", {}) for shape in ids}
        further = {name: None for shape in ids for name in rows[shape] if name not in self.spec.metrics}
        out = {}
        for name in (*self.spec.metrics, *further):
            worst = self.worst.get(name, 0.0)
            there = [shape for shape in ids if not is_missing(records, shape)]
            values = [_number(rows[shape].get(name)) if shape in rows else worst for shape in there]
            if name in self.spec.metrics or any(name in rows[shape] for shape in there):
                lost = len(ids) - len(there)
                out[name] = mean_of([*values, *[worst] * lost])
        return out


def mean_of(values: Sequence[float]) -> Metric:
    """The mean of the values that are no NaN, with its interval."""
    kept = np.array([value for value in values if not math.isnan(value)], np.float64)
    if not len(kept):
        return Metric(float("nan"), float("nan"), float("nan"), 0)
    low, high = bootstrap_interval(kept, n=RESAMPLES)
    return Metric(math.fsum(kept.tolist()) / len(kept), low, high, len(kept))


def coverage(records: Mapping[str, Record], ids: Sequence[str]) -> dict[str, Any]:
    """How many shapes are expected, how many have a prediction, and which have none."""
    missing = [shape for shape in ids if is_missing(records, shape)]
    return {"expected": len(ids), "scored": len(ids) - len(missing), "missing": missing}


def is_missing(records: Mapping[str, Record], shape: str) -> bool:
    """Whether a shape has no prediction."""
    return shape not in records or bool(records[shape].get("missing"))


def check_ids(records: Mapping[str, Record], ids: Sequence[str], protocol: str, all_of_them: bool = False) -> None:
    """See that records are of expected shapes (and of all of them).

    Raises:
        PartsegError: naming the shape.
    """
    if not ids:
        raise PartsegError(f"{protocol}: no shape is expected")
    known = set(ids)
    if len(known) < len(ids):
        twice = next(shape for i, shape in enumerate(ids) if shape in ids[:i])
        raise PartsegError(f"{protocol}: shape {twice!r} is expected twice")
    for shape in records:
        if shape not in known:
            raise PartsegError(f"{protocol}: shape {shape!r} is not one of the {len(ids)} expected")
    for shape in ids if all_of_them else ():
        if shape not in records:
            raise PartsegError(
                f"{protocol}: shape {shape!r} has no record, and the numbers need the truth of all shapes"
            )


def only_level(sample: PartSample, needs_instances: bool = True) -> str:
    """The one level with classes (and instances) that a sample has.

    Raises:
        PartsegError: it has none, or several.
    """
    levels = [level for level in sample.semantics if level in sample.labels or not needs_instances]
    if len(levels) != 1:
        found = f"levels {', '.join(levels)}: choose one (--level)" if levels else "no level with classes"
        raise PartsegError(f"{sample.shape.name}: expected the truth of one level with classes, found {found}")
    return levels[0]


def n_classes(taxonomy: Taxonomy, sample: PartSample, level: str) -> int:
    """Number of classes of a level: as the dataset names them, else up to the largest that the shape has.

    Raises:
        PartsegError: the shape has a class outside the dataset's.
    """
    most = int(sample.semantics[level].max(initial=-1)) + 1
    if level not in taxonomy:
        return max(most, 1)
    if most > len(taxonomy[level]):
        known = len(taxonomy[level])
        raise PartsegError(f"{sample.shape.name}: semantics: class {most - 1} of a level of {known} classes")
    return len(taxonomy[level])


def part_classes(prediction: Prediction, shape: str, classes: int) -> Int[np.ndarray, "k"]:
    """Class of each predicted part.

    Raises:
        PartsegError: there are none, or one is out of range.
    """
    if prediction.semantic_id is None:
        raise PartsegError(f"{shape}: semantic_id: the protocol needs a class for each part, there are none")
    ids = prediction.semantic_id
    if len(ids) and not -1 <= ids.min() <= ids.max() < classes:
        raise PartsegError(f"{shape}: semantic_id: expected -1..{classes - 1}, found {ids.min()}..{ids.max()}")
    return ids


def element_classes(prediction: Prediction, shape: str, classes: int) -> Int[np.ndarray, "n"]:
    """Class of each element, -1 for none: as said, else that of its label's part.

    Raises:
        PartsegError: nothing says it, or one is out of range.
    """
    if prediction.classes is not None:
        found = prediction.classes
    elif prediction.semantic_id is not None:
        found = np.r_[part_classes(prediction, shape, classes), -1][parts_of_elements(prediction, shape)]
    else:
        raise PartsegError(f"{shape}: classes: the protocol needs a class for each element or part, there are none")
    if len(found) and not -1 <= found.min() <= found.max() < classes:
        raise PartsegError(f"{shape}: classes: expected -1..{classes - 1}, found {found.min()}..{found.max()}")
    return found.astype(np.int64)


def parts_of_elements(prediction: Prediction, shape: str) -> Int[np.ndarray, "n"]:
    """The labels, to look up what is said of parts; -1 for none.

    Raises:
        PartsegError: one names a part of which nothing is said.
    """
    labels = prediction.labels
    if labels.max(initial=-1) >= prediction.n_parts:
        raise PartsegError(f"{shape}: labels: name part {labels.max()} of {prediction.n_parts}")
    return labels


def same_elements(prediction: Prediction, sample: PartSample, field: str = "labels") -> None:
    """See that a prediction is of the sample's elements.

    Raises:
        PartsegError: naming the shape and the field.
    """
    n = sample.shape.n_elements
    if prediction.n_elements != n:
        raise PartsegError(f"{sample.shape.name}: {field}: expected {n} elements, found {prediction.n_elements}")


def json_safe(values: Mapping[str, float]) -> dict[str, float | None]:
    """The same numbers for JSON, which has no NaN: None."""
    return {name: None if math.isnan(value) else float(value) for name, value in values.items()}


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def segmentation_of(seg: Any, name: str) -> Segmentation:
    """What a method returned, if it is a segmentation."""
    if not isinstance(seg, Segmentation):
        raise PartsegError(f"{name}: the method returned {type(seg).__name__}, not a Segmentation")
    return seg
