from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

import partseg.ops as ops


@pytest.mark.parametrize("name", ops.__all__)
def test_every_name_is_a_function(name):
    assert callable(getattr(ops, name))
    assert name in dir(ops)
    assert importlib.util.find_spec(f"partseg.ops.{name}") is None  # a module of that name would shadow it


def test_unknown_name():
    with pytest.raises(AttributeError, match="nothing_such"):
        ops.nothing_such  # noqa: B018


def test_importing_the_package_loads_no_heavy_library():
    code = (
        "import sys, partseg.ops; "
        "print([m for m in ('torch', 'numba', 'scipy', 'torch_scatter') if m in sys.modules]); "
        "from partseg.ops import lookup_planes, ward_tree; from partseg.ops.knn import knn; "
        "print(callable(lookup_planes), callable(ward_tree), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True True False"], done.stderr
