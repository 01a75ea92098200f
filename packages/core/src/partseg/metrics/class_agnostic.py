"""Class-agnostic mean IoU as torchmetrics metrics: for validation loops, and as a referee."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from torchmetrics import Metric

from partseg.metrics.functional.class_agnostic import best_of_cuts_miou, class_agnostic_miou, prompt_mious
from partseg.metrics.functional.matching import Matching
from partseg.metrics.functional.summary import Summary, summarise
from partseg.metrics.functional.tree_cut import tree_cut_miou
from partseg.metrics.records import NumberedRecords, scalar
from partseg.parts.hierarchy import PartHierarchy

View = Literal["auto", "oracle-k", "tree-cut", "prompt-1", "prompt-n"]
_MATCHINGS: tuple[Matching, ...] = get_args(Matching)


class ClassAgnosticMeanIoU(Metric):
    """Mean over shapes of the class-agnostic mIoU (see `partseg.metrics.functional.class_agnostic`), 0..1.

    Each `update` scores one shape. A prediction is a label per element, or several decompositions (a merge tree, or a
    sequence of label vectors), of which the one that suits the truth best counts. Shapes whose truth holds no label
    are passed over.

    Args:
        min_parts, max_parts: range of cuts tried where several are on offer.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(self, min_parts: int = 1, max_parts: int = 20, **metric: Any) -> None:
        super().__init__(**metric)
        if not 1 <= min_parts <= max_parts:
            raise ValueError(f"expected 1 <= min_parts <= max_parts, not {min_parts} and {max_parts}")
        self.min_parts, self.max_parts = min_parts, max_parts
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("shapes", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, pred: Any, true: Any) -> None:
        """Score one shape.

        Args:
            pred: (n,) integer labels (array or tensor), a merge tree, or a sequence of (n,) label vectors.
            true: (n,) integer labels, -1 for none.
        """
        true = _numpy(true)
        if hasattr(pred, "children") and not isinstance(pred, torch.nn.Module):
            score = best_of_cuts_miou(pred, true, min_parts=self.min_parts, max_parts=self.max_parts)
        elif isinstance(pred, Sequence):
            cuts = [_numpy(labels) for labels in pred]
            score = best_of_cuts_miou(cuts, true, min_parts=self.min_parts, max_parts=self.max_parts)
        else:
            score = class_agnostic_miou(_numpy(pred), true)
        if not np.isnan(score):
            self.total += score
            self.shapes += 1

    def compute(self) -> torch.Tensor:
        """Mean over the shapes seen; NaN before the first."""
        return (self.total / self.shapes).to(torch.float32)


