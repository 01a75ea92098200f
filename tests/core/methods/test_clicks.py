from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from partseg.errors import InputError, PartsegError
from partseg.geometry.shape import Shape
from partseg.methods.capabilities import ClickSession
from partseg.methods.click_records import Click, ClickParameters, feature_unit
from partseg.methods.clicks import EmbeddingClicks, start_clicks
from partseg.testing.contract import mesh_of_two_boxes

PAPER = ClickParameters()


def literal_mask(
    xyz: np.ndarray, z: np.ndarray, positives: list[int], negatives: list[int], p: ClickParameters = PAPER
) -> np.ndarray:
    """Equations 6 to 8, then algorithms 1 and 2, word by word in double precision."""
    n, apart = len(xyz), cdist(z, z)
    mask = np.zeros(n, bool)
    for t in positives:
        radius = min([p.radius, *(apart[t, i] for i in negatives)])
        mask |= apart[t] < radius
    space = cdist(xyz, xyz)
    np.fill_diagonal(space, np.inf)
    near = np.argsort(space, axis=1)[:, : n - 1]
    if p.links:
        edges = np.array([(i, j) for i in range(n) for j in near[i, : p.links] if mask[i] and mask[j]]).reshape(-1, 2)
        graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n, n))
        _, piece = connected_components(graph, directed=False)
        mask &= np.isin(piece, [piece[t] for t in positives if mask[t]])
    for _ in range(p.passes):
        mask = mask | np.array([len(b) > 0 and mask[b].sum() / len(b) > p.share for b in near[:, : p.surround]])
    return mask


def random_case(seed: int, n: int = 120, d: int = 5) -> tuple[Shape, np.ndarray]:
    """Three blobs in space with features that follow them, some points astray."""
    rng = np.random.default_rng(seed)
    blob = rng.integers(3, size=n)
    xyz = rng.normal(size=(n, 3)) * 0.5 + blob[:, None] * [1.5, 0, 0]
    told = np.where(rng.random(n) < 0.15, rng.integers(3, size=n), blob)
    z = rng.normal(size=(3, d))[told] * 0.5 + rng.normal(size=(n, d)) * 0.12
    return Shape.from_points(xyz), z.astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "parameters",
    [PAPER, ClickParameters(links=0), ClickParameters(passes=0), ClickParameters(0.6, surround=7, share=0.5, passes=2)],
)
def test_masks_follow_the_paper(seed: int, parameters: ClickParameters) -> None:
    shape, z = random_case(seed)
    session = EmbeddingClicks(shape, z, parameters)
    rng = np.random.default_rng(seed)
    clicks: dict[bool, list[int]] = {True: [], False: []}
    sizes = []
    for _ in range(9):
        element, positive = int(rng.integers(len(z))), bool(rng.random() < 0.6)
        clicks[positive].append(element)
        mask = session.add_click(element, positive)
        expected = literal_mask(shape.element_positions, z, clicks[True], clicks[False], parameters)
        np.testing.assert_array_equal(mask, expected)
        sizes.append(mask.sum())
    assert len(set(sizes)) > 3


def test_a_negative_click_takes_equal_features_out_in_any_width() -> None:
    """Strictness at equal distances: what equals the negative click is as far as it is, to the last bit."""
    rng = np.random.default_rng(0)
    for d in (1, 3, 8, 17, 64, 100):
        z = rng.normal(size=(40, d)).astype(np.float32) * 0.1 / np.sqrt(d)
        z[1::2] = z[7]
        shape = Shape.from_points(rng.normal(size=(40, 3)))
        session = EmbeddingClicks(shape, z, ClickParameters(1.0, links=0, passes=0))
        assert session.add_click(0).all()
        mask = session.add_click(7, positive=False)
        assert mask[0] and not mask[1::2].any()
        ious = session.try_clicks(np.arange(40), ~mask)
        assert ious[0, 7] == pytest.approx(0.0)  # a positive click there has radius 0


def test_strays_are_left_out_and_gaps_filled() -> None:
    """A row of points: equal features left and right of a gap that is none of the clicks' part."""
    xyz = np.zeros((60, 3))
    xyz[:, 0] = np.arange(60) + 0.01 * np.arange(60) ** 2
    z = np.zeros((60, 1), np.float32)
    z[20:40], z[5] = 1.0, 1.0
    session = EmbeddingClicks(Shape.from_points(xyz), z, ClickParameters(surround=6))
    assert np.flatnonzero(session.add_click(2)).tolist() == list(range(20))  # 5 is filled, 40…59 are not reached
    assert np.flatnonzero(session.add_click(50)).tolist() == [*range(20), *range(40, 60)]


