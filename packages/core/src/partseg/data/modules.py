"""One datamodule a dataset on disk: what its reader takes, and what every `FilesDataModule` takes.

Without a `root`, the files are looked for in a folder of the dataset's name under ``PARTSEG_DATA`` (or here).
"""

from __future__ import annotations

from typing import Any

from partseg.data.formats.folder import FolderReader
from partseg.data.formats.psb import PsbReader
from partseg.data.formats.robots import RobotReader
from partseg.data.from_files import FilesDataModule, data_root


class Psb(FilesDataModule):
    """Princeton Segmentation Benchmark.

    Args:
        root: see `partseg.data.formats.psb.PsbReader`, as the options after it.
    """

    name = "psb"

    def __init__(self, root: str | None = None, category: str | None = None, **settings: Any) -> None:
        super().__init__(PsbReader(root or data_root(self.name), category), **settings)


class Robots(FilesDataModule):
    """URDF and MJCF robots.

    Args:
        root: see `partseg.data.formats.robots.RobotReader`, as the options after it.
    """

    name = "robots"

    def __init__(self, root: str | None = None, category: str | None = None, **settings: Any) -> None:
        super().__init__(RobotReader(root or data_root(self.name), category), **settings)


class Folder(FilesDataModule):
    """Any folder of shapes, with labels beside them where there are any.

    Args:
        root: see `partseg.data.formats.folder.FolderReader`.
    """

    name = "folder"

    def __init__(self, root: str | None = None, **settings: Any) -> None:
        super().__init__(FolderReader(root or data_root(self.name)), **settings)
