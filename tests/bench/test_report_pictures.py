"""Rendered shapes of a report: which are chosen, what is drawn, what is left out."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakes.bench_results import fake_result
from partseg.geometry.shape import Shape
from partseg.parts.palette import UNLABELLED
from partseg_bench.predictions import Manifest, Prediction, write_manifest, write_prediction
from partseg_bench.report import write
from partseg_bench.report.model import tables
from partseg_bench.report.pictures import Scene, chosen, strips
from partseg_bench.samples import EvalSet, eval_set

SHAPES = 3


@pytest.fixture(scope="module")
def truths() -> EvalSet:
    return eval_set("procedural", limit=SHAPES, options={"seed": 3})


def a_result(truths: EvalSet, runs: Path, method: str, quality: float, **changes: Any) -> dict[str, Any]:
    """A result whose predictions, the truth itself, lie in the folder of runs."""
    result = fake_result(method, quality, shapes=SHAPES, truth_sha256=truths.digest, **changes)
    result["cell"] |= {"limit": SHAPES, "options": {"seed": 3}}
    result["per_shape"] = dict(zip(truths.ids, result["per_shape"].values()))
    folder = runs / "predictions" / result["predictions"]
    entries = {
        name: write_prediction(folder, name, Prediction(np.asarray(sample.labels["fine"], np.int64))) | {"seconds": 1.0}
        for name, sample in zip(truths.ids, truths)
    }
    write_manifest(folder, Manifest(entries, method, "", "mesh", 0, True, {}))
    return result


def test_best_median_and_worst_are_by_the_mean_over_methods() -> None:
    results = [fake_result("a", 0.5, shapes=5), fake_result("b", 0.5, shapes=5)]
    for i, (first, second) in enumerate(zip(*(one["per_shape"].values() for one in results))):
        first["scores"]["miou"], second["scores"]["miou"] = 0.1 * i, 0.9 - 0.12 * i  # mean 0.45 - 0.01 i
    assert chosen(tables(results)[0]) == [("Best", "test/0"), ("Median", "test/2"), ("Worst", "test/4")]
    assert chosen(tables([fake_result("a", 0.5, shapes=1)])[0]) == [("Best", "test/0")]
    assert chosen(tables([fake_result("a", 0.5, per_shape={})])[0]) == []
    less = [one | {"cell": one["cell"] | {"protocol": "errors"}} for one in results]
    for one in less:
        one["metrics"] = {"hamming": one["metrics"]["miou"]}
        one["per_shape"] = {k: {"scores": {"hamming": v["scores"]["miou"]}} for k, v in one["per_shape"].items()}
    assert chosen(tables(less)[0])[0] == ("Best", "test/4")


def test_a_page_shows_input_truth_and_methods(truths: EvalSet, tmp_path: Path) -> None:
    results = [a_result(truths, tmp_path, "alpha", 0.7), a_result(truths, tmp_path, "beta", 0.5)]
    found = strips(tables(results), tmp_path)
    (rows,) = found.values()
    assert [strip.title for strip in rows] == ["Best", "Median", "Worst"]
    for strip in rows:
        assert [tile.caption for tile in strip.tiles] == ["Input", "Truth", "alpha", "beta"]
        images = [_pixels(tile.uri) for tile in strip.tiles]
        assert {image.shape for image in images} == {(*tile.size[::-1], 3) for tile in strip.tiles}
        assert (images[1] == images[2]).all() and (
            images[0] != images[1]
        ).any()  # they predict the truth, in its colours
    source = write(results, tmp_path / "out", runs=tmp_path)[-1].read_text()
    assert source.count("<img ") == 12
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in re.findall(r'<img src="([^"]*)"', source))


def test_a_refined_cloud_is_drawn_as_it_is(truths: EvalSet, tmp_path: Path) -> None:
    result = a_result(truths, tmp_path, "alpha", 0.7)
    folder, entries = tmp_path / "predictions" / result["predictions"], {}
    for name, sample in zip(truths.ids, truths):
        none = np.full(sample.shape.n_elements, -1, np.int64)
        cloud = np.random.default_rng(0).normal(size=(77, 3))
        entries[name] = write_prediction(folder, name, Prediction(none, refined=cloud)) | {"seconds": 1.0}
    write_manifest(folder, Manifest(entries, "alpha", "", "points", 0, True, {}))
    (rows,) = strips(tables([result]), tmp_path).values()
    assert all(strip.tiles[-1].note.endswith(", 77 points") and strip.tiles[-1].caption == "alpha" for strip in rows)


def test_pictures_have_a_bound(truths: EvalSet, tmp_path: Path) -> None:
    results = [
        a_result(truths, tmp_path, "alpha", 0.7),
        a_result(truths, tmp_path, "alpha", 0.7, protocol="class-agnostic-oracle"),
    ]
    every = tables(results)
    size = sum(len(tile.uri) * 3 // 4 for strip in strips(every[:1], tmp_path)[every[0].anchor] for tile in strip.tiles)
    assert 3_000 < size < 300_000
    assert list(strips(every, tmp_path, max_bytes=size + 10)) == [every[0].anchor]
    assert strips(every, tmp_path, max_bytes=size - 1) == {}


def test_what_cannot_be_shown_is_left_out(truths: EvalSet, tmp_path: Path) -> None:
    good = a_result(truths, tmp_path, "alpha", 0.7)
    changed = [one | {"truth_sha256": "other"} for one in (good,)]
    assert strips(tables(changed), tmp_path) == {}  # the shapes are other ones by now
    assert strips(tables([fake_result("a", 0.5, dataset="of-a-stranger")]), tmp_path) == {}
    assert strips(tables([good | {"predictions": "../alpha"}]), tmp_path) == {}
    assert strips(tables([good | {"predictions": "gone"}]), tmp_path) == {}
    other = a_result(truths, tmp_path, "beta", 0.5)
    for file in (tmp_path / "predictions" / other["predictions"]).glob("*.npz"):
        file.write_bytes(b"damaged")
    (rows,) = strips(tables([good, other]), tmp_path).values()
    assert [tile.caption for tile in rows[0].tiles] == ["Input", "Truth", "alpha"]


def test_clouds_and_missing_labels_are_drawn() -> None:
    points = np.random.default_rng(0).normal(size=(3000, 3))
    shape = Shape.from_points(points / np.linalg.norm(points, axis=1, keepdims=True))
    scene = Scene.of(shape)
    labels = (points[:, 0] > 0).astype(np.int64) - 1
    colors = scene.colors(labels, None)
    assert (colors[labels < 0] == UNLABELLED).all() and not (colors[labels == 0] == UNLABELLED).all(1).any()
    assert _pixels(scene.tile(labels, None, "a", "b").uri).std() > 10


def _pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))
