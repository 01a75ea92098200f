"""Endless labelled meshes, split by seed. No torch is needed: `dataset` draws points of them for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from partseg.data.procedural import FAMILIES, ProceduralShape, generate
from partseg.data.procedural.cache import ShapeCache
from partseg.data.procedural.fused import fuse
from partseg.data.procedural.organic import organic
from partseg.errors import UnknownNameError

SPLITS = {"train": 0, "val": 1, "test": 2, "predict": 2}
KINDS = ("assembled", "fused", "organic")


class ProceduralShapes:
    """`size` shapes of a split; shape i follows from (seed, split, i) alone, whatever the order of reading.

    Args:
        split: "train", "val" or "test".
        size: number of shapes.
        kinds: share of each kind: "assembled" (several components), "fused" (one remeshed surface), "organic".
        seed: another seed gives other shapes.
        cache: keep fused and organic shapes, the dear ones, on disk (see `partseg.data.procedural.cache`). Shapes are
            the same either way.
        families: assembled and fused shapes are of these families only (`partseg.data.procedural.FAMILIES`).
    """

    def __init__(
        self,
        split: str,
        size: int,
        kinds: Mapping[str, float] | None = None,
        seed: int = 0,
        cache: bool = False,
        families: Sequence[str] | None = None,
    ) -> None:
        if split not in SPLITS:
            raise UnknownNameError(f"unknown split {split!r}; there are {', '.join(SPLITS)}")
        kinds = {"assembled": 0.35, "fused": 0.25, "organic": 0.4} if kinds is None else dict(kinds)
        if unknown := set(kinds) - set(KINDS):
            raise UnknownNameError(f"unknown kinds {sorted(unknown)}; there are {', '.join(KINDS)}")
        share = np.array([kinds.get(kind, 0.0) for kind in KINDS])
        self.share = share / share.sum()
        self.families = tuple(sorted(families or ()))
        if unknown := sorted(set(self.families) - set(FAMILIES)):
            raise UnknownNameError(f"unknown families {unknown}; there are {', '.join(sorted(FAMILIES))}")
        self.size = size
        self.cache = ShapeCache(n_points=0) if cache else None
        self.entropy = (seed, SPLITS[split])

    def __len__(self) -> int:
        return self.size

    def kind(self, i: int) -> str:
        """The kind of shape i, which is the first thing that it draws."""
        return self._kind(np.random.default_rng([*self.entropy, i]))

    def shape(self, i: int) -> ProceduralShape:
        """Shape i, a labelled mesh."""
        rng = np.random.default_rng([*self.entropy, i])
        kind = self._kind(rng)
        seed = int(np.random.SeedSequence(self.entropy).generate_state(1)[0])

        def build() -> ProceduralShape:
            if kind == "organic":
                return organic(rng, seed=seed, index=i)
            family = self.families[int(rng.integers(len(self.families)))] if self.families else None
            shape = generate(seed, i, family)
            return fuse(shape, rng) if kind == "fused" else shape

        if self.cache is None or kind == "assembled":
            return build()
        # what is drawn from rng after the kind does not depend on the shares
        shape, _ = self.cache.get(
            {"dataset": kind, "seed": self.entropy[0], "split": self.entropy[1], "index": i}
            | ({"families": list(self.families)} if self.families and kind == "fused" else {}),
            build,
        )
        return shape

    def _kind(self, rng: np.random.Generator) -> str:
        return str(rng.choice(KINDS, p=self.share))
