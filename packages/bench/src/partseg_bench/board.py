"""A board: which methods are scored on which datasets by which protocols, as a YAML file says it."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import Field, field_validator, model_validator

from partseg.errors import InputError, PartsegError
from partseg.methods.registry import list_methods, list_protocols
from partseg.spec import MethodSpec
from partseg_bench.yaml_file import read_mapping

EMBEDDED = Path(__file__).parent / "boards" / "embedded.yaml"
SMALLEST = "tiny"  # the config that methods ship for a training of seconds


class _Strict(pydantic.BaseModel, extra="forbid", frozen=True):
    """No unknown keys, no changes."""


class Training(_Strict):
    """How a method is trained before it is scored."""

    dataset: str = Field(default="procedural", description="The dataset it is trained on, by name.")
    data: dict[str, Any] = Field(default={}, description="Options of that dataset's datamodule, such as train_size.")
    max_steps: int | None = Field(
        default=None, ge=1, description="Optimiser steps; left out, what the method's spec says of the config."
    )
    trainer: dict[str, Any] = Field(default={}, description="Further settings of Lightning's Trainer.")
    checkpoint_seconds: float = Field(
        default=60.0, gt=0, allow_inf_nan=False, description="How often the state is saved that a rerun goes on from."
    )


class MethodEntry(_Strict):
    """A method as it is scored; one method may stand on a board several times, with other weights or configs."""

    name: str = Field(min_length=1, description="Name of an installed method, or 'module:object'.")
    label: str = Field(default="", description="What reports call it; left out, its name and what sets it apart.")
    config: str | None = Field(default=None, description="The config it is trained with: a named one or a YAML file.")
    overrides: dict[str, Any] = Field(default={}, description="Entries put over that config.")
    weights: str | None = Field(
        default=None, description="Weights to load: a name, folder, checkpoint or hub id; left out, those that ship."
    )
    train: Training | None = Field(default=None, description="Train it first; left out, it is scored as it is.")
    optional: bool = Field(default=False, description="Leave it out without a word where it is not installed.")

    @field_validator("label")
    @classmethod
    def _one_line(cls, label: str) -> str:
        if not label.isprintable():
            raise ValueError("a label is one line of text")
        return label

    @model_validator(mode="after")
    def _one_origin(self) -> MethodEntry:
        if self.train is None and (self.config is not None or self.overrides):
            raise ValueError("a config is for training: add 'train: {}', or leave config and overrides out")
        if self.train is not None and self.weights is not None:
            raise ValueError("either 'weights' or 'train', not both")
        return self

    @property
    def title(self) -> str:
        """The label, or one made of name, config, overrides and weights."""
        if self.label:
            return self.label
        parts = [self.config, *(f"{key}={value}" for key, value in _flat(self.overrides)), self.weights]
        return "/".join([self.name, *filter(None, parts)])


class DatasetEntry(_Strict):
    """Shapes to score on."""

    name: str = Field(min_length=1, description="Name of a dataset, or 'module:function' that makes an EvalSet.")
    split: str = Field(default="test", description="Which of its splits.")
    level: str | None = Field(default=None, description="One level of its part labels; left out, what protocols take.")
    limit: int | None = Field(default=None, ge=1, description="Only so many shapes; left out, all.")
    options: dict[str, Any] = Field(default={}, description="Options of its reader, such as root and category.")


class Limits(_Strict):
    """What a stage of a cell (training, prediction, scoring) may take before it is ended."""

    seconds: float = Field(default=3600.0, gt=0, allow_inf_nan=False, description="Wall time of a stage.")
    train_seconds: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Wall time of a training, where that differs."
    )
    memory_gb: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Resident memory of its processes; left out, no limit."
    )

    def of(self, stage: str) -> float:
        """Seconds for a stage: "train", "predict" or "score"."""
        return self.train_seconds if stage == "train" and self.train_seconds is not None else self.seconds


class Board(_Strict):
    """The whole of a board file."""

    name: str = Field(default="board", description="What the report is headed with.")
    methods: tuple[MethodEntry, ...] = Field(default=(), description="The methods.")
    installed: bool = Field(
        default=False,
        description="Add every installed method that is not listed: as it is where it needs no training or weights "
        f"ship, else trained with its config '{SMALLEST}'; one that has none of these is left out.",
    )
    datasets: tuple[DatasetEntry, ...] = Field(min_length=1, description="The shapes.")
    protocols: tuple[str, ...] = Field(min_length=1, description="Names of protocols; '*' stands for anything.")
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1, description="Each seed is a training and a prediction.")
    limits: Limits = Field(default=Limits(), description="What a stage may take.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where methods run; 'auto' takes GPUs where there are any."
    )

    @field_validator("methods", "datasets", mode="before")
    @classmethod
    def _names(cls, entries: Any) -> Any:
        return [{"name": one} if isinstance(one, str) else one for one in entries] if _is_list(entries) else entries

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 0 <= seed < 2**31 for seed in seeds) or len(set(seeds)) != len(seeds):
            raise ValueError("seeds are different whole numbers from 0")
        return seeds

    @model_validator(mode="after")
    def _some_methods(self) -> Board:
        if not self.methods and not self.installed:
            raise ValueError("name some methods, or say 'installed: true'")
        titles = [entry.title for entry in self.methods]
        if twice := sorted({title for title in titles if titles.count(title) > 1}):
            raise ValueError(f"several methods are called {', '.join(twice)}; give each a label of its own")
        return self

    def entries(self) -> tuple[MethodEntry, ...]:
        """The methods, installed ones filled in and absent optional ones left out."""
        specs = {spec.name: spec for spec in list_methods()}
        chosen = [entry for entry in self.methods if not entry.optional or ":" in entry.name or entry.name in specs]
        if self.installed:
            listed = {entry.title for entry in self.methods}
            found = [_as_installed(spec) for spec in specs.values()]
            chosen += [entry for entry in found if entry is not None and entry.title not in listed]
        return tuple(chosen)

    def protocol_names(self) -> tuple[str, ...]:
        """The protocols, patterns resolved against those that are installed.

        Raises:
            PartsegError: a pattern matches none.
        """
        installed = [spec.name for spec in list_protocols()]
        names: dict[str, None] = {}
        for pattern in self.protocols:
            matches = [name for name in installed if fnmatchcase(name, pattern)] if "*" in pattern else [pattern]
            if not matches:
                raise PartsegError(f"no protocol is called {pattern!r}; there are {', '.join(installed) or 'none'}")
            names |= dict.fromkeys(matches)
        return tuple(names)


def load_board(path: str | Path | None = None) -> Board:
    """Read a board file; None reads the embedded board.

    Raises:
        InputError: no such file, not YAML, or an entry that is none; the text says which.
    """
    path = EMBEDDED if path is None else Path(path)
    tree = read_mapping(path, "a board", "methods, datasets and protocols")
    try:
        board = Board.model_validate({"name": path.stem, **tree})
        _check_plain(board.model_dump())
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(path, f"{where}: {first['msg']}" if where else first["msg"]) from None
    except (ValueError, TypeError) as error:
        raise InputError(path, str(error)) from None
    return board


def _as_installed(spec: MethodSpec) -> MethodEntry | None:
    if not spec.trainable or spec.default_weights is not None:
        return MethodEntry(name=spec.name)
    if SMALLEST in spec.configs:
        return MethodEntry(name=spec.name, config=SMALLEST, train=Training())
    return None


def _check_plain(tree: Any) -> None:
    """See that options hold what JSON holds: keys are made of them, and results repeat them."""
    if isinstance(tree, dict):
        if bad := [key for key in tree if not isinstance(key, str)]:
            raise ValueError(f"{bad[0]!r} is no name of an option")
        tree = list(tree.values())
    if isinstance(tree, (list, tuple)):
        for value in tree:
            _check_plain(value)
    elif not isinstance(tree, (str, int, float, type(None))) or (isinstance(tree, float) and not math.isfinite(tree)):
        raise ValueError(f"{tree!r} is not a value that a board can hold")


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in tree.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return rows


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))
