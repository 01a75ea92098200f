"""Sums, means and maxima of rows by group, in torch; differentiable.

Groups without rows get 0. `torch_scatter`, when importable, is used for the maximum (one pass instead of two).
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from partseg.ops.accel import optional


def scatter_sum(values: Float[Tensor, "n *d"], index: Int[Tensor, " n"], size: int) -> Float[Tensor, "size *d"]:
    """Sum of the rows of each group.

    Args:
        values: rows. index: int64 group of each row, in 0..size-1 (torch raises otherwise). size: number of groups.
    """
    return values.new_zeros(size, *values.shape[1:]).index_add(0, index, values)


def scatter_mean(values: Float[Tensor, "n *d"], index: Int[Tensor, " n"], size: int) -> Float[Tensor, "size *d"]:
    """Mean of the rows of each group; arguments as in `scatter_sum`. Floating point only."""
    total = scatter_sum(values, index, size)
    # counted in integers: a half-precision count would stick at 2048
    count = torch.bincount(index, minlength=size).clamp(min=1)
    return total / count.to(total.dtype).view(-1, *[1] * (values.dim() - 1))


def scatter_max(values: Float[Tensor, "n *d"], index: Int[Tensor, " n"], size: int) -> Float[Tensor, "size *d"]:
    """Largest value of each group and column; arguments as in `scatter_sum`.

    The gradient goes to a largest row; equal ones share it natively, torch_scatter gives it to one of them.
    """
    library = optional("torch_scatter")
    if library is not None:
        return library.scatter_max(values, index, dim=0, dim_size=size)[0]
    return native_scatter_max(values, index, size)


def native_scatter_max(values: Tensor, index: Tensor, size: int) -> Tensor:
    """`scatter_max` in plain torch."""
    wide = index.view(-1, *[1] * (values.dim() - 1)).expand_as(values)
    out = values.new_zeros(size, *values.shape[1:])
    return out.scatter_reduce(0, wide, values, reduce="amax", include_self=False)
