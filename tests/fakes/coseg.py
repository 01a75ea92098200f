"""COSEG as its archives unpack: boxes with a class a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
TRIANGLES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def off(vertices: np.ndarray, faces: list[list[int]]) -> str:
    rows = [" ".join(map(str, v)) for v in vertices.tolist()] + [" ".join(map(str, [len(f), *f])) for f in faces]
    return f"OFF\n{len(vertices)} {len(faces)} 0\n" + "\n".join(rows) + "\n"


def write_coseg(root: Path, sets: dict[str, tuple[int, ...]] | None = None, shapes: int = 3) -> dict[str, np.ndarray]:
    """Sets of boxes, numbered from 1. Returns the number of each face, by name."""
    known = {}
    for s, (name, numbers) in enumerate((sets or {"Chair": (1, 2, 3), "Large-Vases": (1, 2, 3, 4)}).items()):
        (root / name / "shapes").mkdir(parents=True)
        (root / name / "gt").mkdir()
        for i in range(1, shapes + 1):
            rng = np.random.default_rng([s, i])
            vertices = CORNERS * rng.uniform(0.5, 2, 3)
            truth = rng.permutation(np.resize(numbers, len(TRIANGLES)))
            (root / name / "shapes" / f"{i}.off").write_text(off(vertices, TRIANGLES.tolist()))
            (root / name / "gt" / f"{i}.seg").write_text("".join(f"{x}\n" for x in truth))
            known[f"{name}/{i}"] = truth
    return known
