"""Equation 1 over packed trees, and what the paper's symmetry parameters and leaf classes add to it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from partseg.ops.scatter import scatter_mean, scatter_sum
from partseg_recursive_partnet.config import LossConfig
from partseg_recursive_partnet.model import TreeOutput
from partseg_recursive_partnet.nodes import NodeType
from partseg_recursive_partnet.symmetry import SymmetryTargets, symmetry_loss
from partseg_recursive_partnet.targets import Trees


def partnet_loss(
    output: TreeOutput, trees: Trees, shapes: int, config: LossConfig
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """Loss of a batch, and its terms, detached.

    types: cross-entropy of the nodes' types. labels: cross-entropy of the points of a node, mean over its points. Both
    are summed over a shape's nodes and divided by the number of internal ones, types by that of all nodes where the
    config says so. symmetry: of nodes with parameters, mean over them. classes: cross-entropy of the leaves whose class
    is known, mean over them. Each is then averaged over the shapes.

    Args:
        output: of `RecursivePartNet.forward`. trees: the same. shapes: how many there are.
    """
    internal = trees.type != NodeType.LEAF
    count = torch.bincount(trees.shape, minlength=shapes)
    inner = torch.bincount(trees.shape[internal], minlength=shapes)
    nodes = count if config.normalise == "nodes" else inner
    terms = {
        "types": _per_shape(F.cross_entropy(output.types.float(), trees.type, reduction="none"), trees.shape, nodes),
        "labels": _per_shape(_label_loss(output, trees), trees.shape, inner),
    }
    if output.symmetry is not None and output.symmetry_nodes is not None:
        at = output.symmetry_nodes
        wanted = SymmetryTargets.of([trees.symmetry[i] for i in at.tolist()]).to(output.types.device)
        loss = symmetry_loss(output.symmetry, wanted)
        terms["symmetry"] = _per_shape(loss, trees.shape[at], torch.bincount(trees.shape[at], minlength=shapes))
    if output.classes is not None and output.leaves is not None:
        known = trees.semantic[output.leaves] >= 0
        leaves = output.leaves[known]
        loss = F.cross_entropy(output.classes[known].float(), trees.semantic[leaves], reduction="none")
        terms["classes"] = _per_shape(loss, trees.shape[leaves], torch.bincount(trees.shape[leaves], minlength=shapes))
    total = sum(getattr(config, name) * value for name, value in terms.items())
    return total, {name: value.detach() for name, value in terms.items()}


def _label_loss(output: TreeOutput, trees: Trees) -> Float[Tensor, "m"]:
    """Mean over the points of each node; 0 in leaves."""
    rows, loss = output.binary_rows, _cross_entropy(output.binary, trees.label[output.binary_rows])
    if output.copies is not None and output.copies_rows is not None:
        rows = torch.cat([rows, output.copies_rows])
        loss = torch.cat([loss, _cross_entropy(output.copies, trees.label[output.copies_rows])])
    return scatter_mean(loss, trees.node[rows], len(trees))


def _cross_entropy(logits: Float[Tensor, "n k"], label: Int[Tensor, "n"]) -> Float[Tensor, "n"]:
    return F.cross_entropy(logits.float(), label, reduction="none")


def _per_shape(loss: Float[Tensor, "k"], shape: Int[Tensor, "k"], count: Int[Tensor, "b"]) -> Float[Tensor, ""]:
    """Sum over the nodes of each shape, divided by a count (none: 0), mean over the shapes."""
    return (scatter_sum(loss, shape, len(count)) / count.clamp(min=1)).mean()
