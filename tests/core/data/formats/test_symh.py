from __future__ import annotations

import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from fakes.symh import LABELS, OPS, chair, columns, order, rows, write_fineseg, write_grass, write_symh
from partseg.data.formats.base import PartSample
from partseg.data.formats.symh import SymhReader
from partseg.data.formats.symh_tree import read_symmetry, read_tree
from partseg.errors import InputError, PartsegError
from partseg.parts.hierarchy import NodeKind


@pytest.fixture(scope="module")
def symh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("symh")
    write_symh(root / "Chair")
    write_symh(root / "Table", ("7",), models=False)
    return root


@pytest.fixture
def one(tmp_path: Path) -> Path:
    write_symh(tmp_path / "Chair", ("1001",))
    return tmp_path


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    pairs = np.unique(np.stack([a, b]), axis=1)
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def check_symmetries(sample: PartSample, tolerance: float) -> None:
    """The parameters carry the boxes of the first copy's elements onto those of each other copy."""
    tree, found = sample.hierarchy, []
    xyz = sample.shape.element_positions
    for node in np.flatnonzero(tree.kind == NodeKind.SYMMETRY).tolist():
        s, below = tree.symmetry[node], tree.children(node)
        assert s is not None and len(below) == s.fold
        found.append((s.kind, s.fold))
        for i, child in enumerate(below):
            moved, there = s.apply(xyz[tree.members(below[0])], i), xyz[tree.members(child)]
            np.testing.assert_allclose(moved.min(0), there.min(0), atol=tolerance)
            np.testing.assert_allclose(moved.max(0), there.max(0), atol=tolerance)
    expected = [("reflective", 2)] * 2 + [("rotational", 5)] + [("translational", 3)] * 2 + [("translational", 4)]
    assert sorted(found) == expected


def test_symh_round_trip(symh: Path) -> None:
    reader = pickle.loads(pickle.dumps(SymhReader(symh, "chair")))  # noqa: S301
    assert reader.taxonomy() == {"leaves": ("back", "seat", "leg", "armrest")}
    items = reader.index()
    assert [item.name for item in items] == ["Chair/1", "Chair/2"]
    for k, item in enumerate(items, 1):
        sample, truth = reader.load(item), chair(k)
        part = order(k)[sample.shape.appearance.face_node]
        assert same_partition(sample.labels["leaves"], part)
        stored = np.array([leaf for leaf, _, _ in truth.copies])[part]
        assert np.array_equal(sample.semantics["leaves"], np.array(LABELS)[stored])
        assert np.array_equal(sample.hierarchy.cut(level="leaves"), sample.labels["leaves"])
        check_symmetries(sample, 1e-5)
    assert list(SymhReader(symh).check()) == []


def test_the_last_node_is_the_first_child(symh: Path) -> None:
    tree = SymhReader(symh, "Chair").load(SymhReader(symh, "Chair").index()[0]).hierarchy
    bars, rest = tree.children(0)
    assert tree.kind[bars] == NodeKind.SYMMETRY and tree.name[tree.leaves[0]] == "armrest"
    assert [tree.symmetry[i].kind for i in tree.children(bars)] == ["translational"] * 2
    assert tree.kind[rest] == NodeKind.ADJACENCY and tree.name[tree.leaves[-1]] == "seat"


def test_categories_are_numbered_one_after_another(symh: Path) -> None:
    reader = SymhReader(symh)
    names = reader.taxonomy()["leaves"]
    assert names[:4] == ("Chair back", "Chair seat", "Chair leg", "Chair armrest")
    assert names[4:] == tuple(f"Table class {i}" for i in range(4))
    table = reader.load(reader.index()[-1])
    assert table.shape.n_elements == 12 * len(chair(1).copies)  # no models: the boxes stand for the parts
    assert set(np.unique(table.semantics["leaves"])) == {4, 5, 6, 7}
    assert (table.shape.face_normals * (table.shape.face_centroids - box_centres(table))).sum(1).min() > 0
    check_symmetries(table, 1e-6)


