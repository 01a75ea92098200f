"""PartNet-Mobility objects and PartNetE's clouds: generated, real, and damaged ones."""

from __future__ import annotations

import contextlib
import itertools
import json
import pickle
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from fakes.mobility import META, TREE, write_cloud, write_labels, write_mobility, write_partnet_e
from partseg.data.formats.mobility import GROUPS, Group, MobilityReader
from partseg.data.formats.mobility_labels import read_labels
from partseg.errors import InputError, ShapeWarning, UnknownNameError
from partseg.geometry.io import load_shape


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_mobility(tmp_path)
    return tmp_path


def test_links_and_leaves_of_an_object(root: Path) -> None:
    reader = pickle.loads(pickle.dumps(MobilityReader(root)))  # noqa: S301
    bottle, furniture = reader.index()
    assert [(item.name, item.category, item.split) for item in (bottle, furniture)] == [
        ("Bottle/102", "Bottle", ""),
        ("StorageFurniture/41", "StorageFurniture", ""),
    ]
    names = reader.taxonomy()
    assert names == {
        "links": ("Bottle/bottle_body", "StorageFurniture/body", "StorageFurniture/rotation_door"),
        "leaves": (
            "Bottle/body", "StorageFurniture/door_surface", "StorageFurniture/handle", "StorageFurniture/panel",
            "StorageFurniture/sticker",
        ),
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # absent textures of a mesh that carries none are not spoken of
        sample = reader.load(furniture)
    piece = np.round((sample.shape.face_centroids[:, 0] - 0.5) / 2).astype(int)  # boxes stand at 0, 2, 4, …
    np.testing.assert_array_equal(sample.labels["leaves"], np.array([0, 1, 2, 2, 3, 4])[piece])
    np.testing.assert_array_equal(sample.labels["links"], np.array([0, 0, 1, 1, 1, -1])[piece])
    np.testing.assert_array_equal(sample.semantics["leaves"], np.array([1, 2, 3, 3, 3, 4])[piece])
    np.testing.assert_array_equal(sample.semantics["links"], np.array([2, 2, 1, 1, 1, -1])[piece])
    assert sample.hierarchy.name[0] == "storage_furniture"
    np.testing.assert_array_equal(
        np.array(sample.hierarchy.name)[sample.hierarchy.leaf_of],
        np.array(["door_surface", "handle", "panel", "panel", "panel", "sticker"])[piece],
    )
    np.testing.assert_allclose(sample.shape.bounds, [[0, 0, 0], [11, 1, 1]])  # the pieces' frame, origins not added
    assert reader.load(bottle).labels["links"].tolist() == [0] * 12
    assert not list(reader.check())


def test_without_a_urdf_links_come_from_the_json(root: Path) -> None:
    with_urdf = MobilityReader(root).load(MobilityReader(root).index()[1])
    (root / "41" / "mobility.urdf").unlink()
    without = MobilityReader(root).load(MobilityReader(root).index()[1])
    np.testing.assert_array_equal(without.labels["links"], with_urdf.labels["links"])
    np.testing.assert_array_equal(without.semantics["links"], with_urdf.semantics["links"])


def test_categories_groups_and_splits_choose(root: Path) -> None:
    reader = MobilityReader(root, category="Bottle")
    assert [item.name for item in reader.index()] == ["Bottle/102"]
    assert reader.taxonomy() == {"links": ("bottle_body",), "leaves": ("body",)}
    assert [item.name for item in MobilityReader(root, group="kitchen").index()] == ["Bottle/102"]
    assert MobilityReader(root, group="kitchen").taxonomy()["links"] == ("Bottle/bottle_body",)
    with pytest.raises(InputError, match=r"no shape of group tools .it has Bottle, StorageFurniture; splits: none"):
        MobilityReader(root, group="tools").index()
    with pytest.raises(UnknownNameError, match="unknown group 'toys'; there are electronics, "):
        MobilityReader(root, group="toys")
    (root / "split").mkdir()
    (root / "split" / "test.txt").write_text("41 StorageFurniture\n")
    (root / "split" / "few-shot.txt").write_text("102 Bottle\n")
    assert [item.split for item in MobilityReader(root).index()] == ["train", "test"]
    assert [item.name for item in MobilityReader(root, split="test").index()] == ["StorageFurniture/41"]
    (root / "split" / "few-shot.txt").write_text("41 StorageFurniture\n")
    with pytest.raises(InputError, match=r"few-shot.txt: line 1: 41 is of split test as well"):
        MobilityReader(root).index()


def test_objects_may_lie_in_folders_of_their_categories(tmp_path: Path) -> None:
    write_mobility(tmp_path / "Unsorted")
    (tmp_path / "Unsorted" / "41" / "meta.json").unlink()
    assert [item.name for item in MobilityReader(tmp_path).index()] == ["Bottle/102", "Unsorted/41"]
    write_mobility(tmp_path / "More")
    with pytest.raises(InputError, match="Bottle/102 is there twice"):
        MobilityReader(tmp_path).index()


def _tree(**changes: object) -> list:
    tree = json.loads(json.dumps(TREE))
    tree["children"][2].update(changes)
    return [tree]


@pytest.mark.parametrize(
    ("file", "content", "cause"),
    [
        ("result.json", json.dumps(_tree())[:-9], "expected JSON"),
        ("result.json", json.dumps(_tree(objs=["original-5"])), "masks overlap: leaves 6 and 9 both name original-5"),
        ("result.json", json.dumps(_tree(id=5)), "two nodes have the id 5"),
        ("result.json", json.dumps(_tree(objs=["../../secret"])), "expected plain names of meshes"),
        ("result.json", "[]", "expected a list with one root node, found 0 entries"),
        ("textured_objs/original-3.obj", None, "no such mesh, but result.json names it at node 5"),
        ("textured_objs/original-3.obj", "v 0 0", "original-3.obj"),
        ("mobility.urdf", "<robot><link", "expected XML"),
        ("mobility.urdf", "<mujoco/>", "expected a <robot>, found <mujoco>"),
        ("mobility.urdf", '<!DOCTYPE r [<!ENTITY a "b">]><robot/>', "DOCTYPE"),
        ("mobility.urdf", '<robot><link name="l"><visual name="door"/></link></robot>', "found 'door'"),
        (
            "mobility.urdf",
            '<robot><link name="a"><visual name="x-7"/></link><link name="b"><visual name="x-7"/></link></robot>',
            "masks overlap: a and b both hold part 7",
        ),
        ("semantics.txt", None, "no such file"),
        ("semantics.txt", "link_0 hinge\n", "line 1: expected link, joint and name, found 2 words"),
        ("semantics.txt", "link_0 a b\nlink_0 a b\n", "line 2: link_0 stands twice"),
        ("semantics.txt", b"\xff\xfe\x80", "expected a text file"),
        ("meta.json", "{}", "expected a category as `model_cat`, found 'None'"),
    ],
)
def test_a_damaged_object_is_named_and_the_others_are_read(
    root: Path, file: str, content: str | bytes | None, cause: str
) -> None:
    path = root / "41" / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    reader = MobilityReader(root)
    [error] = reader.check()
    assert cause in str(error)
    assert file.rpartition("/")[2] in str(error)
    assert "\n" not in str(error)
    assert reader.load(next(item for item in reader.index() if item.name == "Bottle/102")).shape.n_elements == 12


def test_json_of_links_is_checked_where_it_is_needed(root: Path) -> None:
    (root / "41" / "mobility.urdf").unlink()
    for text, cause in (
        ("[{}]", "expected a list of links"),
        ("{", "expected JSON"),
        ("7", "expected a list of links"),
    ):
        (root / "41" / "mobility_v2.json").write_text(text)
        [error] = MobilityReader(root).check()
        assert cause in str(error)
    (root / "41" / "mobility_v2.json").unlink()
    [error] = MobilityReader(root).check()
    assert "expected mobility.urdf or mobility_v2.json, found neither" in str(error)


def test_links_may_name_parts_that_the_tree_lacks(root: Path) -> None:
    path = root / "41" / "mobility.urdf"
    path.write_text(path.read_text().replace("panel-6", "panel-66"))
    reader = MobilityReader(root, category="StorageFurniture")
    with pytest.warns(ShapeWarning, match=r"parts that result.json lacks: 66"):
        sample = reader.load(reader.index()[0])
    assert (sample.labels["links"] < 0).sum() == 24  # panel 6 and the sticker


def test_wrong_roots_say_how_to_get_the_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder .*sapien\.ucsd\.edu"):
        MobilityReader(tmp_path / "nowhere").index()
    with pytest.raises(InputError, match="found neither"):
        MobilityReader(tmp_path).index()


def test_groups_are_disjoint_and_leave_out_toilets() -> None:
    assert tuple(GROUPS) == get_args(Group)
    names = list(itertools.chain(*GROUPS.values()))
    assert len(names) == len(set(names)) == 44  # of 45; PartField's table has no Toilet
    assert "Toilet" not in names


# -- PartNetE ---------------------------------------------------------------------------------------------------


def test_partnet_e_clouds(tmp_path: Path) -> None:
    write_partnet_e(tmp_path)
    for root in (tmp_path, tmp_path / "data"):
        reader = MobilityReader(root)
        assert [(item.name, item.split) for item in reader.index()] == [
            ("Bottle/7", "train"),
            ("Bottle/102", "test"),
            ("StorageFurniture/41", "test"),
        ]
        assert reader.taxonomy()["parts"] == tuple(f"{c}/{name}" for c, names in META.items() for name in names)
        sample = reader.load(reader.index()[2])
        assert sample.labels["parts"].tolist() == [0, 0, 1, 1, 2, 2, -1, -1, -1, -1]
        assert sample.semantics["parts"].tolist() == [1, 1, 1, 1, 3, 3, -1, -1, -1, -1]
        np.testing.assert_array_equal(sample.shape.points[:, 0], np.arange(10))
        assert sample.shape.colors is not None
        assert not list(reader.check())
    plain = MobilityReader(tmp_path, category="StorageFurniture")
    assert plain.taxonomy() == {"parts": ("door", "drawer", "handle")}
    assert plain.load(plain.index()[0]).semantics["parts"].tolist() == [0, 0, 0, 0, 2, 2, -1, -1, -1, -1]
    assert MobilityReader(tmp_path, group="furniture", split="test").index() == plain.index()


def test_partnet_e_errors_name_the_file(tmp_path: Path) -> None:
    write_partnet_e(tmp_path)
    folder = tmp_path / "data" / "test" / "StorageFurniture" / "41"
    write_labels(folder / "label.npy", {"semantic_seg": np.full(10, 3), "instance_seg": np.zeros(10, int)})
    [error] = MobilityReader(tmp_path).check()
    assert "class 3, but StorageFurniture has 3 in PartNetE_meta.json" in str(error)
    (tmp_path / "PartNetE_meta.json").write_text(json.dumps({"Bottle": ["lid"]}))
    [error] = MobilityReader(tmp_path).check()
    assert "names no parts of StorageFurniture" in str(error)
    (tmp_path / "PartNetE_meta.json").write_text('{"Bottle": ["lid", "lid"]}')
    with pytest.raises(InputError, match="expected category -> list of different part names"):
        MobilityReader(tmp_path).taxonomy()
    (tmp_path / "PartNetE_meta.json").unlink()
    with pytest.raises(InputError, match=r"PartNetE_meta\.json: no such file"):
        MobilityReader(tmp_path).taxonomy()


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["<i8", "<i4", ">i4", "i1", "u1"])
def test_pickled_labels_are_read_as_numpy_reads_them(tmp_path: Path, protocol: int, dtype: str) -> None:
    values = np.random.default_rng(0).integers(0, 100, (2, 500)).astype(dtype)
    value = {"semantic_seg": values[0], "instance_seg": values[1], "more": "text"}
    write_labels(tmp_path / "label.npy", value, protocol)
    instances, classes = read_labels(tmp_path, 500)
    truth = np.load(tmp_path / "label.npy", allow_pickle=True).item()
    np.testing.assert_array_equal(classes, truth["semantic_seg"])
    np.testing.assert_array_equal(instances, truth["instance_seg"])
    assert classes.dtype == instances.dtype == np.int64


