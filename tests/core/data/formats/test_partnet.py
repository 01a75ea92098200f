"""PartNet: per-object trees, against what the generator wrote."""

from __future__ import annotations

import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from fakes.partnet import LEVELS, NODES, Fake, put, write_partnet
from partseg.data.formats.base import dense
from partseg.data.formats.partnet import PartNetReader
from partseg.data.formats.partnet_index import locate
from partseg.errors import InputError, ShapeWarning


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return write_partnet(tmp_path, ("trees",))


def item_of(reader: PartNetReader, name: str):
    return next(item for item in reader.index() if item.name == name)


def paths(category: str, level: str) -> tuple[str, ...]:
    return tuple(NODES[category][i - 1] for i in LEVELS[category][level])


def test_the_index_is_sorted_by_category_split_and_the_split_files_order(fake: Fake) -> None:
    items = PartNetReader(fake.root).index()
    assert [item.name for item in items] == [
        "Bag/300", "Bag/302", "Bag/301", "Chair/173", "Chair/45", "Chair/2020", "Chair/9", "Chair/77", "Chair/78"
    ]  # fmt: skip
    assert [item.split for item in items[:3]] == ["train", "train", "test"]
    assert PartNetReader(fake.root / "data_v0").index() == items
    chairs = PartNetReader(fake.root, category="Chair", split="test").index()
    assert [item.name for item in chairs] == ["Chair/77", "Chair/78"]


def test_every_object_comes_back_as_it_was_written(fake: Fake) -> None:
    reader = PartNetReader(fake.root)
    for item in reader.index():
        known, sample = fake.shapes[item.name], reader.load(item)
        np.testing.assert_allclose(sample.shape.points, known.points, atol=1e-6)
        np.testing.assert_allclose(sample.shape.normals, known.normals, atol=1e-6)
        np.testing.assert_allclose(sample.shape.colors, known.colors / 255, atol=1e-6)
        assert list(sample.labels) == [*LEVELS[item.category], "leaves"]
        for level in LEVELS[item.category]:
            part, label = known.level(level)
            np.testing.assert_array_equal(sample.labels[level], dense(part))
            names = reader.taxonomy()[level]
            own = paths(item.category, level)
            want = [f"{item.category}/{own[i]}" if i >= 0 else None for i in label]
            assert [names[i] if i >= 0 else None for i in sample.semantics[level]] == want


def test_one_category_has_its_own_taxonomy(fake: Fake) -> None:
    reader = PartNetReader(fake.root, category="Chair")
    assert dict(reader.taxonomy()) == {level: paths("Chair", level) for level in "123"}
    for item in reader.index():
        for level in "123":
            np.testing.assert_array_equal(reader.load(item).semantics[level], fake.shapes[item.name].level(level)[1])


def test_the_hierarchy_is_the_merged_tree_over_the_points(fake: Fake) -> None:
    reader = PartNetReader(fake.root)
    known = fake.shapes["Chair/45"]
    sample = reader.load(item_of(reader, "Chair/45"))
    tree = sample.hierarchy
    found = {i: f"{tree.name[i]}" for i in range(tree.n_parts)}
    for i in range(1, tree.n_parts):
        found[i] = f"{found[int(tree.parent[i])]}/{tree.name[i]}"
    assert "chair/chair_base/regular_base" not in found.values()
    want = {leaf.id: leaf.merged for leaf in known.leaves}
    assert [found[i] for i in tree.leaf_of] == [want[i] for i in known.leaf]
    # Instances at each level are nodes of the tree, also where merging dropped the leaf itself.
    seat = next(i for i, path in found.items() if path == "chair/chair_seat")
    np.testing.assert_array_equal(tree.mask(seat), np.isin(known.leaf, (31, 32)))
    np.testing.assert_array_equal(sample.labels["leaves"], dense(known_leaves(known)))
    assert tree.semantic_id[seat] == 8  # its line in Chair.txt


def known_leaves(known) -> np.ndarray:
    """Leaves in the order of the merged tree: as the generator lists them, the dropped one last."""
    order = [leaf.id for leaf in known.leaves]
    return np.array([order.index(i) for i in known.leaf])