def box_centres(sample: PartSample) -> np.ndarray:
    label = sample.labels["leaves"]
    return np.stack([sample.shape.face_centroids[label == i].mean(0) for i in range(label.max() + 1)])[label]


def test_models_without_groups_follow_the_boxes(one: Path) -> None:
    reader, model = SymhReader(one, "Chair"), one / "Chair" / "models" / "1001.obj"
    with_groups = reader.load(reader.index()[0]).labels["leaves"]
    model.write_text("".join(line for line in model.read_text().splitlines(True) if not line.startswith("g ")))
    assert (reader.load(reader.index()[0]).labels["leaves"] == with_groups).mean() > 0.97  # boxes touch, parts overlap


@pytest.mark.parametrize("first", [0, 1])
def test_fineseg_round_trip(tmp_path: Path, first: int) -> None:
    truth = write_fineseg(tmp_path / "chair", first=first)
    reader = SymhReader(tmp_path / "chair")
    items = reader.index()
    assert [(item.row, item.split) for item in items] == [(0, "train"), (1, "train")]
    for i, item in enumerate(items):
        sample = reader.load(item)
        tree, claimed = sample.hierarchy, sample.labels["leaves"] >= 0
        stored = np.array([leaf for leaf, _, _ in chair(i).copies])[truth[i]]
        right = sample.semantics["leaves"][claimed] == np.array(LABELS)[stored[claimed]]
        assert claimed.mean() > 0.9 and right.mean() > 0.93  # nearest points of touching parts are mixed up
        assert len(tree.leaves) == 20 and sample.shape.n_elements == 512
        most = [np.bincount(truth[i][tree.leaf_of == leaf]).argmax() for leaf in tree.leaves]
        assert len(set(most)) == 20
        np.testing.assert_allclose(np.linalg.norm(sample.shape.normals, axis=1), 1, atol=1e-5)
        check_symmetries(sample, 0.25)


def test_later_copies_have_points_that_several_claim(tmp_path: Path) -> None:
    write_fineseg(tmp_path / "chair", 1)
    path = tmp_path / "chair" / "training_data_models_segment_2048_normals" / "1.mat"
    everywhere = np.zeros((6, 64, 6), np.float32)
    everywhere[..., :3] = np.random.default_rng(0).uniform(-0.6, 0.6, (6, 64, 3))
    savemat(path, {"pc": np.tile(everywhere, (1, 30, 1))})
    reader = SymhReader(tmp_path / "chair")
    sample = reader.load(reader.index()[0])
    # Every leaf claims points all over; the last leaf depth first is the seat, and nobody takes its points away.
    seat = everywhere[0, :, :3]
    cloud = sample.shape.points
    nearest = np.unique(((seat[:, None] - cloud[None]) ** 2).sum(2).argmin(1))
    last = sample.hierarchy.leaves[-1]
    assert np.array_equal(np.flatnonzero(sample.hierarchy.leaf_of == last), nearest)


def test_fineseg_split_is_a_fixed_prefix(tmp_path: Path) -> None:
    clouds = tmp_path / "Helicopter" / "models_2048_points_normals"
    clouds.mkdir(parents=True)
    (tmp_path / "Helicopter" / "training_trees").mkdir()
    for i in range(1, 101):
        (clouds / f"{i}.mat").touch()  # the index opens nothing
    items = SymhReader(tmp_path, split="train").index()
    assert [item.name.split("/")[1] for item in items] == [str(i) for i in range(1, 81)]
    assert len(SymhReader(tmp_path, split="test").index()) == 20
    with pytest.raises(InputError, match="no shapes of split 'val'"):
        SymhReader(tmp_path, split="val").index()


