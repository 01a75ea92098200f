"""Shapes put together from primitives: their truths against geometry, the joints, the rules, both repositories."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest

from fakes.abc import write_abc
from partseg.data.reshuffle import KINDS, Placement, Repository, abc_repository, procedural_repository, reshuffle
from partseg.data.reshuffle.patches import Patch, draw_patch
from partseg.data.reshuffle.placement import assemble
from partseg.data.reshuffle.repository import EDGE, FACE, RIM, SIDE, SURFACE
from partseg.errors import InputError, PartsegError, ShapeWarning


@pytest.fixture(scope="module")
def repository() -> Repository:
    return procedural_repository(160)


def rectangle(width: float, height: float) -> Patch:
    x, y = width / 2, height / 2
    vertices = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]])
    return Patch(0, vertices, np.array([[0, 1, 2], [0, 2, 3]]), np.broadcast_to([0.0, 0, 1], (2, 3, 3)).copy())


def whole(kind: int) -> Iterator[Patch]:
    """Disks (1) or cylinders (2) that go all the way round."""
    for seed in count():
        patch = draw_patch(kind, np.random.default_rng(seed))
        grid = patch.vertices.reshape(-1, (5, 7)[kind - 1], 3)
        if np.allclose(grid[0], grid[-1]):
            yield patch


def anchors(repository: Repository, patch, size, turn, move) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Kind, position and direction in the world of the anchors of each placed patch."""
    out = []
    for p, s, r, t in zip(patch, size, turn, move, strict=True):
        own = slice(repository.anchor_first[p], repository.anchor_first[p + 1])
        frame = repository.anchor_frame[own]
        out.append((repository.anchor_kind[own], s * frame[:, 0] @ r.T + t, frame[:, 1] @ r.T))
    return out


def test_the_same_numbers_give_the_same_shape(repository: Repository) -> None:
    again = pickle.loads(pickle.dumps(procedural_repository(160)))  # noqa: S301
    first, second = (reshuffle(3, 5, Placement(), x, 600) for x in (repository, again))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    for other in (reshuffle(3, 6, Placement(), repository, 600), reshuffle(4, 5, Placement(), repository, 600)):
        assert not np.array_equal(first.points, other.points)


def test_a_shape_is_what_it_says(repository: Repository) -> None:
    numbers = []
    for index in range(60):
        sample = reshuffle(1, index, Placement(), repository)
        assert (sample.points.shape, sample.normals.shape) == ((4096, 3), (4096, 3))
        points = np.bincount(sample.labels)
        assert points.min() >= 24
        assert len(points) <= 12
        numbers.append(len(points))
        low, high = sample.points.min(0), sample.points.max(0)
        assert (high - low).max() == pytest.approx(1.8, abs=1e-5)
        np.testing.assert_allclose(low + high, 0, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(sample.normals, axis=1), 1, atol=1e-5)
        kinds = [np.unique(sample.semantics[sample.labels == i]) for i in range(len(points))]
        assert all(len(kind) == 1 and 0 <= kind[0] < len(KINDS) for kind in kinds)
        assert np.abs(np.diff(sample.labels)).max() > 0
        assert not (np.diff(sample.labels) >= 0).all()  # the order of points tells nothing
    assert set(numbers) == set(range(4, 13))


def test_points_lie_on_the_primitives_that_they_are_labelled_with(repository: Repository) -> None:
    seen = set()
    for index in range(40):
        sample = reshuffle(2, index, Placement(), repository)
        for i in range(sample.labels.max() + 1):
            here = sample.labels == i
            points, normals = sample.points[here].astype(np.float64), sample.normals[here].astype(np.float64)
            size = np.linalg.norm(np.ptp(points, axis=0))
            kind = KINDS[sample.semantics[here][0]]
            seen.add(kind)
            if kind in ("plane", "disk"):
                assert np.abs((points - points[0]) @ normals[0]).max() < 1e-4 * size
                assert np.abs(normals - normals[0]).max() < 1e-4
            elif kind == "sphere":  # |x|² = 2 c·x + k
                system = np.column_stack([2 * points, np.ones(len(points))])
                *centre, _ = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
                radius = np.linalg.norm(points - centre, axis=1)
                assert np.ptp(radius) < 0.02 * radius.mean()
                outward = np.einsum("ij,ij->i", points - centre, normals) / radius
                assert outward.min() > 0.99
            elif kind == "cylinder":  # normals have no part along the axis, and lead back to it
                axis = np.linalg.svd(normals, full_matrices=False)[2][-1]
                assert np.abs(normals @ axis).max() < 1e-3
                across = points - (points @ axis)[:, None] * axis
                system = np.concatenate([np.kron(np.eye(3), np.ones((len(points), 1))), -normals.T.reshape(-1, 1)], 1)
                solution = np.linalg.lstsq(system[:, [0, 1, 2, 3]], across.T.reshape(-1), rcond=None)[0]
                residual = across - solution[:3] + solution[3] * normals
                assert np.abs(residual).max() < 0.02 * size
            elif kind == "cone":  # all normals at one angle to the axis
                centred = normals - normals.mean(0)
                values = np.linalg.svd(centred, full_matrices=False)[1]
                assert values[-1] < 0.05 * values[0]
    assert {"plane", "disk", "cylinder", "cone", "sphere"} <= seen


