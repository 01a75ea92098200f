"""Claims as YAML files say them, checked against what is installed."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import BeforeValidator, Field, field_validator, model_validator

from partseg.errors import InputError, UnknownNameError
from partseg.methods.registry import find_method
from partseg.spec import MethodSpec, ProtocolSpec
from partseg_bench.board import DatasetEntry, MethodEntry
from partseg_bench.claims.verdict import Direction
from partseg_bench.facts import dataset_spec, protocol_spec
from partseg_bench.yaml_file import read_mapping

_FOLDER = Path("benchmarks") / "claims"


class _Strict(pydantic.BaseModel, extra="forbid", frozen=True):
    """No unknown keys, no changes."""


def _named(given: Any) -> Any:
    return {"name": given} if isinstance(given, str) else given


_Method = Annotated[MethodEntry, BeforeValidator(_named)]
_Dataset = Annotated[DatasetEntry, BeforeValidator(_named)]


class Side(_Strict):
    """One side of a comparison. A name alone is a method as it is."""

    method: _Method = Field(description="The method, as boards write it: a name, or name, config, weights, train.")
    protocol: str | None = Field(default=None, description="Its protocol, where the sides differ in that.")
    dataset: _Dataset | None = Field(default=None, description="Its shapes, where the sides differ in that.")

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, given: Any) -> Any:
        return {"method": given} if isinstance(given, str) else given


class Claim(_Strict):
    """That side A is better than side B."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", description="Its name: lower-case words joined by hyphens.")
    table: str = Field(min_length=1, description="Where the paper says it.")
    statement: str = Field(min_length=1, description="The claim as one sentence.")
    published: str = Field(default="", description="The paper's numbers.")
    a: Side = Field(description="The side that is claimed to be better.")
    b: Side = Field(description="The other side.")
    dataset: _Dataset | None = Field(default=None, description="The shapes that both sides are scored on.")
    protocol: str | None = Field(default=None, description="The protocol that scores both sides.")
    metric: str = Field(min_length=1, description="The protocol's number that is compared.")
    direction: Direction = Field(default="higher", description="Which values are better.")
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1, description="Each is a training and a prediction.")
    minutes: float = Field(gt=0, allow_inf_nan=False, description="What it takes on two cores.")

    @field_validator("statement", "table", "published")
    @classmethod
    def _one_line(cls, text: str) -> str:
        return " ".join(text.split())

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 0 <= seed < 2**31 for seed in seeds) or len(set(seeds)) != len(seeds):
            raise ValueError("seeds are different whole numbers from 0")
        return seeds

    @model_validator(mode="after")
    def _whole(self) -> Claim:
        for name in ("protocol", "dataset"):
            if getattr(self, name) is None and not (getattr(self.a, name) and getattr(self.b, name)):
                raise ValueError(f"{name}: missing, for the claim or for both of its sides")
        if self.side("a") == self.side("b"):
            raise ValueError("b: is the same as a; a claim compares two things")
        return self

    def side(self, name: str) -> tuple[MethodEntry, DatasetEntry, str]:
        """Method, shapes and protocol of side "a" or "b"."""
        side: Side = getattr(self, name)
        dataset, protocol = side.dataset or self.dataset, side.protocol or self.protocol
        assert dataset is not None and protocol is not None
        return side.method, dataset, protocol


class ClaimFile(_Strict):
    """The whole of a file: the claims of one paper."""

    name: str = Field(min_length=1, description="What tables call the paper.")
    paper: str = Field(min_length=1, description="Its title.")
    url: str = Field(default="", description="Where it is.")
    packages: dict[str, str] = Field(
        default={}, description="Method -> the distribution that has it; such methods may be absent."
    )
    claims: tuple[Claim, ...] = Field(min_length=1, description="The claims.")


@dataclass(frozen=True)
class Registered:
    """A claim and where it stands.

    Attributes:
        claim: it.
        name, paper, url: what its paper is called for short, its title, and where it is.
        path: its file.
        needs: what is to be installed before it can be tested, one line; empty when all is there.
    """

    claim: Claim
    name: str
    paper: str
    url: str
    path: Path
    needs: str = ""


def default_folder() -> Path:
    """The claims of the checkout: in the current folder, or of the one that the package is installed from.

    Raises:
        InputError: there is none.
    """
    for root in (Path(), Path(__file__).resolve().parents[5]):
        if (root / _FOLDER).is_dir():
            return root / _FOLDER
    raise InputError(_FOLDER, "is not here: claims come with the source code", "name files of claims, or their folder")


