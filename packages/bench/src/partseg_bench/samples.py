"""The shapes that are evaluated, with their truths, and a digest that stands for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy
from partseg.errors import InputError, PartsegError, UnknownNameError
from partseg.geometry.shape import Shape

EVERY = "all"
"""In the place of a split: every shape."""


class EvalSet(Sequence):
    """`PartSample`s, shapes with their truths, each read (or made) when it is asked for.

    Attributes:
        dataset, split: names. level: the only level that samples have; None for all of them.
        ids: one unique name a shape. categories: one a shape, "" where there are none.
        taxonomy: level -> names of its classes.
        levels: names of the levels, coarse to fine, as far as they are the same for every shape.
    """

    def __init__(
        self,
        dataset: str,
        split: str,
        level: str | None,
        ids: Sequence[str],
        categories: Sequence[str],
        taxonomy: Taxonomy,
        levels: Sequence[str],
        load: Callable[[int], PartSample],
        truth: Callable[[], Any],
    ) -> None:
        self.dataset, self.split, self.level = dataset, split, level
        self.ids, self.categories = tuple(ids), tuple(categories)
        self.taxonomy = {k: v for k, v in taxonomy.items() if level in (None, k)}
        self.levels = tuple(levels) if level is None else (level,)
        self._load, self._truth = load, truth
        seen: set[str] = set()
        for name in self.ids:
            if name in seen:
                raise PartsegError(f"{dataset}: two shapes are called {name!r}")
            seen.add(name)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, i: int) -> PartSample:  # type: ignore[override]
        if not -len(self) <= i < len(self):
            raise IndexError(f"shape {i} of {len(self)}")
        sample = self._load(i % len(self))
        sample = replace(sample, shape=replace(sample.shape, name=self.ids[i]))  # what errors call it
        return sample if self.level is None else _one_level(sample, self.level, self.ids[i])

    @property
    def category_of(self) -> dict[str, str]:
        """Category of each shape by its id."""
        return dict(zip(self.ids, self.categories, strict=True))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what defines the truth: of the source files (of all shapes here), or of what shapes are made from.

        Where data lies, and when it was copied there, does not matter.
        """
        told = [self.dataset, self.split, self.level, list(self.ids), self._truth()]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def eval_set(
    dataset: str,
    *,
    split: str = "test",
    limit: int | None = None,
    level: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> EvalSet:
    """The shapes of a dataset to evaluate.

    Args:
        dataset: name of an installed dataset.
        split: one of its splits, or "all". Of a dataset without splits, "test" is a tenth, chosen by name: what the
            project's own training never sees.
        limit: so many shapes, taken at equal steps from the whole; the first ones of embedded data.
        level: only the truths of this level; None for all.
        options: of the dataset's reader, `root` included; of embedded data `seed`, and what its datamodule takes.

    Raises:
        PartsegError: no such dataset, level or option; no shapes; the data cannot be found.
    """
    from partseg.cli.data_names import find_dataset

    spec = find_dataset(dataset)
    options = dict(options or {})
    if limit is not None and limit < 1:
        raise PartsegError(f"limit: expected at least one shape, not {limit}")
    if spec.name == "procedural":
        return _procedural(split, limit, level, options)
    if spec.embedded:
        reader = _embedded_reader(spec, options)
    else:
        from partseg.cli.data_readers import open_reader

        reader = open_reader(spec.name, options.pop("root", None), options)
    return reader_set(spec.name, reader, split=split, limit=limit, level=level, levels=spec.levels)


def reader_set(
    dataset: str,
    reader: Reader,
    *,
    split: str = "test",
    limit: int | None = None,
    level: str | None = None,
    levels: Sequence[str] = (),
) -> EvalSet:
    """The shapes of a reader; arguments as for `eval_set`, `levels` are the dataset's own.

    Raises:
        PartsegError: no shape is in the split, or there is no such level.
    """
    from partseg.data.from_files import select, split_of

    found = reader.index()
    items = select(found, "predict" if split == EVERY else split)
    if not items:
        there = ", ".join(sorted({split_of(item) for item in found}))
        raise InputError(reader.root, f"none of its {len(found)} shapes is in split {split!r}", f"splits: {there}, all")
    made = all(not item.files for item in items)
    if limit is not None and limit < len(items):
        items = items[:limit] if made else tuple(items[i * len(items) // limit] for i in range(limit))
    if level is not None and levels and level not in levels:
        raise UnknownNameError(f"{dataset} has no level {level!r}; it has {', '.join(levels)}")
    return EvalSet(
        dataset,
        split,
        level,
        [item.name for item in items],
        [item.category for item in items],
        reader.taxonomy(),
        levels,
        lambda i: reader.load(items[i]),
        lambda: _truth_of(reader, items),
    )


def _truth_of(reader: Reader, items: Sequence[PartItem]) -> Any:
    from partseg.data.cache import fingerprint

    chosen = {k: v for k, v in vars(reader).items() if k not in ("root", "split") and not k.startswith("_")}
    about = [type(reader).__qualname__, reader.version, {key: repr(chosen[key]) for key in sorted(chosen)}]
    if all(not item.files for item in items):
        return [*about, _generators()]
    return [*about, [[[name, sha] for name, _, _, sha in fingerprint(item.files)] + [item.row] for item in items]]


def _generators() -> str:
    from partseg.data.procedural.cache import generator_version

    return generator_version()


def _embedded_reader(spec: Any, options: dict[str, Any]) -> Reader:
    import inspect

    module = spec.load()
    known = [name for name, one in inspect.signature(module).parameters.items() if one.kind is not one.VAR_KEYWORD]
    if unknown := sorted(set(options) - set(known)):
        raise PartsegError(f"{spec.name} has no option {', '.join(unknown)}; it has {', '.join(known)}")
    return module(**options).reader


def _procedural(split: str, limit: int | None, level: str | None, options: dict[str, Any]) -> EvalSet:
    from partseg.data.procedural import LEVELS
    from partseg.data.procedural.endless import KINDS, SPLITS, ProceduralShapes
    from partseg.data.procedural.vocabulary import PART_NAMES

    known = ("seed", "cache", "families", *KINDS)
    if unknown := sorted(set(options) - set(known)):
        raise PartsegError(f"procedural has no option {', '.join(unknown)}; it has {', '.join(known)}")
    if split not in SPLITS:
        raise UnknownNameError(f"procedural has no split {split!r}; it has train, val, test")
    if level is not None and level not in LEVELS:
        raise UnknownNameError(f"procedural has no level {level!r}; it has {', '.join(LEVELS)}")
    shares = {kind: float(options[kind]) for kind in KINDS if kind in options} or None
    size, seed = 256 if limit is None else limit, int(options.get("seed", 0))
    families = tuple(options.get("families", ()))
    made = ProceduralShapes(split, size, shares, seed, bool(options.get("cache", False)), families)

    def load(i: int) -> PartSample:
        found = made.shape(i)
        shape = Shape.from_mesh(found.vertices, found.faces, name=f"{split}/{i}")
        tree = found.hierarchy
        labels = {level: found.labels(level) for level in LEVELS}
        semantics = {
            level: tree.semantic_id[nodes].astype(np.int64)[labels[level]] for level, nodes in found.level_nodes.items()
        }
        return PartSample(shape, labels, semantics, tree)

    return EvalSet(
        "procedural",
        split,
        level,
        [f"{split}/{i}" for i in range(size)],
        [made.kind(i) for i in range(size)],
        dict.fromkeys(LEVELS, PART_NAMES),
        LEVELS,
        load,
        lambda: [_generators(), [int(x) for x in made.entropy], made.share.tolist(), *made.families],
    )


def _one_level(sample: PartSample, level: str, name: str) -> PartSample:
    found = sorted({*sample.labels, *sample.semantics})
    if level not in found:
        raise InputError(name, f"expected truth at level {level!r}, found {', '.join(found) or 'none'}")
    labels, semantics = ({k: v for k, v in t.items() if k == level} for t in (sample.labels, sample.semantics))
    return PartSample(sample.shape, labels, semantics, sample.hierarchy)
