"""Fixtures for every test: where real data lies, and no surprises from threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("partseg", deadline=None)  # the first example of a test may compile a kernel
settings.load_profile("partseg")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def test_data() -> Callable[[str], Path]:
    """`test_data("psb")` is real data under $PARTSEG_TEST_DATA (or beside the checkout); skips when absent."""
    root = Path(os.environ.get("PARTSEG_TEST_DATA") or REPOSITORY.parent / "shared" / "data")

    def folder(name: str) -> Path:
        path = root / name
        if not path.exists():
            pytest.skip(f"no real data {name!r}: set PARTSEG_TEST_DATA to a folder that holds it")
        return path

    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY
