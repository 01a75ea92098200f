"""Selections by balls around clicks in feature space, and what one click more would select; compiled."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from partseg.ops import _click_kernel as kernel
from partseg.ops.mask_cleaning import MaskCleaner


def square_distances(features: Float[np.ndarray, "n d"], element: int) -> Float[np.ndarray, " n"]:
    """Squared distance of every row to one of them, float32; exactly 0 to an equal row, and equal rows equally far."""
    return kernel.square_distances(features, element)


def overlaps_with_one_more(
    features: Float[np.ndarray, "n d"],
    positives: Int[np.ndarray, " p"],
    negatives: Int[np.ndarray, " q"],
    squares: Float[np.ndarray, "p n"],
    radii: Float[np.ndarray, " p"],
    widest: float,
    candidates: Int[np.ndarray, " m"],
    truth: Bool[np.ndarray, " n"],
    taken: Bool[np.ndarray, " n"],
    cleaner: MaskCleaner,
) -> tuple[Int[np.ndarray, "2 m"], Int[np.ndarray, "2 m"]]:
    """Overlap with the truth after one more click, for each candidate as a positive and as a negative click.

    Every candidate's selection is cleaned as a session cleans it. No selection is written out: each grows along the
    links from the clicks, measuring the distances it meets.

    Args:
        features: float32, contiguous.
        positives, negatives: elements clicked so far.
        squares: squared distances of all elements to each positive, float32, as `square_distances` gives them.
        radii: squared radius of each positive; an element is inside when strictly nearer.
        widest: squared radius of a positive click that no negative narrows.
        candidates: elements to try.
        truth: the part that is wanted. taken: elements that cannot be selected any more.

    Returns:
        (overlap, selected): int64 counts of elements in selection and truth, and in the selection, without those
        `taken`; row 0 for positive clicks, row 1 for negative ones.
    """
    mask = (squares < radii[:, None]).any(0)
    return kernel.overlaps(
        features, positives, negatives, squares, radii, np.float32(widest), candidates, mask, truth, taken,
        cleaner.links > 0, cleaner.link_rows, cleaner.link_items,
        cleaner.near_rows, cleaner.near_items, cleaner.need, cleaner.passes,
    )  # fmt: skip
