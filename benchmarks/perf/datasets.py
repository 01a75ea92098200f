"""Datasets on disk: the first epoch reads files and fills the cache, the later ones read the cache."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
from table import Row
from trimesh.remesh import subdivide

from partseg.data.modules import Folder
from partseg.data.procedural import generate
from partseg.geometry.shape import Shape

RATIO_TARGET = 10.0
RATE_TARGET = 2000.0  # shapes a second
GROWTH_TARGET = 0.05
WORKERS = 2
POINTS = 10_000
FACES = 8_000
BATCH = 32


def cached(shapes: int, epochs: int) -> list[Row]:
    """A folder of OBJ meshes with labels: epochs without a cache, and epochs from it, in one run.

    Args:
        shapes: how many are written, read and cached.
        epochs: from the cache, after one that fills it; at least 2.
    """
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "shapes"
        _write(root, shapes)
        raw, _ = _epochs(root, None, 1)
        warm, held = _epochs(root, Path(scratch) / "cache", epochs)
    rate, growth = float(np.median(warm)), held[-1] / held[0] - 1
    what = (
        f"{shapes:,} meshes of {FACES:,} faces and more, {POINTS:,} points x (position, normal, label), batches of "
        f"{BATCH}, {WORKERS} workers"
    )
    return [
        Row(
            "Epoch from the cache (peer: from the OBJ files)", what, f"{rate:.0f} shapes/s", f"{raw[0]:.0f} shapes/s",
            f"{rate / raw[0]:.1f}x", f">= {RATIO_TARGET:.0f}x", rate / raw[0] >= RATIO_TARGET,
        ),
        Row(
            "… rate alone", what, f"{rate:.0f} shapes/s", "", "", f">= {RATE_TARGET:.0f} shapes/s",
            rate >= RATE_TARGET,
        ),
        Row(
            f"… memory of all processes over {epochs} epochs",
            f"held after each: {', '.join(f'{m / 2**20:.0f}' for m in held)} MB",
            f"{growth:+.1%}", "", "", f"within {GROWTH_TARGET:.0%}", abs(growth) <= GROWTH_TARGET,
        ),
    ]  # fmt: skip


def _write(root: Path, shapes: int) -> None:
    """Assembled shapes as OBJ with a label a face, as `partseg.data.formats.folder` reads them.

    Their triangles are divided until there are as many as meshes of the benchmarks have.
    """
    root.mkdir()
    for i in range(shapes):
        made = generate(0, i)
        vertices, faces, label = made.vertices, made.faces, made.labels("fine")
        while len(faces) < FACES:
            vertices, faces = subdivide(vertices, faces)  # each into the next four
            label = np.repeat(label, 4)
        shape = Shape.from_mesh(vertices, faces)
        lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in shape.vertices.tolist()]
        lines += [f"f {a} {b} {c}" for a, b, c in (shape.faces + 1).tolist()]
        (root / f"{i:05d}.obj").write_text("\n".join(lines))
        np.save(root / f"{i:05d}.labels.npy", label)


def _epochs(root: Path, cache: Path | None, epochs: int) -> tuple[list[float], list[int]]:
    """(shapes a second, bytes held by this process and its workers) of each epoch after one that starts the workers."""
    data = Folder(
        str(root), points=POINTS, cache=None if cache is None else str(cache), batch_size=BATCH, workers=WORKERS
    )
    loader = data.predict_dataloader()
    rates, held = [], []
    for _ in range(epochs + 1):
        start = time.perf_counter()
        read = sum(batch.n_shapes for batch in loader)
        rates.append(read / (time.perf_counter() - start))
        held.append(sum(_held(pid) for pid in [os.getpid(), *(w.pid for w in loader._iterator._workers)]))
    return rates[1:], held[1:]


def _held(pid: int) -> int:
    """Bytes that a process alone holds, and its part of shared memory (Linux). Files mapped from disk do not count: the
    system keeps their pages as long as nobody else wants the room."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return sum(int(lines[key].split()[0]) * 1024 for key in ("Anonymous", "Pss_Shmem"))
