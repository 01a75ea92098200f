"""Princeton benchmark scores against the official program's answers and a literal formulation."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import rand_score

from fakes.processes import compute_on_processes
from partseg.data.formats import psb as benchmark
from partseg.geometry.io import load_shape
from partseg.geometry.shape import Shape
from partseg.metrics.functional.mesh_segmentation import MeasuredMesh, measure_mesh, measure_segmentation
from partseg.metrics.functional.psb import (
    PSB_METRICS,
    psb_average,
    psb_human_scores,
    psb_pair_scores,
    psb_rand_index_error,
    psb_scores,
    rand_index_error,
)
from partseg.metrics.psb import PrincetonBenchmarkScores


def sheet(n: int, seed: int = 0) -> Shape:
    """An uneven square sheet with a border, 2 * n * n triangles."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    corner = (x[:-1, :-1] * (n + 1) + y[:-1, :-1]).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + n + 1, corner + n + 2], 1), np.stack([corner, corner + n + 2, corner + 1], 1)]
    )
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1) + rng.normal(0, 0.2, (x.size, 3))
    return Shape.from_mesh(vertices, faces)


def scores_of(a: np.ndarray, b: np.ndarray, mesh: MeasuredMesh) -> dict[str, float]:
    return psb_pair_scores(measure_segmentation(a, mesh), measure_segmentation(b, mesh), mesh)


def test_official_answers(test_data: Callable[[str], Path]) -> None:
    folder, parity = test_data("psb"), test_data("psb_metric_parity")
    degenerate = np.load(parity / "degenerate.npz")
    mesh = cache(lambda path: measure_mesh(load_shape(path)))

    def segments(spec: dict[str, str], faces: int) -> np.ndarray:
        if "seg" in spec:
            return benchmark.read_segments(folder / spec["seg"], faces)
        if "npz" in spec:
            return degenerate[spec["npz"]].astype(np.int64)
        return np.zeros(faces, int) if spec["rule"] == "one" else np.arange(faces)

    cases = json.loads((parity / "cases.json").read_text())["cases"]
    assert len(cases) == 72
    for case in cases:
        measured = mesh(folder / case["category"] / f"{case['shape']}.off")
        a, b = segments(case["a"], case["faces"]), segments(case["b"], case["faces"])
        found = scores_of(a, b, measured)
        assert set(found) == set(case["official"])
        for name, value in case["official"].items():
            expected = float("nan") if value is None else value
            assert found[name] == pytest.approx(expected, rel=0, abs=1e-9, nan_ok=True), (case["id"], name)
        textbook = case["official"]["rand_index_error"] * (case["faces"] - 2) / (case["faces"] - 1)
        assert rand_index_error(a, b) == pytest.approx(textbook, rel=0, abs=1e-9)
        assert psb_rand_index_error(a, b) == found["rand_index_error"]


@pytest.mark.slow
def test_official_averages_of_humans(test_data: Callable[[str], Path]) -> None:
    folder, parity = test_data("psb"), test_data("psb_metric_parity")
    official = json.loads((parity / "human_averages.json").read_text())
    by_id = {row["shape"]: row for row in official["shapes"]}
    items = benchmark.index(folder)
    assert len(items) == len(by_id)
    found = []
    for item in items:
        data = benchmark.load(item)
        found.append(psb_human_scores(data.humans, data.shape))
        for name, value in found[-1].items():
            if name in by_id[item.id]:
                assert value == pytest.approx(by_id[item.id][name], rel=0, abs=2e-6), (item.id, name)
    averages = psb_average(found, [item.category for item in items])
    for name, value in official["mean_over_shapes"].items():
        assert averages.shapes[name] == pytest.approx(value, rel=0, abs=2e-6), name
    for name, value in official["mean_over_categories"].items():
        assert averages.categories[name] == pytest.approx(value, rel=0, abs=2e-6), name


