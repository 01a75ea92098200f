"""What a method can do, as small protocols. Everything else is derived from these in core.

A method states its native capabilities in its spec; these protocols say what the words mean. They are checked by
structure: a method need not inherit from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

if TYPE_CHECKING:
    from partseg.geometry.shape import Shape
    from partseg.parts.segmentation import Segmentation


@runtime_checkable
class Segmenter(Protocol):
    """Takes a shape apart."""

    def segment(self, shape: Shape, *, parts: int | None = None, level: str | None = None) -> Segmentation:
        """Segment one shape.

        Args:
            shape: in the coordinates of its file; methods normalise it themselves.
            parts: how many parts to return at most (a shape of fewer elements gives fewer); None: the method chooses.
            level: a named level of the method's hierarchy, where it has such.

        Returns:
            One label an element (`labels (n_elements,) int64`), with the tree or hierarchy where the method has one.
        """
        ...


@runtime_checkable
class Embedder(Protocol):
    """Gives every element a feature; elements of one part lie close together."""

    def embed(self, shape: Shape) -> Float[np.ndarray, "n_elements d"]:
        """Features of the elements of a shape, float32, in the order of the file."""
        ...


@runtime_checkable
class ClickSession(Protocol):
    """One object being selected by clicks."""

    def add_click(self, element: int, positive: bool = True) -> Bool[np.ndarray, " n_elements"]:
        """Add a click on an element, inside (positive) or outside the wanted part; returns the new mask."""
        ...

    def undo(self) -> Bool[np.ndarray, " n_elements"]:
        """Take the last click back; returns the mask without it (all False when no click is left)."""
        ...

    @property
    def mask(self) -> Bool[np.ndarray, " n_elements"]:
        """The current selection."""
        ...

    def fine_tune(self, steps: int = 1) -> None:
        """Adapt to the clicks so far; does nothing where a method does not adapt."""
        ...


@runtime_checkable
class Interactive(Protocol):
    """Selects parts by clicks."""

    def start(self, shape: Shape) -> ClickSession:
        """Open a session on one shape (the expensive step; clicks are cheap)."""
        ...


@dataclass(frozen=True)
class Proposals:
    """Candidate parts.

    Args:
        masks: (k, n_elements) bool.
        scores: (k,) float, higher is more likely a part.
        seeds: (k,) int, the seed element each proposal was made for.
    """

    masks: Bool[np.ndarray, "k n_elements"]
    scores: Float[np.ndarray, " k"]
    seeds: Int[np.ndarray, " k"]


@runtime_checkable
class Proposer(Protocol):
    """Proposes parts around seed elements."""

    def propose(self, shape: Shape, seeds: Int[np.ndarray, " k"]) -> Proposals:
        """One or more proposals a seed."""
        ...


@runtime_checkable
class Refiner(Protocol):
    """Makes a coarse cloud better part by part."""

    def refine(self, shape: Shape, segmentation: Segmentation) -> Segmentation:
        """A better cloud of the same shape.

        Args:
            shape: points that are few, blurred or noisy, in any coordinates.
            segmentation: its parts; points labelled -1 are in none.

        Returns:
            Another cloud, of any number of points in the same coordinates, with the part of each: 0…k-1, in the order
            of the labels in `segmentation`.
        """
        ...