def load_claims(paths: Sequence[str | Path] = ()) -> tuple[Registered, ...]:
    """The claims of files and folders (their `*.yaml`), in the order of the files; of `default_folder` without any.

    Raises:
        InputError: no such file, not YAML, a field that is missing or wrong, an unknown method, config, dataset,
            protocol or metric, or two claims of one id; the text names file and claim.
    """
    found: dict[str, Registered] = {}
    for path in _files(paths or [default_folder()]):
        for one in _load(path):
            if (other := found.get(one.claim.id)) is not None:
                where = "twice" if other.path == path else f"here and in {other.path}"
                raise InputError(path, f"claim {one.claim.id!r} stands {where}", "give one of them another id")
            found[one.claim.id] = one
    return tuple(found.values())


def _files(paths: Iterable[str | Path]) -> list[Path]:
    files = []
    for path in map(Path, paths):
        inside = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        if not inside:
            raise InputError(path, "has no *.yaml", "name a file of claims, or a folder of them")
        files += inside
    return files


def _load(path: Path) -> list[Registered]:
    tree = read_mapping(path, "a list of claims", "name, paper and claims")
    try:
        file = ClaimFile.model_validate(tree)
    except pydantic.ValidationError as error:
        raise InputError(path, *_told(error, tree)) from None
    return [
        Registered(one, file.name, file.paper, file.url, path, _check(one, file.packages, path)) for one in file.claims
    ]


def _told(error: pydantic.ValidationError, tree: dict[str, Any]) -> tuple[str, str]:
    """Cause and mend of the first of pydantic's errors; a claim goes by its id."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    mend = ""
    if len(where) > 1 and where[0] == "claims":
        claim = tree["claims"][int(where[1])]
        where[:2] = [f"claim {claim['id']!r}" if isinstance(claim, dict) and "id" in claim else f"claim {where[1]}"]
    if first["type"] == "missing":
        model = ClaimFile if len(first["loc"]) == 1 else Claim if len(first["loc"]) == 3 else Side
        mend = f"needed are {', '.join(name for name, one in model.model_fields.items() if one.is_required())}"
    message = first["msg"].removeprefix("Value error, ")
    return (f"{': '.join(where)}: {message}" if where else message), mend


def _check(claim: Claim, packages: dict[str, str], path: Path) -> str:
    """See that what a claim names is there; returns what is to be installed.

    Raises:
        InputError: something is unknown and no package is said to have it.
    """
    needs: dict[str, None] = {}
    for name in ("a", "b"):
        method, dataset, protocol = claim.side(name)
        where = f"claim {claim.id!r}: {name}"
        try:
            _check_numbers(method, dataset)
            spec = _method(method.name, packages, needs)
            dataset_spec(dataset.name)
            scored = protocol_spec(protocol)
        except (UnknownNameError, ValueError) as error:
            raise InputError(path, f"{where}: {error}") from None
        if not {claim.metric, claim.metric.partition("@")[0]} & set(scored.metrics):
            raise InputError(path, f"{where}: metric: {_unknown(claim.metric, scored)}")
        if spec is not None and (wrong := _wrong_config(method, spec)):
            raise InputError(path, f"{where}: {wrong[0]}", wrong[1])
    return f"needs {' and '.join(needs)}" if needs else ""


def _method(name: str, packages: dict[str, str], needs: dict[str, None]) -> MethodSpec | None:
    """The spec of a method; None, with what it needs noted, where its package is absent."""
    try:
        return find_method(name)
    except UnknownNameError as error:
        if name not in packages:
            raise UnknownNameError(f"{error} Methods that may be absent are listed under 'packages'.") from None
    package = packages[name]
    try:
        version(package)
        needs[f"{name} of {package}"] = None
    except PackageNotFoundError:
        needs[package] = None
    return None


def _wrong_config(method: MethodEntry, spec: MethodSpec) -> tuple[str, str] | None:
    """Cause and mend where a method cannot be trained as an entry says."""
    if method.train is None:
        return None
    if not spec.trainable:
        return f"method {method.name!r} cannot be trained", "leave out 'train'"
    if method.config is not None and method.config not in spec.configs and not Path(method.config).is_file():
        close = difflib.get_close_matches(method.config, spec.configs, 1)
        mend = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(spec.configs) or 'none'}"
        return f"method {method.name!r} has no config {method.config!r}", mend
    return None


def _unknown(metric: str, protocol: ProtocolSpec) -> str:
    close = difflib.get_close_matches(metric, protocol.metrics, 1)
    told = f"; did you mean {close[0]!r}?" if close else ""
    return f"protocol {protocol.name!r} has no {metric!r}{told} (it has {', '.join(protocol.metrics)})"


def _check_numbers(*entries: pydantic.BaseModel) -> None:
    """Numbers that JSON does not have would make keys that no other program reads."""
    left: list[Any] = [entry.model_dump() for entry in entries]
    while left:
        one = left.pop()
        left += one.values() if isinstance(one, dict) else one if isinstance(one, (list, tuple)) else ()
        if isinstance(one, float) and not math.isfinite(one):
            raise ValueError(f"{one} is not a number that a claim can hold")
