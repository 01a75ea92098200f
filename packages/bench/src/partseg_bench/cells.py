"""Cells: one method × dataset × protocol × seed each, named by a hash of all that could change its numbers.

The key of a training is part of the key of a prediction, which is part of the key of a cell; so trainings and
predictions are shared by the cells that agree in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from partseg.errors import PartsegError, UnknownNameError
from partseg.methods.configs import load_config, merge
from partseg.methods.registry import IncompatibleError, check_pair, entries, find_method
from partseg.spec import MethodSpec, ProtocolSpec, resource
from partseg_bench.board import Board, DatasetEntry, MethodEntry
from partseg_bench.facts import Facts, files_of, one_line, protocol_spec, weights_digest
from partseg_bench.sources import digest

SCHEMA = 1  # part of every key
FILTERS = ("method", "dataset", "protocol", "seed")
# what a method reads, apart from positions; its other needs are labels to learn from
_INPUTS = ("normals", "mesh", "color")
# protocol's capability -> the capabilities of methods from which it is had; clicks are answered by any embedder's field
_ANSWERED_BY = {"interactive": ("interactive", "embedder")}


@dataclass(frozen=True)
class Training:
    """A training: its key and what the worker is told."""

    key: str
    task: dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One row of the results.

    Attributes:
        key: names its result; 64 hexadecimal digits.
        predictions: names the predictions it scores.
        training: None for a method that is not trained by the board.
        about: the "cell" of its result: method, config, weights, dataset, split, level, limit, options, protocol,
            protocol_version, seed, label.
        predict: what the worker is told to predict.
        published: numbers of the method's paper on this dataset.
        trouble: why it cannot be computed, one line; empty when it can.
    """

    key: str
    predictions: str
    training: Training | None
    about: dict[str, Any]
    predict: dict[str, Any]
    published: tuple[dict[str, Any], ...] = ()
    trouble: str = ""

    @property
    def title(self) -> str:
        """What progress and listings call it."""
        seed = f" seed {self.about['seed']}" if self.about["seed"] else ""
        level = f"/{self.about['level']}" if self.about["level"] else ""
        return f"{self.about['label']} · {self.about['dataset']}{level} · {self.about['protocol']}{seed}"


@dataclass(frozen=True)
class Plan:
    """The cells of a board, and the pairs that cannot work.

    Attributes:
        cells: in the order of the board.
        skipped: (what, why) of combinations that make no sense, such as a mesh method on point clouds.
    """

    cells: tuple[Cell, ...]
    skipped: tuple[tuple[str, str], ...]


def plan(board: Board, facts: Facts, only: tuple[str, ...] = ()) -> Plan:
    """The cells of a board.

    Args:
        only: "method=…", "dataset=…", "protocol=…", "seed=…": just those cells; `*` stands for anything, several of one
            kind are alternatives, and a method goes by its label or its name.

    Raises:
        PartsegError: an unknown name on the board, a filter that is none, or two entries that are the same.
    """
    chosen = _filters(only)
    protocols = [protocol_spec(name) for name in board.protocol_names()]
    installed = {row.name: f"{row.distribution} {row.version}" for row in entries("method")}
    methods = [(entry, _Method(entry, installed.get(entry.name, ""), facts)) for entry in board.entries()]
    if not methods:
        raise PartsegError("no method of the board is installed; try `pip install partseg-baselines`")
    cells: dict[str, Cell] = {}
    skipped: list[tuple[str, str]] = []
    for entry, method in methods:
        for dataset in board.datasets:
            for protocol in protocols:
                name = f"{entry.title} · {dataset.name} · {protocol.name}"
                labels = {"method": (entry.title, entry.name), "dataset": (dataset.name,), "protocol": (protocol.name,)}
                if not _passes(chosen, labels):
                    continue
                if why := _impossible(method.spec, entry, dataset, protocol, facts):
                    skipped.append((name, why))
                    continue
                for seed in board.seeds:
                    if not _passes(chosen, {"seed": (str(seed),)}):
                        continue
                    cell = _cell(entry, method, dataset, protocol, seed, facts)
                    if cell.key in cells:
                        raise PartsegError(f"the board has the same cell twice: {cells[cell.key].title}; {cell.title}")
                    cells[cell.key] = cell
    if only and not cells:
        raise PartsegError(f"no cell of the board is {' and '.join(only)}")
    facts.save()
    return Plan(tuple(cells.values()), tuple(skipped))


