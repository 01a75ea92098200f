"""Evaluation protocols, one file a family. `open_protocol` makes one for a set of shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from partseg_bench.protocols.base import MeanProtocol, Metric, Protocol, coverage
from partseg_bench.protocols.pooled import PooledProtocol

if TYPE_CHECKING:
    from partseg_bench.samples import EvalSet

__all__ = ["MeanProtocol", "Metric", "PooledProtocol", "Protocol", "coverage", "open_protocol"]


def open_protocol(name: str, shapes: EvalSet | None = None) -> Protocol:
    """The protocol of a name, told of the classes and categories of the shapes that it will score.

    Raises:
        PartsegError: there is no such protocol; the text lists those that are installed.
    """
    from partseg.methods.registry import find

    cls = find("protocol", name).load()
    return cls() if shapes is None else cls(shapes.taxonomy, shapes.category_of)
