"""Cleaning of selections by nearest neighbours in space: strays taken out, gaps filled (iSeg3D, section 3.3)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

from partseg.ops._click_kernel import fill, reach

_ROWS = 65_536  # queries at a time, which bounds the memory of their answers


class MaskCleaner:
    """What does not depend on the selection, computed once: who is near whom.

    One cleaning then costs time in proportion to the selection, not to the shape.

    Args:
        positions: (n, 3) finite coordinates, one an element.
        links: nearest neighbours an element is linked with, for `connected`; 0 leaves every selection as it is.
        surround: nearest neighbours an element is compared with, for `filled`.
        share: of the `surround` neighbours more than this must be selected, in [0, 1).
        passes: how often `filled` goes over the shape; 0 leaves every selection as it is.

    An element is no neighbour of itself; a shape of n elements gives each of them n - 1 neighbours at most. Equally
    near neighbours come in no particular order.

    Raises:
        ValueError: a parameter out of its range, or coordinates that are not finite.
    """

    def __init__(
        self,
        positions: Float[np.ndarray, "n 3"],
        *,
        links: int = 3,
        surround: int = 32,
        share: float = 0.7,
        passes: int = 5,
    ) -> None:
        if links < 0 or surround < 1 or not 0 <= share < 1 or passes < 0:
            raise ValueError("expected links >= 0, surround >= 1, 0 <= share < 1, passes >= 0")
        self.links, self.passes = links, passes
        positions = np.asarray(positions, np.float64)
        near = nearest_others(positions, max(links, surround if passes else 0))
        # an edge joins an element with each of its nearest, whichever of the two the nearest is
        self.link_rows, self.link_items = _rows(near[:, :links], both_ways=True)
        # for each element those that count it among their own neighbours: a selection adds itself to their counts
        around = near[:, :surround] if passes else near[:, :0]
        self.near_rows, self.near_items = _rows(around, both_ways=False)
        k = around.shape[1]
        enough = np.flatnonzero(np.arange(1, k + 1) / max(k, 1) > share)
        self.need = int(enough[0]) + 1 if len(enough) else 0  # selected neighbours that make one selected; 0: never

    def connected(self, mask: Bool[np.ndarray, " n"], seeds: Int[np.ndarray, " s"]) -> Bool[np.ndarray, " n"]:
        """Outlier removal: the selected elements that a path of selected elements joins with a selected seed."""
        if not self.links:
            return mask.copy()
        return reach(mask, np.asarray(seeds, np.int64), self.link_rows, self.link_items)

    def filled(self, mask: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Segment smoothing: elements become selected of whose neighbours enough are; all of a pass at once."""
        return fill(mask, self.near_rows, self.near_items, self.need, self.passes)

    def clean(self, mask: Bool[np.ndarray, " n"], seeds: Int[np.ndarray, " s"]) -> Bool[np.ndarray, " n"]:
        """Outlier removal, then smoothing."""
        return self.filled(self.connected(mask, seeds))


def nearest_others(positions: Float[np.ndarray, "n 3"], k: int) -> Int[np.ndarray, "n j"]:
    """The k nearest other elements of each, nearest first, int32; j = min(k, n - 1).

    Elements in one place are neighbours of one another and never of themselves.

    Raises:
        ValueError: coordinates that are not finite.
    """
    n = len(positions)
    k = min(k, n - 1)
    out = np.empty((n, max(k, 0)), np.int32)
    if k < 1:
        return out
    tree = cKDTree(positions)
    for low in range(0, n, _ROWS):
        _, found = tree.query(positions[low : low + _ROWS], k=k + 1)
        own = found == np.arange(low, low + len(found))[:, None]
        own[~own.any(1), -1] = True  # so many in one place that the element itself was not among the answers
        out[low : low + len(found)] = found[~own].reshape(-1, k)
    return out


def _rows(neighbours: Int[np.ndarray, "n k"], both_ways: bool) -> tuple[Int[np.ndarray, "n1"], Int[np.ndarray, "m"]]:
    """Compressed rows: for each element those that have it as a neighbour, with `both_ways` its own neighbours too."""
    n, k = neighbours.shape
    item = np.repeat(np.arange(n, dtype=np.int32), k)
    row = np.ascontiguousarray(neighbours).ravel()
    if both_ways:
        row, item = np.concatenate([row, item]), np.concatenate([item, row])
    graph = coo_array((np.ones(len(row), np.int8), (row, item)), shape=(n, n)).tocsr()
    return graph.indptr.astype(np.int64), graph.indices.astype(np.int32)
