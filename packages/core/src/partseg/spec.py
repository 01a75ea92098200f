"""What a plugin says about itself: plain data that imports nothing heavy.

An entry point loads one of these specs. A spec names its classes as lazy ``"module:Name"`` strings, so that listing
what is installed, `partseg --help` and the check whether a method and a dataset fit need no torch.

Entry-point groups: `partseg.methods` (`MethodSpec`), `partseg.datasets` (`DatasetSpec`), `partseg.protocols`
(`ProtocolSpec`), `partseg.commands` (`CommandSpec`). The name of the entry point equals the name in the spec.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

Capability = Literal["segmenter", "embedder", "interactive", "proposer", "refiner"]
Feature = Literal["normals", "instances", "levels", "hierarchy", "mesh", "color", "semantics"]
Status = Literal["reproduced", "reproducing", "not attempted"]

_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class SpecError(ValueError):
    """A spec that contradicts itself: a bad name, an unknown capability, a default config that is not listed."""


def resource(target: str) -> Path:
    """The file or folder inside a package that a ``"package:folder/file"`` string names (it need not exist).

    Raises:
        SpecError: the string has not that form, or would leave the package.
    """
    package, _, inside = target.partition(":")
    if not _MODULE.fullmatch(package) or not inside or ".." in inside.split("/") or inside.startswith("/"):
        raise SpecError(f"{target!r} does not name a file as 'package:folder/file'")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SpecError(f"{target!r}: no package {package!r}")
    return Path(next(iter(spec.submodule_search_locations))).joinpath(*inside.split("/"))


def load_target(target: str) -> Any:
    """The object that a lazy ``"module:Name"`` string names.

    Raises:
        SpecError: the string has not that form, or the module has no such name.
        ImportError: the module cannot be imported (the original error, so that its cause is visible).
    """
    if not _TARGET.fullmatch(target):
        raise SpecError(f"{target!r} does not name an object as 'module:Name'")
    module_name, _, path = target.partition(":")
    found: Any = importlib.import_module(module_name)
    for attribute in path.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise SpecError(f"module {module_name!r} has no {path!r}") from None
    return found


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A publication, as it is to be cited."""

    title: str
    authors: tuple[str, ...]
    venue: str
    year: int
    url: str


@dataclass(frozen=True, kw_only=True)
class PublishedResult:
    """One number of the method's own paper, so that ours can stand beside it.

    Args:
        dataset: name of the dataset as in its `DatasetSpec` (or as the paper calls it when there is none).
        metric: the paper's name of the metric.
        value: the number as printed, in `unit`.
        where: table or section of the paper.
    """

    dataset: str
    metric: str
    value: float
    where: str
    unit: str = "%"


