"""For every test: annotations are checked as the packages run, and fixtures say where real data lies."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import pytest
from hypothesis import settings
from jaxtyping import config as checks
from jaxtyping import install_import_hook

settings.register_profile("partseg", deadline=None)  # the first example of a test may compile a kernel
settings.load_profile("partseg")


def _jit_unchecked(jit: Callable[..., Any]) -> Callable[..., Any]:
    """numba.njit that compiles the function itself, not the checks around it."""

    def decorator(*arguments: Any, **options: Any) -> Any:
        if arguments and inspect.isfunction(arguments[0]):
            return jit(inspect.unwrap(arguments[0]), *arguments[1:], **options)
        compiles = jit(*arguments, **options)
        return lambda function: compiles(inspect.unwrap(function))

    return decorator


# Every annotation of these packages is checked on every call, array shapes among them (see annotations.py), in the test
# process; processes that tests start run as users run them. Must come before the first import of the packages.
numba.njit = _jit_unchecked(numba.njit)
PACKAGES = ["partseg", "partseg_partfield", "partseg_recursive_partnet", "partseg_baselines", "partseg_bench"]
install_import_hook(PACKAGES, "annotations.after_the_call")

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


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Annotations go unchecked: torch.compile can trace the code, not the checks around it."""
    checks.update("jaxtyping_disable", True)
    yield
    checks.update("jaxtyping_disable", False)
