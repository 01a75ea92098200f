"""Recursive PartNet: all nodes of a batch at once, against one node after the other.

`python benchmarks/perf recursive`. 10 shapes of 2048 points, balanced trees of 20 leaves. Both sides have the same
weights. Peers: *node by node*, each node with its own points; *as released*, each node's points repeated up to 2048, as
the release's training has them (its inference takes them as they are). Losses of ours and node by node must agree to
1e-5, parts exactly.

For inference the last layers are fitted to the trees (least squares), so that random weights take shapes apart; the
rows say into how many parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import node_by_node
import numpy as np
import torch
from table import Row, seconds
from torch import Tensor, nn

from partseg.methods.configs import load_config
from partseg.ops.accel import keep_freed_memory
from partseg.parts.templates import template_hierarchy
from partseg_recursive_partnet.config import LossConfig, RecursivePartNetConfig
from partseg_recursive_partnet.losses import partnet_loss
from partseg_recursive_partnet.model import RecursivePartNet
from partseg_recursive_partnet.recursion import decompose
from partseg_recursive_partnet.spec import SPEC
from partseg_recursive_partnet.targets import Tree, Trees

SHAPES, POINTS, LEAVES, TARGET = 10, 2048, 20, 10


def measure(repeats: int) -> list[Row]:
    """Rows of training and inference for both per-point networks."""
    keep_freed_memory()  # as `partseg fit` does
    cloud, trees = _data()
    packed = Trees.pack(trees, [POINTS * i for i in range(SHAPES)])
    rows = []
    for name in ("release", "paper"):
        torch.manual_seed(0)
        config = RecursivePartNetConfig.model_validate(load_config(SPEC, name))
        model = RecursivePartNet(config.network).eval()
        where = f"{name}, {len(packed)} nodes of {SHAPES} shapes"
        rows += _training(model, cloud, trees, packed, where, repeats)
        _fit(model, cloud, packed)
        rows += _inference(model, cloud, where, repeats)
    return rows


def _data() -> tuple[Tensor, list[Tree]]:
    """Noise, and trees that halve it along one axis: the shape of the trees is what takes time."""
    rng = np.random.default_rng(0)
    cloud = rng.uniform(-0.5, 0.5, (SHAPES, POINTS, 6)).astype(np.float32)
    template = _halved(0, LEAVES)
    trees = []
    for points in cloud:
        part = points[:, 0].argsort().argsort() * LEAVES // POINTS
        trees.append(Tree.of(template_hierarchy(part, part, template)))
    return torch.from_numpy(cloud), trees


def _halved(first: int, stop: int) -> object:
    half = (first + stop) // 2
    return first if stop - first == 1 else (_halved(first, half), _halved(half, stop))


def _training(
    model: RecursivePartNet, cloud: Tensor, trees: list[Tree], packed: Trees, where: str, repeats: int
) -> list[Row]:
    plain = LossConfig(types=1.0, labels=1.0)

    def ours() -> float:
        model.zero_grad()
        loss, _ = partnet_loss(model(cloud, packed), packed, SHAPES, plain)
        loss.backward()
        return float(loss.detach())

    def peer(listed: int | None) -> Callable[[], float]:
        def step() -> float:
            model.zero_grad()
            total = 0.0
            for points, tree in zip(cloud, trees, strict=True):  # graphs of one shape at a time fit in memory
                loss = node_by_node.losses(model, points, tree, listed) / SHAPES
                loss.backward()
                total += float(loss.detach())
            return total

        return step

    (own, a), (single, b), (released, _) = (
        _median(run, repeats) for run in (ours, peer(None), peer(POINTS))
    )  # fmt: skip
    same = abs(a - b) < 1e-5 * max(1.0, abs(b))
    return [
        Row("training step, as released", where, seconds(own), seconds(released), f"{released / own:.1f}×",
            f">= {TARGET}×", released / own >= TARGET),
        Row("training step, node by node", where, seconds(own), seconds(single), f"{single / own:.1f}×",
            "equal to 1e-5", same),
    ]  # fmt: skip


def _inference(model: RecursivePartNet, cloud: Tensor, where: str, repeats: int) -> list[Row]:
    def peer() -> list[list[list[int]]]:
        return [[p.tolist() for p, _ in node_by_node.parts(model, points) if len(p)] for points in cloud]

    own, found = _median(lambda: decompose(model, cloud), repeats)
    single, parts = _median(peer, repeats)
    numbers = found.instances().reshape(SHAPES, -1)
    equal = all(
        {frozenset(np.flatnonzero(row == k).tolist()) for k in np.unique(row)} == {frozenset(p) for p in of}
        for row, of in zip(numbers, parts, strict=True)
    )
    count = np.mean([len(of) for of in parts])
    return [
        Row("inference, node by node", f"{where}, {count:.0f} parts a shape", seconds(own), seconds(single),
            f"{single / own:.1f}×", f">= {TARGET}×, equal", equal and single / own >= TARGET),
    ]  # fmt: skip


def _median(run: Callable[[], object], repeats: int) -> tuple[float, object]:
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return float(np.median(times)), result


def _fit(model: RecursivePartNet, cloud: Tensor, trees: Trees) -> None:
    """Last layers of the classifier and the binary labeller by least squares on the inputs they get."""
    seen: dict[nn.Linear, Tensor] = {}
    lasts = (model.classifier[-1], model.binary.last)
    keep = lambda layer, rows: seen.update({layer: rows[0].detach()})  # noqa: E731
    hooks = [last.register_forward_pre_hook(keep) for last in lasts]
    output = model(cloud, trees)
    for hook in hooks:
        hook.remove()
    for last, wanted in zip(lasts, (trees.type, trees.label[output.binary_rows]), strict=True):
        x = torch.cat([seen[last], torch.ones(len(seen[last]), 1)], dim=1).double()
        y = nn.functional.one_hot(wanted, last.out_features).double()
        solution = torch.linalg.lstsq(x, y, driver="gelsd").solution.float().T
        with torch.no_grad():
            last.weight.copy_(solution[:, :-1])
            last.bias.copy_(solution[:, -1])

