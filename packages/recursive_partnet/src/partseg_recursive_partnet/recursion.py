"""Decomposing clouds top down, breadth first: all nodes of one depth of all shapes in one pass of each network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from partseg.ops.scatter import scatter_max
from partseg_recursive_partnet.model import RecursivePartNet
from partseg_recursive_partnet.nodes import NodeType
from partseg_recursive_partnet.symmetry import SymmetryPrediction


@dataclass(frozen=True, eq=False)
class Decomposition:
    """The trees found in the shapes of a batch. m nodes, those of a depth together, parents before children.

    Attributes:
        type: (m,) int64 `NodeType` as predicted. split: (m,) bool, whether it was taken apart; an adjacency node or
            mirror that is not (a side too small, too deep) is a part.
        parent: (m,) int64, -1 for roots. side: (m,) int64, 0 left, 1 right, -1. depth, shape: (m,) int64.
        logits: (m, k) of the types. feature: (m, c) node features.
        leaf: (n,) int64 node at which each row of the batch ended; -1 for padding.
        copy: (n,) int64 copy that it has there: in a node whose copies are labelled at once its label; 1 in what a node
            whose parameters are predicted holds beside its first copy (`leaf` is that node); else 0.
        symmetry: predictions for all nodes (parameters only).
        classes: (m, s) logits (semantic head only).
        cut: whether some node was not taken apart because it is too deep.
    """

    type: Int[Tensor, "m"]
    split: Bool[Tensor, "m"]
    parent: Int[Tensor, "m"]
    side: Int[Tensor, "m"]
    depth: Int[Tensor, "m"]
    shape: Int[Tensor, "m"]
    logits: Float[Tensor, "m k"]
    feature: Float[Tensor, "m c"]
    leaf: Int[Tensor, "n"]
    copy: Int[Tensor, "n"]
    symmetry: SymmetryPrediction | None
    classes: Float[Tensor, "m s"] | None
    cut: bool

    def preorder(self) -> Int[np.ndarray, "m"]:
        """Nodes in the order of a recursion: each shape's root, its left subtree, its right subtree."""
        parent, side = self.parent.tolist(), self.side.tolist()
        below: list[list[int]] = [[] for _ in parent]
        for node in sorted(range(len(parent)), key=side.__getitem__):
            if parent[node] >= 0:
                below[parent[node]].append(node)
        out, stack = [], [node for node in reversed(range(len(parent))) if parent[node] < 0]
        while stack:
            node = stack.pop()
            out.append(node)
            stack.extend(reversed(below[node]))
        return np.array(out, np.int64)

    def instances(self) -> Int[np.ndarray, "n"]:
        """Parts numbered as the release numbers them: in the order of a recursion, from 0 in each shape.

        A node whose copies are labelled at once takes as many numbers as its largest label plus one: labels that no
        point has leave gaps. -1 for padding.
        """
        leaf, copy = self.leaf.cpu().numpy(), self.copy.cpu().numpy()
        most = np.full(len(self.type) + 1, -1, np.int64)  # its last entry is what padding finds
        np.maximum.at(most, leaf, copy)
        order = self.preorder()
        taken = most[order] + 1
        before = np.cumsum(taken) - taken
        shape = self.shape.cpu().numpy()[order]
        first = np.r_[True, shape[1:] != shape[:-1]]
        start = np.empty(len(most), np.int64)
        start[order] = before - np.repeat(before[first], np.diff(np.r_[np.flatnonzero(first), len(order)]))
        return np.where(leaf >= 0, start[leaf] + copy, -1)


