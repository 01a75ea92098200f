"""`partseg doctor`: what is installed, what is broken, and how to mend it."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from partseg import __version__
from partseg.methods.registry import GROUPS, entries, list_methods
from partseg.spec import SpecError, resource

Level = Literal["ok", "note", "broken"]

_NEEDED = (
    "torch",
    "lightning",
    "torchmetrics",
    "numpy",
    "scipy",
    "numba",
    "trimesh",
    "safetensors",
    "pillow",
    "pydantic",
)
_EXTRAS = {
    "h5py": "formats",
    "pycollada": "formats",
    "torch-scatter": "pyg",
    "torch-cluster": "pyg",
    "huggingface_hub": "hub",
    "wandb": "wandb",
}
_MALICIOUS = {"lightning": ("2.6.2", "2.6.3")}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Args:
        level: "ok", "note" (works, but worth knowing) or "broken".
        topic: what was looked at.
        text: what was found.
        mend: a command or an action; empty when nothing needs mending.
    """

    level: Level
    topic: str
    text: str
    mend: str = ""


def main(argv: list[str]) -> int:
    """The command; returns 1 when something is broken."""
    parser = argparse.ArgumentParser(
        prog="partseg doctor", description="Say what is installed, what is broken and how to mend it."
    )
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    arguments = parser.parse_args(argv)
    findings = list(examine())
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = {"ok": "ok    ", "note": "note  ", "broken": "BROKEN"}[finding.level]
            print(f"{mark}  {finding.topic:<14}  {finding.text}")
            if finding.mend:
                print(f"{'':24}mend: {finding.mend}")
    broken = sum(finding.level == "broken" for finding in findings)
    if not arguments.json:
        print(f"\n{broken} broken" if broken else "\nnothing is broken")
    return 1 if broken else 0


def examine() -> Iterator[Finding]:
    """Everything that `partseg doctor` looks at, in order."""
    yield Finding("ok", "partseg-core", f"{__version__} in {Path(__file__).parents[1]}")
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _packages()
    yield from _torch_works()
    yield _numba_cache()
    yield from _plugins()
    yield from _weights()
    yield from _extras()


def _packages() -> Iterator[Finding]:
    for name in _NEEDED:
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Finding("broken", name, "not installed", f"pip install {name}")
            continue
        if found in _MALICIOUS.get(name, ()):
            yield Finding("broken", name, f"{found} was a malicious release", "pip install 'lightning>=2.6.4,<3'")
        else:
            yield Finding("ok", name, found)


def _torch_works() -> Iterator[Finding]:
    """Import what commands import, in a process of its own: a broken build may take its process down."""
    program = (
        "import torch, torchmetrics, lightning\n"
        "print(torch.cuda.get_device_name() if torch.cuda.is_available() else 'CPU')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        yield Finding("ok", "imports", "torch, torchmetrics and lightning can be imported together")
        yield Finding("ok", "device", f"{done.stdout.strip()}, {os.cpu_count()} cores")
        return
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    mend = "pip install --force-reinstall torch lightning"
    if "torchvision" in done.stderr:
        mend = "pip uninstall torchvision (it was built for another torch, and nothing here needs it)"
    yield Finding("broken", "imports", f"torch, torchmetrics and lightning cannot be imported: {last}", mend)


def _numba_cache() -> Finding:
    """Compiled kernels are kept where numba may write; without such a place every run compiles again."""
    places = [Path(place) for place in (os.environ.get("NUMBA_CACHE_DIR"),) if place]
    places += [Path(__file__).parents[1] / "parts" / "__pycache__", _user_cache()]
    for place in places:
        nearest = next(folder for folder in (place, *place.parents) if folder.exists())
        if os.access(nearest, os.W_OK):
            return Finding("ok", "kernel cache", str(place))
    mend = "set NUMBA_CACHE_DIR to a folder you can write to"
    return Finding("note", "kernel cache", "cannot be written: kernels are compiled in every run (some seconds)", mend)


def _user_cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "numba"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"


def _plugins() -> Iterator[Finding]:
    for kind in GROUPS:
        for entry in entries(kind):
            if not entry.available:
                yield Finding("broken", kind, f"{entry.name} is {entry}", entry.mend)
            elif kind != "command":
                yield Finding("ok", kind, str(entry))
    for spec in list_methods():
        module = spec.method.partition(":")[0]
        try:
            found = importlib.util.find_spec(module)
        except ImportError:
            found = None
        if found is None:
            yield Finding("broken", "method", f"{spec.name} names {spec.method}, which does not exist", "reinstall it")
    if not any("segmenter" in spec.capabilities for spec in list_methods()):
        yield Finding("note", "method", "none is installed that segments", "pip install partseg-partfield")


def _weights() -> Iterator[Finding]:
    for spec in list_methods():
        for name, target in spec.weights.items():
            topic = "weights"
            label = f"{spec.name}/{name}"
            try:
                folder = resource(target)
                card = json.loads((folder / "config.json").read_text(encoding="utf-8"))
                data = (folder / "model.safetensors").read_bytes()
            except (OSError, ValueError, SpecError) as error:
                yield Finding("broken", topic, f"{label}: {error}", "reinstall the package")
                continue
            digest = hashlib.sha256(data).hexdigest()
            recorded = card.get("sha256", digest)
            text = f"{label}: {len(data) / 1e6:.1f} MB, sha256 {digest[:12]}"
            if recorded != digest:
                yield Finding("broken", topic, f"{text} is not the recorded {recorded[:12]}", "reinstall the package")
            else:
                yield Finding("ok", topic, text)


def _extras() -> Iterator[Finding]:
    absent: dict[str, list[str]] = {}
    for name, extra in _EXTRAS.items():
        try:
            yield Finding("ok", "extra", f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.setdefault(extra, []).append(name)
    for extra, names in absent.items():
        yield Finding(
            "ok", "extra", f"{', '.join(names)} not installed (optional: pip install 'partseg-core[{extra}]')"
        )
    if shutil.which("partseg") is None:
        yield Finding("note", "program", "partseg is not on PATH", "activate its environment, or use python -m partseg")
