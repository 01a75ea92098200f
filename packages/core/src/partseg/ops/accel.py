"""Optional libraries: those of the `pyg` extra, and control over the threads of BLAS."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def optional(name: str) -> ModuleType | None:
    """The module, or None when it is absent or cannot be loaded (built for another torch, a missing library)."""
    try:
        return import_module(name)
    except (ImportError, OSError):
        return None


@cache
def _controller() -> object | None:
    library = optional("threadpoolctl")
    return None if library is None else library.ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """While open, a matrix product of NumPy uses one thread, if threadpoolctl is installed (scikit-learn brings it).

    For code that calls products from threads of its own: BLAS threads on top of them would wait for each other.
    """
    controller = _controller()
    return nullcontext() if controller is None else controller.limit(limits=1, user_api="blas")
