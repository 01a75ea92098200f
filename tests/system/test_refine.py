"""The refiner's shipped weights do what they ship for, on shapes that they were not trained on."""

from __future__ import annotations

import numpy as np

from partseg.methods.registry import load_method
from partseg_bench.protocols import open_protocol
from partseg_bench.samples import eval_set


def test_shipped_weights_bring_coarse_clouds_nearer_to_the_surface() -> None:
    protocol, refiner = open_protocol("refinement"), load_method("recursive-partnet-refiner")
    options = {"families": ["chair", "table"], "assembled": 1.0, "fused": 0.0, "organic": 0.0}
    samples = list(eval_set("procedural", limit=8, level="fine", options=options))
    records = [protocol.score(protocol.predict(refiner, sample), sample)["scores"] for sample in samples]
    reduction = np.array([record["reduction"] for record in records])
    assert reduction.mean() > 0.05 and (reduction > 0).sum() > len(samples) // 2
    assert all(record["chamfer"] < 0.06 for record in records)