@dataclass(frozen=True, kw_only=True)
class _Named:
    """What every spec has: a kebab-case name (equal to its entry point's) and one line that says what it is."""

    name: str
    summary: str

    def __post_init__(self) -> None:
        if not _KEBAB.fullmatch(self.name):
            raise SpecError(f"{self.name!r} is not a kebab-case name")
        if not self.summary or "\n" in self.summary:
            raise SpecError(f"{self.name}: the summary is one line")

    def _check_target(self, what: str, target: str) -> None:
        if not _TARGET.fullmatch(target):
            raise SpecError(f"{self.name}: {what} {target!r} does not name an object as 'module:Name'")

    def _check_choices(self, what: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
        if unknown := sorted(set(values) - set(known)):
            raise SpecError(f"{self.name}: unknown {what} {', '.join(unknown)} (known: {', '.join(known)})")


@dataclass(frozen=True, kw_only=True)
class MethodSpec(_Named):
    """A part-segmentation method.

    Args:
        name: kebab-case, equal to the entry-point name.
        summary: one line for listings.
        method: the class as ``"module:Class"``; it is constructed without arguments or, where it has one, by its
            `from_pretrained(weights)`.
        inference: a class of the same weights that only segments, for `load_method` to use in its place where that is
            quicker to import; None where there is no such class.
        license: SPDX expression of the method's code.
        paper: None for a method that is not from one.
        capabilities: what it can do natively; core derives the rest.
        needs: what a dataset must offer for the method to be trained and tested on it.
        configs: named configs, name -> file inside a package as ``"package:folder/file.yaml"``.
        default_config: the config used when none is named.
        training: config name -> settings of Lightning's Trainer that belong to it (`max_steps`, …).
        augmentation: the preset of `partseg.data.transforms.PRESETS` that it is trained with where nothing else is
            said; None: the dataset's own.
        weights: weights that ship, name -> folder inside a package as ``"package:folder"``; empty when none do.
        default_weights: the name of those that are loaded when none are named.
        trainable: False for methods that only cluster or match.
        converter: the function behind `partseg convert <method>`, as ``"module:function"``: it turns a checkpoint that
            the authors released into weights, and is given the arguments after the method's name. None: there is none.
        published: the paper's own numbers.
        status: dataset name -> how far our reproduction is; a dataset not listed is "not attempted".
    """

    method: str
    license: str
    capabilities: tuple[Capability, ...]
    inference: str | None = None
    paper: Paper | None = None
    needs: tuple[Feature, ...] = ()
    configs: Mapping[str, str] = field(default_factory=dict)
    default_config: str | None = None
    training: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    augmentation: str | None = None
    weights: Mapping[str, str] = field(default_factory=dict)
    default_weights: str | None = None
    trainable: bool = True
    converter: str | None = None
    published: tuple[PublishedResult, ...] = ()
    status: Mapping[str, Status] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_target("method", self.method)
        for what, target in (("inference", self.inference), ("converter", self.converter)):
            if target is not None:
                self._check_target(what, target)
        self._check_choices("capability", self.capabilities, get_args(Capability))
        self._check_choices("need", self.needs, get_args(Feature))
        self._check_choices("status", tuple(self.status.values()), get_args(Status))
        for what, default, among in (
            ("config", self.default_config, self.configs),
            ("weights", self.default_weights, self.weights),
        ):
            if default is not None and default not in among:
                raise SpecError(f"{self.name}: the default {what} {default!r} is not in {sorted(among)}")

    def load(self) -> type:
        """The method's class (imports it, and with it whatever the method needs)."""
        return load_target(self.method)

    def load_inference(self) -> type:
        """The class to segment with."""
        return load_target(self.inference or self.method)


@dataclass(frozen=True, kw_only=True)
class DatasetSpec(_Named):
    """A dataset of shapes with parts.

    Args:
        dataset: its datamodule, as ``"module:Class"``.
        license: terms of the data, SPDX where there is one.
        features: what every item offers; compared with a method's `needs`.
        levels: names of the nested levels of its part hierarchy, coarse to fine.
        splits: names of its splits.
        paper, url: where it comes from: the publication, the rights holder's page.
        reader: the class that reads it from a folder, as ``"module:Class"``; None when it needs no files.
        obtain: how a person gets the files, one line.
        embedded: True when it needs no files on disk.
    """

    dataset: str
    license: str
    features: tuple[Feature, ...]
    levels: tuple[str, ...] = ()
    splits: tuple[str, ...] = ("train", "val", "test")
    paper: Paper | None = None
    url: str = ""
    reader: str | None = None
    obtain: str = ""
    embedded: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_target("dataset", self.dataset)
        if self.reader is not None:
            self._check_target("reader", self.reader)
        self._check_choices("feature", self.features, get_args(Feature))

    def load(self) -> Any:
        """The dataset's class or factory."""
        return load_target(self.dataset)

    def load_reader(self) -> type:
        """The class that reads its files.

        Raises:
            SpecError: it is embedded: there are no files to read.
        """
        if self.reader is None:
            raise SpecError(f"{self.name} is embedded; it has no files")
        return load_target(self.reader)


@dataclass(frozen=True, kw_only=True)
class ProtocolSpec(_Named):
    """A named, versioned evaluation: what is predicted, and how predictions on disk become numbers.

    Args:
        version: part of every result's identity; raised whenever a number could change.
        protocol: the class as ``"module:Class"``.
        capability: what a method must be able to do.
        needs: what a dataset must offer.
        metrics: names of the numbers it reports, the first one ranks.
    """

    version: str
    protocol: str
    capability: Capability
    metrics: tuple[str, ...]
    needs: tuple[Feature, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_target("protocol", self.protocol)
        self._check_choices("capability", (self.capability,), get_args(Capability))
        self._check_choices("need", self.needs, get_args(Feature))
        if not self.metrics:
            raise SpecError(f"{self.name}: a protocol reports at least one metric")

    def load(self) -> Any:
        """The protocol's class."""
        return load_target(self.protocol)


@dataclass(frozen=True, kw_only=True)
class CommandSpec(_Named):
    """A command of the `partseg` program.

    Args:
        run: ``"module:function"``; the function takes the arguments after the command's name (`list[str]`) and returns
            the exit code. It parses them itself, `--help` included; its module is imported when the command is run.
    """

    run: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_target("run", self.run)

    def load(self) -> Any:
        """The function that runs the command."""
        return load_target(self.run)


AnySpec = MethodSpec | DatasetSpec | ProtocolSpec | CommandSpec
