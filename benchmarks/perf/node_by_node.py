"""Recursive PartNet the plain way: one node after the other, every network called for every node.

The peer of `recursive.py`, and what the tests compare the batched recursion with. It uses the weights of the batched
network and nothing else of it: points of a node go through the encoder again at every node, and a labeller's first
layer reads the whole row [point features, their maximum, node feature].
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor


def features_of(model, cloud: Tensor, whole: Tensor | None, points: Tensor) -> Tensor:
    """Features of a node's points: rows of the whole shape's, or of a point-wise network run at the node."""
    return model.point_features(cloud[points][None]) if whole is None else whole[points]


def whole_features(model, cloud: Tensor) -> Tensor | None:
    """PointNet++ reads the whole shape once; a point-wise PointNet 2 is run again at every node, as in the paper."""
    return model.point_features(cloud[None]) if hasattr(model.points, "down") else None


def encode(model, cloud: Tensor) -> Tensor:
    return model.encoder(cloud, torch.zeros(len(cloud), dtype=torch.long)).amax(0)


def label(labeller, node: Tensor, features: Tensor, pooled: bool) -> Tensor:
    """Logits of the points of one node."""
    rows = [features, features.amax(0).expand(len(features), -1)] if pooled else [features]
    x = torch.cat([*rows, node.expand(len(features), -1)], dim=1)
    x = F.linear(x, torch.cat([labeller.point.weight, labeller.node.weight], dim=1), labeller.node.bias)
    x = F.relu(x if labeller.norm is None else labeller.norm(x))
    return labeller.last(labeller.layers(x, torch.zeros(len(x), dtype=torch.long)))


def node_rows(model, cloud: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
    """Feature of a node and what its classifier reads."""
    encoding = encode(model, cloud)
    node = torch.cat([context if model.config.context else encoding, encoding])
    return node, node if model.config.encoding_in_classifier else torch.cat([context, context])


def contexts(model, node: Tensor, generator: bool) -> tuple[Tensor, Tensor]:
    """Contexts of both children."""
    if model.decoder is None:
        return node[: len(node) // 2], node[: len(node) // 2]
    left, right = (x[0] for x in model.decoder(node[None]))
    if generator:
        left = model.symmetry(node[None])[0][0]
    return left, right


def losses(model, cloud: Tensor, tree, listed: int | None = None) -> Tensor:
    """Sum over one shape's nodes of both cross-entropies, divided by the number of internal nodes (teacher forcing).

    Args:
        cloud: (n, c). tree: a `Tree`. listed: repeat each node's points up to this number, as the release does.
    """
    features = whole_features(model, cloud)
    below: dict[int, list[int]] = {}
    for i, parent in enumerate(tree.parent.tolist()):
        below.setdefault(parent, []).append(i)
    total = cloud.new_zeros(())

    def visit(i: int, context: Tensor) -> Tensor:
        start, stop = int(tree.start[i]), int(tree.stop[i])
        within = torch.arange(stop - start if listed is None else listed) % max(stop - start, 1)
        points = torch.from_numpy(tree.order[start:stop])[within]
        node, seen = node_rows(model, cloud[points], context)
        loss = F.cross_entropy(model.classifier(seen[None]), torch.tensor([int(tree.type[i])]))
        cuts = torch.tensor(tree.cuts[i], dtype=torch.long)
        if len(cuts):
            wanted = ((start + within)[:, None] >= cuts[None]).sum(1)
            at_once = tree.type[i] == 2 and model.copies is not None
            labeller = model.copies if at_once else model.binary
            rows = features_of(model, cloud, features, points)
            logits = label(labeller, node, rows, model.config.pooled_points)
            loss = loss + F.cross_entropy(logits, wanted)
        left, right = contexts(model, node, model.symmetry is not None and tree.type[i] == 2)
        for child in below.get(i, []):
            loss = loss + visit(child, left if tree.side[child] == 0 else right)
        return loss

    root = encode(model, cloud[torch.from_numpy(tree.order)]) if len(tree.order) else cloud.new_zeros(1)
    total = visit(0, root)
    return total / max(sum(1 for cuts in tree.cuts if cuts), 1)


@torch.no_grad()
def parts(model, cloud: Tensor, min_points: int = 20) -> Iterator[tuple[Tensor, int]]:
    """(points, label) of each part of one shape, in the order of the recursion; labels count the copies of a node.

    Args:
        cloud: (n, c).
    """
    features = whole_features(model, cloud)
    yield from _parts(model, cloud, features, torch.arange(len(cloud)), encode(model, cloud), min_points)


def _parts(
    model, cloud: Tensor, features: Tensor | None, points: Tensor, context: Tensor, min_points: int
) -> Iterator[tuple[Tensor, int]]:
    node, seen = node_rows(model, cloud[points], context)
    kind = int(model.classifier(seen[None]).argmax())
    pooled = model.config.pooled_points
    rows = features_of(model, cloud, features, points)
    if kind == 2 and model.copies is not None:
        copy = label(model.copies, node, rows, pooled).argmax(1)
        for k in range(int(copy.max()) + 1):
            yield points[copy == k], k
        return
    if kind in (1, 2, 3):
        side = label(model.binary, node, rows, pooled).argmax(1).bool()
        if min(int(side.sum()), int((~side).sum())) > min_points:
            left, right = contexts(model, node, kind == 2)
            yield from _parts(model, cloud, features, points[~side], left, min_points)
            if kind == 2:
                yield points[side], 1  # its labels are carried there
            else:
                yield from _parts(model, cloud, features, points[side], right, min_points)
            return
    yield points, 0
