"""Teach the command line to write configs whose fields hold lists of further configs.

jsonargparse reads and writes nested pydantic models, but writes an instance *inside a list or tuple* as "Unable to
serialize instance …", which would make every saved run config unreadable. Registering those models mends that.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import pydantic
from jsonargparse.typing import register_type


def make_writable(config_class: type[pydantic.BaseModel]) -> None:
    """Register every model that stands inside a container somewhere below a config class."""
    for model in set(_inside_containers(config_class, set())):
        register_type(
            model,
            serializer=lambda value: value.model_dump(mode="json"),
            deserializer=lambda value, model=model: value if isinstance(value, model) else model.model_validate(value),
            fail_already_registered=False,
        )


def _inside_containers(model: type[pydantic.BaseModel], seen: set[type]) -> Iterator[type[pydantic.BaseModel]]:
    if model in seen:
        return
    seen.add(model)
    for field in model.model_fields.values():
        for found, contained in _models(field.annotation, False):
            if contained:
                yield found
            yield from _inside_containers(found, seen)


def _models(annotation: Any, contained: bool) -> Iterator[tuple[type[pydantic.BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation, contained
        return
    container = typing.get_origin(annotation) in (list, tuple, dict, set, frozenset)
    for argument in typing.get_args(annotation):
        yield from _models(argument, contained or container)
