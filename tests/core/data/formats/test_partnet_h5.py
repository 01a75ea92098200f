"""PartNet: the h5 releases, row by row, against what the generator wrote."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from fakes.partnet import LEVELS, NODES, POINTS, SHAPES, Fake, unit_sphere, write_partnet
from partseg.data.formats import partnet_h5
from partseg.data.formats.base import dense
from partseg.data.formats.partnet import PartNetReader
from partseg.errors import InputError, ShapeWarning

MASKS = ("ins_seg_h5_for_detection", "ins_seg_h5_gt", "ins_seg_h5_for_sgpn")
ALL = ("ins_seg_h5", *MASKS, "sem_seg_h5")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Fake:
    return write_partnet(tmp_path_factory.mktemp("partnet"), ALL)


@pytest.fixture
def fake(written: Fake, tmp_path: Path) -> Fake:
    """One to damage."""
    shutil.copytree(written.root, tmp_path / "copy")
    return Fake(tmp_path / "copy", tmp_path / "copy" / "stats", written.shapes)


def change(path: Path, edit) -> None:
    with h5py.File(path, "r+") as file:
        edit(file)


def put(file: h5py.File, name: str, value: np.ndarray) -> None:
    del file[name]
    file.create_dataset(name, data=value, compression="gzip")


@pytest.mark.parametrize("release", ALL)
def test_every_row_comes_back_as_it_was_written(written: Fake, release: str) -> None:
    reader = PartNetReader(written.root, category="Chair", release=release)
    items = reader.index()
    splits = ("test",) if release == "ins_seg_h5_gt" else ("train", "val", "test")
    assert [item.name for item in items] == [f"Chair/{x}" for s in splits for x in SHAPES["Chair", s]]
    for item in items:
        known, sample = written.shapes[item.name], reader.load(item)
        np.testing.assert_array_equal(sample.shape.points, unit_sphere(known.points))
        for level in LEVELS["Chair"]:
            part, label = known.level(level)
            np.testing.assert_array_equal(sample.semantics[level], label)
            if release != "sem_seg_h5":
                np.testing.assert_array_equal(sample.labels[level], dense(part))
    assert dict(reader.taxonomy()) == {
        level: tuple(NODES["Chair"][i - 1] for i in ids) for level, ids in LEVELS["Chair"].items()
    }
    assert list(reader.check()) == []


@pytest.mark.parametrize("release", ALL)
def test_all_categories_together(written: Fake, release: str) -> None:
    reader = PartNetReader(written.root, split="test", release=release, fill_levels=True)
    items = reader.index()
    assert [item.name for item in items] == ["Bag/301", "Chair/77", "Chair/78"]
    names = reader.taxonomy()
    for item in items:
        sample = reader.load(item)
        for level in "123":
            known = written.shapes[item.name].level(level if level in LEVELS[item.category] else "1")[1]
            own = [NODES[item.category][i - 1] for i in LEVELS[item.category].get(level, LEVELS[item.category]["1"])]
            want = [f"{item.category}/{own[i]}" if i >= 0 else None for i in known]
            assert [names[level][i] if i >= 0 else None for i in sample.semantics[level]] == want


def test_ins_seg_has_normals_colours_the_tree_and_leaves(written: Fake) -> None:
    reader = PartNetReader(written.root, release="ins_seg_h5")
    item = next(x for x in reader.index() if x.name == "Chair/45")
    known, sample = written.shapes[item.name], reader.load(item)
    np.testing.assert_array_equal(sample.shape.normals, known.normals.astype(np.float32))
    np.testing.assert_allclose(sample.shape.colors, known.colors / 255, atol=1e-6)
    tree = sample.hierarchy
    seat = tree.name.index("chair_seat")
    np.testing.assert_array_equal(tree.mask(seat), np.isin(known.leaf, (31, 32)))
    assert [tree.name[i] for i in tree.leaf_of[known.leaf == 32]] == ["other"] * int((known.leaf == 32).sum())
    assert tree.name.count("leg") == 4 and "regular_base" not in tree.name
    assert int(tree.size[tree.name.index("back_frame")]) == 0  # a part without points stays in the tree
    np.testing.assert_array_equal(tree.depth[[0, seat]], [0, 1])


def test_empty_valid_masks_get_no_number(written: Fake) -> None:
    item = next(
        x for x in PartNetReader(written.root, release="ins_seg_h5_for_detection").index() if x.name == "Chair/45"
    )
    level_3 = item.files[2]
    with h5py.File(level_3) as file:
        valid, masks = file["gt_valid"][item.row], file["gt_mask"][item.row]
    assert valid.sum() == 7 and (~masks[valid].any(1)).sum() == 1
    sample = PartNetReader(written.root, release="ins_seg_h5_for_detection").load(item)
    assert np.unique(sample.labels["3"]).tolist() == [-1, 0, 1, 2, 3, 4, 5]


def test_detection_takes_the_truth_of_test_shapes_from_beside(fake: Fake) -> None:
    reader = PartNetReader(fake.root, category="Chair", split="test", release="ins_seg_h5_for_detection")
    assert "2" in reader.load(reader.index()[0]).labels
    shutil.rmtree(fake.root / "ins_seg_h5_gt")
    reader = PartNetReader(fake.root, category="Chair", split="test", release="ins_seg_h5_for_detection")
    sample = reader.load(reader.index()[0])
    assert not sample.labels and not sample.semantics and sample.shape.n_elements == POINTS


def test_auto_takes_what_is_there(fake: Fake) -> None:
    for release in ALL:
        reader = PartNetReader(fake.root)
        assert reader.index()[0].files[0].relative_to(fake.root).parts[0] == release
        assert PartNetReader(fake.root / release).index() == reader.index()
        shutil.rmtree(fake.root / release)
    with pytest.raises(InputError, match="found stats"):
        PartNetReader(fake.root).index()


def test_names_without_splits_come_from_the_record_or_the_row(fake: Fake) -> None:
    shutil.rmtree(fake.stats / "train_val_test_split")
    chairs = PartNetReader(fake.root, category="Chair", release="ins_seg_h5").index()
    assert [x.name for x in chairs[:4]] == ["Chair/173", "Chair/45", "Chair/2020", "Chair/9"]
    rows = PartNetReader(fake.root, category="Chair", release="sem_seg_h5").index()
    assert [x.name for x in rows[:4]] == ["Chair/train-00/0", "Chair/train-00/1", "Chair/train-01/0", "Chair/val-00/0"]
    assert [x.row for x in rows[:3]] == [0, 1, 0]


def test_counts_that_disagree_are_named_by_row_with_a_warning(fake: Fake) -> None:
    split = fake.stats / "train_val_test_split" / "Chair.train.json"
    split.write_text(json.dumps(json.loads(split.read_text())[:2]))
    reader = PartNetReader(fake.root, category="Chair", release="sem_seg_h5")
    with pytest.warns(ShapeWarning, match="names 2 shapes, the files hold 3"):
        assert reader.index()[0].name == "Chair/train-00/0"
    with pytest.warns(ShapeWarning):
        errors = [str(error) for error in reader.check()]
    assert len(errors) == 1 and "the train split of Chair names 2 shapes, the files hold 3" in errors[0]


def test_a_record_of_another_shape(fake: Fake) -> None:
    split = fake.stats / "train_val_test_split" / "Chair.train.json"
    split.write_text(json.dumps(json.loads(split.read_text())[::-1]))
    reader = PartNetReader(fake.root, category="Chair", release="ins_seg_h5")
    with pytest.raises(InputError, match="expected annotation 2020 at row 0 as in the split, found 173"):
        reader.load(reader.index()[0])


def test_without_label_files_instances_remain(fake: Fake) -> None:
    shutil.rmtree(fake.stats)
    reader = PartNetReader(fake.root, category="Chair", release="ins_seg_h5_for_detection")
    with pytest.warns(ShapeWarning, match="no label files"):
        item = reader.index()[0]
    sample = reader.load(item)
    assert list(sample.labels) == ["1", "2", "3"] and not sample.semantics


def test_truncated_files_are_all_listed(fake: Fake) -> None:
    damaged = [fake.root / "ins_seg_h5_gt" / name / "test-00.h5" for name in ("Chair-1", "Bag-1")]
    for path in damaged:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = PartNetReader(fake.root, release="ins_seg_h5_gt")
    with pytest.raises(InputError, match=r"test-00\.h5: expected an HDF5 file, found a damaged or truncated one"):
        reader.index()
    assert [Path(error.path) for error in reader.check()] == sorted(damaged)


def test_a_damaged_chunk_is_an_error_of_its_rows(fake: Fake) -> None:
    path = fake.root / "sem_seg_h5" / "Chair-1" / "train-00.h5"
    with h5py.File(path) as file:
        chunk = file["data"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(data)
    reader = PartNetReader(fake.root, category="Chair", release="sem_seg_h5")
    with pytest.raises(InputError, match="`data` cannot be read at row 0"):
        reader.load(reader.index()[0])


def test_a_damaged_header_is_an_error_of_the_file(fake: Fake) -> None:
    path = fake.root / "sem_seg_h5" / "Chair-1" / "train-00.h5"
    path.write_bytes(path.read_bytes().replace(b"HEAP", b"HEAR"))
    reader = PartNetReader(fake.root, category="Chair", release="sem_seg_h5")
    with pytest.raises(InputError, match="found a damaged or truncated one"):
        reader.index()


def test_absurd_sizes_are_refused(tmp_path: Path) -> None:
    """Chunks that were never written take no place on disk, but would in memory."""
    path = tmp_path / "train-00.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", shape=(10**9, 4, 3), dtype="f4", chunks=(1, 4, 3))
        file.create_dataset("pts", shape=(2, 10**9, 3), dtype="f4", chunks=(1, 1000, 3))
    with pytest.raises(InputError, match="expected at most 268,435,456 numbers in a row of `pts`, found 3,000,000,000"):
        partnet_h5.read_points(path, 0)
    partnet_h5.close_all()
    change(path, lambda file: file.move("pts", "points"))
    with pytest.raises(InputError, match="expected at most 1,000,000 rows of `data`, found 1,000,000,000"):
        partnet_h5.count(path)


def _overlap(file: h5py.File) -> None:
    mask = file["gt_mask"][:]
    mask[0, 1] |= mask[0, 0]
    put(file, "gt_mask", mask)


def _replace(name: str, value) -> object:
    return lambda file: put(file, name, value(file[name][:]))


WRONG = {
    "overlap": ("ins_seg_h5_for_detection", _overlap, "masks 0 and 1 of row 0 overlap: both hold point"),
    "other": ("ins_seg_h5_for_detection", _replace("gt_other_mask", lambda x: x | True), "overlaps the mask of the r"),
    "sgpn overlap": ("ins_seg_h5_for_sgpn", _replace("insseg_one_hot", lambda x: x | True), "masks 0 and 1 of row 0"),
    "class": ("ins_seg_h5_for_detection", _replace("gt_label", lambda x: x + 9), r"taxonomy: class .* has 0\.\.3"),
    "sem class": ("sem_seg_h5", _replace("label_seg", lambda x: x + 9), r"taxonomy: class .* has 0\.\.3"),
    "sem below 0": ("sem_seg_h5", _replace("label_seg", lambda x: x - 9), "taxonomy: `label_seg` is -"),
    "sgpn class": ("ins_seg_h5_for_sgpn", _replace("semseg_one_hot", lambda x: np.pad(x, ((0, 0), (0, 0), (0, 2)))),
                   "taxonomy: expected 4 classes, found 6 columns"),
    "float labels": ("sem_seg_h5", _replace("label_seg", lambda x: x.astype(float)), "expected `label_seg` as int"),
    "flat cloud": ("sem_seg_h5", _replace("data", lambda x: x[..., :2]), "finite .n, 3., found a cloud of shape"),
    "NaN": ("sem_seg_h5", _replace("data", lambda x: x * np.nan), "found NaN or infinity"),
    "short labels": ("sem_seg_h5", _replace("label_seg", lambda x: x[:, :-1]), "expected 240 values of `label_seg`"),
    "too few rows": ("sem_seg_h5", _replace("label_seg", lambda x: x[:0]), "expected row 0 of `label_seg`, found 0"),
    "data_num": ("sem_seg_h5", _replace("data_num", lambda x: x + 1), r"expected `data_num` in 1\.\.240"),
    "no field": ("ins_seg_h5", lambda file: file.move("label", "labels"), "data set `label`, found labels, nor"),
    "link out": ("ins_seg_h5", lambda f: (f.move("pts", "p"), f.__setitem__("pts", h5py.ExternalLink("x.h5", "p"))),
                 "expected `pts` as a data set in the file"),
    "another cloud": ("ins_seg_h5_for_detection", _replace("pts", lambda x: x * 0.5), "expected the cloud of"),
}  # fmt: skip


@pytest.mark.parametrize("what", list(WRONG))
def test_contradictory_rows_are_refused(fake: Fake, what: str) -> None:
    release, edit, words = WRONG[what]
    folder = "Chair" if release == "ins_seg_h5" else "Chair-2" if what == "another cloud" else "Chair-1"
    path = fake.root / release / folder / "train-00.h5"
    change(path, edit)

    def read() -> None:
        reader = PartNetReader(fake.root, category="Chair", release=release)
        reader.load(reader.index()[0])

    with pytest.raises(InputError, match=words) as error:
        read()
    assert error.value.path == str(path)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda x: x.replace("chair/chair_base/leg", "chair/wing"), "'chair/wing' is outside the taxonomy"),
        (lambda x: x.replace("[10]", "[10, 31]"), "masks overlap at row 0: .* share leaf 10"),
        (lambda x: x.replace("ins_seg", "parts"), "expected a list `ins_seg` at row 0"),
        (lambda x: x.replace("[10]", '"10"'), "expected `part_name` and `leaf_id_list`"),
        (lambda x: x[: len(x) // 2], "expected JSON"),
        (lambda x: "[]", "expected a record for row 0, found 0 records"),
        (lambda x: x.replace(", 32]", "]"), r"labelled 32, which no part of train-00\.json lists"),
    ],
)
def test_damaged_records_are_refused(fake: Fake, edit, words: str) -> None:
    path = fake.root / "ins_seg_h5" / "Chair" / "train-00.json"
    path.write_text(edit(path.read_text()))
    reader = PartNetReader(fake.root, category="Chair", release="ins_seg_h5")
    with pytest.raises(InputError, match=words):
        reader.load(reader.index()[0])


def test_records_without_the_root_get_one(fake: Fake) -> None:
    path = fake.root / "ins_seg_h5" / "Chair" / "train-00.json"
    records = json.loads(path.read_text())
    for record in records:
        record["ins_seg"] = [part for part in record["ins_seg"] if part["part_name"] != "chair"]
    reader = PartNetReader(fake.root, category="Chair", release="ins_seg_h5")
    before = reader.load(reader.index()[0])
    path.write_text(json.dumps(records))
    after = reader.load(reader.index()[0])
    assert after.hierarchy.name == before.hierarchy.name
    np.testing.assert_array_equal(after.hierarchy.leaf_of, before.hierarchy.leaf_of)


def test_a_file_that_a_list_names_and_the_folder_lacks(fake: Fake) -> None:
    (fake.root / "sem_seg_h5" / "Chair-1" / "val-00.h5").unlink()
    reader = PartNetReader(fake.root, category="Chair", release="sem_seg_h5")
    with pytest.raises(InputError, match=r"val-00\.h5: no such file, but val_files\.txt names it"):
        reader.index()
    (fake.root / "sem_seg_h5" / "Chair-1" / "val_files.txt").write_text("../../stats/all_valid_anno_info.txt")
    with pytest.raises(InputError, match=r"Chair-1/all_valid_anno_info\.txt: no such file"):
        reader.index()


def test_a_level_that_lacks_a_file(fake: Fake) -> None:
    (fake.root / "sem_seg_h5" / "Chair-2" / "train_files.txt").write_text("train-00.h5\n")
    (fake.root / "sem_seg_h5" / "Chair-2" / "train-01.h5").unlink()
    reader = PartNetReader(fake.root, category="Chair", release="sem_seg_h5", split="train")
    with pytest.raises(InputError, match=r"Chair-2/train-01\.h5: cannot be read"):
        reader.load(reader.index()[2])


def test_mesh_needs_trees(written: Fake) -> None:
    with pytest.raises(InputError, match="mesh needs the trees"):
        PartNetReader(written.root, mesh=True).index()


def test_reading_a_row_leaves_the_rest_of_the_file_alone(tmp_path: Path) -> None:
    """Chunks of other rows are damaged; the row is still read."""
    path = tmp_path / "train-00.h5"
    points = np.random.default_rng(0).random((8, 50, 3)).astype(np.float32)
    with h5py.File(path, "w") as file:
        data = file.create_dataset("pts", data=points, compression="gzip", chunks=(2, 50, 3))
        places = [data.id.get_chunk_info_by_coord((row, 0, 0)) for row in (0, 4, 6)]
    content = bytearray(path.read_bytes())
    for place in places:
        content[place.byte_offset : place.byte_offset + place.size] = bytes(place.size)
    path.write_bytes(content)
    np.testing.assert_array_equal(partnet_h5.read_points(path, 3), points[3])
    with pytest.raises(InputError, match="cannot be read at row 4"):
        partnet_h5.read_points(path, 4)


def test_only_a_few_files_stay_open(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.h5" for i in range(6)]
    for path in paths:
        with h5py.File(path, "w") as file:
            file["pts"] = np.zeros((1, 4, 3), np.float32)
    partnet_h5.close_all()
    for path in paths:
        assert partnet_h5.count(path) == 1
        assert len(partnet_h5._mine().open) <= partnet_h5.MAX_OPEN


def test_a_file_that_was_replaced_is_opened_anew(tmp_path: Path) -> None:
    for rows in (1, 3):
        with h5py.File(tmp_path / "new.h5", "w") as file:
            file["pts"] = np.zeros((rows, 4, 3), np.float32)
        (tmp_path / "new.h5").replace(tmp_path / "a.h5")
        assert partnet_h5.count(tmp_path / "a.h5") == rows


def _first_points(reader: PartNetReader, rows: list[int], queue) -> None:
    items = reader.index()
    queue.put([float(reader.load(items[row]).shape.points.sum()) for row in rows])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_read_on_their_own(written: Fake, method: str) -> None:
    reader = PartNetReader(written.root, category="Chair", release="ins_seg_h5_for_detection")
    items = reader.index()
    want = [float(reader.load(item).shape.points.sum()) for item in items[:3]]  # the parent's handles are open
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    workers = [context.Process(target=_first_points, args=(reader, [0, 1, 2], queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    assert [queue.get(timeout=60) for _ in workers] == [want, want]
    for worker in workers:
        worker.join(60)
    assert [float(reader.load(item).shape.points.sum()) for item in items[:3]] == want
