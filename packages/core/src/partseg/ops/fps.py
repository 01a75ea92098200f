"""Farthest point sampling of tensors; arrays: `partseg.geometry.sampling.farthest_point_sampling`."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from partseg.geometry.sampling import farthest_point_sampling


def fps_torch(points: Float[Tensor, "n 3"], m: int, *, start: int = 0) -> Int[Tensor, " m"]:
    """Indices of m points, each the farthest from those before it, on the points' device.

    On the CPU the compiled kernel is used, elsewhere m steps of torch. Equal results up to rounding on ties.

    Args:
        points: finite. m: 0..n. start: first index.

    Raises:
        ValueError: m or start out of range (and, on the CPU, coordinates that are not finite).
    """
    n = len(points)
    if points.device.type == "cpu":
        chosen = farthest_point_sampling(points.detach().float().numpy(), m, start=start)
        return torch.from_numpy(chosen)
    if not 0 <= m <= n or (m and not 0 <= start < n):
        raise ValueError(f"cannot choose {m} of {n} points from start {start}")
    return fps_steps(points.detach().float(), m, start)


def fps_steps(points: Float[Tensor, "n 3"], m: int, start: int) -> Int[Tensor, " m"]:
    """The steps in torch; `chosen` stays on the device, so that no step waits for the host."""
    chosen = torch.full((m,), start, dtype=torch.int64, device=points.device)
    nearest = torch.full((len(points),), torch.inf, device=points.device)
    for step in range(1, m):
        last = points.index_select(0, chosen[step - 1 : step])
        nearest = torch.minimum(nearest, (points - last).square().sum(dim=1))
        chosen[step] = nearest.argmax()
    return chosen


def farthest_points(points: Float[Tensor, "b n 3"], m: int, *, start: int = 0) -> Int[Tensor, "b m"]:
    """`fps_torch` for every cloud of a dense batch; off the CPU all clouds take each of the m steps together.

    Raises:
        ValueError: m or start out of range (and, on the CPU, coordinates that are not finite).
    """
    n = points.shape[1]
    if not 0 <= m <= n or (m and not 0 <= start < n):
        raise ValueError(f"cannot choose {m} of {n} points from start {start}")
    points = points.detach().float()
    if points.device.type == "cpu":
        return torch.stack([fps_torch(cloud, m, start=start) for cloud in points])
    return batched_fps_steps(points, m, start)


def batched_fps_steps(points: Float[Tensor, "b n 3"], m: int, start: int) -> Int[Tensor, "b m"]:
    """The steps in torch, on whatever device."""
    b, n, _ = points.shape
    chosen = torch.full((b, m), start, dtype=torch.int64, device=points.device)
    nearest = torch.full((b, n), torch.inf, device=points.device)
    row = torch.arange(b, device=points.device)
    for step in range(1, m):
        last = points[row, chosen[:, step - 1], None]
        nearest = torch.minimum(nearest, (points - last).square().sum(dim=2))
        chosen[:, step] = nearest.argmax(dim=1)
    return chosen
