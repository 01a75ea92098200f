"""What a person may call a dataset, and where its files are looked for. Light: nothing is read or imported."""

from __future__ import annotations

from pathlib import Path

from partseg.data.specs import data_root
from partseg.methods.registry import find, list_datasets
from partseg.spec import DatasetSpec


def find_dataset(name: str) -> DatasetSpec:
    """The spec of a dataset by its name or by the name of its datamodule, in any case: "shapenet-part", "ShapeNetPart".

    Raises:
        UnknownNameError: nothing of that name is installed; the text says what is.
        PartsegError: it is installed but broken.
    """
    specs = list_datasets()
    names = [spec.name for spec in specs if spec.name == name]
    names = names or [spec.name for spec in specs if _plain(name) in (_plain(spec.name), _plain(class_name(spec)))]
    return find("dataset", names[0] if len(names) == 1 else name)


def class_name(spec: DatasetSpec) -> str:
    """Name of the dataset's datamodule, e.g. "ShapeNetPart"."""
    return spec.dataset.rpartition(":")[2].rpartition(".")[2]


def root_of(spec: DatasetSpec) -> Path | None:
    """Where the files are looked for when no root is given; None for a dataset without files."""
    return None if spec.embedded else data_root(spec.name)


def is_found(spec: DatasetSpec) -> bool:
    """Whether it is embedded, or the folder where its files are looked for exists. Nothing in it is read."""
    root = root_of(spec)
    return root is None or root.is_dir()


def _plain(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")
