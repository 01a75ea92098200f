"""Inputs of the speed measurements: a bumpy noisy torus and smooth features on it, made from seeds."""

from __future__ import annotations

import numpy as np

CHANNELS = 448


def torus(n_faces: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(vertices float64 within [-0.9, 0.9], faces int32), about `n_faces` of them, closed and connected."""
    columns = round(n_faces**0.5)
    rows = max(3, n_faces // 2 // columns)
    u, v = np.meshgrid(np.arange(columns) / columns, np.arange(rows) / rows, indexing="ij")
    u, v = 2 * np.pi * u, 2 * np.pi * v
    tube = 0.3 * (1 + 0.2 * np.sin(5 * u) * np.cos(4 * v))
    ring = 0.6 + tube * np.cos(v)
    vertices = np.stack([ring * np.cos(u), ring * np.sin(u), tube * np.sin(v)], axis=-1).reshape(-1, 3)
    vertices += np.random.default_rng(seed).normal(size=vertices.shape) * 0.15 * 2 * np.pi * 0.6 / columns
    a = np.arange(columns)[:, None] * rows + np.arange(rows)
    b, d = np.roll(a, -1, axis=0), np.roll(a, -1, axis=1)
    c = np.roll(b, -1, axis=1)
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return vertices * (0.9 / np.abs(vertices).max()), faces.astype(np.int32)


def fourier_features(vertices: np.ndarray, faces: np.ndarray, seed: int = 1) -> np.ndarray:
    """(f, 448) float32 of unit length: three octaves of random cosines at face centroids, halved per octave."""
    rng = np.random.default_rng(seed)
    octave = np.sort(np.arange(CHANNELS) % 3)
    frequency = rng.normal(size=(3, CHANNELS)) * 2 * 2.0**octave
    phase = rng.uniform(0, 2 * np.pi, CHANNELS)
    features = np.empty((len(faces), CHANNELS), np.float32)
    for low in range(0, len(faces), 20_000):  # in chunks: the memory measurement must not see temporaries
        part = np.cos(vertices[faces[low : low + 20_000]].mean(axis=1) @ frequency + phase) * 0.5**octave
        features[low : low + 20_000] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return features


def planes(size: int = 128, seed: int = 2) -> np.ndarray:
    """(3, 448, size, size) float32 noise: the hardest field for a sampler, as neighbouring texels are unrelated."""
    return np.random.default_rng(seed).standard_normal((3, CHANNELS, size, size), np.float32)
