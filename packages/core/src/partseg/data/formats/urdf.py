"""URDF: links joined by joints, as ROS describes robots (wiki.ros.org/urdf/XML)."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float

from partseg.data.formats.kinematics import (
    Link,
    Report,
    Robot,
    Visual,
    numbers,
    pose,
    read_xml,
    refuse,
    resolve,
    scaled,
    turn,
)
from partseg.errors import InputError


def read_urdf(path: Path, root: Path, report: Report = refuse) -> Robot:
    """The links of a URDF at the zero pose with their `<visual>` geometry; `<collision>` is left out.

    Args:
        path: the file.
        root: the folder below which all meshes lie.
        report: told of each problem; what is wrong is then left out. The default raises the first one.

    Raises:
        InputError: no XML, no robot, or no link at all.
    """
    document = read_xml(path)
    if document.tag != "robot":
        raise InputError(path, f"expected a <robot>, found <{document.tag}>")
    visuals: dict[str, tuple[Visual, ...]] = {}
    for element in document.findall("link"):
        name = element.get("name")
        if not name or name in visuals:
            report(InputError(path, f"two links are called {name!r}" if name else "a link has no name"))
            continue
        found = []
        for visual in element.findall("visual"):
            try:
                found.append(_visual(path, root, name, visual))
            except InputError as error:
                report(error)
        visuals[name] = tuple(found)
    if not visuals:
        raise InputError(path, "expected a robot with links, found none")
    joints = _joints(path, document, visuals, report)
    return Robot(document.get("name") or path.stem, _ordered(path, visuals, joints, report))


def _joints(path: Path, document: Element, links: dict, report: Report) -> dict[str, tuple[str, np.ndarray]]:
    """Child link -> parent link and pose of the child in it."""
    joints: dict[str, tuple[str, np.ndarray]] = {}
    for element in document.findall("joint"):
        name = element.get("name")
        ends = [end.get("link") if (end := element.find(key)) is not None else None for key in ("parent", "child")]
        unknown = [repr(end) for end in ends if end not in links]
        if unknown:
            report(InputError(path, f"joint {name!r} joins link {' and '.join(unknown)}, which is not in the file"))
        elif ends[1] in joints:
            report(InputError(path, f"link {ends[1]!r} is the child of two joints, {name!r} is the second"))
        else:
            try:
                joints[ends[1]] = ends[0], _origin(path, element, f"joint {name!r}")
            except InputError as error:
                report(error)
                joints[ends[1]] = ends[0], np.eye(4)
    return joints


def _ordered(path: Path, visuals: dict[str, tuple[Visual, ...]], joints: dict, report: Report) -> tuple[Link, ...]:
    """Links breadth first from the root."""
    children: dict[str, list[str]] = {name: [] for name in visuals}
    for child, (parent, _) in joints.items():
        children[parent].append(child)
    roots = [name for name in visuals if name not in joints]
    # frames that nothing hangs on and that show nothing are no second robot
    roots = [name for name in roots if children[name] or visuals[name]] or roots[:1]
    if len(roots) > 1:
        report(InputError(path, f"expected one root link, found {len(roots)}: {', '.join(roots[:4])}", "add a joint"))
    number: dict[str, int] = {}
    links = []
    queue = deque(roots)
    while queue:
        name = queue.popleft()
        number[name] = len(links)
        parent, matrix = joints.get(name, ("", np.eye(4)))
        links.append(Link(name, number.get(parent, -1), matrix, visuals[name]))
        queue.extend(children[name])
    cyclic = [name for name in joints if name not in number]
    if cyclic:
        report(InputError(path, f"its joints form a cycle through {', '.join(repr(name) for name in cyclic[:4])}"))
    return tuple(links)


def _origin(path: Path, element: Element, what: str) -> Float[np.ndarray, "4 4"]:
    origin = element.find("origin")
    if origin is None:
        return np.eye(4)
    xyz = numbers(path, origin.get("xyz"), f"the origin of {what}", 3, default=(0, 0, 0))
    roll, pitch, yaw = numbers(path, origin.get("rpy"), f"the angles of {what}", 3, default=(0, 0, 0))
    return pose(xyz, turn(2, yaw) @ turn(1, pitch) @ turn(0, roll))


def _visual(path: Path, root: Path, link: str, element: Element) -> Visual:
    what = f"a visual of link {link!r}"
    at = _origin(path, element, what)
    geometry = element.find("geometry")
    inner = geometry[0] if geometry is not None and len(geometry) else None
    kind = "nothing" if inner is None else inner.tag
    if kind == "mesh":
        factors = numbers(path, inner.get("scale"), f"the scale of {what}", 3, default=(1, 1, 1))
        if not all(factors):
            raise InputError(path, f"{what} has a scale of zero")
        return Visual("mesh", at @ scaled(factors), resolve(path, root, inner.get("filename", ""), what))
    if kind == "box":
        half = [side / 2 for side in _sizes(path, inner.get("size"), f"the size of {what}", 3)]
    elif kind == "sphere":
        half = [*_sizes(path, inner.get("radius"), f"the radius of {what}", 1)] * 3
    elif kind in ("cylinder", "capsule"):  # both along z; the length of a capsule is that of its straight part
        (radius,) = _sizes(path, inner.get("radius"), f"the radius of {what}", 1)
        (length,) = _sizes(path, inner.get("length"), f"the length of {what}", 1)
        if kind == "capsule":
            return Visual("capsule", at @ scaled([radius] * 3), ratio=length / 2 / radius)
        half = [radius, radius, length / 2]
    else:
        raise InputError(path, f"{what} holds <{kind}>, expected mesh, box, cylinder, capsule or sphere")
    return Visual(kind, at @ scaled(half))


def _sizes(path: Path, text: str | None, what: str, n: int) -> tuple[float, ...]:
    values = numbers(path, text, what, n)
    if min(values) <= 0:
        raise InputError(path, f"expected {what} above 0, found {min(values):g}")
    return values
