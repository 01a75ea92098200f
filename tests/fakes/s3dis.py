"""A tiny data set with S3DIS's layout: rooms of axis-aligned plates, z up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

ROOM = ("floor_1", "ceiling_1", "wall_1", "wall_2", "table_1", "chair_1", "chair_2", "clutter_1")
ROOMS = {(1, "office_1"): 0, (1, "hallway_2"): 1, (2, "office_1"): 2, (5, "copyRoom_1"): 3}


def room(seed: int, points: int = 300) -> dict[str, np.ndarray]:
    """Object name -> (points, 6) x y z r g b; positions to 3 decimals, as in the files."""
    rng = np.random.default_rng(seed)
    size = np.array([2.6, 2.1, 2.5])
    objects = {}
    for name in sorted(ROOM):
        low, high = rng.random(3) * 0.6 * size, size
        xyz = low + rng.random((points, 3)) * np.minimum(0.4 * size, high - low)
        if name.startswith(("floor", "ceiling")):
            xyz = rng.random((points, 3)) * size
            xyz[:, 2] = 0 if name.startswith("floor") else size[2]
        rgb = rng.integers(0, 256, (points, 3))
        objects[name] = np.concatenate([np.round(xyz - [12, 3, 0], 3), rgb], axis=1)
    return objects


def write_s3dis(root: Path, points: int = 300) -> dict[str, dict[str, np.ndarray]]:
    """Write four rooms of three areas, with the other files that the release has beside them.

    Returns:
        item name -> object name -> (points, 6).
    """
    truth = {}
    for (area, name), seed in ROOMS.items():
        objects = room(seed, points)
        folder = root / f"Area_{area}" / name
        (folder / "Annotations").mkdir(parents=True)
        for key, table in objects.items():
            lines = [f"{x:.3f} {y:.3f} {z:.3f} {r:.0f} {g:.0f} {b:.0f}" for x, y, z, r, g, b in table.tolist()]
            (folder / "Annotations" / f"{key}.txt").write_text("\n".join(lines) + "\n")
        (folder / f"{name}.txt").write_text("0 0 0 0 0 0\n")  # the whole room; readers of objects pass it by
        (folder / "Annotations" / ".DS_Store").write_bytes(b"\0\1")
        truth[f"Area_{area}_{name}"] = objects
    (root / "Area_1" / "Area_1_alignmentAngle.txt").write_text("## x\noffice_1 180\n")
    (root / "ReadMe.txt").write_text("read me\n")
    return truth
