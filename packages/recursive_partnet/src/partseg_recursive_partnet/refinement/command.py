"""`partseg refine`: coarse clouds made better part by part, with a picture of before and after."""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from partseg.cli.arguments import number_of_parts
from partseg.cli.inputs import add_arguments, check_writable, on_device, plan, run_each
from partseg.cli.progress import status
from partseg.errors import InputError, PartsegError, ShapeWarning
from partseg_recursive_partnet.refinement.spec import SPEC

if TYPE_CHECKING:
    from partseg.geometry.shape import Shape
    from partseg.methods.capabilities import Refiner
    from partseg.parts.segmentation import Segmentation

    PartsOf = Callable[[Shape], Segmentation]

REFINED, PICTURE = "refined.ply", "refined.png"

_EPILOG = """\
For each input a folder <output>/<name>/ with
  refined.ply   the refined cloud, in the coordinates of the input; a colour and a number (part) a part
  refined.png   the parts before and after

The parts are found by another method (partfield where it is installed), or are yours: --labels. Meshes are sampled.

examples:
  partseg refine scan.ply                           refined/scan/
  partseg refine scans/ --parts 12 -o out           every shape in a folder, in twelve parts each
  partseg refine chair.ply --labels chair.npy       with parts that are known
  partseg refine chair.ply --segmenter recursive-partnet --segmenter-weights runs/chairs
"""


@dataclass(frozen=True)
class Refined:
    """What was done with one input: folder, number of parts, elements before and after, wall time, what was mended."""

    folder: Path
    parts: int
    before: int
    after: int
    seconds: float
    warnings: tuple[str, ...]


def main(argv: list[str]) -> int:
    """The command; returns 0, or 1 when an input failed."""
    arguments = _parser().parse_intermixed_args(argv)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    jobs = plan(arguments.inputs, arguments.output)
    check_writable(arguments.output)
    if arguments.labels is not None and len(jobs) > 1:
        raise InputError(arguments.labels, f"are the labels of one shape, not of {len(jobs)}", "refine one at a time")
    parts_of = _labels_of(arguments.labels) if arguments.labels is not None else _segmenting(arguments)
    with status(f"loading {SPEC.name}"):
        from partseg.methods.registry import load_method

        refiner = load_method(
            SPEC.name, arguments.weights, device=on_device(arguments.device), seed=arguments.seed
        )  # fmt: skip

    def work(source: Path, folder: Path) -> Refined:
        return refine_file(source, folder, refiner, parts_of, overwrite=arguments.overwrite)

    def describe(result: Refined) -> str:
        parts = f"{result.parts} part" + "s" * (result.parts != 1)
        points = f"{result.before:,} points became {result.after:,}"
        return f"{parts}, {points}, {result.seconds:.1f} s, {result.folder}"

    return run_each(jobs, work, "refining", describe)


def refine_file(path: Path, folder: Path, refiner: Refiner, parts_of: PartsOf, *, overwrite: bool = False) -> Refined:
    """Refine one file and write `refined.ply` and `refined.png` into a folder, both or neither.

    Args:
        path: a point cloud, or a mesh, which is sampled.
        folder: the folder to make; an existing one is refused unless `overwrite`.
        refiner: what refines.
        parts_of: gives the `Segmentation` of a `Shape`.

    Raises:
        InputError: the shape cannot be read, or the folder exists or cannot be written.
        PartsegError: whatever segmenter and refiner refuse.
    """
    from partseg.files import check_free, write_folder
    from partseg.geometry.io import load_shape
    from partseg.parts.picture import contact_sheet

    start = time.perf_counter()
    check_free(folder, overwrite)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        shape = load_shape(path)
        seg = parts_of(shape)
        refined = refiner.refine(shape, seg)
        with write_folder(folder) as aside:
            refined.save(aside / REFINED)
            contact_sheet([_cell("before", seg), _cell("after", refined)], 2, aside / PICTURE, cell=640)
    notes = tuple(dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, ShapeWarning)))
    sizes = (seg.n_parts, shape.n_elements, refined.shape.n_elements)
    return Refined(folder, *sizes, time.perf_counter() - start, notes)


def _cell(name: str, seg: Segmentation) -> tuple[Shape, None, str]:
    """A segmentation in the colours that its files have, so that a part keeps its own from picture to picture."""
    from partseg.parts.palette import assign_colors, element_colors
    from partseg.parts.picture import caption

    noun = "triangles" if seg.shape.is_mesh else "points"
    painted = element_colors(seg.labels, assign_colors(seg.n_parts)) / np.float32(255)
    return replace(seg.shape, colors=painted), None, caption(f"{name}, {seg.shape.n_elements:,} {noun}", seg.labels)


def _segmenting(arguments: argparse.Namespace) -> PartsOf:
    from partseg.cli.segment import default_method, load_segmenter

    name = arguments.segmenter or default_method()
    with status(f"loading {name}"):
        method = load_segmenter(name, arguments.segmenter_weights, arguments.device, arguments.seed)
    return lambda shape: method.segment(shape, parts=arguments.parts)


def _labels_of(path: Path) -> PartsOf:
    from partseg.parts.segmentation import Segmentation
    from partseg.parts.tree import renumber

    try:
        labels = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(path, f"cannot be read: {error}", "give an .npy file of one integer a point") from None
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(path, "holds no row of integers", "give an .npy file of one integer a point")

    def parts_of(shape: Shape) -> Segmentation:
        if len(labels) != shape.n_elements:
            raise PartsegError(f"{path} has {len(labels)} labels, the shape {shape.n_elements} points or triangles")
        return Segmentation(shape, renumber(labels))

    return parts_of


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="partseg refine",
        description="Make coarse point clouds (few, blurred or noisy points) better, part by part.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser, "refined")
    parser.add_argument("--weights", help="of the refiner: folder or .ckpt file (default: those that ship)")
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--labels", type=Path, help="parts that are known: an .npy file of one integer a point")
    parts.add_argument("--segmenter", help="method that finds the parts (default: partfield where installed)")
    parser.add_argument("--segmenter-weights", help="its weights (default: those that ship)")
    parser.add_argument("--parts", type=number_of_parts, metavar="N|auto", help="number of parts (default: auto)")
    return parser
