"""Refining coarse clouds part by part (Yu et al., CVPR 2019, section 5): how much nearer the surface is afterwards.

The coarse cloud is made of the surface's points by `partseg.data.coarse.coarsen` with its defaults, the same one for
every method and seed; its parts are the true ones of the finest level. The Chamfer distance (lengths, both directions
added, longest side of the box 1) of the coarse and of the refined cloud is that to 20 000 points of the surface.

`reduction` is 1 - after / before: 0 for a cloud that is left as it is, negative where refinement does harm. A shape
without a prediction has -1, and is left out of the means of the distances.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.metrics.functional.proposals import chamfer_distance
from partseg.ops.transfer import transfer_labels, without_topology
from partseg.parts.segmentation import Segmentation
from partseg.parts.tree import renumber
from partseg_bench import spec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.base import MeanProtocol, Record, View, json_safe, same_elements, segmentation_of
from partseg_bench.protocols.views import POINTS


class CoarsePair(NamedTuple):
    """A fine and a coarse cloud of one surface.

    Attributes:
        fine: (n, 3) points of the surface. coarse: the coarse cloud with its true parts. side: longest side of the box
            of the fine one; both are in the coordinates of the shape's file.
    """

    fine: Float[np.ndarray, "n 3"]
    coarse: Segmentation
    side: float

    @classmethod
    def of(cls, sample: PartSample) -> CoarsePair:
        """The pair of a shape; always the same for one shape.

        Raises:
            PartsegError: the shape has no level of parts.
        """
        import torch

        from partseg.data.coarse import coarsen

        if not sample.labels:
            raise PartsegError(f"{sample.shape.name}: refinement needs the parts of a level, there are none")
        seen = without_topology(sample.shape, "points", points=POINTS)
        labels = transfer_labels(sample.shape, sample.labels[next(reversed(sample.labels))], seen)
        cube = seen.normalized(1.0)
        made = coarsen(torch.tensor(cube.points)[None], torch.Generator().manual_seed(0))
        to_file = cube.transform
        coarse = Shape.from_points(to_file.apply(made.points[0].numpy()), name=sample.shape.name)
        parts = renumber(labels[made.rows[0].numpy()])
        return cls(to_file.apply(cube.points), Segmentation(coarse, parts), to_file.scale)


class Refinement(MeanProtocol):
    """Chamfer distance before and after."""

    spec: ClassVar = spec.REFINEMENT
    view: ClassVar[View] = "points"
    asks: ClassVar[str] = "refine-coarse-points"
    worst: ClassVar[Mapping[str, float]] = {
        "reduction": -1.0, "chamfer": float("nan"), "chamfer-before": float("nan"),
    }  # fmt: skip

    def predict(self, method: Any, sample: PartSample, seed: int = 0) -> Prediction:
        if hasattr(method, "seed"):
            method.seed = seed
        name, n = sample.shape.name, sample.shape.n_elements
        coarse = CoarsePair.of(sample).coarse
        refined = segmentation_of(method.refine(coarse.shape, coarse), name).shape
        points = refined.transform.apply(refined.points).astype(np.float64)
        return Prediction(np.full(n, -1, np.int64), refined=points).check(name, n)

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        if prediction is None:
            return {"missing": True, "scores": json_safe(self.worst)}
        same_elements(prediction, sample)
        if prediction.refined is None:
            raise PartsegError(f"{sample.shape.name}: refined: the protocol needs the refined cloud, there is none")
        fine, coarse, side = CoarsePair.of(sample)
        before = chamfer_distance(coarse.shape.points, fine).sum / side
        after = chamfer_distance(prediction.refined, fine).sum / side
        scores = {"reduction": 1 - after / before, "chamfer": after, "chamfer-before": before}
        return {"scores": json_safe(scores), "points": len(prediction.refined), "parts": coarse.n_parts}
