"""Distances between clouds, and the hierarchical reconstruction loss over them (section 5; distances: Fan et al. 2017).

Lengths, not their squares, in units of the cube. `partseg.metrics.functional.proposals.chamfer_distance` is the metric.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor

from partseg.ops.scatter import scatter_mean
from partseg_recursive_partnet.refinement.config import RefinerLossConfig
from partseg_recursive_partnet.refinement.parts import Nodes

_STEPS, _FINEST = 40, 0.01  # of Sinkhorn's iterations: how many, and the last temperature in mean distances
_INDEX_BITS = 29  # mantissa of a double less that of a float
_TINY = 1e-12  # under roots, so that coinciding points have a gradient


def exact_emd(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "n 3"]) -> float:
    """Earth mover's distance: mean length of the best one-to-one assignment, O(n³).

    Raises:
        ValueError: clouds of different size, or empty.
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(f"an assignment needs as many points on both sides, not {len(a)} and {len(b)}")
    cost = cdist(a, b)
    return float(cost[linear_sum_assignment(cost)].mean())


def sinkhorn_emd(a: Float[Tensor, "m s 3"], b: Float[Tensor, "m s 3"]) -> Float[Tensor, "m"]:
    """Approximate earth mover's distance of m pairs of clouds, differentiable (Cuturi 2013, in the log domain).

    The temperature falls from the mean distance to 1 % of it. The plan is a constant for the gradient, as the envelope
    theorem has it. Memory O(m s²).
    """
    cost = ((a[:, :, None] - b[:, None]).square().sum(-1) + _TINY).sqrt()
    with torch.no_grad():
        scale = cost.mean((1, 2), keepdim=True).clamp(min=_TINY)
        u, v = cost.new_zeros(cost.shape[0], cost.shape[1], 1), cost.new_zeros(cost.shape[0], 1, cost.shape[2])
        for step in range(_STEPS):  # potentials in lengths, so that they outlast a change of temperature
            heat = scale * max(0.8**step, _FINEST)
            u = -heat * torch.logsumexp((v - cost) / heat, 2, keepdim=True)
            v = -heat * torch.logsumexp((u - cost) / heat, 1, keepdim=True)
        plan = torch.exp((u + v - cost) / heat)
        plan = plan / plan.sum((1, 2), keepdim=True)
    return (plan * cost).sum((1, 2))


def node_chamfer(
    refined: Float[Tensor, "l k 3"], true: Float[Tensor, "n 3"], nodes: Nodes
) -> tuple[Float[Tensor, "m"], Float[Tensor, "m"]]:
    """Chamfer distance of every node, one direction each: the union of the refined clouds below it, and its true cloud.

    One table of distances a shape serves all nodes: it is reduced to the nearest point of each part first, and each
    depth chooses among parts. Only the pairs that are found carry a gradient.

    Returns:
        forward, backward: mean over the refined (true) points of a node of the distance to its nearest true (refined)
        one; 0 for nodes that have none on a side.

    Raises:
        ValueError: more than 2²⁹ pairs of points in a shape.
    """
    k, flat = refined.shape[1], refined.reshape(-1, 3)
    near, back = [], []
    with torch.no_grad():
        rows, columns = nodes.true_rows, nodes.leaf_rows(k)
        place, width = torch.arange(rows.shape[1], device=rows.device), columns.shape[1]
        if rows.shape[1] * width > 1 << _INDEX_BITS:
            raise ValueError(f"{rows.shape[1]} true and {width} refined points of a shape are too many")
        index = place[:, None] * width + torch.arange(width, device=rows.device)
        table = _marked(torch.cdist(true[rows], flat[columns]), index)
        to_part = table.view(*rows.shape, -1, k).amin(3)  # (b, t, p)
        runs, lengths = nodes.true_runs
        to_run = torch.segment_reduce(table.flatten(0, 1), "min", lengths=lengths)  # (r, pk)
        of_run = nodes.true_above[rows.flatten()[runs]]
        shape_of_run = runs // rows.shape[1]
        per_shape = torch.bincount(shape_of_run, minlength=len(rows))
        above = nodes.above[nodes.parts].masked_fill(~nodes.parts_real[..., None], -1)  # (b, p, d)
        true_above = nodes.true_above[rows].masked_fill(~nodes.true_real[..., None], -1)  # (b, t, d)
        for depth in range(above.shape[2]):
            mine, theirs = above[:, :, depth], true_above[:, :, depth]
            here = _where_equal(to_part, theirs[:, :, None], mine[:, None]).amin(2)
            found, cell = here.isfinite(), _mark_of(here)
            back.append((theirs[found], rows[found], torch.gather(columns, 1, cell % width)[found]))
            points = mine.repeat_interleave(k, 1)
            here = _where_equal(to_run, of_run[:, depth, None], points[shape_of_run])
            here = torch.segment_reduce(here, "min", lengths=per_shape)
            found, cell = here.isfinite(), _mark_of(here)
            near.append((points[found], columns[found], torch.gather(rows, 1, cell // width)[found]))
    (node, a, b), (other, c, d) = (map(torch.cat, zip(*found, strict=True)) for found in (near, back))
    m = nodes.count
    return scatter_mean(_length(flat[a] - true[b]), node, m), scatter_mean(_length(true[c] - flat[d]), other, m)


def _marked(table: Float[Tensor, "b t p"], index: Int[Tensor, "t p"]) -> Float[Tensor, "b t p"]:
    """The same numbers with their index in the bits that a double has and a float has not: a minimum tells whose."""
    return table.double().view(torch.int64).bitwise_or_(index).view(torch.float64)


def _mark_of(values: Float[Tensor, "*x"]) -> Int[Tensor, "*x"]:
    """The index of numbers that `_marked` gave (0 for infinity)."""
    return values.view(torch.int64) & ((1 << _INDEX_BITS) - 1)


def _where_equal(table: Float[Tensor, "*x"], a: Int[Tensor, "*#x"], b: Int[Tensor, "*#x"]) -> Float[Tensor, "*x"]:
    """The table where two nodes are the same one, infinity elsewhere; -1 is no node."""
    return table.masked_fill((a != b) | (a < 0), torch.inf)


def _length(x: Float[Tensor, "r 3"]) -> Float[Tensor, "r"]:
    return (x.square().sum(1) + _TINY).sqrt()


def hierarchical_loss(
    refined: Float[Tensor, "l k 3"],
    true: Float[Tensor, "n 3"],
    nodes: Nodes,
    config: RefinerLossConfig,
    generator: torch.Generator,
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """Chamfer and earth mover's distance of every node of every hierarchy; mean over a shape's nodes, then over shapes.

    The earth mover's distance needs as many points on both sides, so `config.emd_points` are drawn of each cloud,
    evenly spread over the parts below the node.

    Args:
        refined: of the parts. true: the shapes' fine points, end to end. nodes: of the same batch.
        config: weights. generator: of the draws.

    Returns:
        The weighted sum, and its terms, detached.
    """
    kept = nodes.live
    chamfer = sum(node_chamfer(refined, true, nodes))[kept]
    drawn, wanted = nodes.draw(config.emd_points, refined.shape[1], generator)
    emd = sinkhorn_emd(refined.reshape(-1, 3)[drawn], true[wanted])
    terms = {
        name: scatter_mean(value, nodes.shape[kept], nodes.shapes).mean()
        for name, value in (("chamfer", chamfer), ("emd", emd))
    }
    total = config.chamfer * terms["chamfer"] + config.emd * terms["emd"]
    return total, {name: value.detach() for name, value in terms.items()}
