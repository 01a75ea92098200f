"""The program's frame: help, listings, errors; and how fast they answer."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from partseg.cli.main import main
from partseg.methods import registry
from partseg.methods.registry import Entry
from partseg.spec import CommandSpec

LIGHT = [
    ["--help"],
    ["--version"],
    ["methods"],
    ["methods", "--json"],
    ["methods", "--help"],
    ["datasets"],
    ["protocols"],
    ["segment", "--help"],
    ["data", "--help"],
    ["doctor", "--help"],
    ["fit", "--help"],
    ["predict", "--help"],
]


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_help_and_listings_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from partseg.cli.main import main\n"
        "try:\n    code = main(sys.argv[1:])\n"
        "except SystemExit as end:\n    code = end.code\n"
        "heavy = {'torch', 'lightning', 'numba', 'scipy', 'trimesh', 'pydantic', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_help_answers_in_half_a_second() -> None:
    """Best of three, because other tests run beside this one."""

    def once() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "partseg", "methods"], capture_output=True, check=True)
        return time.perf_counter() - start

    assert min(once() for _ in range(3)) < 0.5


def test_no_arguments_show_help(capsys: pytest.CaptureFixture) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: partseg")
    commands = [spec.name for spec in registry.BUILT_IN["command"]]
    places = [out.index(f"\n  {name} ") for name in commands]
    assert places == sorted(places), "commands are listed in the order of use"


def test_every_built_in_command_loads_and_explains_itself(capsys: pytest.CaptureFixture) -> None:
    for spec in registry.BUILT_IN["command"]:
        try:
            code = main([spec.name, "--help"])
        except SystemExit as end:
            code = end.code
        assert code == 0
        assert f"usage: partseg {spec.name}" in capsys.readouterr().out


def test_an_unknown_command_says_which_was_meant(capsys: pytest.CaptureFixture) -> None:
    assert main(["segmnet", "x"]) == 2
    assert "did you mean 'segment'" in capsys.readouterr().err
    assert main(["fly"]) == 2
    assert "commands: segment, methods" in capsys.readouterr().err


def test_plugins_bring_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    ran = []
    module = type(sys)("plugin_commands")
    module.greet = lambda argv: ran.append(argv) or 7
    monkeypatch.setitem(sys.modules, "plugin_commands", module)
    spec = CommandSpec(name="greet", summary="say 100% hello", run="plugin_commands:greet")
    rows = [
        Entry("command", "greet", "p", "1", spec),
        Entry("command", "bad", "q", "2", None, "ImportError: no 50% module", "pip install -U q"),
    ]
    monkeypatch.setattr("partseg.cli.main.entries", lambda kind: rows)
    assert main(["greet", "--loud"]) == 7
    assert ran == [["--loud"]]
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "say 100% hello" in out
    assert "unavailable: q 2: ImportError: no 50% module" in " ".join(out.split())
    assert main(["bad"]) == 1
    assert "pip install -U q" in capsys.readouterr().err


def test_a_broken_plugin_is_listed_with_its_mend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    row = Entry("method", "bad", "bad-package", "0.3", None, "ImportError: gone", "try `pip install -U bad-package`")
    monkeypatch.setattr("partseg.cli.listing.entries", lambda kind: [row])
    assert main(["methods"]) == 0
    out = capsys.readouterr().out
    assert "bad  unavailable: bad-package 0.3: ImportError: gone" in out
    assert "mend bad: try `pip install -U bad-package`" in out
    assert "pip install partseg-partfield brings partfield" in out
    assert main(["methods", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["error"] == "ImportError: gone"


def test_a_method_can_be_shown_in_full(capsys: pytest.CaptureFixture) -> None:
    assert main(["datasets", "procedural"]) == 0
    out = capsys.readouterr().out
    assert "coarse, middle, fine" in out
    assert main(["datasets", "procedural", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "procedural"
    assert main(["methods", "no-such-method"]) == 1
    assert "unknown method 'no-such-method'" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = f"{sys.executable} -m partseg methods --json | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
