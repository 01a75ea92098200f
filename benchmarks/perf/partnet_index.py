"""How long the index of a PartNet-like tree takes: one folder an object, as many as the release has."""

from __future__ import annotations

import json
import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from table import Row, seconds

from partseg.data.formats.partnet import PartNetReader
from partseg.errors import ShapeWarning

TARGET = 10.0  # seconds
OBJECTS = 30_000
CATEGORIES = ("Chair", "Table", "Lamp", "StorageFurniture")
_SPLITS = {"train": 0.7, "val": 0.8, "test": 1.0}


def index(objects: int = OBJECTS, repeats: int = 3) -> list[Row]:
    """Median time of `index` with split files, and without label files, where every `meta.json` is read."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ShapeWarning)
        root = Path(folder)
        write_skeletons(root, objects)
        for what, labels in (("split files", "stats"), ("meta.json of each", "elsewhere")):
            if labels == "elsewhere":
                (root / "stats").rename(root / labels)
            times = []
            for _ in range(repeats):
                start = time.perf_counter()
                found = len(PartNetReader(root).index())
                times.append(time.perf_counter() - start)
            took = float(np.median(times))
            name = f"{found:,} objects, category from {what}"
            rows.append(
                Row("Index of a PartNet-like tree", name, seconds(took), "", "", f"< {TARGET:.0f} s", took < TARGET)
            )
    return rows


def write_skeletons(root: Path, objects: int) -> None:
    """Objects with their `meta.json`, `result.json` and `point_sample/`, without geometry; splits of all of them."""
    splits: dict[tuple[str, str], list[dict[str, str]]] = {}
    for i in range(objects):
        category, place = CATEGORIES[i % len(CATEGORIES)], i / objects
        folder = root / "data_v0" / str(i)
        os.makedirs(folder / "point_sample")
        meta = {"model_id": f"{i:032x}", "anno_id": str(i), "model_cat": category}
        (folder / "meta.json").write_text(json.dumps(meta))
        (folder / "result.json").write_text('[{"id": 0, "name": "shape", "text": "Shape", "objs": []}]')
        split = next(name for name, end in _SPLITS.items() if place < end)
        splits.setdefault((category, split), []).append({"anno_id": str(i), "model_id": meta["model_id"]})
    sets = root / "stats" / "after_merging_label_ids"
    sets.mkdir(parents=True)
    (root / "stats" / "train_val_test_split").mkdir()
    for category in CATEGORIES:
        for name in (category, f"{category}-level-1"):
            (sets / f"{name}.txt").write_text("1 shape leaf\n")
    for (category, split), records in splits.items():
        (root / "stats" / "train_val_test_split" / f"{category}.{split}.json").write_text(json.dumps(records))


if __name__ == "__main__":
    for row in index():
        print(f"{row.what}, {row.input}: {row.ours} (target {row.target})")