def test_missing_levels_are_absent_or_filled_from_the_coarser_one(fake: Fake) -> None:
    bag = PartNetReader(fake.root, category="Bag")
    assert list(bag.taxonomy()) == ["1"]
    full = PartNetReader(fake.root, category="Bag", fill_levels=True)
    assert dict(full.taxonomy()) == dict.fromkeys("123", paths("Bag", "1"))
    sample = full.load(full.index()[0])
    assert list(sample.labels) == ["1", "2", "3", "leaves"]
    for level in "23":
        np.testing.assert_array_equal(sample.labels[level], sample.labels["1"])
    both = PartNetReader(fake.root, fill_levels=True)
    assert both.taxonomy()["3"][:2] == ("Bag/bag/bag_body", "Bag/bag/handle")
    chair = both.load(item_of(both, "Chair/9"))
    np.testing.assert_array_equal(
        chair.semantics["3"], np.where((own := fake.shapes["Chair/9"].level("3")[1]) < 0, -1, own + 2)
    )


def test_two_raw_paths_give_one_class(fake: Fake) -> None:
    reader = PartNetReader(fake.root, category="Bag", split="train")
    first, second = (set(reader.load(item).semantics["1"].tolist()) for item in reader.index())
    assert first == second == {0, 1}


def test_the_mesh_is_the_union_of_the_pieces(fake: Fake) -> None:
    reader = PartNetReader(fake.root, category="Chair", mesh=True)
    item = item_of(reader, "Chair/173")
    sample, known = reader.load(item), fake.shapes["Chair/173"]
    assert sample.shape.n_elements == 12 * len(known.leaves)
    centre = sample.shape.element_positions
    names = paths("Chair", "1")
    for face in range(len(centre)):
        inside = [x for x in known.leaves if (np.abs(centre[face] - x.box[0]) <= np.add(x.box[1], 1e-6)).all()]
        label = sample.semantics["1"][face]
        assert names[label] in {x.parts["1"][1] for x in inside}
    assert np.bincount(sample.labels["1"]).tolist() == [24, 36, 24]  # back, three legs, seat
    assert np.bincount(sample.labels["3"][sample.labels["3"] >= 0]).tolist() == [12] * 6


def test_the_plain_cloud_is_read_where_the_other_is_absent(fake: Fake) -> None:
    where = fake.root / "data_v0" / "173" / "point_sample"
    (where / "sample-points-all-pts-nor-rgba-10000.txt").unlink()
    reader = PartNetReader(fake.root)
    sample, known = reader.load(item_of(reader, "Chair/173")), fake.shapes["Chair/173"]
    assert sample.shape.normals is None and sample.shape.colors is None
    np.testing.assert_allclose(sample.shape.points, known.points[::-1], atol=1e-6)
    np.testing.assert_array_equal(sample.labels["2"], dense(known.level("2")[0][::-1]))


def test_merged_paths_without_the_map_come_from_the_merged_tree(fake: Fake) -> None:
    before = PartNetReader(fake.root).load(item_of(PartNetReader(fake.root), "Chair/45"))
    shutil.rmtree(fake.stats / "merging_hierarchy_mapping")
    after = PartNetReader(fake.root).load(item_of(PartNetReader(fake.root), "Chair/45"))
    for level in "123":
        np.testing.assert_array_equal(before.labels[level], after.labels[level])
        np.testing.assert_array_equal(before.semantics[level], after.semantics[level])


def test_without_label_files_there_are_leaves_and_the_tree_and_a_warning(fake: Fake) -> None:
    fake.stats.rename(fake.root.parent / f"{fake.root.name}-elsewhere")
    reader = PartNetReader(fake.root)
    with pytest.warns(ShapeWarning, match="no label files.*labels_root"):
        items = reader.index()
    assert sorted(item.name for item in items) == sorted(fake.shapes)  # categories from meta.json
    sample = reader.load(next(item for item in items if item.name == "Chair/9"))
    assert list(sample.labels) == ["leaves"] and not sample.semantics and sample.hierarchy is not None
    with pytest.warns(ShapeWarning, match="no label files"):
        assert reader.taxonomy() == {}
    given = PartNetReader(fake.root, labels_root=fake.root.parent / f"{fake.root.name}-elsewhere")
    assert "3" in given.load(item_of(given, "Chair/9")).labels


