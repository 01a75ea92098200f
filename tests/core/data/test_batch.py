"""PartBatch: packing and unpacking are inverse, padding changes nothing real."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partseg.data.batch import PartBatch
from partseg.errors import PartsegError

SIZES = st.lists(st.integers(0, 9), min_size=1, max_size=6)
quiet = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def same(a: PartBatch, b: PartBatch) -> None:
    assert torch.equal(a.points, b.points) and torch.equal(a.ptr, b.ptr) and a.names == b.names
    assert a.categories == b.categories
    for key in ("normals", "colors"):
        x, y = getattr(a, key), getattr(b, key)
        assert (x is None) == (y is None) and (x is None or torch.equal(x, y))
    assert list(a.labels) == list(b.labels)
    assert all(torch.equal(a.labels[k], b.labels[k]) for k in a.labels)
    assert list(a.semantics) == list(b.semantics)
    assert all(torch.equal(a.semantics[k], b.semantics[k]) for k in a.semantics)
    assert len(a.hierarchies) == len(b.hierarchies)
    assert all(x is y or x.to_json() == y.to_json() for x, y in zip(a.hierarchies, b.hierarchies))


@quiet
@given(SIZES, st.booleans(), st.booleans())
def test_collate_and_getitem_are_inverse(item, sizes, normals, colors):
    items = [item(n, i, normals=normals, colors=colors) for i, n in enumerate(sizes)]
    batch = PartBatch.collate(items).validate()
    assert batch.n_shapes == len(sizes)
    for i, one in enumerate(items):
        same(batch[i], one)
    same(batch[-1], items[-1])
    same(PartBatch.collate([batch[i] for i in range(len(items))]), batch)
    same(PartBatch.collate([PartBatch.collate(items[:1]), *items[1:]]), batch)
    want = [i for i, n in enumerate(sizes) for _ in range(n)]
    assert batch.index.tolist() == want


@quiet
@given(SIZES, st.one_of(st.none(), st.integers(1, 12)))
def test_padded_keeps_what_is_real(item, sizes, n):
    if n is None and max(sizes) == 0:
        sizes = [*sizes, 1]
    batch = PartBatch.collate([item(k, i) for i, k in enumerate(sizes)])
    dense, real = batch.padded(n)
    width = max(sizes) if n is None else n
    dense.validate()
    assert real.shape == (len(sizes), width) and dense.ptr.diff().tolist() == [width] * len(sizes)
    points = dense.points.view(len(sizes), width, 3)
    for i, k in enumerate(sizes):
        kept = min(k, width)
        assert real[i].tolist() == [True] * kept + [False] * (width - kept)
        assert torch.equal(points[i, :kept], batch[i].points[:kept])
        assert (points[i, kept:] == 0).all()
        for level, labels in dense.labels.items():
            row = labels.view(len(sizes), width)[i]
            assert torch.equal(row[:kept], batch[i].labels[level][:kept]) and (row[kept:] == -1).all()
        normals = dense.normals.view(len(sizes), width, 3)[i]
        assert torch.equal(normals[:kept], batch[i].normals[:kept]) and (normals[kept:] == 0).all()


def test_equal_sizes_are_not_copied(item):
    batch = PartBatch.collate([item(5, i) for i in range(3)])
    dense, real = batch.padded()
    assert dense is batch and real.all()
    assert batch.padded(5)[0] is batch and batch.padded(6)[0] is not batch


def test_collate_drops_what_only_some_have(item):
    some = item(4, 1, normals=False, colors=True, hierarchy=False)
    del some.labels["coarse"]
    batch = PartBatch.collate([item(3, 0), some])
    assert batch.normals is None and batch.colors is None and batch.hierarchies == () and list(batch.labels) == ["fine"]
    assert batch.names == ("item-0", "item-1")


def test_surface_rows_are_kept(item):
    mixed = replace(item(4, 1), surface=torch.tensor([True, False, True, False]))
    batch = PartBatch.collate([item(3, 0), mixed])
    assert batch.surface.tolist() == [True, True, True, True, False, True, False]
    assert batch[1].surface.tolist() == mixed.surface.tolist()
    dense, _ = batch.padded(5)
    assert dense.surface.view(2, 5).tolist() == [[True] * 3 + [False] * 2, [True, False, True, False, False]]
    assert batch.to(torch.float64).surface.dtype == torch.bool
    assert PartBatch.collate([item(3, 0), item(2, 1)]).surface is None


def test_to_moves_and_casts(item):
    batch = item(4, colors=True).to(dtype=torch.float64)
    assert batch.points.dtype == batch.normals.dtype == batch.colors.dtype == torch.float64
    assert batch.ptr.dtype == torch.int64 and batch.labels["fine"].dtype == torch.int64
    meta = item(4).to("meta")
    assert {x.device.type for x in (meta.points, meta.ptr, meta.normals, *meta.labels.values())} == {"meta"}
    assert meta.names == ("item-0",) and len(meta.hierarchies) == 1


def test_survives_a_worker_process(item):
    batch = PartBatch.collate([item(4), item(2, 1)])
    same(pickle.loads(pickle.dumps(batch)), batch)  # noqa: S301 (our own)


def test_what_is_no_batch_says_why(item):
    points, ptr = torch.zeros(3, 3), torch.tensor([0, 3])
    for fields, cause in [
        ({"points": torch.zeros(3, 2)}, "points must be"),
        ({"ptr": torch.tensor([0])}, "ptr must hold"),
        ({"normals": torch.zeros(2, 3)}, "3 points but 2 rows of normals"),
        ({"labels": {"fine": torch.zeros(4)}}, "3 points but 4 rows of fine"),
    ]:
        with pytest.raises(PartsegError, match=cause):
            PartBatch(**({"points": points, "ptr": ptr} | fields))
    for wrong in ([1, 3], [0, 2], [0, 5, 3]):
        with pytest.raises(PartsegError, match="rise"):
            PartBatch(points, torch.tensor(wrong)).validate()
    with pytest.raises(PartsegError, match="nothing"):
        PartBatch.collate([])
    with pytest.raises(IndexError):
        item(3)[1]


@quiet
@given(SIZES, st.integers(0, 2**32 - 1))
def test_selected_rows_stay_in_their_shapes(item, sizes, seed):
    batch = PartBatch.collate([item(n, i) for i, n in enumerate(sizes)])
    rows = torch.rand(len(batch.points), generator=torch.Generator().manual_seed(seed)) < 0.5
    out = batch.selected(rows).validate()
    assert torch.equal(out.index, batch.index[rows]) and out.hierarchies == () and out.names == batch.names
    assert torch.equal(out.points, batch.points[rows]) and torch.equal(
        out.semantics["fine"], batch.semantics["fine"][rows]
    )
