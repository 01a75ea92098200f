"""Optional libraries: those of the `pyg` extra; control over the threads of BLAS, and over memory that is freed."""

from __future__ import annotations

import ctypes
import platform
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
def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for its next arrays; says whether it could (glibc only).

    Training allocates the same large arrays at every step. By default each is mapped anew and given back, and the
    kernel clears its pages every time: up to a third of a step on the CPU. The process stays as large as it has been.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mapped, trimmed, padding = -4, -1, -2  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD of malloc.h
    library = ctypes.CDLL(None)
    return all([library.mallopt(mapped, 0), library.mallopt(trimmed, 2**31 - 1), library.mallopt(padding, 2**28)])


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