def literal(a: np.ndarray, b: np.ndarray, shape: Shape) -> dict[str, float]:
    """Every definition spelt out face by face, pair by pair, vertex by vertex."""
    n, area = len(a), shape.face_areas
    pairs = list(combinations(range(n), 2))
    wrong = sum((a[i] == a[j]) != (b[i] == b[j]) for i, j in pairs)
    whole = area.sum()
    best = lambda one, other: sum(  # noqa: E731
        max(area[(one == i) & (other == j)].sum() for i in set(one.tolist())) for j in set(other.tolist())
    )
    missing, false_alarm = 1 - best(a, b) / whole, 1 - best(b, a) / whole
    out = {
        "rand_index_error": wrong / (n * ((n - 1) // 2)),
        "missing_rate": missing,
        "false_alarm_rate": false_alarm,
        "hamming": (missing + false_alarm) / 2,
        "cut_discrepancy": literal_cuts(a, b, shape),
    }
    for suffix, size in (("faces", np.ones(n)), ("area", area)):
        error = lambda one, other, size=size: np.array(  # noqa: E731
            [1 - size[(one == one[f]) & (other == other[f])].sum() / size[one == one[f]].sum() for f in range(n)]
        )
        first, second = error(a, b), error(b, a)
        trivial = {len(set(a.tolist())), len(set(b.tolist()))} & {1, n}
        out[f"GCE_{suffix}"] = 0.0 if trivial else min(first.sum(), second.sum()) / n
        out[f"LCE_{suffix}"] = 0.0 if trivial else np.minimum(first, second).sum() / n
    return out


def literal_cuts(a: np.ndarray, b: np.ndarray, shape: Shape) -> float:
    around: dict[tuple[int, int], list[int]] = {}
    for face, corners in enumerate(shape.faces.tolist()):
        for i in range(3):
            u, v = corners[i], corners[(i + 1) % 3]
            around.setdefault((min(u, v), max(u, v)), []).append(face)
    edges: dict[int, list[tuple[int, float]]] = {}
    for u, v in around:
        length = float(np.linalg.norm(shape.vertices[u] - shape.vertices[v]))
        edges.setdefault(u, []).append((v, length))
        edges.setdefault(v, []).append((u, length))
    cuts = [{w for edge, faces in around.items() if len({int(x[f]) for f in faces}) > 1 for w in edge} for x in (a, b)]
    if not all(cuts):
        return float("nan")
    total = 0.0
    for here, there in (cuts, cuts[::-1]):
        done: dict[int, float] = {}
        queue = [(0.0, v) for v in there]
        while queue:
            d, v = heapq.heappop(queue)
            if v not in done:
                done[v] = d
                for w, length in edges[v]:
                    heapq.heappush(queue, (d + length, w))
        total += sum(done[v] for v in here)
    centroids, area = shape.vertices[shape.faces].mean(1), shape.face_areas
    centre = (area[:, None] * centroids).sum(0) / area.sum()
    radius = (area * np.sqrt(((centroids - centre) ** 2).sum(1))).sum() / area.sum()
    return total / (len(cuts[0]) + len(cuts[1])) / radius


SHEET = sheet(3)
two = st.tuples(*[st.lists(st.integers(0, 3), min_size=18, max_size=18).map(np.array)] * 2)


@settings(max_examples=40)
@given(two)
def test_equals_the_literal_formulation(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found, expected = scores_of(*pair, measure_mesh(SHEET)), literal(*pair, SHEET)
    assert found == pytest.approx(expected, rel=0, abs=1e-12, nan_ok=True)
    assert rand_index_error(*pair) == pytest.approx(1 - rand_score(*pair), abs=1e-12)


@settings(max_examples=40)
@given(two, st.permutations(range(4)))
def test_symmetry_and_names(pair: tuple[np.ndarray, np.ndarray], names: list[int]) -> None:
    mesh = measure_mesh(SHEET)
    a, b = pair
    forth, back = scores_of(a, b, mesh), scores_of(np.array(names)[b] * 70_001, a, mesh)
    back["missing_rate"], back["false_alarm_rate"] = back["false_alarm_rate"], back["missing_rate"]
    assert forth == pytest.approx(back, rel=0, abs=1e-12, nan_ok=True)
    assert forth["LCE_area"] <= forth["GCE_area"] + 1e-12


def test_a_segmentation_agrees_with_itself_and_has_no_consistency_error_with_its_refinement() -> None:
    mesh, whole = measure_mesh(SHEET), np.repeat([0, 1, 2], 6)
    assert scores_of(whole, whole, mesh) == pytest.approx(dict.fromkeys(PSB_METRICS, 0.0), abs=1e-12)
    finer = scores_of(np.repeat(np.arange(6), 3), whole, mesh)
    assert [finer[name] for name in PSB_METRICS[5:]] == [0.0] * 4
    assert finer["false_alarm_rate"] == pytest.approx(0, abs=1e-12)
    assert finer["missing_rate"] > 0.2


def test_scores_do_not_depend_on_size_and_place_of_the_mesh() -> None:
    moved = Shape.from_mesh(SHEET.vertices * 7.5 + [3.0, -200.0, 1.0], SHEET.faces)
    a, b = np.arange(18) % 3, np.arange(18) // 6
    first, second = (scores_of(a, b, measure_mesh(shape)) for shape in (SHEET, moved))
    assert first == pytest.approx(second, rel=1e-9)


def test_no_cut_on_a_side_is_undefined_and_left_out_of_means() -> None:
    one, halves = np.zeros(18, int), np.arange(18) // 9
    assert np.isnan(psb_scores(one, [halves], SHEET)["cut_discrepancy"])
    mean = psb_scores(halves, [one, halves], SHEET)
    assert mean["cut_discrepancy"] == 0.0
    assert mean["hamming"] == pytest.approx(scores_of(halves, one, measure_mesh(SHEET))["hamming"] / 2)


def test_cuts_without_a_path_between_them_count_the_straight_distance() -> None:
    """Two separate sheets, 10 apart; each side cuts another one along its diagonal."""
    one = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    shape = Shape.from_mesh(np.concatenate([one, one + [0, 0, 10.0]]), np.concatenate([faces, faces + 4]))
    mesh = measure_mesh(shape)
    found = scores_of(np.array([0, 1, 0, 0]), np.array([0, 0, 0, 1]), mesh)
    assert found["cut_discrepancy"] == pytest.approx(10 / mesh.radius)


def test_a_cut_is_an_edge_between_segments_not_a_border_nor_a_shared_corner() -> None:
    fan = Shape.from_mesh(
        np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [-1, 0, 0], [-1, -1, 0]]), np.array([[0, 1, 2], [0, 3, 4]])
    )
    assert not len(measure_segmentation(np.array([0, 1]), measure_mesh(fan)).cut)


def test_an_edge_of_no_length_hands_a_cut_on_and_faces_of_no_area_do_no_harm() -> None:
    """Vertices 2 and 4 coincide: the third face is a needle."""
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 1, 0]])
    mesh = measure_mesh(Shape.from_mesh(vertices, np.array([[0, 1, 2], [0, 2, 3], [2, 4, 3], [1, 1, 2]])))
    assert measure_segmentation(np.array([0, 1, 1, 1]), mesh).cut.tolist() == [0, 1, 2, 4]
    assert all(np.isfinite(list(scores_of(np.array([0, 1, 2, 2]), np.array([0, 0, 1, 2]), mesh).values())))


