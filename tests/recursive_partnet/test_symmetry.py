"""Symmetry parameters: decoding, the loss and what it must be blind to, labels carried to copies."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from partseg.parts.hierarchy import Symmetry
from partseg_recursive_partnet.symmetry import (
    KINDS,
    SymmetryDecoder,
    SymmetryPrediction,
    SymmetryTargets,
    symmetry_loss,
    symmetry_terms,
    transfer_labels,
)

SEEDS = st.integers(0, 2**31)


def unit(rng: np.random.Generator) -> np.ndarray:
    x = rng.normal(size=3)
    return x / np.linalg.norm(x)


def random_symmetry(rng: np.random.Generator, kind: str | None = None) -> Symmetry:
    kind, fold = kind or KINDS[rng.integers(3)], int(rng.integers(2, 11))
    point, direction = tuple(rng.normal(size=3) * 0.3), tuple(unit(rng))
    if kind == "reflective":
        return Symmetry(kind, point, direction)
    if kind == "rotational":
        return Symmetry(kind, point, direction, fold, 2 * math.pi / fold)
    return Symmetry(kind, (0.0, 0.0, 0.0), direction, fold, float(rng.uniform(0.05, 0.3)))


def outputs(kind: str, vector: np.ndarray, point: np.ndarray, fold: int, folds: int = 9) -> SymmetryPrediction:
    """What a network would say that is sure of one symmetry."""
    sure = lambda i, n: 50 * torch.nn.functional.one_hot(torch.tensor([i]), n).float()  # noqa: E731
    row = lambda x: torch.tensor(np.array(x), dtype=torch.float32)[None]  # noqa: E731
    return SymmetryPrediction(sure(KINDS.index(kind), 3), row(vector), row(point), sure(fold - 2, folds))


def of(s: Symmetry) -> SymmetryPrediction:
    vector = np.multiply(s.direction, s.step if s.kind == "translational" else 1.0)
    return outputs(s.kind, vector, np.array(s.point), s.fold)


def motion(prediction: SymmetryPrediction, true: Symmetry) -> float:
    return float(symmetry_terms(prediction, SymmetryTargets.of([true]))["motion"])


def copies(s: Symmetry, x: np.ndarray) -> np.ndarray:
    return np.concatenate([s.apply(x, i) for i in range(s.fold)])


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Largest distance from a point of one set to the other (Hausdorff)."""
    return max(cKDTree(a).query(b)[0].max(), cKDTree(b).query(a)[0].max())


def disguised(s: Symmetry, rng: np.random.Generator) -> SymmetryPrediction:
    """Other outputs that say the same."""
    d, p = np.array(s.direction), np.array(s.point)
    if s.kind == "translational":
        return outputs(s.kind, d * s.step, rng.normal(size=3), s.fold)
    vector = d * rng.uniform(0.01, 5) * rng.choice([-1, 1])
    aside = np.cross(d, rng.normal(size=3)) if s.kind == "reflective" else 0.0
    return outputs(s.kind, vector, p + d * (rng.normal() if s.kind == "rotational" else 0) + aside, s.fold)


# -- the decoder -----------------------------------------------------------------------------------------------------


def test_decoder_has_the_widths_of_the_release():
    decoder = SymmetryDecoder()
    shapes = {key: tuple(value.shape) for key, value in decoder.state_dict().items() if key.endswith("weight")}
    assert shapes == {
        "hidden.weight": (256, 256),
        "left.weight": (128, 256),
        "right.weight": (256, 256),
        "kind.weight": (3, 256),
        "motion.weight": (6, 256),
        "fold.weight": (9, 256),
    }
    context, prediction = decoder(torch.randn(5, 256))
    assert context.shape == (5, 128)
    assert context.abs().max() <= 1
    assert [x.shape[1] for x in vars(prediction).values()] == [3, 3, 3, 9]
    assert len(decoder(torch.zeros(0, 256))[1].symmetries()) == 0


def test_nodes_do_not_see_each_other():
    decoder, nodes = SymmetryDecoder(24, 16, 8, folds=4), torch.randn(6, 24)
    context, together = decoder(nodes)
    alone = [decoder(node[None]) for node in nodes]
    torch.testing.assert_close(context, torch.cat([one[0] for one in alone]))
    torch.testing.assert_close(vars(together), vars(SymmetryPrediction.cat([one[1] for one in alone])))


@given(SEEDS)
def test_what_was_said_is_read_back(seed):
    rng = np.random.default_rng(seed)
    true = [random_symmetry(rng) for _ in range(4)]
    read = SymmetryPrediction.cat([disguised(s, rng) for s in true]).symmetries(np.arange(4))
    x = rng.normal(size=(20, 3)) * 0.3
    for a, b in zip(true, read, strict=True):
        assert (a.kind, a.fold) == (b.kind, b.fold)
        assert apart(copies(a, x), copies(b, x)) < 1e-4


