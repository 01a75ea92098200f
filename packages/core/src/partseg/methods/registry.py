"""Which methods, datasets, protocols and commands are installed.

Everything is found through entry points when it is asked for; nothing is registered by importing it, and nothing heavy
is imported to list. A plugin that cannot be loaded becomes a row that says so; it never takes the others down.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from partseg.data.specs import DATASETS
from partseg.errors import PartsegError, UnknownNameError
from partseg.spec import (
    AnySpec,
    CommandSpec,
    DatasetSpec,
    Feature,
    MethodSpec,
    ProtocolSpec,
    SpecError,
    load_target,
)

GROUPS: dict[str, type] = {
    "method": MethodSpec,
    "dataset": DatasetSpec,
    "protocol": ProtocolSpec,
    "command": CommandSpec,
}

# Method -> the distribution of this project that brings it, for the hint in "unknown method".
PUBLISHED = {
    "partfield": "partseg-partfield",
    "connected-components": "partseg-baselines",
    "shape-diameter": "partseg-baselines",
    "ward-position": "partseg-baselines",
    "ward-position-normal": "partseg-baselines",
    "ward-shape-diameter": "partseg-baselines",
    "kmeans-position-normal": "partseg-baselines",
    "euclidean-clusters": "partseg-baselines",
    "partnet-segmentation": "partseg-baselines",
    "sgpn": "partseg-baselines",
    "fpfh-clicks": "partseg-baselines",
    "heatmap-clicks": "partseg-baselines",
    "no-refinement": "partseg-baselines",
    "recursive-partnet": "partseg-recursive-partnet",
    "recursive-partnet-refiner": "partseg-recursive-partnet",
}

# Core's own entries need no entry point, so that they are there in a source tree as well as in an installed package.
BUILT_IN: dict[str, tuple[AnySpec, ...]] = {
    "dataset": DATASETS,
    "command": tuple(
        CommandSpec(name=name, summary=summary, run=f"partseg.cli.{run}")
        for name, summary, run in (
            ("segment", "segment shape files into parts", "segment:main"),
            ("methods", "list the installed methods", "listing:methods"),
            ("datasets", "list the installed datasets", "listing:datasets"),
            ("protocols", "list the installed evaluation protocols", "listing:protocols"),
            ("convert", "turn a checkpoint that a method's authors released into weights", "convert:main"),
            ("doctor", "say what is installed, what is broken and how to mend it", "doctor:main"),
            ("data", "check, prepare and look at datasets; write embedded shapes to files", "data:main"),
            ("fit", "train a method", "train:fit"),
            ("validate", "evaluate a method on the validation split", "train:validate"),
            ("test", "evaluate a method on the test split", "train:test"),
            ("predict", "segment the shapes of a dataset", "train:predict"),
        )
    ),
}


class IncompatibleError(PartsegError):
    """A method and a dataset that do not fit each other."""


@dataclass(frozen=True)
class Entry:
    """One installed plugin: its spec, or why it cannot be used.

    Args:
        kind: "method", "dataset", "protocol" or "command".
        name: the entry point's name.
        distribution, version: the installed distribution it comes from ("partseg-core" for core's own).
        spec: None when the plugin is broken or its name is taken twice.
        error: one line that says what is wrong; empty when nothing is.
        mend: what to do about it.
    """

    kind: str
    name: str
    distribution: str
    version: str
    spec: AnySpec | None
    error: str = ""
    mend: str = ""

    @property
    def available(self) -> bool:
        """Whether the spec could be read."""
        return self.spec is not None

    def __str__(self) -> str:
        origin = f"{self.distribution} {self.version}".strip()
        return f"{self.name} ({origin})" if self.available else f"unavailable: {origin}: {self.error}"


def entries(kind: str) -> list[Entry]:
    """Every plugin of a kind, broken ones too, sorted by name; core's own come first among equals.

    Two plugins of one name are both unavailable, with an error that names both distributions: picking one silently
    would make results depend on the order of installation.
    """
    found = [_built_in(kind, spec) for spec in BUILT_IN.get(kind, ())]
    found += [_read(kind, point) for point in _points(kind)]
    by_name: dict[str, list[Entry]] = defaultdict(list)
    for entry in found:
        by_name[entry.name].append(entry)
    rows: list[Entry] = []
    for name in sorted(by_name):
        same = by_name[name]
        if len(same) > 1:
            owners = " and ".join(sorted(f"{entry.distribution} {entry.version}".strip() for entry in same))
            error, mend = f"the name {name!r} is claimed by {owners}", "uninstall one of them"
            same = [Entry(kind, name, entry.distribution, entry.version, None, error, mend) for entry in same]
        rows += same
    return rows


def list_methods() -> list[MethodSpec]:
    """Specs of the methods that are installed and readable, sorted by name."""
    return _specs("method")


def list_datasets() -> list[DatasetSpec]:
    """Specs of the datasets that are installed and readable, sorted by name."""
    return _specs("dataset")


def list_protocols() -> list[ProtocolSpec]:
    """Specs of the protocols that are installed and readable, sorted by name."""
    return _specs("protocol")


def find(kind: str, name: str) -> Any:
    """The spec of one plugin by name.

    Raises:
        UnknownNameError: nothing of that name is installed; the text says what is, and how to install it where we know.
        PartsegError: it is installed but broken, or its name is claimed twice.
    """
    rows = entries(kind)
    same = [entry for entry in rows if entry.name == name]
    if not same:
        raise UnknownNameError(_unknown(kind, name, rows))
    entry = same[0]
    if entry.spec is None:
        raise PartsegError(f"{kind} {name!r} is {entry}" + (f"; {entry.mend}" if entry.mend else ""))
    return entry.spec


def find_method(name: str) -> MethodSpec:
    """The spec of an installed method, or of a scratch method that is named as ``"module:object"``.

    The object of a scratch method is a `MethodSpec`, or the method's class itself.
    """
    if ":" not in name:
        return find("method", name)
    try:
        target = load_target(name)
    except SpecError as error:
        raise UnknownNameError(str(error)) from None
    except ImportError as error:
        raise UnknownNameError(f"method {name!r}: cannot import it: {error}") from error
    if isinstance(target, MethodSpec):
        return target
    if isinstance(getattr(target, "spec", None), MethodSpec):
        return target.spec
    if isinstance(target, type):
        return MethodSpec(
            name="scratch",
            summary=f"scratch method {name}",
            method=name,
            license="unstated",
            capabilities=tuple(c for c, verb in _VERBS.items() if callable(getattr(target, verb, None))),
        )
    raise UnknownNameError(f"method {name!r} is neither a MethodSpec nor a class")


# capability -> the method's verb that shows it (see `partseg.methods.capabilities`)
_VERBS = {
    "segmenter": "segment", "embedder": "embed", "interactive": "start", "proposer": "propose", "refiner": "refine",
}  # fmt: skip


def load_method(
    name: str, weights: str | Path | None = None, *, device: str | None = None, seed: int | None = None
) -> Any:
    """Load a method, ready to use.

    Args:
        name: an installed method's name, or ``"module:object"`` of one that is not installed.
        weights: the name of weights that ship with the method, a folder written by `save_pretrained`, a Lightning
            checkpoint (.ckpt), or a hub id ("owner/name"); None for those that the method loads by default.
        device: "cpu", "cuda", "cuda:1", …; None leaves it on the CPU.
        seed: for methods that sample; None leaves the method's own, a method that does not sample ignores it.

    Returns:
        An object with the capabilities that its spec names (see `partseg.methods.capabilities`), in evaluation mode.

    Raises:
        UnknownNameError: no such method; the text lists what is installed.
        PartsegError: it is broken, its weights cannot be read, it takes no weights and some were given, or there is no
            such device.
    """
    spec = find_method(name)
    try:
        cls = spec.load_inference()
    except (ImportError, SpecError) as error:
        raise PartsegError(f"method {name!r} cannot be imported: {_one_line(error)}; try `partseg doctor`") from error
    if hasattr(cls, "from_pretrained"):
        method = cls.from_pretrained(weights)
    elif weights is not None:
        raise PartsegError(f"method {name!r} takes no weights")
    else:
        method = cls()
    if device is not None and hasattr(method, "to"):
        try:
            method = method.to(device)
        except (RuntimeError, AssertionError) as error:  # torch's two ways to say that there is none
            raise PartsegError(f"device {device!r} cannot be used: {_one_line(error)}; try 'cpu'") from error
    if seed is not None and hasattr(method, "seed"):
        method.seed = seed
    if hasattr(method, "eval"):
        method.eval()
    return method


def check_pair(method: MethodSpec | str, dataset: DatasetSpec | str) -> None:
    """Refuse a method × dataset pair that cannot work, before anything is computed.

    Raises:
        IncompatibleError: the dataset lacks something that the method needs; the text names all of it.
    """
    method = find_method(method) if isinstance(method, str) else method
    dataset = find("dataset", dataset) if isinstance(dataset, str) else dataset
    missing: list[Feature] = [need for need in method.needs if need not in dataset.features]
    if missing:
        raise IncompatibleError(
            f"method {method.name!r} needs {', '.join(missing)}, which dataset {dataset.name!r} does not have"
            f" (it has {', '.join(dataset.features) or 'points only'})"
        )


def _points(kind: str) -> list[EntryPoint]:
    return sorted(entry_points(group=f"partseg.{kind}s"), key=lambda point: (point.name, point.value))


def _built_in(kind: str, spec: AnySpec) -> Entry:
    from partseg import __version__

    return Entry(kind, spec.name, "partseg-core", __version__, spec)


def _read(kind: str, point: EntryPoint) -> Entry:
    distribution = point.dist.name if point.dist else "unknown distribution"
    version = point.dist.version if point.dist else ""
    mend = f"try `pip install -U {distribution}`, or uninstall it"
    try:
        spec = point.load()
    except Exception as error:  # whatever a plugin raises at import is its own trouble, to be shown and not to spread
        return Entry(kind, point.name, distribution, version, None, _one_line(error), mend)
    wanted = GROUPS[kind]
    if not isinstance(spec, wanted):
        error = f"{point.value} is a {type(spec).__name__}, not a {wanted.__name__}"
        return Entry(kind, point.name, distribution, version, None, error, mend)
    if spec.name != point.name:
        error = f"the entry point is called {point.name!r} but its spec {spec.name!r}"
        return Entry(kind, point.name, distribution, version, None, error, mend)
    return Entry(kind, point.name, distribution, version, spec)


def _specs(kind: str) -> list[Any]:
    return [entry.spec for entry in entries(kind) if entry.spec is not None]


def _unknown(kind: str, name: str, rows: list[Entry]) -> str:
    names = sorted({entry.name for entry in rows if entry.available})
    text = f"unknown {kind} {name!r}; installed: {', '.join(names) or 'none'}"
    if kind == "method" and name in PUBLISHED:
        return f"{text}. It is in a package of its own: pip install {PUBLISHED[name]}"
    known = names + (sorted(PUBLISHED) if kind == "method" else [])
    if close := difflib.get_close_matches(name, known, 1, 0.7):
        text += f". Did you mean {close[0]!r}?"
    return text


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
