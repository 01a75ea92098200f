"""PartNet's part trees: `result.json` and `result_after_merging.json`.

Mo et al., "PartNet", CVPR 2019, Sec. 3. Both files hold a list with one root. A node has `id`, `name`, `text`, and
`children` or, at a leaf, `objs`: stems of mesh files. The tree after merging numbers its nodes anew, keeps the number
in `result.json` as `ori_id`, and lists the meshes of every node. Labels of points are leaf ids of `result.json`.
PartNet-Mobility has the same files.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from partseg.errors import InputError
from partseg.parts.hierarchy import PartHierarchy

MAX_BYTES = 1 << 26  # of a JSON; the largest released tree is far below 1 MB
MAX_NODES = 20_000
MAX_DEPTH = 100
MAX_NAME = 256
OTHER = "other"
_MEND = "unpack the object again"


@dataclass(frozen=True, eq=False)
class RawTree:
    """A part tree as flat lists, p nodes depth first: node 0 is the root, parents come before their children.

    Attributes:
        path: the file.
        ids: (p,) int64 `id` of each node, unique.
        ori: (p,) int64 id in `result.json`: `ori_id` where the file has it, else `id`; unique.
        parent: (p,) int64 number of the parent in these lists, -1 for the root.
        names: p names, such as "chair_back".
        texts: p names for people.
        objs: stems of the mesh files that each node itself lists, without repeats.
    """

    path: Path
    ids: Int[np.ndarray, "p"]
    ori: Int[np.ndarray, "p"]
    parent: Int[np.ndarray, "p"]
    names: tuple[str, ...]
    texts: tuple[str, ...]
    objs: tuple[tuple[str, ...], ...]

    @cached_property
    def is_leaf(self) -> np.ndarray:
        """(p,) bool."""
        out = np.ones(len(self.ids), bool)
        out[self.parent[1:]] = False
        return out

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Names from the root to each node, joined by "/"."""
        out: list[str] = []
        for above, name in zip(self.parent.tolist(), self.names, strict=True):
            out.append(name if above < 0 else f"{out[above]}/{name}")
        return tuple(out)

    def find(self, ids: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
        """(n,) int64 node of each id of `result.json`; -1 where no node has it."""
        order = np.argsort(self.ori)
        at = np.minimum(np.searchsorted(self.ori[order], ids), len(order) - 1)
        return np.where(self.ori[order][at] == ids, order[at], -1)


def read_tree(path: Path) -> RawTree:
    """Read `result.json` or `result_after_merging.json`.

    Raises:
        InputError: no such file, not JSON, not a list of one root, a node without an integer id and a name, an id that
            stands twice (or below itself: a cycle), a mesh that is no plain file name, or an absurd size.
    """
    roots = read_json(path)
    if not isinstance(roots, list) or len(roots) != 1:
        found = f"{len(roots)} entries" if isinstance(roots, list) else type(roots).__name__
        raise InputError(path, f"expected a list with one root node, found {found}", _MEND)
    ids: list[int] = []
    ori: list[int] = []
    parent: list[int] = []
    names: list[str] = []
    texts: list[str] = []
    objs: list[tuple[str, ...]] = []
    seen: dict[int, int] = {}
    stack: list[tuple[Any, int, int]] = [(roots[0], -1, 0)]
    while stack:
        node, above, depth = stack.pop()
        here = len(ids)
        if here >= MAX_NODES or depth >= MAX_DEPTH:
            raise InputError(path, f"expected at most {MAX_NODES:,} nodes, {MAX_DEPTH} generations, found more", _MEND)
        number, name, text, pieces, below = _node(path, node)
        if number in seen:
            raise InputError(path, _twice(number, seen[number], above, parent), _MEND)
        seen[number] = here
        ids.append(number)
        ori.append(_integer(path, node.get("ori_id", number), f"ori_id of node {number}"))
        parent.append(above)
        names.append(name)
        texts.append(text)
        objs.append(pieces)
        stack.extend((child, here, depth + 1) for child in reversed(below))
    (most, times) = Counter(ori).most_common(1)[0]
    if times > 1:
        raise InputError(path, f"{times} nodes have ori_id {most}, expected one", _MEND)
    as_ids = lambda values: np.array(values, np.int64)  # noqa: E731
    return RawTree(path, as_ids(ids), as_ids(ori), as_ids(parent), tuple(names), tuple(texts), tuple(objs))


def read_json(path: Path) -> Any:
    """The contents of a JSON file of bounded size.

    Raises:
        InputError: it cannot be read, is too large, is no JSON, or is nested too deeply.
    """
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise InputError(path, f"expected at most {MAX_BYTES:,} bytes, found {size:,}")
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(path, "no such file", _MEND) from None
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    except RecursionError:
        raise InputError(path, "is nested too deeply for a part tree", _MEND) from None
    except ValueError as error:
        raise InputError(path, f"expected JSON: {error}", _MEND) from None


def nodes_of(tree: RawTree, leaf_ids: Int[np.ndarray, "n"], raw: RawTree | None = None) -> Int[np.ndarray, "n"]:
    """(n,) int64 node of `tree` that each element belongs to; -1 where it is unlabelled.

    Args:
        tree: either tree of an object.
        leaf_ids: (n,) id in `result.json` of each element's leaf; negative: unlabelled.
        raw: the tree of `result.json`, where `tree` is the merged one. A leaf that merging dropped counts for the
            nearest node above it that was kept.

    Raises:
        InputError: an id that no node has.
    """
    source = tree if raw is None else raw
    if raw is None:
        kept = np.arange(len(tree.ids))
    else:
        kept = tree.find(raw.ori)
        for i, above in enumerate(raw.parent.tolist()):  # parents come first
            if kept[i] < 0 and above >= 0:
                kept[i] = kept[above]
    values, at = np.unique(leaf_ids, return_inverse=True)
    nodes = source.find(values)
    if len(unknown := values[(nodes < 0) & (values >= 0)]):
        raise InputError(source.path, f"elements are labelled {int(unknown[0])}, an id that no node of the tree has")
    return np.where(nodes >= 0, kept[nodes], -1)[at.reshape(-1)].astype(np.int64)


def tree_hierarchy(
    tree: RawTree,
    leaf_ids: Int[np.ndarray, "n"],
    raw: RawTree | None = None,
    semantic_id: Sequence[int] | None = None,
) -> PartHierarchy:
    """The tree over n elements. Nodes keep their order; elements that lie on an inner node get a leaf "other" below it.

    Args:
        tree, leaf_ids, raw: as in `nodes_of`.
        semantic_id: a class for each node of the tree, -1 none.

    Raises:
        InputError: an id that no node has.
    """
    nodes = nodes_of(tree, leaf_ids, raw)
    inner = np.unique(nodes[nodes >= 0])
    inner = inner[~tree.is_leaf[inner]]
    p = len(tree.ids)
    leaf = np.arange(p + 1)
    leaf[p] = -1  # of the unlabelled
    leaf[inner] = p + np.arange(len(inner))
    return PartHierarchy.build(
        parent=np.r_[tree.parent, inner],
        leaf_of=leaf[nodes],
        name=[*tree.names, *[OTHER] * len(inner)],
        semantic_id=None if semantic_id is None else [*semantic_id, *[-1] * len(inner)],
        instance_id=_numbered([*tree.paths, *(f"{tree.paths[i]}/{OTHER}" for i in inner.tolist())]),
    )


def _numbered(paths: Sequence[str]) -> list[int]:
    """0, 1, … for those that are equal."""
    count: Counter[str] = Counter()
    out = []
    for path in paths:
        out.append(count[path])
        count[path] += 1
    return out


def _node(path: Path, node: Any) -> tuple[int, str, str, tuple[str, ...], list[Any]]:
    """id, name, text, meshes and children of one node."""
    if not isinstance(node, dict):
        raise InputError(path, f"expected a node as an object, found {type(node).__name__}", _MEND)
    name = node.get("name")
    number = _integer(path, node.get("id"), f"id of node {str(name)[:60]!r}")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise InputError(path, f"expected a name at node {number}, found {str(name)[:60]!r}", _MEND)
    below, pieces, text = node.get("children", []), node.get("objs", []), node.get("text", name)
    if not isinstance(below, list) or not isinstance(pieces, list):
        raise InputError(path, f"expected lists `children` and `objs` at node {number}", _MEND)
    for piece in pieces:
        if not isinstance(piece, str) or not piece or piece in (".", "..") or any(c in piece for c in "/\\:\0"):
            raise InputError(path, f"expected plain names of meshes at node {number}, found {str(piece)[:60]!r}", _MEND)
    return number, name, text if isinstance(text, str) else name, tuple(dict.fromkeys(pieces)), below


def _integer(path: Path, value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 62:
        raise InputError(path, f"expected an integer from 0 as {what}, found {str(value)[:60]!r}", _MEND)
    return value


def _twice(number: int, first: int, above: int, parent: list[int]) -> str:
    while above >= 0:
        if above == first:
            return f"node {number} stands below itself: a cycle"
        above = parent[above]
    return f"two nodes have the id {number}, expected one"
