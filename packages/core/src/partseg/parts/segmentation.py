"""Segmentation: what a method predicts on a Shape."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from partseg.errors import InputError, PartsegError
from partseg.files import write_aside, write_text
from partseg.geometry.shape import Shape, Similarity
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.tree import MergeTree, renumber

# what reading an archive of another make, or a cut or altered one, can raise
_DAMAGED = (
    PartsegError, ValueError, LookupError, TypeError, AttributeError, EOFError, NotImplementedError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Masks:
    """Overlapping parts as compressed rows: mask i holds the elements `indices[indptr[i]:indptr[i+1]]`, sorted."""

    indptr: Int[np.ndarray, "k1"]
    indices: Int[np.ndarray, "m"]
    n_elements: int

    def __post_init__(self) -> None:
        indptr, indices = np.asarray(self.indptr, np.int64), np.asarray(self.indices, np.int64)
        if len(indptr) < 1 or indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
            raise PartsegError("indptr must rise from 0 to the number of indices")
        if len(indices) and not 0 <= indices.min() <= indices.max() < self.n_elements:
            raise PartsegError(f"masks name elements outside 0…{self.n_elements - 1}")
        object.__setattr__(self, "indptr", indptr)
        object.__setattr__(self, "indices", indices)

    @classmethod
    def from_labels(cls, labels: Int[np.ndarray, "n"]) -> Masks:
        """One mask for each label 0…k-1; -1 is in none."""
        order = np.argsort(labels, kind="stable")
        order = order[np.searchsorted(labels[order], 0) :]
        count = np.bincount(labels[order], minlength=int(labels.max(initial=-1)) + 1)
        return cls(np.r_[0, np.cumsum(count)], order, len(labels))

    @classmethod
    def from_dense(cls, masks: Bool[np.ndarray, "k n"]) -> Masks:
        row, column = np.nonzero(masks)
        return cls(np.r_[0, np.cumsum(np.bincount(row, minlength=len(masks)))], column, masks.shape[1])

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def dense(self) -> Bool[np.ndarray, "k n"]:
        out = np.zeros((len(self), self.n_elements), bool)
        out[np.repeat(np.arange(len(self)), np.diff(self.indptr)), self.indices] = True
        return out

    def to_labels(self, scores: Float[np.ndarray, "k"] | None = None) -> Int[np.ndarray, "n"]:
        """Each element's mask of the highest score (then the earliest); -1 where there is none."""
        rank = np.arange(len(self)) if scores is None else np.argsort(-np.asarray(scores), kind="stable")
        place = np.empty(len(self), np.int64)
        place[rank] = np.arange(len(self))
        best = np.full(self.n_elements, len(self), np.int64)
        np.minimum.at(best, self.indices, np.repeat(place, np.diff(self.indptr)))
        return np.r_[rank, -1][best]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A partition of a shape's elements into parts, with the tree it was cut from where the method has one.

    Attributes:
        shape: what was segmented.
        labels: (n_elements,) int64, 0…k-1, -1 = unlabelled. Every label below k is used.
        masks: overlapping parts, for methods that predict them; `labels` then holds the best mask of each element and
            `scores`, `semantic_id` count masks instead of labels.
        scores: (k,) float confidences, or None.
        semantic_id: (k,) int classes, or None.
        tree: the merge tree `labels` is a cut of, or None.
        level: name of the level of detail this is, e.g. "fine", or None.
    """

    shape: Shape
    labels: Int[np.ndarray, "n"]
    masks: Masks | None = None
    scores: Float[np.ndarray, "k"] | None = None
    semantic_id: Int[np.ndarray, "k"] | None = None
    tree: MergeTree | None = None
    level: str | None = None
    _hierarchy: PartHierarchy | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        n = self.shape.n_elements
        labels = np.ascontiguousarray(self.labels, np.int64).view()  # the caller's own array stays writable
        labels.setflags(write=False)
        object.__setattr__(self, "labels", labels)
        if labels.shape != (n,):
            raise PartsegError(f"{self.shape} has {n} elements but labels have shape {labels.shape}")
        if labels.min(initial=0) < -1:
            raise PartsegError("labels must be 0…k-1, or -1 for unlabelled")
        if self.masks is None and len(np.unique(labels[labels >= 0])) != labels.max(initial=-1) + 1:
            raise PartsegError("labels must use every number 0…k-1; see partseg.parts.tree.renumber")
        if self.masks is not None and self.masks.n_elements != n:
            raise PartsegError(f"masks over {self.masks.n_elements} elements, the shape has {n}")
        if self.tree is not None and self.tree.n_leaves != n:
            raise PartsegError(f"a tree over {self.tree.n_leaves} elements, the shape has {n}")
        if self._hierarchy is not None and len(self._hierarchy.leaf_of) != n:
            raise PartsegError(f"a hierarchy over {len(self._hierarchy.leaf_of)} elements, the shape has {n}")
        k = self.n_parts
        for key in ("scores", "semantic_id"):
            value = getattr(self, key)
            if value is not None and len(value) != k:
                raise PartsegError(f"{k} parts but {len(value)} {key}")

    @classmethod
    def from_masks(
        cls,
        shape: Shape,
        masks: Masks,
        scores: Float[np.ndarray, "k"] | None = None,
        semantic_id: Int[np.ndarray, "k"] | None = None,
    ) -> Segmentation:
        return cls(shape, masks.to_labels(scores), masks, scores, semantic_id)

    def __repr__(self) -> str:
        return f"Segmentation({self.shape.name!r}, {self.n_parts} parts of {self.shape.n_elements:,} elements)"

    @property
    def n_parts(self) -> int:
        return len(self.masks) if self.masks is not None else int(self.labels.max(initial=-1)) + 1

    def to_masks(self) -> Masks:
        return self.masks if self.masks is not None else Masks.from_labels(self.labels)

    @property
    def hierarchy(self) -> PartHierarchy:
        """The part tree this segmentation is saved with: as given, else the top of the merge tree, else flat."""
        if self._hierarchy is not None:
            return self._hierarchy
        if self.tree is not None and (self.labels >= 0).all():
            return self.tree.hierarchy(self.n_parts, self.shape.name)
        return PartHierarchy.from_labels(renumber(self.labels), self.shape.name)

    def at(self, parts: int) -> Segmentation:
        """The same tree cut into another number of parts; nothing is computed again."""
        if self.tree is None:
            raise PartsegError("this segmentation has no merge tree to cut again")
        return Segmentation(self.shape, self.tree.cut(parts), tree=self.tree)

    def with_hierarchy(self, hierarchy: PartHierarchy) -> Segmentation:
        """The same segmentation, saved with another part tree."""
        return replace(self, _hierarchy=hierarchy)

    # -- files --------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write by suffix: .glb (a node per part, nested), .ply (coloured), .npz (everything), .json (the tree).

        Written aside and renamed, so that no half file is ever left. Coordinates are those of the input file.
        """
        path = Path(path)
        writer = {".glb": _save_glb, ".ply": _save_ply, ".npz": _save_npz, ".json": _save_json}.get(path.suffix.lower())
        if writer is None:
            raise InputError(
                path, f"cannot write {path.suffix or 'a file without suffix'}", "use .glb, .ply, .npz or .json"
            )
        writer(self, path)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Segmentation:
        """Read an .npz that `save` wrote: shape (without materials), labels, masks, scores, tree, hierarchy."""
        try:
            with np.load(path, allow_pickle=False) as file:
                data = {key: file[key] for key in file.files}
            if "labels" not in data or "kind" not in data:
                raise InputError(path, "is not a segmentation", "save one with Segmentation.save('….npz')")
            shape = Shape(
                points=data["points"], normals=data.get("normals"), colors=data.get("colors"),
                vertices=data.get("vertices"), faces=data.get("faces"), face_index=data.get("face_index"),
                kind=str(data["kind"]), name=str(data["name"]), polygon=data.get("polygon"),
                n_polygons=int(data["n_polygons"]),
                transform=Similarity(float(data["transform"][0]), tuple(float(x) for x in data["transform"][1:])),
            )  # fmt: skip
            masks = (
                Masks(data["mask_indptr"], data["mask_indices"], shape.n_elements) if "mask_indptr" in data else None
            )
            tree = MergeTree(data["tree_children"], data["tree_heights"]) if "tree_children" in data else None
            below = {k.removeprefix("hierarchy_"): v for k, v in data.items() if k.startswith("hierarchy_")}
            return cls(
                shape, data["labels"], masks, data.get("scores"), data.get("semantic_id"), tree,
                json.loads(str(data["level"])), PartHierarchy.from_arrays(below) if below else None,
            )  # fmt: skip
        except InputError:
            raise
        except OSError as error:
            raise InputError(path, f"cannot be read: {error.strerror or error}") from None
        except _DAMAGED as error:
            raise InputError(path, f"cannot be read as a segmentation: {error}") from None


