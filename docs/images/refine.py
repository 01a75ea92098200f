"""Draw docs/images/refine.png: a coarse chair of the test split in its true parts, and refined by the shipped weights.

python docs/images/refine.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from partseg.cli.main import main as partseg
from partseg.data.coarse import coarsen
from partseg.data.procedural.dataset import ProceduralDataset


def main() -> None:
    batch = ProceduralDataset("test", 1, 8192, kinds={"assembled": 1.0}, families=["chair"])[0]
    points = batch.points[None]
    side = (points.amax(1) - points.amin(1)).max()
    coarse = coarsen(points / side, torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savetxt(folder / "chair.xyz", coarse.points[0].numpy())
        np.save(folder / "chair.npy", batch.labels["fine"][coarse.rows[0]].numpy())
        partseg(["refine", f"{folder}/chair.xyz", "--labels", f"{folder}/chair.npy", "-o", f"{folder}/out"])
        picture = Image.open(folder / "out" / "chair" / "refined.png").convert("RGB")
    small = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS)
    small.quantize(128, dither=Image.Dither.NONE).save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
