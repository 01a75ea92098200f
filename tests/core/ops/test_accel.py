from __future__ import annotations

import numpy as np
import pytest

from partseg.ops import accel


def test_absent_and_present_modules():
    assert accel.optional("no_such_module_at_all") is None
    assert accel.optional("json").__name__ == "json"


def test_blas_is_limited_only_inside():
    threadpoolctl = pytest.importorskip("threadpoolctl", reason="threadpoolctl cannot be imported")

    def threads() -> list[int]:
        return [lib["num_threads"] for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"]

    np.ones((2, 2)) @ np.ones((2, 2))
    before = threads()
    with accel.one_blas_thread():
        assert set(threads()) == {1}
    assert threads() == before


def test_works_without_threadpoolctl(monkeypatch):
    monkeypatch.setattr(accel, "_controller", lambda: None)
    with accel.one_blas_thread():
        assert (np.ones((2, 2)) @ np.ones((2, 2)) == 2).all()