def test_grass_round_trip(tmp_path: Path) -> None:
    write_grass(tmp_path)
    reader = SymhReader(tmp_path)
    assert reader.taxonomy() == {"leaves": ()} and len(reader.index()) == 2
    for i, item in enumerate(reader.index()):
        sample = reader.load(item)
        check_symmetries(sample, 1e-6)
        centres = np.array([centre for _, centre, _ in chair(i).copies])
        found = np.unique(box_centres(sample).round(5), axis=0)
        np.testing.assert_allclose(found, np.unique(centres.round(5), axis=0), atol=2e-5)
        assert sample.semantics == {}


def test_real_samples(test_data: Callable[[str], Path]) -> None:
    root = test_data("partnet_samples") / "partnet_symh"
    reader = SymhReader(root)
    for item, name in zip(reader.index(), ("1127", "1277"), strict=True):
        sample = reader.load(item)
        assert sample.shape.name == name
        lines = (root / "obbs" / f"{name}.obb").read_text().split()
        start = lines.index("L") + 2
        label = np.array(lines[start:], int)  # one a group, which the reader does not use
        group = sample.shape.appearance.face_node
        assert same_partition(sample.labels["leaves"], group)
        assert np.array_equal(sample.semantics["leaves"], label[group])
    assert list(reader.check()) == []


