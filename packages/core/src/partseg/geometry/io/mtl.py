"""MTL material libraries as glTF materials."""

from __future__ import annotations

import math
from pathlib import Path

from partseg.geometry.io.assemble import srgb_to_linear, warn
from partseg.geometry.io.textures import ImageStore, sibling

_MAX_MTL_BYTES = 32 << 20
_OPTION_VALUES = {"-s": 3, "-o": 3, "-t": 3, "-mm": 2}  # texture options with numbers; any other takes one word


def read_materials(path: Path, libraries: list[str], used: list[str]) -> tuple[tuple[dict, ...], tuple]:
    """One glTF material for each name in ``used``, from the libraries an OBJ file names.

    ``Kd``, ``d``/``Tr``, ``map_Kd``, ``Ke``, ``Ns`` and the metal-roughness extension ``Pr``/``Pm`` are used. Missing
    libraries and textures are a `ShapeWarning`; a material that no library has is then plain, under its name. If no
    material is found there are none at all.

    Returns:
        materials (texture slots name an entry of the images by ``"image"``) and images (mime type, bytes).
    """
    if not used:
        return (), ()
    found: dict[str, dict[str, list[str]]] = {}
    lost = []
    for library in libraries:
        target = sibling(path, library)
        if target is None or target.stat().st_size > _MAX_MTL_BYTES:
            lost.append(library)
        else:
            _parse(target.read_text("utf-8", errors="replace"), found)
    if not any(name in found for name in used):
        if lost:
            warn(path, f"{_listed(lost)} not found beside it: colours and textures are left out")
        return (), ()
    store = ImageStore()
    materials = tuple(_material(path, name, found.get(name), store) for name in used)
    lost += store.missing
    if lost:
        warn(path, f"{_listed(lost)} not found beside it: some colours or textures are left out")
    return materials, tuple(store.images)


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _parse(text: str, found: dict[str, dict[str, list[str]]]) -> None:
    current: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "newmtl":
            current = found.setdefault(line.split(None, 1)[1].strip() if len(words) > 1 else "default", {})
        else:
            current.setdefault(words[0].lower(), words[1:])


def _numbers(words: list[str] | None, count: int) -> list[float] | None:
    try:
        values = [float(word) for word in (words or [])[:count]]
    except ValueError:
        return None
    if len(values) == 1 and count == 3:
        values *= 3
    return values if len(values) == count and all(map(math.isfinite, values)) else None


def _texture_name(words: list[str]) -> str:
    at = 0
    while at < len(words) - 1 and words[at].startswith("-"):
        option, at = words[at], at + 1
        for _ in range(_OPTION_VALUES.get(option, 1)):
            if at < len(words) - 1:
                at += 1
    return " ".join(words[at:])


def _material(path: Path, name: str, entry: dict[str, list[str]] | None, store: ImageStore) -> dict:
    entry = entry or {}
    color = _numbers(entry.get("kd"), 3) or [0.8, 0.8, 0.8]
    opacity = (_numbers(entry.get("d"), 1) or [1 - (_numbers(entry.get("tr"), 1) or [0.0])[0]])[0]
    pbr: dict = {}
    if entry.get("map_kd"):
        image = store.add_file(path, _texture_name(entry["map_kd"]))
        if image is not None:
            pbr["baseColorTexture"] = {"image": image}
            color = color if any(color) else [1.0, 1.0, 1.0]  # black under a texture: written by tools that ignore Kd
    linear = [round(float(c), 6) for c in srgb_to_linear([min(max(c, 0.0), 1.0) for c in color])]
    pbr["baseColorFactor"] = [*linear, min(max(opacity, 0.0), 1.0)]
    pbr["metallicFactor"] = min(max((_numbers(entry.get("pm"), 1) or [0.0])[0], 0.0), 1.0)
    shininess = max((_numbers(entry.get("ns"), 1) or [10.0])[0], 0.0)
    roughness = (_numbers(entry.get("pr"), 1) or [math.sqrt(2 / (shininess + 2))])[0]
    pbr["roughnessFactor"] = round(min(max(roughness, 0.0), 1.0), 4)
    material = {"name": name, "pbrMetallicRoughness": pbr, "doubleSided": True}
    emission = _numbers(entry.get("ke"), 3)
    if emission and any(emission):
        material["emissiveFactor"] = [min(max(c, 0.0), 1.0) for c in emission]
    if opacity < 1:
        material["alphaMode"] = "BLEND"
    return material
