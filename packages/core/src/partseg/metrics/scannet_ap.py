"""Instance average precision of the ScanNet benchmark as a torchmetrics metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from partseg.metrics.functional.average_precision import checked_thresholds
from partseg.metrics.functional.scannet_ap import (
    SCANNET_CLASSES,
    SCANNET_OFFICIAL,
    ScanNetAP,
    ScanNetRecords,
    scannet_instance_ap,
    scannet_records,
)
from partseg.metrics.records import ColumnRecords, to_numpy


class ScanNetInstanceAP(ColumnRecords):
    """AP, AP50 and AP25 by the rule of the ScanNet benchmark (`partseg.metrics.functional.scannet_ap`), 0..1.

    Args:
        thresholds: IoUs that `AP` averages: the nine of the released script, or `SCANNET_STATED`, the ten of papers.
    """

    def __init__(self, thresholds: Sequence[float] = SCANNET_OFFICIAL, **metric: Any) -> None:
        self.thresholds = tuple(checked_thresholds(thresholds).tolist())
        width = (len(self.thresholds) + 2,)
        columns = {
            "scan_number": ((), torch.int64),
            "n_pred": ((), torch.int64),
            "n_true": ((len(SCANNET_CLASSES),), torch.int64),
            "pred_class": ((), torch.int64),
            "confidence": ((), torch.float64),
            "hits": (width, torch.int64),
            "misses": (width, torch.int64),
        }
        super().__init__(columns, **metric)

    def update(self, scan: int, pred: Any, pred_label: Any, confidence: Any, true_ids: Any) -> None:
        """Score one scan; arguments as for `scannet_records`, arrays or tensors."""
        values = map(to_numpy, (pred, pred_label, confidence, true_ids))
        self.append(scannet_records(int(scan), *values, thresholds=self.thresholds))

    def compute(self) -> dict[str, torch.Tensor]:
        """`AP`, `AP50`, `AP25`: means over classes with targets; NaN before the first scan."""
        result = self._result()
        return self.as_tensors({"AP": result.ap, "AP50": result.ap50, "AP25": result.ap25})

    def result(self) -> ScanNetAP:
        """The same by class and threshold. On several processes, each must call it."""
        with self.sync_context():
            return self._result()

    def _result(self) -> ScanNetAP:
        return scannet_instance_ap([ScanNetRecords(*self.gathered())], self.thresholds)
