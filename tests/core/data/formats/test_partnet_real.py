"""PartNet: real annotated objects and the real label sets, where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from partseg.data.formats.partnet import PartNetReader
from partseg.data.formats.partnet_labels import LabelFiles


def test_real_objects(test_data, tmp_path: Path) -> None:
    """Objects of PartNet-Mobility carry PartNet's annotation; label sets are those of PartNet itself."""
    samples = test_data("partnet_samples")
    mobility = samples / "partnet_mobility"
    for name in ("3763", "41083", "45780"):
        (tmp_path / "data_v0" / name).mkdir(parents=True)
        for path in (mobility / name).iterdir():
            target = "objs" if path.name == "textured_objs" else path.name
            (tmp_path / "data_v0" / name / target).symlink_to(path)
    stats = samples / "partnet_taxonomy"
    reader = PartNetReader(tmp_path, labels_root=stats)
    items = {item.name: item for item in reader.index()}
    assert list(items) == ["Bottle/3763", "StorageFurniture/41083", "StorageFurniture/45780"]
    assert list(reader.check()) == []

    names = reader.taxonomy()
    for item in items.values():
        raw = json.loads((item.files[0] / "result.json").read_text())
        leaf = np.loadtxt(item.files[0] / "point_sample" / "sample-points-all-label-10000.txt", dtype=int)
        sample = reader.load(item)
        assert sample.shape.n_elements == 10_000 and sample.shape.normals is not None
        for level, labels in sample.labels.items():
            if level != "leaves":
                want = by_walking(raw[0], set(names[level]), item.category)
                for node, (path, leaves) in want.items():
                    own = np.isin(leaf, leaves)
                    assert len(set(labels[own])) == 1 and (labels == labels[own][0]).sum() == own.sum(), node
                    assert {names[level][i] for i in sample.semantics[level][own]} == {path}
                covered = np.isin(leaf, [x for _, leaves in want.values() for x in leaves])
                np.testing.assert_array_equal(labels >= 0, covered)
                assert labels.max() + 1 == len(want)
        assert (sample.hierarchy.leaf_of >= 0).all()
    storage = reader.load(items["StorageFurniture/45780"])
    assert storage.labels["1"].max() + 1 == 4 and storage.labels["3"].max() + 1 == 22  # 23 leaves, one dropped

    solid = PartNetReader(tmp_path, labels_root=stats, mesh=True)
    mesh = solid.load(items["StorageFurniture/45780"])
    assert mesh.shape.is_mesh and (mesh.labels["1"] >= 0).all()
    # The cloud's labels were taken from the nearest piece: points lie about the box of the faces of their part.
    for part in range(4):
        used = mesh.shape.vertices[mesh.shape.faces[mesh.labels["1"] == part]].reshape(-1, 3)
        own = storage.shape.points[storage.labels["1"] == part]
        assert (own >= used.min(0) - 0.03).all() and (own <= used.max(0) + 0.03).all()


def by_walking(root: dict, listed: set[str], category: str) -> dict[int, tuple[str, list[int]]]:
    """Raw node -> listed path, leaf ids below; merging keeps the paths of these objects."""
    out = {}

    def walk(node: dict, path: str) -> list[int]:
        leaves = [x for c in node.get("children", []) for x in walk(c, f"{path}/{c['name']}")] or [node["id"]]
        if f"{category}/{path}" in listed:
            out[node["id"]] = f"{category}/{path}", leaves
        return leaves

    walk(root, root["name"])
    return out


def test_real_label_sets(test_data) -> None:
    labels = LabelFiles(test_data("partnet_samples") / "partnet_taxonomy")
    assert len(labels.categories) == 24
    sets = {category: labels.of(category) for category in labels.categories}
    count = {level: sum(level in x.levels for x in sets.values()) for level in "123"}
    assert count == {"1": 24, "2": 9, "3": 17}  # Mo et al., Table 3
    assert [len(sets["Chair"].levels[level]) for level in "123"] == [5, 29, 38]
    example = test_data("partnet_samples") / "structurenet_example"
    ids = set(np.loadtxt(example / "example_pc-sem.label", dtype=int).tolist())
    assert ids <= set(sets["Chair"].nodes.values())
