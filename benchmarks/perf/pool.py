"""Exact face means against averaging random samples: time, and distance to a large-sample reference."""

from __future__ import annotations

import time

import numpy as np
import torch
from inputs import planes, torus
from table import Row, seconds

from partseg.ops.pool_faces import pool_faces

SPEED_TARGET = 200.0
SAMPLES = 1000
REFERENCE = 100_000


def monte_carlo(field: torch.Tensor, corners: torch.Tensor, samples: int, generator: torch.Generator) -> torch.Tensor:
    """Mean of `samples` uniform points a face, by grid_sample over about 10,000 points at a time."""
    means = []
    for part in corners.split(max(1, 10_000 // samples)):
        total, left = 0.0, samples
        while left:
            n = min(left, 10_000)
            draws = torch.rand(len(part), n, 2, generator=generator)
            root = draws[..., :1].sqrt()
            barycentric = torch.cat([1 - root, root * (1 - draws[..., 1:]), root * draws[..., 1:]], dim=-1)
            points = (barycentric @ part).reshape(-1, 3)
            value = 0.0
            for plane, axes in enumerate(([0, 1], [1, 2], [0, 2])):
                value = value + torch.nn.functional.grid_sample(
                    field[plane : plane + 1], points[None, None][..., axes], align_corners=True, padding_mode="border"
                )
            total = total + value[0, :, 0].reshape(field.shape[1], len(part), n).double().sum(dim=-1).T
            left -= n
        means.append(total / samples)
    return torch.cat(means)


def compare(n_faces: int, repeats: int, peer_faces: int) -> list[Row]:
    field = planes()
    vertices, faces = torus(n_faces)
    pool_faces(field, vertices, faces[:8])  # compiles
    ours = []
    for _ in range(repeats):
        start = time.perf_counter()
        exact = pool_faces(field, vertices, faces)
        ours.append(time.perf_counter() - start)

    generator = torch.Generator().manual_seed(0)
    as_tensor, corners = torch.from_numpy(field), torch.from_numpy(vertices[faces].astype(np.float32))
    chosen = torch.from_numpy(np.random.default_rng(0).permutation(len(faces))[:peer_faces].copy())
    monte_carlo(as_tensor, corners[chosen[:20]], SAMPLES, generator)
    start = time.perf_counter()
    sampled = monte_carlo(as_tensor, corners[chosen], SAMPLES, generator)
    measured = time.perf_counter() - start
    whole = measured * len(faces) / len(chosen)
    ratio = whole / np.median(ours)

    few = chosen[:10]
    reference = monte_carlo(as_tensor, corners[few], REFERENCE, generator)
    our_error = float((torch.from_numpy(exact)[few] - reference).square().mean().sqrt())
    peer_error = float((sampled[: len(few)] - reference).square().mean().sqrt())
    where = f"{len(faces):,} faces x {field.shape[1]}, planes {field.shape[2]} x {field.shape[3]}"
    scaled = "" if len(chosen) == len(faces) else f" (scaled from {seconds(measured)} for {len(chosen):,} faces)"
    return [
        Row(
            f"Face features (peer: mean of {SAMPLES} samples a face, torch grid_sample)",
            where,
            seconds(np.median(ours)),
            seconds(whole) + scaled,
            f"{ratio:.0f}x",
            f">= {SPEED_TARGET:.0f}x",
            bool(ratio >= SPEED_TARGET),
        ),
        Row(
            f"… root mean square distance to {REFERENCE:,} samples a face",
            f"{len(few)} of the faces",
            f"{our_error:.1e}",
            f"{peer_error:.1e}",
            f"{peer_error / our_error:.1f}x closer",
            "closer than the peer",
            our_error < peer_error,
        ),
    ]
