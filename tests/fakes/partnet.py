"""A tiny PartNet of boxes with the layout of the real one: trees, label files, splits, and every h5 release.

The truths are stated leaf by leaf, by hand; nothing here uses the reader.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

POINTS = 240
SLOTS = 200

# Category -> lines of its label set, levels by ids, raw path -> merged path.
NODES = {
    "Chair": (
        "chair", "chair/chair_head", "chair/chair_back", "chair/chair_back/back_surface",
        "chair/chair_back/back_frame", "chair/chair_base", "chair/chair_base/leg", "chair/chair_seat",
        "chair/chair_seat/seat_surface",
    ),
    "Bag": ("bag", "bag/bag_body", "bag/handle"),
}  # fmt: skip
LEVELS = {
    "Chair": {"1": (2, 3, 6, 8), "2": (2, 3, 7, 9), "3": (4, 5, 7, 9)},
    "Bag": {"1": (2, 3)},
}
MAPPING = {
    "Chair": {
        "chair": "chair",
        "chair/chair_back": "chair/chair_back",
        "chair/chair_back/back_surface": "chair/chair_back/back_surface",
        "chair/chair_back/back_frame": "chair/chair_back/back_frame",
        "chair/chair_base": "chair/chair_base",
        "chair/chair_base/regular_base/leg": "chair/chair_base/leg",
        "chair/chair_seat": "chair/chair_seat",
        "chair/chair_seat/seat_surface": "chair/chair_seat/seat_surface",
    },
    "Bag": {"bag": "bag", "bag/bag_body": "bag/bag_body", "bag/body": "bag/bag_body", "bag/handle": "bag/handle"},
}


@dataclass(frozen=True)
class Leaf:
    """A leaf of `result.json`: its id, centre and half size of its box, its part at each level (key, path), its
    path in the merged tree, and the names from root to leaf in the raw tree with their ids."""

    id: int
    box: tuple[tuple[float, ...], tuple[float, ...]]
    parts: dict[str, tuple[str, str]]
    merged: str
    raw: tuple[tuple[int, str], ...]


def chair(legs: int) -> list[Leaf]:
    """A chair: "regular_base" and "seat_single" are dropped by merging, and so is a whole "other_leaf" of the seat."""
    root, back, base, seat = (0, "chair"), (1, "chair_back"), (2, "chair_base"), (3, "chair_seat")
    head = {"1": ("back", "chair/chair_back"), "2": ("back", "chair/chair_back")}
    below = {"1": ("seat", "chair/chair_seat")}
    surface = dict.fromkeys("23", ("surface", "chair/chair_seat/seat_surface"))
    out = [
        Leaf(
            11, ((0, 0.6, -0.4), (0.4, 0.4, 0.03)), head | {"3": ("bs", "chair/chair_back/back_surface")},
            "chair/chair_back/back_surface", (root, back, (11, "back_surface")),
        ),
        Leaf(
            10, ((0, 1.05, -0.4), (0.4, 0.05, 0.05)), head | {"3": ("bf", "chair/chair_back/back_frame")},
            "chair/chair_back/back_frame", (root, back, (10, "back_frame")),
        ),
    ]  # fmt: skip
    for i in range(legs):
        angle = 2 * np.pi * i / legs
        out.append(
            Leaf(
                20 + i, ((0.35 * np.cos(angle), -0.5, 0.35 * np.sin(angle)), (0.04, 0.4, 0.04)),
                {"1": ("base", "chair/chair_base")} | dict.fromkeys("23", (f"leg{i}", "chair/chair_base/leg")),
                "chair/chair_base/leg", (root, base, (4, "regular_base"), (20 + i, "leg")),
            )
        )  # fmt: skip
    out += [
        Leaf(
            31, ((0, 0, 0), (0.4, 0.05, 0.4)), below | surface, "chair/chair_seat/seat_surface",
            (root, seat, (30, "seat_surface"), (31, "seat_single")),
        ),
        Leaf(32, ((0, 0.07, 0), (0.1, 0.02, 0.1)), below, "chair/chair_seat/other", (root, seat, (32, "other_leaf"))),
    ]  # fmt: skip
    return out


def bag(name: str) -> list[Leaf]:
    """A bag whose body the raw tree calls `name`."""
    return [
        Leaf(
            1, ((0, 0, 0), (0.5, 0.4, 0.2)), {"1": ("body", "bag/bag_body")}, "bag/bag_body", ((0, "bag"), (1, name))
        ),
        Leaf(
            2, ((0, 0.6, 0), (0.2, 0.2, 0.02)), {"1": ("handle", "bag/handle")}, "bag/handle",
            ((0, "bag"), (2, "handle")),
        ),
    ]  # fmt: skip


@dataclass
class Known:
    """What was written of one shape: cloud as on disk, leaf id of each point, the leaves, and level truths."""

    category: str
    split: str
    points: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    leaf: np.ndarray
    leaves: list[Leaf]

    def level(self, level: str) -> tuple[np.ndarray, np.ndarray]:
        """(n,) number of the part in order of first leaf, and (n,) class by line; -1 none."""
        names = [NODES[self.category][i - 1] for i in LEVELS[self.category][level]]
        keys = list(dict.fromkeys(x.parts[level][0] for x in self.leaves if level in x.parts))
        part, label = np.full(len(self.leaf), -1), np.full(len(self.leaf), -1)
        for x in self.leaves:
            if level in x.parts:
                part[self.leaf == x.id] = keys.index(x.parts[level][0])
                label[self.leaf == x.id] = names.index(x.parts[level][1])
        return part, label


@dataclass
class Fake:
    """Root, folder of label files, and shapes by name."""

    root: Path
    stats: Path
    shapes: dict[str, Known] = field(default_factory=dict)


SHAPES = {
    ("Chair", "train"): ("173", "45", "2020"),
    ("Chair", "val"): ("9",),
    ("Chair", "test"): ("77", "78"),
    ("Bag", "train"): ("300", "302"),
    ("Bag", "val"): (),
    ("Bag", "test"): ("301",),
}


def write_partnet(root: Path, releases: tuple[str, ...] = (), rows_per_file: int = 2, seed: int = 0) -> Fake:
    """Label files in `<root>/stats`, objects in `<root>/data_v0`, and the h5 releases asked for beside them.

    Chair 45 has a back frame without points. Files hold `rows_per_file` shapes (the real ones 1024).
    """
    rng = np.random.default_rng(seed)
    fake = Fake(root, root / "stats")
    write_stats(fake.stats)
    for (category, split), ids in SHAPES.items():
        for i, name in enumerate(ids):
            leaves = chair(3 + i % 2) if category == "Chair" else bag("body" if i % 2 else "bag_body")
            known = sample(category, split, leaves, rng, empty=(10,) if name == "45" else ())
            fake.shapes[f"{category}/{name}"] = known
            if "trees" in releases:
                write_object(root / "data_v0" / name, name, known)
    for release in releases:
        if release != "trees":
            _write_h5(fake, release, rows_per_file)
    return fake


def write_stats(stats: Path) -> None:
    for category, names in NODES.items():
        kinds = ["leaf" if not any(o.startswith(n + "/") for o in names) else "subcomponents" for n in names]
        lines = [f"{i + 1} {n} {k}" for i, (n, k) in enumerate(zip(names, kinds, strict=True))]
        put(stats / "after_merging_label_ids" / f"{category}.txt", "\n".join(lines) + "\n")
        for level, ids in LEVELS[category].items():
            text = "\n".join(lines[i - 1] for i in ids) + "\n"
            put(stats / "after_merging_label_ids" / f"{category}-level-{level}.txt", text)
        text = "\n".join(f"{a} {b}" for a, b in MAPPING[category].items()) + "\n"
        put(stats / "merging_hierarchy_mapping" / f"{category}.txt", text)
    rows = []
    for (category, split), ids in SHAPES.items():
        records = [{"model_id": f"m{x}", "anno_id": x} for x in ids]
        put(stats / "train_val_test_split" / f"{category}.{split}.json", json.dumps(records))
        rows += [f"{x} 0 {category} m{x} someone" for x in ids]
    put(stats / "all_valid_anno_info.txt", "\n".join(rows) + "\n")


def sample(category: str, split: str, leaves: list[Leaf], rng: np.random.Generator, empty: tuple = ()) -> Known:
    """Points on the faces of the boxes, shared out evenly and shuffled; no points on leaves in `empty`."""
    solid = [x for x in leaves if x.id not in empty]
    which = rng.permutation(np.arange(POINTS) % len(solid))
    axis, sign = rng.integers(0, 3, POINTS), rng.choice([-1.0, 1.0], POINTS)
    normals = np.zeros((POINTS, 3))
    normals[np.arange(POINTS), axis] = sign
    unit = np.where(normals != 0, normals, rng.uniform(-1, 1, (POINTS, 3)))
    centre, half = (np.array([x.box[k] for x in solid])[which] for k in (0, 1))
    points = np.round(centre + half * unit, 6)
    leaf = np.array([x.id for x in solid])[which]
    return Known(category, split, points, normals, rng.integers(0, 256, (POINTS, 3)), leaf, leaves)


def write_object(folder: Path, name: str, known: Known) -> None:
    """One object of `data_v0`."""
    raw, merged = trees(known)
    put(folder / "result.json", json.dumps([raw]))
    put(folder / "result_after_merging.json", json.dumps([merged]))
    put(folder / "meta.json", json.dumps({"anno_id": name, "model_id": f"m{name}", "model_cat": known.category}))
    where = folder / "point_sample"
    where.mkdir(parents=True)
    table = np.c_[known.points, known.normals, known.colors, np.ones(POINTS)]
    np.savetxt(where / "sample-points-all-pts-nor-rgba-10000.txt", table, "%.6f %.6f %.6f %.6f %.6f %.6f %d %d %d %.6f")
    np.savetxt(where / "sample-points-all-label-10000.txt", known.leaf, "%d")
    flipped = known.points[::-1]  # the other cloud is another sample, with its own labels
    np.savetxt(where / "pts-10000.txt", flipped, "%.6f")
    np.savetxt(where / "label-10000.txt", known.leaf[::-1], "%d")
    for leaf in known.leaves:
        for stem, obj in pieces(leaf).items():
            put(folder / "objs" / f"{stem}.obj", obj)


def pieces(leaf: Leaf) -> dict[str, str]:
    """Stem -> OBJ text: each leaf's box in two files, a side (2 triangles) and the rest (5 quads)."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    vertices = np.array(leaf.box[0]) + corners * leaf.box[1]
    quads = ("1 2 4 3", "5 7 8 6", "1 5 6 2", "3 4 8 7", "1 3 7 5", "2 6 8 4")
    head = "".join(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in vertices)
    faces = [f"f {quad}\n" for quad in quads]
    return {f"original-{leaf.id}": head + "".join(faces[1:]), f"new-{leaf.id}": head + faces[0]}


