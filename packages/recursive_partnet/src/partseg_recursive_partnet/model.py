"""The network: what reads points, and what decides at a node (section 3.1). Nodes are packed, never visited one by one.

A point goes through the point-wise layers once for all nodes it is in: a node's encoding is a maximum over rows that
are there already, and the first layer of a labeller is the sum of a part of the point and a part of the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from partseg.nn import PointNet2, PointNorm, SetLevel, SharedMLP
from partseg.ops.scatter import scatter_max
from partseg_recursive_partnet.config import LayersConfig, NetworkConfig, NoiseConfig, PointNet2Config
from partseg_recursive_partnet.literal import LiteralPointNet2
from partseg_recursive_partnet.nodes import NodeType
from partseg_recursive_partnet.symmetry import SymmetryDecoder, SymmetryPrediction
from partseg_recursive_partnet.targets import Trees


@dataclass(frozen=True, eq=False)
class TreeOutput:
    """What the network says of the trees of a batch.

    Attributes:
        types: (m, k) logits of the nodes' types.
        binary: (q, 2) logits of the points of the nodes that are split in two; `binary_rows` are their pairs.
        copies: (r, c) logits of the points of nodes whose copies are labelled at once; `copies_rows` likewise.
        symmetry: predictions for the nodes `symmetry_nodes` (parameters only).
        classes: (l, o) logits of the leaves `leaves` (semantic head only).
    """

    types: Float[Tensor, "m k"]
    binary: Float[Tensor, "q 2"]
    binary_rows: Int[Tensor, "q"]
    copies: Float[Tensor, "r c"] | None = None
    copies_rows: Int[Tensor, "r"] | None = None
    symmetry: SymmetryPrediction | None = None
    symmetry_nodes: Int[Tensor, "s"] | None = None
    classes: Float[Tensor, "l o"] | None = None
    leaves: Int[Tensor, "l"] | None = None


_CHUNK = 4096  # pairs at a time where no gradient is wanted: their rows stay in the cache


class ChildDecoder(nn.Module):
    """From a node's feature to the contexts of its children: tanh layers, one head each."""

    def __init__(self, channels: int, hidden: int, context: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels, hidden)
        self.left, self.right = nn.Linear(hidden, context), nn.Linear(hidden, context)

    def forward(self, node: Float[Tensor, "m c"]) -> tuple[Float[Tensor, "m d"], Float[Tensor, "m d"]]:
        hidden = torch.tanh(self.hidden(node))
        return torch.tanh(self.left(hidden)), torch.tanh(self.right(hidden))


class PointLabeller(nn.Module):
    """Logits of the points of nodes, from the features of points and those of nodes.

    The first layer is linear in [point, node], so each half is computed once a point and once a node, and added.

    Args:
        points, nodes: widths of the two inputs. layers: widths, normalisation and dropout. outputs: logits of a point.
    """

    def __init__(self, points: int, nodes: int, layers: LayersConfig, outputs: int) -> None:
        super().__init__()
        first, *rest = layers.widths
        rates = layers.dropout or (0.0,) * len(layers.widths)
        self.point, self.node = nn.Linear(points, first, bias=False), nn.Linear(nodes, first)
        self.norm = PointNorm(first) if layers.norm else None
        self.rate = rates[0]
        self.layers = SharedMLP(first, rest, bias=True, norm=layers.norm, dropout=rates[1:])
        self.last = nn.Linear(layers.widths[-1], outputs)

    def forward(
        self,
        points: Float[Tensor, "n f"],
        nodes: Float[Tensor, "m g"],
        point: Int[Tensor, "p"],
        node: Int[Tensor, "p"],
    ) -> Float[Tensor, "p k"]:
        """Logits of pairs.

        Args:
            points, nodes: features. point, node: rows of both, one of each for every pair.
        """
        at_point, at_node = self.point(points), self.node(nodes)
        if self.training or torch.is_grad_enabled():
            return self._pairs(at_point, at_node, point, node)
        chunks = zip(point.split(_CHUNK), node.split(_CHUNK), strict=True)
        return torch.cat([self._pairs(at_point, at_node, *chunk) for chunk in chunks])

    def _pairs(
        self,
        at_point: Float[Tensor, "n w"],
        at_node: Float[Tensor, "m w"],
        point: Int[Tensor, "p"],
        node: Int[Tensor, "p"],
    ) -> Float[Tensor, "p k"]:
        x = at_point.index_select(0, point).add_(at_node.index_select(0, node))
        if self.rate and self.training:
            x = x * F.dropout(at_node.new_ones(at_node.shape), self.rate)[node]
        x = F.relu(x if self.norm is None else self.norm(x), inplace=True)
        return self.last(self.layers(x, node))