def test_version_73_files(one: Path) -> None:
    base = one / "Chair"
    reader = SymhReader(one)
    before = reader.load(reader.index()[0])
    with h5py.File(base / "syms" / "1.mat", "w", userblock_size=512) as file:
        file["sym"] = rows(chair(1), "symh").T
        file["shapename"] = np.array([[ord(c)] for c in "1001"], np.uint16)
    with open(base / "syms" / "1.mat", "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(512))
    after = reader.load(reader.index()[0])
    assert np.array_equal(before.labels["leaves"], after.labels["leaves"])
    assert before.hierarchy.symmetry == after.hierarchy.symmetry


def set_ops(ops: list[int]) -> Callable[[Path], None]:
    return lambda base: savemat(base / "ops" / "1.mat", {"op": np.array([ops], np.uint8)})


def set_rows(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return lambda base: savemat(base / "syms" / "1.mat", {"sym": change(rows(chair(1), "symh")), "shapename": "1001"})


def put(i: int, j: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(table: np.ndarray) -> np.ndarray:
        table[i, j] = value
        return table

    return change


def cut(name: str, share: float) -> Callable[[Path], None]:
    def damage(base: Path) -> None:
        data = (base / name).read_bytes()
        (base / name).write_bytes(data[: int(len(data) * share)])

    return damage


def shift_seat(base: Path) -> None:
    table = columns(chair(1))
    table[0, 0] += 0.9
    savemat(base / "boxes" / "1.mat", {"box": table})


def drop_group(base: Path) -> None:
    text = (base / "models" / "1001.obj").read_text()
    (base / "models" / "1001.obj").write_text(text[: text.rindex("g ")])


@pytest.mark.parametrize(
    ("damage", "file", "cause"),
    [
        (set_ops([*OPS[:-1]]), "ops/1.mat", "expected one root, found 2 nodes"),
        (set_ops([0, 1]), "ops/1.mat", "joins 2 nodes, but there is 1"),
        (set_ops([2]), "ops/1.mat", "joins 1 nodes, but there is 0"),
        (set_ops([9, 9]), "ops/1.mat", "expected one root, found 0 nodes"),
        (set_ops([0, 2, 2, 2, 2, 2, 2, 2, 2]), "ops/1.mat", "has no parameters: 5 rows"),
        (set_rows(lambda x: x[:, :4]), "ops/1.mat", "symmetry node 5 has no parameters: 4 rows"),
        (set_rows(lambda x: x * 0), "ops/1.mat", "no parameters (zeros)"),
        (set_rows(put(0, 0, 7)), "ops/1.mat", "expected a symmetry type -1, 0 or 1, found 7"),
        (set_rows(put(7, 1, 0)), "ops/1.mat", "expected t = 1/fold, found 0"),
        (set_rows(put(1, 0, 0)), "ops/1.mat", "direction of no length"),
        (set_rows(put(7, 3, 1e-4)), "ops/1.mat", "expected t = 1/fold, found 0.0001"),
        (set_rows(put(2, 0, np.nan)), "syms/1.mat", "NaN"),
        (set_rows(lambda x: x[:7]), "syms/1.mat", "expected columns of 8 numbers"),
        (lambda base: savemat(base / "syms/1.mat", {"other": 1}), "syms/1.mat", "expected a variable 'sym'"),
        (lambda base: savemat(base / "ops/1.mat", {"op": "text"}), "ops/1.mat", "to hold numbers, found char"),
        (lambda base: savemat(base / "ops/1.mat", {"op": np.zeros((1, 70000))}), "ops/1.mat", "at most 65,536"),
        (lambda base: savemat(base / "labels/1.mat", {"label": [0.5] * 6}), "labels/1.mat", "whole numbers"),
        (lambda base: savemat(base / "labels/1.mat", {"label": [0] * 5}), "labels/1.mat", "expected 6 labels"),
        (lambda base: savemat(base / "labels/1.mat", {"label": [9] * 6}), "labels/1.mat", "expected labels 0..3"),
        (lambda base: savemat(base / "boxes/1.mat", {"box": np.ones((12, 5))}), "boxes/1.mat", "expected 6 boxes"),
        (lambda base: savemat(base / "boxes/1.mat", {"box": np.ones((12, 6))}), "boxes/1.mat", "parallel"),
        (shift_seat, "models/1001.obj", "away from the nearest part"),
        (drop_group, "models/1001.obj", "20 leaves, copies included, but the mesh 19 parts"),
        (lambda base: (base / "models/1001.obj").unlink(), "models/1001.obj", "no such file, but 1.mat"),
        (lambda base: (base / "boxes/1.mat").unlink(), "boxes/1.mat", "no such file"),
        (lambda base: (base / "ops/1.mat").write_bytes(b"MATLAB 7.3 nonsense"), "ops/1.mat", "cannot be read"),
        (lambda base: (base / "ops/1.mat").write_bytes(b""), "ops/1.mat", "cannot be read"),
        *[
            (cut(f"{kind}/1.mat", share), f"{kind}/1.mat", "MATLAB file: ")
            for kind in ("ops", "syms", "boxes")
            for share in (0.3, 0.9)
        ],
    ],
)  # fmt: skip
def test_bad_files_are_named(one: Path, damage: Callable[[Path], object], file: str, cause: str) -> None:
    damage(one / "Chair")
    reader = SymhReader(one)
    with pytest.raises(InputError, match=re.escape(cause)) as caught:
        reader.load(reader.index()[0])
    assert Path(caught.value.path) == one / "Chair" / file
    assert "\n" not in str(caught.value) and [str(e) for e in reader.check()] == [str(caught.value)]


def test_trees_that_explode() -> None:
    table = np.tile(rows(chair(1), "symh").T[2], (12, 1))
    with pytest.raises(PartsegError, match="more than 4096 parts"):
        read_tree(np.array([0, *[2] * 12]), table, "symh")


def test_pairs_stored_whole() -> None:
    """Type 3: both halves are there."""
    mirror = np.array([[0, 1, 0, 0, 0, 0, 0, 0]], float)
    tree = read_tree(np.array([0, 0, 3]), mirror, "symh")
    assert tree.kind.tolist() == [NodeKind.SYMMETRY, NodeKind.LEAF, NodeKind.LEAF] and tree.stored.tolist() == [1, 0]
    with pytest.raises(PartsegError, match="mirrors, but its row says rotational"):
        read_tree(np.array([0, 0, 3]), rows(chair(1), "symh").T[2:], "symh")


@pytest.mark.parametrize("coding", ["fineseg", "symh", "grass"])
def test_codings_say_the_same(coding: str) -> None:
    a = [read_symmetry(row, coding) for row in rows(chair(1), coding).T]
    b = [read_symmetry(row, "symh") for row in rows(chair(1), "symh").T]
    for one, other in zip(a, b, strict=True):
        assert (one.kind, one.fold, one.point) == (other.kind, other.fold, other.point)
        np.testing.assert_allclose([*one.direction, one.step], [*other.direction, other.step], atol=1e-12)


def test_a_mirrored_turn_goes_the_other_way() -> None:
    """Copies of a mirrored group are the mirror images of the group's copies."""
    mirror = np.array([0, 1, 0.3, -0.2, 0.1, 0, 0, 0])
    turn = np.array([-1, 0.2, 1, 0.4, 0.5, 0.1, -0.3, 1 / 5])
    tree = read_tree(np.array([0, 2, 2]), np.stack([turn, mirror]), "symh")
    xyz = np.random.default_rng(0).normal(size=(4, 3))
    reflect = read_symmetry(mirror, "symh")
    for i in range(5):
        np.testing.assert_allclose(
            tree.motion[5 + i].points(xyz), reflect.apply(tree.motion[i].points(xyz)), atol=1e-12
        )
    group = tree.symmetry[tree.parent[tree.leaves[5]]]
    for i in range(5):
        moved = group.apply(tree.motion[5].points(xyz), i)
        np.testing.assert_allclose(moved, tree.motion[5 + i].points(xyz), atol=1e-12)


def test_names_do_not_leave_the_folder(one: Path) -> None:
    secret = one / "secret.obj"
    shutil.copy(one / "Chair" / "models" / "1001.obj", secret)
    savemat(one / "Chair" / "syms" / "1.mat", {"sym": rows(chair(1), "symh"), "shapename": "../../secret"})
    reader = SymhReader(one)
    with pytest.raises(InputError, match="expected the name of a shape"):
        reader.load(reader.index()[0])


def test_clouds_of_another_shape(tmp_path: Path) -> None:
    write_fineseg(tmp_path / "chair", 1)
    base = tmp_path / "chair"
    segments = base / "training_data_models_segment_2048_normals" / "1.mat"
    reader = SymhReader(base)
    savemat(segments, {"pc": np.full((6, 512, 6), 0.1)})
    with pytest.raises(InputError, match=r"the leaves cover .*% of the points"):
        reader.load(reader.index()[0])
    savemat(segments, {"pc": np.zeros((5, 512, 6))})
    with pytest.raises(InputError, match="6 stored leaves, but there are 5 clouds"):
        reader.load(reader.index()[0])
    savemat(segments, {"pc": np.zeros((5, 512, 3))})
    with pytest.raises(InputError, match="expected clouds of 6 numbers"):
        reader.load(reader.index()[0])
    savemat(base / "training_trees" / "syms.mat", {"syms": np.zeros((8, 0))})
    with pytest.raises(InputError, match=r"syms\.mat: expected a table"):
        reader.load(reader.index()[0])


def test_wrong_roots(tmp_path: Path, symh: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        SymhReader(tmp_path / "none").index()
    with pytest.raises(InputError, match="expected ops/, training_trees"):
        SymhReader(tmp_path).index()
    with pytest.raises(InputError, match="no category 'Sofa'; it holds Chair, Table"):
        SymhReader(symh, "Sofa").index()
    with pytest.raises(InputError, match="only FineSeg"):
        SymhReader(symh, split="train").index()
    (error,) = SymhReader(tmp_path).check()
    assert "training_trees" in str(error)


def test_files_without_a_tree_are_told(one: Path) -> None:
    shutil.copy(one / "Chair" / "labels" / "1.mat", one / "Chair" / "labels" / "2.mat")
    (error,) = SymhReader(one).check()
    assert Path(error.path) == one / "Chair" / "labels" / "2.mat"
