from __future__ import annotations

import pytest
import torch

from partseg.ops import scatter_max, scatter_mean, scatter_sum
from partseg.ops.scatter import native_scatter_max


def by_loop(values: torch.Tensor, index: torch.Tensor, size: int, reduce) -> torch.Tensor:
    out = torch.zeros(size, *values.shape[1:], dtype=values.dtype)
    for group in range(size):
        if (index == group).any():
            out[group] = reduce(values[index == group])
    return out


@pytest.mark.parametrize("shape", [(50,), (50, 4), (50, 2, 3)])
def test_against_loops(shape):
    torch.manual_seed(0)
    values, index = torch.randn(shape, dtype=torch.float64), torch.randint(0, 12, (50,))
    index[index == 7] = 3  # an empty group
    torch.testing.assert_close(scatter_sum(values, index, 12), by_loop(values, index, 12, lambda v: v.sum(0)))
    torch.testing.assert_close(scatter_mean(values, index, 12), by_loop(values, index, 12, lambda v: v.mean(0)))
    torch.testing.assert_close(scatter_max(values, index, 12), by_loop(values, index, 12, lambda v: v.amax(0)))
    assert (scatter_max(values - 100, index, 12)[7] == 0).all()


def test_gradients():
    torch.manual_seed(1)
    values = torch.randn(15, 2, dtype=torch.float64, requires_grad=True)
    index = torch.randint(0, 4, (15,))
    for function in (scatter_sum, scatter_mean, scatter_max):
        assert torch.autograd.gradcheck(lambda v, f=function: f(v, index, 5), values)


def test_half_precision_counts_do_not_saturate():
    ones = torch.ones(5000, 1, dtype=torch.float32)
    index = torch.zeros(5000, dtype=torch.int64)
    assert scatter_mean(ones, index, 1).item() == 1
    assert scatter_mean(ones.bfloat16() * 0, index, 1).item() == 0


def test_no_rows():
    empty, index = torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)
    for function in (scatter_sum, scatter_mean, scatter_max):
        assert (function(empty, index, 2) == torch.zeros(2, 3)).all()


def test_group_out_of_range_is_refused():
    with pytest.raises((IndexError, RuntimeError)):
        scatter_sum(torch.ones(2, 1), torch.tensor([0, 5]), 2)


@pytest.mark.pyg
def test_equal_to_torch_scatter():
    library = pytest.importorskip("torch_scatter", reason="torch-scatter cannot be imported (extra 'pyg')")
    torch.manual_seed(2)
    values, index = torch.randn(2000, 7), torch.randint(0, 90, (2000,))
    torch.testing.assert_close(scatter_sum(values, index, 100), library.scatter_add(values, index, 0, dim_size=100))
    torch.testing.assert_close(scatter_mean(values, index, 100), library.scatter_mean(values, index, 0, dim_size=100))
    found = native_scatter_max(values, index, 100)
    torch.testing.assert_close(found, library.scatter_max(values, index, 0, dim_size=100)[0])
    torch.testing.assert_close(found, scatter_max(values, index, 100))
