"""Pretrained: networks with a typed config, and weights that are saved and found again. No Lightning is needed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, ClassVar, Self

import pydantic
from torch import nn

from partseg.errors import InputError
from partseg.methods import weights as weights_io
from partseg.spec import MethodSpec


class Pretrained(nn.Module):
    """What a trained method needs to be used: `partseg.methods.method.Method` adds what it takes to train one.

    A method may stop here for inference and name that class as the `inference` of its spec: importing Lightning takes
    longer than many a shape. Subclasses set the two class attributes and take the config as only argument.
    """

    spec: ClassVar[MethodSpec]
    config_class: ClassVar[type[pydantic.BaseModel]]

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

    def _plain_config(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json")

    def _record(self) -> dict[str, Any]:
        package = type(self).__module__.partition(".")[0]
        version = getattr(importlib.import_module(package), "__version__", "")
        return {"method": self.spec.name, "version": version}