@pytest.mark.parametrize(
    ("joints", "host", "own"),
    [
        ((1.0, 0.0, 0.0), {RIM, FACE}, {RIM, FACE}),
        ((0.0, 1.0, 0.0), {EDGE, SIDE}, {EDGE}),
        ((0.0, 0.0, 1.0), {SURFACE}, {RIM, EDGE, SURFACE}),
    ],
)
def test_every_patch_meets_an_earlier_one_anchor_to_anchor(
    repository: Repository, joints: tuple[float, float, float], host: set[int], own: set[int]
) -> None:
    placement = Placement(joints=joints, sink=0.0, repeat=0.0)
    most = 1
    for index in range(20):
        placed = assemble(np.random.default_rng(index), placement, repository)
        known = anchors(repository, *placed)
        most = max(most, len(known))
        for n in range(1, len(known)):
            kind, place, look = known[n]
            met = False
            for m in range(n):
                gap = np.linalg.norm(place[:, None] - known[m][1][None], axis=2)
                facing = look @ known[m][2].T < -1 + 1e-9
                for a, b in np.argwhere((gap < 1e-9) & facing):
                    met |= int(kind[a]) in own and int(known[m][0][b]) in host
            assert met
    assert most > 4


def test_openings_that_meet_have_one_radius(repository: Repository) -> None:
    placement = Placement(joints=(1.0, 0.0, 0.0), repeat=0.0)
    pairs = 0
    for index in range(20):
        patch, size, turn, move = assemble(np.random.default_rng(index), placement, repository)
        known = anchors(repository, patch, size, turn, move)
        radius = [
            s * repository.anchor_radius[repository.anchor_first[p] : repository.anchor_first[p + 1]]
            for p, s in zip(patch, size, strict=True)
        ]
        for n in range(1, len(known)):
            found = []
            for m in range(n):
                gap = np.linalg.norm(known[n][1][:, None] - known[m][1][None], axis=2)
                open_ = (known[n][0] <= FACE)[:, None] & (known[m][0] <= FACE)[None]
                found += [(radius[n][a], radius[m][b]) for a, b in np.argwhere((gap < 1e-9) & open_)]
            assert any(a == pytest.approx(b) for a, b in found)
            pairs += 1
    assert pairs > 50


def test_repeated_patches_are_turned_about_an_axis(repository: Repository) -> None:
    placement = Placement(repeat=1.0, primitives=(12, 12))
    angles = []
    for index in range(20):
        patch, size, turn, _ = assemble(np.random.default_rng(index), placement, repository)
        for i in np.flatnonzero((patch[1:] == patch[:-1]) & (size[1:] == size[:-1])):
            angles.append(np.arccos(np.clip((np.trace(turn[i + 1] @ turn[i].T) - 1) / 2, -1, 1)))
    share = [np.isclose(angles, 2 * np.pi / fold, atol=1e-5).mean() for fold in (2, 3, 4)]
    assert len(angles) > 20
    assert sum(share) > 0.95
    assert share[0] > 0
    assert share[2] > 0


def test_more_tries_overlap_less(repository: Repository) -> None:
    def crowding(tries: int) -> float:
        found = []
        for index in range(40):
            patch, size, turn, move = assemble(
                np.random.default_rng(index), Placement(tries=tries, primitives=(8, 8), repeat=0), repository
            )
            world = size[:, None, None] * repository.probes[patch] @ turn.transpose(0, 2, 1) + move[:, None]
            for i in range(len(patch)):
                others = np.concatenate([world[j] for j in range(len(patch)) if j != i])
                near = np.linalg.norm(world[i][:, None] - others[None], axis=2).min(1)
                found.append((near < 0.1 * size[i]).mean())
        return float(np.mean(found))

    assert crowding(8) < 0.8 * crowding(1)


