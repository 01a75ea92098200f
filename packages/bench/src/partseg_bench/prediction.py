"""One prediction: what a method says of one shape, as arrays that are checked against one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from partseg.errors import PartsegError
from partseg.parts.hierarchy import PartHierarchy
from partseg.parts.segmentation import Masks, Segmentation
from partseg.parts.tree import MergeTree

_HIERARCHY = "hierarchy_"
_PAIRS = (("tree_children", "tree_heights"), ("mask_indptr", "mask_indices"))
_UNFIT = (PartsegError, ValueError, LookupError, TypeError, AttributeError, OverflowError)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a method says of one shape of n elements; a protocol reads what it needs of it.

    Attributes:
        labels: (n,) part of each element in the method's own cut, -1 for none. Any other numbers.
        tree_children, tree_heights: the merge tree over the elements (see `partseg.parts.MergeTree`): (n-1, 2), (n-1,).
        mask_indptr, mask_indices: k parts that may overlap: part i holds the elements
            `mask_indices[mask_indptr[i]:mask_indptr[i+1]]`.
        scores: (k,) confidences of the parts: of the masks, or of the labels 0..k-1 where there are none.
        semantic_id: (k,) classes of the parts, alike; -1 for none.
        classes: (n,) class of each element, where a method says it; else that of the element's label.
        cuts: (c, n) further decompositions on offer, one labelling a row, of methods without a tree.
        click_masks: (p, c, ceil(n / 8)) the mask after each of c clicks, bits packed as `np.packbits` does; one row for
            each true part, level by level, in ascending order of label. The last mask is repeated once a part is done.
        hierarchy: `PartHierarchy.to_arrays()` of a part tree that is no binary merge tree.
        refined: (m, 3) the cloud that a coarse one was refined to, in the coordinates of the shape's file.
    """

    labels: Int[np.ndarray, "_"]
    tree_children: Int[np.ndarray, "_ _"] | None = None
    tree_heights: Float[np.ndarray, "_"] | None = None
    mask_indptr: Int[np.ndarray, "_"] | None = None
    mask_indices: Int[np.ndarray, "_"] | None = None
    scores: Float[np.ndarray, "_"] | None = None
    semantic_id: Int[np.ndarray, "_"] | None = None
    classes: Int[np.ndarray, "_"] | None = None
    cuts: Int[np.ndarray, "_ _"] | None = None
    click_masks: UInt8[np.ndarray, "_ _ _"] | None = None
    hierarchy: Mapping[str, np.ndarray] | None = None
    refined: Float[np.ndarray, "_ _"] | None = None

    @classmethod
    def of(cls, seg: Segmentation, cuts: Int[np.ndarray, "c n"] | None = None) -> Prediction:
        """A segmentation as a prediction."""
        own = seg._hierarchy
        return cls(
            labels=np.asarray(seg.labels),
            tree_children=None if seg.tree is None else seg.tree.children,
            tree_heights=None if seg.tree is None else seg.tree.heights,
            mask_indptr=None if seg.masks is None else seg.masks.indptr,
            mask_indices=None if seg.masks is None else seg.masks.indices,
            scores=None if seg.scores is None else np.asarray(seg.scores, np.float64),
            semantic_id=None if seg.semantic_id is None else np.asarray(seg.semantic_id, np.int64),
            cuts=cuts,
            hierarchy=None if own is None else own.to_arrays(),
        )

    @property
    def n_elements(self) -> int:
        return len(self.labels)

    @cached_property
    def tree(self) -> MergeTree | None:
        """The merge tree, where there is one."""
        return None if self.tree_children is None else MergeTree(self.tree_children, self.tree_heights)

    @cached_property
    def masks(self) -> Masks | None:
        """The overlapping parts, where there are any."""
        return None if self.mask_indptr is None else Masks(self.mask_indptr, self.mask_indices, self.n_elements)

    @cached_property
    def part_tree(self) -> PartHierarchy | None:
        """The part tree, where there is one that is no merge tree."""
        return None if self.hierarchy is None else PartHierarchy.from_arrays(self.hierarchy)

    @property
    def n_parts(self) -> int:
        """Number of masks, or of labels from 0."""
        return len(self.mask_indptr) - 1 if self.mask_indptr is not None else int(self.labels.max(initial=-1)) + 1

    def check(self, shape: str, n_elements: int | None = None) -> Prediction:
        """This prediction, if all its fields fit one another and a shape of so many elements.

        Raises:
            PartsegError: one does not; the text names the shape and the field.
        """
        for field, problem in self._problems(self.n_elements if n_elements is None else n_elements):
            raise PartsegError(f"{shape}: {field}: {problem}")
        return self

    def _problems(self, n: int) -> Iterator[tuple[str, str]]:
        yield from _lacks("labels", self.labels, "iu", (n,))
        if self.labels.min(initial=0) < -1:
            yield "labels", f"expected -1 (none) or numbers from 0, found {self.labels.min()}"
        for pair in _PAIRS:
            there = [field for field in pair if getattr(self, field) is not None]
            if len(there) == 1:
                yield there[0], f"stands alone; {' and '.join(pair)} belong together"
        if self.tree_children is not None:
            yield from _lacks("tree_children", self.tree_children, "iu", (n - 1, 2))
            yield from _lacks("tree_heights", self.tree_heights, "fiu", (n - 1,))
            yield from _fails("tree_children", lambda: self.tree)
        if self.mask_indptr is not None:
            yield from _lacks("mask_indptr", self.mask_indptr, "iu", (None,))
            yield from _lacks("mask_indices", self.mask_indices, "iu", (None,))
            yield from _fails("mask_indices", lambda: self.masks)
        yield from self._parts_problems()
        if self.classes is not None:
            yield from _lacks("classes", self.classes, "iu", (n,))
        if self.cuts is not None:
            yield from _lacks("cuts", self.cuts, "iu", (None, n))
        if self.click_masks is not None:
            yield from _lacks("click_masks", self.click_masks, "u", (None, None, -(-n // 8)))
        if self.hierarchy is not None:
            yield from _fails("hierarchy", lambda: self.part_tree)
            if len(self.part_tree.leaf_of) != n:
                yield "hierarchy", f"is over {len(self.part_tree.leaf_of)} elements, expected {n}"
        if self.refined is not None:
            yield from _lacks("refined", self.refined, "f", (None, 3))
            if not len(self.refined) or not np.isfinite(self.refined).all():
                yield "refined", "expected finite coordinates of at least one point"

    def _parts_problems(self) -> Iterator[tuple[str, str]]:
        k = self.n_parts
        if self.scores is not None:
            yield from _lacks("scores", self.scores, "fiu", (k,))
            if len(bad := np.flatnonzero(~np.isfinite(self.scores))):
                yield "scores", f"{len(bad)} of {k} are not finite, the first is that of part {bad[0]}"
        if self.semantic_id is not None:
            yield from _lacks("semantic_id", self.semantic_id, "iu", (k,))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The arrays that there are, by name; those of the hierarchy with a prefix."""
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "hierarchy"}
        arrays = {name: np.asarray(value) for name, value in given.items() if value is not None}
        return arrays | {f"{_HIERARCHY}{key}": np.asarray(value) for key, value in (self.hierarchy or {}).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], shape: str) -> Prediction:
        """What `to_arrays` gave; masks as dense booleans `masks` (k, n) do as well.

        Raises:
            PartsegError: no labels, an unknown array, or fields that do not fit one another.
        """
        arrays = dict(arrays)
        if "masks" in arrays:
            masks = arrays.pop("masks")
            if masks.ndim != 2 or masks.dtype != bool or "mask_indptr" in arrays:
                raise PartsegError(f"{shape}: masks: expected (parts, elements) booleans, not {_told(masks)}")
            table = Masks.from_dense(masks)
            arrays |= {"mask_indptr": table.indptr, "mask_indices": table.indices}
            if "labels" not in arrays and _is_numbers(scores := arrays.get("scores"), len(table)):
                arrays["labels"] = table.to_labels(None if scores is None else scores.astype(np.float64))
        below = {k.removeprefix(_HIERARCHY): v for k, v in arrays.items() if k.startswith(_HIERARCHY)}
        own = {k: v for k, v in arrays.items() if not k.startswith(_HIERARCHY)}
        known = [field.name for field in fields(cls) if field.name != "hierarchy"]
        if unknown := sorted(set(own) - set(known)):
            raise PartsegError(f"{shape}: {unknown[0]}: is no field of a prediction; those are {', '.join(known)}")
        if "labels" not in own:
            raise PartsegError(f"{shape}: labels: there are none")
        for name, value in own.items():
            if value.dtype.kind in "iu" and name not in ("scores", "tree_heights", "click_masks", "refined"):
                own[name] = value.astype(np.int64)
            elif name in ("scores", "tree_heights", "refined") and value.dtype.kind in "fiu":
                own[name] = value.astype(np.float64)
        for name, value in own.items():  # what the fields' own types do not admit
            rank = {"tree_children": 2, "cuts": 2, "click_masks": 3, "refined": 2}.get(name, 1)
            kinds = {"scores": "f", "tree_heights": "f", "click_masks": "u", "refined": "f"}.get(name, "i")
            if value.ndim != rank or value.dtype.kind not in kinds:
                what = {"f": "numbers", "u": "bytes", "i": "integers"}[kinds]
                raise PartsegError(f"{shape}: {name}: expected {what} in {rank} dimensions, not {_told(value)}")
        return cls(**own, hierarchy=below or None).check(shape)


def _is_numbers(values: np.ndarray | None, length: int) -> bool:
    return values is None or (values.shape == (length,) and values.dtype.kind in "fiu")


def _lacks(field: str, value: np.ndarray, kinds: str, shape: tuple[int | None, ...]) -> Iterator[tuple[str, str]]:
    fits = value.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, value.shape))
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        yield field, f"expected ({wanted}{',' * (len(shape) == 1)}), found {value.shape}"
    if value.dtype.kind not in kinds:
        yield field, f"expected {'numbers' if 'f' in kinds else 'integers'}, found {value.dtype}"


def _fails(field: str, make: Any) -> Iterator[tuple[str, str]]:
    try:
        make()
    except _UNFIT as error:
        yield field, str(error)


def _told(value: np.ndarray) -> str:
    return f"{value.dtype} {value.shape}"
