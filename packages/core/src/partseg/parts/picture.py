"""The picture a person looks at: a shape from several sides, coloured by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

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
from partseg.geometry.shading import BACKGROUND, Light, light, shade
from partseg.parts.arrows import MOST, draw_arrows, legend, symmetry_arrows
from partseg.parts.palette import assign_colors, element_colors

if TYPE_CHECKING:
    from PIL.Image import Image

    from partseg.geometry.shape import Shape
    from partseg.parts.hierarchy import PartHierarchy

Labels = Int[np.ndarray, "n"]

VIEWS = ((35.0, 20.0), (90.0, 8.0), (215.0, 20.0), (0.0, 80.0))  # three-quarter, side, back three-quarter, top
_TEXT, _FAINT = (40, 42, 52), (128, 130, 140)
_SUPERSAMPLE = 2


class _View(NamedTuple):
    buffers: Buffers
    light: Light


def part_picture(
    shape: Shape,
    labels_or_levels: Labels | Sequence[Labels] | Mapping[str, Labels] | None,
    path: str | Path | None = None,
    *,
    title: str | None = None,
    views: Sequence[tuple[float, float]] = VIEWS,
    up: str | tuple[float, float, float] = "y",
    width: int = 1600,
    hierarchy: PartHierarchy | None = None,
) -> Image:
    """Draw a shape from several sides, coloured by part; one row for each labelling.

    Rows are drawn in the given order; a finer row keeps the colours of the row before it where it can. All views
    have the same scale.

    Args:
        shape: what to draw; an empty shape gives an empty picture.
        labels_or_levels: part of every element (triangle, point or splat), -1 for none; or several of these, plain or
            by name. None draws the shape in its own colours (clay if it has none).
        path: where to save the picture; the suffix names the format. None: not saved.
        title: heading; the name of the shape by default, "" for no heading.
        views: azimuth and elevation of each view in degrees, see :func:`partseg.geometry.camera.fit_camera`.
        up: up axis of the shape.
        width: width of the picture in pixels.
        hierarchy: over the elements; its symmetries, the 12 largest that a row's parts show, are drawn as arrows:
            mirrors red, shifts blue, turns green (:func:`partseg.parts.arrows.symmetry_arrows`).

    Returns:
        RGB Pillow image, about ``width`` wide.

    Raises:
        ValueError: labels and elements differ in number.
        InputError: the picture cannot be written.
    """
    from PIL import Image as images

    levels = _levels(shape, labels_or_levels)
    margin, gap, line = 24, 20, 30
    room = (width - 2 * margin - gap * (len(views) - 1), int(0.34 * width))
    drawn, sizes = _draw(shape, views, room, up)
    head = 52 if title != "" else 14
    row = max(size[0] for size in sizes) + line + gap
    canvas = np.empty((head + row * len(levels), width, 3), np.uint8)
    canvas[:] = BACKGROUND
    spare = width - 2 * margin - sum(size[1] for size in sizes)
    space = spare / max(1, len(sizes) - 1) if len(sizes) > 1 else 0
    edges = _seen_edges([view.buffers for view in drawn])
    before = None
    arrows = [
        [] if hierarchy is None or labels is None else symmetry_arrows(hierarchy, shape, labels) for _, labels in levels
    ]
    for r, (_, labels) in enumerate(levels):
        colors, before = _colors(shape, labels, edges, before)
        left = float(margin) if len(sizes) > 1 else margin + spare / 2
        for view, (height, wide) in zip(drawn, sizes, strict=True):
            top = head + r * row + (row - line - gap - height) // 2
            image = shade(view.buffers, colors, view.light, labels=labels, supersample=_SUPERSAMPLE)
            if arrows[r]:
                image = draw_arrows(image, arrows[r][:MOST], view.buffers.camera, max(1.6, width / 600))
            canvas[top : top + height, int(left) : int(left) + wide] = image
            left += wide + space
    picture = images.fromarray(canvas)
    pen = _Pen(picture)
    if title != "":
        x = pen.write(margin, 14, title or shape.name, 22, _TEXT, width - 2 * margin - 240)
        pen.write(x + 14, 20, _count(shape), 15, _FAINT, width - x - margin)
    for r, (name, labels) in enumerate(levels):
        y, room = head + (r + 1) * row - line - gap // 2, width - margin
        x = pen.write(margin, y, caption(name, labels), 16, _TEXT, room - margin)
        for text, color in legend(arrows[r]):
            x = pen.write(x + 10, y, text, 16, color, room - x - 10)
    if path is not None:
        _save(picture, path)
    return picture


def contact_sheet(
    items: Sequence[tuple[Shape, Labels | None, str]],
    columns: int = 6,
    path: str | Path | None = None,
    *,
    cell: int = 260,
    view: tuple[float, float] = VIEWS[0],
    up: str | tuple[float, float, float] = "y",
) -> Image:
    """Many shapes on one sheet, one view each, with a caption below: a preview of a data set.

    Cells that follow one another with the same shape (the same object) are drawn once and read together: where they
    can, parts keep the colours of the cell before.

    Args:
        items: (shape, part of every element or None, caption) of each cell, row by row.
        columns: cells per row.
        path: where to save the picture; None: not saved.
        cell: width and height of a cell in pixels, without its caption.
        view: azimuth and elevation in degrees.
        up: up axis of all shapes.

    Returns:
        RGB Pillow image; a sheet without items has one empty cell.
    """
    from PIL import Image as images

    columns = max(1, min(int(columns), max(1, len(items))))
    pad, line = 12, 26
    rows = max(1, -(-len(items) // columns))
    step_x, step_y = cell + pad, cell + line + pad
    canvas = np.empty((rows * step_y + pad, columns * step_x + pad, 3), np.uint8)
    canvas[:] = BACKGROUND
    last = None
    for i, (shape, labels, _) in enumerate(items):
        if shape is not last:
            (drawn,), (size,) = _draw(shape, [view], (cell, cell), up)
            last, edges, before = shape, _seen_edges([drawn.buffers]), None
        labels = _levels(shape, labels)[0][1]
        colors, before = _colors(shape, labels, edges, before)
        top = pad + i // columns * step_y + (cell - size[0]) // 2
        left = pad + i % columns * step_x + (cell - size[1]) // 2
        canvas[top : top + size[0], left : left + size[1]] = shade(
            drawn.buffers, colors, drawn.light, labels=labels, supersample=_SUPERSAMPLE
        )
    picture = images.fromarray(canvas)
    pen = _Pen(picture)
    for i, (_, _, caption) in enumerate(items):
        x, y = pad + i % columns * step_x, pad + i // columns * step_y + cell + 4
        pen.write(x, y, caption, 14, _TEXT, cell, centred=True)
    if path is not None:
        _save(picture, path)
    return picture


def caption(name: str, labels: Labels | None) -> str:
    """What a picture shows, for the line below it: "fine: 12 parts"; just the name without labels."""
    if labels is None:
        return name
    parts = len(np.unique(labels[labels >= 0]))
    missing = np.count_nonzero(labels < 0)
    text = f"{parts} part{'' if parts == 1 else 's'}"
    if missing:
        text += f", {100 * missing / len(labels):.0f} % of the elements in none"
    return f"{name}: {text}" if name else text


def _levels(shape: Shape, given: object) -> list[tuple[str, np.ndarray | None]]:
    if given is None:
        return [("", None)]
    if isinstance(given, Mapping):
        pairs = [(str(name), np.asarray(labels)) for name, labels in given.items()]
    elif isinstance(given, np.ndarray) and given.ndim == 1:
        pairs = [("", given)]
    else:
        pairs = [("", np.asarray(labels)) for labels in given]
    for _, labels in pairs:
        if labels.shape != (shape.n_elements,) or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"{shape.n_elements} elements, but labels of shape {labels.shape}, {labels.dtype}")
    return [(name, _dense(labels)) for name, labels in pairs] or [("", None)]


def _dense(labels: np.ndarray) -> np.ndarray:
    """The same parts numbered 0..k-1 in the order of their labels; all negative labels become -1."""
    found, number = np.unique(np.maximum(labels, -1), return_inverse=True)
    return number - int(len(found) > 0 and found[0] == -1)


def _extent_points(shape: Shape) -> np.ndarray:
    """What must fit into the picture: the vertices that faces use, or the points."""
    if shape.is_mesh:
        used = np.zeros(len(shape.vertices), bool)
        used[shape.faces.reshape(-1)] = True
        points = shape.vertices[used]
        return points[np.isfinite(points).all(axis=1)]
    points = np.asarray(shape.points, np.float64)
    return points[np.isfinite(points).all(axis=1)]


def _draw(
    shape: Shape, views: Sequence[tuple[float, float]], room: tuple[int, int], up: str | tuple[float, float, float]
) -> tuple[list[_View], list[tuple[int, int]]]:
    """What the views see, all at one scale that fits ``room`` (width, height), and the size of each in the picture."""
    drawn = []
    smooth = corner_normals(shape.vertices, shape.faces) if shape.is_mesh else None
    radius = 0.0 if shape.is_mesh else point_radius(shape.points)
    cameras, sizes = frame_views(_extent_points(shape), views, up=up, width=room[0], height=room[1], radius=radius)
    for camera, size in zip(cameras, sizes, strict=True):
        large = (size[0] * _SUPERSAMPLE, size[1] * _SUPERSAMPLE)
        if shape.is_mesh:
            faces = within_overdraw(shape.vertices, shape.faces, camera, large)
            buffers = rasterise(shape.vertices, faces, camera, large)
            normals = buffer_normals(buffers, shape.vertices, shape.faces, smooth)
        else:
            buffers = rasterise_points(shape.points, camera, large, radius)
            normals = depth_normals(buffers)
        drawn.append(_View(buffers, light(buffers, normals, up=up)))
    return drawn, sizes


def _seen_edges(buffers: Sequence[Buffers]) -> np.ndarray:
    """(m, 2) pairs of elements next to each other in a picture: what touches for the eye."""
    pairs = []
    for one in buffers:
        ids = one.face_id
        for a, b in ((ids[1:], ids[:-1]), (ids[:, 1:], ids[:, :-1])):
            differ = (a != b) & (a >= 0) & (b >= 0)
            pairs.append(np.stack([a[differ], b[differ]], axis=1))
    return np.concatenate(pairs) if pairs else np.empty((0, 2), np.int32)


def _colors(
    shape: Shape, labels: np.ndarray | None, edges: np.ndarray, before: tuple | None
) -> tuple[UInt8[np.ndarray, "n 3"], tuple | None]:
    """Colours of the elements, and (labels, colours of the parts) for the next level."""
    if labels is not None:
        parts = assign_colors(labels, edges, coarse=before)
        return element_colors(labels, parts), (labels, parts)
    own = shape.colors
    if own is not None and len(own) == shape.n_elements:
        return (np.clip(own, 0, 1) * 255 + 0.5).astype(np.uint8), None
    return np.full((shape.n_elements, 3), CLAY, np.uint8), None


def _count(shape: Shape) -> str:
    noun = {"mesh": "triangles", "cloud": "points", "splats": "splats"}[shape.kind]
    return f"{shape.n_elements:,} {noun}"


class _Pen:
    """Writes short lines of text onto a picture with Pillow's own font."""

    def __init__(self, picture: Image) -> None:
        from PIL import ImageDraw

        self.draw = ImageDraw.Draw(picture)

    def write(
        self, x: float, y: float, text: str, size: int, color: tuple[int, int, int], room: float, centred: bool = False
    ) -> float:
        """Write one line, shortened to ``room`` pixels; returns where it ends."""
        from PIL import ImageFont

        font = ImageFont.load_default(size)
        text = " ".join(text.split())[:400]
        if self.draw.textlength(text, font=font) > room:
            while text and self.draw.textlength(text + "...", font=font) > room:
                text = text[:-1]
            text += "..."
        length = self.draw.textlength(text, font=font)
        if centred:
            x += (room - length) / 2
        self.draw.text((x, y), text, font=font, fill=color)
        return x + length


def _save(picture: Image, path: str | Path) -> None:
    from PIL import Image as images

    from partseg.errors import InputError
    from partseg.files import write_aside

    if Path(path).suffix.lower() not in images.registered_extensions():
        raise InputError(path, "is not a known picture format", "name it .png")
    with write_aside(path) as aside:
        picture.save(aside)
