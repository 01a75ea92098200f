"""One PartNet shape with its truths, from each of the releases. Classes count from 0 within the category's level."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from partseg.data.formats import partnet_h5 as h5
from partseg.data.formats.base import dense
from partseg.data.formats.partnet_labels import LabelSet, level_labels
from partseg.data.formats.partnet_objects import load_cloud, load_pieces, unit
from partseg.data.formats.partnet_trees import MAX_DEPTH, RawTree, nodes_of, read_json, read_tree, tree_hierarchy
from partseg.errors import InputError, ShapeWarning
from partseg.geometry.shape import Shape
from partseg.parts.hierarchy import PartHierarchy

RAW, MERGED = "result.json", "result_after_merging.json"
LEAVES = "leaves"
_MEND = "download the file again"


@dataclass(eq=False)
class Truths:
    """A shape of n elements, level -> (n,) int64 instances, level -> (n,) int64 classes, and the tree."""

    shape: Shape
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    classes: dict[str, np.ndarray] = field(default_factory=dict)
    hierarchy: PartHierarchy | None = None


def load_object(folder: Path, label_set: LabelSet | None, mesh: bool) -> Truths:
    """An object of `data_v0`: its cloud or its mesh, the tree after merging, its levels and its leaves.

    An instance is a node of `result.json` whose merged path the level lists. Merged paths come from the merging map;
    without that file from `result_after_merging.json`, whose nodes say which node they were.
    """
    raw = read_tree(folder / RAW)
    merged = read_tree(folder / MERGED) if (folder / MERGED).is_file() else None
    shape, ids = load_pieces(folder / "objs", raw) if mesh else load_cloud(folder)
    tree = raw if merged is None else merged
    if merged is None:
        warnings.warn(f"{folder}: no {MERGED}; the tree is that of {RAW}", ShapeWarning, stacklevel=3)
    nodes = {} if label_set is None else label_set.nodes
    hierarchy = tree_hierarchy(tree, ids, None if merged is None else raw, [nodes.get(path, -1) for path in tree.paths])
    out = Truths(shape, hierarchy=hierarchy)
    if label_set is not None and (parts := _merged_paths(raw, merged, label_set)) is not None:
        _add_levels(out, raw, parts, nodes_of(raw, ids), label_set)
    out.labels[LEAVES] = dense(hierarchy.leaf_of)
    return out


def load_ins_seg(files: Sequence[Path], row: int, label_set: LabelSet | None, name: str) -> Truths:
    """A row of `ins_seg_h5` with its record in the JSON beside: cloud, normals, colours, all parts and their tree.

    Args:
        files: the h5 and the JSON.
        row: its number in both.
        label_set: levels are left out without it.
        name: annotation id that the record should have; empty: any.
    """
    path, beside = files
    points = h5.read_points(path, row)
    there, n = h5.names(path), len(points)
    normals = h5.read_points(path, row, "nor") if "nor" in there else None
    colors = h5.read_row(path, "rgb", row, 2, "u") if "rgb" in there else None
    for what, values in (("nor", normals), ("rgb", colors)):
        if values is not None and values.shape != (n, 3):
            raise InputError(path, f"expected `{what}` as ({n}, 3) at row {row}, found {values.shape}", _MEND)
    ids = h5.column(path, "label", row, n).astype(np.int64)
    shape = _cloud(path, row, points, normals, colors)
    record = _record(beside, row, name)
    tree, parts, leaf_node = _tree_of(beside, row, record)
    leaves = np.array([-1, *leaf_node], np.int64)
    at = np.array([-1, *leaf_node.values()], np.int64)
    order = np.argsort(leaves)
    place = order[np.minimum(np.searchsorted(leaves[order], ids), len(order) - 1)]
    nodes = np.where(leaves[place] == ids, at[place], -1)
    lost = ids[(nodes < 0) & (ids >= 0)]
    if len(lost) and parts[0] in [part["part_name"] for part in record["ins_seg"][:1]]:  # its root lists every leaf
        raise InputError(path, f"points of row {row} are labelled {int(lost[0])}, which no part of {beside.name} lists")
    known = {} if label_set is None else label_set.nodes
    out = Truths(shape, hierarchy=tree_hierarchy(tree, nodes, semantic_id=[known.get(x, -1) for x in parts]))
    if label_set is not None:
        _check_parts(beside, parts, known)
        _add_levels(out, tree, parts, nodes, label_set)
    out.labels[LEAVES] = dense(out.hierarchy.leaf_of)
    return out


def load_levels(files: Sequence[Path], row: int, label_set: LabelSet | None, release: str) -> Truths:
    """A row of a release with a file a level: instance masks, one-hot columns, or classes alone.

    The clouds of all levels must be the same; so they are, as they were cut from one file.
    """
    read = {"sem_seg_h5": _read_semantic, "ins_seg_h5_for_sgpn": _read_sgpn}.get(release, _read_masks)
    points, out = None, None
    for path in files:
        level = path.parent.name.rpartition("-")[2]
        names = None if label_set is None else label_set.levels.get(level)
        if label_set is not None and names is None:
            raise InputError(path, f"label outside the taxonomy: the category has no level {level}")
        found, instances, classes = read(path, row, names)
        if out is None:
            points, out = found, Truths(_cloud(path, row, found))
        elif not np.array_equal(points, found):
            raise InputError(path, f"expected the cloud of {files[0]} at row {row}, found another one", _MEND)
        if names is not None and classes is not None and (worst := int(classes.max(initial=-1))) >= len(names):
            cause = f"label outside the taxonomy: class {worst} at row {row}, level {level} has 0..{len(names) - 1}"
            raise InputError(path, cause, _MEND)
        if instances is not None:
            out.labels[level] = instances
        if classes is not None:
            out.classes[level] = classes
    return out


_Row = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]  # cloud, instances, classes


def _read_masks(path: Path, row: int, names: Sequence[str] | None) -> _Row:
    points = h5.read_points(path, row)
    return points, *(h5.read_masks(path, row, len(points)) or (None, None))


def _read_sgpn(path: Path, row: int, names: Sequence[str] | None) -> _Row:
    points = h5.read_points(path, row)
    return points, *h5.read_one_hot(path, row, len(points), None if names is None else len(names))


def _read_semantic(path: Path, row: int, names: Sequence[str] | None) -> _Row:
    """`data_num` is the number of points in use; `label_seg` counts from 1, 0 = unlabelled."""
    points = h5.read_points(path, row, "data")
    label = h5.column(path, "label_seg", row, len(points)).astype(np.int64)
    used = int(h5.read_row(path, "data_num", row, 0, "iu")) if "data_num" in h5.names(path) else len(points)
    if not 0 < used <= len(points):
        raise InputError(path, f"expected `data_num` in 1..{len(points)} at row {row}, found {used}", _MEND)
    if label.min() < 0:
        raise InputError(path, f"label outside the taxonomy: `label_seg` is {label.min()} at row {row}", _MEND)
    return points[:used], None, label[:used] - 1


def _cloud(
    path: Path,
    row: int,
    points: Float[np.ndarray, "n 3"],
    normals: Float[np.ndarray, "n 3"] | None = None,
    colors: np.ndarray | None = None,
) -> Shape:
    return Shape.from_points(
        points,
        normals=None if normals is None else unit(normals),
        colors=None if colors is None else colors.astype(np.float32) / 255,
        name=f"{path.stem}-{row}",
        source=path,
    )


def _merged_paths(raw: RawTree, merged: RawTree | None, label_set: LabelSet) -> list[str | None] | None:
    """Merged path of each raw node, None where it is dropped; None where nothing tells."""
    if label_set.mapping is not None:
        return [label_set.mapping.get(path) for path in raw.paths]
    if merged is None:
        return None
    _check_parts(merged.path, merged.paths, label_set.nodes)
    if len(unknown := merged.ori[raw.find(merged.ori) < 0]):
        raise InputError(merged.path, f"ori_id {int(unknown[0])} is no node of {raw.path.name}", "unpack it again")
    return [merged.paths[i] if i >= 0 else None for i in merged.find(raw.ori).tolist()]


def _check_parts(path: Path, parts: Sequence[str], known: Any) -> None:
    for part in parts:
        if part not in known:
            raise InputError(path, f"label {part!r} is outside the taxonomy of its category")


def _add_levels(
    out: Truths, tree: RawTree, parts: Sequence[str | None], nodes: Int[np.ndarray, "n"], label_set: LabelSet
) -> None:
    for level, names in label_set.levels.items():
        out.labels[level], out.classes[level] = level_labels(tree.path, tree.parent, parts, nodes, names)


def _record(path: Path, row: int, name: str) -> dict[str, Any]:
    """Record `row` of the JSON beside an h5 file."""
    try:
        about = os.stat(path)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}", "it comes with the h5 file") from None
    records = _records(path, about.st_mtime_ns, about.st_size)
    if not isinstance(records, list) or row >= len(records) or not isinstance(records[row], dict):
        found = f"{len(records)} records" if isinstance(records, list) else type(records).__name__
        raise InputError(path, f"expected a record for row {row}, found {found}", _MEND)
    record = records[row]
    if name and "anno_id" in record and str(record["anno_id"]) != name:
        found = str(record["anno_id"])[:20]
        raise InputError(path, f"expected annotation {name} at row {row} as in the split, found {found}", _MEND)
    return record


@lru_cache(maxsize=2)
def _records(path: Path, time: int, size: int) -> Any:
    """Parsed once for a file as it is now: one holds the records of a thousand rows."""
    return read_json(path)


def _tree_of(path: Path, row: int, record: dict[str, Any]) -> tuple[RawTree, list[str], dict[int, int]]:
    """The tree of a record's parts, their merged paths, and leaf id -> the lowest part that lists it.

    Parts stand depth first, each with all leaves below it: a part's parent is the nearest one before it that holds its
    leaves.
    """
    entries = record.get("ins_seg")
    if not isinstance(entries, list) or len(entries) > 10_000:
        raise InputError(path, f"expected a list `ins_seg` at row {row}, found {str(entries)[:40]!r}", _MEND)
    parent, parts, leaf_node, stack = [], [], {}, []
    sets: list[set[int]] = []
    for entry in entries:
        part, ids = (entry.get("part_name"), entry.get("leaf_id_list")) if isinstance(entry, dict) else (None, None)
        if not isinstance(part, str) or not isinstance(ids, list) or not all(type(x) is int for x in ids):
            raise InputError(path, f"expected `part_name` and `leaf_id_list` at row {row}, found {str(entry)[:40]!r}")
        own = set(ids)
        while stack and not _below(part, own, parts[stack[-1]], sets[stack[-1]]):
            stack.pop()
        here, above = len(parts), stack[-1] if stack else -1
        if len(stack) >= MAX_DEPTH:
            raise InputError(path, f"expected at most {MAX_DEPTH} generations at row {row}, found more", _MEND)
        for leaf in own:
            if leaf_node.get(leaf, above) != above:
                other = parts[leaf_node[leaf]]
                raise InputError(path, f"masks overlap at row {row}: {part!r} and {other!r} share leaf {leaf}", _MEND)
            leaf_node[leaf] = here
        stack.append(here)
        parent.append(above)
        parts.append(part)
        sets.append(own)
    if parent.count(-1) != 1 or "/" in parts[0]:  # PartNet lists the root; without it one of ours joins the parts
        parent = [-1, *(above + 1 for above in parent)]
        parts = [parts[0].split("/")[0] if parts else "shape", *parts]
        leaf_node = {leaf: node + 1 for leaf, node in leaf_node.items()}
    names = tuple(part.rpartition("/")[2] for part in parts)
    ids = np.arange(len(parts))
    tree = RawTree(path, ids, ids, np.array(parent, np.int64), names, names, ((),) * len(parts))
    return tree, parts, leaf_node


def _below(part: str, leaves: set[int], above: str, its: set[int]) -> bool:
    """Whether a part lies in an earlier one. Those without points are placed by their path alone."""
    return leaves <= its if leaves else part.startswith(f"{above}/")
