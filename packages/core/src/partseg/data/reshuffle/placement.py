"""How patches are put together: the rules, and the kernel that follows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from partseg.data.reshuffle.repository import EDGE, FACE, RIM, SIDE, SURFACE, Repository
from partseg.errors import PartsegError

_DRAWS = 9  # numbers in 0..1 that one try takes
_PATIENCE = 6  # how often all tries may fail to find two anchors that can meet


@dataclass(frozen=True)
class Placement:
    """Rules of assembly. A shape starts with one patch, its axis up; each further one is attached to one that is there.

    Two anchors meet, looking at each other, in one of three joints. *Opening on opening*: the rim of a cylinder, cone,
    bent pipe or half sphere on another rim or on the middle of a flat patch (or a flat patch on a rim), scaled so that
    their radii agree. *Edge on edge*: flush, or at a right angle. *Standing*: an opening or an edge on any point of a
    surface, along its normal; a patch without boundary touches with a point.

    Attributes:
        primitives: fewest and most patches of a shape, both included.
        joints: weights of opening on opening, edge on edge, and standing, where both patches allow it.
        scale: lowest and highest size of a patch relative to the one it is attached to (edges and standing). Sizes are
            radii about the patch's centroid; the first patch has 1.
        sizes: lowest and highest size of any patch; a joint that needs another one is not made.
        square: probability that a patch is turned about the joint by a multiple of 90 degrees from the direction its
            neighbour has there, else by any angle.
        sink: how deep a standing patch goes into what it stands on, relative to its size.
        repeat: probability that an attached patch is repeated about the axis of what it is attached to, 2, 3 or 4 times
            as that one's symmetry allows.
        tries: candidates drawn for each patch, of which the one that overlaps least is taken; what each is attached to
            is drawn by size. With 1 any overlap is taken as it comes.
        clearance: a candidate overlaps where its points are nearer to another patch than this times the smaller size;
            what it is attached to counts half, and not at all for opening on opening.
        room: half the side of the cube about the first patch that candidates should not leave, in sizes of that patch.
        min_points: fewest points of a primitive.
        extent: longest side of the box of the finished shape, which is centred at the origin.
    """

    primitives: tuple[int, int] = (4, 12)
    joints: tuple[float, float, float] = (0.5, 0.25, 0.25)
    scale: tuple[float, float] = (0.35, 1.0)
    sizes: tuple[float, float] = (0.15, 2.0)
    square: float = 0.8
    sink: float = 0.03
    repeat: float = 0.35
    tries: int = 6
    clearance: float = 0.15
    room: float = 2.0
    min_points: int = 24
    extent: float = 1.8

    def __post_init__(self) -> None:
        pairs = ("primitives", "scale", "sizes")
        if any(getattr(self, key)[0] > getattr(self, key)[1] or getattr(self, key)[0] <= 0 for key in pairs):
            raise PartsegError("of primitives, scale and sizes, give the lower number first; all must be above 0")
        if min(self.joints) < 0 or sum(self.joints) <= 0:
            raise PartsegError("joints are three weights from 0, not all 0")
        if self.tries < 1 or self.min_points < 1 or self.extent <= 0 or self.room <= 0:
            raise PartsegError("tries, min_points, extent and room must be above 0")


def assemble(
    rng: np.random.Generator, placement: Placement, repository: Repository
) -> tuple[Int[np.ndarray, "k"], Float[np.ndarray, "k"], Float[np.ndarray, "k 3 3"], Float[np.ndarray, "k 3"]]:
    """Patches of one shape: number in the repository (k,), size (k,), rotation (k, 3, 3) and position (k, 3).

    A point x of patch i is at `size[i] * rotation[i] @ x + position[i]`. There may be fewer patches than asked for
    where the repository has none that fit.
    """
    low, high = placement.primitives
    k = int(rng.integers(low, high + 1))
    r, p = repository, placement
    draws = rng.random((k * _PATIENCE, p.tries, _DRAWS))
    settings = np.array([*p.joints, *p.scale, *p.sizes, p.square, p.sink, p.repeat, p.clearance, p.room])
    return _assemble(
        draws, settings, k, r.axis, r.fold, r.probes, r.anchor_first, r.anchor_kind, r.anchor_frame, r.anchor_radius
    )


@njit(cache=True, nogil=True)
def _among(kinds, first, last, used, wanted, draw):  # pragma: no cover - compiled
    """One of the unused anchors first..last-1 whose kind has its bit in `wanted`, or -1."""
    count = 0
    for a in range(first, last):
        if wanted >> kinds[a] & 1 and not used[a - first]:
            count += 1
    if count == 0:
        return -1
    left = min(int(draw * count), count - 1)
    for a in range(first, last):
        if wanted >> kinds[a] & 1 and not used[a - first]:
            if left == 0:
                return a
            left -= 1
    return -1


@njit(cache=True, nogil=True)
def _rotated(axis, angle):  # pragma: no cover - compiled
    """Rotation about a unit axis."""
    x, y, z = axis
    c, s = np.cos(angle), np.sin(angle)
    out = np.empty((3, 3))
    out[0] = (c + x * x * (1 - c), x * y * (1 - c) - z * s, x * z * (1 - c) + y * s)
    out[1] = (y * x * (1 - c) + z * s, c + y * y * (1 - c), y * z * (1 - c) - x * s)
    out[2] = (z * x * (1 - c) - y * s, z * y * (1 - c) + x * s, c + z * z * (1 - c))
    return out


@njit(cache=True, nogil=True)
def _overlap(probes, n, mine, size, sizes, host, excused, clearance, room):  # pragma: no cover - compiled
    """Share of a candidate's probes that are too near to a patch, or outside the room; the host counts half."""
    bad = 0.0
    for i in range(len(mine)):
        worst = 0.0
        for j in range(n):
            if j == excused:
                continue
            reach = clearance * min(size, sizes[j])
            for q in range(probes.shape[1]):
                dx = mine[i, 0] - probes[j, q, 0]
                dy = mine[i, 1] - probes[j, q, 1]
                dz = mine[i, 2] - probes[j, q, 2]
                if dx * dx + dy * dy + dz * dz < reach * reach:
                    worst = max(worst, 0.5 if j == host else 1.0)
                    break
            if worst == 1.0:
                break
        if max(abs(mine[i, 0]), abs(mine[i, 1]), abs(mine[i, 2])) > room:
            worst += 1.0
        bad += worst
    return bad / len(mine)


