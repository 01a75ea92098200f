"""Rooms cut into overlapping blocks, and labels of blocks merged to labels of the room.

Qi et al., PointNet (CVPR 2017) cut S3DIS rooms so; Wang et al., SGPN (CVPR 2018) merge block by block on a voxel grid,
and ASIS (CVPR 2019) and JSNet (AAAI 2020) evaluate what comes out. Rooms have z up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class MergedBlocks(NamedTuple):
    """Instances of a room.

    Attributes:
        labels: (n,) int64 instance of every point, 0..k-1; -1 where no labelled point of a block shares its voxel.
        classes: (k,) int64 class of every instance.
    """

    labels: Int[np.ndarray, " n"]
    classes: Int[np.ndarray, " k"]


def room_blocks(
    points: Float[np.ndarray, "n 3"],
    size: float = 1.0,
    stride: float = 0.5,
    n: int = 4096,
    seed: int = 0,
    minimum: int = 100,
) -> Int[np.ndarray, "k m"]:
    """Square columns over the floor plan, row by row along x then y, each with exactly `n` points.

    Columns begin at the smallest x and y and hold both their borders. A column of more than `n` points keeps a random
    choice; one of fewer keeps all and repeats random ones.

    Args:
        points: metres. size: side of a column. stride: from one column to the next. n: points of each.
        seed: of the choices. minimum: columns of fewer points are left out.

    Returns:
        (k, n) int64 indices of points; k is 0 where every column has too few.

    Raises:
        ValueError: a size, stride or count that is not positive.
    """
    if not (size > 0 and stride > 0 and n > 0 and minimum > 0):
        raise ValueError(f"size {size}, stride {stride}, n {n}, minimum {minimum}: all must be positive")
    if not len(points):
        return np.zeros((0, n), np.int64)
    plan = np.asarray(points, np.float64)[:, :2]
    plan = plan - plan.min(0)
    across, along = (max(1, int(np.ceil((extent - size) / stride)) + 1) for extent in plan.max(0))
    order = np.argsort(plan[:, 0], kind="stable")
    x, y = plan[order, 0], plan[order, 1]
    rng = np.random.default_rng(seed)
    blocks = []
    for i in range(across):
        first, last = np.searchsorted(x, i * stride), np.searchsorted(x, i * stride + size, side="right")
        strip = np.argsort(y[first:last], kind="stable") + first
        level = y[strip]
        for j in range(along):
            low, high = np.searchsorted(level, j * stride), np.searchsorted(level, j * stride + size, side="right")
            if high - low < minimum:
                continue
            inside = np.sort(order[strip[low:high]])
            if len(inside) >= n:
                blocks.append(np.sort(rng.choice(inside, n, replace=False)))
            else:
                blocks.append(np.concatenate([inside, rng.choice(inside, n - len(inside))]))
    return np.stack(blocks) if blocks else np.zeros((0, n), np.int64)


def block_features(
    points: Float[np.ndarray, "n 3"],
    colors: Float[np.ndarray, "n 3"],
    blocks: Int[np.ndarray, "k m"],
    size: float = 1.0,
) -> Float[np.ndarray, "k m 9"]:
    """The nine input channels that PointNet, ASIS and JSNet give each point of a block.

    Channels 0-2: position with the room's corner at the origin, x and y less their smallest value in the block and half
    a block. 3-5: colour 0..1. 6-8: position as a share of the room's extent, 0..1.

    Args:
        points: the room's, metres. colors: 0..1. blocks: indices, see `room_blocks`. size: side of a block.

    Returns:
        (k, m, 9) float32.
    """
    room = np.asarray(points, np.float64) - points.min(0)
    share = room / np.maximum(room.max(0), 1e-9)
    local = room[blocks]
    local[..., :2] -= local[..., :2].min(1, keepdims=True) + size / 2
    return np.concatenate([local, np.asarray(colors)[blocks], share[blocks]], axis=2).astype(np.float32)


def merge_blocks(
    points: Float[np.ndarray, "n 3"],
    blocks: Int[np.ndarray, "k m"],
    groups: Int[np.ndarray, "k m"],
    classes: Int[np.ndarray, "k m"],
    *,
    cell: float = 5e-3,
    min_shared: int = 7,
    min_points: int = 30,
) -> MergedBlocks:
    """Instances of a room from groups found in each of its blocks, block after block.

    The room lies on a grid of voxels, each `cell` of the room's extent along its axis. A group has the most frequent
    class of its points (the lowest on ties). A point of it is shared with an instance of that class that already owns
    the point's voxel. The group joins the instance it shares most points with (the lowest on ties), unless these are
    fewer than `min_shared` and the group has at least `min_points` points: then it is a new instance. Smaller groups
    that share nothing are left out (the releases give them to the room's first instance). Then the group's points take
    the voxels that nobody owns, in the order of the block's points.

    Args:
        points: the room's. blocks: indices of points, see `room_blocks`. groups: of each point in its block, negative
            for none. classes: class of each point, at least 0.
        cell: side of a voxel as a share of the room's extent, in (0, 1].
        min_shared, min_points: see above.

    Returns:
        MergedBlocks; labels at the blocks' points are `labels[blocks]`.

    Raises:
        ValueError: arrays of different shapes, or a cell out of range.
    """
    if not blocks.shape == groups.shape == classes.shape:
        raise ValueError(f"blocks {blocks.shape}, groups {groups.shape} and classes {classes.shape} differ in shape")
    if not 0 < cell <= 1:
        raise ValueError(f"cell {cell}: expected more than 0, at most 1")
    n = len(points)
    if not n:
        return MergedBlocks(np.zeros(0, np.int64), np.zeros(0, np.int64))
    voxel = _voxels(points, cell)
    owner = np.full(int(voxel.max()) + 1, -1, np.int64)
    class_of = np.zeros(0, np.int64)
    for rows, group, label in zip(blocks, groups, classes, strict=True):
        inside = group >= 0
        if not inside.any():
            continue
        at = voxel[rows[inside]]
        found, number = np.unique(group[inside], return_inverse=True)
        number = number.reshape(-1)
        of_group = _modes(number, label[inside], len(found))
        owned = owner[at]
        shared = np.zeros((len(found), len(class_of) + 1), np.int64)
        same = owned >= 0
        same[same] = class_of[owned[same]] == of_group[number[same]]
        np.add.at(shared, (number[same], owned[same]), 1)
        target = shared.argmax(axis=1)
        most = shared.max(axis=1)
        new = (most < min_shared) & (np.bincount(number, minlength=len(found)) >= min_points)
        target[~new & (most == 0)] = -1
        target[new] = len(class_of) + np.arange(int(new.sum()))
        class_of = np.concatenate([class_of, of_group[new]])
        free = np.flatnonzero((owned < 0) & (target[number] >= 0))
        taken, first = np.unique(at[free], return_index=True)
        owner[taken] = target[number[free[first]]]
    return MergedBlocks(owner[voxel], class_of)


def _voxels(points: Float[np.ndarray, "n 3"], cell: float) -> Int[np.ndarray, " n"]:
    """Number of each point's voxel, 0.. without gaps."""
    room = np.asarray(points, np.float64) - points.min(0)
    index = (room / np.maximum(room.max(0), 1e-9) / cell).astype(np.int64)
    side = int(1 / cell) + 2
    return np.unique((index[:, 0] * side + index[:, 1]) * side + index[:, 2], return_inverse=True)[1].reshape(-1)


def _modes(number: Int[np.ndarray, " n"], value: Int[np.ndarray, " n"], k: int) -> Int[np.ndarray, " k"]:
    """Most frequent value of each group, the lowest on ties."""
    width = int(value.max()) + 1
    return np.bincount(number * width + value, minlength=k * width).reshape(k, width).argmax(axis=1)
