"""One object of PartNet-Mobility: its pieces, PartNet's part of each, and the link that moves it.

Xiang et al., "SAPIEN", CVPR 2020. `textured_objs/*.obj` are the pieces, in one frame (y up), `result.json` is PartNet's
tree over them. `mobility.urdf` gives each link `<visual>`s called `<part>-<leaf id>`; where it is missing,
`mobility_v2.json` lists the parts of each link. `semantics.txt` has a line `<link> <joint> <name>` for each link.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import dense
from partseg.data.formats.kinematics import read_xml
from partseg.data.formats.partnet_objects import load_pieces
from partseg.data.formats.partnet_trees import RawTree, nodes_of, read_json, read_tree, tree_hierarchy
from partseg.errors import InputError, ShapeWarning
from partseg.geometry.shape import Shape
from partseg.parts.hierarchy import PartHierarchy

TREE, URDF, MOBILITY, SEMANTICS, META, PIECES = (
    "result.json", "mobility.urdf", "mobility_v2.json", "semantics.txt", "meta.json", "textured_objs",
)  # fmt: skip
_MEND = "unpack the object again"
_MAX_TEXT = 1 << 22


@dataclass(frozen=True, eq=False)
class MobilityObject:
    """One object; f faces.

    Attributes:
        shape: the union of the pieces that the leaves name, leaf by leaf, in the frame of the pieces.
        link: (f,) int64 number of each face's link in `link_names`, -1 where no link names its leaf.
        link_names: links with geometry, e.g. "link_0", in the order of the URDF.
        leaf: (f,) int64 number of each face's leaf in `leaf_names`.
        leaf_names: PartNet's name of each leaf that has faces, in the order of the tree.
        hierarchy: PartNet's tree over the faces.
    """

    shape: Shape
    link: Int[np.ndarray, "f"]
    link_names: tuple[str, ...]
    leaf: Int[np.ndarray, "f"]
    leaf_names: tuple[str, ...]
    hierarchy: PartHierarchy


def load_object(folder: Path) -> MobilityObject:
    """Read one object.

    Raises:
        InputError: a file is missing or damaged, a piece that the tree names is missing, two links claim one leaf.

    Warns:
        ShapeWarning: links name leaves that the tree lacks.
    """
    tree = read_tree(folder / TREE)
    with warnings.catch_warnings():  # the mesh carries no textures, so it does not matter that they are absent
        warnings.filterwarnings("ignore", ".*colours or textures are left out", ShapeWarning)
        shape, ids = load_pieces(folder / PIECES, tree)
    nodes = nodes_of(tree, ids)
    leaf = dense(nodes)
    source, links = read_links(folder)
    link_of = {number: i for i, numbers in enumerate(links.values()) for number in numbers}
    if lost := sorted(set(link_of) - set(tree.ids.tolist())):
        found = ", ".join(map(str, lost[:8])) + ", …" * (len(lost) > 8)
        warnings.warn(f"{source}: its links name parts that {TREE} lacks: {found}", ShapeWarning, stacklevel=2)
    known, at = np.unique(ids, return_inverse=True)
    numbers = np.array([link_of.get(number, -1) for number in known.tolist()], np.int64)[at.reshape(-1)]
    present = np.unique(numbers[numbers >= 0])
    names = tuple(links)
    return MobilityObject(
        shape=shape,
        link=dense(numbers),
        link_names=tuple(names[i] for i in present.tolist()),
        leaf=leaf,
        leaf_names=tuple(tree.names[i] for i in np.unique(nodes).tolist()),
        hierarchy=tree_hierarchy(tree, ids),
    )


def leaf_names(tree: RawTree) -> set[str]:
    """Names of the leaves that have meshes."""
    return {tree.names[i] for i in np.flatnonzero(tree.is_leaf).tolist() if tree.objs[i]}


def read_links(folder: Path) -> tuple[Path, dict[str, tuple[int, ...]]]:
    """The file that tells, and link -> ids of its leaves in the order of the file; links without geometry are left out.

    Raises:
        InputError: neither file is there, it is damaged, or two links name one leaf.
    """
    path = folder / URDF
    if path.is_file():
        pairs = _from_urdf(path)
    elif (folder / MOBILITY).is_file():
        path = folder / MOBILITY
        pairs = _from_json(path)
    else:
        raise InputError(folder, f"expected {URDF} or {MOBILITY}, found neither", _MEND)
    links: dict[str, dict[int, None]] = {}
    owner: dict[int, str] = {}
    for link, number in pairs:
        if owner.setdefault(number, link) != link:
            raise InputError(path, f"masks overlap: {owner[number]} and {link} both hold part {number}", _MEND)
        links.setdefault(link, {})[number] = None
    return path, {link: tuple(numbers) for link, numbers in links.items()}


def read_semantics(path: Path) -> dict[str, str]:
    """Link -> what it is, e.g. "rotation_door", from `semantics.txt`.

    Raises:
        InputError: no such file, not text, not three words a line, or a link stands twice.
    """
    try:
        if (size := path.stat().st_size) > _MAX_TEXT:
            raise InputError(path, f"expected at most {_MAX_TEXT:,} bytes, found {size:,}")
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(path, "no such file", _MEND) from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data", _MEND) from None
    out: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3:
            raise InputError(path, f"line {number}: expected link, joint and name, found {len(words)} words", _MEND)
        if words[0] in out:
            raise InputError(path, f"line {number}: {words[0]} stands twice", _MEND)
        out[words[0]] = words[2]
    return out


def read_category(path: Path) -> str:
    """`model_cat` of `meta.json`.

    Raises:
        InputError: no such file, not JSON, or no category in it.
    """
    meta = read_json(path)
    category = meta.get("model_cat") if isinstance(meta, dict) else None
    if not isinstance(category, str) or not category or "/" in category:
        raise InputError(path, f"expected a category as `model_cat`, found {str(category)[:60]!r}", _MEND)
    return category


def _from_urdf(path: Path) -> list[tuple[str, int]]:
    pairs = []
    robot = read_xml(path)
    if robot.tag != "robot":
        raise InputError(path, f"expected a <robot>, found <{robot.tag}>", _MEND)
    for link in robot.findall("link"):
        for visual in link.findall("visual"):
            name, number = str(link.get("name")), (visual.get("name") or "").rpartition("-")[2]
            if not (number.isascii() and number.isdecimal() and len(number) < 18):
                found = str(visual.get("name"))[:60]
                raise InputError(path, f"expected visuals of {name} called <part>-<leaf id>, found {found!r}", _MEND)
            pairs.append((name, int(number)))
    return pairs


def _from_json(path: Path) -> list[tuple[str, int]]:
    entries = read_json(path)
    pairs: list[tuple[str, int]] = []
    try:
        for entry in entries:
            stack: list[Any] = list(entry["parts"])
            numbers = []
            while stack:
                part = stack.pop()
                numbers.append(int(part["id"]))
                stack.extend(part.get("children", []))
            pairs += [(f"link_{int(entry['id'])}", number) for number in sorted(numbers)]
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        cause = f"expected a list of links with `id` and `parts` ({type(error).__name__}: {str(error)[:60]})"
        raise InputError(path, cause, _MEND) from None
    return pairs