class _Method:
    """What keys need to know of a method entry, found out once."""

    def __init__(self, entry: MethodEntry, distribution: str, facts: Facts) -> None:
        self.spec = find_method(entry.name)
        targets = [target for target in (self.spec.method, self.spec.inference) if target is not None]
        self.identity = {
            "method": entry.name,
            "distribution": distribution,
            "code": facts.code(*targets),
        }
        self.config: dict[str, Any] | None = None
        self.trainer: dict[str, Any] = {}
        self.weights: str | None = None
        self.training_data: str | None = None
        self.trouble = ""
        try:
            self._resolve(entry, facts)
        except Exception as error:  # absent weights, a broken config: rows of the report
            self.trouble = one_line(error)

    def _resolve(self, entry: MethodEntry, facts: Facts) -> None:
        if entry.train is not None:
            if not self.spec.trainable:
                raise PartsegError(f"method {entry.name!r} cannot be trained; leave out 'train'")
            named = load_config(self.spec, entry.config) if entry.config or self.spec.default_config else {}
            self.config = merge(named, entry.overrides)
            name = entry.config or self.spec.default_config
            self.trainer = {**self.spec.training.get(name or "", {}), **entry.train.trainer}
            if entry.train.max_steps is not None:
                self.trainer["max_steps"] = entry.train.max_steps
            if not {"max_steps", "max_epochs", "max_time"} & set(self.trainer):
                raise PartsegError(f"{entry.title}: say how long it is trained: train: {{max_steps: …}}")
        elif entry.weights is not None or self.spec.default_weights is not None:
            self.weights = _weights(entry.weights or self.spec.default_weights or "", self.spec)
        if entry.train is not None and (data := facts.dataset(entry.train.dataset)) is not None and not data.embedded:
            self.training_data = files_of(data.name, entry.train.data)


def _cell(
    entry: MethodEntry, method: _Method, dataset: DatasetEntry, protocol: ProtocolSpec, seed: int, facts: Facts
) -> Cell:
    shapes, asked = facts.shapes(dataset), facts.protocol(protocol)
    trouble = method.trouble or shapes.get("error", "") or asked.get("error", "")
    training = None if entry.train is None or trouble else _training(entry, method, seed, facts)
    predictions = digest(
        {
            "schema": SCHEMA,
            **method.identity,
            "weights": training.key if training else method.weights,
            "truth": shapes,
            "asks": asked.get("asks"),
            "asking": facts.code(asked.get("predict", "")),
            "seed": seed,
            "trouble": trouble,
        }
    )
    given = dataset.model_dump(mode="json")
    key = digest(
        {
            "schema": SCHEMA,
            "predictions": predictions,
            "dataset": given,
            "protocol": [protocol.name, protocol.version],
            "code": facts.code(protocol.protocol),
        }
    )
    about = {
        "label": entry.title,
        "method": entry.name,
        "config": entry.config if entry.train is None else entry.config or method.spec.default_config,
        "overrides": entry.overrides,
        "weights": "trained" if entry.train is not None else entry.weights or method.spec.default_weights,
        "dataset": dataset.name,
        "split": dataset.split,
        "level": dataset.level,
        "limit": dataset.limit,
        "options": given["options"],
        "protocol": protocol.name,
        "protocol_version": protocol.version,
        "seed": seed,
    }
    predict = {
        "method": entry.name,
        "weights": entry.weights,
        "trained": training.key if training else None,
        "dataset": given,
        "protocol": protocol.protocol,
        "seed": seed,
    }
    return Cell(key, predictions, training, about, predict, _published(method.spec, dataset), trouble)


