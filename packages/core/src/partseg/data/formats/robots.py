"""Robots and articulated furniture as part hierarchies: the link is the part, the kinematic tree the hierarchy.

Read are URDF files and MJCF models (see `urdf` and `mjcf`), with their meshes, anywhere below the root. Visual geometry
is placed in the world by forward kinematics at the zero pose.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Int

from partseg.data.formats.base import PartItem, PartSample, Reader, Taxonomy, dense, folder
from partseg.data.formats.kinematics import Report, Robot, refuse
from partseg.data.formats.mjcf import read_mjcf
from partseg.data.formats.mjcf_files import is_robot
from partseg.data.formats.robot_meshes import triangles
from partseg.data.formats.urdf import read_urdf
from partseg.errors import InputError
from partseg.geometry.shape import Shape
from partseg.parts.hierarchy import PartHierarchy

_MEND = "give a folder with .urdf or MuJoCo .xml files and their meshes, such as a checkout of MuJoCo Menagerie"
# folders that sort the files of one robot rather than name it
_GENERIC = frozenset(
    ("urdf", "urdfs", "robot", "robots", "mjcf", "xml", "model", "models", "description", "descriptions")
    + ("asset", "assets", "item_assets")
)
_MAX_FACES = 50_000_000


class RobotReader(Reader):
    """Every robot below a folder; one shape each, variants of a robot are shapes of their own.

    Labels are "links" and "visuals" (one number for each mesh or primitive), semantics the name of the link. The
    hierarchy is the kinematic tree: a link with links below it is an inner node whose own geometry is its first child,
    a leaf of the same name. Links without geometry on or below them are left out.

    Args:
        root: searched with its subfolders; meshes must lie below it.
        category: only robots of this folder, such as "hyq_description".
    """

    def __init__(self, root: str | Path, category: str | None = None) -> None:
        super().__init__(root)
        self.category = category

    def index(self) -> tuple[PartItem, ...]:
        """Robots by path. XML files are opened to tell robots from others; meshes are not."""
        items = self._all()
        chosen = tuple(x for x in items if self.category in (None, x.category))
        if not chosen:
            names = ", ".join(sorted({x.category for x in items}))
            raise InputError(self.root, f"holds no robot of the category {self.category!r}", f"there are {names}")
        return chosen

    def load(self, item: PartItem) -> PartSample:
        """The robot at its zero pose in metres, z up, and its links.

        Raises:
            InputError: XML or a mesh is missing or damaged, the joints make no tree, or nothing is visible.
        """
        return self._sample(item, self._robot(item))

    def taxonomy(self) -> Taxonomy:
        """Sorted names of the links of all robots below the root, of any category; damaged files are passed over."""
        return {"links": self._names}

    def check_item(self, item: PartItem) -> Iterator[InputError]:
        """Every problem of the XML and every mesh that cannot be read."""
        problems: list[InputError] = []
        try:
            robot = _parse(item.files[0], self.root, problems.append)
        except InputError as error:
            yield error
            return
        seen = {str(problem) for problem in problems}
        yield from {str(problem): problem for problem in problems}.values()
        for visual in {v.file: v for link in robot.links for v in link.visuals if v.file is not None}.values():
            try:
                triangles(visual)
            except InputError as error:
                problems.append(error)
                if str(error) not in seen:
                    yield error
        if not problems:
            yield from super().check_item(item)

    # -- files ------------------------------------------------------------------------------------------------------

    def _all(self) -> tuple[PartItem, ...]:
        root = folder(self.root, _MEND)
        found = [path for path in _files(root) if path.suffix.lower() == ".urdf" or is_robot(path, root)]
        if not found:
            raise InputError(root, "expected .urdf files or MuJoCo models below it, found none", _MEND)
        stems = [path.relative_to(root).with_suffix("").as_posix() for path in found]
        twice = {stem for stem in stems if stems.count(stem) > 1} if len(set(stems)) < len(stems) else set()
        return tuple(
            PartItem(
                name=path.relative_to(root).as_posix() if stem in twice else stem,
                category=_category(path, root),
                files=(path, path.parent),
            )
            for path, stem in zip(found, stems, strict=True)
        )

    def _robot(self, item: PartItem) -> Robot:
        path = item.files[0]
        try:
            changed = path.stat().st_mtime_ns
        except OSError as error:
            raise InputError(path, f"cannot be read: {error.strerror or error}") from None
        return _parsed(path, self.root, changed)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        names: set[str] = set()
        for item in self._all():
            try:
                robot = self._robot(item)
            except InputError:
                continue
            names.update(link.name for link, kept in zip(robot.links, robot.kept(), strict=True) if kept)
        return tuple(sorted(names))

    @cached_property
    def _number(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self._names)}

    # -- shapes -----------------------------------------------------------------------------------------------------

    def _sample(self, item: PartItem, robot: Robot) -> PartSample:
        vertices, faces, links, visuals = [], [], [], []
        start = count = 0
        for number, (link, world) in enumerate(zip(robot.links, robot.world(), strict=True)):
            for visual in link.visuals:
                xyz, corners = triangles(visual)
                matrix = world @ visual.matrix
                count += len(corners)
                if count > _MAX_FACES:
                    raise InputError(item.files[0], f"expected at most {_MAX_FACES:,} triangles, found more")
                vertices.append(xyz @ matrix[:3, :3].T + matrix[:3, 3])
                mirrored = np.linalg.det(matrix[:3, :3]) < 0
                faces.append((corners[:, ::-1] if mirrored else corners) + start)
                start += len(xyz)
                links.append(np.full(len(corners), number))
                visuals.append(np.full(len(corners), len(visuals)))
        if not faces:
            raise InputError(item.files[0], "expected visual geometry, found none", "copy its meshes, or leave it out")
        shape = Shape.from_mesh(np.concatenate(vertices), np.concatenate(faces), name=item.name, source=item.files[0])
        link_of = np.concatenate(links).astype(np.int64)
        semantic = np.array([self._number.get(link.name, -1) for link in robot.links], np.int64)
        return PartSample(
            shape=shape,
            labels={"links": dense(link_of), "visuals": np.concatenate(visuals).astype(np.int64)},
            semantics={"links": semantic[link_of]},
            hierarchy=_tree(robot, semantic, link_of),
        )


def _tree(robot: Robot, semantic: Int[np.ndarray, "l"], link_of: Int[np.ndarray, "f"]) -> PartHierarchy:
    """The kinematic tree over the faces; several roots get one node above them, named after the robot."""
    kept = robot.kept()
    above = {link.parent for link, keep in zip(robot.links, kept, strict=True) if keep}
    roots = sum(keep and link.parent < 0 for link, keep in zip(robot.links, kept, strict=True))
    parent, name, kind = ([-1], [robot.name], [-1]) if roots > 1 else ([], [], [])
    node = np.full(len(robot.links), -1, np.int64)  # of the link
    leaf = np.full(len(robot.links), -1, np.int64)  # of its own geometry
    for i in np.flatnonzero(kept).tolist():
        link = robot.links[i]
        node[i] = leaf[i] = len(parent)
        parent.append(int(node[link.parent]) if link.parent >= 0 else len(parent[:1]) - 1)
        name.append(link.name)
        kind.append(int(semantic[i]))
        if i in above and link.visuals:
            leaf[i] = len(parent)
            parent.append(int(node[i]))
            name.append(link.name)
            kind.append(int(semantic[i]))
    own = [i for i, link in enumerate(robot.links) if link.visuals]
    return PartHierarchy.build(parent, leaf[link_of], name, kind, levels={"links": leaf[own]})


def _parse(path: Path, root: Path, report: Report) -> Robot:
    return (read_urdf if path.suffix.lower() == ".urdf" else read_mjcf)(path, root, report)


@lru_cache(maxsize=512)
def _parsed(path: Path, root: Path, changed: int) -> Robot:
    """A robot as its file was at the time `changed`."""
    return _parse(path, root, refuse)


def _files(root: Path) -> Iterator[Path]:
    """All .urdf and .xml files below the root, by path."""
    for here, folders, files in os.walk(root):
        folders.sort()
        for file in sorted(files):
            if file.lower().endswith((".urdf", ".xml")):
                yield Path(here, file)


def _category(path: Path, root: Path) -> str:
    """The nearest folder that names a robot; the root's own name counts last."""
    for parent in path.parents:
        if parent.name.lower() not in _GENERIC:
            return parent.name
        if parent == root:
            break
    return ""
