"""The refiner with trained weights: a coarse shape and its parts in, a refined cloud out."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Int

from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.pretrained import Pretrained
from partseg.parts.segmentation import Segmentation
from partseg.spec import MethodSpec
from partseg_recursive_partnet.batches import in_cube
from partseg_recursive_partnet.refinement.config import RefinerConfig
from partseg_recursive_partnet.refinement.model import PartRefiner
from partseg_recursive_partnet.refinement.spec import SPEC

_OF_A_MESH = 16  # points drawn for each that is read, so that small parts have some


class Refiner(Pretrained):
    """What `Refiner.from_pretrained(weights)` gives. `config` is the whole truth."""

    spec: ClassVar[MethodSpec] = SPEC
    config_class: ClassVar[type[RefinerConfig]] = RefinerConfig
    config: RefinerConfig

    def __init__(self, config: RefinerConfig = RefinerConfig()) -> None:  # noqa: B008 (frozen)
        super().__init__(config)
        self.model = PartRefiner(config)

    def refine(self, shape: Shape, segmentation: Segmentation) -> Segmentation:
        """The union of the refined parts (section 5), in the coordinates of the shape.

        Args:
            shape: a coarse cloud (or a mesh, which is sampled); `coarse.points` of its points are read, at least one of
                each part.
            segmentation: its parts; elements labelled -1 belong to none.

        Returns:
            A cloud of `points` points a part, with its parts in the order of the labels; a part of a mesh that no point
            was drawn of is left out.

        Raises:
            PartsegError: not one label for each element, or no element in any part.
        """
        labels = np.asarray(segmentation.labels)
        if len(labels) != shape.n_elements:
            raise PartsegError(f"{shape.n_elements} elements but {len(labels)} labels")
        count = self.config.coarse.points
        if shape.is_mesh:
            sample = shape.sampled(_OF_A_MESH * count, self.seed)
            points, labels = sample.points, labels[sample.face_index]
        else:
            points = shape.points
        rows = _chosen(labels, count, np.random.default_rng(self.seed))
        points, labels = points[rows], labels[rows]
        held, part = np.unique(np.maximum(labels, -1), return_inverse=True)
        part = torch.from_numpy(part - int(held[0] < 0))
        parts = int(part.max()) + 1
        if not parts:
            raise PartsegError("no point is in a part; nothing can be refined")
        cloud, centre, side = in_cube(torch.tensor(points)[None])
        device, training = next(self.parameters()).device, self.training
        nothing = torch.zeros(max(len(cloud[0]), parts), dtype=torch.long, device=device)
        self.eval()
        try:
            with torch.no_grad():
                refined = self.model(cloud[0].to(device), part.to(device), nothing[: len(part)], nothing[:parts])
        finally:
            self.train(training)
        out = refined.cpu().reshape(-1, 3) * side[0] + centre[0]
        cloud = Shape(out.numpy(), transform=shape.transform, name=shape.name)
        return Segmentation(cloud, np.repeat(np.arange(parts), self.config.points))


def _chosen(labels: Int[np.ndarray, "n"], count: int, rng: np.random.Generator) -> Int[np.ndarray, "m"]:
    """Rows of `count` random elements, one of each label before others; of all labels where there are more of these."""
    order = rng.permutation(len(labels))
    first = np.unique(labels[order], return_index=True)[1]
    return np.sort(np.r_[order[first], np.delete(order, first)[: max(count - len(first), 0)]])
