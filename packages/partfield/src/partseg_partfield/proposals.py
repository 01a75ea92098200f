"""Part proposals and point triplets (PartField section 3.1 and supplement section 1).

A proposal is a set of labelled points of one shape at one hierarchy level. Points are kept sorted by (shape, level,
part), so a proposal is one interval inside the interval of its (shape, level), and its complement is the rest of the
latter: drawing from either is exact and needs no mask of points x proposals.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Proposals:
    """K proposals with their positive pairs and a pool of points outside each.

    Point indices are flat over the batch: shape * m + point.

    Attributes:
        shape: (K,) shape of each proposal.
        level: (K,) hierarchy level of each proposal.
        part: (K,) label of each proposal at its level.
        anchor, positive: (K, P) pairs inside the proposal, never the same point twice.
        pool: (K, C) points of the same shape, labelled at the same level, outside the proposal; uniform, with
            replacement.
    """

    shape: Int[Tensor, "k"]
    level: Int[Tensor, "k"]
    part: Int[Tensor, "k"]
    anchor: Int[Tensor, "k p"]
    positive: Int[Tensor, "k p"]
    pool: Int[Tensor, "k c"]

    def __len__(self) -> int:
        return self.anchor.shape[0]


def _below(limit: Int[Tensor, "k 1"], draws: int, generator: torch.Generator | None) -> Int[Tensor, "k d"]:
    """Uniform integers in [0, limit), in float64 so that large limits stay exact."""
    u = torch.rand(limit.shape[0], draws, generator=generator, device=limit.device, dtype=torch.float64)
    return (u * limit).long().clamp(max=limit - 1)


def sample_proposals(
    labels: Int[Tensor, "b levels m"],
    masks: int,
    pairs: int,
    pool: int,
    size_power: float = 0.0,
    generator: torch.Generator | None = None,
) -> Proposals:
    """Draw part proposals from every shape and level of a batch.

    Args:
        labels: part of each point at each level; negative means unlabelled. Such points are in no proposal and in
            no complement.
        masks: how many proposals to draw; with replacement only where there are fewer.
        pairs: positive pairs per proposal.
        pool: complement points per proposal.
        size_power: proposals are drawn in proportion to their number of points to this power (0: uniformly).
        generator: source of randomness on the device of `labels`.

    Returns:
        Proposals; none at all (K = 0) where no part has two points and a non-empty complement.
    """
    b, levels, m = labels.shape
    device = labels.device
    group = torch.arange(b * levels, device=device)[:, None].expand(-1, m).reshape(-1)
    point = (torch.arange(b, device=device)[:, None, None] * m + torch.arange(m, device=device)).expand(b, levels, m)
    part = labels.reshape(-1)
    keep = part >= 0
    group, point, part = group[keep], point.reshape(-1)[keep], part[keep]
    if part.numel() == 0:
        return _none(pairs, pool, device)
    key, order = torch.sort(group * (part.max() + 1) + part, stable=True)
    point, group, part = point[order], group[order], part[order]
    _, count = torch.unique_consecutive(key, return_counts=True)
    start = count.cumsum(0) - count
    mask_group, mask_part = group[start], part[start]
    group_count = torch.bincount(group, minlength=b * levels)
    group_start = group_count.cumsum(0) - group_count
    outside = group_count[mask_group] - count
    usable = ((count >= 2) & (outside >= 1)).nonzero()[:, 0]
    if usable.numel() == 0:
        return _none(pairs, pool, device)
    weight = count[usable].double() ** size_power
    fewer = usable.numel() < masks
    chosen = usable[torch.multinomial(weight, masks, replacement=fewer, generator=generator)]

    size, first = count[chosen, None], start[chosen, None]
    i = _below(size, pairs, generator)
    j = (i + 1 + _below(size - 1, pairs, generator)) % size
    base = group_start[mask_group[chosen]][:, None]
    k = _below(outside[chosen, None], pool, generator)
    k = k + torch.where(k >= first - base, size, 0)  # step over the proposal's own interval
    return Proposals(
        shape=mask_group[chosen] // levels,
        level=mask_group[chosen] % levels,
        part=mask_part[chosen],
        anchor=point[first + i],
        positive=point[first + j],
        pool=point[base + k],
    )


def _none(pairs: int, pool: int, device: torch.device) -> Proposals:
    def empty(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.long, device=device)

    return Proposals(empty(0), empty(0), empty(0), empty(0, pairs), empty(0, pairs), empty(0, pool))


def draw_near(
    distance: Float[Tensor, "k p c"], count: int, power: float, generator: torch.Generator | None = None
) -> Int[Tensor, "k p d"]:
    """Indices into the last axis with probability proportional to (distance + floor)^-power, with replacement.

    Hard negatives are the near ones (the paper's text; its printed formula, probability proportional to distance,
    would favour the far ones). The floor, 1 % of the mean distance, keeps coincident points from taking all draws.
    """
    k, p, c = distance.shape
    if k == 0:
        return distance.new_zeros((0, p, count), dtype=torch.long)
    d = distance.detach().float()
    floor = 0.01 * d.mean(dim=-1, keepdim=True) + 1e-6
    logit = -power * torch.log(d.clamp(min=0) + floor)
    weight = F.softmax(logit, dim=-1).reshape(k * p, c)
    return torch.multinomial(weight, count, replacement=True, generator=generator).reshape(k, p, count)
