"""Numbers of part names. Append only: a number, once given, keeps its name."""

from __future__ import annotations

PART_NAMES: tuple[str, ...] = ()

PART_IDS: dict[str, int] = {name: number for number, name in enumerate(PART_NAMES)}