def test_a_category_without_label_files_is_named(fake: Fake) -> None:
    for name in ("after_merging_label_ids/Bag.txt", "after_merging_label_ids/Bag-level-1.txt"):
        (fake.stats / name).unlink()
    reader = PartNetReader(fake.root)
    with pytest.warns(ShapeWarning, match="no label files of Bag"):
        bag, *_, chair = reader.index()
    assert list(reader.load(bag).labels) == ["leaves"] and "3" in reader.load(chair).labels


def test_readers_travel_to_other_processes(fake: Fake) -> None:
    reader = PartNetReader(fake.root, category="Chair")
    items = reader.index()
    copy = pickle.loads(pickle.dumps(reader))  # noqa: S301
    np.testing.assert_array_equal(copy.load(items[0]).labels["1"], reader.load(items[0]).labels["1"])


def test_check_lists_missing_shapes_and_every_damaged_file(fake: Fake) -> None:
    objects = fake.root / "data_v0"
    assert list(PartNetReader(fake.root).check()) == []
    shutil.rmtree(objects / "77")
    (objects / "45" / "objs" / "new-31.obj").unlink()
    (objects / "9" / "result.json").write_text('[{"id": 0')
    (objects / "300" / "point_sample" / "sample-points-all-label-10000.txt").write_text("1\n2\n")
    errors = [str(error) for error in PartNetReader(fake.root).check()]
    assert len(errors) == 4
    for part in ("77: no such object, but the test split of Chair", "1 meshes.*new-31", "9/result.json: expected JSON"):
        assert any(re.search(part, error) for error in errors), part
    assert any("300" in error and "expected 240 lines of one label" in error for error in errors)
    assert not any("Chair" in str(error) for error in PartNetReader(fake.root, category="Bag").check())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"category": "Sofa"}, "category 'Sofa'.*found Bag, Chair"),
        ({"split": "tests"}, "unknown split 'tests'"),
        ({"release": "ins_seg_h5"}, "expected ins_seg_h5, found data_v0.*shapenet.org"),
        ({"labels_root": "nowhere"}, "nowhere: expected after_merging_label_ids"),
    ],
)
def test_options_that_fit_nothing(fake: Fake, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        PartNetReader(fake.root, **options).index()


def test_wrong_roots(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder.*shapenet\.org"):
        PartNetReader(tmp_path / "absent").index()
    with pytest.raises(InputError, match=r"expected data_v0 or ins_seg_h5 .*found nothing"):
        PartNetReader(tmp_path).index()
    (tmp_path / "data_v0").mkdir()
    with pytest.warns(ShapeWarning), pytest.raises(InputError, match="expected a folder for each annotation"):
        PartNetReader(tmp_path).index()
    with pytest.raises(InputError, match="unknown release 'h5'; known are auto, trees"):
        locate(tmp_path, "h5")


DAMAGE = {
    "label of no node": ("point_sample/sample-points-all-label-10000.txt", lambda t: t.replace("11\n", "99\n", 1),
                         "labelled 99"),
    "cloud with a word": ("point_sample/sample-points-all-pts-nor-rgba-10000.txt", lambda t: "nan? " + t,
                          "expected a table"),
    "cloud with NaN": ("point_sample/sample-points-all-pts-nor-rgba-10000.txt", lambda t: "nan" + t[t.index(" ") :],
                       "expected finite numbers"),
    "empty cloud": ("point_sample/sample-points-all-pts-nor-rgba-10000.txt", lambda t: "", "found an empty file"),
    "same id twice": ("result.json", lambda t: t.replace('"id": 10', '"id": 11'), "two nodes have the id 11"),
    "cycle": ("result.json", lambda t: t.replace('"id": 10', '"id": 1'), "node 1 stands below itself: a cycle"),
    "escape": ("result.json", lambda t: t.replace("original-11", "../../x"), "expected plain names of meshes"),
}  # fmt: skip


@pytest.mark.parametrize("what", list(DAMAGE))
def test_damaged_objects_are_refused(fake: Fake, what: str) -> None:
    name, change, words = DAMAGE[what]
    path = fake.root / "data_v0" / "9" / name
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))
    reader = PartNetReader(fake.root)
    with pytest.raises(InputError, match=words) as error:
        reader.load(item_of(reader, "Chair/9"))
    assert Path(error.value.path).name in (Path(name).name, "result.json")


