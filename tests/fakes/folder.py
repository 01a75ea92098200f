"""A folder of shapes with labels in every place where they are looked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

CUBE = (
    "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 0 0 1\nv 1 0 1\nv 1 1 1\nv 0 1 1\n"
    "f 1 4 3 2\nf 5 6 7 8\nf 1 2 6 5\nf 2 3 7 6\nf 3 4 8 7\nf 4 1 5 8\n"
)
TETRAHEDRON = "OFF\n4 4 6\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 1 2 3\n3 2 0 3\n"
CLOUD = "0 0 0\n1 0 0\n2 0 0\n3 0 0\n4 0 0\n"
QUADS = np.array([7, 7, -1, 0, 0, 3])
"""Labels of the cube's six squares: 0..2 once numbered without gaps are 2 2 -1 0 0 1."""


def write_folder(root: Path) -> None:
    """Shapes named for where their labels are; `plain` has none.

    Cubes have QUADS, clouds 0 0 1 1 -5, tetrahedra 0 1 2 3. In `train/box` lie cubes, in
    `train/thing` and `test/thing` the rest. Classes (`.semantic.npy`) are those of two cubes: 0 0 0 1 1 -1, named by
    `classes.txt`.
    """
    box, thing, test = root / "train" / "box", root / "train" / "thing", root / "test" / "thing"
    for where in (box, thing, test):
        where.mkdir(parents=True)
    for name in ("dot", "under", "seg", "plain"):
        (box / f"{name}.obj").write_text(CUBE)
    np.save(box / "dot.labels.npy", QUADS)
    np.save(box / "under_labels.npy", QUADS.astype(np.int8))
    (box / "seg.seg").write_text("\n".join(map(str, QUADS)))
    for name in ("dot", "plain"):
        np.save(box / f"{name}.semantic.npy", np.array([0, 0, 0, 1, 1, -1], np.int16))
    (root / "classes.txt").write_text("side\nlid\n")
    (thing / "dot.xyz").write_text(CLOUD)
    (thing / "dot.labels.txt").write_text("0\n0\n1\n1\n-5\n")
    (thing / "under.off").write_text(TETRAHEDRON)
    (thing / "under_labels.txt").write_text("0 1 2 3")
    (test / "segmented.off").write_text(TETRAHEDRON)
    (test / "segmented").mkdir()
    np.save(test / "segmented" / "labels.npy", np.arange(4))
    (root / ".hidden").mkdir()
    (root / ".hidden" / "lost.off").write_text(TETRAHEDRON)
    (root / "readme.txt").write_text("not a cloud")
