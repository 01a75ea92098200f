"""Scores of S3DIS rooms as a torchmetrics metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from partseg.metrics.functional.s3dis import S3disRoom, s3dis_room, s3dis_scores
from partseg.metrics.records import ShapeRecords, as_array

_FIELDS = len(S3disRoom._fields)
_REAL = ("coverage", "weighted_coverage")


class S3disInstanceScores(ShapeRecords):
    """mCov, mWCov, mPrec, mRec, overall accuracy, mAcc and mIoU of ASIS (see `partseg.metrics.functional.s3dis`).

    Each `update` takes one room. Exact on any number of processes.

    Args:
        classes: number of classes; 13 in S3DIS.
    """

    higher_is_better = True

    def __init__(self, classes: int = 13, **metric: Any) -> None:
        if classes < 1:
            raise ValueError(f"expected at least one class, not {classes}")
        super().__init__(_FIELDS * classes, **metric)
        self.classes = classes

    def update(self, pred_instance: Any, pred_class: Any, true_instance: Any, true_class: Any, name: str = "") -> None:
        """Add one room: four (n,) integer arrays or tensors, as for `s3dis_room`; `name` is for errors."""
        arrays = [as_array(values) for values in (pred_instance, pred_class, true_instance, true_class)]
        self.keep(np.stack(s3dis_room(*arrays, classes=self.classes, name=name or "room")))

    def compute(self) -> dict[str, torch.Tensor]:
        """`mCov`, `mWCov`, `mPrec`, `mRec`, `OA`, `mAcc`, `mIoU` as float64 scalars; NaN where undefined."""
        scores = s3dis_scores([self._room(row) for row in self.table()])
        names = "mCov", "mWCov", "mPrec", "mRec", "OA", "mAcc", "mIoU"
        return self.scalars(dict(zip(names, scores, strict=False)))  # what follows the means are the classes' values

    def _room(self, row: np.ndarray) -> S3disRoom:
        fields = zip(S3disRoom._fields, row.reshape(_FIELDS, self.classes), strict=True)
        return S3disRoom(*(values if name in _REAL else values.astype(np.int64) for name, values in fields))
