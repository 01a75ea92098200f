"""Rows of dense batches by index: what grouping and interpolation are made of."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def gather_rows(values: Float[Tensor, "b n c"], index: Int[Tensor, "b *m"]) -> Float[Tensor, "b *m c"]:
    """`values[i, index[i]]` for each sample i of the batch; differentiable.

    Args:
        values: rows of each sample. index: int64, 0..n-1, of any number of dimensions after the first.
    """
    b, n, c = values.shape
    first = torch.arange(b, device=index.device).view(b, *[1] * (index.ndim - 1)) * n
    return values.reshape(b * n, c).index_select(0, (index + first).reshape(-1)).view(*index.shape, c)