def test_undo_and_redo_to_any_depth() -> None:
    shape, z = random_case(1)
    session = EmbeddingClicks(shape, z)
    assert isinstance(session, ClickSession)
    assert not session.mask.any() and not session.undo().any() and not session.redo().any()
    masks = [session.mask]
    for element, positive in ((0, True), (11, False), (12, True), (3, True), (99, False)):
        masks.append(session.add_click(element, positive))
    masks.append(session.add_clicks([40, 41, 42], positive=False))
    assert len(session.clicks) == 8 and session.clicks[-1] == Click(42, False)
    for expected in masks[-2::-1]:
        np.testing.assert_array_equal(session.undo(), expected)
    assert not session.mask.any() and session.clicks == ()
    for expected in masks[1:]:
        np.testing.assert_array_equal(session.redo(), expected)
    session.undo()
    session.add_click(7)
    after = session.mask
    np.testing.assert_array_equal(session.redo(), after)  # what was undone is forgotten
    assert session.add_clicks([]) is after


def test_the_mask_cannot_be_written() -> None:
    shape, z = random_case(1)
    session = EmbeddingClicks(shape, z)
    with pytest.raises(ValueError, match="read-only"):
        session.add_click(0)[0] = False


def test_parts_one_after_another_do_not_overlap() -> None:
    shape, z = random_case(2)
    session = EmbeddingClicks(shape, z, ClickParameters(2.0))
    session.start_part("seat")
    with pytest.raises(PartsegError, match="'seat' is empty"):
        session.finish()
    session.add_click(0)
    with pytest.raises(PartsegError, match="has clicks"):
        session.start_part("back")
    narrow = session.add_click(int(np.flatnonzero(session.mask)[-1]), positive=False)
    seat = session.finish()
    np.testing.assert_array_equal(seat, narrow)
    assert session.clicks == () and not session.mask.any() and session.name == "part_2"
    with pytest.raises(PartsegError, match="a name of its own"):
        session.start_part("seat")
    rest = session.add_click(0)
    assert rest.any() and not (rest & seat).any()
    session.finish()
    assert list(session.parts) == ["seat", "part_2"]
    seg = session.segmentation()
    assert seg.n_parts == 2 and seg.hierarchy.name[1:] == ("seat", "part_2")
    np.testing.assert_array_equal(seg.labels == 0, seat)
    np.testing.assert_array_equal(seg.labels == -1, ~(seat | rest))

    np.testing.assert_array_equal(session.undo(), rest)  # the second part is open again
    assert session.name == "part_2" and list(session.parts) == ["seat"]
    session.undo()
    np.testing.assert_array_equal(session.undo(), seat)
    assert session.name == "seat" and len(session.clicks) == 2 and session.parts == {}
    for _ in range(3):
        session.redo()
    assert list(session.parts) == ["seat", "part_2"] and not session.mask.any()


def test_a_session_survives_json() -> None:
    shape, z = random_case(3)
    session = EmbeddingClicks(shape, z, ClickParameters(0.5, scale="median"))
    session.start_part("lid")
    session.add_clicks([0, 1, 2])
    session.finish()
    session.add_click(60)
    session.add_click(61, positive=False)
    session.undo()
    text = json.dumps(session.snapshot())
    again = EmbeddingClicks.restore(json.loads(text), shape, z)
    assert json.dumps(again.snapshot()) == text and again.clicks == session.clicks and again.scale == session.scale
    for step in ("redo", "undo", "undo", "undo"):
        np.testing.assert_array_equal(getattr(again, step)(), getattr(session, step)())
    assert again.name == session.name == "lid"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "x"}, "no snapshot"),
        ({"version": 2}, "version 2"),
        ({"n_elements": 7}, "7 elements, the shape has 120"),
        ({"position": 9}, "position 9 of 2 steps"),
        ({"position": -1}, "position -1"),
        ({"parameters": {"radius": -1}}, "must be positive"),
        ({"parameters": {"links": 2.5}}, "whole numbers"),
        ({"parameters": {"alpha": 1}}, "alpha"),
        ({"steps": [{"clicks": [[120, True]]}]}, "no click: 120"),
        ({"steps": [{"clicks": [[1]]}]}, "ValueError"),
        ({"steps": [{}]}, "KeyError"),
        ({"steps": [3]}, "TypeError"),
        ({"steps": [{"finish": "a", "runs": [100, 19]}], "position": 1}, "not one of 120 elements"),
        ({"steps": [{"finish": "", "runs": [120]}], "position": 1}, "no name"),
        ({"steps": [{"finish": "a", "runs": [0, 120]}] * 2}, "two parts"),
        ({"steps": [{"finish": "a", "runs": [0, 120]}, {"finish": "b", "runs": [119, 1]}]}, "overlap"),
    ],
)
def test_what_is_no_snapshot_is_refused(change: dict, message: str) -> None:
    shape, z = random_case(3)
    session = EmbeddingClicks(shape, z)
    session.add_click(1)
    session.finish()
    with pytest.raises(InputError, match=message):
        EmbeddingClicks.restore(session.snapshot() | change, shape, z)
    with pytest.raises(InputError, match="no snapshot"):
        EmbeddingClicks.restore([], shape, z)  # type: ignore[arg-type]


