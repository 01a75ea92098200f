"""Features carried to other points by inverse-distance weighting of the three nearest (PointNet++, Qi et al. 2017)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numba import njit
from torch import Tensor

from partseg.ops.ball import squared_distances
from partseg.ops.group import gather_rows


def three_nearest(
    points: Float[Tensor, "b n 3"], queries: Float[Tensor, "b m 3"], *, chunk: int = 2**24
) -> tuple[Float[Tensor, "b m k"], Int[Tensor, "b m k"]]:
    """The three nearest points of each query, nearest first; k is 3, or n where a cloud has fewer.

    On the CPU a compiled kernel (the lower index first on ties), elsewhere torch. No gradient passes.

    Args:
        points: finite, n >= 1. queries: finite, on the same device. chunk: distances held at a time on a GPU.

    Returns:
        squared distances, float32, and int64 indices into the points.

    Raises:
        ValueError: a cloud without points.
    """
    if points.shape[1] < 1:
        raise ValueError("there are no points to be near to")
    points, queries = points.detach().float(), queries.detach().float()
    if points.device.type == "cpu":
        size = (*queries.shape[:2], min(3, points.shape[1]))
        squared, index = np.empty(size, np.float32), np.empty(size, np.int64)
        _nearest(points.contiguous().numpy(), queries.contiguous().numpy(), squared, index)
        return torch.from_numpy(squared), torch.from_numpy(index)
    return three_nearest_torch(points, queries, chunk=chunk)


def three_nearest_torch(
    points: Float[Tensor, "b n 3"], queries: Float[Tensor, "b m 3"], *, chunk: int = 2**24
) -> tuple[Float[Tensor, "b m k"], Int[Tensor, "b m k"]]:
    """`three_nearest` in plain torch."""
    b, n, _ = points.shape
    k = min(3, n)
    some = queries.split(max(1, chunk // (b * n)), dim=1)
    parts = [squared_distances(part, points).topk(k, dim=2, largest=False) for part in some]
    return torch.cat([p.values for p in parts], dim=1), torch.cat([p.indices for p in parts], dim=1)


def inverse_distance_weights(
    squared: Float[Tensor, "b m k"], epsilon: float = 1e-10, *, added: bool = False
) -> Float[Tensor, "b m k"]:
    """Weights proportional to 1 / squared distance that sum to one.

    Args:
        squared: squared distances. epsilon: the least squared distance, or what is `added` to each (published code
            does either: 1e-10 as a floor, 1e-8 added).
    """
    weight = 1 / (squared + epsilon if added else squared.clamp(min=epsilon))
    return weight / weight.sum(dim=2, keepdim=True)


def interpolate_rows(
    features: Float[Tensor, "b n c"], index: Int[Tensor, "b m k"], weight: Float[Tensor, "b m k"]
) -> Float[Tensor, "b m c"]:
    """Weighted sums of rows: of `features[i, index[i, j]]` with `weight[i, j]`; differentiable in both."""
    out = gather_rows(features, index[..., 0]) * weight[..., :1]
    for j in range(1, index.shape[2]):
        out = out + gather_rows(features, index[..., j]) * weight[..., j : j + 1]
    return out


@njit(cache=True, nogil=True)
def _nearest(points, queries, squared, index):  # pragma: no cover - compiled
    b, n, _ = points.shape
    k = squared.shape[2]
    inf = np.float32(np.inf)
    for i in range(b):
        for q in range(queries.shape[1]):
            x, y, z = queries[i, q, 0], queries[i, q, 1], queries[i, q, 2]
            d0, d1, d2 = inf, inf, inf
            i0, i1, i2 = 0, 0, 0
            for p in range(n):
                dx, dy, dz = x - points[i, p, 0], y - points[i, p, 1], z - points[i, p, 2]
                d = dx * dx + dy * dy + dz * dz
                if d < d2:
                    if d < d1:
                        d2, i2 = d1, i1
                        if d < d0:
                            d1, i1, d0, i0 = d0, i0, d, p
                        else:
                            d1, i1 = d, p
                    else:
                        d2, i2 = d, p
            squared[i, q, 0], index[i, q, 0] = d0, i0
            if k > 1:
                squared[i, q, 1], index[i, q, 1] = d1, i1
            if k > 2:
                squared[i, q, 2], index[i, q, 2] = d2, i2