def test_any_output_is_a_symmetry():
    values = torch.tensor([0.0, 1e-30, -1e-5, 1.0, 1e30, float("inf"), float("-inf"), float("nan")])
    for kind in range(3):
        vector, point = values[:, None].expand(8, 3), values[:, None].expand(8, 3)
        logits = torch.eye(3)[kind].expand(8, 3)
        rows = SymmetryPrediction(logits, vector, point, torch.randn(8, 9)).symmetries()
        assert {s.kind for s in rows} == {KINDS[kind]}
        for s in rows:
            assert np.isfinite(s.apply(np.eye(3), s.fold - 1)).all()
    picked = SymmetryPrediction(logits, vector, point, torch.randn(8, 9)).symmetries(np.array([3, 0]))
    np.testing.assert_allclose(picked[0].direction, 3**-0.5 * np.ones(3))
    assert picked[1].direction == (0.0, 1.0, 0.0)
    assert picked[1].step == 0


# -- the loss --------------------------------------------------------------------------------------------------------


@given(SEEDS)
def test_motion_is_blind_to_how_it_is_written(seed):
    rng = np.random.default_rng(seed)
    true = random_symmetry(rng)
    assert motion(disguised(true, rng), true) < 1e-5
    assert float(symmetry_loss(disguised(true, rng), SymmetryTargets.of([true]))) < 1e-4


@given(SEEDS)
def test_motion_is_zero_exactly_where_the_copies_coincide(seed):
    rng = np.random.default_rng(seed)
    a = random_symmetry(rng)
    b = random_symmetry(rng, a.kind)
    b = Symmetry(b.kind, b.point, b.direction, a.fold, a.step if a.kind == "rotational" else b.step)
    x = rng.normal(size=(30, 3)) * 0.3
    assert (motion(of(a), b) < 1e-5) == (apart(copies(a, x), copies(b, x)) < 1e-4)


@given(SEEDS)
def test_turned_planes_against_the_gap_of_mirrored_points(seed):
    # Of points at random around a common point, the mean square gap of the images is 8 sin² of the planes' angle.
    rng = np.random.default_rng(seed)
    p, n = rng.normal(size=3), unit(rng)
    a, b = (Symmetry("reflective", tuple(p), tuple(x)) for x in (n, unit(rng)))
    x = np.concatenate([np.eye(3), -np.eye(3)]) * math.sqrt(3)  # second moments of a normal distribution
    gap = ((a.apply(p + x) - b.apply(p + x)) ** 2).sum(1).mean()
    chord = motion(of(a), b)
    assert 8 * (chord**2 - chord**4 / 4) == pytest.approx(gap, abs=1e-4)


@given(SEEDS)
def test_shifted_motions_against_the_gap_of_moved_points(seed):
    rng = np.random.default_rng(seed)
    a, by, x = random_symmetry(rng), rng.normal(size=3) * 0.2, rng.normal(size=(1, 3))
    if a.kind == "translational":
        vector = np.array(a.direction) * a.step + by
        step = float(np.linalg.norm(vector))
        b, lever = Symmetry(a.kind, a.point, tuple(vector / step), a.fold, step), 1.0
    else:
        b = Symmetry(a.kind, tuple(np.array(a.point) + by), a.direction, a.fold, a.step)
        lever = 2 * math.sin(a.step / 2) if a.kind == "rotational" else 2.0
    gap = np.linalg.norm(a.apply(x) - b.apply(x))
    assert lever * motion(of(b), a) == pytest.approx(gap, abs=1e-5)


@given(SEEDS, st.integers(2, 10))
def test_turns_by_coprime_steps_are_one(seed, fold):
    rng = np.random.default_rng(seed)
    prediction = SymmetryPrediction(*(torch.randn(1, k) for k in (3, 3, 3, 9)))
    p, d = tuple(rng.normal(size=3)), unit(rng)
    x = rng.normal(size=(10, 3))
    losses, sets = [], []
    for times in [k for k in range(-fold, fold + 1) if math.gcd(k, fold) == 1]:
        s = Symmetry("rotational", p, tuple(d * rng.choice([-1, 1])), fold, 2 * math.pi / fold * times)
        losses.append(float(symmetry_loss(prediction, SymmetryTargets.of([s]))))
        sets.append(copies(s, x))
    assert max(apart(sets[0], one) for one in sets) < 1e-9
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


