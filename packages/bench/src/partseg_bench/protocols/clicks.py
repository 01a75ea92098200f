"""Selecting true parts by clicks: curves of IoU over clicks (`clicks`), and masks after a few prompts (`prompt-…`).

Here a method is told where parts are, and how many: these numbers stand beside no automatic ones. A prediction holds
the mask after each click; IoU is computed from them, so anyone's sessions can be scored. Truths are the parts of every
level, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from partseg.data.formats.base import PartSample
from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.metrics.functional.class_agnostic import prompt_mious
from partseg.metrics.functional.clicks import area_under_clicks, iou_at_k, mean_over_categories, number_of_clicks
from partseg.ops.transfer import transfer_labels
from partseg_bench import spec
from partseg_bench.predictions import Prediction
from partseg_bench.protocols.base import (
    MeanProtocol,
    Metric,
    Protocol,
    Record,
    View,
    check_ids,
    json_safe,
    same_elements,
)
from partseg_bench.protocols.pooled import pooled
from partseg_bench.protocols.views import PointsView

CLICKS = 15
CANDIDATES = 64
"""Clicks at most, and elements that the annotator tries for each; part of the version."""

PROMPTS = 5
_TARGETS = (0.8, 0.85, 0.9)

Select = Callable[[Any, np.ndarray, int], np.ndarray]
"""(session without clicks, wanted part, seed) -> the masks after its clicks (c, n); the session is left clean."""


def true_masks(labels: Mapping[str, Int[np.ndarray, "n"]]) -> Iterator[tuple[str, Bool[np.ndarray, "n"]]]:
    """(level, mask) of every true part, level by level, in ascending order of label."""
    for level, values in labels.items():
        for part in np.unique(values[values >= 0]):
            yield level, values == part


def packed(masks: Sequence[Bool[np.ndarray, "c n"]], clicks: int, n: int) -> np.ndarray:
    """Masks as a prediction holds them."""
    rows = [np.packbits(mask, axis=1) for mask in masks]
    return np.stack(rows) if rows else np.zeros((0, clicks, -(-n // 8)), np.uint8)


def asked(method: Any, sample: PartSample, view: View, select: Select, clicks: int, seed: int) -> Prediction:
    """Select every true part in one session on what the method may see."""
    from partseg.methods.clicks import start_clicks

    if hasattr(method, "seed"):
        method.seed = seed
    shape, seen = sample.shape, None if view == "mesh" else PointsView.of(sample.shape)
    cloud: Shape = shape if seen is None else seen.cloud
    session = start_clicks(method, cloud)
    masks = []
    for number, (_, wanted) in enumerate(true_masks(sample.labels)):
        if seen is not None:
            wanted = transfer_labels(shape, wanted.astype(np.int64), cloud) == 1
        if wanted.any():
            found = select(session, wanted, seed + number)
        else:  # too small to be among the points: nothing to click on
            found = np.zeros((clicks, cloud.n_elements), bool)
        masks.append(found if seen is None else found[:, seen.source])
    n = shape.n_elements
    return Prediction(np.full(n, -1, np.int64), click_masks=packed(masks, clicks, n)).check(shape.name, n)


def unpacked(prediction: Prediction, sample: PartSample, truths: int, clicks: int) -> Bool[np.ndarray, "p c n"]:
    """The masks of a prediction.

    Raises:
        PartsegError: there are none, or not one row a true part, or not so many clicks.
    """
    name, n = sample.shape.name, sample.shape.n_elements
    same_elements(prediction, sample)
    if prediction.click_masks is None:
        raise PartsegError(f"{name}: click_masks: the protocol needs the mask after each click, there are none")
    if prediction.click_masks.shape[:2] != (truths, clicks):
        found = prediction.click_masks.shape[:2]
        raise PartsegError(f"{name}: click_masks: expected {truths} parts of {clicks} clicks, found {found}")
    return np.unpackbits(prediction.click_masks, axis=2, count=n).astype(bool)


class Clicks(Protocol):
    """A simulated annotator, who clicks where it helps most, up to 15 times a part."""

    spec: ClassVar = spec.CLICKS
    asks: ClassVar[str] = "clicks-mesh"

    def predict(self, method: Any, sample: PartSample, seed: int = 0) -> Prediction:
        return asked(method, sample, self.view, _annotate, CLICKS, seed)

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        truths = [mask for _, mask in true_masks(sample.labels)]
        if not truths:
            raise PartsegError(f"{sample.shape.name}: the truth has no parts at any level")
        if prediction is None:
            curves = np.zeros((len(truths), CLICKS))
        else:
            masks = unpacked(prediction, sample, len(truths), CLICKS)
            curves = np.stack([_curve(mask, truth) for mask, truth in zip(masks, truths, strict=True)])
        scores = {name: float(values.mean()) for name, values in _values(curves).items()}
        record: Record = {"scores": json_safe(scores), "curves": np.round(curves, 6).tolist()}
        return record | ({"missing": True} if prediction is None else {})

    def aggregate(self, records: Mapping[str, Record], ids: Sequence[str]) -> dict[str, Metric]:
        check_ids(records, ids, self.spec.name, all_of_them=True)
        values = [_values(np.asarray(records[shape]["curves"], np.float64)) for shape in ids]
        names = sorted({self.categories.get(shape, "") for shape in ids})
        number = np.array([names.index(self.categories.get(shape, "")) for shape in ids])
        parts = np.array([len(next(iter(row.values()))) for row in values])

        def numbers(places: Int[np.ndarray, "s"]) -> dict[str, float]:
            category = np.repeat(number[places], parts[places])
            return {
                name: mean_over_categories(np.concatenate([values[i][name] for i in places]), category)
                for name in values[0]
            }

        return pooled(numbers, len(ids), [self.categories.get(shape, "") for shape in ids])


class Prompt1(MeanProtocol):
    """One prompt drawn from inside each true part."""

    spec: ClassVar = spec.CLASS_AGNOSTIC_PROMPT_1
    asks: ClassVar[str] = "prompt-1-mesh"
    prompts: ClassVar[int] = 1

    def predict(self, method: Any, sample: PartSample, seed: int = 0) -> Prediction:
        def select(session: Any, wanted: np.ndarray, draw: int) -> np.ndarray:
            inside = np.flatnonzero(wanted)
            chosen = np.random.default_rng(draw).permutation(inside)[: self.prompts]
            for element in chosen:
                session.add_click(int(element), True)
            mask = np.array(session.mask, bool)
            for _ in chosen:
                session.undo()
            return mask[None]

        return asked(method, sample, self.view, select, 1, seed)

    def score(self, prediction: Prediction | None, sample: PartSample) -> Record:
        truths = list(true_masks(sample.labels))
        if not truths:
            raise PartsegError(f"{sample.shape.name}: the truth has no parts at any level")
        if prediction is None:
            return {"missing": True, "scores": dict.fromkeys(self.spec.metrics, 0.0)}
        masks = unpacked(prediction, sample, len(truths), 1)[:, 0]
        levels = [level for level, _ in truths]
        found = []
        for level in dict.fromkeys(levels):
            mine = np.array([x == level for x in levels])
            found.append(prompt_mious(masks[mine], sample.labels[level]))
        means = np.mean([[one.greedy, one.one_to_one, one.own] for one in found], axis=0)
        return {"scores": json_safe(dict(zip(self.spec.metrics, means.tolist(), strict=True)))}


class Prompt1Geometry(Prompt1):
    """The same on points of the surface."""

    spec: ClassVar = spec.CLASS_AGNOSTIC_PROMPT_1_GEOMETRY
    view: ClassVar[View] = "points"
    asks: ClassVar[str] = "prompt-1-points"


class PromptN(Prompt1):
    """Several prompts drawn from inside each true part."""

    spec: ClassVar = spec.CLASS_AGNOSTIC_PROMPT_N
    asks: ClassVar[str] = "prompt-n-mesh"
    prompts: ClassVar[int] = PROMPTS


class PromptNGeometry(PromptN):
    """The same on points of the surface."""

    spec: ClassVar = spec.CLASS_AGNOSTIC_PROMPT_N_GEOMETRY
    view: ClassVar[View] = "points"
    asks: ClassVar[str] = "prompt-n-points"


def _annotate(session: Any, wanted: np.ndarray, seed: int) -> np.ndarray:
    from partseg.methods.click_simulation import simulate_clicks

    masks = np.zeros((CLICKS, len(wanted)), bool)
    reached, made = 0.0, 0
    for step in range(CLICKS):
        iou = float(simulate_clicks(session, wanted, 1, CANDIDATES, seed=seed)[0])
        if iou <= reached:
            masks[step:] = session.mask
            break
        reached, made = iou, made + 1
        masks[step] = session.mask
    for _ in range(made):
        session.undo()
    return masks


def _curve(masks: Bool[np.ndarray, "c n"], truth: Bool[np.ndarray, "n"]) -> Float[np.ndarray, "c"]:
    return (masks & truth).sum(1) / (masks | truth).sum(1)


def _values(curves: Float[np.ndarray, "p c"]) -> dict[str, np.ndarray]:
    """The numbers of each part, in the order of the spec."""
    out = {f"iou@{k}": iou_at_k(curves, k) for k in (10, 1, 5)}
    for target in _TARGETS:
        needed = number_of_clicks(curves, target, CLICKS)
        out[f"noc@{100 * target:g}"] = needed.clicks.astype(np.float64)
        out[f"failed@{100 * target:g}"] = (~needed.reached).astype(np.float64)
    return out | {"auc": area_under_clicks(curves, CLICKS)}
