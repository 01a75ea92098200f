"""One datamodule a dataset on disk: what its reader takes, and what every `FilesDataModule` takes.

Without a `root`, the files are looked for in a folder of the dataset's name under ``PARTSEG_DATA`` (or here). Options
named as the reader's are explained there.
"""

from __future__ import annotations

from typing import Any

from partseg.data.formats.abc import AbcReader
from partseg.data.formats.coseg import CosegReader
from partseg.data.formats.folder import FolderReader
from partseg.data.formats.mobility import Group, MobilityReader
from partseg.data.formats.nyuv2 import NyuV2Reader
from partseg.data.formats.partnet import PartNetReader, Release
from partseg.data.formats.partobjaverse import PartObjaverseReader
from partseg.data.formats.psb import PsbReader
from partseg.data.formats.robots import RobotReader
from partseg.data.formats.s3dis import S3disReader
from partseg.data.formats.scannet import ScanNetReader
from partseg.data.formats.scene_graph import SceneGraphReader
from partseg.data.formats.shapenet_part import ShapeNetPartReader
from partseg.data.formats.symh import SymhReader
from partseg.data.from_files import FilesDataModule
from partseg.data.reading import Normalization
from partseg.data.specs import data_root


class PartNet(FilesDataModule):
    """PartNet."""

    name = "partnet"

    def __init__(
        self,
        root: str | None = None,
        category: str | None = None,
        release: Release = "auto",
        fill_levels: bool = False,
        labels_root: str | None = None,
        mesh: bool = False,
        normalize: Normalization = "sphere",
        augmentation: str = "partnet",
        **settings: Any,
    ) -> None:
        super().__init__(
            PartNetReader(root or data_root(self.name), category, None, release, fill_levels, labels_root, mesh),
            normalize=normalize,
            augmentation=augmentation,
            **settings,
        )


class PartNetSymh(FilesDataModule):
    """PartNet-Symh, FineSeg and GRASS: symmetry hierarchies."""

    name = "partnet-symh"

    def __init__(
        self,
        root: str | None = None,
        category: str | None = None,
        augmentation: str = "recursive-partnet",
        **settings: Any,
    ) -> None:
        super().__init__(SymhReader(root or data_root(self.name), category), augmentation=augmentation, **settings)


class ShapeNetPart(FilesDataModule):
    """ShapeNetPart."""

    name = "shapenet-part"

    def __init__(
        self, root: str | None = None, category: str | None = None, normalize: Normalization = "sphere", **settings: Any
    ) -> None:
        super().__init__(ShapeNetPartReader(root or data_root(self.name), category), normalize=normalize, **settings)


class PartNetMobility(FilesDataModule):
    """PartNet-Mobility and PartNetE."""

    name = "partnet-mobility"

    def __init__(
        self, root: str | None = None, category: str | None = None, group: Group | None = None, **settings: Any
    ) -> None:
        super().__init__(MobilityReader(root or data_root(self.name), category, group), **settings)


class PartObjaverseTiny(FilesDataModule):
    """PartObjaverse-Tiny."""

    name = "partobjaverse-tiny"

    def __init__(self, root: str | None = None, group: str | None = None, **settings: Any) -> None:
        super().__init__(PartObjaverseReader(root or data_root(self.name), group), **settings)


class Psb(FilesDataModule):
    """Princeton Segmentation Benchmark."""

    name = "psb"

    def __init__(self, root: str | None = None, category: str | None = None, **settings: Any) -> None:
        super().__init__(PsbReader(root or data_root(self.name), category), **settings)


class Coseg(FilesDataModule):
    """COSEG."""

    name = "coseg"

    def __init__(self, root: str | None = None, category: str | None = None, **settings: Any) -> None:
        super().__init__(CosegReader(root or data_root(self.name), category), **settings)


class Robots(FilesDataModule):
    """URDF and MJCF robots."""

    name = "robots"

    def __init__(self, root: str | None = None, category: str | None = None, **settings: Any) -> None:
        super().__init__(RobotReader(root or data_root(self.name), category), **settings)


class SceneGraphs(FilesDataModule):
    """glTF scene graphs."""

    name = "scene-graphs"

    def __init__(self, root: str | None = None, category: str | None = None, **settings: Any) -> None:
        super().__init__(SceneGraphReader(root or data_root(self.name), category), **settings)


class Folder(FilesDataModule):
    """Any folder of shapes, with labels beside them where there are any."""

    name = "folder"

    def __init__(self, root: str | None = None, category: str | None = None, **settings: Any) -> None:
        super().__init__(FolderReader(root or data_root(self.name), category), **settings)


class ScanNet(FilesDataModule):
    """ScanNet v2."""

    name = "scannet"

    def __init__(
        self,
        root: str | None = None,
        scene_points: int | None = None,
        points: int | None = None,
        normalize: Normalization = "none",
        augmentation: str = "gspn",
        **settings: Any,
    ) -> None:
        super().__init__(
            ScanNetReader(root or data_root(self.name), scene_points=scene_points),
            points=points,
            normalize=normalize,
            augmentation=augmentation,
            **settings,
        )


class S3dis(FilesDataModule):
    """S3DIS."""

    name = "s3dis"

    def __init__(
        self,
        root: str | None = None,
        area: int | None = None,
        test_area: int = 5,
        blocks: bool = False,
        points: int | None = None,
        normalize: Normalization = "none",
        augmentation: str = "none",
        **settings: Any,
    ) -> None:
        super().__init__(
            S3disReader(root or data_root(self.name), area, None, test_area, blocks),
            points=points,
            normalize=normalize,
            augmentation=augmentation,
            **settings,
        )


class NyuV2(FilesDataModule):
    """NYU Depth v2."""

    name = "nyuv2"

    def __init__(
        self,
        root: str | None = None,
        points: int | None = None,
        normalize: Normalization = "none",
        augmentation: str = "none",
        **settings: Any,
    ) -> None:
        super().__init__(
            NyuV2Reader(root or data_root(self.name)),
            points=points,
            normalize=normalize,
            augmentation=augmentation,
            **settings,
        )


class Abc(FilesDataModule):
    """ABC."""

    name = "abc"

    def __init__(self, root: str | None = None, **settings: Any) -> None:
        super().__init__(AbcReader(root or data_root(self.name)), **settings)
