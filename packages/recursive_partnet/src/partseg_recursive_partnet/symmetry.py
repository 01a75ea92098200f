"""Symmetry nodes with parameters (section 3.1): their prediction, its loss, and labels carried from copy to copy.

The paper has the right child of a symmetry node stand for its parameters and says no more. The decoder has the widths
of the one that the release defines and never calls; how parameters are compared is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from partseg.ops.knn import knn
from partseg.parts.hierarchy import Symmetry
from partseg.parts.motions import inverse

KINDS = ("reflective", "rotational", "translational")  # in the order of the outputs
_SHORTEST = 1e-3  # a vector below this length has no direction; the longest side of a shape is 1
_LARGEST = 1e6  # of a parameter


@dataclass(frozen=True, eq=False)
class SymmetryPrediction:
    """What the network says of the symmetries of m nodes, in the coordinates of the cloud it reads.

    Attributes:
        kind_logits: reflective, rotational, translational.
        vector: normal of the mirror plane or axis, of any length and either sign; or the step of a translation.
        point: any point on the plane or the axis.
        fold_logits: 2, 3, … copies, the first included; of turns and shifts.
    """

    kind_logits: Float[Tensor, "m 3"]
    vector: Float[Tensor, "m 3"]
    point: Float[Tensor, "m 3"]
    fold_logits: Float[Tensor, "m f"]

    @classmethod
    def cat(cls, parts: Sequence[SymmetryPrediction]) -> SymmetryPrediction:
        """Predictions for the nodes of one after those of another; of none there is none."""
        return cls(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def symmetries(self, nodes: Int[np.ndarray, "k"] | None = None) -> list[Symmetry]:
        """The most probable symmetry of some nodes, or of all.

        A turn closes: its step is 2π / fold. Whatever the outputs are, this is a valid symmetry: a vector too short to
        have a direction counts as the y axis (a shift keeps its length), parameters end at ±1e6, NaN is 0.
        """
        rows = slice(None) if nodes is None else torch.from_numpy(nodes).to(self.vector.device)
        kind, fold = self.kind_logits[rows].argmax(1), self.fold_logits[rows].argmax(1) + 2
        numbers = torch.cat([self.vector, self.point], dim=1)[rows].double()
        vector, point = torch.nan_to_num(numbers).clamp(-_LARGEST, _LARGEST).split(3, dim=1)
        length = torch.linalg.vector_norm(vector, dim=1, keepdim=True)
        unit = torch.where(length < _SHORTEST, vector.new_tensor([0.0, 1.0, 0.0]), vector / length.clamp(_SHORTEST))
        rows = (x.tolist() for x in (kind, unit, point, fold, length[:, 0]))
        return [_symmetry(KINDS[i], tuple(d), tuple(p), k, step) for i, d, p, k, step in zip(*rows, strict=True)]


def _symmetry(kind: str, direction: tuple[float, ...], point: tuple[float, ...], fold: int, length: float) -> Symmetry:
    if kind == "reflective":
        return Symmetry(kind, point, direction)
    if kind == "rotational":
        return Symmetry(kind, point, direction, fold, 2 * math.pi / fold)
    return Symmetry(kind, (0.0, 0.0, 0.0), direction, fold, length)


class SymmetryDecoder(nn.Module):
    """From the feature of a symmetry node to the context of its first copy, and to its parameters.

    The layers are, by their names in the release, `mlp`, `mlp_sg`, `mlp_sp`, `mlp_s1`, `mlp_s2`, `mlp_s3`.

    Args:
        channels: of node features. hidden: width of the layers. context: of recursive contexts.
        folds: outputs of the fold, the first of which is 2.
    """

    def __init__(self, channels: int = 256, hidden: int = 256, context: int = 128, *, folds: int = 9) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels, hidden)
        self.left, self.right = nn.Linear(hidden, context), nn.Linear(hidden, hidden)
        self.kind, self.motion, self.fold = nn.Linear(hidden, 3), nn.Linear(hidden, 6), nn.Linear(hidden, folds)

    def forward(self, node: Float[Tensor, "m c"]) -> tuple[Float[Tensor, "m d"], SymmetryPrediction]:
        """Contexts of the first copies, and predictions."""
        hidden = torch.tanh(self.hidden(node))
        right = torch.tanh(self.right(hidden))
        vector, point = self.motion(right).split(3, dim=1)
        prediction = SymmetryPrediction(self.kind(right), vector, point, self.fold(right))
        return torch.tanh(self.left(hidden)), prediction


@dataclass(frozen=True, eq=False)
class SymmetryTargets:
    """True symmetries of m nodes.

    Attributes:
        kind: int64 index into `KINDS`.
        vector: unit normal of the plane, unit direction of the axis, or the step of the translation.
        point: on the plane or the axis.
        fold: int64 number of copies; 0 where there is none to learn: in mirrors (always 2) and turns that do not close.
    """

    kind: Int[Tensor, "m"]
    vector: Float[Tensor, "m 3"]
    point: Float[Tensor, "m 3"]
    fold: Int[Tensor, "m"]

    @classmethod
    def of(cls, symmetries: Sequence[Symmetry]) -> SymmetryTargets:
        """From their parameters, in the coordinates of the cloud.

        Turns by any step that visits each of `fold` places once are the same set of copies, so the step is left out.
        """
        step = [[s.step if s.kind == "translational" else 1.0] for s in symmetries]
        vector = np.multiply(np.array([s.direction for s in symmetries]).reshape(-1, 3), np.array(step).reshape(-1, 1))
        fold = [s.fold if s.kind == "translational" or _closes(s) else 0 for s in symmetries]
        return cls(
            torch.tensor([KINDS.index(s.kind) for s in symmetries], dtype=torch.long),
            torch.from_numpy(vector).float(),
            torch.tensor([s.point for s in symmetries], dtype=torch.float32).reshape(-1, 3),
            torch.tensor(fold, dtype=torch.long),
        )

    def to(self, device: Any) -> SymmetryTargets:
        """The same on another device."""
        return SymmetryTargets(**{key: value.to(device) for key, value in vars(self).items()})


def _closes(symmetry: Symmetry) -> bool:
    """Whether steps of a turn lead through all of `fold` even places and back."""
    turns = symmetry.step * symmetry.fold / (2 * math.pi)
    even = symmetry.kind == "rotational" and abs(turns - round(turns)) < 1e-3
    return even and math.gcd(round(turns), symmetry.fold) == 1


def symmetry_terms(prediction: SymmetryPrediction, targets: SymmetryTargets) -> dict[str, Float[Tensor, "m"]]:
    """Terms of the loss of each node: "kind", "motion", "fold".

    kind, fold: cross-entropy; fold 0 where there is none to learn or the network has no output for it.

    motion, of the true kind: 0 for all ways of writing one motion, in lengths of the cloud. Mirror: the distance of the
    unit normals, up to sign, and that of the predicted point from the plane. Turn: the same of the axes. Shift: the
    distance of the steps, which have a sign, since the first copy is the one that is segmented.
    """
    kind = F.cross_entropy(prediction.kind_logits.float(), targets.kind, reduction="none")
    vector, point, true = prediction.vector.float(), prediction.point.float(), targets.vector
    unit = vector / _norm(vector).clamp(min=_SHORTEST)[:, None]
    aside = torch.minimum(_norm(unit - true), _norm(unit + true))
    apart = point - targets.point
    along = (apart * true).sum(1)
    off_plane, off_axis = along.abs(), _norm(apart - along[:, None] * true)
    motion = torch.where(targets.kind == 0, aside + off_plane, aside + off_axis)
    motion = torch.where(targets.kind == 2, _norm(vector - true), motion)

    folds = prediction.fold_logits.shape[1]
    told = (targets.fold >= 2) & (targets.fold < folds + 2)
    fold = F.cross_entropy(
        prediction.fold_logits.float(), torch.where(told, targets.fold - 2, -100), ignore_index=-100, reduction="none"
    )
    return {"kind": kind, "motion": motion, "fold": fold}


def symmetry_loss(prediction: SymmetryPrediction, targets: SymmetryTargets) -> Float[Tensor, "m"]:
    """Sum of the terms of each node."""
    terms = symmetry_terms(prediction, targets)
    return terms["kind"] + terms["motion"] + terms["fold"]


def _norm(x: Float[Tensor, "m 3"]) -> Float[Tensor, "m"]:
    return torch.linalg.vector_norm(x, dim=1)


def transfer_labels(
    points: Float[np.ndarray, "p 3"],
    node: Int[np.ndarray, "p"],
    generator: Bool[np.ndarray, "p"],
    leaf: Int[np.ndarray, "p"],
    symmetries: Sequence[Symmetry],
) -> tuple[Int[np.ndarray, "p"], Int[np.ndarray, "p"]]:
    """Labels of the first copy of each symmetry node carried to its other copies.

    The motion to each copy is undone at a point outside the first copy; the copy from which it comes nearest to a point
    of the first one is its own (the first of equals), and that point's leaf is its leaf, however far.

    Args:
        points: finite, in the coordinates of the symmetries.
        node: symmetry node of each point, a number in `symmetries`.
        generator: whether the point is in the first copy.
        leaf: label of the points of first copies; elsewhere it is not read.
        symmetries: one a node; two nodes' points do not mix.

    Returns:
        copy: (p,) int64, 0 in the first copy. leaf: (p,) int64. In a node without a first copy all points count as one:
        they keep their leaf.
    """
    copy, leaf = np.zeros(len(points), np.int64), leaf.astype(np.int64)
    order = np.lexsort((~generator, node))  # node by node, its first copy first
    ends = np.searchsorted(node[order], np.arange(len(symmetries) + 1))
    inner = np.bincount(node[generator], minlength=len(symmetries))
    for i, symmetry in enumerate(symmetries):
        rows = order[ends[i] : ends[i + 1]]
        first, rest = rows[: inner[i]], rows[inner[i] :]
        if not len(first) or not len(rest):
            continue
        back = inverse(symmetry)
        undone = np.concatenate([back.apply(points[rest], number) for number in range(1, symmetry.fold)])
        distance, nearest = (x.reshape(-1, len(rest)) for x in knn(points[first], undone, 1))
        best = distance.argmin(0)
        copy[rest], leaf[rest] = best + 1, leaf[first[nearest[best, np.arange(len(rest))]]]
    return copy, leaf
