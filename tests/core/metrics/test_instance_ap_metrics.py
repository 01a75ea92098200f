"""Instance AP as metrics: the same from one process as from two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes.instance_ap import CLASSES, partition, random_shape
from fakes.processes import compute_on_processes
from partseg.metrics.instance_ap import FusionInstanceAP, PartNetInstanceAP, RecursivePartNetAP


def family(name: str) -> tuple[Any, list[tuple[Any, ...]]]:
    """A metric and the arguments of six updates."""
    rng = np.random.default_rng(4)
    if name == "partnet":
        order = ("pred", "pred_class", "confidence", "true", "true_class")
        shapes = [random_shape(rng) for _ in range(6)]
        return PartNetInstanceAP(CLASSES), [(s, *(x[key] for key in order)) for s, x in enumerate(shapes)]
    updates = [partition(rng, s) for s in range(6)]
    if name == "fusion":
        return FusionInstanceAP(CLASSES), updates
    return RecursivePartNetAP(CLASSES), [(s, pred, true, np.maximum(kind, 0)) for s, pred, _, _, true, kind in updates]


FAMILIES = ("partnet", "fusion", "recursive")


@pytest.mark.parametrize("name", FAMILIES)
def test_metrics_are_the_functions_whatever_process_a_shape_was_on(name: str) -> None:
    torch = pytest.importorskip("torch")
    one, updates = family(name)
    for arguments in updates:
        one.update(*(torch.as_tensor(a) if isinstance(a, np.ndarray) else a for a in arguments))
    expected = one.compute()
    assert 0 < float(expected["AP25"]) <= 1
    first, second = family(name)[0], family(name)[0]
    for i in (5, 0, 3):
        first.update(*updates[i])
    for i in (4, 1, 2, 0):  # one shape on both
        second.update(*updates[i])
    first.merge_state(second)
    assert first.compute() == expected
    result = one.result()
    means = result[0].part_mean if name == "fusion" else result.part_mean
    assert means[0] == float(expected["AP25"])
    one.reset()
    for arguments in updates:
        one(*arguments)  # the value of each shape on the way, the whole at the end
    assert one.compute() == expected


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
@pytest.mark.parametrize("name", FAMILIES)
def test_metrics_without_shapes_are_nan(name: str) -> None:
    assert all(np.isnan(float(value)) for value in family(name)[0].compute().values())


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("share", [[0, 2, 4, 5], []])
def test_two_processes_equal_one(name: str, share: list[int], tmp_path: Path) -> None:
    one, updates = family(name)
    for arguments in updates:
        one.update(*arguments)
    rest = [i for i in range(6) if i not in share]
    results = compute_on_processes(family(name)[0], [[updates[i] for i in share], [updates[i] for i in rest]], tmp_path)
    assert results == [one.compute()] * 2
