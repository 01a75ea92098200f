"""A method in a scratch module, and small shape files."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest

TRIANGLES = (
    "".join(f"v {x} {y} 0\n" for x in range(4) for y in range(2)) + "f 1 3 2\nf 3 4 2\nf 3 5 4\nf 5 6 4\nf 5 7 6\n"
)


class Halves:
    """Cuts at the middle of the elements; refuses shapes called "refused", breaks on those called "broken"."""

    def segment(self, shape, *, parts=None, level=None):
        from partseg.errors import InputError
        from partseg.parts.segmentation import Segmentation

        if shape.name == "refused":
            raise InputError(shape.name, "is not wanted here")
        if shape.name == "broken":
            raise ZeroDivisionError("a mistake\nin the method")
        if shape.name == "stopped":
            raise KeyboardInterrupt
        n = shape.n_elements
        return Segmentation(shape, np.arange(n) * min(parts or 2, n) // n)


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a method that is not installed."""
    module = types.ModuleType("scratch_halves")
    module.Halves = Halves
    monkeypatch.setitem(sys.modules, "scratch_halves", module)
    return "scratch_halves:Halves"


@pytest.fixture
def shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shape files, which is also the working folder."""
    for name in ("a.obj", "b.obj", "c.obj"):
        (tmp_path / name).write_text(TRIANGLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PARTSEG_DEBUG", raising=False)
    yield tmp_path
    os.environ.pop("PARTSEG_DEBUG", None)