def test_labels_as_numpy_saves_them_and_converted_ones(tmp_path: Path) -> None:
    value = {"semantic_seg": np.array([0, -1, 2]), "instance_seg": np.array([5, -1, 0])}
    np.save(tmp_path / "label.npy", value)
    assert [x.tolist() for x in read_labels(tmp_path, 3)] == [[5, -1, 0], [0, -1, 2]]
    (tmp_path / "label.npy").unlink()
    np.savez(tmp_path / "label.npz", **value)
    assert [x.tolist() for x in read_labels(tmp_path, 3)] == [[5, -1, 0], [0, -1, 2]]
    with pytest.raises(InputError, match=r"expected 4 integers as instance_seg, found int64 \(3,\)"):
        read_labels(tmp_path, 4)


class _Program:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_a_pickle_that_is_a_program_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for value in (_Program(trace), {"semantic_seg": _Program(trace), "instance_seg": np.zeros(3, int)}):
        write_labels(tmp_path / "label.npy", value)
        with pytest.raises(InputError, match=r"nothing else: .*np\.savez"):
            read_labels(tmp_path, 3)
    assert not trace.exists()
    np.load(tmp_path / "label.npy", allow_pickle=True)
    assert trace.exists()  # it would have been


@pytest.mark.parametrize(
    "value",
    [
        {"semantic_seg": [0, 1, 2], "instance_seg": np.zeros(3, int)},
        {"semantic_seg": np.zeros((3, 1), int), "instance_seg": np.zeros(3, int)},
        {"semantic_seg": np.zeros(3), "instance_seg": np.zeros(3, int)},
        {"semantic_seg": np.array([None] * 3), "instance_seg": np.zeros(3, int)},
        {"semantic_seg": np.zeros(3, int)},
        {1: 2},
        [1, 2],
        None,
    ],
)
def test_other_pickles_are_refused(tmp_path: Path, value: object) -> None:
    write_labels(tmp_path / "label.npy", value)
    with pytest.raises(InputError, match=r"label\.npy: expected"):
        read_labels(tmp_path, 3)


