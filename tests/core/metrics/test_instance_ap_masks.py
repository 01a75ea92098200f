"""Mask tables of every input form against boolean rows and matrix products."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from partseg.metrics.functional.mask_table import MaskTable, mask_table, overlaps

rows = st.tuples(st.integers(0, 5), st.integers(0, 150)).flatmap(lambda shape: arrays(bool, shape))
pairs = st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 150)).flatmap(
    lambda s: st.tuples(arrays(bool, (s[0], s[2])), arrays(bool, (s[1], s[2])))
)


def forms(masks: np.ndarray) -> list[MaskTable]:
    """The same masks handed in each way that lets them overlap."""
    k, n = masks.shape
    mask, point = np.nonzero(masks)
    shuffled = np.random.default_rng(0).permutation(len(mask))
    starts = np.concatenate([[0], np.cumsum(masks.sum(1))])
    return [
        mask_table(masks),
        MaskTable.from_packed(np.packbits(masks, axis=1), n),
        MaskTable.from_packed(np.packbits(masks, axis=1, bitorder="little"), n, "little"),
        mask_table([np.flatnonzero(row) for row in masks], n),
        MaskTable.from_csr(starts, point, n),
        MaskTable.from_coo(mask[shuffled], point[shuffled], k, n),
    ]


def as_rows(table: MaskTable) -> np.ndarray:
    out = np.zeros((len(table), table.n), bool)
    starts, points = table.as_lists
    for i in range(len(table)):
        out[i, points[starts[i] : starts[i + 1]]] = True
    return out


@given(rows)
def test_every_form_holds_the_same_masks(masks: np.ndarray) -> None:
    for table in forms(masks):
        assert len(table) == len(masks) and table.n == masks.shape[1]
        np.testing.assert_array_equal(as_rows(table), masks)
        np.testing.assert_array_equal(table.sizes, masks.sum(1))
        np.testing.assert_array_equal(table.covered(), masks.any(0))


@given(pairs)
def test_overlaps_of_any_two_forms_are_the_product_of_the_rows(pair: tuple[np.ndarray, np.ndarray]) -> None:
    pred, true = pair
    expected = pred.astype(int) @ true.T.astype(int)
    for one in forms(pred)[::3]:
        for other in forms(true)[::3]:
            np.testing.assert_array_equal(overlaps(one, other), expected)


@given(pairs)
def test_classes_leave_pairs_of_one_class_alone(pair: tuple[np.ndarray, np.ndarray]) -> None:
    pred, true = pair
    pred_class, true_class = np.arange(len(pred)) % 2, np.arange(len(true)) % 3
    same = pred_class[:, None] == true_class
    table = overlaps(mask_table(pred), mask_table(true), pred_class, true_class)
    np.testing.assert_array_equal(table[same], (pred.astype(int) @ true.T.astype(int))[same])


@given(rows, st.integers(0, 1000))
def test_points_and_masks_are_left_out_alike_in_both_forms(masks: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, chosen = rng.random(masks.shape[1]) < 0.5, rng.random(len(masks)) < 0.5
    for table in forms(masks)[::3]:
        np.testing.assert_array_equal(as_rows(table.within(points)), masks & points)
        np.testing.assert_array_equal(as_rows(table.take(chosen)), masks[chosen])


def test_labels_are_disjoint_masks_and_labels_without_points_empty_ones() -> None:
    labels = np.array([2, 0, -1, 2, 2], np.int16)
    np.testing.assert_array_equal(as_rows(mask_table(labels)), [labels == 0, labels == 1, labels == 2])
    assert MaskTable.from_labels(labels, 4).sizes.tolist() == [1, 0, 3, 0]
    assert len(mask_table(np.full(3, -1))) == 0
    assert len(mask_table(np.zeros(0, int))) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mask_table(np.zeros((2, 3))), r"expected \(masks, points\) booleans, not float64 \(2, 3\)"),
        (lambda: mask_table(np.zeros((2, 3), bool), 4), "masks over 3 points, but the shape has 4"),
        (lambda: mask_table([np.array([0, 5])], 5), r"points 0\.\.5 of a shape of 5"),
        (lambda: mask_table([np.array([0, -1])], 5), r"points -1\.\.0 of a shape of 5"),
        (lambda: mask_table([np.array([1]), np.array([4, 2, 4])], 5), "mask 1 names point 4 twice"),
        (lambda: mask_table([np.array([0.5])], 5), "integer vectors"),
        (lambda: mask_table([np.array([0])]), "need the number of points"),
        (lambda: mask_table(np.array([0, 10**12])), r"labels 0\.\.1000000000000 of 2 points"),
        (lambda: mask_table(np.array([0, -2])), r"labels -2\.\.0"),
        (lambda: mask_table(np.array([0.0, 1.0])), "integer labels, not float64"),
        (lambda: MaskTable.from_csr(np.array([0, 2, 1]), np.array([0]), 3), "starts must rise"),
        (lambda: MaskTable.from_coo(np.array([0, 3]), np.array([0, 1]), 2, 3), r"masks 0\.\.3 of 2"),
        (lambda: MaskTable.from_packed(np.full((1, 1), 255, np.uint8), 5), "set beyond the 5 points"),
        (lambda: MaskTable.from_packed(np.zeros((1, 2), np.uint8), 5), r"expected \(masks, 1\) uint8"),
        (lambda: mask_table(np.zeros((1, 3), bool)).within(np.ones(2, bool)), r"expected \(3,\) booleans"),
        (lambda: overlaps(mask_table(np.zeros((1, 3), bool)), mask_table(np.zeros(4, int))), "over 3 points, true"),
    ],
)
def test_what_is_no_mask_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