@torch.no_grad()
def decompose(
    model: RecursivePartNet,
    cloud: Float[Tensor, "b n c"],
    sizes: Int[Tensor, "b"] | None = None,
    *,
    min_points: int = 20,
    max_depth: int = 64,
) -> Decomposition:
    """Decompose shapes (section 3.1; when a split stands is the release's rule).

    Args:
        model: in evaluation mode.
        cloud: positions with their longest box side 1 and centre at the origin, and normals where the network reads
            them.
        sizes: how many rows of each shape are points; the others are padding, which the point network reads and no node
            holds. None: all.
        min_points: a split in two stands when both sides have more points than this.
        max_depth: nodes at this depth are not taken apart.
    """
    b, n, _ = cloud.shape
    device, flat = cloud.device, cloud.flatten(0, 1)
    features, rows = model.point_features(cloud), model.encoder(flat)
    real = torch.arange(n, device=device)[None] < (torch.full((b,), n) if sizes is None else sizes).to(device)[:, None]
    point = torch.nonzero(real.flatten())[:, 0]
    node = point // n
    encoding = context = scatter_max(rows[point], node, b)
    parent, side = (torch.full((b,), -1, device=device) for _ in range(2))
    shape = torch.arange(b, device=device)
    leaf, copy = torch.full((b * n,), -1, device=device), torch.zeros(b * n, dtype=torch.long, device=device)
    levels: list[dict[str, Tensor]] = []
    symmetries: list[SymmetryPrediction] = []
    done, cut = 0, False
    while len(shape):
        m = len(shape)
        feature, seen = model.node_features(encoding, context)
        logits = model.classifier(seen)
        type = logits.argmax(1)
        split = type != NodeType.LEAF
        if len(levels) == max_depth:
            cut |= bool(split.any())
            split = torch.zeros_like(split)
        at_once = split & (type == NodeType.SYMMETRY) if model.copies is not None else torch.zeros_like(split)
        label = _labels(model, feature, features, point, node, split & ~at_once, at_once)
        ones = torch.bincount(node[label == 1], minlength=m)
        size = torch.bincount(node, minlength=m)
        split &= at_once | (torch.minimum(ones, size - ones) > min_points)

        goes_on = (split & ~at_once)[node]
        rest = torch.zeros_like(goes_on)
        if model.symmetry is not None:  # what is not the first copy stays behind, for its labels to be carried there
            symmetries.append(model.symmetry(feature)[1])
            rest = goes_on & (type == NodeType.SYMMETRY)[node] & (label == 1)
        ends = ~goes_on | rest
        leaf[point[ends]] = done + node[ends]
        copy[point[ends]] = torch.where(at_once[node] | rest, label, 0)[ends]
        levels.append(
            {
                "type": type, "split": split, "parent": parent, "side": side, "shape": shape, "logits": logits,
                "depth": torch.full_like(type, len(levels)), "feature": feature,
            }
            | ({} if model.classes is None else {"classes": model.classes(feature)})
        )  # fmt: skip

        point, node, label = point[~ends], node[~ends], label[~ends]
        children, child = torch.unique(2 * node + label, return_inverse=True)
        above, side = children // 2, children % 2
        if len(children) and model.decoder is not None:
            context = model.child_contexts(feature, type, above, side)
        encoding = scatter_max(rows[point], child, len(children))
        if model.decoder is None:
            context = encoding
        parent, shape, node = done + above, shape[above], child
        done += m
    whole = {key: torch.cat([level[key] for level in levels]) for key in levels[0]}
    return Decomposition(
        **{"classes": None, **whole}, leaf=leaf, copy=copy, cut=cut,
        symmetry=SymmetryPrediction.cat(symmetries) if symmetries else None,
    )  # fmt: skip


def _labels(
    model: RecursivePartNet,
    node: Float[Tensor, "m c"],
    features: Float[Tensor, "n f"],
    point: Int[Tensor, "p"],
    at: Int[Tensor, "p"],
    in_two: Bool[Tensor, "m"],
    at_once: Bool[Tensor, "m"],
) -> Int[Tensor, "p"]:
    """Labels of pairs, 0 where their node is not taken apart."""
    label = torch.zeros_like(point)
    used = model.at_labeller(node, features, point, at)
    for labeller, nodes in ((model.binary, in_two), (model.copies, at_once)):
        pairs = torch.nonzero(nodes[at])[:, 0]
        if labeller is not None and len(pairs):
            label[pairs] = labeller(features, used, point[pairs], at[pairs]).argmax(1)
    return label
