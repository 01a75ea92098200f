"""What a stranger installs: wheels, in an environment of their own."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("system")]


def files_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheels_hold_what_they_need_and_nothing_else(wheels: dict[str, Path]) -> None:
    for name, wheel in wheels.items():
        tops = {file.partition("/")[0] for file in files_of(wheel)}
        package = "partseg" if name == "partseg-core" else name.replace("-", "_")
        assert {top for top in tops if not top.endswith(".dist-info")} == {package}
        example = name == "partseg-minimal"  # for copying from: it carries no licence of its own
        assert example or any(file.endswith(".dist-info/licenses/LICENSE") for file in files_of(wheel))
        assert not [file for file in files_of(wheel) if "__pycache__" in file or file.endswith((".nbi", ".nbc"))]
    assert "partseg/py.typed" in files_of(wheels["partseg-core"])
    assert "partseg_partfield/configs/tiny.yaml" in files_of(wheels["partseg-partfield"])


def test_the_wheel_of_partfield_brings_its_weights(wheels: dict[str, Path]) -> None:
    found = {file for file in files_of(wheels["partseg-partfield"]) if "/weights/small/" in file}
    assert {Path(file).name for file in found} >= {"model.safetensors", "config.json"}
    assert wheels["partseg-partfield"].stat().st_size < 20e6


def test_partfield_from_its_wheel_segments_a_file(with_partfield, table: Path) -> None:
    done = with_partfield.run("partseg", "segment", "table.obj", "--parts", "5", folder=table.parent)
    assert done.stdout.startswith("table.obj: 5 parts")
    out = table.parent / "parts" / "table"
    assert sorted(file.name for file in out.iterdir()) == ["labels.npy", "parts.glb", "parts.png", "tree.json"]
    labels = np.load(out / "labels.npy")
    assert labels.shape == (60,)
    assert len(np.unique(labels)) == 5
    # five separate boxes in five parts: each box is one part
    assert [len(set(box)) for box in labels.reshape(5, 12)] == [1] * 5


def test_three_lines_of_python_do_the_same(with_partfield, table: Path) -> None:
    program = (
        "import partseg, json\n"
        "shape = partseg.load_shape('table.obj')\n"
        "seg = partseg.load_method('partfield').segment(shape, parts=5)\n"
        "seg.save('table_parts.glb')\n"
        "print(json.dumps([partseg.__file__, seg.n_parts]))"
    )
    done = with_partfield.run("python", "-c", program, folder=table.parent)
    file, parts = json.loads(done.stdout.strip().splitlines()[-1])
    assert Path(file).is_relative_to(with_partfield.root), "the checkout must not be what is tested"
    assert parts == 5
    assert (table.parent / "table_parts.glb").read_bytes().startswith(b"glTF")


def test_doctor_finds_nothing_broken(with_partfield, tmp_path: Path) -> None:
    done = with_partfield.run("partseg", "doctor", folder=tmp_path)
    assert done.stdout.rstrip().endswith("nothing is broken")


def test_core_alone_says_what_to_install(core_only, table: Path) -> None:
    done = core_only.run("partseg", "segment", "table.obj", folder=table.parent, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("pip install partseg-partfield")
    done = core_only.run("partseg", "segment", "table.obj", "--method", "partfield", folder=table.parent, check=False)
    assert "pip install partseg-partfield" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    done = core_only.run("partseg", "methods", folder=table.parent)
    assert "no methods are installed" in done.stdout


def test_a_plugin_is_listed_runs_and_keeps_the_contract(with_plugin, table: Path, repository: Path) -> None:
    done = with_plugin.run("partseg", "methods", folder=table.parent)
    assert "slabs  equal slabs along the longest side" in done.stdout
    done = with_plugin.run("partseg", "segment", "table.obj", "--parts", "3", folder=table.parent)
    assert done.stdout.startswith("table.obj: 3 parts"), "it is the only method, so it needs no naming"
    tests = repository / "docs/examples/minimal/tests"
    done = with_plugin.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests), folder=table.parent)
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_a_plugin_that_breaks_does_not_break_the_program(with_plugin, table: Path) -> None:
    package = next(with_plugin.root.glob("lib/python*/site-packages/partseg_minimal"))
    (package / "spec.py").write_text("import a_module_that_is_not_there\n")
    done = with_plugin.run("partseg", "methods", folder=table.parent)
    assert "unavailable: partseg-minimal 0.1.0: ModuleNotFoundError" in done.stdout
    done = with_plugin.run("partseg", "doctor", folder=table.parent, check=False)
    assert done.returncode == 1
    assert "BROKEN  method" in done.stdout
    done = with_plugin.run("partseg", "segment", "table.obj", "--method", "slabs", folder=table.parent, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "a_module_that_is_not_there" in done.stderr
