"""Light, colour and lines: from what each pixel sees to an image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from partseg.geometry.buffers import Buffers
from partseg.geometry.camera import up_axes

BACKGROUND = (248, 248, 250)
INK = (38, 40, 50)


class Light(NamedTuple):
    """Light on each pixel: colour = base colour * ``gain`` + 255 * ``gloss``; both (h, w) float32, 0 if empty."""

    gain: Float[np.ndarray, "h w"]
    gloss: Float[np.ndarray, "h w"]


def light(
    buffers: Buffers,
    normals: Float[np.ndarray, "h w 3"],
    *,
    up: str | tuple[float, float, float] = "y",
    occlusion: float = 1.0,
    reach: float | None = None,
) -> Light:
    """Soft studio light: a key light from the upper left, a weak headlight, a sky above and a ground below.

    Args:
        buffers: what is seen.
        normals: camera-space normals towards the viewer.
        up: up axis of the world, for sky and ground.
        occlusion: strength of the ambient occlusion; 0 leaves it out.
        reach: world distance over which parts occlude each other; by default an eighth of the visible size.
    """
    seen = buffers.face_id >= 0
    gain, gloss = np.zeros(seen.shape, np.float32), np.zeros(seen.shape, np.float32)
    if not seen.any():
        return Light(gain, gloss)
    normal = normals[seen]
    sky = buffers.camera.axes.astype(np.float32) @ up_axes(up)[1].astype(np.float32)
    key = np.array([-0.42, 0.55, 0.72], np.float32)
    key /= np.linalg.norm(key)
    half = key + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    ambient = 0.40 + 0.14 * (normal @ sky)
    direct = 0.52 * np.maximum(normal @ key, 0) + 0.20 * np.maximum(normal[:, 2], 0)
    if occlusion > 0:
        closed = np.clip(1 - 2.2 * occlusion * ambient_occlusion(buffers, normals, reach)[seen], 0.08, 1)
        ambient *= closed
        direct *= 0.45 + 0.55 * closed
    # Gamma 2.2: multiplying linear colour by g equals multiplying the encoded colour by g ** (1 / 2.2).
    gain[seen] = (ambient + direct) ** np.float32(1 / 2.2)
    shine = np.maximum(normal @ half, 0)
    for _ in range(5):
        shine = shine * shine
    gloss[seen] = 0.07 * shine
    return Light(gain, gloss)


def ambient_occlusion(
    buffers: Buffers, normals: Float[np.ndarray, "h w 3"], reach: float | None = None
) -> Float[np.ndarray, "h w"]:
    """Occlusion of each pixel by its surroundings, 0 (open) to 1, float32; see :func:`partseg.geometry.raster.occlude`.

    Deterministic: the sampling pattern repeats every four pixels and is averaged over the same window.
    """
    from partseg.geometry.raster import occlude

    seen = buffers.face_id >= 0
    out = np.zeros(seen.shape, np.float32)
    if not seen.any():
        return out
    focal = buffers.camera.focal(seen.shape[0])
    ratio = focal if buffers.camera.fov is None else focal / float(np.median(buffers.depth[seen]))
    if reach is None:
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        reach = 0.125 * max(np.ptp(rows) + 1, np.ptp(columns) + 1) / ratio
    samples = 12
    turn = np.arange(16) * (2 * np.pi / 16 / samples * 7)
    angle = turn[:, None] + np.arange(samples) * 2.399963  # golden angle
    length = np.maximum(reach * ratio * np.sqrt((np.arange(samples) + 0.6) / samples) * 0.9, 1.5)
    offsets = np.stack([length * np.cos(angle), length * np.sin(angle)], axis=-1).round().astype(np.int32)
    order = np.array([0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5])  # 4 x 4 ordered dither
    occlude(
        buffers.depth,
        np.ascontiguousarray(normals, np.float32),
        np.ascontiguousarray(offsets[order]),
        float(focal),
        buffers.camera.fov is not None,
        float(reach),
        out,
    )
    share = _window(seen.astype(np.float32))
    return np.where(seen, _window(out) / np.maximum(share, 1e-6), 0).astype(np.float32)


def shade(
    buffers: Buffers,
    colors: UInt8[np.ndarray, "n 3"],
    light: Light,
    *,
    labels: Int[np.ndarray, "n"] | None = None,
    background: tuple[int, int, int] = BACKGROUND,
    lines: float = 1.0,
    supersample: int = 1,
) -> UInt8[np.ndarray, "h w 3"]:
    """Image of lit, coloured elements with thin dark lines at silhouettes, at depth edges and between parts.

    Args:
        buffers: what is seen, ``supersample`` times larger than the picture in both directions.
        colors: sRGB colour of every face or point.
        light: from :func:`light`.
        labels: part of every element, for the lines between parts; None for no such lines.
        background: sRGB colour where nothing is.
        lines: strength of all lines, 0..1.
        supersample: pixels averaged in each direction; the size of the buffers must be a multiple of it.
    """
    height, width = buffers.face_id.shape
    if height % supersample or width % supersample:
        raise ValueError(f"{height} x {width} pixels do not divide by {supersample}")
    image = np.empty((height, width, 3), np.float32)
    image[:] = background
    seen = buffers.face_id >= 0
    if seen.any():
        face = buffers.face_id[seen]
        lit = np.asarray(colors, np.float32)[face] * light.gain[seen][:, None]
        image[seen] = lit + 255 * light.gloss[seen][:, None]
        if lines > 0:
            part = np.full(seen.shape, -2, np.int32)
            part[seen] = 0 if labels is None else np.asarray(labels)[face]
            alpha = lines * _lines(buffers, part)
            inked = alpha > 0
            image[inked] += alpha[inked][:, None] * (np.array(INK, np.float32) - image[inked])
    if supersample > 1:
        corners = [(i, j) for i in range(supersample) for j in range(supersample)]
        image = sum(image[i::supersample, j::supersample] for i, j in corners) / supersample**2
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


def _lines(buffers: Buffers, part: np.ndarray) -> np.ndarray:
    """Opacity of the drawn line at each pixel: one pixel on either side of a border of parts or of a silhouette."""
    seen = part > -2
    border, outline = np.zeros(part.shape, bool), np.zeros(part.shape, bool)
    step = np.zeros(part.shape, np.float32)
    focal = buffers.camera.focal(part.shape[0])
    pixel = (float(np.median(buffers.depth[seen])) if buffers.camera.fov is not None else 1.0) / focal
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    threshold = 0.012 * max(np.ptp(rows) + 1, np.ptp(columns) + 1) * pixel
    depth = np.where(seen, buffers.depth, 0)
    for axis in (0, 1):
        p, d, s, b, o, t = (np.moveaxis(a, axis, 0) for a in (part, depth, seen, border, outline, step))
        differ, edge = p[1:] != p[:-1], s[1:] != s[:-1]
        differ &= ~edge
        for mask, change in ((b, differ), (o, edge)):
            mask[1:] |= change
            mask[:-1] |= change
        # A second difference: a plane has none, however steeply it is seen.
        bend = np.abs(d[2:] + d[:-2] - 2 * d[1:-1]) * (s[2:] & s[:-2] & s[1:-1])
        np.maximum(t[1:-1], bend, out=t[1:-1])
    alpha = 0.5 * np.clip((step - threshold) / (2 * threshold), 0, 1)
    alpha[border] = 0.62
    alpha[outline] = 0.8
    return alpha


def _window(values: np.ndarray) -> np.ndarray:
    """Mean over the 4 x 4 pixels around each pixel (two before, one after); the border repeats."""
    padded = np.pad(values, ((2, 1), (2, 1)), mode="edge")
    rows = padded[:-3] + padded[1:-2] + padded[2:-1] + padded[3:]
    return (rows[:, :-3] + rows[:, 1:-2] + rows[:, 2:-1] + rows[:, 3:]) / 16
