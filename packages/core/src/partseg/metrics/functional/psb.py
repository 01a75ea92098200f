"""The four metrics of the Princeton Segmentation Benchmark, as its evaluation program computes them.

Chen, Golovinskiy, Funkhouser, "A Benchmark for 3D Mesh Segmentation", SIGGRAPH 2009; program version 1.0. All are
errors, lower is better. Where the program and the textbook differ, the program counts:

- Rand index error: pairs of *faces* (no areas) on which two segmentations disagree, by F * ((F - 1) // 2). The integer
  half makes it (F - 1) / (F - 2) times the textbook's for an even number of faces F; it can exceed 1.
- Hamming distance: by area. Missing rate: the part of the reference's segments that the test segment which covers
  most of each leaves uncovered. False alarm rate: the same, exchanged. Hamming distance: their mean.
- Consistency error: overlaps by faces, or by area (the published figures); in both each face then weighs 1 / F. Zero
  when a side has one segment, or one for each face.
- Cut discrepancy: mean over the cut vertices of both sides, each once, of the distance along edges to the nearest cut
  of the other side; by the mesh's area-weighted mean radius. Undefined (NaN) when a side has no cut: such pairs are
  left out of means, they are no perfect score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from partseg.geometry.shape import Shape
from partseg.metrics.functional.averages import exact_mean
from partseg.metrics.functional.mesh_segmentation import (
    MeasuredMesh,
    MeasuredSegmentation,
    Overlap,
    measure_mesh,
    measure_segmentation,
    overlap,
)

PSB_METRICS = (
    "rand_index_error",
    "hamming",
    "missing_rate",
    "false_alarm_rate",
    "cut_discrepancy",
    "GCE_faces",
    "LCE_faces",
    "GCE_area",
    "LCE_area",
)


class PsbHamming(NamedTuple):
    """Directional rates and their mean, 0..1 (rounding can leave -1e-15)."""

    hamming: float
    missing_rate: float
    false_alarm_rate: float


class PsbConsistency(NamedTuple):
    """Global and local consistency error, 0..1; local <= global."""

    global_error: float
    local_error: float


class PsbAverages(NamedTuple):
    """Averages of many shapes, each a dictionary by the names in `PSB_METRICS`.

    Attributes:
        shapes: mean over shapes, the benchmark's "Average" row.
        categories: mean over categories of their means. Equal to `shapes` when all categories have as many shapes.
        by_category: mean over the shapes of each category.
    """

    shapes: dict[str, float]
    categories: dict[str, float]
    by_category: dict[str, dict[str, float]]


def psb_rand_index_error(a: Int[np.ndarray, "f"], b: Int[np.ndarray, "f"]) -> float:
    """1 - Rand index with the program's denominator; symmetric. NaN for fewer than three faces, where that is 0."""
    faces = len(np.asarray(a))
    return _by_pairs(_disagreements(a, b), faces * ((faces - 1) // 2))


def rand_index_error(a: Int[np.ndarray, "n"], b: Int[np.ndarray, "n"]) -> float:
    """1 - Rand index as Rand (1971) defines it, 0..1: part of the pairs of elements that are together on one side only.

    NaN for fewer than two elements.
    """
    n = len(np.asarray(a))
    return _by_pairs(_disagreements(a, b), n * (n - 1) // 2)


def psb_hamming(a: MeasuredSegmentation, b: MeasuredSegmentation, shared: Overlap) -> PsbHamming:
    """Hamming distance of test `a` from reference `b`; exchanging them exchanges the two rates. NaN without area."""
    total = a.area.sum()
    if not total > 0:
        return PsbHamming(float("nan"), float("nan"), float("nan"))
    covered = lambda side, k: float(_largest(shared.area, side, k).sum() / total)  # noqa: E731
    missing, false_alarm = 1 - covered(shared.b, len(b.count)), 1 - covered(shared.a, len(a.count))
    return PsbHamming((missing + false_alarm) / 2, missing, false_alarm)


def psb_consistency_error(
    a: MeasuredSegmentation, b: MeasuredSegmentation, shared: Overlap, *, by_area: bool = True
) -> PsbConsistency:
    """Global and local consistency error, symmetric; zero when one side refines the other or is trivial.

    A segment of no area counts as covered. `by_area=False` compares numbers of faces.
    """
    faces = len(a.segment)
    if {1, faces} & {len(a.count), len(b.count)}:
        return PsbConsistency(0.0, 0.0)
    size_a, size_b, both = (a.area, b.area, shared.area) if by_area else (a.count, b.count, shared.count)
    error_a, error_b = 1 - _ratio(both, size_a[shared.a]), 1 - _ratio(both, size_b[shared.b])
    total_a, total_b = shared.count @ error_a, shared.count @ error_b
    local = shared.count @ np.minimum(error_a, error_b)
    return PsbConsistency(float(min(total_a, total_b) / faces), float(local / faces))


def psb_cut_discrepancy(a: MeasuredSegmentation, b: MeasuredSegmentation, mesh: MeasuredMesh) -> float:
    """Cut discrepancy, >= 0, unbounded, symmetric; NaN when a side has no cut or the mesh no area.

    A cut vertex whose component of the mesh holds no cut of the other side has no path to one. The program adds 3.4e38
    for it; here it counts the straight distance, a lower bound of any path. No mesh of the benchmark has components.
    """
    if not (len(a.cut) and len(b.cut) and mesh.radius > 0):
        return float("nan")
    total = sum(_distances(mesh, here.cut, there).sum() for here, there in ((a, b), (b, a)))
    return float(total / (len(a.cut) + len(b.cut)) / mesh.radius)


def psb_pair_scores(a: MeasuredSegmentation, b: MeasuredSegmentation, mesh: MeasuredMesh) -> dict[str, float]:
    """All of `PSB_METRICS` for test `a` against reference `b`."""
    shared = overlap(a, b, mesh)
    faces = len(a.segment)
    pairs = _disagreements_of(a.count, b.count, shared.count)
    by_faces, by_area = (psb_consistency_error(a, b, shared, by_area=area) for area in (False, True))
    values = (
        _by_pairs(pairs, faces * ((faces - 1) // 2)),
        *psb_hamming(a, b, shared),
        psb_cut_discrepancy(a, b, mesh),
        *by_faces,
        *by_area,
    )
    return dict(zip(PSB_METRICS, values, strict=True))


def psb_scores(
    segmentation: Int[np.ndarray, "f"],
    humans: Sequence[Int[np.ndarray, "f"]],
    shape: Shape | MeasuredMesh,
    name: str = "shape",
) -> dict[str, float]:
    """Scores of a segmentation: the mean over the humans of each of `PSB_METRICS`, against each of them.

    Args:
        segmentation: (f,) segment of each face, integers from 0.
        humans: the shape's human segmentations, alike.
        shape: the mesh, or its `measure_mesh` when several segmentations of it are scored.
        name: what to call the shape in errors.

    Returns:
        A value for each name; cut discrepancy over the humans it is defined for, NaN when there is none.

    Raises:
        ValueError: no human, no mesh, or labels that do not fit it; the text names shape and segmentation.
    """
    mesh = _measured(shape)
    if not len(humans):
        raise ValueError(f"{name}: expected human segmentations to compare with, found none")
    test = measure_segmentation(segmentation, mesh, f"{name}: segmentation")
    people = [measure_segmentation(labels, mesh, f"{name}: human {i}") for i, labels in enumerate(humans)]
    return _mean([psb_pair_scores(test, person, mesh) for person in people])


def psb_human_scores(
    humans: Sequence[Int[np.ndarray, "f"]], shape: Shape | MeasuredMesh, name: str = "shape"
) -> dict[str, float]:
    """How well people agree: mean over the unordered pairs of a shape's human segmentations.

    Hamming enters in both orders, so missing rate = false alarm rate = Hamming distance. NaN for fewer than two humans.

    Raises:
        ValueError: no mesh, or labels that do not fit it.
    """
    mesh = _measured(shape)
    people = [measure_segmentation(labels, mesh, f"{name}: human {i}") for i, labels in enumerate(humans)]
    scores = _mean([psb_pair_scores(a, b, mesh) for a, b in combinations(people, 2)])
    return {**scores, "missing_rate": scores["hamming"], "false_alarm_rate": scores["hamming"]}


def psb_average(scores: Sequence[Mapping[str, float]], categories: Sequence[str]) -> PsbAverages:
    """Averages of `psb_scores` (or `psb_human_scores`) over shapes and over categories.

    Each shape weighs the same, however many humans it has. Undefined values are left out; a mean of none is NaN. The
    benchmark leaves shapes without a result out: say beside an average how many it covers.

    Raises:
        ValueError: not one category for each shape.
    """
    if len(scores) != len(categories):
        raise ValueError(f"{len(scores)} shapes but {len(categories)} categories")
    groups: dict[str, list[Mapping[str, float]]] = {category: [] for category in sorted(set(categories))}
    for score, category in zip(scores, categories, strict=True):
        groups[category].append(score)
    by_category = {category: _mean(group) for category, group in groups.items()}
    return PsbAverages(_mean(scores), _mean(list(by_category.values())), by_category)


def _mean(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: exact_mean(np.array([score[name] for score in scores], np.float64)) for name in PSB_METRICS}


def _measured(shape: Shape | MeasuredMesh) -> MeasuredMesh:
    return shape if isinstance(shape, MeasuredMesh) else measure_mesh(shape)


def _distances(
    mesh: MeasuredMesh, vertices: Int[np.ndarray, "m"], other: MeasuredSegmentation
) -> Float[np.ndarray, "m"]:
    distance = other.distance[vertices]
    lost = np.isinf(distance)
    if lost.any():
        distance[lost] = cKDTree(mesh.vertices[other.cut]).query(mesh.vertices[vertices[lost]])[0]
    return distance


def _largest(values: Float[np.ndarray, "m"], group: Int[np.ndarray, "m"], groups: int) -> Float[np.ndarray, "k"]:
    largest = np.zeros(groups)
    np.maximum.at(largest, group, values)
    return largest


def _ratio(part: np.ndarray, whole: np.ndarray) -> Float[np.ndarray, "m"]:
    return np.divide(part, whole, out=np.ones(len(part)), where=whole > 0)


def _disagreements(a: Int[np.ndarray, "n"], b: Int[np.ndarray, "n"]) -> int:
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 1 or a.shape != b.shape or a.dtype.kind not in "iub" or b.dtype.kind not in "iub":
        raise ValueError(f"expected two (n,) integer labellings, not {a.dtype} {a.shape} and {b.dtype} {b.shape}")
    _, in_a, count_a = np.unique(a, return_inverse=True, return_counts=True)
    _, in_b, count_b = np.unique(b, return_inverse=True, return_counts=True)
    _, both = np.unique(in_a * max(len(count_b), 1) + in_b, return_counts=True)
    return _disagreements_of(count_a, count_b, both)


def _disagreements_of(count_a: Int[np.ndarray, "k"], count_b: Int[np.ndarray, "l"], both: Int[np.ndarray, "m"]) -> int:
    together = lambda count: int((count * (count - 1) // 2).sum())  # noqa: E731
    return together(count_a) + together(count_b) - 2 * together(both)


def _by_pairs(disagreements: int, pairs: int) -> float:
    return disagreements / pairs if pairs else float("nan")
