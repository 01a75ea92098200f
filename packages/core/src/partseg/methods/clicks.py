"""Selecting parts by clicks in the feature space of any method that embeds (iSeg3D, Qian et al. 2021, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from partseg.errors import InputError, PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.capabilities import ClickSession, Embedder, Interactive
from partseg.methods.click_records import Click, ClickParameters, feature_unit, read_record, record
from partseg.methods.click_session import PartClicks
from partseg.ops.click_balls import overlaps_with_one_more, square_distances
from partseg.ops.mask_cleaning import MaskCleaner

Adapt = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


class EmbeddingClicks(PartClicks):
    """A `ClickSession` on the features of one shape. Opening finds neighbours; a click then takes milliseconds.

    An element is selected when its features are strictly nearer to a positive click than that click's radius: `radius`,
    or the distance to the nearest negative click where that is smaller (equations 6 to 8). A negative click therefore
    never selects anything, and matters to positive clicks within `radius` only; clicks on one element with both signs
    are kept both, and the positive one then has radius 0. Then outliers go: what no path along the `links` nearest
    neighbours joins with a positive click. Then gaps fill, by `surround`, `share` and `passes`; as in the paper this
    may take in any element, negative clicks too.

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
        super().__init__(shape)
        self.parameters, self._adapt = parameters, adapt
        p = parameters
        _check(shape, embedding)
        self.scale = feature_unit(embedding) if p.scale == "median" else float(p.scale)
        self._set_features(embedding)
        self._cleaner = MaskCleaner(
            shape.element_positions, links=p.links, surround=p.surround, share=p.share, passes=p.passes
        )
        self._refresh()

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
        overlap, selected = overlaps_with_one_more(
            self._features, self._positives, self._negatives, self._squares(), self._radii,
            self._widest, np.asarray(candidates, np.int64), truth, self._taken, self._cleaner,
        )  # fmt: skip
        return overlap / (np.count_nonzero(truth) + selected - overlap)

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

    def _set_features(self, embedding: Float[np.ndarray, "n_elements d"]) -> None:
        with np.errstate(over="ignore"):
            self._features = np.ascontiguousarray(np.asarray(embedding) / self.scale, np.float32)
        if not np.isfinite(self._features).all():
            raise InputError(self.shape.name, "features are not finite in float32")
        self._rows: dict[int, Float[np.ndarray, " n_elements"]] = {}

    def _select(self, clicks: Sequence[Click]) -> Bool[np.ndarray, " n_elements"]:
        """Finds the radii too; distances are measured for positive clicks that are new only."""
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
        return self._cleaner.clean(mask, self._positives)

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
