"""glTF scene graphs: parts, classes and tree against what the generator knows, real files, damaged files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes.scene_graph import PARTS, TREE, cart, write_glb, write_scene_graphs
from partseg.data.formats.scene_graph import SceneGraphReader
from partseg.errors import InputError


def test_parts_stand_where_the_generator_put_them(tmp_path: Path) -> None:
    names = write_scene_graphs(tmp_path)
    reader = SceneGraphReader(tmp_path)
    items = reader.index()
    assert [item.name for item in items] == names
    assert [item.category for item in items] == ["", "beside", "within"]
    classes = reader.taxonomy()["nodes"]
    assert classes == tuple(sorted({part[1] for part in PARTS} | {"wheel.L"}))
    for item in items:
        sample = reader.load(item)
        order = [0, 3, 1, 2]  # depth first: the lamp hangs on the body
        assert sample.labels["nodes"].max() + 1 == len(PARTS)
        for number, k in enumerate(order):
            _, class_name, low, high, primitives = PARTS[k]
            mask = sample.labels["nodes"] == number
            used = sample.shape.vertices[np.unique(sample.shape.faces[mask])]
            np.testing.assert_allclose([used.min(0), used.max(0)], [low, high], atol=1e-6)
            assert {classes[x] for x in sample.semantics["nodes"][mask]} == {class_name}
            assert len(np.unique(sample.labels["primitives"][mask])) == primitives
            assert mask.sum() == 12
        assert sample.labels["primitives"].max() == 4
    assert not list(reader.check())
    assert pickle.loads(pickle.dumps(reader)).index() == items  # noqa: S301


def test_the_tree_is_the_node_tree(tmp_path: Path) -> None:
    write_scene_graphs(tmp_path)
    reader = SceneGraphReader(tmp_path, category="")
    sample = reader.load(reader.index()[0])
    tree = sample.hierarchy
    assert list(zip(tree.name, tree.parent.tolist(), strict=True)) == TREE
    for level in ("nodes", "primitives"):
        labels, cut = sample.labels[level], tree.cut(level=level)
        np.testing.assert_array_equal(cut == cut[:, None], labels == labels[:, None])
        assert cut.min() == 0
    classes = reader.taxonomy()["nodes"]
    assert tree.semantic_id[[7, 8]].tolist() == [classes.index("wheel.L")] * 2
    assert tree.semantic_id[[0, 6]].tolist() == [-1, -1]


def test_a_file_of_one_part_is_one_node(tmp_path: Path) -> None:
    document, binary = cart()
    document["scene"] = 0
    write_glb(tmp_path / "wheel.glb", document, binary)
    reader = SceneGraphReader(tmp_path)
    tree = reader.load(reader.index()[0]).hierarchy
    assert (tree.n_parts, tree.name) == (1, ("of another scene",))


def test_unnamed_roots_take_the_name_of_the_file(tmp_path: Path) -> None:
    document, binary = cart()
    document["scenes"][1]["nodes"] = [2, 5]
    write_glb(tmp_path / "pair.glb", document, binary)
    write_glb(tmp_path / "twin.glb", document, binary)
    (tmp_path / "twin.gltf").write_bytes((tmp_path / "twin.glb").read_bytes())  # told by content, not by name
    reader = SceneGraphReader(tmp_path)
    assert [item.name for item in reader.index()] == ["pair", "twin.glb", "twin.gltf"]
    for item in reader.index():
        tree = reader.load(item).hierarchy
        assert tree.name[0] == item.files[0].stem and tree.parent.tolist()[:2] == [-1, 0]


# -- damaged files ------------------------------------------------------------------------------------------


def _broken(change: str, document: dict[str, Any]) -> None:
    nodes = document["nodes"]
    match change:
        case "cycle":
            nodes[6]["children"] = [1]
        case "two parents":
            nodes[7]["children"].append(5)
        case "missing child":
            nodes[1]["children"].append(99)
        case "missing mesh":
            nodes[5]["mesh"] = 7
        case "negative mesh":
            nodes[5]["mesh"] = -1
        case "no node":
            nodes[8] = "locator"
        case "wrong nodes":
            document["nodes"] = {"0": {}}
        case "missing scene":
            document["scene"] = 5
        case "missing accessor":
            document["meshes"][1]["primitives"][0]["attributes"]["POSITION"] = 40
        case "missing material":
            document["meshes"][0]["primitives"][0]["material"] = 12
        case "short view":
            document["bufferViews"][1]["byteLength"] = 10
        case "old version":
            document["asset"]["version"] = "1.0"
        case "no geometry":
            document["scenes"][1]["nodes"] = [8]
        case "points":
            for mesh in document["meshes"]:
                for primitive in mesh["primitives"]:
                    primitive["mode"] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("cycle", "node 1 has two parents or is its own ancestor"),
        ("two parents", "node 5 has two parents"),
        ("missing child", "node 1 names child 99"),
        ("missing mesh", "node 5 names mesh 7"),
        ("negative mesh", "node 5 names mesh -1"),
        ("no node", "node 8 is no node"),
        ("wrong nodes", "expected lists"),
        ("missing scene", "cannot be understood"),
        ("missing accessor", "cannot be understood"),
        ("missing material", "cannot be understood"),
        ("short view", "reaches beyond"),
        ("old version", "glTF version 1.0"),
        ("no geometry", "holds no geometry"),
        ("points", "holds points"),
    ],
)
def test_damaged_documents(tmp_path: Path, change: str, message: str) -> None:
    document, binary = cart()
    _broken(change, document)
    path = tmp_path / "cart.glb"
    write_glb(path, document, binary)
    reader = SceneGraphReader(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        reader.load(reader.index()[0])
    assert caught.value.path == str(path) and "\n" not in str(caught.value)
    assert [str(error) for error in reader.check()] == [str(caught.value)]


def test_check_lists_every_wrong_node(tmp_path: Path) -> None:
    document, binary = cart()
    for change in ("missing child", "missing mesh", "no node"):
        _broken(change, document)
    write_glb(tmp_path / "a.glb", document, binary)
    write_glb(tmp_path / "b.glb", *cart())
    reader = SceneGraphReader(tmp_path)
    assert len({str(error) for error in reader.check()}) == 3
    assert "wheel.L" in reader.taxonomy()["nodes"]  # of b; a is passed over


@pytest.mark.parametrize("share", [0.0, 0.005, 0.3, 0.95])
@pytest.mark.parametrize("name", ["cart.glb", "beside/cart.gltf", "beside/cart.bin"])
def test_truncated_files(tmp_path: Path, name: str, share: float) -> None:
    write_scene_graphs(tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    reader = SceneGraphReader(tmp_path)
    errors = list(reader.check())
    assert [Path(error.path).parent for error in errors] == [(tmp_path / name).parent]
    assert "\n" not in str(errors[0])


def test_buffers_outside_the_folder_are_not_read(tmp_path: Path) -> None:
    write_scene_graphs(tmp_path / "set")
    path = tmp_path / "set" / "beside" / "cart.gltf"
    (tmp_path / "set" / "beside" / "cart.bin").rename(tmp_path / "cart.bin")
    document = json.loads(path.read_text())
    document["buffers"][0]["uri"] = "../../cart.bin"
    path.write_text(json.dumps(document))
    (error,) = SceneGraphReader(tmp_path / "set").check()
    assert error.path == str(path) and "missing" in error.cause


def test_wrong_roots(tmp_path: Path) -> None:
    for root, message in ((tmp_path / "none", "no such folder"), (tmp_path, "found none")):
        with pytest.raises(InputError, match=message):
            SceneGraphReader(root).index()
        assert len(list(SceneGraphReader(root).check())) == 1
    write_scene_graphs(tmp_path)
    with pytest.raises(InputError, match="holds no category 'cars'"):
        SceneGraphReader(tmp_path, category="cars").index()


# -- real files ---------------------------------------------------------------------------------------------

# nodes with a mesh, distinct meshes, triangles: as the files' description has them
REAL = {
    "2CylinderEngine": (67, 29, 121_496),
    "CesiumMilkTruck": (3, 2, 3_624),
    "ExplodingBarrel": (5, 5, 8_150),
    "FlightHelmet/FlightHelmet": (6, 6, 94_722),
    "SunglassesKhronos": (8, 8, 13_396),
    "alien": (6, 6, 292),
    "cakeBirthday": (6, 1, 1_332),  # six meshes, all called slice: one class
    "runeSword": (4, 4, 4_296),
    "vehicle-motorcycle": (4, 4, 960),
    "vehicle-truck-green": (6, 6, 1_104),
    "vehicle-truck-purple": (6, 6, 814),
    "vehicle-truck-red": (6, 6, 946),
    "vehicle-truck-yellow": (6, 6, 989),
}


def test_real_scene_graphs(test_data) -> None:
    reader = SceneGraphReader(test_data("gltf_parts"))
    found = {}
    for item in reader.index():
        sample = reader.load(item)
        classes = np.unique(sample.semantics["nodes"])
        found[item.name] = int(sample.labels["nodes"].max()) + 1, len(classes), sample.shape.n_elements
        assert (sample.hierarchy.leaf_of >= 0).all() and classes[0] >= 0
        for level in ("nodes", "primitives"):
            cut, labels = sample.hierarchy.cut(level=level), sample.labels[level]
            pairs = len(np.unique(np.stack([cut, labels]), axis=1).T)
            assert pairs == cut.max() + 1 == labels.max() + 1
    assert found == REAL


def test_real_trucks_stand_on_four_wheels(test_data) -> None:
    reader = SceneGraphReader(test_data("gltf_parts"))
    names = reader.taxonomy()["nodes"]
    for item in reader.index():
        if "truck-" not in item.name:
            continue
        sample = reader.load(item)
        centre = {
            names[k]: sample.shape.face_centroids[sample.semantics["nodes"] == k].mean(0)
            for k in np.unique(sample.semantics["nodes"])
        }
        assert all(centre[name][1] < centre["body"][1] for name in centre if name.startswith("wheel"))
        for end in ("front", "back"):
            left, right = centre[f"wheel-{end}-left"], centre[f"wheel-{end}-right"]
            np.testing.assert_allclose(left * (-1, 1, 1), right, atol=0.02)
