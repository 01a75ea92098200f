"""Which XML files are MJCF robots, and what their includes hold."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from xml.etree.ElementTree import Element

from partseg.data.formats.kinematics import Report, below, read_xml
from partseg.errors import InputError


def is_robot(path: Path, root: Path) -> bool:
    """Whether an XML file is an MJCF model with bodies, or the chain of a pair of fragments.

    A model that includes another one whole is a scene and no robot. A file that begins like MJCF and is damaged counts,
    so that reading it tells what is wrong.
    """
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError:
        return False
    if b"<mujoco" not in head:
        return False
    try:
        document = read_xml(path)
    except InputError:
        return True
    if document.tag == "mujoco":
        if document.find("worldbody//body") is None:
            return False
        included = [
            below(root, path.parent / x.get("file", "").replace("\\", "/")) for x in document.findall("include")
        ]
        return not any(_is_model(other) for other in included if other not in (None, path))
    return document.tag == "mujocoinclude" and path.stem.endswith("_chain") and document.find(".//body") is not None


def _is_model(path: Path) -> bool:
    try:
        document = read_xml(path)
    except (InputError, ValueError):  # ValueError: a null byte in the name
        return False
    return document.tag == "mujoco" and document.find("worldbody//body") is not None


def expanded(path: Path, main: Path, root: Path, report: Report) -> Element:
    """The document with every `<include>` replaced by what its file holds.

    Files are sought beside the main file, then beside the including one; a second include of the same file is reported.
    """
    document = read_xml(path)
    stack: list[tuple[Element, tuple[Path, ...]]] = [(document, (path,))]
    seen = {path}
    while stack:
        element, within = stack.pop()
        waiting = deque((child, within) for child in element)
        inner: list[tuple[Element, tuple[Path, ...]]] = []
        while waiting:
            child, chain = waiting.popleft()
            if child.tag != "include":
                inner.append((child, chain))
                continue
            try:
                file = _included(child.get("file", ""), chain, main, root)
                if file in seen:  # MuJoCo's own rule; it rules out cycles
                    raise InputError(
                        chain[-1], f"includes {child.get('file')!r}, which is included before", "once only"
                    )
                seen.add(file)
                waiting.extendleft(reversed([(x, (*chain, file)) for x in read_xml(file)]))
            except InputError as error:
                report(error)
        element[:] = [child for child, _ in inner]
        stack += inner
    return document


def _included(name: str, chain: tuple[Path, ...], main: Path, root: Path) -> Path:
    found = None
    if name and "\0" not in name and not name.startswith("/"):
        choices = [below(root, folder / name.replace("\\", "/")) for folder in (main.parent, chain[-1].parent)]
        found = next((choice for choice in choices if choice is not None and choice.is_file()), None)
    if found is None:
        raise InputError(chain[-1], f"includes {name[:120]!r}, which is not below the root", "copy it with the robot")
    return found
