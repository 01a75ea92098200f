"""The cache gives back what was built, survives damage and two writers, and never leaves half a file."""

from __future__ import annotations

import multiprocessing
import os

import numpy as np
import pytest

from partseg.data.procedural.cache import ShapeCache, cache_root
from partseg.data.procedural.organic import organic
from partseg.errors import ShapeWarning

KEY = {"seed": 3, "index": 5, "family": "worm"}


def build():
    return organic(np.random.default_rng([3, 5]), "worm", n_faces=1500)


def same(a, b) -> None:
    (shape, sample), (other, other_sample) = a, b
    for name in ("vertices", "faces", "face_leaf", "parent", "generation"):
        np.testing.assert_array_equal(getattr(shape, name), getattr(other, name))
        assert getattr(shape, name).dtype == getattr(other, name).dtype
    assert (shape.names, shape.family, shape.seed, shape.index) == (other.names, other.family, other.seed, other.index)
    for x, y in zip(sample[:3], other_sample[:3], strict=True):
        np.testing.assert_array_equal(x, y)
    assert sample.labels.keys() == other_sample.labels.keys()
    for level, labels in sample.labels.items():
        np.testing.assert_array_equal(labels, other_sample.labels[level])


def never():
    raise AssertionError("built although it was cached")


def test_round_trip_and_one_file(tmp_path):
    cache = ShapeCache(tmp_path, n_points=500)
    first = cache.get(KEY, build)
    same(first, cache.get(KEY, never))
    same(first, ShapeCache(tmp_path, n_points=500).get(KEY, never))
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert files == [cache.path(KEY)]
    assert first[0].hierarchy.n_parts == len(first[0].parent)


def test_symmetry_parameters_survive(tmp_path):
    from partseg.data.procedural import generate

    cache = ShapeCache(tmp_path, n_points=100)
    for index in range(6):
        key = {"seed": 1, "index": index, "family": "chair"}
        shape, _ = cache.get(key, lambda index=index: generate(1, index, "chair"))
        again, _ = cache.get(key, never)
        assert shape.hierarchy.symmetry == again.hierarchy.symmetry
    assert any(s is not None for s in shape.hierarchy.symmetry)


def test_keys_do_not_collide(tmp_path):
    cache = ShapeCache(tmp_path, n_points=100)
    keys = [KEY, {**KEY, "index": 6}, {**KEY, "seed": 4}, {**KEY, "family": "fish"}, {**KEY, "index": "5"}]
    assert len({cache.path(key) for key in keys}) == len(keys)
    assert cache.path(KEY) == cache.path(dict(reversed(KEY.items())))
    assert cache.path(KEY) != ShapeCache(tmp_path, n_points=101).path(KEY)


@pytest.mark.parametrize("damage", ["empty", "text", "short", "flipped"])
def test_damaged_entry_is_rebuilt(tmp_path, damage):
    cache = ShapeCache(tmp_path, n_points=500)
    first = cache.get(KEY, build)
    path = cache.path(KEY)
    data = bytearray(path.read_bytes())
    if damage == "empty":
        data = b""
    elif damage == "text":
        data = b"not a shape at all"
    elif damage == "short":
        data = data[: len(data) // 2]
    else:
        data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)
    built = []
    same(first, cache.get(KEY, lambda: (built.append(1), build())[1]))
    assert built
    same(first, cache.get(KEY, never))


def _worker(root, out):
    cache = ShapeCache(root, n_points=500)
    total = 0.0
    for index in range(4):
        key = {**KEY, "index": index}
        shape, sample = cache.get(key, lambda i=index: organic(np.random.default_rng(i), "starfish", n_faces=800))
        total += float(sample.points.astype(np.float64).sum()) + len(shape.faces)
    out.put(total)


def test_two_processes(tmp_path):
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    workers = [context.Process(target=_worker, args=(tmp_path, out)) for _ in range(2)]
    for worker in workers:
        worker.start()
    totals = [out.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert totals[0] == totals[1]
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) == 4
    assert not [p for p in files if p.name.startswith(".")]


def test_full_or_unwritable_folder_still_gives_shapes(tmp_path):
    full = ShapeCache(tmp_path / "full", n_points=100, max_bytes=0)
    shape, _ = full.get(KEY, build)
    assert len(shape.faces)
    assert not (tmp_path / "full").exists()
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.warns(ShapeWarning, match="not cached"):
        shape, _ = ShapeCache(blocked, n_points=100).get(KEY, build)
    assert len(shape.faces)


def test_location(monkeypatch, tmp_path):
    monkeypatch.setenv("PARTSEG_CACHE", str(tmp_path / "here"))
    assert cache_root() == tmp_path / "here"
    assert ShapeCache().root.is_relative_to(tmp_path / "here")
    monkeypatch.delenv("PARTSEG_CACHE")
    assert cache_root().is_absolute()
    assert "partseg" in os.fspath(cache_root())
