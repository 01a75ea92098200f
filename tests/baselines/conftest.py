"""Four procedural shapes to overfit, and how well a method does on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def overfit_batch() -> Any:
    """Four assembled shapes of 512 points."""
    from partseg.data.batch import PartBatch
    from partseg.data.procedural.dataset import ProceduralDataset

    data = ProceduralDataset("train", 4, 512, kinds={"assembled": 1.0})
    return PartBatch.collate([data[i] for i in range(4)])


@pytest.fixture(scope="session")
def mean_iou() -> Callable[[Any, Any, str], float]:
    """Class-agnostic mIoU of a method on a batch at a level."""
    from partseg.methods.method import shapes_of
    from partseg.metrics.functional import class_agnostic_miou

    def score(method: Any, batch: Any, level: str) -> float:
        truth = [batch[i].labels[level].numpy() for i in range(batch.n_shapes)]
        found = [method.segment(shape).labels for shape in shapes_of(batch)]
        return float(np.mean([class_agnostic_miou(a, b) for a, b in zip(found, truth, strict=True)]))

    return score