def trees(known: Known) -> tuple[dict, dict]:
    """The raw and the merged tree."""
    raw: dict = {}
    for leaf in known.leaves:
        below = None
        for number, name in leaf.raw:
            siblings = [raw] if below is None else below.setdefault("children", [])
            node = next((x for x in siblings if x.get("id") == number), None)
            if node is None:
                node = raw if below is None else {}
                node.update(id=number, name=name, text=name.replace("_", " ").title())
                if below is not None:
                    siblings.append(node)
            below = node
        below["objs"] = list(pieces(leaf))
    count = iter(range(1000))
    return raw, _merged(raw, raw["name"], MAPPING[known.category], count)[0]


def _merged(node: dict, path: str, mapping: dict[str, str], count) -> list[dict]:
    """The node without what the map drops; children of a dropped node move up."""
    kept = mapping.get(path)
    out = {"id": next(count)} if kept is not None else {}
    below = [m for c in node.get("children", ()) for m in _merged(c, f"{path}/{c['name']}", mapping, count)]
    if kept is None:
        return below
    name = kept.rpartition("/")[2]
    out |= {"ori_id": node["id"], "name": name, "text": name, "objs": _objs(node)}
    return [out | ({"children": below} if below else {})]


def _objs(node: dict) -> list[str]:
    return [*node.get("objs", ()), *(o for c in node.get("children", ()) for o in _objs(c))]


