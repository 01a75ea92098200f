"""Selecting parts by clicks in the feature space of any method that embeds (iSeg3D, Qian et al. 2021, section 3.2)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from partseg.errors import InputError, PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.capabilities import ClickSession, Embedder, Interactive
from partseg.methods.click_records import Click, ClickParameters, Finished, Step, feature_unit, read_record, record
from partseg.ops.click_balls import overlaps_with_one_more, square_distances
from partseg.ops.mask_cleaning import MaskCleaner
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.segmentation import Segmentation

Adapt = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


class EmbeddingClicks:
    """A `ClickSession` on the features of one shape. Opening finds neighbours; a click then takes milliseconds.

    An element is selected when its features are strictly nearer to a positive click than that click's radius: `radius`,
    or the distance to the nearest negative click where that is smaller (equations 6 to 8). A negative click therefore
    never selects anything, and matters to positive clicks within `radius` only. Then outliers go: what no path along
    the `links` nearest neighbours joins with a positive click. Then gaps fill, by `surround`, `share` and `passes`;
    as in the paper this may take in any element, negative clicks too.

    Parts are selected one after another: `start_part` names one, `finish` keeps it. An element belongs to the part that
    was finished first: `mask` leaves out what finished parts hold, whatever the clicks say. Finished parts do not
    change when clicks or features do.

    Args:
        shape: what is clicked on; elements are faces of a mesh (near by their centroids), else points.
        embedding: (n_elements, d) features, d >= 1, finite, in float32 after division by the scale.
        parameters: see `ClickParameters`.
        adapt: what `fine_tune` calls with the positive and negative elements (int64) and the steps; it returns new
            features of the same shape. None: the features stay.

    Raises:
        InputError: features of the wrong shape, or that are not finite.
    """

    def __init__(
        self,
        shape: Shape,
        embedding: Float[np.ndarray, "n_elements d"],
        parameters: ClickParameters = ClickParameters(),  # noqa: B008 (frozen)
        *,
        adapt: Adapt | None = None,
    ) -> None:
        self.shape, self.parameters, self._adapt = shape, parameters, adapt
        p = parameters
        _check(shape, embedding)
        self.scale = feature_unit(embedding) if p.scale == "median" else float(p.scale)
        self._set_features(embedding)
        self._cleaner = MaskCleaner(
            shape.element_positions, links=p.links, surround=p.surround, share=p.share, passes=p.passes
        )
        self._history: list[Step] = []
        self._position = 0  # steps in force; those behind it can be done again
        self._name = ""
        self._refresh()

    # -- clicks -------------------------------------------------------------------------------------------------

    def add_click(self, element: int, positive: bool = True) -> Bool[np.ndarray, " n_elements"]:
        """Add a click; returns the new mask.

        Clicks on one element with both signs are kept both; the positive one then has radius 0.

        Raises:
            PartsegError: no such element.
        """
        return self.add_clicks([element], positive)

    def add_clicks(self, elements: Iterable[int], positive: bool = True) -> Bool[np.ndarray, " n_elements"]:
        """Add a stroke of clicks (the paper's scribble), which `undo` takes back as one; returns the new mask."""
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

    def fine_tune(self, steps: int = 1) -> None:
        """Let the method adapt its features to the clicks (section 3.4); `mask` follows. `undo` keeps the features."""
        if self._adapt is None:
            return
        features = self._adapt(self._positives, self._negatives, steps)
        _check(self.shape, features)
        self._set_features(features)
        self._refresh()

    def try_clicks(
        self, candidates: Int[np.ndarray, " m"], truth: Bool[np.ndarray, " n_elements"]
    ) -> Float[np.ndarray, "2 m"]:
        """IoU of the mask with a true part after one click more, for each candidate; the session does not change.

        Args:
            candidates: elements. truth: the part that is wanted; not empty.

        Returns:
            float64, 0..1: row 0 for positive clicks, row 1 for negative ones.
        """
        overlap, selected = overlaps_with_one_more(
            self._features, self._positives, self._negatives, self._squares(), self._radii,
            self._widest, np.asarray(candidates, np.int64), truth, self._taken, self._cleaner,
        )  # fmt: skip
        return overlap / (np.count_nonzero(truth) + selected - overlap)

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

    # -- saving -------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """The session as plain data that JSON can hold: parameters, all steps (undone ones too), finished parts.

        Features are not in it, and so nothing that `fine_tune` did to them.
        """
        return record(self.shape, self.parameters, self._history, self._position, self._name)

    @classmethod
    def restore(
        cls,
        snapshot: dict[str, Any],
        shape: Shape,
        embedding: Float[np.ndarray, "n_elements d"],
        *,
        adapt: Adapt | None = None,
    ) -> EmbeddingClicks:
        """The session that `snapshot` was taken of, on the same shape; the same too where the features are the same.

        Raises:
            InputError: not such a snapshot, or one of another shape, or features that do not fit.
        """
        parameters, history, position, name = read_record(snapshot, shape)
        session = cls(shape, embedding, parameters, adapt=adapt)
        session._history, session._position, session._name = history, position, name
        session._refresh()
        return session

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

    def _set_features(self, embedding: Float[np.ndarray, "n_elements d"]) -> None:
        with np.errstate(over="ignore"):
            self._features = np.ascontiguousarray(np.asarray(embedding) / self.scale, np.float32)
        if not np.isfinite(self._features).all():
            raise InputError(self.shape.name, "features are not finite in float32")
        self._rows: dict[int, Float[np.ndarray, " n_elements"]] = {}

    def _refresh(self) -> None:
        """Radii and mask of the clicks in force; distances are measured for positive clicks that are new only."""
        clicks = self.clicks
        positives = list(dict.fromkeys(click.element for click in clicks if click.positive))
        negatives = list(dict.fromkeys(click.element for click in clicks if not click.positive))
        self._rows = {t: self._rows[t] if t in self._rows else square_distances(self._features, t) for t in positives}
        self._positives, self._negatives = np.array(positives, np.int64), np.array(negatives, np.int64)
        self._widest = np.float32(self.parameters.radius**2)
        nearest = [row[self._negatives].min(initial=self._widest) for row in self._rows.values()]
        self._radii = np.array(nearest, np.float32)
        mask = np.zeros(self.shape.n_elements, bool)
        for row, radius in zip(self._rows.values(), self._radii, strict=True):
            mask |= row < radius
        self._taken = np.zeros(self.shape.n_elements, bool)
        for part in self.parts.values():
            self._taken |= part
        mask = self._cleaner.clean(mask, self._positives) & ~self._taken
        mask.setflags(write=False)
        self._mask = mask

    def _squares(self) -> Float[np.ndarray, "p n_elements"]:
        return np.stack([*self._rows.values()]) if self._rows else np.empty((0, self.shape.n_elements), np.float32)


def start_clicks(method: object, shape: Shape, parameters: ClickParameters | None = None) -> ClickSession:
    """A click session of any method that is interactive or embeds.

    Args:
        method: an `Interactive` starts its own session; of an `Embedder` the features are clicked in.
        shape: to select parts of.
        parameters: of sessions on features; None: the paper's, with the unit measured (`scale="median"`), since nothing
            says that the features were trained with the paper's margins. A method whose features were is `Interactive`
            and returns `EmbeddingClicks(shape, self.embed(shape))` from `start`.

    Raises:
        PartsegError: the method can do neither, or starts its own sessions and parameters are given.
    """
    name = getattr(getattr(method, "spec", None), "name", None) or getattr(method, "name", type(method).__name__)
    if isinstance(method, Interactive):
        if parameters is not None:
            raise PartsegError(f"method {name!r} starts its own click sessions and takes no parameters for them")
        return method.start(shape)
    if isinstance(method, Embedder):
        return EmbeddingClicks(shape, method.embed(shape), parameters or ClickParameters(scale="median"))
    raise PartsegError(f"method {name!r} gives no features that clicks could select in")


def _check(shape: Shape, embedding: np.ndarray) -> None:
    if np.ndim(embedding) != 2 or len(embedding) != shape.n_elements or np.shape(embedding)[1] < 1:
        raise InputError(shape.name, f"has {shape.n_elements} elements, but features of shape {np.shape(embedding)}")
    if not np.isfinite(embedding).all():
        raise InputError(shape.name, "features hold NaN or infinite values")
