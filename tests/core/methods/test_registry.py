"""Discovery: entry points are faked, so that no package is installed to test it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint

import pytest
import torch

from partseg.errors import PartsegError, UnknownNameError
from partseg.methods import registry
from partseg.methods.registry import IncompatibleError, check_pair, entries, find, find_method, load_method
from partseg.spec import DatasetSpec, MethodSpec, SpecError, load_target, resource


@dataclass
class FakeDistribution:
    name: str
    version: str


class FakePoint(EntryPoint):
    """An entry point of a distribution that is not installed; `found` is what loading it gives, or raises."""

    def __init__(self, name: str, found: object, distribution: str = "some-package", version: str = "1.2") -> None:
        super().__init__(name, f"fake:{name}", "partseg.methods")
        vars(self).update(found=found, dist=FakeDistribution(distribution, version))  # its attributes cannot be set

    def load(self) -> object:
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found


def method(name: str = "good", **fields: object) -> MethodSpec:
    base = MethodSpec(
        name=name, summary="a method", method="builtins:object", license="MIT", capabilities=("segmenter",)
    )
    return replace(base, **fields)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    """`install(point, ...)` makes these the only plugins."""

    def set_points(*points: FakePoint) -> None:
        monkeypatch.setattr(registry, "_points", lambda kind: list(points) if kind == "method" else [])

    return set_points


def test_methods_are_listed_by_name(install) -> None:
    install(FakePoint("b", method("b")), FakePoint("a", method("a")))
    assert [spec.name for spec in registry.list_methods()] == ["a", "b"]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (ModuleNotFoundError("No module named 'gone'"), "No module named 'gone'"),
        (RuntimeError("two\nlines"), "two lines"),
        (SyntaxError("bad"), "bad"),
        ({"name": "good"}, "is a dict, not a MethodSpec"),
        (method("other"), "but its spec 'other'"),
    ],
)
def test_a_broken_plugin_is_a_row_and_takes_no_other_down(install, found: object, text: str) -> None:
    install(FakePoint("good", method()), FakePoint("bad", found, "bad-package", "0.3"))
    rows = {row.name: row for row in entries("method")}
    assert rows["good"].available
    assert not rows["bad"].available
    assert str(rows["bad"]).startswith("unavailable: bad-package 0.3: ")
    assert text in str(rows["bad"])
    assert "\n" not in str(rows["bad"])
    assert "pip install -U bad-package" in rows["bad"].mend
    assert [spec.name for spec in registry.list_methods()] == ["good"]
    with pytest.raises(PartsegError, match=r"bad-package 0\.3"):
        load_method("bad")


def test_a_name_that_is_claimed_twice_names_both_distributions(install) -> None:
    install(FakePoint("good", method(), "first", "1"), FakePoint("good", method(), "second", "2"))
    assert all(not row.available for row in entries("method"))
    with pytest.raises(PartsegError, match=r"first 1 and second 2"):
        find_method("good")


def test_a_plugin_cannot_take_the_name_of_a_command_of_core(monkeypatch: pytest.MonkeyPatch) -> None:
    from partseg.spec import CommandSpec

    spec = CommandSpec(name="segment", summary="mine", run="builtins:print")
    monkeypatch.setattr(registry, "_points", lambda kind: [FakePoint("segment", spec)] if kind == "command" else [])
    with pytest.raises(PartsegError, match=r"partseg-core .* and some-package"):
        find("command", "segment")


def test_an_unknown_name_says_what_is_installed(install) -> None:
    install(FakePoint("good", method()), FakePoint("bad", ImportError("x")))
    with pytest.raises(UnknownNameError, match=r"unknown method 'nothing'; installed: good$"):
        find_method("nothing")
    with pytest.raises(UnknownNameError, match="Did you mean 'good'"):
        find_method("goood")


def test_an_unknown_name_that_we_publish_says_how_to_install_it(install) -> None:
    install()
    for name, package in registry.PUBLISHED.items():
        with pytest.raises(UnknownNameError, match=f"installed: none.*pip install {package}$"):
            find_method(name)


def test_published_packages_are_those_of_the_workspace(repository) -> None:
    """The hint is not kept by hand: it names what the workspace's packages declare."""
    import tomllib

    declared = {}
    for file in repository.glob("packages/*/pyproject.toml"):
        project = tomllib.loads(file.read_text())["project"]
        for name in project.get("entry-points", {}).get("partseg.methods", {}):
            declared[name] = project["name"]
    assert declared == registry.PUBLISHED