def _save_json(seg: Segmentation, path: Path) -> None:
    write_text(path, seg.hierarchy.to_json(indent=1, labels=seg.labels))


def _save_glb(seg: Segmentation, path: Path) -> None:
    from partseg.geometry.io import write_glb
    from partseg.parts.palette import assign_colors

    tree = seg.hierarchy
    nodes = [
        (tree.name[i], int(tree.parent[i]), tree.members(i) if not tree.children(i) else None)
        for i in range(tree.n_parts)
    ]
    loose = np.flatnonzero(tree.leaf_of < 0)
    if len(loose):
        nodes.append(("unlabelled", 0, loose))
    write_glb(path, seg.shape, nodes, colors=assign_colors(len(tree.leaves)))


def _save_ply(seg: Segmentation, path: Path) -> None:
    from partseg.geometry.io import write_ply
    from partseg.parts.palette import assign_colors

    write_ply(path, seg.shape, seg.labels, assign_colors(seg.n_parts))


def _save_npz(seg: Segmentation, path: Path) -> None:
    shape = seg.shape
    data: dict[str, np.ndarray] = {"labels": seg.labels, "level": np.array(json.dumps(seg.level))}
    for key in ("points", "normals", "colors", "vertices", "faces", "face_index", "polygon"):
        if getattr(shape, key) is not None:
            data[key] = getattr(shape, key)
    data |= {"kind": np.array(shape.kind), "name": np.array(shape.name), "n_polygons": np.array(shape.n_polygons)}
    data["transform"] = np.array([shape.transform.scale, *shape.transform.offset])
    for key in ("scores", "semantic_id"):
        if getattr(seg, key) is not None:
            data[key] = np.asarray(getattr(seg, key))
    if seg.masks is not None:
        data |= {"mask_indptr": seg.masks.indptr, "mask_indices": seg.masks.indices}
    if seg.tree is not None:
        data |= {"tree_children": seg.tree.children, "tree_heights": seg.tree.heights}
    if seg._hierarchy is not None:
        data |= {f"hierarchy_{k}": v for k, v in seg._hierarchy.to_arrays().items()}
    with write_aside(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, **data)
