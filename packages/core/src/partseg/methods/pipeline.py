"""One file in, one folder of results out: what `partseg segment` does for each input."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from partseg.errors import PartsegError, ShapeWarning
from partseg.files import FULL_TREE, GLB, LABELS, PICTURE, TREE, check_free, write_folder
from partseg.methods.capabilities import Segmenter

if TYPE_CHECKING:
    from partseg.geometry.shape import Shape
    from partseg.parts.segmentation import Segmentation


@dataclass(frozen=True)
class Result:
    """What was done with one input.

    Args:
        source: the input file.
        folder: where the results are.
        files: names of the files written.
        parts: number of parts (of the finest level).
        elements: faces or points of the shape.
        seconds: wall time, reading and writing included.
        warnings: what had to be mended or ignored, one line each.
    """

    source: Path
    folder: Path
    files: tuple[str, ...]
    parts: int
    elements: int
    seconds: float
    warnings: tuple[str, ...] = ()


def segment_file(
    path: str | Path,
    folder: str | Path,
    method: Segmenter,
    *,
    parts: int | None = None,
    levels: Sequence[int] = (),
    tree: bool = False,
    overwrite: bool = False,
    picture: bool = True,
) -> Result:
    """Segment one shape file and write its results into a folder, all of them or none.

    Written are `parts.glb` (a named node a part, nested as the part tree), `labels.npy` (int64, one label a face or
    point in the order of the file, -1 for faces that gave no triangle), `tree.json` (PartNet-style) and `parts.png`;
    with levels also `labels_<k>.npy` for each, and with `tree` also `segmentation.npz`, from which any other number of
    parts can be cut without computing anything again: `Segmentation.load(...).at(12)`.

    Args:
        path: a mesh, point cloud or splat file.
        folder: the folder to make; an existing one is refused unless `overwrite`, which replaces our files in it and
            leaves all others.
        method: what segments.
        parts: number of parts; None lets the method choose. Ignored when `levels` are given.
        levels: numbers of parts of nested levels; `labels.npy` is the finest.
        tree: keep the whole merge tree.
        picture: write `parts.png`.

    Raises:
        InputError: the shape cannot be read, or the folder exists or cannot be written.
        PartsegError: the method has no tree to cut into levels, or refuses the shape.
    """
    from partseg.geometry.io import load_shape

    path, folder, start = Path(path), Path(folder), time.perf_counter()
    check_free(folder, overwrite)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        shape = load_shape(path)
        seg = segment_shape(shape, method, parts=parts, levels=levels)
        files = write_results(seg, folder, levels=levels, tree=tree, picture=picture)
    notes = tuple(dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, ShapeWarning)))
    return Result(path, folder, files, seg.n_parts, shape.n_elements, time.perf_counter() - start, notes)


def segment_shape(
    shape: Shape, method: Segmenter, *, parts: int | None = None, levels: Sequence[int] = ()
) -> Segmentation:
    """`method.segment`, with the nested cuts of several numbers of parts as levels of the result's hierarchy."""
    if not levels:
        return method.segment(shape, parts=parts)
    seg = method.segment(shape, parts=max(levels))
    if seg.tree is None:
        raise PartsegError(f"{shape.name}: this method builds no tree that could be cut into levels; use --parts")
    return seg.with_hierarchy(seg.tree.hierarchy(sorted(set(levels)), shape.name))


def write_results(
    seg: Segmentation,
    folder: str | Path,
    *,
    levels: Sequence[int] = (),
    tree: bool = False,
    picture: bool = True,
) -> tuple[str, ...]:
    """Write the results of one shape into a folder, all or none; returns their names.

    Files of ours that no longer belong into an existing folder are removed; see `write_folder`.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    with write_folder(folder, _ours) as aside:
        _write(seg, aside, levels, tree, picture)
        return tuple(sorted(file.name for file in aside.iterdir()))


def _write(seg: Segmentation, folder: Path, levels: Sequence[int], tree: bool, picture: bool) -> None:
    seg.save(folder / GLB)
    seg.save(folder / TREE)
    np.save(folder / LABELS, seg.shape.to_file(seg.labels))
    for k in sorted(set(levels)):
        np.save(folder / f"labels_{k}.npy", seg.shape.to_file(seg.tree.cut(k)))
    if tree:
        seg.save(folder / FULL_TREE)
    if picture:
        from partseg.parts.picture import part_picture

        rows = {f"{k} parts": seg.tree.cut(k) for k in sorted(set(levels))} if levels else seg.labels
        part_picture(seg.shape, rows, folder / PICTURE, title=seg.shape.name, hierarchy=seg.hierarchy)


def _ours(folder: Path) -> set[str]:
    return {GLB, LABELS, TREE, PICTURE, FULL_TREE} | {file.name for file in folder.glob("labels_[0-9]*.npy")}
