"""S3DIS: rooms come back as written, damaged lines are named, blocks and their merging follow the papers' rules."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from fakes.s3dis import write_s3dis
from partseg.data.formats.s3dis import CLASSES, S3disReader
from partseg.data.formats.s3dis_blocks import block_features, merge_blocks, room_blocks
from partseg.errors import InputError, ShapeWarning, UnknownNameError


@pytest.fixture
def made(tmp_path):
    return tmp_path, write_s3dis(tmp_path)


def by_name(reader: S3disReader) -> dict:
    return {item.name: item for item in reader.index()}


def test_rooms_come_back_as_written(made):
    root, truth = made
    reader = pickle.loads(pickle.dumps(S3disReader(root)))  # noqa: S301
    items = by_name(reader)
    assert list(items) == ["Area_1_hallway_2", "Area_1_office_1", "Area_2_office_1", "Area_5_copyRoom_1"]
    assert items["Area_5_copyRoom_1"].category == "copyRoom"
    for name, objects in truth.items():
        sample = reader.load(items[name])
        table = np.concatenate(list(objects.values()))
        np.testing.assert_allclose(sample.shape.points, table[:, :3], atol=1e-5)
        np.testing.assert_allclose(sample.shape.colors * 255, table[:, 3:], atol=1e-3)
        number = np.repeat(np.arange(len(objects)), [len(rows) for rows in objects.values()])
        np.testing.assert_array_equal(sample.labels["objects"], number)
        classes = [CLASSES.index(key.split("_")[0]) for key in objects]
        np.testing.assert_array_equal(sample.semantics["objects"], np.array(classes)[number])


def test_areas_and_splits(made):
    root, _ = made
    assert list(by_name(S3disReader(root, area=2))) == ["Area_2_office_1"]
    assert list(by_name(S3disReader(root, split="test"))) == ["Area_5_copyRoom_1"]
    assert len(S3disReader(root, split="train").index()) == 3
    assert list(by_name(S3disReader(root, split="test", test_area=2))) == ["Area_2_office_1"]
    assert list(by_name(S3disReader(root, area=1, split="train", test_area=2))) == [
        "Area_1_hallway_2",
        "Area_1_office_1",
    ]
    with pytest.raises(UnknownNameError, match="train, test"):
        S3disReader(root, split="val")
    with pytest.raises(InputError, match="no such area; there are 1, 2, 5"):
        S3disReader(root, area=6).index()


def test_damaged_bytes_of_the_release_are_mended(made):
    root, truth = made
    path = root / "Area_1/office_1/Annotations/ceiling_1.txt"
    lines = path.read_bytes().split(b"\n")
    x, y, z, r, g, b = lines[4].split()
    lines[4] = b" ".join([x, y, z, r + b"\x00" + g, b])  # in the place of a blank
    x, y, z, r, g, b = lines[9].split()
    lines[9] = b" ".join([x, y, z, r + b".0\x100000", g, b])  # within a number
    lines[20] = b"1.0 2.0"
    path.write_bytes(b"\n".join(lines))
    reader = S3disReader(root)
    with pytest.warns(ShapeWarning) as caught:
        sample = reader.load(by_name(reader)["Area_1_office_1"])
    told = [str(w.message) for w in caught]
    assert any("ceiling_1.txt: line 5, 10 is damaged; mended" in text for text in told)
    assert any("ceiling_1.txt: line 21 is damaged; left out" in text for text in told)
    table = np.delete(truth["Area_1_office_1"]["ceiling_1"], 20, axis=0)
    np.testing.assert_allclose(sample.shape.points[: len(table)], table[:, :3], atol=1e-5)
    np.testing.assert_allclose(sample.shape.colors[: len(table)] * 255, table[:, 3:], atol=1e-3)


def test_other_classes_are_clutter(made):
    root, _ = made
    folder = root / "Area_2/office_1/Annotations"
    (folder / "chair_2.txt").rename(folder / "stairs_1.txt")
    reader = S3disReader(root)
    with pytest.warns(ShapeWarning, match="stairs is none of the 13 classes"):
        sample = reader.load(by_name(reader)["Area_2_office_1"])
    number = sorted(p.name for p in folder.glob("*.txt")).index("stairs_1.txt")
    assert set(sample.semantics["objects"][sample.labels["objects"] == number].tolist()) == {CLASSES.index("clutter")}


DAMAGE = {
    "empty": (lambda p: p.write_bytes(b""), "is empty"),
    "binary": (lambda p: p.write_bytes(bytes(range(256)) * 400 + b"\n" + b"\x01\n" * 200), "binary data"),
    "words": (lambda p: p.write_text("a b c d e f\n" * 50), "line 1: expected x y z"),
    "three columns": (lambda p: p.write_text("1 2 3\n" * 50), "line 1: expected x y z"),
    "colours": (lambda p: p.write_text("1 2 3 400 0 0\n" * 50), "r g b in 0..255"),
    "nan": (lambda p: p.write_text("nan 2 3 4 0 0\n" * 50), "line 1"),
    "blank lines": (lambda p: p.write_text("\n\n\n"), "found none|is empty"),
    "folder": (lambda p: (p.unlink(), p.mkdir()), "no such file"),
}


@pytest.mark.parametrize("case", DAMAGE)
@pytest.mark.filterwarnings("ignore::partseg.errors.ShapeWarning")
def test_damage_names_the_file(made, case):
    root, _ = made
    damage, text = DAMAGE[case]
    damage(root / "Area_1/office_1/Annotations/chair_1.txt")
    reader = S3disReader(root)
    with pytest.raises(InputError, match=text) as error:
        reader.load(by_name(reader)["Area_1_office_1"])
    assert "chair_1.txt" in str(error.value)
    assert len(list(reader.check())) == 1


def test_wrong_roots(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        S3disReader(tmp_path / "x").index()
    with pytest.raises(InputError, match="expected Area_1"):
        S3disReader(tmp_path).index()
    (tmp_path / "Area_1" / "office_1").mkdir(parents=True)
    with pytest.raises(InputError, match="Annotations, found none"):
        S3disReader(tmp_path).index()
    (tmp_path / "Area_1" / "office_1" / "Annotations").mkdir()
    with pytest.raises(InputError, match=r"chair_1\.txt, found none"):
        S3disReader(tmp_path).load(S3disReader(tmp_path).index()[0])


def test_blocks_cover_the_room_in_columns():
    rng = np.random.default_rng(0)
    points = rng.random((6000, 3)) * [2.3, 1.2, 2.5] + [-4, 7, 1]
    blocks = room_blocks(points, n=700, seed=3)
    plan = points[:, :2] - points[:, :2].min(0)
    expected = []  # literally, block by block
    for i in range(4):
        for j in range(2):
            inside = (plan >= [i * 0.5, j * 0.5]).all(1) & (plan <= [i * 0.5 + 1, j * 0.5 + 1]).all(1)
            if inside.sum() >= 100:
                expected.append(np.flatnonzero(inside))
    assert len(blocks) == len(expected) == 8
    for block, inside in zip(blocks, expected, strict=True):
        assert set(block.tolist()) <= set(inside.tolist())
        assert len(set(block.tolist())) == min(700, len(inside))
    np.testing.assert_array_equal(blocks, room_blocks(points, n=700, seed=3))
    assert (blocks != room_blocks(points, n=700, seed=4)).any()
    assert room_blocks(points[:50]).shape == (0, 4096)
    assert room_blocks(points[:0], n=5).shape == (0, 5)
    with pytest.raises(ValueError, match="positive"):
        room_blocks(points, stride=0)


def test_features_of_blocks():
    rng = np.random.default_rng(1)
    points, colors = rng.random((3000, 3)) * [2, 3, 2.5] + 5, rng.random((3000, 3)).astype(np.float32)
    blocks = room_blocks(points, n=256)
    features = block_features(points, colors, blocks)
    assert features.shape == (*blocks.shape, 9) and features.dtype == np.float32
    np.testing.assert_allclose(features[..., 3:6], colors[blocks])
    assert np.abs(features[..., :2]).max() <= 0.5 + 1e-5
    room = points - points.min(0)
    np.testing.assert_allclose(features[..., 6:], (room / room.max(0))[blocks], atol=1e-6)
    np.testing.assert_allclose(features[..., 2], room[blocks][..., 2], atol=1e-5)


def literal_merge(points, blocks, groups, classes, cell, min_shared, min_points):
    """The rule as SGPN states it: a dense volume, one point after another."""
    room = points - points.min(0)
    voxel = [tuple(v) for v in (room / room.max(0) / cell).astype(int).tolist()]
    volume, kind = {}, []
    for rows, group, label in zip(blocks.tolist(), groups.tolist(), classes.tolist(), strict=True):
        target = {}
        before = len(kind)
        for g in sorted({x for x in group if x >= 0}):
            own = [c for x, c in zip(group, label, strict=True) if x == g]
            most_common = min(set(own), key=lambda c: (-own.count(c), c))
            shared = [0] * (before + 1)
            for p, x in zip(rows, group, strict=True):
                q = volume.get(voxel[p], -1)
                if x == g and q >= 0 and kind[q] == most_common:
                    shared[q] += 1
            if max(shared) < min_shared and len(own) >= min_points:
                target[g] = len(kind)
                kind.append(most_common)
            elif max(shared):
                target[g] = shared.index(max(shared))
        for p, x in zip(rows, group, strict=True):
            if x in target and voxel[p] not in volume:
                volume[voxel[p]] = target[x]
    return np.array([volume.get(v, -1) for v in voxel]), np.array(kind, np.int64)


@pytest.mark.parametrize("seed", range(6))
def test_merging_is_the_literal_rule(seed):
    rng = np.random.default_rng(seed)
    points = rng.random((1500, 3)) * [2.2, 1.6, 2.5]
    blocks = room_blocks(points, n=200, seed=seed)
    truth = (points[:, 0] > 1.1).astype(np.int64) * 2 + (points[:, 1] > 0.8)
    groups = truth[blocks]
    for row in groups:  # numbers mean nothing across blocks; some points are in no group, some in a wrong one
        row[:] = rng.permutation(4)[row]
        row[rng.random(len(row)) < 0.1] = rng.integers(-1, 6)
    classes = np.where(rng.random(groups.shape) < 0.8, truth[blocks] % 3, rng.integers(0, 3, groups.shape))
    got = merge_blocks(points, blocks, groups, classes, cell=0.05, min_shared=4, min_points=12)
    labels, kinds = literal_merge(points, blocks, groups, classes, 0.05, 4, 12)
    np.testing.assert_array_equal(got.labels, labels)
    np.testing.assert_array_equal(got.classes, kinds)


def test_perfect_groups_merge_to_the_objects():
    rng = np.random.default_rng(2)
    points = rng.random((30_000, 3)) * [3, 1, 0.4]
    truth = np.digitize(points[:, 0], [1.2, 2.1])
    blocks = room_blocks(points, n=4096)
    merged = merge_blocks(points, blocks, truth[blocks], np.array([4, 2, 4])[truth][blocks], cell=0.05)
    assert merged.classes.tolist() == [4, 2, 4]
    seen = merged.labels >= 0
    assert seen.mean() > 0.9
    assert (merged.labels[seen] == truth[seen]).mean() > 0.97  # voxels across a border have one owner


def test_merging_degenerate_input():
    points = np.zeros((50, 3))
    blocks = np.arange(50)[None]
    none = merge_blocks(points, blocks, np.full((1, 50), -1), np.zeros((1, 50), np.int64))
    assert (none.labels == -1).all() and len(none.classes) == 0
    one = merge_blocks(points, blocks, np.zeros((1, 50), np.int64), np.full((1, 50), 7))
    assert (one.labels == 0).all() and one.classes.tolist() == [7]
    small = merge_blocks(points[:20], blocks[:, :20], np.zeros((1, 20), np.int64), np.zeros((1, 20), np.int64))
    assert (small.labels == -1).all()
    with pytest.raises(ValueError, match="differ in shape"):
        merge_blocks(points, blocks, np.zeros((1, 49), np.int64), np.zeros((1, 50), np.int64))
    with pytest.raises(ValueError, match="cell"):
        merge_blocks(points, blocks, np.zeros((1, 50), np.int64), np.zeros((1, 50), np.int64), cell=0)


def test_reader_of_blocks(tmp_path):
    write_s3dis(tmp_path)
    whole, cut = S3disReader(tmp_path), S3disReader(tmp_path, blocks=True)
    item = by_name(whole)["Area_1_office_1"]
    room, sample = whole.load(item), cut.load(item)
    assert sample.shape.n_elements % 4096 == 0 and sample.shape.n_elements > 4096
    where = {tuple(p): i for i, p in enumerate(room.shape.points.tolist())}
    rows = np.array([where[tuple(p)] for p in sample.shape.points.tolist()])
    np.testing.assert_array_equal(sample.semantics["objects"], room.semantics["objects"][rows])
    box = np.ptp(sample.shape.points.reshape(-1, 4096, 3)[..., :2], axis=1)
    assert (box <= 1 + 1e-5).all()
    (tmp_path / "tiny").mkdir()
    write_s3dis(tmp_path / "tiny", points=3)
    reader = S3disReader(tmp_path / "tiny", blocks=True)
    with pytest.raises(InputError, match="too few for a block"):
        reader.load(reader.index()[0])


def test_real_excerpt_has_the_classes(test_data):
    """100 points of a real office in another project's form: 13 classes, one class an instance."""
    root = test_data("scene_instances") / "s3dis"
    name = Path("Area_1_office_2.bin")
    semantic = np.fromfile(root / "semantic_mask" / name, np.int64)
    instance = np.fromfile(root / "instance_mask" / name, np.int64)
    points = np.fromfile(root / "points" / name, np.float32).reshape(-1, 6)
    assert len(points) == 100 and semantic.max() < len(CLASSES)
    assert all(len(set(semantic[instance == i].tolist())) == 1 for i in set(instance.tolist()))
