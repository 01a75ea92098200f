"""MJCF: bodies within bodies, as MuJoCo describes robots (mujoco.readthedocs.io/en/stable/XMLreference.html).

Read are complete models (`<mujoco>` with a body tree), their includes, and pairs of fragments `<item>_chain.xml` (the
body tree) with `<item>_asset.xml` (meshes and default classes). Default classes, `childclass`, frames and all ways to
write an orientation are resolved; the zero pose is that of the file, where joints play no part.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float

from partseg.data.formats.kinematics import (
    Link,
    Report,
    Robot,
    Visual,
    about,
    below,
    numbers,
    pose,
    quaternion,
    refuse,
    scaled,
    turn,
)
from partseg.data.formats.mjcf_files import expanded
from partseg.errors import InputError, ShapeWarning

_ORIENTATIONS = ("quat", "axisangle", "euler", "xyaxes", "zaxis")
_LEFT_OUT = ("replicate", "attach", "composite", "flexcomp")
_COUNTS = {"sphere": 1, "capsule": 2, "cylinder": 2, "ellipsoid": 3, "box": 3}  # sizes of a geom
_SHOWN = 3  # groups from here on are hidden in MuJoCo's viewer


def read_mjcf(path: Path, root: Path, report: Report = refuse) -> Robot:
    """The bodies of an MJCF model with their visual geoms.

    Visual are the geoms of group 2 where there are any. Elsewhere they are those of the groups that MuJoCo's viewer
    shows (0 to 2) whose class is not named after collisions; a body that has geoms without contacts (contype and
    conaffinity 0) beside others shows only these. Planes and height fields are scenery and left out. Geoms of the
    world itself become the link "world".

    Args:
        path: the file.
        root: the folder below which all meshes and includes lie.
        report: told of each problem; what is wrong is then left out. The default raises the first one.

    Raises:
        InputError: no XML, or no MJCF model with bodies.

    Warns:
        ShapeWarning: elements that generate bodies (replicate, attach, composite, flexcomp) are left out.
    """
    top = expanded(path, path, root, report)
    bodies = top.findall("worldbody")
    if top.tag == "mujocoinclude":
        partner = path.with_name(path.stem.removesuffix("_chain") + "_asset.xml")
        bodies = [top]
        if partner.is_file():
            assets = expanded(partner, partner, root, report)
        else:
            report(InputError(path, f"expected {partner.name} beside it, with its meshes and classes", "copy both"))
            assets = Element("mujocoinclude")
        top = assets
    elif top.tag != "mujoco":
        raise InputError(path, f"expected <mujoco> or <mujocoinclude>, found <{top.tag}>")
    model = _Model(path, Path(root), report)
    model.read(top)
    links, geoms = _bodies(model, bodies)
    if len(links) == 1:
        raise InputError(path, "expected a tree of bodies, found none")
    visuals: dict[int, list[Visual]] = {}
    for geom in _visual(geoms):
        try:
            visuals.setdefault(geom.link, []).append(model.visual(geom))
        except InputError as error:
            report(error)
    full = [Link(x.name, x.parent, x.pose, tuple(visuals.get(i, ()))) for i, x in enumerate(links)]
    if not full[0].visuals:  # a world without geometry is no link
        full = [Link(x.name, x.parent - 1, x.pose, x.visuals) for x in full[1:]]
    return Robot(top.get("model") or path.stem, tuple(full))


class _Geom(NamedTuple):
    link: int
    frame: Float[np.ndarray, "4 4"]  # enclosing <frame>s, to the link
    attributes: dict[str, str]
    kind: str
    group: int
    collision: bool  # by its class's name
    contacts: bool


@dataclass
class _Model:
    """Settings, default classes and mesh assets of one model."""

    path: Path
    root: Path
    report: Report
    degrees: bool = True
    sequence: str = "xyz"
    classes: dict[str, dict[str, dict[str, str]]] = field(default_factory=lambda: {"main": {}})
    meshes: dict[str, tuple[Path, np.ndarray] | InputError] = field(default_factory=dict)

    def read(self, top: Element) -> None:
        settings: dict[str, str] = {}
        for element in top.findall("compiler"):
            settings.update(element.attrib)
        self.degrees = settings.get("angle", "degree") != "radian"
        self.sequence = settings.get("eulerseq", "xyz")
        if len(self.sequence) != 3 or set(self.sequence.lower()) - set("xyz"):
            self.report(InputError(self.path, f"expected an eulerseq such as xyz, found {self.sequence[:20]!r}"))
            self.sequence = "xyz"
        if settings.get("coordinate", "local") != "local":
            self.report(InputError(self.path, "global coordinates are not read", "save the model with a newer MuJoCo"))
        for element in top.findall("default"):
            self._defaults(element)
        folder = settings.get("meshdir", settings.get("assetdir", ""))
        for element in (mesh for asset in top.findall("asset") for mesh in asset.findall("mesh")):
            attributes = self.merged("mesh", element, None)
            file = attributes.get("file", "").replace("\\", "/")
            name = attributes.get("name") or PurePosixPath(file).stem
            try:
                self.meshes[name] = self._mesh(name, attributes, folder, file, settings.get("strippath") == "true")
            except InputError as error:
                self.meshes[name] = error  # told only when a visual needs it

    def _defaults(self, top: Element) -> None:
        stack = [(top, "main", "main")]
        while stack:
            element, name, above = stack.pop()
            here = self.classes.setdefault(name, {})
            if name != above:
                for tag, attributes in self.classes[above].items():
                    here.setdefault(tag, dict(attributes))
            for child in element:
                if child.tag in ("geom", "mesh"):
                    here[child.tag] = _merge(here.get(child.tag, {}), child.attrib)
            inner = [child for child in element if child.tag == "default"]
            for child in inner:
                if not child.get("class"):
                    self.report(InputError(self.path, f"a default class in {name!r} has no name"))
            stack += [(child, child.get("class"), name) for child in inner if child.get("class")]

    def merged(self, tag: str, element: Element, childclass: str | None) -> dict[str, str]:
        """Attributes of an element with those that its class, or the body's `childclass`, supplies."""
        name = element.get("class") or childclass or "main"
        if name not in self.classes:
            raise InputError(self.path, f"a {tag} is of the class {name!r}, which no default defines")
        return _merge(self.classes[name].get(tag, {}), element.attrib)

    def _mesh(self, name: str, attributes: dict, folder: str, file: str, strip: bool) -> tuple[Path, np.ndarray]:
        what = f"mesh {name!r}"
        if not file:
            raise InputError(self.path, f"{what} names no file: meshes written into the model are not read")
        file = PurePosixPath(file).name if strip else file
        found = None if "\0" in file else below(self.root, self.path.parent / folder.replace("\\", "/") / file)
        if file.startswith("/") or folder.startswith("/") or found is None:
            mend = "give a root that holds the meshes"
            raise InputError(self.path, f"{what} names {file[:120]!r}, which lies outside the root", mend)
        if not found.is_file():
            raise InputError(self.path, f"{what} names {file[:120]!r}, which is not there", "copy it with the robot")
        factors = numbers(self.path, attributes.get("scale"), f"the scale of {what}", 3, default=(1, 1, 1))
        if not all(factors):
            raise InputError(self.path, f"{what} has a scale of zero")
        origin = numbers(self.path, attributes.get("refpos"), f"the refpos of {what}", 3, default=(0, 0, 0))
        rotation = self._quaternion(attributes.get("refquat"), what)
        return found, scaled(factors) @ np.linalg.inv(pose(origin, rotation))

    def _quaternion(self, text: str | None, what: str) -> Float[np.ndarray, "3 3"]:
        values = numbers(self.path, text, f"the quaternion of {what}", 4, default=(1, 0, 0, 0))
        if not any(values):
            raise InputError(self.path, f"{what} has a quaternion of zero")
        return quaternion(*values)

    def placed(self, attributes: dict[str, str], what: str) -> Float[np.ndarray, "4 4"]:
        """Pose of a body, frame or geom."""
        at = numbers(self.path, attributes.get("pos"), f"the pos of {what}", 3, default=(0, 0, 0))
        return pose(at, self._orientation(attributes, what))

    def _orientation(self, attributes: dict[str, str], what: str) -> Float[np.ndarray, "3 3"]:
        given = [key for key in _ORIENTATIONS if key in attributes]
        if len(given) > 1:
            raise InputError(self.path, f"{what} has two orientations, {' and '.join(given)}")
        key = given[0] if given else "quat"
        if key == "quat":
            return self._quaternion(attributes.get("quat"), what)
        count = {"axisangle": 4, "euler": 3, "xyaxes": 6, "zaxis": 3}[key]
        values = np.array(numbers(self.path, attributes[key], f"the {key} of {what}", count))
        if key == "euler":
            return self._euler(np.radians(values) if self.degrees else values)
        if key == "axisangle" and values[:3].any():
            return about(values[:3], math.radians(values[3]) if self.degrees else values[3])
        if key == "zaxis" and values.any():
            return _to_axis(values)
        if key == "xyaxes" and values[:3].any():
            x = values[:3] / np.linalg.norm(values[:3])
            y = values[3:] - x * (x @ values[3:])
            if np.linalg.norm(y) > 1e-9:
                y /= np.linalg.norm(y)
                return np.stack([x, y, np.cross(x, y)], 1)
        raise InputError(self.path, f"the {key} of {what} has no direction")

    def _euler(self, angles: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
        """Lower-case axes turn with the frame, upper-case ones stay."""
        out = np.eye(3)
        for letter, angle in zip(self.sequence, angles.tolist(), strict=True):
            step = turn("xyz".index(letter.lower()), angle)
            out = out @ step if letter.islower() else step @ out
        return out

    def visual(self, geom: _Geom) -> Visual:
        """Raises InputError: sizes or a mesh are missing or wrong."""
        attributes, kind = geom.attributes, geom.kind
        what = f"geom {attributes['name']!r}" if "name" in attributes else f"a {kind} geom"
        if kind == "mesh":
            mesh = self.meshes.get(attributes.get("mesh", ""))
            if mesh is None:
                raise InputError(self.path, f"{what} names mesh {attributes.get('mesh')!r}, which no asset defines")
            if isinstance(mesh, InputError):
                raise mesh
            return Visual("mesh", geom.frame @ self.placed(attributes, what) @ mesh[1], mesh[0])
        span = "fromto" in attributes and kind != "sphere"
        count = _COUNTS[kind]
        sizes = numbers(self.path, attributes.get("size"), f"the size of {what}", count - span, 3)
        if span:
            ends = np.array(numbers(self.path, attributes["fromto"], f"the fromto of {what}", 6)).reshape(2, 3)
            axis, long = ends[0] - ends[1], float(np.linalg.norm(ends[0] - ends[1]))
            if long <= 0:
                raise InputError(self.path, f"the ends of {what} coincide")
            at = pose(ends.mean(0), _to_axis(axis))
            sizes = (*sizes[: count - 1], long / 2)
        else:
            at, sizes = self.placed(attributes, what), sizes[:count]
        if min(sizes) <= 0:
            raise InputError(self.path, f"expected sizes above 0 for {what}, found {min(sizes):g}")
        if kind == "capsule":
            return Visual("capsule", geom.frame @ at @ scaled([sizes[0]] * 3), ratio=sizes[1] / sizes[0])
        full = {1: sizes * 3, 2: (sizes[0], *sizes), 3: sizes}[count]
        return Visual("sphere" if kind == "ellipsoid" else kind, geom.frame @ at @ scaled(full))


def _bodies(model: _Model, tops: list[Element]) -> tuple[list[Link], list[_Geom]]:
    """Links, the world first, and all geoms, in the file's order."""
    links = [Link("world", -1, np.eye(4))]
    geoms: list[_Geom] = []
    left_out: set[str] = set()
    stack: list[tuple[Element, int, np.ndarray, str | None]] = [(top, 0, np.eye(4), None) for top in reversed(tops)]
    while stack:
        element, link, frame, childclass = stack.pop()
        try:
            if element.tag == "geom":
                geom = _geom(model, element, link, frame, childclass)
                geoms += [geom] if geom is not None else []
                continue
            if element.tag == "body":
                name = element.get("name") or f"body_{len(links)}"
                at = frame @ model.placed(element.attrib, f"body {name!r}")
                links.append(Link(name, link, at))
                link, frame = len(links) - 1, np.eye(4)
            elif element.tag == "frame":
                frame = frame @ model.placed(element.attrib, f"a frame of {links[link].name!r}")
        except InputError as error:
            model.report(error)
            continue
        childclass = element.get("childclass") or childclass
        left_out.update(child.tag for child in element if child.tag in _LEFT_OUT)
        inner = [child for child in element if child.tag in ("body", "frame", "geom")]
        stack += [(child, link, frame, childclass) for child in reversed(inner)]
    if left_out:
        text = f"{model.path.name}: {', '.join(sorted(left_out))} generate bodies and are left out"
        warnings.warn(text, ShapeWarning, stacklevel=2)
    return links, geoms


def _geom(model: _Model, element: Element, link: int, frame: np.ndarray, childclass: str | None) -> _Geom | None:
    """None for scenery."""
    attributes = model.merged("geom", element, childclass)
    kind = attributes.get("type", "sphere")
    if kind in ("plane", "hfield", "sdf"):
        return None
    if kind != "mesh" and "mesh" in attributes and not {"size", "fromto"} & attributes.keys():
        kind = "mesh"  # MuJoCo would fit a primitive to the mesh: the mesh itself says more
    if kind != "mesh" and kind not in _COUNTS:
        raise InputError(model.path, f"expected a geom type that MuJoCo knows, found {kind[:40]!r}")
    group = int(numbers(model.path, attributes.get("group"), "the group of a geom", 1, default=(0,))[0])
    contacts = any(attributes.get(key, "1").strip() != "0" for key in ("contype", "conaffinity"))
    return _Geom(link, frame, attributes, kind, group, "collision" in element.get("class", ""), contacts)


def _visual(geoms: list[_Geom]) -> list[_Geom]:
    chosen = [geom for geom in geoms if geom.group == 2]
    if chosen:
        return chosen
    shown = [geom for geom in geoms if geom.group < _SHOWN and not geom.collision]
    has_visual = {geom.link for geom in shown if not geom.contacts}
    return [geom for geom in shown if not geom.contacts or geom.link not in has_visual]


def _merge(inherited: dict[str, str], own: dict[str, str]) -> dict[str, str]:
    """Own attributes win; an own orientation replaces an inherited one, however that is written."""
    if any(key in own for key in _ORIENTATIONS):
        inherited = {key: value for key, value in inherited.items() if key not in _ORIENTATIONS}
    return {**inherited, **own}


def _to_axis(axis: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """The shortest rotation of the z axis onto `axis`."""
    x, y, z = (axis / np.linalg.norm(axis)).tolist()
    side = math.hypot(x, y)
    return about((-y, x, 0.0) if side > 1e-12 else (1.0, 0.0, 0.0), math.atan2(side, z))
