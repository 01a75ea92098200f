"""The same task for every shape of a dataset: in this process or in several, with a progress bar."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeVar

from partseg.errors import InputError, PartsegError, ShapeWarning

T = TypeVar("T")
Task = Callable[[int], T]

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_task: Any = None  # of a worker process


def default_workers() -> int:
    """The cores that this process may use, 8 at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 8)


def for_each(task: Task[T], n: int, workers: int) -> Iterator[tuple[int, T]]:
    """(i, task(i)) for i in 0..n-1, in the order in which they are done.

    Args:
        task: picklable where there is more than one worker.
        workers: processes; with one, the task runs here.

    When the generator is closed early, or stopped by Ctrl-C, tasks that have begun are finished and no other begins.

    Raises:
        PartsegError: a process was killed, by want of memory for example; also whatever the task raises.
    """
    if min(workers, n) < 2:
        for i in range(n):
            yield i, task(i)
        return
    context = multiprocessing.get_context("spawn")  # compiled kernels and threads do not fork well
    pool = ProcessPoolExecutor(min(workers, n), context, _begin, (task,))
    left = iter(range(n))
    running: dict[Future, int] = {}
    try:
        with _deaf_children():  # all processes start with the first task
            running |= {pool.submit(_run, i): i for _, i in zip(range(4 * workers), left, strict=False)}
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                i = running.pop(future)
                yield i, future.result()
                if (following := next(left, None)) is not None:
                    running[pool.submit(_run, following)] = following
    except BrokenProcessPool:
        mend = "was there memory enough? run it again with fewer --workers"
        raise PartsegError(f"a worker process ended abruptly; {mend}") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def told() -> Iterator[list[str]]:
    """The texts of the `ShapeWarning`s raised inside, instead of lines on stderr; other warnings are shown as ever."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ShapeWarning)
        yield texts
    for one in caught:
        if issubclass(one.category, ShapeWarning):
            texts.append(" ".join(str(one.message).split()))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def damage(error: Exception, name: str) -> InputError:
    """What a person is told when a shape cannot be read.

    Raises:
        PartsegError: the error is not of that shape: a module is not installed.
    """
    if isinstance(error, InputError):
        return error
    if isinstance(error, PartsegError):
        if isinstance(error.__context__, ImportError):
            raise error
        return InputError(name, str(error))
    if isinstance(error, MemoryError):
        return InputError(name, "not enough memory for this shape")
    if os.environ.get("PARTSEG_DEBUG"):
        raise error
    return InputError(name, f"{type(error).__name__}: {error}", "please report this; --debug shows where")


def _begin(task: Any) -> None:
    global _task
    _task = task
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one tells the others
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _run(i: int) -> Any:
    return _task(i)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)  # it was killed: nobody takes what this process makes


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started inside have one thread each, as there are several of them, and do not hear Ctrl-C.

    This process hears at the end a Ctrl-C that came meanwhile: the signal is blocked, which children inherit.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    blocks = hasattr(signal, "pthread_sigmask") and threading.current_thread() is threading.main_thread()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if blocks else None
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
