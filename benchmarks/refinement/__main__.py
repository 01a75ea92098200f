"""Whether part-guided refinement lowers the Chamfer distance (Yu et al., CVPR 2019, section 5), on chairs.

    python benchmarks/refinement [--seeds 0,1,2] [--steps 600] [--weights runs/refiner]

Trains `recursive-partnet-refiner/small` on procedural chairs, once a seed, and prints the Chamfer distance (both
directions added, lengths, × 1000, longest box side 1) of held-out chairs to their 4096 surface points: of the coarse
cloud, and refined with different parts. "Before − after" is paired over seeds and shapes, with its 95 % bootstrap
interval. The segmentation without learning is `ward-position`, cut into as many parts as the truth has.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import lightning
import numpy as np
import torch
from torch.utils.data import DataLoader

from partseg.data.batch import PartBatch
from partseg.data.coarse import coarsen
from partseg.data.procedural.dataset import ProceduralDataset
from partseg.geometry.shape import Shape
from partseg.methods.configs import load_config
from partseg.methods.registry import load_method
from partseg.metrics.functional.proposals import chamfer_distance
from partseg.parts.segmentation import Segmentation
from partseg.parts.tree import renumber
from partseg_bench.claims.verdict import compare
from partseg_recursive_partnet.batches import in_cube
from partseg_recursive_partnet.refinement.config import RefinerConfig
from partseg_recursive_partnet.refinement.module import RefinerModule
from partseg_recursive_partnet.refinement.spec import SPEC

TRAIN, TEST, BATCH, FINE = 200, 24, 8, 4096
CHAIRS = {"families": ["chair"], "kinds": {"assembled": 1.0}}
PARTS = ("true parts", "ward-position", "one part")


def train(seed: int, steps: int) -> RefinerModule:
    """A refiner with weights of this seed."""
    lightning.seed_everything(seed, verbose=False)
    module = RefinerModule(RefinerConfig.model_validate(load_config(SPEC, "small")))
    data = ProceduralDataset("train", TRAIN, module.config.data.points, **CHAIRS)
    shapes = [data[i] for i in range(TRAIN)]
    loader = DataLoader(shapes, BATCH, shuffle=True, drop_last=True, collate_fn=PartBatch.collate)
    trainer = lightning.Trainer(
        accelerator="cpu", max_steps=steps, max_epochs=-1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0,
    )  # fmt: skip
    trainer.fit(module, loader)
    return module.eval()


def score(module: RefinerModule, seed: int) -> dict[str, np.ndarray]:
    """Chamfer distance of each held-out chair: before, and after with each kind of parts."""
    data = ProceduralDataset("test", TEST, FINE, **CHAIRS)
    out: dict[str, list[float]] = {name: [] for name in ("coarse", *PARTS)}
    ward = load_method("ward-position")
    for i in range(TEST):
        batch = data[i]
        cloud = in_cube(batch.points[None])[0]
        coarse = coarsen(cloud, torch.Generator().manual_seed(1000 * seed + i))
        shape, fine = Shape.from_points(coarse.points[0].numpy()), cloud[0].numpy()
        true = renumber(batch.labels["fine"][coarse.rows[0]].numpy())
        cuts = {
            "true parts": true,
            "ward-position": ward.segment(shape, parts=int(true.max()) + 1).labels,
            "one part": np.zeros_like(true),
        }
        out["coarse"].append(chamfer_distance(shape.points, fine).sum)
        for name, labels in cuts.items():
            refined = module.refine(shape, Segmentation(shape, labels)).shape
            out[name].append(chamfer_distance(refined.points, fine).sum)
    return {name: 1000 * np.array(values) for name, values in out.items()}


def main(arguments: list[str] | None = None) -> int:
    """Train, score, print; returns the exit code."""
    options = _parse(arguments)
    torch.set_num_threads(1)
    rows = []
    for seed in options.seeds:
        start = time.perf_counter()
        module = train(seed, options.steps)
        print(f"seed {seed}: {options.steps} steps, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        if options.weights is not None:
            module.save_pretrained(options.weights / f"seed-{seed}", seed=seed, steps=options.steps)
        rows.append(score(module, seed))
    tables = {name: np.stack([row[name] for row in rows]) for name in ("coarse", *PARTS)}
    print(f"| {TEST} chairs, {len(rows)} seeds | before | after | before − after | refinement lowers Chamfer |")
    print("| :-- | --: | --: | --: | :-- |")
    for name in PARTS:
        found = compare(tables["coarse"], tables[name])
        gap = f"{found.difference:+.1f} [{found.low:+.1f}, {found.high:+.1f}]"
        print(f"| {name} | {found.a:.1f} | {found.b:.1f} | {gap} | {found.verdict('higher')} |")
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python benchmarks/refinement", description=__doc__.splitlines()[0])
    seeds = lambda text: [int(item) for item in text.split(",")]  # noqa: E731
    parser.add_argument("--seeds", type=seeds, default=[0, 1, 2], help="default: 0,1,2")
    parser.add_argument("--steps", type=int, default=600, help="of training, of 8 chairs each (default: 600)")
    parser.add_argument("--weights", type=Path, help="folder to keep the trained weights in")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
