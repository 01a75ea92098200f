"""Compiled parts of `mask_cleaning` and `click_balls`, in one module as the second calls the first's."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def reach(mask, seeds, rows, items):  # pragma: no cover - compiled
    """The elements of the mask that links within it join with a seed in it."""
    out = np.zeros(len(mask), np.bool_)
    queue = np.empty(len(mask), np.int32)
    end = 0
    for seed in seeds:
        if mask[seed] and not out[seed]:
            out[seed] = True
            queue[end] = seed
            end += 1
    first = 0
    while first < end:
        for e in range(rows[queue[first]], rows[queue[first] + 1]):
            other = items[e]
            if mask[other] and not out[other]:
                out[other] = True
                queue[end] = other
                end += 1
        first += 1
    return out


@njit(cache=True)
def fill(mask, rows, items, need, passes):  # pragma: no cover - compiled
    """The mask after smoothing."""
    chosen = mask.astype(np.int32)
    queue = np.empty(len(mask), np.int32)
    end = 0
    for i in range(len(mask)):
        if mask[i]:
            queue[end] = i
            end += 1
    fill_queue(queue, end, chosen, 1, np.empty(len(mask), np.int32), rows, items, need, passes)
    return chosen == 1


@njit(cache=True)
def fill_queue(queue, end, chosen, mark, count, rows, items, need, passes):  # pragma: no cover - compiled
    """Smoothing of the selection `queue[:end]`, whose elements are the `chosen == mark`; both grow. Returns the end.

    Each element adds itself to the counts of those it surrounds. Counts never fall, so an element reaches `need` once;
    it is selected, and counts for others, from the next pass on.
    """
    if need < 1:
        return end
    count[:] = 0
    first = 0
    for _ in range(passes):
        last = end
        for place in range(first, last):
            for e in range(rows[queue[place]], rows[queue[place] + 1]):
                other = items[e]
                count[other] += 1
                if count[other] == need and chosen[other] != mark:
                    queue[end] = other
                    end += 1
        for place in range(last, end):
            chosen[queue[place]] = mark
        if end == last:
            break
        first = last
    return end


# Sums in any order, so that they run in vector registers; no value here is NaN or infinite.
@njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def square(features, a, b):  # pragma: no cover - compiled
    """Squared distance of two rows."""
    total = np.float32(0)
    for c in range(features.shape[1]):
        step = features[a, c] - features[b, c]
        total += step * step
    return total


@njit(cache=True)
def square_distances(features, element):  # pragma: no cover - compiled
    """Squared distances of all rows to one."""
    out = np.empty(len(features), np.float32)
    for i in range(len(features)):
        out[i] = square(features, i, element)
    return out


@njit(cache=True)
def inside(i, positive, candidate, radius, mask, squares, narrowed, features):  # pragma: no cover - compiled
    """Whether one click more would leave or bring element i into the selection before it is cleaned."""
    if positive:
        return mask[i] or square(features, i, candidate) < radius
    for t in range(len(narrowed)):  # noqa: SIM110 (compiled)
        if squares[t, i] < narrowed[t]:
            return True
    return False


@njit(cache=True)
def overlaps(
    features, positives, negatives, squares, radii, widest, candidates, mask, truth, taken, linked, link_rows,
    link_items, near_rows, near_items, need, passes,
):  # fmt: skip  # pragma: no cover - compiled
    """See `click_balls.overlaps_with_one_more`; `mask` is the selection so far, before it is cleaned."""
    n, m = len(features), len(candidates)
    overlap, selected = np.zeros((2, m), np.int64), np.zeros((2, m), np.int64)
    met, chosen = np.zeros(n, np.int32), np.zeros(n, np.int32)  # number of the trial in which it was met, selected
    queue, count = np.empty(n, np.int32), np.empty(n, np.int32)
    narrowed = radii.copy()
    trial, unchanged = 0, -1
    for sign in range(2):
        positive = sign == 0
        for a in range(m):
            trial += 1
            candidate, radius = candidates[a], widest
            if positive:
                for other in negatives:
                    radius = min(radius, square(features, other, candidate))
            else:
                same = True
                for t in range(len(radii)):
                    narrowed[t] = min(radii[t], squares[t, candidate])
                    same = same and narrowed[t] == radii[t]
                if same and unchanged >= 0:  # as another negative click that narrows nothing
                    overlap[1, a], selected[1, a] = overlap[1, unchanged], selected[1, unchanged]
                    continue
                if same:
                    unchanged = a
            end = 0
            if linked:
                for t in range(len(positives) + positive):
                    seed = positives[t] if t < len(positives) else candidate
                    if met[seed] != trial:
                        met[seed] = trial
                        if inside(seed, positive, candidate, radius, mask, squares, narrowed, features):
                            queue[end] = seed
                            end += 1
                first = 0
                while first < end:
                    for e in range(link_rows[queue[first]], link_rows[queue[first] + 1]):
                        other = link_items[e]
                        if met[other] != trial:
                            met[other] = trial
                            if inside(other, positive, candidate, radius, mask, squares, narrowed, features):
                                queue[end] = other
                                end += 1
                    first += 1
            else:
                for i in range(n):
                    if inside(i, positive, candidate, radius, mask, squares, narrowed, features):
                        queue[end] = i
                        end += 1
            for place in range(end):
                chosen[queue[place]] = trial
            end = fill_queue(queue, end, chosen, trial, count, near_rows, near_items, need, passes)
            for place in range(end):
                i = queue[place]
                if not taken[i]:
                    selected[sign, a] += 1
                    overlap[sign, a] += truth[i]
    return overlap, selected