def test_symmetry_of_patches_is_found() -> None:
    scalene = Patch(0, np.array([[0.0, 0, 0], [2, 0, 0], [0.5, 1, 0]]), np.array([[0, 1, 2]]), np.eye(3)[[[2, 2, 2]]])
    built = Repository.build([rectangle(2, 2), rectangle(2, 1), scalene, next(whole(1)), next(whole(2))])
    assert built.fold.tolist() == [4, 2, 1, 4, 4]
    np.testing.assert_allclose(np.abs(built.axis[:, 2]), 1, atol=1e-6)


def test_a_cylinder_has_two_openings_that_look_along_its_axis() -> None:
    built = Repository.build(list(islice(whole(2), 5)))
    for p in range(len(built)):
        own = slice(built.anchor_first[p], built.anchor_first[p + 1])
        rim = built.anchor_kind[own] == RIM
        frame = built.anchor_frame[own][rim]
        assert len(frame) == 2
        np.testing.assert_allclose(np.abs(built.axis[p]), [0, 0, 1], atol=1e-6)
        # away from the middle, one up and one down
        np.testing.assert_allclose(sorted(np.sign(frame[:, 0, 2]) * frame[:, 1, 2]), [1, 1], atol=1e-6)
        assert np.abs(built.corners[built.first[p] : built.first[p + 1]]).max() <= 1 + 1e-6


def test_points_are_shared_out_by_area() -> None:
    repository = Repository.build([rectangle(2, 2), rectangle(2, 0.5)])
    np.testing.assert_allclose(repository.area, [4 / 2, 1 / 1.0625])  # within radius 1: halves of the diagonals
    placement = Placement(primitives=(5, 5), repeat=0.0, min_points=10)
    patch, size, _, _ = assemble(np.random.default_rng([0, 0]), placement, repository)
    sample = reshuffle(0, 0, placement, repository, 8000)
    area = repository.area[patch] * size**2
    expected = 10 + (8000 - 10 * len(patch)) * area / area.sum()
    assert np.abs(np.bincount(sample.labels) - expected).max() <= 1


def test_rules_that_cannot_be_followed_are_refused(repository: Repository) -> None:
    for wrong in ({"primitives": (5, 4)}, {"primitives": (0, 4)}, {"joints": (0, 0, 0)}, {"tries": 0},
                  {"scale": (1.0, 0.5)}, {"extent": 0.0}):  # fmt: skip
        with pytest.raises(PartsegError):
            Placement(**wrong)
    with pytest.raises(ValueError, match="12 primitives need as many points, got 11"):
        reshuffle(0, 0, Placement(), repository, 11)
    assert np.bincount(reshuffle(0, 0, Placement(), repository, 12).labels).min() >= 1
    with pytest.raises(ValueError, match="at least one patch"):
        Repository.build([rectangle(0, 0)])


def test_patches_are_cut_out_of_abc(tmp_path: Path) -> None:
    write_abc(tmp_path, models=3)
    repository = abc_repository(tmp_path)
    assert sorted(KINDS[i] for i in repository.kind) == ["cylinder"] * 3 + ["plane"] * 6
    for p in range(len(repository)):
        corners = repository.corners[repository.first[p] : repository.first[p + 1]]
        assert np.linalg.norm(corners, axis=2).max() == pytest.approx(1, abs=1e-5)
    sample = reshuffle(0, 0, Placement(), repository, 512)
    assert sample.labels.max() >= 3
    assert len(abc_repository(tmp_path, models=1)) == 3
    assert len(abc_repository(tmp_path, patches=4)) == 4
    assert len(abc_repository(tmp_path, smallest=0.3)) < 9


def test_damaged_models_of_abc_are_left_out(tmp_path: Path) -> None:
    write_abc(tmp_path, models=2)
    first, second = sorted(tmp_path.rglob("*.yml"))
    first.write_text("surfaces: 3")
    with pytest.warns(ShapeWarning, match="left out"):
        assert len(abc_repository(tmp_path)) == 3
    second.write_text("surfaces: []")
    with pytest.raises(InputError, match="no patch can be cut"), pytest.warns(ShapeWarning):
        abc_repository(tmp_path)
