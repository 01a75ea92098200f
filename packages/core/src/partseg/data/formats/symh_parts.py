"""Which elements of a shape belong to which leaf of a symmetry hierarchy."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from partseg.data.formats.symh_tree import SymTree
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape

FAR = 0.25  # of the shape's longest side: how far a part may be from where its box says
MIN_COVER = 0.5  # share of a cloud's points that the leaves must claim

_SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
_BOX_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
     [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


class Boxes:
    """Oriented boxes of every leaf, copies included.

    Args:
        columns: a column for each stored leaf: centre, lengths, first and second axis; the third length belongs to the
            axis across those two.
        tree: says which leaves are copies of which, and where.

    Raises:
        PartsegError: too few columns, negative lengths, or axes of no length.
    """

    def __init__(self, columns: Float[np.ndarray, "12 s"], tree: SymTree) -> None:
        n = int(tree.stored.max()) + 1
        if columns.shape[1] < n:
            raise PartsegError(f"the tree has {n} stored leaves, but there are {columns.shape[1]} boxes")
        box = columns[:, tree.stored].T
        first, second = _unit(box[:, 6:9]), _unit(box[:, 9:12])
        axes = np.stack([first, second, _unit(np.cross(first, second))], axis=1)
        if (box[:, 3:6] < 0).any():
            raise PartsegError("a box has a negative length")
        linear = np.stack([motion.linear for motion in tree.motion])
        self.centre = np.stack([motion.points(c[None])[0] for motion, c in zip(tree.motion, box[:, :3], strict=True)])
        self.axes = axes @ linear.transpose(0, 2, 1)
        self.half = box[:, 3:6] / 2

    @property
    def corners(self) -> Float[np.ndarray, "l 8 3"]:
        return self.centre[:, None] + (_SIGNS * self.half[:, None]) @ self.axes

    def mesh(self, name: str) -> tuple[Shape, Int[np.ndarray, "f"]]:
        """The boxes as a mesh of 12 triangles each, and the number of the leaf of each triangle."""
        corners = self.corners
        faces = (np.arange(len(corners))[:, None, None] * 8 + _BOX_FACES).reshape(-1, 3)
        turned = np.linalg.det(self.axes) < 0  # mirrored boxes: triangles must still face outwards
        faces = np.where(np.repeat(turned, 12)[:, None], faces[:, ::-1], faces)
        return Shape.from_mesh(corners.reshape(-1, 3), faces, name=name), np.repeat(np.arange(len(corners)), 12)

    def nearest(self, xyz: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, "n"]:
        """Leaf whose box each point is in, or nearest to: the one it is deepest in where boxes overlap."""
        best, leaf = np.full(len(xyz), np.inf), np.zeros(len(xyz), np.int64)
        for i in range(len(self.centre)):
            out = np.abs((xyz - self.centre[i]) @ self.axes[i].T) - self.half[i]
            distance = np.linalg.norm(np.maximum(out, 0), axis=1) + np.minimum(out.max(1), 0)
            closer = distance < best
            best[closer], leaf[closer] = distance[closer], i
        return leaf


def leaves_of_mesh(shape: Shape, boxes: Boxes) -> Int[np.ndarray, "f"]:
    """Leaf number of each face: groups of the file are matched one to one to the leaves' boxes.

    A mesh without groups gives each face to the box it lies in.

    Raises:
        PartsegError: there are more or fewer groups than leaves, or a leaf is nowhere near its group.
    """
    group = shape.appearance.face_node if shape.appearance is not None else None
    if group is None or (group < 0).any():
        return boxes.nearest(shape.face_centroids)
    found, of_face = np.unique(group, return_inverse=True)
    low, high = np.full((len(found), 3), np.inf), np.full((len(found), 3), -np.inf)
    corners = shape.vertices[shape.faces]
    np.minimum.at(low, of_face, corners.min(1))
    np.maximum.at(high, of_face, corners.max(1))
    if len(found) != len(boxes.centre):
        raise PartsegError(f"the tree has {len(boxes.centre)} leaves, copies included, but the mesh {len(found)} parts")
    there = boxes.corners
    cost = np.linalg.norm(np.concatenate([low, high], 1)[:, None] - _box6(there)[None], axis=2)
    rows, columns = linear_sum_assignment(cost)
    apart = np.linalg.norm((low + high)[rows] / 2 - boxes.centre[columns], axis=1)
    extent = float((high.max(0) - low.min(0)).max())
    if apart.max() > FAR * extent:
        worst = int(apart.argmax())
        raise PartsegError(
            f"leaf {columns[worst] + 1} lies {apart[worst]:.3g} away from the nearest part that is left for it; the "
            f"shape is {extent:.3g} long"
        )
    leaf = np.empty(len(found), np.int64)
    leaf[rows] = columns
    return leaf[of_face]


def leaves_of_cloud(
    points: Float[np.ndarray, "n 3"], stored: Float[np.ndarray, "s m 3"], tree: SymTree
) -> Int[np.ndarray, "n"]:
    """Leaf number of each point, -1 where no leaf claims it.

    Each point of a leaf's own cloud claims the nearest point of the shape; where several leaves claim one, the later
    leaf has it (of copies the later one), as in the release.

    Raises:
        PartsegError: there are more or fewer clouds than stored leaves, or the leaves claim less than half the points.
    """
    n = int(tree.stored.max()) + 1
    if len(stored) != n:
        raise PartsegError(f"the tree has {n} stored leaves, but there are {len(stored)} clouds of leaves")
    where = np.concatenate([m.points(stored[i]) for m, i in zip(tree.motion, tree.stored.tolist(), strict=True)])
    nearest = cKDTree(points).query(where)[1].reshape(len(tree.stored), -1)
    leaf = np.full(len(points), -1, np.int64)
    for i, claimed in enumerate(nearest):
        leaf[claimed] = i
    if (cover := float((leaf >= 0).mean())) < MIN_COVER:
        raise PartsegError(f"the leaves cover {cover:.0%} of the points: the tree is another shape's")
    return leaf


def _unit(axes: Float[np.ndarray, "l 3"]) -> Float[np.ndarray, "l 3"]:
    length = np.linalg.norm(axes, axis=1, keepdims=True)
    if (length < 1e-9).any():
        raise PartsegError("a box has axes of no length, or parallel ones")
    return axes / length


def _box6(corners: Float[np.ndarray, "l 8 3"]) -> Float[np.ndarray, "l 6"]:
    return np.concatenate([corners.min(1), corners.max(1)], axis=1)
