"""`partseg segment`: parts of shapes, for files, folders and patterns."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from partseg.cli.arguments import number_of_parts, positive
from partseg.cli.inputs import add_arguments, check_writable, on_device, plan, run_each
from partseg.cli.progress import status
from partseg.errors import PartsegError, UnknownNameError
from partseg.methods.registry import PUBLISHED, list_methods, load_method

if TYPE_CHECKING:
    from partseg.methods.capabilities import Segmenter
    from partseg.methods.pipeline import Result

_EPILOG = """\
For each input a folder <output>/<name>/ with
  parts.glb    one named node a part, nested as the part tree, with the input's coordinates and materials
  labels.npy   one label a face (or point), in the order of the input file
  tree.json    the part tree
  parts.png    pictures of it

examples:
  partseg segment robot.glb                    parts/robot/, as many parts as the method thinks right
  partseg segment chair.obj --parts 8          eight parts
  partseg segment chair.obj --levels 3,8,20    three nested levels in one tree
  partseg segment scans/ -o out --parts 12     every shape in a folder
  partseg segment *.ply -o out --tree          keep the whole tree: any other number of parts later, at no cost
"""


def main(argv: list[str]) -> int:
    """The command; returns 0, or 1 when an input failed."""
    arguments = _parser().parse_intermixed_args(argv)  # inputs may stand on both sides of options
    # Threads that spin while they wait make a small network ten times slower where cores are shared; read by OpenMP
    # when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    jobs = plan(arguments.inputs, arguments.output)
    check_writable(arguments.output)
    name = arguments.method or default_method()
    with status(f"loading {name}"):
        method = load_segmenter(name, arguments.weights, arguments.device, arguments.seed)
        from partseg.methods.pipeline import segment_file

    def work(source: Path, folder: Path) -> Result:
        return segment_file(
            source,
            folder,
            method,
            parts=arguments.parts,
            levels=arguments.levels,
            tree=arguments.tree,
            overwrite=arguments.overwrite,
        )

    def describe(result: Result) -> str:
        parts = f"{result.parts} part" + "s" * (result.parts != 1)
        return f"{parts}, {result.seconds:.1f} s, {result.folder}"

    return run_each(jobs, work, "segmenting", describe)


def default_method() -> str:
    """The method that `segment` uses when none is named: PartField where it is installed, else the first that can.

    Raises:
        UnknownNameError: no installed method segments.
    """
    able = [spec for spec in list_methods() if "segmenter" in spec.capabilities]
    if not able:
        raise UnknownNameError(f"no method is installed that segments; pip install {next(iter(PUBLISHED.values()))}")
    ready = [spec.name for spec in able if spec.default_weights or not spec.trainable]
    return next((name for name in PUBLISHED if name in ready), (ready or [able[0].name])[0])


def load_segmenter(name: str, weights: str | None, device: str, seed: int) -> Segmenter:
    """A method that segments, on a device; "auto" is a GPU where there is one.

    Raises:
        PartsegError: see `load_method`; or it does not segment.
    """
    from partseg.methods.capabilities import Segmenter

    method = load_method(name, weights, device=on_device(device), seed=seed)
    if not isinstance(method, Segmenter):
        raise PartsegError(f"method {name!r} does not segment shapes; see `partseg methods {name}`")
    return method


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="partseg segment",
        description="Segment meshes, point clouds and Gaussian splats into parts.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser, "parts")
    count = parser.add_mutually_exclusive_group()
    count.add_argument("--parts", type=number_of_parts, metavar="N|auto", help="number of parts (default: auto)")
    count.add_argument("--levels", type=_levels, default=(), metavar="3,8,20", help="nested levels, by number of parts")
    parser.add_argument("--tree", action="store_true", help="also write segmentation.npz with the whole merge tree")
    parser.add_argument("--method", help="an installed method, or module:object (default: partfield where installed)")
    parser.add_argument("--weights", help="shipped name, folder, .ckpt file or hub id (default: those that ship)")
    return parser


def _levels(text: str) -> tuple[int, ...]:
    return tuple(sorted({positive(item) for item in text.split(",")}))
