"""Installed wheels in an environment of their own.

The environment is new and holds our wheels, installed by pip without their dependencies. The third-party packages are
links to those of the environment that runs the tests: downloading torch again would take minutes and prove nothing
about our packages. That our metadata names everything we import is what `test_metadata.py` shows instead.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

# A table: five boxes, each of them 12 triangles.
_BOXES = [
    ((-1, 0.7, -0.6), (1, 0.8, 0.6)),
    *(((x - 0.05, 0, z - 0.05), (x + 0.05, 0.7, z + 0.05)) for x in (-0.9, 0.9) for z in (-0.5, 0.5)),
]


def table_obj() -> str:
    """A table as OBJ text."""
    lines: list[str] = []
    for i, (low, high) in enumerate(_BOXES):
        corners = [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
        lines += [f"v {x} {y} {z}" for x, y, z in corners]
        for a, b, c, d in ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)):
            lines += [
                f"f {8 * i + a + 1} {8 * i + b + 1} {8 * i + c + 1}",
                f"f {8 * i + a + 1} {8 * i + c + 1} {8 * i + d + 1}",
            ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds only what was installed into it, and links to third-party packages."""

    root: Path

    @property
    def python(self) -> Path:
        return self.root / "bin" / "python"

    def install(self, wheels: Sequence[Path]) -> None:
        """Install wheels, without their dependencies."""
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(self.python),
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
        ]
        subprocess.run([*pip, *map(str, wheels)], check=True)

    def run(self, *command: str, folder: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in a folder, with nothing of this checkout on the path."""
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTEST_ADDOPTS")}
        environment |= {"OMP_NUM_THREADS": "1", "COLUMNS": "120"}
        done = subprocess.run(
            [str(self.root / "bin" / command[0]), *command[1:]],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done


def new_environment(root: Path) -> Environment:
    """An empty virtual environment whose third-party packages are links to ours."""
    venv.create(root, with_pip=False, symlinks=True)
    environment = Environment(root)
    ours = Path(sysconfig.get_path("purelib"))
    theirs = next(root.glob("lib/python*/site-packages"))
    for item in ours.iterdir():
        if not item.name.lower().startswith(("partseg", "_partseg", "__editable__", "__pycache__", "_virtualenv")):
            (theirs / item.name).symlink_to(item)
    return environment


def build_wheel(project: Path, out: Path) -> Path:
    """Build one project's wheel without build isolation (the backend is installed)."""
    before = set(out.glob("*.whl"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = set(out.glob("*.whl")) - before
    return wheel


@pytest.fixture(scope="session")
def wheels(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of every package of the workspace and of the example plugin, by distribution name."""
    out = tmp_path_factory.mktemp("dist")
    projects = [*repository.glob("packages/*/pyproject.toml"), repository / "docs/examples/minimal/pyproject.toml"]
    built = {}
    for project in sorted(projects):
        wheel = build_wheel(project.parent, out)
        built[wheel.name.partition("-")[0].replace("_", "-")] = wheel
    return built


@pytest.fixture(scope="session")
def core_only(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with partseg-core and no method."""
    environment = new_environment(tmp_path_factory.mktemp("core") / "venv")
    environment.install([wheels["partseg-core"]])
    return environment


@pytest.fixture(scope="session")
def with_partfield(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What `pip install partseg-partfield` gives."""
    environment = new_environment(tmp_path_factory.mktemp("partfield") / "venv")
    environment.install([wheels["partseg-core"], wheels["partseg-partfield"]])
    return environment


@pytest.fixture
def with_plugin(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the example plugin as the only method; a new one for each test, so that it can be damaged."""
    environment = new_environment(tmp_path_factory.mktemp("plugin") / "venv")
    environment.install([wheels["partseg-core"], wheels["partseg-minimal"]])
    return environment


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of five boxes in a folder of its own."""
    path = tmp_path / "table.obj"
    path.write_text(table_obj())
    return path
