"""The default dataset: the same shapes whatever is asked first, others in other splits, many of them one surface."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from partseg.data.batch import PartBatch
from partseg.data.procedural import LEVELS, endless
from partseg.data.procedural.dataset import Procedural, ProceduralDataset
from partseg.data.procedural.endless import KINDS
from partseg.errors import UnknownNameError


def same(a: PartBatch, b: PartBatch) -> bool:
    return (
        a.names == b.names
        and torch.equal(a.points, b.points)
        and torch.equal(a.normals, b.normals)
        and all(torch.equal(a.labels[level], b.labels[level]) for level in LEVELS)
    )


@lru_cache(maxsize=64)
def item(split: str, i: int, seed: int = 0) -> PartBatch:
    return ProceduralDataset(split, 100, points=600, seed=seed)[i]


def test_items_follow_from_seed_split_and_number():
    again = ProceduralDataset("train", 5, points=600)
    for i in (3, 0, 2):  # another order, another size of the split
        assert same(again[i], item("train", i))
    assert not same(item("train", 0), item("val", 0))
    assert not same(item("val", 0), item("test", 0))
    assert not same(item("train", 0), item("train", 0, seed=1))
    assert not same(item("train", 0), item("train", 1))


def test_an_item_is_a_labelled_cloud():
    for i in range(6):
        batch = item("train", i).validate()
        assert batch.n_shapes == 1 and batch.points.shape == (600, 3) and batch.points.dtype == torch.float32
        assert batch.surface is None and list(batch.labels) == list(LEVELS)
        torch.testing.assert_close(batch.normals.norm(dim=1), torch.ones(600), atol=1e-3, rtol=0)
        coarse, middle, fine = (batch.labels[level] for level in LEVELS)
        assert coarse.dtype == torch.int64 and coarse.min() >= 0 and len(fine.unique()) >= 2
        for inner, outer in ((fine, middle), (middle, coarse)):
            assert len(torch.stack([inner, outer], 1).unique(dim=0)) == len(inner.unique())


def test_a_third_of_the_items_is_one_connected_surface():
    data = ProceduralDataset("train", 24)
    whole = 0
    for i in range(24):
        shape = data.shape(i)
        edges = np.concatenate([shape.faces[:, :2], shape.faces[:, 1:]])
        graph = coo_array((np.ones(len(edges)), edges.T), shape=(len(shape.vertices),) * 2)
        _, component = connected_components(graph, directed=False)
        whole += len(np.unique(component[shape.faces])) == 1
    assert whole >= 8


def test_shares_of_the_kinds():
    share = ProceduralDataset("train", 1).share
    assert share.sum() == pytest.approx(1) and share[KINDS.index("fused")] + share[KINDS.index("organic")] >= 1 / 3
    np.testing.assert_allclose(ProceduralDataset("train", 1, kinds={"organic": 2, "fused": 6}).share, [0, 0.75, 0.25])


def test_what_does_not_exist():
    with pytest.raises(UnknownNameError, match="train"):
        ProceduralDataset("trian", 3)
    with pytest.raises(UnknownNameError, match="organic"):
        ProceduralDataset("train", 3, kinds={"orgnic": 1.0})
    data = ProceduralDataset("train", 3, points=10)
    for i in (3, -1):
        with pytest.raises(IndexError):
            data[i]


# ------------------------------------------------------------------------------------------------------ interior points


def test_interior_points_come_after_the_surface_and_change_nothing_else():
    data = ProceduralDataset("train", 100, points=600, interior=500)
    for i in range(3):
        batch, plain = data[i].validate(), item("train", i)
        assert batch.points.shape == (1100, 3) and batch.surface.tolist() == [True] * 600 + [False] * 500
        assert torch.equal(batch.points[:600], plain.points) and torch.equal(batch.normals[:600], plain.normals)
        assert (batch.normals[600:] == 0).all()
        assert same(batch, data[i])


def test_interior_points_have_the_label_of_the_nearest_surface():
    data = ProceduralDataset("train", 20, points=4000, interior=800)
    for i in range(4):
        batch = data[i]
        surface, inside = batch.points[:4000].numpy(), batch.points[4000:].numpy()
        distance, nearest = cKDTree(surface).query(inside)
        for level in LEVELS:
            labels = batch.labels[level].numpy()
            differ = labels[4000:] != labels[:4000][nearest]
            # samples of two parts may be equally near; then the own one is as near as the nearest
            for row in np.flatnonzero(differ):
                own = surface[labels[:4000] == labels[4000 + row]]
                assert np.linalg.norm(own - inside[row], axis=1).min() <= distance[row] + 1e-3


def test_the_datamodule_gives_interior_points_to_training_only():
    data = Procedural(train_size=2, val_size=1, test_size=1, points=50, interior=20, batch_size=2)
    batch = next(iter(data.train_dataloader()))
    assert batch.points.shape == (140, 3) and batch.surface.sum() == 100
    assert next(iter(data.val_dataloader())).surface.sum() == 50
    assert next(iter(data.test_dataloader())).surface is None
    assert data.dataset("predict")[0].points.shape == (50, 3)


def test_cached_items_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTSEG_CACHE", str(tmp_path))
    data = ProceduralDataset("train", 100, points=600, cache=True)
    for i in range(6):
        assert same(data[i], item("train", i))
    files = list(tmp_path.rglob("*.npz"))
    dear = sum(data.kind(i) != "assembled" for i in range(6))
    assert len(files) == dear > 0
    monkeypatch.setattr(endless, "organic", None)  # nothing is built again
    monkeypatch.setattr(endless, "fuse", None)
    for i in range(6):
        assert same(data[i], item("train", i))
    assert same(Procedural(points=600, cache=True).dataset("train")[0], item("train", 0))


def test_splits_of_the_datamodule():
    data = Procedural(train_size=3, val_size=2, test_size=1, points=30, seed=4)
    assert [len(data.dataset(s)) for s in ("train", "val", "test", "predict")] == [3, 2, 1, 1]
    assert same(data.dataset("test")[0], ProceduralDataset("test", 9, 30, seed=4)[0])


def test_items_carry_their_classes_and_their_tree():
    for interior in (0, 200):
        data = ProceduralDataset("train", 4, points=600, interior=interior)
        for i in range(4):
            batch, tree = data[i], data.shape(i).hierarchy
            (over,) = batch.hierarchies
            assert over.parent.tolist() == tree.parent.tolist() and len(over.leaf_of) == 600 + interior
            for level in LEVELS:
                labels = batch.labels[level].numpy()
                np.testing.assert_array_equal(over.cut(level=level), labels)
                wanted = np.array([tree.semantic_id[node] for node in tree.cut_nodes(level=level)])
                np.testing.assert_array_equal(batch.semantics[level].numpy(), wanted[labels])


def test_families_can_be_chosen():
    data = ProceduralDataset("train", 30, points=50, kinds={"assembled": 1.0}, families=["table", "chair"])
    assert {data.shape(i).family for i in range(30)} == {"chair", "table"}
    module = Procedural(families=["sofa"], fused=0.0, organic=0.0, points=50)
    assert {module.dataset("val").shape(i).family for i in range(5)} == {"sofa"}
    with pytest.raises(UnknownNameError, match=r"unknown families \['charis'\]"):
        ProceduralDataset("train", 1, families=["charis"])