def test_a_merged_node_that_was_no_node(fake: Fake) -> None:
    shutil.rmtree(fake.stats / "merging_hierarchy_mapping")
    path = fake.root / "data_v0" / "9" / "result_after_merging.json"
    path.write_text(path.read_text().replace('"ori_id": 20', '"ori_id": 500'))
    reader = PartNetReader(fake.root)
    with pytest.raises(InputError, match=r"ori_id 500 is no node of result\.json"):
        reader.load(item_of(reader, "Chair/9"))
    path.write_text(path.read_text().replace('"ori_id": 500', '"ori_id": 20').replace('"leg"', '"wing"'))
    with pytest.raises(InputError, match="'chair/chair_base/wing' is outside the taxonomy"):
        reader.load(item_of(reader, "Chair/9"))


def test_a_mesh_that_the_tree_names_and_the_folder_lacks(fake: Fake) -> None:
    (fake.root / "data_v0" / "9" / "objs" / "new-31.obj").unlink()
    reader = PartNetReader(fake.root, mesh=True)
    with pytest.raises(InputError, match=r"new-31.obj: no such mesh, but result.json names it at node 31"):
        reader.load(item_of(reader, "Chair/9"))


def test_a_piece_in_two_leaves(fake: Fake) -> None:
    path = fake.root / "data_v0" / "9" / "result.json"
    path.write_text(path.read_text().replace("original-11", "original-10"))
    reader = PartNetReader(fake.root, mesh=True)
    with pytest.raises(InputError, match="leaves 11 and 10 both name original-10"):
        reader.load(item_of(reader, "Chair/9"))


def test_damaged_meta_files_are_listed(fake: Fake) -> None:
    (fake.stats / "all_valid_anno_info.txt").unlink()
    shutil.copytree(fake.root / "data_v0" / "9", fake.root / "data_v0" / "12345")  # in no split
    (fake.root / "data_v0" / "12345" / "meta.json").write_text("{}")
    for category in (None, "Chair"):
        errors = [str(error) for error in PartNetReader(fake.root, category=category).check()]
        assert len(errors) == 1 and "12345/meta.json: expected the category as `model_cat`" in errors[0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("after_merging_label_ids/Chair-level-1.txt", "77 chair/sofa leaf\n", "'chair/sofa' is outside the taxonomy"),
        ("after_merging_label_ids/Chair-level-1.txt", "x\n", "expected `id path kind` on line 1"),
        ("after_merging_label_ids/Chair-level-1.txt", "1 chair x\n3 chair/chair_back x\n", "lies below 'chair'"),
        ("after_merging_label_ids/Chair-level-1.txt", "3 chair/chair_back x\n" * 2, "stands twice.*line 2"),
        ("after_merging_label_ids/Chair.txt", "\x00\xff", "on line 1"),
        ("merging_hierarchy_mapping/Chair.txt", "chair\n", "expected `raw-path merged-path` on line 1"),
        ("merging_hierarchy_mapping/Chair.txt", "chair sofa\n", "'sofa' is outside the taxonomy"),
        ("train_val_test_split/Chair.val.json", '{"a": 1}', "expected a list of records with anno_id"),
        ("train_val_test_split/Chair.val.json", '[{"anno_id": "9"}, {"anno_id": 9}]', "annotation 9 stands twice"),
        ("all_valid_anno_info.txt", "9 0\n", "expected `anno_id version category …` on line 1"),
    ],
)
def test_damaged_label_files_are_refused(fake: Fake, name: str, text: str, words: str) -> None:
    put(fake.stats / name, text)
    shutil.copytree(fake.root / "data_v0" / "9", fake.root / "data_v0" / "12345")
    reader = PartNetReader(fake.root)
    with pytest.raises(InputError, match=words):
        [reader.load(item) for item in reader.index()]