def test_folds_that_are_and_are_not_learned():
    z = (0.0, 0.0, 0.0)
    rows = {
        0: Symmetry("reflective", z, (0.0, 1.0, 0.0)),
        5: Symmetry("rotational", z, (0.0, 1.0, 0.0), 5, 4 * math.pi / 5),
        6: Symmetry("translational", z, (1.0, 0.0, 0.0), 6, 0.1),
    }
    assert SymmetryTargets.of(list(rows.values())).fold.tolist() == list(rows)
    arc = Symmetry("rotational", z, (0.0, 1.0, 0.0), 4, 0.3)
    twice = Symmetry("rotational", z, (0.0, 1.0, 0.0), 4, math.pi)  # only two places
    many = Symmetry("translational", z, (1.0, 0.0, 0.0), 40, 0.1)  # no output says so
    prediction = SymmetryPrediction(*(torch.randn(6, k) for k in (3, 3, 3, 9)))
    targets = SymmetryTargets.of([*rows.values(), arc, twice, many])
    fold = symmetry_terms(prediction, targets)["fold"]
    expected = -torch.log_softmax(prediction.fold_logits, 1)[[1, 2], [3, 4]]
    torch.testing.assert_close(fold, torch.tensor([0.0, *expected, 0.0, 0.0, 0.0]))


def test_a_shift_has_a_sign_and_a_turn_has_none():
    shift = Symmetry("translational", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 3, 0.2)
    back = outputs("translational", np.array([0, 0, -0.2]), np.zeros(3), 3)
    assert motion(back, shift) == pytest.approx(0.4)
    assert torch.equal(SymmetryTargets.of([shift]).vector, torch.tensor([[0.0, 0.0, 0.2]]))


def test_gradients_are_finite_wherever_the_outputs_are():
    rng = np.random.default_rng(0)
    for true in (random_symmetry(rng, kind) for kind in KINDS):
        targets = SymmetryTargets.of([true])
        for scale in (1.0, -1.0, 0.0, 1e-20, 1e8):
            rows = [torch.zeros(1, 3), scale * targets.vector, targets.point.clone(), torch.zeros(1, 9)]
            rows = [row.requires_grad_() for row in rows]
            symmetry_loss(SymmetryPrediction(*rows), targets).sum().backward()
            assert all(bool(torch.isfinite(row.grad).all()) for row in rows if row.grad is not None)
    nothing = outputs("reflective", np.zeros(3), np.zeros(3), 2)
    assert motion(nothing, Symmetry("reflective", (0.0, 0.0, 0.0), (0.0, 1.0, 0.0))) == pytest.approx(1)


def test_no_nodes_have_no_loss():
    none = SymmetryPrediction(*(torch.zeros(0, k) for k in (3, 3, 3, 9)))
    assert symmetry_loss(none, SymmetryTargets.of([]).to("cpu")).shape == (0,)


