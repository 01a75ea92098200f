"""Materials of a glTF document, made independent of it: texture slots name images directly."""

from __future__ import annotations

import math
from typing import Any

from partseg.geometry.io.gltf_buffers import Accessors, decode_data_uri, item
from partseg.geometry.io.textures import ImageStore

# texture extensions that replace the image of a texture by one of another kind
_SOURCES = ("EXT_texture_webp", "KHR_texture_basisu")
_SAMPLER_KEYS = ("magFilter", "minFilter", "wrapS", "wrapT")


def read_materials(document: dict, accessors: Accessors) -> tuple[list[dict], list[int], ImageStore]:
    """All materials, the texture coordinate set each one uses, and their images.

    A texture slot of a result is ``{"image": index, "sampler": {...}, ...}``. Slots whose image is missing, or that use
    another coordinate set than the base colour, are left out: a shape keeps one set.
    """
    store = ImageStore()
    materials, sets = [], []
    for entry in document.get("materials", []):
        entry = entry if isinstance(entry, dict) else {}
        pbr = entry.get("pbrMetallicRoughness")
        base = pbr.get("baseColorTexture") if isinstance(pbr, dict) else None
        uv_set = base.get("texCoord", 0) if isinstance(base, dict) else 0
        material = _clean(entry, document, accessors, store, uv_set)
        factor = material.get("pbrMetallicRoughness", {}).get("baseColorFactor", [1, 1, 1, 1])
        if not (isinstance(factor, list) and len(factor) == 4 and all(isinstance(x, int | float) for x in factor)):
            del material["pbrMetallicRoughness"]["baseColorFactor"]
        materials.append(material)
        sets.append(uv_set if isinstance(uv_set, int) else 0)
    return materials, sets, store


def _clean(value: Any, document: dict, accessors: Accessors, store: ImageStore, uv_set: int) -> Any:
    """A deep copy without null and infinite numbers, texture slots resolved."""
    if isinstance(value, list):
        cleaned = [_clean(entry, document, accessors, store, uv_set) for entry in value]
        return [entry for entry in cleaned if entry is not None]
    if not isinstance(value, dict):
        return None if isinstance(value, float) and not math.isfinite(value) else value
    out = {}
    for key, entry in value.items():
        if key.endswith("Texture") and isinstance(entry, dict) and "index" in entry:
            image = _image(entry["index"], document, accessors, store)
            if image is None or entry.get("texCoord", 0) != uv_set:
                continue
            rest = {k: v for k, v in entry.items() if k not in ("index", "texCoord")}
            out[key] = {"image": image, **_sampler(entry["index"], document)}
            out[key].update(_clean(rest, document, accessors, store, uv_set))
        else:
            cleaned = _clean(entry, document, accessors, store, uv_set)
            if cleaned is not None:
                out[key] = cleaned
    return out


def _sampler(texture: int, document: dict) -> dict:
    index = item(document, "textures", texture).get("sampler")
    samplers = document.get("samplers", [])
    if not isinstance(index, int) or not 0 <= index < len(samplers):
        return {}
    sampler = {key: samplers[index][key] for key in _SAMPLER_KEYS if isinstance(samplers[index].get(key), int)}
    return {"sampler": sampler} if sampler else {}


def _image(texture: int, document: dict, accessors: Accessors, store: ImageStore) -> int | None:
    try:
        entry = item(document, "textures", texture)
        extensions = entry.get("extensions", {})
        sources = [entry.get("source"), *(extensions.get(name, {}).get("source") for name in _SOURCES)]
        source = next(index for index in sources if index is not None)
        image = item(document, "images", source)
        name = str(image.get("name") or image.get("uri", f"image {source}"))[:80]
        if "bufferView" in image:
            return store.add(source, bytes(accessors.view(image["bufferView"])), name)
        if image["uri"].startswith("data:"):
            return store.add(source, decode_data_uri(accessors.path, image["uri"]), name)
        return store.add_file(accessors.path, image["uri"])
    except (LookupError, TypeError, AttributeError, StopIteration):
        store.missing.append(f"texture {texture}")
        return None
