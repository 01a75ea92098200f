"""Method: the LightningModule that every learned method of this project is."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, ClassVar, Self

import lightning
import pydantic
import torch

from partseg.data.batch import PartBatch
from partseg.errors import InputError, PartsegError
from partseg.geometry.shape import Shape
from partseg.methods import weights as weights_io
from partseg.methods.capabilities import Segmenter
from partseg.methods.config_types import make_writable
from partseg.parts.segmentation import Segmentation
from partseg.spec import MethodSpec


class Method(lightning.LightningModule):
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

    spec: ClassVar[MethodSpec]
    config_class: ClassVar[type[pydantic.BaseModel]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "config_class" in vars(cls):
            make_writable(cls.config_class)

    def __init__(self, config: pydantic.BaseModel) -> None:
        super().__init__()
        if not isinstance(config, self.config_class):
            raise TypeError(f"{type(self).__name__} takes a {self.config_class.__name__}, got {type(config).__name__}")
        self.config = config
        self.seed = 0  # of whatever `segment` and `embed` sample; `load_method(seed=...)` sets it

    @classmethod
    def from_pretrained(cls, weights: str | Path | None = None, *, device: str = "cpu", strict: bool = True) -> Self:
        """A method with trained weights, in evaluation mode.

        Args:
            weights: name of weights that ship, folder written by `save_pretrained`, Lightning checkpoint, or hub id;
                None for those that the method's spec names as default.
            device: where the tensors go.
            strict: whether missing and surplus tensors are an error.

        Raises:
            InputError: no such weights, of another method, of a config this version does not know, or tensors that do
                not fit the config.
        """
        found = weights_io.read(weights_io.locate(weights, cls.spec), device=device)
        if found.method and found.method != cls.spec.name:
            raise InputError(found.source, f"these are weights of method {found.method!r}, not {cls.spec.name!r}")
        try:
            config = cls.config_class.model_validate(found.config)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InputError(found.source, f"its config does not fit this version: {where}: {first['msg']}") from None
        method = cls(config)
        try:
            method.load_state_dict(found.state, strict=strict)
        except RuntimeError as error:
            raise InputError(found.source, f"its tensors do not fit its config: {error}") from None
        return method.to(device).eval()

    def save_pretrained(self, folder: str | Path, **card: Any) -> Path:
        """Write `model.safetensors` and `config.json`; `card` adds JSON data (training data, seed, command)."""
        return weights_io.write(folder, self.state_dict(), self._plain_config(), **(self._record() | card))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record method and config as plain data, so that `from_pretrained` reads a checkpoint with weights_only."""
        checkpoint["partseg"] = self._record() | {"config": self._plain_config()}

    def predict_step(self, batch: PartBatch, batch_idx: int) -> list[Segmentation]:
        """Segment every shape of a batch; for any method that can `segment`."""
        if not isinstance(self, Segmenter):
            raise PartsegError(f"method {self.spec.name!r} does not segment shapes")
        return [self.segment(shape) for shape in shapes_of(batch)]

    def test_step(self, batch: PartBatch, batch_idx: int) -> list[Segmentation]:
        """The same; `partseg.callbacks.EvaluateParts` scores it."""
        return self.predict_step(batch, batch_idx)

    def to_device_of(self, array: Any, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """A numpy array as a tensor on this method's device (copied: shapes are read-only)."""
        return torch.tensor(array, dtype=dtype, device=self.device)

    def _plain_config(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json")

    def _record(self) -> dict[str, Any]:
        package = type(self).__module__.partition(".")[0]
        version = getattr(importlib.import_module(package), "__version__", "")
        return {"method": self.spec.name, "version": version}


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
