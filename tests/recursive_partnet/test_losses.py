"""Equation 1 by hand: both ways of averaging, and the terms that go with symmetries and classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from partseg.parts.hierarchy import PartHierarchy, Symmetry
from partseg_recursive_partnet.config import LossConfig
from partseg_recursive_partnet.losses import partnet_loss
from partseg_recursive_partnet.model import TreeOutput
from partseg_recursive_partnet.symmetry import SymmetryPrediction, SymmetryTargets, symmetry_loss
from partseg_recursive_partnet.targets import Tree, Trees

MIRROR = Symmetry("reflective", (0.1, 0.0, 0.0), (1.0, 0.0, 0.0))


def packed(how: str = "copies") -> Trees:
    """A shape of a mirrored pair beside a part (5 nodes, 2 of them internal), and a shape of one part."""
    first = PartHierarchy.build(
        [-1, 0, 1, 1, 0], np.array([2, 3, 3, 4, 4, 4]), symmetry=[None, MIRROR, None, None, None],
        semantic_id=[-1, -1, 0, 0, 2],
    )  # fmt: skip
    second = PartHierarchy.build([-1], np.zeros(2, np.int64), semantic_id=[1])
    return Trees.pack([Tree.of(first, how), Tree.of(second, how)], [0, 6])


def output(trees: Trees, **more) -> TreeOutput:
    rows = torch.nonzero(trees.label >= 0)[:, 0]
    kinds = 4 if "copies" in more else 3
    return TreeOutput(types=torch.randn(len(trees), kinds), binary=torch.randn(len(rows), 2), binary_rows=rows, **more)


@pytest.mark.parametrize("normalise", ["nodes", "internal"])
def test_sums_over_nodes_and_means_over_shapes(normalise):
    trees = packed()
    out = output(trees, copies=torch.zeros(0, 10), copies_rows=torch.zeros(0, dtype=torch.long))
    total, terms = partnet_loss(out, trees, 2, LossConfig(normalise=normalise, types=2.0, labels=3.0))
    types = [F.cross_entropy(out.types[i], trees.type[i]) for i in range(len(trees))]
    first = [i for i in range(len(trees)) if trees.shape[i] == 0]
    (second,) = (i for i in range(len(trees)) if trees.shape[i] == 1)
    assert len(first) == 5
    nodes, alone = (5, 1) if normalise == "nodes" else (2, 1)  # a shape without internal nodes is divided by one
    wanted_types = (sum(types[i] for i in first) / nodes + types[second] / alone) / 2
    labels = 0.0
    for node in first:
        pairs = [k for k, row in enumerate(out.binary_rows.tolist()) if trees.node[row] == node]
        if pairs:
            labels += F.cross_entropy(out.binary[pairs], trees.label[out.binary_rows[pairs]])
    wanted_labels = labels / 2 / 2  # internal nodes of the first shape, shapes
    torch.testing.assert_close(terms["types"], wanted_types)
    torch.testing.assert_close(terms["labels"], wanted_labels)
    torch.testing.assert_close(total, 2 * wanted_types + 3 * wanted_labels)


def test_symmetries_and_classes_are_means_over_their_nodes():
    trees = packed("parameters")
    nodes = torch.nonzero(trees.type == 2)[:, 0]
    leaves = torch.nonzero(trees.type == 0)[:, 0]
    prediction = SymmetryPrediction(torch.randn(1, 3), torch.randn(1, 3), torch.randn(1, 3), torch.randn(1, 9))
    out = output(trees, symmetry=prediction, symmetry_nodes=nodes, classes=torch.randn(len(leaves), 3), leaves=leaves)
    _, terms = partnet_loss(out, trees, 2, LossConfig())
    torch.testing.assert_close(terms["symmetry"], symmetry_loss(prediction, SymmetryTargets.of([MIRROR]))[0] / 2)
    of_shape = [
        F.cross_entropy(out.classes[rows], trees.semantic[leaves[rows]])
        for rows in (trees.shape[leaves] == 0, trees.shape[leaves] == 1)
    ]
    torch.testing.assert_close(terms["classes"], sum(of_shape) / 2)


def test_leaves_of_unknown_class_do_not_count():
    tree = Tree.of(PartHierarchy.from_labels(np.array([0, 0, 1])))
    trees = Trees.pack([tree], [0])
    leaves = torch.nonzero(trees.type == 0)[:, 0]
    out = output(trees, classes=torch.randn(len(leaves), 3, requires_grad=True), leaves=leaves)
    total, terms = partnet_loss(out, trees, 1, LossConfig())
    assert terms["classes"] == 0 and torch.isfinite(total)