class Scratch:
    """A method in a file of one's own."""

    def segment(self, shape, *, parts=None, level=None): ...


SCRATCH_SPEC = method("scratch-spec", method=f"{__name__}:Scratch")


def test_scratch_methods_need_no_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "my_scratch", sys.modules[__name__])
    spec = find_method("my_scratch:Scratch")
    assert spec.capabilities == ("segmenter",)
    assert isinstance(load_method("my_scratch:Scratch"), Scratch)
    assert find_method("my_scratch:SCRATCH_SPEC") is SCRATCH_SPEC
    with pytest.raises(UnknownNameError, match="no_such_module"):
        find_method("no_such_module:Thing")
    with pytest.raises(UnknownNameError, match="has no 'Nothing'"):
        find_method("my_scratch:Nothing")


def test_weights_for_a_method_without_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "my_scratch", sys.modules[__name__])
    with pytest.raises(PartsegError, match="takes no weights"):
        load_method("my_scratch:Scratch", "some/folder")


class OnTorch(torch.nn.Linear):
    """Moves between devices as networks do."""

    def __init__(self) -> None:
        super().__init__(1, 1)

    def segment(self, shape, *, parts=None, level=None): ...


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setitem(sys.modules, "my_scratch", sys.modules[__name__])
    with pytest.raises(PartsegError, match=f"'{device}' cannot be used") as caught:
        load_method("my_scratch:OnTorch", device=device)
    assert "\n" not in str(caught.value)


def test_a_pair_that_cannot_work_is_refused_with_all_reasons() -> None:
    data = DatasetSpec(name="clouds", summary="points", dataset="builtins:object", license="MIT", features=("normals",))
    check_pair(method(needs=("normals",)), data)
    with pytest.raises(IncompatibleError, match=r"'good' needs mesh, levels.*'clouds'.*it has normals"):
        check_pair(method(needs=("mesh", "normals", "levels")), data)


def test_real_entry_points_are_read() -> None:
    """Not faked: what is installed here is found, through `importlib.metadata`."""
    assert {"procedural"} <= {spec.name for spec in registry.list_datasets()}
    assert all(isinstance(point, EntryPoint) for point in registry._points("method"))


def test_listing_imports_nothing_heavy() -> None:
    program = (
        "import sys, partseg\n"
        "partseg.list_methods(), partseg.list_datasets(), partseg.list_protocols()\n"
        "print(sorted({'torch', 'lightning', 'numba', 'scipy', 'trimesh', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"name": "Not Kebab"}, "kebab-case"),
        ({"summary": "two\nlines"}, "one line"),
        ({"method": "no_colon"}, "module:Name"),
        ({"capabilities": ("flies",)}, "unknown capability flies"),
        ({"needs": ("luck",)}, "unknown need luck"),
        ({"status": {"psb": "surely"}}, "unknown status surely"),
        ({"default_config": "absent"}, "default config 'absent'"),
        ({"default_weights": "absent"}, "default weights 'absent'"),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(fields: dict, text: str) -> None:
    with pytest.raises(SpecError, match=text):
        method(**fields)


def test_targets_and_resources() -> None:
    assert load_target("os.path:join") is __import__("os").path.join
    assert resource("partseg:py.typed").is_file()
    for bad in ("partseg", "partseg:", "partseg:../x", "partseg:/etc/passwd", "no_such_package:x", "../x:y"):
        with pytest.raises(SpecError):
            resource(bad)
