"""Each package's metadata names what the package imports, so that its wheel installs alone."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

# distribution -> what one imports, where the names differ
IMPORT_NAMES = {
    "pillow": "PIL",
    "pyyaml": "yaml",
    "torch-scatter": "torch_scatter",
    "torch-cluster": "torch_cluster",
    "partseg-core": "partseg",
}
PACKAGES = sorted(path.parent.name for path in Path(__file__).parents[2].glob("packages/*/pyproject.toml"))


def distribution_name(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement).group().lower().replace("_", "-")


def import_names(requirements: list[str]) -> set[str]:
    names = [distribution_name(requirement) for requirement in requirements]
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def imported(file: Path) -> set[str]:
    """Top-level packages that a file imports anywhere, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_import_is_declared(package: str, repository: Path) -> None:
    folder = repository / "packages" / package
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    declared = import_names(project["dependencies"])
    for requirements in project.get("optional-dependencies", {}).values():
        declared |= import_names(requirements)
    if "partseg" in declared:  # what core needs is there wherever core is
        core = tomllib.loads((repository / "packages/core/pyproject.toml").read_text())["project"]
        declared |= import_names(core["dependencies"])
    (source,) = (folder / "src").iterdir()
    missing = {}
    for file in sorted(source.rglob("*.py")):
        allowed = declared | {source.name}
        if file.parent.name == "testing":
            allowed |= {"pytest"}  # only tests import it
        if unknown := imported(file) - allowed:
            missing[str(file.relative_to(source))] = sorted(unknown)
    assert missing == {}


def test_every_requirement_of_the_packages_is_pinned(repository: Path) -> None:
    """`make setup` is reproducible: what is installed is what constraints.txt says, and torchvision never is."""
    lines = (repository / "constraints.txt").read_text().splitlines()
    pinned = {distribution_name(line): line for line in lines if line and not line.startswith("#")}
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pinned.values())
    assert "torchvision" not in pinned
    wanted = list(tomllib.loads((repository / "pyproject.toml").read_text())["dependency-groups"]["dev"])
    for file in repository.glob("packages/*/pyproject.toml"):
        wanted += tomllib.loads(file.read_text())["project"]["dependencies"]
    names = {distribution_name(requirement) for requirement in wanted}
    assert {name for name in names if not name.startswith("partseg")} - set(pinned) == set()


def test_methods_of_the_workspace_do_not_import_one_another(repository: Path) -> None:
    names = {next((repository / "packages" / package / "src").iterdir()).name for package in PACKAGES}
    for package in PACKAGES:
        (source,) = (repository / "packages" / package / "src").iterdir()
        allowed = {source.name, "partseg"}
        for file in source.rglob("*.py"):
            assert imported(file) & names <= allowed, file
