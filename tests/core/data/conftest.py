"""Small batches for the tests of the data floor."""

from __future__ import annotations

import pytest
import torch

from partseg.data.batch import PartBatch
from partseg.parts.hierarchy import PartHierarchy


@pytest.fixture
def item():
    """A batch of one: n random points with two levels of labels; number `seed` of an endless sequence."""

    def make(n: int, seed: int = 0, *, normals: bool = True, colors: bool = False, hierarchy: bool = True) -> PartBatch:
        g = torch.Generator().manual_seed(seed)
        fine = torch.randint(-1, 4, (n,), generator=g)
        return PartBatch(
            points=torch.randn(n, 3, generator=g),
            ptr=torch.tensor([0, n]),
            normals=torch.nn.functional.normalize(torch.randn(n, 3, generator=g)) if normals else None,
            colors=torch.rand(n, 3, generator=g) if colors else None,
            labels={"coarse": torch.where(fine < 0, -1, fine // 2), "fine": fine},
            semantics={"fine": fine * 2},
            hierarchies=(PartHierarchy.from_labels(fine.numpy()),) if hierarchy else (),
            names=(f"item-{seed}",),
            categories=(f"kind-{seed % 2}",),
        )

    return make
