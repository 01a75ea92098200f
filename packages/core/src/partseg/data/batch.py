"""PartBatch: shapes packed end to end with offsets, as a Lightning batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.data import get_worker_info

from partseg.errors import PartsegError
from partseg.parts.hierarchy import PartHierarchy


@dataclass(frozen=True, eq=False)
class PartBatch:
    """b shapes of n_0 … n_{b-1} points, packed end to end.

    Attributes:
        points: (N, 3) float32, N the sum of n_i.
        ptr: (b+1,) int64; shape i owns rows ptr[i] … ptr[i+1].
        normals: (N, 3) float32, or None. A zero row is a point whose normal is unknown.
        colors: (N, 3) float32 in 0..1, or None.
        labels: level name -> (N,) int64 part labels, 0…k_i-1 inside each shape, -1 unlabelled; coarse levels first.
        semantics: level name -> (N,) int64 classes, numbers in the dataset's taxonomy, -1 unlabelled.
        hierarchies: one PartHierarchy over the points of each shape, or an empty tuple.
        names: one name per shape.
        categories: one category per shape, or an empty tuple.
        surface: (N,) bool, which rows are points of the shape that a network may read; the others, points inside the
            solid, are only labelled (their normals are zero). None: all of them. Datasets give it for training alone.
    """

    points: Float[Tensor, "N 3"]
    ptr: Int[Tensor, "b1"]
    normals: Float[Tensor, "N 3"] | None = None
    colors: Float[Tensor, "N 3"] | None = None
    labels: dict[str, Int[Tensor, "N"]] = field(default_factory=dict)
    semantics: dict[str, Int[Tensor, "N"]] = field(default_factory=dict)
    hierarchies: tuple[PartHierarchy, ...] = ()
    names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    surface: Bool[Tensor, "N"] | None = None

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1] != 3:
            raise PartsegError(f"points must be (N, 3), got {tuple(self.points.shape)}")
        if self.ptr.ndim != 1 or len(self.ptr) < 2:
            raise PartsegError("ptr must hold b + 1 offsets, b ≥ 1")
        rows = {"normals": self.normals, "colors": self.colors, "surface": self.surface, **self.labels}
        rows |= {f"semantics {level}": value for level, value in self.semantics.items()}
        for key, value in rows.items():
            if value is not None and len(value) != len(self.points):
                raise PartsegError(f"{len(self.points)} points but {len(value)} rows of {key}")

    def validate(self) -> PartBatch:
        """Check the offsets too (reads values, so it waits for the device); returns the batch."""
        if int(self.ptr[0]) != 0 or int(self.ptr[-1]) != len(self.points) or bool((self.ptr.diff() < 0).any()):
            raise PartsegError("ptr must rise from 0 to the number of points")
        return self

    @property
    def n_shapes(self) -> int:
        return len(self.ptr) - 1

    @property
    def index(self) -> Int[Tensor, "N"]:
        """The shape each row belongs to."""
        return torch.repeat_interleave(torch.arange(self.n_shapes, device=self.ptr.device), self.ptr.diff())

    def padded(self, n: int | None = None) -> tuple[PartBatch, Bool[Tensor, "b n"]]:
        """The same shapes with n rows each (default: the longest), and which rows are real.

        Longer shapes are cut off after n rows; padding rows are zero with label -1. Dense tensors are views:
        `batch.points.view(b, n, 3)`. When every shape has n points already, nothing is copied.
        """
        sizes = self.ptr.diff()
        n = int(sizes.max()) if n is None else n
        real = torch.arange(n, device=self.ptr.device)[None] < sizes[:, None]
        if bool((sizes == n).all()):
            return self, real
        rows = (self.ptr[:-1, None] + torch.arange(n, device=self.ptr.device)[None]).clamp(
            max=max(len(self.points) - 1, 0)
        )

        def fill(x: Tensor | None, empty: float) -> Tensor | None:
            if x is None:
                return None
            if len(x) == 0:
                return x.new_full((rows.numel(), *x.shape[1:]), empty)
            return torch.where(real.reshape(-1, *[1] * (x.ndim - 1)), x[rows.reshape(-1)], x.new_tensor(empty))

        dense = replace(
            self,
            points=fill(self.points, 0.0),
            ptr=torch.arange(self.n_shapes + 1, device=self.ptr.device) * n,
            normals=fill(self.normals, 0.0),
            colors=fill(self.colors, 0.0),
            labels={k: fill(v, -1) for k, v in self.labels.items()},
            semantics={k: fill(v, -1) for k, v in self.semantics.items()},
            hierarchies=(),
            surface=fill(self.surface, False),
        )
        return dense, real

    def __getitem__(self, i: int) -> PartBatch:
        """Shape i as a batch of one (views of the same memory)."""
        i = range(self.n_shapes)[i]
        a, b = int(self.ptr[i]), int(self.ptr[i + 1])
        cut = lambda x: None if x is None else x[a:b]  # noqa: E731
        return PartBatch(
            self.points[a:b],
            self.ptr.new_tensor([0, b - a]),
            cut(self.normals),
            cut(self.colors),
            {k: v[a:b] for k, v in self.labels.items()},
            {k: v[a:b] for k, v in self.semantics.items()},
            self.hierarchies[i : i + 1],
            self.names[i : i + 1],
            self.categories[i : i + 1],
            cut(self.surface),
        )

    def selected(self, rows: Bool[Tensor, "N"]) -> PartBatch:
        """Some of the rows, in the same order. Part labels keep their numbers; hierarchies are dropped."""
        kept = torch.zeros_like(self.ptr)
        kept[1:] = torch.cumsum(torch.bincount(self.index[rows], minlength=self.n_shapes), 0)
        pick = lambda x: None if x is None else x[rows]  # noqa: E731
        return replace(
            self,
            points=self.points[rows],
            ptr=kept,
            normals=pick(self.normals),
            colors=pick(self.colors),
            labels={k: v[rows] for k, v in self.labels.items()},
            semantics={k: v[rows] for k, v in self.semantics.items()},
            hierarchies=(),
            surface=pick(self.surface),
        )

    @classmethod
    def collate(cls, items: Sequence[PartBatch]) -> PartBatch:
        """Pack batches end to end. Normals, colours and levels that only some items have are dropped."""
        if not items:
            raise PartsegError("nothing to collate")
        sizes = torch.cat([item.ptr.diff() for item in items])
        cat = lambda xs: None if any(x is None for x in xs) else _end_to_end(xs)  # noqa: E731
        labels, semantics = _tables([item.labels for item in items]), _tables([item.semantics for item in items])
        flagged = any(item.surface is not None for item in items)
        flags = [torch.ones_like(x.points[:, 0], dtype=bool) if x.surface is None else x.surface for x in items]
        whole = all(len(item.hierarchies) == item.n_shapes for item in items)
        return cls(
            points=_end_to_end([item.points for item in items]),
            ptr=torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]),
            normals=cat([item.normals for item in items]),
            colors=cat([item.colors for item in items]),
            labels=labels,
            semantics=semantics,
            hierarchies=tuple(h for item in items for h in item.hierarchies) if whole else (),
            names=tuple(x for item in items for x in item.names),
            categories=tuple(x for item in items for x in item.categories),
            surface=torch.cat(flags) if flagged else None,
        )

    def to(self, *args: Any, **kwargs: Any) -> PartBatch:
        """Every tensor through `Tensor.to` (device, dtype for floats, non_blocking)."""
        return self._map(
            lambda x: x.to(*args, **kwargs) if x.is_floating_point() else x.to(_device(args, kwargs) or x.device)
        )

    def pin_memory(self) -> PartBatch:
        return self._map(lambda x: x.pin_memory())

    def _map(self, fn: Any) -> PartBatch:
        out: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Tensor):
                out[f.name] = fn(value)
            elif f.name in ("labels", "semantics"):
                out[f.name] = {k: fn(v) for k, v in value.items()}
        return replace(self, **out)


def _tables(tables: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The levels that all have, end to end."""
    levels = [level for level in tables[0] if all(level in table for table in tables)]
    return {level: _end_to_end([table[level] for table in tables]) for level in levels}


def _end_to_end(xs: Sequence[Tensor]) -> Tensor:
    """`torch.cat`; in a loader's worker straight into shared memory, as torch's own collation does: sending the batch
    then copies nothing, and the worker's heap does not grow by batches."""
    if get_worker_info() is None or not any(x.numel() for x in xs):
        return torch.cat(list(xs))
    shape = (sum(len(x) for x in xs), *xs[0].shape[1:])
    storage = torch.UntypedStorage._new_shared(xs[0].element_size() * math.prod(shape), device="cpu")
    return torch.cat(list(xs), out=torch.empty(0, dtype=xs[0].dtype).set_(storage, 0, shape))


def _device(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return next((a for a in (*args, kwargs.get("device")) if isinstance(a, str | torch.device | int)), None)
