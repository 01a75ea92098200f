from __future__ import annotations

import numpy as np
import pytest

from partseg.errors import PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.click_records import ClickParameters
from partseg.methods.click_simulation import candidate_elements, mask_iou, simulate_clicks
from partseg.methods.clicks import EmbeddingClicks


def random_case(seed: int, n: int = 70) -> tuple[Shape, np.ndarray, np.ndarray]:
    """Blobs whose features mostly follow them, and a part that is one blob with a ragged border."""
    rng = np.random.default_rng(seed)
    blob = rng.integers(3, size=n)
    xyz = rng.normal(size=(n, 3)) * 0.5 + blob[:, None] * [1.2, 0, 0]
    told = np.where(rng.random(n) < 0.2, rng.integers(3, size=n), blob)
    z = rng.normal(size=(3, 6))[told] * 0.3 + rng.normal(size=(n, 6)) * 0.1
    return Shape.from_points(xyz), z.astype(np.float32), (blob == 1) ^ (rng.random(n) < 0.08)


class Plain:
    """A session of which the annotator knows no more than the protocol."""

    def __init__(self, session: EmbeddingClicks) -> None:
        self.session = session
        self.add_click, self.undo, self.fine_tune = session.add_click, session.undo, session.fine_tune

    @property
    def mask(self) -> np.ndarray:
        return self.session.mask


def greedy_by_force(session: EmbeddingClicks, truth: np.ndarray, clicks: int) -> tuple[list[float], list[tuple]]:
    """Every element with either sign, each on a session of its own from the first click on."""
    made: list[tuple[int, bool]] = []
    reached: list[float] = []
    for _ in range(clicks):
        best, choice = reached[-1] if reached else 0.0, None
        for positive in (True, False):
            for element in range(len(truth)):
                fresh = EmbeddingClicks(session.shape, session._features, session.parameters)
                for click in [*made, (element, positive)]:
                    mask = fresh.add_click(*click)
                value = (mask & truth).sum() / (mask | truth).sum()
                if value > best:
                    best, choice = value, (element, positive)
        if choice is None:
            break
        made.append(choice)
        reached.append(best)
    return reached + [reached[-1]] * (clicks - len(reached)), made


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("parameters", [ClickParameters(), ClickParameters(0.5, links=0, surround=8, passes=1)])
def test_greedy_equals_trying_everything(seed: int, parameters: ClickParameters) -> None:
    shape, z, truth = random_case(seed)
    session = EmbeddingClicks(shape, z, parameters)
    ious = simulate_clicks(session, truth, 4, None)
    expected, made = greedy_by_force(session, truth, 4)
    np.testing.assert_array_equal(ious, expected)
    assert [(click.element, click.positive) for click in session.clicks] == made
    assert ious[0] > 0 and len(made) >= 1
    assert ious[-1] == mask_iou(session.mask, truth)


@pytest.mark.parametrize("seed", range(12))
def test_tried_clicks_are_what_the_session_then_shows(seed: int) -> None:
    """After several clicks and a finished part, for every element and either sign, to the last bit."""
    shape, z, truth = random_case(seed, 90)
    parameters = ClickParameters(0.4, links=seed % 4, surround=10, share=0.5, passes=seed % 3)
    session = EmbeddingClicks(shape, z, parameters)
    session.add_click(int(np.flatnonzero(~truth)[0]))
    session.finish()
    rng = np.random.default_rng(seed)
    for positive in (True, False, True, True, False):
        session.add_click(int(rng.integers(90)), positive)
    found = session.try_clicks(np.arange(90), truth)
    signs = set()
    for element in range(90):
        for row, positive in enumerate((True, False)):
            assert found[row, element] == mask_iou(session.add_click(element, positive), truth)
            session.undo()
            signs.add((positive, found[row, element] != mask_iou(session.mask, truth)))
    assert len(session.parts) == 1 and (True, True) in signs


def test_other_sessions_are_clicked_and_undone() -> None:
    shape, z, truth = random_case(1)
    known, other = (EmbeddingClicks(shape, z, ClickParameters(0.5)) for _ in range(2))
    np.testing.assert_array_equal(simulate_clicks(known, truth, 4), simulate_clicks(Plain(other), truth, 4))
    assert known.clicks == other.clicks


def test_stops_when_nothing_helps() -> None:
    """A part that one click selects whole: no second click, and its IoU to the end."""
    xyz = np.random.default_rng(0).normal(size=(80, 3))
    truth = np.arange(80) < 30
    xyz[truth] += 20
    session = EmbeddingClicks(Shape.from_points(xyz), truth[:, None].astype(np.float32), ClickParameters(links=79))
    assert simulate_clicks(session, truth, 6).tolist() == [1.0] * 6
    assert [(click.element, click.positive) for click in session.clicks] == [(0, True)]
    assert simulate_clicks(session, truth, 2).tolist() == [1.0, 1.0] and len(session.clicks) == 1
    assert simulate_clicks(session, truth, 0).shape == (0,)


def test_ious_only_rise_and_a_small_draw_does_well() -> None:
    shape, z, truth = random_case(7, 400)
    whole = simulate_clicks(EmbeddingClicks(shape, z, ClickParameters(0.3)), truth, 8, None)
    some = EmbeddingClicks(shape, z, ClickParameters(0.3))
    drawn = simulate_clicks(some, truth, 8, 100)
    assert (np.diff(whole) >= 0).all() and (np.diff(drawn) >= 0).all()
    assert drawn[-1] > 0.9 * whole[-1]
    assert {click.element for click in some.clicks} <= set(candidate_elements(truth, 100).tolist())
    again = simulate_clicks(EmbeddingClicks(shape, z, ClickParameters(0.3)), truth, 8, 100)
    np.testing.assert_array_equal(again, drawn)


@pytest.mark.parametrize(("size", "count", "within"), [(3, 20, 3), (40, 20, 10), (40, 21, 11), (95, 20, 15)])
def test_half_of_the_candidates_are_of_the_part(size: int, count: int, within: int) -> None:
    truth = np.arange(100) < size
    drawn = candidate_elements(truth, count, 1)
    assert len(np.unique(drawn)) == len(drawn) == count and truth[drawn].sum() == within
    assert (np.diff(drawn) > 0).all()
    assert candidate_elements(truth, None).tolist() == candidate_elements(truth, 100).tolist() == list(range(100))


def test_fine_tunes_after_negative_clicks() -> None:
    shape, z, truth = random_case(2)
    steps = []

    def adapt(positives: np.ndarray, negatives: np.ndarray, count: int) -> np.ndarray:
        steps.append((len(negatives), count))
        return z

    session = EmbeddingClicks(shape, z, ClickParameters(1.0, links=0, passes=0), adapt=adapt)
    plain = EmbeddingClicks(shape, z, ClickParameters(1.0, links=0, passes=0))
    ious = simulate_clicks(session, truth, 6, fine_tune_steps=2)
    np.testing.assert_array_equal(ious, simulate_clicks(plain, truth, 6))
    negatives = sum(not click.positive for click in session.clicks)
    assert negatives > 0 and steps == [(i + 1, 2) for i in range(negatives)]


def test_bad_truth_is_refused() -> None:
    shape, z, truth = random_case(0)
    session = EmbeddingClicks(shape, z)
    for bad in (truth[:-1], np.zeros_like(truth)):
        with pytest.raises(PartsegError, match="a part of 70 elements"):
            simulate_clicks(session, bad)
    with pytest.raises(PartsegError, match="at least one candidate"):
        simulate_clicks(session, truth, candidates=0)
