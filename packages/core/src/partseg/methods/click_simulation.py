"""A simulated annotator: knows the part that is wanted and clicks greedily (iSeg3D, section 4.1, Click Simulation)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from partseg.errors import PartsegError
from partseg.methods.capabilities import ClickSession
from partseg.methods.click_session import PartClicks


def simulate_clicks(
    session: ClickSession,
    truth_mask: Bool[np.ndarray, " n_elements"],
    clicks: int = 15,
    candidates: int | None = 1024,
    *,
    seed: int = 0,
    fine_tune_steps: int = 0,
) -> Float[np.ndarray, " clicks"]:
    """Click up to `clicks` times, always the one click that raises the IoU most; returns the IoU after each.

    Every candidate is tried with either sign, and its mask compared as the session would show it, outliers removed and
    gaps filled. Equally good clicks: a positive one, then the first element. The annotator stops when no click raises
    the IoU; the remaining values repeat the last. The paper leaves candidates, signs, ties and stopping open.

    A `PartClicks` session tries all candidates together (`try_clicks`); any other session is clicked and undone.

    Args:
        session: the clicks are made in it, on top of those it has; it holds them afterwards.
        truth_mask: the wanted part, at least one element.
        clicks: at most, >= 0.
        candidates: elements to try; a shape of no more elements is tried whole, as with None. Else as many are drawn
            once: half from the part (all of a smaller part), the rest from outside.
        seed: of that draw.
        fine_tune_steps: steps of the session's fine-tuning after each negative click (section 3.4); 0: none.

    Returns:
        (clicks,) float64, 0..1.

    Raises:
        PartsegError: an empty part, or one over another number of elements.
    """
    truth = np.asarray(truth_mask, bool)
    if truth.shape != session.mask.shape or not truth.any():
        raise PartsegError(f"expected a part of {session.mask.shape[0]} elements, not empty, got shape {truth.shape}")
    if candidates is not None and candidates < 1:
        raise PartsegError(f"expected at least one candidate, not {candidates}")
    pool = candidate_elements(truth, candidates, seed)
    ious = np.zeros(clicks)
    reached = mask_iou(session.mask, truth)
    for step in range(clicks):
        found = session.try_clicks(pool, truth) if isinstance(session, PartClicks) else _try(session, pool, truth)
        best = int(found.argmax())
        if found.ravel()[best] <= reached:
            ious[step:] = reached
            break
        positive = best < len(pool)
        session.add_click(int(pool[best % len(pool)]), positive)
        if fine_tune_steps and not positive:
            session.fine_tune(fine_tune_steps)
        ious[step] = reached = mask_iou(session.mask, truth)
    return ious


def candidate_elements(truth: Bool[np.ndarray, " n"], count: int | None, seed: int = 0) -> Int[np.ndarray, " m"]:
    """Elements for the annotator to try, rising: all, or `count` drawn half within the part and half outside."""
    n = len(truth)
    if count is None or count >= n:
        return np.arange(n)
    rng = np.random.default_rng(seed)
    within, outside = np.flatnonzero(truth), np.flatnonzero(~truth)
    half = min(len(within), max((count + 1) // 2, count - len(outside)))
    drawn = [rng.choice(within, half, replace=False), rng.choice(outside, count - half, replace=False)]
    return np.sort(np.concatenate(drawn))


def mask_iou(mask: Bool[np.ndarray, " n"], truth: Bool[np.ndarray, " n"]) -> float:
    """Intersection over union of two masks; 0 when both are empty."""
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 0.0


def _try(session: ClickSession, pool: Int[np.ndarray, " m"], truth: Bool[np.ndarray, " n"]) -> Float[np.ndarray, "2 m"]:
    """`PartClicks.try_clicks` for any session: each click is made and taken back."""
    found = np.zeros((2, len(pool)))
    for row, positive in enumerate((True, False)):
        for column, element in enumerate(pool):
            found[row, column] = mask_iou(session.add_click(int(element), positive), truth)
            session.undo()
    return found
