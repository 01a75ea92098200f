"""Nearest neighbours, of arrays with a spatial index and of tensors on their device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from torch import Tensor


def knn(
    points: Float[np.ndarray, "n d"], queries: Float[np.ndarray, "m d"], k: int
) -> tuple[Float[np.ndarray, "m k"], Int[np.ndarray, "m k"]]:
    """The k nearest points of each query, nearest first.

    Args:
        points: finite, of low dimension (a spatial index gains nothing beyond about 15). queries: finite.
        k: 1..n.

    Returns:
        distances (m, k) float64 and indices (m, k) int64. Equally near points come in no particular order.

    Raises:
        ValueError: k out of range, or coordinates that are not finite.
    """
    points, queries = np.asarray(points, np.float64), np.asarray(queries, np.float64)
    if not 1 <= k <= len(points):
        raise ValueError(f"cannot find {k} neighbours among {len(points)} points")
    if not np.isfinite(queries).all():  # scipy checks the points themselves
        raise ValueError("queries contain NaN or infinite coordinates")
    distance, index = cKDTree(points).query(queries, k=[*range(1, k + 1)])
    return distance, index.astype(np.int64)


def knn_torch(
    points: Float[Tensor, "n d"], queries: Float[Tensor, "m d"], k: int, *, chunk: int = 2**24
) -> tuple[Float[Tensor, "m k"], Int[Tensor, "m k"]]:
    """`knn` by brute force on the tensors' device, for many dimensions or a GPU.

    Args:
        points, queries: floating point tensors on one device. k: 1..n.
        chunk: distances held at a time, which bounds the memory.

    Returns:
        distances (m, k) and indices (m, k) int64, nearest first.

    Raises:
        ValueError: k out of range.
    """
    import torch

    if not 1 <= k <= len(points):
        raise ValueError(f"cannot find {k} neighbours among {len(points)} points")
    if len(queries) == 0:
        return queries.new_empty((0, k)), torch.empty((0, k), dtype=torch.int64, device=queries.device)
    rows = max(1, chunk // len(points))
    # Differences rather than the expanded square, which loses near neighbours to rounding far from the origin.
    mode = "donot_use_mm_for_euclid_dist"
    parts = [torch.cdist(part, points, compute_mode=mode).topk(k, dim=1, largest=False) for part in queries.split(rows)]
    return torch.cat([p.values for p in parts]), torch.cat([p.indices for p in parts])