def unit_sphere(points: np.ndarray) -> np.ndarray:
    """Box centre to 0, farthest point at 1, float32."""
    points = points - (points.min(0) + points.max(0)) / 2
    return (points / np.linalg.norm(points, axis=1).max()).astype(np.float32)


def _write_h5(fake: Fake, release: str, rows_per_file: int) -> None:
    for (category, split), ids in SHAPES.items():
        if release in ("ins_seg_h5_gt",) and split != "test":
            continue
        for level in ("",) if release == "ins_seg_h5" else LEVELS[category]:
            folder = fake.root / release / (f"{category}-{level}" if level else category)
            folder.mkdir(parents=True, exist_ok=True)
            listed = []
            for start in range(0, len(ids), rows_per_file):
                stem = f"{split}-{start // rows_per_file:02d}"
                names = ids[start : start + rows_per_file]
                shapes = [fake.shapes[f"{category}/{name}"] for name in names]
                arrays = _ARRAYS[release](shapes, level, split)
                with h5py.File(folder / f"{stem}.h5", "w") as file:
                    for key, value in arrays.items():
                        file.create_dataset(key, data=value, compression="gzip", compression_opts=4)
                listed.append(f"./data/{folder.name}/{stem}.h5")
                if release == "ins_seg_h5":
                    records = [_record(name, shape) for name, shape in zip(names, shapes, strict=True)]
                    put(folder / f"{stem}.json", json.dumps(records))
            if release == "sem_seg_h5":
                put(folder / f"{split}_files.txt", "\n".join(listed) + "\n")


