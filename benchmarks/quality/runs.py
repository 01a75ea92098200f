"""Methods over the shapes of the benchmark, in this process or in several.

A module of its own, since processes that are started look their work up by the name of its module.
"""

from __future__ import annotations

import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from scoring import score_shape

from partseg.data.formats.psb import PsbItem, load
from partseg.errors import PartsegError
from partseg.methods.registry import load_method


def open_method(name: str) -> Any:
    """The method that `name`, `name@weights`, `name[key=value;…]` or both say."""
    start, _, settings = name.rstrip("]").partition("[")
    plain, _, weights = start.partition("@")
    method = load_method(plain, weights or None)
    if settings:
        old = getattr(getattr(method, "config", None), "inference", None)
        if old is None:
            raise PartsegError(f"{plain} has no inference settings to change")
        try:
            new = type(old).model_validate(old.model_dump() | dict(pair.split("=") for pair in settings.split(";")))
        except ValueError as error:
            raise PartsegError(f"{name}: {' '.join(str(error).split())}") from None
        method.config = method.config.model_copy(update={"inference": new})
    return method


def run(name: str, items: list[PsbItem], jobs: int) -> list[dict[str, Any]]:
    if jobs <= 1:
        method = open_method(name)
        _warm_up(method, items[0])
        return [_score(method, item) for item in items]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_start, initargs=(name,)) as pool:
        return list(pool.map(_score_in_worker, items))


_WORKER: dict[str, Any] = {}


def _start(name: str) -> None:
    _WORKER["method"] = open_method(name)


def _score_in_worker(item: PsbItem) -> dict[str, Any]:
    return _score(_WORKER["method"], item)


def _warm_up(method: Any, item: PsbItem) -> None:
    """Compile what compiles on first use, so that the first shape's seconds are like the others'."""
    try:
        method.segment(load(item).shape)
    except Exception:  # the shape's own row will say what is wrong
        return


def _score(method: Any, item: PsbItem) -> dict[str, Any]:
    row: dict[str, Any] = {"shape": item.name}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            row.update(score_shape(method, load(item)))
    except Exception as error:  # a failure is a row with its error and counts as 0, never a missing shape
        row["error"] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return row
