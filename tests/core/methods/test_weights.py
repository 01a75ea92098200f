"""Reading and writing weights: nothing is executed, nothing is half written, errors name the file."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch

from partseg.errors import InputError
from partseg.methods import weights
from partseg.spec import MethodSpec

SPEC = MethodSpec(
    name="toy",
    summary="a toy",
    method="builtins:object",
    license="MIT",
    capabilities=(),
    weights={"small": "partseg:cli", "gone": "partseg:no-such-folder"},
    default_weights="small",
)


def state() -> dict[str, torch.Tensor]:
    base = torch.arange(12.0).view(3, 4)
    return {"a": base, "shared": base[0], "strided": base.t(), "count": torch.tensor(3)}


def test_a_folder_round_trips(tmp_path: Path) -> None:
    weights.write(tmp_path / "w", state(), {"width": 3}, method="toy", note="by hand")
    found = weights.read(tmp_path / "w")
    assert found.config == {"width": 3}
    assert found.method == "toy"
    assert found.card["note"] == "by hand"
    for name, tensor in state().items():
        assert tensor.equal(found.state[name]), name
    assert sorted(file.name for file in (tmp_path / "w").iterdir()) == ["config.json", "model.safetensors"]


def test_the_recorded_hash_is_that_of_the_file(tmp_path: Path) -> None:
    import hashlib

    weights.write(tmp_path, state(), {})
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert json.loads((tmp_path / "config.json").read_text())["sha256"] == digest


def test_a_checkpoint_is_read(tmp_path: Path) -> None:
    torch.save({"state_dict": state(), "partseg": {"method": "toy", "config": {"width": 3}}}, tmp_path / "last.ckpt")
    found = weights.read(tmp_path / "last.ckpt")
    assert (found.method, found.config) == ("toy", {"width": 3})


class Payload:
    """Reading this with plain pickle would leave a file behind."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".pkl"])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, suffix: str) -> None:
    mark, file = tmp_path / "was-run", tmp_path / f"evil{suffix}"
    torch.save({"state_dict": Payload(mark)}, file)
    with pytest.raises(InputError, match="reading it could run code"):
        weights.read(file)
    file.write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(InputError, match=file.name):
        weights.read(file)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({}, "no config.json"),
        ({"config.json": "not json"}, "is not JSON"),
        ({"config.json": "[]"}, "no 'config'"),
        ({"config.json": '{"config": {}}'}, "model.safetensors: cannot be read"),
        ({"config.json": '{"config": {}}', "model.safetensors": "short"}, "cannot be read"),
        ({"config.json": '{"config": {}, "format": 99}'}, "format 99"),
    ],
)
def test_a_broken_folder_is_one_line(tmp_path: Path, files: dict[str, str], text: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=text) as caught:
        weights.read(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 not a zip", b"solid text"])
def test_a_broken_checkpoint_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.ckpt"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.ckpt") as caught:
        weights.read(file)
    assert "\n" not in str(caught.value)


def test_a_foreign_checkpoint_is_named_as_such(tmp_path: Path) -> None:
    torch.save({"state_dict": state()}, tmp_path / "foreign.ckpt")
    with pytest.raises(InputError, match="records no config"):
        weights.read(tmp_path / "foreign.ckpt")


def test_weights_are_found_by_shipped_name_or_path(tmp_path: Path) -> None:
    import partseg

    folder = Path(partseg.__file__).parent / "cli"
    assert weights.locate(None, SPEC) == folder
    assert weights.locate("small", SPEC) == folder
    assert weights.locate(tmp_path, SPEC) == tmp_path
    with pytest.raises(InputError, match="should ship"):
        weights.locate("gone", SPEC)
    with pytest.raises(InputError, match="weights that ship: gone, small"):
        weights.locate("nothing", SPEC)


def test_a_hub_id_without_the_hub_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"partseg-core\[hub\]"):
        weights.locate("owner/name", SPEC)


def test_a_hub_id_fetches_only_tensors_and_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    asked = {}

    def download(repository: str, **options: object) -> str:
        asked.update(options, repository=repository)
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", download)
    assert weights.locate("owner/name@v2", SPEC) == tmp_path
    assert asked["repository"] == "owner/name"
    assert asked["revision"] == "v2"
    assert asked["allow_patterns"] == ["model.safetensors", "config.json"]


def test_a_failed_write_leaves_the_old_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights.write(tmp_path, {"a": torch.zeros(2)}, {"version": 1})

    def broken(tensors, path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights, "save_file", broken)
    with pytest.raises(InputError, match="No space left"):
        weights.write(tmp_path, {"a": torch.ones(2)}, {"version": 2})
    found = weights.read(tmp_path)
    assert found.config == {"version": 1}
    assert found.state["a"].tolist() == [0, 0]
    assert len(list(tmp_path.iterdir())) == 2
