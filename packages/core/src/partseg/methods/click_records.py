"""What a click session is made of: parameters, clicks, finished parts, and the plain data they are saved as."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from partseg.errors import InputError
from partseg.geometry.shape import Shape

MARGIN = 0.75  # between the means of two parts, where features were trained with iSeg3D's losses (its ε_cte)
_PAIRS = 4096  # of elements, whose median distance is the unit of features trained otherwise
_FORMAT, _VERSION = "partseg-clicks", 1


@dataclass(frozen=True)
class ClickParameters:
    """What the rules of selecting leave open; the values are the paper's (section 4.1).

    Args:
        radius: of a positive click that no negative click narrows (α), in units of `scale`. The paper's margin between
            parts is 0.75 in the same units, so a ball of 0.35 about a click stays within its part.
        scale: length of that unit in the embedding. 1 for features trained with the paper's margins. "median" measures
            it, for features that know no such margin (unit vectors, positions, mixtures of several terms): the median
            distance of two elements then counts as 0.75, as most pairs of elements lie in two parts; 4096 seeded pairs
            are drawn. A number is a unit of one's own.
        links: nearest neighbours in space along which a selection holds together (N_neighbor); 0: no outlier removal.
        surround: nearest neighbours in space that can pull an element into the selection (N_smooth).
        share: they do when more than this share of them is selected (γ, which the paper calls a percentage).
        passes: of that smoothing (N_iter); 0: none.

    Raises:
        ValueError: a value out of its range.
    """

    radius: float = 0.35
    scale: float | Literal["median"] = 1.0
    links: int = 3
    surround: int = 32
    share: float = 0.7
    passes: int = 5

    def __post_init__(self) -> None:
        positive = (self.radius, 1.0 if self.scale == "median" else self.scale)
        if not all(isinstance(x, int | float) and 0 < x < float("inf") for x in positive):
            raise ValueError(f"radius and scale must be positive numbers, not {self.radius!r} and {self.scale!r}")
        if not all(isinstance(x, int) for x in (self.links, self.surround, self.passes)):
            raise ValueError("links, surround and passes must be whole numbers")
        if self.links < 0 or self.surround < 1 or not 0 <= self.share < 1 or self.passes < 0:
            raise ValueError("expected links >= 0, surround >= 1, 0 <= share < 1, passes >= 0")


@dataclass(frozen=True)
class Click:
    """One click: an element inside (positive) or outside the wanted part."""

    element: int
    positive: bool = True


@dataclass(frozen=True, eq=False)
class Finished:
    """A part that was kept: its name and its elements (read-only)."""

    name: str
    mask: Bool[np.ndarray, " n"]


Step = tuple[Click, ...] | Finished  # what one undo takes back


def feature_unit(embedding: Float[np.ndarray, "n d"]) -> float:
    """The unit in which the median distance of two rows is 0.75, over 4096 seeded pairs; 1 where that distance is 0."""
    n = len(embedding)
    if n < 2:
        return 1.0
    rng = np.random.default_rng(0)
    first = rng.integers(n, size=_PAIRS)
    second = (first + rng.integers(1, n, size=_PAIRS)) % n
    apart = embedding[first].astype(np.float64) - embedding[second]
    return float(np.median(np.linalg.norm(apart, axis=1))) / MARGIN or 1.0


def record(shape: Shape, parameters: ClickParameters, history: list[Step], position: int, name: str) -> dict[str, Any]:
    """A session as plain data: its steps, how many of them are in force, and the name chosen for the present part."""
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "shape": shape.name,
        "n_elements": shape.n_elements,
        "parameters": asdict(parameters),
        "name": name,
        "position": position,
        "steps": [
            {"finish": step.name, "runs": _runs(step.mask)}
            if isinstance(step, Finished)
            else {"clicks": [[click.element, click.positive] for click in step]}
            for step in history
        ],
    }


def read_record(data: dict[str, Any], shape: Shape) -> tuple[ClickParameters, list[Step], int, str]:
    """Parameters, steps, position and name of a record.

    Raises:
        InputError: not such a record, or one of another shape.
    """
    refuse = lambda cause: InputError(shape.name, f"clicks cannot be restored: {cause}")  # noqa: E731
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise refuse("this is no snapshot of a click session")
    if data.get("version") != _VERSION:
        raise refuse(f"version {data.get('version')!r}, this program reads version {_VERSION}")
    if data.get("n_elements") != shape.n_elements:
        raise refuse(f"they are on {data.get('n_elements')!r} elements, the shape has {shape.n_elements}")
    try:
        parameters = ClickParameters(**data["parameters"])
        history = [_step(step, shape.n_elements) for step in data["steps"]]
        position, name = data["position"], data["name"]
        if type(position) is not int or not 0 <= position <= len(history) or not isinstance(name, str):
            raise ValueError(f"position {position!r} of {len(history)} steps, name {name!r}")
        names = [step.name for step in history if isinstance(step, Finished)]
        if len(set(names)) < len(names):
            raise ValueError("two parts of one name")
        if sum((step.mask.astype(np.int64) for step in history if isinstance(step, Finished)), np.zeros(1)).max() > 1:
            raise ValueError("parts that overlap")
    except (KeyError, TypeError, ValueError) as error:
        raise refuse(f"{type(error).__name__}: {error}") from None
    return parameters, history, position, name


def _runs(mask: Bool[np.ndarray, " n"]) -> list[int]:
    """Lengths of the runs of equal values, beginning with those that are False (0 where the first is True)."""
    edges = np.flatnonzero(np.diff(mask)) + 1
    lengths = np.diff(np.r_[0, edges, len(mask)]).tolist()
    return [0, *lengths] if mask[0] else lengths


def _step(data: Any, n: int) -> tuple[Click, ...] | Finished:
    """One step of a snapshot; TypeError, KeyError or ValueError where it is not one."""
    if "clicks" in data:
        for element, positive in data["clicks"]:
            if type(element) is not int or type(positive) is not bool or not 0 <= element < n:
                raise ValueError(f"no click: {element!r}, {positive!r}")
        return tuple(Click(element, positive) for element, positive in data["clicks"])
    runs, name = data["runs"], data["finish"]
    if not isinstance(name, str) or not name:
        raise ValueError(f"no name of a part: {name!r}")
    if not all(type(run) is int and 0 <= run <= n for run in runs) or sum(runs) != n:
        raise ValueError(f"part {name!r} is not one of {n} elements")
    mask = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    mask.setflags(write=False)
    return Finished(name, mask)
