"""Which child is the left one. A network can only learn an order that the shape itself tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from partseg.parts.hierarchy import PartHierarchy, Symmetry

_CLOSE = 0.05  # of the shape's longest side: centres nearer than this tell nothing


def in_canonical_order(hierarchy: PartHierarchy, points: Float[np.ndarray, "n 3"]) -> PartHierarchy:
    """The same tree with the children of each node in an order that follows from where they are.

    Of two children that one comes first whose centre is farther along the axis on which the centres differ most, in its
    positive direction; of two around one centre (a rim and its hub) the one that reaches farther. The copies of a turn
    go round its axis, those of a shift along its largest component, downwards; their parameters then lead from the new
    first copy on. More than two children that are no copies keep their order. Nodes are numbered anew, named levels are
    dropped.

    Args:
        points: (n, 3) positions of the elements, in any unit.
    """
    centre, reach, extent = _places(hierarchy, np.asarray(points, np.float64))
    symmetry = list(hierarchy.symmetry)
    kept, stack = [], [0]
    parent_of: list[int] = []
    above = {0: -1}
    while stack:
        node = stack.pop()
        here = len(kept)
        kept.append(node)
        parent_of.append(above[node])
        children = hierarchy.children(node)
        if len(children) > 1:
            children, symmetry[node] = _sorted(children, symmetry[node], centre, reach, extent)
        above.update(dict.fromkeys(children, here))
        stack.extend(reversed(children))
    number = np.empty(len(kept), np.int32)
    number[kept] = np.arange(len(kept))
    leaf_of = np.where(hierarchy.leaf_of >= 0, number[hierarchy.leaf_of], -1)
    return PartHierarchy.build(
        parent_of, leaf_of, [hierarchy.name[i] for i in kept], hierarchy.semantic_id[kept], hierarchy.instance_id[kept],
        hierarchy.kind[kept], [symmetry[i] for i in kept],
    )  # fmt: skip


def _places(
    hierarchy: PartHierarchy, points: Float[np.ndarray, "n 3"]
) -> tuple[Float[np.ndarray, "p 3"], Float[np.ndarray, "p"], float]:
    """Centre of each node's points, their mean square distance from it, and the shape's longest side."""
    p, held = hierarchy.n_parts, np.flatnonzero(hierarchy.leaf_of >= 0)
    leaf, points = hierarchy.leaf_of[held], points[held]
    count = np.bincount(leaf, minlength=p).astype(np.float64)
    total = np.stack([np.bincount(leaf, points[:, i], p) for i in range(3)], 1)
    square = np.bincount(leaf, (points**2).sum(1), p)
    for i in range(p - 1, 0, -1):  # children come after parents
        above = hierarchy.parent[i]
        count[above] += count[i]
        total[above] += total[i]
        square[above] += square[i]
    size = np.maximum(count, 1)
    centre = total / size[:, None]
    reach = square / size - (centre**2).sum(1)
    extent = float(np.ptp(points, axis=0).max()) if len(points) else 0.0
    return centre, reach, extent


def _sorted(
    children: list[int],
    symmetry: Symmetry | None,
    centre: Float[np.ndarray, "p 3"],
    reach: Float[np.ndarray, "p"],
    extent: float,
) -> tuple[list[int], Symmetry | None]:
    if symmetry is not None and symmetry.kind == "rotational" and len(children) > 2:
        return _round(children, symmetry, centre)
    if symmetry is not None and symmetry.kind == "translational":
        direction = np.asarray(symmetry.direction)
        axis = int(np.abs(direction).argmax())
        if direction[axis] > 0:  # the last copy is the farthest: count from there
            back = replace(symmetry, direction=tuple((-direction).tolist()))
            return children[::-1], back
        return children, symmetry
    if len(children) != 2:
        return children, symmetry
    a, b = children
    apart = centre[a] - centre[b]
    axis = int(np.abs(apart).argmax())
    first = apart[axis] > 0 if abs(apart[axis]) > _CLOSE * extent else reach[a] >= reach[b]
    return ([a, b] if first else [b, a]), symmetry


def _round(
    children: list[int], symmetry: Symmetry, centre: Float[np.ndarray, "p 3"]
) -> tuple[list[int], Symmetry]:
    """Copies of a turn, about an axis that points up (or along +x, +z), from a quarter period before +x (or +z) on."""
    axis = np.asarray(symmetry.direction)
    main = int(np.abs(axis).argmax())
    axis = axis if axis[main] > 0 else -axis
    u = np.eye(3)[2 if main == 0 else 0]
    u = u - (u @ axis) * axis
    u /= np.linalg.norm(u)
    arm = centre[children] - np.asarray(symmetry.point)
    angle = np.arctan2(arm @ np.cross(axis, u), arm @ u)
    closed = abs(abs(symmetry.step) * symmetry.fold - 2 * np.pi) < 1e-3
    if not closed:  # an arc has two ends: the copies stay in their order, or go backwards
        backwards = (np.asarray(symmetry.direction) @ axis) * symmetry.step < 0
        turned = replace(symmetry, step=-symmetry.step) if backwards else symmetry
        return (children[::-1] if backwards else children), turned
    order = np.argsort((angle + np.pi / (2 * len(children))) % (2 * np.pi), kind="stable")
    upward = replace(symmetry, direction=tuple(axis.tolist()), step=abs(symmetry.step))
    return [children[i] for i in order], upward

