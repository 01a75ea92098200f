"""Colours for parts: easy to tell apart, pleasant on a light background, the same every time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int, Real, UInt8

UNLABELLED = (205, 205, 208)  # colour of elements that belong to no part

# Ordered so that every prefix is easy to tell apart; mid lightness, so that light and shadow stay visible on top.
_CHOSEN = (
    (78, 146, 214),  # blue
    (245, 149, 66),  # orange
    (94, 184, 108),  # green
    (222, 92, 96),  # red
    (155, 122, 205),  # violet
    (248, 206, 84),  # yellow
    (72, 193, 195),  # turquoise
    (238, 138, 186),  # pink
    (164, 119, 86),  # brown
    (179, 206, 82),  # lime
    (64, 94, 163),  # navy
    (255, 183, 153),  # peach
    (42, 128, 118),  # pine
    (176, 66, 122),  # magenta
    (158, 205, 243),  # sky
    (130, 130, 62),  # olive
    (196, 176, 236),  # lilac
    (178, 74, 48),  # rust
    (160, 222, 184),  # mint
    (112, 122, 140),  # slate
)
_LIMIT = 256  # distinct colours; more could not be told apart anyway


def oklab(colors: Real[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """sRGB colours (0..255) in OKLab (Ottosson 2020), where Euclidean distance is close to perceived difference.

    Returns:
        (n, 3) float64: lightness 0..1, green-red and blue-yellow about -0.4..0.4.
    """
    srgb = np.asarray(colors, np.float64).reshape(-1, 3) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    cones = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    return np.cbrt(cones) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )


def palette(k: int) -> UInt8[np.ndarray, "k 3"]:
    """``k`` sRGB colours; ``palette(k)`` begins with ``palette(k - 1)``.

    The first 20 are chosen by hand, further ones are each as far as possible (OKLab) from all before. They repeat
    after 256.
    """
    if k < 0:
        raise ValueError("a palette cannot have a negative number of colours")
    if k <= len(_CHOSEN):
        return np.array(_CHOSEN[:k], np.uint8).reshape(-1, 3)
    return _all_colors()[np.arange(k) % _LIMIT]


@lru_cache(maxsize=1)
def _all_colors() -> np.ndarray:
    steps = np.linspace(36, 250, 18).round()
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = oklab(grid)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    # Neither near the lines (dark) nor the background and unlabelled parts (light, grey), nor glaring.
    keep = (lab[:, 0] > 0.50) & (lab[:, 0] < 0.90) & (chroma > 0.045) & (chroma < 0.19)
    grid, lab = grid[keep], lab[keep]
    chosen = np.array(_CHOSEN, np.float64)
    taken = np.concatenate([oklab(chosen), oklab(np.array([UNLABELLED]))])
    distance = ((lab[:, None] - taken[None]) ** 2).sum(axis=2).min(axis=1)
    extra = []
    for _ in range(_LIMIT - len(chosen)):
        best = int(distance.argmax())
        extra.append(grid[best])
        np.minimum(distance, ((lab - lab[best]) ** 2).sum(axis=1), out=distance)
    out = np.concatenate([chosen, np.array(extra)]).astype(np.uint8)
    out.flags.writeable = False
    return out


def assign_colors(
    labels: Int[np.ndarray, "n"] | int,
    edges: Int[np.ndarray, "m 2"] | None = None,
    *,
    coarse: tuple[Int[np.ndarray, "n"], UInt8[np.ndarray, "c 3"]] | None = None,
) -> UInt8[np.ndarray, "k 3"]:
    """A colour for each part, so that parts that touch differ strongly.

    Parts take colours of ``palette(k)`` one by one, the largest first, each the unused colour farthest (OKLab) from
    the colours of its neighbours; without neighbours the first unused one.

    Args:
        labels: part of every element, -1 for none; k is the largest label + 1. A plain number k stands for k parts
            of which nothing else is known, and gives ``palette(k)``.
        edges: pairs of elements that touch; None if unknown.
        coarse: labels and colours of a coarser level of the same elements. The largest part inside each coarse part
            keeps its colour, so that pictures of several levels read together.

    Returns:
        (k, 3) uint8. Every part has its own colour up to 256 parts.
    """
    if isinstance(labels, int | np.integer):
        return palette(int(labels)).copy()
    labels = np.asarray(labels, np.int64)
    k = int(labels.max(initial=-1)) + 1
    count = np.bincount(labels[labels >= 0], minlength=k)
    colors = palette(k)
    if k > _LIMIT or k < 2:
        return colors.copy()
    touch = np.zeros((k, k), bool)
    if edges is not None and len(edges):
        pair = labels[np.asarray(edges)]
        pair = pair[(pair >= 0).all(axis=1) & (pair[:, 0] != pair[:, 1])]
        touch[pair[:, 0], pair[:, 1]] = touch[pair[:, 1], pair[:, 0]] = True
    out = np.zeros((k, 3), np.uint8)
    done = np.zeros(k, bool)
    order = np.argsort(-count, kind="stable")
    if coarse is not None and len(coarse[1]) <= _LIMIT:
        _inherit(labels, order, *coarse, out, done)
    used = oklab(out[done])
    lab = oklab(colors)
    # A palette colour is free unless an inherited colour is (nearly) the same.
    free = np.ones(k, bool)
    if len(used):
        free = ((lab[:, None] - used[None]) ** 2).sum(axis=2).min(axis=1) > 1e-6
    for part in order:
        if done[part]:
            continue
        near = touch[part] & done
        choice = np.flatnonzero(free)
        if near.any():
            gap = ((lab[choice, None] - oklab(out[near])[None]) ** 2).sum(axis=2).min(axis=1)
            # Beyond a clear difference (0.17) nothing is won: the earlier, nicer colour is taken.
            choice = choice[np.argmax(np.minimum(gap, 0.17**2))]
        else:
            choice = choice[0]
        out[part], done[part], free[choice] = colors[choice], True, False
    return out


def element_colors(labels: Int[np.ndarray, "n"], colors: UInt8[np.ndarray, "k 3"]) -> UInt8[np.ndarray, "n 3"]:
    """Colour of every element from the colours of parts; grey for label -1."""
    return np.concatenate([np.asarray(colors, np.uint8).reshape(-1, 3), np.array([UNLABELLED], np.uint8)])[labels]


def _inherit(
    labels: np.ndarray, order: np.ndarray, coarse: np.ndarray, colors: np.ndarray, out: np.ndarray, done: np.ndarray
) -> None:
    """Give the largest fine part inside each coarse part the colour of the coarse part."""
    both = (labels >= 0) & (np.asarray(coarse) >= 0)
    table = np.zeros((len(out), len(colors)), np.int64)
    np.add.at(table, (labels[both], np.asarray(coarse)[both]), 1)
    parent = table.argmax(axis=1)
    taken = np.zeros(len(colors), bool)
    for part in order:
        if table[part].any() and not taken[parent[part]]:
            out[part], done[part], taken[parent[part]] = colors[parent[part]], True, True
