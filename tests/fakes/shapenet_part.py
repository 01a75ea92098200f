"""ShapeNetPart as its two releases lay it out, from boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

CATEGORIES = {
    "Airplane": ("02691156", range(0, 4)),
    "Chair": ("03001627", range(12, 16)),
    "Mug": ("03797390", (36, 37)),
}
SPLITS = ("train", "val", "test")


def cloud(seed: int, classes: Any, n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (n, 3), unit normals (n, 3) and classes (n,) of one shape."""
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(n, 3))
    return (
        rng.uniform(-1, 1, (n, 3)),
        normals / np.linalg.norm(normals, axis=1, keepdims=True),
        rng.choice(list(classes), n),
    )


def write_text(root: Path, per_category: int = 4) -> dict[str, dict[str, Any]]:
    """The release with normals; the last shape of a category is in no split. Returns what each shape is, by name."""
    root.mkdir(parents=True, exist_ok=True)
    lists: dict[str, list[str]] = {split: [] for split in SPLITS}
    known, lines = {}, []
    for c, (category, (number, classes)) in enumerate(CATEGORIES.items()):
        lines.append(f"{category}\t{number}\n")
        (root / number).mkdir()
        for i in range(per_category):
            name = f"{i:x}a{c}f"
            points, normals, labels = cloud(10 * c + i, classes)
            np.savetxt(
                root / number / f"{name}.txt", np.column_stack([points, normals, labels]), fmt=["%.6f"] * 6 + ["%.6f"]
            )
            split = SPLITS[i] if i < 3 else ""
            if split:
                lists[split].append(f"shape_data/{number}/{name}")
            known[f"{category}/{name}"] = {"points": points, "normals": normals, "classes": labels, "split": split}
    (root / "synsetoffset2category.txt").write_text("".join(lines))
    (root / "train_test_split").mkdir()
    for split, names in lists.items():
        (root / "train_test_split" / f"shuffled_{split}_file_list.json").write_text(json.dumps(names))
    return known


def write_h5(root: Path, lists: bool = True, n: int = 64) -> dict[str, dict[str, Any]]:
    """The HDF5 release: two files of training shapes, one each for the rest. Returns what each shape is, by name."""
    import h5py

    from partseg.data.formats.shapenet_part import CATEGORIES as names

    root.mkdir(parents=True, exist_ok=True)
    numbers = [f"{2691156 + i:08d}" for i in range(16)]
    known: dict[str, dict[str, Any]] = {}
    for f, (stem, split) in enumerate([("train0", "train"), ("train1", "train"), ("val0", "val"), ("test0", "test")]):
        clouds = [cloud(100 * f + c, classes, n) for c, (_, classes) in enumerate(CATEGORIES.values())]
        with h5py.File(root / f"ply_data_{stem}.h5", "w") as file:
            file["data"] = np.stack([points for points, _, _ in clouds]).astype(np.float32)
            file["label"] = np.array([[names.index(category)] for category in CATEGORIES], np.uint8)
            file["pid"] = np.stack([classes for _, _, classes in clouds]).astype(np.uint8)
        for row, (category, (points, _, classes)) in enumerate(zip(CATEGORIES, clouds, strict=True)):
            known[f"{category}/{stem}_{row:04d}"] = {"points": points, "classes": classes, "split": split}
    (root / "all_object_categories.txt").write_text(
        "".join(f"{name}\t{number}\n" for name, number in zip(names, numbers, strict=True))
    )
    if lists:
        for split, files in (("train", ["train0", "train1"]), ("val", ["val0"]), ("test", ["test0"])):
            (root / f"{split}_hdf5_file_list.txt").write_text("".join(f"ply_data_{x}.h5\n" for x in files))
    return known
