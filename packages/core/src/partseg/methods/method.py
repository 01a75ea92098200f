"""Method: the LightningModule that every learned method of this project is."""

from __future__ import annotations

from typing import Any

import lightning

from partseg.data.batch import PartBatch
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.capabilities import Segmenter
from partseg.methods.config_types import make_writable
from partseg.methods.pretrained import Pretrained
from partseg.parts.segmentation import Segmentation


class Method(Pretrained, lightning.LightningModule):
    """Base of learned methods: a pydantic config, and weights that are saved and found again.

    A subclass sets the two class attributes, takes its config as the only argument of its constructor, and implements
    Lightning's steps and the capabilities that its spec names:

        class MyMethod(Method):
            spec = SPEC
            config_class = MyConfig

            def __init__(self, config: MyConfig = MyConfig()) -> None:
                super().__init__(config)
                self.model = MyNetwork(config.network)

    The config is the one truth: YAML in, command-line override in, plain data in checkpoints and in `config.json`.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if hasattr(cls, "config_class"):
            make_writable(cls.config_class)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record method and config as plain data, so that `from_pretrained` reads a checkpoint with weights_only."""
        checkpoint["partseg"] = self._record() | {"config": self._plain_config()}

    def predict_step(self, batch: PartBatch, batch_idx: int) -> list[Segmentation]:
        """Segment every shape of a batch; for any method that can `segment`."""
        if not isinstance(self, Segmenter):
            name = self.spec.name
            raise PartsegError(f"method {name!r} does not segment shapes; see `partseg methods {name}`")
        return [self.segment(shape) for shape in shapes_of(batch)]

    def test_step(self, batch: PartBatch, batch_idx: int) -> list[Segmentation]:
        """The same; `partseg.callbacks.EvaluateParts` scores it."""
        return self.predict_step(batch, batch_idx)


def shapes_of(batch: PartBatch) -> list[Shape]:
    """The shapes of a batch as point clouds."""
    ptr = batch.ptr.cpu().numpy()
    points, normals, colors = (
        None if rows is None else rows.detach().float().cpu().numpy()
        for rows in (batch.points, batch.normals, batch.colors)
    )
    names = batch.names or tuple(f"shape-{i}" for i in range(batch.n_shapes))
    return [
        Shape.from_points(
            points[start:end],
            normals=None if normals is None else normals[start:end],
            colors=None if colors is None else colors[start:end],
            name=name,
        )
        for name, start, end in zip(names, ptr[:-1], ptr[1:], strict=True)
    ]