class RecursivePartNet(nn.Module):
    """All networks of a decomposition; they are shared by all nodes.

    Args:
        config: of the network.
    """

    def __init__(self, config: NetworkConfig = NetworkConfig()) -> None:  # noqa: B008 (frozen)
        super().__init__()
        self.config = config
        channels = 6 if config.normals else 3
        self.encoder = _layers(channels, config.encoder)
        self.points = _point_network(channels, config.points)
        f, width = self.points.channels, self.encoder.channels
        node, hidden = 2 * width, config.hidden
        copies = config.symmetry == "copies"
        self.classifier = nn.Sequential(nn.Linear(node, hidden), nn.Tanh(), nn.Linear(hidden, 4 if copies else 3))
        self.decoder = ChildDecoder(node, hidden, width) if config.context else None
        at_node = node + f * config.pooled_points
        self.binary = PointLabeller(f, at_node, config.labeller, 2)
        self.copies = PointLabeller(f, at_node, config.labeller, config.copies) if copies else None
        self.symmetry = None if copies else SymmetryDecoder(node, hidden, width, folds=config.copies - 1)
        self.classes = _three_layers(node, hidden, width, config.classes) if config.classes else None

    # -- what is computed once a point ----------------------------------------------------------------------------

    def point_features(self, cloud: Float[Tensor, "b n c"]) -> Float[Tensor, "b*n f"]:
        """PointNet 2: a feature for every point.

        Args:
            cloud: positions (longest box side 1, centre at the origin) and, where the config reads them, normals.
        """
        if isinstance(self.points, PointNet2):
            own = cloud[..., 3:] if cloud.shape[2] > 3 else None
            return self.points(cloud[..., :3].contiguous(), own)[0].flatten(0, 1)
        shape = torch.arange(len(cloud), device=cloud.device).repeat_interleave(cloud.shape[1])
        return self.points(cloud.flatten(0, 1), shape)

    def node_features(
        self, encoding: Float[Tensor, "m d"], context: Float[Tensor, "m d"]
    ) -> tuple[Float[Tensor, "m c"], Float[Tensor, "m c"]]:
        """What a node's networks read, and what its classifier reads; ablations put one half in place of the other."""
        node = torch.cat([context if self.config.context else encoding, encoding], dim=1)
        if self.config.encoding_in_classifier:
            return node, node
        return node, torch.cat([context, context], dim=1)

    def at_labeller(
        self, node: Float[Tensor, "m c"], features: Float[Tensor, "n f"], point: Int[Tensor, "p"], at: Int[Tensor, "p"]
    ) -> Float[Tensor, "m g"]:
        """What a labeller reads of a node: its feature and, if configured, the maximum over its points' features."""
        if not self.config.pooled_points:
            return node
        return torch.cat([scatter_max(features[point], at, len(node)), node], dim=1)

    # -- training: all nodes of all shapes at once ------------------------------------------------------------------

    def forward(
        self, cloud: Float[Tensor, "b n c"], trees: Trees, noise: NoiseConfig | None = None
    ) -> TreeOutput:
        """Outputs at every node of given trees (teacher forcing).

        Args:
            cloud: see `point_features`. trees: whose points are rows of the flattened cloud.
            noise: added to what is read; None adds nothing.
        """
        flat = cloud.flatten(0, 1)
        features = self.point_features(_noisy(cloud, noise))
        encoding, root = self._encodings(flat, trees, noise)
        context = self._contexts(encoding, root, trees)
        node, seen = self.node_features(encoding, context)

        split = trees.label >= 0
        at_once = (trees.type == NodeType.SYMMETRY)[trees.node] & split
        if self.copies is None:
            at_once = torch.zeros_like(split)
        binary, copies = torch.nonzero(split & ~at_once)[:, 0], torch.nonzero(at_once)[:, 0]
        used = torch.cat([node_max(features, trees), node], dim=1) if self.config.pooled_points else node
        out = {"binary": self.binary(features, used, trees.point[binary], trees.node[binary]), "binary_rows": binary}
        if self.copies is not None:
            out["copies"] = self.copies(features, used, trees.point[copies], trees.node[copies])
            out["copies_rows"] = copies
        if self.symmetry is not None:
            out["symmetry_nodes"] = torch.nonzero(trees.type == NodeType.SYMMETRY)[:, 0]
            out["symmetry"] = self.symmetry(node[out["symmetry_nodes"]])[1]
        if self.classes is not None:
            out["leaves"] = torch.nonzero(trees.type == NodeType.LEAF)[:, 0]
            out["classes"] = self.classes(node[out["leaves"]])
        return TreeOutput(types=self.classifier(seen), **out)

    def _encodings(
        self, flat: Float[Tensor, "n c"], trees: Trees, noise: NoiseConfig | None
    ) -> tuple[Float[Tensor, "m d"], Float[Tensor, "b d"]]:
        """Part shape features of all nodes, and those of the roots a second time, as their contexts."""
        roots = trees.levels[1]
        if noise is None or noise.per == "shape":
            shape = flat.new_zeros(len(flat), dtype=torch.long)
            shape[trees.point] = trees.shape[trees.node]
            encoding = node_max(self.encoder(_noisy(flat, noise), shape), trees)
            return encoding, encoding[:roots]
        again = trees.node < roots
        point = torch.cat([trees.point, trees.point[again]])
        node = torch.cat([trees.node, trees.node[again] + len(trees)])
        encoding = scatter_max(self.encoder(_noisy(flat[point], noise), node), node, len(trees) + roots)
        return encoding[: len(trees)], encoding[len(trees) :]

    def _contexts(
        self, encoding: Float[Tensor, "m d"], root: Float[Tensor, "b d"], trees: Trees
    ) -> Float[Tensor, "m d"]:
        """Recursive context features, one depth after the other."""
        if self.decoder is None:
            return encoding
        contexts = [root]
        for start, stop, end in zip(trees.levels, trees.levels[1:], trees.levels[2:]):
            node = torch.cat([contexts[-1], encoding[start:stop]], dim=1)
            above = trees.parent[stop:end] - start
            contexts.append(self.child_contexts(node, trees.type[start:stop], above, trees.side[stop:end]))
        return torch.cat(contexts)

    def child_contexts(
        self,
        node: Float[Tensor, "m c"],
        type: Int[Tensor, "m"],
        above: Int[Tensor, "k"],
        side: Int[Tensor, "k"],
    ) -> Float[Tensor, "k d"]:
        """Contexts of children.

        Args:
            node, type: features and types of the nodes of one depth.
            above: row of each child's parent among them. side: 0 left, 1 right.
        """
        left, right = self.decoder(node)
        if self.symmetry is not None:
            generator, _ = self.symmetry(node)
            left = torch.where((type == NodeType.SYMMETRY)[:, None], generator, left)
        return torch.where((side == 0)[:, None], left[above], right[above])


