"""PartNet's trees and levels as functions: what is refused, and set formulations beside the array ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partseg.data.formats import partnet_trees
from partseg.data.formats.partnet_labels import level_labels
from partseg.data.formats.partnet_objects import load_cloud, load_pieces, unit
from partseg.data.formats.partnet_trees import nodes_of, read_tree, tree_hierarchy
from partseg.errors import InputError, ShapeWarning


def written(path: Path, tree: object) -> Path:
    path.write_text(json.dumps(tree))
    return path


def node(number: int, *children: dict, **more: object) -> dict:
    return {"id": number, "name": f"n{number}", **({"children": list(children)} if children else {}), **more}


def test_a_tree_is_flat_and_depth_first(tmp_path: Path) -> None:
    path = written(tmp_path / "result.json", [node(7, node(3, node(9, objs=["a", "b", "a"])), node(1, text="One"))])
    tree = read_tree(path)
    assert tree.ids.tolist() == [7, 3, 9, 1] and tree.parent.tolist() == [-1, 0, 1, 0]
    assert tree.paths == ("n7", "n7/n3", "n7/n3/n9", "n7/n1")
    assert tree.is_leaf.tolist() == [False, False, True, True]
    assert tree.objs[2] == ("a", "b") and tree.texts == ("n7", "n3", "n9", "One")
    assert tree.find(np.array([9, 4, -1, 7])).tolist() == [2, -1, -1, 0]


deep = node(0)
for i in range(1, 150):
    deep = node(i, deep)


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({}, "expected a list with one root node, found dict"),
        ([node(0), node(1)], "found 2 entries"),
        (["x"], "expected a node as an object, found str"),
        ([{"name": "a"}], "expected an integer from 0 as id of node 'a', found 'None'"),
        ([{"id": True, "name": "a"}], "expected an integer"),
        ([{"id": -4, "name": "a"}], "expected an integer"),
        ([{"id": 10**30, "name": "a"}], "expected an integer"),
        ([{"id": 0}], "expected a name at node 0"),
        ([{"id": 0, "name": "x" * 10_000}], "expected a name at node 0"),
        ([node(0, objs="a")], "expected lists `children` and `objs`"),
        ([node(0, objs=["../a"])], "expected plain names of meshes"),
        ([node(0, objs=["/etc/a"])], "expected plain names of meshes"),
        ([node(0, objs=[3])], "expected plain names of meshes"),
        ([node(0, node(1), node(1))], "two nodes have the id 1"),
        ([node(0, node(1, node(0)))], "node 0 stands below itself: a cycle"),
        ([node(0, node(1, ori_id=5), node(2, ori_id=5))], "2 nodes have ori_id 5"),
        ([deep], "100 generations"),
    ],
)
def test_what_is_no_tree(tmp_path: Path, tree: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_tree(written(tmp_path / "result.json", tree))


def test_files_that_are_no_json_or_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    with pytest.raises(InputError, match="no such file"):
        read_tree(path)
    for data, words in (
        (b"\xff\x00\x12", "expected JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b"", "expected JS"),
    ):
        path.write_bytes(data)
        with pytest.raises(InputError, match=words):
            read_tree(path)
    monkeypatch.setattr(partnet_trees, "MAX_NODES", 2)
    with pytest.raises(InputError, match="expected at most 2 nodes"):
        read_tree(written(path, [node(0, node(1), node(2))]))
    monkeypatch.setattr(partnet_trees, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="expected at most 10 bytes"):
        read_tree(path)


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Parents of p nodes in depth-first order of numbers, and elements' nodes."""
    p = draw(st.integers(1, 12))
    parent = [-1, *(draw(st.integers(0, i)) for i in range(p - 1))]
    return parent, draw(st.lists(st.integers(-1, p - 1), min_size=1, max_size=30))


