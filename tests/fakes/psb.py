"""A tiny Princeton Segmentation Benchmark: tetrahedra in both layouts, with labels and people's cuts."""

from __future__ import annotations

from pathlib import Path

TETRAHEDRON = "OFF\n4 4 6\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 1 2 3\n3 2 0 3\n"


def write_psb(root: Path) -> None:
    """Two categories by name: cups 21 and 22 (handle, cup; two people, 2 and 10) and airplane 61 (body, wing; one).

    Faces of 21: labels cup handle cup handle, person 2 cuts 0 1 2 1, person 10 leaves it whole. 22 has no label file.
    Faces of 61: body body wing and one without a label; person 0 cuts 5 5 0 0.
    """
    write_shape(root, "Cup", 21, "handle\n2 4 \ncup\n1 3\n", {10: "0\n0\n0\n0\n", 2: "0\n1\n2\n1\n"})
    write_shape(root, "Cup", 22, None, {0: "0\n0\n1\n1\n"})
    write_shape(root, "Airplane", 61, "wing\n3\nbody\n1 2\n", {0: "5\n5\n0\n0\n"})


def write_shape(root: Path, category: str, number: int, labels: str | None, people: dict[int, str]) -> None:
    """One tetrahedron with the given texts as its files."""
    folder = root / category
    (folder / f"{number}_seg").mkdir(parents=True)
    (folder / f"{number}.off").write_text(TETRAHEDRON)
    if labels is not None:
        (folder / f"{number}_labels.txt").write_text(labels)
    for person, text in people.items():
        (folder / f"{number}_seg" / f"{number}_{person}.seg").write_text(text)