def test_tiny_meshes() -> None:
    triangle = Shape.from_mesh(np.eye(3), np.array([[0, 1, 2]]))
    found = psb_scores(np.array([0]), [np.array([4])], triangle)
    undefined = {"rand_index_error", "cut_discrepancy"}
    assert {name for name, value in found.items() if np.isnan(value)} == undefined
    flat = Shape.from_mesh(np.zeros((3, 3)), np.array([[0, 1, 2]]))
    assert np.isnan(psb_scores(np.array([0]), [np.array([0])], flat)["hamming"])
    assert np.isnan(psb_rand_index_error(np.array([0, 1]), np.array([0, 0])))
    assert rand_index_error(np.array([0, 1]), np.array([0, 0])) == 1.0


def test_humans_among_themselves() -> None:
    rng = np.random.default_rng(0)
    humans = [rng.integers(0, 3, 18) for _ in range(3)]
    found = psb_human_scores(humans, SHEET)
    mesh = measure_mesh(SHEET)
    ordered = [scores_of(a, b, mesh) for i, a in enumerate(humans) for j, b in enumerate(humans) if i != j]
    assert found == pytest.approx({name: np.mean([s[name] for s in ordered]) for name in PSB_METRICS})
    assert all(np.isnan(value) for value in psb_human_scores(humans[:1], SHEET).values())