@njit(cache=True, nogil=True)
def _assemble(
    draws, settings, k, axes, folds, probes, anchor_first, anchor_kind, anchor_frame, anchor_radius
):  # pragma: no cover - compiled
    w_rim, w_edge, w_stand, scale_low, scale_high, size_low, size_high = settings[:7]
    square, sink, repeat, clearance, room = settings[7:]
    most = 0
    for p in range(len(axes)):
        most = max(most, anchor_first[p + 1] - anchor_first[p])
    patch, size = np.zeros(k, np.int64), np.zeros(k)
    turn, move = np.zeros((k, 3, 3)), np.zeros((k, 3))
    world = np.zeros((k, probes.shape[1], 3))
    used = np.zeros((k, most), np.bool_)
    fresh = np.zeros(most, np.bool_)
    up = np.array([0.0, 1.0, 0.0])

    first = min(int(draws[0, 0, 0] * len(axes)), len(axes) - 1)
    patch[0], size[0] = first, 1.0
    axis = axes[first]
    lean = np.cross(axis, up)
    sine = np.sqrt((lean**2).sum())
    turn[0] = np.eye(3)
    if sine > 1e-6:
        turn[0] = _rotated(lean / sine, np.arctan2(sine, axis[1]))
    elif axis[1] < 0:
        turn[0] = _rotated(np.array([1.0, 0.0, 0.0]), np.pi)
    world[0] = probes[first] @ turn[0].T
    n = 1
    for step in range(1, len(draws)):
        if n >= k:
            break
        best, best_host, best_own, best_anchor, best_patch, best_size = np.inf, -1, -1, -1, -1, 0.0
        best_turn, best_move = np.zeros((3, 3)), np.zeros(3)
        for attempt in range(draws.shape[1]):
            d = draws[step, attempt]
            p = min(int(d[1] * len(axes)), len(axes) - 1)
            host, left = 0, d[0] * size[:n].sum()
            while host < n - 1 and left >= size[host]:
                left -= size[host]
                host += 1
            h0, h1 = anchor_first[patch[host]], anchor_first[patch[host] + 1]
            o0, o1 = anchor_first[p], anchor_first[p + 1]
            joint = d[2] * (w_rim + w_edge + w_stand)
            if joint < w_rim:
                own = _among(anchor_kind, o0, o1, fresh, 1 << RIM | 1 << FACE, d[3])
                at = -1
                if own >= 0:
                    fits = 1 << RIM if anchor_kind[own] == FACE else 1 << RIM | 1 << FACE
                    at = _among(anchor_kind, h0, h1, used[host], fits, d[4])
                if at < 0:
                    continue
                s = size[host] * anchor_radius[at] / anchor_radius[own]
                depth = 0.0
            elif joint < w_rim + w_edge:
                own = _among(anchor_kind, o0, o1, fresh, 1 << EDGE, d[3])
                at = _among(anchor_kind, h0, h1, used[host], 1 << EDGE | 1 << SIDE, d[4])
                s = size[host] * (scale_low + (scale_high - scale_low) * d[5])
                depth = 0.0
            else:
                own = _among(anchor_kind, o0, o1, fresh, 1 << RIM, d[3])
                if own < 0:
                    own = _among(anchor_kind, o0, o1, fresh, 1 << EDGE, d[3])
                if own < 0:
                    own = _among(anchor_kind, o0, o1, fresh, 1 << SURFACE, d[3])
                at = _among(anchor_kind, h0, h1, used[host], 1 << SURFACE, d[4])
                s = size[host] * (scale_low + (scale_high - scale_low) * d[5])
                depth = sink * s
            if own < 0 or at < 0 or s < size_low or s > size_high:
                continue
            # the host's frame in the world, the patch's own; its direction turns against the host's
            place = size[host] * (turn[host] @ anchor_frame[at, 0]) + move[host]
            look, across = turn[host] @ anchor_frame[at, 1], turn[host] @ anchor_frame[at, 2]
            angle = d[7] * 2 * np.pi
            if d[6] < square:
                steps = 2 if anchor_kind[own] == EDGE and anchor_kind[at] != SURFACE else 4  # edges lie along edges
                angle = np.floor(d[7] * steps) * 2 * np.pi / steps
            third = np.cross(look, across)
            to = np.empty((3, 3))
            to[0] = -look
            to[1] = np.cos(angle) * across + np.sin(angle) * third
            to[2] = np.cross(to[0], to[1])
            of = np.empty((3, 3))
            of[0], of[1] = anchor_frame[own, 1], anchor_frame[own, 2]
            of[2] = np.cross(of[0], of[1])
            r = to.T @ of
            t = place - depth * look - s * (r @ anchor_frame[own, 0])
            mine = s * (probes[p] @ r.T) + t
            excused = host if joint < w_rim else -1
            bad = _overlap(world, n, mine, s, size, host, excused, clearance, room)
            if bad < best:
                best, best_host, best_own, best_anchor, best_patch, best_size = bad, host, own, at, p, s
                best_turn[:], best_move[:] = r, t
        if best_host < 0:
            continue
        host = best_host
        fold = 1
        arm = best_move - move[host]
        axis = turn[host] @ axes[patch[host]]
        off = arm - (arm @ axis) * axis
        # what sits on the axis is its own copy
        if draws[step, 0, 8] < repeat and np.sqrt((off**2).sum()) > 0.5 * best_size and folds[patch[host]] > 1:
            most_fold = folds[patch[host]]
            fold = 2 if most_fold == 2 else (3 if most_fold == 3 else (2 if draws[step, 0, 7] < 0.4 else 4))
            while fold > 1 and n + fold > k:
                fold = 2 if fold == 4 else 1
        if anchor_kind[best_anchor] <= FACE:
            used[host, best_anchor - anchor_first[patch[host]]] = True
        for c in range(fold):
            about = _rotated(axis, 2 * np.pi * c / fold)
            patch[n], size[n] = best_patch, best_size
            turn[n] = about @ best_turn
            move[n] = about @ (best_move - move[host]) + move[host]
            world[n] = best_size * (probes[best_patch] @ turn[n].T) + move[n]
            if anchor_kind[best_own] <= FACE:
                used[n, best_own - anchor_first[best_patch]] = True
            n += 1
    return patch[:n], size[:n], turn[:n], move[:n]
