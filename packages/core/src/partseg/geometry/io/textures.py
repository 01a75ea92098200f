"""Files that a mesh file names: found only inside the mesh file's own folder, bounded in size."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

MAX_IMAGE_BYTES = 256 << 20  # all textures of one shape together

# magic bytes -> mime type; the kinds a GLB may hold
_IMAGE_KINDS = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"\xabKTX 20", "image/ktx2"))


def image_mime(data: bytes) -> str | None:
    """The mime type of an encoded image by its first bytes; None for kinds a GLB cannot hold."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _IMAGE_KINDS if data.startswith(magic)), None)


def sibling(path: Path, name: str) -> Path | None:
    """The regular file that ``name`` means relative to ``path``'s folder; None if absent or outside that folder.

    Back slashes and URL escapes are understood. A path that does not exist as written is tried by its last part, since
    exporters like to record the folder of the machine that they ran on.
    """
    folder = path.resolve().parent
    name = name.replace("\\", "/")
    for candidate in dict.fromkeys((name, unquote(name), name.rsplit("/", 1)[-1])):
        if not candidate or "\0" in candidate:
            continue
        try:
            target = Path(os.path.realpath(folder / candidate))
            if target.is_relative_to(folder) and target.is_file():
                return target
        except OSError:  # name too long, loops of links
            continue
    return None


class ImageStore:
    """Encoded images by where they came from, without repeats, up to `MAX_IMAGE_BYTES` in all."""

    def __init__(self) -> None:
        self.images: list[tuple[str, bytes]] = []
        self.missing: list[str] = []
        self._index: dict[object, int | None] = {}
        self._size = 0

    def add(self, key: object, data: bytes | None, name: str) -> int | None:
        """Index of an image; None (and the name noted in `missing`) if it is absent, too large or of a foreign kind."""
        if key not in self._index:
            mime = image_mime(data) if data else None
            if mime is None or self._size + len(data) > MAX_IMAGE_BYTES:
                self.missing.append(name)
                self._index[key] = None
            else:
                self._size += len(data)
                self._index[key] = len(self.images)
                self.images.append((mime, bytes(data)))
        return self._index[key]

    def add_file(self, path: Path, name: str) -> int | None:
        """The image file ``name`` beside ``path``."""
        target = sibling(path, name)
        if ("file", target or name) in self._index:
            return self._index[("file", target or name)]
        small = target is not None and target.stat().st_size <= MAX_IMAGE_BYTES
        return self.add(("file", target or name), target.read_bytes() if small else None, name)
