"""A tiny PartNet-Mobility (boxes as furniture) and a tiny PartNetE (points in a row), as they lie on disk."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np

BOX = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip

TREE = {
    "id": 0, "name": "storage_furniture", "text": "Storage Furniture", "children": [
        {"id": 1, "name": "cabinet_door", "text": "Door", "children": [
            {"id": 7, "name": "door_surface", "text": "Surface", "objs": ["new-1"]},
            {"id": 8, "name": "handle", "text": "Handle", "objs": ["original-2"]},
        ]},
        {"id": 2, "name": "cabinet_frame", "text": "Frame", "children": [
            {"id": 5, "name": "panel", "text": "Panel", "objs": ["original-4", "original-3"]},
            {"id": 6, "name": "panel", "text": "Panel", "objs": ["original-5"]},
        ]},
        {"id": 9, "name": "sticker", "text": "Sticker", "objs": ["original-6"]},
    ],
}  # fmt: skip
"""Leaves, in order: 7 door_surface, 8 handle, 5 panel (two pieces), 6 panel, 9 sticker (in no link)."""

LINKS = {"link_0": {7: ["new-1"], 8: ["original-2"]}, "link_1": {5: ["original-4", "original-3"], 6: ["original-5"]}}
NAMES = {7: "door_surface", 8: "handle", 5: "panel", 6: "panel", 9: "sticker"}
META = {"Bottle": ["lid"], "StorageFurniture": ["door", "drawer", "handle"], "Toilet": ["lid", "seat"]}


def write_mobility(root: Path) -> None:
    """Objects 41 (StorageFurniture, TREE and LINKS) and 102 (Bottle: one leaf `body`, id 3, in one link)."""
    write_object(root / "41", "StorageFurniture", TREE, LINKS, ("link_0 hinge rotation_door", "link_1 heavy body"))
    bottle = {"id": 0, "name": "bottle", "text": "Bottle", "children": [
        {"id": 3, "name": "body", "text": "Body", "objs": ["original-1"]},
    ]}  # fmt: skip
    write_object(root / "102", "Bottle", bottle, {"link_0": {3: ["original-1"]}}, ("link_0 free bottle_body",))


def write_object(
    folder: Path, category: str, tree: dict, links: dict[str, dict[int, list[str]]], semantics: tuple[str, ...]
) -> None:
    """One object: a box of 12 triangles for each piece, side by side along x in the order of the tree."""
    (folder / "textured_objs").mkdir(parents=True)
    for i, stem in enumerate(pieces(tree)):
        write_box(folder / "textured_objs" / f"{stem}.obj", 2.0 * i)
    (folder / "result.json").write_text(json.dumps([tree]))
    (folder / "meta.json").write_text(json.dumps({"model_id": "x", "anno_id": folder.name, "model_cat": category}))
    (folder / "semantics.txt").write_text("\n".join(semantics) + "\n")
    text = ['<?xml version="1.0" ?>', '<robot name="partnet_x">', '<link name="base"/>']
    for link, leaves in links.items():
        text.append(f'<link name="{link}">')
        for number, stems in leaves.items():
            for stem in stems:
                mesh = f'<geometry><mesh filename="textured_objs/{stem}.obj"/></geometry>'
                name = f"{NAMES.get(number, 'part')}-{number}"
                text.append(f'<visual name="{name}"><origin xyz="1 2 3"/>{mesh}</visual>')
                text.append(f'<collision><origin xyz="1 2 3"/>{mesh}</collision>')
        text.append("</link>")
        text.append(f'<joint name="j_{link}" type="fixed"><child link="{link}"/><parent link="base"/></joint>')
    (folder / "mobility.urdf").write_text("\n".join([*text, '<link name="link_0_helper"/>', "</robot>"]))
    moves = [
        {"id": i, "parent": -1, "joint": "hinge", "name": link, "jointData": {},
         "parts": [{"id": number, "name": "part", "children": []} for number in leaves]}
        for i, (link, leaves) in enumerate(links.items())
    ]  # fmt: skip
    (folder / "mobility_v2.json").write_text(json.dumps(moves))


def pieces(tree: dict) -> list[str]:
    """Mesh names of a tree, depth first."""
    return [*tree.get("objs", []), *(stem for child in tree.get("children", []) for stem in pieces(child))]


def write_box(path: Path, x: float) -> None:
    """An OBJ of a unit cube whose lower corner is (x, 0, 0), with a material whose texture is absent."""
    path.with_suffix(".mtl").write_text("newmtl m\nmap_Kd ../images/texture_0.jpg\n")
    lines = [f"mtllib {path.stem}.mtl", *(f"v {a + x} {b} {c}" for a, b, c in BOX), "usemtl m"]
    path.write_text("\n".join([*lines, *(f"f {a} {b} {c}" for a, b, c in FACES + 1)]) + "\n")


def write_partnet_e(root: Path) -> None:
    """Test shapes StorageFurniture/41 and Bottle/102, few-shot shape Bottle/7; ten points each.

    Instances of 41 are 0 0 1 1 4 4 -1 -1 -1 -1, classes 0 0 0 0 2 2 -1 -1 -1 -1 (two doors, a handle).
    """
    instances, classes = np.array([0, 0, 1, 1, 4, 4, -1, -1, -1, -1]), np.array([0, 0, 0, 0, 2, 2, -1, -1, -1, -1])
    write_cloud(root / "data" / "test" / "StorageFurniture" / "41", instances, classes)
    write_cloud(root / "data" / "test" / "Bottle" / "102", np.minimum(instances, 0), np.minimum(classes, 0))
    write_cloud(root / "data" / "few_shot" / "Bottle" / "7", np.full(10, -1), np.full(10, -1))
    (root / "PartNetE_meta.json").write_text(json.dumps(META))


def write_cloud(folder: Path, instances: np.ndarray, classes: np.ndarray) -> None:
    """`pc.ply` with colours and `label.npy`, a dictionary that NumPy pickles, as released."""
    (folder / "images").mkdir(parents=True)
    header = ["ply", "format ascii 1.0", f"element vertex {len(instances)}"]
    header += [f"property float {axis}" for axis in "xyz"] + [f"property uchar {c}" for c in ("red", "green", "blue")]
    rows = [f"{i} 0 0 255 0 {i}" for i in range(len(instances))]
    (folder / "pc.ply").write_text("\n".join([*header, "end_header", *rows]) + "\n")
    write_labels(folder / "label.npy", {"semantic_seg": classes, "instance_seg": instances})


def write_labels(path: Path, value: object, protocol: int = 4) -> None:
    """What `np.save` makes of an object, with the given pickle protocol (4 today, 3 and 2 by older versions)."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        array = np.empty((), object)
        array[()] = value
        pickle.dump(array, file, protocol=protocol)
