"""Random shapes for the instance average precisions: few points, few confidences, equals everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

Shape = dict[str, np.ndarray]
CLASSES = 3


def random_shape(rng: np.random.Generator) -> Shape:
    """Few points, overlapping masks, few values of confidence: equals everywhere."""
    n, k, g = int(rng.integers(1, 24)), int(rng.integers(0, 9)), int(rng.integers(0, 5))
    labels = rng.integers(-1, g, n)
    true = labels == np.arange(g)[:, None]
    pred = rng.random((k, n)) < rng.random((k, 1))
    if g and k:
        copies = rng.random(k) < 0.6
        pred[copies] = true[rng.integers(0, g, k)][copies] ^ (rng.random((int(copies.sum()), n)) < 0.15)
    return {
        "pred": pred,
        "pred_class": rng.integers(0, CLASSES, k),
        "confidence": rng.integers(0, 3, k) / 2,
        "true": true,
        "true_class": rng.integers(0, CLASSES, g),
    }


def partition(rng: np.random.Generator, number: int) -> tuple[Any, ...]:
    """Arguments of `fusion_records` on up to 80 points, with unlabelled ones on both sides."""
    n = int(rng.integers(1, 80))
    true = rng.integers(-1, 4, n)
    kinds, entropies = rng.integers(0, CLASSES, 4), np.array([0.2, 0.5, 0.9])
    pred = np.where(rng.random(n) < 0.8, true, rng.integers(-1, 4, n))
    guess = np.where(rng.random(n) < 0.7, kinds[pred], rng.integers(-1, CLASSES, n))
    return number, pred, guess, entropies[(pred + 1) % 3], true, np.where(true >= 0, kinds[true], -1)


def class_of_instances(instance: np.ndarray, semantic: np.ndarray) -> np.ndarray:
    return np.array([semantic[instance == i][0] for i in range(instance.max() + 1)], int)
