"""Readers as datasets and datamodules: what is served is what the reader says, cached or not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from partseg.data.batch import PartBatch
from partseg.data.datamodule import Balanced
from partseg.data.formats.base import PartItem, PartSample, Reader, dense
from partseg.data.from_files import FilesDataModule, select, split_of
from partseg.data.reading import ReaderDataset
from partseg.data.specs import data_root
from partseg.errors import InputError, PartsegError, ShapeWarning, UnknownNameError
from partseg.geometry.shape import Shape
from partseg.parts.hierarchy import PartHierarchy, Symmetry

SQUARE = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]], float)


class Toy(Reader):
    """Two triangles of different labels, far from the origin; one file a shape, which says how tall it is."""

    def __init__(self, root, cloud: bool = False):
        super().__init__(root)
        self.cloud = cloud
        self._loads = []

    def index(self):
        files = sorted(self.root.glob("*.txt"))
        return tuple(PartItem(f"t/{f.stem}", "even" if int(f.stem) % 2 == 0 else "odd", "", (f,)) for f in files)

    def load(self, item):
        self._loads.append(item.name)
        text = item.files[0].read_text()
        if not text:
            raise InputError(item.files[0], "expected a number, found nothing")
        labels = np.array([0, 1])
        vertices = SQUARE * [1, float(text), 1] + 1000
        symmetry = Symmetry("translational", (0, 0, 0), (0, 1, 0), 2, 2.0)
        tree = PartHierarchy.build([-1, 0, 0], labels + 1, ["square", "low", "high"], symmetry=[symmetry, None, None])
        if self.cloud:
            shape = Shape.from_points(vertices.astype(np.float32), colors=np.eye(4, 3, dtype=np.float32))
            labels = np.array([0, 0, 1, -1])
            return PartSample(shape, {"parts": labels}, {"parts": labels * 3})
        shape = Shape.from_mesh(vertices, np.array([[0, 1, 2], [0, 2, 3]]))
        return PartSample(shape, {"parts": labels, "one": np.zeros(2, np.int64)}, {"parts": labels + 5}, tree)

    def taxonomy(self):
        return {"parts": ("a", "b")}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    for i in range(6):
        (folder / f"{i}.txt").write_text(str(1 + i))
    return folder


def equal(a: PartBatch, b: PartBatch) -> bool:
    return all(
        torch.equal(x, y)
        for x, y in [
            (a.points, b.points), (a.normals, b.normals),
            *((a.labels[k], b.labels[k]) for k in a.labels), *((a.semantics[k], b.semantics[k]) for k in a.semantics),
        ]
    ) and [h.to_json() for h in a.hierarchies] == [h.to_json() for h in b.hierarchies]  # fmt: skip


def test_points_carry_their_triangles_labels(root):
    item = ReaderDataset(Toy(root), points=500)[2].validate()
    assert item.points.shape == (500, 3) and item.names == ("t/2",) and item.categories == ("even",)
    # scaled to a longest side of 1.8 and centred: the square became 0.6 x 1.8
    assert item.points[:, 1].abs().max() <= 0.9 + 1e-6 and item.points[:, 0].abs().max() <= 0.3 + 1e-6
    above = item.points[:, 1] / 3 > item.points[:, 0]
    assert torch.equal(above, item.labels["parts"] == 1)
    assert torch.equal(item.semantics["parts"], item.labels["parts"] + 5)
    assert torch.equal(item.normals, torch.tensor([0.0, 0, 1]).expand(500, 3))


def test_the_tree_moves_with_the_points(root):
    (item,) = ReaderDataset(Toy(root), points=50, hierarchies=True)[0].hierarchies
    assert item.name == ("square", "low", "high") and len(item.leaf_of) == 50
    assert item.symmetry[0].step == pytest.approx(2 * 0.9) and item.symmetry[0].point[0] == pytest.approx(-1001 * 0.9)


def test_the_cache_changes_nothing_and_is_used(root, tmp_path):
    plain = ReaderDataset(Toy(root), points=64, hierarchies=True)
    kept = ReaderDataset(Toy(root), points=64, hierarchies=True, cache=tmp_path / "cache")
    for i in range(6):
        assert equal(plain[i], kept[i]) and equal(kept[i], plain[i])
    again = ReaderDataset(Toy(root), points=64, hierarchies=True, cache=tmp_path / "cache")
    for i in range(6):
        assert equal(plain[i], again[i])
    assert again.reader._loads == []
    (root / "3.txt").write_text("77")
    assert again.prepare(2) is False
    other = ReaderDataset(Toy(root), points=64, cache=tmp_path / "cache")
    assert other.prepare(3) is True and other.reader._loads == ["t/3"]


def test_clouds_keep_their_points_and_colours(root):
    item = ReaderDataset(Toy(root, cloud=True), points=None, normalize="sphere")[0]
    assert item.points.norm(dim=1).tolist() == pytest.approx([1, 1, 1, 1]) and item.normals is None
    assert item.labels["parts"].tolist() == [0, 0, 1, -1] and item.colors[1].tolist() == [0, 1, 0]
    fewer = ReaderDataset(Toy(root, cloud=True), points=3)[0]
    assert len(fewer.points) == 3 and len(set(map(tuple, fewer.points.tolist()))) == 3
    with pytest.raises(PartsegError, match="number of points"):
        ReaderDataset(Toy(root), points=None)[0]
    metres = ReaderDataset(Toy(root, cloud=True), points=None, normalize="none")[0]
    assert metres.points.min() == 1000


def test_one_level_and_unknown_ones(root):
    assert list(ReaderDataset(Toy(root), points=9, level="one")[0].labels) == ["one"]
    with pytest.raises(InputError, match=r"expected labels at level '3', found parts, one"):
        ReaderDataset(Toy(root), points=9, level="3")[0]
    with pytest.raises(UnknownNameError):
        ReaderDataset(Toy(root), normalize="cube")


def test_damaged_shapes_are_named_or_skipped(root):
    (root / "1.txt").write_text("")
    with pytest.raises(InputError, match=r"1\.txt: expected a number"):
        ReaderDataset(Toy(root), points=9)[1]
    patient = ReaderDataset(Toy(root), points=9, skip_damaged=True)
    with pytest.warns(ShapeWarning, match=r"left out: .*1\.txt"):
        assert patient[1].names == ("t/2",)
    assert patient[1].names == ("t/2",) and list(patient.damaged) == [1]
    assert [str(e) for e in Toy(root).check()] == [f"{root / '1.txt'}: expected a number, found nothing"]
    for i in range(6):
        (root / f"{i}.txt").write_text("")
    with pytest.warns(ShapeWarning), pytest.raises(InputError, match="none of the 6"):
        ReaderDataset(Toy(root), points=9, skip_damaged=True)[0]


def test_interior_points_follow_the_surface(root):
    item = ReaderDataset(Toy(root), points=60, interior=20)[0]
    assert len(item.points) == 80 and item.surface.sum() == 60 and item.surface[:60].all()
    assert (item.normals[60:] == 0).all() and len(item.labels["parts"]) == len(item.semantics["parts"]) == 80


def test_splits_follow_from_names_when_the_dataset_has_none():
    items = [PartItem(f"shape {i}") for i in range(2000)]
    parts = {split: select(items, split) for split in ("train", "val", "test")}
    assert sum(map(len, parts.values())) == 2000 and len(select(items, "predict")) == 2000
    assert 1500 < len(parts["train"]) < 1700 and 150 < len(parts["val"]) < 250
    assert split_of(PartItem("shape 0", split="val")) == "val"
    assert select(items[::-1], "val") == parts["val"][::-1]


def test_the_datamodule_serves_epochs(root, tmp_path):
    data = FilesDataModule(Toy(root), points=32, level="parts", cache=str(tmp_path / "c"), batch_size=2, balanced=True)
    names = [name for batch in data.train_dataloader() for name in batch.names]
    assert set(names) <= {item.name for item in select(data.items, "train")} and len(names) == len(
        data.dataset("train")
    )
    assert len(list(data.predict_dataloader())) == 3
    assert next(iter(data.predict_dataloader())).labels.keys() == {"parts"}
    data.reader = Toy(root.parent)
    data._items = None
    with pytest.raises(InputError, match="none of its 0 shapes"):
        data.dataset("train")


def test_balanced_draws_every_category_equally_often():
    sampler = Balanced(["common"] * 900 + ["rare"] * 100, seed=1)
    draws = list(sampler)
    assert len(draws) == 1000 and 420 < sum(i >= 900 for i in draws) < 580
    assert draws == list(Balanced(["common"] * 900 + ["rare"] * 100, seed=1))
    sampler.set_epoch(1)
    assert list(sampler) != draws


def test_root_and_dense(monkeypatch, tmp_path):
    monkeypatch.setenv("PARTSEG_DATA", str(tmp_path))
    assert data_root("psb") == tmp_path / "psb"
    assert dense(np.array([7, -5, 7, 3])).tolist() == [1, -1, 1, 0]
    assert dense(np.zeros(0, int)).shape == (0,)