def _weights(name: str, spec: MethodSpec) -> str:
    """Digest of the weights that a name means (as `partseg.methods.weights.locate` resolves it, which imports torch).

    A hub id stands for itself.
    """
    path = Path(name).expanduser()
    if not path.exists() and name in spec.weights:
        path = resource(spec.weights[name])
    return weights_digest(path) if path.exists() else digest(name)


def _training(entry: MethodEntry, method: _Method, seed: int, facts: Facts) -> Training:
    assert entry.train is not None
    settings = entry.train.model_dump(mode="json", exclude={"checkpoint_seconds", "max_steps", "trainer"})
    if method.spec.augmentation is not None:
        settings["data"] = {"augmentation": method.spec.augmentation, **settings["data"]}
    what = {
        "schema": SCHEMA,
        **method.identity,
        "config": method.config,
        "train": settings,
        "data": [facts.dataset_code(entry.train.dataset), method.training_data],
        "trainer": method.trainer,
        "seed": seed,
    }
    task = {key: what[key] for key in ("method", "config", "trainer", "seed")} | {
        "dataset": entry.train.dataset,
        "data": settings["data"],
        "checkpoint_seconds": entry.train.checkpoint_seconds,
    }
    return Training(digest(what), task)


def _impossible(
    method: MethodSpec, entry: MethodEntry, dataset: DatasetEntry, protocol: ProtocolSpec, facts: Facts
) -> str:
    """Why a combination cannot work, one line; empty when it can."""
    able = _ANSWERED_BY.get(protocol.capability, (protocol.capability,))
    if not set(able) & set(method.capabilities):
        return f"method {method.name!r} is no {' or '.join(able)}"
    spec = facts.dataset(dataset.name)
    if spec is not None:
        if lacking := [need for need in protocol.needs if need not in spec.features]:
            return f"protocol {protocol.name!r} needs {', '.join(lacking)}, which {spec.name!r} does not have"
        if lacking := [need for need in method.needs if need in _INPUTS and need not in spec.features]:
            return f"method {method.name!r} needs {', '.join(lacking)}, which {spec.name!r} does not have"
    if "mesh" in method.needs and facts.protocol(protocol).get("view") == "points":
        return f"method {method.name!r} needs a mesh, of which protocol {protocol.name!r} shows points only"
    if entry.train is not None and ":" not in entry.train.dataset:
        try:
            check_pair(method, facts.dataset(entry.train.dataset))
        except IncompatibleError as error:
            return str(error)
    return ""


def _published(method: MethodSpec, dataset: DatasetEntry) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"metric": one.metric, "value": one.value, "unit": one.unit, "where": one.where}
        for one in method.published
        if one.dataset == dataset.name
    )


def _filters(only: tuple[str, ...]) -> dict[str, list[str]]:
    chosen: dict[str, list[str]] = {}
    for text in only:
        kind, equals, pattern = text.partition("=")
        if not equals or kind not in FILTERS or not pattern:
            raise UnknownNameError(f"--only {text!r}: write one of {', '.join(f'{kind}=…' for kind in FILTERS)}")
        chosen.setdefault(kind, []).append(pattern)
    return chosen


def _passes(chosen: dict[str, list[str]], names: dict[str, tuple[str, ...]]) -> bool:
    return all(
        any(fnmatchcase(name, pattern) for name in names[kind] for pattern in patterns)
        for kind, patterns in chosen.items()
        if kind in names
    )


def by_predictions(cells: tuple[Cell, ...] | list[Cell]) -> Iterator[tuple[str, list[Cell]]]:
    """The cells that share predictions, in the order of the first of each."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.predictions, []).append(cell)
    yield from groups.items()
