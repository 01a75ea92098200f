"""PartField with trained weights: planes, features and parts of a shape, without what training takes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.pretrained import Pretrained
from partseg.parts.segmentation import Segmentation
from partseg.spec import MethodSpec
from partseg_partfield import inference
from partseg_partfield.config import PartFieldConfig
from partseg_partfield.model import PartField
from partseg_partfield.spec import SPEC


class PartFieldSegmenter(Pretrained):
    """What `load_method("partfield")` gives. `config` is the whole truth; `load_config("small")` reads one."""

    spec: ClassVar[MethodSpec] = SPEC
    config_class: ClassVar[type[PartFieldConfig]] = PartFieldConfig
    config: PartFieldConfig

    def __init__(self, config: PartFieldConfig = PartFieldConfig()) -> None:  # noqa: B008 (frozen)
        super().__init__(config)
        self.model = PartField(config.model)

    @torch.no_grad()
    def planes(
        self, points: Float[Tensor, "*b n 3"], normals: Float[Tensor, "*b n 3"] | None = None
    ) -> Float[Tensor, "*b 3 p h w"]:
        """Part planes (float32) of one shape or of a batch; read them with `self.model.query`.

        Args:
            points: in [-1, 1]^3, as `Shape.normalized` leaves them (longest side 1.8).
            normals: unit normals, zero rows where unknown; None when there are none.
        """
        single = points.ndim == 2
        if single:
            points, normals = points[None], None if normals is None else normals[None]
        planes = self.model.planes_of(points, normals)
        return planes[0] if single else planes

    def embed(self, shape: Shape) -> Float[np.ndarray, "n_elements d"]:
        """Features of the elements (triangles, points, splats), float32; see `inference.embed`."""
        return inference.embed(self.model, shape, self.config.inference, self.seed)

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        """Parts of a shape: a cut of one tree (section 3.4). With `parts` None, `MergeTree.auto_parts` chooses.

        The result's `tree` gives any other number of parts without computing anything again.

        Raises:
            PartsegError: a level is asked for; the tree has none by name.
        """
        if level is not None:
            raise PartsegError(f"partfield has no level {level!r}; ask for a number of parts")
        config = self.config.inference
        tree = inference.part_tree(shape, self.embed(shape), config, self.seed)
        k = tree.auto_parts(config.max_parts) if parts is None else parts
        return Segmentation(shape, tree.cut(k), tree=tree)
