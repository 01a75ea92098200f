"""Adam and its schedules, for the network and for the refiner."""

from __future__ import annotations

from typing import Any

import lightning
import torch

from partseg_recursive_partnet.config import OptimConfig


def optimiser(module: lightning.LightningModule, options: OptimConfig) -> Any:
    """What `configure_optimizers` returns."""
    adam = torch.optim.Adam(module.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    if options.schedule == "constant":
        return adam
    if options.schedule == "step":
        return [adam], [torch.optim.lr_scheduler.StepLR(adam, 50, 0.8)]
    steps = max(int(module.trainer.estimated_stepping_batches), 1)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    return {"optimizer": adam, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}
