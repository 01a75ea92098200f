"""Sets of point masks in compact form, and how many points they share.

A method may hand in its masks as rows of booleans, as packed bits, as lists of points, or as one label per point; masks
may overlap. All become a `MaskTable`: rows of bits where rows came in (an eighth of their size), point lists otherwise.
`overlaps` counts common points: by words of 64 points between rows of bits, by one pass over the points otherwise. No
points-by-masks array is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Integer, UInt8, UInt64

from partseg.metrics.functional import _mask_kernel as kernel

_NO_CLASS = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class MaskTable:
    """k masks over n points. Made by the `from_...` functions, which check their input; held in one of two forms.

    Attributes:
        n: points of the shape.
        bits: (k, ceil(n / 64)) words, bits in the order of `_mask_kernel.pack`; or None.
        lists: (starts (k+1,), points (m,)): mask i holds points[starts[i]:starts[i+1]], each once; or None.
    """

    n: int
    bits: UInt64[np.ndarray, "k words"] | None = None
    lists: tuple[Integer[np.ndarray, "k1"], Integer[np.ndarray, "m"]] | None = None

    def __len__(self) -> int:
        return len(self.lists[0]) - 1 if self.bits is None else len(self.bits)

    @classmethod
    def from_rows(cls, rows: Bool[np.ndarray, "k n"]) -> MaskTable:
        """One boolean row a mask."""
        rows = np.asarray(rows)
        if rows.ndim != 2 or rows.dtype != bool:
            raise ValueError(f"expected (masks, points) booleans, not {rows.dtype} {rows.shape}")
        return cls(rows.shape[1], bits=_pack(rows))

    @classmethod
    def from_packed(cls, packed: UInt8[np.ndarray, "k bytes"], n: int, bitorder: str = "big") -> MaskTable:
        """What `np.packbits(rows, axis=1, bitorder=bitorder)` gives for (k, n) rows."""
        packed = np.asarray(packed)
        if packed.ndim != 2 or packed.dtype != np.uint8 or packed.shape[1] != -(-n // 8):
            raise ValueError(f"expected (masks, {-(-n // 8)}) uint8 for {n} points, not {packed.dtype} {packed.shape}")
        bits = np.empty((len(packed), -(-n // 64)), np.uint64)
        for i, row in enumerate(packed):  # one row is unpacked at a time
            flags = np.unpackbits(row, bitorder=bitorder).astype(bool)
            if flags[n:].any():
                raise ValueError(f"mask {i}: bits are set beyond the {n} points")
            bits[i] = _pack(flags[None, :n])[0]
        return cls(n, bits=bits)

    @classmethod
    def from_csr(cls, starts: Integer[np.ndarray, "k1"], points: Integer[np.ndarray, "m"], n: int) -> MaskTable:
        """Mask i holds points[starts[i]:starts[i+1]], in any order, none twice."""
        starts, points = np.asarray(starts), np.asarray(points)
        if starts.ndim != 1 or points.ndim != 1 or starts.dtype.kind not in "iu" or points.dtype.kind not in "iu":
            raise ValueError(f"expected integer vectors of starts and points, not {starts.dtype}, {points.dtype}")
        starts, points = starts.astype(np.int64), points.astype(np.int64)
        if not len(starts) or starts[0] != 0 or starts[-1] != len(points) or (np.diff(starts) < 0).any():
            raise ValueError(f"starts must rise from 0 to the number of listed points, {len(points)}")
        if len(points) and (points.min() < 0 or points.max() >= n):
            raise ValueError(f"masks name points {points.min()}..{points.max()} of a shape of {n}")
        mask, point = kernel.first_repeat(starts, points, n)
        if mask >= 0:
            raise ValueError(f"mask {mask} names point {point} twice")
        return cls(n, lists=(starts, points))

    @classmethod
    def from_lists(cls, masks: Sequence[Integer[np.ndarray, "_"]], n: int) -> MaskTable:
        """One integer vector of points a mask."""
        masks = [np.asarray(mask) if len(mask) else np.zeros(0, np.int64) for mask in masks]
        starts = np.concatenate([[0], np.cumsum([len(mask) for mask in masks])]).astype(np.int64)
        return cls.from_csr(starts, np.concatenate([*masks, np.zeros(0, np.int64)]) if masks else _NO_CLASS, n)

    @classmethod
    def from_coo(cls, mask: Integer[np.ndarray, "m"], point: Integer[np.ndarray, "m"], k: int, n: int) -> MaskTable:
        """Pairs (mask, point) in any order, none twice; masks 0..k-1."""
        mask, point = np.asarray(mask), np.asarray(point)
        if mask.shape != point.shape or mask.dtype.kind not in "iu":
            raise ValueError(
                f"expected as many masks as points, integers, not {mask.dtype} {mask.shape}, {point.shape}"
            )
        if len(mask) and (mask.min() < 0 or mask.max() >= k):
            raise ValueError(f"pairs name masks {mask.min()}..{mask.max()} of {k}")
        starts, order = kernel.group(mask.astype(np.int64), k)
        return cls.from_csr(starts, point[order], n)

    @classmethod
    def from_labels(cls, labels: Integer[np.ndarray, "n"], k: int | None = None) -> MaskTable:
        """Mask i holds the points labelled i; points labelled -1 are in none.

        Args:
            labels: -1..k-1. Labels without points are empty masks.
            k: number of masks; by default the largest label + 1, which may not exceed n.
        """
        labels = np.asarray(labels)
        if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iu"):
            raise ValueError(f"expected (points,) integer labels, not {labels.dtype} {labels.shape}")
        low, high = (int(labels.min()), int(labels.max())) if len(labels) else (-1, -1)
        if low < -1 or high >= (len(labels) if k is None else k):
            raise ValueError(f"labels {low}..{high} of {len(labels)} points, but -1..{(k or len(labels)) - 1} can be")
        return cls(len(labels), lists=kernel.group(labels.astype(np.int64), high + 1 if k is None else k))

    @cached_property
    def sizes(self) -> Integer[np.ndarray, "k"]:
        """Points of each mask."""
        return np.diff(self.lists[0]) if self.bits is None else kernel.count_bits(self.bits)

    @cached_property
    def as_lists(self) -> tuple[Integer[np.ndarray, "k1"], Integer[np.ndarray, "m"]]:
        """The point lists (starts, points), made from the bits if need be."""
        return kernel.list_bits(self.bits) if self.lists is None else self.lists

    def take(self, masks: Bool[np.ndarray, "k"]) -> MaskTable:
        """The masks that a boolean vector marks."""
        if self.bits is not None:
            return MaskTable(self.n, bits=self.bits[masks])
        starts = np.concatenate([[0], np.cumsum(self.sizes[masks])])
        return MaskTable(self.n, lists=(starts, self.lists[1][np.repeat(masks, self.sizes)]))

    def within(self, keep: Bool[np.ndarray, "n"]) -> MaskTable:
        """The same masks less the points where `keep` is False (points keep their numbers)."""
        keep = _flags(keep, self.n)
        if self.bits is not None:
            return MaskTable(self.n, bits=self.bits & _pack(keep[None]))
        starts, points = self.lists
        kept = keep[points]
        before = np.concatenate([[0], np.cumsum(kept)])
        return MaskTable(self.n, lists=(before[starts], points[kept]))

    def covered(self) -> Bool[np.ndarray, "n"]:
        """Which points are in any mask."""
        if self.bits is not None:
            points = kernel.list_bits(np.bitwise_or.reduce(self.bits, axis=0)[None])[1]
        else:
            points = self.lists[1]
        out = np.zeros(self.n, bool)
        out[points] = True
        return out


Masks = MaskTable | np.ndarray | Sequence[np.ndarray]
"""What `mask_table` takes."""


def mask_table(masks: Masks, n: int | None = None, k: int | None = None) -> MaskTable:
    """Masks of any form as a `MaskTable`.

    Args:
        masks: a MaskTable; (k, n) booleans; (n,) integer labels, -1 for none; or a sequence of k integer vectors of
            points. Other forms: `MaskTable.from_csr`, `from_coo`, `from_packed`.
        n: points of the shape: needed for point lists, checked otherwise.
        k: number of masks, of which labels alone do not say how many are empty at the end; not used for other forms.

    Raises:
        ValueError: the masks are of none of these forms, or over another number of points, or name a point twice.
    """
    if isinstance(masks, MaskTable):
        table = masks
    elif isinstance(masks, np.ndarray) and masks.ndim == 2:
        table = MaskTable.from_rows(masks)
    elif isinstance(masks, np.ndarray) and masks.dtype != object:
        table = MaskTable.from_labels(masks, k)
    elif n is None:
        raise ValueError("point lists need the number of points of the shape")
    else:
        table = MaskTable.from_lists(masks, n)
    if n is not None and table.n != n:
        raise ValueError(f"masks over {table.n} points, but the shape has {n}")
    return table


def overlaps(
    pred: MaskTable,
    true: MaskTable,
    pred_class: Integer[np.ndarray, "k"] | None = None,
    true_class: Integer[np.ndarray, "g"] | None = None,
) -> Integer[np.ndarray, "k g"]:
    """Common points of each mask of `pred` with each of `true`.

    With classes, only pairs of one class are sure to be counted; the others may read 0. O(points in masks) for lists,
    O(k g n / 64) for rows of bits.
    """
    if pred.n != true.n:
        raise ValueError(f"predicted masks are over {pred.n} points, true ones over {true.n}")
    if pred.bits is not None and true.bits is not None:
        if pred_class is None or true_class is None:
            pred_class = true_class = _NO_CLASS
        return kernel.meet_bits(pred.bits, true.bits, pred_class, true_class)
    starts, points = true.as_lists
    owner_starts, order = kernel.group(points, true.n)
    owners = np.repeat(np.arange(len(true)), np.diff(starts))[order]
    return kernel.meet_lists(*pred.as_lists, owner_starts, owners, len(true))


def _pack(rows: Bool[np.ndarray, "k n"]) -> UInt64[np.ndarray, "k words"]:
    k, n = rows.shape
    if n % 8 == 0 and rows.flags.c_contiguous:
        words = rows.view(np.uint64)
        if words.flags.aligned:
            return kernel.pack(words)
    padded = np.zeros((k, -(-n // 8) * 8), bool)
    padded[:, :n] = rows
    return kernel.pack(padded.view(np.uint64))


def _flags(keep: Bool[np.ndarray, "n"], n: int) -> Bool[np.ndarray, "n"]:
    keep = np.asarray(keep)
    if keep.shape != (n,) or keep.dtype != bool:
        raise ValueError(f"expected ({n},) booleans, not {keep.dtype} {keep.shape}")
    return keep
