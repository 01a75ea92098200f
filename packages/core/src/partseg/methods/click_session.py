"""Parts of a shape selected by clicks that can be taken back, whatever it is that clicks select."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int

from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.click_records import Click, Finished, Step
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.segmentation import Segmentation


class PartClicks(ABC):
    """A `ClickSession` that remembers its steps; a subclass says what clicks select.

    Parts are selected one after another: `start_part` names one, `finish` keeps it. An element belongs to the part that
    was finished first: `mask` leaves out what finished parts hold, whatever the clicks say. Finished parts do not
    change when clicks do, or what they select.

    Args:
        shape: what is clicked on; elements are faces of a mesh, else points.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._history: list[Step] = []
        self._position = 0  # steps in force; those behind it can be done again
        self._name = ""
        self._taken = np.zeros(shape.n_elements, bool)
        self._mask = _read_only(np.zeros(shape.n_elements, bool))

    @abstractmethod
    def _select(self, clicks: Sequence[Click]) -> Bool[np.ndarray, " n_elements"]:
        """What clicks select, in a new array, finished parts or no; nothing without a positive click."""

    @abstractmethod
    def try_clicks(
        self, candidates: Int[np.ndarray, " m"], truth: Bool[np.ndarray, " n_elements"]
    ) -> Float[np.ndarray, "2 m"]:
        """IoU of the mask with a true part after one click more, for each candidate; the session does not change.

        Args:
            candidates: elements. truth: the part that is wanted; not empty.

        Returns:
            float64, 0..1: row 0 for positive clicks, row 1 for negative ones.
        """

    def fine_tune(self, steps: int = 1) -> None:  # noqa: B027 (may be left as it is)
        """Adapt to the clicks so far; does nothing unless a subclass adapts."""

    # -- clicks -------------------------------------------------------------------------------------------------

    def add_click(self, element: int, positive: bool = True) -> Bool[np.ndarray, " n_elements"]:
        """Add a click; returns the new mask.

        Raises:
            PartsegError: no such element.
        """
        return self.add_clicks([element], positive)

    def add_clicks(self, elements: Iterable[int], positive: bool = True) -> Bool[np.ndarray, " n_elements"]:
        """Add a stroke of clicks (iSeg3D's scribble), which `undo` takes back as one; returns the new mask."""
        stroke = tuple(Click(self._element(element), bool(positive)) for element in elements)
        return self._do(stroke) if stroke else self.mask

    def undo(self) -> Bool[np.ndarray, " n_elements"]:
        """Take back the last click, stroke or `finish`, to any depth; returns the mask. Nothing left: no change."""
        if self._position:
            self._position -= 1
            step = self._history[self._position]
            if isinstance(step, Finished):
                self._name = step.name
            self._refresh()
        return self.mask

    def redo(self) -> Bool[np.ndarray, " n_elements"]:
        """Do again what was taken back last; returns the mask. A click or `finish` in between forgets it."""
        if self._position < len(self._history):
            if isinstance(self._history[self._position], Finished):
                self._name = ""
            self._position += 1
            self._refresh()
        return self.mask

    @property
    def mask(self) -> Bool[np.ndarray, " n_elements"]:
        """The present selection, read-only; all False before the first click."""
        return self._mask

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The clicks of the present part, in order."""
        done = self._history[: self._position]
        start = max((i + 1 for i, step in enumerate(done) if isinstance(step, Finished)), default=0)
        return tuple(click for stroke in done[start:] for click in stroke)

    # -- parts --------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name that the present part will have."""
        used, k = self.parts, len(self.parts) + 1
        while not self._name and f"part_{k}" in used:
            k += 1
        return self._name or f"part_{k}"

    @property
    def parts(self) -> dict[str, Bool[np.ndarray, " n_elements"]]:
        """Masks of the finished parts by name, in order; they do not overlap."""
        return {step.name: step.mask for step in self._history[: self._position] if isinstance(step, Finished)}

    def start_part(self, name: str) -> None:
        """Name the part that is now to be selected; without a name it is `part_<k>`.

        Raises:
            PartsegError: the present part has clicks already, or the name is empty or that of a finished part.
        """
        if self.clicks:
            raise PartsegError(f"{self.name!r} has clicks: finish it or undo them before starting {name!r}")
        if not name or name in self.parts:
            raise PartsegError(f"a part needs a name of its own, not {name!r}")
        self._name = name

    def finish(self) -> Bool[np.ndarray, " n_elements"]:
        """Keep the present selection as a part and begin the next, without clicks; returns the part's mask.

        Raises:
            PartsegError: nothing is selected.
        """
        if not self.mask.any():
            raise PartsegError(f"{self.name!r} is empty: click on an element that no finished part holds")
        done = Finished(self.name, self.mask)
        self._name = ""
        self._do(done)
        return done.mask

    def segmentation(self) -> Segmentation:
        """The finished parts, in order, as labels with their names; -1 elsewhere."""
        labels = np.full(self.shape.n_elements, -1, np.int64)
        for i, mask in enumerate(self.parts.values()):
            labels[mask] = i
        tree = PartHierarchy.from_labels(labels, self.shape.name)
        named = replace(tree, name=(tree.name[0], *self.parts))
        return Segmentation(self.shape, labels).with_hierarchy(named)

    # -- state --------------------------------------------------------------------------------------------------

    def _element(self, element: int) -> int:
        try:
            number = operator.index(element)
        except TypeError:
            raise PartsegError(f"{element!r} is not the number of an element") from None
        if not 0 <= number < self.shape.n_elements:
            raise PartsegError(f"no element {number}: {self.shape.name} has elements 0…{self.shape.n_elements - 1}")
        return number

    def _do(self, step: Step) -> Bool[np.ndarray, " n_elements"]:
        self._history[self._position :] = [step]
        self._position += 1
        self._refresh()
        return self.mask

    def _refresh(self) -> None:
        """Mask of the clicks in force."""
        self._taken = np.zeros(self.shape.n_elements, bool)
        for part in self.parts.values():
            self._taken |= part
        self._mask = _read_only(self._select(self.clicks) & ~self._taken)


def _read_only(mask: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    mask.setflags(write=False)
    return mask