def test_bad_clicks_and_features_are_refused() -> None:
    shape, z = random_case(0)
    session = EmbeddingClicks(shape, z)
    for element, message in ((120, "no element 120"), (-1, "no element -1"), (1.5, "not the number")):
        with pytest.raises(PartsegError, match=message):
            session.add_click(element)  # type: ignore[arg-type]
    assert session.clicks == ()
    wrong = z.copy()
    wrong[3, 1] = np.nan
    for bad, message in ((z[:-1], "120 elements"), (z[:, :0], "features of shape"), (wrong, "NaN")):
        with pytest.raises(InputError, match=message):
            EmbeddingClicks(shape, bad)
    with pytest.raises(InputError, match="float32"):
        EmbeddingClicks(shape, z.astype(np.float64) * 1e300)
    for change in ({"radius": 0}, {"scale": 0.0}, {"scale": "mean"}, {"share": 1.0}, {"surround": 0}, {"passes": -1}):
        with pytest.raises(ValueError, match=r"positive|expected"):
            ClickParameters(**change)


def test_smallest_shapes() -> None:
    for n in (1, 2, 3):
        shape = Shape.from_points(np.arange(3.0 * n).reshape(n, 3))
        z = np.arange(float(n), dtype=np.float32)[:, None]
        session = EmbeddingClicks(shape, z)
        assert (
            np.flatnonzero(session.add_click(0)).tolist() == [[0], [0, 1], [0]][n - 1]
        )  # the other of two surrounds it
        session = EmbeddingClicks(shape, z, ClickParameters(passes=0))
        assert np.flatnonzero(session.add_click(0)).tolist() == [0]
        assert not session.add_click(0, positive=False).any()  # radius 0
    same = Shape.from_points(np.zeros((200, 3)))
    assert EmbeddingClicks(same, np.zeros((200, 2), np.float32), ClickParameters(scale="median")).add_click(3)[3]


def test_the_unit_of_features_can_be_measured() -> None:
    shape, z = random_case(4)
    apart = cdist(z, z)[np.triu_indices(len(z), 1)]
    assert feature_unit(z) == pytest.approx(np.median(apart) / 0.75, rel=0.05)
    measured = ClickParameters(scale="median")
    first, second = EmbeddingClicks(shape, z, measured), EmbeddingClicks(shape, z * 64, measured)
    plain, by_hand = EmbeddingClicks(shape, z), EmbeddingClicks(shape, z * 64, ClickParameters(scale=64))
    for element in (5, 50, 100):
        np.testing.assert_array_equal(first.add_click(element), second.add_click(element))
        np.testing.assert_array_equal(plain.add_click(element), by_hand.add_click(element))


def test_fine_tuning_brings_new_features() -> None:
    shape, z = random_case(4)
    calls = []

    def adapt(positives: np.ndarray, negatives: np.ndarray, steps: int) -> np.ndarray:
        calls.append((positives.tolist(), negatives.tolist(), steps))
        return z * 100

    session = EmbeddingClicks(shape, z, ClickParameters(1.0), adapt=adapt)
    before = session.add_click(4)
    session.add_clicks([8, 9], positive=False)
    session.fine_tune(3)
    assert calls == [([4], [8, 9], 3)]
    assert before.sum() > 9 and np.flatnonzero(session.mask).tolist() == [4]
    plain = EmbeddingClicks(shape, z, ClickParameters(1.0))
    plain.add_click(4)
    plain.fine_tune()
    np.testing.assert_array_equal(plain.mask, before)
    with pytest.raises(InputError, match="features of shape"):
        EmbeddingClicks(shape, z, adapt=lambda *_: z[:5]).fine_tune()


class _Positions:
    name = "positions"

    def embed(self, shape: Shape) -> np.ndarray:
        return shape.element_positions.astype(np.float32)


class _Starts(_Positions):
    def start(self, shape: Shape) -> EmbeddingClicks:
        return EmbeddingClicks(shape, self.embed(shape), ClickParameters(0.1, passes=0))


def test_any_embedder_takes_clicks() -> None:
    """Faces of a mesh are near by their centroids: one click takes the box it is on, not the other."""
    shape = mesh_of_two_boxes()
    session = start_clicks(_Positions(), shape)
    assert isinstance(session, EmbeddingClicks) and session.parameters.scale == "median"
    wide = start_clicks(_Positions(), shape, ClickParameters(1.5, links=0, passes=0))
    assert np.flatnonzero(wide.add_click(0)).tolist() == list(range(12))
    assert np.flatnonzero(start_clicks(_Starts(), shape).add_click(3)).tolist() == [3]
    with pytest.raises(PartsegError, match="takes no parameters"):
        start_clicks(_Starts(), shape, PAPER)
    with pytest.raises(PartsegError, match="'list' gives no features"):
        start_clicks([], shape)
