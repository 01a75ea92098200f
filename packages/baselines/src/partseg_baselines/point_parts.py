"""Between a shape and the points that a network reads of it: sampling, and the parts found carried back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from partseg.geometry.shape import Shape
from partseg.ops.transfer import carry_labels
from partseg.parts.segmentation import Masks, Segmentation


@dataclass(frozen=True, eq=False)
class PointParts:
    """Parts found on points.

    Attributes:
        labels: (n,) int64, 0…k-1, or -1 for no part.
        scores: (k,) float, higher is more certain. classes: (k,) int64.
    """

    labels: Int[np.ndarray, "n"]
    scores: Float[np.ndarray, "k"]
    classes: Int[np.ndarray, "k"]


def sample_of(shape: Shape, n: int, seed: int) -> Shape:
    """What the network reads of a shape: n points of a mesh's surface by area, at most n points of a cloud."""
    return shape.normalized().sampled(n, seed)


def segmentation(shape: Shape, sample: Shape, found: PointParts, parts: int | None, *, complete: bool) -> Segmentation:
    """The segmentation of a shape from the parts found on its sample.

    Args:
        shape: what was sampled. sample: from `sample_of`.
        found: parts of the sample's points.
        parts: keep at most so many, those of the highest score. None keeps all.
        complete: see `InferenceConfig.complete`.
    """
    labels = carry_labels(shape, sample, found.labels)
    size = np.bincount(labels[labels >= 0], minlength=len(found.scores))
    kept = np.flatnonzero(size)
    kept = kept[np.argsort(-found.scores[kept], kind="stable")][:parts]
    number = np.full(len(found.scores) + 1, -1, np.int64)  # its last entry is what label -1 finds
    number[kept] = np.arange(len(kept))
    labels = number[labels]
    scores, classes = found.scores[kept].astype(np.float64), found.classes[kept]
    masks = Masks.from_labels(labels)
    if not complete:
        return Segmentation(shape, labels, masks, scores, classes)
    if len(kept) == 0:
        return Segmentation(shape, np.zeros(shape.n_elements, np.int64), None, np.zeros(1), np.zeros(1, np.int64))
    free = np.flatnonzero(labels < 0)
    if len(free):
        held = np.flatnonzero(labels >= 0)
        positions = shape.element_positions
        _, near = cKDTree(positions[held]).query(positions[free])
        labels[free] = labels[held[near]]
    return Segmentation(shape, labels, masks, scores, classes)
