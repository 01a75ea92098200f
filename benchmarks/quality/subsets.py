"""Seeded selections of shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from partseg.data.formats.psb import PsbItem


def spread(items: Sequence[PsbItem], n: int, seed: int) -> list[PsbItem]:
    """`n` items drawn without replacement, as even over the categories as possible, by number. All when n is larger."""
    rng = np.random.default_rng(seed)
    queues: dict[str, list[PsbItem]] = {}
    for item in items:
        queues.setdefault(item.category, []).append(item)
    for queue in queues.values():
        rng.shuffle(queue)  # type: ignore[arg-type]
    chosen: list[PsbItem] = []
    while len(chosen) < min(n, len(items)):
        names = [name for name, queue in queues.items() if queue]
        for name in rng.permutation(names)[: n - len(chosen)]:
            chosen.append(queues[name].pop())
    return sorted(chosen, key=lambda item: (item.id, item.mesh))


# (number of shapes, seed) of the selections that inference settings were chosen on.
LOOKED_AT = ((24, 1), (30, 1), (38, 1), (30, 7))


def unseen(items: Sequence[PsbItem]) -> set[str]:
    """Names of the shapes that no inference setting was chosen on (no weights were trained on any of them)."""
    seen = {item.name for n, seed in LOOKED_AT for item in spread(items, n, seed)}
    return {item.name for item in items} - seen
