"""Coverage, precision and recall of instances in rooms, as ASIS scores S3DIS (Wang et al. 2019, Sec. 4.1).

The definitions are in `partseg.metrics.functional.s3dis`. Two things are settled that the published script leaves
undefined (it prints NaN): classes without any truth in the set are left out of all means, and a class that has truth
but is never predicted has precision 0. Where every class occurs and is predicted, the numbers are the script's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.metrics.functional.s3dis import S3disRoom, s3dis_room, s3dis_scores
from partseg_bench import spec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.base import Record, element_classes, json_safe, n_classes, only_level, same_elements
from partseg_bench.protocols.pooled import PooledProtocol, Statistic


class S3disInstances(PooledProtocol):
    """Every point has an instance (or -1) and a class."""

    spec: ClassVar = spec.S3DIS_INSTANCE
    over_categories: ClassVar = False

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        level = only_level(sample)
        classes, name = n_classes(self.taxonomy, sample, level), sample.shape.name
        kept = sample.semantics[level] >= 0
        true, kinds = sample.labels[level][kept], sample.semantics[level][kept]
        if prediction is None:
            nothing = np.full(len(true), -1, np.int64)
            room = s3dis_room(nothing, kinds, true, kinds, classes=classes, name=name)
            none = np.zeros(classes, np.int64)
            room = room._replace(pred_points=none, hit_points=none)
        else:
            same_elements(prediction, sample)
            found = element_classes(prediction, name, classes)[kept]
            if (found < 0).any():
                raise PartsegError(f"{name}: classes: {np.count_nonzero(found < 0)} points have none; all need one")
            room = s3dis_room(prediction.labels[kept], found, true, kinds, classes=classes, name=name)
        record: Record = {
            "scores": json_safe(_numbers([room])),
            "room": {field: _plain(values) for field, values in room._asdict().items()},
        }
        return record | ({"missing": True} if prediction is None else {})

    def statistic(self, records: Sequence[Record]) -> Statistic:
        rooms = [_room(record["room"]) for record in records]

        def numbers(places: Int[np.ndarray, "s"]) -> dict[str, float]:
            return _numbers([rooms[i] for i in places])

        return numbers


def _numbers(rooms: Sequence[S3disRoom]) -> dict[str, float]:
    found = s3dis_scores(rooms)
    there = np.sum([room.num_true for room in rooms], axis=0) > 0

    def mean(values: np.ndarray) -> float:
        return float(np.nan_to_num(values[there]).mean()) if there.any() else float("nan")

    return {
        "mCov": mean(found.coverage),
        "mWCov": mean(found.weighted_coverage),
        "mPrec": mean(found.precision),
        "mRec": mean(found.recall),
        "accuracy": found.overall_accuracy,
        "mAcc": mean(found.accuracy),
        "mIoU": mean(found.iou),
    }


def _plain(values: np.ndarray) -> list[float | int | None]:
    return [None if value != value else value for value in values.tolist()]  # NaN


def _room(told: Mapping[str, Sequence[float | None]]) -> S3disRoom:
    whole = ("coverage", "weighted_coverage")
    return S3disRoom(
        **{
            field: np.array([np.nan if x is None else x for x in values], np.float64 if field in whole else np.int64)
            for field, values in told.items()
        }
    )
