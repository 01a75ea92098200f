"""What every reader of a dataset on disk is: `index` a root, `load` one shape, say the `taxonomy`.

Readers know files and nothing of torch; `partseg.data.modules` makes datamodules of them.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from partseg.errors import InputError, PartsegError
from partseg.geometry.shape import Shape
from partseg.parts.hierarchy import PartHierarchy

Taxonomy = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class PartItem:
    """Where one shape's files are; nothing is read.

    Attributes:
        name: unique in the dataset, e.g. "Chair/1127".
        category: e.g. "Chair"; empty where the dataset has none.
        split: "train", "val" or "test"; empty where the dataset has no split files.
        files: the files, and folders of files, that `load` reads.
        row: number of the shape in a file of many, else -1.
    """

    name: str
    category: str = ""
    split: str = ""
    files: tuple[Path, ...] = ()
    row: int = -1


@dataclass(frozen=True, eq=False)
class PartSample:
    """One shape with its truths; n elements: faces of a mesh, points of a cloud.

    Attributes:
        shape: in the file's coordinates and order.
        labels: level (or annotator) -> (n,) int64 part instance, 0..k-1, -1 unlabelled; coarse levels first.
        semantics: level -> (n,) int64 class, an index into the taxonomy's names of that level, -1 unlabelled.
        hierarchy: the part tree over the same elements, where the dataset has one.
    """

    shape: Shape
    labels: Mapping[str, Int[np.ndarray, "n"]] = field(default_factory=dict)
    semantics: Mapping[str, Int[np.ndarray, "n"]] = field(default_factory=dict)
    hierarchy: PartHierarchy | None = None

    def __post_init__(self) -> None:
        n = self.shape.n_elements
        for what, table in (("labels", self.labels), ("semantics", self.semantics)):
            for level, values in table.items():
                if values.shape != (n,) or values.dtype != np.int64:
                    raise PartsegError(f"{n} elements, but {what} {level!r} are {values.dtype} {values.shape}")
        if self.hierarchy is not None and len(self.hierarchy.leaf_of) != n:
            raise PartsegError(f"{n} elements, but a hierarchy over {len(self.hierarchy.leaf_of)}")


class Reader(ABC):
    """A dataset as it lies under a root folder.

    A subclass takes `root` and what else chooses among its files (category, split …), as few options as it can. It is
    cheap to construct and to pickle, and holds no open files.

    Attributes:
        root: the folder.
        version: raised when what `load` returns changes, so that cached copies are made anew.
    """

    version: ClassVar[int] = 1

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    @abstractmethod
    def index(self) -> tuple[PartItem, ...]:
        """The shapes, in an order that follows from the files alone. Folders are listed; no geometry is read.

        Raises:
            InputError: the root is not such a dataset; the text says what was expected, what was found and how to
                obtain it.
        """

    @abstractmethod
    def load(self, item: PartItem) -> PartSample:
        """Read one shape and every truth it has.

        Raises:
            InputError: a file is missing, damaged or contradicts another one: which, what was expected, what was found.
        """

    @abstractmethod
    def taxonomy(self) -> Taxonomy:
        """Level -> names of its classes, in the order of their numbers; one level "parts" where there are no levels."""

    def check(self) -> Iterator[InputError]:
        """Everything that is missing or damaged, file by file; ends at once when the root itself is wrong.

        Subclasses add what `load` does not see, such as shapes that a split file names and the root lacks.
        """
        try:
            items = self.index()
        except InputError as error:
            yield error
            return
        for item in items:
            yield from self.check_item(item)

    def check_item(self, item: PartItem) -> Iterator[InputError]:
        """What is wrong with one shape."""
        try:
            self.load(item)
        except InputError as error:
            yield error


def folder(root: str | Path, mend: str) -> Path:
    """`root` as a path.

    Raises:
        InputError: there is no such folder; `mend` says how to obtain it.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(root, "is not a folder" if root.exists() else "no such folder", mend)
    return root


def dense(values: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """The same parts numbered 0..k-1 in the order of their numbers; negative ones become -1."""
    values = np.asarray(values, np.int64)
    found, number = np.unique(np.maximum(values, -1), return_inverse=True)
    return number.reshape(-1).astype(np.int64) - int(len(found) > 0 and found[0] == -1)


def extra(module: str) -> ModuleType:
    """A module that only some formats need, such as h5py.

    Raises:
        PartsegError: it is not installed; the text says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        mend = "pip install 'partseg-core[formats]'"
        raise PartsegError(f"this format is read with {module}: {mend} ({error})") from None