@settings(max_examples=60)
@given(trees(), st.data())
def test_hierarchies_hold_the_elements_of_each_node(made: tuple[list[int], list[int]], data: st.DataObject) -> None:
    parent, elements = made
    p = len(parent)
    tree = partnet_trees.RawTree(
        Path("t"), np.arange(p), np.arange(p) * 10, np.array(parent), tuple(f"n{i}" for i in range(p)), ("",) * p,
        ((),) * p,
    )  # fmt: skip
    ids = np.array([e * 10 if e >= 0 else -1 for e in elements])
    found = tree_hierarchy(tree, ids)
    above = [{i} for i in range(p)]  # a node and all above it
    for i in range(1, p):
        above[i] |= above[parent[i]]
    for i in range(p):
        assert found.members(i).tolist() == [] or set(found.members(i).tolist()) == {
            k for k, e in enumerate(elements) if e >= 0 and i in above[e]
        }
        assert int(found.size[i]) == sum(e >= 0 and i in above[e] for e in elements)
    assert found.name[:p] == tree.names and set(found.name[p:]) <= {"other"}

    # Levels: every element goes to the highest listed node above it.
    listed = data.draw(st.sets(st.integers(0, p - 1), max_size=4))
    listed = {i for i in listed if not (above[i] - {i}) & listed}
    parts = [f"x{i}" if i in listed else None for i in range(p)]
    names = [f"x{i}" for i in sorted(listed)]
    labels, classes = level_labels(Path("t"), np.array(parent), parts, np.array(elements), names)
    for k, e in enumerate(elements):
        own = above[e] & listed if e >= 0 else set()
        assert (classes[k] >= 0) == bool(own) == (labels[k] >= 0)
        if own:
            assert names[classes[k]] == f"x{own.pop()}"
    assert set(labels[labels >= 0].tolist()) == set(range(labels.max() + 1))


def test_nested_nodes_of_one_label_are_one_part_and_of_two_an_error() -> None:
    parent, nodes = np.array([-1, 0, 1, 0]), np.array([1, 2, 3, 0, -1])
    labels, classes = level_labels(Path("t"), parent, ["r", "a", "a", "b"], nodes, ["b", "a"])
    assert labels.tolist() == [0, 0, 1, -1, -1] and classes.tolist() == [1, 1, 0, -1, -1]
    with pytest.raises(InputError, match="masks overlap: part 'b' lies in a part 'a'"):
        level_labels(Path("t"), parent, ["r", "a", "b", None], nodes, ["b", "a"])


def test_leaves_that_merging_dropped_count_for_the_node_above(tmp_path: Path) -> None:
    raw = read_tree(written(tmp_path / "r.json", [node(0, node(1, node(2), node(3)), node(4))]))
    merged = read_tree(written(tmp_path / "m.json", [node(0, node(1, node(2, ori_id=3), ori_id=1), ori_id=0)]))
    assert nodes_of(merged, np.array([2, 3, 4, -1]), raw).tolist() == [1, 2, 0, -1]
    with pytest.raises(InputError, match="labelled 9, an id that no node"):
        nodes_of(merged, np.array([9]), raw)


def test_clouds_of_other_forms(tmp_path: Path) -> None:
    where = tmp_path / "point_sample"
    with pytest.raises(InputError, match="found neither"):
        load_cloud(tmp_path)
    where.mkdir()
    (where / "pts-10000.txt").write_text("0 0 0 0 0 2\n1 0 0 0 0 0\n")
    with pytest.raises(InputError, match=r"label-10000\.txt: no such file"):
        load_cloud(tmp_path)
    (where / "label-10000.txt").write_text("4\n5\n")
    shape, ids = load_cloud(tmp_path)
    assert shape.normals.tolist() == [[0, 0, 1], [0, 0, 0]] and shape.colors is None and ids.tolist() == [4, 5]
    (where / "label-10000.txt").write_text("4.5\n5\n")
    with pytest.raises(InputError, match="expected a table of numbers"):
        load_cloud(tmp_path)
    (where / "pts-10000.txt").write_text("0 0\n")
    with pytest.raises(InputError, match="expected 3, 6 or 10 columns, found 2"):
        load_cloud(tmp_path)


def test_pieces_without_faces_are_left_out(tmp_path: Path) -> None:
    tree = read_tree(written(tmp_path / "result.json", [node(0, node(1, objs=["a"]), node(2, objs=["b"]))]))
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n")
    (tmp_path / "b.obj").write_text("v 0 0 1\nv 1 0 1\nv 0 1 1\nf 1 2 3\n")
    with pytest.warns(ShapeWarning, match="holds no faces"):
        shape, ids = load_pieces(tmp_path, tree)
    assert ids.tolist() == [2] and shape.vertices[:, 2].tolist() == [1, 1, 1]
    (tmp_path / "b.obj").write_text("v 0 0 1\n")
    with pytest.warns(ShapeWarning), pytest.raises(InputError, match="found no face"):
        load_pieces(tmp_path, tree)


def test_units() -> None:
    assert unit(np.array([[0.0, 3, 4], [0, 0, 0]])).tolist() == [[0, 0.6, 0.8], [0, 0, 0]]
