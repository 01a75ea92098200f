"""What keys need to know of shapes and protocols, remembered so that a rerun need not import or read them.

A fact is remembered under a hash of all it follows from: for embedded shapes and protocols that is source code. Shapes
in files are looked at every time, since files change.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from partseg.errors import InputError, PartsegError, UnknownNameError
from partseg.files import write_text
from partseg.methods.registry import find, list_datasets
from partseg.spec import DatasetSpec, ProtocolSpec, SpecError, load_target
from partseg_bench.board import DatasetEntry
from partseg_bench.code import code_digest
from partseg_bench.sources import canonical, digest, file_digest


class Facts:
    """Facts of datasets and protocols, kept in a file; for one plan, which asks for the same ones again and again.

    Args:
        path: the file; made when there is something to keep. One that is damaged is as good as none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = _read(path)
        self._new = False
        self._session: dict[tuple[str, ...], Any] = {}  # what this plan has asked for already

    def dataset(self, name: str) -> DatasetSpec | None:
        """`dataset_spec`."""
        return self._once(("dataset", name), lambda: dataset_spec(name))

    def code(self, *targets: str) -> str:
        """`code_digest` of the modules of "module:Class"es, or of modules."""
        return self._once(("code", *targets), lambda: code_digest(*(one.partition(":")[0] for one in targets)))

    def dataset_code(self, name: str) -> str:
        """Digest of the source of a dataset's datamodule; a name "module:function" stands for itself."""
        spec = self.dataset(name)
        return self.code(name if spec is None else spec.dataset)

    def shapes(self, entry: DatasetEntry) -> dict[str, Any]:
        """{"digest", "n"} of the shapes of a dataset entry, or {"error"} (one line) when they cannot be had.

        Raises:
            UnknownNameError: no such dataset is installed.
        """
        given = entry.model_dump(mode="json")
        return self._once(("shapes", canonical(given)), lambda: self._shapes(entry, given))

    def protocol(self, spec: ProtocolSpec) -> dict[str, Any]:
        """{"asks", "view", "predict"} of a protocol: what it asks methods, what they may see, and the module that says
        how it is asked; or {"error"} when it cannot be imported."""
        question = ["protocol", spec.protocol, self.code(spec.protocol)]
        return self._once(("protocol", spec.protocol), lambda: self._remember(question, lambda: _protocol(spec)))

    def save(self) -> None:
        """Write what is new."""
        if self._new:
            write_text(self.path, json.dumps(self._known, indent=0))
            self._new = False

    def _shapes(self, entry: DatasetEntry, given: dict[str, Any]) -> dict[str, Any]:
        spec = self.dataset(entry.name)
        try:
            listing = None if spec is None or spec.embedded else files_of(entry.name, entry.options, times=True)
        except Exception as error:  # whatever stops a reader is a row of the report, not the end of the board
            return {"error": one_line(error)}
        source = self.code("partseg_bench.samples", entry.name if spec is None else spec.dataset)
        return self._remember(["shapes", given, source, listing], lambda: _shapes(entry))

    def _once(self, name: tuple[str, ...], find_out: Callable[[], Any]) -> Any:
        if name not in self._session:
            self._session[name] = find_out()
        return self._session[name]

    def _remember(self, question: list[Any], find_out: Any) -> dict[str, Any]:
        key = digest(question)
        if key in self._known:
            return self._known[key]
        fact = find_out()
        if "error" not in fact:  # what failed may be mended without a change of source
            self._known[key] = fact
            self._new = True
        return fact


def dataset_spec(name: str) -> DatasetSpec | None:
    """The spec of a dataset; None for "module:function".

    Raises:
        UnknownNameError: there is none of that name.
    """
    if ":" in name:
        return None
    known = {spec.name: spec for spec in list_datasets()}
    return known[name] if name in known else find("dataset", name)


def protocol_spec(name: str) -> ProtocolSpec:
    """The spec of an installed protocol, or of one that is named as "module:object" (a spec, or a class that has one).

    Raises:
        UnknownNameError: there is none of that name.
    """
    if ":" not in name:
        return find("protocol", name)
    try:
        target = load_target(name)
    except (SpecError, ImportError) as error:
        raise UnknownNameError(f"protocol {name!r}: {error}") from None
    spec = target if isinstance(target, ProtocolSpec) else getattr(target, "spec", None)
    if not isinstance(spec, ProtocolSpec):
        raise UnknownNameError(f"protocol {name!r} is neither a ProtocolSpec nor a class with one")
    return spec


def make_eval_set(entry: DatasetEntry) -> Any:
    """The `EvalSet` of a dataset entry.

    Raises:
        PartsegError: its files are absent or damaged, or an option is unknown.
    """
    wanted = {"split": entry.split, "limit": entry.limit, "level": entry.level}
    if ":" in entry.name:
        return load_target(entry.name)(**wanted, **entry.options)
    from partseg_bench.samples import eval_set

    return eval_set(entry.name, **wanted, options=dict(entry.options))


def files_of(dataset: str, options: dict[str, Any], times: bool = False) -> str:
    """Digest of the names of the shapes of a dataset on disk and of the sizes of their files. No file is opened.

    Args:
        options: of its reader or of its datamodule; those that the reader does not know are left out.
        times: also of when they were changed.

    Raises:
        PartsegError: it is not there.
    """
    from partseg.cli.data_readers import open_reader

    known = inspect.signature(find("dataset", dataset).load_reader()).parameters
    taken = {name: value for name, value in options.items() if name in known and name != "root"}
    rows = []
    for item in open_reader(dataset, options.get("root"), taken).index():
        files = [one for path in item.files for one in (sorted(path.rglob("*")) if path.is_dir() else [path])]
        stats = [file.stat() for file in files if file.is_file()]
        rows.append([item.name, item.split, [[s.st_size, s.st_mtime_ns if times else 0] for s in stats]])
    return digest(rows)


def one_line(error: BaseException) -> str:
    """An error as one line: the text of those that are meant for people, type and text of others."""
    text = str(error) if isinstance(error, PartsegError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:500]


def weights_digest(path: Path) -> str:
    """Digest of a folder of weights or of a checkpoint.

    Raises:
        InputError: it cannot be read.
    """
    try:
        if path.is_dir():
            files = [path / name for name in ("config.json", "model.safetensors") if (path / name).is_file()]
            return digest([[file.name, file_digest(file)] for file in files])
        return file_digest(path)
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None


def _shapes(entry: DatasetEntry) -> dict[str, Any]:
    try:
        found = make_eval_set(entry)
        return {"digest": str(found.digest), "n": len(found)}
    except Exception as error:  # whatever stops a reader is a row of the report, not the end of the board
        return {"error": one_line(error)}


def _protocol(spec: ProtocolSpec) -> dict[str, Any]:
    try:
        cls = spec.load()
        owner = next(one for one in cls.__mro__ if "predict" in vars(one))
        return {
            "asks": str(cls.asks),
            "view": str(getattr(cls, "view", "mesh")),
            "predict": owner.__module__,
        }
    except Exception as error:
        return {"error": one_line(error)}


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
