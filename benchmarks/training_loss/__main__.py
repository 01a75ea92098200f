"""Whether both node features make training faster, figure 7 of recursive PartNet (Yu et al., CVPR 2019) in numbers.

    python benchmarks/training_loss [--seeds 0,1,2] [--steps 100,200,400]

Trains `recursive-partnet/tiny` on procedural chairs with their own part trees: whole, without recursive context (w/o
RCF), and without the part shape feature in node classification (w/o PSF); the same shapes in the same order. After so
many steps it takes the loss of 48 of the training chairs, without noise: of the nodes' types, and of their points'
labels. "whole − without" is paired over seeds and shapes, with its 95 % bootstrap interval; less is better.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import lightning
import numpy as np
import torch
from torch.utils.data import DataLoader

from partseg.data.batch import PartBatch
from partseg.data.procedural.dataset import ProceduralDataset
from partseg.methods.configs import load_config, merge
from partseg_bench.claims.verdict import compare
from partseg_recursive_partnet.config import RecursivePartNetConfig
from partseg_recursive_partnet.module import RecursivePartNetModule
from partseg_recursive_partnet.spec import SPEC

TRAIN, SCORED, POINTS, BATCH = 400, 48, 1024, 8
VARIANTS: dict[str, dict[str, Any]] = {
    "whole": {},
    "w/o RCF": {"network": {"context": False}},
    "w/o PSF": {"network": {"encoding_in_classifier": False}},
}
TERMS = {"types": "node classification", "labels": "node segmentation"}


class Watch(lightning.Callback):
    """Loss of each of some shapes after so many steps.

    Attributes:
        found: steps -> (terms, shapes).
    """

    def __init__(self, shapes: list[PartBatch], steps: list[int]) -> None:
        self.shapes, self.steps = shapes, steps
        self.found: dict[int, np.ndarray] = {}

    def on_train_batch_end(self, trainer: Any, pl_module: RecursivePartNetModule, *_: Any) -> None:
        if trainer.global_step not in self.steps:
            return
        pl_module.eval()
        with torch.no_grad():
            terms = [pl_module.compute_loss(shape, noisy=False)[1] for shape in self.shapes]
        pl_module.train()
        self.found[trainer.global_step] = np.array([[float(one[name]) for one in terms] for name in TERMS])


def train(variant: str, seed: int, steps: list[int], shapes: list[PartBatch]) -> dict[int, np.ndarray]:
    """Losses of the first shapes after each number of steps."""
    lightning.seed_everything(seed, verbose=False)
    settings = merge(load_config(SPEC, "tiny"), {"data": {"points": POINTS, "hierarchy": "given"}})
    module = RecursivePartNetModule(RecursivePartNetConfig.model_validate(merge(settings, VARIANTS[variant])))
    order = torch.Generator().manual_seed(seed)
    loader = DataLoader(shapes, BATCH, shuffle=True, drop_last=True, collate_fn=PartBatch.collate, generator=order)
    watch = Watch(shapes[:SCORED], steps)
    trainer = lightning.Trainer(
        accelerator="cpu", max_steps=max(steps), max_epochs=-1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[watch],
    )  # fmt: skip
    trainer.fit(module, loader)
    return watch.found


def main(arguments: list[str] | None = None) -> int:
    """Train, score, print; returns the exit code."""
    options = _parse(arguments)
    torch.set_num_threads(1)
    data = ProceduralDataset("train", TRAIN, POINTS, kinds={"assembled": 1.0}, families=["chair"])
    shapes = [data[i] for i in range(TRAIN)]
    found: dict[str, list[dict[int, np.ndarray]]] = {name: [] for name in VARIANTS}
    for seed in options.seeds:
        for name, rows in found.items():
            start = time.perf_counter()
            rows.append(train(name, seed, options.steps, shapes))
            print(f"seed {seed}, {name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    seeds = len(options.seeds)
    print(f"| {SCORED} training chairs, {seeds} seeds | steps | whole | without | whole − without | lower |")
    print("| :-- | --: | --: | --: | --: | :-- |")
    for term, what in enumerate(TERMS.values()):
        for other in list(VARIANTS)[1:]:
            for steps in options.steps:
                whole, without = (np.stack([row[steps][term] for row in found[name]]) for name in ("whole", other))
                gap = compare(whole, without)
                interval = f"{gap.difference:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
                print(
                    f"| {what}, {other} | {steps} | {gap.a:.3f} | {gap.b:.3f} | {interval} | {gap.verdict('lower')} |"
                )
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python benchmarks/training_loss", description=__doc__.splitlines()[0])
    numbers = lambda text: sorted({int(item) for item in text.split(",")})  # noqa: E731
    parser.add_argument("--seeds", type=numbers, default=[0, 1, 2], help="default: 0,1,2")
    parser.add_argument("--steps", type=numbers, default=[100, 200, 400], help="default: 100,200,400")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