def _record(name: str, known: Known) -> dict:
    """Nodes that the map keeps, depth first, each with the leaf ids below it."""
    out: list[dict] = []

    def walk(node: dict, path: str) -> list[int]:
        own = {"part_name": MAPPING[known.category].get(path), "leaf_id_list": []}
        if own["part_name"] is not None:
            out.append(own)
        leaves = [] if "children" in node else [node["id"]]
        for child in node.get("children", ()):
            leaves += walk(child, f"{path}/{child['name']}")
        own["leaf_id_list"] = leaves
        return leaves

    raw = trees(known)[0]
    walk(raw, raw["name"])
    return {"anno_id": name, "model_id": f"m{name}", "ins_seg": out}


def _ins_seg(shapes: list[Known], level: str, split: str) -> dict[str, np.ndarray]:
    return {
        "pts": np.stack([unit_sphere(x.points) for x in shapes]),
        "nor": np.stack([x.normals for x in shapes]).astype(np.float32),
        "rgb": np.stack([x.colors for x in shapes]).astype(np.uint8),
        "opacity": np.ones((len(shapes), POINTS), np.float32),
        "label": np.stack([x.leaf for x in shapes]).astype(np.int32),
    }


def _masks(known: Known, level: str) -> list[tuple[np.ndarray, int]]:
    """(points, line) of each listed node, also of those without points, in the order of the leaves."""
    names = [NODES[known.category][i - 1] for i in LEVELS[known.category][level]]
    held: dict[str, tuple[np.ndarray, int]] = {}
    for leaf in known.leaves:
        if level in leaf.parts:
            key, path = leaf.parts[level]
            before = held[key][0] if key in held else np.zeros(POINTS, bool)
            held[key] = before | (known.leaf == leaf.id), names.index(path)
    return list(held.values())


def _detection(shapes: list[Known], level: str, split: str) -> dict[str, np.ndarray]:
    b = len(shapes)
    pts = np.stack([unit_sphere(x.points) for x in shapes])
    if split == "test":
        return {"pts": pts}
    label, mask = np.zeros((b, POINTS), np.uint8), np.zeros((b, SLOTS, POINTS), bool)
    valid = np.zeros((b, SLOTS), bool)
    for i, shape in enumerate(shapes):
        for slot, (points, line) in enumerate(_masks(shape, level)):
            mask[i, slot], valid[i, slot] = points, True
            label[i, points] = line + 1
    return {"pts": pts, "gt_label": label, "gt_mask": mask, "gt_valid": valid, "gt_other_mask": ~mask.any(1)}


def _gt(shapes: list[Known], level: str, split: str) -> dict[str, np.ndarray]:
    b = len(shapes)
    label, mask = np.zeros((b, SLOTS), np.uint8), np.zeros((b, SLOTS, POINTS), bool)
    valid = np.zeros((b, SLOTS), bool)
    for i, shape in enumerate(shapes):
        for slot, (points, line) in enumerate(m for m in _masks(shape, level) if m[0].any()):
            mask[i, slot], valid[i, slot], label[i, slot] = points, True, line
    pts = np.stack([unit_sphere(x.points) for x in shapes])
    return {
        "pts": pts, "gt_mask": mask, "gt_mask_label": label, "gt_mask_valid": valid, "gt_mask_other": ~mask.any(1)
    }  # fmt: skip


def _sgpn(shapes: list[Known], level: str, split: str) -> dict[str, np.ndarray]:
    b, n_classes = len(shapes), len(LEVELS[shapes[0].category][level])
    semantic, instance = np.zeros((b, POINTS, n_classes), bool), np.zeros((b, POINTS, SLOTS), bool)
    for i, shape in enumerate(shapes):
        for slot, (points, line) in enumerate(_masks(shape, level)):
            instance[i, points, slot], semantic[i, points, line] = True, True
    return {
        "pts": np.stack([unit_sphere(x.points) for x in shapes]),
        "semseg_one_hot": semantic, "semseg_mask": semantic.any(2).astype(np.float32),
        "insseg_one_hot": instance, "insseg_mask": instance.any(2).astype(np.float32),
    }  # fmt: skip


def _semantic(shapes: list[Known], level: str, split: str) -> dict[str, np.ndarray]:
    label = np.stack([x.level(level)[1] + 1 for x in shapes]).astype(np.int32)
    data = np.stack([unit_sphere(x.points) for x in shapes])
    return {"data": data, "data_num": np.full(len(shapes), POINTS, np.int32), "label_seg": label}


_ARRAYS = {
    "ins_seg_h5": _ins_seg,
    "ins_seg_h5_for_detection": _detection,
    "ins_seg_h5_gt": _gt,
    "ins_seg_h5_for_sgpn": _sgpn,
    "sem_seg_h5": _semantic,
}


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
