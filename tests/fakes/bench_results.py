"""Result files as `partseg bench` writes them, made up: nothing was trained or predicted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

METRICS = ("miou", "miou-one-to-one")


def fake_result(
    method: str,
    quality: float,
    *,
    dataset: str = "procedural",
    protocol: str = "class-agnostic-auto",
    version: str = "1",
    seed: int = 0,
    config: str = "",
    shapes: int = 40,
    categories: Sequence[str] = ("assembled", "organic", "fused"),
    **changes: Any,
) -> dict[str, Any]:
    """A result with status "ok": scores of shapes around `quality`, hard shapes hard for every method."""
    key = hashlib.sha256(repr((method, config, dataset, protocol, version, seed)).encode()).hexdigest()
    hard = np.random.default_rng(7).normal(0, 0.12, shapes)
    own = np.random.default_rng([int(key[:8], 16)]).normal(0, 0.03, shapes)
    scores = np.clip(quality + hard + own, 0, 1)
    ids = [f"test/{i}" for i in range(shapes)]
    strict = scores * 0.9
    metrics = {
        name: {"value": float(x.mean()), "low": float(x.mean() - 0.03), "high": float(x.mean() + 0.03), "n": shapes}
        for name, x in zip(METRICS, (scores, strict))
    }
    result = {
        "schema": 1, "key": key, "status": "ok", "error": "", "trace": "",
        "cell": {
            "method": method, "label": method, "config": config, "weights": "", "dataset": dataset, "split": "test",
            "level": None, "limit": shapes, "options": {}, "protocol": protocol,
            "protocol_version": version, "seed": seed,
        },
        "metrics": metrics,
        "per_shape": {
            name: {"scores": {"miou": float(a), "miou-one-to-one": float(b)}} for name, a, b in zip(ids, scores, strict)
        },
        "categories": {name: categories[i % len(categories)] for i, name in enumerate(ids)},
        "coverage": {"expected": shapes, "scored": shapes, "missing": []},
        "published": [], "predictions": key[:32], "predictions_sha256": key, "truth_sha256": f"truth of {dataset}",
        "versions": {"partseg-core": "0.1.0"}, "commit": "0123456789abcdef0123456789abcdef01234567",
        "hardware": {"cpu": "A processor", "cores": 2, "gpu": None},
        "seconds": {"train": 123.0, "predict": 8.0, "score": 1.0, "total": 132.0},
        "latency_s": 0.21, "throughput": 4.7, "peak_memory_mb": 812.0, "parameters": 3_210_000,
        "selection": "last step", "created": "2026-11-20T10:00:00+00:00",
    }  # fmt: skip
    return result | changes


def failed_result(method: str, status: str, error: str, **changes: Any) -> dict[str, Any]:
    """The result of a cell that failed."""
    coverage = {"expected": 0, "scored": 0, "missing": []}
    empty = {"metrics": {}, "per_shape": {}, "categories": {}, "coverage": coverage, "truth_sha256": ""}
    none = {"latency_s": None, "throughput": None, "peak_memory_mb": None, "parameters": None}
    return fake_result(method, 0.0, **changes) | empty | none | {"status": status, "error": error}
