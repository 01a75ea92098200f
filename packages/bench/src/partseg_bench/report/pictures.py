"""Rendered shapes for the page: input, truth and each method, for the best, a middling and the worst shape."""

from __future__ import annotations

import base64
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.geometry.buffers import (
    Buffers,
    buffer_normals,
    corner_normals,
    depth_normals,
    point_radius,
    rasterise,
    rasterise_points,
    within_overdraw,
)
from partseg.geometry.camera import frame_views
from partseg.geometry.render import CLAY
from partseg.geometry.shading import Light, light, shade
from partseg.geometry.shape import Shape
from partseg.parts.palette import assign_colors, element_colors
from partseg_bench.prediction import Prediction
from partseg_bench.report import form
from partseg_bench.report.model import Table
from partseg_bench.report.plain import lower_is_better, mapping
from partseg_bench.report.rows import Result, Row

MOST_METHODS = 6  # of a strip, the best ones
MAX_BYTES = 6 << 20  # of all pictures of a page, before base64
_WIDTH, _HEIGHT, _VIEW, _SUPERSAMPLE, _QUALITY = 232, 200, (35.0, 20.0), 2, 82
_PREDICTIONS = "predictions"


@dataclass(frozen=True)
class Tile:
    """One picture: its data URI, (width, height) in pixels, what it shows and what there is to say of it."""

    uri: str
    size: tuple[int, int]
    caption: str
    note: str


@dataclass(frozen=True)
class Strip:
    """One shape as all see it."""

    title: str
    shape: str
    tiles: tuple[Tile, ...]


