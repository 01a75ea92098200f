"""A tiny data set with ScanNet v2's layout, made of boxes on a floor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

TABLE = (
    ("1", "wall", "wall", "1"), ("2", "chair", "chair", "5"), ("3", "office chair", "chair", "5"),
    ("4", "coffee table", "table", "7"), ("5", "floor", "floor", "2"), ("6", "toy car", "toy", "40"),
)  # fmt: skip
OBJECTS = ("floor", "office chair", "coffee table", "toy car", "chair")
NUMBERS = {raw: int(number) for _, raw, _, number in TABLE}


def write_ply(path: Path, points: np.ndarray, colors: np.ndarray, faces: np.ndarray, label=None) -> None:
    """Binary PLY as ScanNet writes it: float positions, RGBA, triangles; with `label` an unsigned short a vertex."""
    fields = [("xyz", "<f4", 3), ("rgba", "u1", 4)] + ([] if label is None else [("label", "<u2")])
    vertices = np.zeros(len(points), fields)
    vertices["xyz"], vertices["rgba"][:, :3], vertices["rgba"][:, 3] = points, colors, 255
    if label is not None:
        vertices["label"] = label
    triangles = np.zeros(len(faces), [("n", "u1"), ("corners", "<i4", 3)])
    triangles["n"], triangles["corners"] = 3, faces
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    header += [f"property float {a}" for a in "xyz"]
    header += [f"property uchar {c}" for c in ("red", "green", "blue", "alpha")]
    header += [] if label is None else ["property ushort label"]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", ""]
    path.write_bytes("\n".join(header).encode() + vertices.tobytes() + triangles.tobytes())


def sheet(low: np.ndarray, size: float, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat square of (cells + 1)² vertices that faces up."""
    x, y = np.meshgrid(np.linspace(0, size, cells + 1), np.linspace(0, size, cells + 1), indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1) + low
    number = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = number[:-1, :-1].ravel(), number[1:, :-1].ravel(), number[1:, 1:].ravel(), number[:-1, 1:].ravel()
    return points, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def write_scannet(
    root: Path, scenes=("scene0000_00", "scene0000_01", "scene0001_00"), seed: int = 0, test: str = "scene0707_00"
) -> dict[str, dict[str, np.ndarray]]:
    """Write scenes, split lists (the last scene is val), the category table and an unannotated test scene.

    Returns:
        scene -> points, colors (uint8), faces, object (number in OBJECTS, -1 unannotated), of its vertices.
    """
    rng = np.random.default_rng(seed)
    truth = {}
    for name in (*scenes, test):
        points, faces, owner, segment, total = [], [], [], [], 0
        for i in range(len(OBJECTS) + 1):  # the last one stays unannotated
            at = np.array([i * 1.5, 0, 0 if i == 0 else rng.random()])
            p, f = sheet(at, 1.0, int(rng.integers(4, 7)))
            points.append(p)
            faces.append(f + total)
            owner.append(np.full(len(p), i if i < len(OBJECTS) else -1))
            segment.append(np.where(p[:, 0] > at[0] + 0.5, 100 * i + 7, 100 * i + 3))  # two segments an object
            total += len(p)
        points, faces, owner, segment = (np.concatenate(x) for x in (points, faces, owner, segment))
        colors = rng.integers(0, 256, (total, 3), dtype=np.uint8)
        order = rng.permutation(total)  # objects are not contiguous in the file
        place = np.argsort(order)
        points, colors, owner, segment, faces = points[order], colors[order], owner[order], segment[order], place[faces]
        scene = root / ("scans_test" if name == test else "scans") / name
        scene.mkdir(parents=True)
        write_ply(scene / f"{name}_vh_clean_2.ply", points, colors, faces)
        truth[name] = {"points": points, "colors": colors, "faces": faces, "object": owner}
        if name == test:
            continue
        groups = [
            {"id": i, "objectId": i, "segments": [100 * i + 3, 100 * i + 7], "label": word}
            for i, word in enumerate(OBJECTS)
        ]
        stem = f"{name}_vh_clean_2"
        (scene / f"{stem}.0.010000.segs.json").write_text(
            json.dumps({"params": {"kThresh": "0.0001"}, "sceneId": name, "segIndices": segment.tolist()})
        )
        (scene / f"{name}.aggregation.json").write_text(
            json.dumps({"sceneId": f"scannet.{name}", "appId": "Aggregator.v2", "segGroups": groups})
        )
        number = np.array([NUMBERS[word] for word in OBJECTS] + [0])[owner]
        write_ply(scene / f"{stem}.labels.ply", points, colors, faces, number)
    header = "id\traw_category\tcategory\tnyu40id\n"
    (root / "scannetv2-labels.combined.tsv").write_text(header + "".join("\t".join(row) + "\n" for row in TABLE))
    (root / "scannetv2_train.txt").write_text("\n".join(scenes[:-1]) + "\n")
    (root / "scannetv2_val.txt").write_text(scenes[-1] + "\n")
    (root / "scannetv2_test.txt").write_text(test + "\n")
    return truth