def test_averages_weigh_shapes_or_categories() -> None:
    rows = [dict.fromkeys(PSB_METRICS, value) for value in (0.0, 0.2, 0.7)]
    rows[1]["cut_discrepancy"] = float("nan")
    averages = psb_average(rows, ["Cup", "Cup", "Ant"])
    assert averages.shapes["hamming"] == pytest.approx(0.3)
    assert averages.categories["hamming"] == pytest.approx(0.4)
    assert averages.shapes["cut_discrepancy"] == pytest.approx(0.35)
    assert list(averages.by_category) == ["Ant", "Cup"]
    assert averages.by_category["Cup"]["cut_discrepancy"] == 0.0
    assert all(np.isnan(value) for value in psb_average([], []).shapes.values())


def test_bad_input_names_shape_and_segmentation() -> None:
    good = np.zeros(18, int)
    with pytest.raises(ValueError, match="Cup/21: segmentation labels 17 faces, the mesh has 18"):
        psb_scores(good[1:], [good], SHEET, "Cup/21")
    with pytest.raises(ValueError, match="Cup/21: human 1 labels 17 faces"):
        psb_scores(good, [good, good[1:]], SHEET, "Cup/21")
    with pytest.raises(ValueError, match="gives face 3 no segment"):
        psb_scores(np.where(np.arange(18) == 3, -1, 0), [good], SHEET)
    with pytest.raises(ValueError, match="must be \\(f,\\) integers"):
        psb_scores(np.full(18, np.nan), [good], SHEET)
    with pytest.raises(ValueError, match="Cup/21: expected human segmentations"):
        psb_scores(good, [], SHEET, "Cup/21")
    with pytest.raises(ValueError, match="needs a mesh"):
        psb_scores(good, [good], Shape.from_points(np.zeros((18, 3))))
    with pytest.raises(ValueError, match="2 shapes but 1 categories"):
        psb_average([psb_scores(good, [good], SHEET)] * 2, ["Cup"])
    with pytest.raises(ValueError, match="unknown category 'Sofa'"):
        PrincetonBenchmarkScores(benchmark.CATEGORIES).update(good, [good], SHEET, "Sofa")
    with pytest.raises(ValueError, match="integer labellings"):
        rand_index_error(good, good[1:])


def random_shapes(number: int) -> list[tuple[np.ndarray, list[np.ndarray], Shape, str]]:
    rng = np.random.default_rng(0)
    return [
        (rng.integers(0, 3, 18), [rng.integers(0, 3, 18) for _ in range(1 + i)], sheet(3, i), ("Cup", "Ant")[i % 2])
        for i in range(number)
    ]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return {name: repr(value.item()) for name, value in one.items()} == {
        name: repr(value.item()) for name, value in other.items()
    }


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_metric_gives_what_the_functions_give_and_merges() -> None:
    work = random_shapes(5)
    whole, left, right = (PrincetonBenchmarkScores(benchmark.CATEGORIES) for _ in range(3))
    for i, (labels, humans, shape, category) in enumerate(work):
        whole.update(torch.from_numpy(labels), [torch.from_numpy(x) for x in humans], shape, category)
        (left if i % 2 else right).update(labels, humans, measure_mesh(shape), category)
    averages = psb_average([psb_scores(*row[:3]) for row in work], [row[3] for row in work])
    found = whole.compute()
    assert {name: found[name].item() for name in PSB_METRICS} == averages.shapes
    assert found["categories/hamming"].item() == averages.categories["hamming"]
    assert found["Ant/hamming"].item() == averages.by_category["Ant"]["hamming"]
    left.merge_state(right)
    assert same(left.compute(), found)
    assert torch.isnan(PrincetonBenchmarkScores(benchmark.CATEGORIES).compute()["hamming"])


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path: Path) -> None:
    work = random_shapes(5)
    one = PrincetonBenchmarkScores(benchmark.CATEGORIES)
    for arguments in work:
        one.update(*arguments)
    results = compute_on_processes(PrincetonBenchmarkScores(benchmark.CATEGORIES), [work[:4], work[4:]], tmp_path)
    assert all(same(result, one.compute()) for result in results)
