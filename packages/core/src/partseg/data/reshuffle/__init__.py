"""Shapes put together from primitive patches, for learning what a primitive is (ABC Reshuffle).

Qian, Liu, Xu, Lu, "iSeg3D: An Interactive 3D Shape Segmentation Tool", 2021, section 3.1: patches (planes, circles,
cylinders …) make a repository, and random assemblies of them are training shapes whose parts are the patches. The paper
leaves open how patches are placed; here every rule is a field of `Placement`.
"""

from __future__ import annotations

from partseg.data.reshuffle.patches import KINDS
from partseg.data.reshuffle.placement import Placement
from partseg.data.reshuffle.repository import Repository, abc_repository, procedural_repository
from partseg.data.reshuffle.sample import ReshuffleSample, reshuffle

__all__ = [
    "KINDS",
    "Placement",
    "Repository",
    "ReshuffleSample",
    "abc_repository",
    "procedural_repository",
    "reshuffle",
]
