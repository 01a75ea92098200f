"""Matching of predicted with true parts against exhaustive search."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from partseg.metrics.functional.matching import mask_ious, match_pairs, match_parts

tables = st.tuples(st.integers(0, 5), st.integers(0, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.8, 1.0]))
)


def best_assignment(iou: np.ndarray) -> float:
    """Largest total over all ways to give every column a row of its own, or none."""
    p, t = iou.shape
    rows = [*range(p), *[-1] * t]
    return max(sum(iou[r, c] if r >= 0 else 0.0 for c, r in enumerate(way)) for way in set(permutations(rows, t)))


@given(tables)
def test_one_to_one_is_the_best_of_all_assignments(iou: np.ndarray) -> None:
    found = match_parts(iou, "one-to-one")
    assert found.iou.sum() == pytest.approx(best_assignment(iou), abs=1e-12)
    taken = found.pred[found.pred >= 0]
    assert len(set(taken.tolist())) == len(taken)
    for column, (value, row) in enumerate(zip(found.iou, found.pred, strict=True)):
        assert value == (iou[row, column] if row >= 0 else 0.0)


@given(tables)
def test_greedy_takes_the_best_row_and_the_first_of_equal_ones(iou: np.ndarray) -> None:
    found = match_parts(iou)
    for column in range(iou.shape[1]):
        values = iou[:, column].tolist()
        best = max(values, default=0.0)
        assert found.iou[column] == best
        assert found.pred[column] == (values.index(best) if best > 0 else -1)
    assert (match_parts(iou, "one-to-one").iou.sum() <= found.iou.sum() + 1e-12).all()


def test_many_predicted_parts_do_not_change_the_assignment() -> None:
    rng = np.random.default_rng(0)
    iou = rng.random((4000, 6))
    sparse = match_pairs(*np.nonzero(iou), iou.ravel(), 6, "one-to-one")
    top = iou[np.unique(np.argsort(-iou, axis=0)[:6])]
    assert sparse.iou.sum() == pytest.approx(match_parts(top, "one-to-one").iou.sum())
    order = rng.permutation(4000)
    assert match_parts(iou[order], "one-to-one").iou.sum() == pytest.approx(sparse.iou.sum())


def test_conventions_differ_where_one_part_covers_two() -> None:
    iou = np.array([[0.6, 0.4], [0.0, 0.1]])
    assert match_parts(iou).iou.tolist() == [0.6, 0.4]
    assert match_parts(iou, "one-to-one").iou.tolist() == [0.6, 0.1]


@given(st.integers(0, 4), st.lists(st.integers(-1, 3), max_size=12).map(lambda x: np.array(x, int)), st.data())
def test_mask_ious_equal_boolean_algebra(p: int, true: np.ndarray, data: st.DataObject) -> None:
    masks = data.draw(arrays(np.bool_, (p, len(true))))
    ids = sorted(set(true.tolist()) - {-1})
    expected = [[(m & (true == t)).sum() / max((m | (true == t)).sum(), 1) for t in ids] for m in masks]
    np.testing.assert_allclose(mask_ious(masks, true), np.array(expected).reshape(p, len(ids)), atol=1e-15)


def test_bad_tables_and_masks_are_refused() -> None:
    with pytest.raises(ValueError, match="greedy or one-to-one"):
        match_parts(np.zeros((1, 1)), "best")
    with pytest.raises(ValueError, match="NaN"):
        match_parts(np.full((1, 1), np.nan))
    with pytest.raises(ValueError, match=r"\(p, 3\) booleans"):
        mask_ious(np.zeros((2, 4), bool), np.zeros(3, int))
    with pytest.raises(ValueError, match="booleans"):
        mask_ious(np.zeros((2, 3), int), np.zeros(3, int))
    with pytest.raises(ValueError, match="integers"):
        mask_ious(np.zeros((2, 3), bool), np.zeros(3))