def node_max(rows: Float[Tensor, "n d"], trees: Trees) -> Float[Tensor, "m d"]:
    """Largest value of each column over the points of each node, from rows that are not negative.

    Every point counts at the deepest of its nodes; from there maxima go up, one depth after the other.
    """
    most = scatter_max(rows[trees.point[trees.ends]], trees.node[trees.ends], len(trees))
    levels = list(most.split([b - a for a, b in zip(trees.levels, trees.levels[1:])]))
    for depth in range(len(levels) - 1, 0, -1):
        above = trees.parent[trees.levels[depth] : trees.levels[depth + 1]] - trees.levels[depth - 1]
        wide = above[:, None].expand_as(levels[depth])
        levels[depth - 1] = levels[depth - 1].scatter_reduce(0, wide, levels[depth], "amax")
    return torch.cat(levels)


def _three_layers(*widths: int) -> nn.Sequential:
    first, second, third = (nn.Linear(a, b) for a, b in pairwise(widths))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)


def _layers(channels: int, config: LayersConfig) -> SharedMLP:
    return SharedMLP(channels, config.widths, bias=True, norm=config.norm, dropout=config.dropout or 0.0)


def _point_network(channels: int, config: LayersConfig | PointNet2Config) -> SharedMLP | PointNet2:
    if isinstance(config, LayersConfig):
        return _layers(channels, config)
    newer = config.branch == "newer"
    make = LiteralPointNet2 if config.branch == "master-literal" else PointNet2
    return make(
        channels - 3,
        [SetLevel(level.widths, level.centres, level.radius, level.neighbours) for level in config.levels],
        config.up,
        closed=newer,
        skip_first=newer,
        epsilon=1e-8 if newer else 1e-10,
        added=newer,
        bias=True,
        skip_points=True,
    )


def _noisy(x: Tensor, noise: NoiseConfig | None) -> Tensor:
    if noise is None or noise.sigma == 0:
        return x
    return x + (torch.randn_like(x) * noise.sigma).clamp(-noise.clip, noise.clip)
