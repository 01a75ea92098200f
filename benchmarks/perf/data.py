"""The embedded data: assembled shapes a second out of a loader with two workers, as training reads them."""

from __future__ import annotations

import time

import numpy as np
from table import Row

from partseg.data.procedural.dataset import Procedural

TARGET = 200.0  # shapes a second
WORKERS = 2
POINTS = 10_000
BATCH = 8


def loader(shapes: int, repeats: int) -> list[Row]:
    """Median rate over `repeats` epochs of `shapes` shapes; the workers start, and import, in an epoch before them."""
    data = Procedural(
        train_size=shapes, points=POINTS, assembled=1, fused=0, organic=0, batch_size=BATCH, workers=WORKERS
    )
    batches = data.train_dataloader()
    rates = []
    for epoch in range(repeats + 1):
        batches.sampler.set_epoch(epoch)
        start = time.perf_counter()
        read = sum(batch.n_shapes for batch in batches)
        rates.append(read / (time.perf_counter() - start))
    rate = float(np.median(rates[1:]))
    return [
        Row(
            f"Procedural shapes through a DataLoader, {WORKERS} workers",
            f"{shapes:,} assembled shapes of {POINTS:,} points, batches of {BATCH}",
            f"{rate:.0f} shapes/s",
            "",
            "",
            f">= {TARGET:.0f} shapes/s",
            rate >= TARGET,
        )
    ]
