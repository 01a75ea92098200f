"""Where weights come from, and reading them without running anything that is in them.

Weights are a folder with `model.safetensors` and `config.json`. A Lightning checkpoint is read with
`torch.load(weights_only=True)`; a pickle that holds more than tensors and plain data is refused, never executed.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from partseg.errors import InputError, PartsegError
from partseg.files import write_aside, write_text
from partseg.spec import MethodSpec, SpecError, resource

TENSORS = "model.safetensors"
CONFIG = "config.json"
FORMAT = 1
_HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*(@[\w./-]+)?")
_MAX_CONFIG_BYTES = 4 << 20  # a config is a page of text; anything larger is not one


@dataclass(frozen=True)
class Weights:
    """Weights in memory.

    Args:
        source: the folder or file they were read from.
        config: the method's config as plain data.
        state: name -> tensor.
        method: the method's name as recorded, empty when it was not.
        card: everything else in `config.json`.
    """

    source: Path
    config: dict[str, Any]
    state: dict[str, torch.Tensor]
    method: str = ""
    card: dict[str, Any] = field(default_factory=dict)


def locate(weights: str | Path | None, spec: MethodSpec | None = None) -> Path:
    """The folder or file that names weights: shipped name, folder, checkpoint, or hub id ("owner/name[@revision]").

    Raises:
        InputError: there is nothing of that name, or no weights ship and none were given.
    """
    shipped = dict(spec.weights) if spec else {}
    if weights is None:
        name = spec.default_weights if spec else None
        if name is None:
            who = f"method {spec.name!r}" if spec else "this method"
            raise InputError(who, "ships no weights", "pass weights=<folder, checkpoint or hub id>, or train some")
        return _shipped(shipped[name])
    path = Path(weights).expanduser()
    if path.exists():
        return path
    text = str(weights)
    if text in shipped:
        return _shipped(shipped[text])
    if _HUB_ID.fullmatch(text) and not path.suffix:
        return _from_hub(text)
    among = f"; weights that ship: {', '.join(sorted(shipped))}" if shipped else ""
    raise InputError(text, "no such weights", f"name a folder, a .ckpt file or a hub id{among}")


def read(source: str | Path, *, device: str = "cpu") -> Weights:
    """Read a folder (safetensors + config.json) or a Lightning checkpoint.

    Raises:
        InputError: something is missing, broken, or would run code when read.
    """
    source = Path(source)
    if source.is_dir():
        return _read_folder(source, device)
    if source.suffix == ".safetensors":
        return _read_folder(source.parent, device, source.name)
    return _read_checkpoint(source, device)


def write(folder: str | Path, state: dict[str, torch.Tensor], config: dict[str, Any], **card: Any) -> Path:
    """Write `model.safetensors` and `config.json` into a folder, each complete or not at all.

    Args:
        folder: made when missing.
        state: tensors; they are copied to contiguous memory on the CPU, so shared storage is no obstacle.
        config: the method's config as plain JSON data.
        card: further JSON data for `config.json` (method, version, what it was trained on, …).
    """
    folder = Path(folder)
    tensors = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}
    with write_aside(folder / TENSORS) as aside:
        save_file(tensors, aside)
        digest = hashlib.sha256(aside.read_bytes()).hexdigest()
    data = {"format": FORMAT, **card, "sha256": digest, "config": config}
    write_text(folder / CONFIG, json.dumps(data, indent=2) + "\n")
    return folder


def _shipped(target: str) -> Path:
    try:
        path = resource(target)
    except SpecError as error:
        raise PartsegError(f"weights that should ship: {error}") from None
    if not path.exists():
        raise InputError(target, "these weights should ship with the package but are not there", "reinstall it")
    return path


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        mend = "pip install 'partseg-core[hub]'"
        raise InputError(name, "no such folder, and hub ids need the package huggingface_hub", mend) from None
    repository, _, revision = name.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=[TENSORS, CONFIG]))
    except (OSError, ValueError, HfHubHTTPError) as error:
        raise InputError(name, f"no such folder, and it cannot be fetched from the hub: {error}") from None


def _read_folder(folder: Path, device: str, tensors: str = TENSORS) -> Weights:
    try:
        with (folder / CONFIG).open("rb") as file:
            card = json.loads(file.read(_MAX_CONFIG_BYTES))
    except OSError:
        raise InputError(folder, f"is not a folder of weights: no {CONFIG} in it") from None
    except ValueError as error:
        raise InputError(folder / CONFIG, f"is not JSON: {error}") from None
    if not isinstance(card, dict) or not isinstance(card.get("config"), dict):
        raise InputError(folder / CONFIG, "has no 'config' in it")
    if card.get("format", FORMAT) != FORMAT:
        raise InputError(folder / CONFIG, f"has format {card['format']}, not {FORMAT}", "upgrade partseg-core")
    try:
        state = load_file(folder / tensors, device=device)
    except (OSError, SafetensorError) as error:
        raise InputError(folder / tensors, f"cannot be read: {error}") from None
    config = card.pop("config")
    return Weights(folder, config, state, str(card.get("method", "")), card)


def _read_checkpoint(path: Path, device: str) -> Weights:
    try:
        data = torch.load(path, map_location=device, weights_only=True)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    except pickle.UnpicklingError:
        cause = "is a pickle that holds more than tensors and plain data, or is damaged; reading it could run code"
        raise InputError(path, cause, "convert it to safetensors where you trust it") from None
    except (RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        # whatever the unpickler stumbles over, as little as one number, in a file that is something else
        cause = f"is not a checkpoint ({type(error).__name__}: {str(error)[:120]})"
        raise InputError(path, cause, "name a .ckpt file of `partseg fit`, or a folder of weights") from None
    record = data.get("partseg") if isinstance(data, dict) else None
    if not isinstance(record, dict) or not isinstance(data.get("state_dict"), dict):
        raise InputError(path, "is not a checkpoint of a partseg method: it records no config")
    card = {key: value for key, value in record.items() if key != "config"}
    return Weights(path, record.get("config", {}), data["state_dict"], str(record.get("method", "")), card)
