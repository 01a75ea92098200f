"""Ball query of PointNet++ (Qi et al. 2017): the first k points, in the order of the cloud, within a radius."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numba import njit
from torch import Tensor


def ball_query(
    points: Float[Tensor, "b n 3"],
    centres: Float[Tensor, "b m 3"],
    radius: float,
    k: int,
    *,
    closed: bool = False,
    chunk: int = 2**24,
) -> Int[Tensor, "b m k"]:
    """Indices of the first k points of each cloud, by rising index, that lie within `radius` of each centre.

    Where fewer lie there the first of them fills the rest; where none does, the nearest point stands in all k places
    (published code leaves that open; a centre that is one of the points never meets it). Distances are squared and
    compared in float32. On the CPU a compiled kernel, which stops at the k-th hit; elsewhere torch, with equal results.

    Args:
        points: finite, n >= 1. centres: finite, on the same device; they need not be points of the cloud.
        radius: positive. k: at least 1, may exceed n.
        closed: count points at exactly the radius (<=) too. Published code differs: the first PointNet++ kernels say <.
        chunk: distances held at a time on a GPU, which bounds the memory.

    Returns:
        int64 indices into the points of the same cloud. No gradient passes.

    Raises:
        ValueError: a cloud without points, k < 1 or a radius that is not positive.
    """
    if points.shape[1] < 1 or k < 1 or not radius > 0:
        raise ValueError(f"cannot find {k} of {points.shape[1]} points within {radius}")
    points, centres = points.detach().float(), centres.detach().float()
    if points.device.type == "cpu":
        out = np.empty((*centres.shape[:2], k), np.int64)
        squared = np.float32(radius) * np.float32(radius)
        _query(points.contiguous().numpy(), centres.contiguous().numpy(), squared, closed, out)
        return torch.from_numpy(out)
    return ball_query_torch(points, centres, radius, k, closed=closed, chunk=chunk)


def ball_query_torch(
    points: Float[Tensor, "b n 3"],
    centres: Float[Tensor, "b m 3"],
    radius: float,
    k: int,
    *,
    closed: bool = False,
    chunk: int = 2**24,
) -> Int[Tensor, "b m k"]:
    """`ball_query` in plain torch."""
    b, n, _ = points.shape
    squared = float(np.float32(radius) * np.float32(radius))
    order = torch.arange(n, device=points.device)
    parts = []
    for some in centres.split(max(1, chunk // (b * n)), dim=1):
        distance = squared_distances(some, points)
        inside = distance <= squared if closed else distance < squared
        rank = torch.where(inside, order, n)
        first = rank.topk(min(k, n), dim=2, largest=False, sorted=True).values
        lead = torch.where(first[..., :1] < n, first[..., :1], distance.argmin(dim=2, keepdim=True))
        first = torch.where(first < n, first, lead)
        parts.append(torch.cat([first, lead.expand(-1, -1, k - first.shape[2])], dim=2))
    return torch.cat(parts, dim=1) if parts else order.new_empty((b, 0, k))


def squared_distances(a: Float[Tensor, "b m 3"], b: Float[Tensor, "b n 3"]) -> Float[Tensor, "b m n"]:
    """Squared distances of all pairs, summed axis by axis, so that every backend rounds alike."""
    x, y, z = (a[:, :, None, axis] - b[:, None, :, axis] for axis in range(3))
    return x * x + y * y + z * z


@njit(cache=True, nogil=True)
def _query(points, centres, squared, closed, out):  # pragma: no cover - compiled
    b, n, _ = points.shape
    k = out.shape[2]
    for i in range(b):
        for c in range(centres.shape[1]):
            x, y, z = centres[i, c, 0], centres[i, c, 1], centres[i, c, 2]
            found, nearest, best = 0, 0, np.float32(np.inf)
            for p in range(n):
                dx, dy, dz = x - points[i, p, 0], y - points[i, p, 1], z - points[i, p, 2]
                distance = dx * dx + dy * dy + dz * dz
                if distance < squared or (closed and distance == squared):
                    out[i, c, found] = p
                    found += 1
                    if found == k:
                        break
                elif distance < best:
                    best, nearest = distance, p
            first = out[i, c, 0] if found > 0 else nearest
            for j in range(found, k):
                out[i, c, j] = first
