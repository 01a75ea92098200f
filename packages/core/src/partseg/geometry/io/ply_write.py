"""A coloured PLY of a segmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from partseg.files import write_aside
from partseg.geometry.io.assemble import UNPAINTED, far_offset
from partseg.geometry.shape import Shape


def write_ply(path: str | Path, shape: Shape, labels: Int[np.ndarray, " n"], colors: UInt8[np.ndarray, "k 3"]) -> None:
    """Binary little-endian PLY with a colour and an integer ``part`` for each face (point), in the order of elements.

    Coordinates are those of the shape's file: float, or double where float would lose precision.

    Args:
        path: file to write; replaced at once, or not at all.
        shape: any shape.
        labels: part of each element; -1 (and labels beyond ``colors``) are grey.
        colors: sRGB 0..255 of each part.

    Raises:
        InputError: the file cannot be written.
        ValueError: not one label for each element.
    """
    labels = np.asarray(labels)
    if labels.shape != (shape.n_elements,):
        raise ValueError(f"{shape.n_elements} elements but labels {labels.shape}")
    table = np.concatenate([np.asarray(colors, np.uint8).reshape(-1, 3), np.array([UNPAINTED], np.uint8)])
    painted = table[np.where((labels >= 0) & (labels < len(table) - 1), labels, -1)]
    positions = shape.transform.apply(shape.vertices if shape.is_mesh else shape.points)
    number = "float" if far_offset(positions) is None else "double"
    point = [("xyz", "<f4" if number == "float" else "<f8", 3)]
    paint = [("rgb", "u1", 3), ("part", "<i4")]
    vertices = np.zeros(len(positions), point if shape.is_mesh else point + paint)
    vertices["xyz"] = positions
    header = ["ply", "format binary_little_endian 1.0", "comment partseg", f"element vertex {len(vertices)}"]
    header += [f"property {number} {axis}" for axis in "xyz"]
    painted_header = [f"property uchar {c}" for c in ("red", "green", "blue")] + ["property int part"]
    rows = [vertices]
    if shape.is_mesh:
        faces = np.zeros(len(shape.faces), [("n", "u1"), ("corners", "<i4", 3), *paint])
        faces["n"], faces["corners"] = 3, shape.faces
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        rows.append(faces)
    rows[-1]["rgb"], rows[-1]["part"] = painted, labels
    text = "\n".join([*header, *painted_header, "end_header", ""])
    with write_aside(path) as aside, aside.open("wb") as file:
        file.write(text.encode("ascii"))
        file.writelines(memoryview(array).cast("B") for array in rows if len(array))
