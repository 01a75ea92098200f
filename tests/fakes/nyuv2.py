"""A tiny data set with NYU Depth v2's layout: three frames of slanted boxes, in MATLAB's two formats."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

NAMES = ("book", "bottle", "cabinet", "ceiling", "chair")
TO_40 = (3, 2, 1, 0, 2)  # 0: none
NAMES_40 = ("furniture", "thing", "print")
TO_13 = (2, 1, 1)
NAMES_13 = ("small", "large")


def cells(words) -> np.ndarray:
    """MATLAB's cell array of strings, a row."""
    out = np.empty((1, len(words)), object)
    out[0] = [np.array([word]) for word in words]
    return out


def write_nyuv2(root: Path, frames: int = 3, mappings: bool = False, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Write the labelled set and the splits (the last frame is for testing).

    Returns:
        For each frame images (480, 640, 3), depths, labels and instances (480, 640), as a person sees them.
    """
    rng = np.random.default_rng(seed)
    truth = []
    for _ in range(frames):
        image = np.broadcast_to(rng.integers(0, 256, (480, 1, 3), dtype=np.uint8), (480, 640, 3)).copy()
        depth = np.broadcast_to(np.linspace(3, 1, 480)[:, None], (480, 640)).astype(np.float32).copy()
        label, instance = np.zeros((480, 640), np.uint16), np.zeros((480, 640), np.uint8)
        for k in range(6):
            top, left = rng.integers(0, 380), rng.integers(0, 500)
            box = np.s_[top : top + 90, left : left + 120]
            image[box], depth[box] = rng.integers(0, 256, 3), 0.5 + rng.random()
            label[box], instance[box] = k % len(NAMES) + 1, k // len(NAMES) + 1
        label[-20:] = 4  # a class without an instance number
        instance[-20:] = 0
        depth[:7] = 0
        depth[7, 3] = np.nan
        truth.append({"images": image, "depths": depth, "labels": label, "instances": instance})
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "w", userblock_size=512) as file:
        for name in ("images", "depths", "labels", "instances"):
            rows = np.stack([np.moveaxis(frame[name], (0, 1), (-1, -2)) for frame in truth])  # columns first, as MATLAB
            file.create_dataset(name, data=rows, compression="gzip", chunks=(1, *rows.shape[1:]))
        group = file.create_group("#refs#")
        cell = file.create_dataset("names", (1, len(NAMES)), h5py.ref_dtype)
        for i, word in enumerate(NAMES):
            letters = group.create_dataset(f"n{i}", data=np.array([[ord(c)] for c in word], np.uint16))
            cell[0, i] = letters.ref
    with (root / "nyu_depth_v2_labeled.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNX86".ljust(116))
    savemat(
        root / "splits.mat", {"trainNdxs": np.arange(1, frames)[:, None], "testNdxs": np.array([[frames]], np.uint16)}
    )
    if mappings:
        savemat(root / "classMapping40.mat", {"mapClass": np.array([TO_40]), "className": cells(NAMES_40)})
        inner = {"labels13": np.array([TO_13]), "names13": cells(NAMES_13)}
        savemat(root / "class13Mapping.mat", {"classMapping13": inner})
    return truth
