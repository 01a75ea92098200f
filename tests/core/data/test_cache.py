"""The cache of prepared samples: what is read is what was written, or nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

from partseg.data.cache import EntryCache

ARRAYS = {"points": np.arange(12, dtype=np.float32).reshape(4, 3), "labels.parts": np.array([0, 1, 1, -1], np.int32)}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "shape.obj"
    path.write_text("v 0 0 0")
    return path


@pytest.fixture
def cache(tmp_path):
    return EntryCache(tmp_path / "cache", {"reader": "Toy", "version": 1})


def fresh(cache: EntryCache) -> EntryCache:
    """As another process sees it."""
    other = EntryCache(cache.root, {})
    other.recipe = cache.recipe
    return other


def test_round_trip(cache, source):
    assert cache.read("a", [source]) is None
    cache.write("a", [source], ARRAYS | {"empty": np.zeros((0, 3))}, {"hierarchy": None, "names": ["ä", "b"]})
    entry = fresh(cache).read("a", [source])
    assert set(entry.arrays) == {"points", "labels.parts", "empty"}
    for name, values in ARRAYS.items():
        assert entry.arrays[name].dtype == values.dtype
        np.testing.assert_array_equal(entry.arrays[name], values)
    assert entry.arrays["empty"].shape == (0, 3)
    assert entry.about["names"] == ["ä", "b"]
    assert cache.read("b", [source]) is None


def test_other_tools_open_it(cache, source):
    cache.write("a", [source], ARRAYS, {})
    np.testing.assert_array_equal(load_file(cache.path("a"))["points"], ARRAYS["points"])


def test_writing_to_what_was_read_does_not_reach_the_file(cache, source):
    cache.write("a", [source], ARRAYS, {})
    cache.read("a", [source]).arrays["points"][:] = 7
    np.testing.assert_array_equal(fresh(cache).read("a", [source]).arrays["points"], ARRAYS["points"])


def test_another_recipe_is_another_file(cache, source):
    cache.write("a", [source], ARRAYS, {})
    assert EntryCache(cache.root, {"reader": "Toy", "version": 2}).read("a", [source]) is None


def test_a_changed_source_is_noticed_and_a_touched_one_is_not(cache, source):
    cache.write("a", [source], ARRAYS, {})
    os.utime(source, ns=(1, 1))
    assert fresh(cache).read("a", [source]) is not None  # same bytes
    source.write_text("v 1 0 0")  # same length
    assert fresh(cache).read("a", [source]) is None
    source.write_text("v 0 0 0 ")
    assert fresh(cache).read("a", [source]) is None
    source.unlink()
    assert fresh(cache).read("a", [source]) is None


def test_a_folder_stands_for_its_files(cache, tmp_path):
    folder = tmp_path / "objs"
    folder.mkdir()
    (folder / "0.obj").write_text("v")
    cache.write("a", [folder], ARRAYS, {})
    assert fresh(cache).read("a", [folder]) is not None
    (folder / "1.obj").write_text("v")
    assert fresh(cache).read("a", [folder]) is None


@pytest.mark.parametrize("harm", ["short", "flipped", "empty", "text", "long", "huge header"])
def test_damage_is_noticed(cache, source, harm):
    cache.write("a", [source], ARRAYS, {})
    path = cache.path("a")
    whole = path.read_bytes()
    path.write_bytes(
        {
            "short": whole[:-1],
            "flipped": whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:],
            "empty": b"",
            "text": b"not a cache at all",
            "long": whole + b"x",
            "huge header": (2**63).to_bytes(8, "little") + whole[8:],
        }[harm]
    )
    assert fresh(cache).read("a", [source]) is None
    cache.write("a", [source], ARRAYS, {})
    assert fresh(cache).read("a", [source]) is not None


WRITER = """
import sys
import numpy as np
from pathlib import Path
from partseg.data.cache import EntryCache
cache, source = EntryCache(sys.argv[1], {"reader": "Toy"}), Path(sys.argv[2])
print("ready", flush=True)
for i in range(10**6):
    key = str(i % 40)
    cache.write(key, [source], {"points": np.full((2000, 3), i % 40, np.float32)}, {"number": i % 40})
"""


@pytest.mark.slow
def test_killed_writers_leave_whole_entries_or_none(tmp_path, source):
    """Two writers of the same entries at once, one of them killed 20 times at random moments."""
    root = tmp_path / "cache"
    rng = random.Random(0)
    start = lambda: subprocess.Popen(  # noqa: E731
        [sys.executable, "-c", WRITER, str(root), str(source)], stdout=subprocess.PIPE, text=True
    )
    steady = start()
    seen = 0
    try:
        for _ in range(20):
            victim = start()
            assert victim.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0.0, 0.05))
            victim.send_signal(signal.SIGKILL)
            assert victim.wait() == -signal.SIGKILL
            cache = EntryCache(root, {"reader": "Toy"})
            for key in range(40):
                path = cache.path(str(key))
                if path.exists():
                    entry = cache.read(str(key), [source])
                    assert entry is not None, "a visible entry is a whole one"
                    assert entry.about["number"] == key and (entry.arrays["points"] == key).all()
                    seen += 1
    finally:
        steady.kill()
        steady.wait()
    assert seen > 100
    left = list(root.glob("??/.*"))
    assert EntryCache(root, {}).sweep(older_than=0) == len(left)
    assert not list(root.glob("??/.*"))