def test_each_node_is_judged_by_its_own_truth():
    rng = np.random.default_rng(1)
    true = [random_symmetry(rng, kind) for kind in KINDS for _ in range(3)]
    said = [of(random_symmetry(rng)) for _ in true]
    together = symmetry_loss(SymmetryPrediction.cat(said), SymmetryTargets.of(true))
    alone = [symmetry_loss(one, SymmetryTargets.of([s])) for one, s in zip(said, true, strict=True)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_descending_the_loss_finds_the_symmetry():
    rng = np.random.default_rng(2)
    true = [random_symmetry(rng, kind) for kind in KINDS for _ in range(10)]
    targets = SymmetryTargets.of(true)
    rows = [torch.randn(30, k).requires_grad_() for k in (3, 3, 3, 9)]
    optimizer = torch.optim.Adam(rows, 0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 300)
    for _ in range(300):
        optimizer.zero_grad()
        symmetry_loss(SymmetryPrediction(*rows), targets).sum().backward()
        optimizer.step()
        schedule.step()
    x = rng.normal(size=(20, 3)) * 0.3
    found = SymmetryPrediction(*(row.detach() for row in rows)).symmetries()
    assert max(apart(copies(a, x), copies(b, x)) for a, b in zip(true, found, strict=True)) < 0.02


# -- labels ----------------------------------------------------------------------------------------------------------

GROUPS = {
    "mirror": Symmetry("reflective", (0.1, 0.0, 0.0), (1.0, 0.0, 0.0)),
    "turn": Symmetry("rotational", (0.0, 0.0, 0.1), (0.0, 1.0, 0.0), 5, 2 * math.pi / 5),
    "arc": Symmetry("rotational", (0.0, 0.0, 0.0), (0.0, 0.6, 0.8), 3, -0.9),
    "row": Symmetry("translational", (0.0, 0.0, 0.0), (0.0, 0.0, 1.0), 6, 0.25),
}


def leg(rng: np.random.Generator, n: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """A leg with a foot and a wheel: points and labels 3, 7, 4."""
    where = [(0.5, 0.0, 0.0), (0.5, -0.25, 0.0), (0.55, -0.4, 0.05)]
    size = [(0.03, 0.1, 0.03), (0.08, 0.02, 0.03), (0.03, 0.03, 0.01)]
    points = [c + np.multiply(rng.uniform(-1, 1, (n, 3)), s) for c, s in zip(where, size, strict=True)]
    return np.concatenate(points), np.repeat([3, 7, 4], n)


def scene(symmetries: list[Symmetry], noise: float, rng: np.random.Generator):
    """Points of all copies at random order: points, node, copy, leaf."""
    rows = []
    for node, s in enumerate(symmetries):
        points, leaf = leg(rng)
        for i in range(s.fold):
            moved = s.apply(points, i) + rng.normal(size=points.shape) * noise
            rows.append((moved, np.full(len(leaf), node), np.full(len(leaf), i), leaf + 10 * node))
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    shuffled = rng.permutation(len(columns[0]))
    return [column[shuffled] for column in columns]


@pytest.mark.parametrize("group", GROUPS)
def test_copies_are_recovered_exactly(group):
    points, node, copy, leaf = scene([GROUPS[group]], 0.0, np.random.default_rng(0))
    told = np.where(copy == 0, leaf, -99)  # labels outside the first copy are not looked at
    found_copy, found_leaf = transfer_labels(points, node, copy == 0, told, [GROUPS[group]])
    np.testing.assert_array_equal(found_copy, copy)
    np.testing.assert_array_equal(found_leaf, leaf)


def test_copies_of_many_nodes_with_noise_and_rough_parameters():
    rng = np.random.default_rng(0)
    symmetries = list(GROUPS.values())
    points, node, copy, leaf = scene(symmetries, 0.005, rng)
    rough = [
        Symmetry(s.kind, tuple(np.array(s.point) + rng.normal(size=3) * 0.005), s.direction, s.fold, s.step * 1.01)
        for s in symmetries
    ]
    found_copy, found_leaf = transfer_labels(points, node, copy == 0, leaf, rough)
    for i in range(len(symmetries)):
        at = node == i
        assert (found_copy[at] == copy[at]).mean() >= 0.99
        assert (found_leaf[at] == leaf[at]).mean() >= 0.99
    alone = [transfer_labels(points[node == i], 0 * node[node == i], (copy == 0)[node == i], leaf[node == i], [s])
             for i, s in enumerate(rough)]  # fmt: skip
    for i, (one_copy, one_leaf) in enumerate(alone):
        np.testing.assert_array_equal(found_copy[node == i], one_copy)
        np.testing.assert_array_equal(found_leaf[node == i], one_leaf)


def test_copies_against_all_distances():
    rng = np.random.default_rng(3)
    for s in GROUPS.values():
        points, generator, leaf = rng.normal(size=(60, 3)), rng.random(60) < 0.3, rng.integers(0, 5, 60)
        copy, found = transfer_labels(points, np.zeros(60, int), generator, leaf, [s])
        first = np.flatnonzero(generator)
        moved = np.stack([s.apply(points[first], i) for i in range(1, s.fold)])  # forward, not back
        distance = np.linalg.norm(points[:, None, None] - moved, axis=3).reshape(60, -1)
        best_copy, best = np.divmod(distance.argmin(1), len(first))
        np.testing.assert_array_equal(copy, np.where(generator, 0, best_copy + 1))
        np.testing.assert_array_equal(found, np.where(generator, leaf, leaf[first[best]]))


def test_smallest_nodes_and_far_points():
    mirror = GROUPS["mirror"]
    leaf = np.array([4, 5, 6, 7])
    points = np.array([[1.0, 0, 0], [1e5, 0, 0], [0.5, 0, 0], [0.2, 0.1, 0]])
    node, generator = np.array([1, 1, 3, 2]), np.array([True, False, False, True])
    copy, found = transfer_labels(points, node, generator, leaf, [mirror] * 5)
    np.testing.assert_array_equal(copy, [0, 1, 0, 0])  # however far; a node without a first copy; one of one point
    np.testing.assert_array_equal(found, [4, 4, 6, 7])
    np.testing.assert_array_equal(leaf, [4, 5, 6, 7])
    none = transfer_labels(np.zeros((0, 3)), np.zeros(0, int), np.zeros(0, bool), np.zeros(0, int), [])
    assert [len(x) for x in none] == [0, 0]