class ClassAgnosticBenchmark(NumberedRecords):
    """Class-agnostic mIoU over a list of expected shapes, greedy and one-to-one; a missing shape scores 0.

    What a prediction is depends on the view (see `partseg.metrics.functional.class_agnostic` and `.tree_cut`):

    - "auto": (n,) labels, the method's own cut;
    - "oracle-k": a merge tree or a hierarchy, or several (n,) labellings, of which those with
      `min_parts`..`max_parts` parts compete;
    - "tree-cut": a merge tree or a hierarchy;
    - "prompt-1", "prompt-n": (t, n) masks, one for each true part in ascending order of label.

    With prompts, `greedy` and `one-to-one` are matchings of the masks with the true parts, and `own` scores each mask
    against the part that it was prompted for.

    Args:
        expected_ids: names of the shapes of the evaluation, each once; `update` is told their place in this list.
        view: what the method may choose against the truth. One view never shares a column with another.
        min_parts, max_parts: of "oracle-k".
        level, resamples, seed: of the bootstrap intervals.
    """

    higher_is_better = True

    def __init__(
        self,
        expected_ids: Sequence[str],
        view: View = "auto",
        *,
        min_parts: int = 1,
        max_parts: int = 20,
        level: float = 0.95,
        resamples: int = 2000,
        seed: int = 0,
        **metric: Any,
    ) -> None:
        super().__init__(4, **metric)
        if view not in get_args(View):
            raise ValueError(f"view must be one of {', '.join(get_args(View))}, not {view!r}")
        if not 1 <= min_parts <= max_parts:
            raise ValueError(f"expected 1 <= min_parts <= max_parts, not {min_parts} and {max_parts}")
        self.expected_ids = tuple(str(shape) for shape in expected_ids)
        summarise({}, self.expected_ids, level=level, resamples=1)  # refuses ids that stand there twice
        self.view, self.min_parts, self.max_parts = view, min_parts, max_parts
        self.level, self.resamples, self.seed = level, resamples, seed

    def update(self, pred: Any, true: Any, shape: int) -> None:
        """Score one shape.

        Args:
            pred: what the view asks for; arrays or tensors.
            true: (n,) integer labels, -1 for none; at least one element must have a label.
            shape: place of the shape in `expected_ids`.

        Raises:
            ValueError: naming the shape: it is not expected, its truth is empty, or the prediction does not fit.
        """
        if not 0 <= shape < len(self.expected_ids):
            raise ValueError(f"shape: {shape} is no place in a list of {len(self.expected_ids)} expected shapes")
        try:
            scores = self._scores(pred, _numpy(true))
        except (ValueError, AttributeError) as error:
            raise ValueError(f"shape {self.expected_ids[shape]!r}: {error}") from error
        if np.isnan(scores).any():
            raise ValueError(f"shape {self.expected_ids[shape]!r}: true holds no label")
        self.keep_of(shape, np.array([scores]))

    def _scores(self, pred: Any, true: np.ndarray) -> tuple[float, ...]:
        """(greedy, one-to-one, own)."""
        if self.view.startswith("prompt"):
            found = prompt_mious(_numpy(pred), true)
            return found.greedy, found.one_to_one, found.own
        if self.view == "auto":
            greedy, single = (class_agnostic_miou(_numpy(pred), true, way) for way in _MATCHINGS)
        elif self.view == "tree-cut":
            greedy, single = (tree_cut_miou(pred, true, matching=way).miou for way in _MATCHINGS)
        else:
            if isinstance(pred, PartHierarchy):
                cuts: Any = [pred.cut(parts=k) for k in range(self.min_parts, self.max_parts + 1)]
            else:
                cuts = pred if hasattr(pred, "children") else [_numpy(labels) for labels in pred]
            greedy, single = (
                best_of_cuts_miou(cuts, true, min_parts=self.min_parts, max_parts=self.max_parts, matching=way)
                for way in _MATCHINGS
            )
        return greedy, single, 0.0

    def summary(self, matching: Matching | Literal["own"] = "greedy") -> Summary:
        """Every expected shape's value under one matching, their mean, its interval, and coverage."""
        ways = (*_MATCHINGS, "own") if self.view.startswith("prompt") else _MATCHINGS
        if matching not in ways:
            raise ValueError(f"matching must be one of {', '.join(ways)} with the view {self.view!r}, not {matching!r}")
        values: dict[str, float] = {}
        for row in self.table():
            shape = self.expected_ids[int(row[0])]
            if shape in values:
                raise ValueError(f"shape {shape!r} was scored twice, with different predictions")
            values[shape] = float(row[1 + ways.index(matching)])
        return summarise(values, self.expected_ids, level=self.level, resamples=self.resamples, seed=self.seed)

    def compute(self) -> dict[str, torch.Tensor]:
        """Scalars "greedy" and "one-to-one" (and "own" with prompts), each with ".low" and ".high"; and "coverage"."""
        out = {}
        for way in (*_MATCHINGS, "own") if self.view.startswith("prompt") else _MATCHINGS:
            found = self.summary(way)
            out |= {way: scalar(found.mean), f"{way}.low": scalar(found.low), f"{way}.high": scalar(found.high)}
            out["coverage"] = scalar(found.coverage)
        return out


def _numpy(labels: Any) -> np.ndarray:
    return labels.detach().cpu().numpy() if isinstance(labels, torch.Tensor) else np.asarray(labels)
