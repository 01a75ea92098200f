"""What a URDF and an MJCF robot have in common: poses, links in a tree, XML and mesh files found with care.

Poses are 4 x 4 float64 matrices that map column vectors of the inner frame to the outer one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Bool, Float

from partseg.errors import InputError

Report = Callable[[InputError], None]
Primitive = Literal["mesh", "box", "sphere", "cylinder", "capsule"]

_MAX_XML = 64 << 20
_MAX_NUMBER = 1e9  # lengths, factors and angles beyond it are damage


@dataclass(frozen=True, eq=False)
class Visual:
    """One piece of geometry of a link.

    Attributes:
        kind: "mesh", or a primitive of unit size: box with corners at +-1, sphere of radius 1, cylinder of radius 1
            from z = -1 to 1, capsule of radius 1 whose straight part goes from z = -ratio to ratio.
        matrix: (4, 4) geometry to link, with its scale; it mirrors where its determinant is negative.
        file: the mesh, else None.
        ratio: of a capsule.
    """

    kind: Primitive
    matrix: Float[np.ndarray, "4 4"]
    file: Path | None = None
    ratio: float = 0.0


@dataclass(frozen=True, eq=False)
class Link:
    """A rigid body.

    Attributes:
        name: as in the file.
        parent: number of the link it hangs on, -1 for a root.
        pose: (4, 4) link to parent at the zero pose.
        visuals: in the file's order.
    """

    name: str
    parent: int
    pose: Float[np.ndarray, "4 4"]
    visuals: tuple[Visual, ...] = ()


@dataclass(frozen=True, eq=False)
class Robot:
    """A kinematic tree: parents come before their children."""

    name: str
    links: tuple[Link, ...]

    def world(self) -> Float[np.ndarray, "l 4 4"]:
        """Link to world at the zero pose; roots stand at their own pose."""
        out = np.empty((len(self.links), 4, 4))
        for i, link in enumerate(self.links):
            out[i] = link.pose if link.parent < 0 else out[link.parent] @ link.pose
        return out

    def kept(self) -> Bool[np.ndarray, "l"]:
        """Links that have geometry, or have one below them that does."""
        out = np.array([len(link.visuals) > 0 for link in self.links], bool)
        for i in range(len(self.links) - 1, -1, -1):
            if out[i] and self.links[i].parent >= 0:
                out[self.links[i].parent] = True
        return out


def refuse(error: InputError) -> None:
    """The report of who wants no damaged file: the first problem is raised."""
    raise error


def pose(
    translation: Sequence[float] | Float[np.ndarray, "3"] = (0.0, 0.0, 0.0),
    rotation: Float[np.ndarray, "3 3"] | None = None,
) -> Float[np.ndarray, "4 4"]:
    """The pose of a translation and a rotation."""
    out = np.eye(4)
    out[:3, 3] = translation
    if rotation is not None:
        out[:3, :3] = rotation
    return out


def scaled(factors: Sequence[float]) -> Float[np.ndarray, "4 4"]:
    """Scale along x, y, z."""
    return np.diag([*map(float, factors), 1.0])


def turn(axis: int, angle: float) -> Float[np.ndarray, "3 3"]:
    """Right-handed rotation about x (0), y (1) or z (2) in radians."""
    c, s = math.cos(angle), math.sin(angle)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    out = np.eye(3)
    out[a, a], out[a, b], out[b, a], out[b, b] = c, -s, s, c
    return out


def quaternion(w: float, x: float, y: float, z: float) -> Float[np.ndarray, "3 3"]:
    """Rotation of a quaternion of any length but zero."""
    length = math.sqrt(w * w + x * x + y * y + z * z)
    w, x, y, z = w / length, x / length, y / length, z / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def about(axis: Sequence[float] | Float[np.ndarray, "3"], angle: float) -> Float[np.ndarray, "3 3"]:
    """Rotation by `angle` radians about an axis of any length but zero."""
    unit = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    return quaternion(math.cos(angle / 2), *(unit * math.sin(angle / 2)))


def numbers(
    path: Path, text: str | None, what: str, least: int, most: int | None = None, default: Sequence[float] = ()
) -> tuple[float, ...]:
    """`least` to `most` (None: exactly `least`) finite numbers of an attribute; `default` where it is absent.

    Raises:
        InputError: other text, or another count.
    """
    if text is None and default:
        return tuple(default)
    try:
        values = tuple(float(word) for word in (text or "").split())
    except ValueError:
        mend = "expand the xacro macros first" if "${" in (text or "") else ""
        raise InputError(path, f"expected numbers for {what}, found {_short(text)}", mend) from None
    if not least <= len(values) <= (least if most is None else most):
        raise InputError(path, f"expected {least} numbers for {what}, found {len(values)}")
    if not all(abs(value) <= _MAX_NUMBER for value in values):  # NaN fails the comparison as well
        raise InputError(path, f"expected numbers within 1e9 for {what}, found {_short(text)}")
    return values


def read_xml(path: Path) -> ElementTree.Element:
    """Root element of an XML file; document types, and with them entities, are refused.

    Raises:
        InputError: cannot be read, is not XML, has a DOCTYPE, or is larger than 64 MiB.
    """

    class Builder(ElementTree.TreeBuilder):
        def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
            raise InputError(path, "its XML has a DOCTYPE, which is not read", "remove the declaration")

    try:
        if path.stat().st_size > _MAX_XML:
            raise InputError(path, "expected at most 64 MiB of XML")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    parser = ElementTree.XMLParser(target=Builder())
    try:
        parser.feed(data)
        return parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # the latter: unknown encodings
        raise InputError(path, f"expected XML: {error}", "the file is damaged or cut short: copy it again") from None


def below(root: Path, candidate: str | Path) -> Path | None:
    """The path without `..`, or None where it leaves the root. Links in the file system are not followed."""
    top, full = os.path.abspath(root), os.path.normpath(os.path.abspath(candidate))
    return Path(full) if full == top or full.startswith(top.rstrip(os.sep) + os.sep) else None


def resolve(path: Path, root: Path, uri: str, what: str) -> Path:
    """The file that a URDF names: `package://`, `model://` or relative to the URDF.

    Where the package lies is not known, so leading folders of the URI are dropped, as few as possible, until the rest
    is found below the root, or below a folder between it and the URDF.

    Raises:
        InputError: no such file, or one outside the root.
    """
    mend = "give a root that holds the meshes, and copy them with the robot"
    scheme, mark, rest = uri.replace("\\", "/").partition("://")
    packaged = bool(mark)
    if (mark and scheme not in ("package", "model")) or (not mark and (uri.startswith(("/", "~")) or ":" in uri)):
        raise InputError(path, f"{what} names {_short(uri)}, expected package:// or a relative path")
    parts = [part for part in (rest if packaged else scheme).split("/") if part not in ("", ".")]
    if not parts or len(parts) > 64 or "\0" in uri:
        raise InputError(path, f"{what} names {_short(uri)}, which is no file")
    if not packaged:
        found = below(root, path.parent / "/".join(parts))
        if found is not None and found.is_file():
            return found
        if found is None:
            raise InputError(path, f"{what} names {_short(uri)}, which lies outside the root", mend)
    folders = [folder for folder in (root, *reversed(path.parent.parents), path.parent) if below(root, folder)]
    for skip in range(len(parts)):
        for folder in folders:
            found = below(root, folder / "/".join(parts[skip:]))
            if found is not None and found.is_file():
                return found
    raise InputError(path, f"{what} names {_short(uri)}, which is not there", mend)


def _short(text: str | None) -> str:
    return repr(text if text is None or len(text) <= 120 else text[:117] + "...")