def strips(tables: Sequence[Table], runs: Path, max_bytes: int = MAX_BYTES) -> dict[str, list[Strip]]:
    """Pictures of each table, by its anchor, as long as they fit into `max_bytes`.

    A table whose shapes cannot be had here, or are other ones by now, has no pictures; nor has a method whose
    predictions are gone, do not fit, or neither name parts nor refine the shape.
    """
    out: dict[str, list[Strip]] = {}
    shapes: dict[str, Any] = {}
    for table in tables:
        found = _strips(table, runs, shapes)
        max_bytes -= sum(len(tile.uri) * 3 // 4 for strip in found for tile in strip.tiles)
        if max_bytes < 0:
            break
        if found:
            out[table.anchor] = found
    return out


def chosen(table: Table) -> list[tuple[str, str]]:
    """(title, id) of the shapes to show: by what the methods score on them, on average."""
    rows = [row for row in table.rows if row.shapes][:MOST_METHODS]
    if not rows:
        return []
    ids = [shape for shape in rows[0].shapes if all(shape in row.shapes for row in rows)]
    less = lower_is_better(rows[0].by)
    mean = {shape: statistics.fmean(row.shapes[shape] for row in rows) for shape in ids}
    ids.sort(key=lambda shape: (mean[shape] if less else -mean[shape], shape))
    places = {"Best": 0, "Median": len(ids) // 2, "Worst": len(ids) - 1}
    taken: dict[str, str] = {}
    for title, place in places.items():
        if ids:
            taken.setdefault(ids[place], title)
    return [(title, shape) for shape, title in taken.items()]


def _strips(table: Table, runs: Path, shapes: dict[str, Any]) -> list[Strip]:
    wanted = chosen(table)
    if not wanted or not table.truth:
        return []
    if table.truth not in shapes:
        shapes[table.truth] = _eval_set(table)
    truths = shapes[table.truth]
    if truths is None:
        return []
    out = []
    rows = [row for row in table.rows if row.shapes][:MOST_METHODS]
    for title, shape in wanted:
        try:
            sample = truths[truths.ids.index(shape)]
        except (PartsegError, ValueError, OSError):
            continue
        tiles = _tiles(sample, shape, rows, runs)
        if len(tiles) > 1 + bool(sample.labels):  # some method is among them
            out.append(Strip(title, shape, tuple(tiles)))
    return out


def _eval_set(table: Table) -> Any:
    """The shapes that a table is about; None where they cannot be had or have changed."""
    from partseg_bench.samples import eval_set

    cell = table.rows[0].results[-1]["cell"]
    options = {key: cell.get(key) for key in ("limit", "level")} | {"options": mapping(cell.get("options"))}
    try:
        found = eval_set(table.dataset, split=table.split or "test", **options)
        return found if found.digest == table.truth else None
    except (PartsegError, OSError, TypeError, ValueError):
        return None


def _tiles(sample: PartSample, name: str, rows: Sequence[Row], runs: Path) -> list[Tile]:
    if not sample.shape.n_elements:
        return []
    scene = Scene.of(sample.shape)
    tiles = [scene.tile(None, None, "Input", _elements(sample.shape))]
    truth = None
    if sample.labels:
        level, labels = next(reversed(sample.labels.items()))
        truth = _dense(np.asarray(labels))
        level = f"{level}, " if len(sample.labels) > 1 else ""
        tiles.append(scene.tile(truth, None, "Truth", f"{level}{_parts(truth)}"))
    for row in rows:
        prediction = _prediction(row, name, runs)
        score = form.shape_score(row.shapes[name], row.by)
        if prediction is None or prediction.n_elements != sample.shape.n_elements:
            continue
        if prediction.refined is not None:
            cloud = Shape.from_points(prediction.refined)
            tiles.append(Scene.of(cloud).tile(None, None, row.label, f"{row.by} {score}, {_elements(cloud)}"))
        elif (prediction.labels >= 0).any():
            labels = _dense(prediction.labels)
            tiles.append(scene.tile(labels, truth, row.label, f"{row.by} {score}, {_parts(labels)}"))
    return tiles


def _prediction(row: Row, shape: str, runs: Path) -> Prediction | None:
    """What the first seed says of a shape; None where that cannot be had."""
    from partseg_bench.predictions import read_predictions

    folder = _folder(row.results[0], runs)
    if folder is None:
        return None
    try:
        return read_predictions(folder)[shape]
    except (PartsegError, KeyError, OSError, ValueError):
        return None


def _folder(result: Result, runs: Path) -> Path | None:
    """Where a result's predictions lie. Its key is a bare name: results may come from strangers."""
    key = result.get("predictions")
    if not isinstance(key, str) or not key.isalnum():
        return None
    folder = runs / _PREDICTIONS / key
    return folder if folder.is_dir() else None


@dataclass(frozen=True, eq=False)
class Scene:
    """A shape drawn once, to be coloured by many labellings."""

    shape: Shape
    buffers: Buffers
    light: Light
    edges: Int[np.ndarray, "m 2"]

    @classmethod
    def of(cls, shape: Shape) -> Scene:
        """Draw a shape from one side."""
        points = np.asarray(shape.points if not shape.is_mesh else shape.vertices[np.unique(shape.faces)], np.float64)
        points = points[np.isfinite(points).all(axis=1)]
        radius = 0.0 if shape.is_mesh else point_radius(shape.points)
        (camera,), (size,) = frame_views(points, [_VIEW], width=_WIDTH, height=_HEIGHT, radius=radius)
        large = (size[0] * _SUPERSAMPLE, size[1] * _SUPERSAMPLE)
        if shape.is_mesh:
            buffers = rasterise(
                shape.vertices, within_overdraw(shape.vertices, shape.faces, camera, large), camera, large
            )
            smooth = corner_normals(shape.vertices, shape.faces)
            normals = buffer_normals(buffers, shape.vertices, shape.faces, smooth)
        else:
            buffers = rasterise_points(shape.points, camera, large, radius)
            normals = depth_normals(buffers)
        ids, pairs = buffers.face_id, []
        for a, b in ((ids[1:], ids[:-1]), (ids[:, 1:], ids[:, :-1])):
            differ = (a != b) & (a >= 0) & (b >= 0)
            pairs.append(np.stack([a[differ], b[differ]], axis=1))
        return cls(shape, buffers, light(buffers, normals), np.concatenate(pairs))

    def tile(self, labels: np.ndarray | None, truth: np.ndarray | None, caption: str, note: str) -> Tile:
        """A picture coloured by labels (None: plain), in the colours of the truth where there is one."""
        image = shade(self.buffers, self.colors(labels, truth), self.light, labels=labels, supersample=_SUPERSAMPLE)
        return Tile(_jpeg(image), (image.shape[1], image.shape[0]), caption, note)

    def colors(self, labels: np.ndarray | None, truth: np.ndarray | None) -> UInt8[np.ndarray, "n 3"]:
        """The colour of every element."""
        n = self.shape.n_elements
        if labels is None:
            own = self.shape.colors
            if own is not None and len(own) == n:
                return (np.clip(own, 0, 1) * 255 + 0.5).astype(np.uint8)
            return np.full((n, 3), CLAY, np.uint8)
        coarse = None if truth is None or truth is labels else (truth, assign_colors(truth, self.edges))
        return element_colors(labels, assign_colors(labels, self.edges, coarse=coarse))


def _jpeg(image: np.ndarray) -> str:
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()


def _dense(labels: np.ndarray) -> np.ndarray:
    """The same parts numbered from 0; -1 for none."""
    out = np.full(len(labels), -1, np.int64)
    inside = labels >= 0
    out[inside] = np.unique(labels[inside], return_inverse=True)[1]
    return out


def _parts(labels: np.ndarray) -> str:
    k = int(labels.max(initial=-1)) + 1
    return f"{k} part{'' if k == 1 else 's'}"


def _elements(shape: Shape) -> str:
    return f"{shape.n_elements:,} {'triangles' if shape.is_mesh else 'points'}"
