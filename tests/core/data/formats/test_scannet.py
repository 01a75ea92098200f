"""ScanNet: a small data set of the real layout comes back as written; damage is told file by file."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from fakes.scannet import NUMBERS, OBJECTS, write_scannet
from partseg.data.formats.scannet import NYU40, ScanNetReader
from partseg.data.formats.scenes import spread_choice
from partseg.errors import InputError, PartsegError, ShapeWarning, UnknownNameError

CLASS = {word: list(NYU40).index(number) if number in NYU40 else -1 for word, number in NUMBERS.items()}


@pytest.fixture
def made(tmp_path):
    return tmp_path, write_scannet(tmp_path)


def by_name(reader: ScanNetReader) -> dict:
    return {item.name: item for item in reader.index()}


def expected_semantics(object_: np.ndarray) -> np.ndarray:
    return np.array([CLASS[OBJECTS[i]] if i >= 0 else -1 for i in object_.tolist()])


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


def test_classes_are_the_eighteen_of_the_benchmark():
    (level,) = ScanNetReader("x").taxonomy().values()
    assert len(level) == 18 and level[:3] == ("cabinet", "bed", "chair") and level[-1] == "other furniture"


def test_scenes_come_back_as_written(made):
    root, truth = made
    reader = pickle.loads(pickle.dumps(ScanNetReader(root)))  # noqa: S301
    items = reader.index()
    assert [item.name for item in items] == sorted(truth)[:3]
    assert [item.split for item in items] == ["train", "train", "val"]
    for item in items:
        sample, known = reader.load(item), truth[item.name]
        assert sample.shape.kind == "cloud"
        np.testing.assert_allclose(sample.shape.points, known["points"], atol=1e-6)
        np.testing.assert_allclose(sample.shape.colors * 255, known["colors"], atol=1e-3)
        np.testing.assert_allclose(sample.shape.normals, np.tile([0, 0, 1], (len(known["points"]), 1)), atol=1e-6)
        semantics = expected_semantics(known["object"])
        np.testing.assert_array_equal(sample.semantics["objects"], semantics)
        assert same_partition(sample.labels["objects"], np.where(semantics >= 0, known["object"], -1))
        assert sample.labels["objects"].max() == 2  # two chairs and a table; floor and toy are not scored


def test_painted_labels_tell_the_same_as_the_table(made):
    root, _ = made
    with_table = {name: ScanNetReader(root).load(item) for name, item in by_name(ScanNetReader(root)).items()}
    (root / "scannetv2-labels.combined.tsv").unlink()
    reader = ScanNetReader(root)
    for name, item in by_name(reader).items():
        again = reader.load(item)
        np.testing.assert_array_equal(again.semantics["objects"], with_table[name].semantics["objects"])
        np.testing.assert_array_equal(again.labels["objects"], with_table[name].labels["objects"])


def test_splits(made):
    root, _ = made
    assert [item.name for item in ScanNetReader(root, "train").index()] == ["scene0000_00", "scene0000_01"]
    (only,) = ScanNetReader(root, "val").index()
    assert only.name == "scene0001_00"
    (test,) = ScanNetReader(root, "test").index()
    sample = ScanNetReader(root, "test").load(test)
    assert not sample.labels and not sample.semantics and sample.shape.colors is not None
    (root / "splits").mkdir()
    (root / "scannetv2_val.txt").rename(root / "splits" / "scannetv2_val.txt")
    assert ScanNetReader(root, "val").index() == (only,)
    with pytest.raises(UnknownNameError, match="train, val, test"):
        ScanNetReader(root, "validation")


@pytest.mark.parametrize("points", [40, 500])
def test_fixed_number_of_points(made, points):
    root, truth = made
    whole, reader = ScanNetReader(root), ScanNetReader(root, scene_points=points)
    for name, item in by_name(reader).items():
        sample, full = reader.load(item), whole.load(item)
        assert sample.shape.n_elements == points
        again = reader.load(item)
        np.testing.assert_array_equal(sample.shape.points, again.shape.points)
        where = {tuple(p): i for i, p in enumerate(full.shape.points.tolist())}
        rows = np.array([where[tuple(p)] for p in sample.shape.points.tolist()])
        np.testing.assert_array_equal(sample.semantics["objects"], full.semantics["objects"][rows])
        assert same_partition(sample.labels["objects"], full.labels["objects"][rows])
        assert len(set(rows.tolist())) == min(points, len(truth[name]["points"]))
    with pytest.raises(PartsegError, match="at least 1"):
        ScanNetReader(root, scene_points=0)


def test_choice_is_the_release_s_two_steps():
    """Literally: farthest points, then farthest points of these from the first."""
    points = np.random.default_rng(0).random((200, 3))

    def farthest(rows: np.ndarray, m: int) -> np.ndarray:
        chosen = [0]
        for _ in range(m - 1):
            chosen.append(int(np.min(np.linalg.norm(rows[:, None] - rows[None, chosen], axis=2), axis=1).argmax()))
        return np.array(chosen)

    first = farthest(points, 60)
    np.testing.assert_array_equal(spread_choice(points, 25, 0, first=60), first[farthest(points[first], 25)])
    more = spread_choice(points, 90, 0, first=60)
    np.testing.assert_array_equal(more[:60], first)
    assert set(more[60:].tolist()) <= set(first.tolist())


def test_objects_listed_twice_keep_the_first(made):
    root, truth = made
    name = "scene0000_00"
    path = root / "scans" / name / f"{name}.aggregation.json"
    data = json.loads(path.read_text())
    data["segGroups"] += data["segGroups"] + [{"segments": [999_999], "label": "chair"}]
    path.write_text(json.dumps(data))
    reader = ScanNetReader(root)
    with pytest.warns(ShapeWarning, match="several objects|have no vertex"):
        sample = reader.load(by_name(reader)[name])
    np.testing.assert_array_equal(sample.semantics["objects"], expected_semantics(truth[name]["object"]))
    assert sample.labels["objects"].max() == 2


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _edit(path: Path, change) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


SCENE = "scans/scene0000_00/scene0000_00"
SEGMENTS, GROUPS, MESH = (
    f"{SCENE}_vh_clean_2.0.010000.segs.json",
    f"{SCENE}.aggregation.json",
    f"{SCENE}_vh_clean_2.ply",
)
DAMAGE = {
    "no mesh": (MESH, Path.unlink, "no such file"),
    "short mesh": (MESH, _cut, "ends before"),
    "empty mesh": (MESH, lambda p: p.write_bytes(b""), "is empty"),
    "no mesh at all": (MESH, lambda p: p.write_bytes(b"hello"), "not a PLY"),
    "no segments": (SEGMENTS, Path.unlink, "no such file"),
    "short segments": (SEGMENTS, _cut, "expected JSON"),
    "binary segments": (SEGMENTS, lambda p: p.write_bytes(b"\xff\xfe\x00"), "binary data"),
    "few segments": (SEGMENTS, lambda p: _edit(p, lambda d: d["segIndices"].pop()), "expected a segment for each of"),
    "text segments": (SEGMENTS, lambda p: _edit(p, lambda d: d["segIndices"].append("x")), "list of integers"),
    "nested segments": (SEGMENTS, lambda p: _edit(p, lambda d: d["segIndices"].append([1])), "list of integers"),
    "huge segment": (SEGMENTS, lambda p: _edit(p, lambda d: d["segIndices"].append(10**30)), "list of integers"),
    "list": (SEGMENTS, lambda p: p.write_text("[1, 2]"), "expected a JSON object, found list"),
    "no groups": (GROUPS, lambda p: p.write_text("{}"), "expected a list segGroups"),
    "group without label": (GROUPS, lambda p: _edit(p, lambda d: d["segGroups"][1].pop("label")), "object 1"),
    "unknown category": (
        GROUPS, lambda p: _edit(p, lambda d: d["segGroups"][1].update(label="sofa bed")), "'sofa bed' is not in",
    ),
    "table": ("scannetv2-labels.combined.tsv", lambda p: p.write_text("a\tb\n"), "raw_category"),
    "number": (
        "scannetv2-labels.combined.tsv", lambda p: p.write_text("raw_category\tnyu40id\nchair\tx\n"), "line 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_names_the_file(made, case):
    root, _ = made
    name, damage, text = DAMAGE[case]
    damage(root / name)
    reader = ScanNetReader(root)
    with pytest.raises(InputError, match=text) as error:
        reader.load(by_name(reader)["scene0000_00"])
    assert Path(name).name in str(error.value) and "\n" not in str(error.value)
    assert any(text in str(found) for found in reader.check())


def test_bad_painted_labels(made):
    root, _ = made
    (root / "scannetv2-labels.combined.tsv").unlink()
    painted = root / f"{SCENE}_vh_clean_2.labels.ply"
    painted.write_bytes((root / MESH).read_bytes())
    reader = ScanNetReader(root)
    with pytest.raises(InputError, match="no property 'label'"):
        reader.load(by_name(reader)["scene0000_00"])
    painted.unlink()
    with pytest.raises(InputError, match=r"scan-net\.org"):
        reader.load(by_name(reader)["scene0000_00"])


def test_wrong_roots(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        ScanNetReader(tmp_path / "absent").index()
    with pytest.raises(InputError, match="expected scans/scene"):
        ScanNetReader(tmp_path).index()
    assert len(list(ScanNetReader(tmp_path).check())) == 1
    write_scannet(tmp_path)
    (tmp_path / "scannetv2_val.txt").unlink()
    with pytest.raises(InputError, match=r"scannetv2_val.txt: there is no such file"):
        ScanNetReader(tmp_path, "val").index()
    (tmp_path / "scannetv2_val.txt").write_text("scene0999_00\n")
    with pytest.raises(InputError, match="none of the 1 scenes"):
        ScanNetReader(tmp_path, "val").index()
    assert any("scene0999_00" in str(error) for error in ScanNetReader(tmp_path).check())
    (tmp_path / "scannetv2_val.txt").write_text("../../etc\n")
    with pytest.raises(InputError, match="names like scene0000_00"):
        ScanNetReader(tmp_path, "val").index()


def test_real_excerpt_has_the_annotation_s_conventions(test_data):
    """100 points of a real scene in another project's form: NYU40-like ids, of which 18 are scored."""
    root = test_data("scene_instances") / "scannet"
    semantic = np.fromfile(root / "semantic_mask" / "scene0000_00.bin", np.int64)
    instance = np.fromfile(root / "instance_mask" / "scene0000_00.bin", np.int64)
    assert len(semantic) == len(instance) == 100 and semantic.min() >= 0 and semantic.max() <= 40
    for number in set(instance[np.isin(semantic, list(NYU40))].tolist()) - {0}:
        assert len(set(semantic[instance == number].tolist())) == 1  # an instance has one class
