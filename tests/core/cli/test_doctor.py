"""`partseg doctor`: finds what is broken and says how to mend it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from partseg.cli import doctor
from partseg.cli.main import main
from partseg.methods.registry import Entry
from partseg.spec import MethodSpec


def spec(**fields: object) -> MethodSpec:
    values = {"name": "toy", "summary": "x", "method": "os:path", "license": "MIT", "capabilities": ("segmenter",)}
    return MethodSpec(**(values | fields))


def test_reports_this_environment(capsys: pytest.CaptureFixture) -> None:
    main(["doctor", "--json"])
    findings = {row["topic"]: row for row in json.loads(capsys.readouterr().out)}
    assert findings["torch"]["level"] == "ok"
    assert findings["imports"]["level"] == "ok"
    assert findings["kernel cache"]["level"] == "ok"
    assert "cores" in findings["device"]["text"]


def test_a_broken_plugin_makes_the_exit_code_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    row = Entry("method", "bad", "bad-package", "0.3", None, "ImportError: gone", "try `pip install -U bad-package`")
    monkeypatch.setattr(doctor, "entries", lambda kind: [row] if kind == "method" else [])
    monkeypatch.setattr(doctor, "list_methods", list)
    monkeypatch.setattr(doctor, "_torch_works", lambda: iter(()))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "BROKEN  method" in out
    assert "mend: try `pip install -U bad-package`" in out
    assert out.rstrip().endswith("1 broken")


def test_a_spec_that_names_a_missing_module_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "entries", lambda kind: [])
    for module in ("no_such_package.module", "os.no_such_module"):
        monkeypatch.setattr(doctor, "list_methods", lambda module=module: [spec(method=f"{module}:X")])
        assert [finding.level for finding in doctor._plugins()] == ["broken"]


def test_weights_are_compared_with_their_recorded_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "toy_weights"
    (package / "small").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    toy = spec(weights={"small": "toy_weights:small"})
    monkeypatch.setattr(doctor, "list_methods", lambda: [toy])

    def level() -> str:
        (finding,) = doctor._weights()
        return finding.level

    assert level() == "broken"
    (package / "small" / "model.safetensors").write_bytes(b"tensors")
    card = {"sha256": hashlib.sha256(b"tensors").hexdigest()}
    (package / "small" / "config.json").write_text(json.dumps(card))
    assert level() == "ok"
    (package / "small" / "model.safetensors").write_bytes(b"other tensors")
    assert level() == "broken"


def test_a_torch_that_cannot_be_imported_beside_torchvision_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failed:
        returncode, stdout = 1, ""
        stderr = "Traceback\nRuntimeError: operator torchvision::nms does not exist"

    monkeypatch.setattr(doctor.subprocess, "run", lambda *a, **k: Failed)
    (finding,) = doctor._torch_works()
    assert finding.level == "broken"
    assert "torchvision::nms" in finding.text
    assert "pip uninstall torchvision" in finding.mend


def test_the_malicious_releases_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version", lambda name: "2.6.3" if name == "lightning" else "1")
    broken = [finding for finding in doctor._packages() if finding.level == "broken"]
    assert [finding.topic for finding in broken] == ["lightning"]
