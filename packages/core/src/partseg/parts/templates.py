"""Binary hierarchies that do not look at the shape: from a template over classes, or at random.

Yu et al., "PartNet", CVPR 2019, section 4.3: for semantic segmentation any binary tree over the classes will do, as
long as every shape of the category has the same one; the ablation trains on random trees.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.parts.construction import Node, emit
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.part_geometry import PartGeometry

Template: TypeAlias = int | tuple[Any, Any]
"""A class, or two templates side by side: `((0, 1), (2, 3))`. Every class occurs once."""


def template_hierarchy(
    labels: Int[np.ndarray, "n"], semantics: Int[np.ndarray, "n"], template: Template
) -> PartHierarchy:
    """The template over the classes that a shape has; the parts of one class are halved until single parts are left.

    Args:
        labels: (n,) part 0…k-1 of each element, -1 for none; every part must occur.
        semantics: (n,) class of each element; all elements of a part have one.
        template: a binary tree over (at least) the classes of the shape.

    Returns:
        A hierarchy with k leaves, `part_i` for label i, their classes as semantic ids, and a level "parts".

    Raises:
        PartsegError: a part without elements or of two classes, or a class that the template lacks or has twice.
    """
    labels, semantics = np.asarray(labels), np.asarray(semantics)
    k = _count(labels)
    if semantics.shape != labels.shape:
        raise PartsegError(f"labels {labels.shape}, but classes {semantics.shape}")
    chosen = labels >= 0
    low, high = np.full(k, np.iinfo(np.int64).max), np.full(k, np.iinfo(np.int64).min)
    np.minimum.at(low, labels[chosen], semantics[chosen])
    np.maximum.at(high, labels[chosen], semantics[chosen])
    if (mixed := np.flatnonzero(low != high)).size:
        raise PartsegError(f"part {mixed[0]} has elements of class {low[mixed[0]]} and {high[mixed[0]]}")
    by_class: dict[int, list[int]] = {}
    for part, of in enumerate(low.tolist()):
        by_class.setdefault(of, []).append(part)
    known = classes_of(template)
    if missing := sorted(set(by_class) - set(known)):
        raise PartsegError(f"the template lacks class {missing[0]}; it has {', '.join(map(str, sorted(known)))}")

    done: list[Node | None] = []
    stack: list[tuple[Template, bool]] = [(template, False)]
    while stack:
        node, below_done = stack.pop()
        if not isinstance(node, tuple):
            done.append(_halved(by_class[node]) if node in by_class else None)
        elif below_done:
            pair = tuple(n for n in (done.pop(-2), done.pop()) if n is not None)
            done.append(Node(children=pair) if len(pair) == 2 else pair[0] if pair else None)
        else:
            stack += [(node, True), (node[1], False), (node[0], False)]
    (root,) = done
    if root is None:
        raise PartsegError("the shape has no part")
    tree = emit(root, labels)
    semantic = np.full(tree.n_parts, -1, np.int32)
    semantic[tree.leaves] = [low[int(tree.name[leaf].removeprefix("part_"))] for leaf in tree.leaves]
    return PartHierarchy.build(
        tree.parent, tree.leaf_of, tree.name, semantic_id=semantic, kind=tree.kind, levels=tree.levels
    )  # fmt: skip


def random_hierarchy(labels: Int[np.ndarray, "n"], seed: int) -> PartHierarchy:
    """Two units drawn at random are joined until one is left; the same seed gives the same tree.

    Args:
        labels: (n,) part 0…k-1 of each element, -1 for none; every part must occur.

    Raises:
        PartsegError: no part, or one without elements.
    """
    labels = np.asarray(labels)
    units = [Node(part) for part in range(_count(labels))]
    rng = np.random.default_rng(seed)
    while len(units) > 1:
        a, b = rng.choice(len(units), 2, replace=False).tolist()
        joined = Node(children=(units[a], units[b]))
        units = [unit for i, unit in enumerate(units) if i not in (a, b)] + [joined]
    return emit(units[0], labels)


def co_adjacency(
    shape: Shape, labels: Int[np.ndarray, "n"], semantics: Int[np.ndarray, "n"], classes: int
) -> Int[np.ndarray, "c c"]:
    """How many pairs of touching parts of one shape are of each two classes; sum it over the shapes of a category.

    Args:
        labels: (n,) part 0…k-1 of each element, -1 for none.
        semantics: (n,) class 0…classes-1 of each element; a part has that of its first one.
        classes: number of classes.

    Returns:
        Symmetric (classes, classes) int64.

    Raises:
        PartsegError: labels that do not fit the shape, a part without elements, or a class out of range.
    """
    labels, semantics = np.asarray(labels), np.asarray(semantics)
    touching = PartGeometry.of(shape, labels).touching
    part, first = np.unique(labels, return_index=True)
    of_part = semantics[first[part >= 0]]
    if of_part.min() < 0 or of_part.max() >= classes:
        raise PartsegError(f"expected classes 0..{classes - 1}, found {of_part.min()}..{of_part.max()}")
    a, b = np.nonzero(np.triu(touching, 1))
    out = np.zeros((classes, classes), np.int64)
    np.add.at(out, (of_part[a], of_part[b]), 1)
    return out + out.T - np.diag(np.diag(out))


def template_from(adjacency: Float[np.ndarray, "c c"] | Int[np.ndarray, "c c"]) -> Template:
    """A template that joins classes often found touching first.

    The two units with the most contacts for each pair of their classes are joined, until one is left; of equal ones
    those with the lowest classes.

    Args:
        adjacency: (c, c) symmetric counts, see `co_adjacency`.

    Raises:
        PartsegError: no class, or not a square table.
    """
    counts = np.array(adjacency, np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not len(counts):
        raise PartsegError(f"expected a square table of classes, got {counts.shape}")
    units: list[Template] = list(range(len(counts)))
    size = np.ones(len(counts))
    while len(units) > 1:
        mean = counts / np.outer(size, size)
        a, b = np.triu_indices(len(units), 1)
        best = int(mean[a, b].argmax())
        i, j = int(a[best]), int(b[best])
        units[i] = (units[i], units.pop(j))
        size[i] += size[j]
        counts[i] += counts[j]
        counts[:, i] += counts[:, j]
        counts, size = np.delete(np.delete(counts, j, 0), j, 1), np.delete(size, j)
    return units[0]


def classes_of(template: Template) -> tuple[int, ...]:
    """The classes of a template from left to right.

    Raises:
        PartsegError: one occurs twice, or the template is no tree of pairs and whole numbers.
    """
    out: list[int] = []
    stack: list[Template] = [template]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple) and len(node) == 2:
            stack += [node[1], node[0]]
        elif isinstance(node, int):
            out.append(node)
        else:
            raise PartsegError(f"a template is made of pairs and class numbers, got {node!r}")
    if len(set(out)) < len(out):
        raise PartsegError(f"a template has every class once, got {out}")
    return tuple(out)


def _count(labels: Int[np.ndarray, "n"]) -> int:
    """Number of parts, each of which must have elements."""
    k = int(labels.max(initial=-1)) + 1
    count = np.bincount(labels[labels >= 0], minlength=k)
    if k == 0 or (count == 0).any():
        raise PartsegError("expected parts 0…k-1, each with elements" + (f"; {count.argmin()} has none" if k else ""))
    return k


def _halved(parts: list[int]) -> Node:
    """A balanced binary tree over parts in their order."""
    if len(parts) == 1:
        return Node(parts[0])
    half = (len(parts) + 1) // 2
    return Node(children=(_halved(parts[:half]), _halved(parts[half:])))
