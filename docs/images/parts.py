"""Draw docs/images/parts.png: procedural shapes of the test split, segmented with the shipped weights at three cuts.

python docs/images/parts.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import partseg
from partseg.data.procedural import generate
from partseg.parts.picture import contact_sheet

FAMILIES = ("human", "hand", "quadruped", "airplane", "chair", "teapot", "bicycle", "insect")
SEED = 2  # of shapes that training never saw


def main(weights: str | None = None) -> None:
    method = partseg.load_method("partfield", weights)
    shapes, trees = [], []
    for i, family in enumerate(FAMILIES):
        made = generate(SEED, 100 + i, family, fused=family == "chair")
        shapes.append(partseg.Shape.from_mesh(made.vertices, made.faces, name=family))
        trees.append(method.segment(shapes[-1]).tree)
    cells = []
    for parts in (4, 8, None):
        for shape, tree in zip(shapes, trees, strict=True):
            k = tree.auto_parts() if parts is None else parts
            cells.append((shape, tree.cut(k), f"{k} parts" + (" (auto)" if parts is None else "")))
    contact_sheet(cells, len(FAMILIES), Path(__file__).with_suffix(".png"), cell=180)


if __name__ == "__main__":
    main(*sys.argv[1:])