def test_pickles_cut_short_or_scrambled_are_refused(tmp_path: Path) -> None:
    value = {"semantic_seg": np.arange(3), "instance_seg": np.arange(3)}
    path = tmp_path / "label.npy"
    for protocol in (2, 4):
        write_labels(path, value, protocol)
        data = path.read_bytes()
        for size in range(len(data)):
            path.write_bytes(data[:size])
            with pytest.raises(InputError):
                read_labels(tmp_path, 3)
        rng = np.random.default_rng(protocol)
        for _ in range(300):
            changed = bytearray(data)
            for at in rng.integers(0, len(data), 3):
                changed[at] = rng.integers(256)
            path.write_bytes(changed)
            with contextlib.suppress(InputError):
                assert len(read_labels(tmp_path, 3)[0]) == 3
    path.write_bytes(b"")
    with pytest.raises(InputError, match="expected a NumPy file"):
        read_labels(tmp_path, 3)
    np.save(path, np.zeros(3))
    with pytest.raises(InputError, match="expected a dictionary saved by NumPy, found float64"):
        read_labels(tmp_path, 3)
    path.unlink()
    with pytest.raises(InputError, match="No such file"):
        read_labels(tmp_path, 3)
    (tmp_path / "label.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(InputError, match="expected an archive of integer arrays"):
        read_labels(tmp_path, 3)


def test_a_cloud_without_points_in_parts(tmp_path: Path) -> None:
    write_cloud(tmp_path / "test" / "Toilet" / "1", np.full(10, -1), np.full(10, -1))
    (tmp_path / "PartNetE_meta.json").write_text(json.dumps(META))
    reader = MobilityReader(tmp_path)
    sample = reader.load(reader.index()[0])
    assert (sample.labels["parts"] == -1).all()
    assert (sample.semantics["parts"] == -1).all()


# -- real objects -----------------------------------------------------------------------------------------------


def test_the_real_objects(test_data: Callable[[str], Path]) -> None:
    root = test_data("partnet_samples") / "partnet_mobility"
    reader = MobilityReader(root)
    items = {item.name: item for item in reader.index()}
    leaves = {"Bottle/3763": (3, 2, 2), "StorageFurniture/41083": (36, 4, 5), "StorageFurniture/45780": (23, 4, 3)}
    assert set(items) == set(leaves)
    for name, (n, depth, links) in leaves.items():
        where, sample = items[name].files[0], reader.load(items[name])
        assert len(sample.hierarchy.leaves) == sample.labels["leaves"].max() + 1 == n
        assert sample.hierarchy.depth.max() == depth
        assert sample.labels["links"].max() + 1 == links
        assert (sample.labels["links"] >= 0).all()
        # each piece by its file: the URDF tells its link, the tree its leaf
        link_of = {
            mesh.get("filename"): link.get("name")
            for link in ElementTree.parse(where / "mobility.urdf").iter("link")
            for mesh in link.iterfind("visual/geometry/mesh")
        }
        label, size = {}, 0
        here = {tuple(x): i for i, x in enumerate(sample.shape.face_centroids)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for path in sorted((where / "textured_objs").glob("*.obj")):
                piece = load_shape(path)
                faces = [here[tuple(x)] for x in piece.face_centroids]
                assert len(np.unique(sample.labels["leaves"][faces])) == 1
                found = set(sample.labels["links"][faces].tolist())
                assert label.setdefault(link_of[f"textured_objs/{path.name}"], found) == found
                size += piece.n_elements
        assert size == sample.shape.n_elements
        assert len(label) == links
        names = dict(line.split()[::2] for line in (where / "semantics.txt").read_text().splitlines())
        for link, (number,) in label.items():
            [kind] = set(sample.semantics["links"][sample.labels["links"] == number].tolist())
            assert reader.taxonomy()["links"][kind] == f"{name.partition('/')[0]}/{names[link]}"
