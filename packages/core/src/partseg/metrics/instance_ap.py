"""Instance average precision as torchmetrics metrics: PartNet's, instance feature fusion's, recursive decomposition's.

`update` scores one shape, which it is told the number of: its place in the data set. Numbers put shapes in order (which
breaks ties of confidence) and keep a shape that a sampler hands to two processes from counting twice; `compute` gives
the same on any number of processes. The definitions are in `partseg.metrics.functional`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from partseg.metrics.functional.average_precision import (
    THRESHOLDS,
    InstanceAP,
    InstanceRecords,
    checked_thresholds,
    headline,
)
from partseg.metrics.functional.fusion_ap import (
    FusionRecords,
    SemanticMeanIoU,
    fusion_instance_ap,
    fusion_records,
    fusion_semantic_miou,
)
from partseg.metrics.functional.partnet_ap import partnet_instance_ap, partnet_records
from partseg.metrics.functional.recursive_ap import (
    RECURSIVE_THRESHOLDS,
    RecursiveAP,
    recursive_partnet_ap,
    recursive_records,
)
from partseg.metrics.records import ColumnRecords, to_numpy

_WHOLE = torch.int64


class _InstanceMetric(ColumnRecords):
    """Columns of `InstanceRecords`, and perhaps others."""

    def __init__(self, n_classes: int, thresholds: Sequence[float], others: dict[str, Any], **metric: Any) -> None:
        if n_classes < 1:
            raise ValueError(f"expected at least one class, not {n_classes}")
        self.n_classes = n_classes
        self.thresholds = tuple(checked_thresholds(thresholds).tolist())
        columns = {
            "shape_number": ((), _WHOLE),
            "n_pred": ((), _WHOLE),
            "n_true": ((n_classes,), _WHOLE),
            "pred_class": ((), _WHOLE),
            "confidence": ((), torch.float64),
            "hits": ((len(self.thresholds),), torch.uint8),
        }
        super().__init__(columns | others, **metric)

    def _instances(self) -> InstanceRecords:
        shape, n_pred, n_true, pred_class, confidence, hits = self.gathered()[:6]
        return InstanceRecords(shape, n_pred, n_true, pred_class, confidence, hits.astype(bool))


class PartNetInstanceAP(_InstanceMetric):
    """Part-category AP and shape AP by the rule of PartNet (`partseg.metrics.functional.partnet_ap`), 0..1.

    Args:
        n_classes: scored classes of the category and level.
        thresholds: IoU. The default gives all of AP25, AP50, AP75 and AP50:95.
    """

    def __init__(self, n_classes: int, thresholds: Sequence[float] = THRESHOLDS, **metric: Any) -> None:
        super().__init__(n_classes, thresholds, {}, **metric)

    def update(
        self,
        shape: int,
        pred: Any,
        pred_class: Any,
        confidence: Any,
        true: Any,
        true_class: Any,
        *,
        pred_valid: Any = None,
        true_valid: Any = None,
        other: Any = None,
    ) -> None:
        """Score one shape; arguments as for `partnet_records`, arrays or tensors."""
        values = map(to_numpy, (pred, pred_class, confidence, true, true_class))
        flags = {"pred_valid": to_numpy(pred_valid), "true_valid": to_numpy(true_valid), "other": to_numpy(other)}
        self.append(partnet_records(int(shape), *values, **flags, n_classes=self.n_classes, thresholds=self.thresholds))

    def compute(self) -> dict[str, torch.Tensor]:
        """`AP25`, `AP50`, `AP75`, `AP50:95` (part-category) and `sAP…` (by shape), of the thresholds there are."""
        return self.as_tensors(headline(self._result()))

    def result(self) -> InstanceAP:
        """The same by class and by shape. On several processes, each must call it."""
        with self.sync_context():
            return self._result()

    def _result(self) -> InstanceAP:
        return partnet_instance_ap([self._instances()], self.thresholds)


class FusionInstanceAP(_InstanceMetric):
    """AP, shape AP and the three mIoUs of instance feature fusion (`partseg.metrics.functional.fusion_ap`), 0..1.

    Args:
        n_classes: scored classes of the category and level.
        thresholds: IoU. The default gives all of AP25, AP50, AP75 and AP50:95.
    """

    def __init__(self, n_classes: int, thresholds: Sequence[float] = THRESHOLDS, **metric: Any) -> None:
        super().__init__(n_classes, thresholds, {"semantic": ((n_classes, 3), _WHOLE)}, **metric)

    def update(
        self, shape: int, pred_instance: Any, pred_class: Any, entropy: Any, true_instance: Any, true_class: Any
    ) -> None:
        """Score one shape; arguments as for `fusion_records`, arrays or tensors."""
        values = map(to_numpy, (pred_instance, pred_class, entropy, true_instance, true_class))
        record = fusion_records(int(shape), *values, n_classes=self.n_classes, thresholds=self.thresholds)
        self.append((*record.instances, record.semantic))

    def compute(self) -> dict[str, torch.Tensor]:
        """`AP25` … and `sAP25` …, of the thresholds there are, and `mIoU-v1`, `mIoU-v2`, `mIoU-v3`."""
        ap, semantic = self._result()
        return self.as_tensors(headline(ap) | {f"mIoU-{v}": getattr(semantic, v) for v in ("v1", "v2", "v3")})

    def result(self) -> tuple[InstanceAP, SemanticMeanIoU]:
        """The same by class and by shape. On several processes, each must call it."""
        with self.sync_context():
            return self._result()

    def _result(self) -> tuple[InstanceAP, SemanticMeanIoU]:
        records = [FusionRecords(self._instances(), self.gathered()[6])]
        return fusion_instance_ap(records, self.thresholds), fusion_semantic_miou(records)


class RecursivePartNetAP(_InstanceMetric):
    """AP of recursive part decomposition (`partseg.metrics.functional.recursive_ap`), 0..1.

    Args:
        n_classes: classes of the category.
        thresholds: IoU.
    """

    def __init__(self, n_classes: int, thresholds: Sequence[float] = RECURSIVE_THRESHOLDS, **metric: Any) -> None:
        super().__init__(n_classes, thresholds, {}, **metric)

    def update(self, shape: int, pred_group: Any, true_group: Any, true_class: Any) -> None:
        """Score one shape; arguments as for `recursive_records`, arrays or tensors."""
        values = map(to_numpy, (pred_group, true_group, true_class))
        self.append(recursive_records(int(shape), *values, n_classes=self.n_classes, thresholds=self.thresholds))

    def compute(self) -> dict[str, torch.Tensor]:
        """`AP25` and `AP50` (one entry a threshold): means over all classes."""
        result = self._result()
        names = [f"AP{100 * threshold:g}" for threshold in self.thresholds]
        return self.as_tensors(dict(zip(names, result.part_mean.tolist(), strict=True)))

    def result(self) -> RecursiveAP:
        """The same by class. On several processes, each must call it."""
        with self.sync_context():
            return self._result()

    def _result(self) -> RecursiveAP:
        return recursive_partnet_ap([self._instances()], self.thresholds)
