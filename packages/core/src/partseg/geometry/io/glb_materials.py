"""Materials of a GLB that is written: only those in use, textures and images put back in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

_IMAGE_EXTENSIONS = {"image/webp": "EXT_texture_webp", "image/ktx2": "KHR_texture_basisu"}
_UNLIT = "KHR_materials_unlit"


def plain_material(unlit: bool = False) -> dict:
    """White, matt, seen from both sides: lets vertex colours show as they are."""
    material: dict = {"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.8}, "doubleSided": True}
    return {**material, "extensions": {_UNLIT: {}}} if unlit else material


def part_material(name: str, linear: Float[np.ndarray, "3"], unlit: bool = False) -> dict:
    """A matt colour under a part's name."""
    material = {"name": str(name), **plain_material(unlit)}
    material["pbrMetallicRoughness"]["baseColorFactor"] = [*(round(float(x), 6) for x in linear), 1.0]
    return material


class MaterialTable:
    """Which material a piece gets, and the materials, textures and images that this takes.

    Args:
        materials: glTF materials whose texture slots name an image by ``"image"``.
        images: (mime type, bytes).
        of_face: material of every face of the shape; None where all pieces share the first one.
        per_part: material ``i`` belongs to part ``i``.
    """

    def __init__(
        self,
        materials: Sequence[Mapping[str, Any]],
        images: Sequence[tuple[str, bytes]],
        of_face: Int[np.ndarray, " f"] | None,
        per_part: bool = False,
    ) -> None:
        self._materials, self._images, self.of_face, self._per_part = materials, images, of_face, per_part
        self._used: dict[int, int] = {}

    def number(self, part: int, material: int) -> int | None:
        """Number in the written file of a piece's material; None for glTF's default material."""
        if self.of_face is None:
            material = part if self._per_part else 0
        if material < 0:
            return None
        return self._used.setdefault(material, len(self._used))

    def write_into(self, document: dict, add_block: Callable[[bytes], int]) -> None:
        """Adds the materials that `number` gave out, with their textures, samplers and images."""
        if not self._used:
            return
        textures: dict[tuple, int] = {}
        images: dict[int, int] = {}
        samplers: dict[tuple, int] = {}

        def put_back(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return [put_back(entry) for entry in value]
            if not isinstance(value, Mapping):
                return value
            if "image" not in value:
                return {key: put_back(entry) for key, entry in value.items()}
            image = images.setdefault(value["image"], len(images))
            sampler = tuple(sorted(value.get("sampler", {}).items()))
            sampler_number = samplers.setdefault(sampler, len(samplers)) if sampler else None
            texture = textures.setdefault((image, sampler_number), len(textures))
            rest = {key: put_back(entry) for key, entry in value.items() if key not in ("image", "sampler")}
            return {"index": texture, **rest}

        document["materials"] = [put_back(self._materials[material]) for material in self._used]
        if textures:
            mimes = [self._images[image][0] for image in images]
            document["textures"] = [_texture(image, mimes[image], sampler) for image, sampler in textures]
            blocks = [add_block(self._images[image][1]) for image in images]
            document["images"] = [{"bufferView": view, "mimeType": mime} for view, mime in zip(blocks, mimes)]
        if samplers:
            document["samplers"] = [dict(sampler) for sampler in samplers]


def _texture(image: int, mime: str, sampler: int | None) -> dict:
    extension = _IMAGE_EXTENSIONS.get(mime)
    texture: dict = {"extensions": {extension: {"source": image}}} if extension else {"source": image}
    return texture if sampler is None else {**texture, "sampler": sampler}


def collect_extensions(document: dict) -> list[str]:
    """Names of all extensions of materials and textures in a document."""
    names: set[str] = set()
    stack: list[Any] = [document.get("materials", []), document.get("textures", [])]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            names.update(value.get("extensions", {}))
            stack += value.values()
        elif isinstance(value, list):
            stack += value
    return sorted(names)
